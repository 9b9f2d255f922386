//! Which copies of one server at one destination a retention policy removes, and whether it may, decided
//! before anything is touched (design section 8).

mod batch;
mod begun;

use std::cmp::Reverse;
use std::fmt;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::retention::KeepPolicy;
use crate::model::retention::KeepReason;
use crate::model::suspicion::Suspicion;

pub use crate::plan::prune::batch::Batch;
pub use crate::plan::prune::batch::MaxDelete;
pub use crate::plan::prune::batch::cap;
pub use crate::plan::prune::begun::would_be_newest;

/// A held copy that a policy could remove; `T` says which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prunable<T> {
    /// Which one.
    pub copy: T,
    /// The backup.
    pub backup: BackupId,
    /// When the backup was asked for: what policies go by.
    pub created_at: Timestamp,
    /// The stored object's length: what removing it frees.
    pub stored_bytes: u64,
    /// When it was last proved right: read back, or else made.
    pub proved_at: Timestamp,
    /// Whether the panel has it locked, or had when it vanished from there.
    pub lock: LockState,
    /// Whether an operator keeps it.
    pub mark: Mark,
    /// Whether the store keeps it.
    pub store: StoreRetention,
}

/// Whether an operator keeps the copies of a backup (`nestegg keep`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// Not.
    None,
    /// So it is.
    Kept {
        /// Why, in the operator's words.
        reason: Option<String>,
    },
}

/// Whether an object store refuses to delete an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreRetention {
    /// It says nothing of that.
    None,
    /// It does before then.
    Until(Timestamp),
    /// It does, and does not say for how long: a legal hold, for one.
    WithoutDate,
    /// It could not be asked: the object stays until it was.
    NotAsked,
}

/// All that decides about one server at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts<T> {
    /// Its held copies there, in any order.
    pub copies: Vec<Prunable<T>>,
    /// Its newest completed backups among those that the panel still lists and those held there, which
    /// have to be held there: see [`newest`].
    pub newest: Vec<BackupId>,
    /// What is suspicious about its newest archive.
    pub suspicion: Option<Suspicion>,
}

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes<'p> {
    /// The policy for this server at this destination.
    pub policy: &'p KeepPolicy,
    /// How long ago the oldest copy that is kept may have been proved right.
    pub verify_within: SignedDuration,
}

/// Why a copy is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The policy says so.
    Policy(KeepReason),
    /// It is the newest held; or the newest whose backup is not from the future, since the clock that gave
    /// the others their times can't be believed.
    Newest,
    /// The panel has it locked.
    Locked,
    /// An operator keeps it.
    KeptByHand {
        /// Why, in the operator's words.
        reason: Option<String>,
    },
    /// The store does not let go of it before then.
    RetainedUntil(Timestamp),
    /// The store does not let go of it, and does not say until when.
    Retained,
}

impl Reason {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Policy(_) => "policy",
            Self::Newest => "newest",
            Self::Locked => "locked",
            Self::KeptByHand { .. } => "kept_by_hand",
            Self::RetainedUntil(_) | Self::Retained => "retained_by_store",
        }
    }
}

/// For people; the operator's own words are not among it, since they are untrusted text.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(reason) => reason.fmt(f),
            Self::Newest => f.write_str("newest"),
            Self::Locked => f.write_str("locked"),
            Self::KeptByHand { .. } => f.write_str("kept by hand"),
            Self::RetainedUntil(at) => write!(f, "under the store's retention until {at:.0}"),
            Self::Retained => f.write_str("under the store's retention"),
        }
    }
}

/// What becomes of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It stays, for these reasons; there is at least one.
    Keep(Vec<Reason>),
    /// It goes: no rule keeps it.
    Remove,
}

impl Decision {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Keep(_) => "keep",
            Self::Remove => "remove",
        }
    }
}

/// The reasons, for people.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(reasons) => {
                for (number, reason) in reasons.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{reason}")?;
                }
                Ok(())
            }
            Self::Remove => f.write_str("no rule keeps it"),
        }
    }
}

/// A copy and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned<T> {
    /// The copy.
    pub copy: Prunable<T>,
    /// What becomes of it, unless the whole server is refused or its store could not be asked about it.
    pub decision: Decision,
}

/// Why nothing of a server is removed at a destination, whatever the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Its newest completed backup is not held there.
    NewestNotMirrored {
        /// The backup.
        backup: BackupId,
    },
    /// The oldest copy that would be kept was not proved right lately.
    OldestNotVerified {
        /// The backup.
        backup: BackupId,
        /// When it last was.
        proved_at: Timestamp,
        /// Within what it was to be.
        verify_within: SignedDuration,
    },
    /// Its newest archive looks as if something had gone wrong.
    Suspicious(Suspicion),
}

impl Refusal {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NewestNotMirrored { .. } => "newest_not_mirrored",
            Self::OldestNotVerified { .. } => "oldest_not_verified",
            Self::Suspicious(_) => "suspicious",
        }
    }

    /// What the operator can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NewestNotMirrored { .. } => {
                "run `nestegg mirror` first, and see why it fails if it does; what prune removed there comes back by `nestegg mirror --backup UUID`"
            }
            Self::OldestNotVerified { .. } => {
                "run `nestegg verify` over the copies of this server, or raise `verify_within` in `[prune]`"
            }
            Self::Suspicious(_) => {
                "look at the server and the archive; if they are as they should be, run `nestegg accept` for the backup"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewestNotMirrored { backup } => {
                write!(
                    f,
                    "its newest completed backup {backup} is not mirrored there"
                )
            }
            Self::OldestNotVerified {
                backup,
                proved_at,
                verify_within,
            } => write!(
                f,
                "the oldest copy it would keep, of backup {backup}, was last verified at {proved_at:.0}, \
                 which is not within {verify_within:#}"
            ),
            Self::Suspicious(suspicion) => suspicion.fmt(f),
        }
    }
}

