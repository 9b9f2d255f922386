//! What the `ledger` commands found and did.

use jiff::Timestamp;

use crate::model::holding::HeldCopy;
use crate::model::ids::DestinationName;
use crate::model::ids::RunId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::plan::check::Finding;
use crate::plan::check::Sign;

/// What one `ledger rebuild` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildReport {
    /// The ledger's number for the run.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The destinations that were gone through, in the order asked for.
    pub places: Vec<RebuiltPlace>,
    /// What could not be recorded, and why.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// What was recorded of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuiltPlace {
    /// Its name.
    pub destination: DestinationName,
    /// Its identity.
    pub location: String,
    /// The copies that the ledger did not have, by server and backup.
    pub added: Vec<ObjectKey>,
    /// How many it had already.
    pub known: u64,
    /// How many things there could not be recorded: each is among the errors.
    pub left_out: u64,
}

impl RebuildReport {
    /// How many copies were recorded.
    pub fn added(&self) -> u64 {
        let each = self.places.iter().map(|place| place.added.len());
        each.map(|count| u64::try_from(count).unwrap_or(u64::MAX))
            .sum()
    }

    /// How many copies the ledger had already.
    pub fn known(&self) -> u64 {
        self.places.iter().map(|place| place.known).sum()
    }

    /// How many things could not be recorded.
    pub fn left_out(&self) -> u64 {
        self.places.iter().map(|place| place.left_out).sum()
    }
}

/// In which form the ledger is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// A line a stored object, as `sha256sum` writes and checks it.
    Sha256Sums,
    /// A row a copy.
    Csv,
    /// One document.
    Json,
}

/// The copies that a ledger records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportReport {
    /// When.
    pub exported_at: Timestamp,
    /// By panel and server, newest backup first.
    pub copies: Vec<HeldCopy>,
}

/// What one `ledger check` found, and did about it when told to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The ledger's number for the run; `None` when it only read.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Whether the ledger was mended.
    pub mode: Mode,
    /// One entry a copy and place, by place, server and backup.
    pub findings: Vec<Finding>,
    /// Recorded copies at places that were not looked at.
    pub elsewhere: Vec<Elsewhere>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// Copies that are recorded at a place that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// What it was last called.
    pub destination: DestinationName,
    /// What it is.
    pub location: String,
    /// How many.
    pub copies: u64,
}

impl CheckReport {
    /// How many findings have a sign, errors of any kind taken together.
    pub fn count(&self, sign: Sign) -> u64 {
        let is_such = |finding: &&Finding| finding.sign.symbol() == sign.symbol();
        u64::try_from(self.findings.iter().filter(is_such).count()).unwrap_or(u64::MAX)
    }
}
