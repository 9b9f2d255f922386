//! Copies: wanted at a destination, failed, or verified there.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::destination::StoredObject;
use crate::ledger::Ledger;
use crate::ledger::destinations;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::listing;
use crate::ledger::rows;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Verdict;
use crate::model::content::Structure;
use crate::model::ids::BackupId;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::sidecar::Encryption;

/// How a copy came to be at its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyOrigin {
    /// From the panel's node.
    Mirrored,
    /// From another destination.
    Filled,
    /// Made anew by `verify --repair`, because what stood there was bad.
    Repaired,
    /// It was there already, with a valid sidecar.
    Adopted,
    /// It was there when the ledger was made anew, from sidecars alone.
    Rebuilt,
}

impl CopyOrigin {
    /// The word for it in the events.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Mirrored => "mirrored",
            Self::Filled => "filled",
            Self::Repaired => "repaired",
            Self::Adopted => "adopted",
            Self::Rebuilt => "rebuilt",
        }
    }
}

/// What is recorded of a stored object.
#[derive(Debug)]
pub(super) struct CopyFacts<'a> {
    pub(super) location: &'a str,
    pub(super) key: &'a ObjectKey,
    pub(super) archive_bytes: u64,
    pub(super) archive_sha256: &'a ContentDigest,
    pub(super) stored_bytes: u64,
    pub(super) stored_sha256: &'a ContentDigest,
    pub(super) verdict: Verdict,
    pub(super) structure: Option<Structure>,
    pub(super) etag: Option<&'a str>,
    pub(super) encryption: Option<&'a Encryption>,
    pub(super) sidecar_sha256: Option<&'a ContentDigest>,
    pub(super) stored_at: Timestamp,
}

impl<'a> From<&'a StoredObject> for CopyFacts<'a> {
    fn from(stored: &'a StoredObject) -> Self {
        Self {
            location: stored.location(),
            key: stored.key(),
            archive_bytes: stored.archive_bytes(),
            archive_sha256: stored.archive_sha256(),
            stored_bytes: stored.stored_bytes(),
            stored_sha256: stored.stored_sha256(),
            verdict: stored.verdict(),
            structure: stored.structure(),
            etag: stored.etag(),
            encryption: stored.encryption(),
            sidecar_sha256: stored.sidecar_sha256(),
            stored_at: stored.stored_at(),
        }
    }
}

