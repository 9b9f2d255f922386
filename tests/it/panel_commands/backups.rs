//! `panel backups`.

use nestegg::report::json::panel::BACKUPS_SCHEMA;
use serde_json::Value;
use serde_json::json;

use super::DIALECTS;
use super::kinds;
use super::panel;
use super::panel_json;
use super::plain;
use crate::support::archive::Archive;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Stage;
use crate::support::world::World;

/// A server with a completed, a locked, a running and a failed backup; and one that is being installed.
async fn every_state() -> World {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    for (number, name) in ["nightly", "before update", "running", "broken"]
        .into_iter()
        .enumerate()
    {
        let archive = Archive::small(u64::try_from(number).unwrap());
        world.panel.add_backup(server, name, archive);
    }
    let rows = world.panel.backups_of(server);
    world.panel.edit(rows[1], |row| {
        row.is_locked = true;
        row.ignored_files = vec!["*.log".to_owned()];
    });
    world.panel.edit(rows[2], |row| {
        row.stage = Stage::InProgress;
    });
    world.panel.edit(rows[3], BackupRow::fail);
    let other = world.panel.add_server("New");
    world.panel.set_condition(other, Condition::Installing);
    world
}

fn rows(document: &Value) -> Vec<Value> {
    let rows = document["servers"][0]["backups"].as_array().unwrap();
    rows.iter()
        .map(|row| json!([row["name"], row["state"], row["locked"], row["held_at"]]))
        .collect()
}

#[tokio::test]
async fn every_backup_is_listed_with_its_state_in_every_dialect() {
    for dialect in DIALECTS {
        let world = every_state().await;
        world.panel.set_dialect(dialect);
        let (ran, document) = panel_json(&world, BACKUPS_SCHEMA, &["backups"]).await;
        assert_eq!(ran.code, Some(0), "{dialect:?} {}", ran.stderr);
        assert_eq!(
            rows(&document),
            [
                json!(["broken", "failed", false, null]),
                json!(["running", "in_progress", false, null]),
                json!(["before update", "completed", true, null]),
                json!(["nightly", "completed", false, null]),
            ],
            "{dialect:?}"
        );
        let told = &document["servers"][0];
        assert_eq!(told["slots"]["used"], 3);
        assert_eq!(told["backups"][2]["ignored_files"], json!(["*.log"]));
        assert_eq!(told["backups"][0]["bytes"], Value::Null);
        assert_eq!(document["skipped"][0]["why"], "the server is installing");
    }
}

#[tokio::test]
async fn the_ledger_tells_where_copies_are_held() {
    let world = every_state().await;
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    let server = world.panel.add_server("Later");
    world
        .panel
        .add_backup(server, "not mirrored", Archive::small(7));
    let (ran, document) = panel_json(&world, BACKUPS_SCHEMA, &["backups"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let held = json!([world.offsite()]);
    let all: Vec<Value> = document["servers"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|server| server["backups"].as_array().unwrap())
        .map(|row| json!([row["name"], row["held_at"]]))
        .collect();
    assert_eq!(
        all,
        [
            json!(["not mirrored", []]),
            json!(["broken", []]),
            json!(["running", []]),
            json!(["before update", held]),
            json!(["nightly", held]),
        ]
    );
}

#[tokio::test]
async fn the_table_says_that_there_is_no_ledger_and_who_was_left_out() {
    let world = every_state().await;
    let ran = panel(&world, &["backups"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    plain().bind(|| {
        insta::assert_snapshot!(ran.stdout, @r"
        SERVER    BACKUP         CREATED (UTC)     STATE            SIZE  LOCKED  HELD AT      BACKUP ID
        Survival  broken         [minute]  failed              -  -       (no ledger)  [uuid]
        Survival  running        [minute]  in progress         -  -       (no ledger)  [uuid]
        Survival  before update  [minute]  completed    15.3 KiB  yes     (no ledger)  [uuid]
        Survival  nightly        [minute]  completed    15.3 KiB  -       (no ledger)  [uuid]
        ");
        insta::assert_snapshot!(ran.stderr, @"skipped       New: the server is installing");
    });
    let quiet = panel(&world, &["backups", "-q"]).await;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[tokio::test]
async fn more_backups_than_a_page_holds_are_all_listed() {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    for number in 0..60 {
        world
            .panel
            .add_backup(server, &format!("b{number}"), Archive::small(number));
    }
    let (ran, document) =
        panel_json(&world, BACKUPS_SCHEMA, &["backups", "--server", "Survival"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(rows(&document).len(), 60);
}

#[tokio::test]
async fn hostile_names_do_not_act_on_a_terminal_and_a_hostile_row_spoils_no_other() {
    let world = World::new().await;
    let server = world.panel.add_server("Evil\u{1b}[2J\nserver");
    let named = world
        .panel
        .add_backup(server, "a\u{202e}b\r\nc", Archive::small(1));
    let hostile = world.panel.add_backup(server, "x", Archive::small(2));
    world
        .panel
        .edit(hostile, |row| row.wire_uuid = "../../etc/passwd".to_owned());
    let ran = panel(&world, &["backups"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\r'));
    }
    assert!(ran.stdout.contains(&named.to_string()), "{}", ran.stdout);
    assert!(ran.stderr.contains("can't be read"), "{}", ran.stderr);
    let (_, document) = panel_json(&world, BACKUPS_SCHEMA, &["backups"]).await;
    assert_eq!(
        kinds(&document),
        [("backup".to_owned(), "protocol".to_owned())]
    );
}

#[tokio::test]
async fn a_server_without_backups_is_told_in_a_line_and_an_unknown_one_is_refused() {
    let world = World::new().await;
    world.panel.add_server("Empty");
    let ran = panel(&world, &["backups"]).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "No backup is on the panel (1 server looked at).\n")
    );
    let ran = panel(&world, &["backups", "--server", "nowhere"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
}
