//! Restores into servers of the fake panel, by every way, compared byte for byte.

mod asked;
mod copies;
mod fallback;
mod killed;
mod power;
mod pull;
mod recorded;
mod refusals;
mod sealed;
mod sftp;
mod unpack;
mod upload;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::ops::Tuning;
use nestegg::ops::restore::panel::ToPanelTuning;
use nestegg::report::restore::RestoreReport;
use nestegg::report::restore::RestoredBackup;

use crate::support::archive::Archive;
use crate::support::fake_panel::Power;
use crate::support::servers::root::Root;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// A backup that is held, a panel that has lost its server, and a new one to restore into.
struct Scene {
    world: World,
    server: ServerId,
    backup: BackupId,
    target: ServerId,
    archive: Archive,
    tuning: Tuning,
}

impl Scene {
    /// The copy is in a folder.
    async fn new(archive: Archive) -> Self {
        Self::mirrored(archive, &[]).await
    }

    /// The copy is in a folder, made by a run with more arguments.
    async fn mirrored(archive: Archive, more: &[&str]) -> Self {
        let scene = Self::unmirrored(archive).await;
        let ran = scene.world.mirror(more).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        scene
    }

    /// The copy is in a store.
    async fn at(root: &Root, archive: Archive) -> Self {
        let mut scene = Self::unmirrored(archive).await;
        scene.world.set("NESTEGG_CONFIG", "nestegg.toml");
        let options: Vec<String> = root
            .options
            .iter()
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect();
        let config = format!(
            "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"store\"\nurl = {:?}\noptions = {{ {} }}\n",
            scene.world.panel.url(),
            root.url,
            options.join(", ")
        );
        fs::write(scene.world.path("nestegg.toml"), config).unwrap();
        let ran = scene
            .world
            .run(&["mirror", "--server", &scene.server.to_string()])
            .await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        scene
    }

    async fn unmirrored(archive: Archive) -> Self {
        let (world, server, backup) = World::with_backup(archive.clone()).await;
        let target = world.panel.add_server("New Survival");
        world.panel.edit_host_rules(|rules| {
            rules.resources_cache = Duration::from_millis(30);
        });
        Self {
            world,
            server,
            backup,
            target,
            archive,
            tuning: quick_tuning(),
        }
    }

    /// With other waits: short ones are for what never comes.
    fn tuned(mut self, tune: impl FnOnce(&mut ToPanelTuning)) -> Self {
        tune(&mut self.tuning.to_panel);
        self
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = [
            "restore",
            &self.backup.to_string(),
            "--to-panel",
            &self.panel_word(),
            "--to-server",
            &self.target.to_string(),
        ]
        .map(str::to_owned)
        .into();
        if !self.world.path("nestegg.toml").exists() {
            let offsite = self.world.offsite();
            args.extend(["--from".to_owned(), offsite.to_str().unwrap().to_owned()]);
        }
        args.extend(more.iter().map(|word| (*word).to_owned()));
        args
    }

    fn panel_word(&self) -> String {
        if self.world.path("nestegg.toml").exists() {
            "main".to_owned()
        } else {
            self.world.panel.url()
        }
    }

    async fn restore(&self, more: &[&str]) -> (RestoreReport, Exit) {
        let tuning = self.tuning.clone();
        self.world.tuned_restore(&self.args(more), tuning).await
    }

    /// A restore that fails: its exit, the failure in words with its hint, and the notes.
    async fn fails(&self, more: &[&str]) -> (Exit, String, RestoredBackup) {
        let (report, exit) = self.restore(more).await;
        let [backup] = report.backups.try_into().unwrap();
        let failure = backup.failure.clone().unwrap();
        assert!(!failure.hint.is_empty(), "{failure:?}");
        (exit, failure.message, backup)
    }

    /// Puts a file into the server.
    fn put(&self, name: &str, content: &str) {
        let path = self.world.panel.folder_of(self.target).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn running(&self) {
        self.world.panel.set_power(self.target, Power::Running);
    }

    /// What is in the server, by its name from the root.
    fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        tree_below(&self.world.panel.folder_of(self.target))
    }

    /// What changed the server, with the archive's name as `A` and the note's as `A.ran`.
    fn deeds(&self) -> Vec<String> {
        let ours = format!("nestegg-{}", self.backup);
        self.world
            .panel
            .deeds()
            .iter()
            .map(|deed| deed.replace(&ours, "A").replace(".tar.gz", ""))
            .collect()
    }
}

/// What an archive holds.
fn members_of(archive: &Archive) -> BTreeMap<String, Vec<u8>> {
    let bytes = archive.bytes();
    let mut tar = tar::Archive::new(GzDecoder::new(bytes.as_ref()));
    tar.entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (name, content)
        })
        .collect()
}

fn tree_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The notes of the one backup of a report.
fn notes(report: &RestoreReport) -> String {
    report.backups.first().unwrap().notes.join("\n")
}
