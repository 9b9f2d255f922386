//! What a drill found, for people.

use std::io;
use std::io::Write;

use jiff::SignedDuration;

use crate::report::drill::DrillReport;
use crate::report::drill::DrillState;
use crate::report::drill::DrilledCopy;
use crate::report::human::Verbosity;
use crate::report::human::errors;
use crate::report::human::errors::write_failure;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary;
use crate::report::outcome::Outcome;
use crate::report::words;

/// Writes what each copy came to, and the sum; nothing under `-q` when all is well.
///
/// # Errors
/// What the writer refuses.
pub fn drill(
    report: &DrillReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    if verbosity == Verbosity::Quiet && report.outcome() == Outcome::Ok {
        return Ok(());
    }
    for copy in &report.copies {
        let (word, tone) = match copy.state {
            DrillState::Drilled => ("drilled", Tone::Good),
            DrillState::AtRest => ("at rest", Tone::Careful),
            DrillState::Failed => ("FAILED", Tone::Bad),
            DrillState::NotReached => ("not reached", Tone::Careful),
        };
        summary::entry(word, &in_words(copy), tone, style, out)?;
    }
    let took = report.finished_at.duration_since(report.started_at);
    let at_rest = match report.count(DrillState::AtRest) {
        0 => String::new(),
        count => {
            format!("; {count} encrypted and only checked as stored: name the key with --identity")
        }
    };
    writeln!(
        out,
        "{} of {} drilled{at_rest}; {} held; took {}.",
        report.count(DrillState::Drilled),
        words::counted(report.copies.len() as u64, "copy"),
        report.held,
        words::age(took)
    )
}

fn in_words(copy: &DrilledCopy) -> String {
    let found = copy.structure.map_or_else(String::new, |found| {
        format!(
            ": {}, {} unpacked",
            words::counted(found.entries, "file"),
            words::size(found.unpacked_bytes),
        )
    });
    let took = SignedDuration::from_millis(i64::try_from(copy.duration_ms).unwrap_or(i64::MAX));
    format!(
        "{} / {} of {} (UTC), {}, at {}{found}, in {}",
        style::name(&copy.server_name),
        style::name(&copy.name),
        words::minute(copy.completed_at),
        words::size(copy.bytes),
        style::name(copy.destination.as_str()),
        words::age(took)
    )
}

/// Writes what failed, copies with their names, each once.
///
/// # Errors
/// What the writer refuses.
pub fn drill_errors(report: &DrillReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for copy in &report.copies {
        if let Some(failure) = &copy.failure {
            let subject = format!(
                "backup {} / {} ({}) at {}",
                style::name(&copy.server_name),
                style::name(&copy.name),
                copy.backup,
                style::name(copy.destination.as_str()),
            );
            write_failure(&subject, failure, style, out)?;
        }
    }
    errors(&report.errors, style, out)
}
