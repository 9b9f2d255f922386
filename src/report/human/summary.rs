//! What a run of `mirror` did: a line a backup, and the sum of it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use crate::model::checksum::Verdict;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::Skipped;
use crate::model::text::one_line;
use crate::report::Lacking;
use crate::report::MirrorReport;
use crate::report::human::Verbosity;
use crate::report::human::plan;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::verify;
use crate::report::outcome::Outcome;
use crate::report::verify::Verified;
use crate::report::words;

/// Up to this many destinations get a column each; more share one.
const DESTINATION_COLUMNS: usize = 4;
/// Up to this many names are told of a group of skipped servers.
const NAMES_TOLD: usize = 5;
/// Reasons are cut to this many characters where they share a line.
const REASON_CHARACTERS: usize = 200;

/// Writes what became of one backup: exactly one plain line without control characters.
///
/// # Errors
/// What the writer refuses.
pub fn mirror_line(backup: &BackupOutcome, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<12}  {} / {}  {}  {}  {}  {}",
        backup.state().as_str(),
        style::name(&backup.server_name),
        style::name(&backup.name),
        backup.backup,
        words::size(backup.bytes),
        verdicts(backup),
        destinations(backup),
    )
}

/// Writes what a run did: on a terminal a table of the backups on which something was done or
/// failed, then the sums and what was skipped. Failures are told by
/// [`mirror_errors`](crate::report::human::mirror_errors).
///
/// Of a dry run the plan is written instead. Quietly, a run in which all is well leaves no word.
///
/// # Errors
/// What the writer refuses.
pub fn mirror_summary(
    report: &MirrorReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if report.mode == Mode::DryRun {
        return plan(report, style, out);
    }
    let all_is_well = report.outcome() == Outcome::Ok;
    if verbosity == Verbosity::Quiet && all_is_well && report.lacking.is_empty() {
        return Ok(());
    }
    if style.width.is_some() {
        table(report, style, out)?;
    }
    sums(report, style, out)?;
    skipped(&report.skipped, style, out)?;
    lacking(&report.lacking, style, out)?;
    if let Some(verified) = &report.verified {
        let checked = words::counted_of(&verified.copies, "copy");
        let read = words::size(verified.read_bytes());
        let said = format!("{checked}, {read} read back");
        entry("Verified", &said, Tone::Plain, style, out)?;
        verify::sums(verified, style, out)?;
    }
    let verdict = match (report.ended, report.outcome()) {
        (Ended::BySigint | Ended::BySigterm, _) => {
            "Interrupted: what was done is recorded, nothing half-done is visible."
        }
        (Ended::AtLimit, Outcome::Ok | Outcome::Partial | Outcome::Interrupted) => {
            "Stopped at the time limit: the next run goes on from here."
        }
        (Ended::InFull, Outcome::Partial | Outcome::Failed) if only_copies_are_bad(report) => {
            "Every selected backup is held; of the copies that were verified some are bad."
        }
        (Ended::InFull, Outcome::Ok) if report.backups.is_empty() => "Nothing to mirror.",
        (Ended::InFull, Outcome::Ok) => {
            "Every selected backup is held and verified at every destination."
        }
        (Ended::InFull, Outcome::Partial | Outcome::Interrupted) => {
            "Not every selected backup is held everywhere: the next run tries again."
        }
        (Ended::InFull | Ended::AtLimit, Outcome::Failed) => "Nothing could be mirrored.",
    };
    let tone = if all_is_well { Tone::Good } else { Tone::Bad };
    writeln!(out, "{}", style.paint(verdict, tone))
}

/// Whether mirroring went well, and verifying afterwards did not.
fn only_copies_are_bad(report: &MirrorReport) -> bool {
    let verified_bad = report.verified.as_ref().is_some_and(Verified::leaves_bad);
    let all_held = report
        .backups
        .iter()
        .all(|backup| matches!(backup.state(), CopyState::AlreadyHeld | CopyState::Mirrored));
    let bad = |failure: &Failure| {
        failure.kind == FailureKind::Integrity && failure.scope == Scope::Backup
    };
    verified_bad && all_held && report.errors.iter().all(bad)
}

fn table(report: &MirrorReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let touched: Vec<&BackupOutcome> = report
        .backups
        .iter()
        .filter(|backup| backup.state() != CopyState::AlreadyHeld)
        .collect();
    if touched.is_empty() {
        return Ok(());
    }
    let names: BTreeSet<&str> = touched
        .iter()
        .flat_map(|backup| &backup.copies)
        .map(|copy| copy.destination.as_str())
        .collect();
    let one_each = names.len() <= DESTINATION_COLUMNS;
    let mut header = vec!["SERVER".to_owned(), "BACKUP".to_owned(), "SIZE".to_owned()];
    if one_each {
        header.extend(names.iter().map(|name| style::name(name)));
    } else {
        header.push("COPIES".to_owned());
    }
    header.push("VERDICT".to_owned());

    let mut table = style.table(&header);
    style::right(&mut table, 2);
    for backup in touched {
        let mut row = vec![
            style::cell(style::name(&backup.server_name), Tone::Plain),
            style::cell(style::name(&backup.name), Tone::Plain),
            style::cell(words::size(backup.bytes), Tone::Plain),
        ];
        if one_each {
            row.extend(names.iter().map(|name| {
                let mut copies = backup.copies.iter();
                let copy = copies.find(|copy| copy.destination.as_str() == *name);
                copy.map_or_else(
                    || style::cell("-", Tone::Quiet),
                    |copy| style::cell(copy.state.as_str(), Tone::of_state(copy.state)),
                )
            }));
        } else {
            row.push(style::cell(states(backup), Tone::of_state(backup.state())));
        }
        row.push(style::cell(verdicts(backup), Tone::Plain));
        table.add_row(row);
    }
    write_table(&table, out)
}

