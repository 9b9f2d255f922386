//! The documents of the `ledger` commands.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::checksum::Verdict;
use crate::model::holding::HeldCopy;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::sidecar::Encryption;
use crate::plan::check::Finding;
use crate::plan::check::Fixed;
use crate::plan::check::Place;
use crate::plan::check::Sign;
use crate::report::json::write_document;
use crate::report::ledger::CheckReport;
use crate::report::ledger::Elsewhere;
use crate::report::ledger::ExportReport;
use crate::report::ledger::RebuildReport;
use crate::report::ledger::RebuiltPlace;

/// JSON Schema of what [`rebuild`] writes.
pub const REBUILD_SCHEMA: &str = include_str!("../schema/ledger-rebuild-1.json");

/// JSON Schema of what [`export`] writes.
pub const EXPORT_SCHEMA: &str = include_str!("../schema/ledger-export-1.json");

/// Writes the document of `ledger rebuild`, schema `nestegg.ledger-rebuild/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn rebuild(report: &RebuildReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = RebuildDocument {
        schema: "nestegg.ledger-rebuild/1",
        run: report.run,
        started_at: report.started_at,
        finished_at: report.finished_at,
        exit_code,
        counts: RebuildCounts::of(report),
        destinations: report.places.iter().map(RebuildPlace::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

/// The counts of a `ledger rebuild`, as its document says them.
pub fn rebuild_counts(report: &RebuildReport) -> serde_json::Value {
    serde_json::json!(RebuildCounts::of(report))
}

/// Writes the document of `ledger export`, schema `nestegg.ledger-export/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn export(report: &ExportReport, out: &mut dyn Write) -> io::Result<()> {
    let document = ExportDocument {
        schema: "nestegg.ledger-export/1",
        exported_at: report.exported_at,
        copies: report.copies.iter().map(ExportCopy::of).collect(),
    };
    write_document(&document, out)
}

/// JSON Schema of what [`check`] writes.
pub const CHECK_SCHEMA: &str = include_str!("../schema/ledger-check-1.json");

/// Writes the document of `ledger check`, schema `nestegg.ledger-check/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn check(report: &CheckReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = CheckDocument {
        schema: "nestegg.ledger-check/1",
        run: report.run,
        started_at: report.started_at,
        finished_at: report.finished_at,
        exit_code,
        counts: CheckCounts::of(report),
        findings: report.findings.iter().map(CheckFinding::of).collect(),
        not_looked_at: report.elsewhere.iter().map(CheckElsewhere::of).collect(),
    };
    write_document(&document, out)
}

/// The counts of a `ledger check`, as its document says them.
pub fn check_counts(report: &CheckReport) -> serde_json::Value {
    serde_json::json!(CheckCounts::of(report))
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    schema: &'static str,
    run: Option<RunId>,
    started_at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    counts: CheckCounts,
    findings: Vec<CheckFinding<'a>>,
    not_looked_at: Vec<CheckElsewhere<'a>>,
}

#[derive(Serialize)]
struct CheckCounts {
    same: u64,
    missing: u64,
    unknown: u64,
    differs: u64,
    errors: u64,
}

impl CheckCounts {
    fn of(report: &CheckReport) -> Self {
        Self {
            same: report.count(Sign::Same),
            missing: report.count(Sign::Missing),
            unknown: report.count(Sign::Unknown),
            differs: report.count(Sign::Differs),
            errors: report.count(Sign::Error(FailureKind::Local)),
        }
    }
}

#[derive(Serialize)]
struct CheckFinding<'a> {
    symbol: char,
    state: &'static str,
    destination: Option<&'a DestinationName>,
    panel: Option<&'a PanelName>,
    server: Option<ServerId>,
    backup: Option<BackupId>,
    key: Option<&'a ObjectKey>,
    fields: &'a [&'static str],
    error_kind: Option<FailureKind>,
    detail: &'a str,
    fixed: Option<&'static str>,
}