impl Ledger {
    /// Records that backups were selected for a destination that does not hold them; what is held, or
    /// was tried and failed, stays as it is. That a copy was once removed there no longer counts.
    ///
    /// # Errors
    /// [`Error::UnknownServer`] and [`Error::UnknownBackup`] unless [`Self::record_listing`] came
    /// before, and then nothing is recorded; those of writing.
    pub fn record_wanted(
        &mut self,
        run: RunId,
        server: ServerId,
        destination: DestinationRef,
        backups: &[BackupId],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record what is wanted", |tx| {
            let server_row = listing::server_row(tx, server)?;
            for backup in backups {
                let backup_row = listing::backup_row(tx, server_row, *backup)?
                    .ok_or(Error::UnknownBackup {
                        server,
                        backup: *backup,
                    })?
                    .id;
                tx.prepare_cached(
                    "INSERT INTO copies (backup_id, destination_id, run_id, state, wanted_at)
                     VALUES (?1, ?2, ?3, 'wanted', ?4)
                     ON CONFLICT (backup_id, destination_id) DO NOTHING",
                )?
                .execute(params![
                    backup_row,
                    destination.0,
                    run.0,
                    rows::time(now)
                ])?;
                // Wanted again by an operator, it is made by any later run if this one fails.
                tx.prepare_cached(
                    "DELETE FROM removals
                      WHERE backup_id = ?1 AND destination_id = ?2 AND done_at IS NOT NULL",
                )?
                .execute(params![backup_row, destination.0])?;
            }
            Ok(())
        })
    }

    /// Records that a copy could not be made. A verified copy stays verified; the failure is then only
    /// among the events.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_copy_failure(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a failed copy", |tx| {
            let (subject, backup_row) = subject_of(tx, destination, key)?;
            tx.prepare_cached(
                "INSERT INTO copies (backup_id, destination_id, run_id, state, wanted_at, key,
                                     failed_at, error_kind, error_message)
                 VALUES (?1, ?2, ?3, 'failed', ?4, ?5, ?4, ?6, ?7)
                 ON CONFLICT (backup_id, destination_id) DO UPDATE
                    SET run_id = excluded.run_id, state = excluded.state, key = excluded.key, failed_at = excluded.failed_at,
                        error_kind = excluded.error_kind, error_message = excluded.error_message
                  WHERE state <> 'verified'",
            )?
            .execute(params![
                backup_row,
                destination.0,
                run.0,
                rows::time(now),
                key.to_string(),
                failure.kind.as_str(),
                failure.message,
            ])?;
            let detail = json!({"kind": failure.kind.as_str(), "message": failure.message});
            events::event(tx, Some(run), "failed", subject, &detail, now)
        })
    }

    /// Records that a verified copy turned out damaged or missing: it no longer counts as held.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_lost(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a lost copy", |tx| {
            let (subject, backup_row) = subject_of(tx, destination, key)?;
            tx.prepare_cached(
                "UPDATE copies
                    SET run_id = ?3, state = 'failed', failed_at = ?4, error_kind = ?5, error_message = ?6,
                        is_distrusted = ?7
                  WHERE backup_id = ?1 AND destination_id = ?2 AND state = 'verified'",
            )?
            .execute(params![
                backup_row,
                destination.0,
                run.0,
                rows::time(now),
                failure.kind.as_str(),
                failure.message,
                failure.kind == FailureKind::Integrity,
            ])?;
            let detail = json!({"kind": failure.kind.as_str(), "message": failure.message});
            events::event(tx, Some(run), "lost", subject, &detail, now)
        })
    }

    /// Records a verified copy: the only way there is, and it takes the proof that the object is durable.
    ///
    /// What the panel says of the backup at this moment (time and digest) is recorded with it; of one that
    /// is made anew stays what was recorded first. Recording the same object again is harmless.
    ///
    /// # Errors
    /// [`Error::OtherDestination`] when the object is stored elsewhere; [`Error::UnknownServer`],
    /// [`Error::UnknownBackup`], [`Error::NotCompleted`] when it is a copy of nothing that the ledger
    /// has as complete; those of writing.
    pub fn record_copy(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        stored: &StoredObject,
        origin: CopyOrigin,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.record_copy_facts(run, destination, &CopyFacts::from(stored), origin, now)
    }

    pub(super) fn record_copy_facts(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        facts: &CopyFacts<'_>,
        origin: CopyOrigin,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record the copy", |tx| {
            let recorded_at = destinations::location_of(tx, destination)?;
            if recorded_at != facts.location {
                let stored_at = facts.location.to_owned();
                return Err(Error::OtherDestination {
                    stored_at,
                    recorded_at,
                }
                .into());
            }
            let (server, backup) = (facts.key.server(), facts.key.backup());
            let server_row = listing::server_row(tx, server)?;
            let known = listing::backup_row(tx, server_row, backup)?
                .ok_or(Error::UnknownBackup { server, backup })?;
            let before = match origin {
                CopyOrigin::Repaired => told_before(tx, known.id, destination)?,
                CopyOrigin::Mirrored
                | CopyOrigin::Filled
                | CopyOrigin::Adopted
                | CopyOrigin::Rebuilt => None,
            };
            let (panel_checksum, completed_at) = match before {
                Some(told) => told,
                None => (
                    known.checksum,
                    known
                        .completed_at
                        .ok_or(Error::NotCompleted { server, backup })?,
                ),
            };
            let as_listed = AsListed {
                backup: known.id,
                panel_checksum: panel_checksum.as_deref(),
                completed_at,
            };
            upsert_verified(tx, run, destination, facts, &as_listed, now)?;
            tx.prepare_cached(
                "UPDATE destinations SET first_copy_at = ?2 WHERE id = ?1 AND first_copy_at IS NULL",
            )?
            .execute(params![destination.0, rows::time(now)])?;
            let subject = Subject {
                server: Some(server_row),
                backup: Some(known.id),
                destination: Some(destination),
            };
            let detail = json!({
                "sha256": facts.archive_sha256.to_hex(),
                "verdict": facts.verdict.as_str(),
            });
            events::event(tx, Some(run), origin.as_str(), subject, &detail, now)
        })
    }
}

