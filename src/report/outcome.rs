//! What a run of `mirror` comes to, in one word.

use crate::model::outcome::CopyState;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::report::MirrorReport;

/// The one word for a run; the same in every rendering, and what its exit code follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that was asked is done and proved; for a dry run, could be.
    Ok,
    /// Something is done, or was before, and something failed or was not reached.
    Partial,
    /// Something failed and nothing is held.
    Failed,
    /// The run was told to stop.
    Interrupted,
}

impl Outcome {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

impl MirrorReport {
    /// What the run comes to.
    pub fn outcome(&self) -> Outcome {
        match self.ended {
            Ended::BySigint | Ended::BySigterm => Outcome::Interrupted,
            Ended::InFull | Ended::AtLimit => {
                if self.has_failures() {
                    if self.achieved_something() {
                        Outcome::Partial
                    } else {
                        Outcome::Failed
                    }
                } else if self.left_something_undone() {
                    Outcome::Partial
                } else {
                    Outcome::Ok
                }
            }
        }
    }

    /// Every failure: those of the run, then those that copies tell of; the same one may come twice.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let of_copies = self
            .backups
            .iter()
            .flat_map(|backup| &backup.copies)
            .filter_map(|copy| copy.failure.as_ref());
        self.errors.iter().chain(of_copies)
    }

    /// Whether anything failed, with or without a reason on record.
    pub fn has_failures(&self) -> bool {
        self.failures().next().is_some() || self.has_copy(CopyState::Failed)
    }

    /// Whether a limit, or the end of the run, came before the end of the work.
    pub fn left_something_undone(&self) -> bool {
        let verified = self.verified.as_ref();
        self.ended != Ended::InFull
            || self.has_copy(CopyState::NotReached)
            || verified.is_some_and(|verified| verified.not_reached > 0)
    }

    /// Whether any copy is held now, or would be after a real run.
    pub fn achieved_something(&self) -> bool {
        [
            CopyState::Mirrored,
            CopyState::AlreadyHeld,
            CopyState::WouldMirror,
        ]
        .into_iter()
        .any(|state| self.has_copy(state))
    }

    /// How many backups are in a state, each counted by the worst of its copies.
    pub fn backups_in(&self, state: CopyState) -> u64 {
        let count = self
            .backups
            .iter()
            .filter(|backup| backup.state() == state)
            .count();
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    fn has_copy(&self, state: CopyState) -> bool {
        self.backups
            .iter()
            .flat_map(|backup| &backup.copies)
            .any(|copy| copy.state == state)
    }
}
