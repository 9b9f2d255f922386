//! The journal of multipart uploads: stores can't be asked for them, so a killed run's are found here.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::ledger::Ledger;
use crate::ledger::destinations;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::listing;
use crate::ledger::rows;
use crate::model::ids::DestinationName;
use crate::model::ids::RunId;
use crate::model::key::ObjectKey;

/// An upload that may still be open at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournaledUpload {
    /// The run that opened it.
    pub run: RunId,
    /// Where.
    pub destination: DestinationRef,
    /// What that destination was last called.
    pub name: DestinationName,
    /// The destination's location.
    pub location: String,
    /// The key it would have become visible under.
    pub key: ObjectKey,
    /// The store's name for it.
    pub upload_id: String,
    /// When it was opened.
    pub opened_at: Timestamp,
}

/// How an upload came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadEnd {
    /// The run that opened it committed or aborted it.
    ByItsRun,
    /// A later run found it left over, and aborted it.
    LeftOver,
}

impl Ledger {
    /// Notes an upload that is about to send its first part; noting it twice is harmless.
    ///
    /// # Errors
    /// [`Error::UnknownDestination`] unless [`Self::record_destination`] came before; those of writing.
    pub fn journal_upload(
        &mut self,
        run: RunId,
        location: &str,
        key: &ObjectKey,
        upload_id: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("note an upload in the ledger", |tx| {
            let destination = destinations::destination_at(tx, location)?;
            tx.prepare_cached(
                "INSERT INTO uploads (run_id, destination_id, key, upload_id, opened_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (destination_id, key, upload_id) DO NOTHING",
            )?
            .execute(params![
                run.0,
                destination.0,
                key.to_string(),
                upload_id,
                rows::time(now)
            ])?;
            Ok(())
        })
    }

    /// Strikes an upload that is open no longer; one that was never noted is none of ours and no error.
    ///
    /// # Errors
    /// [`Error::UnknownDestination`]; those of writing.
    pub fn close_upload(
        &mut self,
        run: RunId,
        location: &str,
        key: &ObjectKey,
        upload_id: &str,
        end: UploadEnd,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("strike an upload from the ledger", |tx| {
            let destination = destinations::destination_at(tx, location)?;
            let opened: Option<(i64, i64)> = tx
                .prepare_cached(
                    "DELETE FROM uploads WHERE destination_id = ?1 AND key = ?2 AND upload_id = ?3
                     RETURNING run_id, opened_at",
                )?
                .query_row(params![destination.0, key.to_string(), upload_id], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match (end, opened) {
                (UploadEnd::LeftOver, Some((opened_by, opened_at))) => events::event(
                    tx,
                    Some(run),
                    "leftover_aborted",
                    Subject {
                        destination: Some(destination),
                        ..of_key(tx, key)?
                    },
                    &json!({"key": key, "upload_id": upload_id, "run": opened_by, "opened_at": opened_at}),
                    now,
                ),
                (UploadEnd::LeftOver, None) | (UploadEnd::ByItsRun, _) => Ok(()),
            }
        })
    }

    /// The uploads that may still be open, oldest first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn open_uploads(&self) -> Result<Vec<JournaledUpload>, Error> {
        self.read("read the open uploads", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT u.run_id, d.id, d.name, d.location, u.key, u.upload_id, u.opened_at
                   FROM uploads u JOIN destinations d ON d.id = u.destination_id
                  ORDER BY u.opened_at, u.id",
            )?;
            let uploads = statement.query_map([], |row| {
                Ok(JournaledUpload {
                    run: RunId(row.get(0)?),
                    destination: DestinationRef(row.get(1)?),
                    name: rows::parsed(row, 2)?,
                    location: row.get(3)?,
                    key: rows::key(row, 4)?,
                    upload_id: row.get(5)?,
                    opened_at: rows::timestamp(row, 6)?,
                })
            })?;
            Ok(uploads.collect::<Result<_, _>>()?)
        })
    }
}

/// The server and backup that a key names, where the ledger knows them.
fn of_key(tx: &Transaction<'_>, key: &ObjectKey) -> Result<Subject, Fault> {
    let server = listing::find_server(tx, key.server())?;
    let backup = match server {
        Some(server) => listing::backup_row(tx, server, key.backup())?.map(|row| row.id),
        None => None,
    };
    Ok(Subject {
        server,
        backup,
        destination: None,
    })
}
