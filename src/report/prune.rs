//! What one run of `prune` planned and did, as data.

use jiff::Timestamp;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::plan::prune::Decision;
use crate::plan::prune::Reason;
use crate::plan::prune::Refusal;
use crate::report::outcome::Outcome;

/// What one run of `prune` planned and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneReport {
    /// The ledger's number for it; `None` for a mere plan.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Whether the plan was carried out.
    pub mode: Mode,
    /// One entry a destination that could be opened, as they are configured.
    pub places: Vec<PrunedPlace>,
    /// How many copies one run may remove.
    pub max_delete: Option<usize>,
    /// Failures of any scope; those of copies included.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedPlace {
    /// The destination.
    pub destination: DestinationName,
    /// Whether any policy is about its copies.
    pub thinning: Thinning,
    /// Why it could not be looked at, where there is something to do: nothing was done then.
    pub given_up: Option<Failure>,
    /// Removals that an earlier run began.
    pub begun: Vec<BegunCopy>,
    /// One entry a server that it holds something of.
    pub servers: Vec<PrunedServer>,
}

/// Whether any policy is about the copies at a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinning {
    /// One is.
    ByPolicy,
    /// None is: all of them stay.
    None,
}

/// One server at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedServer {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name when last seen.
    pub name: String,
    /// Why nothing of it is removed, whatever its policy says; empty when nothing stands against it.
    pub refusals: Vec<Refusal>,
    /// Every held copy, newest first.
    pub copies: Vec<PrunedCopy>,
}

/// One copy that was held when the run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedCopy {
    /// The backup.
    pub backup: BackupId,
    /// The backup's name when last seen.
    pub name: String,
    /// The archive's key below the destination's root.
    pub key: ObjectKey,
    /// When the backup was asked for.
    pub created_at: Timestamp,
    /// The stored object's length.
    pub stored_bytes: u64,
    /// What the policy says of it.
    pub decision: Decision,
    /// What became of it.
    pub became: Became,
}

/// One copy whose removal an earlier run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunCopy {
    /// The server's name when last seen.
    pub server_name: String,
    /// The archive's key below the destination's root; it tells server and backup.
    pub key: ObjectKey,
    /// The stored object's length.
    pub stored_bytes: u64,
    /// When the removal was noted.
    pub intended_at: Timestamp,
    /// What became of it.
    pub became: Became,
}

/// What became of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It stays: the policy keeps it, or something that no policy overrules.
    Kept,
    /// It would be removed if the plan were carried out.
    WouldGo,
    /// It would be removed, and its server was refused.
    Refused,
    /// It is removed.
    Removed,
    /// It was to be removed, and stays after all.
    Spared(Reason),
    /// It could not be removed.
    Failed(Failure),
    /// The limit was reached, the run told to stop, or the destination given up, before its turn came.
    NotReached,
}

impl Became {
    /// The word used in output.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Kept => "keep",
            Self::WouldGo => "remove",
            Self::Refused => "refused",
            Self::Removed => "removed",
            Self::Spared(_) => "spared",
            Self::Failed(_) => "failed",
            Self::NotReached => "not reached",
        }
    }

    /// The word used in `--json`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::WouldGo => "would_remove",
            Self::NotReached => "not_reached",
            Self::Refused | Self::Removed | Self::Spared(_) | Self::Failed(_) => self.as_str(),
        }
    }
}

/// Copies counted by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneSums {
    /// All.
    pub copies: u64,
    /// Those that stay, spared ones included.
    pub kept: u64,
    /// Those that would be removed.
    pub would_go: u64,
    /// Those that would be removed if their server were not refused.
    pub refused: u64,
    /// Those that are removed.
    pub removed: u64,
    /// Those that were to be removed, and stay after all.
    pub spared: u64,
    /// Those that could not be removed.
    pub failed: u64,
    /// Those whose turn did not come.
    pub not_reached: u64,
    /// What the removed ones took, or those that would be removed.
    pub freed_bytes: u64,
}

impl PruneSums {
    fn add(&mut self, became: &Became, stored_bytes: u64) {
        self.copies += 1;
        match became {
            Became::Kept => self.kept += 1,
            Became::WouldGo => self.would_go += 1,
            Became::Refused => self.refused += 1,
            Became::Removed => self.removed += 1,
            Became::Spared(_) => {
                self.kept += 1;
                self.spared += 1;
            }
            Became::Failed(_) => self.failed += 1,
            Became::NotReached => self.not_reached += 1,
        }
        if matches!(became, Became::WouldGo | Became::Removed) {
            self.freed_bytes = self.freed_bytes.saturating_add(stored_bytes);
        }
    }
}

impl PrunedServer {
    /// Its copies counted.
    pub fn sums(&self) -> PruneSums {
        let mut sums = PruneSums::default();
        for copy in &self.copies {
            sums.add(&copy.became, copy.stored_bytes);
        }
        sums
    }
}

impl PruneReport {
    /// All copies counted, those included whose removal was begun before.
    pub fn sums(&self) -> PruneSums {
        let mut sums = PruneSums::default();
        for place in &self.places {
            for begun in &place.begun {
                sums.add(&begun.became, begun.stored_bytes);
            }
            let copies = place.servers.iter().flat_map(|server| &server.copies);
            for copy in copies {
                sums.add(&copy.became, copy.stored_bytes);
            }
        }
        sums
    }

    /// How many servers were refused, each destination counted by itself.
    pub fn refused_servers(&self) -> u64 {
        let servers = self.places.iter().flat_map(|place| &place.servers);
        let refused = servers.filter(|server| !server.refusals.is_empty()).count();
        u64::try_from(refused).unwrap_or(u64::MAX)
    }

    /// What the run comes to.
    pub fn outcome(&self) -> Outcome {
        let sums = self.sums();
        let is_hindered = !self.errors.is_empty() || self.refused_servers() > 0;
        let none_seen = self.places.iter().all(|place| place.given_up.is_some());
        let is_vain = !self.errors.is_empty() && (none_seen || sums.copies == 0);
        match self.ended {
            Ended::BySigint | Ended::BySigterm => Outcome::Interrupted,
            Ended::InFull | Ended::AtLimit if is_vain => Outcome::Failed,
            Ended::InFull if !is_hindered && sums.not_reached == 0 => Outcome::Ok,
            Ended::InFull | Ended::AtLimit => Outcome::Partial,
        }
    }
}
