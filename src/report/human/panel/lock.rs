//! What `panel lock` and `panel unlock` came to.

use std::io;
use std::io::Write;

use crate::model::outcome::Ended;
use crate::report::human::Verbosity;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::panel::LockOutcome;
use crate::report::panel::LockReport;

/// Writes a line a backup that is as wanted, and whether it was so before. Quietly, nothing when all is
/// well.
///
/// # Errors
/// What the writer refuses.
pub fn lock(
    report: &LockReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all_is_well = report.errors.is_empty() && report.ended == Ended::InFull;
    if verbosity == Verbosity::Quiet && all_is_well {
        return Ok(());
    }
    for row in &report.backups {
        let (word, tone) = match row.outcome {
            LockOutcome::Changed => (format!("{}:", report.wanted), Tone::Good),
            LockOutcome::Already => (format!("already {}:", report.wanted), Tone::Quiet),
            LockOutcome::NotReached => ("not reached:".to_owned(), Tone::Careful),
            LockOutcome::Failed => continue,
        };
        write!(out, "{} {}", style.paint(&word, tone), row.backup)?;
        if let (Some(name), Some(of)) = (&row.name, &row.of) {
            write!(out, " {} of {}", style::name(name), style::name(&of.name))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
