//! What the panel's database holds.

use jiff::Timestamp;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;

use super::super::archive::Archive;

/// A server; every field may be changed at any time with [`super::FakePanel::edit_server`].
#[derive(Debug, Clone)]
pub struct ServerRow {
    /// By which tests name it.
    pub id: ServerId,
    /// The uuid as sent; the id unless a test makes it something hostile.
    pub wire_uuid: String,
    /// The row id.
    pub number: u64,
    /// The name as sent.
    pub name: String,
    /// Free text.
    pub description: String,
    /// The node's name.
    pub node: String,
    /// The startup command as sent.
    pub invocation: String,
    /// The container image.
    pub image: String,
    /// Startup variables: shown name, name in the environment, value.
    pub variables: Vec<(String, String, String)>,
    /// What the key's owner is to it.
    pub access: Access,
    /// Whether backup calls are open.
    pub condition: Condition,
    /// `feature_limits.backups`.
    pub backup_limit: u64,
    /// How its backups are paged.
    pub listing: Listing,
    /// `limits.disk` in MiB; 0 is no limit.
    pub disk_mib: u64,
    /// `sftp_details`.
    pub sftp: (String, u16),
}

/// What the owner of the key is to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Its owner.
    Owner,
    /// A subuser with these permissions, such as `backup.read`.
    Subuser(Vec<String>),
    /// A stranger: 404 everywhere, unless an administrator.
    Stranger,
}

/// The state gate of `panel-contract.md` section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Open to backup calls.
    Ready,
    /// 409.
    Suspended,
    /// 409.
    Installing,
    /// 409, with the words of `Installing`.
    InstallFailed,
    /// 409.
    Restoring,
    /// 409.
    Transferring,
    /// 409.
    NodeMaintenance,
}

/// How the backups of a server are paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// As a panel does.
    Ordinary,
    /// Every page is full of rows never seen before, and says that there is one more.
    Endless,
    /// Every page is the first one, and says that there is one more.
    Repeating,
}

/// A backup; every field may be changed at any time with [`super::FakePanel::edit`].
#[derive(Debug, Clone)]
pub struct BackupRow {
    /// By which tests name it.
    pub id: BackupId,
    /// Whose it is.
    pub server: ServerId,
    /// The uuid as sent and as asked for in paths; the id unless a test makes it something hostile.
    pub wire_uuid: String,
    /// The name as sent.
    pub name: String,
    /// The patterns as sent.
    pub ignored_files: Vec<String>,
    /// Where it stands.
    pub stage: Stage,
    /// Protected from deletion.
    pub is_locked: bool,
    /// Who asked for it; only Pelican tells.
    pub origin: Origin,
    /// What is said about its content once it is completed.
    pub checksum: Checksum,
    /// The length that is said once it is completed.
    pub bytes: u64,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was completed or failed; not shown while it is in progress.
    pub completed_at: Timestamp,
    /// Where the archive lies.
    pub disk: Disk,
    /// The bytes on that disk; half-written ones while in progress, none when the file is gone.
    pub archive: Option<Archive>,
    /// What becomes of it after so many more reads of the row.
    pub(super) outlook: Option<Outlook>,
}

/// Where a backup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The node still writes it.
    InProgress,
    /// There is none and there will be none.
    Failed,
    /// Whole, says the node.
    Completed,
}

/// Who asked for a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person or a key.
    Asked,
    /// A schedule.
    Scheduled,
}

/// What a panel says about the content of a completed backup.
#[derive(Debug, Clone, PartialEq)]
pub enum Checksum {
    /// The digests of an archive, in the dialect's own form.
    Digests {
        /// Lower-case hex.
        sha1: String,
        /// Lower-case hex.
        sha256: String,
    },
    /// This, whatever it is.
    Verbatim(Value),
}

impl Checksum {
    /// What an honest node reports.
    pub fn of(archive: &Archive) -> Self {
        Self::Digests {
            sha1: archive.sha1().to_owned(),
            sha256: archive.sha256().to_owned(),
        }
    }
}

/// What `…/lock` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// The other way round, as real panels have it.
    Toggle,
    /// On; off is `…/unlock`, in the documented dialect alone.
    On,
    /// Nothing, whatever is answered.
    Stuck,
}

/// Where an archive lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// On the node: single-use links.
    Node,
    /// In the panel's bucket: presigned links.
    S3,
    /// On a disk whose driver the panel no longer knows: no links.
    Unknown,
}

/// What becomes of a backup that is in progress.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    /// How many more reads show it in progress.
    pub(super) reads_left: u32,
    /// The archive that it is completed with; without one it fails.
    pub(super) archive: Option<Archive>,
}

impl BackupRow {
    /// Makes it a completed backup with this archive.
    pub fn complete(&mut self, archive: Archive) {
        self.stage = Stage::Completed;
        self.bytes = archive.len();
        self.checksum = Checksum::of(&archive);
        self.archive = Some(archive);
        self.outlook = None;
    }

    /// Makes it a failed one; panels unlock those.
    pub fn fail(&mut self) {
        self.stage = Stage::Failed;
        self.is_locked = false;
        self.archive = None;
        self.outlook = None;
    }

    /// Somebody reads the row; returns it as that reader sees it.
    pub(super) fn read(&mut self) -> &Self {
        if let Some(outlook) = &mut self.outlook {
            if outlook.reads_left > 0 {
                outlook.reads_left -= 1;
            } else {
                match outlook.archive.take() {
                    Some(archive) => self.complete(archive),
                    None => self.fail(),
                }
            }
        }
        self
    }
}
