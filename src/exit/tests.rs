//! Exit codes, command by command.

mod freed;
mod ledger;
mod mark;
mod mirror;
mod panel;
mod prune;
mod reading;
mod restore;
mod verify;

use super::*;

const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

fn failure(scope: Scope, kind: FailureKind) -> Failure {
    Failure {
        scope,
        id: "x".to_owned(),
        kind,
        message: "could not".to_owned(),
        hint: String::new(),
    }
}

const REFUSED: (Scope, FailureKind) = (Scope::Panel, FailureKind::Credentials);
const REFUSED_THERE: (Scope, FailureKind) = (Scope::Destination, FailureKind::Credentials);
const DOWN: (Scope, FailureKind) = (Scope::Panel, FailureKind::Unreachable);
const CORRUPT: (Scope, FailureKind) = (Scope::Backup, FailureKind::Integrity);
const CUT: (Scope, FailureKind) = (Scope::Backup, FailureKind::Transfer);
const NO_SUCH_SERVER: (Scope, FailureKind) = (Scope::Server, FailureKind::NotFound);

#[test]
fn every_number_is_the_promised_one() {
    let all = [
        (Exit::Done, 0),
        (Exit::Failed, 1),
        (Exit::Usage, 2),
        (Exit::Partial, 3),
        (Exit::Integrity, 4),
        (Exit::Freshness, 5),
        (Exit::Limit, 10),
        (Exit::Locked, 11),
        (Exit::Credentials, 12),
        (Exit::Interrupted, 130),
        (Exit::Terminated, 143),
    ];
    for (exit, code) in all {
        assert_eq!(exit.code(), code, "{exit:?}");
    }
}

#[test]
fn every_kind_of_failure_has_its_code() {
    use FailureKind as Kind;
    for (kind, exit) in [
        (Kind::Credentials, Exit::Credentials),
        (Kind::Permission, Exit::Failed),
        (Kind::Unreachable, Exit::Failed),
        (Kind::Protocol, Exit::Failed),
        (Kind::NotFound, Exit::Failed),
        (Kind::RateLimited, Exit::Failed),
        (Kind::ServerState, Exit::Failed),
        (Kind::Integrity, Exit::Integrity),
        (Kind::Policy, Exit::Failed),
        (Kind::NoSpace, Exit::Failed),
        (Kind::Destination, Exit::Failed),
        (Kind::Transfer, Exit::Failed),
        (Kind::Interrupted, Exit::Interrupted),
        (Kind::Local, Exit::Failed),
    ] {
        assert_eq!(Exit::of_failure(kind), exit, "{kind:?}");
    }
}
