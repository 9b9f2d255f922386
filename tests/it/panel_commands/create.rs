//! `panel create`: what is asked for, and what is said of it.

use std::fs;

use nestegg::model::backup::Backup;
use nestegg::report::json::panel::CREATE_SCHEMA;
use nestegg::report::panel::Learnt;
use serde_json::Value;
use serde_json::json;

use super::DIALECTS;
use super::changes;
use super::kinds;
use super::messages;
use super::panel;
use super::panel_json;
use super::plain;
use super::quick_create;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::world::World;

fn subuser(permissions: &[&str]) -> Access {
    Access::Subuser(permissions.iter().map(|one| (*one).to_owned()).collect())
}

#[tokio::test]
async fn a_backup_is_asked_for_once_and_its_id_is_printed_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let ran = panel(
            &world,
            &["create", "--server", "Surv*", "--name", "before update"],
        )
        .await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{dialect:?}"
        );
        let made = *world.panel.backups_of(server).last().unwrap();
        assert_eq!(
            ran.stdout,
            format!("in progress: {made} before update of Survival\n"),
            "{dialect:?}"
        );
        assert_eq!(changes(&world), ["POST "]);
    }
}

#[tokio::test]
async fn name_patterns_and_lock_reach_the_panel() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let (ran, document) = panel_json(
        &world,
        CREATE_SCHEMA,
        &[
            "create",
            "--server",
            &server.to_string(),
            "--name",
            "n",
            "--ignore",
            "*.log",
            "cache/",
            "--lock",
        ],
    )
    .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let made = &document["backup"];
    assert_eq!(
        json!([
            made["name"],
            made["locked"],
            made["ignored_files"],
            made["state"],
            document["learnt_from"]
        ]),
        json!(["n", true, ["*.log", "cache/"], "in_progress", "answer"])
    );
    let file = world.path("ignore");
    fs::write(&file, "# logs\n*.log\n\nmods/\n").unwrap();
    let (_, document) = panel_json(
        &world,
        CREATE_SCHEMA,
        &[
            "create",
            "--server",
            "Survival",
            "--ignore-file",
            file.to_str().unwrap(),
        ],
    )
    .await;
    let made = &document["backup"];
    assert_eq!(made["ignored_files"], json!(["*.log", "mods/"]));
    assert_eq!(made["locked"], false);
}

#[tokio::test]
async fn a_bad_ignore_file_or_flag_is_refused_before_anybody_is_asked() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let empty = world.path("empty");
    fs::write(&empty, "\n# nothing\n").unwrap();
    let (empty, missing) = (empty.to_str().unwrap(), "no-such-file");
    for (words, said) in [
        (&["--ignore-file", empty][..], "holds no pattern"),
        (
            &["--ignore-file", missing],
            "could not read the ignore file",
        ),
        (&["--ignore-file", "."], "name a file, not a folder"),
        (&["--ignore", ""], "is no pattern"),
        (
            &["--ignore", "a", "--ignore-file", empty],
            "cannot be used with",
        ),
        (&["--timeout", "2h"], "--wait"),
        (&["--wait", "--timeout", "2"], "`2` has no unit"),
        (&["--name", " "], "1 to 255 printable characters"),
    ] {
        let words = [&["create", "--server", "Survival"], words].concat();
        let ran = panel(&world, &words).await;
        assert_eq!(ran.code, Some(2), "{words:?} {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{words:?} {}", ran.stderr);
    }
    let ran = panel(&world, &["create"]).await;
    assert_eq!(ran.code, Some(2));
    assert_eq!(world.panel.requests(), []);
}

