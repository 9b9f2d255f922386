//! Every target of a restore from an encrypted copy: with the right key, a wrong one, and none.

use std::path::Path;
use std::path::PathBuf;

use nestegg::model::holding::HeldCopy;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;

use super::AgeKey;
use super::claimed;
use super::configure;
use super::folder;
use crate::support::archive::Archive;
use crate::support::held::Tree;
use crate::support::held::tree;
use crate::support::held::unpacked_by_tar;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::Ran;
use crate::support::world::World;

/// One encrypted copy, in a world whose panel is gone.
struct Sealed {
    world: World,
    server: ServerId,
    backup: BackupId,
    archive: Archive,
    /// The key that opens it.
    key: AgeKey,
}

/// The words before a target's own.
const LATEST: &[&str] = &["restore", "Survival:latest"];

/// What an operator is told without a key, after the names of the backup and the place.
fn no_identity(sealed: &Sealed) -> String {
    format!(
        "the copy at vault could not be read back: it is encrypted to {}, and no identity was given",
        sealed.key.short()
    )
}

/// The same with a wrong key.
fn wrong_identity(sealed: &Sealed) -> String {
    format!(
        "the copy at vault could not be read back: it is encrypted to {}, and no identity given opens it",
        sealed.key.short()
    )
}

impl Sealed {
    async fn of(archive: Archive) -> Self {
        let (mut world, server, backup) = World::with_backup(archive.clone()).await;
        let key = AgeKey::new();
        let vault = folder(&world, "vault");
        configure(&mut world, &[("vault", &vault, &[&key.public])]);
        let ran = world.run(&["mirror"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        world.panel.stop_panel().await;
        std::fs::create_dir(world.path("backups")).unwrap();
        key.file(&world, "key.txt");
        AgeKey::new().file(&world, "wrong.txt");
        Self {
            world,
            server,
            backup,
            archive,
            key,
        }
    }

    async fn run(&self, words: &[&str], more: &[&str]) -> Ran {
        let ran = self.world.run(&[words, more].concat()).await;
        for said in [&ran.stdout, &ran.stderr] {
            assert!(!said.contains(self.key.told_by()), "a private key is told");
        }
        ran
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }

    /// All that a refused restore must leave as it is: what is in the folder, and what the ledger claims.
    fn everything(&self) -> (Tree, String) {
        let mut nodes = tree(&self.path(""));
        // A reader makes and removes these.
        nodes.retain(|name, _| !name.starts_with("ledger.sqlite3"));
        (nodes, format!("{:?}", claimed(&self.world)))
    }

    /// Neither a wrong key nor none writes anything, and either way it is said who can open the copy.
    async fn refuses_without_the_key(&self, words: &[&str]) {
        let before = self.everything();
        for (more, message) in [
            (&[][..], no_identity(self)),
            (&["--identity", "wrong.txt"], wrong_identity(self)),
        ] {
            let ran = self.run(words, more).await;
            assert_eq!(ran.code, Some(12), "{words:?} {}", ran.stderr);
            assert!(ran.stderr.contains(&message), "{words:?} {}", ran.stderr);
            assert!(
                ran.stderr.contains("--identity FILE"),
                "{words:?} {}",
                ran.stderr
            );
            assert!(self.everything() == before, "{words:?} wrote something");
        }
    }

    async fn restores(&self, words: &[&str]) {
        let ran = self.run(words, &["--identity", "key.txt"]).await;
        assert_eq!(ran.code, Some(0), "{words:?} {}", ran.stderr);
    }

    fn assert_is_the_archive(&self, path: &Path) {
        let bytes = std::fs::read(path).unwrap();
        assert!(bytes == self.archive.bytes(), "{}", path.display());
    }
}

/// Longer than two parts of a restore.
async fn sealed() -> Sealed {
    Sealed::of(Archive::of_about(5, 9 << 20)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_written_with_the_key_and_only_with_it() {
    let sealed = sealed().await;
    let words = [LATEST, &["--output", "got.tar.gz"]].concat();
    sealed.refuses_without_the_key(&words).await;
    sealed.restores(&words).await;
    sealed.assert_is_the_archive(&sealed.path("got.tar.gz"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_survives_a_wrong_key_even_with_force() {
    let sealed = sealed().await;
    std::fs::write(sealed.path("got.tar.gz"), "mine").unwrap();
    let words = [LATEST, &["--force", "--output", "got.tar.gz"]].concat();
    sealed.refuses_without_the_key(&words).await;
    sealed.restores(&words).await;
    sealed.assert_is_the_archive(&sealed.path("got.tar.gz"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_standard_output_without_the_key() {
    let sealed = sealed().await;
    let words = [LATEST, &["--output", "-"]].concat();
    for key in [&[][..], &["--identity", "wrong.txt"]] {
        let ran = sealed.run(&words, key).await;
        assert_eq!((ran.code, ran.stdout.len()), (Some(12), 0), "{key:?}");
    }
    let args = [&words[..], &["--identity", "key.txt"]].concat();
    let output = sealed.world.command(&args).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == sealed.archive.bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_made_with_the_key_and_only_with_it() {
    let sealed = sealed().await;
    let words = [LATEST, &["--extract", "out"]].concat();
    sealed.refuses_without_the_key(&words).await;
    sealed.restores(&words).await;
    let by_tar = unpacked_by_tar(&sealed.archive, &sealed.path("by-tar"));
    assert_eq!(tree(&sealed.path("out")), by_tar);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_disk_gets_the_archive_in_the_clear_with_the_key_and_only_with_it() {
    let sealed = sealed().await;
    let words = [LATEST, &["--backup-disk", "./backups"]].concat();
    sealed.refuses_without_the_key(&words).await;
    sealed.restores(&words).await;
    let name = format!("{}.tar.gz", sealed.backup);
    sealed.assert_is_the_archive(&sealed.path("backups").join(&name));
    let all = ["restore", "--all", "--backup-disk", "./backups", "--json"];
    let again = sealed.run(&all, &[]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(again.json()["backups"][0]["state"], "already_there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panels_bucket_gets_the_archive_in_the_clear_with_the_key_and_only_with_it() {
    let mut sealed = sealed().await;
    let bucket: Root = SeaweedFs::shared().root("sealed/backup-disk");
    for (option, value) in &bucket.options {
        let variable = format!("AWS_{}", option.to_uppercase());
        sealed.world.set(&variable, value.clone());
    }
    let words = [LATEST, &["--backup-disk", &bucket.url]].concat();
    sealed.refuses_without_the_key(&words).await;
    assert_eq!(bucket.keys().await, Vec::<String>::new());
    assert_eq!(bucket.open_uploads().await, Vec::<String>::new());
    sealed.restores(&words).await;
    let key = format!("{}/{}.tar.gz", sealed.server, sealed.backup);
    assert_eq!(bucket.keys().await, [&*key]);
    assert!(bucket.read(&key).await.unwrap() == sealed.archive.bytes());
    assert_eq!(
        bucket
            .attributes(&key)
            .await
            .unwrap()
            .content_type
            .as_deref(),
        Some("application/x-gzip")
    );
}

/// The events of drills that the ledger holds.
fn drills(world: &World) -> Vec<Value> {
    let connection = rusqlite::Connection::open(world.ledger()).unwrap();
    let mut query = connection
        .prepare("SELECT detail FROM events WHERE kind = 'drilled' ORDER BY id")
        .unwrap();
    let rows = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| serde_json::from_str(&row.unwrap()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_walks_the_archive_with_the_key_and_holds_no_wrong_key_against_the_copy() {
    let sealed = sealed().await;
    let drill = ["restore", "--drill", "--json"];
    let held = || {
        let copies = claimed(&sealed.world).into_iter();
        let copies = copies.map(|copy| HeldCopy {
            verified_at: None,
            ..copy
        });
        copies.collect::<Vec<_>>()
    };
    let before = held();
    for (key, code, state) in [
        (&[][..], 0, "at_rest"),
        (&["--identity", "wrong.txt"], 12, "failed"),
        (&["--identity", "key.txt"], 0, "drilled"),
    ] {
        let ran = sealed.run(&drill, key).await;
        assert_eq!(ran.code, Some(code), "{key:?} {}", ran.stderr);
        let copy = &ran.json()["copies"][0];
        assert_eq!(copy["state"], state, "{key:?}");
        assert_eq!(
            copy["entries"].is_null(),
            state != "drilled",
            "only a walk counts members"
        );
        assert_eq!(held(), before, "{key:?}");
    }
    let outcomes: Vec<Value> = drills(&sealed.world)
        .iter()
        .map(|detail| detail["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["at_rest", "failed", "drilled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_come_from_the_environment_and_a_bad_key_file_stops_before_anything_is_read() {
    let mut sealed = sealed().await;
    sealed.world.set("NESTEGG_IDENTITY_FILE", "key.txt");
    let words = [LATEST, &["--output", "got.tar.gz"]].concat();
    let ran = sealed.run(&words, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    sealed.assert_is_the_archive(&sealed.path("got.tar.gz"));

    let words = [LATEST, &["--output", "other.tar.gz"]].concat();
    let before = sealed.everything();
    let missing = sealed.run(&words, &["--identity", "nowhere.txt"]).await;
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
    std::fs::write(sealed.path("public.txt"), &sealed.key.public).unwrap();
    let public = sealed.run(&words, &["--identity", "public.txt"]).await;
    assert_eq!(public.code, Some(2), "{}", public.stderr);
    assert!(
        public.stderr.contains("public key, which opens nothing"),
        "{}",
        public.stderr
    );
    std::fs::remove_file(sealed.path("public.txt")).unwrap();
    assert!(sealed.everything() == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_the_key_does_not_open_is_passed_over_for_one_in_the_clear() {
    let archive = Archive::of_about(6, 9 << 20);
    let (mut world, _, _) = World::with_backup(archive.clone()).await;
    let (vault, open) = (folder(&world, "vault"), folder(&world, "open"));
    let key = AgeKey::new();
    configure(
        &mut world,
        &[("vault", &vault, &[&key.public]), ("open", &open, &[])],
    );
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // What was read back last is tried first.
    let ran = world.run(&["verify", "--to", "vault"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    AgeKey::new().file(&world, "wrong.txt");
    let args = [LATEST, &["--output", "got.tar.gz"]].concat();
    let ran = world
        .run(&[&args[..], &["--identity", "wrong.txt"]].concat())
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("no identity given opens it"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("it was restored from open instead, and is whole\n"),
        "nothing is to be mended: {}",
        ran.stderr
    );
    assert!(std::fs::read(world.path("got.tar.gz")).unwrap() == archive.bytes());
}
