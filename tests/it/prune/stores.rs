//! Object stores, and what they retain.

use jiff::SignedDuration;
use nestegg::exit::Exit;
use nestegg::plan::prune::Decision;
use nestegg::plan::prune::Reason;
use reqwest::Method;

use super::Thinned;
use super::now;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

async fn at(root: Root, ages: &[i64]) -> Thinned {
    let world = World::new().await;
    Thinned::at(world, [("disk".to_owned(), root)].into(), ages).await
}

async fn thinned_at(root: Root) {
    let thinned = at(root, &[4, 3, 2, 1]).await;
    let (report, exit) = thinned.prune(&["--keep-last", "2", "--apply"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(report.sums().removed, 2);
    assert_eq!(thinned.held("disk").await, [2, 3]);
    assert_eq!(thinned.roots["disk"].keys().await.len(), 4);
    thinned.assert_sound("afterwards").await;
}

#[tokio::test]
async fn copies_in_an_s3_bucket_are_thinned() {
    thinned_at(SeaweedFs::shared().root("prune/plain")).await;
}

#[tokio::test]
async fn copies_in_google_cloud_storage_are_thinned() {
    thinned_at(Gcs::shared().root("prune/plain")).await;
}

#[tokio::test]
async fn copies_in_an_azure_container_are_thinned() {
    thinned_at(Azurite::shared().root("prune/plain")).await;
}

#[tokio::test]
async fn copies_that_the_bucket_retains_stay_with_their_date_and_that_is_no_error() {
    let root = SeaweedFs::shared().root_under_lock("prune-locked");
    let thinned = at(root, &[3, 2, 1]).await;
    let before = thinned.roots["disk"].keys().await;
    for more in [&[][..], &["--apply"]] {
        let words: Vec<&str> = ["--keep-last", "1"].iter().chain(more).copied().collect();
        let (report, exit) = thinned.prune(&words).await;
        assert_eq!(exit, Exit::Done, "{:?}", report.errors);
        let copies = &report.places[0].servers[0].copies;
        for copy in &copies[1..] {
            let Decision::Keep(reasons) = &copy.decision else {
                panic!("{copy:?}")
            };
            let [Reason::RetainedUntil(until)] = reasons[..] else {
                panic!("{reasons:?}")
            };
            let left = until.duration_since(now());
            let (least, most) = (
                SignedDuration::from_hours(23),
                SignedDuration::from_hours(25),
            );
            assert!(left > least && left < most, "{until}");
        }
    }
    assert_eq!(thinned.roots["disk"].keys().await, before);
    assert_eq!(thinned.claimed("disk"), [0, 1, 2]);
    assert_eq!(thinned.events(), Vec::<String>::new());
    let ran = thinned.run(&["prune", "--keep-last", "1", "--apply"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("under the store's retention until 20"),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn a_copy_under_a_legal_hold_stays_and_another_goes() {
    const ON: &str = "<LegalHold><Status>ON</Status></LegalHold>";
    const NO_RULE: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    let store = SeaweedFs::shared();
    let root = store.root_under_lock("prune-held");
    let path = "/prune-held?object-lock=".to_owned();
    store.send(Method::PUT, path, NO_RULE).await.unwrap();
    let thinned = at(root, &[3, 2, 1]).await;
    let path = format!("/prune-held/{}?legal-hold=", thinned.archive(0));
    store.send(Method::PUT, path, ON).await.unwrap();
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    let copies = &report.places[0].servers[0].copies;
    assert_eq!(copies[2].decision, Decision::Keep(vec![Reason::Retained]));
    assert_eq!(thinned.held("disk").await, [0, 2]);
    assert_eq!(thinned.claimed("disk"), [0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_told_and_a_disk_beside_it_is_thinned() {
    let mut store = SeaweedFs::start();
    let world = World::new().await;
    std::fs::create_dir(world.path("disk")).unwrap();
    let roots = [
        ("disk".to_owned(), Root::folder(&world.path("disk"))),
        ("far".to_owned(), store.root("prune")),
    ];
    let thinned = Thinned::at(world, roots.into(), &[3, 2, 1]).await;
    store.kill();
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(report.errors.len(), 1, "{:?}", report.errors);
    assert_eq!(report.sums().not_reached, 2);
    assert_eq!(thinned.held("disk").await, [2]);
    assert_eq!(thinned.claimed("far"), [0, 1, 2]);
    let (report, exit) = thinned.prune(&["--keep-last", "1"]).await;
    assert_eq!((exit, report.sums().would_go), (Exit::Partial, 2));
    // Alone, it is all there was.
    let alone = ["--keep-last", "1", "--apply", "--to", "far"];
    let (_report, exit) = thinned.prune(&alone).await;
    assert_eq!(exit, Exit::Failed);
}
