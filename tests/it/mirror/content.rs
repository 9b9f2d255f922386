//! What is proved of an archive, by what the panel says about it, and what the sidecar then says.

use nestegg::env::Clock;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;
use serde_json::json;

use super::both;
use super::mirror_json;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Site;
use crate::support::world::World;

/// The sidecar in the default destination.
fn sidecar(world: &World, server: ServerId, backup: BackupId) -> Value {
    let name = format!("{server}/{backup}.json");
    serde_json::from_slice(&std::fs::read(world.offsite().join(name)).unwrap()).unwrap()
}

#[tokio::test]
async fn every_form_of_digest_is_proved_and_named_in_the_verdict() {
    let archive = Archive::small(1);
    let sha512 = {
        use sha2::Digest as _;
        hex::encode(sha2::Sha512::digest(archive.bytes()))
    };
    for (said, verdict) in [
        (format!("sha1:{}", archive.sha1()), "panel-sha1"),
        (format!("sha256:{}", archive.sha256()), "panel-sha256"),
        (format!("sha512:{sha512}"), "panel-sha512"),
        (archive.sha1().to_owned(), "panel-sha1"),
        (archive.sha256().to_uppercase(), "panel-sha256"),
    ] {
        let (world, server, backup) = World::with_backup(archive.clone()).await;
        world.panel.set_checksum(backup, said.clone());
        let (ran, document) = mirror_json(&world, &["--require-checksum"]).await;
        assert_eq!(ran.code, Some(0), "{said}: {}", ran.stderr);
        assert_eq!(document["backups"][0]["copies"][0]["verdict"], verdict);
        assert_eq!(
            sidecar(&world, server, backup)["archive"]["verdict"],
            verdict
        );
    }
}

#[tokio::test]
async fn an_archive_without_a_digest_is_kept_by_its_structure_and_shown_as_such() {
    for said in [
        Value::Null,
        json!("restic:4f3c9bb7d8e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b"),
        json!("borg:archive-name"),
        json!("zfs-subvolume:pool/backup"),
        json!("ddup-sha1:aabb"),
    ] {
        let archive = Archive::small(1);
        let (world, server, backup) = World::with_backup(archive.clone()).await;
        world.panel.set_checksum(backup, said.clone());
        let (ran, document) = mirror_json(&world, &[]).await;
        assert_eq!(ran.code, Some(0), "{said}: {}", ran.stderr);
        assert_eq!(document["backups"][0]["panel_checksum"], Value::Null);
        assert_eq!(document["backups"][0]["copies"][0]["verdict"], "structure");
        let written = sidecar(&world, server, backup);
        assert_eq!(written["archive"]["verdict"], "structure");
        assert_eq!(written["archive"]["panel_checksum"], Value::Null);
        assert_eq!(written["archive"]["sha256"], archive.sha256());
        let list = world.run(&["list"]).await;
        assert!(list.stdout.contains("structure"), "{}", list.stdout);
        let again = world.mirror(&[]).await;
        assert_eq!(again.code, Some(0), "{said}: {}", again.stderr);
        assert_eq!(world.panel.downloads_started(), 1, "{said}");
    }
}

#[tokio::test]
async fn an_archive_without_a_digest_is_refused_where_one_is_required() {
    for said in [Value::Null, json!("borg:archive-name")] {
        let (world, server, refused) = World::with_backup(Archive::small(1)).await;
        world.panel.set_checksum(refused, said.clone());
        let kept = world.panel.add_backup(server, "proved", Archive::small(2));
        let ran = world.mirror(&["--require-checksum"]).await;
        assert_eq!(ran.code, Some(3), "{said}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("gives no digest") && ran.stderr.contains("--require-checksum"),
            "{}",
            ran.stderr
        );
        assert_eq!(world.visible(), both(server, kept), "{said}");
        assert_eq!(world.panel.downloads_started(), 1, "{said}");
        let status = world.run(&["status"]).await;
        assert!(status.stdout.contains("1 missing"), "{}", status.stdout);
    }
}

