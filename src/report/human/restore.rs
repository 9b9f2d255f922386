//! What a restore did, and a server's sheet, for people.

use std::collections::HashSet;
use std::io;
use std::io::Write;

use serde_json::Value;

use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::server::Allocation;
use crate::model::server::MASK;
use crate::model::text::one_line;
use crate::report::human::Verbosity;
use crate::report::human::errors;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreReport;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoredBackup;
use crate::report::restore::SheetReport;
use crate::report::restore::TargetKind;
use crate::report::words;

/// Values of a sheet are cut to this many characters.
const VALUE_CHARACTERS: usize = 4000;
/// Places and notes are cut to this many.
const PLACE_CHARACTERS: usize = 1000;

/// Writes what became of each backup, and where it stands; nothing under `-q` when all is well.
///
/// # Errors
/// What the writer refuses.
pub fn restore(
    report: &RestoreReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let are_there = report.backups.iter().all(|backup| backup.state.is_there());
    let all_is_well = are_there && report.coverage == Coverage::Whole;
    if verbosity == Verbosity::Quiet && all_is_well {
        return Ok(());
    }
    for backup in &report.backups {
        let (word, tone) = match backup.state {
            RestoreState::Restored => ("restored", Tone::Good),
            RestoreState::InPart => ("in part", Tone::Careful),
            RestoreState::AlreadyThere => ("already there", Tone::Quiet),
            RestoreState::Failed => ("NOT RESTORED", Tone::Bad),
            RestoreState::NotReached => ("not restored", Tone::Careful),
        };
        summary::entry(word, &in_words(backup, report), tone, style, out)?;
        if let (true, Some(sha256)) = (backup.state.is_there(), &backup.sha256) {
            summary::entry("sha256", sha256, Tone::Quiet, style, out)?;
        }
        for note in &backup.notes {
            let note = one_line(note, PLACE_CHARACTERS);
            summary::entry("note", &note, Tone::Careful, style, out)?;
        }
    }
    if report.coverage == Coverage::MayLack {
        writeln!(
            out,
            "There may be more backups than could be found: see the warnings."
        )?;
    }
    if report.backups.len() == 1 {
        return Ok(());
    }
    let there = report.backups.iter().filter(|one| one.state.is_there());
    let there = u64::try_from(there.count()).unwrap_or(u64::MAX);
    writeln!(
        out,
        "{there} of {} restored to {}.",
        words::counted_of(&report.backups, "backup"),
        place(report),
    )
}

fn in_words(backup: &RestoredBackup, report: &RestoreReport) -> String {
    let mut said = format!(
        "{} / {} of {} (UTC), {}",
        style::name(&backup.server_name),
        style::name(&backup.name),
        words::minute(backup.completed_at),
        words::size(backup.bytes),
    );
    if let Some(used) = backup.used() {
        said.push_str(", from ");
        said.push_str(&style::name(used.destination.as_str()));
    } else if let Some(fetched) = backup.fetched() {
        said.push_str(", fetched by the node from ");
        said.push_str(&style::name(fetched.destination.as_str()));
    }
    said.push_str(", to ");
    said.push_str(&place(report));
    said
}

fn place(report: &RestoreReport) -> String {
    match report.target.kind {
        TargetKind::Stdout => "standard output".to_owned(),
        TargetKind::File
        | TargetKind::Folder
        | TargetKind::BackupDisk
        | TargetKind::PanelServer => one_line(&report.target.place, PLACE_CHARACTERS),
    }
}

/// Writes what went wrong, each thing once: what kept a backup from being restored as an error, what
/// another copy made up for as a warning.
///
/// # Errors
/// What the writer refuses.
pub fn restore_errors(report: &RestoreReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut told = HashSet::new();
    let mut is_new = |failure: &Failure| told.insert((failure.scope, failure.message.clone()));
    for backup in &report.backups {
        let subject = format!(
            "backup {} / {} ({})",
            style::name(&backup.server_name),
            style::name(&backup.name),
            backup.backup,
        );
        let is_there = backup.state.is_there();
        let own = backup.failure.iter();
        for failure in backup.passed_over().chain(own) {
            if !is_new(failure) {
                continue;
            }
            if is_there {
                errors::warning(&subject, failure, style, out)?;
            } else {
                errors::write_failure(&subject, failure, style, out)?;
            }
        }
        let is_bad = |failure: &Failure| {
            matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound)
        };
        if let (true, Some(used), Some(_)) = (is_there, backup.used(), backup.passed_over().next())
        {
            let word = style.paint("warning:", Tone::Careful);
            let mend = if backup.passed_over().any(is_bad) {
                "; mend the other copy with `nestegg verify --repair`"
            } else {
                ""
            };
            writeln!(
                out,
                "{word} {subject}: it was restored from {} instead, and is whole{mend}",
                style::name(used.destination.as_str()),
            )?;
        }
    }
    for failure in &report.errors {
        if is_new(failure) {
            errors::warning(&errors::subject_of(failure), failure, style, out)?;
        }
    }
    Ok(())
}

