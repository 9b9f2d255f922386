//! One panel, a folder for stores and ledger, and nestegg run against them: as the binary, the way
//! a person or cron does, or in this process with short waits.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use nestegg::cli::args::Cli;
use nestegg::config;
use nestegg::config::Environment;
use nestegg::config::Settings;
use nestegg::config::settings::restore::Consent;
use nestegg::config::settings::restore::RestoreJob;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::ops;
use nestegg::ops::Tuning;
use nestegg::ops::panel::restore::PanelRestoreTuning;
use nestegg::ops::restore::Restore;
use nestegg::ops::restore::panel::ToPanelTuning;
use nestegg::ops::restore::panel::consent::Agreed;
use nestegg::ops::setup;
use nestegg::report::MirrorReport;
use nestegg::report::restore::RestoreReport;
use nestegg::transfer::observer::Silent;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::process::Command;

use crate::support::archive::Archive;
use crate::support::fake_panel::FakePanel;

/// A panel and a place of its own.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) panel: FakePanel,
    folder: TempDir,
    variables: BTreeMap<String, OsString>,
}

/// What one run of the binary left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The one JSON document on standard output.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("{error} in {:?}; stderr {:?}", self.stdout, self.stderr)
        })
    }
}

impl World {
    /// A panel without servers, an empty folder, and an environment that holds the panel's key.
    pub(crate) async fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap()).await
    }

    /// The same with a folder that waits for no disk.
    pub(crate) async fn in_memory() -> Self {
        Self::in_folder(in_memory()).await
    }

    async fn in_folder(folder: TempDir) -> Self {
        let panel = FakePanel::start().await;
        let variables = BTreeMap::from([
            ("NESTEGG_API_KEY".to_owned(), panel.key().into()),
            ("HOME".to_owned(), folder.path().into()),
            ("NO_PROXY".to_owned(), "127.0.0.1,localhost".into()),
        ]);
        Self {
            panel,
            folder,
            variables,
        }
    }

    /// A world with one server that has one completed backup.
    pub(crate) async fn with_backup(archive: Archive) -> (Self, ServerId, BackupId) {
        let world = Self::new().await;
        let server = world.panel.add_server("Survival");
        let backup = world.panel.add_backup(server, "nightly", archive);
        (world, server, backup)
    }

    /// Sets a variable of the environment that nestegg is run in.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Takes a variable out of it.
    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// A path in the world's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The root of the local destination that [`Self::mirror`] copies to.
    pub(crate) fn offsite(&self) -> PathBuf {
        self.path("offsite")
    }

    /// The ledger that every run uses.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("ledger.sqlite3")
    }

    /// Where a local destination keeps the archive of a backup.
    pub(crate) fn archive_at(root: &Path, server: ServerId, backup: BackupId) -> PathBuf {
        root.join(format!("{server}/{backup}.tar.gz"))
    }

    /// `mirror` of all servers into [`Self::offsite`], with more arguments.
    pub(crate) fn mirror_args(&self, more: &[&str]) -> Vec<String> {
        let offsite = self.offsite();
        let mut args: Vec<String> = ["mirror", "--panel", &self.panel.url(), "--server", "*"]
            .map(str::to_owned)
            .into();
        if !more.contains(&"--to") {
            args.extend(["--to".to_owned(), offsite.to_str().unwrap().to_owned()]);
        }
        args.extend(more.iter().map(|word| (*word).to_owned()));
        args
    }

    /// The binary, about to be run in this world.
    pub(crate) fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nestegg"));
        command
            .arg("--ledger")
            .arg(self.ledger())
            .args(args.iter().map(AsRef::as_ref))
            .env_clear()
            .envs(&self.variables)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Starts the binary.
    pub(crate) fn start<S: AsRef<str>>(&self, args: &[S]) -> Child {
        self.command(args).spawn().unwrap()
    }

    /// Runs the binary to its end, and makes sure that no secret is in what it printed.
    pub(crate) async fn run<S: AsRef<str> + Sync>(&self, args: &[S]) -> Ran {
        let output = self.command(args).output().await.unwrap();
        let ran = Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        self.assert_no_secret_in("stdout", ran.stdout.as_bytes());
        self.assert_no_secret_in("stderr", ran.stderr.as_bytes());
        ran
    }

    /// Runs `mirror` to its end.
    pub(crate) async fn mirror(&self, more: &[&str]) -> Ran {
        self.run(&self.mirror_args(more)).await
    }

    /// Fails when `bytes` hold a key or a token of this world's panel.
    pub(crate) fn assert_no_secret_in(&self, place: &str, bytes: &[u8]) {
        for secret in self.panel.secrets() {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {place}");
        }
    }

    /// Every file below the world's folder, by its name from there.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(self.folder.path())
    }

    /// What is visible at a local destination, names alone.
    pub(crate) fn visible(&self) -> Vec<String> {
        files_below(&self.offsite()).into_keys().collect()
    }

    /// Runs `mirror` in this process, with waits short enough for tests.
    pub(crate) async fn quick(&self, more: &[&str]) -> (MirrorReport, Exit) {
        self.tuned(more, quick_tuning(), Env::new(Clock::System))
            .await
    }

    /// Runs `mirror` in this process.
    pub(crate) async fn tuned(
        &self,
        more: &[&str],
        tuning: Tuning,
        env: Env,
    ) -> (MirrorReport, Exit) {
        let settings = self.settings(&self.mirror_args(more));
        let open = setup::ledger(&settings, "mirror", &env).await.unwrap();
        let parts = setup::parts(&settings, open.book.clone(), env, Arc::new(Silent), tuning)
            .await
            .unwrap();
        let report = ops::mirror::run(parts, settings.mirror).await.unwrap();
        let exit = Exit::of_mirror(&report);
        (report, exit)
    }

    /// Runs `restore` in this process.
    pub(crate) async fn tuned_restore(
        &self,
        args: &[String],
        tuning: Tuning,
    ) -> (RestoreReport, Exit) {
        let settings = self.settings(args);
        let wanted = settings.restore.as_ref().unwrap();
        let env = Env::new(Clock::System);
        let mut restore = Restore::new(&settings, wanted, env, Arc::new(Silent), tuning).unwrap();
        let RestoreJob::Panel(job) = &wanted.job else {
            panic!("{args:?} is no restore into a server")
        };
        if job.consent == Consent::Given {
            restore.asker = Arc::new(Agreed);
        }
        let report = ops::restore::server::restore(&restore, job).await.unwrap();
        self.assert_no_secret_in("the report", format!("{report:?}").as_bytes());
        let exit = Exit::of_restore(&report);
        (report, exit)
    }

    /// What these arguments mean in this world.
    pub(crate) fn settings(&self, args: &[String]) -> Settings {
        let ledger = self.ledger();
        let words = ["nestegg", "--ledger", ledger.to_str().unwrap()];
        let all = words.into_iter().map(str::to_owned).chain(args.to_vec());
        let cli = Cli::try_parse_from(all).unwrap();
        let environment = Environment::new(
            self.variables.clone(),
            self.folder.path().to_owned(),
            self.path("no-such-config.toml"),
        );
        config::load(&cli.flags(), &environment).unwrap()
    }
}

