//! What one run removes of all that the plans of servers say, when it may not remove everything.

use crate::plan::prune::Begun;
use crate::plan::prune::Prunable;
use crate::plan::prune::ServerPlan;

/// How many copies one run may remove (`--max-delete`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDelete {
    /// As many as the policies say.
    Unlimited,
    /// So many at most, over all servers and destinations.
    AtMost(u64),
}

/// One copy to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal<'p, T> {
    /// It was begun by an earlier run.
    Begun(&'p Begun<T>),
    /// The policy says so.
    Planned(&'p Prunable<T>),
}

impl<T> Removal<'_, T> {
    /// Which copy.
    pub const fn copy(&self) -> &T {
        match self {
            Self::Begun(begun) => &begun.copy,
            Self::Planned(copy) => &copy.copy,
        }
    }

    /// What removing it frees.
    pub const fn stored_bytes(&self) -> u64 {
        match self {
            Self::Begun(begun) => begun.stored_bytes,
            Self::Planned(copy) => copy.stored_bytes,
        }
    }
}

/// What one run removes of all that the plans say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is removed until it is carried out"]
pub struct Batch<'p, T> {
    /// In this order: what was begun before, then the oldest first over all servers.
    pub removals: Vec<Removal<'p, T>>,
    /// How many are left for another run.
    pub left_over: u64,
    /// Their stored bytes together.
    pub left_over_bytes: u64,
}

/// Takes what one run may remove: what was begun first, then the oldest over all servers.
pub fn cap<T>(plans: &[ServerPlan<T>], max_delete: MaxDelete) -> Batch<'_, T> {
    let mut begun: Vec<&Begun<T>> = plans.iter().flat_map(|plan| &plan.begun).collect();
    begun.sort_by_key(|begun| (begun.created_at, begun.backup));
    let mut planned: Vec<&Prunable<T>> = plans.iter().flat_map(ServerPlan::removals).collect();
    planned.sort_by_key(|copy| (copy.created_at, copy.backup));
    let mut removals: Vec<Removal<'_, T>> = begun
        .into_iter()
        .map(Removal::Begun)
        .chain(planned.into_iter().map(Removal::Planned))
        .collect();
    let room = match max_delete {
        MaxDelete::Unlimited => usize::MAX,
        MaxDelete::AtMost(most) => usize::try_from(most).unwrap_or(usize::MAX),
    };
    let left = removals.split_off(room.min(removals.len()));
    Batch {
        removals,
        left_over: u64::try_from(left.len()).unwrap_or(u64::MAX),
        left_over_bytes: left
            .iter()
            .map(Removal::stored_bytes)
            .fold(0, u64::saturating_add),
    }
}
