//! What sidecars say, recorded: the way back to a ledger that is lost.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::destination::StoredObject;
use crate::ledger::Ledger;
use crate::ledger::copies;
use crate::ledger::copies::AsListed;
use crate::ledger::copies::CopyFacts;
use crate::ledger::copies::CopyOrigin;
use crate::ledger::destinations;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::marks;
use crate::ledger::rows;
use crate::model::checksum::ContentDigest;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::mark::Mark;
use crate::model::sidecar::Sidecar;

/// A copy that is there, and what its sidecar says that a ledger records, fit to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedCopy {
    stored: StoredObject,
    panel: PanelName,
    panel_url: String,
    identifier: String,
    server_name: String,
    backup_name: String,
    is_locked: bool,
    created_at: Timestamp,
    completed_at: Timestamp,
    panel_checksum: Option<String>,
    kept: Option<Mark>,
    written_by: String,
}

/// What a sidecar says that no ledger may hold, although the copy can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unrecordable {
    /// The panel's address has a query or a user in it.
    #[error("the panel's address in it holds what may be a credential")]
    Credential,
    /// The panel's checksum is no digest.
    #[error("the panel's checksum in it is no digest")]
    Checksum,
    /// Lengths that no disk holds.
    #[error("it speaks of {bytes} bytes, more than any disk holds")]
    TooLarge {
        /// The length.
        bytes: u64,
    },
    /// An archive that is stored as it is, yet is not what is stored.
    #[error("the archive and the stored object differ in it, although nothing is encrypted")]
    Contradiction,
}

impl DescribedCopy {
    /// A copy and what its sidecar says of it.
    ///
    /// # Errors
    /// [`Unrecordable`]: sidecars are foreign text, and may have been tampered with.
    pub fn new(
        stored: StoredObject,
        panel: PanelName,
        sidecar: Sidecar,
    ) -> Result<Self, Unrecordable> {
        let url = &sidecar.panel.url;
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        if url.contains('?') || authority.contains('@') {
            return Err(Unrecordable::Credential);
        }
        let checksum = sidecar.archive.panel_checksum.as_deref();
        if checksum.is_some_and(|text| text.parse::<ContentDigest>().is_err()) {
            return Err(Unrecordable::Checksum);
        }
        let structure = stored.structure();
        let lengths = [
            Some(stored.archive_bytes()),
            Some(stored.stored_bytes()),
            structure.map(|walked| walked.entries),
            structure.map(|walked| walked.unpacked_bytes),
        ];
        if let Some(bytes) = lengths
            .into_iter()
            .flatten()
            .find(|bytes| rows::size(*bytes).is_err())
        {
            return Err(Unrecordable::TooLarge { bytes });
        }
        if stored.encryption().is_none()
            && (stored.archive_bytes() != stored.stored_bytes()
                || stored.archive_sha256() != stored.stored_sha256())
        {
            return Err(Unrecordable::Contradiction);
        }
        Ok(Self {
            stored,
            panel,
            panel_url: sidecar.panel.url,
            identifier: sidecar.server.identifier,
            server_name: sidecar.server.name,
            backup_name: sidecar.backup.name,
            is_locked: sidecar.backup.is_locked,
            created_at: sidecar.backup.created_at,
            completed_at: sidecar.backup.completed_at,
            panel_checksum: sidecar.archive.panel_checksum,
            kept: sidecar.kept,
            written_by: sidecar.written_by,
        })
    }
}

impl Ledger {
    /// Records copies at one destination by what their sidecars say, with all that they say of panels,
    /// servers and backups: all of them, or none.
    ///
    /// A copy that the ledger holds as verified is written over: what differs is the caller's to
    /// compare. Of panels, servers and backups the latest word counts, the ledger's or a sidecar's. A
    /// destination that is known keeps its name.
    ///
    /// # Errors
    /// [`Error::OtherDestination`] when a copy is stored elsewhere; those of writing.
    pub fn record_described(
        &mut self,
        run: RunId,
        destination: &DestinationName,
        location: &str,
        described: &[DescribedCopy],
        origin: CopyOrigin,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record what a destination holds", |tx| {
            let there = destinations::known_or_new(tx, destination, location, now)?;
            for copy in described {
                if copy.stored.location() != location {
                    return Err(Error::OtherDestination {
                        stored_at: copy.stored.location().to_owned(),
                        recorded_at: location.to_owned(),
                    }
                    .into());
                }
                record_one(tx, run, there, copy, origin, now)?;
            }
            if let Some(first) = described.iter().map(|copy| copy.stored.stored_at()).min() {
                tx.prepare_cached(
                    "UPDATE destinations SET first_copy_at = ?2 WHERE id = ?1 AND first_copy_at IS NULL",
                )?
                .execute(params![there.0, rows::time(first)])?;
            }
            Ok(())
        })
    }

    /// Fails when the file's structure is damaged anywhere, whether or not anything was read from there.
    ///
    /// # Errors
    /// [`Error::Damaged`]; those of reading.
    pub fn ensure_sound(&self) -> Result<(), Error> {
        self.read("check the ledger", |tx| {
            let said: Option<String> = tx
                .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
                .optional()?;
            match said {
                Some(said) if said != "ok" => Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
                    Some(said),
                )
                .into()),
                Some(_) | None => Ok(()),
            }
        })
    }
}