pub(super) fn write_table(table: &comfy_table::Table, out: &mut dyn Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}

fn sums(report: &MirrorReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let seen = format!(
        "{} on {}",
        words::counted(report.backups_seen, "backup"),
        words::counted(report.servers, "server"),
    );
    entry("Seen", &seen, Tone::Plain, style, out)?;
    for (label, state) in [
        ("Mirrored", CopyState::Mirrored),
        ("Already held", CopyState::AlreadyHeld),
        ("Failed", CopyState::Failed),
        ("Not reached", CopyState::NotReached),
    ] {
        let of_state: Vec<_> = report
            .backups
            .iter()
            .filter(|backup| backup.state() == state)
            .collect();
        if !of_state.is_empty() {
            let bytes = words::total(of_state.iter().map(|backup| backup.bytes));
            let said = format!(
                "{}, {}",
                words::counted_of(&of_state, "backup"),
                words::size(bytes),
            );
            entry(label, &said, Tone::of_state(state), style, out)?;
        }
    }
    let (down, up) = (report.downloaded_bytes(), report.uploaded_bytes());
    if down > 0 || up > 0 {
        let took = report.finished_at.duration_since(report.started_at);
        let seconds = u64::try_from(took.as_secs()).unwrap_or(0).max(1);
        let said = format!(
            "{} down, {} up in {} ({}/s down)",
            words::size(down),
            words::size(up),
            words::age(took),
            words::size(down / seconds),
        );
        entry("Transferred", &said, Tone::Plain, style, out)?;
    }
    Ok(())
}

/// One line of the sums: a label in its column, then what there is to say.
pub(super) fn entry(
    label: &str,
    said: &str,
    tone: Tone,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let label = style.paint(&format!("{label:<12}"), tone);
    writeln!(out, "{label}  {said}")
}

/// Archives that lack what they must contain, and what to do about that.
fn lacking(lacking: &[Lacking], style: Style, out: &mut dyn Write) -> io::Result<()> {
    for one in lacking {
        let globs: Vec<String> = one
            .globs
            .iter()
            .map(|glob| format!("`{}`", one_line(glob, REASON_CHARACTERS)))
            .collect();
        let said = format!(
            "{} / {}: nothing in the archive matches {}; look at the server, and when that is right say \
             `nestegg accept {}`",
            style::name(&one.server_name),
            style::name(&one.name),
            globs.join(", "),
            one.backup,
        );
        entry("lacking", &said, Tone::Careful, style, out)?;
    }
    Ok(())
}

/// What was left out, grouped by reason.
pub(super) fn skipped(skipped: &[Skipped], style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut servers: BTreeMap<&str, Vec<&Skipped>> = BTreeMap::new();
    let mut backups: BTreeMap<&str, Vec<&Skipped>> = BTreeMap::new();
    for one in skipped {
        let group = match one.backup {
            None => &mut servers,
            Some(_) => &mut backups,
        };
        group.entry(&one.why).or_default().push(one);
    }
    for (why, group) in servers {
        let names: Vec<String> = group
            .iter()
            .take(NAMES_TOLD)
            .map(|one| style::name(&one.server_name))
            .collect();
        let more = match group.len().saturating_sub(NAMES_TOLD) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let said = format!(
            "{}: {} ({}{more})",
            words::counted_of(&group, "server"),
            one_line(why, REASON_CHARACTERS),
            names.join(", "),
        );
        entry("Skipped", &said, Tone::Quiet, style, out)?;
    }
    for (why, group) in backups {
        let said = format!(
            "{}: {}",
            words::counted_of(&group, "backup"),
            one_line(why, REASON_CHARACTERS),
        );
        entry("Skipped", &said, Tone::Quiet, style, out)?;
    }
    Ok(())
}

/// What is proved of a backup's copies; `-` when there is none.
fn verdicts(backup: &BackupOutcome) -> String {
    let verdicts: BTreeSet<&str> = backup
        .copies
        .iter()
        .filter_map(|copy| copy.verdict.map(Verdict::as_str))
        .collect();
    if verdicts.is_empty() {
        "-".to_owned()
    } else {
        verdicts.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// Where a backup's copies are; with their states when these differ or something failed.
fn destinations(backup: &BackupOutcome) -> String {
    let state = backup.state();
    if state != CopyState::Failed && backup.copies.iter().all(|copy| copy.state == state) {
        let names = backup.copies.iter();
        let names = names.map(|copy| style::name(copy.destination.as_str()));
        names.collect::<Vec<_>>().join(", ")
    } else {
        let copies = backup.copies.iter().map(|copy| match &copy.failure {
            Some(failure) => format!(
                "{} ({})",
                copy_state(copy),
                one_line(&failure.message, REASON_CHARACTERS),
            ),
            None => copy_state(copy),
        });
        copies.collect::<Vec<_>>().join(", ")
    }
}

fn states(backup: &BackupOutcome) -> String {
    let copies = backup.copies.iter().map(copy_state);
    copies.collect::<Vec<_>>().join(", ")
}

fn copy_state(copy: &CopyOutcome) -> String {
    format!(
        "{}: {}",
        style::name(copy.destination.as_str()),
        copy.state.as_str(),
    )
}
