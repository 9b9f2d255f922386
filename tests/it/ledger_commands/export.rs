//! `ledger export`, as other programs take it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nestegg::report::json::ledger::EXPORT_SCHEMA;
use serde_json::Value;
use serde_json::json;
use tokio::process::Command;

use super::backup_id;
use super::copies;
use super::put;
use super::put_copy;
use super::server_id;
use super::sha256;
use super::sidecar;
use super::text;
use crate::support::archive::Archive;
use crate::support::schema;
use crate::support::servers::install::PythonTools;
use crate::support::servers::rclone::RcloneS3;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Runs another program to its end: whether it was content, and all that it said.
async fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// `rclone check` of a remote against a file of sums.
async fn rclone_check(world: &World, sums: &Path, remote: &str) -> (bool, String) {
    let mut rclone = Command::new(PythonTools::get().program("rclone"));
    rclone
        .args(["--config=/dev/null", "check", "--checkfile", "sha256"])
        .args(["--download", "--one-way"])
        .arg(sums)
        .arg(remote)
        .env_clear()
        .env("HOME", world.path(""));
    said(&mut rclone).await
}

/// A folder of whole copies, and a ledger that records them.
async fn shelf() -> World {
    let world = World::new().await;
    let root = world.offsite();
    for backup in 1..=5 {
        put_copy(&root, backup % 2, backup);
    }
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&root)])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    world
}

#[tokio::test]
async fn sha256sum_and_rclone_accept_the_sums_of_a_folder_and_find_what_was_changed() {
    let world = shelf().await;
    let root = world.offsite();
    let sums = root.join("SHA256SUMS");
    let export = ["ledger", "export", "--output", text(&sums)];
    let ran = world.run(&export).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
    let on_stdout = world
        .run(&["ledger", "export", "--format", "sha256sums"])
        .await;
    assert_eq!(on_stdout.stdout, fs::read_to_string(&sums).unwrap());
    let keys: Vec<&str> = on_stdout
        .stdout
        .lines()
        .map(|line| line.split_once("  ").unwrap().1)
        .collect();
    assert!(keys.len() == 5 && keys.is_sorted(), "{keys:?}");
    let check = || {
        let mut command = Command::new("sha256sum");
        command
            .args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(&root);
        command
    };
    let (fine, words) = said(&mut check()).await;
    assert!(fine && words.matches(": OK").count() == 5, "{words}");
    let (fine, words) = rclone_check(&world, &sums, text(&root)).await;
    assert!(fine && words.contains("0 differences found"), "{words}");
    // One byte of one archive, its length unchanged.
    let victim = root.join(keys[0]);
    let mut bytes = fs::read(&victim).unwrap();
    bytes[0] ^= 1;
    fs::write(&victim, bytes).unwrap();
    let (fine, words) = said(&mut check()).await;
    assert!(!fine && words.contains(": FAILED"), "{words}");
    let (fine, words) = rclone_check(&world, &sums, text(&root)).await;
    assert!(!fine && words.contains("1 differences found"), "{words}");
    // The next mirror and the next rebuild pass over the file.
    let again = world
        .run(&["ledger", "rebuild", "--from", text(&root)])
        .await;
    assert!(!again.stderr.contains("SHA256SUMS"), "{}", again.stderr);
}

