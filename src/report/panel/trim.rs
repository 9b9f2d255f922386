//! What `panel trim` would free, or freed.

use jiff::Timestamp;

use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::outcome::Skipped;
use crate::model::slots::BackupSlots;
use crate::plan::trim::Planned;
use crate::plan::trim::TrimWish;
use crate::report::panel::copies::CopySeen;

/// What `panel trim` planned, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrimReport {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Whether anything was to be deleted.
    pub mode: Mode,
    /// What was to stay.
    pub wish: TrimWish,
    /// By panel and name.
    pub servers: Vec<TrimmedServer>,
    /// Servers whose state refuses backup calls.
    pub skipped: Vec<Skipped>,
    /// What failed besides, in the order in which it happened.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

impl TrimReport {
    /// All failures.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let backups = self.servers.iter().flat_map(|server| &server.backups);
        self.errors
            .iter()
            .chain(backups.filter_map(|backup| match &backup.became {
                Became::NotDeleted(failure) => Some(failure),
                Became::Stays
                | Became::WouldBeDeleted
                | Became::Deleted
                | Became::AlreadyGone
                | Became::Changed { .. }
                | Became::NotReached => None,
            }))
    }

    /// How many backups became this.
    pub fn count(&self, is_meant: impl Fn(&Became) -> bool) -> usize {
        let backups = self.servers.iter().flat_map(|server| &server.backups);
        backups.filter(|backup| is_meant(&backup.became)).count()
    }
}

/// One server that was gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrimmedServer {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name.
    pub name: String,
    /// Its places for backups, before.
    pub slots: BackupSlots,
    /// Newest first.
    pub backups: Vec<TrimmedBackup>,
}

/// One backup of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrimmedBackup {
    /// What was planned.
    pub planned: Planned,
    /// What became of it.
    pub became: Became,
    /// What stands at the destinations, where that was looked at.
    pub copies: Vec<CopySeen>,
}

/// What became of one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It stays, as planned.
    Stays,
    /// It would go.
    WouldBeDeleted,
    /// The panel deleted it, and lists it no more.
    Deleted,
    /// It was not there any more.
    AlreadyGone,
    /// It stays, because something has changed since the plan was made.
    Changed {
        /// What it is now.
        now: String,
    },
    /// It was not deleted, or it is not known whether it was.
    NotDeleted(Failure),
    /// The command was told to stop before.
    NotReached,
}

impl Became {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::WouldBeDeleted => "would_be_deleted",
            Self::Deleted => "deleted",
            Self::AlreadyGone => "already_gone",
            Self::Changed { .. } => "changed",
            Self::NotDeleted(_) => "not_deleted",
            Self::NotReached => "not_reached",
        }
    }
}
