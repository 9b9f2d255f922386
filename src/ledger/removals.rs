//! Copies that retention removes: intended, done, or undone because the store refused.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::destination::StoredObject;
use crate::ledger::Ledger;
use crate::ledger::copies;
use crate::ledger::copies::AsListed;
use crate::ledger::copies::CopyFacts;
use crate::ledger::destinations;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::placeholders::BackupOf;
use crate::ledger::query::CopyFilter;
use crate::ledger::rows;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::removal::Removal;

/// A removal that a run began and did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunRemoval {
    /// The run that began it.
    pub run: RunId,
    /// Where.
    pub destination: DestinationRef,
    /// What that destination was last called.
    pub name: DestinationName,
    /// The destination's location.
    pub location: String,
    /// The archive's key.
    pub key: ObjectKey,
    /// When the backup was asked for.
    pub created_at: Timestamp,
    /// The stored object's length.
    pub stored_bytes: u64,
    /// Why it was to go.
    pub reason: String,
    /// The sidecar as it stood, byte for byte.
    pub sidecar: Vec<u8>,
    /// When it was intended.
    pub intended_at: Timestamp,
}

/// What stands in a removal that undoing it needs.
#[derive(Debug)]
struct Told {
    panel_checksum: Option<String>,
    completed_at: i64,
    verified_at: Option<i64>,
    checked_at: Option<i64>,
}

