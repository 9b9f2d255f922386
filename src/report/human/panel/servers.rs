//! The table of `panel servers`.

use std::io;
use std::io::Write;

use comfy_table::Cell;

use crate::model::ids::PanelName;
use crate::model::server::ServerState;
use crate::model::slots::BackupSlots;
use crate::model::slots::TakenSlots;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary;
use crate::report::panel::ServersReport;

/// Writes a row a server: name, short id, node, state, backup slots taken of those there are, and how
/// many of them are locked. The panel has a column when there are several.
///
/// # Errors
/// What the writer refuses.
pub fn servers(report: &ServersReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    if report.servers.is_empty() {
        return Ok(());
    }
    let first: Option<&PanelName> = report.servers.first().map(|row| &row.panel);
    let has_several = report.servers.iter().any(|row| Some(&row.panel) != first);
    let mut header = Vec::new();
    if has_several {
        header.push("PANEL");
    }
    header.extend(["SERVER", "ID", "NODE", "STATE", "BACKUPS", "LOCKED"]);
    let mut table = style.table(&header);
    for row in &report.servers {
        let plain = |text: &str| style::cell(style::name(text), Tone::Plain);
        let mut cells: Vec<Cell> = Vec::new();
        if has_several {
            cells.push(plain(row.panel.as_str()));
        }
        let server = &row.server;
        cells.push(plain(&server.name));
        cells.push(plain(&server.identifier));
        cells.push(match &server.passport.node {
            Some(node) => plain(node),
            None => style::cell("-", Tone::Plain),
        });
        let tone = match server.state {
            ServerState::Ready => Tone::Plain,
            ServerState::Suspended
            | ServerState::Installing
            | ServerState::Restoring
            | ServerState::Transferring
            | ServerState::NodeMaintenance
            | ServerState::Conflict => Tone::Careful,
        };
        cells.push(style::cell(server.state.as_str(), tone));
        cells.push(taken(row.slots));
        let locked = row.slots.taken.map(|taken| taken.locked.to_string());
        cells.push(style::cell(
            locked.unwrap_or_else(|| "-".to_owned()),
            Tone::Plain,
        ));
        table.add_row(cells);
    }
    for column in 0..header.len() {
        style::unbroken(&mut table, column);
    }
    summary::write_table(&table, out)
}

/// `3 of 5`; each number is a dash where it is not known.
fn taken(slots: BackupSlots) -> Cell {
    let used = slots.taken.map(TakenSlots::used);
    let word = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let text = match (used, slots.limit) {
        (None, None) => "-".to_owned(),
        (used, limit) => format!("{} of {}", word(used), word(limit)),
    };
    let is_full = used
        .zip(slots.limit)
        .is_some_and(|(used, limit)| used >= limit);
    style::cell(text, if is_full { Tone::Careful } else { Tone::Plain })
}
