//! Archives where a panel's own Restore button looks for them, and what becomes of that later.

mod placeholder;

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::archive::Archive;
use crate::support::held::Held;
use crate::support::held::Node;
use crate::support::held::Tree;
use crate::support::held::tree;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::Ran;

/// The uuids of a placeholder on a new panel.
const PLACEHOLDER: [&str; 2] = [
    "b2fb0000-2222-4222-8222-00000000000b",
    "7fdff738-bf44-4933-824f-489198dda9e7",
];

fn archive() -> Archive {
    Archive::of_about(5, 9 << 20)
}

async fn held() -> (Held, PathBuf) {
    let held = Held::of(archive()).await;
    let disk = held.world.path("backups");
    std::fs::create_dir(&disk).unwrap();
    (held, disk)
}

async fn restore(held: &Held, what: &[&str], disk: &Path) -> Ran {
    let (offsite, disk) = (held.world.offsite(), disk.to_str().unwrap());
    let mut args = vec!["restore", "--json", "--from", offsite.to_str().unwrap()];
    args.extend(["--backup-disk", disk]);
    args.extend(what);
    held.world.run(&args).await
}

/// Modes and contents alone: files are as new as the restore.
fn shape(root: &Path) -> Vec<(String, u32, Option<Vec<u8>>)> {
    let nodes: Tree = tree(root);
    nodes
        .into_iter()
        .map(|(name, node)| match node {
            Node::File(mode, _, content) => (name, mode, Some(content)),
            Node::Directory(mode) => (name, mode, None),
            Node::Link(_) | Node::Other => panic!("{name}"),
        })
        .collect()
}

