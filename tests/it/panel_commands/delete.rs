//! `panel delete`.

use std::fmt::Write as _;
use std::fs;

use nestegg::model::ids::BackupId;
use nestegg::report::json::panel::DELETE_SCHEMA;
use serde_json::json;

use super::mirrored::Mirrored;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Stage;
use crate::support::fake_panel::Times;
use crate::support::terminal;
use crate::support::world::World;

#[tokio::test]
async fn what_is_held_everywhere_is_deleted_in_every_dialect_and_no_copy_is_touched() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented] {
        let scene = Mirrored::of(3).await;
        scene.world.panel.set_dialect(dialect);
        let id = scene.backups[0].to_string();
        let (ran, document) = scene.json(DELETE_SCHEMA, &["delete", &id, "--yes"]).await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{dialect:?}"
        );
        assert_eq!(scene.there(), [2, 3], "{dialect:?}");
        let row = &document["backups"][0];
        let held = |place: &str| json!({"destination": place, "found": "held", "why": null});
        assert_eq!(
            json!([row["state"], row["name"], row["copies"], row["error"]]),
            json!(["deleted", "nightly 1", [held("b2"), held("nas")], null])
        );
        for place in ["b2", "nas"] {
            assert!(scene.archive(place, scene.backups[0]).exists());
        }
    }
}

