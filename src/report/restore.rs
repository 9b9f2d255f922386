//! What a restore did, and what a server's sheet says.

use jiff::Timestamp;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::sidecar::Sidecar;
use crate::report::outcome::Outcome;

/// What one `restore` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Where to.
    pub target: RestoreTarget,
    /// Every backup that was to be restored.
    pub backups: Vec<RestoredBackup>,
    /// What else went wrong: destinations that could not be looked at, a ledger that could not be
    /// read. None of it kept a restored backup from being restored.
    pub errors: Vec<Failure>,
    /// Whether `backups` has all that was asked for.
    pub coverage: Coverage,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// Whether everything that was asked for could be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// It was.
    Whole,
    /// Some of the errors may stand for backups that nothing else tells of.
    MayLack,
}

/// Where a restore leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreTarget {
    /// What it is.
    pub kind: TargetKind,
    /// Which one, as typed or made absolute; without secrets.
    pub place: String,
}

/// What a restore leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A file.
    File,
    /// Standard output.
    Stdout,
    /// A folder that archives are unpacked into.
    Folder,
    /// A panel's backup disk.
    BackupDisk,
    /// A server of a panel.
    PanelServer,
}

impl TargetKind {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Stdout => "stdout",
            Self::Folder => "folder",
            Self::BackupDisk => "backup_disk",
            Self::PanelServer => "panel_server",
        }
    }
}

/// One backup that was to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredBackup {
    /// The panel it was made on.
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
    /// The archive's length, as recorded.
    pub bytes: u64,
    /// The archive's SHA-256, once it was proved.
    pub sha256: Option<String>,
    /// What became of it.
    pub state: RestoreState,
    /// Its copies, in the order in which they were considered.
    pub copies: Vec<CopyConsidered>,
    /// Why it is not restored, beyond what its copies tell.
    pub failure: Option<Failure>,
    /// Where it stands now, or what else there is to know, in plain words; a line each.
    pub notes: Vec<String>,
}

/// What became of a backup that was to be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreState {
    /// It is at the target, proved.
    Restored,
    /// What its notes do not name is at the target, proved.
    InPart,
    /// It was there before, and is the right one.
    AlreadyThere,
    /// It is not.
    Failed,
    /// The restore was told to stop before its turn came, or in the middle of it.
    NotReached,
}

impl RestoreState {
    /// The word used in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::InPart => "in_part",
            Self::AlreadyThere => "already_there",
            Self::Failed => "failed",
            Self::NotReached => "not_reached",
        }
    }

    /// Whether the backup is at the target now.
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Restored | Self::InPart | Self::AlreadyThere)
    }
}

/// One copy of a backup that was to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyConsidered {
    /// Its destination.
    pub destination: DestinationName,
    /// The destination's identity, without secrets.
    pub location: String,
    /// The archive's key below the destination's root.
    pub key: ObjectKey,
    /// Whether it is encrypted.
    pub sealing: Sealing,
    /// Why it stands where it does in the order, in plain words.
    pub why: String,
    /// What came of it.
    pub fate: CopyFate,
}

/// Whether a copy is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// It is the archive as the panel made it.
    Plain,
    /// It is encrypted.
    Encrypted,
}

/// What came of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFate {
    /// It was read and proved, and the restore is from it.
    Used,
    /// The node of a server fetched it, and the restore is from it: its length was checked, its digest
    /// was not.
    Fetched,
    /// It could not be read, or is not what it should be.
    PassedOver(Failure),
    /// One before it served.
    NotNeeded,
}

impl RestoredBackup {
    /// The copy that it was restored from.
    pub fn used(&self) -> Option<&CopyConsidered> {
        self.copies.iter().find(|copy| copy.fate == CopyFate::Used)
    }

    /// The copy that a node fetched for it, unproved.
    pub fn fetched(&self) -> Option<&CopyConsidered> {
        let is_it = |copy: &&CopyConsidered| copy.fate == CopyFate::Fetched;
        self.copies.iter().find(is_it)
    }

    /// Why copies were of no use, in the order in which they were considered.
    pub fn passed_over(&self) -> impl Iterator<Item = &Failure> {
        self.copies.iter().filter_map(|copy| match &copy.fate {
            CopyFate::PassedOver(failure) => Some(failure),
            CopyFate::Used | CopyFate::Fetched | CopyFate::NotNeeded => None,
        })
    }
}

impl RestoreReport {
    /// What the restore comes to.
    pub fn outcome(&self) -> Outcome {
        let there = |backup: &RestoredBackup| backup.state.is_there();
        let whole = |backup: &RestoredBackup| there(backup) && backup.state != RestoreState::InPart;
        let is_all = !self.backups.is_empty() && self.coverage == Coverage::Whole;
        match self.ended {
            Ended::BySigint | Ended::BySigterm => Outcome::Interrupted,
            Ended::InFull | Ended::AtLimit => {
                if is_all && self.backups.iter().all(whole) {
                    Outcome::Ok
                } else if self.backups.iter().any(there) {
                    Outcome::Partial
                } else {
                    Outcome::Failed
                }
            }
        }
    }

    /// Why backups are not restored: their own failures and those of their copies, then what else
    /// went wrong.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        let missed = self
            .backups
            .iter()
            .filter(|backup| !backup.state.is_there());
        missed
            .flat_map(|backup| backup.failure.iter().chain(backup.passed_over()))
            .chain(&self.errors)
    }
}

/// What a rebuild of one server needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetReport {
    /// When it was asked for.
    pub at: Timestamp,
    /// Where its newest sidecar was found.
    pub destination: DestinationName,
    /// The newest sidecar of the server.
    pub sidecar: Box<Sidecar>,
    /// Destinations and sidecars that could not be read, so that a newer one may be missed.
    pub errors: Vec<Failure>,
}
