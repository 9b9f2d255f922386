//! The nightly job: several panels and destinations from a configuration file.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::all;
use super::both;
use super::states;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::FakePanel;
use crate::support::world::World;

/// A world whose environment holds no key, with a configuration file.
async fn configured(config: impl FnOnce(&World) -> String) -> World {
    let mut world = World::new().await;
    world.unset("NESTEGG_API_KEY");
    let text = config(&world);
    std::fs::write(world.path("nestegg.toml"), text).unwrap();
    world.set("NESTEGG_CONFIG", world.path("nestegg.toml"));
    write_key(&world, "main.key", &world.panel.key());
    world
}

fn write_key(world: &World, name: &str, key: &str) {
    let path = world.path(name);
    std::fs::write(&path, format!("{key}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn panel(name: &str, url: &str, more: &str) -> String {
    format!(
        "[[panel]]\nname = \"{name}\"\nurl = \"{url}\"\napi_key_file = \"{name}.key\"\n{more}\n"
    )
}

fn folder(world: &World, name: &str) -> String {
    std::fs::create_dir_all(world.path(name)).unwrap();
    format!("[[destination]]\nname = \"{name}\"\nurl = \"{name}\"\n")
}

fn below(world: &World, root: &str) -> Vec<String> {
    world
        .files()
        .into_keys()
        .filter_map(|name| name.strip_prefix(&format!("{root}/")).map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn several_panels_are_mirrored_to_several_destinations() {
    let other = FakePanel::start().await;
    other.set_dialect(Dialect::Documented);
    let theirs = other.add_server("Creative");
    let ours = other.add_server("test-arena");
    other.add_backup(ours, "excluded", Archive::small(7));
    let second = (
        theirs,
        other.add_backup(theirs, "weekly", Archive::small(2)),
    );
    let world = configured(|world| {
        panel("main", &world.panel.url(), "")
            + &panel(
                "other",
                &other.url(),
                "servers = [\"*\"]\nexclude = [\"test-*\"]",
            )
            + &folder(world, "disk")
            + &folder(world, "tape")
    })
    .await;
    write_key(&world, "other.key", &other.key());
    let server = world.panel.add_server("Survival");
    let first = (
        server,
        world.panel.add_backup(server, "nightly", Archive::small(1)),
    );
    let ran = world.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(
        states(&document),
        [
            "disk mirrored",
            "disk mirrored",
            "tape mirrored",
            "tape mirrored"
        ]
    );
    for root in ["disk", "tape"] {
        assert_eq!(below(&world, root), all(&[first, second]));
    }
    assert_eq!(
        world.panel.downloads_started() + other.downloads_started(),
        2
    );
    let status = world.run(&["status"]).await;
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    for word in ["main", "other", "Survival", "Creative", "disk", "tape"] {
        assert!(status.stdout.contains(word), "{word}: {}", status.stdout);
    }
    let narrowed = world
        .run(&["status", "--json", "--panel", "other", "--to", "tape"])
        .await
        .json();
    assert_eq!(narrowed["counts"]["servers"], 1);
    assert_eq!(narrowed["servers"][0]["name"], "Creative");
    assert_eq!(
        narrowed["servers"][0]["destinations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn one_panel_or_one_destination_of_the_file_is_chosen_by_name() {
    let world = configured(|world| {
        panel("main", &world.panel.url(), "")
            + &panel("gone", "http://127.0.0.1:9", "")
            + &folder(world, "disk")
            + &folder(world, "tape")
    })
    .await;
    write_key(&world, "gone.key", "ptlc_another");
    let server = world.panel.add_server("Survival");
    let backup = world.panel.add_backup(server, "nightly", Archive::small(1));
    let ran = world
        .run(&["mirror", "--panel", "main", "--to", "disk"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(below(&world, "disk"), both(server, backup));
    assert_eq!(below(&world, "tape"), Vec::<String>::new());
    let ran = world.run(&["mirror", "--panel", "main"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(below(&world, "tape"), both(server, backup));
    assert_eq!(world.panel.downloads_started(), 1);
}

#[tokio::test]
async fn one_panel_that_refuses_its_key_leaves_the_others_whole() {
    let other = FakePanel::start().await;
    let world = configured(|world| {
        panel("main", &world.panel.url(), "")
            + &panel("other", &other.url(), "")
            + &folder(world, "disk")
    })
    .await;
    write_key(
        &world,
        "other.key",
        "ptlc_nobodysnobodysnobodysnobodysnobodysnobody12",
    );
    let server = world.panel.add_server("Survival");
    let backup = world.panel.add_backup(server, "nightly", Archive::small(1));
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("panel other") && ran.stderr.contains("does not accept the API key"),
        "{}",
        ran.stderr
    );
    assert_eq!(below(&world, "disk"), both(server, backup));
}

#[tokio::test]
async fn checksums_that_are_known_to_be_wrong_are_not_believed_where_the_file_says_so() {
    let archive = Archive::small(1);
    let world = configured(|world| {
        panel("main", &world.panel.url(), "checksum = \"structure\"") + &folder(world, "disk")
    })
    .await;
    let server = world.panel.add_server("Survival");
    let wrong = world.panel.add_backup(server, "nightly", archive.clone());
    world
        .panel
        .set_checksum(wrong, format!("sha1:{}", Archive::small(2).sha1()));
    let malformed = world.panel.add_backup(server, "odd", Archive::small(3));
    world.panel.set_checksum(malformed, "sha1:what");
    let ran = world.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = ran.json();
    for backup in document["backups"].as_array().unwrap() {
        assert_eq!(backup["copies"][0]["verdict"], "structure");
    }
    let broken = world.panel.add_backup(
        server,
        "broken",
        Archive::with_ending(4, Ending::InsideMember),
    );
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains(&broken.to_string()), "{}", ran.stderr);
    assert_eq!(
        below(&world, "disk"),
        all(&[(server, wrong), (server, malformed)])
    );
}

#[tokio::test]
async fn without_inspection_a_digest_is_proof_enough_and_its_absence_is_inspected_all_the_same() {
    let world = configured(|world| {
        panel("main", &world.panel.url(), "")
            + &folder(world, "disk")
            + "[mirror]\ninspect = false\n"
    })
    .await;
    let server = world.panel.add_server("Survival");
    let odd = world
        .panel
        .add_backup(server, "odd", Archive::with_ending(1, Ending::InsideMember));
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let sidecar: Value =
        serde_json::from_slice(&world.files()[&format!("disk/{server}/{odd}.json")]).unwrap();
    assert_eq!(sidecar["archive"]["entries"], Value::Null);
    assert_eq!(sidecar["archive"]["unpacked_bytes"], Value::Null);
    assert_eq!(sidecar["archive"]["verdict"], "panel-sha1");
    let unproved = world.panel.add_backup(
        server,
        "unproved",
        Archive::with_ending(2, Ending::InsideMember),
    );
    world.panel.set_checksum(unproved, Value::Null);
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(below(&world, "disk"), both(server, odd));
}

#[tokio::test]
async fn what_the_file_says_about_mirroring_holds_unless_a_flag_says_otherwise() {
    let world = configured(|world| {
        panel("main", &world.panel.url(), "")
            + &folder(world, "disk")
            + "[mirror]\nnewest = 1\nrequire_checksum = true\ntransfers = 1\n"
    })
    .await;
    let server = world.panel.add_server("Survival");
    let old = world.panel.add_backup(server, "old", Archive::small(1));
    let new = world.panel.add_backup(server, "new", Archive::small(2));
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(below(&world, "disk"), both(server, new));
    let ran = world.run(&["mirror", "--newest", "5"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(below(&world, "disk"), all(&[(server, old), (server, new)]));
    let vague = world.panel.add_backup(server, "vague", Archive::small(3));
    world.panel.set_checksum(vague, Value::Null);
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("one is required"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_renamed_destination_is_the_same_place() {
    let world =
        configured(|world| panel("main", &world.panel.url(), "") + &folder(world, "disk")).await;
    let server = world.panel.add_server("Survival");
    world.panel.add_backup(server, "nightly", Archive::small(1));
    world.run(&["mirror"]).await;
    let renamed = std::fs::read_to_string(world.path("nestegg.toml"))
        .unwrap()
        .replace("name = \"disk\"", "name = \"vault\"");
    std::fs::write(world.path("nestegg.toml"), renamed).unwrap();
    let ran = world.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(states(&ran.json()), ["vault already_held"]);
    let list = world.run(&["list", "--json"]).await.json();
    assert_eq!(list["copies"].as_array().unwrap().len(), 1);
    assert_eq!(list["copies"][0]["destination"], "vault");
}

#[tokio::test]
async fn a_panel_that_is_listed_twice_is_downloaded_from_once() {
    let world = configured(|world| {
        panel("main", &world.panel.url(), "")
            + &panel("again", &world.panel.url(), "")
            + &folder(world, "disk")
    })
    .await;
    write_key(&world, "again.key", &world.panel.key());
    let server = world.panel.add_server("Survival");
    let backup = world
        .panel
        .add_backup(server, "nightly", Archive::of_about(1, 9 << 20));
    let ran = world.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(below(&world, "disk"), both(server, backup));
    assert_eq!(world.panel.downloads_started(), 1);
}
