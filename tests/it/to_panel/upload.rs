//! By the node's own port.

use nestegg::exit::Exit;

use super::Scene;
use super::members_of;
use super::notes;
use crate::support::archive::Archive;
use crate::support::fake_panel::Power;
use crate::support::fake_panel::Site;
use crate::support::world::World;

#[tokio::test]
async fn a_running_server_is_stopped_filled_and_started_again() {
    let scene = Scene::new(Archive::small(1)).await;
    scene.running();
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(
        scene.deeds(),
        [
            "write A.ran",
            "stop",
            "upload A",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        notes(&report),
        "not by pull: its store can't give out a URL that the node could fetch\n\
         not by sftp: neither --sftp-key nor --sftp-password-file is given\n\
         the archive was uploaded"
    );
    assert_eq!(scene.world.panel.leaks(), []);
}

#[tokio::test]
async fn a_server_that_was_off_stays_off_and_files_beside_the_archive_s_stay() {
    let scene = Scene::new(Archive::small(2)).await;
    scene.put("mine/notes.txt", "mine");
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(scene.deeds(), ["upload A", "decompress A", "delete A"]);
    let mut expected = members_of(&scene.archive);
    expected.insert("mine/notes.txt".to_owned(), b"mine".to_vec());
    assert!(scene.tree() == expected);
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Offline);
}

#[tokio::test]
async fn a_server_is_emptied_only_once_the_archive_is_there() {
    let scene = Scene::new(Archive::small(3)).await;
    scene.put("old.txt", "old");
    scene.put("old/deep.txt", "old");
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(
        scene.deeds(),
        [
            "upload A",
            "delete old, old.txt",
            "decompress A",
            "delete A"
        ]
    );
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn an_archive_of_many_parts_is_the_same_at_the_other_end() {
    let scene = Scene::new(Archive::of_about(4, 11 << 20)).await;
    let (report, exit) = scene.restore(&["--yes", "--via", "upload"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn of_a_damaged_copy_the_node_makes_no_file() {
    let scene = Scene::new(Archive::of_about(5, 5 << 20)).await;
    scene.put("old.txt", "old");
    let copy = World::archive_at(&scene.world.offsite(), scene.server, scene.backup);
    let mut bytes = std::fs::read(&copy).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(copy, bytes).unwrap();
    let (exit, message, backup) = scene.fails(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Integrity);
    assert!(message.contains("could not be read back"), "{message}");
    assert_eq!(scene.deeds(), Vec::<String>::new());
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["old.txt"]);
    assert!(
        backup
            .notes
            .join("\n")
            .contains("its files are as they were"),
        "{:?}",
        backup.notes
    );
}

#[tokio::test]
async fn the_node_is_shown_no_key_and_an_archive_that_is_there_is_not_sent_again() {
    let scene = Scene::new(Archive::small(6)).await;
    let ours = |end: &str| {
        let folder = scene.world.panel.folder_of(scene.target);
        folder.join(format!("nestegg-{}.{end}", scene.backup))
    };
    std::fs::write(ours("tar.gz"), scene.archive.bytes()).unwrap();
    std::fs::write(ours("ran"), "").unwrap();
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    // The note says that the server ran before the run that brought it.
    assert_eq!(
        scene.deeds(),
        ["decompress A", "delete A", "start", "delete A.ran"]
    );
    let uploads = scene
        .world
        .panel
        .requests_to(Site::Node)
        .into_iter()
        .filter(|request| request.path == "/upload/file")
        .count();
    assert_eq!(uploads, 0);
}
