//! Reports as data; the renderings are below.

pub mod human;
pub mod json;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::holding::HeldCopy;
use crate::model::holding::ServerHolding;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::outcome::Skipped;

/// What one run of `mirror` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorReport {
    /// The ledger's number for it; `None` for a dry run.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Whether it changed anything.
    pub mode: Mode,
    /// How many servers were selected.
    pub servers: u64,
    /// How many backups of any state were listed for them.
    pub backups_seen: u64,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// Every selected backup.
    pub backups: Vec<BackupOutcome>,
    /// Failures of any scope, in the order they happened; copies' failures included.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

impl MirrorReport {
    /// Read from panels, nodes and other destinations.
    pub fn downloaded_bytes(&self) -> u64 {
        self.backups
            .iter()
            .map(|backup| backup.downloaded_bytes)
            .sum()
    }

    /// Sent to destinations.
    pub fn uploaded_bytes(&self) -> u64 {
        self.backups
            .iter()
            .map(|backup| backup.uploaded_bytes)
            .sum()
    }
}

/// How fresh and complete the mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// When it was asked.
    pub at: Timestamp,
    /// One entry a server, by panel and name.
    pub servers: Vec<ServerStatus>,
}

/// One server, and the freshness promised for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// What is held of it.
    pub holding: ServerHolding,
    /// `max_age`, when one is promised.
    pub max_age: Option<SignedDuration>,
    /// Whether the promise holds.
    pub freshness: Freshness,
}

/// Whether a server's newest verified copy is as fresh as promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// It is older than promised.
    Stale,
    /// There is no copy at all.
    Never,
    /// Nothing is promised.
    NotPromised,
}

/// The copies held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListReport {
    /// Only this panel's, if so asked.
    pub panel: Option<PanelName>,
    /// Newest backup first, grouped by server.
    pub copies: Vec<HeldCopy>,
}
