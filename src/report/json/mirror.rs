//! The document of `mirror`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::checksum::Verdict;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Failure;
use crate::report::Lacking;
use crate::report::MirrorReport;
use crate::report::json::count;
use crate::report::json::verify::VerifiedPart;
use crate::report::json::write_document;

/// JSON Schema of what [`mirror`] writes.
pub const MIRROR_SCHEMA: &str = include_str!("../schema/mirror-1.json");

/// Writes the document of a run of `mirror`, schema `nestegg.mirror/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn mirror(report: &MirrorReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = MirrorDocument {
        schema: "nestegg.mirror/1",
        run: report.run,
        started_at: report.started_at,
        finished_at: report.finished_at,
        outcome: report.outcome().as_str(),
        exit_code,
        counts: MirrorCounts::of(report),
        bytes: MirrorBytes {
            downloaded: report.downloaded_bytes(),
            uploaded: report.uploaded_bytes(),
        },
        backups: report.backups.iter().map(MirrorBackup::of).collect(),
        errors: &report.errors,
        verified: report.verified.as_ref().map(VerifiedPart::of),
        lacking: report.lacking.iter().map(MirrorLacking::of).collect(),
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct MirrorDocument<'a> {
    schema: &'static str,
    run: Option<RunId>,
    started_at: Timestamp,
    finished_at: Timestamp,
    outcome: &'static str,
    exit_code: u8,
    counts: MirrorCounts,
    bytes: MirrorBytes,
    backups: Vec<MirrorBackup<'a>>,
    errors: &'a [Failure],
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<VerifiedPart<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lacking: Vec<MirrorLacking<'a>>,
}

#[derive(Serialize)]
struct MirrorLacking<'a> {
    panel: &'a PanelName,
    server: ServerId,
    backup: BackupId,
    name: &'a str,
    must_contain: &'a [String],
}

impl<'a> MirrorLacking<'a> {
    fn of(lacking: &'a Lacking) -> Self {
        Self {
            panel: &lacking.panel,
            server: lacking.server,
            backup: lacking.backup,
            name: &lacking.name,
            must_contain: &lacking.globs,
        }
    }
}

#[derive(Serialize)]
struct MirrorCounts {
    servers: u64,
    backups_seen: u64,
    skipped: u64,
    already_held: u64,
    mirrored: u64,
    failed: u64,
}

impl MirrorCounts {
    fn of(report: &MirrorReport) -> Self {
        Self {
            servers: report.servers,
            backups_seen: report.backups_seen,
            skipped: count(&report.skipped),
            already_held: report.backups_in(CopyState::AlreadyHeld),
            mirrored: report.backups_in(CopyState::Mirrored),
            failed: report.backups_in(CopyState::Failed),
        }
    }
}

/// The counts of a run of `mirror`, as its document says them.
pub fn counts(report: &MirrorReport) -> serde_json::Value {
    serde_json::json!(MirrorCounts::of(report))
}

#[derive(Serialize)]
struct MirrorBytes {
    downloaded: u64,
    uploaded: u64,
}

#[derive(Serialize)]
struct MirrorBackup<'a> {
    panel: &'a PanelName,
    server: ServerId,
    backup: BackupId,
    name: &'a str,
    bytes: u64,
    sha256: Option<&'a str>,
    panel_checksum: Option<&'a str>,
    copies: Vec<MirrorCopy<'a>>,
}

impl<'a> MirrorBackup<'a> {
    fn of(backup: &'a BackupOutcome) -> Self {
        Self {
            panel: &backup.panel,
            server: backup.server,
            backup: backup.backup,
            name: &backup.name,
            bytes: backup.bytes,
            sha256: backup.sha256.as_deref(),
            panel_checksum: backup.panel_checksum.as_deref(),
            copies: backup.copies.iter().map(MirrorCopy::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct MirrorCopy<'a> {
    destination: &'a DestinationName,
    key: &'a ObjectKey,
    state: CopyState,
    verdict: Option<Verdict>,
    error: Option<&'a Failure>,
}

impl<'a> MirrorCopy<'a> {
    fn of(copy: &'a CopyOutcome) -> Self {
        Self {
            destination: &copy.destination,
            key: &copy.key,
            state: copy.state,
            verdict: copy.verdict,
            error: copy.failure.as_ref(),
        }
    }
}
