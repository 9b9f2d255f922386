//! What `prune` planned and did: every copy and its reasons, the sums of each server, the sum of it all.

use std::io;
use std::io::Write;

use crate::model::outcome::Ended;
use crate::model::outcome::Mode;
use crate::model::text::one_line;
use crate::plan::prune::Decision;
use crate::plan::prune::Reason;
use crate::report::human::Verbosity;
use crate::report::human::errors::errors;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary::entry;
use crate::report::outcome::Outcome;
use crate::report::prune::Became;
use crate::report::prune::PruneReport;
use crate::report::prune::PruneSums;
use crate::report::prune::PrunedCopy;
use crate::report::prune::PrunedPlace;
use crate::report::prune::PrunedServer;
use crate::report::prune::Thinning;
use crate::report::words;

/// Reasons are cut to this many characters.
const REASON_CHARACTERS: usize = 200;

/// Writes why servers were refused, then every failure, each once. Nothing when nothing was.
///
/// # Errors
/// What the writer refuses.
pub fn prune_errors(report: &PruneReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    for place in &report.places {
        for server in &place.servers {
            for refusal in &server.refusals {
                let subject = format!(
                    "{} ({}) at {}",
                    style::name(&server.name),
                    style::name(&server.identifier),
                    style::name(place.destination.as_str()),
                );
                let word = style.paint("refused:", Tone::Bad);
                let why = one_line(&refusal.to_string(), 1000);
                let hint = style.paint("hint:", Tone::Careful);
                writeln!(out, "{word} {subject}: {why}\n  {hint} {}", refusal.hint())?;
            }
        }
    }
    errors(&report.errors, style, out)
}

/// Writes the plan, or what became of it: every copy with its reasons below its server, then the sums.
///
/// Quietly, only the sums of each server and of all; and nothing at all of a run that carried everything
/// out.
///
/// # Errors
/// What the writer refuses.
pub fn prune_summary(
    report: &PruneReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_well = report.outcome() == Outcome::Ok;
    if verbosity == Verbosity::Quiet && is_well && report.mode == Mode::Apply {
        return Ok(());
    }
    let mut buffered = io::BufWriter::new(out);
    for place in &report.places {
        write_place(place, verbosity, style, &mut buffered)?;
    }
    totals(report, style, &mut buffered)?;
    buffered.flush()
}

fn write_place(
    place: &PrunedPlace,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = style::name(place.destination.as_str());
    match place.thinning {
        Thinning::ByPolicy => writeln!(out, "{name}")?,
        Thinning::None => writeln!(out, "{name}: has no policy, so all of its copies stay")?,
    }
    for begun in &place.begun {
        writeln!(
            out,
            "  begun at {}: {:<8}  {} / {}  {}{}",
            words::minute(begun.intended_at),
            begun.became.as_str(),
            style::name(&begun.server_name),
            begun.key.backup(),
            words::size(begun.stored_bytes),
            afterwards(&begun.became),
        )?;
    }
    if place.thinning == Thinning::None {
        return Ok(());
    }
    for server in &place.servers {
        write_server(server, verbosity, style, out)?;
    }
    Ok(())
}

fn write_server(
    server: &PrunedServer,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let sums = server.sums();
    let tone = if server.refusals.is_empty() && sums.failed == 0 {
        Tone::Plain
    } else {
        Tone::Bad
    };
    let name = format!(
        "{} ({})",
        style::name(&server.name),
        style::name(&server.identifier)
    );
    let name = style.paint(&name, tone);
    writeln!(out, "  {name}: {}", in_words(&sums))?;
    if verbosity == Verbosity::Quiet {
        return Ok(());
    }
    for copy in &server.copies {
        let tone = match copy.became {
            Became::Kept | Became::Spared(_) => Tone::Plain,
            Became::WouldGo | Became::Refused | Became::NotReached => Tone::Careful,
            Became::Removed => Tone::Quiet,
            Became::Failed(_) => Tone::Bad,
        };
        writeln!(
            out,
            "    {}  {}  {:>10}  {}  {}  {}",
            style.paint(&format!("{:<11}", copy.became.as_str()), tone),
            words::minute(copy.created_at),
            words::size(copy.stored_bytes),
            copy.backup,
            style::name(&copy.name),
            reasons(copy),
        )?;
    }
    Ok(())
}