/// Mirrors into a bucket, exports its sums, and has rclone compare them with what the bucket holds.
async fn rclone_accepts_the_sums_of(root: &Root, prefix: &str) {
    let (mut world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.add_backup(server, "weekly", Archive::small(2));
    let options: Vec<String> = root
        .options
        .iter()
        .map(|(name, value)| format!("{name} = \"{value}\""))
        .collect();
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"bucket\"\nurl = \"{}\"\noptions = {{ {} }}\n",
        world.panel.url(),
        root.url,
        options.join(", ")
    );
    fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let sums = world.path("SHA256SUMS");
    let export = [
        "ledger",
        "export",
        "--to",
        "bucket",
        "--output",
        text(&sums),
    ];
    assert_eq!(world.run(&export).await.code, Some(0));
    let option = |name: &str| root.options[name].clone();
    let remote = format!(
        ":s3,provider=Other,force_path_style=true,region=us-east-1,endpoint='{}',access_key_id={},secret_access_key={}:bkt/{prefix}",
        option("endpoint"),
        option("access_key_id"),
        option("secret_access_key"),
    );
    let (fine, words) = rclone_check(&world, &sums, &remote).await;
    assert!(
        fine && words.contains("0 differences found") && words.contains("2 matching files"),
        "{words}"
    );
    let wrong =
        fs::read_to_string(&sums)
            .unwrap()
            .replacen(|digit: char| digit.is_ascii_digit(), "f", 1);
    fs::write(&sums, wrong).unwrap();
    let (fine, words) = rclone_check(&world, &sums, &remote).await;
    assert!(!fine && words.contains("1 differences found"), "{words}");
}

#[tokio::test]
async fn rclone_accepts_the_sums_of_an_s3_bucket() {
    let prefix = "ledger/export-seaweedfs";
    rclone_accepts_the_sums_of(&SeaweedFs::shared().root(prefix), prefix).await;
}

#[tokio::test]
async fn rclone_accepts_the_sums_of_what_it_serves_itself() {
    let prefix = "ledger/export-rclone";
    rclone_accepts_the_sums_of(&RcloneS3::shared().root(prefix), prefix).await;
}

