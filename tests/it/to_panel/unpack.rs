//! Unpacking that nobody waits for.

use std::time::Duration;

use nestegg::exit::Exit;

use super::Scene;
use super::members_of;
use super::notes;
use crate::support::archive::Archive;
use crate::support::fake_panel::Gateway;
use crate::support::world::SOON;

#[tokio::test]
async fn a_gateway_that_gives_up_is_no_failure() {
    let scene = Scene::new(Archive::small(1)).await;
    scene.running();
    scene.world.panel.edit_host_rules(|rules| {
        rules.gateway = Gateway::GivesUp {
            pause: Duration::from_millis(60),
        };
    });
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
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
    assert!(
        notes(&report).ends_with("the archive's last file is there"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_last_file_that_was_there_before_is_no_sign_of_the_end() {
    let scene = Scene::new(Archive::small(2)).await;
    let (_, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done);
    // The same once more: all files are there already, with the very times of the archive.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let path = scene.world.panel.folder_of(scene.target);
    let first = members_of(&scene.archive).into_keys().next().unwrap();
    std::fs::write(path.join(first), "spoiled").unwrap();
    scene.world.panel.edit_host_rules(|rules| {
        rules.gateway = Gateway::GivesUp {
            pause: Duration::from_millis(100),
        };
    });
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn a_file_that_the_egg_forbids_does_not_keep_the_end_from_being_seen() {
    let scene = Scene::new(Archive::small(3)).await;
    let scene = scene.tuned(|waits| waits.settle = SOON);
    let bytes = scene.archive.bytes();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_ref()));
    let last = tar
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned())
        .last()
        .unwrap();
    scene.world.panel.edit_host_rules(|rules| {
        rules.gateway = Gateway::GivesUpAtTheEnd;
        rules.denied = vec![last.clone()];
    });
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    let mut expected = members_of(&scene.archive);
    expected.remove(&last);
    assert!(scene.tree() == expected);
    assert!(notes(&report).contains("that the egg allows"), "{report:?}");
}

#[tokio::test]
async fn an_unpacking_that_stops_is_told_and_done_again() {
    let scene = Scene::new(Archive::small(4)).await;
    let scene = scene.tuned(|waits| waits.settle = SOON);
    scene.running();
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.gateway = Gateway::Dies { after: 0 });
    let (exit, message, backup) = scene.fails(&["--yes"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(
        message.starts_with("unpacking has come to a halt before its end"),
        "{message}"
    );
    assert!(
        backup
            .notes
            .join("\n")
            .contains("its files are partly restored"),
        "{:?}",
        backup.notes
    );
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.gateway = Gateway::Waits);
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.tree() == members_of(&scene.archive));
    assert_eq!(
        scene.deeds(),
        [
            "write A.ran",
            "stop",
            "upload A",
            "decompress A",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
}
