//! Whose a backup is, as far as it was ever listed.

use rusqlite::params;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::rows;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;

/// A server that a panel listed a backup of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name when last seen.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
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

impl Ledger {
    /// The servers of these backups, gone ones too; a backup that was never listed has none.
    ///
    /// # Errors
    /// Those of reading.
    pub fn owners(&self, backups: &[BackupId]) -> Result<Vec<Owner>, Error> {
        self.read("look up the servers of backups", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT p.name, s.uuid, s.identifier, s.name, o.backup_id IS NOT NULL
                   FROM servers s
                   JOIN backups b ON b.server_id = s.id AND b.uuid = ?1
                   JOIN panels p ON p.id = s.panel_id
                   LEFT JOIN protections o ON o.backup_id = b.id
                  ORDER BY s.id",
            )?;
            let mut owners = Vec::new();
            for backup in backups {
                let found = statement.query_map(params![backup.to_string()], |row| {
                    Ok(Owner {
                        panel: rows::parsed(row, 0)?,
                        server: rows::parsed(row, 1)?,
                        identifier: row.get(2)?,
                        server_name: row.get(3)?,
                        backup: *backup,
                        lock: if row.get(4)? {
                            LockOwner::Run
                        } else {
                            LockOwner::Operator
                        },
                    })
                })?;
                for owner in found {
                    owners.push(owner?);
                }
            }
            Ok(owners)
        })
    }
}
