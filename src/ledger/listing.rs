//! What panels list: servers and their backups, kept for good once seen.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::placeholders::BackupOf;
use crate::ledger::rows;
use crate::model::backup::Backup;
use crate::model::backup::ListingSeen;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::server::Server;

impl Ledger {
    /// Records a panel under the operator's name for it; `url` is its base URL, without credentials.
    ///
    /// # Errors
    /// Those of writing; a URL with a query or with a user before its host is refused.
    pub fn record_panel(
        &mut self,
        panel: &PanelName,
        url: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record the panel", |tx| {
            tx.prepare_cached(
                "INSERT INTO panels (name, url, first_seen_at, last_seen_at) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (name) DO UPDATE SET url = excluded.url, last_seen_at = excluded.last_seen_at",
            )?
            .execute(params![panel.as_str(), url, rows::time(now)])?;
            Ok(())
        })
    }

    /// The base URL of a panel, as it was last recorded.
    ///
    /// # Errors
    /// Those of reading.
    pub fn panel_url(&self, panel: &PanelName) -> Result<Option<String>, Error> {
        self.read("look up a panel", |tx| {
            Ok(tx
                .prepare_cached("SELECT url FROM panels WHERE name = ?1")?
                .query_row([panel.as_str()], |row| row.get(0))
                .optional()?)
        })
    }

    /// Records a server and the backups that its panel lists.
    ///
    /// Rows that a whole listing no longer has are marked as vanished and kept; a row that comes back
    /// is marked as listed again. A server that shows up under another panel moves there.
    ///
    /// # Errors
    /// [`Error::UnknownPanel`] unless [`Self::record_panel`] came before; those of writing.
    pub fn record_listing(
        &mut self,
        run: RunId,
        panel: &PanelName,
        server: &Server,
        backups: &[Backup],
        listing: ListingSeen,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a server's backups", |tx| {
            let server_row = upsert_server(tx, run, panel, server, now)?;
            tx.prepare_cached(
                "UPDATE servers SET last_listed_at = ?2, skipped_because = NULL WHERE id = ?1",
            )?
            .execute(params![server_row, rows::time(now)])?;
            let mut listed = BTreeSet::new();
            for backup in backups {
                listed.insert(upsert_backup(tx, run, server_row, backup, now)?);
            }
            match listing {
                ListingSeen::Whole => vanish_others(tx, run, server_row, &listed, now),
                ListingSeen::Partial => Ok(()),
            }
        })
    }

    /// Records one backup of a server whose backups were not listed (yet), such as one that was just asked for.
    ///
    /// # Errors
    /// [`Error::UnknownPanel`] unless [`Self::record_panel`] came before; those of writing.
    pub fn record_backup(
        &mut self,
        run: RunId,
        panel: &PanelName,
        server: &Server,
        backup: &Backup,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a backup", |tx| {
            let server_row = upsert_server(tx, run, panel, server, now)?;
            upsert_backup(tx, run, server_row, backup, now).map(drop)
        })
    }

    /// Records that the panel no longer has a backup that it listed before; saying so twice is harmless.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_vanished(
        &mut self,
        run: RunId,
        of: BackupOf,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a vanished backup", |tx| {
            let (server_row, known) = known_backup(tx, of)?;
            match known.vanished_at {
                None => vanish(tx, run, server_row, known.id, now),
                Some(_said_before) => Ok(()),
            }
        })
    }

    /// Records a server whose backups were not listed, and why in plain words.
    ///
    /// # Errors
    /// [`Error::UnknownPanel`]; those of writing.
    pub fn record_skipped_server(
        &mut self,
        run: RunId,
        panel: &PanelName,
        server: &Server,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a skipped server", |tx| {
            let server_row = upsert_server(tx, run, panel, server, now)?;
            let changed = tx
                .prepare_cached(
                    "UPDATE servers SET skipped_because = ?2
                      WHERE id = ?1 AND skipped_because IS NOT ?2",
                )?
                .execute(params![server_row, why])?;
            if changed == 0 {
                return Ok(());
            }
            let subject = Subject::of_server(server_row);
            events::event(tx, Some(run), "skipped", subject, &json!({"why": why}), now)
        })
    }
}

