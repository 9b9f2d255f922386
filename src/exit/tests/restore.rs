//! How restores end.

use jiff::Timestamp;

use super::*;
use crate::model::key::ObjectKey;
use crate::report::restore::CopyConsidered;
use crate::report::restore::CopyFate;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoreTarget;
use crate::report::restore::RestoredBackup;
use crate::report::restore::Sealing;
use crate::report::restore::TargetKind;

fn restored(states: &[RestoreState], errors: &[(Scope, FailureKind)]) -> RestoreReport {
    let failures = || errors.iter().map(|(scope, kind)| failure(*scope, *kind));
    let backup = |state: &RestoreState| RestoredBackup {
        panel: "main".parse().unwrap(),
        server: SERVER.parse().unwrap(),
        server_name: String::new(),
        backup: BACKUP.parse().unwrap(),
        name: String::new(),
        completed_at: Timestamp::UNIX_EPOCH,
        bytes: 1,
        sha256: None,
        state: *state,
        copies: failures()
            .map(|failure| CopyConsidered {
                destination: "b2".parse().unwrap(),
                location: String::new(),
                key: ObjectKey::of_probe(),
                sealing: Sealing::Plain,
                why: String::new(),
                fate: CopyFate::PassedOver(failure),
            })
            .collect(),
        failure: None,
        notes: Vec::new(),
    };
    RestoreReport {
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        target: RestoreTarget {
            kind: TargetKind::File,
            place: String::new(),
        },
        backups: states.iter().map(backup).collect(),
        errors: Vec::new(),
        coverage: Coverage::Whole,
        ended: Ended::InFull,
    }
}

#[test]
fn a_restore_ends_by_whether_what_was_asked_for_is_there_and_proved() {
    use RestoreState::AlreadyThere;
    use RestoreState::Failed;
    use RestoreState::Restored;
    const GONE: (Scope, FailureKind) = (Scope::Backup, FailureKind::NotFound);
    const NO_DISK: (Scope, FailureKind) = (Scope::Destination, FailureKind::NotFound);
    const FULL: (Scope, FailureKind) = (Scope::Destination, FailureKind::NoSpace);
    for (states, errors, exit) in [
        (&[Restored][..], &[][..], Exit::Done),
        (&[Restored, AlreadyThere], &[CORRUPT, GONE], Exit::Done),
        (&[Failed], &[CORRUPT], Exit::Integrity),
        (&[Failed], &[REFUSED_THERE, GONE], Exit::Integrity),
        (&[Restored, Failed], &[CORRUPT], Exit::Integrity),
        (&[Restored, Failed], &[CUT], Exit::Partial),
        (
            &[Failed],
            &[REFUSED_THERE, REFUSED_THERE],
            Exit::Credentials,
        ),
        (&[Failed], &[REFUSED_THERE, DOWN], Exit::Failed),
        (&[Failed], &[NO_DISK], Exit::Failed),
        (&[Failed], &[FULL], Exit::Failed),
        (&[], &[], Exit::Failed),
    ] {
        let report = restored(states, errors);
        assert_eq!(Exit::of_restore(&report), exit, "{states:?} {errors:?}");
    }
    for (ended, exit) in [
        (Ended::BySigint, Exit::Interrupted),
        (Ended::BySigterm, Exit::Terminated),
    ] {
        let mut report = restored(&[RestoreState::NotReached], &[CORRUPT]);
        report.ended = ended;
        assert_eq!(Exit::of_restore(&report), exit);
    }
}
