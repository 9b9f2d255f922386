//! Which copies are of use, and what is said of each.

use std::fs;

use nestegg::exit::Exit;

use super::Scene;
use super::notes;
use crate::restore::fates;
use crate::support::archive::Archive;
use crate::support::fake_panel::Power;
use crate::support::servers::root::Root;
use crate::support::world::World;

fn fate(destination: &str, fate: &'static str) -> (String, &'static str) {
    (destination.to_owned(), fate)
}

#[tokio::test]
async fn no_server_is_stopped_for_a_copy_that_is_gone_or_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::at(&Root::folder(folder.path()), Archive::small(1)).await;
    scene.running();
    let copy = World::archive_at(folder.path(), scene.server, scene.backup);
    let bytes = fs::read(&copy).unwrap();
    for (left, says) in [(Some(7), "it has 7 bytes where"), (None, "there is no `")] {
        match left {
            Some(left) => fs::write(&copy, &bytes[..left]).unwrap(),
            None => fs::remove_file(&copy).unwrap(),
        }
        let (exit, message, backup) = scene.fails(&["--yes", "--truncate"]).await;
        assert_eq!(exit, Exit::Integrity);
        assert!(message.contains(says), "{message}");
        assert_eq!(
            backup.notes.last().unwrap(),
            "nothing was changed in the server"
        );
    }
    assert_eq!(scene.deeds(), Vec::<String>::new());
    assert_eq!(scene.world.panel.power_of(scene.target), Power::Running);
}

#[tokio::test]
async fn only_what_was_read_is_said_to_be_proved() {
    let scene = Scene::new(Archive::small(2)).await;
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    let [(_, how)] = fates(&report).try_into().unwrap();
    assert_eq!(how, "used");
    assert!(report.backups[0].sha256.is_some());

    // What an earlier run left is of the right length, and nobody has looked into it.
    let scene = Scene::new(Archive::small(2)).await;
    let there = scene.world.panel.folder_of(scene.target);
    let there = there.join(format!("nestegg-{}.tar.gz", scene.backup));
    fs::write(there, scene.archive.bytes()).unwrap();
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    let [(_, how)] = fates(&report).try_into().unwrap();
    assert_eq!(how, "not needed");
    assert_eq!(report.backups[0].sha256, None);
    assert!(
        notes(&report).ends_with(
            "the archive was found on the node, as an earlier run left it: its length was checked, its digest was not"
        ),
        "{report:?}"
    );
}

#[tokio::test]
async fn what_an_earlier_run_brought_is_unpacked_though_the_copy_is_gone_since() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::at(&Root::folder(folder.path()), Archive::small(3)).await;
    let there = scene.world.panel.folder_of(scene.target);
    let there = there.join(format!("nestegg-{}.tar.gz", scene.backup));
    fs::write(there, scene.archive.bytes()).unwrap();
    fs::remove_file(World::archive_at(folder.path(), scene.server, scene.backup)).unwrap();
    let (report, exit) = scene.restore(&["--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert_eq!(fates(&report), [fate("store", "passed over")]);
    assert_eq!(scene.deeds(), ["decompress A", "delete A"]);
}

#[tokio::test]
async fn a_copy_that_can_t_be_read_is_told_once() {
    let scene = Scene::new(Archive::small(4)).await;
    let copy = World::archive_at(&scene.world.offsite(), scene.server, scene.backup);
    let mut bytes = fs::read(&copy).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(copy, bytes).unwrap();
    let ran = scene.world.run(&scene.args(&["--yes"])).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("error:").count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("mend the copy with `nestegg verify"),
        "{}",
        ran.stderr
    );
}
