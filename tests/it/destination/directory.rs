//! A real directory: modes, names, leftovers, links.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use nestegg::destination::DestinationSpec;
use nestegg::destination::RootRule;
use nestegg::model::outcome::FailureKind;

use super::*;

const PATIENT: DestinationTuning = DestinationTuning {
    part_bytes: 4,
    ..DestinationTuning::PRODUCTION
};

fn spec(url: &str, root: RootRule) -> DestinationSpec {
    DestinationSpec {
        encrypt_to: Vec::new(),
        name: "disk".parse().unwrap(),
        url: url.to_owned(),
        options: BTreeMap::new(),
        environment: Vec::new(),
        root,
    }
}

async fn open(path: &Path) -> Destination {
    let spec = spec(path.to_str().unwrap(), RootRule::MustExist);
    Destination::open(spec, PATIENT).await.unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn copies_are_private_files_in_private_directories() {
    for bytes in ["", "0", "0123456789"] {
        let dir = tempfile::tempdir().unwrap();
        let destination = open(dir.path()).await;
        destination.probe().await.unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
        let stored = Archive::of(bytes, 4)
            .store(&destination, &Notebook::new())
            .await
            .unwrap();
        let stored = destination
            .write_sidecar(&stored, &sidecar_of(&stored))
            .await
            .unwrap();
        let server = dir.path().join(SERVER);
        assert_eq!(mode(&server), 0o700);
        assert_eq!(
            names(&server),
            [format!("{BACKUP}.json"), format!("{BACKUP}.tar.gz")]
        );
        for name in [archive_name(), sidecar_name()] {
            assert_eq!(mode(&dir.path().join(name)), 0o600);
        }
        let archive = fs::read(dir.path().join(archive_name())).unwrap();
        assert_eq!(archive, bytes.as_bytes());
        let key = archive_key();
        let found = destination.find(key.server(), key.backup()).await.unwrap();
        assert_eq!(found.unwrap().stored, stored);
    }
}

#[tokio::test]
async fn nothing_has_its_final_name_before_the_commit_and_aborting_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let destination = open(dir.path()).await;
    let archive = Archive::of("0123456789", 4);
    let verified = archive
        .verify(&destination, &Notebook::new())
        .await
        .unwrap();
    let server = dir.path().join(SERVER);
    assert_eq!(names(&server), [format!("{BACKUP}.tar.gz#1")]);
    let found = destination
        .find(archive_key().server(), archive_key().backup())
        .await
        .unwrap();
    assert_eq!(found, None);
    verified.abort().await;
    assert_eq!(names(&server), Vec::<String>::new());
}

#[tokio::test]
async fn a_commit_that_fails_leaves_no_staged_file() {
    let dir = tempfile::tempdir().unwrap();
    let destination = open(dir.path()).await;
    let archive = Archive::of("0123456789", 4);
    let verified = archive
        .verify(&destination, &Notebook::new())
        .await
        .unwrap();
    // A directory can't be replaced by renaming a file onto it.
    let server = dir.path().join(SERVER);
    fs::create_dir_all(dir.path().join(archive_name()).join("x")).unwrap();
    let error = verified
        .commit(jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FailureKind::Destination, "{error:?}");
    assert_eq!(names(&server), [format!("{BACKUP}.tar.gz")]);
}

#[tokio::test]
async fn roots_with_odd_names_work() {
    for name in [
        "a b",
        "50%",
        "~x",
        "żółw 🐢",
        "a#1",
        "[x]",
        "a%2Fb",
        "-x",
        "?q",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join(name);
        fs::create_dir(&root).unwrap();
        let destination = open(&root).await;
        let stored = Archive::of("0123456789", 4)
            .store(&destination, &Notebook::new())
            .await
            .unwrap();
        destination
            .write_sidecar(&stored, &sidecar_of(&stored))
            .await
            .unwrap();
        assert_eq!(names(dir.path()), [name]);
        let listed: Vec<_> = destination.list().try_collect().await.unwrap();
        assert_eq!(listed.len(), 2, "{name}");
        let read = destination.read(&archive_key(), 4).await.unwrap();
        let bytes: Vec<Bytes> = read.stream.try_collect().await.unwrap();
        assert_eq!(bytes.concat(), b"456789");
    }
}

