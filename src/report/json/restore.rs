//! The documents of `restore`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::server::Allocation;
use crate::model::server::Egg;
use crate::model::server::MASK;
use crate::report::json::write_document;
use crate::report::restore::CopyConsidered;
use crate::report::restore::CopyFate;
use crate::report::restore::RestoreReport;
use crate::report::restore::RestoredBackup;
use crate::report::restore::Sealing;
use crate::report::restore::SheetReport;

/// JSON Schema of what [`restore`] writes.
pub const RESTORE_SCHEMA: &str = include_str!("../schema/restore-1.json");
/// JSON Schema of what [`sheet`] writes.
pub const SHEET_SCHEMA: &str = include_str!("../schema/sheet-1.json");

/// Writes the document of a `restore`, schema `nestegg.restore/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn restore(report: &RestoreReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = RestoreDocument {
        schema: "nestegg.restore/1",
        started_at: report.started_at,
        finished_at: report.finished_at,
        outcome: report.outcome().as_str(),
        exit_code,
        target: TargetDocument {
            kind: report.target.kind.as_str(),
            place: &report.target.place,
        },
        backups: report.backups.iter().map(BackupDocument::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct RestoreDocument<'a> {
    schema: &'static str,
    started_at: Timestamp,
    finished_at: Timestamp,
    outcome: &'static str,
    exit_code: u8,
    target: TargetDocument<'a>,
    backups: Vec<BackupDocument<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct TargetDocument<'a> {
    kind: &'static str,
    place: &'a str,
}

#[derive(Serialize)]
struct BackupDocument<'a> {
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    backup: BackupId,
    name: &'a str,
    completed_at: Timestamp,
    state: &'static str,
    bytes: u64,
    sha256: Option<&'a str>,
    copies: Vec<CopyDocument<'a>>,
    error: Option<&'a Failure>,
    notes: &'a [String],
}

impl<'a> BackupDocument<'a> {
    fn of(backup: &'a RestoredBackup) -> Self {
        Self {
            panel: &backup.panel,
            server: backup.server,
            server_name: &backup.server_name,
            backup: backup.backup,
            name: &backup.name,
            completed_at: backup.completed_at,
            state: backup.state.as_str(),
            bytes: backup.bytes,
            sha256: backup.sha256.as_deref(),
            copies: backup.copies.iter().map(CopyDocument::of).collect(),
            error: backup.failure.as_ref(),
            notes: &backup.notes,
        }
    }
}

#[derive(Serialize)]
struct CopyDocument<'a> {
    destination: &'a DestinationName,
    location: &'a str,
    key: &'a ObjectKey,
    encrypted: bool,
    why: &'a str,
    fate: &'static str,
    error: Option<&'a Failure>,
}

impl<'a> CopyDocument<'a> {
    fn of(copy: &'a CopyConsidered) -> Self {
        let (fate, error) = match &copy.fate {
            CopyFate::Used => ("used", None),
            CopyFate::Fetched => ("fetched", None),
            CopyFate::PassedOver(failure) => ("passed_over", Some(failure)),
            CopyFate::NotNeeded => ("not_needed", None),
        };
        Self {
            destination: &copy.destination,
            location: &copy.location,
            key: &copy.key,
            encrypted: copy.sealing == Sealing::Encrypted,
            why: &copy.why,
            fate,
            error,
        }
    }
}

/// Writes the document of `restore --sheet`, schema `nestegg.sheet/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn sheet(report: &SheetReport, out: &mut dyn Write) -> io::Result<()> {
    let sidecar = &report.sidecar;
    let passport = &sidecar.server.passport;
    let variables = passport.variables.iter();
    let document = SheetDocument {
        schema: "nestegg.sheet/1",
        at: report.at,
        as_of: sidecar.written_at,
        destination: &report.destination,
        panel: SheetPanel {
            name: &sidecar.panel.name,
            url: &sidecar.panel.url,
            node: passport.node.as_deref(),
        },
        server: SheetServer {
            uuid: sidecar.server.uuid,
            identifier: &sidecar.server.identifier,
            name: &sidecar.server.name,
            description: passport.description.as_deref(),
        },
        newest_backup: SheetBackup {
            uuid: sidecar.backup.uuid,
            name: &sidecar.backup.name,
            completed_at: sidecar.backup.completed_at,
            ignored_files: &sidecar.backup.ignored_files,
        },
        egg: passport.egg.as_ref(),
        image: passport.image.as_deref(),
        startup: passport.startup.as_deref(),
        limits: &passport.limits,
        feature_limits: &passport.feature_limits,
        allocations: &passport.allocations,
        variables: variables
            .map(|variable| SheetVariable {
                name: &variable.name,
                env: &variable.env,
                value: variable.value.as_deref(),
                masked: variable
                    .value
                    .as_deref()
                    .is_some_and(|value| value.contains(MASK)),
            })
            .collect(),
        not_in_archives: ["databases", "schedules", "subusers"],
        errors: &report.errors,
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct SheetDocument<'a> {
    schema: &'static str,
    at: Timestamp,
    as_of: Timestamp,
    destination: &'a DestinationName,
    panel: SheetPanel<'a>,
    server: SheetServer<'a>,
    newest_backup: SheetBackup<'a>,
    egg: Option<&'a Egg>,
    image: Option<&'a str>,
    startup: Option<&'a str>,
    limits: &'a Value,
    feature_limits: &'a Value,
    allocations: &'a [Allocation],
    variables: Vec<SheetVariable<'a>>,
    not_in_archives: [&'static str; 3],
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct SheetPanel<'a> {
    name: &'a str,
    url: &'a str,
    node: Option<&'a str>,
}

#[derive(Serialize)]
struct SheetServer<'a> {
    uuid: ServerId,
    identifier: &'a str,
    name: &'a str,
    description: Option<&'a str>,
}

#[derive(Serialize)]
struct SheetBackup<'a> {
    uuid: BackupId,
    name: &'a str,
    completed_at: Timestamp,
    ignored_files: &'a [String],
}

#[derive(Serialize)]
struct SheetVariable<'a> {
    name: &'a str,
    env: &'a str,
    value: Option<&'a str>,
    masked: bool,
}
