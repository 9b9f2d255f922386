//! `kill -9` in the middle, then the same command again.

use std::time::Duration;

use super::Scene;
use super::members_of;
use crate::support::archive::Archive;
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
async fn a_killed_upload_leaves_no_file_and_is_made_again() {
    let scene = Scene::new(Archive::of_about(1, 9 << 20)).await;
    scene.running();
    let args = scene.args(&["--yes", "--truncate", "--limit-rate", "6MiB"]);
    scene.put("old.txt", "old");
    let mut child = scene.world.start(&args);
    until(|| scene.world.panel.upload_bytes() > 1 << 20).await;
    child.kill().await.unwrap();
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["old.txt"]);
    let ran = scene.world.run(&args).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        scene.deeds(),
        [
            "stop",
            "upload A.off",
            "delete old.txt",
            "decompress A.off",
            "delete A.off"
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
        "--limit-rate",
        "8MiB",
    ]);
    let mut child = scene.world.start(&args);
    let part = folder.join(format!("nestegg-{}.on.tar.gz.part", scene.backup));
    until(|| std::fs::metadata(&part).is_ok_and(|file| file.len() > 3 << 20)).await;
    child.kill().await.unwrap();
    let ran = scene.world.run(&args).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        scene.deeds(),
        ["stop", "decompress A.on", "delete A.on", "start"]
    );
}

#[tokio::test]
async fn an_interrupted_restore_says_how_it_stands_with_the_server() {
    let scene = Scene::new(Archive::of_about(3, 9 << 20)).await;
    scene.running();
    let args = scene.args(&["--yes", "--limit-rate", "4MiB"]);
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
