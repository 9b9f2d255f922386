//! From parts to a visible object, and every way in which that can go wrong.

use futures_util::FutureExt as _;
use nestegg::model::outcome::FailureKind;
use nestegg::model::retry::Retry;
use object_store::Attribute;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::*;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::Break;
use crate::support::faulty_store::FaultyStore;
use crate::support::faulty_store::Habit;

const TEN: &[u8] = b"0123456789";

fn ten() -> Archive {
    Archive::of(TEN, 4)
}

fn visible(store: &FaultyStore) -> Vec<(String, Vec<u8>)> {
    let visible = store.visible().into_iter();
    visible.map(|(key, bytes)| (key, bytes.to_vec())).collect()
}

#[tokio::test]
async fn an_archive_of_one_part_or_none_is_stored_by_one_request() {
    for bytes in [&b""[..], b"0", b"0123"] {
        let store = FaultyStore::new();
        let destination = store.destination("memory", TUNING);
        let archive = Archive::of(bytes, 4);
        let stored = archive.store(&destination, &Notebook::new()).await.unwrap();
        assert_eq!(store.actions(), [Action::Put]);
        assert_eq!(visible(&store), [(archive_name(), bytes.to_vec())]);
        assert_eq!(
            (stored.key(), stored.archive_bytes(), stored.stored_bytes()),
            (&archive_key(), bytes.len() as u64, bytes.len() as u64)
        );
        assert_eq!(stored.archive_sha256(), archive.proof.sha256());
        assert_eq!(stored.location(), "memory://memory");
        assert!(stored.etag().is_some());
    }
}

#[tokio::test]
async fn a_longer_archive_is_invisible_until_it_is_committed() {
    let store = FaultyStore::new();
    let journal = Notebook::new();
    let archive = ten();
    let destination = store.destination("memory", TUNING);
    let verified = archive.verify(&destination, &journal).await.unwrap();
    assert_eq!(visible(&store), []);
    assert_eq!(journal.open().len(), 1);
    verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(visible(&store), [(archive_name(), TEN.to_vec())]);
    let mut actions = store.actions();
    actions[1..4].sort_by_key(|action| format!("{action:?}"));
    assert_eq!(
        actions,
        [
            Action::Begin,
            Action::Part(1),
            Action::Part(2),
            Action::Part(3),
            Action::Complete
        ]
    );
    assert_eq!(journal.open(), []);
    assert!(store.open_uploads().is_empty());
}

#[tokio::test]
async fn objects_carry_the_content_type_of_their_kind() {
    let store = FaultyStore::new();
    let destination = store.destination("memory", TUNING);
    for bytes in [&TEN[..2], TEN] {
        let archive = Archive::of(bytes, 4);
        let stored = archive.store(&destination, &Notebook::new()).await.unwrap();
        destination
            .write_sidecar(&stored, &sidecar_of(&stored))
            .await
            .unwrap();
        for (name, content_type) in [
            (archive_name(), "application/x-gzip"),
            (sidecar_name(), "application/json"),
        ] {
            let object = store.get(&Path::from(name)).await.unwrap();
            let kept = object.attributes.get(&Attribute::ContentType);
            assert_eq!(kept.map(AsRef::as_ref), Some(content_type));
        }
    }
}

#[tokio::test]
async fn no_more_parts_are_on_the_way_than_allowed() {
    for (parts_in_flight, in_flight_bytes, at_most) in
        [(4, 64, 4), (4, 9, 2), (4, 1, 1), (2, 64, 2)]
    {
        let store = FaultyStore::new();
        let tuning = DestinationTuning {
            parts_in_flight,
            in_flight_bytes,
            ..TUNING
        };
        let archive = Archive::of(vec![7; 100], 4);
        let destination = store.destination("memory", tuning);
        archive.store(&destination, &Notebook::new()).await.unwrap();
        assert_eq!(store.parts_at_most(), at_most);
    }
}

#[tokio::test]
async fn a_part_is_let_go_as_soon_as_it_is_sent() {
    let store = FaultyStore::new();
    let destination = store.destination("memory", TUNING);
    let held = Arc::new(());
    let mut cutter = PartCutter::new(4);
    let journal = Notebook::new();
    let mut upload = destination
        .begin(archive_key(), cutter.stream(), 4, journal)
        .await
        .unwrap();
    for _ in 0..3 {
        cutter.fill(&mut Bytes::from_static(b"0123"));
        let part = cutter.cut(Some(Arc::clone(&held) as Arc<_>));
        upload.send(part).await.unwrap();
    }
    while Arc::strong_count(&held) > 1 {
        tokio::task::yield_now().await;
    }
    upload.abort().await;
}

