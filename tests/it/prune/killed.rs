//! `kill -9` in the middle of `prune --apply`, then again.

use std::time::Duration;

use nestegg::ledger::CopyFilter;

use super::Thinned;
use super::gate::Gate;
use super::gate::Hold;
use crate::support::servers::root::Root;
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

/// Of the removal of the oldest copy: whether its sidecar and its archive are there, and which removals
/// are begun.
async fn stand(thinned: &Thinned) -> (bool, bool, Vec<usize>) {
    let keys = thinned.roots["disk"].keys().await;
    let begun = thinned.ledger().begun_removals(&CopyFilter::default());
    let begun = begun.unwrap();
    let begun = begun.iter().map(|begun| begun.key.backup());
    (
        keys.contains(&thinned.sidecar(0)),
        keys.contains(&thinned.archive(0)),
        thinned.numbers(begun.collect()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prune_of_a_bucket_that_is_killed_between_any_two_steps_is_finished() {
    let root = SeaweedFs::shared().root("prune/steps");
    let gate = Gate::to(&root.options["endpoint"]).await;
    let root = root.with_option("endpoint", gate.endpoint());
    let world = World::new().await;
    let thinned = Thinned::at(world, [("disk".to_owned(), root)].into(), &[3, 2, 1]).await;
    let words = ["prune", "--keep-last", "1", "--apply"];
    for (hold, left) in [
        // intent | sidecar
        (Hold::Before(0), (true, true, vec![0])),
        (Hold::After(0), (false, true, vec![0])),
        // sidecar | archive
        (Hold::Before(1), (false, true, vec![0])),
        // archive | done
        (Hold::After(1), (false, false, vec![0])),
        // done | the intent of the next, and its sidecar
        (Hold::Before(2), (false, false, vec![1])),
    ] {
        gate.arm(hold);
        let mut child = thinned.world.start(&thinned.arguments(&words));
        let held = tokio::time::timeout(Duration::from_mins(2), gate.held()).await;
        assert!(held.is_ok(), "{hold:?}");
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        assert_eq!(stand(&thinned).await, left, "{hold:?}");
        thinned.assert_sound(&format!("{hold:?}")).await;
        assert!(thinned.claimed("disk").contains(&2), "{hold:?}");
    }
    let ran = thinned.run(&words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(stand(&thinned).await, (false, false, vec![]));
    assert_eq!(thinned.roots["disk"].keys().await.len(), 2);
    assert_eq!(thinned.claimed("disk"), [2]);
    assert_eq!(thinned.events(), ["prune_intended", "pruned"].repeat(2));
}

/// What kills between the steps leave, one copy each, is shown by `ledger check` and finished by one run.
async fn finished(root: Root) {
    let world = World::new().await;
    let roots = [("disk".to_owned(), root)].into();
    let thinned = Thinned::at(world, roots, &[5, 4, 3, 2, 1]).await;
    for number in 0..3 {
        thinned.intend_removal(number).await;
    }
    for gone in [thinned.sidecar(1), thinned.sidecar(2), thinned.archive(2)] {
        thinned.roots["disk"].remove(&gone).await;
    }
    thinned.assert_sound("killed").await;
    let check = thinned.run(&["ledger", "check"]).await;
    assert!(
        check.stdout.contains(&thinned.archive(1)),
        "{}",
        check.stdout
    );
    let ran = thinned
        .run(&["prune", "--keep-last", "2", "--apply", "--json"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.json()["counts"]["removed"], 3);
    assert_eq!(thinned.roots["disk"].keys().await.len(), 4);
    assert_eq!(thinned.held("disk").await, [3, 4]);
    assert_eq!(thinned.claimed("disk"), [3, 4]);
    assert_eq!(stand(&thinned).await, (false, false, vec![]));
    thinned.assert_sound("at the end").await;
}

#[tokio::test]
async fn whatever_kills_left_of_copies_in_a_directory_is_shown_and_finished() {
    let home = tempfile::tempdir().unwrap();
    finished(Root::folder(home.path())).await;
}

#[tokio::test]
async fn whatever_kills_left_of_copies_in_a_bucket_is_shown_and_finished() {
    finished(SeaweedFs::shared().root("prune/left")).await;
}
