//! The bad day, at every store: the panel is gone, and so are the ledger and the configuration. What one
//! destination holds, and the key of its copies, give everything back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;

use crate::support::age_key::AgeKey;
use crate::support::archive::Archive;
use crate::support::fake_panel::FakePanel;
use crate::support::fake_panel::Pulls;
use crate::support::held::Node;
use crate::support::held::Tree;
use crate::support::held::tree;
use crate::support::held::unpacked_by_tar;
use crate::support::members::Facts;
use crate::support::members::Members;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// Longer than two parts of a restore.
const REGION_BYTES: usize = 9 << 20;

/// What is left of a mirror on the bad day.
struct BadDay {
    world: World,
    server: ServerId,
    backup: BackupId,
    archive: Archive,
    root: Root,
    /// The key that its copies were encrypted to.
    key: Option<AgeKey>,
}

/// A server's files: large and empty ones, directories, links, modes, names that are not ASCII.
fn files() -> Archive {
    let region: Vec<u8> = (0..REGION_BYTES)
        .map(|at| (at / 7 * at).to_le_bytes()[0])
        .collect();
    Members::new()
        .file("server.properties", "motd=Hello\n")
        .file("world/level.dat", "level")
        .file("world/region/r.0.0.mca", region)
        .file("world/empty", "")
        .file("plugins/Ünïcode ☂.yml", "a: 1\n")
        .symlink("latest.log", "logs/2026-11-22.log")
        .member(
            "start.sh",
            Facts {
                mode: 0o755,
                ..Facts::FILE
            },
            "",
            "#!/bin/sh\n",
        )
        .archive()
}

/// What the files of a tree hold; who owns them there, and since when, is the node's.
fn contents(tree: Tree) -> BTreeMap<String, Vec<u8>> {
    let files = tree.into_iter().filter_map(|(name, node)| match node {
        Node::File(_, _, content) => Some((name, content)),
        Node::Directory(_) | Node::Link(_) | Node::Other => None,
    });
    files.collect()
}

