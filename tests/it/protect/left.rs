//! Locks that a run could not take off: the next one does, and says so as long as it can't.

use std::time::Duration;

use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::ledger::BackupOf;
use nestegg::model::ids::ServerId;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::world::quick_tuning;

/// A world in which a killed run left its one backup locked and not copied.
async fn left_locked() -> (World, ServerId, BackupId) {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.on_download(backup, Fault::BackupMissing);
    world.quick(&[]).await;
    leave_locked(&world, server, backup);
    world.panel.forget_requests();
    (world, server, backup)
}

fn leave_locked(world: &World, server: ServerId, backup: BackupId) {
    let mut ledger = Ledger::open(&world.ledger()).unwrap();
    let now = Clock::System.now();
    let run = ledger.begin_run("mirror", now).unwrap();
    let of = BackupOf { server, backup };
    ledger.intend_protection(run, of, now).unwrap();
    world.panel.edit(backup, |row| row.is_locked = true);
}

#[tokio::test]
async fn the_next_run_takes_it_off_before_it_lists_anything_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, server, backup) = left_locked().await;
        world.panel.set_dialect(dialect);
        let ledger = world.ledger();
        world.panel.before(Call::BackupsOf(server), move |script| {
            assert_eq!(script.locked(), [].into());
            assert_eq!(noted(&ledger), []);
        });
        let (report, exit) = world.quick(&[]).await;
        assert_eq!(exit, Exit::Done, "{dialect:?}: {:?}", report.errors);
        assert_eq!(toggles(&world.panel), [backup], "{dialect:?}");
        assert_only_the_operators(&world, &BTreeSet::new(), &format!("{dialect:?}"));
    }
}

#[tokio::test]
async fn an_intent_whose_lock_never_came_about_is_forgotten() {
    let (world, _, backup) = left_locked().await;
    world.panel.edit(backup, |row| row.is_locked = false);
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), []);
    assert_only_the_operators(&world, &BTreeSet::new(), "never locked");
}

#[tokio::test]
async fn the_lock_of_a_backup_that_is_gone_is_forgotten() {
    let (world, _, backup) = left_locked().await;
    world.panel.delete_backup(backup);
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(noted(&world.ledger()), []);
    assert_eq!(
        told(&world.ledger(), "vanished_at IS NOT NULL"),
        [backup].into()
    );
    assert_eq!(told(&world.ledger(), "is_locked"), [].into());
}

#[tokio::test]
async fn the_lock_of_a_server_that_is_gone_is_forgotten() {
    let (world, server, _) = left_locked().await;
    world.panel.add_server("another");
    world.panel.delete_server(server);
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(noted(&world.ledger()), []);
}

#[tokio::test]
async fn a_dry_run_leaves_it_and_takes_it_for_no_operators() {
    let (world, _, backup) = left_locked().await;
    let (_, exit) = world.quick(&["--dry-run"]).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(world.panel.locked(), [backup].into());
    assert_eq!(noted(&world.ledger()), [backup]);
}

#[tokio::test]
async fn a_lock_that_can_not_be_taken_off_is_told_kept_in_mind_and_never_taken_for_the_operators() {
    let (world, server, backup) = left_locked().await;
    world.panel.edit_server(server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned(), "backup.download".to_owned()]);
    });
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(
        failures(&report),
        [format!(
            "backup permission: it is still locked on the panel, by a run that copied it: could not lock or unlock backup \
             {backup}: the permission `backup.delete` is missing"
        )]
    );
    assert_eq!(
        report.errors[0].hint,
        "give the key's user the permission backup.delete on this server, under Users in the panel; the next run takes \
         the lock off, and so may you in the panel"
    );
    assert_eq!(noted(&world.ledger()), [backup]);
    assert_eq!(told(&world.ledger(), "is_locked"), [].into());
    assert!(!sidecars(&world)[&backup].backup.is_locked);
    // By hand, as the hint says.
    world.panel.edit(backup, |row| row.is_locked = false);
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "by hand");
}

#[tokio::test]
async fn a_panel_that_fails_to_unlock_is_told_once_and_asked_again_by_the_next_run() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    // The first one locks.
    world.panel.before(Call::Download(backup), move |script| {
        script.on(Call::Lock(backup), Times::Forever, Fault::ServerError);
    });
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(
        failures(&report),
        [format!(
            "backup unreachable: it is still locked on the panel, by a run that copied it: could not lock or unlock backup \
             {backup}: the panel failed (HTTP 500, QueryException)"
        )]
    );
    assert_eq!(world.panel.locked(), [backup].into());
    assert_eq!(noted(&world.ledger()), [backup]);
    let again = world.quick(&[]).await;
    assert_eq!(failures(&again.0), failures(&report));
    assert_eq!(told(&world.ledger(), "is_locked"), [].into());
    world.panel.calm();
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "once it works again");
}

