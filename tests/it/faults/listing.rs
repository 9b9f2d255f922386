//! Lists that shift, never end, or are no lists.

use insta::assert_snapshot;
use nestegg::model::ids::ServerId;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Listing;
use crate::support::fake_panel::Script;
use crate::support::fake_panel::Times;
use crate::support::faulty_store::FaultyStore;

/// More backups than one page has rows.
async fn two_pages() -> (World, Vec<BackupId>) {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    let archive = Archive::small(1);
    let backups = (0..56).map(|_| world.panel.add_backup(server, "nightly", archive.clone()));
    let backups = backups.collect();
    (world, backups)
}

/// The archives that a store holds, by the backup's id.
fn archives(store: &FaultyStore) -> Vec<String> {
    let mut held: Vec<String> = store
        .visible()
        .keys()
        .filter_map(|key| {
            key.strip_suffix(".tar.gz")?
                .rsplit('/')
                .next()
                .map(str::to_owned)
        })
        .collect();
    held.sort();
    held
}

fn sorted(ids: impl IntoIterator<Item = BackupId>) -> Vec<String> {
    let mut ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_deletion_between_two_pages_hides_no_backup() {
    let (world, backups) = two_pages().await;
    let server = world.panel.backup(backups[0]).unwrap().server;
    let gone = backups[0];
    world
        .panel
        .before(Call::BackupsPage(server, 2), move |script| {
            script.delete_backup(gone);
        });
    let store = FaultyStore::new();
    let ended = mirror_into(
        &world,
        vec![store.destination("b2", small_parts().destination)],
    )
    .await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(archives(&store), sorted(backups.into_iter().skip(1)));
    assert_eq!(ended.0.backups_seen, 55);
}

#[tokio::test]
async fn a_rotation_between_two_pages_hides_no_backup() {
    let (world, mut backups) = two_pages().await;
    let server = world.panel.backup(backups[0]).unwrap().server;
    let gone = backups.remove(0);
    world
        .panel
        .before(Call::BackupsPage(server, 2), move |script| {
            script.delete_backup(gone);
            script.add_backup(server, "newest", Archive::small(2));
        });
    let store = FaultyStore::new();
    let ended = mirror_into(
        &world,
        vec![store.destination("b2", small_parts().destination)],
    )
    .await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    let now = world.panel.backups_of(server);
    assert_eq!(now.len(), 56);
    assert_eq!(archives(&store), sorted(now));
}

/// Every reading of the second page comes after yet another deletion on the first one.
fn delete_before_the_second_page(script: &Script, server: ServerId) {
    script.before(Call::BackupsPage(server, 2), move |script| {
        script.delete_backup(script.backups_of(server)[0]);
        delete_before_the_second_page(script, server);
    });
}

#[tokio::test]
async fn a_list_that_never_stands_still_forgets_no_copy_that_was_recorded() {
    let (world, backups) = two_pages().await;
    let server = world.panel.backup(backups[0]).unwrap().server;
    let store = FaultyStore::new();
    let destination = || vec![store.destination("b2", small_parts().destination)];
    assert_eq!(mirror_into(&world, destination()).await.1, Exit::Done);
    let held = || {
        let ledger = Ledger::open_read_only(&world.ledger()).unwrap();
        let copies = ledger.copies(&CopyFilter::default()).unwrap();
        sorted(copies.into_iter().map(|copy| copy.backup))
    };
    assert_eq!(held(), sorted(backups.iter().copied()));
    delete_before_the_second_page(&world.panel, server);
    let ended = mirror_into(&world, destination()).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(held(), sorted(backups));
}

#[tokio::test]
async fn a_panel_that_sends_the_same_page_for_ever_is_read_to_its_end() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .edit_server(server, |row| row.listing = Listing::Repeating);
    let told = story(&world, &mirror(&world).await);
    assert!(
        world.panel.requests().len() < 30,
        "{}",
        world.panel.requests().len()
    );
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
async fn a_panel_whose_pages_never_end_is_given_up() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .set_rate_limit(1_000_000, Duration::from_mins(1));
    world
        .panel
        .edit_server(server, |row| row.listing = Listing::Endless);
    let other = world.panel.add_server("Creative");
    world.panel.add_backup(other, "weekly", Archive::small(2));
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 3
server <an id>: protocol: could not list the backups of server <an id>: the panel's list has 1001 pages or more
  hint: check that the address is a Pterodactyl or Pelican panel, and report this with the panel's version
copy weekly at <offsite>: mirrored, panel-sha1
visible <Creative>/<weekly>.json
visible <Creative>/<weekly>.tar.gz
ledger holds weekly at <offsite>: panel-sha1
links 1, downloads 1, bytes served 15657
    ");
}