/// A folder in memory where the machine has such a place: where runs are dropped or killed, the machine does not lose
/// power, so that nothing is proved by waiting for a disk.
pub(crate) fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_no_such_place| tempfile::tempdir())
        .unwrap()
}

/// How long what does come is waited for: a busy machine may stand still for seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits of tests: short where runs sit them through, and generous where only what never comes makes them pass.
pub(crate) fn quick_tuning() -> Tuning {
    let mut tuning = Tuning::production();
    tuning.create_poll = Duration::from_millis(20);
    tuning.create_silence = PATIENCE;
    tuning.unlock_patience = PATIENCE;
    tuning.to_panel = ToPanelTuning {
        power_poll: Duration::from_millis(20),
        resources_cache: Duration::from_millis(60),
        stop_patience: PATIENCE,
        arrival_poll: Duration::from_millis(20),
        arrival_stall: PATIENCE,
        leftover_stall: PATIENCE,
        unpack_poll: Duration::from_millis(20),
        settle: PATIENCE,
        upload_patience: PATIENCE,
        ..ToPanelTuning::PRODUCTION
    };
    tuning.panel_restore = PanelRestoreTuning {
        poll: Duration::from_millis(20),
        log_patience: PATIENCE,
    };
    tuning.transfer.first_wait = Duration::from_millis(10);
    tuning.transfer.max_wait = Duration::from_millis(50);
    tuning.transfer.stall_timeout = PATIENCE;
    tuning.panel.first_wait = Duration::from_millis(10);
    tuning.panel.max_wait = Duration::from_millis(50);
    tuning.panel.window = Duration::from_secs(1);
    tuning.destination.first_wait = Duration::from_millis(10);
    tuning.destination.max_wait = Duration::from_millis(100);
    tuning.destination.retries = 2;
    tuning
}

/// Hardly any patience, for what never comes in a test, and for that alone.
pub(crate) const SOON: Duration = Duration::from_millis(600);

fn files_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}
