//! What a panel is asked for.

pub mod delete;
pub mod restore;
pub mod trim;

use std::time::Duration;

use crate::config::settings::panel::delete::DeleteJob;
use crate::config::settings::panel::restore::PanelRestoreJob;
use crate::config::settings::panel::trim::TrimJob;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::selector::ServerSelector;

/// One of the `panel` commands, ready to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PanelTask {
    /// `panel servers`: the servers, and their backup slots.
    Servers,
    /// `panel backups`: every backup, in whatever state.
    Backups,
    /// `panel create`: a new backup.
    Create(CreateTask),
    /// `panel lock` and `panel unlock`.
    SetLock(LockTask),
    /// `panel delete`.
    Delete(DeleteJob),
    /// `panel restore`.
    Restore(PanelRestoreJob),
    /// `panel trim`.
    Trim(TrimJob),
}

/// A backup that a panel is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTask {
    /// Of which server; one that names several is refused.
    pub server: ServerSelector,
    /// Its name; the panel makes one up otherwise.
    pub name: Option<String>,
    /// What is left out; none leaves that to the server's own ignore file.
    pub ignored: Vec<String>,
    /// Whether it is locked from the start.
    pub lock: LockState,
    /// Whether it is waited for.
    pub wait: Wait,
}

/// Whether a backup that is being made is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It is not.
    No,
    /// So long at most.
    For(Duration),
}

/// Backups that are to be locked or unlocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockTask {
    /// Which backups.
    pub backups: Vec<BackupId>,
    /// How they are to be.
    pub wanted: LockState,
    /// Where they are looked for.
    pub within: Within,
}

/// Where backups are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// Where the ledger says, else on every server that the key sees.
    Anywhere,
    /// On the servers of `--server`, and nowhere else.
    NamedServers,
}
