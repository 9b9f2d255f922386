//! A mirror into every kind of store, opened from there without nestegg.

use serde_json::json;

use super::AgeKey;
use super::configure;
use super::fixture;
use super::folder;
use super::public_fixture;
use super::tools::Tool;
use super::tools::members;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::archive::Packing;
use crate::support::archive::Recipe;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Longer than three of the parts that the binary sends.
fn of_four_parts() -> Archive {
    Recipe {
        seed: 3,
        content_bytes: 25 << 20,
        noise_percent: 100,
        packing: Packing::Stored,
        ending: Ending::Marked,
    }
    .make()
    .unwrap()
}

async fn a_mirror_is_sealed_and_opens_without_nestegg(root: impl FnOnce(&World) -> Root) {
    let archive = of_four_parts();
    let (mut world, server, long) = World::with_backup(archive.clone()).await;
    let short = world.panel.add_backup(server, "short", Archive::small(1));
    let root = root(&world);
    let key = AgeKey::new();
    let ssh = public_fixture("ed25519");
    configure(&mut world, &[("store", &root, &[&key.public, &ssh])]);
    let ran = world.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut names: Vec<String> = [short, long]
        .iter()
        .flat_map(|backup| ["json", "tar.gz.age"].map(|end| format!("{server}/{backup}.{end}")))
        .collect();
    names.sort();
    assert_eq!(root.keys().await, names);
    assert_eq!(root.open_uploads().await, Vec::<String>::new());

    let name = format!("{server}/{long}.tar.gz.age");
    let attributes = root.attributes(&name).await.unwrap();
    let kept = root.keeps_content_types();
    assert_eq!(
        attributes.content_type,
        kept.then(|| "application/octet-stream".to_owned())
    );
    let file = world.path("copy.age");
    let bytes = root.read(&name).await.unwrap();
    std::fs::write(&file, &bytes).unwrap();
    let identity = key.file(&world, "key.txt");
    let keys = [
        (Tool::Node, identity.clone()),
        (Tool::Python, identity.clone()),
        (Tool::Python, fixture("ed25519")),
    ];
    for (tool, key) in keys {
        assert!(
            tool.open(&key, &file).unwrap() == archive.bytes(),
            "{tool:?} {}",
            key.display()
        );
    }
    std::fs::write(world.path("plain.tar.gz"), archive.bytes()).unwrap();
    assert_eq!(
        Tool::Node.list(&identity, &file),
        members(&world.path("plain.tar.gz"))
    );

    // Both digests, in the sidecar and in the ledger.
    let stored = Archive::of_bytes(bytes);
    let encryption = json!({
        "scheme": "age",
        "recipients": [key.public, ssh.rsplit_once(" nestegg").unwrap().0],
    });
    let sidecar = root.read(&format!("{server}/{long}.json")).await.unwrap();
    let sidecar: serde_json::Value = serde_json::from_slice(&sidecar).unwrap();
    assert_eq!(sidecar["archive"]["sha256"], archive.sha256());
    assert_eq!(
        sidecar["stored"],
        json!({"bytes": stored.len(), "sha256": stored.sha256(), "encryption": encryption})
    );
    let list = world.run(&["list", "--json"]).await.json();
    let copy = list["copies"]
        .as_array()
        .unwrap()
        .iter()
        .find(|copy| copy["backup"] == long.to_string())
        .unwrap();
    assert_eq!(copy["key"], name);
    assert_eq!(
        (&copy["bytes"], &copy["sha256"]),
        (&json!(archive.len()), &json!(archive.sha256()))
    );
    assert_eq!(copy["stored_bytes"], stored.len());
    assert_eq!(copy["stored_sha256"], stored.sha256());
    assert_eq!(copy["encryption"], encryption);

    // Neither a second run nor one without its ledger downloads or uploads anything.
    world.panel.forget_requests();
    for is_ledger_lost in [false, true] {
        if is_ledger_lost {
            std::fs::remove_file(world.ledger()).unwrap();
        }
        let again = world.run(&["mirror", "--json"]).await;
        assert_eq!(again.code, Some(0), "{}", again.stderr);
        assert_eq!(again.json()["counts"]["already_held"], 2);
        assert_eq!(world.panel.bytes_served(), 0);
        assert_eq!(root.keys().await, names);
    }
    let mut adopted = world.run(&["list", "--json"]).await.json();
    let mut before = list;
    for document in [&mut adopted, &mut before] {
        for copy in document["copies"].as_array_mut().unwrap() {
            copy["mirrored_at"] = json!(null);
        }
    }
    assert_eq!(adopted, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_into_a_directory_is_sealed_and_opens_without_nestegg() {
    a_mirror_is_sealed_and_opens_without_nestegg(|world| folder(world, "sealed")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_into_s3_is_sealed_and_opens_without_nestegg() {
    a_mirror_is_sealed_and_opens_without_nestegg(|_| SeaweedFs::shared().root("sealed/whole"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_into_google_cloud_storage_is_sealed_and_opens_without_nestegg() {
    a_mirror_is_sealed_and_opens_without_nestegg(|_| Gcs::shared().root("sealed/whole")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_into_azure_is_sealed_and_opens_without_nestegg() {
    a_mirror_is_sealed_and_opens_without_nestegg(|_| Azurite::shared().root("sealed/whole")).await;
}

#[tokio::test]
async fn every_recipient_opens_it_alone_and_nobody_else_does() {
    let archive = Archive::of_about(4, 200_000);
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let root = folder(&world, "sealed");
    let (one, two, stranger) = (AgeKey::new(), AgeKey::new(), AgeKey::new());
    let (ed25519, rsa) = (public_fixture("ed25519"), public_fixture("rsa"));
    configure(
        &mut world,
        &[("disk", &root, &[&one.public, &two.public, &ed25519, &rsa])],
    );
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let file = world.path(&format!("sealed/{server}/{backup}.tar.gz.age"));
    let keys = [
        (Tool::Node, one.file(&world, "one.txt")),
        (Tool::Node, two.file(&world, "two.txt")),
        (Tool::Python, fixture("ed25519")),
        (Tool::Python, fixture("rsa")),
    ];
    for (tool, key) in keys {
        assert!(
            tool.open(&key, &file).unwrap() == archive.bytes(),
            "{}",
            key.display()
        );
    }
    let stranger = stranger.file(&world, "stranger.txt");
    for tool in [Tool::Node, Tool::Python] {
        assert!(tool.open(&stranger, &file).is_err(), "{tool:?}");
    }
}
