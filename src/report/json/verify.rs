//! The document of `verify`, and its part in the one of `mirror`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::finding::ArchiveFinding;
use crate::model::finding::CheckedCopy;
use crate::model::finding::Repair;
use crate::model::finding::RepairSource;
use crate::model::finding::RepairWish;
use crate::model::finding::SidecarFinding;
use crate::model::finding::Standing;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::report::VerifyReport;
use crate::report::json::write_document;
use crate::report::verify::Verified;

/// JSON Schema of what [`verify`] writes.
pub const VERIFY_SCHEMA: &str = include_str!("../schema/verify-1.json");

/// Writes the document of a run of `verify`, schema `nestegg.verify/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn verify(report: &VerifyReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = VerifyDocument {
        schema: "nestegg.verify/1",
        run: report.run,
        started_at: report.started_at,
        finished_at: report.finished_at,
        outcome: report.outcome().as_str(),
        exit_code,
        depth: report.depth.as_str(),
        repair: report.repair == RepairWish::Wanted,
        held: Held {
            copies: report.copies_held,
            stored_bytes: report.bytes_held,
        },
        counts: VerifyCounts::of(&report.verified),
        bytes: VerifyBytes {
            read: report.verified.read_bytes(),
        },
        copies: copies(&report.verified),
        unconfigured: report
            .unconfigured
            .iter()
            .map(|(destination, copies)| Unconfigured {
                destination,
                copies: *copies,
            })
            .collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

/// The counts of a run of `verify`, as its document says them.
pub fn verify_counts(report: &VerifyReport) -> serde_json::Value {
    serde_json::json!(VerifyCounts::of(&report.verified))
}

#[derive(Serialize)]
struct VerifyDocument<'a> {
    schema: &'static str,
    run: Option<RunId>,
    started_at: Timestamp,
    finished_at: Timestamp,
    outcome: &'static str,
    exit_code: u8,
    depth: &'static str,
    repair: bool,
    held: Held,
    counts: VerifyCounts,
    bytes: VerifyBytes,
    copies: Vec<VerifyCopy<'a>>,
    unconfigured: Vec<Unconfigured<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct Held {
    copies: u64,
    stored_bytes: u64,
}

#[derive(Serialize)]
struct VerifyBytes {
    read: u64,
}

#[derive(Serialize)]
struct Unconfigured<'a> {
    destination: &'a DestinationName,
    copies: u64,
}

/// The part of `mirror`'s document that is about copies verified afterwards.
#[derive(Serialize)]
pub(super) struct VerifiedPart<'a> {
    counts: VerifyCounts,
    bytes: VerifyBytes,
    copies: Vec<VerifyCopy<'a>>,
}

impl<'a> VerifiedPart<'a> {
    pub(super) fn of(verified: &'a Verified) -> Self {
        Self {
            counts: VerifyCounts::of(verified),
            bytes: VerifyBytes {
                read: verified.read_bytes(),
            },
            copies: copies(verified),
        }
    }
}

#[derive(Serialize)]
struct VerifyCounts {
    checked: u64,
    well: u64,
    bad: u64,
    repaired: u64,
    unread: u64,
    not_reached: u64,
}

impl VerifyCounts {
    fn of(verified: &Verified) -> Self {
        Self {
            checked: verified.count(|_any| true),
            well: verified.count(|copy| !copy.finding.is_bad() && !copy.finding.is_unread()),
            bad: verified.count(CheckedCopy::is_left_bad),
            repaired: verified.count(|copy| copy.finding.is_bad() && copy.repair.mended()),
            unread: verified.count(|copy| !copy.finding.is_bad() && copy.finding.is_unread()),
            not_reached: verified.not_reached,
        }
    }
}

fn copies(verified: &Verified) -> Vec<VerifyCopy<'_>> {
    verified.copies.iter().map(VerifyCopy::of).collect()
}

#[derive(Serialize)]
struct VerifyCopy<'a> {
    panel: &'a PanelName,
    server: ServerId,
    backup: BackupId,
    name: &'a str,
    destination: &'a DestinationName,
    key: &'a ObjectKey,
    stored_bytes: u64,
    standing: &'static str,
    verified_before: Option<Timestamp>,
    depth: &'static str,
    well: bool,
    archive: VerifyArchive<'a>,
    sidecar: VerifySidecar<'a>,
    repair: VerifyRepair<'a>,
    elsewhere: &'a [DestinationName],
    on_panel: &'static str,
}

