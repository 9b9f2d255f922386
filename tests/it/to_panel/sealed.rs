//! Encrypted copies, opened on the way to the node.

use std::path::PathBuf;

use nestegg::exit::Exit;

use super::Scene;
use super::members_of;
use super::notes;
use crate::support::archive::Archive;
use crate::support::fake_panel::Power;
use crate::support::servers::sshd::Sshd;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/fixtures/age")
        .join(name)
}

async fn sealed(archive: Archive) -> Scene {
    let public = std::fs::read_to_string(fixture("ed25519.pub")).unwrap();
    Scene::mirrored(archive, &["--encrypt-to", public.trim()]).await
}

#[tokio::test]
async fn an_encrypted_copy_is_uploaded_as_the_archive_inside() {
    let scene = sealed(Archive::of_about(1, 9 << 20)).await;
    let key = fixture("ed25519");
    let (report, exit) = scene
        .restore(&["--yes", "--identity", key.to_str().unwrap()])
        .await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        notes(&report),
        "not by pull: the copy is encrypted, and a node can't decrypt it\n\
         not by sftp: neither --sftp-key nor --sftp-password-file is given\n\
         the archive was uploaded"
    );
}

#[tokio::test]
async fn an_encrypted_copy_is_sent_over_sftp_as_the_archive_inside_and_gone_on_with() {
    let scene = sealed(Archive::of_about(2, 9 << 20)).await;
    let login = format!("alice.{}", scene.target.short());
    let folder = scene.world.panel.folder_of(scene.target);
    let sshd = Sshd::start(&login, &folder);
    scene.world.panel.edit_server(scene.target, |row| {
        row.sftp = ("127.0.0.1".to_owned(), sshd.port);
    });
    let part = folder.join(format!("nestegg-{}.tar.gz.part", scene.backup));
    std::fs::write(&part, &scene.archive.bytes()[..5 << 20]).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&part, open).unwrap();
    let key = fixture("ed25519");
    let (report, exit) = scene
        .restore(&[
            "--yes",
            "--via",
            "sftp",
            "--sftp-key",
            sshd.key().to_str().unwrap(),
            "--sftp-host-key",
            &sshd.fingerprint(),
            "--identity",
            key.to_str().unwrap(),
        ])
        .await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn without_the_right_identity_nothing_of_a_server_is_lost() {
    let scene = sealed(Archive::small(3)).await;
    scene.put("old.txt", "old");
    scene.running();
    let wrong = fixture("rsa");
    for identity in [vec![], vec!["--identity", wrong.to_str().unwrap()]] {
        let args: Vec<&str> = ["--yes", "--truncate"]
            .into_iter()
            .chain(identity)
            .collect();
        let (exit, message, backup) = scene.fails(&args).await;
        assert_eq!(exit, Exit::Credentials, "{message}");
        assert!(
            message.contains("it is encrypted to ssh-ed25519"),
            "{message}"
        );
        assert_eq!(
            backup.notes.last().unwrap(),
            "nothing was changed in the server"
        );
        assert_eq!(scene.deeds(), Vec::<String>::new());
        assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
        assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["old.txt"]);
    }
}
