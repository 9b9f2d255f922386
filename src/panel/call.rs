//! What is asked of a panel, and what may answer in its stead; both are words of errors.

use std::fmt;

use crate::model::ids::BackupId;
use crate::model::ids::ServerId;

/// What was asked of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `GET /api/client`.
    ListServers,
    /// `GET …/servers/{id}`; the id is path-safe.
    ReadServer(String),
    /// `GET …/backups`.
    ListBackups(ServerId),
    /// `GET …/backups/{uuid}`.
    ReadBackup(BackupId),
    /// `GET …/backups/{uuid}/download`.
    MintLink(BackupId),
    /// `POST …/backups`.
    CreateBackup(ServerId),
    /// `DELETE …/backups/{uuid}`.
    DeleteBackup(BackupId),
    /// `POST …/backups/{uuid}/lock`, which locks or unlocks.
    ToggleLock(BackupId),
    /// `POST …/backups/{uuid}/restore`.
    RestoreBackup(BackupId),
    /// `GET …/activity`.
    ReadActivity(ServerId),
    /// `GET /api/client/account`.
    ReadAccount,
    /// `GET …/servers/{uuid}`, for what a restore must know of it.
    ReadHosting(ServerId),
    /// `GET …/resources`.
    ReadResources(ServerId),
    /// `POST …/power`.
    Power(ServerId, Signal),
    /// `GET …/files/list`.
    ListFiles(ServerId),
    /// `GET …/files/upload`.
    MintUploadLink(ServerId),
    /// `POST …/files/pull`.
    Pull(ServerId),
    /// `POST …/files/decompress`.
    Decompress(ServerId),
    /// `POST …/files/delete`.
    DeleteFiles(ServerId),
    /// `POST …/files/write`.
    WriteNote(ServerId),
}

/// What a server is told; never `kill`, which can cost what the game has not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Start.
    Start,
    /// Stop, in the way that its egg says.
    Stop,
}

impl Signal {
    /// The word sent.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ListServers => f.write_str("list the servers"),
            Self::ReadServer(id) => write!(f, "read server {id}"),
            Self::ListBackups(id) => write!(f, "list the backups of server {id}"),
            Self::ReadBackup(id) => write!(f, "read backup {id}"),
            Self::MintLink(id) => write!(f, "get a download link for backup {id}"),
            Self::CreateBackup(id) => write!(f, "have a backup of server {id} made"),
            Self::DeleteBackup(id) => write!(f, "delete backup {id}"),
            Self::ToggleLock(id) => write!(f, "lock or unlock backup {id}"),
            Self::RestoreBackup(id) => write!(f, "have backup {id} restored by the panel"),
            Self::ReadActivity(id) => write!(f, "read the activity log of server {id}"),
            Self::ReadAccount => f.write_str("read the account of the API key"),
            Self::ReadHosting(id) => write!(f, "read server {id}"),
            Self::ReadResources(id) => write!(f, "read the power state of server {id}"),
            Self::Power(id, signal) => write!(f, "{} server {id}", signal.word()),
            Self::ListFiles(id) => write!(f, "list the files of server {id}"),
            Self::MintUploadLink(id) => write!(f, "get an upload link for server {id}"),
            Self::Pull(id) => write!(f, "have the node of server {id} fetch the archive"),
            Self::Decompress(id) => write!(f, "have the archive unpacked in server {id}"),
            Self::DeleteFiles(id) => write!(f, "delete files of server {id}"),
            Self::WriteNote(id) => write!(f, "leave a note in server {id}"),
        }
    }
}

impl Call {
    /// The subuser permission it needs (`panel-contract.md` section 1).
    pub(super) const fn permission(&self) -> Option<&'static str> {
        match self {
            Self::ListServers
            | Self::ReadServer(_)
            | Self::ReadAccount
            | Self::ReadHosting(_)
            | Self::ReadResources(_) => None,
            Self::Power(_, Signal::Start) => Some("control.start"),
            Self::Power(_, Signal::Stop) => Some("control.stop"),
            Self::ListFiles(_) => Some("file.read"),
            Self::MintUploadLink(_) | Self::Pull(_) | Self::Decompress(_) | Self::WriteNote(_) => {
                Some("file.create")
            }
            Self::DeleteFiles(_) => Some("file.delete"),
            Self::ListBackups(_) | Self::ReadBackup(_) => Some("backup.read"),
            Self::MintLink(_) => Some("backup.download"),
            Self::CreateBackup(_) => Some("backup.create"),
            // The lock has no permission of its own.
            Self::DeleteBackup(_) | Self::ToggleLock(_) => Some("backup.delete"),
            Self::RestoreBackup(_) => Some("backup.restore"),
            Self::ReadActivity(_) => Some("activity.read"),
        }
    }

    /// Whether success is an answer without a body (`panel-contract.md` sections 5 and 7; a lock is
    /// answered so by `documented-api.md`).
    pub(super) const fn is_answered_without_body(&self) -> bool {
        matches!(
            self,
            Self::Power(..)
                | Self::Pull(_)
                | Self::Decompress(_)
                | Self::DeleteFiles(_)
                | Self::WriteNote(_)
                | Self::DeleteBackup(_)
                | Self::ToggleLock(_)
                | Self::RestoreBackup(_)
        )
    }

    /// Whether its `X-RateLimit-*` speak of a limit of its own, not of the user's budget
    /// (`panel-contract.md` section 1).
    pub(super) const fn has_a_limit_of_its_own(&self) -> bool {
        matches!(self, Self::Pull(_) | Self::RestoreBackup(_))
    }

    /// Whether it does no harm to ask once more what was refused with 429.
    pub(super) const fn may_repeat_when_limited(&self) -> bool {
        matches!(
            self,
            Self::Power(..) | Self::Decompress(_) | Self::DeleteFiles(_) | Self::WriteNote(_)
        )
    }

    /// Whether the node's own words tell how it refused.
    pub(super) const fn is_about_files(&self) -> bool {
        matches!(
            self,
            Self::ListFiles(_)
                | Self::MintUploadLink(_)
                | Self::Pull(_)
                | Self::Decompress(_)
                | Self::DeleteFiles(_)
                | Self::WriteNote(_)
        )
    }
}

/// An answer that did not come from a panel's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stray {
    /// It points elsewhere; the target without its query.
    Redirect(Option<String>),
    /// It is a web page.
    Html,
    /// It is neither JSON nor a web page.
    Other,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect(Some(to)) => write!(f, "a redirect to {to}"),
            Self::Redirect(None) => f.write_str("a redirect"),
            Self::Html => f.write_str("a web page"),
            Self::Other => f.write_str("something that is not JSON"),
        }
    }
}