fn states(ran: &Ran) -> Vec<Value> {
    let document = ran.json();
    let backups = document["backups"].as_array().unwrap();
    backups
        .iter()
        .map(|backup| backup["state"].clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_are_laid_out_as_each_panels_daemon_does_it() {
    let (held, disk) = held().await;
    let backup = held.backup.to_string();
    let ran = restore(&held, &[&backup], &disk).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = archive().bytes().to_vec();
    let flat = (format!("{backup}.tar.gz"), 0o600, Some(bytes.clone()));
    assert_eq!(shape(&disk), [flat]);
    assert_eq!(
        ran.json()["backups"][0]["notes"][0],
        format!(
            "it is at {}: restore backup {backup} of server {} in the panel; whatever size and checksum the \
             panel shows, it restores what is there",
            disk.join(format!("{backup}.tar.gz")).display(),
            held.server
        )
    );
    let pelican = held.world.path("pelican");
    std::fs::create_dir(&pelican).unwrap();
    let ran = restore(&held, &[&backup, "--layout", "pelican"], &pelican).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let server = held.server.to_string();
    let nested = format!("{server}/{backup}.tar.gz");
    assert_eq!(
        shape(&pelican),
        [(server, 0o700, None), (nested, 0o600, Some(bytes))]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_archive_is_left_alone_and_another_one_needs_force() {
    let (held, disk) = held().await;
    let backup = held.backup.to_string();
    let path = disk.join(format!("{backup}.tar.gz"));
    restore(&held, &[&backup], &disk).await;
    let inode = path.metadata().unwrap().ino();
    let again = restore(&held, &[&backup], &disk).await;
    assert_eq!(
        (again.code, states(&again)),
        (Some(0), vec!["already_there".into()])
    );
    assert_eq!(path.metadata().unwrap().ino(), inode);
    let mut other = archive().bytes().to_vec();
    other[77] ^= 1;
    for there in [other, b"short".to_vec()] {
        std::fs::write(&path, &there).unwrap();
        let refused = restore(&held, &[&backup], &disk).await;
        assert_eq!(
            (refused.code, states(&refused)),
            (Some(1), vec!["failed".into()])
        );
        assert_eq!(refused.json()["backups"][0]["error"]["kind"], "policy");
        assert_eq!(std::fs::read(&path).unwrap(), there);
        let forced = restore(&held, &[&backup, "--force"], &disk).await;
        assert_eq!(
            (forced.code, states(&forced)),
            (Some(0), vec!["restored".into()])
        );
        assert_eq!(std::fs::read(&path).unwrap(), archive().bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_there_already_gets_the_mode_and_owner_of_a_new_one() {
    let (held, disk) = held().await;
    let (backup, server) = (held.backup.to_string(), held.server.to_string());
    let pelican = held.world.path("pelican");
    std::fs::create_dir(&pelican).unwrap();
    // Only root may give files away.
    for disk in [&disk, &pelican] {
        drop(chown(disk, Some(4711), Some(4712)));
    }
    let owner = |path: &Path| {
        let metadata = path.symlink_metadata().unwrap();
        (metadata.uid(), metadata.gid())
    };
    let flat = disk.join(format!("{backup}.tar.gz"));
    let nested = pelican.join(&server).join(format!("{backup}.tar.gz"));
    for (disk, layout, archive) in [
        (&disk, "pterodactyl", &flat),
        (&pelican, "pelican", &nested),
    ] {
        let what = [&*backup, "--layout", layout];
        let first = restore(&held, &what, disk).await;
        assert_eq!(first.code, Some(0), "{}", first.stderr);
        let whole = shape(disk);
        // As a restore leaves it that is killed before the last step, or somebody's copying by hand.
        let ours = owner(&held.world.path(""));
        for path in [archive.parent().unwrap(), archive] {
            if path != disk {
                chown(path, Some(ours.0), Some(ours.1)).unwrap();
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(path, mode).unwrap();
            }
        }
        let again = restore(&held, &what, disk).await;
        assert_eq!(
            (again.code, states(&again)),
            (Some(0), vec!["already_there".into()])
        );
        assert_eq!(shape(disk), whole);
        for path in [archive.parent().unwrap(), archive] {
            assert_eq!(owner(path), owner(disk), "{}", path.display());
        }
    }
    // The server's directory is put right as well when the archive is new in it.
    std::fs::remove_file(&nested).unwrap();
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(nested.parent().unwrap(), mode).unwrap();
    let whole = [&*backup, "--layout", "pelican"];
    assert_eq!(restore(&held, &whole, &pelican).await.code, Some(0));
    assert_eq!(shape(&pelican)[0], (server, 0o700, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_ours_is_not_touched_where_it_is_already_there() {
    let (held, _) = held().await;
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(held.archive_path(), mode).unwrap();
    let before = held.everything();
    let backup = held.backup.to_string();
    let what = [&*backup, "--layout", "pelican"];
    let ran = restore(&held, &what, &held.world.offsite()).await;
    assert_eq!(
        (ran.code, states(&ran)),
        (Some(0), vec!["already_there".into()])
    );
    assert!(held.everything() == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_that_was_not_there_is_said_to_be_missing() {
    let (held, disk) = held().await;
    let [server, placeholder] = PLACEHOLDER;
    let backup = held.backup.to_string();
    let what = [&*backup, "--as", &format!("{server}/{placeholder}")];
    let notes = |ran: &Ran| {
        let document = ran.json();
        let notes = document["backups"][0]["notes"].as_array().unwrap();
        notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let missing = restore(&held, &what, &disk).await;
    assert_eq!(missing.code, Some(0), "{}", missing.stderr);
    let said = format!(
        "\"nothing was there before: check that the panel has completed the placeholder {placeholder}, that it \
         is a backup of the server {server}, and that this is where the panel keeps it\""
    );
    assert_eq!(notes(&missing)[1..], [said]);
    std::fs::write(disk.join(format!("{placeholder}.tar.gz")), "placeholder").unwrap();
    for (what, disk) in [(&what[..], &disk), (&[&*backup][..], &disk)] {
        let ran = restore(&held, what, disk).await;
        assert_eq!(
            (states(&ran), notes(&ran).len()),
            (vec!["restored".into()], 1)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_is_overwritten_and_only_by_what_is_proved() {
    let (held, disk) = held().await;
    let [server, placeholder] = PLACEHOLDER;
    let path = disk.join(format!("{placeholder}.tar.gz"));
    std::fs::write(&path, "placeholder").unwrap();
    let ids = format!("{server}/{placeholder}");
    let backup = held.backup.to_string();
    let mut damaged = archive().bytes().to_vec();
    damaged[8 << 20] ^= 1;
    std::fs::write(held.archive_path(), damaged).unwrap();
    let ran = restore(&held, &[&backup, "--as", &ids], &disk).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert_eq!(
        shape(&disk)
            .into_iter()
            .map(|(_, _, content)| content)
            .collect::<Vec<_>>(),
        [Some(b"placeholder".to_vec())]
    );
    std::fs::write(held.archive_path(), archive().bytes()).unwrap();
    let ran = restore(&held, &[&backup, "--as", &ids], &disk).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = archive().bytes().to_vec();
    let there = (format!("{placeholder}.tar.gz"), 0o600, Some(bytes));
    assert_eq!(shape(&disk), [there]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_goes_on_after_a_failure_and_narrows_to_servers() {
    let (held, disk) = held().await;
    let second = held.world.panel.add_server("Creative");
    let of_second = held
        .world
        .panel
        .add_backup(second, "nightly", Archive::small(2));
    held.world
        .panel
        .add_backup(held.server, "older", Archive::small(3));
    held.world.quick(&[]).await;
    let one = restore(&held, &["--all", "--server", "Creative"], &disk).await;
    assert_eq!(
        (one.code, states(&one).len()),
        (Some(0), 1),
        "{}",
        one.stderr
    );
    assert_eq!(
        std::fs::read(disk.join(format!("{of_second}.tar.gz"))).unwrap(),
        Archive::small(2).bytes()
    );
    std::fs::write(
        held.archive_path(),
        vec![0; usize::try_from(archive().len()).unwrap()],
    )
    .unwrap();
    let all = restore(&held, &["--all"], &disk).await;
    let mut found: Vec<String> = states(&all)
        .iter()
        .map(|state| state.as_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, ["already_there", "failed", "restored"]);
    assert_eq!(all.code, Some(4));
    assert_eq!(shape(&disk).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_not_said_to_be_there_when_sidecars_tell_of_more() {
    let (held, disk) = held().await;
    let panel = &held.world.panel;
    let second = panel.add_server("Creative");
    panel.add_backup(second, "nightly", Archive::small(2));
    held.world.quick(&[]).await;
    std::fs::remove_file(held.archive_path()).unwrap();
    // The server that is meant is whole: what is broken is another's.
    let creative = restore(&held, &["--all", "--server", "Creative"], &disk).await;
    assert_eq!(creative.code, Some(0), "{}", creative.stderr);
    assert_eq!(creative.json()["errors"], serde_json::json!([]));
    let all = restore(&held, &["--all"], &disk).await;
    assert_eq!(states(&all), ["already_there"]);
    assert_eq!(all.code, Some(4), "{}", all.stderr);
    assert_eq!(all.json()["outcome"], "partial");
    assert!(
        all.stderr
            .contains("the archive is missing beside its sidecar"),
        "{}",
        all.stderr
    );
    // Another place that holds the backup makes up for it; one that is out of reach may hold more.
    let elsewhere = held.world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    let ran = held.world.mirror(&["--to", elsewhere]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let both = restore(&held, &["--all", "--from", elsewhere], &disk).await;
    assert_eq!(both.code, Some(0), "{}", both.stderr);
    assert_eq!(states(&both).len(), 2);
    let missing = held.world.path("missing");
    let missing = ["--all", "--from", missing.to_str().unwrap()];
    let some = restore(
        &held,
        &[&missing[..], &["--server", "Creative"]].concat(),
        &disk,
    )
    .await;
    assert_eq!(some.code, Some(3), "{}", some.stderr);
    let offsite = held.world.offsite();
    let told = [
        "restore",
        "--from",
        offsite.to_str().unwrap(),
        "--backup-disk",
        disk.to_str().unwrap(),
        "-q",
        "--all",
    ];
    let told = held.world.run(&told).await;
    assert!(
        told.stdout
            .contains("There may be more backups than could be found"),
        "{}",
        told.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_there_is_said_and_not_made() {
    let (held, _) = held().await;
    let missing = held.world.path("missing");
    let backup = held.backup.to_string();
    let ran = restore(&held, &[&backup], &missing).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("system.backup_directory"),
        "{}",
        ran.stderr
    );
    assert!(!missing.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_never_overwritten_as_if_it_were_a_backup_disk() {
    let (held, _) = held().await;
    let second = held
        .world
        .panel
        .add_backup(held.server, "second", Archive::small(2));
    held.world.quick(&[]).await;
    let ids = format!("{}/{second}", held.server);
    let backup = held.backup.to_string();
    let before = held.everything();
    let ran = restore(
        &held,
        &[&backup, "--layout", "pelican", "--as", &ids],
        &held.world.offsite(),
    )
    .await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(held.everything(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_known_by_its_sidecar_wherever_the_backup_disk_is_said_to_be() {
    let (mut held, _) = held().await;
    let second = held
        .world
        .panel
        .add_backup(held.server, "second", Archive::small(2));
    held.world.quick(&[]).await;
    let ids = format!("{}/{second}", held.server);
    let backup = held.backup.to_string();
    let before = held.everything();
    // Further down in the destination that copies are read from.
    let inside = held.world.offsite().join(held.server.to_string());
    let ran = restore(&held, &[&backup, "--as", &ids], &inside).await;
    assert_eq!((ran.code, states(&ran)), (Some(1), vec!["failed".into()]));
    assert!(held.everything() == before);

    // A destination that holds no copy of what is restored.
    let root = SeaweedFs::shared().root("backup-disk/destination");
    for (option, value) in &root.options {
        held.world
            .set(&format!("AWS_{}", option.to_uppercase()), value.clone());
    }
    let ran = held
        .world
        .mirror(&["--to", &root.url, "--backup", &second.to_string()])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let key = format!("{ids}.tar.gz");
    let copy = root.read(&key).await.unwrap();
    let bucket = PathBuf::from(&root.url);
    for more in [&["--as", &ids][..], &["--as", &ids, "--force"]] {
        let ran = restore(&held, &[&[&*backup], more].concat(), &bucket).await;
        assert_eq!((ran.code, states(&ran)), (Some(1), vec!["failed".into()]));
        assert_eq!(root.read(&key).await.unwrap(), copy);
    }
    assert_eq!(root.open_uploads().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_the_name_has_all_or_nothing_and_the_next_run_tidies_up() {
    let (held, disk) = held().await;
    let backup = held.backup.to_string();
    let path = disk.join(format!("{backup}.tar.gz"));
    let (offsite, disk_arg) = (held.world.offsite(), disk.to_str().unwrap());
    let from = offsite.to_str().unwrap();
    for millis in [60, 150, 250, 350, 420] {
        let args = [
            "restore",
            &backup,
            "--from",
            from,
            "--backup-disk",
            disk_arg,
        ];
        let mut child = held.world.start(
            &args
                .into_iter()
                .chain(["--limit-rate", "24MiB"])
                .collect::<Vec<_>>(),
        );
        let moment = std::time::Duration::from_millis(millis);
        drop(tokio::time::timeout(moment, child.wait()).await);
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        if path.exists() {
            assert_eq!(
                std::fs::read(&path).unwrap(),
                archive().bytes(),
                "{millis} ms"
            );
            std::fs::remove_file(&path).unwrap();
        }
    }
    let ran = restore(&held, &[&backup], &disk).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let there = (
        format!("{backup}.tar.gz"),
        0o600,
        Some(archive().bytes().to_vec()),
    );
    assert_eq!(shape(&disk), [there]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panels_bucket_gets_the_archive_under_its_key_with_the_content_type_that_restores_demand()
{
    let root = SeaweedFs::shared().root("backup-disk/bucket");
    let (mut held, _) = held().await;
    for (option, value) in &root.options {
        held.world
            .set(&format!("AWS_{}", option.to_uppercase()), value.clone());
    }
    let [server, placeholder] = PLACEHOLDER;
    let ids = format!("{server}/{placeholder}");
    let key = format!("{ids}.tar.gz");
    root.put(&key, "placeholder").await;
    let backup = held.backup.to_string();
    let bucket = PathBuf::from(&root.url);
    let ran = restore(&held, &[&backup, "--as", &ids], &bucket).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(root.keys().await, std::slice::from_ref(&key));
    assert_eq!(root.read(&key).await.unwrap(), archive().bytes());
    let attributes = root.attributes(&key).await.unwrap();
    assert_eq!(
        attributes.content_type.as_deref(),
        Some("application/x-gzip")
    );
    let again = restore(&held, &[&backup, "--as", &ids], &bucket).await;
    assert_eq!(
        (again.code, states(&again)),
        (Some(0), vec!["already_there".into()])
    );
    let plain = restore(&held, &[&backup], &bucket).await;
    assert_eq!(
        (plain.code, states(&plain)),
        (Some(0), vec!["restored".into()])
    );
    let own = format!("{}/{backup}.tar.gz", held.server);
    assert_eq!(root.read(&own).await.unwrap(), archive().bytes());
    // The same bytes under a content type with which no panel restores them.
    root.put(&own, archive().bytes().to_vec()).await;
    let content_type = async || root.attributes(&own).await.unwrap().content_type.unwrap();
    assert_eq!(content_type().await, "text/plain");
    for state in ["restored", "already_there"] {
        let ran = restore(&held, &[&backup], &bucket).await;
        assert_eq!((ran.code, states(&ran)), (Some(0), vec![state.into()]));
        assert_eq!(content_type().await, "application/x-gzip");
    }
}
