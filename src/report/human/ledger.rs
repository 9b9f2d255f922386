//! What the `ledger` commands found and did, for people.

use std::io;
use std::io::Write;

use crate::model::outcome::Ended;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::text::one_line;
use crate::plan::check::Finding;
use crate::plan::check::Fixed;
use crate::plan::check::Place;
use crate::plan::check::Sign;
use crate::report::human::Verbosity;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::ledger::CheckReport;
use crate::report::ledger::RebuildReport;
use crate::report::words;

/// Into a ledger that had something already, up to this many added copies are told by their keys.
const KEYS_TOLD: usize = 20;

/// Writes what `ledger rebuild` recorded: a line a destination, and the copies that a ledger lacked
/// which was not empty. Quietly, nothing when all is well.
///
/// # Errors
/// What the writer refuses.
pub fn rebuild(
    report: &RebuildReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all_is_well = report.errors.is_empty() && report.ended == Ended::InFull;
    if verbosity == Verbosity::Quiet && all_is_well {
        return Ok(());
    }
    for place in &report.places {
        let added = words::counted_of(&place.added, "copy");
        write!(
            out,
            "{}: {added} added",
            style::name(place.destination.as_str())
        )?;
        if place.known > 0 {
            write!(out, ", {} known already", place.known)?;
        }
        if place.left_out > 0 {
            write!(out, ", {} left out", place.left_out)?;
        }
        writeln!(out)?;
        if place.known == 0 {
            continue;
        }
        for key in place.added.iter().take(KEYS_TOLD) {
            writeln!(out, "  added {key}")?;
        }
        let more = place.added.len().saturating_sub(KEYS_TOLD);
        if more > 0 {
            writeln!(out, "  and {more} more")?;
        }
    }
    let described = report.added() + report.known();
    let (verdict, tone) = match (report.ended, report.errors.is_empty()) {
        (Ended::BySigint | Ended::BySigterm, _) => (
            "Interrupted: what was recorded stays; run it again to go on.",
            Tone::Bad,
        ),
        (Ended::InFull | Ended::AtLimit, false) => (
            "Not everything could be recorded; what is told above was left out.",
            Tone::Bad,
        ),
        (Ended::InFull | Ended::AtLimit, true) if described == 0 => (
            "There is no copy at all: is it the right place, down to the last folder?",
            Tone::Careful,
        ),
        (Ended::InFull | Ended::AtLimit, true) => (
            "The ledger records every copy that the destinations describe.",
            Tone::Good,
        ),
    };
    writeln!(out, "{}", style.paint(verdict, tone))
}

/// Details are cut to this many characters.
const DETAIL_CHARACTERS: usize = 500;

/// Writes what `ledger check` found: `symbol place key detail`, one plain line each; panels are written
/// `panel:name`. Quietly, nothing of what is the same.
///
/// # Errors
/// What the writer refuses.
pub fn check(report: &CheckReport, verbosity: Verbosity, out: &mut dyn Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::new(out);
    let shown = report
        .findings
        .iter()
        .filter(|finding| verbosity == Verbosity::Normal || finding.sign != Sign::Same);
    for finding in shown {
        let place = match &finding.place {
            Place::Destination(name) => style::name(name.as_str()),
            Place::Panel(name) => format!("panel:{}", style::name(name.as_str())),
        };
        let key = match (&finding.key, finding.server, finding.backup) {
            (Some(key), _, _) => key.to_string(),
            (None, Some(server), Some(backup)) => format!("{server}/{backup}"),
            (None, Some(server), None) => server.to_string(),
            (None, None, _) => "-".to_owned(),
        };
        write!(buffered, "{} {place} {key}", finding.sign.symbol())?;
        let fixed = finding.fixed.map(|fixed| match fixed {
            Fixed::Adopted => "adopted",
            Fixed::MarkedLost => "marked as lost",
        });
        let fields = finding.fields.join(", ");
        let said = [fields.as_str(), &finding.detail, fixed.unwrap_or_default()];
        let said: Vec<&str> = said.into_iter().filter(|text| !text.is_empty()).collect();
        if !said.is_empty() {
            write!(
                buffered,
                " {}",
                one_line(&said.join("; "), DETAIL_CHARACTERS)
            )?;
        }
        writeln!(buffered)?;
    }
    buffered.flush()
}

/// Writes the sums of a `ledger check`, what was not looked at, and what to do.
///
/// # Errors
/// What the writer refuses.
pub fn check_summary(report: &CheckReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for place in &report.elsewhere {
        writeln!(
            out,
            "Not looked at: {} ({} recorded there).",
            style::name(place.destination.as_str()),
            words::counted(place.copies, "copy"),
        )?;
    }
    let count = |sign| report.count(sign);
    let errors = count(Sign::Error(FailureKind::Local));
    let amiss = count(Sign::Missing) + count(Sign::Unknown) + count(Sign::Differs) + errors;
    let said = format!(
        "{} the same, {} missing, {} unknown, {} different, {}.",
        count(Sign::Same),
        count(Sign::Missing),
        count(Sign::Unknown),
        count(Sign::Differs),
        words::counted(errors, "error"),
    );
    let tone = if amiss == 0 { Tone::Good } else { Tone::Bad };
    writeln!(out, "{}", style.paint(&said, tone))?;
    let is_mendable = |finding: &Finding| {
        matches!(finding.place, Place::Destination(_))
            && matches!(finding.sign, Sign::Missing | Sign::Unknown)
    };
    if report.mode == Mode::DryRun && report.findings.iter().any(is_mendable) {
        writeln!(
            out,
            "With --fix the ledger takes over what is unknown (+) and no longer counts what is missing (-).",
        )?;
    }
    if count(Sign::Differs) > 0 {
        writeln!(
            out,
            "What differs (*) is for `nestegg verify` to decide, which reads the copies.",
        )?;
    }
    Ok(())
}
