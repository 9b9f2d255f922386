//! From the best way to the last one, and what is never tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use nestegg::destination::Destination;
use nestegg::destination::DestinationSpec;
use nestegg::destination::RootRule;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::model::secret::Secret;
use nestegg::model::sidecar::Encryption;
use nestegg::ops::described::described;
use nestegg::ops::restore::NoJournal;
use nestegg::ops::restore::panel;
use nestegg::ops::restore::panel::Request;
use nestegg::ops::restore::panel::SftpLogin;
use nestegg::ops::restore::panel::became::Came;
use nestegg::ops::restore::panel::became::ToPanelReport;
use nestegg::ops::restore::panel::consent::Agreed;
use nestegg::ops::restore::panel::sftp::access::HostKeys;
use nestegg::ops::restore::panel::sftp::access::SftpAccess;
use nestegg::ops::restore::source::Candidate;
use nestegg::panel::PanelClient;
use nestegg::panel::PanelEndpoint;
use nestegg::plan::to_panel::Files;
use nestegg::plan::to_panel::Route;
use nestegg::plan::to_panel::Wish;
use nestegg::transfer::Shared;
use nestegg::transfer::limit::Throttle;
use nestegg::transfer::observer::Silent;
use nestegg::transfer::unseal::Identities;
use url::Url;

use super::Scene;
use super::members_of;
use crate::support::archive::Archive;
use crate::support::fake_panel::Pulls;
use crate::support::servers::public::PublicStore;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::servers::sshd::Sshd;
use crate::support::world::SOON;
use crate::support::world::quick_tuning;

async fn opened(name: &str, url: &str, options: &[(&str, &str)]) -> Destination {
    let options: BTreeMap<_, _> = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
        .collect();
    let spec = DestinationSpec {
        name: name.parse().unwrap(),
        url: url.to_owned(),
        options,
        environment: Vec::new(),
        root: RootRule::MustExist,
        encrypt_to: Vec::new(),
    };
    Destination::open(spec, quick_tuning().destination)
        .await
        .unwrap()
}

/// A copy in a folder, and the same in a bucket at a public address that the node does not reach.
async fn candidates(scene: &Scene) -> (Vec<Candidate>, PublicStore) {
    let offsite = scene.world.offsite();
    let near = opened("near", offsite.to_str().unwrap(), &[]).await;
    let held = described(&near, |_, _| true).await.unwrap();
    let copy = held.copies.first().unwrap().held();
    let store = PublicStore::start(&offsite);
    let options = store.options();
    let options: Vec<(&str, &str)> = options
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let far = opened("far", "s3://bkt/panel", &options).await;
    let candidates = vec![
        Candidate {
            copy: copy.clone(),
            destination: near,
        },
        Candidate {
            copy,
            destination: far,
        },
    ];
    (candidates, store)
}

/// A copy in a bucket of this machine.
async fn in_a_bucket(scene: &Scene, candidates: &[Candidate], prefix: &str) -> Candidate {
    let root = SeaweedFs::shared().root(prefix);
    let copy = candidates[0].copy.clone();
    root.put(&copy.key.to_string(), scene.archive.bytes()).await;
    Candidate {
        copy,
        destination: at_root("bucket", &root).await,
    }
}

async fn at_root(name: &str, root: &Root) -> Destination {
    let options: Vec<(&str, &str)> = root
        .options
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    opened(name, &root.url, &options).await
}

async fn restored(
    scene: &Scene,
    candidates: &[Candidate],
    wish: Wish,
    sftp: SftpLogin,
) -> ToPanelReport {
    let tuning = &scene.tuning;
    let endpoint = PanelEndpoint {
        name: "main".parse().unwrap(),
        base_url: Url::parse(&scene.world.panel.url()).unwrap(),
        key: Secret::new(scene.world.panel.key()),
    };
    let client = PanelClient::new(endpoint, tuning.panel).unwrap();
    let request = Request {
        panel: &client,
        server: scene.target,
        candidates,
        identities: &Identities::default(),
        files: Files::Keep,
        wish,
        sftp,
        asker: &Agreed,
    };
    let shared = Shared {
        env: Env::new(Clock::System),
        tuning: tuning.transfer.clone(),
        throttle: Throttle::none(),
        journal: Arc::new(NoJournal),
        observer: Arc::new(Silent),
    };
    let report = panel::run(&request, &shared, &tuning.to_panel).await;
    let words = format!("{report:?}");
    scene
        .world
        .assert_no_secret_in("the report", words.as_bytes());
    assert!(!words.contains("X-Amz"), "{words}");
    report
}

