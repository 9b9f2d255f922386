//! Rows that change, vanish or lie between the list and the commit.

use insta::assert_snapshot;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Script;
use crate::support::fake_panel::Times;

/// A world whose one backup was completed just now, so that its row is read again before the commit.
async fn fresh() -> (World, BackupId) {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let now = Clock::System.now();
    world.panel.edit(backup, |row| {
        row.created_at = now;
        row.completed_at = now;
    });
    (world, backup)
}

/// One run in which this happens to the row while its archive is read.
async fn meanwhile(act: impl FnOnce(&Script, BackupId) + Send + 'static) -> String {
    let (world, backup) = fresh().await;
    world
        .panel
        .before(Call::Backup(backup), move |script| act(script, backup));
    story(&world, &mirror(&world).await)
}

#[tokio::test]
async fn a_young_row_is_read_again_and_an_old_one_is_not() {
    let (world, backup) = fresh().await;
    assert_eq!(mirror(&world).await.1, Exit::Done);
    let reads = |world: &World, backup: BackupId| {
        let end = format!("/backups/{backup}");
        let requests = world.panel.requests();
        requests
            .iter()
            .filter(|request| request.path.ends_with(&end))
            .count()
    };
    assert_eq!(reads(&world, backup), 1);
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    assert_eq!(mirror(&world).await.1, Exit::Done);
    assert_eq!(reads(&world, backup), 0);
}

#[tokio::test]
async fn a_backup_that_is_deleted_while_it_is_copied_is_kept() {
    let told = meanwhile(Script::delete_backup).await;
    assert_snapshot!(told, @r"
exit 0
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
links 1, downloads 1, bytes served 15661
    ");
}

#[tokio::test]
async fn a_row_that_was_changed_while_it_was_copied_is_refused() {
    let told = meanwhile(|script, backup| {
        script.edit(backup, |row| row.complete(Archive::small(2)));
    })
    .await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: transfer: the panel changed its record of this backup while it was being copied
  hint: the next run takes it as it is then
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the panel changed its record of this backup while it was being copied
links 1, downloads 1, bytes served 15661
    ");
}

#[tokio::test]
async fn a_row_that_was_failed_while_it_was_copied_is_refused() {
    let told = meanwhile(|script, backup| script.edit(backup, BackupRow::fail)).await;
    assert!(told.starts_with("exit 1\n"), "{told}");
    assert!(!told.contains("visible"), "{told}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_again_proves_nothing() {
    let (world, backup) = fresh().await;
    world
        .panel
        .on(Call::Backup(backup), Times::Forever, Fault::ServerError);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: unreachable: could not read backup <nightly>: the panel failed (HTTP 500, QueryException)
  hint: look into the panel's own log (storage/logs) and that of its web server or proxy
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not read backup <nightly>: the panel failed (HTTP 500, QueryException)
links 1, downloads 1, bytes served 15661
    ");
}

#[tokio::test]
async fn a_rename_or_a_lock_while_it_is_copied_does_not_matter() {
    let told = meanwhile(|script, backup| {
        script.edit(backup, |row| {
            row.name = "renamed".to_owned();
            row.is_locked = true;
        });
    })
    .await;
    assert!(told.starts_with("exit 0\n"), "{told}");
}

#[tokio::test]
async fn a_half_written_archive_is_never_asked_for() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented] {
        let world = World::new().await;
        world.panel.set_dialect(dialect);
        let server = world.panel.add_server("Survival");
        let half = Archive::small(1).cut_to(9000);
        world.panel.add_in_progress(server, "running", Some(half));
        world.panel.add_failed(server, "failed");
        let ended = mirror(&world).await;
        assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
        assert_eq!(world.panel.links_given(), 0);
        assert_eq!(world.visible(), [""; 0]);
        let mut why: Vec<&str> = ended.0.skipped.iter().map(|one| one.why.as_str()).collect();
        why.sort_unstable();
        assert_eq!(why, ["failed on the panel", "still in progress"]);
    }
}

