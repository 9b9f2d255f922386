//! Encrypted copies read back: with the right keys, the wrong ones, and after damage.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nestegg::destination::Destination;
use nestegg::destination::DestinationSpec;
use nestegg::destination::DestinationTuning;
use nestegg::destination::JournalError;
use nestegg::destination::OpenUpload;
use nestegg::destination::RootRule;
use nestegg::destination::UploadJournal;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::model::content::Inspect;
use nestegg::model::content::Part;
use nestegg::model::holding::HeldCopy;
use nestegg::model::outcome::Failure;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Scope;
use nestegg::transfer::Shared;
use nestegg::transfer::limit::Throttle;
use nestegg::transfer::observer::Silent;
use nestegg::transfer::pump::Sink;
use nestegg::transfer::readback;
use nestegg::transfer::readback::NotRead;
use nestegg::transfer::readback::Reading;
use nestegg::transfer::readback::Whose;
use nestegg::transfer::unseal::Identities;

use super::AgeKey;
use super::claimed;
use super::configure;
use super::fixture;
use super::folder;
use super::public_fixture;
use crate::support::archive::Archive;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// Keeps what it is given; fails from a part on, if told to.
#[derive(Debug, Default)]
struct Memory {
    bytes: Vec<u8>,
    fails_from_bytes: Option<usize>,
}

impl Sink for Memory {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        for chunk in part.chunks() {
            self.bytes.extend_from_slice(chunk);
        }
        match self.fails_from_bytes {
            Some(limit) if self.bytes.len() >= limit => Err(full()),
            Some(_) | None => Ok(()),
        }
    }

    async fn abort(self) {}

    fn name(&self) -> String {
        "memory".to_owned()
    }
}

fn full() -> Failure {
    Failure {
        scope: Scope::Backup,
        id: "x".to_owned(),
        kind: FailureKind::NoSpace,
        message: "it is full".to_owned(),
        hint: String::new(),
    }
}

/// Nothing is uploaded here.
#[derive(Debug)]
struct NoJournal;

impl UploadJournal for NoJournal {
    fn opened<'a>(
        &'a self,
        _upload: &'a OpenUpload,
    ) -> futures_util::future::BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async { Err("nothing is uploaded".into()) })
    }

    fn closed<'a>(&'a self, _upload: &'a OpenUpload) -> futures_util::future::BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// One encrypted copy in a directory, and what reads it.
struct Scene {
    world: World,
    archive: Archive,
    key: AgeKey,
    file: PathBuf,
    copy: HeldCopy,
    destination: Destination,
    shared: Shared,
}

const PART_BYTES: u64 = 100_000;

