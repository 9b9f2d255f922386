//! The document of `panel restore`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::plan::to_panel::Files;
use crate::report::json::write_document;
use crate::report::panel::restore::PanelRestoreReport;

/// JSON Schema of what [`restore`] writes.
pub const RESTORE_SCHEMA: &str = include_str!("../../schema/panel-restore-1.json");

/// Writes the document of `panel restore`, schema `nestegg.panel.restore/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn restore(report: &PanelRestoreReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.panel.restore/1",
        started_at: report.started_at,
        finished_at: report.finished_at,
        exit_code,
        panel: &report.panel,
        server: report.server,
        server_name: &report.server_name,
        backup: report.backup,
        name: report.backup_name.as_deref(),
        truncate: report.files == Files::Truncate,
        state: report.end.as_str(),
        power: report.power.as_str(),
        notes: &report.notes,
        held_at: &report.held_at,
        errors: report.failure.iter().collect(),
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    started_at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    backup: BackupId,
    name: Option<&'a str>,
    truncate: bool,
    state: &'static str,
    power: &'static str,
    notes: &'a [String],
    held_at: &'a [DestinationName],
    errors: Vec<&'a Failure>,
}
