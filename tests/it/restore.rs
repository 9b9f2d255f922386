//! `nestegg restore` as on the bad day: the panel is gone, and often the ledger too.

mod choosing;
mod copies;
mod documents;
mod file;
mod sheet;
mod stdout;
mod stores;

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use nestegg::config::settings::restore::RestoreJob;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::ops;
use nestegg::ops::restore::Restore;
use nestegg::report::restore::CopyFate;
use nestegg::report::restore::RestoreReport;
use nestegg::transfer::observer::Observer;
use tempfile::TempDir;

use crate::support::archive::Archive;
use crate::support::servers::root::Root;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// A world with one backup, mirrored to each of some places.
struct Vault {
    world: World,
    server: ServerId,
    backup: BackupId,
    archive: Archive,
    places: Vec<(&'static str, Root)>,
    /// Keeps the places that are folders.
    _folders: Option<TempDir>,
}

impl Vault {
    /// A backup of this archive, mirrored to these places.
    async fn of(archive: Archive, places: Vec<(&'static str, Root)>) -> Self {
        Self::keeping(archive, places, None).await
    }

    async fn keeping(
        archive: Archive,
        places: Vec<(&'static str, Root)>,
        folders: Option<TempDir>,
    ) -> Self {
        let (mut world, server, backup) = World::with_backup(archive.clone()).await;
        world.set("NESTEGG_CONFIG", "nestegg.toml");
        let vault = Self {
            world,
            server,
            backup,
            archive,
            places,
            _folders: folders,
        };
        vault.write_config();
        vault.mirror().await;
        vault
    }

    /// The same at two local places, `near` and `far`.
    async fn in_two_folders(archive: Archive) -> Self {
        let folders = tempfile::tempdir().unwrap();
        let place = |name: &'static str| {
            let path = folders.path().join(name);
            std::fs::create_dir(&path).unwrap();
            (name, Root::folder(&path))
        };
        let places = vec![place("near"), place("far")];
        Self::keeping(archive, places, Some(folders)).await
    }

    /// A configuration of the places alone: there is no panel any more.
    fn write_config(&self) {
        let text = |value: &str| toml::Value::from(value).to_string();
        let mut config = String::new();
        for (name, root) in &self.places {
            let options = root.options.iter();
            let options = options.map(|(name, value)| format!("{name} = {}", text(value)));
            let options: Vec<String> = options.collect();
            writeln!(
                config,
                "[[destination]]\nname = \"{name}\"\nurl = {}\noptions = {{ {} }}",
                text(&root.url),
                options.join(", ")
            )
            .unwrap();
        }
        let path = self.world.path("nestegg.toml");
        std::fs::write(&path, config).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
    }

    async fn mirror(&self) {
        let panel = self.world.panel.url();
        let args = ["mirror", "--panel", &panel, "--server", "*"];
        let ran = self.world.run(&args).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        self.world.panel.forget_requests();
    }

    /// The ledger is gone, with all that SQLite keeps beside it.
    fn lose_ledger(&self) {
        for end in ["", "-wal", "-shm"] {
            let path = format!("{}{end}", self.world.ledger().display());
            drop(std::fs::remove_file(path));
        }
    }

    fn root(&self, name: &str) -> &Root {
        let (_, root) = self
            .places
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        root
    }

    fn key(&self) -> String {
        format!("{}/{}.tar.gz", self.server, self.backup)
    }

    fn sidecar_key(&self) -> String {
        format!("{}/{}.json", self.server, self.backup)
    }

    /// Where a local place keeps the archive.
    fn path_at(&self, name: &str) -> PathBuf {
        Path::new(&self.root(name).url).join(self.key())
    }

    fn sidecar_at(&self, name: &str) -> PathBuf {
        Path::new(&self.root(name).url).join(self.sidecar_key())
    }

    /// Turns one bit of a local copy over.
    fn flip(&self, name: &str) {
        let path = self.path_at(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }

    /// Runs the binary; standard output may be an archive.
    async fn raw<S: AsRef<str> + Sync>(&self, args: &[S]) -> Output {
        let output = self.world.command(args).output().await.unwrap();
        self.world.assert_no_secret_in("stderr", &output.stderr);
        output
    }

    /// Runs `restore` in this process, with short waits, watched by `observer`.
    async fn watched(&self, args: &[&str], observer: Arc<dyn Observer>) -> (RestoreReport, Exit) {
        let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
        let settings = self.world.settings(&args);
        let wanted = settings.restore.clone().unwrap();
        let env = Env::new(Clock::System);
        let restore = Restore::new(&settings, &wanted, env, observer, quick_tuning()).unwrap();
        let sink = Box::new(std::io::sink());
        let RestoreJob::Output(job) = &wanted.job else {
            panic!("{args:?} is no restore to a file")
        };
        let report = ops::restore::file::restore(&restore, job, sink)
            .await
            .unwrap();
        let exit = Exit::of_restore(&report);
        (report, exit)
    }

    fn assert_restored(&self, path: &str) {
        let bytes = std::fs::read(self.world.path(path)).unwrap();
        assert!(bytes == self.archive.bytes(), "{path} is another archive");
    }

    /// Nothing but the ledger, the configuration and what is named is in the world's folder.
    fn assert_nothing_else(&self, named: &[&str]) {
        let others: Vec<String> = self
            .world
            .files()
            .into_keys()
            .filter(|name| !name.starts_with("ledger.sqlite3") && name != "nestegg.toml")
            .filter(|name| !named.contains(&name.as_str()))
            .collect();
        assert_eq!(others, Vec::<String>::new());
    }
}

/// What came of the copies, by destination.
pub(crate) fn fates(report: &RestoreReport) -> Vec<(String, &'static str)> {
    let copies = report.backups.iter().flat_map(|backup| &backup.copies);
    copies
        .map(|copy| {
            let fate = match &copy.fate {
                CopyFate::Used => "used",
                CopyFate::Fetched => "fetched",
                CopyFate::PassedOver(_) => "passed over",
                CopyFate::NotNeeded => "not needed",
            };
            (copy.destination.to_string(), fate)
        })
        .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
