//! What is locked, when, and what is not.

use std::sync::Arc;
use std::sync::Mutex;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::NewBackup;
use crate::support::fake_panel::Site;
use crate::support::fake_panel::Times;

#[tokio::test]
async fn a_backup_is_locked_while_it_is_read_and_unlocked_afterwards_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let looks = Arc::clone(&seen);
        let ledger = world.ledger();
        world.panel.before(Call::Download(backup), move |script| {
            let is_locked = script.backup(backup).unwrap().is_locked;
            looks.lock().unwrap().push((is_locked, noted(&ledger)));
        });
        let (report, exit) = protected(&world, &[]).await;
        assert_eq!(exit, Exit::Done, "{dialect:?}: {:?}", report.errors);
        assert_eq!(*seen.lock().unwrap(), [(true, vec![backup])], "{dialect:?}");
        assert_eq!(toggles(&world.panel), [backup, backup], "{dialect:?}");
        assert_eq!(sidecars(&world).len(), 1);
        assert_only_the_operators(&world, &BTreeSet::new(), &format!("{dialect:?}"));
    }
}

#[tokio::test]
async fn the_intent_is_in_the_ledger_before_the_panel_is_asked_and_until_it_has_unlocked() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (looks, ledger) = (Arc::clone(&seen), world.ledger());
    world.panel.before_each(move |_, request| {
        if toggled(request).is_some() {
            looks.lock().unwrap().push(noted(&ledger));
        }
    });
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    assert_eq!(*seen.lock().unwrap(), [vec![backup], vec![backup]]);
    let events = told_events(&world);
    assert_eq!(events, ["protect_intended", "protect_ended", "mirrored"]);
}

/// The events about backups, in their order, but for what is wanted.
fn told_events(world: &World) -> Vec<String> {
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let mut statement = ledger
        .prepare("SELECT kind FROM events WHERE backup_id IS NOT NULL ORDER BY id")
        .unwrap();
    let kinds = statement.query_map([], |row| row.get(0)).unwrap();
    kinds.map(Result::unwrap).collect()
}

#[tokio::test]
async fn nothing_is_locked_unless_it_is_asked_for() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    assert_eq!(world.quick(&["--protect", "none"]).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), []);
}

#[tokio::test]
async fn the_configuration_file_asks_for_it_as_well() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let config = world.path("nestegg.toml");
    std::fs::write(&config, "[mirror]\nprotect = \"lock\"\n").unwrap();
    let ran = world.mirror(&["--config", config.to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(toggles(&world.panel), [backup, backup]);
}

#[tokio::test]
async fn a_backup_that_the_operator_has_locked_is_left_alone_and_known_as_locked() {
    for dialect in DIALECTS {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        world.panel.edit(backup, |row| row.is_locked = true);
        let (report, exit) = protected(&world, &[]).await;
        assert_eq!(exit, Exit::Done, "{:?}", report.errors);
        assert_eq!(toggles(&world.panel), []);
        assert_only_the_operators(&world, &[backup].into(), "locked before");
    }
}

#[tokio::test]
async fn what_is_held_everywhere_is_not_locked() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    let fresh = world.panel.add_backup(server, "later", Archive::small(2));
    world.panel.forget_requests();
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), [fresh, fresh]);
    world.panel.forget_requests();
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), []);
    let asked = world.panel.requests_to(Site::Panel).len();
    assert_eq!(asked, 2, "the servers and one list of backups");
}

#[tokio::test]
async fn a_destination_that_is_filled_from_another_needs_no_lock() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let (first, second) = (world.path("first"), world.path("second"));
    let first = first.to_str().unwrap();
    let second = second.to_str().unwrap();
    assert_eq!(protected(&world, &["--to", first]).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), [backup, backup]);
    world.panel.forget_requests();
    let (report, exit) = protected(&world, &["--to", first, "--to", second]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(world.panel.downloads_started(), 0);
    assert_eq!(toggles(&world.panel), []);
}