impl Scene {
    async fn of(archive: Archive) -> Self {
        let (mut world, _, _) = World::with_backup(archive.clone()).await;
        let key = AgeKey::new();
        let root = folder(&world, "sealed");
        let ssh = public_fixture("ed25519");
        let rsa = public_fixture("rsa");
        configure(&mut world, &[("disk", &root, &[&key.public, &ssh, &rsa])]);
        let ran = world.run(&["mirror"]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let copy = claimed(&world).remove(0);
        let spec = DestinationSpec {
            name: "disk".parse().unwrap(),
            url: root.url.clone(),
            options: [].into(),
            environment: Vec::new(),
            root: RootRule::MustExist,
            encrypt_to: Vec::new(),
        };
        let destination = Destination::open(spec, DestinationTuning::PRODUCTION)
            .await
            .unwrap();
        Self {
            file: world.path(&format!("sealed/{}", copy.key)),
            shared: Shared {
                env: Env::new(Clock::System),
                tuning: quick_tuning().transfer,
                throttle: Throttle::none(),
                journal: Arc::new(NoJournal),
                observer: Arc::new(Silent),
            },
            world,
            archive,
            key,
            copy,
            destination,
        }
    }

    fn identities(&self) -> Identities {
        Identities::read(&[self.key.file(&self.world, "key.txt")]).unwrap()
    }

    async fn read(&self, identities: &Identities) -> Result<Vec<u8>, NotRead> {
        let (read, built) = self.read_into(identities, Memory::default()).await;
        assert!(built || read.is_err());
        read
    }

    /// What was read, and whether the sink was built at all.
    async fn read_into(
        &self,
        identities: &Identities,
        sink: Memory,
    ) -> (Result<Vec<u8>, NotRead>, bool) {
        let reading = Reading {
            copy: &self.copy,
            destination: self.destination.clone(),
            inspect: Inspect::On,
            part_bytes: PART_BYTES,
        };
        let built = AtomicBool::new(false);
        let make = async |_stream| {
            built.store(true, Ordering::Relaxed);
            Ok(sink)
        };
        let reading = readback::archive(reading, identities, make, &self.shared);
        let read = tokio::time::timeout(Duration::from_mins(1), reading)
            .await
            .expect("it ends");
        let read = read.map(|back| {
            assert_eq!(back.content.bytes(), self.archive.len());
            assert_eq!(back.content.sha256().to_hex(), self.archive.sha256());
            assert!(back.content.structure().is_some());
            back.sink.bytes
        });
        (read, built.into_inner())
    }

    /// Why it could not be read, and that it is the copy's fault.
    async fn why(&self, identities: &Identities) -> Failure {
        let not_read = self.read(identities).await.unwrap_err();
        assert_eq!(not_read.whose, Whose::Copy, "{not_read:?}");
        not_read.failure
    }
}

#[tokio::test]
async fn every_identity_of_a_recipient_gives_the_archive_back() {
    for archive in [
        Archive::small(1),
        Archive::of_about(2, 100_000),
        Archive::of_about(3, 1_100_000),
    ] {
        let scene = Scene::of(archive).await;
        let stranger = AgeKey::new().file(&scene.world, "stranger.txt");
        let key = scene.key.file(&scene.world, "key.txt");
        for files in [
            vec![key.clone()],
            vec![fixture("ed25519")],
            vec![fixture("rsa")],
            vec![stranger, key],
        ] {
            let identities = Identities::read(&files).unwrap();
            let bytes = scene.read(&identities).await.unwrap();
            assert!(bytes == scene.archive.bytes(), "{files:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_or_missing_identity_names_the_recipients_and_builds_nothing() {
    let scene = Scene::of(Archive::of_about(2, 300_000)).await;
    let stranger = AgeKey::new();
    let wrong = Identities::read(&[stranger.file(&scene.world, "stranger.txt")]).unwrap();
    for (identities, told) in [
        (wrong, "and no identity given opens it"),
        (Identities::default(), "and no identity was given"),
    ] {
        let (read, built) = scene.read_into(&identities, Memory::default()).await;
        let NotRead { failure, whose, .. } = read.unwrap_err();
        assert!(!built);
        assert_eq!(whose, Whose::Copy);
        assert_eq!(failure.kind, FailureKind::Credentials);
        let short = scene.key.short();
        for part in [
            told,
            &short,
            "ssh-ed25519 …",
            "ssh-rsa …",
            "the copy at disk",
        ] {
            assert!(
                failure.message.contains(part),
                "{part}: {}",
                failure.message
            );
        }
        assert!(failure.hint.contains("--identity FILE"), "{}", failure.hint);
        assert!(!format!("{failure:?}").contains(stranger.told_by()));
    }
}

#[tokio::test]
async fn any_flipped_bit_and_any_cut_is_found() {
    let scene = Scene::of(Archive::of_about(2, 300_000)).await;
    let identities = scene.identities();
    let whole = std::fs::read(&scene.file).unwrap();
    let last = whole.len() - 1;
    for at in [
        0,
        30,
        120,
        400,
        900,
        5000,
        64 * 1024,
        200_000,
        last - 16,
        last,
    ] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        std::fs::write(&scene.file, &flipped).unwrap();
        let failure = scene.why(&identities).await;
        // A flipped letter of a recipient's line makes it another's.
        let is_header = at < 1500 && failure.kind == FailureKind::Credentials;
        assert!(
            is_header || failure.kind == FailureKind::Integrity,
            "{at}: {failure:?}"
        );
    }
    for length in [0, 10, 600, 64 * 1024, whole.len() - 16, last] {
        std::fs::write(&scene.file, &whole[..length]).unwrap();
        let failure = scene.why(&identities).await;
        assert_eq!(
            failure.kind,
            FailureKind::Integrity,
            "{length}: {failure:?}"
        );
    }
    std::fs::write(&scene.file, [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(scene.why(&identities).await.kind, FailureKind::Integrity);
    std::fs::write(&scene.file, &whole).unwrap();
    scene.read(&identities).await.unwrap();
}

#[tokio::test]
async fn both_recorded_digests_must_hold() {
    let mut scene = Scene::of(Archive::of_about(2, 300_000)).await;
    let identities = scene.identities();
    let (archive, stored) = (scene.copy.sha256.clone(), scene.copy.stored_sha256.clone());
    scene.copy.stored_sha256 = archive.clone();
    let failure = scene.why(&identities).await;
    assert_eq!(failure.kind, FailureKind::Integrity);
    assert!(
        failure
            .message
            .contains("its stored bytes are not those recorded"),
        "{}",
        failure.message
    );
    scene.copy.stored_sha256 = stored.clone();
    scene.copy.sha256 = stored;
    assert_eq!(scene.why(&identities).await.kind, FailureKind::Integrity);
    scene.copy.sha256 = archive;
    scene.copy.archive_bytes += 1;
    assert_eq!(scene.why(&identities).await.kind, FailureKind::Integrity);
}

#[tokio::test]
async fn another_scheme_is_not_guessed_at() {
    let mut scene = Scene::of(Archive::small(1)).await;
    let identities = scene.identities();
    let encryption = scene.copy.encryption.as_mut().unwrap();
    encryption.scheme = "rot13\u{1b}[2J".to_owned();
    let failure = scene.why(&identities).await;
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.message.contains("rot13"), "{}", failure.message);
    assert!(!failure.message.contains('\u{1b}'), "{}", failure.message);
}

#[tokio::test]
async fn a_sink_that_fails_is_not_the_copys_fault_and_ends_the_reading() {
    let scene = Scene::of(Archive::of_about(3, 1_100_000)).await;
    for fails_from_bytes in [0, 500_000] {
        let sink = Memory {
            fails_from_bytes: Some(fails_from_bytes),
            ..Memory::default()
        };
        let (read, built) = scene.read_into(&scene.identities(), sink).await;
        let not_read = read.unwrap_err();
        assert!(built);
        assert_eq!((not_read.whose, &not_read.failure), (Whose::Sink, &full()));
    }
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_is_nobodys_fault() {
    let scene = Scene::of(Archive::of_about(3, 1_100_000)).await;
    scene.shared.env.cancel.cancel();
    let not_read = scene.read(&scene.identities()).await.unwrap_err();
    assert_eq!(not_read.whose, Whose::Nobody);
    assert_eq!(not_read.failure.kind, FailureKind::Interrupted);
}
