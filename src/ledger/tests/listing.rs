//! What a listing leaves of a backup that was listed before.

use super::*;

/// Everything that the ledger has of the backups, but for when they were first seen.
fn rows(ledger: &Ledger) -> Vec<Vec<rusqlite::types::Value>> {
    let mut statement = ledger
        .connection
        .prepare(
            "SELECT uuid, name, state, is_locked, created_at, completed_at, archive_bytes, checksum,
                    last_seen_at, vanished_at
               FROM backups ORDER BY id",
        )
        .unwrap();
    let columns = statement.column_count();
    statement
        .query_map([], |row| (0..columns).map(|n| row.get(n)).collect())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn whatever_changed_of_a_backup_its_row_says_what_was_listed_last() {
    let Backup::Completed(backup) = completed(1) else {
        unreachable!()
    };
    let other_record = |change: fn(&mut BackupRecord)| {
        let mut changed = backup.clone();
        change(&mut changed.record);
        Backup::Completed(changed)
    };
    let record = || backup.record.clone();
    let original = || Backup::Completed(backup.clone());
    for (before, after, told) in [
        (original(), original(), vec![]),
        (
            original(),
            other_record(|record| record.name = "weekly".to_owned()),
            vec![],
        ),
        (
            original(),
            other_record(|record| record.is_locked = !record.is_locked),
            vec![],
        ),
        (
            original(),
            other_record(|record| record.created_at = at(7)),
            vec![],
        ),
        (
            original(),
            Backup::Completed(CompletedBackup {
                completed_at: at(40),
                ..backup.clone()
            }),
            vec!["changed"],
        ),
        (
            original(),
            Backup::Completed(CompletedBackup {
                archive_bytes: 7,
                ..backup.clone()
            }),
            vec!["changed"],
        ),
        (
            original(),
            Backup::Completed(CompletedBackup {
                checksum: PanelChecksum::Absent,
                ..backup.clone()
            }),
            vec!["changed"],
        ),
        (Backup::Pending(record()), Backup::Failed(record()), vec![]),
        (Backup::Pending(record()), original(), vec![]),
        (original(), Backup::Failed(record()), vec!["changed"]),
    ] {
        let listed_once = {
            let home = tempfile::tempdir().unwrap();
            let mut ledger = open(home.path());
            let (run, _) = furnish(&mut ledger);
            let whole = ListingSeen::Whole;
            let after = [after.clone()];
            let listed = ledger.record_listing(run, &panel(0), &server(1), &after, whole, at(60));
            listed.unwrap();
            rows(&ledger)
        };
        for vanishes in [false, true] {
            let home = tempfile::tempdir().unwrap();
            let mut ledger = open(home.path());
            let (run, _) = furnish(&mut ledger);
            let mut listings = vec![(vec![before.clone()], 50), (vec![after.clone()], 60)];
            let mut kinds = told.clone();
            if vanishes {
                listings.insert(1, (vec![], 55));
                kinds.splice(0..0, ["vanished", "reappeared"]);
            }
            for (backups, second) in listings {
                let whole = ListingSeen::Whole;
                ledger
                    .record_listing(run, &panel(0), &server(1), &backups, whole, at(second))
                    .unwrap();
            }
            assert_eq!(rows(&ledger), listed_once, "{before:?} {after:?}");
            let seen: Vec<_> = events(&ledger).into_iter().map(|(kind, _)| kind).collect();
            assert_eq!(seen, kinds, "{before:?} {after:?}");
        }
    }
}
