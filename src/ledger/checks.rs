//! Checks of copies: which there are to check, and what was found.

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
use crate::ledger::destinations;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::query;
use crate::ledger::query::CopyFilter;
use crate::ledger::rows;
use crate::model::checksum::ContentDigest;
use crate::model::finding::Finding;
use crate::model::finding::Standing;
use crate::model::holding::DestinationVerified;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;

/// When the copy at a destination was verified that was verified the longest ago.
pub(super) const OLDEST_VERIFIED: &str = "SELECT min(verified_at) FROM copies
      WHERE destination_id = ?1 AND state = 'verified' AND verified_at IS NOT NULL";
/// How many copies at a destination were never verified since they were made, counted no further than this.
pub(super) const NEVER_VERIFIED: &str =
    "SELECT count(*) FROM (SELECT 1 FROM copies INDEXED BY copies_by_verification
      WHERE destination_id = ?1 AND state = 'verified' AND verified_at IS NULL LIMIT ?2)";
/// The same of those that were.
pub(super) const ONCE_VERIFIED: &str =
    "SELECT count(*) FROM (SELECT 1 FROM copies INDEXED BY copies_by_verification
      WHERE destination_id = ?1 AND state = 'verified' AND verified_at IS NOT NULL LIMIT ?2)";

/// One copy in this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyRef(i64);

/// A copy that can be checked, in few words: there may be a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyToCheck {
    /// The copy.
    pub copy: CopyRef,
    /// Where it is.
    pub destination: DestinationRef,
    /// The backup.
    pub backup: BackupId,
    /// How the ledger has it.
    pub standing: Standing,
    /// The stored object's length.
    pub stored_bytes: u64,
    /// When it became visible.
    pub mirrored_at: Timestamp,
    /// When it was last read back and found right.
    pub verified_at: Option<Timestamp>,
    /// When reading it back was last tried.
    pub checked_at: Option<Timestamp>,
}

/// A copy that is held, or was once, with what checks of it need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCopy {
    /// The copy as it was made.
    pub copy: HeldCopy,
    /// How the ledger has it.
    pub standing: Standing,
    /// The digest of its sidecar's bytes, once it is known.
    pub sidecar_sha256: Option<ContentDigest>,
}

/// A copy that was held once and no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCopy {
    /// The copy as it was made.
    pub copy: HeldCopy,
    /// What was found of it, or why it could not be made anew, in words.
    pub why: String,
}

