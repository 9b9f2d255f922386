//! Local disks that fill up, forbid, or go away, met by the binary as a person runs it.

use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;
use tokio::process::Command;

use super::*;
use crate::support::archive::Archive;
use crate::support::archive::MIB;
use crate::support::world::Ran;

/// Runs the binary in a shell that lets no file grow beyond so many blocks of 512 bytes.
async fn with_file_limit(world: &World, blocks: u64, args: &[String]) -> Ran {
    let inner = world.command(args);
    let inner = inner.as_std();
    let mut shell = Command::new("/bin/sh");
    shell
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
        ))
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(inner.get_current_dir().unwrap());
    let output = shell.output().await.unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn said(world: &World, ran: &Ran) -> String {
    let told = ran
        .stderr
        .replace(world.offsite().to_str().unwrap(), "<offsite>");
    let told = without_ids(&told, &BTreeMap::new());
    without_ports(&told)
}

#[tokio::test]
async fn a_disk_that_takes_no_more_keeps_the_small_backup_and_nothing_of_the_big_one() {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    let big = world
        .panel
        .add_backup(server, "big", Archive::of_about(1, 12 * MIB));
    let small = world.panel.add_backup(server, "small", Archive::small(2));
    let ran = with_file_limit(&world, 4 * 2048, &world.mirror_args(&[])).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(
        world.visible(),
        [
            format!("{server}/{small}.json"),
            format!("{server}/{small}.tar.gz")
        ]
    );
    assert_snapshot!(said(&world, &ran), @r"
error: destination <offsite>: could not send a part of `<an id>/<an id>.tar.gz`: File too large (os error 27)
  hint: use a file system that takes files of this length (FAT32 ends at 4 GiB), or raise the process's limit (`ulimit -f`)
    ");
    let told = ledger_story(&world);
    assert!(told.contains("ledger lacks big"), "{told}");

    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(World::archive_at(&world.offsite(), server, big).exists());
}

#[tokio::test]
async fn a_root_that_may_not_be_written_to_is_told_before_any_download() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let root = world.offsite();
    std::fs::write(&root, b"a file").unwrap();
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(world.panel.requests().len(), 0);
    assert_snapshot!(said(&world, &ran), @r"
error: destination <offsite>: `<offsite>` is not a directory
  hint: name a directory
    ");
}

#[tokio::test]
async fn a_root_that_is_gone_after_it_held_copies_is_a_lost_mount_and_not_made_again() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    world.panel.add_backup(server, "weekly", Archive::small(2));
    std::fs::rename(world.offsite(), world.path("unmounted")).unwrap();
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(!world.offsite().exists());
    assert_snapshot!(said(&world, &ran), @r"
error: destination <offsite>: the directory `<offsite>` does not exist
  hint: a missing root is often a disk that is not mounted; if it is a new place, make the directory first
    ");
}

#[tokio::test]
async fn copies_are_for_the_owner_alone() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    let copy = World::archive_at(&world.offsite(), server, backup);
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&copy), 0o600);
    assert_eq!(mode(copy.parent().unwrap()), 0o700);
}
