//! Downloads that break off, stand still, or go on with other bytes than before.

use insta::assert_snapshot;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Request;
use crate::support::fake_panel::Site;
use crate::support::fake_panel::Times;
use crate::support::faulty_store::Action;
use crate::support::faulty_store::FaultyStore;

/// An archive of a little more than six parts.
fn archive() -> Archive {
    Archive::of_about(1, 6 * PART_BYTES)
}

/// The parts that a store was sent, in the order of their numbers.
fn parts_sent(store: &FaultyStore) -> Vec<usize> {
    let mut parts: Vec<usize> = store
        .actions()
        .into_iter()
        .filter_map(|action| match action {
            Action::Part(number) => Some(number),
            Action::Begin | Action::Complete | Action::Abort | Action::Put | Action::Delete => None,
        })
        .collect();
    parts.sort_unstable();
    parts
}

/// Forgets what the probe of a destination did.
fn without_probe(actions: &[Action]) -> Vec<Action> {
    let probe = [Action::Begin, Action::Part(1), Action::Abort];
    actions.strip_prefix(&probe).unwrap().to_vec()
}

#[tokio::test]
async fn a_download_that_is_cut_once_goes_on_without_sending_a_part_twice() {
    let (world, server, backup) = World::with_backup(archive()).await;
    let cut_at = 3 * PART_BYTES + 100;
    world
        .panel
        .on_download(backup, Fault::CutAfter { bytes: cut_at });
    let store = FaultyStore::new();
    let ended = mirror_into(
        &world,
        vec![store.destination("b2", small_parts().destination)],
    )
    .await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    let actions = without_probe(&store.actions());
    assert_eq!(actions.first(), Some(&Action::Begin));
    assert_eq!(
        actions
            .iter()
            .filter(|action| **action == Action::Begin)
            .count(),
        1
    );
    let parts = archive().len().div_ceil(PART_BYTES);
    let mut once: Vec<usize> = (1..=usize::try_from(parts).unwrap()).collect();
    once.insert(0, 1); // the probe's
    assert_eq!(parts_sent(&store), once);
    assert_eq!(
        store.visible().get(&format!("{server}/{backup}.tar.gz")),
        Some(&archive().bytes())
    );
    assert_eq!(world.panel.links_given(), 2);
    assert_eq!(world.panel.bytes_served(), cut_at + archive().len());
    assert_eq!(
        ended.0.backups[0].downloaded_bytes,
        cut_at + archive().len()
    );
    assert_eq!(ended.0.backups[0].uploaded_bytes, archive().len());
}

#[tokio::test]
async fn a_download_may_be_cut_often_as_long_as_it_gets_further() {
    let (world, _, backup) = World::with_backup(archive()).await;
    for part in 1..=6 {
        let bytes = part * PART_BYTES + 1;
        world.panel.on_download(backup, Fault::CutAfter { bytes });
    }
    let mut tuning = small_parts();
    tuning.transfer.attempts = 2;
    let ended = mirror_with(&world, &[], tuning).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(world.panel.links_given(), 7);
}

#[tokio::test]
async fn a_download_that_is_always_cut_is_given_up_and_leaves_nothing() {
    let (world, _, backup) = World::with_backup(archive()).await;
    let fault = Fault::CutAfter {
        bytes: 2 * PART_BYTES,
    };
    world
        .panel
        .on(Call::Download(backup), Times::Forever, fault);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: transfer: the download broke off after 131072 bytes: error decoding response body: error reading a body from connection: end of file before message length reached
  hint: the next run tries again; proxies in front of a node may cut long downloads
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the download broke off after 131072 bytes: error decoding response body: error reading a body from connection: end of file before message length reached
links 5, downloads 5, bytes served 655360
    ");
}

