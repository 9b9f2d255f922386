//! Encrypted copies at every kind of destination.

use std::io::Read as _;
use std::iter;
use std::sync::Arc;

use bytes::Bytes;
use nestegg::destination::Destination;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::FailureKind;

use crate::conformance::archives::Notes;
use crate::conformance::archives::archive_key;
use crate::conformance::archives::begin_and_send;
use crate::conformance::archives::cut;
use crate::conformance::archives::noise;
use crate::conformance::archives::several_parts;
use crate::conformance::archives::sha256;
use crate::conformance::archives::sidecar_of;
use crate::conformance::archives::store;
use crate::conformance::archives::three_parts;
use crate::conformance::stores::Store;
use crate::conformance::stores::open;
use crate::conformance::uploads::assert_nothing_is_left;
use crate::support::servers::root::Attributes;
use crate::support::servers::root::Root;

fn sealed_key() -> ObjectKey {
    let key = archive_key();
    ObjectKey::for_backup(key.server(), key.backup(), ObjectKind::EncryptedArchive)
}

async fn open_sealed(root: &Root) -> (Destination, age::x25519::Identity) {
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public().to_string().parse().unwrap();
    (open(root).await.encrypting_to(&[recipient]), identity)
}

fn opened(file: &[u8], identity: &age::x25519::Identity) -> Vec<u8> {
    let mut archive = Vec::new();
    age::Decryptor::new(file)
        .unwrap()
        .decrypt(iter::once(identity as &dyn age::Identity))
        .unwrap()
        .read_to_end(&mut archive)
        .unwrap();
    archive
}

pub(super) async fn a_sealed_archive_of_any_length_is_kept_and_found(kind: Store) {
    let part = 5 * 1024 * 1024;
    let several = several_parts();
    for archive in [
        Bytes::new(),
        noise(1),
        noise(64 * 1024),
        several.slice(..part),
        several.slice(..=part),
        several.clone(),
    ] {
        let place = kind.place();
        let (destination, identity) = open_sealed(&place.root).await;
        let stored = store(&destination, &archive).await;
        let name = sealed_key().to_string();
        assert_eq!(place.root.keys().await, [name.as_str()]);
        let file = place.root.read(&name).await.unwrap();
        assert!(opened(&file, &identity) == archive, "{}", archive.len());
        assert_eq!(
            (stored.archive_sha256(), stored.stored_sha256()),
            (&sha256(&archive), &sha256(&file))
        );
        let kept = place.root.keeps_content_types();
        assert_eq!(
            place.root.attributes(&name).await,
            Some(Attributes {
                bytes: file.len() as u64,
                content_type: kept.then(|| "application/octet-stream".to_owned()),
                content_encoding: None,
            })
        );
        destination
            .write_sidecar(&stored, &sidecar_of(&stored))
            .await
            .unwrap();
        let found = destination
            .find(stored.key().server(), stored.key().backup())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.stored.encryption(), stored.encryption());
        assert_eq!(found.stored.stored_sha256(), stored.stored_sha256());
        assert_eq!(place.root.open_uploads().await, Vec::<String>::new());
    }
}

pub(super) async fn a_sealed_upload_that_does_not_end_well_leaves_nothing(kind: Store) {
    let place = kind.place();
    let (destination, _identity) = open_sealed(&place.root).await;
    let cut = cut(&destination, &three_parts());
    for sent in [0, 1, 2, 3] {
        let notes: Arc<Notes> = Arc::default();
        let upload = begin_and_send(&destination, &cut, &cut.parts[..sent], &notes).await;
        if sent == 2 {
            let refused = upload.verify(&cut.content).await.unwrap_err();
            assert_eq!(refused.kind(), FailureKind::Integrity, "{refused}");
        } else {
            upload.abort().await;
        }
        assert_nothing_is_left(&place.root).await;
        assert_eq!(notes.opened(), notes.closed());
    }
}
