//! Bytes that are not those of a whole archive, or not those that the panel recorded.

use insta::assert_snapshot;

use super::*;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::fake_panel::Fault;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::FaultyStore;

/// One run over one backup whose download goes wrong once, in this way.
async fn spoiled(archive: Archive, fault: Fault) -> String {
    let (world, _, backup) = World::with_backup(archive).await;
    world.panel.on_download(backup, fault);
    let ended = mirror(&world).await;
    story(&world, &ended)
}

/// One run over one backup with this archive, of which the panel tells the true digest.
async fn recorded(archive: Archive) -> String {
    let (world, _, _) = World::with_backup(archive).await;
    let ended = mirror(&world).await;
    story(&world, &ended)
}

#[tokio::test]
async fn a_flipped_byte_is_never_visible() {
    let told = spoiled(Archive::small(1), Fault::FlipByte { at: 9000 }).await;
    assert_snapshot!(told, @r#"
exit 4
backup <nightly>: integrity: nothing was kept: the archive's sha1 is 378f9fd52916bb54178d7b929a51c65e45a5a6b6 where 039ec8e8128e80a43bc4c424c2a61b71d57df0dc was expected
  hint: the archive is not the one the panel recorded: make a fresh backup, and check the node's disk; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive's sha1 is 378f9fd52916bb54178d7b929a51c65e45a5a6b6 where 039ec8e8128e80a43bc4c424c2a61b71d57df0dc was expected
links 1, downloads 1, bytes served 15661
    "#);
}

#[tokio::test]
async fn neither_the_first_nor_the_last_byte_may_differ() {
    let archive = Archive::of_about(1, 3 * PART_BYTES);
    for at in [0, archive.len() - 1] {
        let told = spoiled(archive.clone(), Fault::FlipByte { at }).await;
        assert!(told.starts_with("exit 4\n"), "{told}");
        assert!(!told.contains("visible"), "{told}");
    }
}

#[tokio::test]
async fn parts_of_a_wrong_archive_that_were_sent_already_are_taken_back() {
    let archive = Archive::of_about(1, 3 * PART_BYTES);
    let (world, _, backup) = World::with_backup(archive.clone()).await;
    let at = archive.len() - 1;
    world.panel.on_download(backup, Fault::FlipByte { at });
    let store = FaultyStore::new();
    let ended = mirror_into(
        &world,
        vec![store.destination("b2", small_parts().destination)],
    )
    .await;
    assert_eq!(ended.1, Exit::Integrity);
    assert_eq!(store.visible().into_keys().collect::<Vec<_>>(), [""; 0]);
    assert_eq!(store.open_uploads().len(), 0);
    let actions = store.actions();
    assert_eq!(actions.last(), Some(&Action::Abort), "{actions:?}");
    assert!(
        store
            .history()
            .iter()
            .all(|effect| effect.visible.is_empty())
    );
    assert!(!ledger_story(&world).contains("open upload"));
}

#[tokio::test]
async fn a_shorter_archive_with_a_length_to_match_is_refused_before_it_is_read() {
    let told = spoiled(Archive::small(1), Fault::ShortenTo { bytes: 9000 }).await;
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
async fn a_longer_archive_is_refused_before_it_is_read() {
    let told = spoiled(Archive::small(1), Fault::Lengthen { by: 1 }).await;
    assert_snapshot!(told, @r"
exit 4
backup <nightly>: integrity: the archive is 15662 bytes long where 15661 were expected
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the archive is 15662 bytes long where 15661 were expected
links 1, downloads 1, bytes served 15662
    ");
}

#[tokio::test]
async fn a_longer_archive_of_unknown_length_is_given_up_at_the_first_byte_too_many() {
    let fault = Fault::All(vec![Fault::NoLength, Fault::Lengthen { by: 50_000_000 }]);
    let told = spoiled(Archive::small(1), fault).await;
    let served: u64 = told.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(served < 20_000_000, "{told}");
    let told = told.replace(&served.to_string(), "<few>");
    assert_snapshot!(told, @r"
exit 4
backup <nightly>: integrity: the archive is longer than the 15661 bytes it should have
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the archive is longer than the 15661 bytes it should have
links 1, downloads 1, bytes served <few>
    ");
}

#[tokio::test]
async fn an_archive_without_a_content_length_is_verified_all_the_same() {
    let archive = Archive::of_about(1, 3 * PART_BYTES);
    let told = spoiled(archive, Fault::NoLength).await;
    assert_snapshot!(told, @r"
exit 0
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
links 1, downloads 1, bytes served 201781
    ");
}

#[tokio::test]
async fn a_wrong_byte_is_found_without_a_content_length_too() {
    let fault = Fault::All(vec![Fault::NoLength, Fault::FlipByte { at: 9000 }]);
    let told = spoiled(Archive::small(1), fault).await;
    assert!(told.starts_with("exit 4\n"), "{told}");
    assert!(!told.contains("visible"), "{told}");
}

#[tokio::test]
async fn a_shorter_archive_of_unknown_length_counts_as_broken_off() {
    let archive = Archive::of_about(1, 3 * PART_BYTES);
    let fault = Fault::All(vec![Fault::NoLength, Fault::ShortenTo { bytes: 100_000 }]);
    let told = spoiled(archive, fault).await;
    assert_snapshot!(told, @r"
exit 0
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
links 2, downloads 2, bytes served 301781
    ");
}

#[tokio::test]
async fn a_gzip_stream_that_breaks_off_is_refused_although_its_digest_is_right() {
    let whole = Archive::small(1);
    assert_snapshot!(recorded(whole.cut_to(whole.len() - 1)).await, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: the gzip stream ends wrong: unexpected end of file
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: the gzip stream ends wrong: unexpected end of file
links 1, downloads 1, bytes served 15660
    ");
    assert_snapshot!(recorded(whole.cut_to(100)).await, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: incomplete deflate stream (after 531 unpacked bytes)
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: incomplete deflate stream (after 531 unpacked bytes)
links 1, downloads 1, bytes served 100
    ");
}

#[tokio::test]
async fn a_tar_that_breaks_off_is_refused_although_its_digest_is_right() {
    let told = recorded(Archive::with_ending(1, Ending::InsideMember)).await;
    assert_snapshot!(told, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: the tar ends inside a member (after 65536 unpacked bytes)
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: the tar ends inside a member (after 65536 unpacked bytes)
links 1, downloads 1, bytes served 36665
    ");
    let told = recorded(Archive::with_ending(1, Ending::Unmarked)).await;
    assert_snapshot!(told, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: the tar ends without its end marker after 8 members
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: the tar ends without its end marker after 8 members
links 1, downloads 1, bytes served 40985
    ");
}

#[tokio::test]
async fn garbage_behind_the_gzip_stream_is_refused_although_the_digest_is_right() {
    let told = recorded(Archive::small(1).with_trailing(b"<html>")).await;
    assert_snapshot!(told, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: the gzip stream ends wrong: unexpected end of file
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: the gzip stream ends wrong: unexpected end of file
links 1, downloads 1, bytes served 15667
    ");
}

#[tokio::test]
async fn what_is_no_archive_at_all_is_refused_although_its_digest_is_right() {
    assert_snapshot!(recorded(Archive::of_bytes("<html>502</html>")).await, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: invalid gzip header (after 0 unpacked bytes)
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: invalid gzip header (after 0 unpacked bytes)
links 1, downloads 1, bytes served 16
    ");
    assert_snapshot!(recorded(Archive::of_bytes("")).await, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: unexpected end of file (after 0 unpacked bytes)
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: unexpected end of file (after 0 unpacked bytes)
links 1, downloads 1, bytes served 0
    ");
}

#[tokio::test]
async fn an_archive_without_a_digest_must_be_whole_by_its_structure() {
    let whole = Archive::small(1);
    let mut told = Vec::new();
    for archive in [whole.cut_to(9000), whole.with_flipped_byte(9000), whole] {
        let (world, _, backup) = World::with_backup(archive).await;
        world.panel.set_checksum(backup, serde_json::Value::Null);
        told.push(story(&world, &mirror(&world).await));
    }
    let [cut, flipped, whole] = told.try_into().unwrap();
    assert_snapshot!(cut, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: incomplete deflate stream (after 18840 unpacked bytes)
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: incomplete deflate stream (after 18840 unpacked bytes)
links 1, downloads 1, bytes served 9000
    ");
    assert_snapshot!(flipped, @r"
exit 4
backup <nightly>: integrity: nothing was kept: the archive is not a whole .tar.gz: the gzip stream ends wrong: corrupt gzip stream does not have a matching checksum
  hint: the archive is damaged where the panel keeps it, or its node is still writing it: make a fresh backup, and check the node's disk
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive is not a whole .tar.gz: the gzip stream ends wrong: corrupt gzip stream does not have a matching checksum
links 1, downloads 1, bytes served 15661
    ");
    assert_snapshot!(whole, @r"
exit 0
copy nightly at <offsite>: mirrored, structure
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: structure
links 1, downloads 1, bytes served 15661
    ");
}

#[tokio::test]
async fn a_length_that_the_panel_has_wrong_is_a_mismatch() {
    for lie in [-1_i64, 1] {
        let (world, _, backup) = World::with_backup(Archive::small(1)).await;
        world.panel.edit(backup, |row| {
            row.bytes = row.bytes.checked_add_signed(lie).unwrap();
        });
        let ended = mirror(&world).await;
        assert_eq!(ended.1, Exit::Integrity);
        assert_eq!(world.visible(), [""; 0]);
        assert_eq!(ended.0.backups[0].downloaded_bytes, 0);
    }
}

#[tokio::test]
async fn a_bad_backup_does_not_keep_the_others_from_being_mirrored() {
    let (world, server, bad) = World::with_backup(Archive::small(1)).await;
    world.panel.add_backup(server, "weekly", Archive::small(2));
    world.panel.on_download(bad, Fault::FlipByte { at: 9000 });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r#"
exit 4
backup <nightly>: integrity: nothing was kept: the archive's sha1 is 378f9fd52916bb54178d7b929a51c65e45a5a6b6 where 039ec8e8128e80a43bc4c424c2a61b71d57df0dc was expected
  hint: the archive is not the one the panel recorded: make a fresh backup, and check the node's disk; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
copy nightly at <offsite>: failed
copy weekly at <offsite>: mirrored, panel-sha1
visible <Survival>/<weekly>.json
visible <Survival>/<weekly>.tar.gz
ledger holds weekly at <offsite>: panel-sha1
ledger lacks nightly at <offsite>: nothing was kept: the archive's sha1 is 378f9fd52916bb54178d7b929a51c65e45a5a6b6 where 039ec8e8128e80a43bc4c424c2a61b71d57df0dc was expected
links 2, downloads 2, bytes served 31318
    "#);

    let told = story(&world, &mirror(&world).await);
    assert!(
        told.starts_with("exit 0\n"),
        "the next run makes good for it: {told}"
    );
}
