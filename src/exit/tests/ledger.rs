//! How `ledger rebuild` and `ledger check` end.

use jiff::Timestamp;

use super::*;
use crate::model::outcome::Mode;
use crate::plan::check;
use crate::plan::check::Place;
use crate::report::ledger::RebuiltPlace;

#[test]
fn a_rebuild_ends_with_the_worst_that_it_met() {
    let place = RebuiltPlace {
        destination: "b2".parse().unwrap(),
        location: "s3://bucket".to_owned(),
        added: Vec::new(),
        known: 0,
        left_out: 0,
    };
    let rebuilt = |places: usize, errors: &[(Scope, FailureKind)], ended| RebuildReport {
        run: None,
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        places: vec![place.clone(); places],
        errors: errors
            .iter()
            .map(|(scope, kind)| failure(*scope, *kind))
            .collect(),
        ended,
    };
    for (report, exit) in [
        (rebuilt(1, &[], Ended::InFull), Exit::Done),
        (rebuilt(1, &[REFUSED_THERE], Ended::InFull), Exit::Partial),
        (
            rebuilt(1, &[REFUSED_THERE, CORRUPT], Ended::InFull),
            Exit::Integrity,
        ),
        (
            rebuilt(0, &[REFUSED_THERE], Ended::InFull),
            Exit::Credentials,
        ),
        (rebuilt(0, &[DOWN], Ended::InFull), Exit::Failed),
        (rebuilt(1, &[CORRUPT], Ended::BySigterm), Exit::Terminated),
        (rebuilt(1, &[], Ended::BySigint), Exit::Interrupted),
    ] {
        assert_eq!(Exit::of_rebuild(&report), exit, "{report:?}");
    }
}

#[test]
fn a_check_ends_well_only_when_everything_is_the_same_or_was_adopted() {
    let unreachable = Sign::Error(FailureKind::Unreachable);
    let refused = Sign::Error(FailureKind::Credentials);
    let broken = Sign::Error(FailureKind::Integrity);
    for (signs, fixed, exit) in [
        (&[][..], None, Exit::Done),
        (&[Sign::Same], None, Exit::Done),
        (&[Sign::Same, Sign::Missing], None, Exit::Integrity),
        (&[Sign::Missing], Some(Fixed::MarkedLost), Exit::Integrity),
        (&[Sign::Unknown], None, Exit::Integrity),
        (&[Sign::Unknown], Some(Fixed::Adopted), Exit::Done),
        (&[Sign::Differs], None, Exit::Integrity),
        (&[Sign::Same, broken], None, Exit::Integrity),
        (&[Sign::Same, unreachable], None, Exit::Partial),
        (&[Sign::Differs, unreachable], None, Exit::Integrity),
        (&[unreachable], None, Exit::Failed),
        (&[unreachable, refused], None, Exit::Credentials),
    ] {
        let finding = |sign: &Sign| check::Finding {
            sign: *sign,
            place: Place::Destination("b2".parse().unwrap()),
            server: None,
            backup: None,
            key: None,
            fields: Vec::new(),
            detail: String::new(),
            fixed,
        };
        let mut report = CheckReport {
            run: None,
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            mode: Mode::DryRun,
            findings: signs.iter().map(finding).collect(),
            elsewhere: Vec::new(),
            ended: Ended::InFull,
        };
        assert_eq!(Exit::of_check(&report), exit, "{signs:?}");
        report.ended = Ended::BySigint;
        assert_eq!(Exit::of_check(&report), Exit::Interrupted);
    }
}