#[tokio::test]
async fn a_panel_that_goes_down_while_its_backup_is_copied_is_told() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let panel = world.panel.clone();
    world.panel.before(Call::Download(backup), move |_| {
        tokio::spawn(async move { panel.stop_panel().await });
    });
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Partial, "{:?}", report.errors);
    assert_eq!(report.errors.len(), 1);
    let told = &report.errors[0].message;
    assert!(
        told.starts_with("it is still locked on the panel"),
        "{told}"
    );
    assert_eq!(noted(&world.ledger()), [backup]);
    world.panel.start_panel().await.unwrap();
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "once it is up again");
}

#[tokio::test]
async fn a_server_that_is_closed_meanwhile_keeps_its_lock_without_a_failure() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.before(Call::Download(backup), move |script| {
        script.set_condition(server, Condition::Suspended);
    });
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(noted(&world.ledger()), [backup]);
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_eq!(noted(&world.ledger()), [backup]);
    world.panel.set_condition(server, Condition::Ready);
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "once it is open again");
}

#[tokio::test]
async fn a_run_that_can_reach_no_destination_takes_it_off_all_the_same() {
    let (world, _, backup) = left_locked().await;
    let file = world.path("a file");
    std::fs::write(&file, "no folder").unwrap();
    let (_, exit) = world.quick(&["--to", file.to_str().unwrap()]).await;
    assert_ne!(exit, Exit::Done);
    assert_eq!(toggles(&world.panel), [backup]);
    assert_eq!(world.panel.locked(), [].into());
    assert_eq!(noted(&world.ledger()), []);
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_unlocks_what_it_was_copying() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .on_download(backup, Fault::StallAfter { bytes: 100 });
    let env = Env::new(Clock::System);
    let stopped = env.clone();
    world.panel.before(Call::Download(backup), move |_| {
        stopped.stop(StopSignal::Interrupt);
    });
    let (report, exit) = world
        .tuned(&["--protect", "lock"], quick_tuning(), env)
        .await;
    assert_eq!(exit, Exit::Interrupted, "{:?}", report.errors);
    assert_eq!(toggles(&world.panel), [backup, backup]);
    assert_eq!(world.panel.locked(), [].into());
    assert_eq!(noted(&world.ledger()), []);
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_does_not_wait_for_a_silent_panel() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .on_download(backup, Fault::StallAfter { bytes: 100 });
    let env = Env::new(Clock::System);
    let stopped = env.clone();
    world.panel.before(Call::Download(backup), move |script| {
        script.on(Call::Lock(backup), Times::Forever, Fault::Silent);
        stopped.stop(StopSignal::Interrupt);
    });
    let mut tuning = quick_tuning();
    tuning.unlock_patience = Duration::from_millis(100);
    let (report, exit) = world.tuned(&["--protect", "lock"], tuning, env).await;
    assert_eq!(exit, Exit::Interrupted);
    assert_eq!(
        failures(&report),
        [
            "backup interrupted: it is still locked on the panel, by a run that copied it: the run was stopped"
        ]
    );
    assert_eq!(noted(&world.ledger()), [backup]);
    world.panel.calm();
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "in the next run");
}

#[tokio::test]
async fn a_run_that_is_told_to_stop_while_it_locks_does_not_wait_for_a_silent_panel_either() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .on(Call::Lock(backup), Times::Forever, Fault::Silent);
    let env = Env::new(Clock::System);
    let stopped = env.clone();
    world.panel.before(Call::Lock(backup), move |_| {
        stopped.stop(StopSignal::Interrupt);
    });
    let mut tuning = quick_tuning();
    tuning.unlock_patience = Duration::from_millis(100);
    // No answer is waited for longer than anybody runs a test.
    tuning.panel.request_timeout = Duration::from_hours(1);
    let (report, exit) = world.tuned(&["--protect", "lock"], tuning, env).await;
    assert_eq!(exit, Exit::Interrupted, "{:?}", report.errors);
    world.panel.calm();
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "in the next run");
}
