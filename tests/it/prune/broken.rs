//! Every effect of a prune goes wrong, in every way that it can; and runs are dropped at every await.

use std::collections::BTreeSet;

use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::Scope;
use nestegg::plan::prune::Reason;
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
use crate::support::faulty_store::Unreadable;

/// Three backups of one server, mirrored to so many stores, and the newest of them.
async fn held(stores: usize) -> (Scene, BackupId) {
    let (scene, backups) = held_of(stores, &[3, 2, 1]).await;
    (scene, backups[2])
}

/// Backups of one server, so many days old, mirrored to so many stores.
async fn held_of(stores: usize, ages: &[i64]) -> (Scene, Vec<BackupId>) {
    let mut scene = Scene::new(stores).await;
    let server = scene.panel.add_server("Survival");
    let mut backups = Vec::new();
    for age in ages.iter().copied() {
        let archive = Archive::of_about(age.unsigned_abs(), 100);
        let backup = scene.add_backup(server, archive);
        scene.panel.edit(backup, |row| {
            row.created_at = now() - days(age);
            row.completed_at = row.created_at;
        });
        backups.push(backup);
    }
    mirrored(&scene).await;
    (scene, backups)
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

/// What has come about since a removal was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// The panel has its backup locked.
    Locked,
    /// Nothing else is held.
    Last,
    /// Only an older one is held, and the panel has deleted them all.
    Newest,
    /// Only an older one is held, and the panel lists none that is newer.
    NewestOnPanel,
    /// The newest, which the panel lists, is held no longer.
    Refused,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_begun_removal_is_taken_back_when_something_keeps_it_by_now_and_stays_begun_when_refused()
{
    let (scene, backups) = held_of(1, &[4, 3, 2, 1]).await;
    let [oldest, _, older, newest] = backups[..] else {
        panic!("{backups:?}")
    };
    for since in [
        Since::Locked,
        Since::Last,
        Since::Newest,
        Since::NewestOnPanel,
        Since::Refused,
    ] {
        let when = format!("{since:?}");
        let scene = afresh(&scene).await;
        let set = |what: &str| {
            let ledger = rusqlite::Connection::open(scene.ledger_path()).unwrap();
            ledger.execute(what, []).unwrap()
        };
        set(&format!(
            "UPDATE backups SET is_locked = 1 WHERE uuid = '{oldest}'"
        ));
        // The sidecar of the oldest that may go is gone, its archive is not.
        scene.stores[0].break_at(2, Break::HangBefore);
        assert!(scene.prune(2, Until::AStoreHangs).await.is_none());
        scene.mend();
        let visible = scene.stores[0].visible();
        assert_eq!((visible.len(), begun(&scene)), (7, 1), "{when}");
        let of = |uuids: &str| format!("(SELECT id FROM backups WHERE uuid IN ({uuids}))");
        let newer = of(&format!("'{older}', '{newest}'"));
        let changed = match since {
            Since::Locked => set("UPDATE backups SET is_locked = 1"),
            Since::Last => set("DELETE FROM copies"),
            Since::Newest => {
                set("UPDATE backups SET vanished_at = created_at");
                set(&format!("DELETE FROM copies WHERE backup_id IN {newer}"))
            }
            Since::NewestOnPanel => {
                set(&format!(
                    "UPDATE backups SET vanished_at = created_at WHERE id IN {newer}"
                ));
                set(&format!("DELETE FROM copies WHERE backup_id IN {newer}"))
            }
            Since::Refused => set(&format!(
                "DELETE FROM copies WHERE backup_id IN {}",
                of(&format!("'{newest}'"))
            )),
        };
        let (held, exit, reason) = match since {
            Since::Locked => (4, Exit::Done, Some(Reason::Locked)),
            Since::Last => (1, Exit::Done, Some(Reason::Newest)),
            Since::Newest => (2, Exit::Done, Some(Reason::Newest)),
            // That the newest one there is was not held is told, and the next run has nothing to tell.
            Since::NewestOnPanel => (2, Exit::Partial, Some(Reason::Newest)),
            Since::Refused => (2, Exit::Partial, None),
        };
        assert!(changed > 0, "{when}");
        let (report, ended) = scene.prune(2, Until::TheEnd).await.unwrap();
        assert_eq!((ended, report.errors), (exit, Vec::new()), "{when}");
        let became = &report.places[0].begun[0].became;
        if let Some(reason) = reason {
            assert_eq!(*became, Became::Spared(reason), "{when}");
            assert_eq!(
                (scene.stores[0].visible().len(), begun(&scene)),
                (8, 0),
                "{when}"
            );
            let (_report, again) = scene.prune(2, Until::TheEnd).await.unwrap();
            let expected = match since {
                // Newer ones that the panel lists are not held.
                Since::Last => Exit::Partial,
                Since::Locked | Since::Newest | Since::NewestOnPanel | Since::Refused => Exit::Done,
            };
            assert_eq!(again, expected, "{when}");
        } else {
            assert_eq!(*became, Became::Refused, "{when}");
            assert!(scene.stores[0].visible() == visible, "{when}");
            assert_eq!(begun(&scene), 1, "{when}");
        }
        assert_eq!(scene.claimed().len(), held, "{when}");
        scene.assert_sound(&when);
        assert!(scene.held_at(0).contains(&newest), "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_the_store_can_t_be_asked_about_stays_and_the_others_go() {
    let (scene, backups) = held_of(1, &[4, 3, 2, 1]).await;
    let archive = archive_of(&scene, backups[1]);
    scene.stores[0].break_reads_of(&archive, Unreadable::Broken);
    let (report, exit) = scene.prune(1, Until::TheEnd).await.unwrap();
    assert_eq!(exit, Exit::Partial, "{:?}", report.errors);
    let [failure] = &report.errors[..] else {
        panic!("{:?}", report.errors)
    };
    assert_eq!(
        (failure.scope, &failure.id),
        (Scope::Backup, &backups[1].to_string())
    );
    assert!(
        failure.message.starts_with(
            "the copy at `first` stays, because the store could not be asked whether it retains it: "
        ),
        "{}",
        failure.message
    );
    let words: Vec<&str> = report.places[0].servers[0]
        .copies
        .iter()
        .rev()
        .map(|copy| copy.became.as_str())
        .collect();
    assert_eq!(words, ["removed", "failed", "removed", "keep"]);
    assert_eq!(scene.held_at(0), [backups[1], backups[3]].into());
    assert_eq!(scene.claimed_of(0), scene.held_at(0));
    assert_eq!(begun(&scene), 0);
    finish(&scene, backups[3], "once it can be asked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_the_credentials_while_it_is_asked_is_given_up() {
    let (scene, backups) = held_of(1, &[4, 3, 2, 1]).await;
    let archive = archive_of(&scene, backups[1]);
    scene.stores[0].break_reads_of(&archive, Unreadable::Credentials);
    let before = scene.stores[0].effects();
    let (report, exit) = scene.prune(1, Until::TheEnd).await.unwrap();
    assert_eq!(exit, Exit::Credentials, "{:?}", report.errors);
    assert_eq!((report.sums().not_reached, report.errors.len()), (3, 1));
    assert_eq!(scene.stores[0].effects(), before);
    finish(&scene, backups[3], "with good credentials").await;
}

fn archive_of(scene: &Scene, backup: BackupId) -> String {
    let (server, _) = &scene.archives[&backup];
    ObjectKey::for_backup(*server, backup, ObjectKind::Archive).to_string()
}
