//! How much at once, how fast, how long.

use std::time::Duration;
use std::time::Instant;

use super::all;
use super::both;
use super::mirror_json;
use super::states;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::world::World;

/// Waits until so many downloads run at once.
async fn until_downloads(world: &World, at_once: u64) {
    let began = Instant::now();
    while world.panel.most_downloads_at_once() < at_once {
        assert!(began.elapsed() < Duration::from_secs(30), "never {at_once}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn after_max_duration_nothing_new_is_begun_and_the_next_run_goes_on() {
    // Longer than the first download may take to begin.
    const MAX_DURATION: Duration = Duration::from_secs(8);
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    let new = world.panel.add_backup(server, "new", Archive::small(2));
    world
        .panel
        .on_download(new, Fault::HoldAfter { bytes: 100 });
    let words = ["--max-duration", "8s", "--transfers", "1"];
    let ((ran, document), ()) = tokio::join!(mirror_json(&world, &words), async {
        until_downloads(&world, 1).await;
        tokio::time::sleep(MAX_DURATION).await;
        world.panel.let_go();
    });
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    assert_eq!(document["outcome"], "partial");
    // What ran was finished.
    assert_eq!(world.visible(), both(server, new));
    let said: Vec<String> = states(&document)
        .into_iter()
        .map(|state| state.rsplit(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(said, ["mirrored", "not_reached"]);
    let next = world.mirror(&[]).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert_eq!(world.visible(), all(&[(server, old), (server, new)]));
}

#[tokio::test]
async fn a_limit_that_is_not_reached_changes_nothing() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let ran = world.mirror(&["--max-duration", "1h"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.visible(), both(server, backup));
}

#[tokio::test]
async fn as_many_transfers_run_at_once_as_asked_for() {
    for transfers in [1, 3] {
        let (world, server, _) = World::with_backup(Archive::of_about(0, 100 << 10)).await;
        for seed in 1..6 {
            world
                .panel
                .add_backup(server, "nightly", Archive::of_about(seed, 100 << 10));
        }
        let held = Fault::All(vec![
            Fault::HoldAfter { bytes: 100 },
            Fault::Drip {
                bytes_per_second: 1 << 20,
            },
        ]);
        world.panel.on(Call::Downloads, Times::Forever, held);
        let asked = transfers.to_string();
        let words = ["--transfers", &asked];
        let (ran, ()) = tokio::join!(world.mirror(&words), async {
            until_downloads(&world, transfers).await;
            world.panel.let_go();
        });
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(world.panel.most_downloads_at_once(), transfers);
    }
}

#[tokio::test]
async fn the_download_rate_is_limited_over_all_transfers() {
    let (world, server, _) = World::with_backup(Archive::of_about(1, 2 << 20)).await;
    world
        .panel
        .add_backup(server, "second", Archive::of_about(2, 2 << 20));
    let began = Instant::now();
    let ran = world.mirror(&["--limit-rate", "2MiB"]).await;
    let took = began.elapsed();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // 4 MiB at 2 MiB a second, of which the first second may come at once.
    assert!(took >= Duration::from_millis(900), "{took:?}");
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[tokio::test]
async fn a_run_waits_for_the_lock_as_long_as_it_is_told_to() {
    let (world, server, backup) = World::with_backup(Archive::of_about(1, 200 << 10)).await;
    world
        .panel
        .on_download(backup, Fault::HoldAfter { bytes: 100 });
    let first = world.start(&world.mirror_args(&[]));
    until_downloads(&world, 1).await;
    let at_once = world.mirror(&[]).await;
    assert_eq!(at_once.code, Some(11), "{}", at_once.stderr);
    let words = ["--retry-lock", "10m", "--json"];
    let (patient, ()) = tokio::join!(world.mirror(&words), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.panel.let_go();
    });
    let first = first.wait_with_output().await.unwrap();
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(patient.code, Some(0), "{}", patient.stderr);
    assert_eq!(patient.json()["counts"]["already_held"], 1);
    assert_eq!(world.visible(), both(server, backup));
    assert_eq!(world.panel.downloads_started(), 1);
}
