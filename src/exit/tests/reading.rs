//! How `status` and `list` end.

use jiff::SignedDuration;
use jiff::Timestamp;

use super::*;
use crate::model::holding::ServerHolding;
use crate::report::Account;

#[test]
fn status_ends_with_5_only_when_a_promise_is_broken() {
    let hours = Some(SignedDuration::from_hours(26));
    for (freshness, max_age, exit) in [
        (Freshness::Fresh, hours, Exit::Done),
        (Freshness::NotPromised, None, Exit::Done),
        (Freshness::Never, None, Exit::Done),
        (Freshness::Never, hours, Exit::Freshness),
        (Freshness::Stale, hours, Exit::Freshness),
    ] {
        let status = |freshness, max_age| ServerStatus {
            holding: ServerHolding {
                panel: "main".parse().unwrap(),
                server: SERVER.parse().unwrap(),
                identifier: "a1fa0000".to_owned(),
                name: "lobby".to_owned(),
                last_listed_at: None,
                skipped_because: None,
                destinations: Vec::new(),
            },
            max_age,
            freshness,
            suspicion: None,
        };
        let report = StatusReport {
            at: Timestamp::UNIX_EPOCH,
            last_run: None,
            servers: vec![status(Freshness::Fresh, hours), status(freshness, max_age)],
            verified: Vec::new(),
        };
        assert_eq!(
            Exit::of_status(&report),
            exit,
            "{freshness:?} of {max_age:?}"
        );
    }
}

#[test]
fn a_list_ends_with_4_when_a_copy_is_broken() {
    for (failures, exit) in [
        (vec![], Exit::Done),
        (vec![failure(CORRUPT.0, CORRUPT.1)], Exit::Integrity),
        (vec![failure(DOWN.0, DOWN.1)], Exit::Failed),
    ] {
        let report = ListReport {
            panel: None,
            copies: Vec::new(),
            account: Account::Sidecars,
            failures,
        };
        assert_eq!(Exit::of_list(&report), exit);
    }
}
