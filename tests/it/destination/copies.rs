//! Copies found by their sidecars, read from any byte, listed.

use futures_util::TryStreamExt as _;
use nestegg::model::outcome::FailureKind;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::Value;

use super::*;
use crate::support::faulty_store::FaultyStore;
use crate::support::faulty_store::Habit;

async fn held(store: &FaultyStore) -> (Destination, StoredObject) {
    let destination = store.destination("memory", TUNING);
    let stored = Archive::of("0123456789", 4)
        .store(&destination, &Notebook::new())
        .await
        .unwrap();
    let stored = destination
        .write_sidecar(&stored, &sidecar_of(&stored))
        .await
        .unwrap();
    (destination, stored)
}

async fn find(destination: &Destination) -> Result<Option<StoredObject>, Error> {
    let (server, backup) = (archive_key().server(), archive_key().backup());
    let found = destination.find(server, backup).await?;
    Ok(found.map(|found| found.stored))
}

#[tokio::test]
async fn a_copy_with_its_sidecar_is_found_as_it_was_stored() {
    let store = FaultyStore::new();
    let (destination, stored) = held(&store).await;
    assert_eq!(find(&destination).await.unwrap(), Some(stored));
}

#[tokio::test]
async fn an_archive_without_a_sidecar_is_no_copy() {
    let store = FaultyStore::new();
    let (destination, _stored) = held(&store).await;
    store.delete(&Path::from(sidecar_name())).await.unwrap();
    assert_eq!(find(&destination).await.unwrap(), None);
}

#[tokio::test]
async fn a_sidecar_without_its_archive_in_full_is_no_copy() {
    let store = FaultyStore::new();
    let (destination, _stored) = held(&store).await;
    store.plant(&archive_name(), "012345678");
    assert_eq!(find(&destination).await.unwrap(), None);
    store.delete(&Path::from(archive_name())).await.unwrap();
    assert_eq!(find(&destination).await.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_sidecar_is_no_copy_and_a_newer_one_is_left_alone() {
    let store = FaultyStore::new();
    let (destination, stored) = held(&store).await;
    let good: Value = serde_json::from_slice(&sidecar_of(&stored).to_json().unwrap()).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document.to_string()
    };
    for damaged in [
        String::new(),
        good.to_string().split_at(80).0.to_owned(),
        with("/format", "somebody.else/1".into()),
        with("/server/uuid", BACKUP.into()),
        with("/backup/uuid", SERVER.into()),
        with("/archive/sha256", "abc".into()),
        with("/archive/verdict", "good".into()),
        with("/stored/bytes", 9.into()),
        " ".repeat(5 << 20),
    ] {
        store.plant(&sidecar_name(), damaged.clone());
        assert_eq!(find(&destination).await.unwrap(), None, "{damaged:.80}");
    }
    store.plant(&sidecar_name(), with("/format", "nestegg.copy/2".into()));
    let error = find(&destination).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Destination);
    assert_eq!(error.hint(), "upgrade nestegg");
}

#[tokio::test]
async fn a_sidecar_is_only_written_beside_the_copy_it_describes() {
    let store = FaultyStore::new();
    let (destination, stored) = held(&store).await;
    let right = sidecar_of(&stored);
    let mut wrong = Vec::new();
    for field in [
        "server",
        "archive length",
        "archive SHA-256",
        "verdict",
        "stored length",
    ] {
        let mut sidecar = right.clone();
        match field {
            "server" => sidecar.server.uuid = BACKUP.parse().unwrap(),
            "archive length" => sidecar.archive.bytes += 1,
            "archive SHA-256" => sidecar.archive.sha256 = "ab".repeat(32),
            "verdict" => sidecar.archive.verdict = "panel-sha1".to_owned(),
            _ => sidecar.stored.bytes += 1,
        }
        wrong.push((field, sidecar));
    }
    let before = store.effects();
    for (field, sidecar) in wrong {
        let error = destination
            .write_sidecar(&stored, &sidecar)
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the sidecar for `{}` describes another copy: its {field} differs",
                archive_name()
            )
        );
    }
    assert_eq!(store.effects(), before);
}

#[tokio::test]
async fn a_sidecar_that_the_store_cut_is_told() {
    let store = FaultyStore::new();
    let (destination, stored) = held(&store).await;
    store.take_habit(Habit::StoresShort);
    let error = destination
        .write_sidecar(&stored, &sidecar_of(&stored))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::SizeDiffers { .. }), "{error:?}");
}

async fn read(destination: &Destination, from_bytes: u64) -> Result<(u64, Vec<u8>), Error> {
    let read = destination.read(&archive_key(), from_bytes).await?;
    let pieces: Vec<Bytes> = read.stream.try_collect().await?;
    Ok((read.length_bytes, pieces.concat()))
}

#[tokio::test]
async fn reading_begins_at_any_byte_of_the_object() {
    let store = FaultyStore::new();
    let (destination, stored) = held(&store).await;
    for from in [0, 1, 9, 10] {
        let (length, bytes) = read(&destination, from).await.unwrap();
        assert_eq!(length, 10);
        assert_eq!(bytes, b"0123456789"[usize::try_from(from).unwrap()..]);
    }
    let past = read(&destination, 11).await.unwrap_err();
    assert!(matches!(past, Error::PastTheEnd { .. }), "{past:?}");
    let whole = destination.read(stored.key(), 0).await.unwrap();
    assert_eq!(whole.etag.as_deref(), stored.etag());
}

#[tokio::test]
async fn reading_what_is_missing_says_so() {
    let destination = FaultyStore::new().destination("memory", TUNING);
    for from in [0, 5] {
        let error = read(&destination, from).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::NotFound, "{error:?}");
    }
}

#[tokio::test]
async fn a_list_holds_archives_and_sidecars_and_nothing_foreign() {
    let store = FaultyStore::new();
    let (destination, _stored) = held(&store).await;
    let sidecar_bytes = store.visible()[&sidecar_name()].len() as u64;
    for foreign in ["readme.txt", "a/b/c", &format!("{SERVER}/notes.txt")] {
        store.plant(foreign, "x");
    }
    let listed: Vec<_> = destination.list().try_collect().await.unwrap();
    let listed: Vec<_> = listed
        .into_iter()
        .map(|object| (object.key.to_string(), object.bytes))
        .collect();
    assert_eq!(
        listed,
        [(sidecar_name(), sidecar_bytes), (archive_name(), 10)]
    );
}
