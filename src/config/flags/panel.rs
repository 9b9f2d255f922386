//! The flags of the `panel` commands, as plain data.

use std::path::PathBuf;

use crate::config::flags::MirrorFlags;
use crate::config::settings::panel::LockTask;
use crate::config::settings::panel::Wait;
use crate::config::settings::panel::delete::DeleteJob;
use crate::config::settings::panel::restore::PanelRestoreJob;
use crate::config::settings::panel::trim::TrimJob;
use crate::model::backup::LockState;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;

/// What was typed after `panel`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelFlags {
    /// `--panel`.
    pub panels: Vec<String>,
    /// `--api-key-file`.
    pub api_key_file: Option<PathBuf>,
    /// `--server`; none stands for all that the key sees.
    pub servers: Vec<ServerSelector>,
    /// `--all-servers`.
    pub scope: Option<ServerScope>,
    /// The command, and what it alone is told.
    pub wish: PanelWish,
}

/// One of the `panel` commands, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PanelWish {
    /// `panel servers`.
    Servers,
    /// `panel backups`.
    Backups,
    /// `panel create`.
    Create(CreateWish),
    /// `panel lock` and `panel unlock`.
    SetLock(LockTask),
    /// `panel delete`.
    Delete(DeleteJob),
    /// `panel restore`.
    Restore(PanelRestoreJob),
    /// `panel trim`.
    Trim(TrimJob),
}

/// The flags of `panel create`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWish {
    /// `--server`.
    pub server: ServerSelector,
    /// `--name`.
    pub name: Option<String>,
    /// `--ignore` or `--ignore-file`.
    pub ignored: IgnoreWish,
    /// `--lock`.
    pub lock: LockState,
    /// `--wait` and `--timeout`.
    pub wait: Wait,
}

/// What a new backup is to leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoreWish {
    /// What the server's own ignore file says.
    AsServer,
    /// `--ignore`: these patterns.
    Patterns(Vec<String>),
    /// `--ignore-file`: the patterns in this file, as typed.
    File(PathBuf),
}

impl PanelFlags {
    /// The same in the flags that panels are found by.
    ///
    /// The `servers` and `exclude` of the configuration say what is mirrored; an operator who asks a
    /// panel for something means the servers that are named here, or else all of them.
    pub(crate) fn as_mirror(&self) -> MirrorFlags {
        let servers = if self.servers.is_empty() {
            vec![ServerSelector::Any]
        } else {
            self.servers.clone()
        };
        MirrorFlags {
            panels: self.panels.clone(),
            api_key_file: self.api_key_file.clone(),
            servers,
            scope: self.scope,
            ..MirrorFlags::default()
        }
    }

    /// Whether it is carried out just as well where no ledger can be.
    pub(crate) const fn does_without_ledger(&self) -> bool {
        match self.wish {
            PanelWish::Servers
            | PanelWish::Backups
            | PanelWish::Create(_)
            | PanelWish::SetLock(_)
            | PanelWish::Restore(_) => true,
            PanelWish::Delete(_) | PanelWish::Trim(_) => false,
        }
    }
}
