//! One panel, stores that break, a real ledger, and `mirror` run over them in this process: to its
//! end, or dropped on the way as a crash drops it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::future::Future;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser as _;
use nestegg::cli::args::Cli;
use nestegg::config;
use nestegg::config::Environment;
use nestegg::config::Settings;
use nestegg::config::settings::MirrorSettings;
use nestegg::config::settings::drill::DrillSettings;
use nestegg::config::settings::drill::SAMPLE;
use nestegg::destination::DestinationTuning;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::ledger::SharedLedger;
use nestegg::ledger::WriterLock;
use nestegg::model::backup::ChecksumPolicy;
use nestegg::model::backup::DigestNeed;
use nestegg::model::backup::Protect;
use nestegg::model::content::Inspect;
use nestegg::model::holding::HeldCopy;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::Mode;
use nestegg::model::secret::Secret;
use nestegg::model::selector::ServerSelector;
use nestegg::model::server::ServerScope;
use nestegg::model::sidecar::Sidecar;
use nestegg::ops;
use nestegg::ops::Tuning;
use nestegg::ops::mirror::PanelTarget;
use nestegg::ops::mirror::Parts;
use nestegg::ops::mirror::book::Book;
use nestegg::panel::PanelClient;
use nestegg::panel::PanelEndpoint;
use nestegg::report::MirrorReport;
use nestegg::report::PruneReport;
use nestegg::transfer::observer::Silent;
use tempfile::TempDir;

use crate::support::archive::Archive;
use crate::support::fake_panel::FakePanel;
use crate::support::faulty_store::FaultyStore;
use crate::support::world::in_memory;
use crate::support::world::quick_tuning;

/// The length of a part: archives of the tests are of several, or of less than one.
pub(crate) const PART_BYTES: u64 = 8 * 1024;

/// What stores are called, in the order in which a scene has them.
const NAMES: [&str; 2] = ["first", "second"];

/// When a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// When it says so.
    TheEnd,
    /// When a store no longer answers: it is dropped there.
    AStoreHangs,
    /// After it was woken so many times: it is dropped wherever it is then.
    Woken(u64),
}

/// A panel, stores and a ledger; clones share all of them.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) panel: FakePanel,
    pub(crate) stores: Vec<FaultyStore>,
    pub(crate) archives: BTreeMap<BackupId, (ServerId, Archive)>,
    home: Arc<TempDir>,
}

/// How a run that was let go to its end ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) report: MirrorReport,
    pub(crate) exit: Exit,
}

/// Everything that completed backups can be copied to, without any narrowing.
pub(crate) fn everything() -> MirrorSettings {
    MirrorSettings {
        transfers: 2,
        limit_rate: None,
        max_age: None,
        max_duration: None,
        need: DigestNeed::Optional,
        inspect: Inspect::On,
        newest: None,
        since: None,
        backups: Vec::new(),
        shard: None,
        create: None,
        mode: Mode::Apply,
        retry_lock: Duration::ZERO,
        verify_subset: None,
        protect: Protect::Nothing,
    }
}

impl Scene {
    /// A panel without servers, and so many empty stores.
    pub(crate) async fn new(stores: usize) -> Self {
        let panel = FakePanel::start().await;
        panel.set_rate_limit(1_000_000, Duration::from_mins(1));
        Self {
            panel,
            stores: (0..stores).map(|_number| FaultyStore::new()).collect(),
            archives: BTreeMap::new(),
            home: Arc::new(in_memory()),
        }
    }

