//! What is to be done with a copy that a destination describes: record it, or leave it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;

/// What a ledger has of one destination.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Its verified copies.
    pub held: BTreeMap<(ServerId, BackupId), HeldCopy>,
    /// Copies that were verified once and then found damaged.
    pub damaged: BTreeSet<(ServerId, BackupId)>,
}

impl Recorded {
    /// What is recorded of a destination: its copies, and those that were found damaged.
    pub fn new(copies: Vec<HeldCopy>, damaged: BTreeSet<(ServerId, BackupId)>) -> Self {
        Self {
            held: copies
                .into_iter()
                .map(|copy| ((copy.server, copy.backup), copy))
                .collect(),
            damaged,
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
    /// The ledger says something else: only reading the copy tells who is right.
    Differs(Vec<&'static str>),
    /// The ledger has it as damaged: a sidecar outlives the bytes that it describes.
    Damaged,
}

/// How a copy that a destination describes stands in the ledger.
pub fn stand(described: &HeldCopy, recorded: &Recorded) -> Standing {
    let of = (described.server, described.backup);
    match recorded.held.get(&of) {
        Some(held) => match held.differs_from(described) {
            fields if fields.is_empty() => Standing::Known,
            fields => Standing::Differs(fields),
        },
        None if recorded.damaged.contains(&of) => Standing::Damaged,
        None => Standing::New,
    }
}
