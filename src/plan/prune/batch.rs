//! What one run removes of all that the plans of servers say, when it may not remove everything.

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

/// What one run removes of all that the plans say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is removed until it is carried out"]
pub struct Batch<'p, T> {
    /// In this order: the oldest first over all servers.
    pub removals: Vec<&'p Prunable<T>>,
    /// How many are left for another run.
    pub left_over: u64,
}

/// Takes what one run may remove: the oldest over all servers.
pub fn cap<T>(plans: &[ServerPlan<T>], max_delete: MaxDelete) -> Batch<'_, T> {
    let mut removals: Vec<&Prunable<T>> = plans.iter().flat_map(ServerPlan::removals).collect();
    removals.sort_by_key(|copy| (copy.created_at, copy.backup));
    let room = match max_delete {
        MaxDelete::Unlimited => usize::MAX,
        MaxDelete::AtMost(most) => usize::try_from(most).unwrap_or(usize::MAX),
    };
    let left = removals.split_off(room.min(removals.len()));
    Batch {
        removals,
        left_over: u64::try_from(left.len()).unwrap_or(u64::MAX),
    }
}
