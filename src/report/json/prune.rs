//! The document of `prune`.

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
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::retention::KeepReason;
use crate::plan::prune::Decision;
use crate::plan::prune::Reason;
use crate::plan::prune::Refusal;
use crate::report::json::write_document;
use crate::report::prune::Became;
use crate::report::prune::BegunCopy;
use crate::report::prune::PruneReport;
use crate::report::prune::PruneSums;
use crate::report::prune::PrunedCopy;
use crate::report::prune::PrunedPlace;
use crate::report::prune::PrunedServer;
use crate::report::prune::Thinning;

/// JSON Schema of what [`prune`] writes.
pub const PRUNE_SCHEMA: &str = include_str!("../schema/prune-1.json");

/// Writes the document of a run of `prune`, schema `nestegg.prune/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn prune(report: &PruneReport, exit_code: u8, out: &mut dyn Write) -> io::Result<()> {
    let document = PruneDocument {
        schema: "nestegg.prune/1",
        run: report.run,
        mode: match report.mode {
            Mode::DryRun => "plan",
            Mode::Apply => "apply",
        },
        started_at: report.started_at,
        finished_at: report.finished_at,
        outcome: report.outcome().as_str(),
        exit_code,
        max_delete: report.max_delete,
        counts: PruneCounts::of(report),
        bytes: PruneBytes::of(&report.sums()),
        destinations: report.places.iter().map(PrunePlace::of).collect(),
        errors: &report.errors,
    };
    write_document(&document, out)
}

/// The counts of a run of `prune`, as its document says them.
pub fn prune_counts(report: &PruneReport) -> serde_json::Value {
    serde_json::json!(PruneCounts::of(report))
}

#[derive(Serialize)]
struct PruneDocument<'a> {
    schema: &'static str,
    run: Option<RunId>,
    mode: &'static str,
    started_at: Timestamp,
    finished_at: Timestamp,
    outcome: &'static str,
    exit_code: u8,
    max_delete: Option<usize>,
    counts: PruneCounts,
    bytes: PruneBytes,
    destinations: Vec<PrunePlace<'a>>,
    errors: &'a [Failure],
}

#[derive(Serialize)]
struct PruneCounts {
    copies: u64,
    kept: u64,
    spared: u64,
    would_remove: u64,
    removed: u64,
    refused: u64,
    failed: u64,
    not_reached: u64,
    refused_servers: u64,
}

impl PruneCounts {
    fn of(report: &PruneReport) -> Self {
        let sums = report.sums();
        Self {
            copies: sums.copies,
            kept: sums.kept,
            spared: sums.spared,
            would_remove: sums.would_go,
            removed: sums.removed,
            refused: sums.refused,
            failed: sums.failed,
            not_reached: sums.not_reached,
            refused_servers: report.refused_servers(),
        }
    }
}

#[derive(Serialize)]
struct PruneBytes {
    freed: u64,
}

impl PruneBytes {
    const fn of(sums: &PruneSums) -> Self {
        Self {
            freed: sums.freed_bytes,
        }
    }
}

#[derive(Serialize)]
struct PrunePlace<'a> {
    destination: &'a DestinationName,
    policy: bool,
    begun: Vec<PruneBegun<'a>>,
    servers: Vec<PruneServer<'a>>,
}

