//! The document of `panel delete`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::report::json::panel::copies::Copy;
use crate::report::json::write_document;
use crate::report::panel::delete::DeleteReport;
use crate::report::panel::delete::DeletedBackup;

/// JSON Schema of what [`delete`] writes.
pub const DELETE_SCHEMA: &str = include_str!("../../schema/panel-delete-1.json");

/// Writes the document of `panel delete`, schema `nestegg.panel.delete/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn delete(report: &DeleteReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.panel.delete/1",
        started_at: report.started_at,
        finished_at: report.finished_at,
        exit_code,
        backups: report.backups.iter().map(Row::of).collect(),
        errors: report.failures().collect(),
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    started_at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    backups: Vec<Row<'a>>,
    errors: Vec<&'a Failure>,
}

#[derive(Serialize)]
struct Row<'a> {
    backup: BackupId,
    panel: Option<&'a PanelName>,
    server: Option<ServerId>,
    server_name: Option<&'a str>,
    name: Option<&'a str>,
    created_at: Option<Timestamp>,
    bytes: Option<u64>,
    state: &'static str,
    copies: Vec<Copy<'a>>,
    error: Option<&'a Failure>,
}

impl<'a> Row<'a> {
    fn of(backup: &'a DeletedBackup) -> Self {
        let found = backup.found.as_ref();
        Self {
            backup: backup.backup,
            panel: found.map(|found| &found.panel),
            server: found.map(|found| found.server),
            server_name: found.map(|found| found.server_name.as_str()),
            name: found.and_then(|found| found.name.as_deref()),
            created_at: found.and_then(|found| found.created_at),
            bytes: found.and_then(|found| found.bytes),
            state: backup.deletion.as_str(),
            copies: backup.copies.iter().map(Copy::of).collect(),
            error: backup.failure.as_ref(),
        }
    }
}
