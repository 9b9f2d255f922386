//! Real storage servers, installed and started by the tests.
//!
//! Nothing has to be there beforehand but Python with pip, Node with npm and, for SFTP, a Debian's apt and
//! `ssh-keygen`: the first test that
//! needs a server installs it below the target directory ([`install`]). Every server listens on
//! loopback only, on ports claimed for it ([`ports`]), and ends with the test process, however that
//! one ends ([`process`]). A test gets a [`root::Root`] of its own at a shared server, or starts a
//! server of its own when it wants to kill it.

pub(crate) mod azurite;
pub(crate) mod background;
pub(crate) mod gcs;
pub(crate) mod install;
pub(crate) mod ministack;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod public;
pub(crate) mod rclone;
pub(crate) mod root;
pub(crate) mod seaweedfs;
pub(crate) mod shared;
pub(crate) mod signed;
pub(crate) mod sshd;

use std::sync::Arc;

use object_store::ObjectStoreExt;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;

use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::ministack::Ministack;
use crate::support::servers::rclone::RcloneS3;
use crate::support::servers::root::Attributes;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;

async fn takes_an_object_and_gives_it_back(root: Root) {
    root.put("a b/ż~1%.txt", "what was put").await;
    assert_eq!(root.keys().await, ["a b/ż~1%.txt"]);
    assert_eq!(
        root.read("a b/ż~1%.txt").await.as_deref(),
        Some(&b"what was put"[..])
    );
    assert_eq!(
        root.attributes("a b/ż~1%.txt").await,
        Some(Attributes {
            bytes: 12,
            content_type: root.keeps_content_types().then(|| "text/plain".to_owned()),
            content_encoding: None,
        })
    );
    assert_eq!(root.read("another").await, None);
    assert_eq!(root.attributes("another").await, None);
    assert_eq!(root.open_uploads().await, Vec::<String>::new());
    root.remove("a b/ż~1%.txt").await;
    assert_eq!(root.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_takes_an_object_and_gives_it_back() {
    let folder = tempfile::tempdir().unwrap();
    takes_an_object_and_gives_it_back(Root::folder(folder.path())).await;
}

#[tokio::test]
async fn seaweedfs_takes_an_object_and_gives_it_back() {
    takes_an_object_and_gives_it_back(SeaweedFs::shared().root("support/round trip")).await;
}

#[tokio::test]
async fn ministack_takes_an_object_and_gives_it_back() {
    takes_an_object_and_gives_it_back(Ministack::shared().root("support/round trip")).await;
}

#[tokio::test]
async fn the_gcs_shim_takes_an_object_and_gives_it_back() {
    takes_an_object_and_gives_it_back(Gcs::shared().root("support/round trip")).await;
}

#[tokio::test]
async fn azurite_takes_an_object_and_gives_it_back() {
    takes_an_object_and_gives_it_back(Azurite::shared().root("support/round trip")).await;
}

#[tokio::test]
async fn rclone_takes_an_object_and_gives_it_back() {
    takes_an_object_and_gives_it_back(RcloneS3::shared().root("support/round trip")).await;
}

/// Begins a multipart upload through the options that a destination is given, and drops it.
async fn begin_and_drop_an_upload(root: &Root, bucket: &str, key: &str) {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_allow_http(true);
    for (name, value) in &root.options {
        builder = builder.with_config(name.parse().unwrap(), value);
    }
    let store = Arc::new(builder.build().unwrap());
    let mut upload = store
        .put_multipart(&Path::parse(key).unwrap())
        .await
        .unwrap();
    upload.put_part("part".into()).await.unwrap();
}

#[tokio::test]
async fn an_open_upload_is_seen_below_its_root_only() {
    for root in [
        SeaweedFs::shared().root("support/open & shut"),
        Ministack::shared().root("support/open & shut"),
    ] {
        begin_and_drop_an_upload(&root, "bkt", "support/open & shut/left.tar.gz").await;
        assert_eq!(root.open_uploads().await, ["left.tar.gz"]);
        assert_eq!(root.keys().await, Vec::<String>::new());
        assert_eq!(
            root.beside("support/open").open_uploads().await,
            Vec::<String>::new()
        );
    }
}
