//! Runs: the invocations that change something.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::params;
use serde_json::Value;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::rows;
use crate::model::ids::RunId;

/// One run, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its number.
    pub run: RunId,
    /// Its command.
    pub command: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended; `None` when it was killed or still runs.
    pub end: Option<RunEnd>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub finished_at: Timestamp,
    /// With this exit code.
    pub exit_code: u8,
    /// Its counts, as they were handed in.
    pub counts: Value,
}

impl Ledger {
    /// Begins a run and numbers it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn begin_run(&mut self, command: &str, now: Timestamp) -> Result<RunId, Error> {
        self.write("begin a run in the ledger", |tx| {
            tx.prepare_cached("INSERT INTO runs (command, started_at) VALUES (?1, ?2)")?
                .execute(params![command, rows::time(now)])?;
            Ok(RunId(tx.last_insert_rowid()))
        })
    }

    /// Ends a run. `counts` is the report's, whatever it counts.
    ///
    /// # Errors
    /// [`Error::UnknownRun`]; those of writing.
    pub fn finish_run(
        &mut self,
        run: RunId,
        exit_code: u8,
        counts: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("end the run in the ledger", |tx| {
            let found = tx
                .prepare_cached(
                    "UPDATE runs SET finished_at = ?2, exit_code = ?3, counts = ?4 WHERE id = ?1",
                )?
                .execute(params![
                    run.0,
                    rows::time(now),
                    exit_code,
                    counts.to_string()
                ])?;
            if found == 0 {
                return Err(Error::UnknownRun { run }.into());
            }
            Ok(())
        })
    }

    /// The latest run of a command, finished or not.
    ///
    /// # Errors
    /// Those of reading.
    pub fn last_run(&self, command: &str) -> Result<Option<RunRecord>, Error> {
        self.read("read the last run", |tx| {
            Ok(tx
                .prepare_cached(
                    "SELECT id, command, started_at, finished_at, exit_code, coalesce(counts, 'null')
                       FROM runs WHERE command = ?1 ORDER BY id DESC LIMIT 1",
                )?
                .query_row([command], |row| {
                    let end = match rows::timestamp_if_any(row, 3)? {
                        None => None,
                        Some(finished_at) => Some(RunEnd {
                            finished_at,
                            exit_code: row.get(4)?,
                            counts: rows::parsed(row, 5)?,
                        }),
                    };
                    Ok(RunRecord {
                        run: RunId(row.get(0)?),
                        command: row.get(1)?,
                        started_at: rows::timestamp(row, 2)?,
                        end,
                    })
                })
                .optional()?)
        })
    }
}