    /// The same panel with empty stores and no ledger.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            stores: self.stores.iter().map(|_old| FaultyStore::new()).collect(),
            home: Arc::new(in_memory()),
            ..self.clone()
        }
    }

    /// A backup that the node still writes, and the archive that it is to become.
    pub(crate) fn begin_backup(&mut self, server: ServerId, archive: Archive) -> BackupId {
        let half = archive.cut_to(archive.len() / 2);
        let backup = self.panel.add_in_progress(server, "nightly", Some(half));
        self.archives.insert(backup, (server, archive));
        backup
    }

    /// A completed backup.
    pub(crate) fn add_backup(&mut self, server: ServerId, archive: Archive) -> BackupId {
        let backup = self.panel.add_backup(server, "nightly", archive.clone());
        self.archives.insert(backup, (server, archive));
        backup
    }

    pub(crate) fn ledger_path(&self) -> PathBuf {
        self.home.path().join("ledger.sqlite3")
    }

    /// The ledger's file is gone, and what SQLite keeps beside it. Only the stores themselves can
    /// end the uploads that were noted there, and do.
    pub(crate) fn lose_ledger(&self) {
        for store in &self.stores {
            store.expire_uploads();
        }
        for entry in std::fs::read_dir(self.home.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// Nothing is wrong with any store any more.
    pub(crate) fn mend(&self) {
        for store in &self.stores {
            store.mend();
        }
    }

    /// Runs `mirror` to all stores.
    pub(crate) async fn run(&self, until: Until) -> Option<Ended> {
        let all: Vec<usize> = (0..self.stores.len()).collect();
        self.run_to(&all, everything(), until).await
    }

    /// Runs `mirror` to some stores, on a runtime of its own that ends with it: `None` when it was
    /// dropped. What a blocking thread had begun is finished, as the system finishes what a
    /// killed process had asked of it.
    pub(crate) async fn run_to(
        &self,
        to: &[usize],
        settings: MirrorSettings,
        until: Until,
    ) -> Option<Ended> {
        let to = to.to_vec();
        self.dropped_or_done(
            until,
            |scene| async move { scene.mirror(&to, settings).await },
        )
        .await
    }

    /// Runs `prune` over all stores, keeping so many of each server; as [`Self::run_to`].
    pub(crate) async fn prune(&self, keep_last: u32, until: Until) -> Option<(PruneReport, Exit)> {
        self.dropped_or_done(
            until,
            move |scene| async move { scene.thin(keep_last).await },
        )
        .await
    }

    async fn dropped_or_done<T, F>(
        &self,
        until: Until,
        work: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T>,
    {
        let scene = self.clone();
        let ran = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let crash = scene.clone();
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    ended = crash.until(until, work(scene)) => ended,
                    () = crash.hanging(), if until == Until::AStoreHangs => None,
                }
            })
        });
        ran.await.unwrap()
    }

    async fn until<T>(&self, until: Until, run: impl Future<Output = T>) -> Option<T> {
        let mut left = match until {
            Until::TheEnd | Until::AStoreHangs => u64::MAX,
            Until::Woken(times) => times,
        };
        let mut run = pin!(run);
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            let polled = run.as_mut().poll(context).map(Some);
            if left == 0 && polled.is_pending() {
                return Poll::Ready(None);
            }
            polled
        })
        .await
    }

    async fn hanging(&self) {
        let waits = self.stores.iter().map(|store| Box::pin(store.hanging()));
        futures_util::future::select_all(waits).await;
    }

    async fn mirror(&self, to: &[usize], settings: MirrorSettings) -> Ended {
        let env = Env::new(Clock::System);
        let path = self.ledger_path();
        let lock = WriterLock::acquire(&path, "mirror", env.now(), Duration::ZERO)
            .await
            .unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        let run = ledger.begin_run("mirror", env.now()).unwrap();
        let book = Book::new(SharedLedger::new(ledger), Some(run), env.clone());
        let tuning = tuning();
        let parts = Parts {
            env,
            observer: Arc::new(Silent),
            book: book.clone(),
            panels: vec![self.target(&tuning)],
            destinations: to
                .iter()
                .map(|index| self.stores[*index].destination(NAMES[*index], tuning.destination))
                .collect(),
            tuning,
            drill: DrillSettings {
                sample: SAMPLE,
                must_contain: Vec::new(),
                rules: Vec::new(),
            },
            failures: Vec::new(),
        };
        let report = ops::mirror::run(parts, settings).await.unwrap();
        let exit = Exit::of_mirror(&report);
        let counts = nestegg::report::json::counts(&report);
        book.finish(exit.code(), counts).await.unwrap();
        drop(lock);
        Ended { report, exit }
    }

    async fn thin(&self, keep_last: u32) -> (PruneReport, Exit) {
        let env = Env::new(Clock::System);
        let path = self.ledger_path();
        let lock = WriterLock::acquire(&path, "prune", env.now(), Duration::ZERO)
            .await
            .unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        let run = ledger.begin_run("prune", env.now()).unwrap();
        let book = Book::new(SharedLedger::new(ledger), Some(run), env.clone());
        let tuning = tuning();
        let stores = self.stores.iter().zip(NAMES);
        let parts = ops::prune::Parts {
            env,
            book: book.clone(),
            destinations: stores
                .map(|(store, name)| store.destination(name, tuning.destination))
                .collect(),
            failures: Vec::new(),
        };
        let report = ops::prune::run(parts, &self.settings(keep_last))
            .await
            .unwrap();
        let exit = Exit::of_prune(&report);
        let counts = nestegg::report::json::prune_counts(&report);
        book.finish(exit.code(), counts).await.unwrap();
        drop(lock);
        (report, exit)
    }

    /// What `prune --apply` is asked for, of destinations of these names.
    fn settings(&self, keep_last: u32) -> Settings {
        let mut config = String::new();
        for name in NAMES {
            write!(
                config,
                "[[destination]]\nname = \"{name}\"\nurl = \"/{name}\"\n"
            )
            .unwrap();
        }
        let file = self.home.path().join("nestegg.toml");
        std::fs::write(&file, config).unwrap();
        let keep_last = keep_last.to_string();
        let words = ["nestegg", "prune", "--apply", "--keep-last", &keep_last];
        let cli = Cli::try_parse_from(words).unwrap();
        let home = self.home.path().to_owned();
        let variables = [("HOME".to_owned(), home.clone().into())];
        let environment = Environment::new(variables, home, file);
        config::load(&cli.flags(), &environment).unwrap()
    }

    fn target(&self, tuning: &Tuning) -> PanelTarget {
        let endpoint = PanelEndpoint {
            name: "main".parse().unwrap(),
            base_url: self.panel.url().parse().unwrap(),
            key: Secret::new(self.panel.key()),
        };
        PanelTarget {
            client: PanelClient::new(endpoint, tuning.panel).unwrap(),
            selectors: vec![ServerSelector::Any],
            scope: ServerScope::Mine,
            exclude: Vec::new(),
            checksum: ChecksumPolicy::Panel,
        }
    }

    /// Opens the ledger as the next run would, and reads all copies that it claims.
    pub(crate) fn claimed(&self) -> Vec<HeldCopy> {
        let ledger = Ledger::open(&self.ledger_path()).unwrap();
        ledger.copies(&CopyFilter::default()).unwrap()
    }

    /// The backups that the ledger claims for one store.
    pub(crate) fn claimed_of(&self, store: usize) -> BTreeSet<BackupId> {
        let mut claimed = self.claimed();
        claimed.retain(|copy| copy.destination.as_str() == NAMES[store]);
        claimed.into_iter().map(|copy| copy.backup).collect()
    }

    /// The backups whose archive and sidecar are at one store.
    pub(crate) fn held_at(&self, store: usize) -> BTreeSet<BackupId> {
        let visible = self.stores[store].visible();
        let keys = visible.keys().filter_map(|key| ObjectKey::parse(key));
        keys.filter(|key| key.kind() == ObjectKind::Sidecar)
            .map(|key| key.backup())
            .collect()
    }

    /// The uploads open at a store that the ledger does not know, so that no run can abort them.
    pub(crate) fn unnoted_at(&self, store: usize) -> BTreeSet<String> {
        let ledger = Ledger::open(&self.ledger_path()).unwrap();
        let mut open = self.stores[store].open_uploads();
        for noted in ledger.open_uploads().unwrap() {
            if noted.name.as_str() == NAMES[store] {
                open.remove(&noted.upload_id);
            }
        }
        open.into_keys().collect()
    }

    /// What holds at any moment, also right after a crash: whatever is or ever was visible is a
    /// whole archive or the sidecar of one that is there, the ledger claims nothing else, and knows
    /// of every upload that holds parts.
    pub(crate) fn assert_sound(&self, when: &str) {
        for (index, store) in self.stores.iter().enumerate() {
            let paid_for = store.paid_for();
            for id in self.unnoted_at(index) {
                assert!(!paid_for.contains_key(&id), "{when}: parts are lost");
            }
            for effect in store.history() {
                self.assert_true_copies(&effect.visible, when);
            }
            self.assert_true_copies(&store.visible(), when);
        }
        for copy in self.claimed() {
            let index = NAMES
                .iter()
                .position(|name| copy.destination.as_str() == *name);
            let visible = self.stores[index.unwrap()].visible();
            let archive = &self.archives[&copy.backup].1;
            assert!(
                visible.contains_key(&copy.key.to_string())
                    && visible.contains_key(&copy.key.sidecar().to_string()),
                "{when}: {} is claimed and not held",
                copy.key
            );
            assert_eq!(
                (copy.archive_bytes, &*copy.sha256.to_hex()),
                (archive.len(), archive.sha256()),
                "{when}"
            );
        }
    }

    fn assert_true_copies(&self, visible: &BTreeMap<String, Bytes>, when: &str) {
        for (name, bytes) in visible {
            let Some(key) = ObjectKey::parse(name) else {
                panic!("{when}: {name} is visible");
            };
            let (server, archive) = &self.archives[&key.backup()];
            assert_eq!(key.server(), *server, "{when}");
            match key.kind() {
                ObjectKind::Archive => {
                    assert!(
                        *bytes == archive.bytes(),
                        "{when}: {name} is another archive"
                    );
                }
                ObjectKind::Sidecar => {
                    let sidecar = Sidecar::from_json(bytes).unwrap();
                    assert_eq!(sidecar.archive.sha256, archive.sha256(), "{when}");
                    let described =
                        ObjectKey::for_backup(*server, key.backup(), ObjectKind::Archive);
                    assert!(
                        visible.contains_key(&described.to_string()),
                        "{when}: {name} describes nothing"
                    );
                }
                ObjectKind::EncryptedArchive => panic!("{when}: {name} is visible"),
            }
        }
    }

    /// What holds after a run that nothing kept from its work: all is held, recorded, and nothing
    /// half-done is left.
    pub(crate) fn assert_whole(&self, when: &str) {
        let all: BTreeSet<BackupId> = self.archives.keys().copied().collect();
        for (index, store) in self.stores.iter().enumerate() {
            assert_eq!(self.held_at(index), all, "{when}");
            assert_eq!(self.claimed_of(index), all, "{when}");
            let left: BTreeSet<String> = store.open_uploads().into_keys().collect();
            assert_eq!(left, self.unnoted_at(index), "{when}");
        }
        let ledger = Ledger::open(&self.ledger_path()).unwrap();
        assert_eq!(ledger.open_uploads().unwrap(), [], "{when}");
        self.assert_sound(when);
    }
}

fn tuning() -> Tuning {
    let mut tuning = quick_tuning();
    tuning.destination = DestinationTuning {
        part_bytes: PART_BYTES,
        unknown_part_bytes: PART_BYTES,
        // A store that hangs is a crash here, not a slow store.
        ..DestinationTuning::PRODUCTION
    };
    tuning
}
