//! What a drill found.

use jiff::Timestamp;

use crate::model::content::Structure;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::report::outcome::Outcome;

/// What one `restore --drill` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillReport {
    /// Its run, when it is recorded.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How many copies were to be taken.
    pub sample: u64,
    /// How many copies there are to choose from.
    pub held: u64,
    /// The copies that were taken.
    pub copies: Vec<DrilledCopy>,
    /// What else went wrong: there are no copies, destinations can't be looked at, the ledger can't be
    /// written.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// One copy that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrilledCopy {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name, for people.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// The backup's name, for people.
    pub name: String,
    /// When the panel's node reported the archive whole.
    pub completed_at: Timestamp,
    /// Where the copy is held.
    pub destination: DestinationName,
    /// Its key there.
    pub key: ObjectKey,
    /// The stored object's length.
    pub bytes: u64,
    /// What became of it.
    pub state: DrillState,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What the walk found, when there was one to the end.
    pub structure: Option<Structure>,
    /// What it must contain and does not.
    pub missing: Vec<String>,
    /// Why it failed.
    pub failure: Option<Failure>,
}

/// What became of a copy in a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrillState {
    /// Fetched, verified, unpacked and walked to its end; it holds what it must.
    Drilled,
    /// Encrypted, and there is no key for it: the stored object is what was recorded, and what is in it was
    /// not looked at.
    AtRest,
    /// It can't be restored from, or lacks something.
    Failed,
    /// The drill was told to stop before it was done.
    NotReached,
}

impl DrillState {
    /// The word used in `--json` and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drilled => "drilled",
            Self::AtRest => "at_rest",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }
}

impl DrillReport {
    /// How many copies came to this.
    pub fn count(&self, state: DrillState) -> u64 {
        let counted = self.copies.iter().filter(|copy| copy.state == state);
        counted.count() as u64
    }

    /// What the drill comes to.
    pub fn outcome(&self) -> Outcome {
        let failed = self.count(DrillState::Failed);
        let good = self.count(DrillState::Drilled) + self.count(DrillState::AtRest);
        match self.ended {
            Ended::BySigint | Ended::BySigterm => Outcome::Interrupted,
            Ended::InFull | Ended::AtLimit if good == 0 => Outcome::Failed,
            Ended::InFull | Ended::AtLimit if failed == 0 && self.errors.is_empty() => Outcome::Ok,
            Ended::InFull | Ended::AtLimit => Outcome::Partial,
        }
    }

    /// Everything that failed: copies first.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let of_copies = self.copies.iter().filter_map(|copy| copy.failure.as_ref());
        of_copies.chain(&self.errors)
    }
}
