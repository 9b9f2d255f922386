//! What a run would do: the output of `--dry-run`.

use std::io;
use std::io::Write;

use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyState;
use crate::model::text::one_line;
use crate::report::MirrorReport;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary;
use crate::report::words;

/// Reasons are cut to this many characters.
const REASON_CHARACTERS: usize = 200;

/// Writes the plan of a dry run: each backup that would be mirrored, where to and why; the
/// bytes it would take; what is held already and what is left out.
///
/// On a terminal the backups are a table, elsewhere a plain line each.
///
/// # Errors
/// What the writer refuses.
pub fn plan(report: &MirrorReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let planned: Vec<&BackupOutcome> = report
        .backups
        .iter()
        .filter(|backup| backup.state() != CopyState::AlreadyHeld)
        .collect();
    if style.width.is_some() {
        table(&planned, style, out)?;
    } else {
        lines(&planned, out)?;
    }
    sums(report, style, out)?;
    summary::skipped(&report.skipped, style, out)?;
    writeln!(out, "Nothing was changed: this was a dry run.")
}

fn table(planned: &[&BackupOutcome], style: Style, out: &mut dyn Write) -> io::Result<()> {
    if planned.is_empty() {
        return Ok(());
    }
    let mut table = style.table(&["SERVER", "BACKUP", "SIZE", "TO", "WHY"]);
    style::right(&mut table, 2);
    for backup in planned {
        table.add_row(vec![
            style::cell(style::name(&backup.server_name), Tone::Plain),
            style::cell(style::name(&backup.name), Tone::Plain),
            style::cell(words::size(backup.bytes), Tone::Plain),
            style::cell(targets(backup), Tone::of_state(backup.state())),
            style::cell(why(backup), Tone::Plain),
        ]);
    }
    summary::write_table(&table, out)
}

fn lines(planned: &[&BackupOutcome], out: &mut dyn Write) -> io::Result<()> {
    for backup in planned {
        writeln!(
            out,
            "{:<12}  {} / {}  {}  {}  {}  {}",
            backup.state().as_str(),
            style::name(&backup.server_name),
            style::name(&backup.name),
            backup.backup,
            words::size(backup.bytes),
            targets(backup),
            why(backup),
        )?;
    }
    Ok(())
}

fn sums(report: &MirrorReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let wanted = |backup: &&BackupOutcome| !names(backup, CopyState::WouldMirror).is_empty();
    let planned: Vec<&BackupOutcome> = report.backups.iter().filter(wanted).collect();
    let (held_nowhere, held_somewhere): (Vec<&BackupOutcome>, Vec<&BackupOutcome>) = planned
        .iter()
        .partition(|backup| names(backup, CopyState::AlreadyHeld).is_empty());
    let from_panels = words::total(held_nowhere.iter().map(|backup| backup.bytes));
    let from_destinations = words::total(held_somewhere.iter().map(|backup| backup.bytes));
    let to_destinations = words::total(planned.iter().flat_map(|backup| {
        let copies = names(backup, CopyState::WouldMirror);
        copies.into_iter().map(|_copy| backup.bytes)
    }));
    let seen = format!(
        "{} on {}",
        words::counted(report.backups_seen, "backup"),
        words::counted(report.servers, "server"),
    );
    summary::entry("Seen", &seen, Tone::Plain, style, out)?;
    let mut said = vec![words::counted_of(&planned, "backup")];
    if !held_nowhere.is_empty() {
        said.push(format!("{} from panels", words::size(from_panels)));
    }
    if !held_somewhere.is_empty() {
        let bytes = words::size(from_destinations);
        said.push(format!("{bytes} from other destinations"));
    }
    if !planned.is_empty() {
        said.push(format!("{} to upload", words::size(to_destinations)));
    }
    let said = said.join(", ");
    summary::entry("Would mirror", &said, Tone::Careful, style, out)?;
    for (label, state) in [
        ("Already held", CopyState::AlreadyHeld),
        ("Failed", CopyState::Failed),
        ("Not reached", CopyState::NotReached),
    ] {
        let count = report.backups_in(state);
        if count > 0 {
            let said = words::counted(count, "backup");
            summary::entry(label, &said, Tone::of_state(state), style, out)?;
        }
    }
    Ok(())
}

/// Where copies would be made; `-` when nowhere.
fn targets(backup: &BackupOutcome) -> String {
    let targets = names(backup, CopyState::WouldMirror);
    if targets.is_empty() {
        "-".to_owned()
    } else {
        targets.join(", ")
    }
}

/// Why a backup is in the plan.
fn why(backup: &BackupOutcome) -> String {
    let failure = backup.copies.iter().find_map(|copy| copy.failure.as_ref());
    if let Some(failure) = failure {
        return one_line(&failure.message, REASON_CHARACTERS);
    }
    let held = names(backup, CopyState::AlreadyHeld);
    if held.is_empty() {
        "not held yet".to_owned()
    } else {
        format!("held only at {}", held.join(", "))
    }
}

fn names(backup: &BackupOutcome, state: CopyState) -> Vec<String> {
    backup
        .copies
        .iter()
        .filter(|copy| copy.state == state)
        .map(|copy| style::name(copy.destination.as_str()))
        .collect()
}
