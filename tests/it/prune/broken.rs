//! Every effect of a prune goes wrong, in every way that it can; and runs are dropped at every await.

use std::collections::BTreeSet;

use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::report::prune::Became;

use super::days;
use super::now;
use crate::crash::scene::Scene;
use crate::crash::scene::Until;
use crate::support::archive::Archive;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::Break;
use crate::support::faulty_store::FaultyStore;
use crate::support::faulty_store::Habit;

/// Three backups of one server, mirrored to so many stores, and the newest of them.
async fn held(stores: usize) -> (Scene, BackupId) {
    let mut scene = Scene::new(stores).await;
    let server = scene.panel.add_server("Survival");
    let mut newest = None;
    for age in [3_i64, 2, 1] {
        let archive = Archive::of_about(age.unsigned_abs(), 100);
        let backup = scene.add_backup(server, archive);
        scene.panel.edit(backup, |row| {
            row.created_at = now() - days(age);
            row.completed_at = row.created_at;
        });
        newest = Some(backup);
    }
    mirrored(&scene).await;
    (scene, newest.unwrap())
}

async fn mirrored(scene: &Scene) {
    let ended = scene.run(Until::TheEnd).await.unwrap();
    assert_eq!(ended.exit, Exit::Done, "{:?}", ended.report.errors);
}

/// The same, to be broken in another way.
async fn afresh(scene: &Scene) -> Scene {
    let scene = scene.afresh();
    mirrored(&scene).await;
    scene
}

fn begun(scene: &Scene) -> usize {
    let ledger = Ledger::open(&scene.ledger_path()).unwrap();
    ledger.begun_removals(&CopyFilter::default()).unwrap().len()
}

/// What always holds: no sidecar without its archive, nothing claimed that is not there, the newest whole.
fn assert_sound(scene: &Scene, newest: BackupId, when: &str) {
    scene.assert_sound(when);
    for store in 0..scene.stores.len() {
        assert!(scene.held_at(store).contains(&newest), "{when}");
        assert!(scene.claimed_of(store).contains(&newest), "{when}");
        let was_touched = scene.stores[store].history().iter().any(|effect| {
            effect.action == Action::Delete && effect.key.contains(&newest.to_string())
        });
        assert!(!was_touched, "{when}");
    }
}