fn record_one(
    tx: &Transaction<'_>,
    run: RunId,
    destination: DestinationRef,
    copy: &DescribedCopy,
    origin: CopyOrigin,
    now: Timestamp,
) -> Result<(), Fault> {
    let stored = &copy.stored;
    let seen_at = rows::time(stored.stored_at());
    let panel_row: i64 = tx
        .prepare_cached(
            "INSERT INTO panels (name, url, first_seen_at, last_seen_at) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (name) DO UPDATE
                SET url = iif(excluded.last_seen_at > last_seen_at, excluded.url, url),
                    first_seen_at = min(first_seen_at, excluded.first_seen_at),
                    last_seen_at = max(last_seen_at, excluded.last_seen_at)
             RETURNING id",
        )?
        .query_row(
            params![copy.panel.as_str(), copy.panel_url, seen_at],
            |row| row.get(0),
        )?;
    let server_row: i64 = tx
        .prepare_cached(
            "INSERT INTO servers (uuid, panel_id, identifier, name, first_seen_at, last_seen_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (uuid) DO UPDATE
                SET panel_id = iif(excluded.last_seen_at > last_seen_at, excluded.panel_id, panel_id),
                    identifier = iif(excluded.last_seen_at > last_seen_at, excluded.identifier, identifier),
                    name = iif(excluded.last_seen_at > last_seen_at, excluded.name, name),
                    first_seen_at = min(first_seen_at, excluded.first_seen_at),
                    last_seen_at = max(last_seen_at, excluded.last_seen_at)
             RETURNING id",
        )?
        .query_row(
            params![
                stored.key().server().to_string(),
                panel_row,
                copy.identifier,
                copy.server_name,
                seen_at
            ],
            |row| row.get(0),
        )?;
    let completed_at = rows::time(copy.completed_at);
    let backup_row: i64 = tx
        .prepare_cached(
            "INSERT INTO backups (server_id, uuid, name, state, is_locked, created_at, completed_at,
                                  archive_bytes, checksum, first_seen_at, last_seen_at)
             VALUES (?1, ?2, ?3, 'completed', ?4, ?5, ?6, ?7, ?8, ?9, ?9)
             ON CONFLICT (server_id, uuid) DO UPDATE
                SET name = iif(excluded.last_seen_at > last_seen_at, excluded.name, name),
                    is_locked = iif(excluded.last_seen_at > last_seen_at, excluded.is_locked, is_locked),
                    created_at = iif(excluded.last_seen_at > last_seen_at, excluded.created_at, created_at),
                    first_seen_at = min(first_seen_at, excluded.first_seen_at),
                    last_seen_at = max(last_seen_at, excluded.last_seen_at)
             RETURNING id",
        )?
        .query_row(
            params![
                server_row,
                stored.key().backup().to_string(),
                copy.backup_name,
                copy.is_locked,
                rows::time(copy.created_at),
                completed_at,
                rows::size(stored.archive_bytes())?,
                copy.panel_checksum,
                seen_at
            ],
            |row| row.get(0),
        )?;
    let as_listed = AsListed {
        backup: backup_row,
        panel_checksum: copy.panel_checksum.as_deref(),
        completed_at,
    };
    let facts = CopyFacts::from(stored);
    copies::upsert_verified(tx, run, destination, &facts, &as_listed, stored.stored_at())?;
    let subject = Subject {
        server: Some(server_row),
        backup: Some(backup_row),
        destination: Some(destination),
    };
    if let Some(mark) = &copy.kept {
        let subject = Subject::of_backup(server_row, backup_row);
        marks::restore_mark(tx, run, subject, mark, now)?;
    }
    let detail = json!({
        "sha256": stored.archive_sha256().to_hex(),
        "verdict": stored.verdict().as_str(),
        "written_by": copy.written_by,
    });
    events::event(tx, Some(run), origin.as_str(), subject, &detail, now)
}
