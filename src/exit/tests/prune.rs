//! How runs of `prune` end.

use jiff::Timestamp;

use super::*;
use crate::model::ids::BackupId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::plan::prune::Decision;
use crate::plan::prune::Reason;
use crate::plan::prune::Refusal;
use crate::report::prune::Became;
use crate::report::prune::PrunedCopy;
use crate::report::prune::PrunedPlace;
use crate::report::prune::PrunedServer;
use crate::report::prune::Thinning;

fn backup() -> BackupId {
    BACKUP.parse().unwrap()
}

fn report(became: &[Became], refusals: Vec<Refusal>, errors: Vec<Failure>) -> PruneReport {
    let server = SERVER.parse().unwrap();
    let copy = |became: &Became| PrunedCopy {
        backup: backup(),
        name: String::new(),
        key: ObjectKey::for_backup(server, backup(), ObjectKind::Archive),
        created_at: Timestamp::UNIX_EPOCH,
        stored_bytes: 1,
        decision: Decision::Remove,
        became: became.clone(),
    };
    let of_server = PrunedServer {
        panel: "main".parse().unwrap(),
        server,
        identifier: String::new(),
        name: String::new(),
        refusals,
        copies: became.iter().map(copy).collect(),
    };
    PruneReport {
        run: None,
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        mode: Mode::Apply,
        places: vec![PrunedPlace {
            destination: "b2".parse().unwrap(),
            thinning: Thinning::ByPolicy,
            given_up: None,
            begun: Vec::new(),
            servers: vec![of_server],
        }],
        max_delete: None,
        errors,
        ended: Ended::InFull,
    }
}

#[test]
fn a_run_of_prune_ends_by_the_worst_that_happened() {
    let down = failure(Scope::Destination, FailureKind::Unreachable);
    let refused = failure(Scope::Destination, FailureKind::Credentials);
    let amiss = failure(Scope::Backup, FailureKind::Integrity);
    let not_mirrored = Refusal::NewestNotMirrored { backup: backup() };
    let failed = Became::Failed(down.clone());
    for (became, refusals, errors, exit) in [
        (vec![], vec![], vec![], Exit::Done),
        (
            vec![Became::Kept, Became::Removed],
            vec![],
            vec![],
            Exit::Done,
        ),
        (
            vec![Became::Spared(Reason::Retained)],
            vec![],
            vec![],
            Exit::Done,
        ),
        (
            vec![Became::Refused],
            vec![not_mirrored],
            vec![],
            Exit::Partial,
        ),
        (
            vec![failed, Became::Removed],
            vec![],
            vec![down.clone()],
            Exit::Partial,
        ),
        (
            vec![Became::Removed],
            vec![],
            vec![down.clone(), amiss],
            Exit::Integrity,
        ),
        (vec![], vec![], vec![down.clone()], Exit::Failed),
        (vec![], vec![], vec![down, refused], Exit::Credentials),
    ] {
        let mut report = report(&became, refusals, errors);
        assert_eq!(Exit::of_prune(&report), exit, "{report:?}");
        report.mode = Mode::DryRun;
        assert_eq!(Exit::of_prune(&report), exit, "{report:?}");
        report.ended = Ended::BySigint;
        assert_eq!(Exit::of_prune(&report), Exit::Interrupted);
    }
}

#[test]
fn a_run_that_could_look_at_no_destination_came_to_nothing() {
    let down = failure(Scope::Destination, FailureKind::Unreachable);
    let mut report = report(&[Became::NotReached], Vec::new(), vec![down.clone()]);
    assert_eq!(Exit::of_prune(&report), Exit::Partial);
    report.places[0].given_up = Some(down);
    assert_eq!(Exit::of_prune(&report), Exit::Failed);
    let refused = failure(Scope::Destination, FailureKind::Credentials);
    report.errors = vec![refused];
    assert_eq!(Exit::of_prune(&report), Exit::Credentials);
    let mut other = report.places[0].clone();
    other.given_up = None;
    report.places.push(other);
    assert_eq!(Exit::of_prune(&report), Exit::Partial);
}

#[test]
fn a_limit_ends_only_a_run_that_removes() {
    let mut report = report(
        &[Became::Removed, Became::NotReached],
        Vec::new(),
        Vec::new(),
    );
    report.ended = Ended::AtLimit;
    assert_eq!(Exit::of_prune(&report), Exit::Limit);
    report.mode = Mode::DryRun;
    assert_eq!(Exit::of_prune(&report), Exit::Done);
}
