//! Uploads to a destination that encrypts: the same promises, kept of the age file and of what it holds.

use std::io::Read as _;
use std::iter;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use nestegg::destination::Destination;
use nestegg::destination::Error;
use nestegg::destination::UploadJournal;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Hasher;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::FailureKind;
use nestegg::model::recipient::Recipient;

use super::Archive;
use super::BACKUP;
use super::IMPATIENT;
use super::Notebook;
use super::SERVER;
use super::TUNING;
use super::archive_key;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::Break;
use crate::support::faulty_store::FaultyStore;

const PART_BYTES: usize = 100_000;

struct Keys {
    identity: age::x25519::Identity,
    recipients: Vec<Recipient>,
}

impl Keys {
    fn new() -> Self {
        let identity = age::x25519::Identity::generate();
        let recipients = vec![identity.to_public().to_string().parse().unwrap()];
        Self {
            identity,
            recipients,
        }
    }

    fn seal(&self, destination: Destination) -> Destination {
        destination.encrypting_to(&self.recipients)
    }

    fn open(&self, file: &[u8]) -> Vec<u8> {
        let mut archive = Vec::new();
        age::Decryptor::new(file)
            .unwrap()
            .decrypt(iter::once(&self.identity as &dyn age::Identity))
            .unwrap()
            .read_to_end(&mut archive)
            .unwrap();
        archive
    }
}

fn sealed_name() -> String {
    format!("{SERVER}/{BACKUP}.tar.gz.age")
}

fn content(length: usize) -> Bytes {
    (0..=250).cycle().step_by(31).take(length).collect()
}

fn archive(length: usize) -> Archive {
    Archive::of(content(length), PART_BYTES as u64)
}

#[tokio::test]
async fn what_is_stored_opens_to_the_archive_and_both_digests_are_told() {
    const CHUNK: usize = 64 * 1024;
    let keys = Keys::new();
    let lengths = [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        PART_BYTES - 1,
        PART_BYTES,
        PART_BYTES + 1,
        4 * PART_BYTES,
        4 * PART_BYTES + 77,
    ];
    for length in lengths {
        for with_ids in [true, false] {
            let store = FaultyStore::new();
            let journal = Notebook::new();
            let destination = keys.seal(if with_ids {
                store.destination("memory", TUNING)
            } else {
                store.destination_without_ids("memory", TUNING)
            });
            let plain = content(length);
            let stored = archive(length).store(&destination, &journal).await.unwrap();
            let visible = store.visible();
            let names: Vec<&String> = visible.keys().collect();
            assert_eq!(names, [&sealed_name()]);
            let file = &visible[&sealed_name()];
            assert!(keys.open(file) == plain, "{length}");
            assert_eq!(stored.key().kind(), ObjectKind::EncryptedArchive);
            assert_eq!(
                (stored.archive_bytes(), stored.stored_bytes()),
                (plain.len() as u64, file.len() as u64)
            );
            let sha256 = |bytes: &[u8]| Hasher::digest(Algorithm::Sha256, bytes);
            assert_eq!(stored.archive_sha256(), &sha256(&plain));
            assert_eq!(stored.stored_sha256(), &sha256(file));
            let encryption = stored.encryption().unwrap();
            assert_eq!(encryption.scheme, "age");
            assert_eq!(encryption.recipients, [keys.recipients[0].to_string()]);
            assert_eq!(journal.open(), []);
            let is_single = store.actions() == [Action::Put];
            assert!(is_single || length > PART_BYTES, "{length}");
            assert!(!is_single || length < 4 * PART_BYTES, "{length}");
            assert!(store.parts_at_most() <= TUNING.parts_in_flight);
        }
    }
}

#[tokio::test]
async fn a_part_whose_sending_was_given_up_counts_as_not_taken() {
    let keys = Keys::new();
    let store = FaultyStore::new();
    let journal = Notebook::new();
    let destination = keys.seal(store.destination("memory", TUNING));
    let length = 7 * PART_BYTES + 1;
    let archive = archive(length);
    let mut upload = archive.begin(&destination, &journal).await;
    let mut given_up = 0;
    for part in &archive.parts {
        // Polled once and dropped, again and again, until it is taken within one poll.
        while upload
            .send(part.clone())
            .now_or_never()
            .map(Result::unwrap)
            .is_none()
        {
            given_up += 1;
            tokio::task::yield_now().await;
        }
    }
    assert!(given_up > 7, "{given_up}");
    let verified = upload.verify(&archive.proof).await.unwrap();
    verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert!(keys.open(&store.visible()[&sealed_name()]) == content(length));
}

