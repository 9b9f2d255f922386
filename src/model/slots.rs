//! The places that a server has for backups on its panel.

use crate::model::backup::Backup;
use crate::model::server::Server;

/// How many backups a server has on its panel, and may have (`panel-contract.md` section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackupSlots {
    /// `feature_limits.backups`; 0 = none can be made. `None` where the panel does not say.
    pub limit: Option<u64>,
    /// What is there; `None` where the backups could not be listed.
    pub taken: Option<TakenSlots>,
}

/// What is in the slots of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenSlots {
    /// Completed backups.
    pub completed: u64,
    /// Backups that are being made: they count.
    pub in_progress: u64,
    /// Failed backups, which take no slot.
    pub failed: u64,
    /// How many of those that take a slot are locked.
    pub locked: u64,
    /// Slots taken by the panel's own count (`meta.backup_count`), where it gives one.
    pub counted: Option<u64>,
}

impl TakenSlots {
    /// What a listing shows.
    pub fn of(backups: &[Backup], counted: Option<u64>) -> Self {
        let mut taken = Self {
            counted,
            ..Self::default()
        };
        for backup in backups {
            let is_taking = match backup {
                Backup::Completed(_) => {
                    taken.completed += 1;
                    true
                }
                Backup::Pending(_) => {
                    taken.in_progress += 1;
                    true
                }
                Backup::Failed(_) => {
                    taken.failed += 1;
                    false
                }
            };
            if is_taking && backup.record().is_locked {
                taken.locked += 1;
            }
        }
        taken
    }

    /// How many slots are taken: by the panel's count, else by what it lists.
    pub fn used(self) -> u64 {
        self.counted
            .unwrap_or_else(|| self.completed.saturating_add(self.in_progress))
    }
}

impl BackupSlots {
    /// The slots of a server of which these backups are listed.
    pub fn new(server: &Server, taken: Option<TakenSlots>) -> Self {
        Self {
            limit: server.backup_limit(),
            taken,
        }
    }
}
