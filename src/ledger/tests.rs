//! What the ledger says after what it was told, and what its tables refuse.

mod history;

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
use crate::ledger::ListingSeen;
use crate::ledger::RunEnd;
use crate::ledger::RunRecord;
use crate::ledger::UploadEnd;
use crate::ledger::copies::CopyFacts;
use crate::model::backup::Backup;
use crate::model::backup::BackupRecord;
use crate::model::backup::CompletedBackup;
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
fn a_verified_copy_is_not_downgraded_by_a_later_failure_and_both_are_events() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    ledger
        .record_copy_failure(run, b2, &key(1, 1), &failure("disk full"), at(60))
        .unwrap();
    put(&mut ledger, run, b2, LOCATIONS[0], &key(1, 1), 101, at(61)).unwrap();
    let held = ledger.held(server_id(1), b2).unwrap();
    ledger
        .record_copy_failure(run, b2, &key(1, 1), &failure("disk full again"), at(62))
        .unwrap();
    assert_eq!(ledger.held(server_id(1), b2).unwrap(), held);
    assert_eq!(held.len(), 1);
    let sha256 = Hasher::digest(Algorithm::Sha256, &101_u64.to_le_bytes()).to_hex();
    assert_eq!(
        events(&ledger),
        [
            event(
                "failed",
                json!({"kind": "no_space", "message": "disk full"})
            ),
            event(
                "mirrored",
                json!({"sha256": sha256, "verdict": "panel-sha1"})
            ),
            event(
                "failed",
                json!({"kind": "no_space", "message": "disk full again"})
            ),
        ]
    );
}

#[test]
fn what_is_said_of_a_copy_stays_what_it_was_when_the_panel_says_otherwise_later() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    put(&mut ledger, run, b2, LOCATIONS[0], &key(1, 1), 101, at(60)).unwrap();
    let held = ledger.held(server_id(1), b2).unwrap();
    let copies = ledger.copies(&CopyFilter::default()).unwrap();
    list(
        &mut ledger,
        run,
        &[Backup::Failed(record(1))],
        ListingSeen::Whole,
    );
    assert_eq!(ledger.held(server_id(1), b2).unwrap(), held);
    assert_eq!(ledger.copies(&CopyFilter::default()).unwrap(), copies);
    let checksum = Hasher::digest(Algorithm::Sha1, &[1]).to_string();
    assert_eq!(
        events(&ledger).last(),
        Some(&event(
            "changed",
            json!({
                "was": {"completed_at": completed_at(1).as_millisecond(), "bytes": 101, "checksum": checksum},
                "is": {"completed_at": null, "bytes": null, "checksum": null},
            })
        ))
    );
}

#[test]
fn a_copy_is_only_recorded_where_it_is_and_of_what_is_known_to_be_complete() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, disk]) = furnish(&mut ledger);
    list(
        &mut ledger,
        run,
        &[completed(1), Backup::Pending(record(2))],
        ListingSeen::Whole,
    );
    let mut refused = |destination, key: &ObjectKey| {
        put(
            &mut ledger,
            run,
            destination,
            LOCATIONS[0],
            key,
            101,
            at(60),
        )
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        [
            refused(disk, &key(1, 1)),
            refused(DestinationRef(99), &key(1, 1)),
            refused(b2, &key(2, 1)),
            refused(b2, &key(1, 3)),
            refused(b2, &key(1, 2)),
        ],
        [
            "the object is stored at `s3://bucket/panel`, not at `file:///srv/offsite`".to_owned(),
            "the ledger does not know the destination at `number 99`".to_owned(),
            format!("the ledger does not know the server {}", server_id(2)),
            format!(
                "the ledger does not know the backup {} of the server {}",
                backup_id(3),
                server_id(1)
            ),
            format!(
                "the backup {} of the server {} was not complete when last listed",
                backup_id(2),
                server_id(1)
            ),
        ]
    );
    assert_eq!(ledger.copies(&CopyFilter::default()).unwrap(), []);
    assert!(!ledger.knows_destination(LOCATIONS[0]).unwrap());
    assert_eq!(events(&ledger), []);
}

#[test]
fn wanting_one_unknown_backup_records_none_of_them() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    let refused =
        ledger.record_wanted(run, server_id(1), b2, &[backup_id(1), backup_id(7)], at(60));
    assert!(
        matches!(refused, Err(Error::UnknownBackup { .. })),
        "{refused:?}"
    );
    let holdings = ledger.holdings(&CopyFilter::default()).unwrap();
    assert_eq!(holdings[0].destinations, []);
}

