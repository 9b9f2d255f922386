//! What the ledger says after what it was told, and what its tables refuse.

mod checks;
mod copies;
mod history;
mod listing;
mod marks;
mod plans;
mod protections;
mod removals;
mod retention;
mod trouble;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use crate::ledger::CopyFilter;
use crate::ledger::CopyOrigin;
use crate::ledger::DestinationRef;
use crate::ledger::Error;
use crate::ledger::KnownServer;
use crate::ledger::Ledger;
use crate::ledger::RunEnd;
use crate::ledger::RunRecord;
use crate::ledger::UploadEnd;
use crate::ledger::copies::CopyFacts;
use crate::model::backup::Backup;
use crate::model::backup::BackupRecord;
use crate::model::backup::CompletedBackup;
use crate::model::backup::ListingSeen;
use crate::model::checksum::Algorithm;
use crate::model::checksum::Hasher;
use crate::model::checksum::PanelChecksum;
use crate::model::checksum::Verdict;
use crate::model::content::Structure;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::server::Passport;
use crate::model::server::Server;
use crate::model::server::ServerState;

const LOCATIONS: [&str; 2] = ["s3://bucket/panel", "file:///srv/offsite"];
const NAMES: [&str; 2] = ["b2", "disk"];
const PANELS: [&str; 2] = ["main", "other"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn panel(n: u8) -> PanelName {
    PANELS[usize::from(n)].parse().unwrap()
}

fn destination_name(n: u8) -> DestinationName {
    NAMES[usize::from(n)].parse().unwrap()
}

fn server_id(n: u8) -> ServerId {
    format!("a1fa0000-1111-4111-8111-0000000000{n:02x}")
        .parse()
        .unwrap()
}

/// The same on every server: uuids of backups are only looked at below their server.
fn backup_id(n: u8) -> BackupId {
    format!("6fdff738-bf44-4933-824f-4891980000{n:02x}")
        .parse()
        .unwrap()
}

fn server(n: u8) -> Server {
    Server {
        id: server_id(n),
        identifier: format!("serv_{n}"),
        name: format!("Server [{n}]"),
        state: ServerState::Ready,
        passport: Passport::default(),
    }
}

fn key(server: u8, backup: u8) -> ObjectKey {
    ObjectKey::for_backup(server_id(server), backup_id(backup), ObjectKind::Archive)
}

fn record(n: u8) -> BackupRecord {
    BackupRecord {
        id: backup_id(n),
        name: format!("nightly {n}"),
        is_locked: n == 0,
        ignored_files: Vec::new(),
        created_at: at(i64::from(n) * 10),
    }
}

fn completed_at(n: u8) -> Timestamp {
    at(i64::from(n) * 10 + 5)
}

fn completed(n: u8) -> Backup {
    Backup::Completed(CompletedBackup {
        record: record(n),
        archive_bytes: 100 + u64::from(n),
        checksum: PanelChecksum::Digest(Hasher::digest(Algorithm::Sha1, &[n])),
        completed_at: completed_at(n),
    })
}

fn failure(message: &str) -> Failure {
    Failure {
        scope: Scope::Destination,
        id: "b2".to_owned(),
        kind: FailureKind::NoSpace,
        message: message.to_owned(),
        hint: String::new(),
    }
}

fn open(home: &Path) -> Ledger {
    let ledger = Ledger::open(&home.join("ledger.sqlite3")).unwrap();
    // What is asked here is what the ledger says, not what a power cut leaves of it.
    ledger
        .connection
        .execute_batch("PRAGMA synchronous = OFF")
        .unwrap();
    ledger
}

/// A ledger with one run, both panels and both destinations in it.
fn furnish(ledger: &mut Ledger) -> (RunId, [DestinationRef; 2]) {
    let run = ledger.begin_run("mirror", at(0)).unwrap();
    for n in [0, 1] {
        ledger
            .record_panel(&panel(n), "https://panel.example.com/", at(0))
            .unwrap();
    }
    let destinations = [0, 1].map(|n: u8| {
        ledger
            .record_destination(&destination_name(n), LOCATIONS[usize::from(n)], at(0))
            .unwrap()
    });
    (run, destinations)
}

fn put(
    ledger: &mut Ledger,
    run: RunId,
    destination: DestinationRef,
    location: &str,
    key: &ObjectKey,
    bytes: u64,
    now: Timestamp,
) -> Result<(), Error> {
    let digest = Hasher::digest(Algorithm::Sha256, &bytes.to_le_bytes());
    let facts = CopyFacts {
        location,
        key,
        archive_bytes: bytes,
        archive_sha256: &digest,
        stored_bytes: bytes,
        stored_sha256: &digest,
        verdict: Verdict::PanelSha1,
        structure: Some(Structure {
            entries: 3,
            unpacked_bytes: bytes * 4,
        }),
        etag: Some("\"e\""),
        encryption: None,
        sidecar_sha256: None,
        stored_at: now,
    };
    ledger.record_copy_facts(run, destination, &facts, CopyOrigin::Mirrored, now)
}

fn list(ledger: &mut Ledger, run: RunId, backups: &[Backup], listing: ListingSeen) {
    ledger
        .record_listing(run, &panel(0), &server(1), backups, listing, at(50))
        .unwrap();
}

/// Every event as `kind detail`, oldest first.
fn events(ledger: &Ledger) -> Vec<(String, serde_json::Value)> {
    ledger
        .connection
        .prepare("SELECT kind, detail FROM events ORDER BY id")
        .unwrap()
        .query_map([], |row| {
            let detail: String = row.get(1)?;
            Ok((row.get(0)?, serde_json::from_str(&detail).unwrap()))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn event(kind: &str, detail: serde_json::Value) -> (String, serde_json::Value) {
    (kind.to_owned(), detail)
}

#[test]
fn a_run_is_remembered_with_its_end_and_one_that_was_killed_without() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let first = ledger.begin_run("mirror", at(0)).unwrap();
    ledger
        .finish_run(first, 3, &json!({"failed": 1}), at(60))
        .unwrap();
    let finished = RunRecord {
        run: first,
        command: "mirror".to_owned(),
        started_at: at(0),
        end: Some(RunEnd {
            finished_at: at(60),
            exit_code: 3,
            counts: json!({"failed": 1}),
        }),
    };
    assert_eq!(ledger.last_run("mirror").unwrap(), Some(finished));
    let killed = ledger.begin_run("mirror", at(70)).unwrap();
    assert_eq!(
        ledger.last_run("mirror").unwrap(),
        Some(RunRecord {
            run: killed,
            command: "mirror".to_owned(),
            started_at: at(70),
            end: None,
        })
    );
    assert_eq!(ledger.last_run("prune").unwrap(), None);
    let unknown = ledger.finish_run(RunId(99), 0, &json!({}), at(80));
    assert!(
        matches!(unknown, Err(Error::UnknownRun { run: RunId(99) })),
        "{unknown:?}"
    );
}

#[test]
fn a_skipped_server_says_why_until_it_is_listed_again_and_one_reason_is_one_event() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, _) = furnish(&mut ledger);
    for now in [10, 20] {
        ledger
            .record_skipped_server(run, &panel(0), &server(1), "it is suspended", at(now))
            .unwrap();
    }
    let why = |ledger: &Ledger| {
        ledger.holdings(&CopyFilter::default()).unwrap()[0]
            .skipped_because
            .clone()
    };
    assert_eq!(why(&ledger).as_deref(), Some("it is suspended"));
    list(&mut ledger, run, &[], ListingSeen::Partial);
    assert_eq!(why(&ledger), None);
    assert_eq!(
        events(&ledger),
        [event("skipped", json!({"why": "it is suspended"}))]
    );
}

#[test]
fn an_open_upload_is_found_by_the_next_run_and_its_end_is_an_event() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    let at_b2 = LOCATIONS[0];
    for upload in ["one", "two", "one"] {
        ledger
            .journal_upload(run, at_b2, &key(1, 1), upload, at(60))
            .unwrap();
    }
    let nowhere = ledger.journal_upload(run, "s3://nowhere", &key(1, 1), "x", at(60));
    assert!(
        matches!(nowhere, Err(Error::UnknownDestination { .. })),
        "{nowhere:?}"
    );
    ledger
        .close_upload(run, at_b2, &key(1, 1), "one", UploadEnd::ByItsRun, at(61))
        .unwrap();
    drop(ledger);

    let mut ledger = open(home.path());
    let next = ledger.begin_run("mirror", at(90)).unwrap();
    let left = ledger.open_uploads().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        (left[0].run, left[0].destination, left[0].upload_id.as_str()),
        (run, b2, "two")
    );
    for _twice in [1, 2] {
        ledger
            .close_upload(
                next,
                &left[0].location,
                &left[0].key,
                &left[0].upload_id,
                UploadEnd::LeftOver,
                at(91),
            )
            .unwrap();
    }
    assert_eq!(ledger.open_uploads().unwrap(), []);
    assert_eq!(
        events(&ledger),
        [event(
            "leftover_aborted",
            json!({"key": key(1, 1), "upload_id": "two", "run": run, "opened_at": at(60).as_millisecond()})
        )]
    );
}
