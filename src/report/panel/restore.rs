//! What became of a restore by the panel itself.

use jiff::Timestamp;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::plan::to_panel::Files;

/// What `panel restore` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelRestoreReport {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its name.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// Its name; `None` when it was not read.
    pub backup_name: Option<String>,
    /// What was to become of the server's files.
    pub files: Files,
    /// How the restore ended.
    pub end: RestoreState,
    /// What became of the server's power.
    pub power: ServerPower,
    /// What else there is to say, in sentences.
    pub notes: Vec<String>,
    /// What failed.
    pub failure: Option<Failure>,
    /// The destinations that hold a verified copy, by the ledger; where else to restore from.
    pub held_at: Vec<DestinationName>,
    /// How the command ended before its time, if it did.
    pub ended: Ended,
}

/// How a restore by the panel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreState {
    /// The node's word in the panel's log: complete.
    Complete,
    /// The node's word in the panel's log: failed.
    Failed,
    /// It has ended, and how is not known.
    Unknown,
    /// It was still under way when nobody waited any more.
    UnderWay,
    /// It did not begin, and nothing was changed.
    NotBegun,
    /// It did not begin properly, and what was changed is not known.
    Broken,
}

impl RestoreState {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::UnderWay => "under_way",
            Self::NotBegun => "not_begun",
            Self::Broken => "broken",
        }
    }
}

/// What became of a server's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerPower {
    /// It was left as it was.
    Untouched,
    /// It ran, was stopped, and was told to start again.
    StartedAgain,
    /// It ran, was told to stop, and was not told to start again.
    LeftStopped,
}

impl ServerPower {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::StartedAgain => "started_again",
            Self::LeftStopped => "left_stopped",
        }
    }
}
