//! Mirroring from the fake panel to real stores.

mod content;
mod create;
mod destinations;
mod documents;
mod dry_run;
mod files;
mod limits;
mod nightly;
mod s3;
mod selection;

use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;

use crate::support::archive::Archive;
use crate::support::world::Ran;
use crate::support::world::World;

/// What one run with `--json` left: its exit code, and its document.
async fn mirror_json(world: &World, more: &[&str]) -> (Ran, Value) {
    let mut args = vec!["--json"];
    args.extend(more);
    let ran = world.mirror(&args).await;
    let document = ran.json();
    assert_eq!(
        document["exit_code"].as_i64(),
        ran.code.map(i64::from),
        "{}",
        ran.stderr
    );
    (ran, document)
}

/// What one backup left at a local destination, sorted.
fn both(server: ServerId, backup: BackupId) -> [String; 2] {
    [
        format!("{server}/{backup}.json"),
        format!("{server}/{backup}.tar.gz"),
    ]
}

/// What these backups left at a local destination.
fn all(backups: &[(ServerId, BackupId)]) -> Vec<String> {
    let mut names: Vec<String> = backups
        .iter()
        .flat_map(|(server, backup)| both(*server, *backup))
        .collect();
    names.sort();
    names
}

/// The state of every copy in a document, as `destination state`, sorted.
fn states(document: &Value) -> Vec<String> {
    let mut states: Vec<String> = document["backups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|backup| backup["copies"].as_array().unwrap())
        .map(|copy| {
            format!(
                "{} {}",
                copy["destination"].as_str().unwrap(),
                copy["state"].as_str().unwrap()
            )
        })
        .collect();
    states.sort();
    states
}

/// A path as an argument.
fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_completed_backup_is_mirrored_verified_and_described() {
    let archive = Archive::small(1);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    let ran = world.mirror(&["--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let copy = World::archive_at(&world.offsite(), server, backup);
    assert_eq!(std::fs::read(copy).unwrap(), archive.bytes());
    assert_eq!(world.visible(), both(server, backup));
    let document = ran.json();
    assert_eq!(document["counts"]["mirrored"], 1);
    assert_eq!(document["backups"][0]["sha256"], archive.sha256());
    assert_eq!(document["backups"][0]["copies"][0]["verdict"], "panel-sha1");
    assert_eq!(world.panel.leaks(), []);
}

#[tokio::test]
async fn a_second_run_downloads_nothing() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let served = world.panel.bytes_served();
    let again = world.mirror(&["--json"]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(world.panel.bytes_served(), served);
    assert_eq!(again.json()["counts"]["already_held"], 1);
}
