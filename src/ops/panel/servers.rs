//! `nestegg panel servers`: which servers there are, and how full their backup slots.

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::server::Server;
use crate::model::slots::BackupSlots;
use crate::model::slots::TakenSlots;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::servers::choose;
use crate::ops::panel::Parts;
use crate::ops::panel::SERVERS_AT_ONCE;
use crate::ops::panel::find::Looked;
use crate::ops::panel::find::look_at;
use crate::report::panel::ServerRow;
use crate::report::panel::ServersReport;

/// The servers that are meant, with their slots. A server in a state that refuses backup calls is
/// listed without what is in them.
pub async fn servers(parts: &Parts) -> ServersReport {
    let mut rows = Vec::new();
    let mut errors = parts.failures.clone();
    for target in &parts.targets {
        match parts.unless_stopped(choose(target)).await {
            Some(Ok(chosen)) => {
                errors.extend(chosen.failures);
                let mut slots = stream::iter(chosen.servers)
                    .map(|server| row(parts, target, server))
                    .buffered(SERVERS_AT_ONCE);
                while let Some((row, failure)) = slots.next().await {
                    rows.push(row);
                    errors.extend(failure);
                }
            }
            Some(Err(failure)) => errors.push(failure),
            None => break,
        }
    }
    rows.sort_by(|a, b| {
        (&a.panel, &a.server.name, a.server.id).cmp(&(&b.panel, &b.server.name, b.server.id))
    });
    ServersReport {
        at: parts.env.now(),
        servers: rows,
        errors,
        ended: parts.ended(),
    }
}

async fn row(parts: &Parts, target: &PanelTarget, server: Server) -> (ServerRow, Option<Failure>) {
    let listed = match look_at(parts, target, &server).await {
        Looked::At(listed) => listed,
        Looked::Closed(_state) => None,
    };
    let (taken, failure) = match listed {
        Some(Ok(listing)) => {
            let taken = TakenSlots::of(&listing.backups, listing.counted);
            (Some(taken), None)
        }
        Some(Err(error)) => {
            let failure = error.failure(Scope::Server, server.id.to_string());
            (None, Some(failure))
        }
        None => (None, None),
    };
    let row = ServerRow {
        panel: target.client.name().clone(),
        slots: BackupSlots::new(&server, taken),
        server,
    };
    (row, failure)
}
