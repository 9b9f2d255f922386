//! The document of `panel trim`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::slots::TakenSlots;
use crate::plan::trim::Fate;
use crate::report::json::panel::Left;
use crate::report::json::panel::copies::Copy;
use crate::report::json::write_document;
use crate::report::panel::trim::Became;
use crate::report::panel::trim::TrimReport;
use crate::report::panel::trim::TrimmedBackup;
use crate::report::panel::trim::TrimmedServer;

/// JSON Schema of what [`trim`] writes.
pub const TRIM_SCHEMA: &str = include_str!("../../schema/panel-trim-1.json");

/// Writes the document of `panel trim`, schema `nestegg.panel.trim/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn trim(report: &TrimReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "nestegg.panel.trim/1",
        started_at: report.started_at,
        finished_at: report.finished_at,
        exit_code,
        applied: report.mode == Mode::Apply,
        keep: report.wish.keep.get(),
        min_copies: report.wish.min_copies.get(),
        counts: Counts {
            deleted: report.count(|became| *became == Became::Deleted),
            would_be_deleted: report.count(|became| *became == Became::WouldBeDeleted),
            kept: report.count(|became| matches!(became, Became::Stays | Became::Changed { .. })),
            failed: report.count(|became| matches!(became, Became::NotDeleted(_))),
        },
        servers: report.servers.iter().map(OneServer::of).collect(),
        skipped: report.skipped.iter().map(Left::of).collect(),
        errors: report.failures().collect(),
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    started_at: Timestamp,
    finished_at: Timestamp,
    exit_code: u8,
    applied: bool,
    keep: u32,
    min_copies: u32,
    counts: Counts,
    servers: Vec<OneServer<'a>>,
    skipped: Vec<Left<'a>>,
    errors: Vec<&'a Failure>,
}

#[derive(Serialize)]
struct Counts {
    deleted: usize,
    would_be_deleted: usize,
    kept: usize,
    failed: usize,
}

#[derive(Serialize)]
struct OneServer<'a> {
    panel: &'a PanelName,
    server: ServerId,
    identifier: &'a str,
    name: &'a str,
    slots: Slots,
    backups: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Slots {
    limit: Option<u64>,
    used: Option<u64>,
}

#[derive(Serialize)]
struct Row<'a> {
    backup: BackupId,
    name: &'a str,
    created_at: Timestamp,
    bytes: Option<u64>,
    is_locked: bool,
    plan: &'static str,
    reason: Option<String>,
    held_at: &'a [DestinationName],
    state: &'static str,
    changed: Option<&'a str>,
    copies: Vec<Copy<'a>>,
    error: Option<&'a Failure>,
}

impl<'a> OneServer<'a> {
    fn of(server: &'a TrimmedServer) -> Self {
        Self {
            panel: &server.panel,
            server: server.server,
            identifier: &server.identifier,
            name: &server.name,
            slots: Slots {
                limit: server.slots.limit,
                used: server.slots.taken.map(TakenSlots::used),
            },
            backups: server.backups.iter().map(Row::of).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn of(backup: &'a TrimmedBackup) -> Self {
        let candidate = &backup.planned.candidate;
        let record = candidate.backup.record();
        let (plan, reason) = match &backup.planned.fate {
            Fate::Keep(reason) => ("keep", Some(reason.to_string())),
            Fate::Delete(_) => ("delete", None),
        };
        Self {
            backup: record.id,
            name: &record.name,
            created_at: record.created_at,
            bytes: match &candidate.backup {
                Backup::Completed(backup) => Some(backup.archive_bytes),
                Backup::Pending(_) | Backup::Failed(_) => None,
            },
            is_locked: record.is_locked,
            plan,
            reason,
            held_at: &candidate.held_at,
            state: backup.became.as_str(),
            changed: match &backup.became {
                Became::Changed { now } => Some(now),
                Became::Stays
                | Became::WouldBeDeleted
                | Became::Deleted
                | Became::AlreadyGone
                | Became::NotDeleted(_)
                | Became::NotReached => None,
            },
            copies: backup.copies.iter().map(Copy::of).collect(),
            error: match &backup.became {
                Became::NotDeleted(failure) => Some(failure),
                Became::Stays
                | Became::WouldBeDeleted
                | Became::Deleted
                | Became::AlreadyGone
                | Became::Changed { .. }
                | Became::NotReached => None,
            },
        }
    }
}
