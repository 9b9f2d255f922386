//! Names and ids that a panel may send to do harm.

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Site;
use crate::support::world::Ran;

const NAMES: [&str; 9] = [
    "../..",
    "/etc/passwd",
    "a\0b",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "line\r\nerror: all is well",
    "🥚🪺",
    "\u{202e}gz.rat",
    "",
    " ",
];

/// Fails when something in it would act on a terminal.
fn assert_harmless(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        let harmful = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(harmful, None, "{text:?}");
    }
}

#[tokio::test]
async fn names_never_reach_a_path_or_a_terminal() {
    let world = World::new().await;
    let long = "x".repeat(10_000);
    let mut backups = Vec::new();
    for name in NAMES.iter().copied().chain([long.as_str()]) {
        let server = world.panel.add_server(name);
        backups.push((
            server,
            world.panel.add_backup(server, name, Archive::small(1)),
        ));
    }
    let ran = world.mirror(&["-vv"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_harmless(&ran);
    assert!(
        ran.stdout
            .lines()
            .chain(ran.stderr.lines())
            .all(|line| line.len() < 5000)
    );
    let mut keys: Vec<String> = backups
        .iter()
        .flat_map(|(server, backup)| {
            ["json", "tar.gz"].map(|end| format!("{server}/{backup}.{end}"))
        })
        .collect();
    keys.sort();
    assert_eq!(world.visible(), keys);
    for command in ["list", "status"] {
        let shown = world.run(&[command]).await;
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert_harmless(&shown);
        let told = world.run(&[command, "--json"]).await;
        assert_harmless(&told);
        told.json();
    }
}

#[tokio::test]
async fn names_never_reach_a_terminal_when_they_fail_either() {
    let world = World::new().await;
    for name in NAMES {
        let server = world.panel.add_server(name);
        let backup = world.panel.add_backup(server, name, Archive::small(1));
        world.panel.set_checksum(backup, format!("sha1:{name}"));
    }
    for more in [&["-vv"][..], &["--json"], &["--log-format", "json", "-vv"]] {
        let ran = world.mirror(more).await;
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert_harmless(&ran);
    }
    assert_harmless(&world.run(&["status"]).await);
}

#[tokio::test]
async fn uuids_that_are_none_fail_their_row_and_never_reach_a_path() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let hostile = [
        "../../etc/passwd",
        "",
        "..",
        "%2e%2e%2f%2e%2e%2fetc",
        "\u{1b}[2J",
        "6fdff738bf444933824f489198dda9e6",
        "{6fdff738-bf44-4933-824f-489198dda9e6}",
        "6fdff738-bf44-4933-824f-489198dda9e6\0",
        "6fdff738-bf44-4933-824f-489198dda9e6/../../x",
    ];
    for uuid in hostile {
        let backup = world.panel.add_backup(server, "hostile", Archive::small(2));
        let uuid = uuid.to_owned();
        world
            .panel
            .edit(backup, |row: &mut BackupRow| row.wire_uuid = uuid);
    }
    let ran = world.mirror(&["--json"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_harmless(&ran);
    let document = ran.json();
    assert_eq!(document["counts"]["mirrored"], 1);
    let errors = document["errors"].as_array().unwrap();
    assert_eq!(errors.len(), hostile.len(), "{errors:?}");
    for error in errors {
        assert_eq!(
            (&error["scope"], &error["kind"]),
            (&"backup".into(), &"protocol".into())
        );
        let said = error["message"].as_str().unwrap();
        assert!(said.contains("is not a uuid"), "{said}");
    }
    assert_eq!(world.visible().len(), 2);
    assert_only_ids_in_paths(&world);
}

#[tokio::test]
async fn a_server_whose_uuid_is_none_is_left_out_and_never_reaches_a_path() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let hostile = world.panel.add_server("Hostile");
    world
        .panel
        .edit_server(hostile, |row| row.wire_uuid = "../../etc/passwd".to_owned());
    let ran = world.mirror(&[]).await;
    assert_harmless(&ran);
    assert_eq!(world.visible().len(), 2);
    assert_only_ids_in_paths(&world);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not a uuid"), "{}", ran.stderr);
}

fn assert_only_ids_in_paths(world: &World) {
    for request in world.panel.requests_to(Site::Panel) {
        let path = request.path.to_lowercase();
        assert!(!path.contains("..") && !path.contains("%2e"), "{path}");
    }
    let outside: Vec<String> = world
        .files()
        .into_keys()
        .filter(|name| !name.starts_with("offsite/") && !name.starts_with("ledger.sqlite3"))
        .collect();
    assert_eq!(outside, [""; 0]);
}

#[tokio::test]
async fn a_uuid_that_comes_twice_is_one_backup() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let twin = world.panel.add_backup(server, "nightly", Archive::small(1));
    for id in [backup.to_string(), backup.to_string().to_uppercase()] {
        world.panel.edit(twin, |row| row.wire_uuid = id);
        let ended = mirror(&world).await;
        assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
        assert_eq!(ended.0.backups.len(), 1);
        assert_eq!(world.visible().len(), 2);
    }
    assert_eq!(world.panel.downloads_started(), 1);
}

#[tokio::test]
async fn a_backup_of_one_server_under_the_uuid_of_another_servers_is_its_own() {
    let (world, _, backup) = World::with_backup(Archive::small(1)).await;
    let other = world.panel.add_server("Creative");
    let twin = world.panel.add_backup(other, "twin", Archive::small(2));
    world
        .panel
        .edit(twin, |row| row.wire_uuid = backup.to_string());
    let ended = mirror(&world).await;
    assert_eq!(ended.1, Exit::Done, "{:?}", ended.0.errors);
    assert_eq!(world.visible().len(), 4, "two archives in two directories");
}
