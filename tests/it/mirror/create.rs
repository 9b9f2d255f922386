//! `--create`: a fresh backup first.

use std::time::Duration;

use nestegg::env::Clock;
use nestegg::env::Env;
use serde_json::Value;

use super::all;
use super::both;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::NewBackup;
use crate::support::fake_panel::Stage;
use crate::support::fake_panel::Times;
use crate::support::world::SOON;
use crate::support::world::World;
use crate::support::world::quick_tuning;

#[tokio::test]
async fn a_fresh_backup_is_made_waited_for_and_mirrored() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    let fresh = Archive::small(9);
    world.panel.plan_creation(NewBackup {
        reads_in_progress: 3,
        archive: Some(fresh.clone()),
    });
    let (report, exit) = world
        .quick(&["--create=before update", "--newest", "1"])
        .await;
    assert_eq!(exit.code(), 0, "{:?}", report.errors);
    let made = *world.panel.backups_of(server).last().unwrap();
    assert_ne!(made, old);
    assert_eq!(world.panel.backup(made).unwrap().name, "before update");
    assert_eq!(world.visible(), both(server, made));
    assert_eq!(
        std::fs::read(World::archive_at(&world.offsite(), server, made)).unwrap(),
        fresh.bytes()
    );
}

#[tokio::test]
async fn what_is_there_is_mirrored_while_the_panel_makes_fresh_backups() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    let other = world.panel.add_server("Creative");
    let others = world.panel.add_backup(other, "nightly", Archive::small(2));
    world.panel.plan_creation(NewBackup {
        reads_in_progress: 1_000_000,
        archive: None,
    });
    let at_first = all(&[(server, old), (other, others)]);
    let ((report, exit), ()) = tokio::join!(world.quick(&["--create"]), async {
        let pending = loop {
            let rows = [server, other].map(|server| world.panel.backups_of(server));
            let fresh = rows.iter().flatten().copied();
            let pending = fresh
                .filter(|id| world.panel.backup(*id).unwrap().stage == Stage::InProgress)
                .collect::<Vec<_>>();
            let visible: Vec<String> = world.visible();
            if !pending.is_empty() && at_first.iter().all(|name| visible.contains(name)) {
                break pending;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        for fresh in pending {
            world
                .panel
                .edit(fresh, |row| row.complete(Archive::small(9)));
        }
    });
    assert_eq!(exit.code(), 0, "{:?}", report.errors);
    let [last, of_other] = [server, other].map(|server| world.panel.backups_of(server)[1]);
    assert_eq!(
        world.visible(),
        all(&[
            (server, old),
            (server, last),
            (other, others),
            (other, of_other)
        ])
    );
    assert_eq!((report.backups_seen, report.backups.len()), (4, 4));
    assert_eq!(report.skipped, []);
}

#[tokio::test]
async fn when_the_panel_makes_none_the_newest_is_one_that_is_there() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let newer = world.panel.add_backup(server, "newer", Archive::small(2));
    world.panel.edit_server(server, |row| row.backup_limit = 2);
    let (report, exit) = world.quick(&["--create", "--newest", "1"]).await;
    assert_eq!(exit.code(), 3, "{:?}", report.errors);
    assert_eq!(world.visible(), both(server, newer));
    assert_eq!((report.backups_seen, report.backups.len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_time_is_up_no_backup_is_asked_for_and_no_server_is_looked_at_again() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.before(Call::BackupsOf(server), |_| {
        std::thread::sleep(Duration::from_millis(1100));
    });
    let ran = world.mirror(&["--create", "--max-duration", "1s"]).await;
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    let lists = world.panel.requests();
    let lists = lists.iter().filter(|one| one.path.ends_with("/backups"));
    assert!(lists.count() <= 1);
    assert_eq!(world.panel.backups_of(server).len(), 1);
}

#[tokio::test]
async fn machines_that_share_the_work_do_not_each_have_a_backup_made() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let ran = world.mirror(&["--create", "--shard", "1/2"]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--shard"), "{}", ran.stderr);
    assert_eq!(world.panel.backups_of(server).len(), 1);
}

#[tokio::test]
async fn without_a_name_the_panel_makes_one_up() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    let (report, exit) = world.quick(&["--create"]).await;
    assert_eq!(exit.code(), 0, "{:?}", report.errors);
    let made = *world.panel.backups_of(server).last().unwrap();
    let name = world.panel.backup(made).unwrap().name;
    assert!(name.starts_with("Backup at "), "{name}");
    assert_eq!(world.visible(), all(&[(server, old), (server, made)]));
    assert_eq!(world.panel.backups_of(server).len(), 2);
}

#[tokio::test]
async fn a_creation_that_fails_is_told_and_the_backups_that_are_there_are_mirrored() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(NewBackup {
        reads_in_progress: 1,
        archive: None,
    });
    let (report, exit) = world.quick(&["--create"]).await;
    assert_eq!(exit.code(), 3);
    let told: Vec<&str> = report
        .errors
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        told,
        ["the fresh backup that the panel was asked for failed"]
    );
    assert_eq!(world.visible(), both(server, old));
}

