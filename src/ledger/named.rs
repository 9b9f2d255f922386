//! Backups as operators name them.

use jiff::Timestamp;
use rusqlite::Row;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::placeholders::BackupOf;
use crate::ledger::rows;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;

/// A recorded backup, with what people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBackup {
    /// Its panel.
    pub panel: PanelName,
    /// The backup.
    pub of: BackupOf,
    /// Its server's short id when last seen.
    pub identifier: String,
    /// Its server's name when last seen.
    pub server_name: String,
    /// Its name when last seen.
    pub name: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its archive was whole; `None` while it is not.
    pub completed_at: Option<Timestamp>,
    /// Whose its lock is on the panel, if it has one.
    pub lock: LockOwner,
}

/// Whose the lock of a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOwner {
    /// An operator's, if there is one at all.
    Operator,
    /// A run's, which locked it while it copied it and takes the lock off again.
    Run,
}

/// What [`named`] reads, in its order.
macro_rules! named_columns {
    () => {
        "p.name, s.uuid, b.uuid, s.identifier, s.name, b.name, b.created_at, b.completed_at,
         EXISTS (SELECT 1 FROM protections o WHERE o.backup_id = b.id)"
    };
}

/// The backups of one uuid, looked up once for each server: there is no index of uuids alone.
pub(super) const NAMED: &str = concat!(
    "SELECT ",
    named_columns!(),
    " FROM servers s
      JOIN panels p ON p.id = s.panel_id
     CROSS JOIN backups b ON b.server_id = s.id AND b.uuid = ?1
     ORDER BY p.name, s.name, s.uuid"
);

impl Ledger {
    /// The backups of these uuids, in the order of the uuids, gone ones too: one each, unless servers
    /// share it; none for one that was never listed.
    ///
    /// # Errors
    /// Those of reading.
    pub fn backups_named(&self, backups: &[BackupId]) -> Result<Vec<NamedBackup>, Error> {
        self.read("look up backups", |tx| {
            let mut statement = tx.prepare_cached(NAMED)?;
            let mut all = Vec::new();
            for backup in backups {
                for found in statement.query_map([backup.to_string()], named)? {
                    all.push(found?);
                }
            }
            Ok(all)
        })
    }

    /// The completed backups of a server, the newest first by when they were completed; rows that a restore
    /// gave another backup's archive are left out.
    ///
    /// # Errors
    /// Those of reading.
    pub fn completed_backups(&self, server: ServerId) -> Result<Vec<NamedBackup>, Error> {
        self.read("read the backups of a server", |tx| {
            let mut statement = tx.prepare_cached(concat!(
                "SELECT ",
                named_columns!(),
                "
                   FROM servers s
                   JOIN panels p ON p.id = s.panel_id
                   JOIN backups b ON b.server_id = s.id AND b.state = 'completed'
                  WHERE s.uuid = ?1
                    AND NOT EXISTS (SELECT 1 FROM placeholders x
                                     WHERE x.backup_id = b.id AND b.archive_bytes = x.listed_bytes
                                       AND b.checksum IS x.listed_checksum)
                  ORDER BY b.completed_at DESC, b.uuid"
            ))?;
            let found = statement.query_map([server.to_string()], named)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

fn named(row: &Row<'_>) -> rusqlite::Result<NamedBackup> {
    Ok(NamedBackup {
        panel: rows::parsed(row, 0)?,
        of: BackupOf {
            server: rows::parsed(row, 1)?,
            backup: rows::parsed(row, 2)?,
        },
        identifier: row.get(3)?,
        server_name: row.get(4)?,
        name: row.get(5)?,
        created_at: rows::timestamp(row, 6)?,
        completed_at: rows::timestamp_if_any(row, 7)?,
        lock: if row.get(8)? {
            LockOwner::Run
        } else {
            LockOwner::Operator
        },
    })
}
