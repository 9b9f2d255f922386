//! The table of `panel backups`.

use std::io;
use std::io::Write;

use comfy_table::Cell;

use crate::model::backup::Backup;
use crate::model::ids::PanelName;
use crate::model::outcome::Skipped;
use crate::model::text::one_line;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary;
use crate::report::panel::BackupsReport;
use crate::report::panel::HeldAt;
use crate::report::words;

/// Reasons are cut to this many characters.
const REASON_CHARACTERS: usize = 200;

/// Writes a row a backup: server, name, when it was asked for, state, length, whether it is locked, where
/// copies of it are held, and its id. The panel has a column when there are several.
///
/// # Errors
/// What the writer refuses.
pub fn backups(report: &BackupsReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let count: usize = report.servers.iter().map(|one| one.backups.len()).sum();
    if count == 0 && report.servers.is_empty() {
        return Ok(());
    }
    if count == 0 {
        return writeln!(
            out,
            "No backup is on the panel ({} looked at).",
            words::counted_of(&report.servers, "server")
        );
    }
    let first: Option<&PanelName> = report.servers.first().map(|server| &server.of.panel);
    let mut panels = report.servers.iter().map(|server| &server.of.panel);
    let has_several = panels.any(|panel| Some(panel) != first);
    let mut header = Vec::new();
    if has_several {
        header.push("PANEL");
    }
    header.extend([
        "SERVER",
        "BACKUP",
        "CREATED (UTC)",
        "STATE",
        "SIZE",
        "LOCKED",
        "HELD AT",
        "BACKUP ID",
    ]);
    let mut table = style.table(&header);
    let before = usize::from(has_several);
    style::right(&mut table, before + 4);
    // The id is what other commands are given.
    style::unbroken(&mut table, before + 7);
    for server in &report.servers {
        for row in &server.backups {
            let record = row.backup.record();
            let mut cells: Vec<Cell> = Vec::new();
            if has_several {
                let panel = style::name(server.of.panel.as_str());
                cells.push(style::cell(panel, Tone::Plain));
            }
            cells.push(style::cell(style::name(&server.of.name), Tone::Plain));
            cells.push(style::cell(style::name(&record.name), Tone::Plain));
            cells.push(style::cell(words::minute(record.created_at), Tone::Plain));
            let (state, tone) = state(&row.backup);
            cells.push(style::cell(state, tone));
            cells.push(style::cell(size(&row.backup), Tone::Plain));
            let locked = if record.is_locked { "yes" } else { "-" };
            cells.push(style::cell(locked, Tone::Plain));
            cells.push(held(&row.held));
            cells.push(style::cell(record.id.to_string(), Tone::Quiet));
            table.add_row(cells);
        }
    }
    summary::write_table(&table, out)
}

/// Writes the servers that were left out, and why.
///
/// # Errors
/// What the writer refuses.
pub fn skipped(skipped: &[Skipped], style: Style, out: &mut dyn Write) -> io::Result<()> {
    for one in skipped {
        let why = one_line(&one.why, REASON_CHARACTERS);
        let said = format!("{}: {why}", style::name(&one.server_name));
        summary::entry("skipped", &said, Tone::Careful, style, out)?;
    }
    Ok(())
}

/// The state in a word.
pub(super) const fn state(backup: &Backup) -> (&'static str, Tone) {
    match backup {
        Backup::Completed(_) => ("completed", Tone::Plain),
        Backup::Pending(_) => ("in progress", Tone::Careful),
        Backup::Failed(_) => ("failed", Tone::Bad),
    }
}

fn size(backup: &Backup) -> String {
    match backup {
        Backup::Completed(completed) => words::size(completed.archive_bytes),
        Backup::Pending(_) | Backup::Failed(_) => "-".to_owned(),
    }
}

fn held(held: &HeldAt) -> Cell {
    match held {
        HeldAt::NotKnown => style::cell("(no ledger)", Tone::Quiet),
        HeldAt::Places(places) if places.is_empty() => style::cell("-", Tone::Quiet),
        HeldAt::Places(places) => {
            let names: Vec<String> = places
                .iter()
                .map(|place| style::name(place.as_str()))
                .collect();
            style::cell(names.join(", "), Tone::Plain)
        }
    }
}
