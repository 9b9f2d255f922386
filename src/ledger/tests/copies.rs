//! What is recorded of copies, and where they are.

use super::*;

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
