//! Backups that vanish between the list and the end of their copy.

use nestegg::model::ids::ServerId;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Script;

const VANISHED: &str = "backup not_found: it vanished before it was copied: the panel's rotation or somebody deleted it";
const UNPROTECTED: &str = "raise the server's backup limit, mirror more often, or set `protect = \"lock\"` under [mirror]";
const TOO_LATE: &str =
    "it went before it could be locked: raise the server's backup limit, or mirror more often";

/// A server whose older backup is held, and whose newer one is about to vanish.
async fn about_to_vanish() -> (World, ServerId, BackupId) {
    about_to_vanish_from(Dialect::Pterodactyl).await
}

async fn about_to_vanish_from(dialect: Dialect) -> (World, ServerId, BackupId) {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.set_dialect(dialect);
    assert_eq!(world.quick(&[]).await.1, Exit::Done);
    let doomed = world.panel.add_backup(server, "doomed", Archive::small(2));
    (world, server, doomed)
}

async fn assert_told(world: &World, doomed: BackupId, words: &[&str], hint: &str, when: &str) {
    let (report, exit) = world.quick(words).await;
    assert_eq!(exit, Exit::Partial, "{when}: {:?}", report.errors);
    assert_eq!(failures(&report), [VANISHED], "{when}");
    assert_eq!(report.errors[0].id, doomed.to_string(), "{when}");
    assert_eq!(report.errors[0].hint, hint, "{when}");
    let vanished = told(&world.ledger(), "vanished_at IS NOT NULL");
    assert_eq!(vanished, [doomed].into(), "{when}");
    assert_eq!(noted(&world.ledger()), [], "{when}");
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let recorded: (String, String) = ledger
        .query_row(
            "SELECT c.state, c.error_kind FROM copies c JOIN backups b ON b.id = c.backup_id WHERE b.uuid = ?1",
            [doomed.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(
        recorded,
        ("failed".to_owned(), "not_found".to_owned()),
        "{when}"
    );
    // The next run has nothing to say of it any more.
    assert_eq!(world.quick(words).await.1, Exit::Done, "{when}");
}

#[tokio::test]
async fn one_that_vanishes_before_its_link_is_told_as_vanished_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, _, doomed) = about_to_vanish_from(dialect).await;
        let act = move |script: &Script| script.delete_backup(doomed);
        world.panel.before(Call::Link(doomed), act);
        assert_told(&world, doomed, &[], UNPROTECTED, &format!("{dialect:?}")).await;
    }
}

#[tokio::test]
async fn one_that_vanishes_before_its_lock_is_told_as_vanished_in_every_dialect() {
    for dialect in DIALECTS {
        for call in [Call::Backup, Call::Lock] {
            let (world, _, doomed) = about_to_vanish_from(dialect).await;
            let act = move |script: &Script| script.delete_backup(doomed);
            world.panel.before(call(doomed), act);
            let when = format!("{dialect:?}, {:?}", call(doomed));
            assert_told(&world, doomed, &["--protect", "lock"], TOO_LATE, &when).await;
        }
    }
}

#[tokio::test]
async fn one_that_vanishes_after_its_link_is_told_as_vanished_and_not_as_missing_at_the_node() {
    for disk in [Disk::Node, Disk::S3] {
        let (world, _, doomed) = about_to_vanish().await;
        world.panel.set_disk(doomed, disk);
        let act = move |script: &Script| script.delete_backup(doomed);
        world.panel.before(Call::Download(doomed), act);
        assert_told(&world, doomed, &[], UNPROTECTED, &format!("{disk:?}")).await;
    }
}

#[tokio::test]
async fn one_that_vanishes_in_the_middle_of_its_copy_is_told_as_vanished() {
    let (world, _, doomed) = about_to_vanish().await;
    world
        .panel
        .on_download(doomed, Fault::CutAfter { bytes: 1000 });
    world.panel.before(Call::Download(doomed), move |script| {
        script.before(Call::Link(doomed), move |script| {
            script.delete_backup(doomed);
        });
    });
    assert_told(&world, doomed, &[], UNPROTECTED, "cut, and then gone").await;
}

#[tokio::test]
async fn an_archive_that_the_node_has_lost_is_told_in_other_words() {
    let (world, _, doomed) = about_to_vanish().await;
    world.panel.lose_archive(doomed);
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit, Exit::Partial);
    let told_of = failures(&report);
    assert!(
        told_of.len() == 1
            && told_of[0]
                .contains("does not have this archive, although the panel lists it as completed"),
        "{told_of:?}"
    );
    assert_eq!(told(&world.ledger(), "vanished_at IS NOT NULL"), [].into());
}

#[tokio::test]
async fn a_server_that_is_gone_is_not_told_as_a_vanished_backup() {
    let (world, server, doomed) = about_to_vanish().await;
    world.panel.before(Call::Link(doomed), move |script| {
        script.delete_server(server);
    });
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit, Exit::Partial);
    assert!(!failures(&report).contains(&VANISHED.to_owned()));
    assert_eq!(told(&world.ledger(), "vanished_at IS NOT NULL"), [].into());
}

#[tokio::test]
async fn one_that_another_destination_holds_is_copied_from_there() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let (first, second) = (world.path("first"), world.path("second"));
    let (first, second) = (first.to_str().unwrap(), second.to_str().unwrap());
    assert_eq!(world.quick(&["--to", first]).await.1, Exit::Done);
    world.panel.before_each(move |script, request| {
        if !request.path.ends_with("/backups") {
            script.delete_backup(backup);
        }
    });
    let (report, exit) = protected(&world, &["--to", first, "--to", second]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
}

#[tokio::test]
async fn the_binary_says_it_with_what_to_do_and_in_json() {
    let (world, _, doomed) = about_to_vanish().await;
    let act = move |script: &Script| script.delete_backup(doomed);
    world.panel.before(Call::Link(doomed), act);
    let ran = world.mirror(&["--json"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["errors"][0]["kind"], "not_found");
    assert_eq!(document["errors"][0]["scope"], "backup");
    assert_eq!(document["errors"][0]["id"], doomed.to_string());
    assert_eq!(document["errors"][0]["hint"], UNPROTECTED);
    assert!(
        ran.stderr.contains("vanished before it was copied"),
        "{}",
        ran.stderr
    );
}
