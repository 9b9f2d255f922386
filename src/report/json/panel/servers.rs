//! The document of `panel servers`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::server::ServerState;
use crate::report::json::panel::Slots;
use crate::report::json::write_document;
use crate::report::panel::ServerRow;
use crate::report::panel::ServersReport;

/// JSON Schema of what [`servers`] writes.
pub const SERVERS_SCHEMA: &str = include_str!("../../schema/panel-servers-1.json");

/// Writes the document of `panel servers`, schema `nestegg.panel.servers/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn servers(report: &ServersReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.panel.servers/1",
        at: report.at,
        exit_code,
        servers: report.servers.iter().map(Row::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    at: Timestamp,
    exit_code: u8,
    servers: Vec<Row<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct Row<'a> {
    panel: &'a PanelName,
    server: ServerId,
    identifier: &'a str,
    name: &'a str,
    node: Option<&'a str>,
    state: ServerState,
    slots: Slots,
}

impl<'a> Row<'a> {
    fn of(row: &'a ServerRow) -> Self {
        let ServerRow {
            panel,
            server,
            slots,
        } = row;
        Self {
            panel,
            server: server.id,
            identifier: &server.identifier,
            name: &server.name,
            node: server.passport.node.as_deref(),
            state: server.state,
            slots: Slots::of(*slots),
        }
    }
}
