//! Two runs at once: on one ledger they take turns, on two ledgers they do not harm each other.

use std::process::Output;
use std::time::Duration;

use nestegg::exit::Exit;
use nestegg::model::ids::ServerId;
use tokio::process::Child;

use crate::crash::binary::Offsite;
use crate::crash::scene::Scene;
use crate::crash::scene::Until;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::faulty_store::Habit;
use crate::support::servers::seaweedfs::SeaweedFs;

/// One small backup, of which no more than the beginning comes before the panel lets go.
async fn held() -> Offsite {
    let mut offsite = Offsite::in_a_directory().await;
    let server = offsite.world.panel.add_server("Survival");
    let backup = offsite.add_backup(server, Archive::small(1));
    let held = Fault::HoldAfter { bytes: 100 };
    offsite.world.panel.on_download(backup, held);
    offsite
}

/// A run that has begun to download.
async fn under_way(offsite: &Offsite) -> Child {
    let mut child = offsite.start();
    while offsite.world.panel.downloads_started() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        tokio::task::yield_now().await;
    }
    child
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn assert_done(output: Output) {
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stdout} {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_on_the_same_ledger_is_refused_and_told_who_holds_it() {
    let offsite = held().await;
    let first = under_way(&offsite).await;
    let second = offsite.run(&[]).await;
    assert_eq!(second.code, Some(11), "{}", second.stderr);
    let holder = format!("`nestegg mirror`, process {}", first.id().unwrap());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    offsite.world.panel.let_go();
    assert_done(first.wait_with_output().await.unwrap());
    assert_eq!(offsite.world.panel.downloads_started(), 1);
    offsite.finish(&[], "at the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_that_waits_its_turn_finds_nothing_to_do() {
    let offsite = held().await;
    let first = under_way(&offsite).await;
    let words = ["--retry-lock", "10m", "--json"];
    let (second, ()) = tokio::join!(offsite.run(&words), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        offsite.world.panel.let_go();
    });
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(second.json()["counts"]["already_held"], 1);
    assert_done(first.wait_with_output().await.unwrap());
    assert_eq!(offsite.world.panel.downloads_started(), 1);
}

/// Two runs with ledgers of their own bring the same archive, longer than a part, to one place:
/// the slower has begun its upload there before the quicker begins and ends.
async fn one_overtakes_the_other(mut offsite: Offsite, server: ServerId) {
    let archive = Archive::of_about(4, 17 << 20);
    // Held in the middle of its second part, then broken off: that run asks for another link.
    let stop = Fault::StallAfter { bytes: 16 << 20 };
    offsite
        .world
        .panel
        .on(Call::Downloads, Times::Next(1), stop);
    let backup = offsite.add_backup(server, archive);
    let mut slower = offsite.start();
    let name = format!("{server}/{backup}.tar.gz");
    while offsite.root.open_uploads().await != [name.as_str()] {
        assert!(slower.try_wait().unwrap().is_none(), "it ended by itself");
    }
    let quicker = offsite.with_ledger("another.sqlite3", &[]).output().await;
    assert_done(quicker.unwrap());
    assert_eq!(offsite.root.open_uploads().await, [name]);
    offsite.world.panel.stop_node().await;
    offsite.world.panel.start_node().await.unwrap();
    assert_done(slower.wait_with_output().await.unwrap());
    let another = offsite.world.path("another.sqlite3");
    offsite
        .assert_whole(another, &[], "with the other ledger")
        .await;
    offsite.finish(&[], "at the end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_with_ledgers_of_their_own_share_a_directory() {
    let offsite = Offsite::in_a_directory().await;
    let server = offsite.world.panel.add_server("Survival");
    one_overtakes_the_other(offsite, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_with_ledgers_of_their_own_share_a_prefix() {
    let root = SeaweedFs::shared().root("crash/shared prefix");
    let offsite = Offsite::at(root).await;
    let server = offsite.world.panel.add_server("Survival");
    one_overtakes_the_other(offsite, server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_another_run_wrote_meanwhile_of_the_same_copy_is_as_good() {
    let mut scene = Scene::new(1).await;
    let server = scene.panel.add_server("Survival");
    scene.add_backup(server, Archive::small(1));
    scene.stores[0].take_habit(Habit::Overtaken);
    let ended = scene.run(Until::TheEnd).await.unwrap();
    assert_eq!(ended.exit, Exit::Done, "{:?}", ended.report.errors);
    scene.assert_whole("overtaken");
}

/// Both write every key at nearly the same time, sidecars included.
async fn side_by_side(mut offsite: Offsite) {
    for number in 0..4 {
        let server = offsite.world.panel.add_server(&format!("server {number}"));
        for copy in 0..5 {
            offsite.add_backup(server, Archive::small(number * 5 + copy));
        }
    }
    let ledgers = ["first.sqlite3", "second.sqlite3"];
    let runs = ledgers.map(|ledger| offsite.with_ledger(ledger, &[]).spawn().unwrap());
    for run in runs {
        assert_done(run.wait_with_output().await.unwrap());
    }
    for ledger in ledgers {
        let path = offsite.world.path(ledger);
        offsite.assert_whole(path, &[], ledger).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_side_by_side_into_a_directory_both_end_well() {
    side_by_side(Offsite::in_a_directory().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_side_by_side_into_a_bucket_both_end_well() {
    let root = SeaweedFs::shared().root("crash/side by side");
    side_by_side(Offsite::at(root).await).await;
}
