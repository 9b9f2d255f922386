//! `panel create`: what panels refuse, explained.

use std::time::Duration;

use nestegg::report::json::panel::CREATE_SCHEMA;
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
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Service;
use crate::support::fake_panel::Stage;
use crate::support::fake_panel::Times;
use crate::support::world::World;

#[tokio::test]
async fn full_slots_are_explained_with_what_is_in_them_in_every_dialect() {
    let mut said = Vec::new();
    for dialect in DIALECTS {
        let (world, server, first) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let second = world.panel.add_backup(server, "second", Archive::small(2));
        world.panel.edit(first, |row| row.is_locked = true);
        world
            .panel
            .edit(second, |row| row.stage = Stage::InProgress);
        world.panel.edit_server(server, |row| row.backup_limit = 2);
        let (ran, document) =
            panel_json(&world, CREATE_SCHEMA, &["create", "--server", "Survival"]).await;
        assert_eq!(ran.code, Some(1), "{dialect:?}");
        assert_eq!(
            kinds(&document),
            [("server".to_owned(), "policy".to_owned())],
            "{dialect:?}"
        );
        assert_eq!(document["slots_before"]["locked"], 1, "{dialect:?}");
        said.push(ran.stderr.replace(&server.to_string(), "[server]"));
    }
    said.dedup();
    assert_eq!(
        said,
        [
            "error: server [server]: could not have a backup of server [server] made: the server has reached its limit \
          of backups: 2 of 2 slots are taken (1 completed, 1 in progress; 1 locked)\n  hint: free one: \
          `nestegg panel trim` deletes the oldest that are held elsewhere, `nestegg panel delete` one of your \
          choice; or raise the server's backup limit\n"
        ]
    );
}

#[tokio::test]
async fn slots_full_of_locked_backups_and_no_slots_at_all_have_hints_of_their_own() {
    let (world, server, first) = World::with_backup(Archive::small(1)).await;
    world.panel.edit(first, |row| row.is_locked = true);
    world.panel.edit_server(server, |row| row.backup_limit = 1);
    let (report, exit) = quick_create(&world, &["--server", "Survival"]).await;
    assert_eq!(exit.code(), 1);
    assert!(
        report.errors[0].hint.starts_with("all of them are locked"),
        "{report:?}"
    );
    world.panel.edit_server(server, |row| row.backup_limit = 0);
    let (report, _) = quick_create(&world, &["--server", "Survival"]).await;
    assert!(
        messages(&report.errors)[0].ends_with("its limit is 0, so none can be made"),
        "{report:?}"
    );
    assert_eq!(changes(&world), ["POST ", "POST "]);
}

#[tokio::test]
async fn the_throttle_of_new_backups_is_told_with_its_wait() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.set_create_throttle(1, Duration::from_mins(10));
    assert_eq!(
        quick_create(&world, &["--server", "Survival"])
            .await
            .1
            .code(),
        0
    );
    let ran = panel(&world, &["create", "--server", "Survival"]).await;
    assert_eq!(ran.code, Some(1));
    plain().bind(|| {
        insta::assert_snapshot!(ran.stderr, @r"
        error: server [uuid]: could not have a backup of server [uuid] made: the panel limits how often a server is backed up, and wants [n] s of waiting
          hint: ask again in [n] s
        ");
    });
    let (_, document) =
        panel_json(&world, CREATE_SCHEMA, &["create", "--server", "Survival"]).await;
    assert_eq!(
        kinds(&document),
        [("server".to_owned(), "rate_limited".to_owned())]
    );
    let wait = document["retry_after_seconds"].as_u64().unwrap();
    assert!((500..=600).contains(&wait), "{wait}");
    assert_eq!(world.panel.backups_of(server).len(), 2);
}

