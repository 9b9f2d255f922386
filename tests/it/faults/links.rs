//! Links that the panel does not give, and links that node or S3 disk do not take.

use std::time::Instant;

use insta::assert_snapshot;
use jiff::SignedDuration;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;

/// One run over one backup on `disk`, whose downloads go wrong so often.
async fn download(disk: Disk, times: Times, fault: Fault) -> String {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.set_disk(backup, disk);
    world.panel.on(Call::Download(backup), times, fault);
    story(&world, &mirror(&world).await)
}

/// One run over one backup, whose links go wrong so often.
async fn link(times: Times, fault: Fault) -> String {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.on(Call::Link(backup), times, fault);
    story(&world, &mirror(&world).await)
}

const ONCE: Times = Times::Next(1);

#[tokio::test]
async fn what_passes_by_itself_costs_one_more_link() {
    for (disk, fault) in [
        (Disk::Node, Fault::ResourceMissing),
        (Disk::Node, Fault::Expired),
        (Disk::Node, Fault::BadGateway),
        (Disk::Node, Fault::Unavailable),
        (Disk::Node, Fault::Html),
        (Disk::Node, Fault::TooManyRequests { retry_after_s: 0 }),
        (Disk::S3, Fault::Expired),
        (Disk::S3, Fault::ServerError),
        (Disk::S3, Fault::Unavailable),
        (Disk::S3, Fault::TooManyRequests { retry_after_s: 0 }),
    ] {
        let told = download(disk, ONCE, fault.clone()).await;
        assert!(told.starts_with("exit 0\n"), "{fault:?}: {told}");
        assert!(told.contains("links 2, downloads 1,"), "{fault:?}: {told}");
    }
}

#[tokio::test]
async fn a_spent_or_refused_token_is_replaced_twice_and_no_more() {
    let told = download(Disk::Node, Times::Forever, Fault::ResourceMissing).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: `<host>` refused a fresh download link
  hint: panel and Wings versions may not fit (Wings 1.12.2 needs panel 1.12.3, Pelican wings beta26 needs panel beta35), Wings may have just restarted, or the server was moved to another node
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` refused a fresh download link
links 3, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn an_expired_token_is_replaced_once_and_no_more() {
    let told = download(Disk::Node, Times::Forever, Fault::Expired).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: `<host>` could not accept a fresh download link (status 500)
  hint: compare the clocks of panel and node: a node's clock 15 minutes ahead refuses every link
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` could not accept a fresh download link (status 500)
links 2, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_node_whose_clock_is_ahead_refuses_every_token() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .set_disk_clock_ahead(SignedDuration::from_mins(16));
    let ended = mirror(&world).await;
    assert_eq!(ended.1, Exit::Failed);
    assert!(ended.0.errors[0].hint.contains("compare the clocks"));
    assert_eq!(world.panel.links_given(), 2);
}