#[tokio::test]
async fn sums_are_of_one_destination_and_which_must_be_said_when_there_are_several() {
    let world = World::new().await;
    let (one, two) = (world.path("one"), world.path("two"));
    put_copy(&one, 1, 1);
    put_copy(&two, 1, 2);
    let from = ["ledger", "rebuild", "--from", text(&one), text(&two)];
    assert_eq!(world.run(&from).await.code, Some(0));
    let ran = world.run(&["ledger", "export"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(
        ran.stderr.contains("--to") && ran.stderr.contains(text(&one)),
        "{}",
        ran.stderr
    );
    let ran = world.run(&["ledger", "export", "--to", text(&two)]).await;
    assert_eq!(ran.code, Some(0));
    let archive = backup_id(2).to_string();
    let line = format!(
        "{}  {}/{}.tar.gz\n",
        sha256(archive.as_bytes()),
        server_id(1),
        backup_id(2)
    );
    assert_eq!(ran.stdout, line);
    for format in ["csv", "json"] {
        let all = world.run(&["ledger", "export", "--format", format]).await;
        assert_eq!(all.code, Some(0), "{}", all.stderr);
        for backup in [1, 2] {
            let key = format!("{}/{}.tar.gz", server_id(1), backup_id(backup));
            assert_eq!(all.stdout.matches(&key).count(), 1, "{format}");
        }
    }
    let misspelt = world.run(&["ledger", "export", "--to", "b2"]).await;
    assert_eq!(misspelt.code, Some(2), "{}", misspelt.stderr);
    let both = ["--json", "ledger", "export", "--format", "csv"];
    assert_eq!(world.run(&both).await.code, Some(2));
}

#[tokio::test]
async fn csv_and_json_say_everything_and_no_name_becomes_a_formula() {
    let world = World::new().await;
    let root = world.offsite();
    let hostile = "=cmd|' /C calc'!A0\u{1b}[2J, \"x\"\n2nd line";
    let mut beside = sidecar(server_id(1), backup_id(1), b"archive");
    beside["backup"]["name"] = json!(hostile);
    beside["server"]["name"] = json!("@SUM(1,2)");
    let beside = beside.to_string();
    put(
        &root,
        server_id(1),
        backup_id(1),
        b"archive",
        beside.as_bytes(),
    );
    let from = ["ledger", "rebuild", "--from", text(&root)];
    assert_eq!(world.run(&from).await.code, Some(0));
    let held = copies(&world.ledger()).remove(0);
    let etag = held.etag.clone().unwrap();

    let ran = world.run(&["ledger", "export", "--format", "csv"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut rows = csv::Reader::from_reader(ran.stdout.as_bytes());
    let rows: Vec<BTreeMap<String, String>> = rows.deserialize().map(Result::unwrap).collect();
    let digest = sha256(b"archive");
    let key = held.key.to_string();
    let expected = [
        ("panel", "main"),
        ("server", &server_id(1).to_string()),
        ("identifier", "a1fa0000"),
        ("server_name", "'@SUM(1,2)"),
        ("backup", &backup_id(1).to_string()),
        ("name", r#"'=cmd|' /C calc'!A0\u{1b}[2J, "x"\n2nd line"#),
        ("created_at", "2026-11-22T02:54:56Z"),
        ("completed_at", "2026-11-22T02:55:56Z"),
        ("on_panel", "listed"),
        ("panel_checksum", ""),
        ("destination", held.destination.as_str()),
        ("location", &held.location),
        ("key", &key),
        ("bytes", "7"),
        ("sha256", &digest),
        ("stored_bytes", "7"),
        ("stored_sha256", &digest),
        ("encryption", ""),
        ("entries", "1"),
        ("unpacked_bytes", "1536"),
        ("etag", &etag),
        ("verdict", "structure"),
        ("mirrored_at", "2026-11-22T03:00:00.123Z"),
        ("verified_at", ""),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(rows, [BTreeMap::from(expected)]);

    let ran = world.run(&["--json", "ledger", "export"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stdout.contains('\u{1b}'));
    let document = ran.json();
    let promised: Value = serde_json::from_str(EXPORT_SCHEMA).unwrap();
    assert!(jsonschema::meta::validate(&promised).is_ok());
    schema::assert_fits(EXPORT_SCHEMA, &document);
    assert_eq!(
        document["copies"],
        json!([{
            "panel": "main", "server": server_id(1), "identifier": "a1fa0000",
            "server_name": "@SUM(1,2)", "backup": backup_id(1), "name": hostile,
            "created_at": "2026-11-22T02:54:56Z", "completed_at": "2026-11-22T02:55:56Z",
            "on_panel": "listed", "panel_checksum": null, "destination": held.destination,
            "location": held.location, "key": key, "bytes": 7, "sha256": digest, "stored_bytes": 7,
            "stored_sha256": digest, "encryption": null, "entries": 1, "unpacked_bytes": 1536,
            "etag": etag, "verdict": "structure", "mirrored_at": "2026-11-22T03:00:00.123Z",
            "verified_at": null,
        }])
    );
}

#[tokio::test]
async fn a_file_is_replaced_only_by_a_whole_one() {
    let world = shelf().await;
    let file = world.path("copies.csv");
    fs::write(&file, "old").unwrap();
    let nowhere = world.path("no/such/folder/copies.csv");
    let output = |path: &Path| {
        [
            "ledger",
            "export",
            "--format",
            "csv",
            "--output",
            text(path),
        ]
        .map(str::to_owned)
    };
    let ran = world.run(&output(&nowhere)).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(
        ran.stderr.contains("could not write") && ran.stderr.contains("hint: "),
        "{}",
        ran.stderr
    );
    let folder = world.path("");
    assert_eq!(world.run(&output(&folder)).await.code, Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert_eq!(world.run(&output(&file)).await.code, Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 6);
    let left: Vec<String> = world
        .files()
        .into_keys()
        .filter(|name| name.contains(".nestegg-"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn an_older_ledger_is_handed_out_listed_and_shown_without_being_touched() {
    let world = World::new().await;
    let released =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/ledgers/v1.sqlite3");
    fs::copy(&released, world.ledger()).unwrap();
    for args in [
        &["ledger", "export", "--format", "json"][..],
        &["list"],
        &["status"],
    ] {
        let ran = world.run(args).await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{args:?}: {}",
            ran.stderr
        );
    }
    assert!(fs::read(world.ledger()).unwrap() == fs::read(released).unwrap());
}
