//! Which servers a run is about.

use std::collections::BTreeMap;

use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::selector::ServerSelector;
use crate::model::server::Server;
use crate::model::server::ServerScope;
use crate::ops::mirror::PanelTarget;
use crate::panel::UnreadableRow;

/// The servers that a selection names, and the words in it that name none.
#[derive(Debug, Default)]
pub struct Chosen {
    /// By uuid, without the excluded ones.
    pub servers: Vec<Server>,
    /// One failure a word that names nothing.
    pub failures: Vec<Failure>,
}

/// Finds the servers that the operator means.
///
/// A word shaped like an id is asked for directly, because an administrator's key may open
/// servers that its list does not show (`panel-contract.md` section 2).
///
/// # Errors
/// The panel's own failure: bad key, unreachable, no panel at all.
pub async fn choose(target: &PanelTarget) -> Result<Chosen, Failure> {
    let failed =
        |error: crate::panel::Error| error.failure(Scope::Panel, target.client.name().to_string());
    let mut found: BTreeMap<ServerId, Server> = BTreeMap::new();
    let mut by_list: Vec<&ServerSelector> = Vec::new();
    let mut failures = Vec::new();
    for selector in &target.selectors {
        let Some(id) = selector.as_id() else {
            by_list.push(selector);
            continue;
        };
        match target.client.server(id).await {
            Ok(server) => {
                found.insert(server.id, server);
            }
            // It may still be some server's name.
            Err(error) if error.kind() == FailureKind::NotFound => by_list.push(selector),
            Err(error) if !is_about_the_panel(&error) => {
                failures.push(error.failure(Scope::Server, id.to_owned()));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    if !by_list.is_empty() {
        let listing = target
            .client
            .server_listing(target.scope)
            .await
            .map_err(failed)?;
        failures.extend(listing.unreadable.iter().map(unreadable));
        let listed = listing.servers;
        if listed.is_empty() && listing.unreadable.is_empty() {
            failures.push(none_shown(target));
            by_list.retain(|selector| *selector != &ServerSelector::Any);
        }
        for selector in by_list {
            let mut names_any = false;
            for server in listed.iter().filter(|server| selector.matches(server)) {
                names_any = true;
                found.entry(server.id).or_insert_with(|| server.clone());
            }
            if !names_any {
                failures.push(no_such_server(selector, target.scope));
            }
        }
    }
    let is_excluded = |server: &Server| {
        target
            .exclude
            .iter()
            .any(|selector| selector.matches(server))
    };
    let any_found = !found.is_empty();
    let servers: Vec<Server> = found
        .into_values()
        .filter(|server| !is_excluded(server))
        .collect();
    if any_found && servers.is_empty() {
        failures.push(Failure {
            scope: Scope::Panel,
            id: target.client.name().to_string(),
            kind: FailureKind::Policy,
            message: "every server that was asked for is excluded".to_owned(),
            hint: "compare `servers` with `exclude`, and --server with --exclude".to_owned(),
        });
    }
    Ok(Chosen { servers, failures })
}

/// An empty list: what users are shown who lost their servers, and by the whole panel those who
/// are no root administrators (`panel-contract.md` section 2). Taking it for a panel without
/// servers would be a success that is not proved.
fn none_shown(target: &PanelTarget) -> Failure {
    Failure {
        scope: Scope::Panel,
        id: target.client.name().to_string(),
        kind: FailureKind::Permission,
        message: "the panel shows no servers at all to this key".to_owned(),
        hint: hint(target.scope).to_owned(),
    }
}

const fn hint(scope: ServerScope) -> &'static str {
    match scope {
        ServerScope::Mine => {
            "the key sees only servers that its user owns or was invited to; an administrator's key sees the others \
             with --all-servers"
        }
        ServerScope::WholePanel => {
            "seeing every server takes the key of a root administrator; other users are shown an empty list"
        }
    }
}

/// Whether an error about one server would be met with the others too.
fn is_about_the_panel(error: &crate::panel::Error) -> bool {
    matches!(
        error.kind(),
        FailureKind::Credentials
            | FailureKind::Unreachable
            | FailureKind::Protocol
            | FailureKind::RateLimited
            | FailureKind::Local
    )
}

fn unreadable(row: &UnreadableRow) -> Failure {
    Failure {
        scope: Scope::Server,
        id: row.id.clone(),
        kind: FailureKind::Protocol,
        message: format!(
            "the panel's record of this server can't be read: {}",
            row.why
        ),
        hint: "look at it in the panel".to_owned(),
    }
}

fn no_such_server(selector: &ServerSelector, scope: ServerScope) -> Failure {
    Failure {
        scope: Scope::Server,
        id: selector.as_str().to_owned(),
        kind: FailureKind::NotFound,
        message: format!("no server of this key is called `{selector}`"),
        hint: hint(scope).to_owned(),
    }
}