#[tokio::test]
async fn a_reached_backup_limit_is_told_and_the_backups_that_are_there_are_mirrored() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| row.backup_limit = 1);
    let ran = world.mirror(&["--create"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("has reached its limit of backups")
            && ran.stderr.contains("raise the server's backup limit"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.visible(), both(server, old));
}

#[tokio::test]
async fn the_panels_limit_on_new_backups_is_told_with_its_wait() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    world.panel.set_create_throttle(1, Duration::from_hours(1));
    let (report, exit) = world.quick(&["--create"]).await;
    assert_eq!(exit.code(), 0, "{:?}", report.errors);
    let first = *world.panel.backups_of(server).last().unwrap();
    let ran = world.mirror(&["--create"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("limits how often a server is backed up"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.visible(), all(&[(server, old), (server, first)]));
}

#[tokio::test]
async fn a_key_that_may_not_create_is_told_which_permission_it_lacks() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned(), "backup.download".to_owned()]);
    });
    let ran = world.mirror(&["--create"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("backup.create"), "{}", ran.stderr);
    assert_eq!(world.visible(), both(server, old));
}

#[tokio::test]
async fn a_dry_run_asks_for_no_backup() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let ran = world.mirror(&["--create", "--dry-run", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.backups_of(server).len(), 1);
    assert_eq!(ran.json()["run"], Value::Null);
    let posts = world.panel.requests();
    assert!(posts.iter().all(|request| request.method == "GET"));
}

/// The one failure of a run with `--create`, as its kind, message and hint; what was there before is mirrored.
async fn refused(world: &World) -> (String, String, String) {
    let (report, exit) = world.quick(&["--create"]).await;
    assert_eq!(exit.code(), 3, "{:?}", report.errors);
    assert_eq!(report.backups.len(), 1);
    let [failure] = &report.errors[..] else {
        panic!("{:?}", report.errors)
    };
    (
        failure.kind.as_str().to_owned(),
        failure.message.clone(),
        failure.hint.clone(),
    )
}

#[tokio::test]
async fn a_server_without_a_free_slot_is_told_how_to_get_one() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| row.backup_limit = 1);
    let (kind, message, hint) = refused(&world).await;
    assert_eq!(kind, "policy");
    assert_eq!(
        message,
        format!(
            "could not have a backup of server {server} made: the server has reached its limit of backups"
        )
    );
    assert_eq!(
        hint,
        "raise the server's backup limit, or delete a backup that is mirrored; those that are there are mirrored all the same"
    );
}

#[tokio::test]
async fn a_throttled_creation_is_told_with_the_time_to_wait() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.set_create_throttle(0, Duration::from_mins(10));
    let (kind, message, hint) = refused(&world).await;
    assert_eq!(kind, "rate_limited");
    assert!(
        message.starts_with(&format!(
            "could not have a backup of server {server} made: the panel limits how often a server is backed up"
        )),
        "{message}"
    );
    assert!(
        hint.starts_with("run it again ")
            && hint.ends_with("; the backups that are there are mirrored all the same"),
        "{hint}"
    );
}

#[tokio::test]
async fn a_node_that_is_down_is_told_as_such() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    assert_eq!(world.quick(&[]).await.1.code(), 0);
    world.panel.stop_node().await;
    let (kind, message, hint) = refused(&world).await;
    assert_eq!(kind, "unreachable");
    assert_eq!(
        message,
        format!(
            "could not have a backup of server {server} made: the panel could not get it done by the server's node (HTTP 504)"
        )
    );
    assert_eq!(
        hint,
        "check that the server's node is up and that the panel reaches it; the panel shows whether it makes the backup all \
         the same, and the next run takes it when it is completed"
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_open_whether_the_backup_is_made_and_it_is_not_asked_for_twice()
 {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .on(Call::Create(server), Times::Next(1), Fault::ClosedAfter);
    let (report, exit) = world.quick(&["--create"]).await;
    assert_eq!(exit.code(), 3, "{:?}", report.errors);
    assert_eq!(
        report.errors[0].hint,
        "the panel is slow or the network between is bad: run again; the panel shows whether it makes the backup all the \
         same, and the next run takes it when it is completed"
    );
    assert_eq!(world.panel.backups_of(server).len(), 2);
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit.code(), 0, "{:?}", report.errors);
    assert_eq!(world.visible().len(), 4);
}

#[tokio::test]
async fn a_fresh_backup_that_is_deleted_while_it_is_made_is_told_as_vanished() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(NewBackup {
        reads_in_progress: 100,
        archive: None,
    });
    world.panel.before_each(move |script, request| {
        if let Some(fresh) = script.backups_of(server).get(1).copied()
            && request.path.ends_with(&fresh.to_string())
        {
            script.delete_backup(fresh);
        }
    });
    let (kind, message, _) = refused(&world).await;
    assert_eq!(kind, "not_found");
    assert!(
        message.ends_with("vanished while the panel made it: its rotation or somebody deleted it"),
        "{message}"
    );
}

#[tokio::test]
async fn a_panel_that_stays_away_while_it_makes_a_backup_is_not_waited_for_without_end() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(NewBackup {
        reads_in_progress: 1_000_000,
        archive: None,
    });
    world.panel.before_each(move |script, request| {
        if let Some(fresh) = script.backups_of(server).get(1).copied()
            && request.path.ends_with(&fresh.to_string())
        {
            script.on(Call::Backup(fresh), Times::Next(1), Fault::BadGateway);
        }
    });
    let env = Env::new(Clock::System);
    let mut tuning = quick_tuning();
    tuning.create_silence = SOON;
    let (report, exit) = world.tuned(&["--create"], tuning, env).await;
    assert_eq!(exit.code(), 3, "{:?}", report.errors);
    assert_eq!(report.backups.len(), 1);
    let [failure] = &report.errors[..] else {
        panic!("{:?}", report.errors)
    };
    assert_eq!(failure.kind.as_str(), "unreachable");
    assert!(
        failure.hint.ends_with(
            "; the panel goes on making the backup, and the next run takes it when it is completed"
        ),
        "{failure:?}"
    );
}
