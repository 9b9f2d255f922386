//! What a plan of retention is made from.

use super::*;
use crate::ledger::BackupOf;
use crate::model::holding::PanelPresence;

fn of(backup: u8) -> BackupOf {
    BackupOf {
        server: server_id(1),
        backup: backup_id(backup),
    }
}

fn hold(ledger: &mut Ledger, run: RunId, b2: DestinationRef, backup: u8) {
    let bytes = 100 + u64::from(backup);
    let key = key(1, backup);
    put(ledger, run, b2, LOCATIONS[0], &key, bytes, at(60)).unwrap();
}

/// The newest archives of the one server, as numbers of backups.
fn newest(ledger: &Ledger) -> Vec<BackupId> {
    let histories = ledger.histories(&CopyFilter::default()).unwrap();
    let [history] = &histories[..] else {
        panic!("{histories:?}")
    };
    let newest = history.newest.iter();
    newest.map(|archive| archive.backup).collect()
}

#[test]
fn the_newest_eight_archives_are_looked_at_but_for_those_that_are_not_to_be_had() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    let all: Vec<Backup> = (1..=12).map(completed).collect();
    list(&mut ledger, run, &all, ListingSeen::Whole);
    let ids = |numbers: &[u8]| -> Vec<BackupId> {
        numbers.iter().map(|number| backup_id(*number)).collect()
    };
    assert_eq!(newest(&ledger), ids(&[12, 11, 10, 9, 8, 7, 6, 5]));

    // 12 is a placeholder, 11 vanishes uncopied, 10 vanishes held, 9 vanishes after its copy was removed.
    for held in [9, 10] {
        hold(&mut ledger, run, b2, held);
    }
    ledger
        .record_placeholder(run, of(12), of(10), at(70))
        .unwrap();
    ledger
        .intend_removal(run, b2, &key(1, 9), "x", b"{}", at(70))
        .unwrap();
    let mut left: Vec<Backup> = (1..=8).map(completed).collect();
    left.push(completed(12));
    list(&mut ledger, run, &left, ListingSeen::Whole);
    assert_eq!(newest(&ledger), ids(&[10, 9, 8, 7, 6, 5, 4, 3]));
    // A row that changes is a backup of its own again.
    let Backup::Completed(backup) = completed(12) else {
        unreachable!()
    };
    left.push(Backup::Completed(CompletedBackup {
        archive_bytes: 7,
        ..backup
    }));
    list(&mut ledger, run, &left, ListingSeen::Whole);
    assert_eq!(newest(&ledger)[0], backup_id(12));
}

#[test]
fn a_plan_sees_what_is_held_newest_first_with_locks_marks_and_the_newest_that_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, disk]) = furnish(&mut ledger);
    // Backup 0 is locked.
    let all: Vec<Backup> = (0..=3).map(completed).collect();
    list(&mut ledger, run, &all, ListingSeen::Whole);
    for held in [0, 2, 1] {
        hold(&mut ledger, run, b2, held);
    }
    let key = key(1, 3);
    put(&mut ledger, run, disk, LOCATIONS[1], &key, 103, at(61)).unwrap();
    ledger.record_kept(run, of(1), None, at(70)).unwrap();
    ledger.record_accepted(run, of(3), None, at(71)).unwrap();
    ledger
        .record_lacking(run, of(3), &["world".to_owned()], at(72))
        .unwrap();
    ledger.intend_protection(run, of(2), at(73)).unwrap();
    let prunable = ledger.prunable(&CopyFilter::default()).unwrap();
    let [at_b2, at_disk] = &prunable[..] else {
        panic!("{prunable:?}")
    };
    let shown: Vec<_> = at_b2
        .copies
        .iter()
        .map(|copy| (copy.key.backup(), copy.is_locked, copy.kept.is_some()))
        .collect();
    assert_eq!(
        shown,
        [
            (backup_id(2), false, false),
            (backup_id(1), false, true),
            (backup_id(0), true, false),
        ]
    );
    let newest = &at_b2.server.newest[0];
    assert_eq!(
        (
            newest.backup,
            newest.bytes,
            newest.on_panel,
            &newest.lacking[..]
        ),
        (
            backup_id(3),
            103,
            PanelPresence::Listed,
            &["world".to_owned()][..]
        )
    );
    assert_eq!(newest.accepted.as_ref().map(|mark| mark.at), Some(at(71)));
    assert_eq!(
        (
            &at_b2.destination_name,
            at_b2.destination,
            at_b2.location.as_str()
        ),
        (&destination_name(0), b2, LOCATIONS[0])
    );
    assert_eq!(at_disk.copies.len(), 1);
    let nowhere = CopyFilter {
        destinations: Some(BTreeSet::new()),
        ..CopyFilter::default()
    };
    assert_eq!(ledger.prunable(&nowhere).unwrap(), []);
}
