//! `verify`: every finding told apart, repairs that overwrite nothing good, runs that can be killed.

mod findings;
mod flips;
mod killed;
mod mirror;
mod repair;
mod runs;
mod sealed;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::holding::HeldCopy;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::ops;
use nestegg::ops::setup;
use nestegg::report::VerifyReport;
use nestegg::report::json;
use nestegg::transfer::observer::Observer;
use nestegg::transfer::observer::Silent;

use crate::support::archive::Archive;
use crate::support::schema::assert_fits;
use crate::support::servers::root::Root;
use crate::support::world::Ran;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// A world with a configuration file, and destinations that hold all that the panel has.
struct Kept {
    world: World,
    roots: BTreeMap<String, Root>,
    server: ServerId,
    backups: Vec<BackupId>,
}

impl Kept {
    /// So many small backups of one server, mirrored to a directory called `disk`.
    async fn on_disk(backups: u64) -> Self {
        let world = World::new().await;
        std::fs::create_dir(world.path("disk")).unwrap();
        let root = Root::folder(&world.path("disk"));
        Self::at(world, [("disk", root)], backups).await
    }

    /// The same in two directories, `disk` and `other`.
    async fn on_two_disks(backups: u64) -> Self {
        let world = World::new().await;
        let roots = ["disk", "other"].map(|name| {
            std::fs::create_dir(world.path(name)).unwrap();
            (name, Root::folder(&world.path(name)))
        });
        Self::at(world, roots, backups).await
    }

    async fn at<const N: usize>(world: World, roots: [(&str, Root); N], backups: u64) -> Self {
        world
            .panel
            .set_rate_limit(1_000_000, Duration::from_mins(1));
        let server = world.panel.add_server("Survival");
        let backups = (0..backups)
            .map(|seed| {
                let archive = Archive::small(seed);
                world.panel.add_backup(server, "nightly", archive)
            })
            .collect();
        let roots: BTreeMap<String, Root> =
            roots.map(|(name, root)| (name.to_owned(), root)).into();
        let kept = Self {
            world,
            roots,
            server,
            backups,
        };
        kept.configure("");
        let ran = kept.run(&["mirror"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        kept
    }

    /// Writes the configuration file, with more lines under `[mirror]`.
    fn configure(&self, mirror: &str) {
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
                "[[destination]]\nname = {name:?}\nurl = {:?}\noptions = {{ {} }}\n",
                root.url,
                options.join(", ")
            )
            .unwrap();
        }
        writeln!(text, "[mirror]\n{mirror}").unwrap();
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

    /// `verify` in this process, with waits short enough for tests; its document fits its schema.
    async fn verify(&self, more: &[&str]) -> (VerifyReport, Exit) {
        self.verify_under(more, Env::new(Clock::System)).await
    }

    async fn verify_under(&self, more: &[&str], env: Env) -> (VerifyReport, Exit) {
        self.verify_watched(more, env, Arc::new(Silent)).await
    }

    async fn verify_watched(
        &self,
        more: &[&str],
        env: Env,
        observer: Arc<dyn Observer>,
    ) -> (VerifyReport, Exit) {
        let words: Vec<&str> = ["verify"].iter().chain(more).copied().collect();
        let settings = self.world.settings(&self.arguments(&words));
        let open = setup::ledger(&settings, "verify", &env).await.unwrap();
        let parts =
            setup::verify_parts(&settings, open.book.clone(), env, observer, quick_tuning());
        let report = ops::verify::run(parts.await.unwrap(), &settings)
            .await
            .unwrap();
        let exit = Exit::of_verify(&report);
        let mut text = Vec::new();
        json::verify(&report, exit.code(), &mut text).unwrap();
        assert_fits(json::VERIFY_SCHEMA, &serde_json::from_slice(&text).unwrap());
        (report, exit)
    }

    fn archive(&self, number: usize) -> String {
        format!("{}/{}.tar.gz", self.server, self.backups[number])
    }

    fn sidecar(&self, number: usize) -> String {
        format!("{}/{}.json", self.server, self.backups[number])
    }

    async fn read(&self, place: &str, name: &str) -> Bytes {
        self.roots[place].read(name).await.unwrap()
    }

    /// Puts other bytes where these are.
    async fn edit(&self, place: &str, name: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let bytes = self.read(place, name).await.to_vec();
        self.roots[place].put(name, edit(bytes)).await;
    }

    fn ledger(&self) -> Ledger {
        Ledger::open_read_only(&self.world.ledger()).unwrap()
    }

    /// What the ledger claims to be held.
    fn claimed(&self) -> Vec<HeldCopy> {
        self.ledger().copies(&CopyFilter::default()).unwrap()
    }

    /// The destinations at which the ledger claims a copy of a backup.
    fn claimed_of(&self, number: usize) -> Vec<String> {
        let claimed = self.claimed().into_iter();
        claimed
            .filter(|copy| copy.backup == self.backups[number])
            .map(|copy| copy.destination.to_string())
            .collect()
    }

    /// The kinds of events of one run or later ones, in order.
    fn events_after(&self, run: i64) -> Vec<String> {
        let ledger = rusqlite::Connection::open(self.world.ledger()).unwrap();
        let mut events = ledger
            .prepare("SELECT kind FROM events WHERE run_id > ?1 ORDER BY id")
            .unwrap();
        let kinds = events.query_map([run], |row| row.get(0)).unwrap();
        kinds.collect::<Result<_, _>>().unwrap()
    }

    /// The archives there are those of the panel, byte for byte.
    async fn assert_restored(&self, place: &str) {
        for number in 0..self.backups.len() {
            let archive = Archive::small(u64::try_from(number).unwrap());
            let held = self.read(place, &self.archive(number)).await;
            assert!(held == archive.bytes(), "{number} at {place}");
        }
    }
}

/// What was found of each copy, as `archive sidecar`, in the order of backups, then destinations.
fn findings(kept: &Kept, report: &VerifyReport) -> Vec<String> {
    let mut found: Vec<(usize, String, String)> = report
        .verified
        .copies
        .iter()
        .map(|copy| {
            let number = kept
                .backups
                .iter()
                .position(|backup| *backup == copy.backup);
            let words = format!(
                "{} {}",
                copy.finding.archive.as_str(),
                copy.finding.sidecar.as_str()
            );
            (number.unwrap(), copy.destination.to_string(), words)
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, _, words)| words).collect()
}

fn flip(mut bytes: Vec<u8>, bit: usize) -> Vec<u8> {
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}