impl Ledger {
    /// The copies of the servers that a filter chooses that are held, or were once; of these backups
    /// alone, unless none is named.
    ///
    /// # Errors
    /// Those of reading.
    pub fn copies_to_check(
        &self,
        filter: &CopyFilter,
        backups: &BTreeSet<BackupId>,
    ) -> Result<Vec<CopyToCheck>, Error> {
        self.read("read which copies there are", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT c.id, c.destination_id, b.uuid, c.state = 'verified', c.stored_bytes,
                        c.mirrored_at, c.verified_at, c.checked_at
                   FROM backups b
                  CROSS JOIN copies c ON c.backup_id = b.id
                  WHERE b.server_id = ?1
                    AND (c.state = 'verified' OR c.state = 'failed' AND c.archive_sha256 IS NOT NULL)",
            )?;
            let mut copies = Vec::new();
            for (server, _standing) in query::chosen_servers(tx, filter)? {
                let mut found = statement.query([server])?;
                while let Some(row) = found.next()? {
                    let copy = copy_to_check(row)?;
                    if backups.is_empty() || backups.contains(&copy.backup) {
                        copies.push(copy);
                    }
                }
            }
            Ok(copies)
        })
    }

    /// All that is recorded of one copy; `None` when it is neither held nor was once.
    ///
    /// # Errors
    /// Those of reading.
    pub fn recorded_copy(&self, copy: CopyRef) -> Result<Option<RecordedCopy>, Error> {
        self.read("read a copy", |tx| {
            Ok(recorded(tx, "c.id = ?1", params![copy.0])?.pop())
        })
    }

    /// All copies of one backup that are held, or were once, by destination.
    ///
    /// # Errors
    /// Those of reading.
    pub fn recorded_copies_of(
        &self,
        server: ServerId,
        backup: BackupId,
    ) -> Result<Vec<RecordedCopy>, Error> {
        self.read("read the copies of a backup", |tx| {
            let of = params![server.to_string(), backup.to_string()];
            recorded(
                tx,
                "b.server_id = (SELECT id FROM servers WHERE uuid = ?1) AND b.uuid = ?2",
                of,
            )
        })
    }

    /// The copies of a server that were held once and are lost, by destination.
    ///
    /// # Errors
    /// Those of reading.
    pub fn lost_copies(&self, server: ServerId) -> Result<Vec<LostCopy>, Error> {
        self.read("read what is lost", |tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {}, b.server_id, c.error_message
                   FROM backups b
                  CROSS JOIN copies c ON c.backup_id = b.id
                   JOIN destinations d ON d.id = c.destination_id
                  WHERE b.server_id = (SELECT id FROM servers WHERE uuid = ?1)
                    AND c.state = 'failed' AND c.archive_sha256 IS NOT NULL
                  ORDER BY d.name, b.uuid",
                query::COPY_COLUMNS
            ))?;
            let mut found = statement.query([server.to_string()])?;
            let mut lost = Vec::new();
            while let Some(row) = found.next()? {
                let server = query::server_numbered(tx, row.get(query::COPY_COLUMNS_COUNT)?)?;
                lost.push(LostCopy {
                    copy: query::held_copy(row, &server)?,
                    why: row.get(query::COPY_COLUMNS_COUNT + 1)?,
                });
            }
            Ok(lost)
        })
    }

    /// Records that a copy was read to its end and is right; one that counted as lost is held again.
    ///
    /// The digest of its sidecar is recorded with it when `stored` tells one.
    ///
    /// # Errors
    /// [`Error::OtherDestination`] when it is elsewhere; [`Error::OtherCopy`] when what was read is not
    /// what is recorded; [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_verified(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        stored: &StoredObject,
        finding: &Finding,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a verified copy", |tx| {
            let recorded_at = destinations::location_of(tx, destination)?;
            if recorded_at != stored.location() {
                let stored_at = stored.location().to_owned();
                return Err(Error::OtherDestination {
                    stored_at,
                    recorded_at,
                }
                .into());
            }
            let (subject, backup_row) = copies::subject_of(tx, destination, stored.key())?;
            let before = state_of(tx, backup_row, destination)?;
            let changed = tx
                .prepare_cached(
                    "UPDATE copies
                        SET state = 'verified', verified_at = ?3, checked_at = ?3, finding = ?4,
                            etag = ?5, sidecar_sha256 = coalesce(?6, sidecar_sha256),
                            is_distrusted = 0, failed_at = NULL, error_kind = NULL, error_message = NULL
                      WHERE backup_id = ?1 AND destination_id = ?2
                        AND archive_sha256 = ?7 AND stored_sha256 = ?8 AND stored_bytes = ?9",
                )?
                .execute(params![
                    backup_row,
                    destination.0,
                    rows::time(now),
                    finding.word(),
                    stored.etag(),
                    stored.sidecar_sha256().map(ContentDigest::to_hex),
                    stored.archive_sha256().to_hex(),
                    stored.stored_sha256().to_hex(),
                    rows::size(stored.stored_bytes())?,
                ])?;
            if changed == 0 {
                let key = stored.key().clone();
                return Err(Error::OtherCopy { key }.into());
            }
            if before.as_deref() != Some("verified") {
                events::event(tx, Some(run), "found_again", subject, &json!({}), now)?;
            }
            let detail = json!({"finding": finding.word()});
            events::event(tx, Some(run), "verified", subject, &detail, now)
        })
    }

    /// Records that a copy turned out damaged or missing: it no longer counts as held. When it is, or
    /// ever was, damaged, what stands under its key is not taken over by a later run either.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_bad_copy(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        finding: &Finding,
        failure: &Failure,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a bad copy", |tx| {
            let (subject, backup_row) = copies::subject_of(tx, destination, key)?;
            let before = state_of(tx, backup_row, destination)?;
            tx.prepare_cached(
                "UPDATE copies
                    SET run_id = ?3, state = 'failed', failed_at = ?4, checked_at = ?4,
                        error_kind = ?5, error_message = ?6, finding = ?7,
                        is_distrusted = max(is_distrusted, ?8)
                  WHERE backup_id = ?1 AND destination_id = ?2 AND archive_sha256 IS NOT NULL",
            )?
            .execute(params![
                backup_row,
                destination.0,
                run.0,
                rows::time(now),
                failure.kind.as_str(),
                failure.message,
                finding.word(),
                failure.kind == FailureKind::Integrity,
            ])?;
            if before.as_deref() != Some("verified") {
                return Ok(());
            }
            let detail = json!({
                "kind": failure.kind.as_str(),
                "message": failure.message,
                "finding": finding.word(),
            });
            events::event(tx, Some(run), "lost", subject, &detail, now)
        })
    }

    /// Records what was found of a copy that stays as it is: something to be said of it, or that it
    /// could not be read.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_finding(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        finding: &Finding,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record what was found of a copy", |tx| {
            let (subject, backup_row) = copies::subject_of(tx, destination, key)?;
            tx.prepare_cached(
                "UPDATE copies SET finding = ?3, checked_at = ?4
                  WHERE backup_id = ?1 AND destination_id = ?2",
            )?
            .execute(params![
                backup_row,
                destination.0,
                finding.word(),
                rows::time(now)
            ])?;
            let detail = json!({"finding": finding.word()});
            events::event(tx, Some(run), "checked", subject, &detail, now)
        })
    }

    /// Records the sidecar that was written anew beside a copy.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_sidecar(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        stored: &StoredObject,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a sidecar", |tx| {
            let (subject, backup_row) = copies::subject_of(tx, destination, stored.key())?;
            let sha256 = stored.sidecar_sha256().map(ContentDigest::to_hex);
            tx.prepare_cached(
                "UPDATE copies SET sidecar_sha256 = ?3, finding = 'sound'
                  WHERE backup_id = ?1 AND destination_id = ?2",
            )?
            .execute(params![backup_row, destination.0, sha256])?;
            let detail = json!({"sha256": sha256});
            events::event(tx, Some(run), "sidecar_written", subject, &detail, now)
        })
    }

    /// Forgets the digest of a copy's sidecar, because it is about to be written anew: until the new one is
    /// recorded, a check takes the sidecar as it reads it, as long as it fits the copy.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn forget_sidecar(
        &mut self,
        destination: DestinationRef,
        key: &ObjectKey,
    ) -> Result<(), Error> {
        self.write("forget a sidecar's digest", |tx| {
            let (_subject, backup_row) = copies::subject_of(tx, destination, key)?;
            tx.prepare_cached(
                "UPDATE copies SET sidecar_sha256 = NULL WHERE backup_id = ?1 AND destination_id = ?2",
            )?
            .execute(params![backup_row, destination.0])?;
            Ok(())
        })
    }

    /// When the copies at each destination that a filter chooses were verified; destinations
    /// without any copy are left out.
    ///
    /// # Errors
    /// Those of reading.
    pub fn verified_since(&self, filter: &CopyFilter) -> Result<Vec<DestinationVerified>, Error> {
        self.read("read when copies were verified", |tx| {
            let mut oldest = tx.prepare_cached(OLDEST_VERIFIED)?;
            let mut verified = Vec::new();
            for (id, destination) in query::destinations(tx, filter)? {
                let oldest_verified_at =
                    oldest.query_row([id], |row| rows::timestamp_if_any(row, 0))?;
                let never = never_verified(tx, id)?;
                if never > 0 || oldest_verified_at.is_some() {
                    verified.push(DestinationVerified {
                        destination,
                        never,
                        oldest_verified_at,
                    });
                }
            }
            verified.sort_by(|a, b| a.destination.cmp(&b.destination));
            Ok(verified)
        })
    }
}

