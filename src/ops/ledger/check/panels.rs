//! What panels list, held against what is held.

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::env::Env;
use crate::model::holding::HeldCopy;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::servers;
use crate::panel::BackupListing;
use crate::plan::check;
use crate::plan::check::Finding;
use crate::plan::check::ListedServer;
use crate::plan::check::Place;
use crate::plan::check::Placeholders;

/// How many servers' backups are listed at once; the panel's rate limit is the real bound.
const SERVERS_AT_ONCE: usize = 8;

/// Asks one panel for the backups of its selected servers, and compares them with what is held.
pub(super) async fn ask(
    target: &PanelTarget,
    env: &Env,
    held: &[HeldCopy],
    placeholders: &Placeholders,
) -> Result<Vec<Finding>, Failure> {
    let name: PanelName = target.client.name().clone();
    let place = Place::Panel(name.clone());
    let chosen = tokio::select! {
        biased;
        () = env.cancel.cancelled() => return Ok(Vec::new()),
        chosen = servers::choose(target) => chosen?,
    };
    let mut findings: Vec<Finding> = chosen
        .failures
        .iter()
        .map(|failure| Finding::failed(place.clone(), None, failure))
        .collect();
    let mut listings = stream::iter(chosen.servers)
        .map(async |server: Server| {
            if server.state != ServerState::Ready {
                tracing::warn!(
                    "server {} was not compared: it is {}",
                    server.id,
                    server.state
                );
                return None;
            }
            let listing = tokio::select! {
                biased;
                () = env.cancel.cancelled() => return None,
                listing = target.client.backups(&server.id) => listing,
            };
            Some((server.id, listing))
        })
        .buffered(SERVERS_AT_ONCE);
    let mut listed = Vec::new();
    while let Some(asked) = listings.next().await {
        match asked {
            Some((server, Ok(listing))) => listed.push(as_listed(server, listing)),
            Some((server, Err(error))) => {
                let failure = error.failure(Scope::Server, server.to_string());
                findings.push(Finding::failed(place.clone(), Some(server), &failure));
            }
            None => {}
        }
    }
    let compared = check::compare_panel(&name, &listed, held, placeholders);
    findings.extend(compared);
    Ok(findings)
}

fn as_listed(server: ServerId, listing: BackupListing) -> ListedServer {
    ListedServer {
        server,
        seen: listing.seen(),
        backups: listing.backups,
    }
}
