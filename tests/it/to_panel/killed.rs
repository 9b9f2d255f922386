//! `kill -9` in the middle, then the same command again.

use std::time::Duration;

use nestegg::exit::Exit;

use super::Scene;
use super::members_of;
use crate::support::archive::Archive;
use crate::support::fake_panel::Deletes;
use crate::support::fake_panel::Gateway;
use crate::support::fake_panel::Power;
use crate::support::servers::sshd::Sshd;

async fn until(what: impl Fn() -> bool + Send + Sync) {
    let waited = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waited)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_killed_upload_leaves_no_file_and_is_made_again_and_the_server_started() {
    let scene = Scene::new(Archive::of_about(1, 9 << 20)).await;
    scene.running();
    let args = scene.args(&["--yes", "--truncate"]);
    scene.put("old.txt", "old");
    let slow = scene.args(&["--yes", "--truncate", "--limit-rate", "512KiB"]);
    let mut child = scene.world.start(&slow);
    until(|| scene.world.panel.upload_bytes() > 1 << 20).await;
    child.kill().await.unwrap();
    let note = format!("nestegg-{}.ran", scene.backup);
    assert_eq!(
        scene.tree().into_keys().collect::<Vec<_>>(),
        [&note, "old.txt"]
    );
    let ran = scene.world.run(&args).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        scene.deeds(),
        [
            "write A.ran",
            "stop",
            "upload A",
            "delete old.txt",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
}

#[tokio::test]
async fn a_killed_transfer_over_sftp_is_gone_on_with_and_the_server_started_again() {
    let scene = Scene::new(Archive::of_about(2, 12 << 20)).await;
    let login = format!("alice.{}", scene.target.short());
    let folder = scene.world.panel.folder_of(scene.target);
    let sshd = Sshd::start(&login, &folder);
    scene.world.panel.edit_server(scene.target, |row| {
        row.sftp = ("127.0.0.1".to_owned(), sshd.port);
    });
    scene.running();
    let args = scene.args(&[
        "--yes",
        "--via",
        "sftp",
        "--sftp-key",
        sshd.key().to_str().unwrap(),
        "--sftp-host-key",
        &sshd.fingerprint(),
    ]);
    let slow = ["--limit-rate", "1MiB"].map(str::to_owned);
    let slow = [&args[..], &slow].concat();
    let mut child = scene.world.start(&slow);
    let part = folder.join(format!("nestegg-{}.tar.gz.part", scene.backup));
    until(|| std::fs::metadata(&part).is_ok_and(|file| file.len() > 1 << 20)).await;
    child.kill().await.unwrap();
    let ran = scene.world.run(&args).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        scene.deeds(),
        [
            "write A.ran",
            "stop",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
}

#[tokio::test]
async fn an_interrupted_restore_says_how_it_stands_with_the_server() {
    let scene = Scene::new(Archive::of_about(3, 9 << 20)).await;
    scene.running();
    let args = scene.args(&["--yes", "--limit-rate", "512KiB"]);
    let child = scene.world.start(&args);
    until(|| scene.world.panel.upload_bytes() > 1 << 20).await;
    let pid = child.id().unwrap().to_string();
    let told = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .unwrap();
    assert!(told.success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130));
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    scene
        .world
        .assert_no_secret_in("the output", said.as_bytes());
    for line in [
        "its files are as they were",
        "it ran before and is stopped now",
        "run the same command again to go on",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[tokio::test]
async fn a_restore_killed_while_it_empties_the_server_goes_on_with_that() {
    let scene = Scene::new(Archive::small(4)).await;
    scene.running();
    for number in 0..9 {
        scene.put(&format!("old-{number}/file.txt"), "old");
    }
    let halts = Deletes::Halts { after: 3 };
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.deletes = halts);
    let args = scene.args(&["--yes", "--truncate"]);
    let mut child = scene.world.start(&args);
    let folder = scene.world.panel.folder_of(scene.target);
    until(|| !folder.join("old-2").exists()).await;
    child.kill().await.unwrap();
    assert!(folder.join("old-8").exists());
    // The archive was there, whole, before the first name was deleted.
    let archive = folder.join(format!("nestegg-{}.tar.gz", scene.backup));
    assert!(std::fs::read(archive).unwrap() == scene.archive.bytes());
    // The node goes on to its end whoever asked it.
    let pause = Duration::from_millis(50);
    let slowly = Deletes::Slowly { pause };
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.deletes = slowly);
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
    let uploads = scene
        .deeds()
        .iter()
        .filter(|one| *one == "upload A")
        .count();
    assert_eq!(uploads, 1);
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
}

#[tokio::test]
async fn a_restore_killed_while_the_node_unpacks_unpacks_again() {
    let scene = Scene::new(Archive::small(5)).await;
    scene.running();
    scene.put("old.txt", "old");
    let halts = Gateway::Halts { after: 2 };
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.gateway = halts);
    let mut child = scene.world.start(&scene.args(&["--yes", "--truncate"]));
    let members = members_of(&scene.archive);
    until(|| scene.tree().keys().any(|name| members.contains_key(name))).await;
    child.kill().await.unwrap();
    assert!(!members.keys().all(|name| scene.tree().contains_key(name)));
    // The node goes on to its end whoever asked it.
    let pause = Duration::from_millis(80);
    let gateway = Gateway::GivesUp { pause };
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.gateway = gateway);
    until(|| {
        let tree = scene.tree();
        members
            .iter()
            .all(|(name, content)| tree.get(name) == Some(content))
    })
    .await;
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members);
    let uploads = scene
        .deeds()
        .iter()
        .filter(|one| *one == "upload A")
        .count();
    assert_eq!(uploads, 1);
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
}

#[tokio::test]
async fn deleting_that_nobody_waits_for_is_watched_to_its_end() {
    let scene = Scene::new(Archive::small(6)).await;
    scene.put("old/deep.txt", "old");
    scene.put("old.txt", "old");
    let pause = Duration::from_millis(200);
    let slowly = Deletes::Slowly { pause };
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.deletes = slowly);
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        scene.deeds(),
        [
            "upload A",
            "delete old, old.txt",
            "decompress A",
            "delete A"
        ]
    );
}
