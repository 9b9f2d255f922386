//! Reports for programs: the `--json` documents.
//!
//! One document a command, on one line, described by the JSON Schemas below. Once released, a
//! document of one version only changes in ways that its schema allows.

mod drill;
pub mod ledger;
pub mod mark;
pub mod panel;
mod prune;
mod restore;
mod verify;

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::backup::LockState;
use crate::model::checksum::Verdict;
use crate::model::holding::DestinationHolding;
use crate::model::holding::DestinationVerified;
use crate::model::holding::HeldCopy;
use crate::model::holding::MissingCopy;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Failure;
use crate::model::sidecar::Encryption;
use crate::model::suspicion::Suspicion;
use crate::model::text::acts_on_a_terminal;
use crate::report::Account;
use crate::report::Freshness;
use crate::report::Lacking;
use crate::report::LastRun;
use crate::report::ListReport;
use crate::report::MirrorReport;
use crate::report::ServerStatus;
use crate::report::StatusReport;
use crate::report::json::verify::VerifiedPart;

pub use crate::report::json::verify::VERIFY_SCHEMA;
pub use crate::report::json::verify::verify;
pub use crate::report::json::verify::verify_counts;

pub use crate::report::json::prune::PRUNE_SCHEMA;
pub use crate::report::json::prune::prune;
pub use crate::report::json::prune::prune_counts;

pub use crate::report::json::drill::DRILL_SCHEMA;
pub use crate::report::json::drill::drill;
pub use crate::report::json::drill::drill_counts;
pub use crate::report::json::restore::RESTORE_SCHEMA;
pub use crate::report::json::restore::SHEET_SCHEMA;
pub use crate::report::json::restore::restore;
pub use crate::report::json::restore::sheet;

/// JSON Schema of what [`mirror`] writes.
pub const MIRROR_SCHEMA: &str = include_str!("schema/mirror-1.json");
/// JSON Schema of what [`status`] writes.
pub const STATUS_SCHEMA: &str = include_str!("schema/status-1.json");
/// JSON Schema of what [`list`] writes.
pub const LIST_SCHEMA: &str = include_str!("schema/list-1.json");

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

/// Writes the document of `status`, schema `nestegg.status/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn status(report: &StatusReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let standing = |freshness| {
        let servers = report.servers.iter();
        let standing: Vec<_> = servers
            .filter(|server| server.freshness == freshness)
            .collect();
        count(&standing)
    };
    let document = StatusDocument {
        schema: "nestegg.status/1",
        at: report.at,
        exit_code,
        counts: StatusCounts {
            servers: count(&report.servers),
            fresh: standing(Freshness::Fresh),
            stale: standing(Freshness::Stale),
            never: standing(Freshness::Never),
            not_promised: standing(Freshness::NotPromised),
        },
        last_run: report.last_run.map(StatusRun::of),
        servers: report
            .servers
            .iter()
            .map(|server| StatusServer::of(server, report.at))
            .collect(),
        verified: report.verified.iter().map(StatusVerified::of).collect(),
    };
    write_document(&document, out)
}

/// Writes the document of `list`, schema `nestegg.list/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn list(report: &ListReport, out: &mut dyn Write) -> io::Result<()> {
    let document = ListDocument {
        schema: "nestegg.list/1",
        panel: report.panel.as_ref(),
        copies: report
            .copies
            .iter()
            .map(|copy| ListCopy::of(copy, report.account))
            .collect(),
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

#[derive(Serialize)]
struct StatusDocument<'a> {
    schema: &'static str,
    at: Timestamp,
    exit_code: u8,
    counts: StatusCounts,
    last_run: Option<StatusRun>,
    servers: Vec<StatusServer<'a>>,
    verified: Vec<StatusVerified<'a>>,
}

#[derive(Serialize)]
struct StatusVerified<'a> {
    destination: &'a DestinationName,
    never: u64,
    oldest_verified_at: Option<Timestamp>,
}

impl<'a> StatusVerified<'a> {
    fn of(verified: &'a DestinationVerified) -> Self {
        Self {
            destination: &verified.destination,
            never: verified.never,
            oldest_verified_at: verified.oldest_verified_at,
        }
    }
}

#[derive(Serialize)]
struct StatusCounts {
    servers: u64,
    fresh: u64,
    stale: u64,
    never: u64,
    not_promised: u64,
}

#[derive(Serialize)]
struct StatusRun {
    run: RunId,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    exit_code: Option<u8>,
}

impl StatusRun {
    fn of(last: LastRun) -> Self {
        Self {
            run: last.run,
            started_at: last.started_at,
            finished_at: last.end.map(|(at, _)| at),
            exit_code: last.end.map(|(_, code)| code),
        }
    }
}

#[derive(Serialize)]
struct StatusServer<'a> {
    panel: &'a PanelName,
    server: ServerId,
    identifier: &'a str,
    name: &'a str,
    freshness: &'static str,
    max_age_seconds: Option<i64>,
    newest_completed_at: Option<Timestamp>,
    age_seconds: Option<i64>,
    last_listed_at: Option<Timestamp>,
    skipped_because: Option<&'a str>,
    suspicion: Option<StatusSuspicion>,
    destinations: Vec<StatusDestination<'a>>,
}