impl BadDay {
    /// Mirrors into the root, and then loses all but what is there.
    async fn at(root: Root, key: Option<AgeKey>) -> Self {
        let archive = files();
        let (mut world, server, backup) = World::with_backup(archive.clone()).await;
        let store = root.url.split("://").next().unwrap().to_owned();
        for (option, value) in &root.options {
            let prefix = match store.as_str() {
                "s3" => "AWS",
                "gs" => "GOOGLE",
                "az" => "AZURE",
                other => panic!("{other} has no options"),
            };
            world.set(
                &format!("{prefix}_{}", option.to_uppercase()),
                value.clone(),
            );
        }
        let mut args = vec!["--to", &root.url];
        if let Some(key) = &key {
            args.extend(["--encrypt-to", &key.public]);
        }
        let ran = world.mirror(&args).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        world.panel.stop_panel().await;
        for end in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!(
                "{}{end}",
                world.ledger().display()
            )));
        }
        world.unset("NESTEGG_API_KEY");
        world.unset("HOME");
        let day = Self {
            world,
            server,
            backup,
            archive,
            root,
            key,
        };
        if let Some(key) = &day.key {
            let file = key.file(&day.world, "key.txt");
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(file, private).unwrap();
        }
        day
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// `restore --from` the root, with the key where there is one.
    fn restore_args(&self, words: &[&str]) -> Vec<String> {
        let mut args = vec!["restore", "--from", &self.root.url];
        if self.key.is_some() {
            args.extend(["--identity", "key.txt"]);
        }
        args.extend(words);
        args.into_iter().map(str::to_owned).collect()
    }

    /// Runs that.
    async fn restore(&self, words: &[&str]) -> Output {
        let args = self.restore_args(words);
        let output = self.world.command(&args).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?} {said}");
        for (option, value) in &self.root.options {
            let is_secret = option.ends_with("key");
            assert!(!is_secret || !said.contains(value), "{option} is told");
        }
        if let Some(key) = &self.key {
            assert!(!said.contains(key.told_by()));
        }
        output
    }

    /// A server of a panel that was set up since gets what went in, by whichever way the store allows.
    async fn gives_a_new_panel_s_server_everything_back(&mut self, by_tar: Tree) {
        let panel = FakePanel::start().await;
        panel.edit_host_rules(|rules| {
            rules.pulls = Pulls::FromAnywhere;
            rules.resources_cache = Duration::from_millis(30);
        });
        let server = panel.add_server("Survival anew");
        self.world.set("NESTEGG_API_KEY", panel.key());
        let target = server.to_string();
        let to_server = [
            "Survival:latest",
            "--to-panel",
            &panel.url(),
            "--to-server",
            &target,
            "--yes",
        ];
        let args = self.restore_args(&to_server);
        let (report, exit) = self.world.tuned_restore(&args, quick_tuning()).await;
        assert_eq!(exit, Exit::Done, "{report:?}");
        let unpacked = tree(&panel.folder_of(server));
        assert!(contents(unpacked) == contents(by_tar), "--to-panel");
    }

    /// Every target gives back what went in.
    async fn gives_everything_back(mut self) {
        let before = self.root.keys().await;
        let end = if self.key.is_some() {
            "tar.gz.age"
        } else {
            "tar.gz"
        };
        let (server, backup) = (self.server, self.backup);
        let stored = |end: &str| format!("{server}/{backup}.{end}");
        assert_eq!(before, [stored("json"), stored(end)]);
        let kept = self.root.read(&stored(end)).await.unwrap();
        assert_eq!(kept == self.archive.bytes(), self.key.is_none());

        let listed = self
            .world
            .run(&["list", "--from", &self.root.url, "--json"])
            .await;
        assert_eq!(listed.code, Some(0), "{}", listed.stderr);
        let copies = listed.json()["copies"].clone();
        assert_eq!(copies.as_array().unwrap().len(), 1);
        assert_eq!(copies[0]["sha256"], self.archive.sha256());

        let latest = "Survival:latest";
        self.restore(&[latest, "--output", "got.tar.gz"]).await;
        let got = std::fs::read(self.path("got.tar.gz")).unwrap();
        assert!(got == self.archive.bytes(), "--output FILE");

        let piped = self.restore(&[latest, "--output", "-"]).await;
        assert!(piped.stdout == self.archive.bytes(), "--output -");

        self.restore(&[latest, "--extract", "out"]).await;
        let by_tar = unpacked_by_tar(&self.archive, &self.path("by-tar"));
        assert_eq!(tree(&self.path("out")), by_tar);

        std::fs::create_dir(self.path("backups")).unwrap();
        let all = ["--all", "--layout", "pelican", "--backup-disk", "./backups"];
        self.restore(&all).await;
        let backups = tree(&self.path("backups"));
        let names: Vec<&str> = backups.keys().map(String::as_str).collect();
        let archive = stored("tar.gz");
        assert_eq!(names, [&*server.to_string(), &*archive]);
        let Some(Node::File(mode, _, content)) = backups.get(&archive) else {
            panic!("{backups:?}")
        };
        assert_eq!(*mode, 0o600);
        assert!(*content == self.archive.bytes(), "--backup-disk DIR");

        let drilled = self.restore(&["--drill", "--json"]).await;
        let drilled: serde_json::Value = serde_json::from_slice(&drilled.stdout).unwrap();
        assert_eq!(drilled["copies"][0]["state"], "drilled");

        self.gives_a_new_panel_s_server_everything_back(by_tar)
            .await;

        assert_eq!(self.root.keys().await, before);
        assert_eq!(self.root.read(&stored(end)).await.unwrap(), kept);
        assert_eq!(self.root.open_uploads().await, Vec::<String>::new());
        assert!(!self.world.ledger().exists(), "a restore made a ledger");
    }
}

async fn everything_comes_back_from(root: Root) {
    let sealed = root.below_it("sealed");
    BadDay::at(root.below_it("plain"), None)
        .await
        .gives_everything_back()
        .await;
    BadDay::at(sealed, Some(AgeKey::new()))
        .await
        .gives_everything_back()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    everything_comes_back_from(Root::folder(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_s3() {
    everything_comes_back_from(SeaweedFs::shared().root("bad-day")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_google_cloud_storage() {
    everything_comes_back_from(Gcs::shared().root("bad-day")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_azure() {
    everything_comes_back_from(Azurite::shared().root("bad-day")).await;
}
