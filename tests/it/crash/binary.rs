//! The real binary with one ledger and one destination, and what must hold whenever it ended.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::ledger::WriterLock;
use nestegg::model::holding::HeldCopy;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::sidecar::Sidecar;
use tokio::process::Child;
use tokio::process::Command;

use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::servers::root::Root;
use crate::support::world::Ran;
use crate::support::world::World;

/// A world whose panel has these archives, and where their copies go.
#[derive(Debug)]
pub(crate) struct Offsite {
    pub(crate) world: World,
    pub(crate) root: Root,
    archives: BTreeMap<BackupId, (ServerId, Archive)>,
    arguments: Vec<String>,
}

/// Everything below a root, by key.
type Visible = BTreeMap<String, Bytes>;

impl Offsite {
    /// In a directory.
    pub(crate) async fn in_a_directory() -> Self {
        let world = world().await;
        std::fs::create_dir(world.offsite()).unwrap();
        let root = Root::folder(&world.offsite());
        let arguments = world.mirror_args(&[]);
        Self::new(world, root, arguments)
    }

    /// At a store that takes options, which a configuration file holds.
    pub(crate) async fn at(root: Root) -> Self {
        let world = world().await;
        let config = world.path("nestegg.toml");
        let options: Vec<String> = root
            .options
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        let text = format!(
            "[[destination]]\nname = \"store\"\nurl = {:?}\noptions = {{ {} }}\n",
            root.url,
            options.join(", ")
        );
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap();
        let arguments = world.mirror_args(&["--to", "store", "--config", config]);
        Self::new(world, root, arguments)
    }

    fn new(world: World, root: Root, arguments: Vec<String>) -> Self {
        Self {
            world,
            root,
            archives: BTreeMap::new(),
            arguments,
        }
    }

    pub(crate) fn add_backup(&mut self, server: ServerId, archive: Archive) -> BackupId {
        let panel = &self.world.panel;
        let backup = panel.add_backup(server, "nightly", archive.clone());
        self.archives.insert(backup, (server, archive));
        backup
    }

    pub(crate) fn archives(&self) -> usize {
        self.archives.len()
    }

    /// From now on, archives arrive so slowly.
    pub(crate) fn drip(&self, bytes_per_second: u64) {
        let drip = Fault::Drip { bytes_per_second };
        self.world.panel.on(Call::Downloads, Times::Forever, drip);
    }