#[tokio::test]
async fn two_destinations_share_one_lock() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let (first, second) = (world.path("first"), world.path("second"));
    let to = [
        "--to",
        first.to_str().unwrap(),
        "--to",
        second.to_str().unwrap(),
    ];
    assert_eq!(protected(&world, &to).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), [backup, backup]);
    assert_eq!(noted(&world.ledger()), []);
}

#[tokio::test]
async fn a_dry_run_locks_nothing() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let (_, exit) = protected(&world, &["--dry-run"]).await;
    assert_eq!(exit, Exit::Done);
    let requests = world.panel.requests();
    assert!(requests.iter().all(|request| request.method == "GET"));
    assert_eq!(world.panel.locked(), [].into());
}

#[tokio::test]
async fn a_copy_that_fails_is_unlocked_all_the_same() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.on_download(backup, Fault::FlipByte { at: 100 });
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
    assert_eq!(toggles(&world.panel), [backup, backup]);
    assert_only_the_operators(&world, &BTreeSet::new(), "after a failure");
}

#[tokio::test]
async fn a_young_backup_whose_row_is_read_again_is_described_as_it_was_before() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let now = nestegg::env::Clock::System.now();
    world.panel.edit(backup, |row| {
        row.created_at = now;
        row.completed_at = now;
    });
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "read again while locked");
}

#[tokio::test]
async fn a_key_that_may_not_lock_is_told_once_a_server_and_all_is_copied() {
    let (world, server, first) = World::with_backup(Archive::small(1)).await;
    let second = world.panel.add_backup(server, "second", Archive::small(2));
    world.panel.edit_server(server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned(), "backup.download".to_owned()]);
    });
    let (report, exit) = protected(&world, &["--transfers", "1"]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(
        failures(&report),
        [format!(
            "server permission: its backups are copied without the protection of a lock: could not lock or unlock backup \
             {second}: the permission `backup.delete` is missing"
        )]
    );
    assert_eq!(
        report.errors[0].hint,
        "give the key's user the permission backup.delete on this server, under Users in the panel; or mirror with \
         `protect = \"none\"`"
    );
    assert_eq!(toggles(&world.panel), [second], "asked once");
    assert_eq!(
        sidecars(&world).into_keys().collect::<BTreeSet<_>>(),
        [first, second].into()
    );
    assert_only_the_operators(&world, &BTreeSet::new(), "without the permission");
}

#[tokio::test]
async fn a_lock_that_the_panel_fails_to_make_is_told_and_the_backup_is_copied() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .on(Call::Lock(backup), Times::Next(1), Fault::ServerError);
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(
        failures(&report),
        [format!(
            "server unreachable: its backups are copied without the protection of a lock: could not lock or unlock backup \
             {backup}: the panel failed (HTTP 500, QueryException)"
        )]
    );
    assert_eq!(sidecars(&world).len(), 1);
    assert_only_the_operators(&world, &BTreeSet::new(), "after a refused lock");
}

#[tokio::test]
async fn a_panel_without_locks_is_told_once_a_server_and_all_is_copied() {
    for dialect in DIALECTS {
        let (world, server, first) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let second = world.panel.add_backup(server, "second", Archive::small(2));
        let no_route = Fault::Refusal {
            status: 404,
            code: "NotFoundHttpException".to_owned(),
            detail: "The route could not be found.".to_owned(),
        };
        world.panel.on(Call::Locks, Times::Forever, no_route);
        let (report, exit) = protected(&world, &["--transfers", "1"]).await;
        assert_eq!(exit, Exit::Partial, "{dialect:?}");
        assert_eq!(
            failures(&report),
            [format!(
                "server protocol: its backups are copied without the protection of a lock: could not lock or unlock \
                 backup {second}: the panel shows this backup, and has nothing where locks are changed (HTTP 404)"
            )],
            "{dialect:?}"
        );
        assert_eq!(
            report.errors[0].hint,
            "update a panel that has no locks yet (Pterodactyl before 1.4.2), or let POST to …/backups/…/lock pass the \
             proxy before it; or mirror with `protect = \"none\"`"
        );
        assert_eq!(toggles(&world.panel), [second], "{dialect:?}: asked once");
        assert_eq!(
            sidecars(&world).into_keys().collect::<BTreeSet<_>>(),
            [first, second].into()
        );
        assert_only_the_operators(&world, &BTreeSet::new(), &format!("{dialect:?}"));
    }
}