/// The panel's digest and time as they were recorded with a copy that once was held.
fn told_before(
    tx: &Transaction<'_>,
    backup_row: i64,
    destination: DestinationRef,
) -> Result<Option<(Option<String>, i64)>, Fault> {
    Ok(tx
        .prepare_cached(
            "SELECT panel_checksum, completed_at FROM copies
              WHERE backup_id = ?1 AND destination_id = ?2 AND completed_at IS NOT NULL",
        )?
        .query_row(params![backup_row, destination.0], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?)
}

/// What an event about one copy is about, and its backup's row.
pub(super) fn subject_of(
    tx: &Transaction<'_>,
    destination: DestinationRef,
    key: &ObjectKey,
) -> Result<(Subject, i64), Fault> {
    let (server, backup) = (key.server(), key.backup());
    let server_row = listing::server_row(tx, server)?;
    let backup_row = listing::backup_row(tx, server_row, backup)?
        .ok_or(Error::UnknownBackup { server, backup })?
        .id;
    let subject = Subject {
        server: Some(server_row),
        backup: Some(backup_row),
        destination: Some(destination),
    };
    Ok((subject, backup_row))
}

/// What the panel says, or said, of the backup that a copy is of.
#[derive(Debug)]
pub(super) struct AsListed<'a> {
    /// The backup's row.
    pub(super) backup: i64,
    pub(super) panel_checksum: Option<&'a str>,
    pub(super) completed_at: i64,
}

pub(super) fn upsert_verified(
    tx: &Transaction<'_>,
    run: RunId,
    destination: DestinationRef,
    facts: &CopyFacts<'_>,
    as_listed: &AsListed<'_>,
    wanted_at: Timestamp,
) -> Result<(), Fault> {
    let walked =
        |count: fn(Structure) -> u64| facts.structure.map(count).map(rows::size).transpose();
    tx.prepare_cached(
        "INSERT INTO copies (backup_id, destination_id, run_id, state, wanted_at, key, archive_bytes,
                             archive_sha256, stored_bytes, stored_sha256, panel_checksum, verdict,
                             entries, unpacked_bytes, etag, completed_at, encryption, mirrored_at,
                             sidecar_sha256)
         VALUES (?1, ?2, ?3, 'verified', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (backup_id, destination_id) DO UPDATE
            SET run_id = excluded.run_id, state = excluded.state, key = excluded.key, archive_bytes = excluded.archive_bytes,
                archive_sha256 = excluded.archive_sha256, stored_bytes = excluded.stored_bytes,
                stored_sha256 = excluded.stored_sha256, panel_checksum = excluded.panel_checksum,
                verdict = excluded.verdict, entries = excluded.entries,
                unpacked_bytes = excluded.unpacked_bytes, etag = excluded.etag,
                encryption = excluded.encryption, sidecar_sha256 = excluded.sidecar_sha256,
                checked_at = NULL, finding = NULL, is_distrusted = 0,
                completed_at = excluded.completed_at, mirrored_at = excluded.mirrored_at,
                verified_at = NULL, failed_at = NULL, error_kind = NULL, error_message = NULL",
    )?
    .execute(params![
        as_listed.backup,
        destination.0,
        run.0,
        rows::time(wanted_at),
        facts.key.to_string(),
        rows::size(facts.archive_bytes)?,
        facts.archive_sha256.to_hex(),
        rows::size(facts.stored_bytes)?,
        facts.stored_sha256.to_hex(),
        as_listed.panel_checksum,
        facts.verdict.as_str(),
        walked(|structure| structure.entries)?,
        walked(|structure| structure.unpacked_bytes)?,
        facts.etag,
        as_listed.completed_at,
        facts.encryption.map(rows::encryption_text),
        rows::time(facts.stored_at),
        facts.sidecar_sha256.map(ContentDigest::to_hex),
    ])?;
    // What is held was not removed, nor is it being removed: that it once was is among the events.
    tx.prepare_cached("DELETE FROM removals WHERE backup_id = ?1 AND destination_id = ?2")?
        .execute(params![as_listed.backup, destination.0])?;
    Ok(())
}
