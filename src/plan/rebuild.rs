//! What is to be done with a copy that a destination describes: record it, or leave it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::mark::Mark;

/// What a ledger has of one destination.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Its verified copies.
    pub held: BTreeMap<(ServerId, BackupId), HeldCopy>,
    /// Copies that were verified once and then found damaged.
    pub damaged: BTreeSet<(ServerId, BackupId)>,
    /// Copies that `prune` began to remove: what is there of them is no copy.
    pub being_removed: BTreeSet<(ServerId, BackupId)>,
}

impl Recorded {
    /// What is recorded of a destination: its copies, those that were found damaged, and those that are
    /// being removed.
    pub fn new(
        copies: Vec<HeldCopy>,
        damaged: BTreeSet<(ServerId, BackupId)>,
        being_removed: BTreeSet<(ServerId, BackupId)>,
    ) -> Self {
        Self {
            held: copies
                .into_iter()
                .map(|copy| ((copy.server, copy.backup), copy))
                .collect(),
            damaged,
            being_removed,
        }
    }
}

/// How a described copy stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The ledger does not have it.
    New,
    /// The ledger says the same of it.
    Known,
    /// The ledger says the same of it, and has no mark of `nestegg keep` where the sidecar has one.
    Unmarked(Mark),
    /// The ledger says something else: only reading the copy tells who is right.
    Differs(Vec<&'static str>),
    /// The ledger has it as damaged: a sidecar outlives the bytes that it describes.
    Damaged,
    /// `prune` began to remove it, and will finish.
    BeingRemoved,
}

/// How a copy that a destination describes stands in the ledger.
pub fn stand(described: &HeldCopy, recorded: &Recorded) -> Standing {
    let of = (described.server, described.backup);
    match recorded.held.get(&of) {
        Some(held) => match held.differs_from(described) {
            fields if fields.is_empty() => match (&held.kept, &described.kept) {
                (None, Some(mark)) => Standing::Unmarked(mark.clone()),
                (Some(_), _) | (None, None) => Standing::Known,
            },
            fields => Standing::Differs(fields),
        },
        None if recorded.being_removed.contains(&of) => Standing::BeingRemoved,
        None if recorded.damaged.contains(&of) => Standing::Damaged,
        None => Standing::New,
    }
}
