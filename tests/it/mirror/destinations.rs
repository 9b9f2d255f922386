//! One download for all destinations, filling from one another, adoption.

use super::all;
use super::both;
use super::mirror_json;
use super::states;
use super::text;
use crate::support::archive::Archive;
use crate::support::world::World;

#[tokio::test]
async fn one_download_feeds_two_destinations() {
    let archive = Archive::of_about(1, 3 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    let (one, two) = (world.path("one"), world.path("two"));
    let (ran, document) = mirror_json(&world, &["--to", text(&one), text(&two)]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.bytes_served(), archive.len());
    assert_eq!(world.panel.downloads_started(), 1);
    for root in [&one, &two] {
        let copy = std::fs::read(World::archive_at(root, server, backup)).unwrap();
        assert_eq!(copy, archive.bytes(), "{}", root.display());
    }
    assert_eq!(document["bytes"]["downloaded"], archive.len());
    assert_eq!(document["bytes"]["uploaded"], 2 * archive.len());
}

#[tokio::test]
async fn a_destination_that_lacks_a_copy_is_filled_from_the_one_that_holds_it() {
    let archive = Archive::of_about(2, 3 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    let (one, two) = (world.path("one"), world.path("two"));
    world.mirror(&["--to", text(&one)]).await;
    let before: serde_json::Value =
        serde_json::from_slice(&world.files()[&format!("one/{server}/{backup}.json")]).unwrap();
    world.panel.forget_requests();
    let (ran, document) = mirror_json(&world, &["--to", text(&one), text(&two)]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.bytes_served(), 0);
    assert_eq!(world.panel.downloads_started(), 0);
    assert_eq!(
        states(&document),
        [
            format!("{} already_held", text(&one)),
            format!("{} mirrored", text(&two))
        ]
    );
    assert_eq!(
        std::fs::read(World::archive_at(&two, server, backup)).unwrap(),
        archive.bytes()
    );
    let filled: serde_json::Value =
        serde_json::from_slice(&world.files()[&format!("two/{server}/{backup}.json")]).unwrap();
    for field in ["archive", "backup", "server", "panel", "stored"] {
        assert_eq!(filled[field], before[field], "{field}");
    }
}

#[tokio::test]
async fn a_held_copy_that_is_spoiled_is_no_source_and_the_node_serves_instead() {
    let archive = Archive::of_about(3, 1 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    let (one, two) = (world.path("one"), world.path("two"));
    world.mirror(&["--to", text(&one)]).await;
    let held = World::archive_at(&one, server, backup);
    std::fs::write(&held, archive.with_flipped_byte(5000).bytes()).unwrap();
    world.panel.forget_requests();
    let (ran, document) = mirror_json(&world, &["--to", text(&one), text(&two)]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(document["errors"][0]["scope"], "backup");
    assert_eq!(document["errors"][0]["kind"], "integrity");
    let message = document["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!(
            "the verified copy at `{}` is damaged or gone: ",
            text(&one)
        )),
        "{message}"
    );
    let hint = document["errors"][0]["hint"].as_str().unwrap();
    assert!(hint.contains("the next run makes this one anew"), "{hint}");
    assert_eq!(world.panel.bytes_served(), archive.len());
    assert_eq!(
        std::fs::read(World::archive_at(&two, server, backup)).unwrap(),
        archive.bytes()
    );
    let next = world.mirror(&["--to", text(&one), text(&two)]).await;
    assert_eq!(next.code, Some(0), "{}", next.stderr);
    assert_eq!(std::fs::read(&held).unwrap(), archive.bytes());
}

#[tokio::test]
async fn without_its_ledger_a_run_adopts_what_is_there_and_downloads_nothing() {
    let (world, server, first) = World::with_backup(Archive::small(1)).await;
    let second = world.panel.add_backup(server, "second", Archive::small(2));
    world.mirror(&[]).await;
    let (kept, list) = (world.visible(), world.run(&["list", "--json"]).await.json());
    std::fs::remove_file(world.ledger()).unwrap();
    world.panel.forget_requests();
    let (ran, document) = mirror_json(&world, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.links_given(), 2, "links of the first run only");
    assert_eq!(world.panel.bytes_served(), 0);
    assert_eq!(document["counts"]["already_held"], 2);
    assert_eq!(world.visible(), kept);
    assert_eq!(kept, all(&[(server, first), (server, second)]));
    let adopted = world.run(&["list", "--json"]).await.json();
    for (adopted, copy) in adopted["copies"]
        .as_array()
        .unwrap()
        .iter()
        .zip(list["copies"].as_array().unwrap())
    {
        for field in ["backup", "sha256", "verdict", "destination"] {
            assert_eq!(adopted[field], copy[field], "{field}");
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_shorter_than_its_sidecar_says_is_not_adopted() {
    let archive = Archive::small(1);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.mirror(&[]).await;
    std::fs::remove_file(world.ledger()).unwrap();
    let copy = World::archive_at(&world.offsite(), server, backup);
    std::fs::write(&copy, archive.cut_to(100).bytes()).unwrap();
    let (ran, document) = mirror_json(&world, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["mirrored"], 1);
    assert_eq!(std::fs::read(&copy).unwrap(), archive.bytes());
    assert_eq!(world.visible(), both(server, backup));
}

#[tokio::test]
async fn a_missing_or_damaged_sidecar_means_that_there_is_no_copy() {
    for damage in [None, Some(&b"{\"format\":"[..])] {
        let archive = Archive::small(1);
        let (world, server, backup) = World::with_backup(archive.clone()).await;
        world.mirror(&[]).await;
        std::fs::remove_file(world.ledger()).unwrap();
        let sidecar = world.offsite().join(format!("{server}/{backup}.json"));
        match damage {
            None => std::fs::remove_file(&sidecar).unwrap(),
            Some(bytes) => std::fs::write(&sidecar, bytes).unwrap(),
        }
        let (ran, document) = mirror_json(&world, &[]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(document["counts"]["mirrored"], 1, "{damage:?}");
        let mended: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&sidecar).unwrap()).unwrap();
        assert_eq!(mended["archive"]["sha256"], archive.sha256());
    }
}

#[tokio::test]
async fn one_destination_that_is_missing_fails_alone() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    std::fs::write(world.path("file"), "no folder").unwrap();
    let (good, bad) = (world.path("good"), world.path("file"));
    let (ran, document) = mirror_json(&world, &["--to", text(&good), text(&bad)]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not a directory"), "{}", ran.stderr);
    assert_eq!(states(&document), [format!("{} mirrored", text(&good))]);
    assert!(World::archive_at(&good, server, backup).exists());
    assert_eq!(std::fs::read(bad).unwrap(), b"no folder");
}

#[tokio::test]
async fn a_backup_that_is_gone_from_the_panel_keeps_its_copy_and_says_so() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    world.panel.delete_backup(backup);
    let (ran, document) = mirror_json(&world, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["backups_seen"], 0);
    assert_eq!(world.visible(), both(server, backup));
    let list = world.run(&["list", "--json"]).await.json();
    assert_eq!(list["copies"].as_array().unwrap().len(), 1);
    assert_eq!(list["copies"][0]["backup"], backup.to_string());
}

#[tokio::test]
async fn a_row_that_changes_under_a_verified_copy_is_told_and_the_copy_is_kept() {
    let archive = Archive::small(1);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.mirror(&[]).await;
    world
        .panel
        .edit(backup, |row| row.complete(Archive::small(2)));
    let (ran, _) = mirror_json(&world, &[]).await;
    assert_ne!(ran.code, Some(0));
    assert!(
        ran.stderr.contains("no longer fits the verified copy"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        std::fs::read(World::archive_at(&world.offsite(), server, backup)).unwrap(),
        archive.bytes()
    );
}
