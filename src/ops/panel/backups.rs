//! `nestegg panel backups`: every backup of a panel, and where copies of it are held.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::ledger;
use crate::ledger::CopyFilter;
use crate::ledger::Ledger;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::model::slots::BackupSlots;
use crate::model::slots::TakenSlots;
use crate::ops::Error;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::servers::choose;
use crate::ops::panel::Parts;
use crate::ops::panel::SERVERS_AT_ONCE;
use crate::ops::panel::left_out;
use crate::ops::panel::server_ref;
use crate::panel::BackupListing;
use crate::panel::UnreadableRow;
use crate::report::panel::BackupRow;
use crate::report::panel::BackupsReport;
use crate::report::panel::HeldAt;
use crate::report::panel::ServerBackups;

/// Where the backups of some servers are held; what a ledger says.
type Holdings = BTreeMap<(ServerId, BackupId), BTreeSet<DestinationName>>;

/// Every backup of the servers that are meant, in whatever state, newest first; without a ledger
/// nothing is said of copies. Servers that refuse backup calls in their state are left out, and told.
///
/// # Errors
/// [`Error::Ledger`] when a ledger is there and can't be asked for copies.
pub async fn backups(parts: &Parts, ledger: Option<Ledger>) -> Result<BackupsReport, Error> {
    let mut report = BackupsReport {
        at: parts.env.now(),
        servers: Vec::new(),
        skipped: Vec::new(),
        errors: parts.failures.clone(),
        ended: parts.ended(),
    };
    for target in &parts.targets {
        match parts.unless_stopped(choose(target)).await {
            Some(Ok(chosen)) => {
                report.errors.extend(chosen.failures);
                list(parts, target, chosen.servers, &mut report).await;
            }
            Some(Err(failure)) => report.errors.push(failure),
            None => break,
        }
    }
    report.servers.sort_by(|a, b| a.of.by_name(&b.of));
    let held = ledger
        .map(|ledger| holdings(&ledger, &report.servers))
        .transpose()?;
    for server in &mut report.servers {
        for row in &mut server.backups {
            row.held = match &held {
                None => HeldAt::NotKnown,
                Some(held) => {
                    let key = (server.of.server, row.backup.record().id);
                    let places = held.get(&key).into_iter().flatten();
                    HeldAt::Places(places.cloned().collect())
                }
            };
        }
    }
    report.ended = parts.ended();
    Ok(report)
}

async fn list(
    parts: &Parts,
    target: &PanelTarget,
    servers: Vec<Server>,
    report: &mut BackupsReport,
) {
    let (open, closed): (Vec<Server>, Vec<Server>) = servers
        .into_iter()
        .partition(|server| server.state == ServerState::Ready);
    let closed = closed.iter();
    report
        .skipped
        .extend(closed.map(|server| left_out(target, server, server.state)));
    let mut listings = stream::iter(open)
        .map(async |server: Server| {
            let listing = parts
                .unless_stopped(target.client.backups(&server.id))
                .await;
            (server, listing)
        })
        .buffered(SERVERS_AT_ONCE);
    while let Some((server, listing)) = listings.next().await {
        match listing {
            Some(Ok(listing)) => {
                let unreadable = listing.unreadable.iter().map(unreadable);
                report.errors.extend(unreadable);
                report.servers.push(rows(target, &server, listing));
            }
            Some(Err(error)) => report
                .errors
                .push(error.failure(Scope::Server, server.id.to_string())),
            None => return,
        }
    }
}

fn rows(target: &PanelTarget, server: &Server, listing: BackupListing) -> ServerBackups {
    let taken = TakenSlots::of(&listing.backups, listing.counted);
    let mut backups: Vec<BackupRow> = listing
        .backups
        .into_iter()
        .map(|backup| BackupRow {
            backup,
            held: HeldAt::NotKnown,
        })
        .collect();
    backups.sort_by(|a, b| {
        let (a, b) = (a.backup.record(), b.backup.record());
        (b.created_at, a.id).cmp(&(a.created_at, b.id))
    });
    ServerBackups {
        of: server_ref(target, server),
        slots: BackupSlots::new(server, Some(taken)),
        backups,
    }
}

fn unreadable(row: &UnreadableRow) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: row.id.clone(),
        kind: FailureKind::Protocol,
        message: format!(
            "the panel's record of this backup can't be read: {}",
            row.why
        ),
        hint: "look at it in the panel".to_owned(),
    }
}

fn holdings(ledger: &Ledger, servers: &[ServerBackups]) -> Result<Holdings, ledger::Error> {
    let filter = CopyFilter {
        servers: Some(servers.iter().map(|server| server.of.server).collect()),
        destinations: None,
    };
    let mut held = Holdings::new();
    for copy in ledger.copies(&filter)? {
        held.entry((copy.server, copy.backup))
            .or_default()
            .insert(copy.destination);
    }
    Ok(held)
}