impl<'a> CheckFinding<'a> {
    fn of(finding: &'a Finding) -> Self {
        let (destination, panel) = match &finding.place {
            Place::Destination(name) => (Some(name), None),
            Place::Panel(name) => (None, Some(name)),
        };
        Self {
            symbol: finding.sign.symbol(),
            state: finding.sign.as_str(),
            destination,
            panel,
            server: finding.server,
            backup: finding.backup,
            key: finding.key.as_ref(),
            fields: &finding.fields,
            error_kind: match finding.sign {
                Sign::Error(kind) => Some(kind),
                Sign::Same | Sign::Missing | Sign::Unknown | Sign::Differs => None,
            },
            detail: &finding.detail,
            fixed: finding.fixed.map(|fixed| match fixed {
                Fixed::Adopted => "adopted",
                Fixed::MarkedLost => "marked_lost",
            }),
        }
    }
}

#[derive(Serialize)]
struct CheckElsewhere<'a> {
    destination: &'a DestinationName,
    location: &'a str,
    copies: u64,
}

impl<'a> CheckElsewhere<'a> {
    fn of(elsewhere: &'a Elsewhere) -> Self {
        Self {
            destination: &elsewhere.destination,
            location: &elsewhere.location,
            copies: elsewhere.copies,
        }
    }
}

#[derive(Serialize)]
struct RebuildDocument<'a> {
    schema: &'static str,
    run: Option<RunId>,
    started_at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    counts: RebuildCounts,
    destinations: Vec<RebuildPlace<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct RebuildCounts {
    added: u64,
    known: u64,
    left_out: u64,
}

impl RebuildCounts {
    fn of(report: &RebuildReport) -> Self {
        Self {
            added: report.added(),
            known: report.known(),
            left_out: report.left_out(),
        }
    }
}

#[derive(Serialize)]
struct RebuildPlace<'a> {
    destination: &'a DestinationName,
    location: &'a str,
    added: &'a [ObjectKey],
    known: u64,
    left_out: u64,
}

impl<'a> RebuildPlace<'a> {
    fn of(place: &'a RebuiltPlace) -> Self {
        Self {
            destination: &place.destination,
            location: &place.location,
            added: &place.added,
            known: place.known,
            left_out: place.left_out,
        }
    }
}

#[derive(Serialize)]
struct ExportDocument<'a> {
    schema: &'static str,
    exported_at: Timestamp,
    copies: Vec<ExportCopy<'a>>,
}

#[derive(Serialize)]
struct ExportCopy<'a> {
    panel: &'a PanelName,
    server: ServerId,
    identifier: &'a str,
    server_name: &'a str,
    backup: BackupId,
    name: &'a str,
    created_at: Timestamp,
    completed_at: Timestamp,
    on_panel: &'static str,
    panel_checksum: Option<&'a str>,
    destination: &'a DestinationName,
    location: &'a str,
    key: &'a ObjectKey,
    bytes: u64,
    sha256: String,
    stored_bytes: u64,
    stored_sha256: String,
    encryption: Option<&'a Encryption>,
    entries: Option<u64>,
    unpacked_bytes: Option<u64>,
    etag: Option<&'a str>,
    verdict: Verdict,
    mirrored_at: Timestamp,
    verified_at: Option<Timestamp>,
}

impl<'a> ExportCopy<'a> {
    fn of(copy: &'a HeldCopy) -> Self {
        Self {
            panel: &copy.panel,
            server: copy.server,
            identifier: &copy.identifier,
            server_name: &copy.server_name,
            backup: copy.backup,
            name: &copy.backup_name,
            created_at: copy.created_at,
            completed_at: copy.completed_at,
            on_panel: match copy.on_panel {
                PanelPresence::Listed => "listed",
                PanelPresence::Vanished => "vanished",
            },
            panel_checksum: copy.panel_checksum.as_deref(),
            destination: &copy.destination,
            location: &copy.location,
            key: &copy.key,
            bytes: copy.archive_bytes,
            sha256: copy.sha256.to_hex(),
            stored_bytes: copy.stored_bytes,
            stored_sha256: copy.stored_sha256.to_hex(),
            encryption: copy.encryption.as_ref(),
            entries: copy.structure.map(|walked| walked.entries),
            unpacked_bytes: copy.structure.map(|walked| walked.unpacked_bytes),
            etag: copy.etag.as_deref(),
            verdict: copy.verdict,
            mirrored_at: copy.mirrored_at,
            verified_at: copy.verified_at,
        }
    }
}