#[tokio::test]
async fn an_upload_that_can_not_be_noted_sends_no_part() {
    let store = FaultyStore::new();
    let journal = Arc::new(Notebook {
        is_full: true,
        ..Notebook::default()
    });
    let destination = store.destination("memory", TUNING);
    let error = ten().store(&destination, &journal).await.unwrap_err();
    assert_eq!(
        nestegg::model::outcome::chain(&error),
        format!(
            "could not note the upload of `{}`: the disk of the ledger is full",
            archive_name()
        )
    );
    assert_eq!(store.actions(), [Action::Begin, Action::Abort]);
}

#[tokio::test]
async fn the_proof_of_another_stream_or_of_more_bytes_commits_nothing() {
    let store = FaultyStore::new();
    let journal = Notebook::new();
    let destination = store.destination("memory", TUNING);
    for (archive, sent) in [(ten(), 3), (ten(), 2), (ten(), 1), (ten(), 0)] {
        let mut upload = archive.begin(&destination, &journal).await;
        for part in &archive.parts[..sent] {
            upload.send(part.clone()).await.unwrap();
        }
        let proof = if sent == 3 {
            ten().proof
        } else {
            archive.proof
        };
        let error = upload.verify(&proof).await.unwrap_err();
        assert!(matches!(error, Error::Unproved { .. }), "{error:?}");
        assert_eq!(error.kind(), FailureKind::Integrity);
    }
    assert_eq!(visible(&store), []);
    assert!(store.open_uploads().is_empty());
    assert_eq!(journal.open(), []);
}

#[tokio::test]
async fn parts_come_in_order_and_all_but_the_last_are_equal() {
    let store = FaultyStore::new();
    let destination = store.destination("memory", TUNING);
    let journal = Notebook::new();
    let archive = ten();
    let mut upload = archive.begin(&destination, &journal).await;
    let skipped = upload.send(archive.parts[1].clone()).await.unwrap_err();
    assert!(matches!(skipped, Error::OutOfOrder { .. }), "{skipped:?}");
    upload.send(archive.parts[0].clone()).await.unwrap();
    let repeated = upload.send(archive.parts[0].clone()).await.unwrap_err();
    assert!(matches!(repeated, Error::OutOfOrder { .. }), "{repeated:?}");
    let foreign = upload.send(ten().parts[1].clone()).await.unwrap_err();
    assert!(matches!(foreign, Error::OutOfOrder { .. }), "{foreign:?}");
    upload.abort().await;

    let journal: Arc<dyn UploadJournal> = journal;
    for part_bytes in [3, 5] {
        let mut upload = destination
            .begin(
                archive_key(),
                archive.stream,
                part_bytes,
                Arc::clone(&journal),
            )
            .await
            .unwrap();
        let first = upload.send(archive.parts[0].clone()).await;
        let uneven = match first {
            Ok(()) => upload.send(archive.parts[1].clone()).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(uneven, Error::UnevenPart { .. }), "{uneven:?}");
        upload.abort().await;
    }
    assert_eq!(store.effects(), 0);
}

#[tokio::test]
async fn part_ten_thousand_and_one_is_never_sent() {
    let store = FaultyStore::new();
    let destination = store.destination("memory", TUNING);
    let archive = Archive::of(vec![1; 10_001], 1);
    let error = archive
        .store(&destination, &Notebook::new())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::TooManyParts { .. }), "{error:?}");
    assert_eq!(visible(&store), []);
    assert!(store.open_uploads().is_empty());
    let enough = Archive::of(vec![1; 10_000], 1);
    enough.store(&destination, &Notebook::new()).await.unwrap();
}

#[tokio::test]
async fn complete_that_says_not_found_although_it_worked_is_a_success() {
    let store = FaultyStore::with(Habit::CompleteSaysNotFound);
    let journal = Notebook::new();
    let destination = store.destination("memory", TUNING);
    let stored = ten().store(&destination, &journal).await.unwrap();
    assert_eq!(stored.stored_bytes(), 10);
    assert_eq!(visible(&store), [(archive_name(), TEN.to_vec())]);
    assert_eq!(journal.open(), []);
}