/// Writes what to recreate on a new panel, in order.
///
/// # Errors
/// What the writer refuses.
pub fn sheet(report: &SheetReport, out: &mut dyn Write) -> io::Result<()> {
    let sidecar = &report.sidecar;
    let passport = &sidecar.server.passport;
    let unknown = || "(not known)".to_owned();
    let text = |value: &Option<String>| value.as_deref().map_or_else(unknown, shown);
    writeln!(
        out,
        "{} ({}), as of {} (UTC), from {}",
        style::name(&sidecar.server.name),
        sidecar.server.uuid,
        words::minute(sidecar.written_at),
        style::name(report.destination.as_str()),
    )?;
    writeln!(
        out,
        "panel {} at {}, node {}",
        style::name(&sidecar.panel.name),
        shown(&sidecar.panel.url),
        text(&passport.node),
    )?;
    writeln!(out, "\nOn the new panel, in this order:\n")?;
    let egg = passport.egg.as_ref().map_or_else(unknown, |egg| {
        let uuid = egg.uuid.as_deref().map(shown);
        let uuid = uuid.map_or_else(String::new, |uuid| format!(" ({uuid})"));
        format!("{}{uuid}", shown(&egg.name))
    });
    step(1, "egg", &egg, out)?;
    step(2, "image", &text(&passport.image), out)?;
    step(3, "startup command", &text(&passport.startup), out)?;
    step(4, "limits", &pairs(&passport.limits), out)?;
    step(5, "feature limits", &pairs(&passport.feature_limits), out)?;
    step(
        6,
        "allocations",
        &count_or_none(passport.allocations.len()),
        out,
    )?;
    for allocation in &passport.allocations {
        writeln!(out, "     {}", address(allocation))?;
    }
    step(
        7,
        "variables",
        &count_or_none(passport.variables.len()),
        out,
    )?;
    let mut masked = 0_u64;
    for variable in &passport.variables {
        let value = variable.value.as_deref();
        masked += u64::from(value.is_some_and(|value| value.contains(MASK)));
        let value = value.map_or_else(|| "(not set)".to_owned(), shown);
        writeln!(
            out,
            "     {}={value}  ({})",
            shown(&variable.env),
            style::name(&variable.name),
        )?;
    }
    step(
        8,
        "files",
        &format!("nestegg restore {}:latest …", sidecar.server.uuid),
        out,
    )?;
    if let Some(description) = passport
        .description
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        writeln!(out, "\nDescription: {}", shown(description))?;
    }
    writeln!(out)?;
    if masked > 0 {
        writeln!(
            out,
            "{MASK} stands for secrets, which copies never hold ({}): set new ones.",
            words::counted(masked, "variable"),
        )?;
    }
    if !sidecar.backup.ignored_files.is_empty() {
        let left_out = sidecar.backup.ignored_files.iter().map(|glob| shown(glob));
        writeln!(
            out,
            "The newest backup leaves out: {}.",
            left_out.collect::<Vec<_>>().join(", "),
        )?;
    }
    writeln!(
        out,
        "Not in any archive, to be made by hand: databases and what is in them, schedules, subusers."
    )
}

fn step(number: u8, what: &str, said: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  {number}. {what}: {said}")
}

fn shown(text: &str) -> String {
    one_line(text, VALUE_CHARACTERS)
}

fn count_or_none(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        count => count.to_string(),
    }
}

fn address(allocation: &Allocation) -> String {
    let alias = allocation.alias.as_deref().map(shown);
    let alias = alias.map_or_else(String::new, |alias| format!(" ({alias})"));
    let primary = if allocation.is_default {
        ", the primary one"
    } else {
        ""
    };
    format!(
        "{}:{}{alias}{primary}",
        shown(&allocation.ip),
        allocation.port
    )
}

/// `memory 4096, swap 0`, of an object of plain values.
fn pairs(value: &Value) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .map(|(name, value)| format!("{} {}", shown(name), plain(value)))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Null | Value::Object(_) => "(not known)".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            shown(&value.to_string())
        }
    }
}
