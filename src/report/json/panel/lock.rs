//! The document of `panel lock` and `panel unlock`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::report::json::write_document;
use crate::report::panel::LockOutcome;
use crate::report::panel::LockReport;
use crate::report::panel::LockRow;

/// JSON Schema of what [`lock`] writes.
pub const LOCK_SCHEMA: &str = include_str!("../../schema/panel-lock-1.json");

/// Writes the document of `panel lock` and `panel unlock`, schema `nestegg.panel.lock/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn lock(report: &LockReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.panel.lock/1",
        at: report.at,
        exit_code,
        wanted: word(report.wanted),
        backups: report.backups.iter().map(Row::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

const fn word(state: LockState) -> &'static str {
    match state {
        LockState::Locked => "locked",
        LockState::Unlocked => "unlocked",
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    at: Timestamp,
    exit_code: u8,
    wanted: &'static str,
    backups: Vec<Row<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct Row<'a> {
    panel: Option<&'a PanelName>,
    server: Option<ServerId>,
    server_name: Option<&'a str>,
    backup: BackupId,
    name: Option<&'a str>,
    outcome: &'static str,
    is: Option<&'static str>,
}

impl<'a> Row<'a> {
    fn of(row: &'a LockRow) -> Self {
        let of = row.of.as_ref();
        Self {
            panel: of.map(|of| &of.panel),
            server: of.map(|of| of.server),
            server_name: of.map(|of| of.name.as_str()),
            backup: row.backup,
            name: row.name.as_deref(),
            outcome: match row.outcome {
                LockOutcome::Changed => "changed",
                LockOutcome::Already => "already",
                LockOutcome::Failed => "failed",
                LockOutcome::NotReached => "not_reached",
            },
            is: row.is.map(word),
        }
    }
}
