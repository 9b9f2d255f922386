//! What a plan of retention, and the look for suspicious archives, are made from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::ledger::Ledger;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::marks::IS_LOCKED;
use crate::ledger::query;
use crate::ledger::query::CopyFilter;
use crate::ledger::rows;
use crate::model::holding::PanelPresence;
use crate::model::holding::ServerHolding;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;

/// How many of a server's newest archives are looked at: the newest, and seven before it.
const LOOKED_AT: u32 = 8;

/// One completed archive of a server, held or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The backup.
    pub backup: BackupId,
    /// The backup's name when last seen.
    pub name: String,
    /// When the backup was asked for.
    pub created_at: Timestamp,
    /// When the panel's node reported the archive whole.
    pub completed_at: Timestamp,
    /// The archive's length.
    pub bytes: u64,
    /// Whether the panel still lists it.
    pub on_panel: PanelPresence,
    /// By `nestegg accept`.
    pub accepted: Option<Mark>,
    /// What it was to hold and does not.
    pub lacking: Vec<String>,
}

/// A server and its newest archives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHistory {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name when last seen.
    pub name: String,
    /// Its newest completed backups, the newest first by when they were asked for, at most eight.
    ///
    /// Left out are rows that a restore gave another backup's archive, and backups that vanished before
    /// any copy of them was made: nothing of those is to be had.
    pub newest: Vec<Archive>,
}

/// One held copy as retention sees it, in few words: there may be a hundred thousand of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunableCopy {
    /// The archive's key; it tells the backup.
    pub key: ObjectKey,
    /// The backup's name when last seen.
    pub name: String,
    /// When the backup was asked for.
    pub created_at: Timestamp,
    /// When the panel's node reported the archive whole.
    pub completed_at: Timestamp,
    /// The stored object's length: what removing it frees, but for its sidecar.
    pub stored_bytes: u64,
    /// When it became visible.
    pub mirrored_at: Timestamp,
    /// When it was last read back and found right.
    pub verified_at: Option<Timestamp>,
    /// Locked on the panel as it was last listed, by somebody else than a run of ours.
    pub is_locked: bool,
    /// Whether the panel still lists it.
    pub on_panel: PanelPresence,
    /// By `nestegg keep`.
    pub kept: Option<Mark>,
}

/// What one destination holds of one server, and what decides how much of that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunableServer {
    /// The server and its newest archives, wherever they are held.
    pub server: ServerHistory,
    /// The destination.
    pub destination: DestinationRef,
    /// What that destination was last called.
    pub destination_name: DestinationName,
    /// The destination's location.
    pub location: String,
    /// The held copies, the newest first by when the backups were asked for; ties by backup, highest first.
    pub copies: Vec<PrunableCopy>,
}

impl Ledger {
    /// The servers that a filter chooses and their newest archives, by panel and name.
    ///
    /// # Errors
    /// Those of reading.
    pub fn histories(&self, filter: &CopyFilter) -> Result<Vec<ServerHistory>, Error> {
        self.read("read the newest archives", |tx| {
            let mut histories = Vec::new();
            for (row, standing) in query::chosen_servers(tx, filter)? {
                histories.push(history(tx, row, &standing)?);
            }
            histories
                .sort_by(|a, b| (&a.panel, &a.name, a.server).cmp(&(&b.panel, &b.name, b.server)));
            Ok(histories)
        })
    }

    /// What is held of the servers at the destinations that a filter chooses, with all that a plan of
    /// retention heeds: by destination, panel and server name. A server that a destination holds nothing of
    /// is left out there.
    ///
    /// # Errors
    /// Those of reading.
    pub fn prunable(&self, filter: &CopyFilter) -> Result<Vec<PrunableServer>, Error> {
        self.read("read what is held", |tx| {
            let places = places(tx, filter)?;
            let mut held = tx.prepare_cached(&format!(
                "SELECT c.destination_id, c.key, b.name, b.created_at, c.completed_at, c.stored_bytes,
                        c.mirrored_at, c.verified_at, {IS_LOCKED}, b.vanished_at IS NULL, k.kept_at,
                        k.reason
                   FROM backups b
                  CROSS JOIN copies c ON c.backup_id = b.id
                   LEFT JOIN keeps k ON k.backup_id = b.id
                  WHERE b.server_id = ?1 AND c.state = 'verified'"
            ))?;
            let mut prunable = Vec::new();
            for (row, standing) in query::chosen_servers(tx, filter)? {
                let mut copies: BTreeMap<i64, Vec<PrunableCopy>> = BTreeMap::new();
                let mut found = held.query([row])?;
                while let Some(row) = found.next()? {
                    let destination: i64 = row.get(0)?;
                    if places.contains_key(&destination) {
                        copies.entry(destination).or_default().push(prunable_copy(row)?);
                    }
                }
                if copies.is_empty() {
                    continue;
                }
                let server = history(tx, row, &standing)?;
                for (destination, mut copies) in copies {
                    let Some((name, location)) = places.get(&destination) else {
                        continue;
                    };
                    copies.sort_unstable_by(|a, b| {
                        (b.created_at, b.key.backup()).cmp(&(a.created_at, a.key.backup()))
                    });
                    prunable.push(PrunableServer {
                        server: server.clone(),
                        destination: DestinationRef(destination),
                        destination_name: name.clone(),
                        location: location.clone(),
                        copies,
                    });
                }
            }
            prunable.sort_by(|a, b| {
                let by = |one: &PrunableServer| {
                    let ServerHistory {
                        panel,
                        name,
                        server,
                        ..
                    } = &one.server;
                    (
                        one.destination_name.clone(),
                        one.location.clone(),
                        panel.clone(),
                        name.clone(),
                        *server,
                    )
                };
                by(a).cmp(&by(b))
            });
            Ok(prunable)
        })
    }
}

