//! Over SFTP, to OpenSSH's own server.

use std::fs;

use nestegg::exit::Exit;

use super::Scene;
use super::members_of;
use super::notes;
use crate::support::archive::Archive;
use crate::support::servers::sshd::PASSWORD;
use crate::support::servers::sshd::Sshd;

/// A scene whose server's node serves SFTP.
async fn with_sshd(archive: Archive) -> (Scene, Sshd) {
    let scene = Scene::new(archive).await;
    let login = format!("alice.{}", scene.target.short());
    let folder = scene.world.panel.folder_of(scene.target);
    let sshd = Sshd::start(&login, &folder);
    scene.world.panel.edit_server(scene.target, |row| {
        row.sftp = ("127.0.0.1".to_owned(), sshd.port);
    });
    (scene, sshd)
}

fn path(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_key_and_a_pinned_host_key_let_it_in() {
    let (scene, sshd) = with_sshd(Archive::of_about(1, 9 << 20)).await;
    scene.running();
    let (report, exit) = scene
        .restore(&[
            "--yes",
            "--via",
            "sftp",
            "--sftp-key",
            path(&sshd.key()),
            "--sftp-host-key",
            &sshd.fingerprint(),
        ])
        .await;
    assert_eq!(exit, Exit::Done, "{report:?}");
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
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(notes(&report), "the archive was sent over SFTP");
}

#[tokio::test]
async fn a_password_and_the_user_s_known_hosts_let_it_in_when_the_upload_is_too_large() {
    let (scene, sshd) = with_sshd(Archive::of_about(2, 3 << 20)).await;
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.upload_limit_bytes = 1 << 20);
    fs::create_dir(scene.world.path(".ssh")).unwrap();
    fs::write(
        scene.world.path(".ssh/known_hosts"),
        format!(
            "other.example.com ssh-ed25519 AAAA\n{}",
            sshd.known_hosts_line()
        ),
    )
    .unwrap();
    let password = scene.world.path("password");
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let (report, exit) = scene
        .restore(&["--yes", "--sftp-password-file", path(&password)])
        .await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
    let notes = notes(&report);
    assert!(
        notes.contains("not by upload: could not upload the archive")
            && notes.contains("the archive was sent over SFTP"),
        "{notes}"
    );
    assert!(!format!("{report:?}").contains(PASSWORD));
}

#[tokio::test]
async fn a_host_key_that_nobody_named_is_shown_and_not_believed() {
    let (scene, sshd) = with_sshd(Archive::small(3)).await;
    let key = sshd.key();
    let (exit, message, backup) = scene
        .fails(&["--yes", "--via", "sftp", "--sftp-key", path(&key)])
        .await;
    assert_eq!(exit, Exit::Failed);
    let host = format!("127.0.0.1:{}", sshd.port);
    assert_eq!(
        message,
        format!(
            "the host key of {host} is not known; it shows {}",
            sshd.fingerprint()
        )
    );
    let advice = format!("--sftp-host-key {}", sshd.fingerprint());
    assert!(backup.failure.unwrap().hint.contains(&advice));
}

#[tokio::test]
async fn another_host_key_than_the_one_named_stops_everything() {
    let (scene, sshd) = with_sshd(Archive::small(4)).await;
    let key = sshd.key();
    let (exit, message, _) = scene
        .fails(&[
            "--yes",
            "--via",
            "sftp",
            "--sftp-key",
            path(&key),
            "--sftp-host-key",
            &sshd.other_fingerprint(),
        ])
        .await;
    assert_eq!(exit, Exit::Failed);
    assert!(message.contains("is not the one to believe"), "{message}");
    assert!(scene.tree().is_empty());
}

#[tokio::test]
async fn a_key_or_password_that_the_node_refuses_is_a_matter_of_credentials() {
    let (scene, sshd) = with_sshd(Archive::small(5)).await;
    let password = scene.world.path("password");
    fs::write(&password, "sentinel").unwrap();
    let other = sshd.other_key();
    for login in [
        ["--sftp-key", path(&other)],
        ["--sftp-password-file", path(&password)],
    ] {
        let fingerprint = sshd.fingerprint();
        let mut args = vec!["--yes", "--via", "sftp", "--sftp-host-key", &fingerprint];
        args.extend(login);
        let (exit, message, _) = scene.fails(&args).await;
        assert_eq!(exit, Exit::Credentials, "{message}");
        assert!(
            message.ends_with(&format!(
                "refused the SFTP login of alice.{}",
                scene.target.short()
            )),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_an_earlier_run_left_is_gone_on_with_as_far_as_it_is_right() {
    for damaged_at in [None, Some(100), Some(5 << 20)] {
        let (scene, sshd) = with_sshd(Archive::of_about(6, 9 << 20)).await;
        let name = format!("nestegg-{}.tar.gz.part", scene.backup);
        let part = scene.world.panel.folder_of(scene.target).join(name);
        let mut left = scene.archive.bytes()[..6 << 20].to_vec();
        if let Some(at) = damaged_at {
            left[at] ^= 1;
        }
        fs::write(&part, left).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        fs::set_permissions(&part, open).unwrap();
        let (report, exit) = scene
            .restore(&[
                "--yes",
                "--via",
                "sftp",
                "--sftp-key",
                path(&sshd.key()),
                "--sftp-host-key",
                &sshd.fingerprint(),
            ])
            .await;
        assert_eq!(exit, Exit::Done, "{report:?}");
        assert!(scene.tree() == members_of(&scene.archive));
    }
}
