//! The flags of `panel lock` and `panel unlock`.

use clap::Args;

use crate::cli::args::panel::WhomArgs;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::settings::panel::LockTask;
use crate::config::settings::panel::Within;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::selector::ServerSelector;

/// The flags of `panel lock` and `panel unlock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// The backups, by uuid
    #[arg(value_name = "BACKUP", required = true)]
    pub backups: Vec<BackupId>,
    /// Which panel.
    #[command(flatten)]
    pub whom: WhomArgs,
    /// Look for them on this server only: short id, uuid, name or name glob; may be repeated
    #[arg(long, value_name = "ID", help_heading = "Which servers")]
    pub server: Vec<ServerSelector>,
}

impl LockArgs {
    /// What was typed.
    pub(super) fn flags(&self, wanted: LockState) -> PanelFlags {
        let task = LockTask {
            backups: each_once(&self.backups),
            wanted,
            within: within(&self.server),
        };
        self.whom
            .flags(&self.server, None, PanelWish::SetLock(task))
    }
}

/// Backups each once, in the order in which they were typed.
pub(super) fn each_once(typed: &[BackupId]) -> Vec<BackupId> {
    let mut backups = Vec::new();
    for backup in typed {
        if !backups.contains(backup) {
            backups.push(*backup);
        }
    }
    backups
}

/// Where they are looked for, by what `--server` says.
pub(super) const fn within(servers: &[ServerSelector]) -> Within {
    if servers.is_empty() {
        Within::Anywhere
    } else {
        Within::NamedServers
    }
}
