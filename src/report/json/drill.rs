//! The document of `restore --drill`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::report::drill::DrillReport;
use crate::report::drill::DrillState;
use crate::report::drill::DrilledCopy;
use crate::report::json::write_document;

/// JSON Schema of what [`drill`] writes.
pub const DRILL_SCHEMA: &str = include_str!("../schema/drill-1.json");

#[derive(Serialize)]
struct DrillDocument<'a> {
    schema: &'static str,
    run: Option<i64>,
    started_at: Timestamp,
    finished_at: Timestamp,
    outcome: &'static str,
    exit_code: u8,
    counts: Value,
    copies: Vec<CopyDocument<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct CopyDocument<'a> {
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    backup: BackupId,
    name: &'a str,
    completed_at: Timestamp,
    destination: &'a DestinationName,
    key: &'a ObjectKey,
    bytes: u64,
    state: &'static str,
    duration_ms: u64,
    entries: Option<u64>,
    unpacked_bytes: Option<u64>,
    missing: &'a [String],
    error: Option<&'a Failure>,
}

impl<'a> CopyDocument<'a> {
    fn of(copy: &'a DrilledCopy) -> Self {
        Self {
            panel: &copy.panel,
            server: copy.server,
            server_name: &copy.server_name,
            backup: copy.backup,
            name: &copy.name,
            completed_at: copy.completed_at,
            destination: &copy.destination,
            key: &copy.key,
            bytes: copy.bytes,
            state: copy.state.as_str(),
            duration_ms: copy.duration_ms,
            entries: copy.structure.map(|found| found.entries),
            unpacked_bytes: copy.structure.map(|found| found.unpacked_bytes),
            missing: &copy.missing,
            error: copy.failure.as_ref(),
        }
    }
}

/// The counts of a drill, as the document and the ledger have them.
pub fn drill_counts(report: &DrillReport) -> Value {
    json!({
        "held": report.held,
        "sample": report.sample,
        "drilled": report.count(DrillState::Drilled),
        "at_rest": report.count(DrillState::AtRest),
        "failed": report.count(DrillState::Failed),
        "not_reached": report.count(DrillState::NotReached),
    })
}

/// Writes the document of a drill, schema `nestegg.drill/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn drill(report: &DrillReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = DrillDocument {
        schema: "nestegg.drill/1",
        run: report.run.map(|run| run.0),
        started_at: report.started_at,
        finished_at: report.finished_at,
        outcome: report.outcome().as_str(),
        exit_code,
        counts: drill_counts(report),
        copies: report.copies.iter().map(CopyDocument::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}
