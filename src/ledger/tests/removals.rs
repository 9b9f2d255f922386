//! Copies that go, go on going after a kill, or stay after all.

use super::*;
use crate::ledger::BackupOf;
use crate::ledger::BegunRemoval;
use crate::model::removal::Removal;

const SIDECAR: &[u8] = b"{\"format\":\"nestegg.copy/1\"}";

/// Two backups, both held at both destinations.
fn held(home: &Path) -> (Ledger, RunId, [DestinationRef; 2]) {
    let mut ledger = open(home);
    let (run, there) = furnish(&mut ledger);
    let listed = [completed(1), completed(2)];
    list(&mut ledger, run, &listed, ListingSeen::Whole);
    for n in [1, 2] {
        for (destination, location) in there.iter().zip(LOCATIONS) {
            let bytes = 100 + u64::from(n);
            put(
                &mut ledger,
                run,
                *destination,
                location,
                &key(1, n),
                bytes,
                at(60),
            )
            .unwrap();
        }
    }
    (ledger, run, there)
}

fn of(backup: u8) -> BackupOf {
    BackupOf {
        server: server_id(1),
        backup: backup_id(backup),
    }
}

/// What is held at the first destination, and how many copies `status` counts there.
fn held_at_b2(ledger: &Ledger, b2: DestinationRef) -> (Vec<BackupId>, u64) {
    let held = ledger.held(server_id(1), b2).unwrap().into_keys().collect();
    let standing = ledger.holdings(&CopyFilter::default()).unwrap();
    let counted = standing[0]
        .destinations
        .iter()
        .filter(|holding| holding.destination == destination_name(0))
        .map(|holding| holding.copies)
        .sum();
    (held, counted)
}

#[test]
fn a_copy_is_no_held_one_from_the_intent_on_and_its_end_is_recorded_by_whichever_run_finishes_it() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, [b2, disk]) = held(home.path());
    let before = events(&ledger).len();
    ledger
        .intend_removal(run, b2, &key(1, 1), "not kept", SIDECAR, at(70))
        .unwrap();
    drop(ledger);

    let mut ledger = open(home.path());
    assert_eq!(held_at_b2(&ledger, b2), (vec![backup_id(2)], 1));
    assert_eq!(ledger.held(server_id(1), disk).unwrap().len(), 2);
    assert_eq!(
        ledger.holdings(&CopyFilter::default()).unwrap()[0].destinations[0].missing,
        []
    );
    let begun = BegunRemoval {
        run,
        destination: b2,
        name: destination_name(0),
        location: LOCATIONS[0].to_owned(),
        key: key(1, 1),
        created_at: at(10),
        stored_bytes: 101,
        reason: "not kept".to_owned(),
        sidecar: SIDECAR.to_vec(),
        intended_at: at(70),
    };
    let all = CopyFilter::default();
    assert_eq!(ledger.begun_removals(&all).unwrap(), [begun]);
    let at_disk = CopyFilter {
        destinations: Some([destination_name(1)].into()),
        ..CopyFilter::default()
    };
    assert_eq!(ledger.begun_removals(&at_disk).unwrap(), []);
    assert_eq!(
        ledger.removed(server_id(1), b2).unwrap(),
        [(backup_id(1), Removal::Begun)].into()
    );

    let next = ledger.begin_run("prune", at(80)).unwrap();
    ledger.finish_removal(next, b2, &key(1, 1), at(81)).unwrap();
    assert_eq!(ledger.begun_removals(&all).unwrap(), []);
    assert_eq!(ledger.removal_of(of(1), b2).unwrap(), Some(Removal::Done));
    assert_eq!(ledger.removal_of(of(1), disk).unwrap(), None);
    assert_eq!(ledger.removal_of(of(2), b2).unwrap(), None);
    let left: Option<Vec<u8>> = ledger
        .connection
        .query_row("SELECT sidecar FROM removals", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, None);
    assert_eq!(
        events(&ledger)[before..],
        [
            event("prune_intended", json!({"reason": "not kept"})),
            event("pruned", json!({"reason": "not kept"})),
        ]
    );
}

