//! `keep`, `unkeep` and `accept`: marks that survive, and what heeds them.

mod lacking;
mod marks;
mod removed;
mod words;

use std::fmt::Write as _;
use std::path::PathBuf;

use nestegg::env::Clock;
use nestegg::ledger::BackupOf;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::DestinationRef;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::RunId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::report::json;
use serde_json::Value;

use crate::support::archive::Archive;
use crate::support::schema::assert_fits;
use crate::support::world::Ran;
use crate::support::world::World;

const DISKS: [&str; 2] = ["disk", "nas"];

/// A world with a configuration of two directories, and one server.
struct Marked {
    world: World,
    server: ServerId,
    backups: Vec<BackupId>,
}

impl Marked {
    /// These archives, one backup after the other, mirrored to both.
    async fn with(archives: impl IntoIterator<Item = Archive>, more: &str) -> Self {
        let world = World::new().await;
        let server = world.panel.add_server("Survival");
        let backups = archives
            .into_iter()
            .map(|archive| world.panel.add_backup(server, "nightly", archive))
            .collect();
        let marked = Self {
            world,
            server,
            backups,
        };
        for name in DISKS {
            std::fs::create_dir(marked.world.path(name)).unwrap();
        }
        marked.configure(more);
        let ran = marked.run(&["mirror"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        marked
    }

    async fn of(backups: u64) -> Self {
        Self::with((1..=backups).map(Archive::small), "").await
    }

    fn configure(&self, more: &str) {
        let mut text = format!(
            "[[panel]]\nname = \"main\"\nurl = \"{}\"\n",
            self.world.panel.url()
        );
        for name in DISKS {
            let root = self.world.path(name);
            writeln!(text, "[[destination]]\nname = {name:?}\nurl = {root:?}").unwrap();
        }
        text.push_str(more);
        std::fs::write(self.world.path("nestegg.toml"), text).unwrap();
    }

    async fn run(&self, words: &[&str]) -> Ran {
        let config = self.world.path("nestegg.toml");
        let config = ["--config", config.to_str().unwrap()];
        let words: Vec<&str> = words.iter().copied().chain(config).collect();
        self.world.run(&words).await
    }

    /// One of the three, with its document, which must be as its schema says.
    async fn mark(&self, words: &[&str]) -> (Ran, Value) {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let ran = self.run(&words).await;
        let document = ran.json();
        assert_fits(json::mark::SCHEMA, &document);
        assert_eq!(document["exit_code"], serde_json::json!(ran.code));
        (ran, document)
    }

    fn backup(&self, number: usize) -> String {
        self.backups[number].to_string()
    }

    fn of_backup(&self, number: usize) -> BackupOf {
        BackupOf {
            server: self.server,
            backup: self.backups[number],
        }
    }

    fn key(&self, number: usize) -> ObjectKey {
        ObjectKey::for_backup(self.server, self.backups[number], ObjectKind::Archive)
    }

    fn file(&self, disk: &str, number: usize, ending: &str) -> PathBuf {
        let name = format!("{}/{}.{ending}", self.server, self.backups[number]);
        self.world.path(disk).join(name)
    }

    fn sidecar(&self, disk: &str, number: usize) -> Value {
        let path = self.file(disk, number, "json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn ledger(&self) -> Ledger {
        Ledger::open_read_only(&self.world.ledger()).unwrap()
    }

    fn kept(&self) -> Vec<(BackupId, Option<String>)> {
        let kept = self.ledger().kept(&CopyFilter::default()).unwrap();
        kept.into_iter()
            .map(|(of, mark)| (of.backup, mark.reason))
            .collect()
    }

    /// Writes into the ledger as a run of `prune` would.
    fn prune(&self, write: impl FnOnce(&mut Ledger, RunId, DestinationRef)) {
        let mut ledger = Ledger::open(&self.world.ledger()).unwrap();
        let run = ledger.begin_run("prune", Clock::System.now()).unwrap();
        let copies = ledger.copies(&CopyFilter::default()).unwrap();
        let disk = copies
            .iter()
            .find(|copy| copy.destination.as_str() == "disk")
            .unwrap();
        let disk = ledger.find_destination(&disk.location).unwrap().unwrap();
        write(&mut ledger, run, disk);
    }

    /// Begins to remove one copy at `disk`, and leaves it at that.
    fn begin_removal(&self, number: usize) {
        let sidecar = std::fs::read(self.file("disk", number, "json")).unwrap();
        self.prune(|ledger, run, disk| {
            let (key, now) = (self.key(number), Clock::System.now());
            ledger
                .intend_removal(run, disk, &key, "no rule keeps it", &sidecar, now)
                .unwrap();
        });
    }

    /// Removes one copy at `disk`.
    fn remove(&self, number: usize) {
        self.begin_removal(number);
        for ending in ["json", "tar.gz"] {
            std::fs::remove_file(self.file("disk", number, ending)).unwrap();
        }
        self.prune(|ledger, run, disk| {
            let now = Clock::System.now();
            ledger
                .finish_removal(run, disk, &self.key(number), now)
                .unwrap();
        });
    }
}