#[tokio::test]
async fn a_completed_row_over_a_half_written_archive_is_refused() {
    let (world, backup) = fresh().await;
    let half = Archive::small(1).cut_to(9000);
    world.panel.edit(backup, |row| row.archive = Some(half));
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 4
backup <nightly>: integrity: the archive is 9000 bytes long where 15661 were expected
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the archive is 9000 bytes long where 15661 were expected
links 1, downloads 1, bytes served 9000
    ");
}

#[tokio::test]
async fn a_malformed_checksum_fails_its_own_backup_alone() {
    let bad = [
        "g".repeat(64),
        "a".repeat(63),
        format!("sha1:{}", "a".repeat(39)),
        format!("sha1:{}", "z".repeat(40)),
        format!("sha256:{}", "a".repeat(40)),
        "sha1:".to_owned(),
    ];
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    for (number, checksum) in bad.iter().enumerate() {
        let name = format!("bad {number}");
        let backup = world.panel.add_backup(server, &name, Archive::small(2));
        world.panel.set_checksum(backup, checksum.as_str());
    }
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r#"
exit 3
backup <bad 0>: protocol: the panel's checksum is malformed: `gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg…` is not a sha256 digest: not hexadecimal
  hint: look at the backup in the panel; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
backup <bad 1>: protocol: the panel's checksum is malformed: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is not a sha256 digest: an odd number of digits
  hint: look at the backup in the panel; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
backup <bad 2>: protocol: the panel's checksum is malformed: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is not a sha1 digest: an odd number of digits
  hint: look at the backup in the panel; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
backup <bad 3>: protocol: the panel's checksum is malformed: `zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz` is not a sha1 digest: not hexadecimal
  hint: look at the backup in the panel; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
backup <bad 4>: protocol: the panel's checksum is malformed: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is not a sha256 digest: the wrong length
  hint: look at the backup in the panel; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
backup <bad 5>: protocol: the panel's checksum is malformed: `` is not a sha1 digest: the wrong length
  hint: look at the backup in the panel; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
copy bad 0 at <offsite>: failed
copy bad 1 at <offsite>: failed
copy bad 2 at <offsite>: failed
copy bad 3 at <offsite>: failed
copy bad 4 at <offsite>: failed
copy bad 5 at <offsite>: failed
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
ledger lacks bad 5 at <offsite>: the panel's checksum is malformed: `` is not a sha1 digest: the wrong length
ledger lacks bad 4 at <offsite>: the panel's checksum is malformed: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is not a sha256 digest: the wrong length
ledger lacks bad 3 at <offsite>: the panel's checksum is malformed: `zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz` is not a sha1 digest: not hexadecimal
ledger lacks bad 2 at <offsite>: the panel's checksum is malformed: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa` is not a sha1 digest: an odd number of digits
ledger lacks bad 1 at <offsite>: the panel's checksum is malformed: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is not a sha256 digest: an odd number of digits
ledger lacks bad 0 at <offsite>: the panel's checksum is malformed: `gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg…` is not a sha256 digest: not hexadecimal
links 1, downloads 1, bytes served 15661
    "#);
}

#[tokio::test]
async fn a_checksum_of_another_type_is_a_row_that_cannot_be_read() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let bad = world.panel.add_backup(server, "weekly", Archive::small(2));
    world.panel.set_checksum(bad, 17);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 3
backup <an id>: protocol: the panel's record of this backup can't be read: invalid type: integer `17`, expected a string
  hint: look at it in the panel, and delete it there if it is damaged
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
links 1, downloads 1, bytes served 15661
    ");
}

#[tokio::test]
async fn a_server_that_closes_between_list_and_backups_is_skipped() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.before(Call::BackupsOf(server), move |script| {
        script.set_condition(server, Condition::Transferring);
    });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 0
skipped <Survival>: the server is being transferred
ledger skipped Survival: the server is being transferred
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_server_that_closes_before_its_links_are_given_is_told() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.before(Call::Link(backup), move |script| {
        script.set_condition(server, Condition::Suspended);
    });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: server_state: could not get a download link for backup <nightly>: the server is suspended
  hint: unsuspend the server, or exclude it
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the server is suspended
links 0, downloads 0, bytes served 0
    ");
}