#[tokio::test]
async fn a_damaged_archive_without_a_digest_is_refused_by_its_structure() {
    for archive in [
        Archive::small(1).cut_to(2000),
        Archive::small(1).with_flipped_byte(1500),
        Archive::with_ending(1, Ending::InsideMember),
        Archive::of_bytes("<html>not an archive</html>"),
    ] {
        let (world, _, backup) = World::with_backup(archive).await;
        world.panel.set_checksum(backup, Value::Null);
        let (ran, _) = mirror_json(&world, &[]).await;
        assert_eq!(ran.code, Some(4), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing was kept"), "{}", ran.stderr);
        assert_eq!(world.visible(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_malformed_digest_fails_that_backup_and_is_said() {
    for said in [
        format!("sha1:{}", "a".repeat(39)),
        format!("sha256:{}", "z".repeat(64)),
        "g".repeat(64),
        "sha1:".to_owned(),
    ] {
        let (world, server, bad) = World::with_backup(Archive::small(1)).await;
        world.panel.set_checksum(bad, said.clone());
        let good = world.panel.add_backup(server, "good", Archive::small(2));
        let ran = world.mirror(&[]).await;
        assert_eq!(ran.code, Some(3), "{said}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("checksum is malformed") && ran.stderr.contains(&bad.to_string()),
            "{said}: {}",
            ran.stderr
        );
        assert_eq!(world.visible(), both(server, good), "{said}");
    }
}

#[tokio::test]
async fn an_unknown_length_is_no_obstacle_where_the_scheme_has_none() {
    let archive = Archive::of_about(1, 2 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.panel.set_checksum(backup, "restic:aabbccdd");
    world.panel.edit(backup, |row| row.bytes = 17);
    world.panel.on_download(backup, Fault::NoLength);
    let (ran, document) = mirror_json(&world, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["bytes"], archive.len());
    assert_eq!(
        std::fs::read(World::archive_at(&world.offsite(), server, backup)).unwrap(),
        archive.bytes()
    );
    let (again, document) = mirror_json(&world, &[]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(document["counts"]["already_held"], 1);
}

#[tokio::test]
async fn the_documented_dialect_is_mirrored_end_to_end() {
    let archive = Archive::small(1);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.panel.set_dialect(Dialect::Documented);
    world.panel.add_in_progress(server, "half", None);
    world.panel.add_failed(server, "broken");
    let (ran, document) = mirror_json(&world, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["backups_seen"], 3);
    assert_eq!(document["counts"]["skipped"], 2);
    assert_eq!(
        document["backups"][0]["panel_checksum"],
        format!("sha256:{}", archive.sha256())
    );
    assert_eq!(
        document["backups"][0]["copies"][0]["verdict"],
        "panel-sha256"
    );
    assert_eq!(world.visible(), both(server, backup));
}

#[tokio::test]
async fn more_backups_than_a_page_holds_are_all_mirrored_in_every_dialect() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented] {
        let world = World::new().await;
        world.panel.set_dialect(dialect);
        let server = world.panel.add_server("Survival");
        let backups: Vec<_> = (0..52)
            .map(|seed| {
                let backup = world
                    .panel
                    .add_backup(server, "hourly", Archive::small(seed));
                (server, backup)
            })
            .collect();
        let (ran, document) = mirror_json(&world, &["--transfers", "8"]).await;
        assert_eq!(ran.code, Some(0), "{dialect:?}: {}", ran.stderr);
        assert_eq!(document["counts"]["mirrored"], 52, "{dialect:?}");
        assert_eq!(world.visible(), super::all(&backups), "{dialect:?}");
    }
}

#[tokio::test]
async fn a_panel_in_another_timezone_says_the_same_instants() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.set_utc_offset(-9);
    world.mirror(&[]).await;
    let row = world.panel.backup(backup).unwrap();
    let written = sidecar(&world, server, backup);
    for (field, instant) in [
        ("created_at", row.created_at),
        ("completed_at", row.completed_at),
    ] {
        let said: jiff::Timestamp = written["backup"][field].as_str().unwrap().parse().unwrap();
        assert_eq!(said.as_second(), instant.as_second(), "{field}");
    }
}

#[tokio::test]
async fn archives_on_an_s3_disk_are_fetched_without_the_panels_key() {
    let archive = Archive::of_about(1, 2 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.panel.set_disk(backup, Disk::S3);
    let (ran, document) = mirror_json(&world, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["copies"][0]["verdict"], "panel-sha1");
    assert_eq!(
        std::fs::read(World::archive_at(&world.offsite(), server, backup)).unwrap(),
        archive.bytes()
    );
    assert_eq!(world.panel.requests_to(Site::S3).len(), 1);
    assert_eq!(world.panel.leaks(), []);
}

#[tokio::test]
async fn a_cut_download_from_an_s3_disk_goes_on_where_it_stopped() {
    const PART_BYTES: u64 = 5 << 20;
    let archive = Archive::of_about(1, 18 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.panel.set_disk(backup, Disk::S3);
    world
        .panel
        .on_download(backup, Fault::CutAfter { bytes: 17 << 20 });
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit.code(), 0, "{:?}", report.errors);
    // Only what no whole part had taken is read again.
    assert_eq!(
        world.panel.bytes_served(),
        archive.len() + (17 << 20) - 3 * PART_BYTES
    );
    let again = world.panel.requests_to(Site::S3).pop().unwrap();
    assert_eq!(again.header("range"), Some("bytes=15728640-"));
    assert!(again.header("if-match").is_some());
    assert!(
        std::fs::read(World::archive_at(&world.offsite(), server, backup)).unwrap()
            == archive.bytes()
    );
}

#[tokio::test]
async fn the_sidecar_says_all_there_is_to_say_about_a_copy() {
    let archive = Archive::small(1);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    world.panel.edit(backup, |row| {
        row.is_locked = true;
        row.ignored_files = vec!["*.log".to_owned(), "cache/".to_owned()];
    });
    let row = world.panel.server(server).unwrap();
    let before = Clock::System.now();
    world.mirror(&[]).await;
    let written = sidecar(&world, server, backup);
    let backup_row = world.panel.backup(backup).unwrap();
    let second = |at: jiff::Timestamp| jiff::Timestamp::from_second(at.as_second()).unwrap();
    let written_at: jiff::Timestamp = written["written_at"].as_str().unwrap().parse().unwrap();
    assert!(written_at >= before && written_at <= Clock::System.now());
    let host = world.panel.url().replace("http://", "");
    assert_eq!(
        written,
        json!({
            "format": "nestegg.copy/1",
            "panel": {"name": host, "url": format!("{}/", world.panel.url())},
            "server": {
                "uuid": server.to_string(),
                "identifier": server.short(),
                "name": "Survival",
                "passport": {
                    "node": row.node,
                    "egg": {"uuid": "93536f33-a658-4abf-96e4-d108e4d4be15", "name": "Paper"},
                    "image": row.image,
                    "startup": row.invocation,
                    "description": row.description,
                    "limits": {"memory": 1024, "swap": 0, "disk": 10240, "io": 500, "cpu": 100,
                        "threads": null, "oom_disabled": true},
                    "feature_limits": {"databases": 0, "allocations": 0, "backups": 200},
                    "allocations": [{"ip": "127.0.0.1", "port": 25565, "is_default": true}],
                    "variables": [
                        {"name": "Minecraft Version", "env": "MINECRAFT_VERSION", "value": "latest"},
                        {"name": "Remote Console Password", "env": "RCON_PASSWORD", "value": "********"},
                    ],
                },
            },
            "backup": {
                "uuid": backup.to_string(),
                "name": "nightly",
                "is_locked": true,
                "ignored_files": ["*.log", "cache/"],
                "created_at": second(backup_row.created_at),
                "completed_at": second(backup_row.completed_at),
            },
            "archive": {
                "bytes": archive.len(),
                "sha256": archive.sha256(),
                "panel_checksum": format!("sha1:{}", archive.sha1()),
                "verdict": "panel-sha1",
                "entries": archive.members(),
                "unpacked_bytes": archive.tar_bytes(),
            },
            "stored": {"bytes": archive.len(), "sha256": archive.sha256(), "encryption": null},
            "written_by": format!("nestegg {}", env!("CARGO_PKG_VERSION")),
            "written_at": written["written_at"],
        })
    );
}

#[tokio::test]
async fn a_subusers_sidecar_says_what_a_subuser_is_shown() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.panel.edit_server(server, |row| {
        row.access = Access::Subuser(vec!["backup.read".to_owned(), "backup.download".to_owned()]);
    });
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let written = sidecar(&world, server, backup);
    assert_eq!(written["server"]["passport"]["variables"], json!([]));
    assert_eq!(written["server"]["passport"]["node"], "node-one");
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for (held, missing) in [
        ("backup.download", "backup.read"),
        ("backup.read", "backup.download"),
    ] {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world.panel.edit_server(server, |row| {
            row.access = Access::Subuser(vec![held.to_owned()]);
        });
        let ran = world.mirror(&[]).await;
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains(missing), "{missing}: {}", ran.stderr);
        assert_eq!(world.visible(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn no_secret_is_in_ledger_or_sidecar() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let on_s3 = world.panel.add_backup(server, "s3", Archive::small(2));
    world.panel.set_disk(on_s3, Disk::S3);
    world.panel.on_download(backup, Fault::ServerError);
    let ran = world.mirror(&["-vv"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for (name, bytes) in world.files() {
        world.assert_no_secret_in(&name, &bytes);
    }
    assert!(
        ran.stderr.contains("DEBUG") || ran.stderr.contains("INFO"),
        "{}",
        ran.stderr
    );
}
