//! The server is off whenever its files are changed, and runs again when nothing came of it.

use std::time::Duration;

use nestegg::exit::Exit;

use super::Scene;
use super::members_of;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::HostCall;
use crate::support::fake_panel::Power;

impl Scene {
    /// Somebody starts the server right before the next call of this kind is answered.
    fn started_before(&self, call: HostCall) {
        let target = self.target;
        let call = Call::Host(target, call);
        self.world
            .panel
            .before(call, move |script| script.set_power(target, Power::Running));
    }
}

#[tokio::test]
async fn a_server_that_is_started_during_the_upload_is_stopped_before_anything_is_unpacked() {
    let scene = Scene::new(Archive::small(1)).await;
    scene.put("mine.txt", "mine");
    scene.started_before(HostCall::Upload);
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(
        scene.deeds(),
        [
            "upload A",
            "write A.ran",
            "stop",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
}

#[tokio::test]
async fn a_server_that_is_started_during_the_upload_is_stopped_before_it_is_emptied() {
    let scene = Scene::new(Archive::small(2)).await;
    scene.put("old.txt", "old");
    scene.started_before(HostCall::Upload);
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(
        scene.deeds(),
        [
            "upload A",
            "write A.ran",
            "stop",
            "delete old.txt",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn a_server_that_is_started_while_it_is_emptied_is_stopped_before_anything_is_unpacked() {
    let scene = Scene::new(Archive::small(3)).await;
    scene.put("old.txt", "old");
    scene.running();
    scene.started_before(HostCall::Delete);
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(
        scene.deeds(),
        [
            "write A.ran",
            "stop",
            "upload A",
            "delete old.txt",
            "stop",
            "decompress A",
            "delete A",
            "start",
            "delete A.ran"
        ]
    );
}

#[tokio::test]
async fn an_answer_that_the_panel_repeats_is_not_believed() {
    let scene = Scene::new(Archive::small(4)).await;
    let scene = scene.tuned(|waits| waits.resources_cache = Duration::from_millis(2500));
    scene.put("old.txt", "old");
    // The first look, which finds the server off, is what the panel says until long after the upload.
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.resources_cache = Duration::from_secs(2));
    scene.started_before(HostCall::UploadLink);
    let (report, exit) = scene.restore(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(
        scene.deeds()[..4],
        ["upload A", "write A.ran", "stop", "delete old.txt"]
    );
}

#[tokio::test]
async fn a_server_that_was_stopped_in_vain_is_started_again() {
    let scene = Scene::new(Archive::of_about(5, 3 << 20)).await;
    scene.put("old.txt", "old");
    scene.running();
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.upload_limit_bytes = 2 << 20);
    let (exit, _, backup) = scene.fails(&["--yes", "--truncate"]).await;
    assert_eq!(exit, Exit::Failed);
    assert_eq!(
        scene.deeds(),
        ["write A.ran", "stop", "start", "delete A.ran"]
    );
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
    assert_eq!(scene.tree().into_keys().collect::<Vec<_>>(), ["old.txt"]);
    let notes = backup.notes.join("\n");
    assert!(
        notes.contains("it ran before and was started again"),
        "{notes}"
    );
    assert!(!notes.contains("start the server in the panel"), "{notes}");
}

#[tokio::test]
async fn of_a_server_that_may_not_be_stopped_no_note_is_left() {
    let scene = Scene::new(Archive::small(6)).await;
    scene.running();
    let permissions = [
        "file.read",
        "file.create",
        "file.delete",
        "websocket.connect",
    ];
    let permissions = permissions.map(str::to_owned).into();
    scene.world.panel.edit_server(scene.target, |row| {
        row.access = Access::Subuser(permissions);
    });
    let (_, message, backup) = scene.fails(&["--yes"]).await;
    assert!(message.contains("control.stop"), "{message}");
    assert_eq!(scene.deeds(), ["write A.ran", "delete A.ran"]);
    assert_eq!(
        backup.notes.last().unwrap(),
        "nothing was changed in the server"
    );
}
