//! The stores, each with a root for one test, and how a destination there is opened.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use nestegg::destination::Destination;
use nestegg::destination::DestinationSpec;
use nestegg::destination::DestinationTuning;
use nestegg::destination::RootRule;
use nestegg::model::secret::Secret;
use tempfile::TempDir;

use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::FORBIDDEN_BUCKET;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::gcs::service_account;
use crate::support::servers::ministack::Ministack;
use crate::support::servers::rclone::RcloneS3;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;

const MIB: u64 = 1024 * 1024;

/// The smallest parts that S3 takes, so that a few MiB make several.
pub(super) const TUNING: DestinationTuning = DestinationTuning {
    part_bytes: 5 * MIB,
    ..DestinationTuning::PRODUCTION
};

/// A kind of destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Local,
    SeaweedFs,
    /// The same, with CRCs of all that is sent in place of signed digests.
    SeaweedFsCrc,
    Ministack,
    Gcs,
    Azure,
    Rclone,
}

/// A root that no other test uses.
pub(super) struct Place {
    pub(super) root: Root,
    _folder: Option<TempDir>,
}

impl Store {
    pub(super) fn place(self) -> Place {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let prefix = format!("conformance/{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let remote = |root| Place {
            root,
            _folder: None,
        };
        match self {
            Self::Local => {
                let folder = tempfile::tempdir().unwrap();
                Place {
                    root: Root::folder(folder.path()),
                    _folder: Some(folder),
                }
            }
            Self::SeaweedFs => remote(SeaweedFs::shared().root(&prefix)),
            Self::SeaweedFsCrc => remote(
                SeaweedFs::shared()
                    .root(&prefix)
                    .with_option("checksum_algorithm", "crc64nvme")
                    .with_option("unsigned_payload", "true"),
            ),
            Self::Ministack => remote(Ministack::shared().root(&prefix)),
            Self::Gcs => remote(Gcs::shared().root(&prefix)),
            Self::Azure => remote(Azurite::shared().root(&prefix)),
            Self::Rclone => remote(RcloneS3::shared().root(&prefix)),
        }
    }

    /// The same root with credentials that the store refuses.
    pub(super) fn refused(self, root: &Root) -> Root {
        match self {
            Self::Local => unreachable!("a directory has no credentials"),
            Self::SeaweedFs | Self::SeaweedFsCrc | Self::Rclone => {
                root.with_option("secret_access_key", "wrong")
            }
            // It knows its keys and does not look at signatures.
            Self::Ministack => root.with_option("access_key_id", "AKIAUNKNOWN"),
            // Requests to an emulator are not signed; the bucket refuses instead.
            Self::Gcs => root.with_url(format!("gs://{FORBIDDEN_BUCKET}/copies")),
            Self::Azure => root.with_option("access_key", "YW5vdGhlciBrZXkgdGhhdCBpcyB3cm9uZw=="),
        }
    }

    /// The same root at an address where nothing listens.
    pub(super) fn unreachable(self, root: &Root, port: u16) -> Root {
        let address = format!("http://127.0.0.1:{port}");
        match self {
            Self::Local => unreachable!("a directory has no address"),
            Self::SeaweedFs | Self::SeaweedFsCrc | Self::Ministack | Self::Rclone => {
                root.with_option("endpoint", address)
            }
            Self::Gcs => root.with_option("service_account_key", service_account(&address)),
            Self::Azure => root.with_option("endpoint", format!("{address}/nestegg")),
        }
    }
}

pub(super) fn spec(root: &Root) -> DestinationSpec {
    let options = root.options.iter();
    DestinationSpec {
        encrypt_to: Vec::new(),
        name: "offsite".parse().unwrap(),
        url: root.url.clone(),
        options: options
            .map(|(name, value)| (name.clone(), Secret::new(value.clone())))
            .collect(),
        environment: Vec::new(),
        root: RootRule::MustExist,
    }
}

pub(super) async fn open(root: &Root) -> Destination {
    Destination::open(spec(root), TUNING).await.unwrap()
}
