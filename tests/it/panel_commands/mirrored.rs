//! A server whose backups are mirrored to two places of a configuration.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use nestegg::env::Clock;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use serde_json::Value;

use crate::support::archive::Archive;
use crate::support::schema;
use crate::support::world::Ran;
use crate::support::world::World;

/// The names of the places.
pub(super) const PLACES: [&str; 2] = ["b2", "nas"];

/// A panel with one server, and a configuration with two destinations.
pub(super) struct Mirrored {
    pub(super) world: World,
    pub(super) server: ServerId,
    pub(super) backups: Vec<BackupId>,
}

impl Mirrored {
    /// So many completed backups, the oldest first, all of them held in both places.
    pub(super) async fn of(backups: u64) -> Self {
        let scene = Self::unmirrored(backups).await;
        scene.mirror(&[]).await;
        scene.world.panel.forget_requests();
        scene
    }

    /// The same, and nothing is held yet.
    pub(super) async fn unmirrored(backups: u64) -> Self {
        let mut world = World::new().await;
        let server = world.panel.add_server("Survival");
        let backups = (1..=backups)
            .map(|number| {
                let archive = Archive::small(number);
                world
                    .panel
                    .add_backup(server, &format!("nightly {number}"), archive)
            })
            .collect();
        world.set("NESTEGG_CONFIG", "nestegg.toml");
        let scene = Self {
            world,
            server,
            backups,
        };
        let mut config = format!(
            "[[panel]]\nname = \"main\"\nurl = \"{}\"\n",
            scene.world.panel.url()
        );
        for place in PLACES {
            let root = scene.root(place);
            fs::create_dir(&root).unwrap();
            let url = root.display();
            write!(
                config,
                "[[destination]]\nname = \"{place}\"\nurl = \"{url}\"\n"
            )
            .unwrap();
        }
        fs::write(scene.world.path("nestegg.toml"), config).unwrap();
        scene
    }

    /// Mirrors what the panel has.
    pub(super) async fn mirror(&self, more: &[&str]) {
        let server = self.server.to_string();
        let mut args = vec!["mirror", "--server", &server];
        args.extend(more);
        let ran = self.world.run(&args).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }

    /// The root of a place.
    pub(super) fn root(&self, place: &str) -> PathBuf {
        self.world.path(place)
    }

    /// Where a place keeps an archive.
    pub(super) fn archive(&self, place: &str, backup: BackupId) -> PathBuf {
        World::archive_at(&self.root(place), self.server, backup)
    }

    /// Begins to remove the copy of one backup at a place, as `prune` would, and leaves it at that: both
    /// objects still stand there.
    pub(super) fn begin_removal(&self, place: &str, backup: BackupId) {
        let archive = self.archive(place, backup);
        let sidecar = fs::read(archive.with_file_name(format!("{backup}.json"))).unwrap();
        let mut ledger = Ledger::open(&self.world.ledger()).unwrap();
        let now = Clock::System.now();
        let run = ledger.begin_run("prune", now).unwrap();
        let copies = ledger.copies(&CopyFilter::default()).unwrap();
        let held = copies
            .iter()
            .find(|copy| copy.destination.as_str() == place);
        let location = &held.unwrap().location;
        let destination = ledger.find_destination(location).unwrap().unwrap();
        let key = ObjectKey::for_backup(self.server, backup, ObjectKind::Archive);
        ledger
            .intend_removal(run, destination, &key, "no rule keeps it", &sidecar, now)
            .unwrap();
    }

    /// Runs a `panel` command.
    pub(super) async fn panel(&self, words: &[&str]) -> Ran {
        let mut args = vec!["panel"];
        args.extend(words);
        self.world.run(&args).await
    }

    /// Runs a `panel` command with `--json`; the document is as its schema says.
    pub(super) async fn json(&self, schema: &str, words: &[&str]) -> (Ran, Value) {
        let mut words = words.to_vec();
        words.push("--json");
        let ran = self.panel(&words).await;
        let document = ran.json();
        schema::assert_fits(schema, &document);
        assert_eq!(document["exit_code"], serde_json::json!(ran.code));
        (ran, document)
    }

    /// The backups that the panel has, by their numbers from 1.
    pub(super) fn there(&self) -> Vec<usize> {
        let there = self.world.panel.backups_of(self.server);
        self.backups
            .iter()
            .enumerate()
            .filter(|(_, id)| there.contains(id))
            .map(|(place, _)| place + 1)
            .collect()
    }

    /// How often the panel was asked to delete something.
    pub(super) fn deletions_asked(&self) -> usize {
        let requests = self.world.panel.requests();
        let deletes = requests.iter().filter(|one| one.method == "DELETE");
        deletes.count()
    }

    /// Text without what differs from run to run.
    pub(super) fn plain(&self, text: &str) -> String {
        let mut text = text.replace(&self.server.to_string(), "SERVER");
        for (place, id) in self.backups.iter().enumerate() {
            text = text.replace(&id.to_string(), &format!("BACKUP-{}", place + 1));
        }
        text.replace(&self.server.short(), "SHORT")
    }
}
