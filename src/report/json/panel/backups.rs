//! The document of `panel backups`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::report::json::panel::Left;
use crate::report::json::panel::OnPanel;
use crate::report::json::panel::Slots;
use crate::report::json::write_document;
use crate::report::panel::BackupRow;
use crate::report::panel::BackupsReport;
use crate::report::panel::HeldAt;
use crate::report::panel::ServerBackups;

/// JSON Schema of what [`backups`] writes.
pub const BACKUPS_SCHEMA: &str = include_str!("../../schema/panel-backups-1.json");

/// Writes the document of `panel backups`, schema `nestegg.panel.backups/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn backups(report: &BackupsReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.panel.backups/1",
        at: report.at,
        exit_code,
        servers: report.servers.iter().map(OfServer::of).collect(),
        skipped: report.skipped.iter().map(Left::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    at: Timestamp,
    exit_code: u8,
    servers: Vec<OfServer<'a>>,
    skipped: Vec<Left<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct OfServer<'a> {
    panel: &'a PanelName,
    server: ServerId,
    identifier: &'a str,
    server_name: &'a str,
    slots: Slots,
    backups: Vec<Row<'a>>,
}

impl<'a> OfServer<'a> {
    fn of(server: &'a ServerBackups) -> Self {
        Self {
            panel: &server.of.panel,
            server: server.of.server,
            identifier: &server.of.identifier,
            server_name: &server.of.name,
            slots: Slots::of(server.slots),
            backups: server.backups.iter().map(Row::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct Row<'a> {
    backup: BackupId,
    name: &'a str,
    state: &'static str,
    locked: bool,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    bytes: Option<u64>,
    ignored_files: &'a [String],
    held_at: Option<&'a [DestinationName]>,
}

impl<'a> Row<'a> {
    fn of(row: &'a BackupRow) -> Self {
        let OnPanel {
            backup,
            name,
            state,
            locked,
            created_at,
            completed_at,
            bytes,
            ignored_files,
        } = OnPanel::of(&row.backup);
        Self {
            backup,
            name,
            state,
            locked,
            created_at,
            completed_at,
            bytes,
            ignored_files,
            held_at: match &row.held {
                HeldAt::Places(places) => Some(places),
                HeldAt::NotKnown => None,
            },
        }
    }
}
