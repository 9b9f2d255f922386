//! The `--json` documents, held against the schemas kept in the tree.

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use nestegg::exit::Exit;
use nestegg::model::checksum::Verdict;
use nestegg::model::holding::PanelPresence;
use nestegg::model::ids::RunId;
use nestegg::model::outcome::BackupOutcome;
use nestegg::model::outcome::CopyState;
use nestegg::model::outcome::Ended;
use nestegg::model::outcome::Failure;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Mode;
use nestegg::model::outcome::Scope;
use nestegg::report::Freshness;
use nestegg::report::ListReport;
use nestegg::report::MirrorReport;
use nestegg::report::StatusReport;
use nestegg::report::json;

use super::samples;
use crate::support::schema;

fn mirror_text(report: &MirrorReport) -> String {
    let mut out = Vec::new();
    json::mirror(report, Exit::of_mirror(report).code(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn status_text(report: &StatusReport) -> String {
    let mut out = Vec::new();
    json::status(report, Exit::of_status(report).code(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn list_text(report: &ListReport) -> String {
    let mut out = Vec::new();
    json::list(report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn complaints(schema: &str, document: &str) -> Vec<String> {
    schema::complaints(schema, &serde_json::from_str(document).unwrap())
}

#[test]
fn the_schemas_are_schemas_of_draft_2020_12() {
    for schema in [
        json::MIRROR_SCHEMA,
        json::STATUS_SCHEMA,
        json::LIST_SCHEMA,
        json::ledger::REBUILD_SCHEMA,
        json::ledger::CHECK_SCHEMA,
        json::ledger::EXPORT_SCHEMA,
        json::DRILL_SCHEMA,
    ] {
        let schema: Value = serde_json::from_str(schema).unwrap();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert!(jsonschema::meta::validate(&schema).is_ok());
    }
}

#[test]
fn a_mirror_document_is_exactly_as_promised() {
    let mut report = samples::partial_run();
    report.backups.truncate(2);
    let document: Value = serde_json::from_str(&mirror_text(&report)).unwrap();
    let error = json!({
        "scope": "backup",
        "id": "6fdff738-bf44-4933-824f-0000000000c9",
        "kind": "no_space",
        "message": "could not write part 3: no space left on device",
        "hint": "free some space there, then run again",
    });
    let mut error_of_copy = error.clone();
    error_of_copy["hint"] = json!("");
    assert_eq!(
        document,
        json!({
            "schema": "nestegg.mirror/1",
            "run": 17,
            "started_at": "2026-11-22T03:00:00Z",
            "finished_at": "2026-11-22T03:03:12Z",
            "outcome": "partial",
            "exit_code": 3,
            "counts": {
                "servers": 3, "backups_seen": 41, "skipped": 5,
                "already_held": 0, "mirrored": 1, "failed": 1,
            },
            "bytes": {"downloaded": 1400 * samples::MIB, "uploaded": 1400 * samples::MIB},
            "backups": [
                {
                    "panel": "main",
                    "server": "a1fa0000-1111-4111-8111-000000000001",
                    "backup": "6fdff738-bf44-4933-824f-000000000065",
                    "name": "nightly",
                    "bytes": 700 * samples::MIB,
                    "sha256": "ab".repeat(32),
                    "panel_checksum": format!("sha1:{}", "cd".repeat(20)),
                    "copies": [
                        {
                            "destination": "b2",
                            "key": "a1fa0000-1111-4111-8111-000000000001/6fdff738-bf44-4933-824f-000000000065.tar.gz",
                            "state": "mirrored", "verdict": "panel-sha1", "error": null,
                        },
                        {
                            "destination": "nas",
                            "key": "a1fa0000-1111-4111-8111-000000000001/6fdff738-bf44-4933-824f-000000000065.tar.gz",
                            "state": "already_held", "verdict": "panel-sha1", "error": null,
                        },
                    ],
                },
                {
                    "panel": "main",
                    "server": "a1fa0000-1111-4111-8111-000000000002",
                    "backup": "6fdff738-bf44-4933-824f-0000000000c9",
                    "name": "before the update",
                    "bytes": 700 * samples::MIB,
                    "sha256": "ab".repeat(32),
                    "panel_checksum": format!("sha1:{}", "cd".repeat(20)),
                    "copies": [
                        {
                            "destination": "b2",
                            "key": "a1fa0000-1111-4111-8111-000000000002/6fdff738-bf44-4933-824f-0000000000c9.tar.gz",
                            "state": "mirrored", "verdict": "panel-sha1", "error": null,
                        },
                        {
                            "destination": "nas",
                            "key": "a1fa0000-1111-4111-8111-000000000002/6fdff738-bf44-4933-824f-0000000000c9.tar.gz",
                            "state": "failed", "verdict": null, "error": error_of_copy,
                        },
                    ],
                },
            ],
            "errors": [error],
        })
    );
}

#[test]
fn every_state_of_a_copy_has_its_word() {
    let states = [
        (CopyState::Mirrored, "mirrored"),
        (CopyState::AlreadyHeld, "already_held"),
        (CopyState::Failed, "failed"),
        (CopyState::WouldMirror, "would_mirror"),
        (CopyState::NotReached, "not_reached"),
    ];
    for (state, word) in states {
        let report = samples::run(vec![samples::backup(1, "s", "b", &[("b2", state)])]);
        let text = mirror_text(&report);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["backups"][0]["copies"][0]["state"], word);
        assert_eq!(complaints(json::MIRROR_SCHEMA, &text), Vec::<String>::new());
    }
}

#[test]
fn outcome_and_exit_code_agree() {
    let one = |state| vec![samples::backup(1, "s", "b", &[("b2", state)])];
    for (ended, state, outcome, exit_code) in [
        (Ended::InFull, CopyState::Mirrored, "ok", 0),
        (Ended::InFull, CopyState::Failed, "failed", 1),
        (Ended::InFull, CopyState::NotReached, "partial", 10),
        (Ended::AtLimit, CopyState::NotReached, "partial", 10),
        (Ended::BySigint, CopyState::NotReached, "interrupted", 130),
        (Ended::BySigterm, CopyState::Mirrored, "interrupted", 143),
    ] {
        let mut report = samples::run(one(state));
        report.ended = ended;
        let document: Value = serde_json::from_str(&mirror_text(&report)).unwrap();
        assert_eq!(
            (&document["outcome"], &document["exit_code"]),
            (&json!(outcome), &json!(exit_code)),
        );
    }
}

#[test]
fn a_status_document_tells_age_promise_and_what_is_missing() {
    let text = status_text(&samples::standing());
    assert_eq!(complaints(json::STATUS_SCHEMA, &text), Vec::<String>::new());
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        document["counts"],
        json!({"servers": 4, "fresh": 1, "stale": 1, "never": 1, "not_promised": 1})
    );
    assert_eq!(
        document["servers"][1],
        json!({
            "panel": "main",
            "server": "a1fa0000-1111-4111-8111-000000000002",
            "identifier": "a1fa0000",
            "name": "creative",
            "freshness": "stale",
            "max_age_seconds": 93_600,
            "newest_completed_at": "2026-11-20T03:02:41Z",
            "age_seconds": 183_600,
            "last_listed_at": "2026-11-22T03:00:00Z",
            "skipped_because": null,
            "suspicion": null,
            "destinations": [{
                "destination": "b2",
                "copies": 3,
                "stored_bytes": 2100 * samples::MIB,
                "newest_completed_at": "2026-11-20T03:02:41Z",
                "missing": [],
            }],
        })
    );
    assert_eq!(document["exit_code"], 5);
    assert_eq!(
        document["last_run"],
        json!({
            "run": 17,
            "started_at": "2026-11-22T03:00:00Z",
            "finished_at": "2026-11-22T03:10:00Z",
            "exit_code": 3,
        })
    );
}

#[test]
fn an_encrypted_copy_says_to_whom_in_full() {
    let text = list_text(&samples::held_encrypted());
    assert_eq!(complaints(json::LIST_SCHEMA, &text), Vec::<String>::new());
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["copies"][0]["encryption"], Value::Null);
    let sealed = &document["copies"][1];
    assert_eq!(sealed["sha256"], "ab".repeat(32));
    assert_eq!(sealed["stored_sha256"], "ef".repeat(32));
    assert_eq!(
        sealed["encryption"],
        json!({"scheme": "age", "recipients": [
            "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN",
        ]})
    );
}

#[test]
fn a_list_document_has_an_entry_a_copy() {
    let text = list_text(&samples::held());
    assert_eq!(complaints(json::LIST_SCHEMA, &text), Vec::<String>::new());
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        document["copies"][2],
        json!({
            "panel": "main",
            "server": "a1fa0000-1111-4111-8111-000000000001",
            "server_name": "survival",
            "backup": "6fdff738-bf44-4933-824f-000000000001",
            "name": "nightly",
            "completed_at": "2026-11-21T03:02:41Z",
            "on_panel": "vanished",
            "panel_checksum": null,
            "destination": "b2",
            "key": "a1fa0000-1111-4111-8111-000000000001/6fdff738-bf44-4933-824f-000000000001.tar.gz",
            "bytes": 700 * samples::MIB,
            "sha256": "ab".repeat(32),
            "stored_sha256": "ab".repeat(32), "encryption": null, "stored_bytes": 700 * samples::MIB,
            "verdict": "structure",
            "mirrored_at": "2026-11-22T03:03:12Z",
            "verified_at": "2026-11-22T04:00:00Z",
            "kept": null,
            "locked": false,
        })
    );
}

#[test]
fn a_document_is_one_line_and_nothing_in_it_acts_on_a_terminal() {
    let mut report = samples::partial_run();
    report.backups[0].name = samples::HOSTILE.to_owned();
    let text = mirror_text(&report);
    assert_eq!(text.matches('\n').count(), 1);
    let body = text.trim_end_matches('\n');
    assert!(!body.chars().any(nestegg::model::text::acts_on_a_terminal));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["backups"][0]["name"], samples::HOSTILE);
}

#[test]
fn the_schema_refuses_what_is_not_promised() {
    let text = mirror_text(&samples::partial_run());
    let document: Value = serde_json::from_str(&text).unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut document = document.clone();
        *document.pointer_mut(pointer).unwrap() = value;
        document
    };
    let mut extended = document.clone();
    extended["extra"] = json!(1);
    let mut shortened = document.clone();
    shortened.as_object_mut().unwrap().remove("counts");
    for wrong in [
        extended,
        shortened,
        changed("/schema", json!("nestegg.mirror/2")),
        changed("/outcome", json!("fine")),
        changed("/exit_code", json!(5)),
        changed("/started_at", json!("yesterday")),
        changed("/backups/0/server", json!("../..")),
        changed("/backups/0/copies/0/state", json!("not reached")),
        changed("/backups/0/copies/0/verdict", json!("good")),
        changed("/errors/0/kind", json!("bad_luck")),
    ] {
        assert_ne!(
            complaints(json::MIRROR_SCHEMA, &wrong.to_string()),
            Vec::<String>::new(),
            "{wrong}"
        );
    }
}

const SCOPES: [Scope; 4] = [
    Scope::Panel,
    Scope::Server,
    Scope::Backup,
    Scope::Destination,
];
const KINDS: [FailureKind; 14] = [
    FailureKind::Credentials,
    FailureKind::Permission,
    FailureKind::Unreachable,
    FailureKind::Protocol,
    FailureKind::NotFound,
    FailureKind::RateLimited,
    FailureKind::ServerState,
    FailureKind::Integrity,
    FailureKind::Policy,
    FailureKind::NoSpace,
    FailureKind::Destination,
    FailureKind::Transfer,
    FailureKind::Interrupted,
    FailureKind::Local,
];
const STATES: [CopyState; 5] = [
    CopyState::Mirrored,
    CopyState::AlreadyHeld,
    CopyState::Failed,
    CopyState::WouldMirror,
    CopyState::NotReached,
];
const ENDS: [Ended; 4] = [
    Ended::InFull,
    Ended::AtLimit,
    Ended::BySigint,
    Ended::BySigterm,
];

prop_compose! {
    fn any_failure()(
        scope in prop::sample::select(SCOPES.to_vec()),
        kind in prop::sample::select(KINDS.to_vec()),
        id in any::<String>(), message in any::<String>(), hint in any::<String>(),
    ) -> Failure {
        Failure { scope, id, kind, message, hint }
    }
}

prop_compose! {
    fn any_backup()(
        number in 0_u64..1000,
        name in any::<String>(),
        bytes in any::<u32>(),
        states in prop::collection::vec(prop::sample::select(STATES.to_vec()), 0..4),
        verdict in prop::option::of(prop::sample::select(Verdict::ALL.to_vec())),
        checksum in prop::option::of(prop::sample::select(vec![(("sha1"), 20), ("sha256", 32), ("sha512", 64)])),
        failure in prop::option::of(any_failure()),
    ) -> BackupOutcome {
        let names: Vec<String> = (0..states.len()).map(|at| format!("d{at}")).collect();
        let copies: Vec<_> = names.iter().map(String::as_str).zip(states).collect();
        let mut backup = samples::backup(number, &name, &name, &copies);
        backup.bytes = bytes.into();
        backup.panel_checksum =
            checksum.map(|(scheme, bytes)| format!("{scheme}:{}", "0f".repeat(bytes)));
        for copy in &mut backup.copies {
            copy.verdict = copy.verdict.and(verdict);
            copy.failure = failure.clone();
        }
        backup
    }
}

prop_compose! {
    fn any_run()(
        run in prop::option::of(any::<i64>().prop_map(RunId)),
        dry in any::<bool>(),
        backups in prop::collection::vec(any_backup(), 0..4),
        errors in prop::collection::vec(any_failure(), 0..3),
        ended in prop::sample::select(ENDS.to_vec()),
        seconds in 0_i64..1 << 33, nanoseconds in 0_i32..1_000_000_000,
    ) -> MirrorReport {
        let mut report = samples::run(backups);
        report.run = run;
        report.mode = if dry { Mode::DryRun } else { Mode::Apply };
        report.errors.extend(errors);
        report.ended = ended;
        report.started_at = jiff::Timestamp::new(seconds, nanoseconds).unwrap();
        report
    }
}

prop_compose! {
    fn any_standing()(
        name in any::<String>(),
        freshness in prop::sample::select(vec![
            Freshness::Fresh, Freshness::Stale, Freshness::Never, Freshness::NotPromised,
        ]),
        max_age in prop::option::of((0_i64..1 << 40).prop_map(SignedDuration::from_secs)),
        why in prop::option::of(any::<String>()),
        newest in prop::option::of(Just("2026-11-23T03:02:41.123Z")),
        copies in 0_u64..1000,
    ) -> StatusReport {
        let mut there = samples::held_at("b2", copies, newest);
        there.missing = vec![samples::missing(1, why.as_deref())];
        let mut report = samples::standing();
        let server = &mut report.servers[0];
        server.holding = samples::holding(1, &name, vec![there]);
        server.holding.skipped_because = why;
        server.holding.last_listed_at = None;
        server.max_age = max_age;
        server.freshness = freshness;
        report
    }
}

prop_compose! {
    fn any_list()(
        name in any::<String>(),
        verdict in prop::sample::select(Verdict::ALL.to_vec()),
        vanished in any::<bool>(),
        bytes in any::<u64>(),
        of_panel in any::<bool>(),
    ) -> ListReport {
        let mut report = samples::held();
        let copy = &mut report.copies[0];
        copy.server_name.clone_from(&name);
        copy.backup_name = name;
        copy.verdict = verdict;
        copy.archive_bytes = bytes;
        if vanished {
            copy.on_panel = PanelPresence::Vanished;
        }
        report.panel = of_panel.then(|| "main".parse().unwrap());
        report
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn every_mirror_document_obeys_its_schema(report in any_run()) {
        let text = mirror_text(&report);
        prop_assert_eq!(complaints(json::MIRROR_SCHEMA, &text), Vec::<String>::new());
    }

    #[test]
    fn every_status_document_obeys_its_schema(report in any_standing()) {
        let text = status_text(&report);
        prop_assert_eq!(complaints(json::STATUS_SCHEMA, &text), Vec::<String>::new());
    }

    #[test]
    fn every_list_document_obeys_its_schema(report in any_list()) {
        let text = list_text(&report);
        prop_assert_eq!(complaints(json::LIST_SCHEMA, &text), Vec::<String>::new());
    }
}