#[tokio::test]
async fn complete_that_fails_is_no_success_even_beside_an_older_object_of_that_length() {
    let store = FaultyStore::with(Habit::CompleteFails);
    let journal = Notebook::new();
    let destination = store.destination("memory", TUNING);
    let older = Archive::of("abcdefghij", 10);
    older.store(&destination, &journal).await.unwrap();
    let error = ten().store(&destination, &journal).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Destination);
    assert_eq!(error.retry(), Retry::Backoff);
    assert!(told(&error).contains("complete failed"), "{error:?}");
    assert_eq!(visible(&store), [(archive_name(), b"abcdefghij".to_vec())]);
    assert!(store.open_uploads().is_empty());
    assert_eq!(journal.open(), []);
}

#[tokio::test]
async fn an_abort_that_fails_hides_no_error_and_stays_noted() {
    let store = FaultyStore::new();
    let journal = Notebook::new();
    let destination = store.destination("memory", TUNING);
    let verified = ten().verify(&destination, &journal).await.unwrap();
    store.take_habit(Habit::AbortFails);
    store.break_at(1, Break::Fail);
    let error = verified
        .commit(jiff::Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(
        told(&error).contains("this effect was to fail"),
        "{error:?}"
    );
    let noted = journal.open();
    assert_eq!(noted.len(), 1);
    store.mend();
    destination.abort_leftover(&noted[0]).await.unwrap();
    assert!(store.open_uploads().is_empty());
}

#[tokio::test]
async fn a_store_that_lies_about_what_it_holds_is_caught() {
    for bytes in [&TEN[..2], TEN] {
        let store = FaultyStore::with(Habit::StoresShort);
        let destination = store.destination("memory", TUNING);
        let archive = Archive::of(bytes, 4);
        let error = archive
            .store(&destination, &Notebook::new())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), FailureKind::Integrity);
        let length = bytes.len();
        assert_eq!(
            error.to_string(),
            format!(
                "the store acknowledged `{}` with {length} bytes and holds {}",
                archive_name(),
                length - 1
            )
        );
    }
}

#[tokio::test]
async fn refusals_are_told_by_their_kind() {
    for (habit, kind, retry) in [
        (
            Habit::RefusesCredentials,
            FailureKind::Credentials,
            Retry::Never,
        ),
        (Habit::NoSpace, FailureKind::NoSpace, Retry::Never),
        (
            Habit::DiesFromPart(2),
            FailureKind::Destination,
            Retry::Backoff,
        ),
        (Habit::Hangs, FailureKind::Unreachable, Retry::Backoff),
    ] {
        let store = FaultyStore::with(habit);
        let journal = Notebook::new();
        let destination = store.destination("memory", IMPATIENT);
        let error = ten().store(&destination, &journal).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{habit:?}");
        assert!(habit == Habit::DiesFromPart(2) || !error.hint().is_empty());
        assert_eq!(visible(&store), [], "{habit:?}");
        let mut noted: Vec<_> = journal
            .open()
            .into_iter()
            .map(|open| open.upload_id)
            .collect();
        noted.sort();
        let left: Vec<_> = store.open_uploads().into_keys().collect();
        assert_eq!(noted, left, "what is left is noted: {habit:?}");
    }
}

