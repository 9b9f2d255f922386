//! `kill -9` in the middle of `verify` and of `verify --repair`, then again.

use std::time::Duration;

use nestegg::exit::Exit;
use tokio::process::Child;

use super::Kept;
use super::findings;
use super::flip;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Lets a child run for a while, then kills it wherever it is.
async fn kill_after(mut child: Child, moment: Duration) {
    if tokio::time::timeout(moment, child.wait()).await.is_err() {
        child.start_kill().unwrap();
        child.wait().await.unwrap();
    }
}

/// Kills runs at growing moments; between them the ledger claims nothing that is not there.
async fn killed(kept: &Kept, words: &[&str], moments: u64, step: Duration) {
    for moment in 1..=moments {
        let child = kept.world.start(&kept.arguments(words));
        kill_after(child, step * u32::try_from(moment).unwrap()).await;
        for copy in kept.claimed() {
            let root = &kept.roots[copy.destination.as_str()];
            assert!(
                root.read(&copy.key.to_string()).await.is_some(),
                "{moment}: {copy:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_verify_loses_nothing_and_the_next_goes_on() {
    let kept = Kept::on_disk(12).await;
    kept.edit("disk", &kept.archive(3), |bytes| flip(bytes, 9))
        .await;
    killed(
        &kept,
        &["verify", "--transfers", "1"],
        12,
        Duration::from_millis(12),
    )
    .await;
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Integrity);
    let found = findings(&kept, &report);
    assert_eq!(
        found.iter().filter(|words| *words == "sound sound").count(),
        11
    );
    assert_eq!(found[3], "altered sound");
    let (_, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Done);
    kept.assert_restored("disk").await;
}

async fn killed_repairs(kept: Kept, step: Duration) {
    for number in 0..kept.backups.len() {
        kept.edit("disk", &kept.archive(number), |bytes| {
            flip(bytes, 9 + number)
        })
        .await;
        if number % 2 == 0 {
            kept.roots["disk"].remove(&kept.sidecar(number)).await;
        }
    }
    killed(&kept, &["verify", "--repair", "--transfers", "1"], 10, step).await;
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    let (after, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Done, "{:?}", after.errors);
    assert_eq!(kept.claimed().len(), kept.backups.len() * kept.roots.len());
    for place in ["disk", "other"] {
        kept.assert_restored(place).await;
        assert_eq!(kept.roots[place].open_uploads().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_repairs_into_a_directory_are_made_up_for() {
    killed_repairs(Kept::on_two_disks(8).await, Duration::from_millis(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_repairs_into_a_bucket_are_made_up_for() {
    let world = World::new().await;
    std::fs::create_dir(world.path("other")).unwrap();
    let other = Root::folder(&world.path("other"));
    let bucket = SeaweedFs::shared().root("verify/killed");
    let kept = Kept::at(world, [("disk", bucket), ("other", other)], 8).await;
    killed_repairs(kept, Duration::from_millis(30)).await;
}
