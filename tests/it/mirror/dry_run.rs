//! `--dry-run`: the plan, and nothing else.

use serde_json::Value;

use super::both;
use super::mirror_json;
use super::states;
use super::text;
use crate::support::archive::Archive;
use crate::support::world::World;

#[tokio::test]
async fn nothing_at_all_is_changed_and_the_plan_is_printed() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let ran = world.mirror(&["--dry-run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
    assert_eq!(world.files().into_keys().collect::<Vec<_>>(), [""; 0]);
    assert!(!world.offsite().exists(), "the destination was made");
    assert_eq!(world.panel.links_given(), 0);
    assert!(ran.stdout.contains("would mirror"), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains(&format!("Survival / nightly  {backup}")),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("Nothing was changed"), "{}", ran.stdout);
    let real = world.mirror(&[]).await;
    assert_eq!(real.code, Some(0), "{}", real.stderr);
    assert_eq!(world.visible(), both(server, backup));
}

#[tokio::test]
async fn its_document_says_what_would_be_mirrored() {
    let archive = Archive::small(1);
    let (world, _, _) = World::with_backup(archive.clone()).await;
    let (ran, document) = mirror_json(&world, &["--dry-run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["run"], Value::Null);
    assert_eq!(
        states(&document),
        [format!("{} would_mirror", text(&world.offsite()))]
    );
    assert_eq!(document["bytes"]["downloaded"], 0);
    assert_eq!(document["backups"][0]["bytes"], archive.len());
}

#[tokio::test]
async fn after_a_real_run_the_plan_holds_only_what_is_new() {
    let (world, server, held) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let new = world.panel.add_backup(server, "new", Archive::small(2));
    let before = world.files();
    let before_bytes = world.panel.bytes_served();
    let ran = world.mirror(&["--dry-run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(&new.to_string()), "{}", ran.stdout);
    assert!(!ran.stdout.contains(&held.to_string()), "{}", ran.stdout);
    assert!(ran.stdout.contains("Already held"), "{}", ran.stdout);
    assert_eq!(world.panel.bytes_served(), before_bytes);
    let mut after = world.files();
    // SQLite's own, while a ledger is read; nothing is in them.
    let log = after.remove("ledger.sqlite3-wal");
    assert!(log.unwrap_or_default().is_empty());
    after.remove("ledger.sqlite3-shm");
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(after == before, "a dry run wrote into a file");
}

#[tokio::test]
async fn without_a_ledger_the_copies_at_the_destination_are_seen_all_the_same() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    std::fs::remove_file(world.ledger()).unwrap();
    let (ran, document) = mirror_json(&world, &["--dry-run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["already_held"], 1);
    assert!(!world.ledger().exists());
}

#[tokio::test]
async fn it_neither_takes_nor_waits_for_the_lock() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let lock = std::fs::File::options()
        .write(true)
        .open(world.path("ledger.sqlite3.lock"))
        .unwrap();
    lock.lock().unwrap();
    let ran = world.mirror(&["--dry-run"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[tokio::test]
async fn what_could_not_be_done_is_told_in_a_dry_run_too() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.set_checksum(backup, "sha1:short");
    let ran = world.mirror(&["--dry-run"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("checksum is malformed"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.files().into_keys().collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn a_configured_folder_that_is_not_there_fails_a_dry_run() {
    let mut world = World::new().await;
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"disk\"\nurl = \"mount\"\n",
        world.panel.url()
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let ran = world.run(&["mirror", "--dry-run"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("destination disk") && ran.stderr.contains("does not exist"),
        "{}",
        ran.stderr
    );
}