pub(super) fn find_server(tx: &Transaction<'_>, server: ServerId) -> Result<Option<i64>, Fault> {
    Ok(tx
        .prepare_cached("SELECT id FROM servers WHERE uuid = ?1")?
        .query_row([server.to_string()], |row| row.get(0))
        .optional()?)
}

pub(super) fn server_row(tx: &Transaction<'_>, server: ServerId) -> Result<i64, Fault> {
    find_server(tx, server)?.ok_or_else(|| Error::UnknownServer { server }.into())
}

fn upsert_server(
    tx: &Transaction<'_>,
    run: RunId,
    panel: &PanelName,
    server: &Server,
    now: Timestamp,
) -> Result<i64, Fault> {
    let panel_row: i64 = tx
        .prepare_cached("SELECT id FROM panels WHERE name = ?1")?
        .query_row([panel.as_str()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| Error::UnknownPanel {
            panel: panel.clone(),
        })?;
    let before: Option<(i64, String)> = tx
        .prepare_cached(
            "SELECT s.panel_id, p.name FROM servers s JOIN panels p ON p.id = s.panel_id
              WHERE s.uuid = ?1",
        )?
        .query_row([server.id.to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let server_row: i64 = tx
        .prepare_cached(
            "INSERT INTO servers (uuid, panel_id, identifier, name, first_seen_at, last_seen_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (uuid) DO UPDATE
                SET panel_id = excluded.panel_id, identifier = excluded.identifier,
                    name = excluded.name, last_seen_at = excluded.last_seen_at
             RETURNING id",
        )?
        .query_row(
            params![
                server.id.to_string(),
                panel_row,
                server.identifier,
                server.name,
                rows::time(now)
            ],
            |row| row.get(0),
        )?;
    if let Some((old_panel, old_name)) = before
        && old_panel != panel_row
    {
        let subject = Subject::of_server(server_row);
        let detail = json!({"from": old_name, "to": panel});
        events::event(tx, Some(run), "moved", subject, &detail, now)?;
    }
    Ok(server_row)
}

/// What the ledger has of a backup.
#[derive(Debug)]
pub(super) struct BackupRow {
    pub(super) id: i64,
    pub(super) completed_at: Option<i64>,
    pub(super) archive_bytes: Option<i64>,
    pub(super) checksum: Option<String>,
    pub(super) vanished_at: Option<i64>,
    pub(super) is_locked: bool,
}

pub(super) fn backup_row(
    tx: &Transaction<'_>,
    server_row: i64,
    backup: BackupId,
) -> Result<Option<BackupRow>, Fault> {
    Ok(tx
        .prepare_cached(
            "SELECT id, completed_at, archive_bytes, checksum, vanished_at, is_locked
               FROM backups WHERE server_id = ?1 AND uuid = ?2",
        )?
        .query_row(params![server_row, backup.to_string()], |row| {
            Ok(BackupRow {
                id: row.get(0)?,
                completed_at: row.get(1)?,
                archive_bytes: row.get(2)?,
                checksum: row.get(3)?,
                vanished_at: row.get(4)?,
                is_locked: row.get(5)?,
            })
        })
        .optional()?)
}

/// A backup that must be known, with its server's row.
pub(super) fn known_backup(tx: &Transaction<'_>, of: BackupOf) -> Result<(i64, BackupRow), Fault> {
    let BackupOf { server, backup } = of;
    let server_row = server_row(tx, server)?;
    let row = backup_row(tx, server_row, backup)?.ok_or(Error::UnknownBackup { server, backup })?;
    Ok((server_row, row))
}

/// What most rows of most listings come to: nothing of them changed, and no index has to.
pub(super) const SEEN_AGAIN: &str = "UPDATE backups SET last_seen_at = ?10
  WHERE server_id = ?1 AND uuid = ?2 AND name = ?3 AND state = ?4 AND is_locked = ?5 AND created_at = ?6
    AND completed_at IS ?7 AND archive_bytes IS ?8 AND checksum IS ?9 AND vanished_at IS NULL
  RETURNING id";

fn upsert_backup(
    tx: &Transaction<'_>,
    run: RunId,
    server_row: i64,
    backup: &Backup,
    now: Timestamp,
) -> Result<i64, Fault> {
    let record = backup.record();
    let (completed_at, archive_bytes, checksum) = match backup {
        Backup::Pending(_) | Backup::Failed(_) => (None, None, None),
        Backup::Completed(completed) => (
            Some(rows::time(completed.completed_at)),
            Some(rows::claimed_size(completed.archive_bytes)),
            completed.checksum.digest().map(ToString::to_string),
        ),
    };
    let row = params![
        server_row,
        record.id.to_string(),
        record.name,
        rows::state_word(backup),
        record.is_locked,
        rows::time(record.created_at),
        completed_at,
        archive_bytes,
        checksum,
        rows::time(now)
    ];
    let unchanged: Option<i64> = tx
        .prepare_cached(SEEN_AGAIN)?
        .query_row(row, |row| row.get(0))
        .optional()?;
    if let Some(backup_row) = unchanged {
        return Ok(backup_row);
    }
    let before = backup_row(tx, server_row, record.id)?;
    let backup_row: i64 = tx
        .prepare_cached(
            "INSERT INTO backups (server_id, uuid, name, state, is_locked, created_at, completed_at,
                                  archive_bytes, checksum, first_seen_at, last_seen_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
             ON CONFLICT (server_id, uuid) DO UPDATE
                SET name = excluded.name, state = excluded.state, is_locked = excluded.is_locked,
                    created_at = excluded.created_at, completed_at = excluded.completed_at,
                    archive_bytes = excluded.archive_bytes, checksum = excluded.checksum,
                    last_seen_at = excluded.last_seen_at, vanished_at = NULL
             RETURNING id",
        )?
        .query_row(row, |row| row.get(0))?;
    let Some(before) = before else {
        return Ok(backup_row);
    };
    let subject = Subject::of_backup(server_row, backup_row);
    if before.vanished_at.is_some() {
        events::event(tx, Some(run), "reappeared", subject, &json!({}), now)?;
    }
    let was = (before.completed_at, before.archive_bytes, before.checksum);
    let is = (completed_at, archive_bytes, checksum);
    if before.completed_at.is_some() && was != is {
        let say = |(completed_at, bytes, checksum)| json!({"completed_at": completed_at, "bytes": bytes, "checksum": checksum});
        let detail = json!({"was": say(was), "is": say(is)});
        events::event(tx, Some(run), "changed", subject, &detail, now)?;
    }
    Ok(backup_row)
}

/// Marks as vanished what was listed before and is not in `listed`.
fn vanish_others(
    tx: &Transaction<'_>,
    run: RunId,
    server_row: i64,
    listed: &BTreeSet<i64>,
    now: Timestamp,
) -> Result<(), Fault> {
    let present: Vec<i64> = tx
        .prepare_cached("SELECT id FROM backups WHERE server_id = ?1 AND vanished_at IS NULL")?
        .query_map([server_row], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for backup_row in present {
        if listed.contains(&backup_row) {
            continue;
        }
        vanish(tx, run, server_row, backup_row, now)?;
    }
    Ok(())
}

fn vanish(
    tx: &Transaction<'_>,
    run: RunId,
    server_row: i64,
    backup_row: i64,
    now: Timestamp,
) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE backups SET vanished_at = ?2 WHERE id = ?1")?
        .execute(params![backup_row, rows::time(now)])?;
    let subject = Subject::of_backup(server_row, backup_row);
    events::event(tx, Some(run), "vanished", subject, &json!({}), now)
}
