//! `kill -9` in the middle of a sealed upload.

use nestegg::ledger::Ledger;

use super::AgeKey;
use super::configure;
use super::folder;
use super::tools::Tool;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Whether the ledger of a run under way notes an upload of `name`: only then can the next run abort it.
fn is_noted(world: &World, name: &str) -> bool {
    Ledger::open_read_only(&world.ledger())
        .and_then(|ledger| ledger.open_uploads())
        .is_ok_and(|noted| noted.iter().any(|upload| upload.key.to_string() == name))
}

async fn a_killed_run_leaves_nothing_visible_and_the_next_is_whole(
    root: impl FnOnce(&World) -> Root,
) {
    let archive = Archive::of_about(3, 27 << 20);
    let (mut world, server, backup) = World::with_backup(archive.clone()).await;
    let root = root(&world);
    let key = AgeKey::new();
    configure(&mut world, &[("store", &root, &[&key.public])]);
    let stall = Fault::StallAfter { bytes: 25 << 20 };
    world.panel.on(Call::Downloads, Times::Next(1), stall);
    let mut child = world.start(&["mirror"]);
    let name = format!("{server}/{backup}.tar.gz.age");
    // What is staged in a directory is found by its name, and not noted.
    while root.open_uploads().await != [name.as_str()]
        || !(root.is_folder() || is_noted(&world, &name))
    {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::task::yield_now().await;
    }
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    assert_eq!(root.keys().await, Vec::<String>::new());

    let again = world.run(&["mirror"]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(root.open_uploads().await, Vec::<String>::new());
    assert_eq!(
        root.keys().await,
        [format!("{server}/{backup}.json"), name.clone()]
    );
    let file = world.path("copy.age");
    std::fs::write(&file, root.read(&name).await.unwrap()).unwrap();
    let identity = key.file(&world, "key.txt");
    assert!(Tool::Python.open(&identity, &file).unwrap() == archive.bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_it_seals_into_a_bucket_leaves_nothing_and_the_next_is_whole() {
    a_killed_run_leaves_nothing_visible_and_the_next_is_whole(|_| {
        SeaweedFs::shared().root("sealed/killed")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_while_it_seals_into_a_directory_leaves_nothing_and_the_next_is_whole() {
    a_killed_run_leaves_nothing_visible_and_the_next_is_whole(|world| folder(world, "sealed"))
        .await;
}
