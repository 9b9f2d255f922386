//! What lies in the folder of a local destination.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::both;
use super::text;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::archive::Packing;
use crate::support::archive::Recipe;
use crate::support::world::World;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn files_are_0600_in_folders_of_0700_and_nothing_else_is_there() {
    let (world, server, backup) = World::with_backup(Archive::of_about(1, 9 << 20)).await;
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.visible(), both(server, backup));
    let root = world.offsite();
    assert_eq!(mode(&root), 0o700);
    assert_eq!(mode(&root.join(server.to_string())), 0o700);
    for name in both(server, backup) {
        assert_eq!(mode(&root.join(name)), 0o600);
    }
    for name in ["ledger.sqlite3", "ledger.sqlite3.lock"] {
        assert_eq!(mode(&world.path(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn what_a_killed_run_left_half_written_is_swept_and_foreign_files_are_left() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let folder = world.offsite().join(server.to_string());
    let staged = folder.join("6fdff738-bf44-4933-824f-489198dda9e6.tar.gz#1");
    std::fs::write(&staged, "half").unwrap();
    std::fs::write(folder.join("notes.txt"), "mine").unwrap();
    std::fs::write(world.offsite().join("README"), "mine too").unwrap();
    let ran = world.mirror(&["-v"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!staged.exists());
    let mut expected: Vec<String> = both(server, backup).into();
    expected.extend(["README".to_owned(), format!("{server}/notes.txt")]);
    expected.sort();
    assert_eq!(world.visible(), expected);
}

#[tokio::test]
async fn an_archive_of_many_parts_arrives_byte_for_byte_in_two_stores() {
    let archive = Recipe {
        seed: 7,
        content_bytes: 30 << 20,
        noise_percent: 100,
        packing: Packing::Stored,
        ending: Ending::Marked,
    }
    .make()
    .unwrap();
    assert!(archive.len() > 30 << 20);
    let (world, server, backup) = World::with_backup(archive.clone()).await;
    let (one, two) = (world.path("one"), world.path("two"));
    let ran = world.mirror(&["--to", text(&one), text(&two)]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.panel.bytes_served(), archive.len());
    for root in [one, two] {
        let copy = std::fs::read(World::archive_at(&root, server, backup)).unwrap();
        assert!(copy == archive.bytes(), "{}", root.display());
    }
}

#[tokio::test]
async fn hostile_names_become_no_paths_and_are_printed_harmlessly() {
    let world = World::new().await;
    let server = world.panel.add_server("../../etc/\u{1b}[31mpasswd\u{7}");
    let names = [
        "../../../outside",
        "nul\u{0}byte",
        "new\nline\r\u{1b}]0;title\u{7}",
        "\u{202e}gnp.exe",
        "🐔🥚",
        &"x".repeat(10_000),
    ];
    let backups: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(seed, name)| {
            world
                .panel
                .add_backup(server, name, Archive::small(seed as u64))
        })
        .collect();
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expected = super::all(
        &backups
            .iter()
            .map(|backup| (server, *backup))
            .collect::<Vec<_>>(),
    );
    assert_eq!(world.visible(), expected);
    let status = world.run(&["status"]).await;
    let list = world.run(&["list"]).await;
    for output in [&ran.stdout, &ran.stderr, &status.stdout, &list.stdout] {
        let bad: Vec<char> = output
            .chars()
            .filter(|letter| (letter.is_control() && *letter != '\n') || *letter == '\u{202e}')
            .collect();
        assert_eq!(bad, Vec::<char>::new(), "{output}");
        assert!(output.lines().all(|line| line.chars().count() < 600));
    }
    let lines = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("mirrored"));
    assert_eq!(lines.count(), names.len());
    assert!(ran.stdout.contains("🐔🥚"), "{}", ran.stdout);
}
