//! What becomes of uploads: committed, aborted, repeated, left behind.

use std::sync::Arc;

use bytes::Bytes;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Verdict;
use nestegg::model::outcome::FailureKind;

use crate::conformance::archives::Notes;
use crate::conformance::archives::archive_key;
use crate::conformance::archives::begin_and_send;
use crate::conformance::archives::cut;
use crate::conformance::archives::noise;
use crate::conformance::archives::several_parts;
use crate::conformance::archives::sha256;
use crate::conformance::archives::store;
use crate::conformance::archives::three_parts;
use crate::conformance::copies::listing;
use crate::conformance::copies::read_whole;
use crate::conformance::stores::Store;
use crate::conformance::stores::open;
use crate::support::servers::root::Attributes;
use crate::support::servers::root::Root;

pub(super) async fn assert_nothing_is_left(root: &Root) {
    assert_eq!(root.keys().await, Vec::<String>::new());
    assert_eq!(root.open_uploads().await, Vec::<String>::new());
}

pub(super) async fn nothing_is_visible_before_the_commit(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let cut = cut(&destination, &three_parts());
    let upload = begin_and_send(&destination, &cut, &cut.parts, &Arc::default()).await;
    assert_eq!(place.root.keys().await, Vec::<String>::new());
    let verified = upload.verify(&cut.content).await.unwrap();
    assert_eq!(place.root.keys().await, Vec::<String>::new());
    let stored = verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(place.root.keys().await, [stored.key().to_string()]);
}

pub(super) async fn more_than_three_parts_arrive_byte_for_byte(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let archive = several_parts();
    let cut = cut(&destination, archive);
    assert_eq!(cut.parts.len(), 5);
    let notes = Arc::default();
    let upload = begin_and_send(&destination, &cut, &cut.parts, &notes).await;
    let stored = upload.verify(&cut.content).await.unwrap();
    let stored = stored.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();

    let bytes = place.root.read(&archive_key().to_string()).await.unwrap();
    assert_eq!(sha256(&bytes), sha256(archive));
    assert_eq!(
        (
            stored.key(),
            stored.destination().as_str(),
            stored.location(),
            stored.archive_bytes(),
            stored.stored_bytes(),
            stored.verdict(),
        ),
        (
            &archive_key(),
            "offsite",
            destination.location(),
            archive.len() as u64,
            archive.len() as u64,
            Verdict::of(Algorithm::Sha256),
        )
    );
    assert_eq!(stored.archive_sha256(), &sha256(archive));
    assert_eq!(stored.stored_sha256(), &sha256(archive));
    assert_eq!(place.root.open_uploads().await, Vec::<String>::new());
    assert_eq!(notes.opened(), notes.closed());
}

pub(super) async fn an_archive_has_the_content_type_that_a_restore_demands(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    for archive in [three_parts(), noise(100)] {
        store(&destination, &archive).await;
        let kept = place.root.keeps_content_types();
        assert_eq!(
            place.root.attributes(&archive_key().to_string()).await,
            Some(Attributes {
                bytes: archive.len() as u64,
                content_type: kept.then(|| "application/x-gzip".to_owned()),
                content_encoding: None,
            })
        );
    }
}

pub(super) async fn an_empty_archive_and_one_of_a_byte_are_kept(kind: Store) {
    for archive in [Bytes::new(), Bytes::from_static(b"x")] {
        let place = kind.place();
        let destination = open(&place.root).await;
        let stored = store(&destination, &archive).await;
        assert_eq!(stored.stored_bytes(), archive.len() as u64);
        assert_eq!(
            place.root.read(&archive_key().to_string()).await,
            Some(archive.clone())
        );
        assert_eq!(read_whole(&destination, 0).await, archive);
        assert_eq!(place.root.open_uploads().await, Vec::<String>::new());
    }
}

pub(super) async fn an_aborted_upload_leaves_nothing(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let cut = cut(&destination, &three_parts());
    for sent in [0, 1, 2, 3] {
        let notes = Arc::default();
        let upload = begin_and_send(&destination, &cut, &cut.parts[..sent], &notes).await;
        upload.abort().await;
        assert_nothing_is_left(&place.root).await;
        assert_eq!(notes.opened(), notes.closed());
    }
    let notes = Arc::default();
    let upload = begin_and_send(&destination, &cut, &cut.parts, &notes).await;
    let verified = upload.verify(&cut.content).await.unwrap();
    verified.abort().await;
    assert_nothing_is_left(&place.root).await;
    assert_eq!(notes.opened(), notes.closed());
}

pub(super) async fn an_upload_of_other_bytes_than_were_proved_leaves_nothing(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let cut = cut(&destination, &three_parts());
    let notes = Arc::default();
    let upload = begin_and_send(&destination, &cut, &cut.parts[..2], &notes).await;
    let refused = upload.verify(&cut.content).await.unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Integrity, "{refused}");
    assert_nothing_is_left(&place.root).await;
    assert_eq!(notes.opened(), notes.closed());
}

pub(super) async fn repeating_an_upload_replaces_what_was_there(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    for archive in [
        three_parts(),
        three_parts(),
        noise(7),
        three_parts().slice(1..),
    ] {
        store(&destination, &archive).await;
        let bytes = place.root.read(&archive_key().to_string()).await.unwrap();
        assert_eq!(sha256(&bytes), sha256(&archive));
        assert_eq!(place.root.keys().await, [archive_key().to_string()]);
        assert_eq!(place.root.open_uploads().await, Vec::<String>::new());
    }
}

pub(super) async fn a_copy_is_there_until_its_replacement_is_committed(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    store(&destination, &noise(7)).await;
    let cut = cut(&destination, &three_parts());
    let upload = begin_and_send(&destination, &cut, &cut.parts, &Arc::default()).await;
    let verified = upload.verify(&cut.content).await.unwrap();
    let kept = place.root.read(&archive_key().to_string()).await;
    assert_eq!(kept, Some(noise(7)));
    verified.abort().await;
    let kept = place.root.read(&archive_key().to_string()).await;
    assert_eq!(kept, Some(noise(7)));
}

pub(super) async fn an_upload_that_a_killed_run_left_is_aborted_by_the_next(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let cut = cut(&destination, &three_parts());
    let notes: Arc<Notes> = Arc::default();
    let upload = begin_and_send(&destination, &cut, &cut.parts[..2], &notes).await;
    drop(upload);
    let opened = notes.opened();
    assert_eq!(notes.closed(), []);
    if place.root.lists_uploads() {
        assert_eq!(place.root.open_uploads().await, [archive_key().to_string()]);
        assert_eq!(opened.len(), 1);
    }
    let next = open(&place.root).await;
    for left in &opened {
        next.abort_leftover(left).await.unwrap();
        next.abort_leftover(left).await.unwrap();
    }
    assert_nothing_is_left(&place.root).await;
}

pub(super) async fn a_staged_file_that_a_killed_run_left_is_swept(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    let key = archive_key().to_string();
    store(&destination, &noise(7)).await;
    place.root.put(&format!("{key}#1"), "half an archive").await;
    assert_eq!(place.root.open_uploads().await, [key.as_str()]);
    assert_eq!(listing(&destination).await, [(key.clone(), 7)]);
    assert_eq!(destination.sweep_staged().await.unwrap(), 1);
    assert_eq!(place.root.open_uploads().await, Vec::<String>::new());
    assert_eq!(place.root.keys().await, [key]);
}