#[tokio::test]
async fn a_node_that_is_down_is_told_and_nothing_is_left_behind() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.stop_node().await;
    let ran = panel(&world, &["create", "--server", "Survival"]).await;
    assert_eq!(ran.code, Some(1));
    plain().bind(|| {
        insta::assert_snapshot!(ran.stderr, @r"
        error: server [uuid]: could not have a backup of server [uuid] made: the panel could not get it done by the server's node (HTTP 504); the server's list has no new backup, so none was begun
          hint: check that the server's node is up and that the panel reaches it
        ");
    });
    assert_eq!(world.panel.backups_of(server).len(), 1);
    assert_eq!(changes(&world), ["POST "]);
}

#[tokio::test]
async fn a_name_longer_than_the_panel_takes_is_refused_in_the_panels_words() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let ran = panel(
        &world,
        &["create", "--server", "Survival", "--name", &"n".repeat(192)],
    )
    .await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains(
            "(HTTP 422, ValidationException: The name may not be greater than 191 characters.)"
        ),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_server_that_is_suspended_says_so() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.set_condition(server, Condition::Suspended);
    let (ran, document) =
        panel_json(&world, CREATE_SCHEMA, &["create", "--server", "Survival"]).await;
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        kinds(&document),
        [("server".to_owned(), "server_state".to_owned())]
    );
    assert!(changes(&world).is_empty());
}

#[tokio::test]
async fn no_space_and_a_missing_permission_are_told() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.on(
        Call::Create(server),
        Times::Next(1),
        Fault::Refusal {
            status: 507,
            code: "InsufficientStorageException".to_owned(),
            detail: "no".to_owned(),
        },
    );
    let (ran, document) =
        panel_json(&world, CREATE_SCHEMA, &["create", "--server", "Survival"]).await;
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        kinds(&document),
        [("server".to_owned(), "no_space".to_owned())]
    );
    world.panel.edit_server(server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned()]);
    });
    let ran = panel(&world, &["create", "--server", "Survival"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("`backup.create` is missing"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn one_server_is_needed_and_nothing_is_asked_of_several_or_none() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.add_server("Survival two");
    let ran = panel(&world, &["create", "--server", "Surv*"]).await;
    assert_eq!(ran.code, Some(2));
    plain().bind(|| {
        insta::assert_snapshot!(ran.stderr, @r"
        error: server Surv*: `Surv*` names 2 servers, and one is needed: Survival ([short]), Survival two ([short])
          hint: give the short id or the uuid of the one that is meant; --panel when several panels have it
        ");
    });
    let ran = panel(&world, &["create", "--server", "nowhere"]).await;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr
            .contains("no server of this key is called `nowhere`"),
        "{}",
        ran.stderr
    );
    assert!(changes(&world).is_empty());
}

#[tokio::test]
async fn a_panel_that_can_not_be_asked_may_have_a_server_of_that_name_too() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let other = World::new().await;
    other.panel.set_service(Service::Maintenance);
    let key = world.path("key");
    std::fs::write(&key, world.panel.key()).unwrap();
    let text = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\napi_key_file = \"{key}\"\n\
         [[panel]]\nname = \"other\"\nurl = \"{}\"\napi_key_file = \"{key}\"\n",
        world.panel.url(),
        other.panel.url(),
        key = key.display(),
    );
    let file = world.path("config.toml");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    other.panel.set_key("ptlc_other");
    let words = ["panel", "create", "--server", "Survival", "--config", file];
    let ran = world.run(&words).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), ""),
        "{}",
        ran.stderr
    );
    assert!(changes(&world).is_empty());
    let named = world
        .run(&[&words[..], &["--panel", "main", "--json"]].concat())
        .await;
    assert_eq!(named.code, Some(0), "{}", named.stderr);
    assert_eq!(named.json()["panel"], json!("main"));
}

#[tokio::test]
async fn a_bad_key_ends_with_its_own_code() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.set_key("ptlc_another");
    for words in [
        &["create", "--server", "Survival"][..],
        &["backups"],
        &["lock", "6fdff738-bf44-4933-824f-489198dda9e6"],
        &[
            "unlock",
            "6fdff738-bf44-4933-824f-489198dda9e6",
            "--server",
            "a1fa0000",
        ],
    ] {
        let ran = panel(&world, words).await;
        assert_eq!(ran.code, Some(12), "{words:?} {}", ran.stderr);
    }
}