/// Why a copy stays or goes, and what came between.
fn reasons(copy: &PrunedCopy) -> String {
    let said = match &copy.decision {
        Decision::Keep(reasons) => {
            let said: Vec<String> = reasons.iter().map(reason).collect();
            said.join(", ")
        }
        Decision::Remove => copy.decision.to_string(),
    };
    format!("{said}{}", afterwards(&copy.became))
}

/// A reason with the operator's own words, where there are some.
fn reason(reason: &Reason) -> String {
    match reason {
        Reason::KeptByHand { reason: Some(why) } => {
            format!("{reason} ({})", one_line(why, REASON_CHARACTERS))
        }
        Reason::KeptByHand { reason: None }
        | Reason::Policy(_)
        | Reason::Newest
        | Reason::Locked
        | Reason::RetainedUntil(_)
        | Reason::Retained => reason.to_string(),
    }
}

fn afterwards(became: &Became) -> String {
    match became {
        Became::Spared(why) => format!("; stays: {}", reason(why)),
        Became::Failed(failure) => {
            format!("; {}", one_line(&failure.message, REASON_CHARACTERS))
        }
        Became::Kept | Became::WouldGo | Became::Refused | Became::Removed | Became::NotReached => {
            String::new()
        }
    }
}

/// `12 copies, 8 kept, 4 removed (1.2 GiB freed)`.
fn in_words(sums: &PruneSums) -> String {
    let mut said = vec![
        words::counted(sums.copies, "copy"),
        format!("{} kept", sums.kept),
    ];
    let freed = words::size(sums.freed_bytes);
    if sums.would_go > 0 {
        said.push(format!("{} to remove ({freed} freed)", sums.would_go));
    }
    if sums.removed > 0 {
        said.push(format!("{} removed ({freed} freed)", sums.removed));
    }
    for (count, what) in [
        (sums.refused, "not removed: refused"),
        (sums.failed, "failed"),
        (sums.not_reached, "not reached"),
    ] {
        if count > 0 {
            said.push(format!("{count} {what}"));
        }
    }
    said.join(", ")
}

fn totals(report: &PruneReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let sums = report.sums();
    entry("In all", &in_words(&sums), Tone::Plain, style, out)?;
    let refused = report.refused_servers();
    if refused > 0 {
        let said = words::counted(refused, "server");
        entry("Refused", &said, Tone::Bad, style, out)?;
    }
    let has_failed = !report.errors.is_empty();
    let verdict = match (report.mode, report.ended) {
        (_, Ended::BySigint | Ended::BySigterm) => {
            "Interrupted: what was removed is recorded; what was begun is finished by the next run."
        }
        (Mode::DryRun, _) if has_failed => {
            "Nothing was removed, and not everything could be asked: the errors say what."
        }
        (Mode::DryRun, _) if sums.would_go == 0 => "Nothing is to be removed.",
        (Mode::DryRun, _) => "Nothing was removed: --apply carries this out.",
        (Mode::Apply, _) if has_failed => {
            "Not everything could be removed that was to be: the errors say why."
        }
        (Mode::Apply, Ended::AtLimit) => "Stopped at --max-delete: the next run goes on from here.",
        (Mode::Apply, Ended::InFull) if refused > 0 => {
            "All was removed that was to be, but of the servers that were refused."
        }
        (Mode::Apply, Ended::InFull) if sums.removed == 0 => "There was nothing to remove.",
        (Mode::Apply, Ended::InFull) => "All was removed that was to be.",
    };
    let tone = if report.outcome() == Outcome::Ok {
        Tone::Good
    } else {
        Tone::Bad
    };
    writeln!(out, "{}", style.paint(verdict, tone))
}
