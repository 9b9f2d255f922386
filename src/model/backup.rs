//! The panel's record of one archive.

use std::fmt;

use jiff::Timestamp;

use crate::model::checksum::Algorithm;
use crate::model::checksum::BadDigest;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::PanelChecksum;
use crate::model::checksum::Verdict;
use crate::model::ids::BackupId;

/// A backup, in one of the three states that a panel's fields can say
/// (`panel-contract.md` section 3; `documented-api.md` adds the null forms).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backup {
    /// The node is still writing the archive, or the panel still waits for it.
    Pending(BackupRecord),
    /// There is no archive and there will be none.
    Failed(BackupRecord),
    /// There is an archive to take.
    Completed(CompletedBackup),
}

impl Backup {
    /// The fields that every state has.
    pub const fn record(&self) -> &BackupRecord {
        match self {
            Self::Pending(record) | Self::Failed(record) => record,
            Self::Completed(backup) => &backup.record,
        }
    }

    /// The same, to be changed.
    pub const fn record_mut(&mut self) -> &mut BackupRecord {
        match self {
            Self::Pending(record) | Self::Failed(record) => record,
            Self::Completed(backup) => &mut backup.record,
        }
    }
}

/// The fields that a backup has in every state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRecord {
    /// Unique over the panel.
    pub id: BackupId,
    /// Free text; may repeat, may change, never part of a key.
    pub name: String,
    /// Protected from the panel's own rotation.
    pub is_locked: bool,
    /// The patterns that the archive leaves out.
    pub ignored_files: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// A backup that the panel says is whole; the planner takes nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedBackup {
    /// The fields of every backup.
    pub record: BackupRecord,
    /// The archive's length as the panel says it.
    pub archive_bytes: u64,
    /// What the panel says about its content.
    pub checksum: PanelChecksum,
    /// When the node reported it whole.
    pub completed_at: Timestamp,
}

/// Whether a backup is protected from the panel's own rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockState {
    /// It is.
    Locked,
    /// It is not.
    Unlocked,
}

impl LockState {
    /// That of a backup as the panel gave it.
    pub const fn of(backup: &Backup) -> Self {
        if backup.record().is_locked {
            Self::Locked
        } else {
            Self::Unlocked
        }
    }
}

impl fmt::Display for LockState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
        })
    }
}

/// What keeps a backup from vanishing while it is copied (`protect` under `[mirror]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protect {
    /// Nothing does: the panel's own rotation may take it.
    Nothing,
    /// A lock on the panel, which is taken off afterwards.
    Lock,
}

impl Protect {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Lock => "lock",
        }
    }
}

/// How much a panel's checksums are believed (`panel.checksum` in the configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumPolicy {
    /// A digest, where there is one, must match.
    Panel,
    /// This panel's digests are known not to be the archive's: go by length and structure.
    Structure,
}

/// Whether a backup without a digest is kept (`--require-checksum`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestNeed {
    /// Kept with the verdict `structure`.
    Optional,
    /// Refused.
    Required,
}

/// What the bytes of a transfer must turn out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedContent {
    /// The length; unknown where the daemon's scheme is no digest of the archive.
    pub length_bytes: Option<u64>,
    /// The digest, or proof by structure.
    pub proof: ExpectedProof,
}

/// What must hold besides the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedProof {
    /// This digest.
    Digest(ContentDigest),
    /// A right gzip trailer and a tar that reaches its end; inspection can't be switched off.
    Structure,
}

impl ExpectedProof {
    /// The verdict that holds once it is proved.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Digest(digest) => Verdict::of(digest.algorithm()),
            Self::Structure => Verdict::Structure,
        }
    }

    /// The algorithm to compute besides our own SHA-256.
    pub fn second_algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Digest(digest) if digest.algorithm() != Algorithm::Sha256 => {
                Some(digest.algorithm())
            }
            Self::Digest(_) | Self::Structure => None,
        }
    }
}

/// Why a completed backup is not taken at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The checksum names a known scheme and holds no value of it.
    #[error("the panel's checksum is malformed: {0}")]
    Malformed(BadDigest),
    /// A digest is required and there is none.
    #[error("the panel gives no digest of this archive, and one is required")]
    NoDigest,
}

impl CompletedBackup {
    /// What its bytes must turn out to be, under the operator's policy (design section 5).
    ///
    /// # Errors
    /// [`Refusal`] when no transfer of it could be kept.
    pub fn expected(
        &self,
        policy: ChecksumPolicy,
        need: DigestNeed,
    ) -> Result<ExpectedContent, Refusal> {
        let known = Some(self.archive_bytes);
        let by_structure = |length_bytes| match need {
            DigestNeed::Required => Err(Refusal::NoDigest),
            DigestNeed::Optional => Ok(ExpectedContent {
                length_bytes,
                proof: ExpectedProof::Structure,
            }),
        };
        match (&self.checksum, policy) {
            (PanelChecksum::Malformed(bad), ChecksumPolicy::Panel) => {
                Err(Refusal::Malformed(bad.clone()))
            }
            (PanelChecksum::Digest(digest), ChecksumPolicy::Panel) => Ok(ExpectedContent {
                length_bytes: known,
                proof: ExpectedProof::Digest(digest.clone()),
            }),
            (PanelChecksum::Opaque { .. }, ChecksumPolicy::Panel | ChecksumPolicy::Structure) => {
                by_structure(None)
            }
            (PanelChecksum::Absent, ChecksumPolicy::Panel | ChecksumPolicy::Structure)
            | (PanelChecksum::Digest(_) | PanelChecksum::Malformed(_), ChecksumPolicy::Structure) => {
                by_structure(known)
            }
        }
    }
}

/// Whether a panel's listing of a server's backups was seen whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingSeen {
    /// Every row: what is not in it is no longer on the panel.
    Whole,
    /// It moved while it was read, or a row makes no sense: what is not in it may still be there.
    Partial,
}
