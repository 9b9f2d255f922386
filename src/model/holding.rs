//! What the ledger holds, in the shapes that `list` and `status` show.

use jiff::Timestamp;

use crate::model::backup::LockState;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Verdict;
use crate::model::content::Structure;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;
use crate::model::sidecar::Encryption;

/// Whether the panel still lists a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelPresence {
    /// It did when last looked at.
    Listed,
    /// It no longer does: rotated away or deleted.
    Vanished,
}

/// One verified copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCopy {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's short id.
    pub identifier: String,
    /// The server's name when last seen.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// The backup's name when last seen.
    pub backup_name: String,
    /// When the backup was asked for.
    pub created_at: Timestamp,
    /// When the panel's node reported the archive whole.
    pub completed_at: Timestamp,
    /// The panel's digest, as `algorithm:hex`.
    pub panel_checksum: Option<String>,
    /// Whether the panel still lists it.
    pub on_panel: PanelPresence,
    /// The destination.
    pub destination: DestinationName,
    /// The destination's identity: see `Destination::location`.
    pub location: String,
    /// The archive's key below the destination's root.
    pub key: ObjectKey,
    /// The archive's length.
    pub archive_bytes: u64,
    /// The archive's SHA-256.
    pub sha256: ContentDigest,
    /// The stored object's length.
    pub stored_bytes: u64,
    /// The stored object's SHA-256; differs from the archive's when encrypted.
    pub stored_sha256: ContentDigest,
    /// How the stored object is encrypted, if it is.
    pub encryption: Option<Encryption>,
    /// What the walk over the archive found, unless inspection was off.
    pub structure: Option<Structure>,
    /// The store's own mark of this version of the object, where it gave one.
    pub etag: Option<String>,
    /// What was proved when it was made.
    pub verdict: Verdict,
    /// When it became visible at its destination, by the sidecar's account and the ledger's.
    pub mirrored_at: Timestamp,
    /// When it was last read back and found right.
    pub verified_at: Option<Timestamp>,
    /// The mark that `nestegg keep` put on its backup, if any.
    pub kept: Option<Mark>,
    /// Whether the panel had the backup locked, by somebody else than a run of ours: when last listed, or by the
    /// sidecar's account when the copy was made.
    pub lock: LockState,
}

impl HeldCopy {
    /// By which fields two accounts of one copy differ: what is said of the archive, of the stored
    /// object, and of what was proved. Names change on the panel and are not compared, nor are times
    /// of recording and of reading back.
    pub fn differs_from(&self, other: &Self) -> Vec<&'static str> {
        [
            ("key", self.key == other.key),
            ("stored_bytes", self.stored_bytes == other.stored_bytes),
            ("stored_sha256", self.stored_sha256 == other.stored_sha256),
            ("bytes", self.archive_bytes == other.archive_bytes),
            ("sha256", self.sha256 == other.sha256),
            ("encryption", self.encryption == other.encryption),
            ("verdict", self.verdict == other.verdict),
            ("structure", self.structure == other.structure),
            (
                "panel_checksum",
                self.panel_checksum == other.panel_checksum,
            ),
            (
                "completed_at",
                self.completed_at.as_millisecond() == other.completed_at.as_millisecond(),
            ),
            ("etag", self.etag == other.etag),
        ]
        .into_iter()
        .filter(|(_field, is_same)| !is_same)
        .map(|(field, _is_same)| field)
        .collect()
    }

    /// Whether two accounts say the same of the mark that `nestegg keep` puts on its backup.
    pub fn is_marked_as(&self, other: &Self) -> bool {
        let said = |copy: &Self| {
            let mark = copy.kept.as_ref();
            mark.map(|mark| (mark.at.as_millisecond(), mark.reason.clone()))
        };
        said(self) == said(other)
    }

    /// The copy as another one can be made of it without opening it; `None` when it is not encrypted.
    pub fn sealed(&self) -> Option<SealedCopy> {
        self.encryption.as_ref().map(|encryption| SealedCopy {
            key: self.key.clone(),
            archive_bytes: self.archive_bytes,
            sha256: self.sha256.clone(),
            verdict: self.verdict,
            structure: self.structure,
            stored_bytes: self.stored_bytes,
            stored_sha256: self.stored_sha256.clone(),
            encryption: encryption.clone(),
        })
    }
}

/// An encrypted copy, and what is recorded of the archive inside: its bytes can be copied as they are,
/// and nothing of what they hold be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCopy {
    /// Its key below the destination's root.
    pub key: ObjectKey,
    /// The archive's length.
    pub archive_bytes: u64,
    /// The archive's SHA-256.
    pub sha256: ContentDigest,
    /// What was proved of the archive before it was encrypted.
    pub verdict: Verdict,
    /// What the walk over the archive found, unless inspection was off.
    pub structure: Option<Structure>,
    /// The age file's length.
    pub stored_bytes: u64,
    /// The age file's SHA-256.
    pub stored_sha256: ContentDigest,
    /// Who can open it.
    pub encryption: Encryption,
}

/// A completed backup that a destination lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingCopy {
    /// The backup.
    pub backup: BackupId,
    /// The backup's name when last seen.
    pub backup_name: String,
    /// When the panel's node reported the archive whole.
    pub completed_at: Timestamp,
    /// Why the last try failed; `None` when there was none yet.
    pub why: Option<String>,
}

/// What one destination holds of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationHolding {
    /// The destination.
    pub destination: DestinationName,
    /// How many verified copies.
    pub copies: u64,
    /// Their stored bytes together.
    pub stored_bytes: u64,
    /// The newest verified copy's backup time.
    pub newest_completed_at: Option<Timestamp>,
    /// Backups that were wanted there and are not, newest first.
    pub missing: Vec<MissingCopy>,
}

/// When the copies at one destination were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationVerified {
    /// The destination.
    pub destination: DestinationName,
    /// How many of its copies were never read back since they were made.
    pub never: u64,
    /// Of the others, when the one was that was verified the longest ago.
    pub oldest_verified_at: Option<Timestamp>,
}

/// How one server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHolding {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name when last seen.
    pub name: String,
    /// When a run last listed its backups.
    pub last_listed_at: Option<Timestamp>,
    /// Why the last run left it out, if it did.
    pub skipped_because: Option<String>,
    /// One entry a destination that holds or lacks something of it, by name.
    pub destinations: Vec<DestinationHolding>,
}

impl ServerHolding {
    /// The backup time of the newest verified copy, over all destinations.
    pub fn newest_completed_at(&self) -> Option<Timestamp> {
        self.destinations
            .iter()
            .filter_map(|holding| holding.newest_completed_at)
            .max()
    }
}
