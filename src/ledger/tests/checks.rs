//! What checks and drills leave in the ledger, and how it is found again.

use super::*;
use crate::ledger::StoredProof;
use crate::model::finding::ArchiveFinding;
use crate::model::finding::Finding;
use crate::model::finding::SidecarFinding;
use crate::model::holding::DestinationVerified;

fn held(home: &Path) -> (Ledger, RunId, DestinationRef) {
    let mut ledger = open(home);
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    put(&mut ledger, run, b2, LOCATIONS[0], &key(1, 1), 101, at(60)).unwrap();
    (ledger, run, b2)
}

fn bad(archive: ArchiveFinding) -> (Finding, Failure) {
    let kind = if archive == ArchiveFinding::Missing {
        FailureKind::NotFound
    } else {
        FailureKind::Integrity
    };
    let finding = Finding {
        archive,
        sidecar: SidecarFinding::Sound,
    };
    let failure = Failure {
        kind,
        ..failure("bad")
    };
    (finding, failure)
}

#[test]
fn what_was_seen_damaged_is_distrusted_whatever_fails_there_later() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, b2) = held(home.path());
    let (altered, of_altered) = bad(ArchiveFinding::Altered);
    ledger
        .record_bad_copy(run, b2, &key(1, 1), &altered, &of_altered, at(70))
        .unwrap();
    let distrusted = |ledger: &Ledger| {
        (
            ledger.damaged(server_id(1), b2).unwrap(),
            ledger.damaged_at(LOCATIONS[0]).unwrap(),
        )
    };
    let expected = (
        BTreeSet::from([backup_id(1)]),
        BTreeSet::from([(server_id(1), backup_id(1))]),
    );
    assert_eq!(distrusted(&ledger), expected);
    // The disk is full when it is to be made anew, and then it is not mounted.
    ledger
        .record_copy_failure(run, b2, &key(1, 1), &failure("full"), at(80))
        .unwrap();
    assert_eq!(distrusted(&ledger), expected);
    let (missing, of_missing) = bad(ArchiveFinding::Missing);
    ledger
        .record_bad_copy(run, b2, &key(1, 1), &missing, &of_missing, at(90))
        .unwrap();
    assert_eq!(distrusted(&ledger), expected);
}

#[test]
fn a_lost_copy_is_told_with_what_was_found_of_it_and_one_that_never_was_is_not() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, b2) = held(home.path());
    let before = ledger.copies(&CopyFilter::default()).unwrap();
    assert_eq!(ledger.lost_copies(server_id(1)).unwrap(), []);
    list(&mut ledger, run, &[completed(2)], ListingSeen::Whole);
    ledger
        .record_copy_failure(run, b2, &key(1, 2), &failure("full"), at(70))
        .unwrap();
    assert_eq!(ledger.lost_copies(server_id(1)).unwrap(), []);
    let (missing, of_missing) = bad(ArchiveFinding::Missing);
    ledger
        .record_bad_copy(run, b2, &key(1, 1), &missing, &of_missing, at(80))
        .unwrap();
    let lost = ledger.lost_copies(server_id(1)).unwrap();
    let [lost] = lost.as_slice() else {
        panic!("{lost:?}");
    };
    assert_eq!(
        (lost.copy.key.clone(), lost.why.as_str()),
        (key(1, 1), "bad")
    );
    assert_eq!(lost.copy.sha256, before[0].sha256);
    assert_eq!(ledger.lost_copies(server_id(2)).unwrap(), []);
}

#[test]
fn a_copy_that_was_only_missing_is_taken_over_when_it_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, b2) = held(home.path());
    let (missing, of_missing) = bad(ArchiveFinding::Missing);
    ledger
        .record_bad_copy(run, b2, &key(1, 1), &missing, &of_missing, at(70))
        .unwrap();
    assert!(ledger.damaged(server_id(1), b2).unwrap().is_empty());
    assert!(ledger.damaged_at(LOCATIONS[0]).unwrap().is_empty());
}

#[test]
fn a_drill_is_a_check_of_the_archive_and_leaves_what_is_known_of_the_sidecar() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, b2) = held(home.path());
    let drilled = |ledger: &mut Ledger, now| {
        ledger
            .record_drill(run, b2, &key(1, 1), StoredProof::Held, &json!({}), at(now))
            .unwrap();
        ledger
            .connection
            .query_row(
                "SELECT verified_at, checked_at, finding FROM copies",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap()
    };
    let (verified, checked, finding): (i64, i64, String) = drilled(&mut ledger, 70);
    assert_eq!((verified, finding.as_str()), (checked, "sound"));
    let finding = Finding {
        archive: ArchiveFinding::Sound,
        sidecar: SidecarFinding::Missing,
    };
    ledger
        .record_finding(run, b2, &key(1, 1), &finding, at(80))
        .unwrap();
    let (verified, checked, finding): (i64, i64, String) = drilled(&mut ledger, 90);
    assert_eq!((verified, finding.as_str()), (checked, "sidecar missing"));
}

#[test]
fn a_copy_made_anew_is_said_to_be_what_it_was_whatever_the_panel_says_by_now() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run, b2) = held(home.path());
    let before = ledger.copies(&CopyFilter::default()).unwrap();
    let Backup::Completed(backup) = completed(1) else {
        unreachable!()
    };
    let replaced = Backup::Completed(CompletedBackup {
        checksum: PanelChecksum::Absent,
        completed_at: at(500),
        ..backup
    });
    list(&mut ledger, run, &[replaced], ListingSeen::Whole);
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
        structure: before[0].structure,
        etag: Some("\"e\""),
        encryption: None,
        sidecar_sha256: None,
        stored_at: at(600),
    };
    ledger
        .record_copy_facts(run, b2, &facts, CopyOrigin::Repaired, at(600))
        .unwrap();
    let after = ledger.copies(&CopyFilter::default()).unwrap();
    assert_eq!(before[0].differs_from(&after[0]), Vec::<&str>::new());
}

#[test]
fn copies_that_were_never_verified_are_counted_whether_they_are_the_most_or_the_fewest() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    for all in 1..=4 {
        let backups: Vec<_> = (1..=all).map(completed).collect();
        list(&mut ledger, run, &backups, ListingSeen::Whole);
        let archive_bytes = 100 + u64::from(all);
        put(
            &mut ledger,
            run,
            b2,
            LOCATIONS[0],
            &key(1, all),
            archive_bytes,
            at(60),
        )
        .unwrap();
        for verified in 0..=all {
            ledger
                .connection
                .execute(
                    "UPDATE copies SET verified_at = CASE WHEN id <= ?1 THEN 70 + id END",
                    [i64::from(verified)],
                )
                .unwrap();
            let told = ledger.verified_since(&CopyFilter::default()).unwrap();
            let expected = DestinationVerified {
                destination: destination_name(0),
                never: u64::from(all - verified),
                oldest_verified_at: (verified > 0)
                    .then(|| Timestamp::from_millisecond(71).unwrap()),
            };
            assert_eq!(told, [expected], "{verified} of {all}");
        }
    }
}
