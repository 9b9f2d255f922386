//! What became of backups that were to be deleted from their panel.

use jiff::Timestamp;

use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::report::panel::copies::CopySeen;

/// What `panel delete` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteReport {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// One entry a backup, in the order in which they were named.
    pub backups: Vec<DeletedBackup>,
    /// What failed besides, in the order in which it happened.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

impl DeleteReport {
    /// All failures.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let of_backups = self
            .backups
            .iter()
            .filter_map(|backup| backup.failure.as_ref());
        self.errors.iter().chain(of_backups)
    }
}

/// One backup that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedBackup {
    /// The backup.
    pub backup: BackupId,
    /// Where it is on a panel, as far as that was found.
    pub found: Option<FoundBackup>,
    /// What became of it.
    pub deletion: Deletion,
    /// What stands at the destinations, where that was looked at.
    pub copies: Vec<CopySeen>,
    /// Why it was not deleted.
    pub failure: Option<Failure>,
}

/// A backup on a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBackup {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name.
    pub server_name: String,
    /// The backup's name; `None` when it is gone.
    pub name: Option<String>,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
    /// The archive's length, of a completed one.
    pub bytes: Option<u64>,
}

/// What became of one backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// The panel deleted it, and lists it no more.
    Deleted,
    /// It was not there any more.
    AlreadyGone,
    /// It was not deleted, or it is not known whether it was.
    NotDeleted,
    /// The command was told to stop before.
    NotReached,
}

impl Deletion {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::AlreadyGone => "already_gone",
            Self::NotDeleted => "not_deleted",
            Self::NotReached => "not_reached",
        }
    }

    /// Whether it is as was asked for.
    pub const fn is_gone(self) -> bool {
        match self {
            Self::Deleted | Self::AlreadyGone => true,
            Self::NotDeleted | Self::NotReached => false,
        }
    }
}
