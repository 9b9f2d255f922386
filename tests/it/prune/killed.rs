//! `kill -9` in the middle of `prune --apply`, then again.

use std::time::Duration;

use nestegg::ledger::CopyFilter;

use super::Thinned;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Kills runs at growing moments, looks at what they leave, and lets the last one finish.
async fn killed(thinned: &Thinned, step: Duration) {
    let words = ["prune", "--keep-last", "3", "--apply"];
    let newest = thinned.backups.len() - 1;
    for moment in 1..=15 {
        let mut child = thinned.world.start(&thinned.arguments(&words));
        if tokio::time::timeout(step * moment, child.wait())
            .await
            .is_err()
        {
            child.start_kill().unwrap();
            child.wait().await.unwrap();
        }
        let when = format!("killed {moment} times");
        thinned.assert_sound(&when).await;
        for number in [newest - 2, newest - 1, newest] {
            assert!(thinned.held("disk").await.contains(&number), "{when}");
            assert!(thinned.claimed("disk").contains(&number), "{when}");
        }
    }
    let ran = thinned.run(&words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(thinned.roots["disk"].keys().await.len(), 6);
    assert_eq!(thinned.claimed("disk"), [newest - 2, newest - 1, newest]);
    let begun = thinned.ledger().begun_removals(&CopyFilter::default());
    assert_eq!(begun.unwrap(), []);
    thinned.assert_sound("at the end").await;
}

fn sixty_days() -> Vec<i64> {
    (1..=60).rev().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_prunes_of_a_directory_are_finished() {
    let thinned = Thinned::on_disk(&sixty_days()).await;
    killed(&thinned, Duration::from_millis(8)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_prunes_of_a_bucket_are_finished() {
    let root = SeaweedFs::shared().root("prune/killed");
    let world = World::new().await;
    let thinned = Thinned::at(world, [("disk".to_owned(), root)].into(), &sixty_days()).await;
    killed(&thinned, Duration::from_millis(12)).await;
}