#[tokio::test]
async fn a_lock_whose_route_is_blocked_meanwhile_is_told_as_still_on() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.before(Call::Download(backup), move |script| {
        let no_route = Fault::Refusal {
            status: 404,
            code: "NotFoundHttpException".to_owned(),
            detail: "The route could not be found.".to_owned(),
        };
        script.on(Call::Lock(backup), Times::Forever, no_route);
    });
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(
        failures(&report),
        [format!(
            "backup protocol: it is still locked on the panel, by a run that copied it: could not lock or unlock backup \
             {backup}: the panel shows this backup, and has nothing where locks are changed (HTTP 404)"
        )]
    );
    assert_eq!(noted(&world.ledger()), [backup], "for the next run");
    world.panel.calm();
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    assert_only_the_operators(&world, &BTreeSet::new(), "once it is let through");
}

#[tokio::test]
async fn a_fresh_backup_is_locked_while_the_panel_makes_it_and_until_it_is_copied() {
    for dialect in DIALECTS {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        world.panel.plan_creation(NewBackup {
            reads_in_progress: 4,
            archive: Some(Archive::small(9)),
        });
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let looks = Arc::clone(&seen);
        world.panel.before_each(move |script, request| {
            let fresh = script.backups_of(server).get(1).copied();
            if let Some(row) = fresh.and_then(|fresh| script.backup(fresh)) {
                let is_read = request.path.ends_with(&row.id.to_string());
                let stage = if is_read { "waited for" } else { "other" };
                looks.lock().unwrap().insert((stage, row.is_locked));
            }
        });
        let (report, exit) = protected(&world, &["--create"]).await;
        assert_eq!(exit, Exit::Done, "{dialect:?}: {:?}", report.errors);
        assert!(seen.lock().unwrap().contains(&("waited for", true)));
        assert_eq!(sidecars(&world).len(), 2);
        assert_only_the_operators(&world, &BTreeSet::new(), &format!("{dialect:?}"));
    }
}

#[tokio::test]
async fn a_fresh_backup_is_never_locked_by_the_call_that_makes_it() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    assert_eq!(protected(&world, &["--create"]).await.1, Exit::Done);
    let requests = world.panel.requests();
    let made = requests
        .iter()
        .find(|request| request.method == "POST" && request.path.ends_with("/backups"))
        .unwrap();
    assert_eq!(made.body, "{}");
    assert_eq!(world.panel.backups_of(server).len(), 2);
}

#[tokio::test]
async fn a_fresh_backup_that_fails_leaves_no_lock() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(NewBackup {
        reads_in_progress: 3,
        archive: None,
    });
    let (report, exit) = protected(&world, &["--create"]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(
        report.errors[0].message,
        "the fresh backup that the panel was asked for failed"
    );
    assert_only_the_operators(&world, &BTreeSet::new(), "a failed creation");
}

#[tokio::test]
async fn a_fresh_backup_that_is_not_selected_is_unlocked_at_the_end() {
    let (world, _, old) = World::with_backup(Archive::small(1)).await;
    let (report, exit) = protected(&world, &["--create", "--since", "1s"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert!(!sidecars(&world).contains_key(&old));
    assert_only_the_operators(&world, &BTreeSet::new(), "not selected");
}
