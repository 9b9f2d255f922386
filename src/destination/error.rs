//! Everything that can go wrong with a destination, and what to do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::destination::fault::StoreFault;
use crate::destination::redact::StoreError;
use crate::destination::redact::io_fault;
use crate::model::content::OutOfOrder;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::retry::Retry;
use crate::model::sidecar::BadSidecar;

/// Why a journal could not write an upload down.
pub type JournalError = Box<dyn std::error::Error + Send + Sync>;

/// A destination could not be used as asked. No text in it holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL names no destination.
    #[error("`{shown}` is no usable destination: {why}")]
    Url {
        /// The URL, without what may be secret in it.
        shown: String,
        /// What is wrong.
        why: String,
        /// What to write instead.
        hint: String,
    },
    /// The store has no such option; the crate would have dropped it silently.
    #[error("`{option}` is no option of {store} destinations")]
    UnknownOption {
        /// As written.
        option: String,
        /// Which kind of store.
        store: &'static str,
        /// What may have been meant, and what there is.
        hint: String,
    },
    /// The option exists and its value can't be used.
    #[error("the option `{option}` can't be used: {why}")]
    BadOption {
        /// As written.
        option: String,
        /// What is wrong.
        why: String,
    },
    /// Neither options nor environment hold credentials.
    #[error("there are no credentials for `{location}`")]
    NoCredentials {
        /// The destination.
        location: String,
        /// Which options or variables would do.
        hint: String,
    },
    /// The store's client refused the settings.
    #[error("could not set up `{location}`")]
    Setup {
        /// The destination.
        location: String,
        /// Why.
        source: StoreError,
    },
    /// A local root that must exist does not.
    #[error("the directory `{}` does not exist", path.display())]
    RootMissing {
        /// The root.
        path: PathBuf,
    },
    /// A local root is no longer the directory that it was when the run began.
    #[error("the directory `{}` was replaced or unmounted", path.display())]
    RootReplaced {
        /// The root.
        path: PathBuf,
    },
    /// Something else is where a directory should be.
    #[error("`{}` is not a directory", path.display())]
    NotADirectory {
        /// Where.
        path: PathBuf,
    },
    /// A link could lead out of the root.
    #[error("`{}` is a symbolic link", path.display())]
    Symlink {
        /// Where.
        path: PathBuf,
    },
    /// A local file or directory could not be handled.
    #[error("could not {action} `{}`", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The store failed. After a failed commit the object may or may not be visible; repeating the
    /// whole upload is safe.
    #[error("could not {action} `{what}`")]
    Store {
        /// What was attempted.
        action: &'static str,
        /// The key or the destination.
        what: String,
        /// What the store said.
        source: StoreError,
    },
    /// The store did not finish in time.
    #[error("could not {action} `{what}` within {} s", waited.as_secs())]
    Deadline {
        /// What was attempted.
        action: &'static str,
        /// The key or the destination.
        what: String,
        /// How long was waited, all tries together.
        waited: Duration,
    },
    /// A task of ours ended in a defect.
    #[error("could not {action} `{what}`: the task crashed")]
    Crashed {
        /// What was attempted.
        action: &'static str,
        /// The key.
        what: String,
        /// The panic.
        source: tokio::task::JoinError,
    },
    /// The store acknowledged an object and holds another length, or nothing.
    #[error(
        "the store acknowledged `{key}` with {sent_bytes} bytes and holds {}",
        held(*.stored_bytes)
    )]
    SizeDiffers {
        /// The object.
        key: ObjectKey,
        /// What was sent.
        sent_bytes: u64,
        /// What the store says it holds; `None` for nothing.
        stored_bytes: Option<u64>,
    },
    /// More parts than stores take; only possible when an archive is longer than said.
    #[error("`{key}` needs more than 10,000 parts of {part_bytes} bytes")]
    TooManyParts {
        /// The object.
        key: ObjectKey,
        /// The length of its parts.
        part_bytes: u64,
    },
    /// A part came that was not the next one: a defect of ours, never of the data.
    #[error("could not take the next part of `{key}`")]
    OutOfOrder {
        /// The object.
        key: ObjectKey,
        /// Which part came.
        source: OutOfOrder,
    },
    /// A part after a short one, or a part that is too long: stores such as R2 want equal parts.
    #[error(
        "could not take a part of {came_bytes} bytes for `{key}`: parts are {part_bytes} bytes long, only the last may be shorter"
    )]
    UnevenPart {
        /// The object.
        key: ObjectKey,
        /// What came.
        came_bytes: u64,
        /// What was due.
        part_bytes: u64,
    },
    /// The proof is of other bytes than those that were sent.
    #[error("`{key}` took {sent_bytes} bytes of its stream where {proved_bytes} bytes were proved")]
    Unproved {
        /// The object.
        key: ObjectKey,
        /// What was sent.
        sent_bytes: u64,
        /// What was proved.
        proved_bytes: u64,
    },
    /// An encrypted copy is copied as it is only to where the same people may read it.
    #[error("`{key}` is encrypted to others than this destination's copies")]
    OtherRecipients {
        /// The copy.
        key: ObjectKey,
    },
    /// An archive could not be encrypted.
    #[error("could not encrypt `{key}`")]
    Seal {
        /// The object.
        key: ObjectKey,
        /// What the encryption says.
        source: Box<age::EncryptError>,
    },
    /// The upload failed or was given up before.
    #[error("the upload of `{key}` has ended")]
    Ended {
        /// The object.
        key: ObjectKey,
    },
    /// The upload's id could not be written down, so no part of it was sent.
    #[error("could not note the upload of `{key}`")]
    Journal {
        /// The object.
        key: ObjectKey,
        /// Why.
        source: JournalError,
    },
    /// The sidecar could not be read or written as JSON, or is of a newer format.
    #[error("could not use the sidecar `{key}`")]
    Sidecar {
        /// The sidecar.
        key: ObjectKey,
        /// Why.
        source: BadSidecar,
    },
    /// The sidecar describes another copy than the one it was to stand beside.
    #[error("the sidecar for `{key}` describes another copy: its {field} differs")]
    SidecarOfAnother {
        /// The archive.
        key: ObjectKey,
        /// The first field that differs.
        field: &'static str,
    },
    /// A noted upload belongs to another destination.
    #[error("the upload of `{key}` was noted for `{noted}`, not for `{location}`")]
    ForeignUpload {
        /// The object.
        key: ObjectKey,
        /// Where it was begun.
        noted: String,
        /// Where it was to be aborted.
        location: String,
    },
    /// Reading on from a point that the object does not reach.
    #[error("`{key}` has {length_bytes} bytes, so it can't be read from byte {from_bytes}")]
    PastTheEnd {
        /// The object.
        key: ObjectKey,
        /// Its length.
        length_bytes: u64,
        /// Where reading was to begin.
        from_bytes: u64,
    },
}

