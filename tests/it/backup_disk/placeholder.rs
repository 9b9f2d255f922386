//! What mirror runs make of a placeholder: a row whose archive a restore has replaced.

use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::outcome::FailureKind;
use nestegg::report::MirrorReport;

use crate::support::archive::Archive;
use crate::support::fake_panel::Disk;
use crate::support::held::Held;

/// A held backup, and a placeholder on a new server that was given its archive.
struct Scene {
    held: Held,
    new_server: ServerId,
    placeholder: BackupId,
}

/// The archive that is restored.
fn restored() -> Archive {
    Archive::of_about(1, 3 << 20)
}

impl Scene {
    async fn on(disk: Disk, small: Archive, held_there: Archive) -> Self {
        let held = Held::of(restored()).await;
        let panel = &held.world.panel;
        let new_server = panel.add_server("Survival again");
        let placeholder = panel.add_backup(new_server, "placeholder", small);
        panel.set_disk(placeholder, disk);
        panel.edit(placeholder, |row| row.archive = Some(held_there));
        Self {
            held,
            new_server,
            placeholder,
        }
    }

    async fn mirror(&self) -> (MirrorReport, Exit) {
        self.held.world.quick(&[]).await
    }

    /// What runs say of the placeholder.
    fn words(&self) -> String {
        format!(
            "it holds the archive of backup {} (server {}), put there by a restore: a placeholder, and \
             no backup of its own",
            self.held.backup, self.held.server
        )
    }

    fn said(report: &MirrorReport) -> Vec<(Option<BackupId>, &str)> {
        report
            .skipped
            .iter()
            .map(|skipped| (skipped.backup, skipped.why.as_str()))
            .collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_is_neither_corruption_nor_a_copy_and_is_downloaded_once() {
    for disk in [Disk::Node, Disk::S3] {
        let scene = Scene::on(disk, Archive::small(9), restored()).await;
        let before = scene.held.world.visible();
        let (report, exit) = scene.mirror().await;
        assert_eq!(
            (exit, &report.errors),
            (Exit::Done, &Vec::new()),
            "{disk:?}"
        );
        assert_eq!(
            Scene::said(&report),
            [(Some(scene.placeholder), scene.words().as_str())]
        );
        assert_eq!(scene.held.world.visible(), before);
        let downloads = scene.held.world.panel.downloads_started();
        let (report, exit) = scene.mirror().await;
        assert_eq!((exit, &report.errors), (Exit::Done, &Vec::new()));
        assert_eq!(
            Scene::said(&report),
            [(Some(scene.placeholder), scene.words().as_str())]
        );
        assert_eq!(scene.held.world.panel.downloads_started(), downloads);
        assert_eq!(scene.held.world.visible(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_as_long_as_what_it_holds_is_told_by_its_digest() {
    let small = Archive::of_bytes(vec![0; usize::try_from(restored().len()).unwrap()]);
    let scene = Scene::on(Disk::Node, small, restored()).await;
    let (report, exit) = scene.mirror().await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        Scene::said(&report),
        [(Some(scene.placeholder), scene.words().as_str())]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn status_does_not_miss_a_placeholder() {
    let scene = Scene::on(Disk::Node, Archive::small(9), restored()).await;
    scene.mirror().await;
    let status = scene.held.world.run(&["status", "--json"]).await;
    assert!(
        !status.stdout.contains(&scene.placeholder.to_string()),
        "{}",
        status.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_the_ledger_takes_a_placeholder_for_what_it_is_as_long_as_its_row_says_the_same()
{
    let scene = Scene::on(Disk::Node, Archive::small(9), restored()).await;
    let world = &scene.held.world;
    let config = world.path("nestegg.toml");
    let lines = format!(
        "[[panel]]\nname = \"main\"\nurl = {:?}\n[[destination]]\nname = \"nas\"\nurl = {:?}\n",
        world.panel.url(),
        world.offsite()
    );
    std::fs::write(&config, lines).unwrap();
    let config = config.to_str().unwrap();
    let check = async || {
        let args = ["--config", config, "ledger", "check", "--panel", "--json"];
        let ran = world.run(&args).await;
        let findings = ran.json()["findings"].as_array().unwrap().clone();
        let row = scene.placeholder.to_string();
        let mut findings = findings.into_iter();
        let of_it = findings.find(|one| one["backup"] == row.as_str()).unwrap();
        let text = |name: &str| of_it[name].as_str().unwrap().to_owned();
        (ran.code, text("symbol"), text("detail"))
    };
    let held_nowhere = (Some(4), "+".to_owned(), "held nowhere".to_owned());
    assert_eq!(check().await, held_nowhere);
    scene.mirror().await;
    let words = format!(
        "a placeholder of backup {} (server {})",
        scene.held.backup, scene.held.server
    );
    assert_eq!(check().await, (Some(0), "=".to_owned(), words));
    let fresh = Archive::small(10);
    let panel = &world.panel;
    panel.edit(scene.placeholder, |row| row.complete(fresh.clone()));
    assert_eq!(check().await, held_nowhere);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_no_copy_holds_stay_an_integrity_failure() {
    for other in [Archive::of_about(2, 3 << 20), Archive::small(8)] {
        let scene = Scene::on(Disk::Node, Archive::small(9), other).await;
        let (report, exit) = scene.mirror().await;
        assert_eq!(exit, Exit::Integrity);
        let kinds: Vec<FailureKind> = report.errors.iter().map(|failure| failure.kind).collect();
        assert_eq!(kinds, [FailureKind::Integrity]);
        assert_eq!(Scene::said(&report), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_becomes_an_ordinary_backup_is_mirrored() {
    let scene = Scene::on(Disk::Node, Archive::small(9), restored()).await;
    scene.mirror().await;
    let fresh = Archive::small(10);
    scene
        .held
        .world
        .panel
        .edit(scene.placeholder, |row| row.complete(fresh.clone()));
    let (report, exit) = scene.mirror().await;
    assert_eq!((exit, Scene::said(&report)), (Exit::Done, Vec::new()));
    let path = crate::support::world::World::archive_at(
        &scene.held.world.offsite(),
        scene.new_server,
        scene.placeholder,
    );
    assert_eq!(std::fs::read(path).unwrap(), fresh.bytes());
}
