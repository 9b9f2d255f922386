//! Destinations that can't be used, or not any more, and how soon that is said.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use nestegg::destination::Destination;
use nestegg::destination::DestinationTuning;
use nestegg::destination::Error;
use nestegg::model::outcome::FailureKind;
use nestegg::model::retry::Retry;

use crate::conformance::archives::begin_and_send;
use crate::conformance::archives::cut;
use crate::conformance::archives::three_parts;
use crate::conformance::stores::Store;
use crate::conformance::stores::TUNING;
use crate::conformance::stores::open;
use crate::conformance::stores::spec;
use crate::conformance::uploads::assert_nothing_is_left;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::ports;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;

/// A probe that fails must say so before anybody wonders, and long before its requests would be given up.
const SOON: Duration = Duration::from_mins(1);

/// What opening and probing says about a root that can't be used, and that it says it soon.
async fn refusal(root: &Root) -> Error {
    let begun = Instant::now();
    let probed = match Destination::open(spec(root), TUNING).await {
        Ok(destination) => destination.probe().await,
        Err(error) => Err(error),
    };
    let error = probed.unwrap_err();
    assert!(begun.elapsed() < SOON, "{:?}: {error}", begun.elapsed());
    assert!(!error.hint().is_empty(), "{error}");
    error
}

pub(super) async fn a_probe_leaves_nothing(kind: Store) {
    let place = kind.place();
    let destination = open(&place.root).await;
    destination.probe().await.unwrap();
    destination.probe().await.unwrap();
    assert_nothing_is_left(&place.root).await;
}

pub(super) async fn a_probe_of_a_missing_bucket_says_so(kind: Store) {
    let place = kind.place();
    let (scheme, _bucket) = place.root.url.split_once("://").unwrap();
    let url = format!("{scheme}://no-such-bucket/copies");
    let error = refusal(&place.root.with_url(url)).await;
    assert_eq!(error.kind(), FailureKind::NotFound, "{error:?}");
    let message = format!("{error} {}", error.hint());
    assert!(message.contains("no-such-bucket"), "{message}");
}

pub(super) async fn a_probe_with_refused_credentials_says_so(kind: Store) {
    let place = kind.place();
    let error = refusal(&kind.refused(&place.root)).await;
    let refused = [FailureKind::Credentials, FailureKind::Permission];
    assert!(refused.contains(&error.kind()), "{error:?}");
    assert_nothing_is_left(&place.root).await;
}

pub(super) async fn a_probe_of_a_dead_address_says_so(kind: Store) {
    let place = kind.place();
    let claim = ports::claim::<1>();
    let error = refusal(&kind.unreachable(&place.root, claim.ports[0])).await;
    assert_eq!(error.kind(), FailureKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_probe_with_the_wrong_region_of_a_strict_store_says_so() {
    let place = Store::Ministack.place();
    let error = refusal(&place.root.with_option("region", "eu-central-1")).await;
    assert_eq!(error.kind(), FailureKind::Destination, "{error:?}");
    assert!(error.hint().contains("region"), "{}", error.hint());
}

pub(super) async fn a_root_that_is_missing_or_a_file_is_refused(kind: Store) {
    let place = kind.place();
    let at = |name| place.root.with_url(format!("{}/{name}", place.root.url));
    let missing = refusal(&at("not-mounted")).await;
    assert_eq!(missing.kind(), FailureKind::NotFound, "{missing}");
    place.root.put("a-file", "in the way").await;
    let file = refusal(&at("a-file")).await;
    assert_eq!(file.kind(), FailureKind::Destination, "{file}");
    assert_eq!(place.root.keys().await, ["a-file"]);
}

/// An upload to a server that dies ends soon, and in an error that allows another try.
async fn dies_in_the_middle(root: &Root, kill: impl FnOnce()) {
    let tuning = DestinationTuning {
        retries: 1,
        first_wait: Duration::from_millis(10),
        ..TUNING
    };
    let destination = Destination::open(spec(root), tuning).await.unwrap();
    let cut = cut(&destination, &three_parts());
    let notes = Arc::default();
    let mut upload = begin_and_send(&destination, &cut, &cut.parts[..2], &notes).await;
    kill();
    let begun = Instant::now();
    let mut sent = Ok(());
    for part in &cut.parts[2..] {
        sent = sent.and(upload.send(part.clone()).await);
    }
    let error = match sent {
        Ok(()) => upload.verify(&cut.content).await.map(drop).unwrap_err(),
        Err(error) => {
            upload.abort().await;
            error
        }
    };
    assert!(begun.elapsed() < SOON, "{:?}: {error}", begun.elapsed());
    assert_eq!(error.kind(), FailureKind::Unreachable, "{error:?}");
    assert_ne!(error.retry(), Retry::Never, "{error:?}");
}

#[tokio::test]
async fn an_upload_to_an_s3_server_that_dies_ends_soon() {
    let mut server = SeaweedFs::start();
    dies_in_the_middle(&server.root("copies"), || server.kill()).await;
}

#[tokio::test]
async fn an_upload_to_a_gcs_server_that_dies_ends_soon() {
    let mut server = Gcs::start();
    dies_in_the_middle(&server.root("copies"), || server.kill()).await;
}

#[tokio::test]
async fn an_upload_to_an_azure_server_that_dies_ends_soon() {
    let mut server = Azurite::start();
    dies_in_the_middle(&server.root("copies"), || server.kill()).await;
}
