//! The document of `status`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::holding::DestinationHolding;
use crate::model::holding::DestinationVerified;
use crate::model::holding::MissingCopy;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::suspicion::Suspicion;
use crate::report::Freshness;
use crate::report::LastRun;
use crate::report::ServerStatus;
use crate::report::StatusReport;
use crate::report::json::count;
use crate::report::json::write_document;

/// JSON Schema of what [`status`] writes.
pub const STATUS_SCHEMA: &str = include_str!("../schema/status-1.json");

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