#[tokio::test]
async fn quietly_nothing_is_said_of_a_backup_that_began() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let ran = panel(&world, &["create", "--server", "Survival", "-q"]).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[tokio::test]
async fn a_lock_that_the_panel_left_out_for_want_of_a_permission_is_noticed() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| {
        row.access = subuser(&["backup.read", "backup.create"]);
    });
    let words = ["create", "--server", "Survival", "--name", "n", "--lock"];
    let ran = panel(&world, &words).await;
    assert_eq!(ran.code, Some(3));
    plain().bind(|| {
        insta::assert_snapshot!(ran.stdout, @"in progress: [uuid] n of Survival");
        insta::assert_snapshot!(ran.stderr, @r"
        error: backup [uuid]: the panel made the backup without the lock; could not lock or unlock backup [uuid]: the permission `backup.delete` is missing
          hint: give the key's user the permission backup.delete on this server, under Users in the panel
        ");
    });
    let (_, document) = panel_json(&world, CREATE_SCHEMA, &words).await;
    assert_eq!(
        kinds(&document),
        [("backup".to_owned(), "permission".to_owned())]
    );
    assert_eq!(document["backup"]["locked"], false);
}

#[tokio::test]
async fn a_lock_that_was_only_forgotten_is_put_on_afterwards() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let made = world.panel.add_backup(server, "fresh", Archive::small(2));
    let row = json!({"object": "backup", "attributes": {"uuid": made, "name": "fresh", "is_locked": false,
        "is_successful": false, "checksum": null, "bytes": 0, "ignored_files": [],
        "created_at": "2026-11-22T02:54:56+00:00", "completed_at": null}});
    // The list is without it; the answer is about it.
    world.panel.on(
        Call::BackupsOf(server),
        Times::Next(1),
        Fault::Says(
            json!({"object": "list", "data": [],
            "meta": {"pagination": {"total": 0, "total_pages": 1}}})
            .to_string(),
        ),
    );
    world.panel.on(
        Call::Create(server),
        Times::Next(1),
        Fault::Says(row.to_string()),
    );
    let (report, exit) = quick_create(&world, &["--server", "Survival", "--lock"]).await;
    assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
    assert!(world.panel.backup(made).unwrap().is_locked);
    assert!(report.made.unwrap().backup.record().is_locked);
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_by_the_list_and_said() {
    for dialect in DIALECTS {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        world.panel.on(
            Call::Create(server),
            Times::Next(1),
            Fault::CutAfter { bytes: 20 },
        );
        let ran = panel(&world, &["create", "--server", "Survival", "--name", "n"]).await;
        assert_eq!(ran.code, Some(0), "{dialect:?} {}", ran.stderr);
        let made = *world.panel.backups_of(server).last().unwrap();
        assert_eq!(ran.stdout, format!("in progress: {made} n of Survival\n"));
        assert_eq!(
            ran.stderr,
            "note: the panel's answer was lost; this is the one backup that its list has more than before\n"
        );
        assert_eq!(changes(&world), ["POST "], "it was asked for again");
    }
}

#[tokio::test]
async fn a_lost_answer_without_a_new_backup_is_a_failure_that_is_not_repeated() {
    for (fault, message) in [
        (Fault::BadGateway, "the panel failed (HTTP 502)"),
        (
            Fault::Html,
            "the answer is a web page instead of a panel's API (HTTP 200)",
        ),
        (
            Fault::Garbage,
            "the answer is something that is not JSON instead of a panel's API (HTTP 200)",
        ),
        (
            Fault::Says("{\"object\":\"backup\"}".to_owned()),
            "the answer makes no sense: missing field `attributes` at line 1 column 19",
        ),
        (Fault::Closed, "broke"),
    ] {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.on(Call::Create(server), Times::Next(1), fault);
        let (report, exit) = quick_create(&world, &["--server", "Survival"]).await;
        assert_eq!(exit.code(), 1);
        let [told] = &messages(&report.errors)[..] else {
            panic!("{:?}", report.errors)
        };
        assert!(told.contains(message), "{told}");
        assert!(
            told.ends_with("; the server's list has no new backup so far"),
            "{told}"
        );
        assert_eq!(changes(&world), ["POST "]);
        assert_eq!(world.panel.backups_of(server).len(), 1);
    }
}