fn held(stored_bytes: Option<u64>) -> String {
    stored_bytes.map_or_else(|| "nothing".to_owned(), |bytes| format!("{bytes}"))
}

impl Error {
    /// Its kind, for scripts and exit codes.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Url { .. }
            | Self::UnknownOption { .. }
            | Self::BadOption { .. }
            | Self::Journal { .. }
            | Self::Crashed { .. }
            | Self::OutOfOrder { .. }
            | Self::UnevenPart { .. }
            | Self::Seal { .. }
            | Self::OtherRecipients { .. }
            | Self::Ended { .. }
            | Self::SidecarOfAnother { .. }
            | Self::ForeignUpload { .. } => FailureKind::Local,
            Self::NoCredentials { .. } => FailureKind::Credentials,
            Self::RootMissing { .. } => FailureKind::NotFound,
            Self::RootReplaced { .. }
            | Self::NotADirectory { .. }
            | Self::Symlink { .. }
            | Self::Sidecar { .. } => FailureKind::Destination,
            Self::File { source, .. } => io_fault(source).kind(),
            Self::Setup { source, .. } | Self::Store { source, .. } => source.fault().kind(),
            Self::Deadline { .. } => FailureKind::Unreachable,
            Self::SizeDiffers { .. } | Self::Unproved { .. } | Self::PastTheEnd { .. } => {
                FailureKind::Integrity
            }
            Self::TooManyParts { .. } => FailureKind::Transfer,
        }
    }

    /// Whether the operator's settings are wrong, as against what is on the other end.
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Url { .. }
                | Self::UnknownOption { .. }
                | Self::BadOption { .. }
                | Self::NoCredentials { .. }
                | Self::Setup { .. }
        )
    }

    /// Whether repeating the whole upload, or the whole request, makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Deadline { .. } | Self::SizeDiffers { .. } => Retry::Backoff,
            Self::Store { source, .. } => source.fault().retry(),
            Self::Url { .. }
            | Self::UnknownOption { .. }
            | Self::BadOption { .. }
            | Self::NoCredentials { .. }
            | Self::Setup { .. }
            | Self::RootMissing { .. }
            | Self::RootReplaced { .. }
            | Self::NotADirectory { .. }
            | Self::Symlink { .. }
            | Self::File { .. }
            | Self::Crashed { .. }
            | Self::TooManyParts { .. }
            | Self::OutOfOrder { .. }
            | Self::UnevenPart { .. }
            | Self::Unproved { .. }
            | Self::Seal { .. }
            | Self::OtherRecipients { .. }
            | Self::Ended { .. }
            | Self::Journal { .. }
            | Self::Sidecar { .. }
            | Self::SidecarOfAnother { .. }
            | Self::ForeignUpload { .. }
            | Self::PastTheEnd { .. } => Retry::Never,
        }
    }

    /// What to do about it; empty when there is nothing to say.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Url { hint, .. }
            | Self::UnknownOption { hint, .. }
            | Self::NoCredentials { hint, .. } => return hint.clone(),
            Self::BadOption { .. } => "correct it in the destination's `options` table",
            Self::Setup { source, .. } | Self::Store { source, .. } => source.fault().hint(),
            Self::RootMissing { .. } => {
                "a missing root is often a disk that is not mounted; if it is a new place, make the directory first"
            }
            Self::RootReplaced { .. } => "check that the disk is still mounted, then run again",
            Self::NotADirectory { .. } => "name a directory",
            Self::Symlink { .. } => {
                "copies are kept only in real directories and files below the root: remove the link"
            }
            Self::File { source, .. } => io_fault(source).hint(),
            Self::Deadline { .. } => {
                "the store answers too slowly: check the network and the store, then run again"
            }
            Self::SizeDiffers { .. } => {
                "the copy can't be trusted and is not recorded; the next run uploads it again. If it keeps happening, the store is at fault"
            }
            Self::TooManyParts { .. } => {
                "the archive is longer than its source said; run again when the panel shows its right size"
            }
            Self::Sidecar {
                source: BadSidecar::Newer(_),
                ..
            } => "upgrade nestegg",
            Self::Journal { .. } => {
                "uploads are only begun when the ledger can note them: look at the ledger"
            }
            Self::Sidecar { .. }
            | Self::Crashed { .. }
            | Self::OutOfOrder { .. }
            | Self::UnevenPart { .. }
            | Self::Unproved { .. }
            | Self::Seal { .. }
            | Self::OtherRecipients { .. }
            | Self::Ended { .. }
            | Self::SidecarOfAnother { .. }
            | Self::ForeignUpload { .. }
            | Self::PastTheEnd { .. } => "",
        };
        hint.to_owned()
    }

    /// The same in the words of a report.
    pub fn failure(&self, scope: Scope, id: String) -> Failure {
        Failure {
            scope,
            id,
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }

    /// Whether the store answered that there is no such object, as against no such place.
    pub fn is_missing_object(&self) -> bool {
        let fault = if let Self::File { source, .. } = self {
            Some(io_fault(source))
        } else {
            self.fault()
        };
        fault == Some(StoreFault::NotFound)
    }

    /// Whether the store refused because it retains the object.
    pub fn is_retention(&self) -> bool {
        self.fault() == Some(StoreFault::Retained)
    }

    /// Whether it was certainly not done: the store answered that it does not do this.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.fault(),
            Some(
                StoreFault::Retained
                    | StoreFault::Credentials
                    | StoreFault::Forbidden
                    | StoreFault::Damaged
                    | StoreFault::Refused(_)
            )
        )
    }

    /// What the store answered, when it was the store that failed.
    pub(super) fn fault(&self) -> Option<StoreFault> {
        if let Self::Store { source, .. } = self {
            Some(source.fault())
        } else {
            None
        }
    }
}
