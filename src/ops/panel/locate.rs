//! Which server of which panel a backup is of.

use std::collections::BTreeMap;

use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::selector::ServerSelector;
use crate::model::server::Server;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::servers::choose;
use crate::ops::panel::Parts;
use crate::panel;

/// What was found of the backups.
#[derive(Debug, Default)]
pub struct Located<'p> {
    /// Where each is, or was.
    pub found: BTreeMap<BackupId, Place<'p>>,
    /// What could not be asked.
    pub failures: Vec<Failure>,
}

/// Where a backup is, or was.
#[derive(Debug, Clone)]
pub struct Place<'p> {
    /// The panel.
    pub target: &'p PanelTarget,
    /// The server.
    pub server: Server,
    /// The panel's row; `None` when the backup is gone.
    pub backup: Option<Backup>,
}

/// Looks for backups: on the server that is named, where only one is; else on the servers that the
/// ledger remembers for them (`hints`); else on every server that the key sees.
///
/// A backup that a named server does not have, or one that was remembered, counts as gone.
pub async fn locate<'p>(
    parts: &'p Parts,
    hints: &BTreeMap<BackupId, ServerId>,
    wanted: &[BackupId],
) -> Located<'p> {
    let mut located = Located::default();
    for target in &parts.targets {
        if located.found.len() == wanted.len() {
            break;
        }
        match parts.unless_stopped(choose(target)).await {
            Some(Ok(chosen)) => {
                located.failures.extend(chosen.failures);
                among(parts, target, chosen.servers, hints, wanted, &mut located).await;
            }
            Some(Err(failure)) => located.failures.push(failure),
            None => break,
        }
    }
    located
}

async fn among<'p>(
    parts: &Parts,
    target: &'p PanelTarget,
    servers: Vec<Server>,
    hints: &BTreeMap<BackupId, ServerId>,
    wanted: &[BackupId],
    located: &mut Located<'p>,
) {
    let is_named = !target.selectors.contains(&ServerSelector::Any);
    let only = match servers.as_slice() {
        [one] if is_named => Some(one.id),
        _several => None,
    };
    for id in wanted {
        if located.found.contains_key(id) {
            continue;
        }
        let expected = only.or_else(|| hints.get(id).copied());
        let Some(server) = servers.iter().find(|server| Some(server.id) == expected) else {
            continue;
        };
        let Some(read) = parts
            .unless_stopped(target.client.backup(&server.id, id))
            .await
        else {
            return;
        };
        let backup = match read {
            Ok(backup) => Some(backup),
            Err(panel::Error::UnknownBackup { .. }) => None,
            Err(error) => {
                let failure = error.failure(Scope::Backup, id.to_string());
                located.failures.push(failure);
                continue;
            }
        };
        located.found.insert(
            *id,
            Place {
                target,
                server: server.clone(),
                backup,
            },
        );
    }
    let is_missing = |id: &&BackupId| !located.found.contains_key(id) && only.is_none();
    let mut missing: Vec<BackupId> = wanted.iter().filter(is_missing).copied().collect();
    missing.retain(|id| {
        let said = |failure: &Failure| failure.id == id.to_string();
        !located.failures.iter().any(said)
    });
    for server in servers {
        if missing.is_empty() {
            return;
        }
        let listing = parts
            .unless_stopped(target.client.backups(&server.id))
            .await;
        let listing = match listing {
            Some(Ok(listing)) => listing,
            Some(Err(error)) => {
                let failure = error.failure(Scope::Server, server.id.to_string());
                located.failures.push(failure);
                continue;
            }
            None => return,
        };
        for backup in listing.backups {
            let id = backup.record().id;
            if missing.contains(&id) {
                missing.retain(|one| *one != id);
                let place = Place {
                    target,
                    server: server.clone(),
                    backup: Some(backup),
                };
                located.found.insert(id, place);
            }
        }
    }
}
