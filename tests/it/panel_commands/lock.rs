//! `panel lock` and `panel unlock`.

use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::model::backup::LockState;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::report::json::panel::LOCK_SCHEMA;
use nestegg::report::panel::LockOutcome;
use serde_json::json;

use super::DIALECTS;
use super::changes;
use super::kinds;
use super::messages;
use super::panel;
use super::panel_json;
use super::plain;
use super::quick;
use super::quick_lock;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Locks;
use crate::support::fake_panel::Stage;
use crate::support::fake_panel::Times;
use crate::support::world::World;

const NOBODYS: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

async fn one() -> (World, ServerId, BackupId) {
    World::with_backup(Archive::small(1)).await
}

fn is_locked(world: &World, backup: BackupId) -> bool {
    world.panel.backup(backup).unwrap().is_locked
}

#[tokio::test]
async fn a_backup_is_locked_and_unlocked_and_what_is_so_already_is_left_alone_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, _, backup) = one().await;
        world.panel.set_dialect(dialect);
        let id = backup.to_string();
        for (verb, said, posts, locked) in [
            ("lock", "locked", 1, true),
            ("lock", "already locked", 0, true),
            ("unlock", "unlocked", 1, false),
            ("unlock", "already unlocked", 0, false),
        ] {
            world.panel.forget_requests();
            let ran = panel(&world, &[verb, &id]).await;
            assert_eq!(
                (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
                (
                    Some(0),
                    format!("{said}: {id} nightly of Survival\n").as_str(),
                    ""
                ),
                "{dialect:?} {verb}"
            );
            assert_eq!(changes(&world).len(), posts, "{dialect:?} {verb}");
            assert_eq!(is_locked(&world, backup), locked, "{dialect:?} {verb}");
        }
    }
}

#[tokio::test]
async fn the_ledger_tells_where_a_backup_is_and_no_list_is_asked_for() {
    let (world, server, backup) = one().await;
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    world.panel.add_server("Another");
    world.panel.forget_requests();
    let (report, exit) = quick_lock(&world, &["lock", &backup.to_string()]).await;
    assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
    let paths: Vec<String> = world
        .panel
        .requests()
        .iter()
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    let row = format!("/api/client/servers/{server}/backups/{backup}");
    assert_eq!(
        paths,
        [
            format!("GET {row}"),
            format!("GET {row}"),
            format!("POST {row}/lock")
        ]
    );
}

#[tokio::test]
async fn without_a_ledger_the_servers_are_asked_one_by_one() {
    let (world, server, backup) = one().await;
    for number in 0..3 {
        let other = world.panel.add_server(&format!("Another {number}"));
        world.panel.add_backup(other, "x", Archive::small(number));
    }
    let (ran, document) = panel_json(&world, LOCK_SCHEMA, &["lock", &backup.to_string()]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        document["backups"],
        json!([{"panel": document["backups"][0]["panel"], "server": server, "server_name": "Survival",
            "backup": backup, "name": "nightly", "outcome": "changed", "is": "locked"}])
    );
}