#[derive(Serialize)]
struct VerifyArchive<'a> {
    finding: &'static str,
    bytes: Option<u64>,
    error: Option<&'a Failure>,
}

#[derive(Serialize)]
struct VerifySidecar<'a> {
    finding: &'static str,
    why: Option<&'a str>,
    error: Option<&'a Failure>,
}

#[derive(Serialize)]
struct VerifyRepair<'a> {
    state: &'static str,
    from: Option<VerifySource<'a>>,
    why: &'a [String],
}

#[derive(Serialize)]
struct VerifySource<'a> {
    kind: &'static str,
    name: Option<&'a str>,
}

impl<'a> VerifyCopy<'a> {
    fn of(copy: &'a CheckedCopy) -> Self {
        let archive = &copy.finding.archive;
        let sidecar = &copy.finding.sidecar;
        Self {
            panel: &copy.panel,
            server: copy.server,
            backup: copy.backup,
            name: &copy.backup_name,
            destination: &copy.destination,
            key: &copy.key,
            stored_bytes: copy.stored_bytes,
            standing: match copy.standing {
                Standing::Held => "held",
                Standing::Lost => "lost",
            },
            verified_before: copy.verified_before,
            depth: copy.depth.as_str(),
            well: copy.is_well(),
            archive: VerifyArchive {
                finding: archive.as_str(),
                bytes: match archive {
                    ArchiveFinding::Truncated { bytes } | ArchiveFinding::Longer { bytes } => {
                        Some(*bytes)
                    }
                    ArchiveFinding::Sound
                    | ArchiveFinding::Present
                    | ArchiveFinding::Missing
                    | ArchiveFinding::Altered
                    | ArchiveFinding::Changed
                    | ArchiveFinding::Unread(_) => None,
                },
                error: match archive {
                    ArchiveFinding::Unread(failure) => Some(failure),
                    ArchiveFinding::Sound
                    | ArchiveFinding::Present
                    | ArchiveFinding::Missing
                    | ArchiveFinding::Truncated { .. }
                    | ArchiveFinding::Longer { .. }
                    | ArchiveFinding::Altered
                    | ArchiveFinding::Changed => None,
                },
            },
            sidecar: VerifySidecar {
                finding: sidecar.as_str(),
                why: match sidecar {
                    SidecarFinding::Damaged { why } | SidecarFinding::Newer { why } => Some(why),
                    SidecarFinding::Differs { field } => Some(field),
                    SidecarFinding::Sound
                    | SidecarFinding::Missing
                    | SidecarFinding::Altered
                    | SidecarFinding::Unread(_) => None,
                },
                error: match sidecar {
                    SidecarFinding::Unread(failure) => Some(failure),
                    SidecarFinding::Sound
                    | SidecarFinding::Missing
                    | SidecarFinding::Damaged { .. }
                    | SidecarFinding::Differs { .. }
                    | SidecarFinding::Altered
                    | SidecarFinding::Newer { .. } => None,
                },
            },
            repair: VerifyRepair {
                state: copy.repair.as_str(),
                from: match &copy.repair {
                    Repair::CopyMade { from } | Repair::SidecarWritten { from } => {
                        Some(VerifySource::of(from))
                    }
                    Repair::NotTried | Repair::NotNeeded | Repair::Impossible { .. } => None,
                },
                why: match &copy.repair {
                    Repair::Impossible { why } => why,
                    Repair::NotTried
                    | Repair::NotNeeded
                    | Repair::CopyMade { .. }
                    | Repair::SidecarWritten { .. } => &[],
                },
            },
            elsewhere: &copy.elsewhere,
            on_panel: match copy.on_panel {
                PanelPresence::Listed => "listed",
                PanelPresence::Vanished => "vanished",
            },
        }
    }
}

impl<'a> VerifySource<'a> {
    fn of(source: &'a RepairSource) -> Self {
        match source {
            RepairSource::Destination(name) => Self {
                kind: "destination",
                name: Some(name.as_str()),
            },
            RepairSource::Panel(name) => Self {
                kind: "panel",
                name: Some(name.as_str()),
            },
            RepairSource::Ledger => Self {
                kind: "ledger",
                name: None,
            },
        }
    }
}