#[test]
fn a_destination_is_where_it_is_and_its_name_goes_to_who_uses_it_last() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    put(&mut ledger, run, b2, LOCATIONS[0], &key(1, 1), 101, at(60)).unwrap();
    assert!(ledger.knows_destination(LOCATIONS[0]).unwrap());
    assert!(!ledger.knows_destination("s3://new/panel").unwrap());

    let name = destination_name(0);
    let moved = ledger
        .record_destination(&name, "s3://new/panel", at(70))
        .unwrap();
    assert_ne!(moved, b2);
    let found = ["s3://new/panel", LOCATIONS[0], "s3://nowhere"]
        .map(|location| ledger.find_destination(location).unwrap());
    assert_eq!(found, [Some(moved), Some(b2), None]);
    assert!(!ledger.knows_destination("s3://new/panel").unwrap());
    let by_name = |ledger: &Ledger, name: &str| {
        let filter = CopyFilter {
            destinations: Some(BTreeSet::from([name.parse().unwrap()])),
            ..CopyFilter::default()
        };
        ledger.copies(&filter).unwrap().len()
    };
    assert_eq!(by_name(&ledger, "b2"), 0);
    assert_eq!(by_name(&ledger, LOCATIONS[0]), 1);

    let back = ledger
        .record_destination(&name, LOCATIONS[0], at(80))
        .unwrap();
    assert_eq!(back, b2);
    assert_eq!(by_name(&ledger, "b2"), 1);
    let renamed: Vec<_> = events(&ledger)
        .into_iter()
        .filter(|(kind, _)| kind == "name_given_up")
        .collect();
    assert_eq!(
        renamed,
        [
            event(
                "name_given_up",
                json!({"name": "b2", "now_at": "s3://new/panel"})
            ),
            event(
                "name_given_up",
                json!({"name": "b2", "now_at": LOCATIONS[0]})
            ),
        ]
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
fn copies_are_chosen_by_server_and_destination() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, disk]) = furnish(&mut ledger);
    for n in [1, 2] {
        ledger
            .record_listing(
                run,
                &panel(n - 1),
                &server(n),
                &[completed(1), completed(2)],
                ListingSeen::Whole,
                at(50),
            )
            .unwrap();
        put(&mut ledger, run, b2, LOCATIONS[0], &key(n, 1), 101, at(60)).unwrap();
        put(&mut ledger, run, b2, LOCATIONS[0], &key(n, 2), 102, at(60)).unwrap();
    }
    put(
        &mut ledger,
        run,
        disk,
        LOCATIONS[1],
        &key(1, 1),
        101,
        at(60),
    )
    .unwrap();
    let shown = |filter: &CopyFilter| -> Vec<(ServerId, BackupId, String)> {
        let copies = ledger.copies(filter).unwrap();
        copies
            .into_iter()
            .map(|copy| (copy.server, copy.backup, copy.destination.to_string()))
            .collect()
    };
    let copy = |server, backup, name: &str| (server_id(server), backup_id(backup), name.to_owned());
    let of_one = [copy(1, 2, "b2"), copy(1, 1, "b2"), copy(1, 1, "disk")];
    let of_two = [copy(2, 2, "b2"), copy(2, 1, "b2")];
    assert_eq!(
        shown(&CopyFilter::default()),
        [of_one.as_slice(), of_two.as_slice()].concat()
    );
    let by_server = CopyFilter {
        servers: Some(BTreeSet::from([server_id(1)])),
        ..CopyFilter::default()
    };
    assert_eq!(shown(&by_server), of_one);
    let none = CopyFilter {
        servers: Some(BTreeSet::new()),
        ..CopyFilter::default()
    };
    assert_eq!(shown(&none), []);
    let by_destination = CopyFilter {
        destinations: Some(BTreeSet::from([destination_name(1)])),
        ..CopyFilter::default()
    };
    assert_eq!(shown(&by_destination), [copy(1, 1, "disk")]);
    let standing = ledger.holdings(&by_server).unwrap();
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].server, server_id(1));
    assert_eq!(standing[0].destinations.len(), 2);
    let known = ledger.known().unwrap();
    assert_eq!(known.panels, BTreeSet::from([panel(0), panel(1)]));
    assert_eq!(
        known.servers[0],
        KnownServer {
            panel: panel(0),
            id: server_id(1),
            identifier: "serv_1".to_owned(),
            name: "Server [1]".to_owned(),
        }
    );
    let names = [0, 1].map(destination_name);
    assert_eq!(known.destinations, BTreeSet::from(names));
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