#[tokio::test]
async fn a_backup_is_looked_for_only_on_the_servers_that_are_named() {
    let (world, _, backup) = one().await;
    world.panel.add_server("Another");
    let id = backup.to_string();
    let ran = panel(&world, &["lock", "--server", "Another", &id]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(
        ran.stderr
            .contains("no server that was looked at has this backup"),
        "{}",
        ran.stderr
    );
    assert!(!is_locked(&world, backup));
    let ran = panel(&world, &["lock", "--server", "Surv*", &id]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[tokio::test]
async fn an_unknown_backup_does_not_keep_others_from_being_locked() {
    let (world, _, backup) = one().await;
    let ran = panel(&world, &["lock", NOBODYS, &backup.to_string()]).await;
    assert_eq!(ran.code, Some(3));
    plain().bind(|| {
        insta::assert_snapshot!(ran.stdout, @"locked: [uuid] nightly of Survival");
        insta::assert_snapshot!(ran.stderr, @r"
        error: backup [uuid]: no server that was looked at has this backup
          hint: it may be deleted or rotated away, or on a server that the key does not see: `nestegg panel backups` lists those that there are
        ");
    });
    assert!(is_locked(&world, backup));
    let ran = panel(&world, &["lock", NOBODYS]).await;
    assert_eq!(ran.code, Some(2));
    let ran = panel(&world, &["lock", "nightly"]).await;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("`nightly` is not a uuid"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_server_that_can_not_be_looked_at_may_have_the_backup() {
    let (world, server, backup) = one().await;
    world.panel.set_condition(server, Condition::Suspended);
    let (ran, document) = panel_json(&world, LOCK_SCHEMA, &["lock", &backup.to_string()]).await;
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        kinds(&document),
        [
            ("server".to_owned(), "server_state".to_owned()),
            ("backup".to_owned(), "not_found".to_owned())
        ]
    );
    assert!(
        ran.stderr
            .contains("the servers that could be looked at don't have this backup")
    );
}

#[tokio::test]
async fn running_and_failed_backups_can_be_locked_too() {
    let (world, server, backup) = one().await;
    let running = world.panel.add_backup(server, "running", Archive::small(2));
    world
        .panel
        .edit(running, |row| row.stage = Stage::InProgress);
    world.panel.edit(backup, BackupRow::fail);
    let words = ["lock", &backup.to_string(), &running.to_string()];
    let (report, exit) = quick_lock(&world, &words).await;
    assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
    assert!(is_locked(&world, backup) && is_locked(&world, running));
}

#[tokio::test]
async fn a_panel_whose_lock_is_no_toggle_is_unlocked_by_its_own_route() {
    let (world, _, backup) = one().await;
    world.panel.set_dialect(Dialect::Documented);
    world.panel.set_locks(Locks::On);
    let id = backup.to_string();
    assert_eq!(quick_lock(&world, &["lock", &id]).await.1.code(), 0);
    world.panel.forget_requests();
    let (report, exit) = quick_lock(&world, &["unlock", &id]).await;
    assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
    assert_eq!(
        changes(&world),
        [format!("POST /{id}/lock"), format!("POST /{id}/unlock")]
    );
    assert!(!is_locked(&world, backup));
}

#[tokio::test]
async fn a_lock_that_never_changes_is_told_and_not_asked_for_again() {
    for dialect in DIALECTS {
        for (verb, before, posts) in [("lock", false, 1), ("unlock", true, 2)] {
            let (world, _, backup) = one().await;
            world.panel.set_dialect(dialect);
            world.panel.edit(backup, |row| row.is_locked = before);
            world.panel.set_locks(Locks::Stuck);
            let (report, exit) = quick_lock(&world, &[verb, &backup.to_string()]).await;
            // The documented panel has `unlock` besides, which does work there.
            if dialect == Dialect::Documented && verb == "unlock" {
                assert_eq!(exit.code(), 0);
                continue;
            }
            assert_eq!(exit.code(), 1, "{dialect:?} {verb}");
            let still = if before { "locked" } else { "unlocked" };
            assert!(
                messages(&report.errors)[0].ends_with(&format!(
                    "the panel answered, and the backup is still {still}"
                )),
                "{report:?}"
            );
            let is = if before {
                LockState::Locked
            } else {
                LockState::Unlocked
            };
            assert_eq!(
                (report.backups[0].outcome, report.backups[0].is),
                (LockOutcome::Failed, Some(is))
            );
            assert_eq!(changes(&world).len(), posts, "{dialect:?} {verb}");
        }
    }
}

#[tokio::test]
async fn somebody_who_toggles_at_the_same_moment_is_told_of() {
    let (world, _, backup) = one().await;
    // Between our look at the state and our wish.
    world.panel.before(Call::Backup(backup), move |script| {
        script.before(Call::Backup(backup), move |script| {
            script.edit(backup, |row| row.is_locked = true);
        });
    });
    let ran = panel(&world, &["lock", &backup.to_string()]).await;
    assert_eq!(ran.code, Some(1));
    plain().bind(|| {
        insta::assert_snapshot!(ran.stderr, @r"
        error: backup [uuid]: could not lock or unlock backup [uuid]: the panel answered, and the backup is still unlocked
          hint: somebody may have changed it at the same moment: look in the panel, and run again
        ");
    });
    assert!(!is_locked(&world, backup));
}

#[tokio::test]
async fn an_answer_that_is_lost_or_about_another_backup_is_made_up_for_by_a_look() {
    let (world, server, backup) = one().await;
    let other = world.panel.add_backup(server, "other", Archive::small(2));
    let row = json!({"object": "backup", "attributes": {"uuid": other, "name": "other", "is_locked": true,
        "is_successful": true, "checksum": null, "bytes": 3, "ignored_files": [],
        "created_at": "2026-11-22T02:54:56+00:00", "completed_at": "2026-11-22T02:55:56+00:00"}});
    for (fault, locked) in [
        (Fault::CutAfter { bytes: 10 }, true),
        (Fault::FlipByte { at: 0 }, true),
        (Fault::Says(row.to_string()), false),
        (Fault::Html, false),
        (Fault::BadGateway, false),
        (Fault::Says("{}".to_owned()), false),
    ] {
        world.panel.edit(backup, |row| row.is_locked = false);
        world.panel.forget_requests();
        // The look before is answered as it should be; the wish is not.
        world
            .panel
            .on(Call::Backup(backup), Times::Next(1), Fault::NoLength);
        world
            .panel
            .on(Call::Backup(backup), Times::Next(1), fault.clone());
        let (report, exit) = quick_lock(&world, &["lock", &backup.to_string()]).await;
        assert_eq!(exit.code() == 0, locked, "{fault:?} {report:?}");
        assert_eq!(is_locked(&world, backup), locked, "{fault:?}");
        assert_eq!(changes(&world).len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_may_not_is_told_which_permission_it_lacks() {
    let (world, server, backup) = one().await;
    world.panel.edit_server(server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned()]);
    });
    let ran = panel(&world, &["lock", &backup.to_string()]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(
        ran.stderr
            .contains("the permission `backup.delete` is missing"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("  hint: give the key's user"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_lock_of_a_running_mirror_is_not_taken_for_the_operators() {
    let (world, _, backup) = one().await;
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    ledger
        .execute(
            "INSERT INTO protections (backup_id, run_id, locked_at)
             SELECT b.id, r.id, 0 FROM backups b, runs r",
            [],
        )
        .unwrap();
    world.panel.edit(backup, |row| row.is_locked = true);
    let (report, exit) = quick_lock(&world, &["lock", &backup.to_string()]).await;
    assert_eq!(exit.code(), 1);
    assert!(
        messages(&report.errors)[0].contains("only while a run of mirror copies it"),
        "{report:?}"
    );
    assert_eq!(report.backups[0].is, Some(LockState::Locked));
}

#[tokio::test]
async fn told_to_stop_it_changes_nothing_more() {
    let (world, _, backup) = one().await;
    let env = Env::new(Clock::System);
    env.stop(StopSignal::Interrupt);
    let (settings, parts) = quick(&world, &["lock", &backup.to_string()], env);
    let Some(nestegg::config::settings::panel::PanelTask::SetLock(task)) = &settings.panel_task
    else {
        panic!("no lock")
    };
    let (report, exit) = super::locked_by(&settings, &parts, task).await;
    assert_eq!(
        (exit.code(), report.backups[0].outcome),
        (130, LockOutcome::NotReached)
    );
    assert!(!is_locked(&world, backup));
}
