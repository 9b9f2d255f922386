//! What `panel create` came to.

use std::io;
use std::io::Write;
use std::time::Duration;

use jiff::SignedDuration;

use crate::model::backup::Backup;
use crate::model::backup::BackupRecord;
use crate::model::outcome::Ended;
use crate::report::human::Verbosity;
use crate::report::human::panel::backups::state;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::panel::CreateReport;
use crate::report::panel::Learnt;
use crate::report::panel::ServerRef;
use crate::report::words;

/// Writes the new backup, on one line: its state, its id, its name and server. Quietly, nothing when all
/// is well.
///
/// # Errors
/// What the writer refuses.
pub fn create(
    report: &CreateReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all_is_well = report.errors.is_empty() && report.ended == Ended::InFull;
    if verbosity == Verbosity::Quiet && all_is_well {
        return Ok(());
    }
    let (Some(made), Some(of)) = (&report.made, &report.of) else {
        return Ok(());
    };
    let record = made.backup.record();
    let (word, tone) = state(&made.backup);
    let tone = match (&made.backup, tone) {
        (Backup::Completed(_), _) => Tone::Good,
        (Backup::Pending(_) | Backup::Failed(_), tone) => tone,
    };
    write!(
        out,
        "{} {} {} of {}",
        style.paint(&format!("{word}:"), tone),
        record.id,
        style::name(&record.name),
        style::name(&of.name),
    )?;
    if let Backup::Completed(completed) = &made.backup {
        let took = report.finished_at.duration_since(report.at);
        write!(
            out,
            ", {}, after {}",
            words::size(completed.archive_bytes),
            words::age(took)
        )?;
    }
    if record.is_locked {
        write!(out, ", locked")?;
    }
    writeln!(out)
}

/// Writes what is to be known besides: that the answer was lost, that the backup goes on without us.
///
/// # Errors
/// What the writer refuses.
pub fn create_notes(report: &CreateReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let (Some(made), Some(of)) = (&report.made, &report.of) else {
        return Ok(());
    };
    let note = style.paint("note:", Tone::Careful);
    match made.learnt {
        Learnt::FromAnswer => {}
        Learnt::FromList => writeln!(
            out,
            "{note} the panel's answer was lost; this is the one backup that its list has more than before"
        )?,
    }
    let why = match report.ended {
        Ended::InFull => return Ok(()),
        Ended::AtLimit => {
            let waited = report.finished_at.duration_since(report.at);
            format!("it is still in progress after {}", words::age(waited))
        }
        Ended::BySigint | Ended::BySigterm => "it is no longer waited for".to_owned(),
    };
    match &made.backup {
        Backup::Pending(_) => writeln!(
            out,
            "{note} {why}, and goes on at the panel: `nestegg panel backups --server {}` shows how it stands",
            of.server
        ),
        Backup::Completed(_) | Backup::Failed(_) => Ok(()),
    }
}

/// Writes what is being waited for.
///
/// # Errors
/// What the writer refuses.
pub fn waiting(
    server: &ServerRef,
    backup: &BackupRecord,
    patience: Duration,
    out: &mut dyn Write,
) -> io::Result<()> {
    let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
    writeln!(
        out,
        "waiting for {} {} of {}, {} at most; Ctrl-C leaves it to the panel",
        backup.id,
        style::name(&backup.name),
        style::name(&server.name),
        words::age(patience)
    )
}
