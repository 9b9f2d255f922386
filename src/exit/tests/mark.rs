//! How `keep`, `unkeep` and `accept` end.

use jiff::Timestamp;

use super::*;
use crate::model::mark::MarkAction;

#[test]
fn a_mark_ends_with_the_worst_that_was_met_at_the_sidecars() {
    let marked = |errors: &[(Scope, FailureKind)], ended| MarkReport {
        run: None,
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        action: MarkAction::Keep,
        backups: Vec::new(),
        errors: errors
            .iter()
            .map(|(scope, kind)| failure(*scope, *kind))
            .collect(),
        ended,
    };
    for (report, exit) in [
        (marked(&[], Ended::InFull), Exit::Done),
        (marked(&[DOWN], Ended::InFull), Exit::Partial),
        (marked(&[REFUSED_THERE], Ended::InFull), Exit::Partial),
        (marked(&[DOWN, CORRUPT], Ended::InFull), Exit::Integrity),
        (marked(&[CORRUPT], Ended::BySigint), Exit::Interrupted),
        (marked(&[], Ended::BySigterm), Exit::Terminated),
    ] {
        assert_eq!(Exit::of_mark(&report), exit, "{report:?}");
    }
}
