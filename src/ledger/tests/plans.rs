//! How `SQLite` goes about what must not take longer the more the ledger holds.

use super::*;
use crate::ledger::checks::NEVER_VERIFIED;
use crate::ledger::checks::OLDEST_VERIFIED;
use crate::ledger::checks::ONCE_VERIFIED;
use crate::ledger::listing::SEEN_AGAIN;
use crate::ledger::marks::KEPT;
use crate::ledger::named::NAMED;
use crate::ledger::query::DAMAGED;
use crate::ledger::query::HELD;
use crate::ledger::query::MISSING;
use crate::ledger::retention::NEWEST;

fn plan(query: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let ledger = open(home.path());
    let mut statement = ledger
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
        .unwrap();
    let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(nothing), |row| {
        row.get::<_, String>(3)
    });
    let steps: Vec<String> = steps.unwrap().collect::<Result<_, _>>().unwrap();
    steps.join("\n")
}

#[test]
fn the_newest_archives_are_found_by_index_however_many_a_server_has() {
    let plan = plan(NEWEST);
    assert!(plan.contains("INDEX backups_by_age"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn what_a_destination_holds_of_a_server_is_found_by_its_backups_alone() {
    for query in [HELD, DAMAGED] {
        let plan = plan(query);
        assert!(plan.contains("SEARCH b"), "{plan}");
        assert!(
            plan.contains("SEARCH c USING INDEX sqlite_autoindex_copies_1"),
            "{plan}"
        );
    }
}

#[test]
fn marks_and_names_are_found_without_reading_every_backup_there_ever_was() {
    for query in [KEPT, NAMED] {
        let plan = plan(query);
        assert!(!plan.contains("SCAN b"), "{plan}");
    }
}

#[test]
fn status_finds_what_was_never_verified_and_what_was_the_longest_ago_by_index() {
    for query in [OLDEST_VERIFIED, NEVER_VERIFIED, ONCE_VERIFIED] {
        let plan = plan(query);
        assert!(
            plan.contains(
                "USING COVERING INDEX copies_by_verification (destination_id=? AND verified_at"
            ),
            "{query}: {plan}"
        );
    }
}

#[test]
fn status_finds_what_is_missing_without_looking_at_every_backup() {
    assert_eq!(
        plan(MISSING),
        "SCAN c USING INDEX copies_missing\nSEARCH b USING INTEGER PRIMARY KEY (rowid=?)"
    );
}

#[test]
fn a_backup_that_is_listed_again_is_found_by_its_uuid_alone() {
    let plan = plan(SEEN_AGAIN);
    assert!(
        plan.contains("USING INDEX sqlite_autoindex_backups_1 (server_id=? AND uuid=?)"),
        "{plan}"
    );
}
