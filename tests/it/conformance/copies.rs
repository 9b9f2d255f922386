//! Copies that are there: listed, found by their sidecar, read.

use bytes::Bytes;
use futures_util::TryStreamExt;
use nestegg::destination::Destination;
use nestegg::model::outcome::FailureKind;
use nestegg::model::sidecar::Sidecar;

use crate::conformance::archives::BACKUP;
use crate::conformance::archives::SERVER;
use crate::conformance::archives::archive_key;
use crate::conformance::archives::noise;
use crate::conformance::archives::several_parts;
use crate::conformance::archives::sidecar_of;
use crate::conformance::archives::store;
use crate::conformance::stores::Store;
use crate::conformance::stores::open;
use crate::support::servers::root::Attributes;

pub(super) async fn odd_prefixes_are_taken_as_they_stand(kind: Store) {
    let place = kind.place();
    for (number, odd) in [
        "with space",
        "100%",
        "already%20encoded",
        "zażółć/ゲーム/🥚",
        "~tilde",
        "a+b=c&d",
        "a/b/c/d/e/f/g/h/i/j/k/l",
        "quote'd\"[x]{y}<z>^`|",
        "semi;colon:at@comma,dollar$bang!star*",
    ]
    .into_iter()
    .enumerate()
    {
        let root = place.root.below_it(&format!("{number}/{odd}"));
        let destination = open(&root).await;
        destination.probe().await.unwrap();
        let stored = store(&destination, &noise(1000)).await;
        let sidecar = sidecar_of(&stored);
        destination.write_sidecar(&stored, &sidecar).await.unwrap();
        let key = archive_key().to_string();
        let sidecar_key = archive_key().sidecar().to_string();
        assert_eq!(root.keys().await, [sidecar_key, key.clone()], "{odd}");
        assert_eq!(root.read(&key).await, Some(noise(1000)), "{odd}");
        assert_eq!(read_whole(&destination, 0).await, noise(1000), "{odd}");
        let listed: Vec<_> = destination.list().try_collect().await.unwrap();
        assert_eq!(listed.len(), 2, "{odd}");
        let (server, backup) = (archive_key().server(), archive_key().backup());
        let found = destination.find(server, backup).await.unwrap();
        assert!(found.is_some(), "{odd}");
    }
}

pub(super) async fn a_copy_is_found_by_its_sidecar(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let (server, backup) = (archive_key().server(), archive_key().backup());
    let stored = store(&destination, &noise(1000)).await;
    assert!(destination.find(server, backup).await.unwrap().is_none());

    let sidecar = sidecar_of(&stored);
    destination.write_sidecar(&stored, &sidecar).await.unwrap();
    let sidecar_key = archive_key().sidecar().to_string();
    let bytes = place.root.read(&sidecar_key).await.unwrap();
    assert_eq!(bytes, sidecar.to_json().unwrap());
    assert_eq!(
        place.root.attributes(&sidecar_key).await,
        Some(Attributes {
            bytes: bytes.len() as u64,
            content_type: place
                .root
                .keeps_content_types()
                .then(|| "application/json".to_owned()),
            content_encoding: None,
        })
    );

    let found = destination.find(server, backup).await.unwrap().unwrap();
    let as_read = serde_json::Map::new();
    assert_eq!(
        Sidecar {
            as_read,
            ..found.sidecar
        },
        sidecar
    );
    assert_eq!(found.stored.key(), stored.key());
    assert_eq!(found.stored.stored_bytes(), stored.stored_bytes());
    assert_eq!(found.stored.archive_sha256(), stored.archive_sha256());
    assert_eq!(found.stored.verdict(), stored.verdict());
    assert_eq!(found.stored.etag(), stored.etag());
}

pub(super) async fn a_copy_with_a_damaged_sidecar_or_a_short_archive_is_not_found(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let (server, backup) = (archive_key().server(), archive_key().backup());
    let (key, sidecar_key) = (
        archive_key().to_string(),
        archive_key().sidecar().to_string(),
    );
    let stored = store(&destination, &noise(1000)).await;
    let sidecar = sidecar_of(&stored);
    destination.write_sidecar(&stored, &sidecar).await.unwrap();

    place.root.put(&key, noise(999)).await;
    assert!(destination.find(server, backup).await.unwrap().is_none());
    place.root.remove(&key).await;
    assert!(destination.find(server, backup).await.unwrap().is_none());
    place.root.put(&key, noise(1000)).await;
    assert!(destination.find(server, backup).await.unwrap().is_some());
    place.root.put(&sidecar_key, "{\"format\":").await;
    assert!(destination.find(server, backup).await.unwrap().is_none());
}

pub(super) async fn a_listing_skips_names_that_are_not_ours(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    assert_eq!(listing(&destination).await, []);
    let stored = store(&destination, &noise(1000)).await;
    for foreign in [
        "notes.txt".to_owned(),
        "lost+found/1".to_owned(),
        format!("{SERVER}/.hidden"),
        format!("{SERVER}/{BACKUP}.zip"),
        format!("{SERVER}/sub/{BACKUP}.tar.gz"),
        format!("{}/{BACKUP}.tar.gz", SERVER.to_uppercase()),
    ] {
        place.root.put(&foreign, "foreign").await;
    }
    let sidecar = sidecar_of(&stored);
    destination.write_sidecar(&stored, &sidecar).await.unwrap();
    let sidecar_bytes = sidecar.to_json().unwrap().len() as u64;
    assert_eq!(
        listing(&destination).await,
        [
            (archive_key().sidecar().to_string(), sidecar_bytes),
            (archive_key().to_string(), 1000),
        ]
    );
}

pub(super) async fn a_read_begins_where_it_is_told_to(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let archive = several_parts();
    store(&destination, archive).await;
    for from in [0, 1, 5 * 1024 * 1024, archive.len() - 1] {
        let read = destination.read(&archive_key(), from as u64).await.unwrap();
        assert_eq!(read.length_bytes, archive.len() as u64);
        let chunks: Vec<Bytes> = read.stream.try_collect().await.unwrap();
        assert!(chunks.concat() == archive[from..], "from {from}");
    }
}

pub(super) async fn a_read_of_what_is_not_there_says_so(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let Err(error) = destination.read(&archive_key(), 0).await else {
        panic!("there is nothing to read");
    };
    assert_eq!(error.kind(), FailureKind::NotFound, "{error}");
}

pub(super) async fn read_whole(destination: &Destination, from_bytes: u64) -> Vec<u8> {
    let read = destination.read(&archive_key(), from_bytes).await.unwrap();
    let chunks: Vec<Bytes> = read.stream.try_collect().await.unwrap();
    chunks.concat()
}

pub(super) async fn listing(destination: &Destination) -> Vec<(String, u64)> {
    let listed: Vec<_> = destination.list().try_collect().await.unwrap();
    let mut listed: Vec<_> = listed
        .iter()
        .map(|object| (object.key.to_string(), object.bytes))
        .collect();
    listed.sort();
    listed
}