#[tokio::test]
async fn an_upload_of_a_download_that_is_always_cut_is_aborted() {
    let (world, server, backup) = World::with_backup(archive()).await;
    world.panel.add_backup(server, "weekly", Archive::small(2));
    let fault = Fault::CutAfter {
        bytes: 2 * PART_BYTES,
    };
    world
        .panel
        .on(Call::Download(backup), Times::Forever, fault);
    let store = FaultyStore::new();
    let ended = mirror_into(
        &world,
        vec![store.destination("b2", small_parts().destination)],
    )
    .await;
    assert_eq!(store.open_uploads().len(), 0);
    assert_eq!(
        store.visible().len(),
        2,
        "archive and sidecar of the other one"
    );
    assert_snapshot!(story(&world, &ended), @r"
exit 3
backup <nightly>: transfer: the download broke off after 131072 bytes: error decoding response body: error reading a body from connection: end of file before message length reached
  hint: the next run tries again; proxies in front of a node may cut long downloads
copy nightly at b2: failed
copy weekly at b2: mirrored, panel-sha1
ledger holds weekly at b2: panel-sha1
ledger lacks nightly at b2: the download broke off after 131072 bytes: error decoding response body: error reading a body from connection: end of file before message length reached
links 6, downloads 6, bytes served 671017
    ");
}

fn ranges(world: &World) -> Vec<(Option<String>, bool)> {
    let asked = |request: &Request| {
        let range = request.header("range").map(str::to_owned);
        (range, request.header("if-match").is_some())
    };
    world
        .panel
        .requests_to(Site::S3)
        .iter()
        .map(asked)
        .collect()
}

#[tokio::test]
async fn a_cut_download_from_an_s3_disk_is_served_from_where_it_broke_off() {
    let (world, server, backup) = World::with_backup(archive()).await;
    world.panel.set_disk(backup, Disk::S3);
    let cut_at = 3 * PART_BYTES + 100;
    world
        .panel
        .on_download(backup, Fault::CutAfter { bytes: cut_at });
    let ended = mirror(&world).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    let from = 3 * PART_BYTES;
    assert_eq!(
        ranges(&world),
        [(None, false), (Some(format!("bytes={from}-")), true)]
    );
    assert_eq!(world.panel.bytes_served(), archive().len() + 100);
    let copy = World::archive_at(&world.offsite(), server, backup);
    assert_eq!(std::fs::read(copy).unwrap(), archive().bytes());
}

/// Has something happen right before the second link of a backup is given out.
fn before_the_second_link(
    world: &World,
    backup: BackupId,
    act: impl FnOnce(&crate::support::fake_panel::Script) + Send + 'static,
) {
    world.panel.before(Call::Download(backup), move |script| {
        script.before(Call::Link(backup), act);
    });
}

#[tokio::test]
async fn an_object_on_an_s3_disk_that_changed_meanwhile_is_refused() {
    let (world, _, backup) = World::with_backup(archive()).await;
    world.panel.set_disk(backup, Disk::S3);
    let bytes = 3 * PART_BYTES;
    world.panel.on_download(backup, Fault::CutAfter { bytes });
    before_the_second_link(&world, backup, move |script| {
        script.edit(backup, |row| {
            row.archive = Some(Archive::of_about(2, 6 * PART_BYTES));
        });
    });
    let told = story(&world, &mirror(&world).await);
    let statuses: Vec<_> = world
        .panel
        .requests_to(Site::S3)
        .iter()
        .map(|r| r.answered)
        .collect();
    assert_eq!(statuses, [Some(200), Some(412)]);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: transfer: the archive changed while it was being read: it has another ETag than before
  hint: the next run starts over
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the archive changed while it was being read: it has another ETag than before
links 2, downloads 1, bytes served 196608
    ");
}

#[tokio::test]
async fn an_archive_on_the_node_whose_beginning_changed_meanwhile_is_refused() {
    let (world, _, backup) = World::with_backup(archive()).await;
    let bytes = 3 * PART_BYTES;
    world.panel.on_download(backup, Fault::CutAfter { bytes });
    before_the_second_link(&world, backup, move |script| {
        let other = archive().with_flipped_byte(bytes - 1);
        script.edit(backup, |row| row.archive = Some(other));
    });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: transfer: the archive changed while it was being read: its first 196608 bytes are others than before
  hint: the next run starts over
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the archive changed while it was being read: its first 196608 bytes are others than before
links 2, downloads 2, bytes served 595027
    ");
}

#[tokio::test]
async fn an_archive_on_the_node_whose_end_changed_meanwhile_fails_its_digest() {
    let (world, _, backup) = World::with_backup(archive()).await;
    let bytes = 3 * PART_BYTES;
    world.panel.on_download(backup, Fault::CutAfter { bytes });
    before_the_second_link(&world, backup, move |script| {
        let other = archive().with_flipped_byte(archive().len() - 1);
        script.edit(backup, |row| row.archive = Some(other));
    });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r#"
exit 4
backup <nightly>: integrity: nothing was kept: the archive's sha1 is 7065e1f4eab7accaecf0832353d50ded434524d6 where 1ef29b71c6d06b388055b7dc4c805f0ac578759e was expected
  hint: the archive is not the one the panel recorded: make a fresh backup, and check the node's disk; if this panel's checksums are known to be wrong, set `checksum = "structure"` for it
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: nothing was kept: the archive's sha1 is 7065e1f4eab7accaecf0832353d50ded434524d6 where 1ef29b71c6d06b388055b7dc4c805f0ac578759e was expected
links 2, downloads 2, bytes served 595027
    "#);
}

#[tokio::test]
async fn an_archive_without_a_digest_that_changed_its_length_meanwhile_is_refused() {
    let (world, _, backup) = World::with_backup(archive()).await;
    world.panel.set_checksum(backup, "restic:0d0c6f9e");
    let bytes = 3 * PART_BYTES;
    world.panel.on_download(backup, Fault::CutAfter { bytes });
    before_the_second_link(&world, backup, move |script| {
        let other = Archive::of_about(1, 7 * PART_BYTES);
        script.edit(backup, |row| row.archive = Some(other));
    });
    let told = story(&world, &mirror(&world).await);
    // How much was on its way when the answer was refused is chance.
    let told = told.replace(&world.panel.bytes_served().to_string(), "<some>");
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: transfer: the archive changed while it was being read: it had 398419 bytes before and has 463965 now
  hint: the next run starts over
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the archive changed while it was being read: it had 398419 bytes before and has 463965 now
links 2, downloads 2, bytes served <some>
    ");
}

#[tokio::test]
async fn a_download_that_stands_still_is_begun_again() {
    let (world, _, backup) = World::with_backup(archive()).await;
    world.panel.on_download(
        backup,
        Fault::StallAfter {
            bytes: PART_BYTES + 5,
        },
    );
    world.panel.on_download(backup, Fault::Silent);
    let told = story(&world, &mirror_impatiently(&world).await);
    assert_snapshot!(told, @r"
exit 0
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
links 3, downloads 2, bytes served 463960
    ");
}

#[tokio::test]
async fn a_download_that_always_stands_still_is_given_up() {
    let (world, _, backup) = World::with_backup(archive()).await;
    let fault = Fault::StallAfter {
        bytes: PART_BYTES + 5,
    };
    world
        .panel
        .on(Call::Download(backup), Times::Forever, fault);
    let told = story(&world, &mirror_impatiently(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: transfer: the download stood still for 0 s after 65541 bytes
  hint: the next run tries again; proxies in front of a node may cut long downloads
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the download stood still for 0 s after 65541 bytes
links 5, downloads 5, bytes served 327705
    ");
}

#[tokio::test]
async fn a_slow_download_is_no_standstill() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let bytes_per_second = 40 * 1024;
    world
        .panel
        .on_download(backup, Fault::Drip { bytes_per_second });
    let ended = mirror_with(&world, &[], small_parts()).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(world.panel.links_given(), 1);
}

#[tokio::test]
async fn a_node_that_hangs_up_is_asked_again_and_in_the_end_given_up() {
    let (world, _, backup) = World::with_backup(archive()).await;
    world.panel.on_download(backup, Fault::Closed);
    assert_eq!(mirror(&world).await.1, Exit::Done);
    assert_eq!(world.panel.links_given(), 2);

    let (world, _, backup) = World::with_backup(archive()).await;
    world
        .panel
        .on(Call::Download(backup), Times::Forever, Fault::Closed);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: unreachable: could not reach `<host>` for the archive: error sending request: client error (SendRequest): connection closed before message completed
  hint: this machine must reach every node's daemon port (8080 unless changed) and the panel's S3 endpoint, not only the panel: check name, firewall and certificate of `<host>`
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not reach `<host>` for the archive: error sending request: client error (SendRequest): connection closed before message completed
links 5, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_node_that_is_down_is_told_by_its_address() {
    let (world, _, _) = World::with_backup(archive()).await;
    world.panel.stop_node().await;
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: unreachable: could not reach `<host>` for the archive: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
  hint: this machine must reach every node's daemon port (8080 unless changed) and the panel's S3 endpoint, not only the panel: check name, firewall and certificate of `<host>`
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not reach `<host>` for the archive: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
links 5, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_node_that_dies_and_comes_back_does_not_matter() {
    let (world, _, backup) = World::with_backup(archive()).await;
    let bytes_per_second = 2_000_000;
    world
        .panel
        .on_download(backup, Fault::Drip { bytes_per_second });
    let panel = world.panel.clone();
    world.panel.before(Call::Download(backup), move |_script| {
        tokio::spawn(async move {
            panel.stop_node().await;
            panel.start_node().await.unwrap();
        });
    });
    let ended = mirror(&world).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert!(world.panel.links_given() > 1);
}
