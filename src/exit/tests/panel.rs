//! How the `panel` commands end.

use jiff::Timestamp;

use super::*;
use crate::model::backup::Backup;
use crate::model::backup::BackupRecord;
use crate::report::panel::CreateReport;
use crate::report::panel::Learnt;
use crate::report::panel::MadeBackup;

const FORBIDDEN: (Scope, FailureKind) = (Scope::Server, FailureKind::Permission);
const NO_SUCH_BACKUP: (Scope, FailureKind) = (Scope::Backup, FailureKind::NotFound);

fn failures(of: &[(Scope, FailureKind)]) -> Vec<Failure> {
    of.iter()
        .map(|(scope, kind)| failure(*scope, *kind))
        .collect()
}

#[test]
fn a_panel_command_ends_by_what_failed_and_what_was_done() {
    for (ended, errors, done, exit) in [
        (Ended::InFull, &[][..], 0, Exit::Done),
        (Ended::InFull, &[], 3, Exit::Done),
        (Ended::InFull, &[DOWN], 3, Exit::Partial),
        (Ended::InFull, &[REFUSED, DOWN], 3, Exit::Partial),
        (Ended::InFull, &[REFUSED, DOWN], 0, Exit::Credentials),
        (
            Ended::InFull,
            &[NO_SUCH_SERVER, NO_SUCH_BACKUP],
            0,
            Exit::Usage,
        ),
        (Ended::InFull, &[NO_SUCH_BACKUP, DOWN], 0, Exit::Failed),
        (Ended::InFull, &[FORBIDDEN], 0, Exit::Failed),
        (Ended::BySigint, &[DOWN], 3, Exit::Interrupted),
        (Ended::BySigterm, &[], 0, Exit::Terminated),
    ] {
        assert_eq!(
            Exit::of_panel(ended, &failures(errors), done),
            exit,
            "{ended:?} {errors:?} {done}"
        );
    }
}

#[test]
fn a_creation_ends_by_whether_there_is_a_backup() {
    let record = BackupRecord {
        id: BACKUP.parse().unwrap(),
        name: "nightly".to_owned(),
        is_locked: false,
        ignored_files: Vec::new(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    let pending = Some(Backup::Pending(record.clone()));
    let failed = Some(Backup::Failed(record));
    for (made, errors, ended, exit) in [
        (&pending, &[][..], Ended::InFull, Exit::Done),
        (&pending, &[FORBIDDEN], Ended::InFull, Exit::Partial),
        (&pending, &[], Ended::AtLimit, Exit::Limit),
        (&pending, &[FORBIDDEN], Ended::AtLimit, Exit::Partial),
        (&pending, &[], Ended::BySigint, Exit::Interrupted),
        (&failed, &[CUT], Ended::InFull, Exit::Failed),
        (&None, &[NO_SUCH_SERVER], Ended::InFull, Exit::Usage),
        (&None, &[REFUSED], Ended::InFull, Exit::Credentials),
        (&None, &[DOWN], Ended::InFull, Exit::Failed),
    ] {
        let report = CreateReport {
            at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            of: None,
            slots: None,
            made: made.clone().map(|backup| MadeBackup {
                backup,
                learnt: Learnt::FromAnswer,
            }),
            retry_after: None,
            errors: failures(errors),
            ended,
        };
        assert_eq!(
            Exit::of_create(&report),
            exit,
            "{made:?} {errors:?} {ended:?}"
        );
    }
}
