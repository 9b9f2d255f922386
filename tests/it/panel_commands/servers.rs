//! `panel servers`.

use nestegg::report::json::panel::SERVERS_SCHEMA;
use serde_json::json;

use super::kinds;
use super::panel;
use super::panel_json;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Role;
use crate::support::fake_panel::Stage;
use crate::support::fake_panel::Standing;
use crate::support::world::World;

/// Two servers: one with a completed, a locked, a running and a failed backup, one suspended.
async fn two_servers() -> World {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    for number in 0..4 {
        world
            .panel
            .add_backup(server, "nightly", Archive::small(number));
    }
    let rows = world.panel.backups_of(server);
    world.panel.edit(rows[1], |row| row.is_locked = true);
    world.panel.edit(rows[2], |row| {
        row.stage = Stage::InProgress;
    });
    world.panel.edit(rows[3], BackupRow::fail);
    world.panel.edit_server(server, |row| row.backup_limit = 5);
    let other = world.panel.add_server("Creative");
    world.panel.set_condition(other, Condition::Suspended);
    world
}

#[tokio::test]
async fn servers_are_listed_with_their_slots_in_every_dialect_and_without_configuration() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented] {
        let world = two_servers().await;
        world.panel.set_dialect(dialect);
        let (ran, document) = panel_json(&world, SERVERS_SCHEMA, &["servers"]).await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{dialect:?}"
        );
        let told: Vec<_> = document["servers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| json!([row["name"], row["node"], row["state"], row["slots"]]))
            .collect();
        let unknown = json!({"limit": 200, "used": null, "completed": null, "in_progress": null,
            "failed": null, "locked": null});
        let known = json!({"limit": 5, "used": 3, "completed": 2, "in_progress": 1,
            "failed": 1, "locked": 1});
        assert_eq!(
            told,
            [
                json!(["Creative", "node-one", "suspended", unknown]),
                json!(["Survival", "node-one", "ready", known]),
            ],
            "{dialect:?}"
        );
    }
}

#[tokio::test]
async fn the_table_has_a_row_a_server() {
    let world = two_servers().await;
    let ran = panel(&world, &["servers"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{8}", "[short]");
    settings.bind(|| {
        insta::assert_snapshot!(ran.stdout, @r"
        SERVER    ID        NODE      STATE      BACKUPS   LOCKED
        Creative  [short]  node-one  suspended  - of 200  -
        Survival  [short]  node-one  ready      3 of 5    1
        ");
    });
}

#[tokio::test]
async fn only_the_servers_asked_for_are_listed_and_an_unknown_one_is_told() {
    let world = two_servers().await;
    let (ran, document) = panel_json(
        &world,
        SERVERS_SCHEMA,
        &["servers", "--server", "Surv*", "nowhere"],
    )
    .await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(document["servers"].as_array().unwrap().len(), 1);
    assert_eq!(
        kinds(&document),
        [("server".to_owned(), "not_found".to_owned())]
    );
    let ran = panel(&world, &["servers", "--server", "nowhere"]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("no server of this key is called `nowhere`")
    );
}

#[tokio::test]
async fn an_administrators_key_is_shown_every_server_when_it_asks_for_them() {
    let world = two_servers().await;
    let strange = world.panel.add_server("Somebody's");
    world
        .panel
        .edit_server(strange, |row| row.access = Access::Stranger);
    world.panel.set_role(Role::Administrator);
    let (_, mine) = panel_json(&world, SERVERS_SCHEMA, &["servers"]).await;
    let (_, all) = panel_json(&world, SERVERS_SCHEMA, &["servers", "--all-servers"]).await;
    let count = |document: &serde_json::Value| document["servers"].as_array().unwrap().len();
    assert_eq!((count(&mine), count(&all)), (2, 3));
    world.panel.set_role(Role::User);
    let ran = panel(&world, &["servers", "--all-servers"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("root administrator"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_bad_key_is_refused_and_a_missing_permission_leaves_the_slots_unknown() {
    let world = two_servers().await;
    let server = world.panel.add_server("Guest");
    world
        .panel
        .edit_server(server, |row| row.access = Access::Subuser(Vec::new()));
    let (ran, document) = panel_json(&world, SERVERS_SCHEMA, &["servers"]).await;
    assert_eq!(ran.code, Some(3));
    assert_eq!(document["servers"].as_array().unwrap().len(), 3);
    assert_eq!(
        kinds(&document),
        [("server".to_owned(), "permission".to_owned())]
    );
    world.panel.set_standing(Standing::WrongAddress);
    let ran = panel(&world, &["servers"]).await;
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
    world.panel.set_standing(Standing::Fine);
    world.panel.set_key("ptlc_another");
    let ran = panel(&world, &["servers"]).await;
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not accept the API key"));
}

#[tokio::test]
async fn without_any_panel_one_is_asked_for() {
    let world = World::new().await;
    let ran = world.run(&["panel", "servers"]).await;
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("no panel is named"), "{}", ran.stderr);
}
