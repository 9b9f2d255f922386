//! Locks of ours on panels: noted before, struck after, and never taken for an operator's.

use super::*;
use crate::ledger::BackupOf;
use crate::ledger::Protection;
use crate::ledger::ProtectionEnd;

fn of(backup: u8) -> BackupOf {
    BackupOf {
        server: server_id(1),
        backup: backup_id(backup),
    }
}

/// A ledger with one backup that the panel lists as locked, because a run of ours locked it.
fn protected(home: &Path) -> (Ledger, RunId) {
    let mut ledger = open(home);
    let (run, _) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    ledger.intend_protection(run, of(1), at(60)).unwrap();
    ledger.intend_protection(run, of(1), at(61)).unwrap();
    list(&mut ledger, run, &[locked(1)], ListingSeen::Whole);
    (ledger, run)
}

fn locked(n: u8) -> Backup {
    let Backup::Completed(backup) = completed(n) else {
        unreachable!()
    };
    Backup::Completed(CompletedBackup {
        record: BackupRecord {
            is_locked: true,
            ..backup.record
        },
        ..backup
    })
}

fn is_locked(ledger: &Ledger) -> bool {
    let marks = ledger.marks(&CopyFilter::default()).unwrap();
    marks.get(&of(1)).is_some_and(|marks| marks.is_locked)
}

#[test]
fn a_lock_of_ours_is_found_after_a_kill_and_counts_for_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (ledger, run) = protected(home.path());
    drop(ledger);
    let ledger = open(home.path());
    assert_eq!(
        ledger.protections().unwrap(),
        [Protection {
            run,
            panel: panel(0),
            of: of(1),
            locked_at: at(60),
        }]
    );
    assert!(!is_locked(&ledger));
}

#[test]
fn what_was_seen_of_our_lock_is_forgotten_with_it_and_somebody_elses_stays() {
    for (end, stays) in [
        (ProtectionEnd::Released, false),
        (ProtectionEnd::NotOurs, true),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (mut ledger, run) = protected(home.path());
        ledger.end_protection(run, of(1), end, at(70)).unwrap();
        assert_eq!(ledger.protections().unwrap(), []);
        assert_eq!(is_locked(&ledger), stays, "{end:?}");
        let before = events(&ledger);
        ledger.end_protection(run, of(1), end, at(71)).unwrap();
        assert_eq!(events(&ledger), before);
    }
}

#[test]
fn only_what_was_listed_can_be_protected() {
    let home = tempfile::tempdir().unwrap();
    let (mut ledger, run) = protected(home.path());
    let unknown = ledger.intend_protection(run, of(9), at(70));
    assert!(
        matches!(unknown, Err(Error::UnknownBackup { .. })),
        "{unknown:?}"
    );
}
