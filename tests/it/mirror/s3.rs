//! An object store over the network, configured as an operator would.

use std::time::Duration;
use std::time::Instant;

use super::all;
use super::both;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::archive::Packing;
use crate::support::archive::Recipe;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Sooner than all that a run would wait for a store in which it has begun.
const SOON: Duration = Duration::from_mins(1);

/// A configuration with one panel and one bucket, with changed or added options.
fn write_config(world: &World, url: &str, root: &Root, changes: &[(&str, &str)]) {
    let mut options = root.options.clone();
    let secret = options.remove("secret_access_key").unwrap();
    std::fs::write(world.path("s3.secret"), format!("{secret}\n")).unwrap();
    options.insert("secret_access_key_file".to_owned(), "s3.secret".to_owned());
    for (name, value) in changes {
        options.insert((*name).to_owned(), (*value).to_owned());
    }
    let options: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("{name} = \"{value}\""))
        .collect();
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"bucket\"\nurl = \"{url}\"\noptions = {{ {} }}\n",
        world.panel.url(),
        options.join(", ")
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
}

async fn world_at(root: &Root, archive: Archive) -> (World, String, String) {
    let (mut world, server, backup) = World::with_backup(archive).await;
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    write_config(&world, &root.url, root, &[]);
    (world, server.to_string(), backup.to_string())
}

#[tokio::test]
async fn archives_go_into_a_bucket_and_a_second_run_finds_them_there() {
    let root = SeaweedFs::shared().root("mirror/whole");
    let big = Recipe {
        seed: 3,
        content_bytes: 20 << 20,
        noise_percent: 100,
        packing: Packing::Stored,
        ending: Ending::Marked,
    }
    .make()
    .unwrap();
    let (mut world, server, first) = World::with_backup(Archive::small(1)).await;
    let second = world.panel.add_backup(server, "big", big.clone());
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    write_config(&world, &root.url, &root, &[]);
    let ran = world.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(root.keys().await, all(&[(server, first), (server, second)]));
    let key = format!("{server}/{second}.tar.gz");
    assert!(root.read(&key).await.unwrap() == big.bytes());
    let attributes = root.attributes(&key).await.unwrap();
    assert_eq!(
        attributes.content_type.as_deref(),
        Some("application/x-gzip")
    );
    assert_eq!(attributes.content_encoding, None);
    assert_eq!(root.open_uploads().await, Vec::<String>::new());
    let before_bytes = world.panel.bytes_served();
    std::fs::remove_file(world.ledger()).unwrap();
    let again = world.run(&["mirror", "--json"]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(again.json()["counts"]["already_held"], 2);
    assert_eq!(world.panel.bytes_served(), before_bytes);
    for (name, bytes) in world.files() {
        if !matches!(name.as_str(), "nestegg.toml" | "s3.secret") {
            let secret = root.options["secret_access_key"].as_bytes();
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "the store's secret is in {name}");
        }
    }
}

#[tokio::test]
async fn a_folder_is_filled_from_the_bucket_without_the_node() {
    let root = SeaweedFs::shared().root("mirror/fill");
    let archive = Archive::of_about(5, 9 << 20);
    let (world, server, backup) = world_at(&root, archive.clone()).await;
    world.run(&["mirror"]).await;
    world.panel.forget_requests();
    let ran = world
        .run(&["mirror", "--to", "bucket", "./near", "--json"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.bytes_served(), 0);
    let near = std::fs::read(world.path(&format!("near/{server}/{backup}.tar.gz"))).unwrap();
    assert!(near == archive.bytes());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_before_any_download() {
    let root = SeaweedFs::shared().root("mirror/secret");
    let (world, _, _) = world_at(&root, Archive::small(1)).await;
    std::fs::write(world.path("s3.secret"), "wrong-secret-of-somebody\n").unwrap();
    let began = Instant::now();
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
    assert!(began.elapsed() < SOON);
    assert!(ran.stderr.contains("destination bucket"), "{}", ran.stderr);
    assert!(ran.stderr.contains("check the key"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("wrong-secret"), "{}", ran.stderr);
    assert_eq!(world.panel.links_given(), 0);
    assert_eq!(root.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named_before_any_download() {
    let root = SeaweedFs::shared().root("mirror/none");
    let (world, _, _) = world_at(&root, Archive::small(1)).await;
    write_config(&world, "s3://no-such-bucket/x", &root, &[]);
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("no-such-bucket"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("check the name of the bucket"),
        "{}",
        ran.stderr
    );
    assert_eq!(world.panel.links_given(), 0);
}

#[tokio::test]
async fn a_dead_store_is_told_within_seconds() {
    let root = SeaweedFs::shared().root("mirror/dead");
    let (world, _, _) = world_at(&root, Archive::small(1)).await;
    write_config(
        &world,
        &root.url,
        &root,
        &[("endpoint", "http://127.0.0.1:9")],
    );
    let began = Instant::now();
    let ran = world.run(&["mirror"]).await;
    let took = began.elapsed();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(took < SOON, "{took:?}");
    assert!(ran.stderr.contains("127.0.0.1:9"), "{}", ran.stderr);
    assert_eq!(world.panel.links_given(), 0);
}

#[tokio::test]
async fn an_option_that_the_store_does_not_have_is_wrong_usage() {
    let root = SeaweedFs::shared().root("mirror/option");
    let (world, _, _) = world_at(&root, Archive::small(1)).await;
    write_config(&world, &root.url, &root, &[("regoin", "us-east-1")]);
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("regoin") && ran.stderr.contains("region"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_bucket_beside_a_dead_one_gets_its_copies() {
    let root = SeaweedFs::shared().root("mirror/beside");
    let (world, server, backup) = {
        let (mut world, server, backup) = World::with_backup(Archive::small(1)).await;
        world.set("NESTEGG_CONFIG", "nestegg.toml");
        (world, server, backup)
    };
    write_config(&world, &root.url, &root, &[]);
    let config = std::fs::read_to_string(world.path("nestegg.toml")).unwrap();
    let dead = "[[destination]]\nname = \"dead\"\nurl = \"s3://dead/x\"\noptions = { endpoint = \"http://127.0.0.1:9\", allow_http = \"true\", access_key_id = \"a\", secret_access_key = \"b\", region = \"x\" }\n";
    std::fs::write(world.path("nestegg.toml"), config + dead).unwrap();
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("destination dead"), "{}", ran.stderr);
    assert_eq!(root.keys().await, both(server, backup));
}
