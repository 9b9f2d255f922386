//! What panels and nodes refuse, and what is said about it.

use std::time::Duration;

use nestegg::exit::Exit;

use super::Scene;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Power;
use crate::support::world::SOON;

#[tokio::test]
async fn a_server_in_no_state_for_it_is_left_alone() {
    for (condition, state) in [
        (Condition::Suspended, "suspended"),
        (Condition::Installing, "installing"),
        (Condition::Restoring, "restoring a backup"),
        (Condition::Transferring, "being transferred"),
        (Condition::NodeMaintenance, "on a node under maintenance"),
    ] {
        let scene = Scene::new(Archive::small(1)).await;
        scene.world.panel.set_condition(scene.target, condition);
        let (exit, message, backup) = scene.fails(&["--yes"]).await;
        assert_eq!(exit, Exit::Failed);
        assert!(
            message.ends_with(&format!("the server is {state}")),
            "{message}"
        );
        assert_eq!(backup.notes, ["nothing was changed in the server"]);
        assert_eq!(scene.deeds(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn archive_and_content_must_fit_into_the_disk_limit_at_once() {
    let scene = Scene::new(Archive::of_about(2, 2 << 20)).await;
    scene
        .world
        .panel
        .edit_server(scene.target, |row| row.disk_mib = 3);
    let (exit, message, _) = scene.fails(&["--yes"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(message.contains("has no room for the archive"), "{message}");
    assert_eq!(scene.deeds(), Vec::<String>::new());
}

#[tokio::test]
async fn without_agreement_nothing_is_done() {
    let scene = Scene::new(Archive::small(3)).await;
    scene.running();
    scene.put("old.txt", "old");
    let ran = scene.world.run(&scene.args(&["--truncate"])).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("nobody agreed to delete all files of the server"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
    assert_eq!(scene.deeds(), Vec::<String>::new());
}

#[tokio::test]
async fn an_empty_server_needs_no_agreement() {
    let scene = Scene::new(Archive::small(3)).await;
    let ran = scene.world.run(&scene.args(&[])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("restored"), "{}", ran.stdout);
}

#[tokio::test]
async fn a_server_that_does_not_stop_is_not_killed() {
    let scene = Scene::new(Archive::small(4)).await;
    let scene = scene.tuned(|waits| waits.stop_patience = SOON);
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.stops_after = None);
    scene.running();
    let (exit, message, backup) = scene.fails(&["--yes"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(message.contains("is still stopping"), "{message}");
    assert_eq!(scene.deeds(), ["write A.ran", "stop"]);
    assert_eq!(
        backup.notes[2..],
        [
            "the server was told to stop".to_owned(),
            format!(
                "run the same command again to go on, or delete nestegg-{}.* in its root and start the server in the panel",
                scene.backup
            ),
        ]
    );
}

#[tokio::test]
async fn a_permission_that_lacks_is_named() {
    let scene = Scene::new(Archive::small(5)).await;
    let permissions = ["file.read", "websocket.connect"].map(str::to_owned).into();
    scene.world.panel.edit_server(scene.target, |row| {
        row.access = Access::Subuser(permissions);
    });
    let (_, message, _) = scene.fails(&["--yes"]).await;
    assert!(
        message.ends_with("the permission `file.create` is missing"),
        "{message}"
    );
}

#[tokio::test]
async fn a_server_that_was_started_meanwhile_keeps_its_files_from_being_overwritten() {
    use crate::support::fake_panel::Call;
    use crate::support::fake_panel::HostCall;
    let scene = Scene::new(Archive::small(6)).await;
    let target = scene.target;
    scene
        .world
        .panel
        .before(Call::Host(target, HostCall::Decompress), move |script| {
            script.set_power(target, Power::Running);
        });
    let (_, message, _) = scene.fails(&["--yes"]).await;
    assert!(
        message.contains("in use by the running server"),
        "{message}"
    );
    scene.world.panel.set_power(target, Power::Offline);
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(scene.deeds(), ["upload A", "decompress A", "delete A"]);
}

#[tokio::test]
async fn an_upload_beyond_the_node_s_limit_says_which_way_has_none() {
    let scene = Scene::new(Archive::of_about(7, 3 << 20)).await;
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.upload_limit_bytes = 2 << 20);
    let (exit, message, backup) = scene.fails(&["--yes"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(
        message.contains("larger than the node's upload limit") && message.contains("of 2 MB"),
        "{message}"
    );
    assert!(backup.failure.unwrap().hint.contains("--via sftp"));
}

#[tokio::test]
async fn a_node_that_is_down_is_told_apart_from_the_panel() {
    let scene = Scene::new(Archive::small(8)).await;
    scene.world.panel.stop_node().await;
    let (exit, message, _) = scene.fails(&["--yes"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(
        message.contains("by the server's node (HTTP 504)"),
        "{message}"
    );
}

#[tokio::test]
async fn a_way_that_can_t_be_is_refused_before_anything_is_done() {
    let scene = Scene::new(Archive::small(9)).await;
    scene.running();
    for (way, why) in [
        ("pull", "its store can't give out a URL"),
        ("sftp", "neither --sftp-key nor --sftp-password-file"),
    ] {
        let (_, message, _) = scene.fails(&["--yes", "--via", way]).await;
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(scene.deeds(), Vec::<String>::new());
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_server_is_no_name_and_deletes_nothing() {
    use crate::support::fake_panel::Call;
    use crate::support::fake_panel::Fault;
    use crate::support::fake_panel::HostCall;
    use crate::support::fake_panel::Times;
    for name in ["..", "", "a/../../b", "nul\0"] {
        let scene = Scene::new(Archive::small(10)).await;
        let row = serde_json::json!({"object": "list", "data": [{"object": "file_object",
            "attributes": {"name": name, "size": 1, "is_file": true}}]});
        scene.world.panel.on(
            Call::Host(scene.target, HostCall::List),
            Times::Forever,
            Fault::Says(row.to_string()),
        );
        let (exit, message, _) = scene.fails(&["--yes", "--truncate"]).await;
        assert_eq!(exit, Exit::Failed);
        assert!(message.contains("no file is called"), "{message}");
        assert_eq!(scene.deeds(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_listing_without_the_whole_archive_empties_no_server() {
    use crate::support::fake_panel::Call;
    use crate::support::fake_panel::HostCall;
    for left in [None, Some("short")] {
        let scene = Scene::new(Archive::small(11)).await;
        scene.put("old.txt", "old");
        let folder = scene.world.panel.folder_of(scene.target);
        let archive = folder.join(format!("nestegg-{}.tar.gz", scene.backup));
        let target = scene.target;
        let link = Call::Host(target, HostCall::UploadLink);
        scene.world.panel.before(link, move |script| {
            // The look after the upload still sees it, and the one before the deletion does not.
            script.before(Call::Host(target, HostCall::List), move |script| {
                script.before(
                    Call::Host(target, HostCall::List),
                    move |_script| match left {
                        None => std::fs::remove_file(archive).unwrap(),
                        Some(text) => std::fs::write(archive, text).unwrap(),
                    },
                );
            });
        });
        let (exit, message, _) = scene.fails(&["--yes", "--truncate"]).await;
        assert_eq!(exit, Exit::Integrity);
        assert!(
            message.starts_with("the archive on the node has"),
            "{message}"
        );
        assert_eq!(scene.deeds(), ["upload A"]);
        assert!(scene.tree().contains_key("old.txt"));
    }
}

#[tokio::test]
async fn a_node_that_never_answers_an_upload_is_not_waited_for_without_end() {
    use crate::support::fake_panel::Call;
    use crate::support::fake_panel::Fault;
    use crate::support::fake_panel::HostCall;
    use crate::support::fake_panel::Times;
    let scene = Scene::new(Archive::small(12)).await;
    let scene = scene.tuned(|waits| {
        waits.upload_patience = Duration::from_secs(3);
        waits.leftover_stall = SOON;
    });
    scene.world.panel.on(
        Call::Host(scene.target, HostCall::Upload),
        Times::Forever,
        Fault::Silent,
    );
    let (exit, message, _) = scene.fails(&["--yes"]).await;
    assert_eq!(exit, Exit::Failed);
    assert!(message.contains("or not answered, for 3 s"), "{message}");
}