#[tokio::test]
async fn what_was_deleted_is_told_in_a_line() {
    let scene = Mirrored::of(2).await;
    let [one, two] = [0, 1].map(|at: usize| scene.backups[at].to_string());
    scene.world.panel.delete_backup(scene.backups[1]);
    let ran = scene.panel(&["delete", &one, &two, "--yes"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(scene.plain(&ran.stdout), @r"
    deleted: Survival / nightly 1 (BACKUP-1), held at b2, nas
    already gone: Survival / BACKUP-2
    ");
    let ran = scene.panel(&["-q", "delete", &one, "--yes"]).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn what_is_not_held_everywhere_stays_and_where_it_is_missing_is_told() {
    let scene = Mirrored::unmirrored(2).await;
    scene.mirror(&["--to", "b2"]).await;
    let id = scene.backups[0].to_string();
    let ran = scene.panel(&["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(scene.there(), [1, 2]);
    assert_eq!(scene.deletions_asked(), 0);
    insta::assert_snapshot!(scene.plain(&ran.stderr), @r"
    error: backup BACKUP-1: it is not held, verified, at nas (the ledger knows of no copy there); it was not deleted
      hint: run `nestegg mirror --backup BACKUP-1` first, or give --even-if-not-mirrored
    ");
    let ran = scene
        .panel(&["delete", &id, "--yes", "--even-if-not-mirrored"])
        .await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(scene.there(), [2]);
}

#[tokio::test]
async fn a_copy_that_prune_is_removing_is_not_held() {
    let scene = Mirrored::of(2).await;
    scene.begin_removal("nas", scene.backups[0]);
    let id = scene.backups[0].to_string();
    let ran = scene.panel(&["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("it is not held, verified, at nas (the ledger knows of no copy there)"),
        "{}",
        ran.stderr
    );
    assert_eq!((scene.there(), scene.deletions_asked()), (vec![1, 2], 0));
}

#[tokio::test]
async fn a_removal_that_begins_while_it_is_asked_about_holds_the_backup() {
    let scene = Mirrored::of(1).await;
    let id = scene.backups[0];
    // The ledger was asked once by then, and said that it is held.
    let ledger = scene.world.ledger();
    scene.world.panel.before(Call::Backup(id), move |script| {
        script.before(Call::Backup(id), move |_| {
            let ledger = rusqlite::Connection::open(ledger).unwrap();
            let sql = "DELETE FROM copies WHERE destination_id =
                (SELECT id FROM destinations WHERE name = 'nas')";
            assert_eq!(ledger.execute(sql, []).unwrap(), 1);
        });
    });
    let ran = scene.panel(&["delete", &id.to_string(), "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!((scene.there(), scene.deletions_asked()), (vec![1], 0));
}

/// Two panels, each with a server of the same name; one backup of the second.
async fn two_panels() -> (World, World, BackupId, String) {
    let (first, _, _) = World::with_backup(Archive::small(1)).await;
    let (second, _, id) = World::with_backup(Archive::small(2)).await;
    let mut config = String::new();
    for (name, world) in [("first", &first), ("second", &second)] {
        let key = first.path(name);
        fs::write(&key, world.panel.key()).unwrap();
        let (url, key) = (world.panel.url(), key.display());
        writeln!(
            config,
            "[[panel]]\nname = \"{name}\"\nurl = \"{url}\"\napi_key_file = \"{key}\""
        )
        .unwrap();
    }
    let file = first.path("two.toml");
    fs::write(&file, config).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (first, second, id, file)
}

#[tokio::test]
async fn a_server_without_it_is_not_taken_for_another_panels_of_the_same_name() {
    let (first, second, id, config) = two_panels().await;
    let text = id.to_string();
    let words = [
        "panel",
        "delete",
        &text,
        "--server",
        "Survival",
        "--yes",
        "--even-if-not-mirrored",
        "--config",
        &config,
    ];
    let ran = first.run(&words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("deleted: "), "{}", ran.stdout);
    assert!(second.panel.backup(id).is_none());
    // Neither of the two says of which it was.
    let ran = first.run(&words).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("no server that was looked at has this backup")
    );
}

#[tokio::test]
async fn nothing_is_gone_already_while_a_panel_that_may_have_it_is_away() {
    let (first, second, id, config) = two_panels().await;
    second.panel.set_key("ptlc_another");
    for more in [&[][..], &["--server", "Survival"]] {
        let text = id.to_string();
        let mut words = vec!["panel", "delete", &text, "--yes", "--config", &config];
        words.extend(more);
        let ran = first.run(&words).await;
        assert_eq!(ran.code, Some(12), "{}", ran.stderr);
        assert_eq!(ran.stdout, format!("not deleted: {id}\n"), "{more:?}");
    }
}

#[tokio::test]
async fn a_server_that_the_key_is_not_shown_says_nothing_of_its_backups() {
    let scene = Mirrored::of(1).await;
    scene.world.panel.add_server("Another");
    scene
        .world
        .panel
        .edit_server(scene.server, |row| row.access = Access::Stranger);
    let id = scene.backups[0].to_string();
    let (ran, document) = scene.json(DELETE_SCHEMA, &["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["state"], "not_deleted");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_made_up_for_by_a_look() {
    let scene = Mirrored::of(1).await;
    let id = scene.backups[0];
    // The third call about it is the deletion.
    scene.world.panel.before(Call::Backup(id), move |script| {
        script.before(Call::Backup(id), move |script| {
            script.before(Call::Backup(id), move |script| {
                script.delete_backup(id);
                script.on(Call::Backup(id), Times::Next(1), Fault::Html);
            });
        });
    });
    let (ran, document) = scene
        .json(DELETE_SCHEMA, &["delete", &id.to_string(), "--yes"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["state"], "deleted");
}

#[tokio::test]
async fn without_a_ledger_nothing_is_mirrored_and_none_is_made() {
    let scene = Mirrored::of(1).await;
    for file in ["", "-wal", "-shm"] {
        let path = format!("{}{file}", scene.world.ledger().display());
        drop(fs::remove_file(path));
    }
    let id = scene.backups[0].to_string();
    let ran = scene.panel(&["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("the ledger knows of no copy there"));
    assert_eq!((scene.there(), scene.deletions_asked()), (vec![1], 0));
    assert!(!scene.world.ledger().exists());
}

#[tokio::test]
async fn a_ledgers_word_is_not_enough_where_a_destination_lies() {
    // What is done to the second place, and what is said of it.
    for (what, says, code) in [
        ("archive gone", "the archive is missing", 4),
        ("archive cut", "the archive is truncated", 4),
        ("sidecar gone", "the sidecar is missing", 4),
        ("root gone", "nas", 1),
    ] {
        let scene = Mirrored::of(2).await;
        let archive = scene.archive("nas", scene.backups[0]);
        match what {
            "archive gone" => fs::remove_file(&archive).unwrap(),
            "archive cut" => fs::write(&archive, "short").unwrap(),
            "sidecar gone" => {
                let name = format!("{}.json", scene.backups[0]);
                fs::remove_file(archive.with_file_name(name)).unwrap();
            }
            _ => fs::rename(scene.root("nas"), scene.root("unmounted")).unwrap(),
        }
        let id = scene.backups[0].to_string();
        let ran = scene.panel(&["delete", &id, "--yes"]).await;
        assert_eq!(ran.code, Some(code), "{what}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{what}: {}", ran.stderr);
        assert_eq!(
            (scene.there(), scene.deletions_asked()),
            (vec![1, 2], 0),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_row_that_speaks_of_another_archive_than_the_copies_stays() {
    let scene = Mirrored::of(1).await;
    scene
        .world
        .panel
        .edit(scene.backups[0], |row| row.complete(Archive::small(77)));
    let id = scene.backups[0].to_string();
    let ran = scene.panel(&["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("another checksum now"),
        "{}",
        ran.stderr
    );
    assert_eq!(scene.deletions_asked(), 0);
}

#[tokio::test]
async fn a_locked_backup_is_never_deleted_nor_unlocked() {
    for dialect in [Dialect::Pterodactyl, Dialect::Documented] {
        let scene = Mirrored::of(1).await;
        scene.world.panel.set_dialect(dialect);
        let id = scene.backups[0];
        scene.world.panel.edit(id, |row| row.is_locked = true);
        for more in [&[][..], &["--even-if-not-mirrored"]] {
            let text = id.to_string();
            let mut words = vec!["delete", &text, "--yes"];
            words.extend(more);
            let ran = scene.panel(&words).await;
            assert_eq!(ran.code, Some(1), "{}", ran.stderr);
            assert!(
                ran.stderr.contains("it is locked on the panel"),
                "{}",
                ran.stderr
            );
            assert!(ran.stderr.contains(&format!("nestegg panel unlock {id}")));
        }
        assert!(scene.world.panel.backup(id).unwrap().is_locked);
        assert_eq!(scene.deletions_asked(), 0);
    }
}

#[tokio::test]
async fn a_lock_that_is_set_between_the_look_and_the_deletion_holds() {
    // Before the row is read again, and after.
    for call in 0..2 {
        let scene = Mirrored::of(1).await;
        let id = scene.backups[0];
        lock_before(&scene, id, call);
        let ran = scene.panel(&["delete", &id.to_string(), "--yes"]).await;
        assert_eq!(ran.code, Some(1), "{call}: {}", ran.stderr);
        assert!(ran.stderr.contains("locked"), "{call}: {}", ran.stderr);
        assert_eq!(scene.there(), [1], "{call}");
    }
}

/// Locks a backup right before the second or third call about it.
fn lock_before(scene: &Mirrored, id: BackupId, more: u32) {
    scene.world.panel.before(Call::Backup(id), move |script| {
        script.before(Call::Backup(id), move |script| {
            if more == 0 {
                script.edit(id, |row| row.is_locked = true);
            } else {
                script.before(Call::Backup(id), move |script| {
                    script.edit(id, |row| row.is_locked = true);
                });
            }
        });
    });
}

#[tokio::test]
async fn a_failed_backup_goes_without_a_copy_and_one_in_progress_only_when_asked_twice() {
    let scene = Mirrored::of(1).await;
    let panel = &scene.world.panel;
    let failed = panel.add_failed(scene.server, "failed").to_string();
    let running = panel
        .add_in_progress(scene.server, "running", None)
        .to_string();
    let ran = scene.panel(&["delete", &failed, &running, "--yes"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("deleted: Survival / failed"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains("it is still being made"),
        "{}",
        ran.stderr
    );
    assert_eq!(panel.backups_of(scene.server).len(), 2);
    let ran = scene
        .panel(&["delete", &running, "--yes", "--even-if-not-mirrored"])
        .await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(panel.backups_of(scene.server), scene.backups);
}

#[tokio::test]
async fn what_is_gone_already_is_no_failure_and_what_nobody_knows_is() {
    let scene = Mirrored::of(2).await;
    let id = scene.backups[0];
    scene.world.panel.delete_backup(id);
    // The ledger remembers its server; a named server is looked at alone.
    let server = scene.server.to_string();
    for more in [&[][..], &["--server", &server]] {
        let text = id.to_string();
        let mut words = vec!["delete", &text, "--yes"];
        words.extend(more);
        let (ran, document) = scene.json(DELETE_SCHEMA, &words).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(document["backups"][0]["state"], "already_gone");
    }
    let unknown = "00000000-bf44-4933-824f-489198dda9e6";
    let (ran, document) = scene
        .json(DELETE_SCHEMA, &["delete", unknown, "--yes"])
        .await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["server"], json!(null));
    assert_eq!(scene.deletions_asked(), 0);
}

#[tokio::test]
async fn a_backup_that_vanishes_on_the_way_is_gone_and_no_failure() {
    let scene = Mirrored::of(1).await;
    let id = scene.backups[0];
    scene.world.panel.before(Call::Backup(id), move |script| {
        script.before(Call::Backup(id), move |script| {
            script.before(Call::Backup(id), move |script| script.delete_backup(id));
        });
    });
    let (ran, document) = scene
        .json(DELETE_SCHEMA, &["delete", &id.to_string(), "--yes"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["state"], "already_gone");
}

#[tokio::test]
async fn a_node_that_is_down_is_explained_and_the_row_stays() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican] {
        let scene = Mirrored::of(1).await;
        scene.world.panel.set_dialect(dialect);
        scene.world.panel.stop_node().await;
        let ran = scene
            .panel(&["delete", &scene.backups[0].to_string(), "--yes"])
            .await;
        assert_eq!(ran.code, Some(1), "{dialect:?}: {}", ran.stderr);
        assert!(
            ran.stderr
                .contains("could not get it done by the server's node"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("so it is there still"),
            "{}",
            ran.stderr
        );
        assert_eq!(scene.there(), [1]);
        // What lies in a bucket does not need the node.
        scene.world.panel.set_disk(scene.backups[0], Disk::S3);
        let ran = scene
            .panel(&["delete", &scene.backups[0].to_string(), "--yes"])
            .await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    }
}

#[tokio::test]
async fn a_panel_that_says_deleted_and_does_not_delete_is_caught() {
    let scene = Mirrored::of(1).await;
    let id = scene.backups[0];
    // The third call about it is the deletion.
    scene.world.panel.before(Call::Backup(id), move |script| {
        script.before(Call::Backup(id), move |script| {
            script.before(Call::Backup(id), move |script| {
                script.on(
                    Call::Backup(id),
                    Times::Next(1),
                    Fault::Says("{}".to_owned()),
                );
            });
        });
    });
    let ran = scene.panel(&["delete", &id.to_string(), "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("and lists it still"), "{}", ran.stderr);
    assert_eq!(scene.there(), [1]);
}

#[tokio::test]
async fn a_missing_permission_and_a_refused_key_are_told_apart() {
    let scene = Mirrored::of(1).await;
    let id = scene.backups[0].to_string();
    scene.world.panel.edit_server(scene.server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned()]);
    });
    let ran = scene.panel(&["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("the permission `backup.delete` is missing")
    );
    scene.world.panel.set_key("ptlc_another");
    let ran = scene.panel(&["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
}

#[tokio::test]
async fn nobody_to_ask_means_nothing_is_deleted() {
    let scene = Mirrored::of(1).await;
    let ran = scene
        .panel(&["delete", &scene.backups[0].to_string()])
        .await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("nobody agreed"), "{}", ran.stderr);
    assert!(ran.stderr.contains("give --yes"), "{}", ran.stderr);
    assert_eq!((scene.there(), scene.deletions_asked()), (vec![1], 0));
}

#[tokio::test]
async fn one_that_may_not_go_does_not_hold_up_the_others() {
    let scene = Mirrored::of(3).await;
    scene
        .world
        .panel
        .edit(scene.backups[1], |row| row.is_locked = true);
    scene.world.panel.edit(scene.backups[2], |row| {
        assert_eq!(row.stage, Stage::Completed);
        row.name = "\u{1b}[2Jclear".to_owned();
    });
    let ids: Vec<String> = scene.backups.iter().map(ToString::to_string).collect();
    let mut words = vec!["delete"];
    words.extend(ids.iter().map(String::as_str));
    words.push("--yes");
    let ran = scene.panel(&words).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(scene.there(), [2]);
    assert!(!ran.stdout.contains('\u{1b}'), "{:?}", ran.stdout);
}

#[tokio::test]
async fn who_types_delete_is_obeyed_and_nobody_else() {
    for (text, code, left) in [
        ("delete\n", 0, 1),
        ("y\n", 1, 2),
        ("\n", 1, 2),
        ("\x03", 130, 2),
    ] {
        let scene = Mirrored::of(2).await;
        let id = scene.backups[0].to_string();
        let args = ["panel", "delete", &id].map(str::to_owned);
        let (ended, shown) = terminal::typed(&scene.world, &args, text).await;
        assert_eq!(ended, Some(code), "{text:?}: {shown}");
        assert!(
            shown.contains("This will delete 1 backup from the panel"),
            "{shown}"
        );
        assert!(shown.contains("Survival / nightly 1"), "{shown}");
        assert_eq!(scene.there().len(), left, "{text:?}");
    }
}

#[tokio::test]
async fn every_command_that_changes_a_panel_has_a_help_with_examples() {
    let scene = Mirrored::unmirrored(0).await;
    for (command, words) in [
        (
            "delete",
            ["Examples:", "--even-if-not-mirrored", "exit code is 4"],
        ),
        ("restore", ["Examples:", "activity.read", "--no-truncate"]),
        ("trim", ["Examples:", "--min-copies", "nestegg keep"]),
    ] {
        let ran = scene.panel(&[command, "--help"]).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{command}");
        for word in words {
            assert!(ran.stdout.contains(word), "{command}: {word}");
        }
    }
}

#[tokio::test]
async fn without_any_destination_a_backup_is_held_nowhere() {
    let (world, _server, backup) = World::with_backup(Archive::small(1)).await;
    let id = backup.to_string();
    let ran = super::panel(&world, &["delete", &id, "--yes"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("it is held nowhere"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no destination is configured"));
    assert!(world.panel.backup(backup).is_some());
}
