//! The documents of the `panel` commands.

mod backups;
mod copies;
mod create;
mod delete;
mod lock;
mod restore;
mod servers;
mod trim;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Skipped;
use crate::model::slots::BackupSlots;
use crate::model::slots::TakenSlots;

pub use backups::BACKUPS_SCHEMA;
pub use backups::backups;
pub use create::CREATE_SCHEMA;
pub use create::create;
pub use delete::DELETE_SCHEMA;
pub use delete::delete;
pub use lock::LOCK_SCHEMA;
pub use lock::lock;
pub use restore::RESTORE_SCHEMA;
pub use restore::restore;
pub use servers::SERVERS_SCHEMA;
pub use servers::servers;
pub use trim::TRIM_SCHEMA;
pub use trim::trim;

/// The places of a server.
#[derive(Serialize)]
struct Slots {
    limit: Option<u64>,
    used: Option<u64>,
    completed: Option<u64>,
    in_progress: Option<u64>,
    failed: Option<u64>,
    locked: Option<u64>,
}

impl Slots {
    fn of(slots: BackupSlots) -> Self {
        let BackupSlots { limit, taken } = slots;
        Self {
            limit,
            used: taken.map(TakenSlots::used),
            completed: taken.map(|taken| taken.completed),
            in_progress: taken.map(|taken| taken.in_progress),
            failed: taken.map(|taken| taken.failed),
            locked: taken.map(|taken| taken.locked),
        }
    }
}

/// What a panel says of a backup.
#[derive(Serialize)]
struct OnPanel<'a> {
    backup: BackupId,
    name: &'a str,
    state: &'static str,
    locked: bool,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    bytes: Option<u64>,
    ignored_files: &'a [String],
}

impl<'a> OnPanel<'a> {
    fn of(backup: &'a Backup) -> Self {
        let record = backup.record();
        let (state, completed) = match backup {
            Backup::Pending(_) => ("in_progress", None),
            Backup::Failed(_) => ("failed", None),
            Backup::Completed(completed) => ("completed", Some(completed)),
        };
        Self {
            backup: record.id,
            name: &record.name,
            state,
            locked: record.is_locked,
            created_at: record.created_at,
            completed_at: completed.map(|completed| completed.completed_at),
            bytes: completed.map(|completed| completed.archive_bytes),
            ignored_files: &record.ignored_files,
        }
    }
}

/// A server that was left out.
#[derive(Serialize)]
struct Left<'a> {
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    why: &'a str,
}

impl<'a> Left<'a> {
    fn of(skipped: &'a Skipped) -> Self {
        Self {
            panel: &skipped.panel,
            server: skipped.server,
            server_name: &skipped.server_name,
            why: &skipped.why,
        }
    }
}
