//! What a run of `verify` found: a line a copy, and the sum of it.

use std::io;
use std::io::Write;

use crate::model::finding::CheckedCopy;
use crate::model::finding::Depth;
use crate::model::finding::Repair;
use crate::model::finding::SidecarFinding;
use crate::model::outcome::Ended;
use crate::model::text::one_line;
use crate::report::VerifyReport;
use crate::report::human::Verbosity;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary::entry;
use crate::report::human::summary::write_table;
use crate::report::outcome::Outcome;
use crate::report::verify::Verified;
use crate::report::words;

/// Reasons are cut to this many characters where they share a line.
const REASON_CHARACTERS: usize = 200;

/// Writes what was found of one copy: exactly one plain line without control characters.
///
/// # Errors
/// What the writer refuses.
pub fn verify_line(copy: &CheckedCopy, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{:<12}  ", copy.state())?;
    described(copy, out)
}

/// The rest of such a line: which copy it is, and what is to be said of it.
///
/// # Errors
/// What the writer refuses.
pub(super) fn described(copy: &CheckedCopy, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "{} / {}  {}  {}  {}",
        style::name(&copy.server_name),
        style::name(&copy.backup_name),
        copy.backup,
        words::size(copy.stored_bytes),
        style::name(copy.destination.as_str()),
    )?;
    match said(copy) {
        Some(said) => writeln!(out, " ({})", one_line(&said, REASON_CHARACTERS)),
        None => writeln!(out),
    }
}

/// What is to be said of a copy besides its state.
fn said(copy: &CheckedCopy) -> Option<String> {
    let complaint = copy.finding.complaint(copy.stored_bytes);
    let unread = copy.finding.unread().map(|failure| failure.message.clone());
    let said = complaint.or(unread)?;
    Some(match &copy.repair {
        Repair::CopyMade { from } => format!("{said}; made anew from {from}"),
        Repair::SidecarWritten { from } => format!("{said}; written anew from {from}"),
        Repair::NotNeeded => format!("{said}; read to its end it is right"),
        Repair::NotTried | Repair::Impossible { .. } => said,
    })
}

/// Writes what a run found: on a terminal a table of the copies that are not as they should be, then
/// the sums. What is bad is told by [`errors`](crate::report::human::errors).
///
/// Quietly, a run in which all is well leaves no word.
///
/// # Errors
/// What the writer refuses.
pub fn verify_summary(
    report: &VerifyReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if verbosity == Verbosity::Quiet && report.outcome() == Outcome::Ok {
        return Ok(());
    }
    if style.width.is_some() {
        table(&report.verified, style, out)?;
    }
    let held = format!(
        "{}, {}",
        words::counted(report.copies_held, "copy"),
        words::size(report.bytes_held),
    );
    entry("Recorded", &held, Tone::Plain, style, out)?;
    sums(&report.verified, style, out)?;
    for (destination, copies) in &report.unconfigured {
        let said = format!(
            "{} at {}, which is not configured",
            words::counted(*copies, "copy"),
            style::name(destination.as_str()),
        );
        entry("Left out", &said, Tone::Careful, style, out)?;
    }
    let took = report.finished_at.duration_since(report.started_at);
    let read = report.verified.read_bytes();
    if read > 0 {
        let seconds = u64::try_from(took.as_secs()).unwrap_or(0).max(1);
        let said = format!(
            "{} in {} ({}/s)",
            words::size(read),
            words::age(took),
            words::size(read / seconds),
        );
        entry("Read", &said, Tone::Plain, style, out)?;
    }
    let repaired = report
        .verified
        .count(|copy| copy.finding.is_bad() && copy.repair.mended());
    let verdict = match (report.ended, report.outcome()) {
        (Ended::BySigint | Ended::BySigterm, _) => {
            "Interrupted: what was found is recorded, nothing half-done is visible."
        }
        _ if report.verified.leaves_bad() => {
            "Some copies are bad; the errors say what can be restored from where."
        }
        (Ended::AtLimit, _) => "Stopped at the time limit: the next run goes on from here.",
        (Ended::InFull, Outcome::Ok) if report.verified.copies.is_empty() => "Nothing to verify.",
        (Ended::InFull, Outcome::Ok) if repaired > 0 => {
            "Every copy that was bad was repaired; check the disk or store that it was on."
        }
        (Ended::InFull, Outcome::Ok) => match report.depth {
            Depth::Full => "Every copy that was read is what it should be.",
            Depth::Quick => "Every copy is there; no archive was read.",
        },
        (Ended::InFull, Outcome::Partial | Outcome::Failed | Outcome::Interrupted) => {
            "Not every copy could be checked: the next run tries again."
        }
    };
    let tone = if report.outcome() == Outcome::Ok {
        Tone::Good
    } else {
        Tone::Bad
    };
    writeln!(out, "{}", style.paint(verdict, tone))
}

/// The sums of what was verified, one line each.
pub(super) fn sums(verified: &Verified, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let count = |is_one: fn(&CheckedCopy) -> bool| verified.count(is_one);
    let groups: [(&str, u64, Tone); 4] = [
        (
            "Well",
            count(|copy| !copy.finding.is_bad() && !copy.finding.is_unread()),
            Tone::Good,
        ),
        (
            "Repaired",
            count(|copy| copy.finding.is_bad() && copy.repair.mended()),
            Tone::Careful,
        ),
        ("Bad", count(CheckedCopy::is_left_bad), Tone::Bad),
        (
            "Unread",
            count(|copy| !copy.finding.is_bad() && copy.finding.is_unread()),
            Tone::Bad,
        ),
    ];
    for (label, number, tone) in groups {
        if number > 0 {
            let said = words::counted(number, "copy");
            entry(label, &said, tone, style, out)?;
        }
    }
    if verified.not_reached > 0 {
        let said = words::counted(verified.not_reached, "copy");
        entry("Not reached", &said, Tone::Careful, style, out)?;
    }
    Ok(())
}

fn table(verified: &Verified, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let wrong: Vec<&CheckedCopy> = verified
        .copies
        .iter()
        .filter(|copy| copy.finding.is_bad() || copy.finding.is_unread())
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let header = [
        "SERVER",
        "BACKUP",
        "SIZE",
        "DESTINATION",
        "ARCHIVE",
        "SIDECAR",
        "STATE",
    ];
    let mut table = style.table(&header);
    style::right(&mut table, 2);
    for copy in wrong {
        let tone = if copy.is_well() {
            Tone::Careful
        } else {
            Tone::Bad
        };
        let sidecar_tone = if copy.finding.sidecar == SidecarFinding::Sound {
            Tone::Plain
        } else {
            Tone::Bad
        };
        table.add_row([
            style::cell(style::name(&copy.server_name), Tone::Plain),
            style::cell(style::name(&copy.backup_name), Tone::Plain),
            style::cell(words::size(copy.stored_bytes), Tone::Plain),
            style::cell(style::name(copy.destination.as_str()), Tone::Plain),
            style::cell(copy.finding.archive.as_str(), Tone::Plain),
            style::cell(copy.finding.sidecar.as_str(), sidecar_tone),
            style::cell(copy.state(), tone),
        ]);
    }
    write_table(&table, out)
}
