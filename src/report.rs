//! Reports as data; the renderings are below.

pub mod drill;
pub mod export;
pub mod human;
pub mod json;
pub mod ledger;
pub mod mark;
pub mod outcome;
pub mod panel;
pub mod prune;
pub mod restore;
pub mod verify;
pub mod words;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::model::holding::DestinationVerified;
use crate::model::holding::HeldCopy;
use crate::model::holding::ServerHolding;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::outcome::Skipped;
use crate::model::suspicion::Suspicion;
use crate::report::verify::Verified;

pub use crate::report::prune::PruneReport;
pub use crate::report::verify::VerifyReport;

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
    /// What was verified afterwards, if that was asked for.
    pub verified: Option<Verified>,
    /// Archives that this run took and that lack what they must contain: good copies of something that may not be.
    pub lacking: Vec<Lacking>,
}

/// An archive that lacks what it must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// The backup's name.
    pub name: String,
    /// What nothing in it matches.
    pub globs: Vec<String>,
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

/// How far a panel's or node's clock may be ahead of ours before its dates are not believed.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// Whether a backup claims to be from a time that has not come yet, by more than clocks differ.
///
/// Such a date says nothing of the copy's age.
pub fn is_dated_ahead(completed_at: Timestamp, now: Timestamp) -> bool {
    completed_at.duration_since(now) > CLOCK_TOLERANCE
}

/// How fresh and complete the mirror is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// When it was asked.
    pub at: Timestamp,
    /// The latest run of `mirror`, whatever it was about.
    pub last_run: Option<LastRun>,
    /// One entry a server, by panel and name.
    pub servers: Vec<ServerStatus>,
    /// When the copies at each destination were verified, by name.
    pub verified: Vec<DestinationVerified>,
}

/// The latest run of `mirror`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// The ledger's number for it.
    pub run: RunId,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, and with which exit code; `None` when it was killed or still runs.
    pub end: Option<(Timestamp, u8)>,
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
    /// What is suspicious about its newest archive, until an operator accepts it.
    pub suspicion: Option<Suspicion>,
}

/// Whether a server's newest verified copy is as fresh as promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// It is older than promised, or dated in the future (see [`is_dated_ahead`]).
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
    /// Who says so.
    pub account: Account,
    /// Copies that are broken, and what could not be looked at.
    pub failures: Vec<Failure>,
}

/// Who says which copies are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The ledger.
    Ledger,
    /// The destinations' sidecars: whether the panel still lists a backup is not known.
    Sidecars,
}