#[tokio::test]
async fn a_directory_is_the_same_place_however_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().canonicalize().unwrap().join("a b");
    fs::create_dir(&real).unwrap();
    let link = dir.path().join("link");
    symlink(&real, &link).unwrap();
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let location = open(&real).await.location().to_owned();
    assert!(location.starts_with("file:///"), "{location}");
    assert!(location.ends_with("/a%20b"), "{location}");
    for url in [
        text(link),
        text(real.join(".")),
        format!("{}/", text(real)),
        location.clone(),
    ] {
        let again = Destination::open(spec(&url, RootRule::MustExist), PATIENT).await;
        assert_eq!(again.unwrap().location(), location, "{url}");
    }
}

#[tokio::test]
async fn a_missing_root_is_made_only_where_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("offsite");
    let url = root.to_str().unwrap();
    let missing = Destination::open(spec(url, RootRule::MustExist), PATIENT).await;
    let missing = missing.unwrap_err();
    assert_eq!(missing.kind(), FailureKind::NotFound);
    assert!(told(&missing).contains("not mounted"), "{missing:?}");
    assert!(!root.exists());
    let made = Destination::open(spec(url, RootRule::MayCreate), PATIENT).await;
    made.unwrap().probe().await.unwrap();
    assert_eq!(mode(&root), 0o700);
}

#[tokio::test]
async fn links_are_not_followed_out_of_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), dir.path().join(SERVER)).unwrap();
    let destination = open(dir.path()).await;
    let journal = Notebook::new();
    let archive = Archive::of("0123456789", 4);
    let begun = destination
        .begin(archive_key(), archive.stream, 4, journal)
        .await;
    assert!(matches!(begun, Err(Error::Symlink { .. })), "{begun:?}");
    let found = destination
        .find(archive_key().server(), archive_key().backup())
        .await;
    assert!(matches!(found, Err(Error::Symlink { .. })), "{found:?}");
    let read = destination.read(&archive_key(), 0).await;
    assert!(matches!(read, Err(Error::Symlink { .. })), "{read:?}");
    let listed: Vec<_> = destination.list().try_collect().await.unwrap();
    assert_eq!(listed, []);
    assert_eq!(names(outside.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_sweep_spares_what_is_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let server = dir.path().join(SERVER);
    fs::create_dir(&server).unwrap();
    let leftover = server.join(format!("{SERVER}.json#3"));
    fs::write(&leftover, "{").unwrap();
    let (destination, other) = (open(dir.path()).await, open(dir.path()).await);
    let archive = Archive::of("0123456789", 4);
    let verified = archive
        .verify(&destination, &Notebook::new())
        .await
        .unwrap();
    assert_eq!(destination.sweep_staged().await.unwrap(), 0);
    assert_eq!(other.sweep_staged().await.unwrap(), 0);
    verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(other.sweep_staged().await.unwrap(), 1);
    assert_eq!(names(&server), [format!("{BACKUP}.tar.gz")]);
}

#[tokio::test]
async fn foreign_files_and_names_that_are_no_text_do_not_spoil_a_list() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let dir = tempfile::tempdir().unwrap();
    let destination = open(dir.path()).await;
    Archive::of("0123", 4)
        .store(&destination, &Notebook::new())
        .await
        .unwrap();
    fs::write(dir.path().join(OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    fs::write(
        dir.path().join(SERVER).join(OsStr::from_bytes(b"\xff")),
        "x",
    )
    .unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    let listed: Vec<_> = destination.list().try_collect().await.unwrap();
    let keys: Vec<_> = listed.into_iter().map(|object| object.key).collect();
    assert_eq!(keys, [archive_key()]);
}

#[tokio::test]
async fn a_long_file_is_read_whole_and_from_its_middle() {
    let dir = tempfile::tempdir().unwrap();
    let destination = open(dir.path()).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::create_dir(dir.path().join(SERVER)).unwrap();
    fs::write(dir.path().join(archive_name()), &bytes).unwrap();
    for from in [0, 1, 5_000_000, bytes.len() - 1, bytes.len()] {
        let read = destination.read(&archive_key(), from as u64).await.unwrap();
        assert_eq!(read.length_bytes, bytes.len() as u64);
        let pieces: Vec<Bytes> = read.stream.try_collect().await.unwrap();
        assert!(pieces.concat() == bytes[from..], "from {from}");
    }
}
