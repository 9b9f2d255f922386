//! The operator, or another nestegg, locks and unlocks the same backup at the same time.

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Script;

/// Somebody presses the lock in the panel.
fn press(script: &Script, backup: BackupId) {
    script.edit(backup, |row| row.is_locked = !row.is_locked);
}

#[tokio::test]
async fn what_the_operator_unlocks_while_it_is_copied_stays_unlocked() {
    for dialect in DIALECTS {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let act = move |script: &Script| press(script, backup);
        world.panel.before(Call::Download(backup), act);
        assert_eq!(protected(&world, &[]).await.1, Exit::Done);
        assert_eq!(toggles(&world.panel), [backup], "unlocked by nobody else");
        assert_only_the_operators(&world, &BTreeSet::new(), &format!("{dialect:?}"));
    }
}

#[tokio::test]
async fn a_lock_of_the_operators_that_crosses_ours_stays_locked_and_is_theirs() {
    for dialect in DIALECTS {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let act = move |script: &Script| press(script, backup);
        world.panel.before(Call::Lock(backup), act);
        assert_eq!(protected(&world, &[]).await.1, Exit::Done);
        assert_eq!(world.panel.locked(), [backup].into(), "{dialect:?}");
        assert_eq!(noted(&world.ledger()), [], "{dialect:?}");
        // The ledger knows once it is listed again.
        assert_eq!(protected(&world, &[]).await.1, Exit::Done);
        assert_eq!(told(&world.ledger(), "is_locked"), [backup].into());
    }
}

#[tokio::test]
async fn an_unlock_of_the_operators_that_crosses_ours_leaves_it_unlocked() {
    for dialect in DIALECTS {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        world.panel.before(Call::Download(backup), move |script| {
            script.before(Call::Lock(backup), move |script| press(script, backup));
        });
        assert_eq!(protected(&world, &[]).await.1, Exit::Done);
        assert_only_the_operators(&world, &BTreeSet::new(), &format!("{dialect:?}"));
    }
}

#[tokio::test]
async fn an_operator_who_locks_between_the_list_and_its_turn_keeps_the_lock() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    // The row is read before anything is noted.
    let act = move |script: &Script| press(script, backup);
    world.panel.before(Call::Backup(backup), act);
    assert_eq!(protected(&world, &[]).await.1, Exit::Done);
    assert_eq!(toggles(&world.panel), []);
    assert_eq!(world.panel.locked(), [backup].into());
    assert_eq!(noted(&world.ledger()), []);
}

#[tokio::test]
async fn another_nestegg_with_a_ledger_of_its_own_leaves_no_lock_either() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let other = World::new().await;
    // The other one mirrors the same panel to another place, while this one copies.
    let mut words = world.mirror_args(&["--protect", "lock", "--to"]);
    words.push(other.offsite().to_str().unwrap().to_owned());
    let mut command = world.command(&words);
    command.arg("--ledger").arg(other.ledger());
    let began = std::sync::Arc::new(tokio::sync::Notify::new());
    let goes_on = std::sync::Arc::clone(&began);
    world
        .panel
        .before(Call::Download(backup), move |_| goes_on.notify_one());
    world.panel.on_download(
        backup,
        crate::support::fake_panel::Fault::Drip {
            bytes_per_second: 10_000,
        },
    );
    let second = async {
        began.notified().await;
        command.output().await.unwrap()
    };
    let ((report, exit), second) = tokio::join!(protected(&world, &[]), second);
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(0), "{said}");
    assert_eq!(world.panel.locked(), [].into());
    assert_eq!(noted(&world.ledger()), []);
    assert_eq!(noted(&other.ledger()), []);
}
