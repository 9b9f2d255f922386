//! `--create`: a fresh backup first.

use std::time::Duration;

use serde_json::Value;

use super::all;
use super::both;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::NewBackup;
use crate::support::world::World;

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
