//! Events: what happened to what, when and why; only ever added.

use jiff::Timestamp;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::Value;

use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Fault;
use crate::ledger::rows;
use crate::model::ids::RunId;

/// What an event is about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Subject {
    pub(super) server: Option<i64>,
    pub(super) backup: Option<i64>,
    pub(super) destination: Option<DestinationRef>,
}

impl Subject {
    pub(super) fn of_server(server: i64) -> Self {
        Self {
            server: Some(server),
            ..Self::default()
        }
    }

    pub(super) fn of_backup(server: i64, backup: i64) -> Self {
        Self {
            server: Some(server),
            backup: Some(backup),
            ..Self::default()
        }
    }
}

/// Adds an event; nothing ever changes or removes it.
pub(super) fn event(
    tx: &Transaction<'_>,
    run: Option<RunId>,
    kind: &str,
    subject: Subject,
    detail: &Value,
    now: Timestamp,
) -> Result<(), Fault> {
    let Subject {
        server,
        backup,
        destination,
    } = subject;
    tx.prepare_cached(
        "INSERT INTO events (at, run_id, kind, server_id, backup_id, destination_id, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        rows::time(now),
        run.map(|run| run.0),
        kind,
        server,
        backup,
        destination.map(|destination| destination.0),
        detail.to_string(),
    ])?;
    Ok(())
}
