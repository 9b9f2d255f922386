//! What failed, why, and what to do about it.

use std::collections::HashMap;
use std::collections::HashSet;
use std::io;
use std::io::Write;

use crate::model::finding::CheckedCopy;
use crate::model::finding::Repair;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::text::one_line;
use crate::report::MirrorReport;
use crate::report::VerifyReport;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::verify;

/// Messages and hints are cut to this many characters.
const MESSAGE_CHARACTERS: usize = 1000;

/// Writes every failure of a run as [`failure`] does, each once, backups with their names.
/// Nothing when nothing failed.
///
/// # Errors
/// What the writer refuses.
pub fn mirror_errors(report: &MirrorReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let backups: HashMap<String, &BackupOutcome> = report
        .backups
        .iter()
        .map(|backup| (backup.backup.to_string(), backup))
        .collect();
    each_once(&report.errors, |failure| {
        let known = backups.get(&failure.id);
        let subject = match (failure.scope, known) {
            (Scope::Backup, Some(backup)) => format!(
                "backup {} / {} ({})",
                style::name(&backup.server_name),
                style::name(&backup.name),
                backup.backup,
            ),
            (
                Scope::Backup | Scope::Panel | Scope::Server | Scope::Destination | Scope::Ledger,
                _,
            ) => subject_of(failure),
        };
        write_failure(&subject, failure, style, out)
    })
}

/// Writes every failure of a run of `verify` as [`failure`] does, each once, and which copies were
/// bad and have been repaired: a disk that lost one may lose the next. Nothing when all was well.
///
/// # Errors
/// What the writer refuses.
pub fn verify_errors(report: &VerifyReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let repaired = report.verified.copies.iter().filter(|copy| {
        matches!(
            copy.repair,
            Repair::CopyMade { .. } | Repair::SidecarWritten { .. }
        )
    });
    for copy in repaired {
        write!(out, "{} ", style.paint("repaired:", Tone::Careful))?;
        verify::described(copy, out)?;
    }
    let backups: HashMap<String, &CheckedCopy> = report
        .verified
        .copies
        .iter()
        .map(|copy| (copy.backup.to_string(), copy))
        .collect();
    each_once(&report.errors, |failure| {
        let subject = match (failure.scope, backups.get(&failure.id)) {
            (Scope::Backup, Some(copy)) => format!(
                "backup {} / {} ({})",
                style::name(&copy.server_name),
                style::name(&copy.backup_name),
                copy.backup,
            ),
            (
                Scope::Backup | Scope::Panel | Scope::Server | Scope::Destination | Scope::Ledger,
                _,
            ) => subject_of(failure),
        };
        write_failure(&subject, failure, style, out)
    })
}

/// Writes failures as [`failure`] does, each once.
///
/// # Errors
/// What the writer refuses.
pub fn errors(failures: &[Failure], style: Style, out: &mut dyn Write) -> io::Result<()> {
    each_once(failures, |one| failure(one, style, out))
}

/// Writes why a command failed as a whole: `error: what and why`, then `  hint: what to do`.
///
/// # Errors
/// What the writer refuses.
pub fn whole_failure(
    error: &(dyn std::error::Error + 'static),
    hint: &str,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let message = one_line(&chain(error), MESSAGE_CHARACTERS);
    writeln!(out, "{} {message}", style.paint("error:", Tone::Bad))?;
    if !hint.is_empty() {
        let hint = one_line(hint, MESSAGE_CHARACTERS);
        writeln!(out, "  {} {hint}", style.paint("hint:", Tone::Careful))?;
    }
    Ok(())
}

/// Writes one failure: `error: what: why`, then `  hint: what to do` when there is one.
///
/// # Errors
/// What the writer refuses.
pub fn failure(failure: &Failure, style: Style, out: &mut dyn Write) -> io::Result<()> {
    write_failure(&subject_of(failure), failure, style, out)
}

fn each_once(
    failures: &[Failure],
    mut write: impl FnMut(&Failure) -> io::Result<()>,
) -> io::Result<()> {
    let mut told = HashSet::new();
    for failure in failures {
        if told.insert((failure.scope.to_string(), &failure.id, &failure.message)) {
            write(failure)?;
        }
    }
    Ok(())
}

pub(super) fn subject_of(failure: &Failure) -> String {
    if failure.scope == Scope::Ledger {
        return "the ledger".to_owned();
    }
    format!("{} {}", failure.scope, style::name(&failure.id))
}

/// Writes a failure that did no harm in the end.
pub(super) fn warning(
    subject: &str,
    failure: &Failure,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let word = style.paint("warning:", Tone::Careful);
    write_as(&word, subject, failure, style, out)
}

/// Writes a failure of `subject`.
pub(super) fn write_failure(
    subject: &str,
    failure: &Failure,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let word = style.paint("error:", Tone::Bad);
    write_as(&word, subject, failure, style, out)
}

fn write_as(
    word: &str,
    subject: &str,
    failure: &Failure,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let message = one_line(&failure.message, MESSAGE_CHARACTERS);
    writeln!(out, "{word} {subject}: {message}")?;
    if !failure.hint.is_empty() {
        let hint = style.paint("hint:", Tone::Careful);
        writeln!(
            out,
            "  {hint} {}",
            one_line(&failure.hint, MESSAGE_CHARACTERS)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outcome::FailureKind;
    use crate::report::human::Color;

    #[test]
    fn what_a_failure_is_about_is_said_once() {
        let said = |scope, id: &str| {
            let one = Failure {
                scope,
                id: id.to_owned(),
                kind: FailureKind::Local,
                message: "could not".to_owned(),
                hint: String::new(),
            };
            let style = Style {
                color: Color::Off,
                width: None,
            };
            let mut out = Vec::new();
            failure(&one, style, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            said(Scope::Ledger, "ledger"),
            "error: the ledger: could not\n"
        );
        assert_eq!(
            said(Scope::Destination, "b2"),
            "error: destination b2: could not\n"
        );
    }
}
