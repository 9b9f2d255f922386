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
        }
    }
}

impl Call {
    /// The subuser permission it needs (`panel-contract.md` section 1).
    pub(super) const fn permission(&self) -> Option<&'static str> {
        match self {
            Self::ListServers | Self::ReadServer(_) => None,
            Self::ListBackups(_) | Self::ReadBackup(_) => Some("backup.read"),
            Self::MintLink(_) => Some("backup.download"),
            Self::CreateBackup(_) => Some("backup.create"),
        }
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