#[tokio::test]
async fn a_backup_that_the_list_shows_later_than_a_proxy_gives_up_is_found() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .on(Call::Create(server), Times::Next(1), Fault::BadGateway);
    // The list before the wish, the look right after it, and the one that shows what came of it.
    let listed = Call::BackupsOf(server);
    world.panel.before(listed, move |script| {
        script.before(listed, move |script| {
            script.before(listed, move |script| {
                script.add_in_progress(server, "late", None);
            });
        });
    });
    let (report, exit) = quick_create(&world, &["--server", "Survival"]).await;
    assert_eq!(exit.code(), 0, "{report:?}");
    let made = *world.panel.backups_of(server).last().unwrap();
    assert_eq!(report.made.unwrap().backup.record().id, made);
    assert_eq!(changes(&world), ["POST "]);
}

#[tokio::test]
async fn among_several_new_backups_only_the_name_tells_which_one_was_asked_for() {
    for (words, found) in [
        (&["--server", "Survival"][..], false),
        (&["--server", "Survival", "--name", "mine"], true),
    ] {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.before(Call::Create(server), move |script| {
            script.add_backup(server, "somebody's", Archive::small(5));
        });
        world.panel.on(
            Call::Create(server),
            Times::Next(1),
            Fault::CutAfter { bytes: 5 },
        );
        let (report, exit) = quick_create(&world, words).await;
        if found {
            assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
            let made = report.made.unwrap();
            assert_eq!(
                (made.backup.record().name.as_str(), made.learnt),
                ("mine", Learnt::FromList)
            );
        } else {
            assert_eq!(exit.code(), 1);
            let told = messages(&report.errors);
            assert!(
                told[0].contains("has 2 new backups, and which one"),
                "{told:?}"
            );
            assert_eq!(report.made, None);
        }
        assert_eq!(changes(&world), ["POST "]);
    }
}

#[tokio::test]
async fn an_answer_about_a_backup_that_was_there_before_is_not_believed() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    let row = json!({"object": "backup", "attributes": {"uuid": old, "name": "nightly", "is_locked": false,
        "is_successful": true, "checksum": null, "bytes": 3, "ignored_files": [],
        "created_at": "2026-11-22T02:54:56+00:00", "completed_at": "2026-11-22T02:55:56+00:00"}});
    world.panel.on(
        Call::Create(server),
        Times::Next(1),
        Fault::Says(row.to_string()),
    );
    let (report, exit) = quick_create(&world, &["--server", "Survival", "--wait"]).await;
    assert_eq!((exit.code(), &report.made), (1, &None));
    assert!(
        messages(&report.errors)[0].contains("a backup that was there before"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_key_that_may_create_and_not_look_has_its_backup_made() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .edit_server(server, |row| row.access = subuser(&["backup.create"]));
    let (report, exit) = quick_create(&world, &["--server", "Survival"]).await;
    assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
    assert!(matches!(report.made.unwrap().backup, Backup::Pending(_)));
    let (report, exit) = quick_create(&world, &["--server", "Survival", "--wait"]).await;
    assert_eq!(exit.code(), 3);
    assert!(
        messages(&report.errors)[0].contains("`backup.read` is missing"),
        "{report:?}"
    );
    assert!(
        report.errors[0]
            .hint
            .ends_with("the backup itself goes on at the panel")
    );
    world
        .panel
        .set_create_throttle(9, std::time::Duration::from_mins(10));
    world.panel.on(
        Call::Create(server),
        Times::Next(1),
        Fault::CutAfter { bytes: 5 },
    );
    let (report, exit) = quick_create(&world, &["--server", "Survival"]).await;
    assert_eq!(exit.code(), 1);
    assert!(
        messages(&report.errors)[0].ends_with("whether one is being made is not known"),
        "{report:?}"
    );
}

#[tokio::test]
async fn the_document_of_a_backup_that_began_says_which_slots_there_were() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| row.backup_limit = 5);
    let (_, document) =
        panel_json(&world, CREATE_SCHEMA, &["create", "--server", "Survival"]).await;
    assert_eq!(document["slots_before"]["used"], 1);
    assert_eq!(document["slots_before"]["limit"], 5);
    assert_eq!(document["retry_after_seconds"], Value::Null);
    assert_eq!(document["server"], json!(server));
}