/// What is to be done about one server at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a plan does nothing until it is carried out"]
pub struct ServerPlan<T> {
    /// Every held copy, newest first, and what the policy says of it.
    pub copies: Vec<Planned<T>>,
    /// Why none of them is removed for all that; empty when the policy is carried out.
    pub refusals: Vec<Refusal>,
}

impl<T> ServerPlan<T> {
    /// Whether no copy is removed, whatever the policy says.
    pub const fn is_refused(&self) -> bool {
        !self.refusals.is_empty()
    }

    /// The copies that are removed, oldest first; none when the server is refused. What the store could not
    /// be asked about is left out.
    pub fn removals(&self) -> impl Iterator<Item = &Prunable<T>> {
        let refused = self.is_refused();
        let oldest_first = self.copies.iter().rev();
        oldest_first
            .filter(move |planned| !refused && planned.decision == Decision::Remove)
            .filter(|planned| planned.copy.store != StoreRetention::NotAsked)
            .map(|planned| &planned.copy)
    }

    /// What is freed by removing them.
    pub fn freed_bytes(&self) -> u64 {
        self.removals()
            .map(|copy| copy.stored_bytes)
            .fold(0, u64::saturating_add)
    }
}

/// The newest of a server's completed backups by `created_at`, and where that is from the future, the newest
/// that is not too: a panel whose clock was wrong once would else hide all that came after.
pub fn newest(
    completed: impl IntoIterator<Item = (BackupId, Timestamp)>,
    now: Timestamp,
) -> Vec<BackupId> {
    let mut overall: Option<(Timestamp, BackupId)> = None;
    let mut past: Option<(Timestamp, BackupId)> = None;
    for (backup, created_at) in completed {
        let this = Some((created_at, backup));
        overall = overall.max(this);
        if created_at <= now {
            past = past.max(this);
        }
    }
    let past = past.filter(|past| Some(*past) != overall);
    overall
        .into_iter()
        .chain(past)
        .map(|(_, backup)| backup)
        .collect()
}

/// Decides what becomes of every copy of one server at one destination.
///
/// Of two backups of the same instant the one with the greater id is taken for the newer, so that a plan
/// is always the same. A server of which nothing is held there has nothing to refuse, and neither has one
/// without a policy: all of it stays as it is.
pub fn plan<T>(
    facts: Facts<T>,
    wishes: Wishes<'_>,
    now: Timestamp,
    zone: &TimeZone,
) -> ServerPlan<T> {
    let mut copies = facts.copies;
    copies.sort_by_key(|copy| Reverse((copy.created_at, copy.backup)));

    let held_newest = newest(
        copies.iter().map(|copy| (copy.backup, copy.created_at)),
        now,
    );
    let made: Vec<Timestamp> = copies.iter().map(|copy| copy.created_at).collect();
    let by_policy = wishes.policy.reasons(&made, now, zone);
    let copies: Vec<Planned<T>> = copies
        .into_iter()
        .zip(by_policy)
        .map(|(copy, by_policy)| {
            let decision = decide(&copy, by_policy, &held_newest, now);
            Planned { copy, decision }
        })
        .collect();

    let refusals = if wishes.policy.is_empty() {
        Vec::new()
    } else {
        refusals(&copies, &facts.newest, facts.suspicion, wishes, now)
    };
    ServerPlan { copies, refusals }
}

fn decide<T>(
    copy: &Prunable<T>,
    by_policy: Vec<KeepReason>,
    newest: &[BackupId],
    now: Timestamp,
) -> Decision {
    let mut reasons: Vec<Reason> = by_policy.into_iter().map(Reason::Policy).collect();
    if newest.contains(&copy.backup) {
        reasons.push(Reason::Newest);
    }
    match copy.lock {
        LockState::Locked => reasons.push(Reason::Locked),
        LockState::Unlocked => {}
    }
    match &copy.mark {
        Mark::Kept { reason } => reasons.push(Reason::KeptByHand {
            reason: reason.clone(),
        }),
        Mark::None => {}
    }
    match copy.store {
        StoreRetention::Until(until) if until > now => reasons.push(Reason::RetainedUntil(until)),
        StoreRetention::WithoutDate => reasons.push(Reason::Retained),
        StoreRetention::None | StoreRetention::Until(_) | StoreRetention::NotAsked => {}
    }
    if reasons.is_empty() {
        Decision::Remove
    } else {
        Decision::Keep(reasons)
    }
}

fn refusals<T>(
    newest_first: &[Planned<T>],
    newest: &[BackupId],
    suspicion: Option<Suspicion>,
    wishes: Wishes<'_>,
    now: Timestamp,
) -> Vec<Refusal> {
    let mut kept = newest_first
        .iter()
        .rev()
        .filter(|planned| planned.decision != Decision::Remove);
    let Some(oldest) = kept.next().map(|planned| &planned.copy) else {
        return Vec::new();
    };
    let not_mirrored = newest
        .iter()
        .filter(|backup| {
            !newest_first
                .iter()
                .any(|planned| planned.copy.backup == **backup)
        })
        .map(|backup| Refusal::NewestNotMirrored { backup: *backup });
    let since_proved = now.duration_since(oldest.proved_at);
    let not_verified =
        (since_proved > wishes.verify_within).then_some(Refusal::OldestNotVerified {
            backup: oldest.backup,
            proved_at: oldest.proved_at,
            verify_within: wishes.verify_within,
        });
    not_mirrored
        .chain(not_verified)
        .chain(suspicion.map(Refusal::Suspicious))
        .collect()
}

#[cfg(test)]
mod tests;
