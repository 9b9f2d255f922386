//! Every effect on a store goes wrong, in every way that it can: what is visible and what is
//! recorded stay true, and the next run finishes the work.

use std::collections::BTreeSet;

use nestegg::exit::Exit;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;

use crate::crash::scene::Ended;
use crate::crash::scene::PART_BYTES;
use crate::crash::scene::Scene;
use crate::crash::scene::Until;
use crate::crash::scene::everything;
use crate::support::archive::Archive;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::Break;
use crate::support::faulty_store::FaultyStore;

/// One archive of several parts, and one that is stored by a single request.
async fn scene(stores: usize) -> Scene {
    let mut scene = Scene::new(stores).await;
    let server = scene.panel.add_server("Survival");
    let (long, short) = (
        Archive::of_about(1, 3 * PART_BYTES),
        Archive::of_about(2, 1),
    );
    assert!(long.len() > 3 * PART_BYTES && short.len() <= PART_BYTES);
    scene.add_backup(server, long);
    scene.add_backup(server, short);
    scene
}

/// How many effects a run has on each store when nothing goes wrong.
async fn effects_of_a_run(scene: &Scene) -> Vec<u64> {
    let calm = scene.afresh();
    finish(&calm, "without trouble").await;
    calm.stores.iter().map(FaultyStore::effects).collect()
}

/// Breaks one effect on one store, and looks at what a run that meets it leaves.
async fn break_one(scene: &Scene, store: usize, number: u64, how: Break) -> String {
    let broken = &scene.stores[store];
    broken.break_at(number, how);
    let until = if how.hangs() {
        Until::AStoreHangs
    } else {
        Until::TheEnd
    };
    let ended = scene.run(until).await;
    let (action, _how) = broken.broke().unwrap();
    let when = format!("effect {number} on store {store}, {action:?}: {how:?}");
    assert_eq!(ended.is_none(), how.hangs(), "{when}");
    if let Some(Ended { exit, .. }) = ended {
        // An answer that was lost may be made up for; an effect that failed is told, unless it
        // only cleared up.
        let is_told = how == Break::Fail && action != Action::Abort;
        assert!(exit != Exit::Done || !is_told, "{when}: {exit:?}");
    }
    scene.assert_sound(&when);
    when
}

/// The next run, without trouble: it finishes the work, although the node no longer has what some
/// store holds already.
async fn finish(scene: &Scene, when: &str) {
    scene.mend();
    let held: BTreeSet<BackupId> = (0..scene.stores.len())
        .flat_map(|store| scene.held_at(store))
        .collect();
    for backup in &held {
        scene.panel.lose_archive(*backup);
    }
    // An upload whose id never came, or was not noted yet, is out of every run's reach.
    let lost: Vec<BTreeSet<String>> = (0..scene.stores.len())
        .map(|store| scene.unnoted_at(store))
        .collect();
    let ended = scene.run(Until::TheEnd).await.unwrap();
    assert_eq!(ended.exit, Exit::Done, "{when}: {:?}", ended.report.errors);
    for (store, lost) in scene.stores.iter().zip(lost) {
        let open: BTreeSet<String> = store.open_uploads().into_keys().collect();
        assert_eq!(open, lost, "{when}");
    }
    scene.assert_whole(when);
    for backup in held {
        let archive = scene.archives[&backup].1.clone();
        scene.panel.edit(backup, |row| row.archive = Some(archive));
    }
}

async fn every_effect_broken(scene: &Scene, ways: &[Break]) {
    for (store, effects) in effects_of_a_run(scene).await.into_iter().enumerate() {
        for number in 1..=effects {
            for how in ways {
                let scene = scene.afresh();
                let when = break_one(&scene, store, number, *how).await;
                finish(&scene, &when).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_at_one_destination_the_next_run_finishes() {
    every_effect_broken(&scene(1).await, &Break::ALL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_at_one_of_two_destinations_the_next_run_finishes() {
    let ways = [Break::Fail, Break::HangBefore, Break::HangAfter];
    every_effect_broken(&scene(2).await, &ways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_at_one_destination_leaves_the_other_whole() {
    let scene = scene(2).await;
    let effects = effects_of_a_run(&scene).await;
    for number in 1..=effects[0] {
        let scene = scene.afresh();
        let when = break_one(&scene, 0, number, Break::Fail).await;
        assert_eq!(scene.held_at(1).len(), scene.archives.len(), "{when}");
        assert_eq!(scene.claimed_of(1).len(), scene.archives.len(), "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_while_a_destination_is_filled_from_another_the_next_run_finishes() {
    let scene = scene(2).await;
    let half_full = async || {
        let scene = scene.afresh();
        let first_alone = scene.run_to(&[0], everything(), Until::TheEnd).await;
        assert_eq!(first_alone.unwrap().exit, Exit::Done);
        scene
    };
    let calm = half_full().await;
    finish(&calm, "without trouble").await;
    for number in 1..=calm.stores[1].effects() {
        for how in Break::ALL {
            let scene = half_full().await;
            scene.panel.forget_requests();
            let when = break_one(&scene, 1, number, how).await;
            assert_eq!(scene.panel.downloads_started(), 0, "{when}");
            finish(&scene, &when).await;
        }
    }
}

/// Not only at stores: while the panel is asked, the ledger written, bytes computed.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_dropped_at_any_await_is_finished_by_the_next() {
    let scene = scene(2).await;
    for times in 1.. {
        let scene = scene.afresh();
        let ended = scene.run(Until::Woken(times)).await;
        let when = format!("dropped after {times} awakenings");
        scene.assert_sound(&when);
        finish(&scene, &when).await;
        if ended.is_some() {
            assert!(times > 20, "{when}: it had ended");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_again_while_it_clears_up_is_finished_by_the_next() {
    let scene = scene(1).await;
    let effects = effects_of_a_run(&scene).await[0];
    // Ends in the middle of the long archive's parts, which is where most is left to clear up.
    let middle = effects / 2;
    for number in 1..=effects {
        for how in [Break::HangBefore, Break::HangAfter] {
            let scene = scene.afresh();
            break_one(&scene, 0, middle, Break::HangAfter).await;
            scene.mend();
            let noted = || {
                let ledger = Ledger::open(&scene.ledger_path()).unwrap();
                ledger.open_uploads().unwrap().len()
            };
            let before = noted();
            scene.stores[0].break_at(number, how);
            scene.run(Until::AStoreHangs).await;
            let when = format!("again at effect {number}, {how:?}, {before} noted before");
            scene.assert_sound(&when);
            finish(&scene, &when).await;
        }
    }
}