#[derive(Serialize)]
struct StatusSuspicion {
    backup: BackupId,
    signs: Vec<StatusSign>,
}

#[derive(Serialize)]
struct StatusSign {
    sign: &'static str,
    message: String,
}

impl StatusSuspicion {
    fn of(suspicion: &Suspicion) -> Self {
        Self {
            backup: suspicion.backup,
            signs: suspicion
                .signs
                .iter()
                .map(|sign| StatusSign {
                    sign: sign.as_str(),
                    message: sign.to_string(),
                })
                .collect(),
        }
    }
}

impl<'a> StatusServer<'a> {
    fn of(server: &'a ServerStatus, at: Timestamp) -> Self {
        let holding = &server.holding;
        let newest = holding.newest_completed_at();
        Self {
            panel: &holding.panel,
            server: holding.server,
            identifier: &holding.identifier,
            name: &holding.name,
            freshness: match server.freshness {
                Freshness::Fresh => "fresh",
                Freshness::Stale => "stale",
                Freshness::Never => "never",
                Freshness::NotPromised => "not_promised",
            },
            max_age_seconds: server.max_age.map(|age| age.as_secs()),
            newest_completed_at: newest,
            age_seconds: newest.map(|newest| at.duration_since(newest).as_secs()),
            last_listed_at: holding.last_listed_at,
            skipped_because: holding.skipped_because.as_deref(),
            suspicion: server.suspicion.as_ref().map(StatusSuspicion::of),
            destinations: holding
                .destinations
                .iter()
                .map(StatusDestination::of)
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct StatusDestination<'a> {
    destination: &'a DestinationName,
    copies: u64,
    stored_bytes: u64,
    newest_completed_at: Option<Timestamp>,
    missing: Vec<StatusMissing<'a>>,
}

impl<'a> StatusDestination<'a> {
    fn of(holding: &'a DestinationHolding) -> Self {
        Self {
            destination: &holding.destination,
            copies: holding.copies,
            stored_bytes: holding.stored_bytes,
            newest_completed_at: holding.newest_completed_at,
            missing: holding.missing.iter().map(StatusMissing::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct StatusMissing<'a> {
    backup: BackupId,
    name: &'a str,
    completed_at: Timestamp,
    why: Option<&'a str>,
}

impl<'a> StatusMissing<'a> {
    fn of(missing: &'a MissingCopy) -> Self {
        Self {
            backup: missing.backup,
            name: &missing.backup_name,
            completed_at: missing.completed_at,
            why: missing.why.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ListDocument<'a> {
    schema: &'static str,
    panel: Option<&'a PanelName>,
    copies: Vec<ListCopy<'a>>,
}

#[derive(Serialize)]
struct ListCopy<'a> {
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    backup: BackupId,
    name: &'a str,
    completed_at: Timestamp,
    on_panel: &'static str,
    panel_checksum: Option<&'a str>,
    destination: &'a DestinationName,
    key: &'a ObjectKey,
    bytes: u64,
    sha256: String,
    stored_bytes: u64,
    stored_sha256: String,
    encryption: Option<&'a Encryption>,
    verdict: Verdict,
    mirrored_at: Timestamp,
    verified_at: Option<Timestamp>,
    kept: Option<&'a Mark>,
    locked: bool,
}

impl<'a> ListCopy<'a> {
    fn of(copy: &'a HeldCopy, account: Account) -> Self {
        Self {
            panel: &copy.panel,
            server: copy.server,
            server_name: &copy.server_name,
            backup: copy.backup,
            name: &copy.backup_name,
            completed_at: copy.completed_at,
            on_panel: match (account, copy.on_panel) {
                (Account::Sidecars, _) => "unknown",
                (Account::Ledger, PanelPresence::Listed) => "listed",
                (Account::Ledger, PanelPresence::Vanished) => "vanished",
            },
            panel_checksum: copy.panel_checksum.as_deref(),
            destination: &copy.destination,
            key: &copy.key,
            bytes: copy.archive_bytes,
            sha256: copy.sha256.to_hex(),
            stored_bytes: copy.stored_bytes,
            stored_sha256: copy.stored_sha256.to_hex(),
            encryption: copy.encryption.as_ref(),
            verdict: copy.verdict,
            mirrored_at: copy.mirrored_at,
            verified_at: copy.verified_at,
            kept: copy.kept.as_ref(),
            locked: copy.lock == LockState::Locked,
        }
    }
}

fn count<T>(of: &[T]) -> u64 {
    u64::try_from(of.len()).unwrap_or(u64::MAX)
}

fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::new(out);
    let mut serializer = Serializer::with_formatter(&mut buffered, TerminalSafe);
    document
        .serialize(&mut serializer)
        .map_err(io::Error::from)?;
    buffered.write_all(b"\n")?;
    buffered.flush()
}

/// Compact JSON in which characters that act on a terminal are written as `\u` escapes, those
/// included that JSON itself would let through; any reader gets the same text back.
struct TerminalSafe;

impl Formatter for TerminalSafe {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut rest = fragment;
        while let Some(at) = rest.find(acts_on_a_terminal) {
            let (plain, hostile) = rest.split_at_checked(at).unwrap_or((rest, ""));
            writer.write_all(plain.as_bytes())?;
            let mut characters = hostile.chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}
