//! Backups that a run locks on the panel while it copies them.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::json;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::listing;
use crate::ledger::placeholders::BackupOf;
use crate::ledger::rows;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;

/// A lock of ours that may still be on a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The run that put it there, or was about to.
    pub run: RunId,
    /// The panel that the server was last seen on.
    pub panel: PanelName,
    /// The backup.
    pub of: BackupOf,
    /// When it was intended.
    pub locked_at: Timestamp,
}

/// How a protection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectionEnd {
    /// The lock is off again, or gone with its backup: what the ledger was told of it meanwhile is forgotten.
    Released,
    /// The lock that is there is not ours; the ledger keeps what the panel said of it.
    NotOurs,
}

impl ProtectionEnd {
    const fn word(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::NotOurs => "not_ours",
        }
    }
}

impl Ledger {
    /// Notes that a backup is about to be locked on its panel; noting it twice is harmless.
    ///
    /// As long as it is noted, the lock counts for nothing in retention.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn intend_protection(
        &mut self,
        run: RunId,
        of: BackupOf,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("note a lock in the ledger", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let is_new = tx
                .prepare_cached(
                    "INSERT INTO protections (backup_id, run_id, locked_at) VALUES (?1, ?2, ?3)
                     ON CONFLICT (backup_id) DO NOTHING",
                )?
                .execute(params![backup.id, run.0, rows::time(now)])?;
            if is_new == 0 {
                return Ok(());
            }
            let subject = Subject::of_backup(server_row, backup.id);
            events::event(tx, Some(run), "protect_intended", subject, &json!({}), now)
        })
    }

    /// The locks of ours that may still be on panels, oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn protections(&self) -> Result<Vec<Protection>, Error> {
        self.read("read the locks that are ours", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT x.run_id, p.name, s.uuid, b.uuid, x.locked_at
                   FROM protections x
                  CROSS JOIN backups b ON b.id = x.backup_id
                  CROSS JOIN servers s ON s.id = b.server_id
                  CROSS JOIN panels p ON p.id = s.panel_id
                  ORDER BY x.locked_at, x.backup_id",
            )?;
            let found = statement.query_map([], |row| {
                Ok(Protection {
                    run: RunId(row.get(0)?),
                    panel: rows::parsed(row, 1)?,
                    of: BackupOf {
                        server: rows::parsed(row, 2)?,
                        backup: rows::parsed(row, 3)?,
                    },
                    locked_at: rows::timestamp(row, 4)?,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Strikes a lock; one that was never noted is none of ours and no error.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn end_protection(
        &mut self,
        run: RunId,
        of: BackupOf,
        end: ProtectionEnd,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("strike a lock from the ledger", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let struck = tx
                .prepare_cached("DELETE FROM protections WHERE backup_id = ?1")?
                .execute([backup.id])?;
            if struck == 0 {
                return Ok(());
            }
            if end == ProtectionEnd::Released {
                tx.prepare_cached("UPDATE backups SET is_locked = 0 WHERE id = ?1")?
                    .execute([backup.id])?;
            }
            let subject = Subject::of_backup(server_row, backup.id);
            let detail = json!({"end": end.word()});
            events::event(tx, Some(run), "protect_ended", subject, &detail, now)
        })
    }
}
