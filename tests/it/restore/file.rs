//! `--output FILE`: the name appears when the digest held, and not before.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use nestegg::transfer::observer::Silent;
use tokio::process::Command;

use super::Vault;
use super::text;
use crate::support::archive::Archive;

/// How the unfinished files of a restore begin.
const UNFINISHED: &str = ".nestegg-restore-";

/// By their names alone: a run under way may rename what was listed before it is read.
fn unfinished(vault: &Vault) -> Vec<String> {
    let entries = std::fs::read_dir(vault.world.path(".")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(UNFINISHED)).collect()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_is_told_with_its_digest() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let ran = vault
        .world
        .run(&["restore", "Survival:latest", "--output", "got.tar.gz"])
        .await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mode = std::fs::metadata(vault.world.path("got.tar.gz")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    for said in [
        "restored",
        "Survival / nightly",
        "got.tar.gz",
        vault.archive.sha256(),
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    vault.assert_restored("got.tar.gz");
    assert_eq!(vault.world.panel.requests().len(), 0);
    let quiet = [
        "-q",
        "restore",
        "Survival:latest",
        "--output",
        "quiet.tar.gz",
    ];
    let ran = vault.world.run(&quiet).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[tokio::test]
async fn a_copy_at_a_destination_is_never_restored_over() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let (_, near) = &vault.places[0];
    let server = std::path::Path::new(&near.url).join(vault.server.to_string());
    for suffix in [".tar.gz", ".json"] {
        let path = server.join(format!("{}{suffix}", vault.backup));
        let before = std::fs::read(&path).unwrap();
        let output = path.to_str().unwrap();
        let args = ["restore", "Survival:latest", "--output", output, "--force"];
        let ran = vault.world.run(&args).await;
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("is a copy that nestegg keeps"),
            "{}",
            ran.stderr
        );
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn what_is_there_already_stays_unless_it_may_be_replaced() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let path = vault.world.path("got.tar.gz");
    std::fs::write(&path, "mine").unwrap();
    let args = ["restore", "Survival:latest", "--output", "got.tar.gz"];
    let ran = vault.world.run(&args).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("is already there, and is not overwritten"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    // A copy that does not hold replaces nothing.
    vault.flip("near");
    vault.flip("far");
    let forced = [&args[..], &["--force"]].concat();
    let ran = vault.world.run(&forced).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    vault.flip("far");
    let ran = vault.world.run(&forced).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    vault.assert_nothing_else(&["got.tar.gz"]);
}

#[tokio::test]
async fn a_link_is_replaced_itself_and_what_it_leads_to_stays() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let (link, kept) = (vault.world.path("link"), vault.world.path("kept"));
    std::fs::write(&kept, "kept").unwrap();
    std::os::unix::fs::symlink(&kept, &link).unwrap();
    let args = ["restore", "Survival:latest", "--output", "link"];
    assert_eq!(vault.world.run(&args).await.code, Some(2));
    let ran = vault.world.run(&[&args[..], &["--force"]].concat()).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(std::fs::read(&kept).unwrap(), b"kept");
    vault.assert_restored("link");
    // One that leads nowhere is something that is there as well.
    let dangling = vault.world.path("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    let args = ["restore", "Survival:latest", "--output", "dangling"];
    assert_eq!(vault.world.run(&args).await.code, Some(2));
}

#[tokio::test]
async fn places_that_no_file_can_be_at_are_refused_before_anything_is_read() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let there = vault.world.path(".");
    for (output, said, hint) in [
        (
            text(&there),
            "is a directory, not a file",
            "name a file in it",
        ),
        ("/", "names no file", "name a file"),
        (
            "none/got.tar.gz",
            "does not exist",
            "create it, or name another",
        ),
        ("nestegg.toml/x", "not a directory", ""),
        ("/dev/null", "is a device, pipe or socket", "--output -"),
    ] {
        let args = ["restore", "Survival:latest", "--output", output, "--force"];
        let ran = vault.world.run(&args).await;
        assert_eq!(ran.code, Some(2), "{output}: {}", ran.stderr);
        assert!(
            ran.stderr.to_lowercase().contains(said),
            "{output}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains(hint), "{output}: {}", ran.stderr);
    }
    vault.assert_nothing_else(&[]);
}

#[tokio::test]
async fn a_disk_that_fills_up_is_told_and_keeps_nothing() {
    let vault = Vault::in_two_folders(Archive::of_about(2, 600 << 10)).await;
    let restore = vault
        .world
        .command(&["restore", "Survival:latest", "--output", "got.tar.gz"]);
    let restore = restore.as_std();
    // A limit on the length of files stands in for the full disk, as it needs no root.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "sh"])
        .arg(restore.get_program())
        .args(restore.get_args())
        .env_clear()
        .envs(
            restore
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(vault.world.path("."))
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("could not write"), "{stderr}");
    assert!(stderr.contains("got.tar.gz"), "{stderr}");
    // It is the target's failure: the next copy would fail there as well.
    assert!(!stderr.contains("next copy"), "{stderr}");
    vault.assert_nothing_else(&[]);
}

#[tokio::test]
async fn killed_in_the_middle_it_leaves_nothing_by_that_name_and_the_next_run_tidies_up() {
    let vault = Vault::in_two_folders(Archive::of_about(3, 19 << 20)).await;
    let args = ["restore", "Survival:latest", "--output", "got.tar.gz"];
    let slow = [&args[..], &["--limit-rate", "1MiB"]].concat();
    let mut child = vault.world.start(&slow);
    let path = vault.world.path(".");
    let written = || {
        let entries = std::fs::read_dir(&path).unwrap();
        let mut sizes = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED))
            .filter_map(|entry| Some(entry.metadata().ok()?.len()));
        sizes.any(|bytes| bytes > 0)
    };
    until("part of the archive is written", written).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    assert!(!vault.world.path("got.tar.gz").exists());
    assert_eq!(unfinished(&vault).len(), 1);
    let ran = vault.world.run(&args).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    vault.assert_nothing_else(&["got.tar.gz"]);
}

#[tokio::test]
async fn a_restore_beside_another_leaves_its_unfinished_file_alone() {
    let vault = Vault::in_two_folders(Archive::of_about(3, 9 << 20)).await;
    let args = [
        "restore",
        "Survival:latest",
        "--output",
        "slow.tar.gz",
        "--limit-rate",
        "1MiB",
    ];
    let child = vault.world.start(&args);
    until("the slow one has begun", || !unfinished(&vault).is_empty()).await;
    let ran = vault
        .world
        .run(&["restore", "Survival:latest", "--output", "quick.tar.gz"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(0));
    vault.assert_restored("quick.tar.gz");
    vault.assert_restored("slow.tar.gz");
    vault.assert_nothing_else(&["quick.tar.gz", "slow.tar.gz"]);
}

#[tokio::test]
async fn a_signal_stops_it_and_leaves_nothing() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let vault = Vault::in_two_folders(Archive::of_about(3, 9 << 20)).await;
        let args = [
            "restore",
            "Survival:latest",
            "--output",
            "got.tar.gz",
            "--limit-rate",
            "1MiB",
            "--json",
        ];
        let child = vault.world.start(&args);
        until("it has begun", || !unfinished(&vault).is_empty()).await;
        let pid = child.id().unwrap().to_string();
        let kill = ["-c", "kill -\"$0\" \"$1\"", signal, &pid];
        assert!(
            Command::new("sh")
                .args(kill)
                .status()
                .await
                .unwrap()
                .success()
        );
        let ended = child.wait_with_output().await.unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{stderr}");
        let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(document["outcome"], "interrupted");
        assert_eq!(document["exit_code"], code);
        assert_eq!(document["backups"][0]["state"], "not_reached");
        vault.assert_nothing_else(&[]);
    }
}

#[tokio::test]
async fn a_name_taken_while_it_was_read_is_not_overwritten() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let path = vault.world.path("got.tar.gz");
    let taker = Arc::new(super::copies::AtFirstByte::new({
        let path = path.clone();
        move || std::fs::write(&path, "somebody else's").unwrap()
    }));
    let args = ["restore", "Survival:latest", "--output", "got.tar.gz"];
    let (report, exit) = vault.watched(&args, taker).await;
    assert_eq!(exit.code(), 1);
    let failure = report.backups[0].failure.as_ref().unwrap();
    assert!(
        failure.message.contains("already there"),
        "{}",
        failure.message
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody else's");
    vault.assert_nothing_else(&["got.tar.gz"]);
    let forced = [&args[..], &["--force"]].concat();
    let (_, exit) = vault.watched(&forced, Arc::new(Silent)).await;
    assert_eq!(exit.code(), 0);
    vault.assert_restored("got.tar.gz");
}
