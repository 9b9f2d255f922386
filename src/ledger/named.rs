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
    /// Its server's name when last seen.
    pub server_name: String,
    /// Its name when last seen.
    pub name: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its archive was whole; `None` while it is not.
    pub completed_at: Option<Timestamp>,
}

/// The backups of one uuid, looked up once for each server: there is no index of uuids alone.
pub(super) const NAMED: &str =
    "SELECT p.name, s.uuid, b.uuid, s.name, b.name, b.created_at, b.completed_at
       FROM servers s
       JOIN panels p ON p.id = s.panel_id
      CROSS JOIN backups b ON b.server_id = s.id AND b.uuid = ?1
      ORDER BY p.name, s.name, s.uuid";

impl Ledger {
    /// The backups of this uuid: one, unless servers share it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn backups_named(&self, backup: BackupId) -> Result<Vec<NamedBackup>, Error> {
        self.read("look up a backup", |tx| {
            let mut statement = tx.prepare_cached(NAMED)?;
            let found = statement.query_map([backup.to_string()], named)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// The completed backups of a server, the newest first by when they were completed; rows that a restore
    /// gave another backup's archive are left out.
    ///
    /// # Errors
    /// Those of reading.
    pub fn completed_backups(&self, server: ServerId) -> Result<Vec<NamedBackup>, Error> {
        self.read("read the backups of a server", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT p.name, s.uuid, b.uuid, s.name, b.name, b.created_at, b.completed_at
                   FROM servers s
                   JOIN panels p ON p.id = s.panel_id
                   JOIN backups b ON b.server_id = s.id AND b.state = 'completed'
                  WHERE s.uuid = ?1
                    AND NOT EXISTS (SELECT 1 FROM placeholders x
                                     WHERE x.backup_id = b.id AND b.archive_bytes = x.listed_bytes
                                       AND b.checksum IS x.listed_checksum)
                  ORDER BY b.completed_at DESC, b.uuid",
            )?;
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
        server_name: row.get(3)?,
        name: row.get(4)?,
        created_at: rows::timestamp(row, 5)?,
        completed_at: rows::timestamp_if_any(row, 6)?,
    })
}
