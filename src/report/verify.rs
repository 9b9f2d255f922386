//! What one run of `verify` found and did, as data.

use jiff::Timestamp;

use crate::model::finding::CheckedCopy;
use crate::model::finding::Depth;
use crate::model::finding::RepairWish;
use crate::model::ids::DestinationName;
use crate::model::ids::RunId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::report::outcome::Outcome;

/// What one run of `verify` found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The ledger's number for it.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How thoroughly it checked.
    pub depth: Depth,
    /// Whether bad copies were to be made anew.
    pub repair: RepairWish,
    /// How many copies there were to choose from.
    pub copies_held: u64,
    /// Their stored bytes together.
    pub bytes_held: u64,
    /// What was checked.
    pub verified: Verified,
    /// Destinations of the ledger that are not configured, and how many copies are there.
    pub unconfigured: Vec<(DestinationName, u64)>,
    /// Failures of any scope; those of bad copies included.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// Copies that were checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// In the order in which they were done.
    pub copies: Vec<CheckedCopy>,
    /// How many more had been planned, and their turn did not come.
    pub not_reached: u64,
}

impl Verified {
    /// How many copies a predicate holds for.
    pub fn count(&self, is_one: impl Fn(&CheckedCopy) -> bool) -> u64 {
        let count = self.copies.iter().filter(|copy| is_one(copy)).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// Whether a copy is bad and was not repaired.
    pub fn leaves_bad(&self) -> bool {
        self.copies.iter().any(CheckedCopy::is_left_bad)
    }

    /// Read from destinations.
    pub fn read_bytes(&self) -> u64 {
        self.copies
            .iter()
            .map(|copy| copy.read_bytes)
            .fold(0, u64::saturating_add)
    }
}

impl VerifyReport {
    /// What the run comes to.
    pub fn outcome(&self) -> Outcome {
        let achieved = self.verified.count(CheckedCopy::is_well) > 0;
        match self.ended {
            Ended::BySigint | Ended::BySigterm => Outcome::Interrupted,
            Ended::InFull | Ended::AtLimit if !self.errors.is_empty() => {
                if achieved {
                    Outcome::Partial
                } else {
                    Outcome::Failed
                }
            }
            Ended::InFull if self.verified.not_reached == 0 => Outcome::Ok,
            Ended::InFull | Ended::AtLimit => Outcome::Partial,
        }
    }
}
