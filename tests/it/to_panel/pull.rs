//! By the node itself, from a presigned URL of a real store.

use std::time::Duration;

use nestegg::exit::Exit;
use nestegg::report::restore::RestoreReport;

use super::Scene;
use super::members_of;
use super::notes;
use crate::restore::fates;
use crate::support::archive::Archive;
use crate::support::fake_panel::HostRules;
use crate::support::fake_panel::Pulls;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::SOON;
use crate::support::world::quick_tuning;

async fn pulled_from(root: &Root) -> (Scene, RestoreReport, Exit) {
    let scene = Scene::at(root, Archive::of_about(1, 3 << 20)).await;
    scene.running();
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.pulls = Pulls::FromAnywhere);
    let (report, exit) = scene.restore(&["--yes", "--via", "pull"]).await;
    (scene, report, exit)
}

async fn is_restored_by_a_pull_from(root: Root) {
    let (scene, report, exit) = pulled_from(&root).await;
    assert_eq!(
        exit,
        Exit::Done,
        "{report:?} {:?}",
        scene.world.panel.node_log()
    );
    assert_eq!(
        scene.deeds(),
        [
            "write A.ran",
            "stop",
            "pull A",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        notes(&report),
        "the node fetched the archive itself: its length was checked, its digest was not"
    );
    assert_eq!(fates(&report), [("store".to_owned(), "fetched")]);
    assert_eq!(report.backups[0].sha256, None);
}

#[tokio::test]
async fn the_node_fetches_from_a_bucket() {
    is_restored_by_a_pull_from(SeaweedFs::shared().root("to panel/pull")).await;
}

#[tokio::test]
async fn the_node_fetches_from_azure() {
    is_restored_by_a_pull_from(Azurite::shared().root("to-panel/pull")).await;
}

#[tokio::test]
async fn a_store_whose_credentials_can_t_sign_is_no_hindrance() {
    let scene = Scene::at(&Gcs::shared().root("to panel/pull"), Archive::small(6)).await;
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
    assert!(
        notes(&report).starts_with("not by pull: its store can't give out a URL"),
        "{report:?}"
    );
}

/// How a pull that is named fails, under these rules.
async fn refused(rules: impl FnOnce(&mut HostRules)) -> (String, Vec<String>) {
    let root = SeaweedFs::shared().root("to panel/refused");
    let scene = Scene::at(&root, Archive::small(2)).await;
    let scene = scene.tuned(|waits| waits.arrival_stall = SOON);
    scene.world.panel.edit_host_rules(rules);
    let (exit, message, _) = scene.fails(&["--yes", "--via", "pull"]).await;
    assert_eq!(exit, Exit::Failed, "{message}");
    (message, scene.world.panel.node_log())
}

#[tokio::test]
async fn a_node_that_fetches_from_no_private_address_says_so_in_its_log_alone() {
    let (message, node_log) = refused(|_rules| {}).await;
    assert_eq!(
        message,
        "the node fetched 0 bytes of the archive, and nothing more for 0 s"
    );
    assert_eq!(
        node_log,
        ["destination resolves to internal network location"]
    );
}

#[tokio::test]
async fn a_node_that_may_not_fetch_is_told_so() {
    let (message, _) = refused(|rules| rules.pulls = Pulls::Disabled).await;
    assert!(
        message.contains("the node is configured not to fetch files"),
        "{message}"
    );
}

#[tokio::test]
async fn a_used_up_limit_on_pulls_is_not_waited_for() {
    let (message, _) = refused(|rules| rules.pulls_in_ten_minutes = 0).await;
    assert!(message.contains("rate limit is used up"), "{message}");
}

#[tokio::test]
async fn three_files_at_once_are_a_node_s_limit() {
    let root = SeaweedFs::shared().root("to panel/three");
    let scene = Scene::at(&root, Archive::small(3)).await;
    scene.world.panel.set_pulls_now(scene.target, 3);
    let (_, message, _) = scene.fails(&["--yes", "--via", "pull"]).await;
    assert!(
        message.contains("fetches as many files for this server as it may"),
        "{message}"
    );
}

#[tokio::test]
async fn a_store_that_nodes_would_refuse_is_not_tried_and_the_archive_is_uploaded() {
    let root = SeaweedFs::shared().root("to panel/private");
    let scene = Scene::at(&root, Archive::small(4)).await;
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(scene.deeds(), ["upload A", "decompress A", "delete A"]);
    assert!(
        notes(&report).starts_with(
            "not by pull: its store is at 127.0.0.1, and nodes fetch from public addresses only"
        ),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_pull_that_an_earlier_run_began_is_waited_for() {
    let root = SeaweedFs::shared().root("to panel/again");
    let scene = Scene::at(&root, Archive::of_about(5, 1 << 20)).await;
    scene.world.panel.edit_host_rules(|rules| {
        rules.pulls = Pulls::FromAnywhere;
        rules.pull_bytes_per_second = Some(1 << 20);
    });
    let mut args = scene.args(&["--yes", "--via", "pull"]);
    let mut child = scene.world.start(&args);
    let name = format!("nestegg-{}.tar.gz", scene.backup);
    let there = scene.world.panel.folder_of(scene.target).join(&name);
    while !there.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().await.unwrap();
    args.truncate(args.len() - 2);
    let (report, exit) = scene.world.tuned_restore(&args, quick_tuning()).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(scene.deeds(), ["pull A", "decompress A", "delete A"]);
    assert!(scene.tree() == members_of(&scene.archive));
}