impl Ledger {
    /// Records that a held copy is about to be removed: from here on it is no held copy, whatever still
    /// stands at its destination. `sidecar` is the sidecar as it stands there.
    ///
    /// # Errors
    /// [`Error::NotHeld`] when it is not held there under this key; [`Error::UnknownServer`],
    /// [`Error::UnknownBackup`]; those of writing.
    pub fn intend_removal(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        reason: &str,
        sidecar: &[u8],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record what is about to be removed", |tx| {
            let (subject, backup_row) = copies::subject_of(tx, destination, key)?;
            let recorded = tx
                .prepare_cached(
                    "INSERT INTO removals (backup_id, destination_id, run_id, key, stored_bytes, reason,
                                           sidecar, panel_checksum, completed_at, verified_at,
                                           checked_at, intended_at)
                     SELECT backup_id, destination_id, ?3, key, stored_bytes, ?5, ?6, panel_checksum,
                            completed_at, verified_at, checked_at, ?7
                       FROM copies
                      WHERE backup_id = ?1 AND destination_id = ?2 AND state = 'verified' AND key = ?4
                         ON CONFLICT (backup_id, destination_id) DO UPDATE
                        SET run_id = excluded.run_id, key = excluded.key,
                            stored_bytes = excluded.stored_bytes, reason = excluded.reason,
                            sidecar = excluded.sidecar, panel_checksum = excluded.panel_checksum,
                            completed_at = excluded.completed_at, verified_at = excluded.verified_at,
                            checked_at = excluded.checked_at, intended_at = excluded.intended_at,
                            done_at = NULL",
                )?
                .execute(params![
                    backup_row,
                    destination.0,
                    run.0,
                    key.to_string(),
                    reason,
                    sidecar,
                    rows::time(now)
                ])?;
            if recorded == 0 {
                return Err(Error::NotHeld { key: key.clone() }.into());
            }
            tx.prepare_cached("DELETE FROM copies WHERE backup_id = ?1 AND destination_id = ?2")?
                .execute(params![backup_row, destination.0])?;
            let detail = json!({"reason": reason});
            events::event(tx, Some(run), "prune_intended", subject, &detail, now)
        })
    }

    /// Records that both objects of a copy are gone, whichever run began to remove it.
    ///
    /// # Errors
    /// [`Error::NoRemoval`] when none is begun; [`Error::UnknownServer`], [`Error::UnknownBackup`]; those
    /// of writing.
    pub fn finish_removal(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record what was removed", |tx| {
            let (subject, backup_row) = copies::subject_of(tx, destination, key)?;
            let reason: Option<String> = tx
                .prepare_cached(
                    "UPDATE removals SET run_id = ?3, done_at = ?5, sidecar = NULL
                      WHERE backup_id = ?1 AND destination_id = ?2 AND key = ?4 AND done_at IS NULL
                     RETURNING reason",
                )?
                .query_row(
                    params![
                        backup_row,
                        destination.0,
                        run.0,
                        key.to_string(),
                        rows::time(now)
                    ],
                    |row| row.get(0),
                )
                .optional()?;
            let reason = reason.ok_or_else(|| Error::NoRemoval { key: key.clone() })?;
            let detail = json!({"reason": reason});
            events::event(tx, Some(run), "pruned", subject, &detail, now)
        })
    }

    /// Records that a copy stays, because its store did not let it go or it is to be kept after all: it is
    /// held again, with what was recorded of it before and what its sidecar, which stands beside it again,
    /// says of it.
    ///
    /// # Errors
    /// [`Error::NoRemoval`] when none is begun; [`Error::OtherDestination`] when the copy is elsewhere;
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn undo_removal(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        stored: &StoredObject,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.undo_removal_of(run, destination, &CopyFacts::from(stored), why, now)
    }

    pub(super) fn undo_removal_of(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        facts: &CopyFacts<'_>,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record that a copy stays", |tx| {
            let recorded_at = destinations::location_of(tx, destination)?;
            if recorded_at != facts.location {
                let stored_at = facts.location.to_owned();
                return Err(Error::OtherDestination {
                    stored_at,
                    recorded_at,
                }
                .into());
            }
            let (subject, backup_row) = copies::subject_of(tx, destination, facts.key)?;
            let told =
                strike_begun(tx, backup_row, destination)?.ok_or_else(|| Error::NoRemoval {
                    key: facts.key.clone(),
                })?;
            let as_listed = AsListed {
                backup: backup_row,
                panel_checksum: told.panel_checksum.as_deref(),
                completed_at: told.completed_at,
            };
            copies::upsert_verified(tx, run, destination, facts, &as_listed, now)?;
            tx.prepare_cached(
                "UPDATE copies SET verified_at = ?3, checked_at = ?4
                  WHERE backup_id = ?1 AND destination_id = ?2",
            )?
            .execute(params![
                backup_row,
                destination.0,
                told.verified_at,
                told.checked_at
            ])?;
            let detail = json!({"why": why});
            events::event(tx, Some(run), "prune_undone", subject, &detail, now)
        })
    }

    /// The removals that were begun and not finished, at the destinations and of the servers that a filter
    /// chooses, oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn begun_removals(&self, filter: &CopyFilter) -> Result<Vec<BegunRemoval>, Error> {
        self.read("read what was about to be removed", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT r.run_id, d.id, d.name, d.location, r.key, r.stored_bytes, r.reason,
                        coalesce(r.sidecar, x''), r.intended_at, b.created_at
                   FROM removals r INDEXED BY removals_begun
                   JOIN destinations d ON d.id = r.destination_id
                   JOIN backups b ON b.id = r.backup_id
                  WHERE r.done_at IS NULL
                  ORDER BY r.intended_at, r.destination_id, r.backup_id",
            )?;
            let mut found = statement.query([])?;
            let mut removals = Vec::new();
            while let Some(row) = found.next()? {
                let name = rows::parsed(row, 2)?;
                let key = rows::key(row, 4)?;
                if !filter.takes_destination(&name) || !filter.takes_server(key.server()) {
                    continue;
                }
                removals.push(BegunRemoval {
                    run: RunId(row.get(0)?),
                    destination: DestinationRef(row.get(1)?),
                    name,
                    location: row.get(3)?,
                    key,
                    created_at: rows::timestamp(row, 9)?,
                    stored_bytes: rows::bytes(row, 5)?,
                    reason: row.get(6)?,
                    sidecar: row.get(7)?,
                    intended_at: rows::timestamp(row, 8)?,
                });
            }
            Ok(removals)
        })
    }

    /// The backups of a server whose copies at one destination were removed, or are being removed.
    ///
    /// # Errors
    /// Those of reading.
    pub fn removed(
        &self,
        server: ServerId,
        destination: DestinationRef,
    ) -> Result<BTreeMap<BackupId, Removal>, Error> {
        self.read("read what was removed", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT b.uuid, r.done_at IS NOT NULL
                   FROM backups b
                  CROSS JOIN removals r ON r.backup_id = b.id AND r.destination_id = ?2
                  WHERE b.server_id = (SELECT id FROM servers WHERE uuid = ?1)",
            )?;
            let removed = statement
                .query_map(params![server.to_string(), destination.0], |row| {
                    Ok((rows::parsed(row, 0)?, removal(row, 1)?))
                })?;
            Ok(removed.collect::<Result<_, _>>()?)
        })
    }

    /// The backups whose copies at the destination of a location are being removed.
    ///
    /// # Errors
    /// Those of reading.
    pub fn being_removed_at(
        &self,
        location: &str,
    ) -> Result<BTreeSet<(ServerId, BackupId)>, Error> {
        self.read("read what is being removed", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT s.uuid, b.uuid
                   FROM removals r
                   JOIN destinations d ON d.id = r.destination_id AND d.location = ?1
                   JOIN backups b ON b.id = r.backup_id
                   JOIN servers s ON s.id = b.server_id
                  WHERE r.done_at IS NULL",
            )?;
            let found = statement.query_map([location], |row| {
                Ok((rows::parsed(row, 0)?, rows::parsed(row, 1)?))
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// The backups of which some copy was removed, or is being removed, anywhere.
    ///
    /// # Errors
    /// Those of reading.
    pub fn removed_anywhere(&self) -> Result<BTreeSet<(ServerId, BackupId)>, Error> {
        self.read("read what was removed", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT DISTINCT s.uuid, b.uuid
                   FROM removals r
                   JOIN backups b ON b.id = r.backup_id
                   JOIN servers s ON s.id = b.server_id",
            )?;
            let found = statement
                .query_map([], |row| Ok((rows::parsed(row, 0)?, rows::parsed(row, 1)?)))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// What became of the copy of one backup at one destination: `None` when no removal of it was begun.
    ///
    /// # Errors
    /// Those of reading.
    pub fn removal_of(
        &self,
        of: BackupOf,
        destination: DestinationRef,
    ) -> Result<Option<Removal>, Error> {
        self.read("read whether a copy was removed", |tx| {
            Ok(tx
                .prepare_cached(
                    "SELECT r.done_at IS NOT NULL
                       FROM removals r
                       JOIN backups b ON b.id = r.backup_id
                       JOIN servers s ON s.id = b.server_id
                      WHERE s.uuid = ?1 AND b.uuid = ?2 AND r.destination_id = ?3",
                )?
                .query_row(
                    params![of.server.to_string(), of.backup.to_string(), destination.0],
                    |row| removal(row, 0),
                )
                .optional()?)
        })
    }
}

/// How a removal stands by whether it has an end.
fn removal(row: &Row<'_>, column: usize) -> rusqlite::Result<Removal> {
    Ok(if row.get(column)? {
        Removal::Done
    } else {
        Removal::Begun
    })
}

fn strike_begun(
    tx: &Transaction<'_>,
    backup_row: i64,
    destination: DestinationRef,
) -> Result<Option<Told>, Fault> {
    Ok(tx
        .prepare_cached(
            "DELETE FROM removals
              WHERE backup_id = ?1 AND destination_id = ?2 AND done_at IS NULL
             RETURNING panel_checksum, completed_at, verified_at, checked_at",
        )?
        .query_row(params![backup_row, destination.0], |row| {
            Ok(Told {
                panel_checksum: row.get(0)?,
                completed_at: row.get(1)?,
                verified_at: row.get(2)?,
                checked_at: row.get(3)?,
            })
        })
        .optional()?)
}