    pub(crate) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let more = more.iter().map(|word| (*word).to_owned());
        self.arguments.iter().cloned().chain(more).collect()
    }

    /// Starts the binary.
    pub(crate) fn start(&self) -> Child {
        self.world.start(&self.arguments)
    }

    /// The same work for another ledger, in the hands of the caller.
    pub(crate) fn with_ledger(&self, ledger: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nestegg"));
        command
            .arg("--ledger")
            .arg(self.world.path(ledger))
            .args(self.arguments(more))
            .env_clear()
            .env("NESTEGG_API_KEY", self.world.panel.key())
            .env("HOME", self.world.path("home"))
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self, more: &[&str]) -> Ran {
        self.world.run(&self.arguments(more)).await
    }

    /// What must hold whenever a process ended: every archive that is visible is the panel's, every
    /// sidecar describes one that is there, nobody holds the lock, the ledger opens and claims only
    /// what is there. Gives the uploads that are open and not noted.
    pub(crate) async fn assert_sound(&self, when: &str) -> Vec<String> {
        self.assert_sound_with(self.world.ledger(), when).await
    }

    pub(crate) async fn assert_sound_with(&self, ledger: PathBuf, when: &str) -> Vec<String> {
        let visible = self.visible().await;
        for (name, bytes) in &visible {
            self.assert_true(name, bytes, &visible, when);
        }
        let lock = WriterLock::acquire(&ledger, "test", Timestamp::UNIX_EPOCH, Duration::ZERO)
            .await
            .unwrap();
        let ledger = Ledger::open(&ledger).unwrap();
        for copy in ledger.copies(&CopyFilter::default()).unwrap() {
            let archive = &self.archives[&copy.backup].1;
            assert_eq!(copy.sha256.to_hex(), archive.sha256(), "{when}");
            for name in [&copy.key, &copy.key.sidecar()].map(ToString::to_string) {
                assert!(visible.contains_key(&name), "{when}: {name} is not held");
            }
        }
        let mut unnoted = self.root.open_uploads().await;
        for noted in ledger.open_uploads().unwrap() {
            let name = noted.key.to_string();
            if let Some(place) = unnoted.iter().position(|open| *open == name) {
                unnoted.remove(place);
            }
        }
        drop(lock);
        unnoted
    }

    /// The copies that the ledger claims.
    pub(crate) fn claimed(&self) -> Vec<HeldCopy> {
        let ledger = Ledger::open(&self.world.ledger()).unwrap();
        ledger.copies(&CopyFilter::default()).unwrap()
    }

    /// The backups that have an archive and a sidecar at the destination.
    pub(crate) async fn held(&self) -> BTreeSet<BackupId> {
        let names = self.root.keys().await;
        let keys = names.iter().filter_map(|name| ObjectKey::parse(name));
        keys.filter(|key| key.kind() == ObjectKind::Sidecar)
            .map(|key| key.backup())
            .collect()
    }

    async fn visible(&self) -> Visible {
        let mut visible = Visible::new();
        for name in self.root.keys().await {
            let bytes = self.root.read(&name).await.unwrap();
            visible.insert(name, bytes);
        }
        visible
    }

    fn assert_true(&self, name: &str, bytes: &Bytes, visible: &Visible, when: &str) {
        let Some(key) = ObjectKey::parse(name) else {
            panic!("{when}: {name} is visible");
        };
        let (server, archive) = &self.archives[&key.backup()];
        let beside = ObjectKey::for_backup(*server, key.backup(), ObjectKind::Archive);
        match key.kind() {
            ObjectKind::Archive => {
                assert!(
                    *bytes == archive.bytes(),
                    "{when}: {name} is not the panel's"
                );
            }
            ObjectKind::Sidecar => {
                let sidecar = Sidecar::from_json(bytes).unwrap();
                assert_eq!(sidecar.archive.sha256, archive.sha256(), "{when}");
                assert!(visible.contains_key(&beside.to_string()), "{when}: {name}");
            }
            ObjectKind::EncryptedArchive => panic!("{when}: {name} is visible"),
        }
    }

    /// Lets a run finish without trouble, after which all is held, recorded, and nothing half-done
    /// is left but what no run could know of.
    pub(crate) async fn finish(&self, out_of_reach: &[String], when: &str) {
        self.world.panel.calm();
        let ran = self.run(&["--json"]).await;
        assert_eq!(ran.code, Some(0), "{when}: {} {}", ran.stdout, ran.stderr);
        self.assert_whole(self.world.ledger(), out_of_reach, when)
            .await;
        let again = self.run(&["--json"]).await.json();
        assert_eq!(again["bytes"]["downloaded"], 0, "{when}");
        assert_eq!(again["counts"]["already_held"], self.archives(), "{when}");
    }

    pub(crate) async fn assert_whole(&self, ledger: PathBuf, out_of_reach: &[String], when: &str) {
        let unnoted = self.assert_sound_with(ledger.clone(), when).await;
        assert_eq!(unnoted, out_of_reach, "{when}");
        assert_eq!(self.root.open_uploads().await, out_of_reach, "{when}");
        let names = self.archives.iter().flat_map(|(backup, (server, _))| {
            let key = ObjectKey::for_backup(*server, *backup, ObjectKind::Archive);
            [key.to_string(), key.sidecar().to_string()]
        });
        let names: BTreeSet<String> = names.collect();
        let held: BTreeSet<String> = self.root.keys().await.into_iter().collect();
        assert_eq!(held, names, "{when}");
        let ledger = Ledger::open(&ledger).unwrap();
        let copies = ledger.copies(&CopyFilter::default()).unwrap();
        assert_eq!(copies.len(), self.archives(), "{when}");
        assert_eq!(ledger.open_uploads().unwrap(), [], "{when}");
    }
}

async fn world() -> World {
    let world = World::new().await;
    let panel = &world.panel;
    panel.set_rate_limit(1_000_000, Duration::from_mins(1));
    world
}
