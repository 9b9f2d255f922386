//! What `keep`, `unkeep` and `accept` did.

use jiff::Timestamp;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;
use crate::model::mark::MarkAction;
use crate::model::mark::PanelLock;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::suspicion::Suspicion;

/// What one run of them did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkReport {
    /// The ledger's number for it.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Which of them it was.
    pub action: MarkAction,
    /// Every backup that was named, once, in the order of the words.
    pub backups: Vec<MarkedBackup>,
    /// What went wrong; nothing of it concerns the ledger's own marks, unless it says so.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedBackup {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name when last seen.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// The backup's name when last seen.
    pub name: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// What became of its mark.
    pub change: Change,
    /// The mark that it bears now; of `unkeep`, the one that it bore.
    pub mark: Option<Mark>,
    /// The panel's lock, as far as `unkeep` is concerned.
    pub lock: PanelLock,
    /// Destinations whose copy was removed, and that the next mirror makes again.
    pub wanted_again: Vec<DestinationName>,
    /// Destinations whose copy a run of `prune` began to remove.
    pub being_removed: Vec<DestinationName>,
    /// The suspicion that `accept` lifted.
    pub lifted: Option<Suspicion>,
    /// Its held copies, whose sidecars say so too; none for `accept`.
    pub copies: Vec<MarkedCopy>,
}

/// What became of a mark in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was put there, or taken off.
    Made,
    /// It has another reason now.
    Renewed,
    /// It was as it should be already.
    AsItWas,
}

impl Change {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Renewed => "renewed",
            Self::AsItWas => "as_it_was",
        }
    }
}

/// One copy, and its sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedCopy {
    /// Where it is.
    pub destination: DestinationName,
    /// The archive's key.
    pub key: ObjectKey,
    /// What became of its sidecar.
    pub sidecar: SidecarMark,
}

/// What became of the mark in a sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SidecarMark {
    /// The sidecar was written anew.
    Written,
    /// It said so already.
    AsItWas,
    /// It does not say so.
    Failed(Failure),
    /// The run was told to stop before its turn came.
    NotReached,
}

impl SidecarMark {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::AsItWas => "as_it_was",
            Self::Failed(_) => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

impl MarkReport {
    /// Every failure, those of copies included; each once.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let copies = self.backups.iter().flat_map(|backup| &backup.copies);
        let of_copies = copies.filter_map(|copy| match &copy.sidecar {
            SidecarMark::Failed(failure) => Some(failure),
            SidecarMark::Written | SidecarMark::AsItWas | SidecarMark::NotReached => None,
        });
        self.errors.iter().chain(of_copies)
    }

    /// How many sidecars a predicate takes.
    pub fn sidecars(&self, is_meant: impl Fn(&SidecarMark) -> bool) -> u64 {
        let copies = self.backups.iter().flat_map(|backup| &backup.copies);
        let count = copies.filter(|copy| is_meant(&copy.sidecar)).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}