#[tokio::test]
async fn an_answer_beyond_all_reason_is_not_read_to_its_end() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let fault = Fault::Lengthen { by: 1 << 30 };
    world
        .panel
        .on(Call::BackupsOf(server), Times::Forever, fault);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
server <an id>: protocol: could not list the backups of server <an id>: the answer is longer than 16777216 bytes
  hint: check that the address is a Pterodactyl or Pelican panel, and report this with the panel's version
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn what_is_no_list_of_backups_fails_that_server_alone() {
    for (fault, message) in [
        (
            Fault::Garbage,
            "the answer is something that is not JSON instead of a panel's API (HTTP 200)",
        ),
        (
            Fault::Html,
            "the answer is a web page instead of a panel's API (HTTP 200)",
        ),
        (Fault::Closed, "the connection to http://<host> broke"),
        (Fault::BadGateway, "the panel failed (HTTP 502)"),
        (
            Fault::ServerError,
            "the panel failed (HTTP 500, QueryException)",
        ),
        (
            Fault::Redirect,
            "the answer is a redirect to http://<host>/auth/login instead of a panel's API (HTTP 302)",
        ),
        (
            Fault::CutAfter { bytes: 40 },
            "the connection to http://<host> broke",
        ),
    ] {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world
            .panel
            .on(Call::BackupsOf(server), Times::Forever, fault.clone());
        let other = world.panel.add_server("Creative");
        world.panel.add_backup(other, "weekly", Archive::small(2));
        let ended = mirror(&world).await;
        assert_eq!(ended.1, Exit::Partial, "{fault:?}");
        assert_eq!(world.visible().len(), 2, "the other server's copy");
        assert_eq!(ended.0.errors.len(), 1);
        let failure = &ended.0.errors[0];
        assert_eq!(failure.id, server.to_string());
        let said = without_ports(&failure.message);
        let start = format!("could not list the backups of server {server}: {message}");
        assert!(said.starts_with(&start), "{said}");
        assert!(!failure.hint.is_empty());
    }
}

#[tokio::test]
async fn a_list_that_comes_at_the_second_asking_is_taken() {
    for fault in [
        Fault::Closed,
        Fault::BadGateway,
        Fault::ServerError,
        Fault::Unavailable,
        Fault::CutAfter { bytes: 40 },
        Fault::Silent,
    ] {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.on(Call::Servers, Times::Next(1), fault.clone());
        world
            .panel
            .on(Call::BackupsOf(server), Times::Next(1), fault.clone());
        let ended = mirror_impatiently(&world).await;
        assert_eq!(ended.1, Exit::Done, "{fault:?}: {:?}", ended.0.errors);
    }
}

#[tokio::test]
async fn a_panel_that_dies_in_the_middle_fails_what_was_not_yet_done() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let newest = world.panel.add_backup(server, "weekly", Archive::small(2));
    let panel = world.panel.clone();
    world.panel.before(Call::Link(newest), move |_script| {
        tokio::spawn(async move { panel.stop_panel().await });
    });
    world
        .panel
        .on(Call::Link(newest), Times::Forever, Fault::Silent);
    let told = story(
        &world,
        &mirror_with(&world, &["--transfers", "1"], small_parts()).await,
    );
    assert_snapshot!(told, @r"
exit 1
backup <nightly>: unreachable: could not get a download link for backup <nightly>: could not connect to http://<host>: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
  hint: check that http://<host> is right and can be reached from this machine (DNS, firewall)
backup <weekly>: unreachable: could not get a download link for backup <weekly>: could not connect to http://<host>: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
  hint: check that http://<host> is right and can be reached from this machine (DNS, firewall)
copy nightly at <offsite>: failed
copy weekly at <offsite>: failed
ledger lacks weekly at <offsite>: could not get a download link for backup <weekly>: could not connect to http://<host>: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: could not connect to http://<host>: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_panel_that_is_down_is_told_by_its_address() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.stop_panel().await;
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
panel <host>: unreachable: could not list the servers: could not connect to http://<host>: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
  hint: check that http://<host> is right and can be reached from this machine (DNS, firewall)
links 0, downloads 0, bytes served 0
    ");
}
