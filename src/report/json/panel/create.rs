//! The document of `panel create`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::report::json::panel::OnPanel;
use crate::report::json::panel::Slots;
use crate::report::json::write_document;
use crate::report::panel::CreateReport;
use crate::report::panel::Learnt;

/// JSON Schema of what [`create`] writes.
pub const CREATE_SCHEMA: &str = include_str!("../../schema/panel-create-1.json");

/// Writes the document of `panel create`, schema `nestegg.panel.create/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn create(report: &CreateReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let of = report.of.as_ref();
    let document = Document {
        schema: "nestegg.panel.create/1",
        at: report.at,
        finished_at: report.finished_at,
        exit_code,
        panel: of.map(|of| &of.panel),
        server: of.map(|of| of.server),
        identifier: of.map(|of| of.identifier.as_str()),
        server_name: of.map(|of| of.name.as_str()),
        slots_before: report.slots.map(Slots::of),
        backup: report.made.as_ref().map(|made| OnPanel::of(&made.backup)),
        learnt_from: report.made.as_ref().map(|made| match made.learnt {
            Learnt::FromAnswer => "answer",
            Learnt::FromList => "list",
        }),
        timed_out: report.ended == Ended::AtLimit,
        retry_after_seconds: report.retry_after.map(|wait| wait.as_secs()),
        errors: &report.errors,
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    panel: Option<&'a PanelName>,
    server: Option<ServerId>,
    identifier: Option<&'a str>,
    server_name: Option<&'a str>,
    slots_before: Option<Slots>,
    backup: Option<OnPanel<'a>>,
    learnt_from: Option<&'static str>,
    timed_out: bool,
    retry_after_seconds: Option<u64>,
    errors: &'a [Failure],
}
