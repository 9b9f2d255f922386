//! What the ledger refuses, and what it keeps when something breaks.

use super::*;

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