impl<'a> PrunePlace<'a> {
    fn of(place: &'a PrunedPlace) -> Self {
        Self {
            destination: &place.destination,
            policy: place.thinning == Thinning::ByPolicy,
            begun: place.begun.iter().map(PruneBegun::of).collect(),
            servers: place.servers.iter().map(PruneServer::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct PruneBegun<'a> {
    server: ServerId,
    backup: BackupId,
    key: &'a ObjectKey,
    stored_bytes: u64,
    intended_at: Timestamp,
    state: &'static str,
    spared_because: Option<PruneReason<'a>>,
    error: Option<&'a Failure>,
}

impl<'a> PruneBegun<'a> {
    fn of(copy: &'a BegunCopy) -> Self {
        Self {
            server: copy.key.server(),
            backup: copy.key.backup(),
            key: &copy.key,
            stored_bytes: copy.stored_bytes,
            intended_at: copy.intended_at,
            state: copy.became.word(),
            spared_because: spared_because(&copy.became),
            error: failure(&copy.became),
        }
    }
}

#[derive(Serialize)]
struct PruneServer<'a> {
    panel: &'a PanelName,
    server: ServerId,
    identifier: &'a str,
    name: &'a str,
    refusals: Vec<PruneRefusal>,
    counts: ServerCounts,
    bytes: PruneBytes,
    copies: Vec<PruneCopy<'a>>,
}

#[derive(Serialize)]
struct ServerCounts {
    copies: u64,
    kept: u64,
    would_remove: u64,
    removed: u64,
}

impl<'a> PruneServer<'a> {
    fn of(server: &'a PrunedServer) -> Self {
        let sums = server.sums();
        Self {
            panel: &server.panel,
            server: server.server,
            identifier: &server.identifier,
            name: &server.name,
            refusals: server.refusals.iter().map(PruneRefusal::of).collect(),
            counts: ServerCounts {
                copies: sums.copies,
                kept: sums.kept,
                would_remove: sums.would_go,
                removed: sums.removed,
            },
            bytes: PruneBytes::of(&sums),
            copies: server.copies.iter().map(PruneCopy::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct PruneRefusal {
    kind: &'static str,
    message: String,
    hint: &'static str,
}

impl PruneRefusal {
    fn of(refusal: &Refusal) -> Self {
        Self {
            kind: refusal.as_str(),
            message: refusal.to_string(),
            hint: refusal.hint(),
        }
    }
}

#[derive(Serialize)]
struct PruneCopy<'a> {
    backup: BackupId,
    name: &'a str,
    key: &'a ObjectKey,
    created_at: Timestamp,
    stored_bytes: u64,
    decision: &'static str,
    reasons: Vec<PruneReason<'a>>,
    state: &'static str,
    spared_because: Option<PruneReason<'a>>,
    error: Option<&'a Failure>,
}

impl<'a> PruneCopy<'a> {
    fn of(copy: &'a PrunedCopy) -> Self {
        Self {
            backup: copy.backup,
            name: &copy.name,
            key: &copy.key,
            created_at: copy.created_at,
            stored_bytes: copy.stored_bytes,
            decision: copy.decision.as_str(),
            reasons: match &copy.decision {
                Decision::Keep(reasons) => reasons.iter().map(PruneReason::of).collect(),
                Decision::Remove => Vec::new(),
            },
            state: copy.became.word(),
            spared_because: spared_because(&copy.became),
            error: failure(&copy.became),
        }
    }
}

#[derive(Serialize)]
struct PruneReason<'a> {
    kind: &'static str,
    text: String,
    rule: Option<&'static str>,
    nth: Option<u32>,
    of: Option<u32>,
    until: Option<Timestamp>,
    words: Option<&'a str>,
}

impl<'a> PruneReason<'a> {
    fn of(reason: &'a Reason) -> Self {
        let bare = Self {
            kind: reason.as_str(),
            text: reason.to_string(),
            rule: None,
            nth: None,
            of: None,
            until: None,
            words: None,
        };
        match reason {
            Reason::Policy(KeepReason::Nth { rule, nth, of }) => Self {
                rule: Some(rule.as_str()),
                nth: Some(*nth),
                of: Some(*of),
                ..bare
            },
            Reason::Policy(KeepReason::Within(_)) => Self {
                rule: Some("within"),
                ..bare
            },
            Reason::RetainedUntil(until) => Self {
                until: Some(*until),
                ..bare
            },
            Reason::KeptByHand { reason } => Self {
                words: reason.as_deref(),
                ..bare
            },
            Reason::Policy(KeepReason::NoPolicy)
            | Reason::Newest
            | Reason::Locked
            | Reason::Retained => bare,
        }
    }
}

const fn failure(became: &Became) -> Option<&Failure> {
    match became {
        Became::Failed(failure) => Some(failure),
        Became::Kept
        | Became::WouldGo
        | Became::Refused
        | Became::Removed
        | Became::Spared(_)
        | Became::NotReached => None,
    }
}

fn spared_because(became: &Became) -> Option<PruneReason<'_>> {
    match became {
        Became::Spared(reason) => Some(PruneReason::of(reason)),
        Became::Kept
        | Became::WouldGo
        | Became::Refused
        | Became::Removed
        | Became::Failed(_)
        | Became::NotReached => None,
    }
}