#[tokio::test]
async fn an_archive_that_is_not_on_its_node_is_not_asked_for_again() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.lose_archive(backup);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: not_found: `<host>` does not have this archive, although the panel lists it as completed
  hint: a server transfer leaves its archives on the old node, and archives can be deleted by hand: look on the node, then delete the row in the panel
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` does not have this archive, although the panel lists it as completed
links 1, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn an_object_that_is_not_on_the_s3_disk_is_not_asked_for_again() {
    let told = download(Disk::S3, Times::Forever, Fault::BackupMissing).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: not_found: `<host>` does not have this archive, although the panel lists it as completed
  hint: a server transfer leaves its archives on the old node, and archives can be deleted by hand: look on the node, then delete the row in the panel
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` does not have this archive, although the panel lists it as completed
links 1, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn an_expired_presigned_link_is_replaced_once_and_no_more() {
    let told = download(Disk::S3, Times::Forever, Fault::Expired).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: the panel's S3 disk at `<host>` refused a fresh presigned link: AccessDenied
  hint: check the panel's own S3 settings: key, clock and endpoint; a lost object also looks like this when the panel's key may not list the bucket
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: the panel's S3 disk at `<host>` refused a fresh presigned link: AccessDenied
links 2, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_refusal_that_stands_still_does_not_hold_the_run_up() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.lose_archive(backup);
    let fault = Fault::StallAfter { bytes: 60 };
    world
        .panel
        .on(Call::Download(backup), Times::Forever, fault);
    let told = story(&world, &mirror_impatiently(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: not_found: `<host>` does not have this archive, although the panel lists it as completed
  hint: a server transfer leaves its archives on the old node, and archives can be deleted by hand: look on the node, then delete the row in the panel
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` does not have this archive, although the panel lists it as completed
links 1, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let told = download(Disk::Node, Times::Forever, Fault::Redirect).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: `<host>` answered 302 Found to the download: a web page
  hint: a proxy in front of the node may answer in its place; try the panel's own download button
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` answered 302 Found to the download: a web page
links 1, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_web_page_is_never_taken_for_an_archive() {
    let told = download(Disk::Node, Times::Forever, Fault::Html).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: `<host>` answered with a web page where an archive was due
  hint: a proxy in front of the node may answer in its place; try the panel's own download button
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` answered with a web page where an archive was due
links 5, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_proxy_that_does_not_reach_the_node_is_given_up() {
    let told = download(Disk::Node, Times::Forever, Fault::BadGateway).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: `<host>` answered 502 Bad Gateway to the download: a web page
  hint: a proxy in front of the node may answer in its place; try the panel's own download button
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` answered 502 Bad Gateway to the download: a web page
links 5, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn what_is_told_to_wait_waits() {
    let patient = Fault::TooManyRequests { retry_after_s: 1 };
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    for call in [
        Call::Servers,
        Call::BackupsOf(server),
        Call::Link(backup),
        Call::Download(backup),
    ] {
        world.panel.on(call, ONCE, patient.clone());
    }
    let began = Instant::now();
    let ended = mirror(&world).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert!(
        began.elapsed() >= Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(world.panel.links_given(), 2);
}

#[tokio::test]
async fn what_is_told_to_wait_for_a_day_does_not() {
    let fault = Fault::TooManyRequests {
        retry_after_s: 86_400,
    };
    assert_snapshot!(link(Times::Forever, fault.clone()).await, @r"
exit 1
backup <nightly>: rate_limited: could not get a download link for backup <nightly>: the panel's rate limit is used up, and wants 86400 s of waiting
  hint: use a user of its own for mirroring: browsers and all keys of a user share one budget
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the panel's rate limit is used up, and wants 86400 s of waiting
links 0, downloads 0, bytes served 0
    ");
    assert_snapshot!(download(Disk::Node, Times::Forever, fault).await, @r"
exit 1
backup <nightly>: rate_limited: `<host>` answered 429, too many requests
  hint: run fewer transfers at once with --transfers
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: `<host>` answered 429, too many requests
links 1, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_panel_that_gives_no_link_is_told_in_its_own_words() {
    let told = link(Times::Forever, Fault::ServerError).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: unreachable: could not get a download link for backup <nightly>: the panel failed (HTTP 500, QueryException)
  hint: look into the panel's own log (storage/logs) and that of its web server or proxy
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the panel failed (HTTP 500, QueryException)
links 0, downloads 0, bytes served 0
    ");
    let told = link(Times::Forever, Fault::Html).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: could not get a download link for backup <nightly>: the answer is a web page instead of a panel's API (HTTP 200)
  hint: check the panel's address; or a proxy, firewall or maintenance page stands before the API
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the answer is a web page instead of a panel's API (HTTP 200)
links 0, downloads 0, bytes served 0
    ");
    let told = link(Times::Forever, Fault::Garbage).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: could not get a download link for backup <nightly>: the answer is something that is not JSON instead of a panel's API (HTTP 200)
  hint: check the panel's address; or a proxy, firewall or maintenance page stands before the API
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the answer is something that is not JSON instead of a panel's API (HTTP 200)
links 0, downloads 0, bytes served 0
    ");
    let told = link(Times::Forever, Fault::Closed).await;
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: unreachable: could not get a download link for backup <nightly>: the connection to http://<host> broke: error sending request: client error (SendRequest): connection closed before message completed
  hint: the panel is slow or the network between is bad: run again
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the connection to http://<host> broke: error sending request: client error (SendRequest): connection closed before message completed
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_link_that_the_panel_gives_at_the_second_asking_is_taken() {
    for fault in [
        Fault::ServerError,
        Fault::BadGateway,
        Fault::Unavailable,
        Fault::Closed,
    ] {
        let told = link(ONCE, fault.clone()).await;
        assert!(told.starts_with("exit 0\n"), "{fault:?}: {told}");
        assert!(told.contains("links 1, downloads 1,"), "{fault:?}: {told}");
    }
}

#[tokio::test]
async fn a_disk_that_the_panel_no_longer_knows_gives_no_link() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.set_disk(backup, Disk::Unknown);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: protocol: could not get a download link for backup <nightly>: the panel does not know how to read the backup's disk
  hint: the panel's backup disks were changed since: only the disk itself still has this archive
copy nightly at <offsite>: failed
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the panel does not know how to read the backup's disk
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_backup_that_is_deleted_between_list_and_link_is_told() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.add_backup(server, "weekly", Archive::small(2));
    world.panel.before(Call::Link(backup), move |script| {
        script.delete_backup(backup);
    });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r#"
exit 3
backup <nightly>: not_found: it vanished before it was copied: the panel's rotation or somebody deleted it
  hint: raise the server's backup limit, mirror more often, or set `protect = "lock"` under [mirror]
copy nightly at <offsite>: failed
copy weekly at <offsite>: mirrored, panel-sha1
visible <Survival>/<weekly>.json
visible <Survival>/<weekly>.tar.gz
ledger holds weekly at <offsite>: panel-sha1
links 1, downloads 1, bytes served 15657
    "#);
}

#[tokio::test]
async fn a_backup_that_is_deleted_between_link_and_download_is_told() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.before(Call::Download(backup), move |script| {
        script.delete_backup(backup);
    });
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r#"
exit 1
backup <nightly>: not_found: it vanished before it was copied: the panel's rotation or somebody deleted it
  hint: raise the server's backup limit, mirror more often, or set `protect = "lock"` under [mirror]
copy nightly at <offsite>: failed
links 1, downloads 0, bytes served 0
    "#);
}
