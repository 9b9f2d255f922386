//! What is no public key is refused, and never repeated.

use super::AgeKey;
use super::configure;
use super::fixture;
use super::folder;
use crate::support::archive::Archive;
use crate::support::world::World;

#[tokio::test]
async fn a_private_key_where_a_public_one_belongs_is_refused_and_not_repeated() {
    let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
    let key = AgeKey::new();
    let ssh = std::fs::read_to_string(fixture("ed25519")).unwrap();
    let root = folder(&world, "sealed");
    for (private, told) in [
        (key.private.as_str(), key.told_by()),
        (ssh.as_str(), ssh.get(200..240).unwrap()),
        ("correct horse battery staple", "horse"),
    ] {
        let offsite = world.offsite();
        let flag = world
            .run(&[
                "mirror",
                "--panel",
                &world.panel.url(),
                "--to",
                offsite.to_str().unwrap(),
                "--encrypt-to",
                &key.public,
                "--encrypt-to",
                private,
            ])
            .await;
        configure(&mut world, &[("disk", &root, &[&key.public, private])]);
        let file = world.run(&["mirror"]).await;
        let check = world.run(&["config", "check"]).await;
        let shown = world.run(&["config", "show"]).await;
        world.unset("NESTEGG_CONFIG");
        for (ran, place) in [
            (flag, "--encrypt-to"),
            (file, "nestegg.toml:8:"),
            (check, "nestegg.toml:8:"),
            (shown, "nestegg.toml:8:"),
        ] {
            assert_eq!(ran.code, Some(2), "{}", ran.stderr);
            assert!(ran.stderr.contains("key 2 of 2: it is "), "{}", ran.stderr);
            assert!(ran.stderr.contains(place), "{}", ran.stderr);
            assert!(!ran.stderr.contains(told), "{}", ran.stderr);
            assert!(!ran.stdout.contains(told), "{}", ran.stdout);
        }
    }
    assert_eq!(world.panel.links_given(), 0);
    assert_eq!(world.visible(), Vec::<String>::new());
}

#[tokio::test]
async fn encrypt_to_is_for_destinations_that_are_typed() {
    let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
    let key = AgeKey::new();
    let root = folder(&world, "disk");
    configure(&mut world, &[("disk", &root, &[])]);
    let configured = world
        .run(&["mirror", "--to", "disk", "--encrypt-to", &key.public])
        .await;
    assert_eq!(configured.code, Some(2), "{}", configured.stderr);
    assert!(
        configured
            .stderr
            .contains("--encrypt-to is for destinations that --to names by folder or URL"),
        "{}",
        configured.stderr
    );
    let alone = world.run(&["mirror", "--encrypt-to", &key.public]).await;
    assert_eq!(alone.code, Some(2), "{}", alone.stderr);
}

#[tokio::test]
async fn the_settings_show_who_can_read_the_copies() {
    let mut world = World::new().await;
    let key = AgeKey::new();
    let root = folder(&world, "disk");
    configure(&mut world, &[("disk", &root, &[&key.public])]);
    let shown = world.run(&["config", "show"]).await;
    let line = format!("encrypt_to = [\"{}\"]", key.public);
    assert!(shown.stdout.contains(&line), "{}", shown.stdout);
    let json = world.run(&["config", "show", "--json"]).await.json();
    assert_eq!(
        json["destinations"][0]["encrypt_to"]["value"],
        serde_json::json!([key.public])
    );
}