#[tokio::test]
async fn a_node_that_may_not_fetch_and_takes_no_upload_is_reached_over_sftp() {
    let scene = Scene::new(Archive::of_about(1, 2 << 20)).await;
    scene.world.panel.edit_host_rules(|rules| {
        rules.pulls = Pulls::Disabled;
        rules.upload_limit_bytes = 1 << 20;
    });
    let login = format!("alice.{}", scene.target.short());
    let sshd = Sshd::start(&login, &scene.world.panel.folder_of(scene.target));
    scene.world.panel.edit_server(scene.target, |row| {
        row.sftp = ("127.0.0.1".to_owned(), sshd.port);
    });
    let host_keys = HostKeys::Pinned(sshd.fingerprint().parse().unwrap());
    let access = SftpAccess::with_key_file(&sshd.key(), host_keys).unwrap();
    let (candidates, _store) = candidates(&scene).await;
    let report = restored(&scene, &candidates, Wish::Best, SftpLogin::With(access)).await;
    assert_eq!(report.failure, None);
    assert_eq!(report.route, Some(Route::Sftp));
    let tried: Vec<Route> = report.not_taken.iter().map(|(route, _)| *route).collect();
    assert_eq!(tried, [Route::Pull, Route::Upload]);
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn a_pull_that_brings_nothing_gives_way_to_an_upload() {
    let scene = Scene::new(Archive::small(2)).await;
    let scene = scene.tuned(|waits| waits.arrival_stall = SOON);
    let (candidates, _store) = candidates(&scene).await;
    let report = restored(&scene, &candidates, Wish::Best, SftpLogin::None).await;
    assert_eq!(report.failure, None);
    assert_eq!(report.route, Some(Route::Upload));
    assert!(scene.tree() == members_of(&scene.archive));
    let (route, why) = report.not_taken.last().unwrap();
    assert_eq!(*route, Route::Pull);
    assert!(why.starts_with("the node fetched 0 bytes"), "{why}");
}

/// What came of each copy, and why it was passed over.
fn told(report: &ToPanelReport) -> Vec<String> {
    let came = report.copies.iter().map(|came| match came {
        Came::Proved => "proved".to_owned(),
        Came::Fetched => "fetched".to_owned(),
        Came::PassedOver(failure) => failure.message.clone(),
        Came::NotNeeded => "not needed".to_owned(),
    });
    came.collect()
}

#[tokio::test]
async fn a_copy_that_the_node_does_not_get_gives_way_to_the_next() {
    let scene = Scene::new(Archive::small(4)).await;
    let scene = scene.tuned(|waits| waits.arrival_stall = SOON);
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.pulls = Pulls::FromAnywhere);
    let (mut candidates, _store) = candidates(&scene).await;
    let bucket = in_a_bucket(&scene, &candidates, "to panel/next").await;
    candidates.push(bucket);
    let wish = Wish::Only(Route::Pull);
    let report = restored(&scene, &candidates, wish, SftpLogin::None).await;
    assert_eq!(report.failure, None);
    assert_eq!(report.route, Some(Route::Pull));
    assert_eq!(
        told(&report),
        [
            "not needed",
            "the copy at far was not fetched: the node fetched 0 bytes of the archive, and nothing more for 0 s",
            "fetched"
        ]
    );
    assert_eq!(scene.deeds()[..2], ["pull A", "pull A"]);
    assert!(scene.tree() == members_of(&scene.archive));
}

#[tokio::test]
async fn a_bucket_that_has_lost_its_copy_is_not_given_to_the_node() {
    let scene = Scene::new(Archive::small(5)).await;
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.pulls = Pulls::FromAnywhere);
    let (mut candidates, _store) = candidates(&scene).await;
    candidates.truncate(1);
    let lost = SeaweedFs::shared().root("to panel/lost");
    candidates.push(Candidate {
        copy: candidates[0].copy.clone(),
        destination: at_root("lost", &lost).await,
    });
    let bucket = in_a_bucket(&scene, &candidates, "to panel/kept").await;
    candidates.push(bucket);
    let wish = Wish::Only(Route::Pull);
    let report = restored(&scene, &candidates, wish, SftpLogin::None).await;
    assert_eq!(report.failure, None);
    let key = &candidates[0].copy.key;
    assert_eq!(
        told(&report),
        [
            "not needed".to_owned(),
            format!("the copy at lost could not be read back: there is no `{key}`"),
            "fetched".to_owned()
        ]
    );
    assert_eq!(scene.deeds()[..2], ["pull A", "decompress A"]);
}

#[tokio::test]
async fn an_encrypted_copy_is_never_fetched_by_a_node() {
    let scene = Scene::new(Archive::small(3)).await;
    let (mut candidates, _store) = candidates(&scene).await;
    for candidate in &mut candidates {
        candidate.copy.encryption = Some(Encryption {
            scheme: "age".to_owned(),
            recipients: Vec::new(),
        });
    }
    let wish = Wish::Only(Route::Pull);
    let report = restored(&scene, &candidates, wish, SftpLogin::None).await;
    assert_eq!(
        report.failure.unwrap().message,
        "there is no way to bring the archive to the node: pull: the copy is encrypted, and a node can't decrypt it"
    );
    assert_eq!(scene.deeds(), Vec::<String>::new());
}