#[tokio::test]
async fn the_proof_of_another_stream_or_of_more_bytes_commits_nothing() {
    let keys = Keys::new();
    let store = FaultyStore::new();
    let journal = Notebook::new();
    let destination = keys.seal(store.destination("memory", TUNING));
    let three = || archive(2 * PART_BYTES + 5);
    for (archive, sent) in [(three(), 3), (three(), 2), (three(), 1), (three(), 0)] {
        let mut upload = archive.begin(&destination, &journal).await;
        for part in &archive.parts[..sent] {
            upload.send(part.clone()).await.unwrap();
        }
        let proof = if sent == 3 {
            three().proof
        } else {
            archive.proof
        };
        let error = upload.verify(&proof).await.unwrap_err();
        assert!(matches!(error, Error::Unproved { .. }), "{error:?}");
        assert_eq!(error.kind(), FailureKind::Integrity);
    }
    assert!(store.visible().is_empty());
    assert!(store.open_uploads().is_empty());
    assert_eq!(journal.open(), []);
}

#[tokio::test]
async fn parts_come_in_order_and_all_but_the_last_are_equal() {
    let keys = Keys::new();
    let destination = keys.seal(FaultyStore::new().destination("memory", TUNING));
    let journal = Notebook::new();
    let three = || archive(2 * PART_BYTES + 5);
    let archive = three();
    let mut upload = archive.begin(&destination, &journal).await;
    let skipped = upload.send(archive.parts[1].clone()).await.unwrap_err();
    assert!(matches!(skipped, Error::OutOfOrder { .. }), "{skipped:?}");
    upload.send(archive.parts[0].clone()).await.unwrap();
    let repeated = upload.send(archive.parts[0].clone()).await.unwrap_err();
    assert!(matches!(repeated, Error::OutOfOrder { .. }), "{repeated:?}");
    let foreign = upload.send(three().parts[1].clone()).await.unwrap_err();
    assert!(matches!(foreign, Error::OutOfOrder { .. }), "{foreign:?}");
    upload.abort().await;

    let journal: Arc<dyn UploadJournal> = journal;
    let mut upload = destination
        .begin(
            archive_key(),
            archive.stream,
            PART_BYTES as u64 - 1,
            journal,
        )
        .await
        .unwrap();
    let uneven = upload.send(archive.parts[0].clone()).await.unwrap_err();
    assert!(matches!(uneven, Error::UnevenPart { .. }), "{uneven:?}");
    upload.abort().await;
}

#[tokio::test]
async fn aborting_leaves_nothing_at_any_moment() {
    let keys = Keys::new();
    for sent in 0..=5 {
        let store = FaultyStore::new();
        let journal = Notebook::new();
        let destination = keys.seal(store.destination("memory", TUNING));
        let archive = archive(4 * PART_BYTES + 5);
        let mut upload = archive.begin(&destination, &journal).await;
        for part in &archive.parts[..sent] {
            upload.send(part.clone()).await.unwrap();
        }
        if sent == 5 {
            let verified = upload.verify(&archive.proof).await.unwrap();
            verified.abort().await;
        } else {
            upload.abort().await;
        }
        assert!(store.visible().is_empty(), "{sent}");
        assert!(store.open_uploads().is_empty(), "{sent}");
        assert_eq!(journal.open(), [], "{sent}");
    }
}

#[tokio::test]
async fn wherever_the_store_breaks_only_a_whole_age_file_is_ever_visible() {
    let keys = Keys::new();
    let length = 4 * PART_BYTES + 5;
    let effects = {
        let store = FaultyStore::new();
        let destination = keys.seal(store.destination("memory", TUNING));
        archive(length)
            .store(&destination, &Notebook::new())
            .await
            .unwrap();
        store.effects()
    };
    assert!(effects > 5, "{effects}");
    for number in 1..=effects {
        for how in Break::ALL {
            let when = format!("effect {number}, {how:?}");
            let store = FaultyStore::new();
            let journal = Notebook::new();
            let destination = keys.seal(store.destination("memory", IMPATIENT));
            store.break_at(number, how);
            if let Err(error) = archive(length).store(&destination, &journal).await {
                assert!(store.broke().is_some(), "{when}: {error}");
            }
            for (name, file) in store.visible() {
                assert_eq!(name, sealed_name(), "{when}");
                assert!(keys.open(&file) == content(length), "{when}");
            }
            store.mend();
            for left in journal.open() {
                destination.abort_leftover(&left).await.unwrap();
            }
            let stored = archive(length)
                .store(&destination, &Notebook::new())
                .await
                .unwrap();
            let file = &store.visible()[&sealed_name()];
            assert_eq!(
                stored.stored_sha256(),
                &Hasher::digest(Algorithm::Sha256, file),
                "{when}"
            );
            assert!(keys.open(file) == content(length), "{when}");
        }
    }
}

#[tokio::test]
async fn the_same_place_without_recipients_stores_archives_as_they_are() {
    let keys = Keys::new();
    let store = FaultyStore::new();
    let destination = keys
        .seal(store.destination("memory", TUNING))
        .encrypting_to(&[]);
    let stored = archive(10)
        .store(&destination, &Notebook::new())
        .await
        .unwrap();
    assert_eq!(stored.encryption(), None);
    assert_eq!(stored.key(), &archive_key());
}