#[tokio::test]
async fn parts_without_end_are_given_up_at_their_deadline() {
    let store = FaultyStore::new();
    let destination = store.destination("memory", IMPATIENT);
    store.break_at(2, Break::HangBefore);
    let error = ten()
        .store(&destination, &Notebook::new())
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Deadline {
                action: "send a part of",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(store.open_uploads().is_empty());
}

#[tokio::test]
async fn a_send_that_was_given_up_can_be_repeated() {
    let store = FaultyStore::new();
    let tuning = DestinationTuning {
        parts_in_flight: 1,
        ..TUNING
    };
    let destination = store.destination("memory", tuning);
    let archive = Archive::of(TEN, 2);
    let mut upload = archive.begin(&destination, &Notebook::new()).await;
    let mut given_up = 0;
    for part in &archive.parts {
        while upload.send(part.clone()).now_or_never().is_none() {
            given_up += 1;
            tokio::task::yield_now().await;
        }
    }
    assert!(given_up > 0);
    let verified = upload.verify(&archive.proof).await.unwrap();
    verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(visible(&store), [(archive_name(), TEN.to_vec())]);
}

/// Every effect of an upload and its sidecar, broken in every way: nothing unproved is ever
/// visible, what is left behind is noted, and a repetition finishes the work.
#[tokio::test]
async fn whatever_breaks_a_repetition_finishes_the_work() {
    for length in [0, 4, 10] {
        let bytes = &TEN[..length];
        let effects = if length > 4 { 6 } else { 2 };
        for number in 1..=effects {
            for how in Break::ALL {
                let case = format!("{length} bytes, effect {number}, {how:?}");
                let store = FaultyStore::new();
                let destination = store.destination("memory", TUNING);
                let journal = Notebook::new();
                store.break_at(number, how);
                {
                    let run = mirror(bytes, &destination, &journal);
                    if how.hangs() {
                        tokio::select! {
                            ended = run => panic!("{case}: {ended:?}"),
                            () = store.hanging() => {}
                        }
                    } else {
                        drop(run.await);
                    }
                }
                store.mend();
                for open in journal.open() {
                    destination.abort_leftover(&open).await.unwrap();
                    journal.closed(&open).await;
                }
                mirror(bytes, &destination, &journal).await.unwrap();

                let found = destination
                    .find(archive_key().server(), archive_key().backup())
                    .await
                    .unwrap();
                assert_eq!(found.unwrap().stored.archive_bytes(), length as u64);
                for effect in store.history() {
                    if let Some(seen) = effect.visible.get(&archive_name()) {
                        assert_eq!(seen, bytes, "{case}");
                    }
                }
                assert_eq!(journal.open(), [], "{case}");
                // An id that was never heard of can't be noted: the one leak that only a
                // lifecycle rule of the bucket mends.
                let unheard =
                    number == 1 && length > 4 && matches!(how, Break::FailAfter | Break::HangAfter);
                assert_eq!(store.open_uploads().len(), usize::from(unheard), "{case}");
            }
        }
    }
}

async fn mirror(
    bytes: &'static [u8],
    to: &Destination,
    journal: &Arc<Notebook>,
) -> Result<(), Error> {
    let stored = Archive::of(bytes, 4).store(to, journal).await?;
    to.write_sidecar(&stored, &sidecar_of(&stored))
        .await
        .map(drop)
}

#[tokio::test]
async fn uploads_without_ids_work_the_same_and_are_not_noted() {
    let store = FaultyStore::new();
    let journal = Notebook::new();
    let destination = store.destination_without_ids("memory", TUNING);
    let verified = ten().verify(&destination, &journal).await.unwrap();
    assert_eq!(journal.open(), []);
    verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(visible(&store), [(archive_name(), TEN.to_vec())]);

    let broken = FaultyStore::with(Habit::DiesFromPart(3));
    let destination = broken.destination_without_ids("memory", TUNING);
    assert!(ten().store(&destination, &journal).await.is_err());
    assert_eq!(visible(&broken), []);

    let lying = FaultyStore::with(Habit::CompleteSaysNotFound);
    let destination = lying.destination_without_ids("memory", TUNING);
    ten().store(&destination, &journal).await.unwrap();
}

#[tokio::test]
async fn aborting_leaves_nothing_at_any_moment() {
    for sent in 0..=3 {
        let store = FaultyStore::new();
        let journal = Notebook::new();
        let destination = store.destination("memory", TUNING);
        let archive = ten();
        let mut upload = archive.begin(&destination, &journal).await;
        for part in &archive.parts[..sent] {
            upload.send(part.clone()).await.unwrap();
        }
        if sent == 3 {
            let verified = upload.verify(&archive.proof).await.unwrap();
            verified.abort().await;
        } else {
            upload.abort().await;
        }
        assert_eq!(visible(&store), []);
        assert!(store.open_uploads().is_empty());
        assert_eq!(store.aborted().len(), usize::from(sent > 1));
        assert_eq!(journal.open(), []);
    }
}

#[tokio::test]
async fn a_leftover_that_is_gone_is_fine_and_one_of_another_place_is_refused() {
    let store = FaultyStore::new();
    let destination = store.destination("memory", TUNING);
    let gone = OpenUpload {
        location: destination.location().to_owned(),
        key: archive_key(),
        upload_id: "77".to_owned(),
    };
    destination.abort_leftover(&gone).await.unwrap();
    let foreign = OpenUpload {
        location: "s3://other".to_owned(),
        ..gone
    };
    let error = destination.abort_leftover(&foreign).await.unwrap_err();
    assert!(matches!(error, Error::ForeignUpload { .. }), "{error:?}");
}

#[tokio::test]
async fn a_probe_writes_nothing_visible_and_leaves_nothing() {
    let store = FaultyStore::new();
    for destination in [
        store.destination("memory", TUNING),
        store.destination_without_ids("memory", TUNING),
    ] {
        destination.probe().await.unwrap();
        assert_eq!(visible(&store), []);
        assert!(store.open_uploads().is_empty());
    }
    let refusing = FaultyStore::with(Habit::RefusesCredentials);
    let error = refusing
        .destination("memory", TUNING)
        .probe()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FailureKind::Credentials);
}
