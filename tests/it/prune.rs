//! `prune`: what goes and what stays, in which order, and what holds whenever a run ends before its time.

mod apply;
mod begun;
mod broken;
mod gate;
mod killed;
mod many;
mod mirrored;
mod plan;
mod refusals;
mod shown;
mod stores;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::sidecar::Sidecar;
use nestegg::ops;
use nestegg::ops::setup;
use nestegg::report::PruneReport;
use nestegg::report::json;

use crate::support::archive::Archive;
use crate::support::schema::assert_fits;
use crate::support::servers::root::Root;
use crate::support::world::Ran;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// The machine's time; backups are made so long before it.
fn now() -> Timestamp {
    Env::new(Clock::System).now()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// A world with a configuration file, and destinations that hold all that the panel has.
struct Thinned {
    world: World,
    roots: BTreeMap<String, Root>,
    server: ServerId,
    /// Oldest first.
    backups: Vec<BackupId>,
}

impl Thinned {
    /// Backups of one server, so many days old, in a directory called `disk`.
    async fn on_disk(ages: &[i64]) -> Self {
        Self::on_disks(&["disk"], ages).await
    }

    /// The same in several directories.
    async fn on_disks(names: &[&str], ages: &[i64]) -> Self {
        let world = World::new().await;
        let roots = names.iter().map(|name| {
            std::fs::create_dir(world.path(name)).unwrap();
            ((*name).to_owned(), Root::folder(&world.path(name)))
        });
        let roots = roots.collect();
        Self::at(world, roots, ages).await
    }

    async fn at(world: World, roots: BTreeMap<String, Root>, ages: &[i64]) -> Self {
        world
            .panel
            .set_rate_limit(1_000_000, Duration::from_mins(1));
        let server = world.panel.add_server("Survival");
        let mut thinned = Self {
            world,
            roots,
            server,
            backups: Vec::new(),
        };
        for age in ages {
            let backup = thinned.add(server, now() - days(*age));
            thinned.backups.push(backup);
        }
        thinned.configure("", "");
        thinned.mirror().await;
        thinned
    }

    /// A completed backup that was asked for then.
    fn add(&self, server: ServerId, created_at: Timestamp) -> BackupId {
        let seed = now().duration_since(created_at).as_hours().unsigned_abs();
        let archive = Archive::of_about(seed, 100);
        let backup = self.world.panel.add_backup(server, "nightly", archive);
        self.world.panel.edit(backup, |row| {
            row.created_at = created_at;
            row.completed_at = created_at;
        });
        backup
    }

    async fn mirror(&self) {
        let ran = self.run(&["mirror"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }

    /// Writes the configuration file, with lines under each destination and at the end.
    fn configure(&self, of_destinations: &str, rest: &str) {
        let mut text = format!(
            "[[panel]]\nname = \"main\"\nurl = \"{}\"\n",
            self.world.panel.url()
        );
        for (name, root) in &self.roots {
            let options: Vec<String> = root
                .options
                .iter()
                .map(|(option, value)| format!("{option} = {value:?}"))
                .collect();
            write!(
                text,
                "[[destination]]\nname = {name:?}\nurl = {:?}\noptions = {{ {} }}\n{of_destinations}\n",
                root.url,
                options.join(", ")
            )
            .unwrap();
        }
        writeln!(text, "{rest}").unwrap();
        std::fs::write(self.world.path("nestegg.toml"), text).unwrap();
    }

    fn arguments(&self, words: &[&str]) -> Vec<String> {
        let config = self.world.path("nestegg.toml");
        let words = words.iter().map(|word| (*word).to_owned());
        words
            .chain(["--config".to_owned(), config.to_str().unwrap().to_owned()])
            .collect()
    }

    /// The binary, with the configuration file.
    async fn run(&self, words: &[&str]) -> Ran {
        self.world.run(&self.arguments(words)).await
    }

    /// `prune` in this process; its document fits its schema.
    async fn prune(&self, more: &[&str]) -> (PruneReport, Exit) {
        self.prune_under(more, Env::new(Clock::System)).await
    }

    async fn prune_under(&self, more: &[&str], env: Env) -> (PruneReport, Exit) {
        let words: Vec<&str> = ["prune"].iter().chain(more).copied().collect();
        let settings = self.world.settings(&self.arguments(&words));
        // A wish to stop comes once the run has begun.
        let calm = Env::new(env.clock);
        let open = setup::ledger(&settings, "prune", &calm).await.unwrap();
        let tuning = quick_tuning();
        let parts = setup::prune_parts(&settings, open.book.clone(), env, &tuning);
        let report = ops::prune::run(parts.await.unwrap(), &settings)
            .await
            .unwrap();
        let exit = Exit::of_prune(&report);
        let mut text = Vec::new();
        json::prune(&report, exit.code(), &mut text).unwrap();
        assert_fits(json::PRUNE_SCHEMA, &serde_json::from_slice(&text).unwrap());
        (report, exit)
    }

    fn ledger(&self) -> Ledger {
        Ledger::open_read_only(&self.world.ledger()).unwrap()
    }

    /// The backups that the ledger claims for a destination, as numbers of [`Self::backups`].
    fn claimed(&self, place: &str) -> Vec<usize> {
        let copies = self.ledger().copies(&CopyFilter::default()).unwrap();
        let here = copies
            .iter()
            .filter(|copy| copy.destination.as_str() == place);
        self.numbers(here.map(|copy| copy.backup).collect())
    }

    /// The backups that have a sidecar at a destination.
    async fn held(&self, place: &str) -> Vec<usize> {
        let names = self.roots[place].keys().await;
        let keys = names.iter().filter_map(|name| ObjectKey::parse(name));
        let sidecars = keys.filter(|key| key.kind() == ObjectKind::Sidecar);
        self.numbers(sidecars.map(|key| key.backup()).collect())
    }

    fn numbers(&self, backups: BTreeSet<BackupId>) -> Vec<usize> {
        let number = |backup: BackupId| self.backups.iter().position(|one| *one == backup);
        let mut numbers: Vec<usize> = backups.into_iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    fn archive(&self, number: usize) -> String {
        format!("{}/{}.tar.gz", self.server, self.backups[number])
    }

    fn sidecar(&self, number: usize) -> String {
        format!("{}/{}.json", self.server, self.backups[number])
    }

    /// Whatever happened: no sidecar without its archive, nothing claimed that is not there.
    async fn assert_sound(&self, when: &str) {
        for (place, root) in &self.roots {
            let names: BTreeSet<String> = root.keys().await.into_iter().collect();
            for name in &names {
                let key = ObjectKey::parse(name).unwrap();
                if key.kind() == ObjectKind::Sidecar {
                    let beside =
                        ObjectKey::for_backup(key.server(), key.backup(), ObjectKind::Archive);
                    assert!(
                        names.contains(&beside.to_string()),
                        "{when}: {name} at {place} describes nothing"
                    );
                    // What a killed run had asked of a store may still be done: then it is gone for good.
                    match root.read(name).await {
                        Some(text) => drop(Sidecar::from_json(&text).unwrap()),
                        None => assert!(!root.keys().await.contains(name), "{when}: {name}"),
                    }
                }
            }
        }
        for copy in self.ledger().copies(&CopyFilter::default()).unwrap() {
            let root = &self.roots[copy.destination.as_str()];
            for key in [&copy.key, &copy.key.sidecar()] {
                let is_there = root.read(&key.to_string()).await.is_some();
                assert!(is_there, "{when}: {key} is claimed and not held");
            }
        }
    }

    /// Leaves the removal of a copy as a run does that is killed right after it has noted it.
    async fn intend_removal(&self, number: usize) {
        let sidecar = self.roots["disk"].read(&self.sidecar(number)).await;
        let mut ledger = Ledger::open(&self.world.ledger()).unwrap();
        let run = ledger.begin_run("prune", now()).unwrap();
        let copies = ledger.copies(&CopyFilter::default()).unwrap();
        let mut copies = copies.iter();
        let copy = copies
            .find(|copy| copy.backup == self.backups[number])
            .unwrap();
        let there = ledger.find_destination(&copy.location).unwrap().unwrap();
        let why = "no rule keeps it";
        ledger
            .intend_removal(run, there, &copy.key, why, &sidecar.unwrap(), now())
            .unwrap();
    }

    /// The kinds of events of `prune`, in order.
    fn events(&self) -> Vec<String> {
        let ledger = rusqlite::Connection::open(self.world.ledger()).unwrap();
        let mut events = ledger
            .prepare("SELECT kind FROM events WHERE kind LIKE 'prune%' ORDER BY id")
            .unwrap();
        let kinds = events.query_map([], |row| row.get(0)).unwrap();
        kinds.collect::<Result<_, _>>().unwrap()
    }

    fn runs(&self, command: &str) -> i64 {
        let ledger = rusqlite::Connection::open(self.world.ledger()).unwrap();
        ledger
            .query_row(
                "SELECT count(*) FROM runs WHERE command = ?1",
                [command],
                |row| row.get(0),
            )
            .unwrap()
    }
}

/// What became of the copies at the first destination, oldest first: word and reasons.
fn became(report: &PruneReport) -> Vec<String> {
    let servers = report
        .places
        .iter()
        .take(1)
        .flat_map(|place| &place.servers);
    let copies = servers.flat_map(|server| server.copies.iter().rev());
    copies
        .map(|copy| format!("{}: {}", copy.became.as_str(), copy.decision))
        .collect()
}
