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
        let mut backups = Vec::new();
        for backup in &self.backups {
            if !backups.contains(backup) {
                backups.push(*backup);
            }
        }
        let task = LockTask {
            backups,
            wanted,
            within: if self.server.is_empty() {
                Within::Anywhere
            } else {
                Within::NamedServers
            },
        };
        self.whom
            .flags(&self.server, None, PanelWish::SetLock(task))
    }
}
