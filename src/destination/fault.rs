//! What kind of failure a store reports, and what follows from it.

use crate::model::outcome::FailureKind;
use crate::model::retry::Retry;

/// What kind of failure a store reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The credentials are bad, or not allowed to do this.
    Credentials,
    /// The bucket or container does not exist.
    NoBucket,
    /// The object or the upload does not exist.
    NotFound,
    /// The bucket lives in another region than the one configured.
    Region,
    /// Nobody answers, or not in time.
    Unreachable,
    /// The store is full, or the quota is used up.
    NoSpace,
    /// The store retains the object: by a date to come, a hold, or a rule of the bucket.
    Retained,
    /// The file system forbids it.
    Forbidden,
    /// The file system takes no file of that length, or the process may not write one.
    FileTooLarge,
    /// A foreign object has a name that the client can't read, so nothing can be listed.
    ForeignName,
    /// The store is in trouble, or has another change of the same object on its hands.
    Busy,
    /// What arrived is not what was sent, by its checksum.
    Damaged,
    /// The store does not take this request; with the HTTP status.
    Refused(u16),
    /// Anything else.
    Other,
}

impl StoreFault {
    /// The same as reports and exit codes know it.
    pub(super) const fn kind(self) -> FailureKind {
        match self {
            Self::Credentials => FailureKind::Credentials,
            Self::NoBucket | Self::NotFound => FailureKind::NotFound,
            Self::Unreachable => FailureKind::Unreachable,
            Self::NoSpace => FailureKind::NoSpace,
            Self::Forbidden => FailureKind::Permission,
            Self::Retained => FailureKind::Policy,
            Self::Region
            | Self::Busy
            | Self::ForeignName
            | Self::FileTooLarge
            | Self::Damaged
            | Self::Refused(_)
            | Self::Other => FailureKind::Destination,
        }
    }

    /// What to do about it.
    pub(super) const fn hint(self) -> &'static str {
        match self {
            Self::Credentials => {
                "check the key, its secret, its permissions on this bucket and prefix (read, write, list, abort uploads), and this machine's clock"
            }
            Self::NoBucket => {
                "check the name of the bucket or container and the endpoint; nestegg does not create it"
            }
            Self::Region => "set the option `region` to the bucket's own region",
            Self::Unreachable => {
                "check the endpoint, the network, and HTTP_PROXY if there is a proxy"
            }
            Self::NoSpace => {
                "make room there, or raise the quota; nestegg never deletes copies by itself"
            }
            Self::Retained => {
                "the store retains it (Object Lock, a hold, or a retention policy of the bucket): it can go once that ends"
            }
            Self::Forbidden => "let the user that runs nestegg write there",
            Self::FileTooLarge => {
                "use a file system that takes files of this length (FAT32 ends at 4 GiB), or raise the process's limit (`ulimit -f`)"
            }
            Self::ForeignName => {
                "some object there has a name with empty parts or dots alone: give nestegg a prefix of its own"
            }
            Self::Busy => "the store is in trouble: run again later",
            Self::Damaged => {
                "bytes changed between the archive's check and the store, so nothing was kept; the next run tries again; if it keeps happening, check this machine's memory, the network, and what stands before the store"
            }
            Self::Refused(_) => {
                "the store does not take this request: check the endpoint and the options; for S3-compatible stores try `checksum_algorithm = \"sha256\"` or `\"none\"`"
            }
            Self::NotFound | Self::Other => {
                "the next run tries again; if it keeps happening, look at the store itself"
            }
        }
    }

    /// Whether repeating the whole upload, or the whole request, makes sense.
    pub(super) const fn retry(self) -> Retry {
        match self {
            // `NotFound`: an upload that the store forgot can be begun again.
            Self::Unreachable | Self::Busy | Self::NotFound | Self::Damaged | Self::Other => {
                Retry::Backoff
            }
            Self::Credentials
            | Self::NoBucket
            | Self::Region
            | Self::NoSpace
            | Self::Forbidden
            | Self::FileTooLarge
            | Self::ForeignName
            | Self::Retained
            | Self::Refused(_) => Retry::Never,
        }
    }
}
