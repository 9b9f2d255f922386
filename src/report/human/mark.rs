//! What `keep`, `unkeep` and `accept` did, for people.

use std::io;
use std::io::Write;

use crate::model::ids::DestinationName;
use crate::model::mark::MarkAction;
use crate::model::mark::PanelLock;
use crate::model::outcome::Ended;
use crate::model::text::one_line;
use crate::report::human::Verbosity;
use crate::report::human::style;
use crate::report::human::style::Style;
use crate::report::human::style::Tone;
use crate::report::human::summary::entry;
use crate::report::mark::Change;
use crate::report::mark::MarkReport;
use crate::report::mark::MarkedBackup;
use crate::report::mark::SidecarMark;
use crate::report::words;

/// Reasons are cut to this many characters.
const REASON_CHARACTERS: usize = 200;

/// Writes a line a backup, and beneath it what follows from that. Quietly, nothing when all is well.
///
/// # Errors
/// What the writer refuses.
pub fn mark(
    report: &MarkReport,
    verbosity: Verbosity,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let all_is_well = report.failures().next().is_none() && report.ended == Ended::InFull;
    if verbosity == Verbosity::Quiet && all_is_well {
        return Ok(());
    }
    for backup in &report.backups {
        one(report.action, backup, style, out)?;
    }
    Ok(())
}

fn one(
    action: MarkAction,
    backup: &MarkedBackup,
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (label, tone) = match (action, backup.change) {
        (MarkAction::Keep, _) => ("kept", Tone::Good),
        (MarkAction::Unkeep, Change::AsItWas) => ("was not kept", Tone::Quiet),
        (MarkAction::Unkeep, Change::Made | Change::Renewed) => ("not kept", Tone::Plain),
        (MarkAction::Accept, _) => ("accepted", Tone::Good),
    };
    let reason = backup.mark.as_ref().and_then(|mark| mark.reason.as_ref());
    let why = reason.map_or_else(String::new, |reason| {
        format!(": {}", one_line(reason, REASON_CHARACTERS))
    });
    let already = match (action, backup.change) {
        (MarkAction::Keep | MarkAction::Accept, Change::AsItWas) => ", as it was",
        (MarkAction::Keep | MarkAction::Accept, Change::Renewed) => ", with another reason",
        (MarkAction::Unkeep, _) | (_, Change::Made) => "",
    };
    let said = format!(
        "{} / {} of {} (UTC), {}{already}{why}",
        style::name(&backup.server_name),
        style::name(&backup.name),
        words::minute(backup.created_at),
        backup.backup,
    );
    entry(label, &said, tone, style, out)?;
    if let Some(lifted) = &backup.lifted {
        let signs: Vec<String> = lifted.signs.iter().map(ToString::to_string).collect();
        let said = format!("no longer suspicious, although {}", signs.join("; "));
        entry("", &said, Tone::Plain, style, out)?;
    }
    match backup.lock {
        PanelLock::Unlocked => {}
        PanelLock::OnPanel => {
            let said = "the panel has it locked, so no policy removes its copies: unlock it there";
            entry("", said, Tone::Careful, style, out)?;
        }
        PanelLock::LetGo => {
            let said = "it vanished from the panel while it was locked; that lock no longer counts";
            entry("", said, Tone::Plain, style, out)?;
        }
    }
    if !backup.wanted_again.is_empty() {
        let said = format!(
            "its copy at {} was removed; the next mirror makes it again while the panel still lists the \
             backup",
            names(&backup.wanted_again)
        );
        entry("", &said, Tone::Careful, style, out)?;
    }
    if !backup.being_removed.is_empty() {
        let said = format!(
            "a run of prune began to remove its copy at {}; the next one keeps it if it is still there",
            names(&backup.being_removed)
        );
        entry("", &said, Tone::Careful, style, out)?;
    }
    match action {
        MarkAction::Keep | MarkAction::Unkeep => sidecars(backup, style, out),
        MarkAction::Accept => Ok(()),
    }
}

fn sidecars(backup: &MarkedBackup, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let said: Vec<String> = backup
        .copies
        .iter()
        .map(|copy| {
            let how = match copy.sidecar {
                SidecarMark::Written => "written",
                SidecarMark::AsItWas => "as it was",
                SidecarMark::Failed(_) => "FAILED",
                SidecarMark::NotReached => "not reached",
            };
            format!("{} {how}", style::name(copy.destination.as_str()))
        })
        .collect();
    let said = if said.is_empty() {
        "no copy of it is held".to_owned()
    } else {
        format!("sidecars: {}", said.join(", "))
    };
    entry("", &said, Tone::Quiet, style, out)
}

fn names(destinations: &[DestinationName]) -> String {
    let names = destinations.iter();
    let names: Vec<String> = names.map(|name| style::name(name.as_str())).collect();
    names.join(", ")
}
