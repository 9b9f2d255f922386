//! The flags of the `panel` commands.

mod create;
pub mod delete;
mod lock;
pub mod restore;
pub mod trim;

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use crate::cli::args::panel::create::CreateArgs;
use crate::cli::args::panel::delete::DeleteArgs;
use crate::cli::args::panel::lock::LockArgs;
use crate::cli::args::panel::restore::PanelRestoreArgs;
use crate::cli::args::panel::trim::TrimArgs;
use crate::cli::help;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::model::backup::LockState;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;

/// What to ask a panel for.
#[derive(Debug, Subcommand)]
pub enum PanelCommand {
    /// List servers, and how many of their backup slots are taken
    #[command(after_help = help::PANEL_SERVERS)]
    Servers(ServersArgs),
    /// List backups in every state, and where copies of them are held
    #[command(after_help = help::PANEL_BACKUPS)]
    Backups(ServersArgs),
    /// Have the panel make a backup of a server
    #[command(after_help = help::PANEL_CREATE)]
    Create(CreateArgs),
    /// Protect backups from the panel's own rotation and from deletion
    #[command(after_help = help::PANEL_LOCK)]
    Lock(LockArgs),
    /// Take that protection off again
    #[command(after_help = help::PANEL_LOCK)]
    Unlock(LockArgs),
    /// Delete backups from the panel, once they are held elsewhere
    #[command(after_help = help::PANEL_DELETE)]
    Delete(DeleteArgs),
    /// Have the panel itself restore a backup into its server, and wait for how it ends
    #[command(after_help = help::PANEL_RESTORE)]
    Restore(PanelRestoreArgs),
    /// Free backup slots: delete the oldest backups that are held elsewhere
    #[command(after_help = help::PANEL_TRIM)]
    Trim(TrimArgs),
}

/// Which panel, and how it is got in to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which panel")]
pub struct WhomArgs {
    /// Only this panel: a name of the configuration, or an address; default: all of the configuration
    #[arg(long, value_name = "NAME|URL")]
    pub panel: Vec<String>,
    /// A file that holds the panel's client API key and nothing else
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
}

/// The flags of `panel servers` and `panel backups`.
#[derive(Debug, Args)]
pub struct ServersArgs {
    /// Which panel.
    #[command(flatten)]
    pub whom: WhomArgs,
    /// Which servers.
    #[command(flatten)]
    pub which: ManyServersArgs,
}

/// Which servers, when all may be meant.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which servers")]
pub struct ManyServersArgs {
    /// Only these servers: short id, uuid, name or name glob; default: all that the key sees
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// Every server of the panel (an administrator's key)
    #[arg(long)]
    pub all_servers: bool,
}

impl ServersArgs {
    fn flags(&self, wish: PanelWish) -> PanelFlags {
        let ManyServersArgs {
            server,
            all_servers,
        } = &self.which;
        let scope = all_servers.then_some(ServerScope::WholePanel);
        self.whom.flags(server, scope, wish)
    }
}

impl PanelCommand {
    /// What was typed, as far as settings depend on it.
    pub fn flags(&self) -> PanelFlags {
        match self {
            Self::Servers(args) => args.flags(PanelWish::Servers),
            Self::Backups(args) => args.flags(PanelWish::Backups),
            Self::Create(args) => args.flags(),
            Self::Lock(args) => args.flags(LockState::Locked),
            Self::Unlock(args) => args.flags(LockState::Unlocked),
            Self::Delete(args) => args.flags(),
            Self::Restore(args) => args.flags(),
            Self::Trim(args) => args.flags(),
        }
    }
}

impl WhomArgs {
    /// What was typed, for these servers.
    fn flags(
        &self,
        servers: &[ServerSelector],
        scope: Option<ServerScope>,
        wish: PanelWish,
    ) -> PanelFlags {
        PanelFlags {
            panels: self.panel.clone(),
            api_key_file: self.api_key_file.clone(),
            servers: servers.to_vec(),
            scope,
            wish,
        }
    }
}
