//! What a plan says of copies whose removal an earlier run began.

use jiff::Timestamp;

use crate::model::ids::BackupId;
use crate::plan::prune::Refusal;
use crate::plan::prune::ServerPlan;

impl<T> ServerPlan<T> {
    /// Whether a removal of this backup's copy that was begun stays as it is, because the server is refused.
    ///
    /// That this very backup is the newest, and not held since its removal was begun, is no reason to leave
    /// it so: it is held again.
    pub fn leaves_begun(&self, begun: BackupId) -> bool {
        self.refusals.iter().any(|refusal| match refusal {
            Refusal::NewestNotMirrored { backup } => *backup != begun,
            Refusal::OldestNotVerified { .. } | Refusal::Suspicious(_) => true,
        })
    }
}

/// Whether a copy whose removal was begun would be the newest good one of its server, were it held: no held
/// one that is not from the future is newer. Ties go as in a plan.
pub fn would_be_newest(
    begun: (Timestamp, BackupId),
    held: impl IntoIterator<Item = (Timestamp, BackupId)>,
    now: Timestamp,
) -> bool {
    !held
        .into_iter()
        .any(|(created_at, backup)| created_at <= now && (created_at, backup) > begun)
}
