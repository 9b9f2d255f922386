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

#[tokio::test]
async fn after_max_duration_nothing_new_is_begun_and_the_next_run_goes_on() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    let new = world
        .panel
        .add_backup(server, "new", Archive::of_about(2, 256 << 10));
    world.panel.on_download(
        new,
        Fault::Drip {
            bytes_per_second: 150 << 10,
        },
    );
    let (ran, document) = mirror_json(&world, &["--max-duration", "1s", "--transfers", "1"]).await;
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
        world.panel.on(
            Call::Downloads,
            Times::Forever,
            Fault::Drip {
                bytes_per_second: 1 << 20,
            },
        );
        let ran = world.mirror(&["--transfers", &transfers.to_string()]).await;
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
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn a_run_waits_for_the_lock_as_long_as_it_is_told_to() {
    let (world, server, backup) = World::with_backup(Archive::of_about(1, 200 << 10)).await;
    world.panel.on_download(
        backup,
        Fault::Drip {
            bytes_per_second: 200 << 10,
        },
    );
    let first = world.start(&world.mirror_args(&[]));
    while world.panel.downloads_started() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let at_once = world.mirror(&[]).await;
    assert_eq!(at_once.code, Some(11), "{}", at_once.stderr);
    let patient = world.mirror(&["--retry-lock", "1m", "--json"]).await;
    let first = first.wait_with_output().await.unwrap();
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(patient.code, Some(0), "{}", patient.stderr);
    assert_eq!(patient.json()["counts"]["already_held"], 1);
    assert_eq!(world.visible(), both(server, backup));
    assert_eq!(world.panel.downloads_started(), 1);
}