/// Of a million copies, most are either verified or not: the few are counted, and the rest is what
/// is left of all.
fn never_verified(tx: &Transaction<'_>, destination: i64) -> Result<u64, Fault> {
    let held: u64 = tx
        .prepare_cached(
            "SELECT coalesce(sum(copies), 0) FROM copy_totals WHERE destination_id = ?1",
        )?
        .query_row([destination], |row| rows::bytes(row, 0))?;
    let half = held / 2 + 1;
    let counted = |query| {
        tx.prepare_cached(query)?
            .query_row(params![destination, half.cast_signed()], |row| {
                rows::bytes(row, 0)
            })
    };
    let never = counted(NEVER_VERIFIED)?;
    if never < half {
        return Ok(never);
    }
    Ok(held.saturating_sub(counted(ONCE_VERIFIED)?))
}

fn copy_to_check(row: &Row<'_>) -> rusqlite::Result<CopyToCheck> {
    Ok(CopyToCheck {
        copy: CopyRef(row.get(0)?),
        destination: DestinationRef(row.get(1)?),
        backup: rows::parsed(row, 2)?,
        standing: standing(row, 3)?,
        stored_bytes: rows::bytes(row, 4)?,
        mirrored_at: rows::timestamp(row, 5)?,
        verified_at: rows::timestamp_if_any(row, 6)?,
        checked_at: rows::timestamp_if_any(row, 7)?,
    })
}

fn standing(row: &Row<'_>, column: usize) -> rusqlite::Result<Standing> {
    Ok(if row.get(column)? {
        Standing::Held
    } else {
        Standing::Lost
    })
}

fn state_of(
    tx: &Transaction<'_>,
    backup_row: i64,
    destination: DestinationRef,
) -> Result<Option<String>, Fault> {
    Ok(tx
        .prepare_cached("SELECT state FROM copies WHERE backup_id = ?1 AND destination_id = ?2")?
        .query_row(params![backup_row, destination.0], |row| row.get(0))
        .optional()?)
}

/// The copies, held or lost, that a condition on `c` and `b` chooses.
fn recorded(
    tx: &Transaction<'_>,
    condition: &'static str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<RecordedCopy>, Fault> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {}, b.server_id, c.state = 'verified', c.sidecar_sha256
           FROM backups b
           JOIN copies c ON c.backup_id = b.id
           JOIN destinations d ON d.id = c.destination_id
          WHERE ({condition})
            AND (c.state = 'verified' OR c.state = 'failed' AND c.archive_sha256 IS NOT NULL)
          ORDER BY d.name",
        query::COPY_COLUMNS
    ))?;
    let mut found = statement.query(values)?;
    let mut copies = Vec::new();
    while let Some(row) = found.next()? {
        let server = query::server_numbered(tx, row.get(query::COPY_COLUMNS_COUNT)?)?;
        copies.push(RecordedCopy {
            copy: query::held_copy(row, &server)?,
            standing: standing(row, query::COPY_COLUMNS_COUNT + 1)?,
            sidecar_sha256: rows::sha256_if_any(row, query::COPY_COLUMNS_COUNT + 2)?,
        });
    }
    Ok(copies)
}
