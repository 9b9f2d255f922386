//! What `panel delete`, `panel trim` and `panel restore` print.

use std::io;
use std::io::Write;

use bytesize::ByteSize;
use comfy_table::Cell;

use crate::model::backup::Backup;
use crate::model::ids::DestinationName;
use crate::model::outcome::Mode;
use crate::model::slots::TakenSlots;
use crate::plan::trim::Fate;
use crate::report::human::Verbosity;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::panel::copies::CopyFound;
use crate::report::panel::copies::CopySeen;
use crate::report::panel::delete::DeleteReport;
use crate::report::panel::delete::DeletedBackup;
use crate::report::panel::delete::Deletion;
use crate::report::panel::restore::PanelRestoreReport;
use crate::report::panel::restore::RestoreState;
use crate::report::panel::restore::ServerPower;
use crate::report::panel::trim::Became;
use crate::report::panel::trim::TrimReport;
use crate::report::panel::trim::TrimmedBackup;
use crate::report::panel::trim::TrimmedServer;

/// Writes a line a backup: what became of it, whose it is, and where it is held. Nothing when all is
/// well and little is to be said.
///
/// # Errors
/// What the writer refuses.
pub fn delete(
    report: &DeleteReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if verbosity == Verbosity::Quiet && report.backups.iter().all(|one| one.deletion.is_gone()) {
        return Ok(());
    }
    for backup in &report.backups {
        let (word, tone) = match backup.deletion {
            Deletion::Deleted => ("deleted", Tone::Good),
            Deletion::AlreadyGone => ("already gone", Tone::Quiet),
            Deletion::NotDeleted => ("not deleted", Tone::Bad),
            Deletion::NotReached => ("not reached", Tone::Careful),
        };
        let held = held_words(&backup.copies);
        writeln!(
            out,
            "{}: {}{held}",
            style.paint(word, tone),
            subject(backup)
        )?;
    }
    Ok(())
}

fn subject(backup: &DeletedBackup) -> String {
    let id = backup.backup;
    match &backup.found {
        None => id.to_string(),
        Some(found) => {
            let server = style::name(&found.server_name);
            match &found.name {
                Some(name) => format!("{server} / {} ({id})", style::name(name)),
                None => format!("{server} / {id}"),
            }
        }
    }
}

fn held_words(copies: &[CopySeen]) -> String {
    let held: Vec<&str> = copies
        .iter()
        .filter(|copy| copy.found == CopyFound::Held)
        .map(|copy| copy.destination.as_str())
        .collect();
    if held.is_empty() {
        String::new()
    } else {
        format!(", held at {}", held.join(", "))
    }
}

/// Writes a table a server, newest backup first: what becomes of each, and why; then what is freed.
///
/// # Errors
/// What the writer refuses.
pub fn trim(
    report: &TrimReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_well = report.failures().next().is_none();
    if verbosity == Verbosity::Quiet && is_well && report.mode == Mode::Apply {
        return Ok(());
    }
    for server in &report.servers {
        table(server, style, out)?;
        writeln!(out)?;
    }
    let count = |became: &Became| {
        let name = became.as_str();
        report.count(|one| one.as_str() == name)
    };
    match report.mode {
        Mode::DryRun => {
            let would = count(&Became::WouldBeDeleted);
            writeln!(
                out,
                "would delete {} and free as many slots; nothing was deleted: --apply deletes",
                backups(would)
            )
        }
        Mode::Apply => {
            let deleted = count(&Became::Deleted);
            writeln!(out, "deleted {}, and freed as many slots", backups(deleted))
        }
    }
}

fn backups(count: usize) -> String {
    match count {
        1 => "1 backup".to_owned(),
        several => format!("{several} backups"),
    }
}

fn table(server: &TrimmedServer, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let used = server.slots.taken.map(TakenSlots::used);
    let slots = match (used, server.slots.limit) {
        (Some(used), Some(limit)) => format!(": {used} of {limit} slots taken"),
        (Some(used), None) => format!(": {used} slots taken"),
        (None, _) => String::new(),
    };
    writeln!(
        out,
        "{} ({}){slots}",
        style::name(&server.name),
        style::name(&server.identifier)
    )?;
    if server.backups.is_empty() {
        return writeln!(out, "no backups");
    }
    let mut table = style.table(&["", "MADE", "SIZE", "BACKUP", "ID", "WHY"]);
    for backup in &server.backups {
        table.add_row(row(backup));
    }
    for column in 0..5 {
        style::unbroken(&mut table, column);
    }
    style::right(&mut table, 2);
    writeln!(out, "{}", table.trim_fmt())
}

fn row(backup: &TrimmedBackup) -> Vec<Cell> {
    let there = &backup.planned.candidate.backup;
    let record = there.record();
    let (word, tone) = match &backup.became {
        Became::Stays => ("keep", Tone::Quiet),
        Became::WouldBeDeleted => ("delete", Tone::Careful),
        Became::Deleted => ("deleted", Tone::Good),
        Became::AlreadyGone => ("already gone", Tone::Quiet),
        Became::Changed { .. } => ("keep", Tone::Careful),
        Became::NotDeleted(_) => ("not deleted", Tone::Bad),
        Became::NotReached => ("not reached", Tone::Careful),
    };
    let bytes = match there {
        Backup::Completed(backup) => ByteSize(backup.archive_bytes).to_string(),
        Backup::Pending(_) | Backup::Failed(_) => "-".to_owned(),
    };
    vec![
        style::cell(word, tone),
        style::cell(
            record.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            Tone::Plain,
        ),
        style::cell(bytes, Tone::Plain),
        style::cell(style::name(&record.name), Tone::Plain),
        style::cell(record.id.to_string(), Tone::Plain),
        style::cell(why(backup), Tone::Plain),
    ]
}

fn why(backup: &TrimmedBackup) -> String {
    match (&backup.became, &backup.planned.fate) {
        (Became::Changed { now }, _) => format!("changed meanwhile: {now}"),
        (Became::NotDeleted(_), _) => "see the error".to_owned(),
        (_, Fate::Keep(reason)) => reason.to_string(),
        (_, Fate::Delete(held_at)) => {
            let places: Vec<&str> = held_at.iter().map(DestinationName::as_str).collect();
            format!("held at {}", places.join(", "))
        }
    }
}

/// Writes what became of a restore by the panel, and how it stands with the server.
///
/// # Errors
/// What the writer refuses.
pub fn restore(
    report: &PanelRestoreReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if verbosity == Verbosity::Quiet && report.failure.is_none() {
        return Ok(());
    }
    let (word, tone) = match report.end {
        RestoreState::Complete => ("restored", Tone::Good),
        RestoreState::Failed | RestoreState::Broken => ("failed", Tone::Bad),
        RestoreState::Unknown => ("not known", Tone::Bad),
        RestoreState::UnderWay => ("under way", Tone::Careful),
        RestoreState::NotBegun => ("not restored", Tone::Bad),
    };
    let backup = report
        .backup_name
        .as_deref()
        .map_or_else(String::new, |name| format!("{} ", style::name(name)));
    writeln!(
        out,
        "{}: {} / {backup}({}), by panel {}",
        style.paint(word, tone),
        style::name(&report.server_name),
        report.backup,
        report.panel,
    )?;
    for note in &report.notes {
        writeln!(out, "  {note}")?;
    }
    match report.power {
        ServerPower::StartedAgain => writeln!(out, "  the server was stopped, and started again"),
        ServerPower::Untouched | ServerPower::LeftStopped => Ok(()),
    }
}