#[test]
fn what_is_not_held_is_not_removed_and_what_was_not_begun_has_no_end() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, [b2, _]) = held(home.path());
    let before = events(&ledger);
    let sealed = ObjectKey::for_backup(server_id(1), backup_id(1), ObjectKind::EncryptedArchive);
    let another_key = ledger.intend_removal(run, b2, &sealed, "x", SIDECAR, at(70));
    assert!(
        matches!(&another_key, Err(Error::NotHeld { key }) if *key == sealed),
        "{another_key:?}"
    );
    let not_begun = ledger.finish_removal(run, b2, &key(1, 1), at(70));
    assert!(
        matches!(not_begun, Err(Error::NoRemoval { .. })),
        "{not_begun:?}"
    );
    ledger
        .intend_removal(run, b2, &key(1, 1), "x", SIDECAR, at(70))
        .unwrap();
    let twice = ledger.intend_removal(run, b2, &key(1, 1), "x", SIDECAR, at(71));
    assert!(matches!(twice, Err(Error::NotHeld { .. })), "{twice:?}");
    ledger.finish_removal(run, b2, &key(1, 1), at(72)).unwrap();
    let again = ledger.finish_removal(run, b2, &key(1, 1), at(73));
    assert!(matches!(again, Err(Error::NoRemoval { .. })), "{again:?}");
    assert_eq!(events(&ledger).len(), before.len() + 2);
}

#[test]
fn a_copy_that_stays_after_all_is_held_as_it_was_with_its_last_proof() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, [b2, disk]) = held(home.path());
    ledger
        .connection
        .execute(
            "UPDATE copies SET verified_at = ?1, checked_at = ?1",
            [at(65).as_millisecond()],
        )
        .unwrap();
    let before = ledger.copies(&CopyFilter::default()).unwrap();
    // The panel changes its word meanwhile: what is said of the copy stays as it was when it was made.
    ledger
        .intend_removal(run, b2, &key(1, 1), "x", SIDECAR, at(70))
        .unwrap();
    let Backup::Completed(backup) = completed(1) else {
        unreachable!()
    };
    let replaced = Backup::Completed(CompletedBackup {
        checksum: PanelChecksum::Absent,
        completed_at: at(500),
        ..backup
    });
    list(
        &mut ledger,
        run,
        &[replaced, completed(2)],
        ListingSeen::Whole,
    );
    let key = key(1, 1);
    let digest = Hasher::digest(Algorithm::Sha256, &101_u64.to_le_bytes());
    let facts = CopyFacts {
        location: LOCATIONS[0],
        key: &key,
        archive_bytes: 101,
        archive_sha256: &digest,
        stored_bytes: 101,
        stored_sha256: &digest,
        verdict: Verdict::PanelSha1,
        structure: before[2].structure,
        etag: Some("\"e\""),
        encryption: None,
        sidecar_sha256: None,
        stored_at: at(60),
    };
    let elsewhere = ledger.undo_removal_of(run, disk, &facts, "refused", at(71));
    assert!(
        matches!(elsewhere, Err(Error::OtherDestination { .. })),
        "{elsewhere:?}"
    );
    ledger
        .undo_removal_of(run, b2, &facts, "refused", at(71))
        .unwrap();
    assert_eq!(ledger.copies(&CopyFilter::default()).unwrap(), before);
    assert_eq!(ledger.removed(server_id(1), b2).unwrap(), [].into());
    assert_eq!(
        events(&ledger).last().unwrap(),
        &event("prune_undone", json!({"why": "refused"}))
    );
    let twice = ledger.undo_removal_of(run, b2, &facts, "refused", at(72));
    assert!(matches!(twice, Err(Error::NoRemoval { .. })), "{twice:?}");
}

#[test]
fn a_copy_that_is_made_again_was_not_removed() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, [b2, _]) = held(home.path());
    ledger
        .intend_removal(run, b2, &key(1, 1), "x", SIDECAR, at(70))
        .unwrap();
    ledger.finish_removal(run, b2, &key(1, 1), at(71)).unwrap();
    put(&mut ledger, run, b2, LOCATIONS[0], &key(1, 1), 101, at(80)).unwrap();
    assert_eq!(ledger.removal_of(of(1), b2).unwrap(), None);
    assert_eq!(
        held_at_b2(&ledger, b2),
        (vec![backup_id(1), backup_id(2)], 2)
    );
    // And it can be removed once more.
    ledger
        .intend_removal(run, b2, &key(1, 1), "y", SIDECAR, at(90))
        .unwrap();
    assert_eq!(ledger.removal_of(of(1), b2).unwrap(), Some(Removal::Begun));
}