/// The next run, without trouble: it finishes what was begun, and the one after it does nothing.
async fn finish(scene: &Scene, newest: BackupId, when: &str) {
    scene.mend();
    let (report, exit) = scene.prune(1, Until::TheEnd).await.unwrap();
    assert_eq!(exit, Exit::Done, "{when}: {:?}", report.errors);
    assert_sound(scene, newest, when);
    assert_eq!(begun(scene), 0, "{when}");
    for (index, store) in scene.stores.iter().enumerate() {
        assert_eq!(store.visible().len(), 2, "{when}");
        assert_eq!(scene.claimed_of(index), BTreeSet::from([newest]), "{when}");
    }
    let effects: Vec<u64> = scene.stores.iter().map(FaultyStore::effects).collect();
    let (report, exit) = scene.prune(1, Until::TheEnd).await.unwrap();
    assert_eq!((exit, report.sums().removed), (Exit::Done, 0), "{when}");
    let again: Vec<u64> = scene.stores.iter().map(FaultyStore::effects).collect();
    assert_eq!(effects, again, "{when}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_the_next_run_finishes() {
    let (scene, newest) = held(2).await;
    let calm = afresh(&scene).await;
    let before = calm.stores[0].effects();
    finish(&calm, newest, "without trouble").await;
    let effects = calm.stores[0].effects() - before;
    assert_eq!(effects, 4);
    for number in 1..=effects {
        for how in Break::ALL {
            let scene = afresh(&scene).await;
            scene.stores[0].break_at(number, how);
            let until = if how.hangs() {
                Until::AStoreHangs
            } else {
                Until::TheEnd
            };
            let ended = scene.prune(1, until).await;
            let when = format!("effect {number}: {how:?}");
            assert_eq!(ended.is_none(), how.hangs(), "{when}");
            if let Some((report, exit)) = ended {
                assert_eq!(exit, Exit::Partial, "{when}: {:?}", report.errors);
                // The other one is thinned all the same.
                assert_eq!(scene.held_at(1).len(), 1, "{when}");
                assert_eq!(begun(&scene), 1, "{when}");
            }
            assert_sound(&scene, newest, &when);
            finish(&scene, newest, &when).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_dropped_at_any_await_is_finished_by_the_next() {
    let (scene, newest) = held(1).await;
    let mut dropped = 0;
    // How often it is woken varies: the ledger's thread may be done before it is waited for.
    for times in 1..=16 {
        let scene = afresh(&scene).await;
        let ended = scene.prune(1, Until::Woken(times)).await;
        dropped += u32::from(ended.is_none());
        let when = format!("dropped after {times} awakenings");
        assert_sound(&scene, newest, &when);
        finish(&scene, newest, &when).await;
    }
    assert!(dropped > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_the_store_retains_gets_its_sidecar_back_and_is_held_again() {
    let (scene, newest) = held(1).await;
    let before = scene.stores[0].visible();
    let claimed = scene.claimed();
    scene.stores[0].take_habit(Habit::RetainsArchives);
    let (report, exit) = scene.prune(1, Until::TheEnd).await.unwrap();
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    let sums = report.sums();
    assert_eq!((sums.removed, sums.spared, sums.kept), (0, 2, 3));
    assert!(scene.stores[0].visible() == before);
    assert_eq!(scene.claimed(), claimed);
    assert_eq!(begun(&scene), 0);
    finish(&scene, newest, "once they may go").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_everything_holds_everything_still() {
    let (scene, newest) = held(1).await;
    let before = scene.stores[0].visible();
    scene.stores[0].take_habit(Habit::RefusesCredentials);
    let (report, exit) = scene.prune(1, Until::TheEnd).await.unwrap();
    assert_eq!(exit, Exit::Partial, "{:?}", report.errors);
    // The second one is not tried: it would meet the same.
    let copies = &report.places[0].servers[0].copies;
    assert_eq!(copies[1].became, Became::NotReached);
    assert!(scene.stores[0].visible() == before);
    assert_eq!(begun(&scene), 0);
    assert_eq!(scene.claimed().len(), 3);
    finish(&scene, newest, "with good credentials").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begun_removal_is_taken_back_when_the_copy_is_locked_or_the_last_one_by_now() {
    let (scene, newest) = held(1).await;
    for is_locked in [true, false] {
        let scene = afresh(&scene).await;
        // The sidecar of the oldest is gone, its archive is not.
        scene.stores[0].break_at(2, Break::HangBefore);
        assert!(scene.prune(2, Until::AStoreHangs).await.is_none());
        scene.mend();
        let visible = scene.stores[0].visible();
        assert_eq!((visible.len(), begun(&scene)), (5, 1));
        let ledger = rusqlite::Connection::open(scene.ledger_path()).unwrap();
        if is_locked {
            ledger
                .execute("UPDATE backups SET is_locked = 1", [])
                .unwrap();
        } else {
            ledger.execute("DELETE FROM copies", []).unwrap();
        }
        drop(ledger);
        let (report, exit) = scene.prune(2, Until::TheEnd).await.unwrap();
        assert_eq!(exit, Exit::Done, "{:?}", report.errors);
        assert!(matches!(
            report.places[0].begun[0].became,
            Became::Spared(_)
        ));
        assert_eq!((scene.stores[0].visible().len(), begun(&scene)), (6, 0));
        assert_eq!(scene.claimed().len(), if is_locked { 3 } else { 1 });
        scene.assert_sound("taken back");
        assert!(scene.held_at(0).contains(&newest));
    }
}