/// The chosen destinations by their number: name and location.
fn places(
    tx: &Transaction<'_>,
    filter: &CopyFilter,
) -> Result<BTreeMap<i64, (DestinationName, String)>, Fault> {
    let mut statement = tx.prepare_cached("SELECT id, name, location FROM destinations")?;
    let found = statement.query_map([], |row| {
        Ok((row.get(0)?, (rows::parsed(row, 1)?, row.get(2)?)))
    })?;
    let mut places = found.collect::<Result<BTreeMap<_, (DestinationName, _)>, _>>()?;
    places.retain(|_, (name, _)| filter.takes_destination(name));
    Ok(places)
}

fn prunable_copy(row: &Row<'_>) -> rusqlite::Result<PrunableCopy> {
    Ok(PrunableCopy {
        key: rows::key(row, 1)?,
        name: row.get(2)?,
        created_at: rows::timestamp(row, 3)?,
        completed_at: rows::timestamp(row, 4)?,
        stored_bytes: rows::bytes(row, 5)?,
        mirrored_at: rows::timestamp(row, 6)?,
        verified_at: rows::timestamp_if_any(row, 7)?,
        is_locked: row.get(8)?,
        on_panel: presence(row, 9)?,
        kept: rows::mark(row, 10)?,
    })
}

fn presence(row: &Row<'_>, column: usize) -> rusqlite::Result<PanelPresence> {
    Ok(if row.get(column)? {
        PanelPresence::Listed
    } else {
        PanelPresence::Vanished
    })
}

/// The newest completed backups of a server of which something is, or was, to be had.
pub(super) const NEWEST: &str =
    "SELECT b.uuid, b.name, b.created_at, b.completed_at, b.archive_bytes, b.vanished_at IS NULL,
            a.accepted_at, a.reason, l.globs
       FROM backups b INDEXED BY backups_by_age
       LEFT JOIN accepted a ON a.backup_id = b.id
       LEFT JOIN lacking l ON l.backup_id = b.id
      WHERE b.server_id = ?1 AND b.state = 'completed'
        AND NOT EXISTS (SELECT 1 FROM placeholders p
                         WHERE p.backup_id = b.id AND b.archive_bytes = p.listed_bytes
                           AND b.checksum IS p.listed_checksum)
        AND (b.vanished_at IS NULL
             OR EXISTS (SELECT 1 FROM copies c WHERE c.backup_id = b.id AND c.state = 'verified')
             OR EXISTS (SELECT 1 FROM removals r WHERE r.backup_id = b.id))
      ORDER BY b.created_at DESC, b.uuid DESC
      LIMIT ?2";

fn history(
    tx: &Transaction<'_>,
    server_row: i64,
    standing: &ServerHolding,
) -> Result<ServerHistory, Fault> {
    let mut statement = tx.prepare_cached(NEWEST)?;
    let newest = statement.query_map(params![server_row, LOOKED_AT], |row| {
        Ok(Archive {
            backup: rows::parsed(row, 0)?,
            name: row.get(1)?,
            created_at: rows::timestamp(row, 2)?,
            completed_at: rows::timestamp(row, 3)?,
            bytes: rows::bytes(row, 4)?,
            on_panel: presence(row, 5)?,
            accepted: rows::mark(row, 6)?,
            lacking: rows::globs(row, 8)?,
        })
    })?;
    Ok(ServerHistory {
        panel: standing.panel.clone(),
        server: standing.server,
        identifier: standing.identifier.clone(),
        name: standing.name.clone(),
        newest: newest.collect::<Result<_, _>>()?,
    })
}
