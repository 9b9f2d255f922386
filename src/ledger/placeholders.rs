//! Rows of a panel that hold the archive of another backup: placeholders of restores.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::params;
use serde_json::json;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::listing;
use crate::ledger::rows;
use crate::model::checksum::ContentDigest;
use crate::model::ids::BackupId;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;

/// One backup of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupOf {
    /// The server.
    pub server: ServerId,
    /// The backup.
    pub backup: BackupId,
}

/// A row of a panel that was found to hold the archive of another backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPlaceholder {
    /// The row.
    pub row: BackupOf,
    /// The backup whose archive it holds.
    pub holds: BackupOf,
    /// The length that the panel listed then.
    pub listed_bytes: u64,
    /// The digest that the panel listed then, if any.
    pub listed_checksum: Option<String>,
}

impl Ledger {
    /// The digests of held archives of this length, and whose they are; those of `besides` are left out.
    ///
    /// # Errors
    /// Those of reading.
    pub fn archives_of_length(
        &self,
        bytes: u64,
        besides: BackupOf,
    ) -> Result<Vec<(ContentDigest, BackupOf)>, Error> {
        self.read("look for archives of a length", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT c.archive_sha256, s.uuid, b.uuid
                   FROM copies c
                   JOIN backups b ON b.id = c.backup_id
                   JOIN servers s ON s.id = b.server_id
                  WHERE c.state = 'verified' AND c.archive_bytes = ?1
                  ORDER BY b.completed_at DESC, c.id",
            )?;
            let found = statement.query_map([rows::claimed_size(bytes)], |row| {
                let of = BackupOf {
                    server: rows::parsed(row, 1)?,
                    backup: rows::parsed(row, 2)?,
                };
                Ok((rows::sha256(row, 0)?, of))
            })?;
            let mut archives = Vec::new();
            for found in found {
                let (sha256, of) = found?;
                if of != besides {
                    archives.push((sha256, of));
                }
            }
            Ok(archives)
        })
    }

    /// The placeholders among a server's backups whose rows are still what they were when they were
    /// found, and the backups whose archives they hold.
    ///
    /// # Errors
    /// Those of reading.
    pub fn placeholders(&self, server: ServerId) -> Result<BTreeMap<BackupId, BackupOf>, Error> {
        self.read("read the placeholders", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT b.uuid, held_of.uuid, held.uuid
                   FROM placeholders p
                   JOIN backups b ON b.id = p.backup_id
                   JOIN backups held ON held.id = p.holds_backup_id
                   JOIN servers held_of ON held_of.id = held.server_id
                  WHERE b.server_id = (SELECT id FROM servers WHERE uuid = ?1)
                    AND b.archive_bytes = p.listed_bytes
                    AND b.checksum IS p.listed_checksum",
            )?;
            let found = statement.query_map([server.to_string()], |row| {
                let of = BackupOf {
                    server: rows::parsed(row, 1)?,
                    backup: rows::parsed(row, 2)?,
                };
                Ok((rows::parsed(row, 0)?, of))
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// All placeholders that were ever found, with what their rows said then; they may say otherwise now.
    ///
    /// # Errors
    /// Those of reading.
    pub fn found_placeholders(&self) -> Result<Vec<FoundPlaceholder>, Error> {
        self.read("read the placeholders that were found", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT s.uuid, b.uuid, held_of.uuid, held.uuid, p.listed_bytes, p.listed_checksum
                   FROM placeholders p
                   JOIN backups b ON b.id = p.backup_id
                   JOIN servers s ON s.id = b.server_id
                   JOIN backups held ON held.id = p.holds_backup_id
                   JOIN servers held_of ON held_of.id = held.server_id",
            )?;
            let found = statement.query_map([], |row| {
                Ok(FoundPlaceholder {
                    row: BackupOf {
                        server: rows::parsed(row, 0)?,
                        backup: rows::parsed(row, 1)?,
                    },
                    holds: BackupOf {
                        server: rows::parsed(row, 2)?,
                        backup: rows::parsed(row, 3)?,
                    },
                    listed_bytes: rows::bytes(row, 4)?,
                    listed_checksum: row.get(5)?,
                })
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// Records that a listed backup holds the archive of another one: it is wanted nowhere from then on,
    /// as long as its row stays what it is. Verified copies stay.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`], [`Error::NotCompleted`]; those of writing.
    pub fn record_placeholder(
        &mut self,
        run: RunId,
        placeholder: BackupOf,
        holds: BackupOf,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a placeholder", |tx| {
            let BackupOf { server, backup } = placeholder;
            let server_row = listing::server_row(tx, server)?;
            let row = listing::backup_row(tx, server_row, backup)?
                .ok_or(Error::UnknownBackup { server, backup })?;
            let listed_bytes = row
                .archive_bytes
                .ok_or(Error::NotCompleted { server, backup })?;
            let held_row: i64 = tx
                .prepare_cached(
                    "SELECT b.id FROM backups b JOIN servers s ON s.id = b.server_id
                      WHERE s.uuid = ?1 AND b.uuid = ?2",
                )?
                .query_row(
                    params![holds.server.to_string(), holds.backup.to_string()],
                    |row| row.get(0),
                )
                .optional()?
                .ok_or(Error::UnknownBackup {
                    server: holds.server,
                    backup: holds.backup,
                })?;
            tx.prepare_cached(
                "INSERT INTO placeholders (backup_id, run_id, listed_bytes, listed_checksum,
                                           holds_backup_id, found_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (backup_id) DO UPDATE
                    SET run_id = excluded.run_id, listed_bytes = excluded.listed_bytes,
                        listed_checksum = excluded.listed_checksum,
                        holds_backup_id = excluded.holds_backup_id, found_at = excluded.found_at",
            )?
            .execute(params![
                row.id,
                run.0,
                listed_bytes,
                row.checksum,
                held_row,
                rows::time(now)
            ])?;
            tx.prepare_cached("DELETE FROM copies WHERE backup_id = ?1 AND state <> 'verified'")?
                .execute([row.id])?;
            let subject = Subject::of_backup(server_row, row.id);
            let detail = json!({
                "holds": {"server": holds.server.to_string(), "backup": holds.backup.to_string()},
            });
            events::event(tx, Some(run), "placeholder", subject, &detail, now)
        })
    }
}
