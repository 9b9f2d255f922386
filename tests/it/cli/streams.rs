//! What goes to which stream, and streams that take nothing.

use std::fs::File;
use std::process::Stdio;

use super::text;
use crate::support::archive::Archive;
use crate::support::world::World;

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

#[tokio::test]
async fn a_result_that_cannot_be_written_is_no_success() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let mirror = world.mirror_args(&[]);
    let again = world.mirror_args(&["--json"]);
    let lines: [&[&str]; 7] = [
        &mirror.iter().map(String::as_str).collect::<Vec<_>>(),
        &again.iter().map(String::as_str).collect::<Vec<_>>(),
        &["status"],
        &["list", "--json"],
        &["config", "show"],
        &["--help"],
        &["--version"],
    ];
    for args in lines {
        let output = world
            .command(args)
            .stdout(full())
            .spawn()
            .unwrap()
            .wait_with_output()
            .await
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(
            stderr.contains("could not write the result") && stderr.contains("No space left"),
            "{args:?}: {stderr}"
        );
    }
    assert!(World::archive_at(&world.offsite(), server, backup).exists());
}

#[tokio::test]
async fn a_reader_that_went_away_stops_no_run() {
    let (world, server, first) = World::with_backup(Archive::small(1)).await;
    let second = world.panel.add_backup(server, "second", Archive::small(2));
    let mut child = world.start(&world.mirror_args(&[]));
    drop(child.stdout.take());
    let output = child.wait_with_output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.as_str()), (Some(0), ""));
    for backup in [first, second] {
        assert!(World::archive_at(&world.offsite(), server, backup).exists());
    }
}

#[tokio::test]
async fn a_full_standard_error_stops_no_run() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let output = world
        .command(&world.mirror_args(&["-vv"]))
        .stderr(full())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(World::archive_at(&world.offsite(), server, backup).exists());
}

#[tokio::test]
async fn quietly_nothing_is_said_when_all_is_well_and_failures_are_said() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.add_failed(server, "failed");
    for _ in 0..2 {
        let ran = world.mirror(&["-q"]).await;
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (Some(0), "", "")
        );
    }
    let bad = world.panel.add_backup(server, "bad", Archive::small(2));
    world.panel.set_checksum(bad, "sha1:x");
    let ran = world.mirror(&["-q"]).await;
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains(&bad.to_string()), "{}", ran.stderr);
}

#[tokio::test]
async fn off_a_terminal_every_backup_is_one_plain_line() {
    let (world, server, first) = World::with_backup(Archive::small(1)).await;
    let second = world.panel.add_backup(server, "weekly", Archive::small(2));
    let ran = world.mirror(&[]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for (name, backup) in [("nightly", first), ("weekly", second)] {
        let words = format!("Survival / {name}  {backup}  ");
        let lines: Vec<&str> = ran
            .stdout
            .lines()
            .filter(|line| line.contains(&words))
            .collect();
        assert_eq!(lines.len(), 1, "{}", ran.stdout);
        assert!(lines[0].starts_with("mirrored "), "{}", lines[0]);
        assert!(
            lines[0].ends_with(&format!("panel-sha1  {}", text(&world.offsite()))),
            "{}",
            lines[0]
        );
    }
    assert!(
        ran.stdout
            .ends_with("Every selected backup is held and verified at every destination.\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout
            .chars()
            .all(|letter| letter == '\n' || !letter.is_control()),
        "{:?}",
        ran.stdout
    );
}

#[tokio::test]
async fn with_json_standard_output_is_one_document_and_errors_are_said_on_standard_error_too() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let bad = world.panel.add_backup(server, "bad", Archive::small(2));
    world.panel.set_checksum(bad, "sha1:x");
    let ran = world.mirror(&["--json", "-v"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(ran.json()["exit_code"], 3);
    assert!(
        ran.stderr.contains("error: backup Survival / bad"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn diagnostics_are_json_lines_where_asked_for() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let folder = std::fs::read_dir(world.offsite())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(
        folder.join("6fdff738-bf44-4933-824f-489198dda9e6.tar.gz#1"),
        "half",
    )
    .unwrap();
    let ran = world.mirror(&["-v", "--log-format", "json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.iter().any(|line| line["fields"]["message"]
            == "files that a killed run left half-written were removed"),
        "{}",
        ran.stderr
    );
}