#[test]
fn no_table_takes_a_url_that_carries_credentials() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    for url in [
        "https://panel.example.com/?token=s3cr3t",
        "https://user:s3cr3t@panel.example.com/",
        "https://user:s3cr3t@panel.example.com",
    ] {
        let refused = ledger.record_panel(&panel(0), url, at(0)).unwrap_err();
        let said = crate::model::outcome::chain(&refused);
        assert!(said.contains("panel_url_holds_no_credentials"), "{said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    }
    for location in [
        "s3://b/p?X-Amz-Signature=s3cr3t",
        "https://store/b?sv=1&sig=s3cr3t",
        "s3://b?endpoint=https://host&secret_access_key=s3cr3t",
        "s3://b?access_key_id=s3cr3t",
        "s3://b?endpoint=https://user:s3cr3t@host",
    ] {
        let refused = ledger
            .record_destination(&destination_name(0), location, at(0))
            .unwrap_err();
        let said = crate::model::outcome::chain(&refused);
        assert!(
            said.contains("destination_location_holds_no_credentials"),
            "{location}: {said}"
        );
        assert!(!said.contains("s3cr3t"), "{said}");
    }
    for location in [
        "s3://keys/token?endpoint=https://key.example.com&region=eu",
        "file:///srv/what%3Fsig=",
    ] {
        ledger
            .record_destination(&destination_name(0), location, at(0))
            .unwrap();
    }
    ledger
        .record_panel(&panel(0), "https://panel.example.com/at@home/", at(0))
        .unwrap();
}

#[test]
fn events_can_be_neither_changed_nor_removed_nor_replaced() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, _) = furnish(&mut ledger);
    ledger
        .record_skipped_server(run, &panel(0), &server(1), "it is suspended", at(1))
        .unwrap();
    let before = events(&ledger);
    for sql in [
        "UPDATE events SET kind = 'x'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events (id, at, kind, detail) VALUES (1, 0, 'x', '{}')",
        "REPLACE INTO events (id, at, kind, detail) VALUES (1, 0, 'x', '{}')",
    ] {
        let refused = ledger.connection.execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("only ever added"), "{sql}: {refused}");
    }
    assert_eq!(events(&ledger), before);
}

#[test]
fn a_full_disk_is_said_and_loses_nothing_that_was_recorded() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, _) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    let before = ledger.holdings(&CopyFilter::default()).unwrap();
    let limit = |ledger: &Ledger, pages: i64| {
        ledger
            .connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .unwrap();
    };
    limit(&ledger, 1);
    let many: Vec<Backup> = (0..=255)
        .map(|n| {
            let mut record = record(n);
            record.name = "x".repeat(10_000);
            Backup::Pending(record)
        })
        .collect();
    let full = ledger
        .record_listing(
            run,
            &panel(0),
            &server(1),
            &many,
            ListingSeen::Whole,
            at(70),
        )
        .unwrap_err();
    assert!(matches!(full, Error::Full { .. }), "{full:?}");
    assert_eq!(
        full.to_string(),
        format!(
            "could not record a server's backups: there is no room for the ledger `{}`",
            ledger.path().display()
        )
    );
    assert_eq!(ledger.holdings(&CopyFilter::default()).unwrap(), before);
    limit(&ledger, 1_000_000);
    list(&mut ledger, run, &many, ListingSeen::Whole);
    drop(ledger);
    assert_eq!(
        open(home.path()).holdings(&CopyFilter::default()).unwrap(),
        before
    );
}

#[test]
fn a_connection_lost_in_the_middle_of_a_transaction_leaves_nothing_of_it() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, [b2, _]) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    put(&mut ledger, run, b2, LOCATIONS[0], &key(1, 1), 101, at(60)).unwrap();
    let before = ledger.copies(&CopyFilter::default()).unwrap();
    ledger
        .connection
        .execute_batch("BEGIN IMMEDIATE; UPDATE copies SET state = 'wanted'; DELETE FROM uploads;")
        .unwrap();
    drop(ledger);
    let ledger = open(home.path());
    assert_eq!(ledger.copies(&CopyFilter::default()).unwrap(), before);
    assert_eq!(history::totals(&ledger), history::counted(&ledger));
}

#[tokio::test]
async fn work_that_panics_is_undone_and_the_shared_ledger_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let shared = crate::ledger::SharedLedger::new(open(home.path()));
    let broken = shared
        .with(|ledger| {
            ledger.write("try", |tx| -> Result<(), crate::ledger::error::Fault> {
                tx.execute("INSERT INTO runs (command, started_at) VALUES ('x', 0)", [])?;
                panic!("a defect");
            })
        })
        .await;
    assert!(matches!(broken, Err(Error::Stopped { .. })), "{broken:?}");
    let run = shared
        .with(|ledger| {
            assert_eq!(ledger.last_run("x")?, None);
            ledger.begin_run("mirror", at(0))
        })
        .await;
    assert!(run.is_ok(), "{run:?}");
}

#[test]
fn an_open_snapshot_of_a_reader_neither_stops_the_writer_nor_moves() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = open(home.path());
    let (run, _) = furnish(&mut ledger);
    list(&mut ledger, run, &[completed(1)], ListingSeen::Whole);
    let reader = Ledger::open_read_only(ledger.path()).unwrap();
    let seen_then = reader
        .read("look", |tx| {
            let rows = |tx: &rusqlite::Transaction<'_>| -> i64 {
                tx.query_row("SELECT count(*) FROM backups", [], |row| row.get(0))
                    .unwrap()
            };
            let first = rows(tx);
            for round in 0..50 {
                let many: Vec<Backup> = (0..=255).map(completed).collect();
                ledger
                    .record_listing(
                        run,
                        &panel(0),
                        &server(round),
                        &many,
                        ListingSeen::Whole,
                        at(70),
                    )
                    .unwrap();
            }
            Ok((first, rows(tx)))
        })
        .unwrap();
    assert_eq!(seen_then, (1, 1));
    assert_eq!(reader.holdings(&CopyFilter::default()).unwrap().len(), 50);
}
