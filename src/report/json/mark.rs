//! The document of `keep`, `unkeep` and `accept`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;
use crate::model::mark::PanelLock;
use crate::model::outcome::Failure;
use crate::model::suspicion::Sign;
use crate::report::json::count;
use crate::report::json::write_document;
use crate::report::mark::Change;
use crate::report::mark::MarkReport;
use crate::report::mark::MarkedBackup;
use crate::report::mark::MarkedCopy;
use crate::report::mark::SidecarMark;

/// JSON Schema of what [`mark`] writes.
pub const SCHEMA: &str = include_str!("../schema/keep-1.json");

/// Writes the document of `keep`, `unkeep` or `accept`, schema `nestegg.keep/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn mark(report: &MarkReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.keep/1",
        action: report.action.as_str(),
        run: report.run,
        started_at: report.started_at,
        finished_at: report.finished_at,
        exit_code,
        counts: Counts::of(report),
        backups: report.backups.iter().map(Subject::of).collect(),
        errors: report.failures().collect(),
    };
    write_document(&document, out)
}

/// The counts of a run, as its document says them.
pub fn counts(report: &MarkReport) -> serde_json::Value {
    serde_json::json!(Counts::of(report))
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    action: &'static str,
    run: Option<RunId>,
    started_at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    counts: Counts,
    backups: Vec<Subject<'a>>,
    errors: Vec<&'a Failure>,
}

#[derive(Debug, Serialize)]
struct Counts {
    backups: u64,
    changed: u64,
    sidecars_written: u64,
    failed: u64,
}

impl Counts {
    fn of(report: &MarkReport) -> Self {
        let changed: Vec<_> = report
            .backups
            .iter()
            .filter(|backup| backup.change != Change::AsItWas)
            .collect();
        Self {
            backups: count(&report.backups),
            changed: count(&changed),
            sidecars_written: report.sidecars(|mark| *mark == SidecarMark::Written),
            failed: count(&report.failures().collect::<Vec<_>>()),
        }
    }
}

#[derive(Debug, Serialize)]
struct Subject<'a> {
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    backup: BackupId,
    name: &'a str,
    created_at: Timestamp,
    change: &'static str,
    mark: Option<&'a Mark>,
    panel_lock: &'static str,
    wanted_again: &'a [DestinationName],
    being_removed: &'a [DestinationName],
    lifted: Vec<Lifted>,
    copies: Vec<Copy<'a>>,
}

#[derive(Debug, Serialize)]
struct Lifted {
    sign: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct Copy<'a> {
    destination: &'a DestinationName,
    key: &'a ObjectKey,
    sidecar: &'static str,
    error: Option<&'a Failure>,
}

impl<'a> Subject<'a> {
    fn of(backup: &'a MarkedBackup) -> Self {
        let signs = backup.lifted.iter().flat_map(|lifted| &lifted.signs);
        Self {
            panel: &backup.panel,
            server: backup.server,
            server_name: &backup.server_name,
            backup: backup.backup,
            name: &backup.name,
            created_at: backup.created_at,
            change: backup.change.as_str(),
            mark: backup.mark.as_ref(),
            panel_lock: match backup.lock {
                PanelLock::Unlocked => "unlocked",
                PanelLock::OnPanel => "on_panel",
                PanelLock::LetGo => "let_go",
            },
            wanted_again: &backup.wanted_again,
            being_removed: &backup.being_removed,
            lifted: signs
                .map(|sign: &Sign| Lifted {
                    sign: sign.as_str(),
                    message: sign.to_string(),
                })
                .collect(),
            copies: backup.copies.iter().map(Copy::of).collect(),
        }
    }
}

impl<'a> Copy<'a> {
    fn of(copy: &'a MarkedCopy) -> Self {
        Self {
            destination: &copy.destination,
            key: &copy.key,
            sidecar: copy.sidecar.as_str(),
            error: match &copy.sidecar {
                SidecarMark::Failed(failure) => Some(failure),
                SidecarMark::Written | SidecarMark::AsItWas | SidecarMark::NotReached => None,
            },
        }
    }
}
