//! Finding what is named: the one server of a word, the servers of backups.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::ledger::Owner;
use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::selector::ServerSelector;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::model::text::shown_name;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::servers::choose;
use crate::ops::panel::Parts;
use crate::ops::panel::SERVERS_AT_ONCE;
use crate::ops::panel::server_ref;
use crate::panel::BackupListing;
use crate::panel::Error;
use crate::report::panel::ServerRef;

/// So many servers are named to someone whose word names several.
const SERVERS_TOLD: usize = 5;
/// Names are cut to this many characters.
const NAME_CHARACTERS: usize = 40;

/// A server, and the panel it is on.
#[derive(Debug)]
pub struct FoundServer<'p> {
    /// The panel.
    pub target: &'p PanelTarget,
    /// The server.
    pub server: Server,
}

/// Finds the one server that a word names, over all panels; a panel that can't be asked may have
/// another one, so nothing is found then.
///
/// # Errors
/// Why there is not exactly one; nothing when the command was told to stop.
pub async fn the_server<'p>(
    parts: &'p Parts,
    word: &ServerSelector,
) -> Result<FoundServer<'p>, Vec<Failure>> {
    let mut failures = parts.failures.clone();
    let mut not_there = Vec::new();
    let mut found = Vec::new();
    for target in &parts.targets {
        match parts.unless_stopped(choose(target)).await {
            Some(Ok(chosen)) => {
                let (unknown, other): (Vec<Failure>, Vec<Failure>) = chosen
                    .failures
                    .into_iter()
                    .partition(|failure| failure.kind == FailureKind::NotFound);
                not_there.extend(unknown);
                failures.extend(other);
                let servers = chosen.servers.into_iter();
                found.extend(servers.map(|server| FoundServer { target, server }));
            }
            Some(Err(failure)) => failures.push(failure),
            None => return Err(failures),
        }
    }
    if !failures.is_empty() {
        failures.extend(not_there);
        return Err(failures);
    }
    match found.pop() {
        Some(only) if found.is_empty() => Ok(only),
        None => Err(not_there),
        Some(last) => {
            found.push(last);
            let name = |one: &FoundServer<'_>| (one.server.name.clone(), one.server.id);
            found.sort_by_key(name);
            Err(vec![several(word, &found)])
        }
    }
}

fn several(word: &ServerSelector, found: &[FoundServer<'_>]) -> Failure {
    let named: Vec<String> = found
        .iter()
        .take(SERVERS_TOLD)
        .map(|one| {
            let name = shown_name(&one.server.name, NAME_CHARACTERS);
            format!(
                "{name} ({})",
                shown_name(&one.server.identifier, NAME_CHARACTERS)
            )
        })
        .collect();
    let more = match found.len().saturating_sub(SERVERS_TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Failure {
        scope: Scope::Server,
        id: word.as_str().to_owned(),
        kind: FailureKind::NotFound,
        message: format!(
            "`{word}` names {} servers, and one is needed: {}{more}",
            found.len(),
            named.join(", ")
        ),
        hint: "give the short id or the uuid of the one that is meant; --panel when several panels have it"
            .to_owned(),
    }
}

/// A backup, and where it is.
#[derive(Debug)]
pub struct FoundBackup<'p> {
    /// The panel.
    pub target: &'p PanelTarget,
    /// The server.
    pub server: ServerRef,
    /// As the panel shows it now.
    pub backup: Backup,
}

/// What became of a search.
#[derive(Debug, Default)]
pub struct Search<'p> {
    /// The backups that were found.
    pub found: BTreeMap<BackupId, FoundBackup<'p>>,
    /// Why others were not: one or more for each, and what could not be looked at on their account.
    pub failures: Vec<Failure>,
}

/// Finds backups: where `owners` says they are, else on the servers that are meant, asked one by one.
pub async fn the_backups<'p>(
    parts: &'p Parts,
    owners: &[Owner],
    wanted: &[BackupId],
) -> Search<'p> {
    let mut search = Search::default();
    let mut missing: BTreeSet<BackupId> = wanted.iter().copied().collect();
    for owner in owners {
        let mut targets = parts.targets.iter();
        let Some(target) = targets.find(|target| *target.client.name() == owner.panel) else {
            continue;
        };
        if !missing.contains(&owner.backup) {
            continue;
        }
        let read = target.client.backup(&owner.server, &owner.backup);
        match parts.unless_stopped(read).await {
            Some(Ok(backup)) => {
                missing.remove(&owner.backup);
                let server = ServerRef {
                    panel: owner.panel.clone(),
                    server: owner.server,
                    identifier: owner.identifier.clone(),
                    name: owner.server_name.clone(),
                };
                let found = FoundBackup {
                    target,
                    server,
                    backup,
                };
                search.found.insert(owner.backup, found);
            }
            // It may have moved to where the ledger has not seen it yet.
            Some(Err(Error::UnknownBackup { .. } | Error::UnknownServer { .. })) => {}
            Some(Err(error)) => {
                missing.remove(&owner.backup);
                search
                    .failures
                    .push(error.failure(Scope::Backup, owner.backup.to_string()));
            }
            None => return search,
        }
    }
    let mut unseen = Vec::new();
    for target in &parts.targets {
        if missing.is_empty() {
            break;
        }
        look_on(parts, target, &mut missing, &mut search, &mut unseen).await;
    }
    if !missing.is_empty() && !parts.env.cancel.is_cancelled() {
        search.failures.extend(parts.failures.iter().cloned());
        let reach = if parts.failures.is_empty() && unseen.is_empty() {
            Reach::All
        } else {
            Reach::Part
        };
        search.failures.extend(unseen);
        let nowhere = missing.iter().map(|backup| not_found(*backup, reach));
        search.failures.extend(nowhere);
    }
    search
}

/// Looks for what is missing on the servers of one panel, until all is found.
async fn look_on<'p>(
    parts: &Parts,
    target: &'p PanelTarget,
    missing: &mut BTreeSet<BackupId>,
    search: &mut Search<'p>,
    unseen: &mut Vec<Failure>,
) {
    let servers = match parts.unless_stopped(choose(target)).await {
        Some(Ok(chosen)) => {
            unseen.extend(chosen.failures);
            chosen.servers
        }
        Some(Err(failure)) => {
            unseen.push(failure);
            return;
        }
        None => return,
    };
    let mut listings = stream::iter(servers)
        .map(async |server: Server| {
            let listing = match server.state {
                ServerState::Ready => {
                    parts
                        .unless_stopped(target.client.backups(&server.id))
                        .await
                }
                state @ (ServerState::Suspended
                | ServerState::Installing
                | ServerState::Restoring
                | ServerState::Transferring
                | ServerState::NodeMaintenance
                | ServerState::Conflict) => return (server, Looked::Closed(state)),
            };
            (server, Looked::At(listing))
        })
        .buffered(SERVERS_AT_ONCE);
    while let Some((server, looked)) = listings.next().await {
        let listing = match looked {
            Looked::At(Some(Ok(listing))) => listing,
            Looked::At(Some(Err(error))) => {
                unseen.push(error.failure(Scope::Server, server.id.to_string()));
                continue;
            }
            Looked::At(None) => return,
            Looked::Closed(state) => {
                unseen.push(closed(&server, state));
                continue;
            }
        };
        for backup in listing.backups {
            let id = backup.record().id;
            if missing.remove(&id) {
                let found = FoundBackup {
                    target,
                    server: server_ref(target, &server),
                    backup,
                };
                search.found.insert(id, found);
            }
        }
        if missing.is_empty() {
            return;
        }
    }
}

/// What a look at one server showed.
enum Looked {
    /// Its backups; `None` when the command was told to stop.
    At(Option<Result<BackupListing, Error>>),
    /// Nothing: its state refuses backup calls.
    Closed(ServerState),
}

/// A server whose backups can't be looked at in its state.
pub(super) fn closed(server: &Server, state: ServerState) -> Failure {
    Failure {
        scope: Scope::Server,
        id: server.id.to_string(),
        kind: FailureKind::ServerState,
        message: format!(
            "the backups of {} can't be looked at: the server is {state}",
            shown_name(&server.name, NAME_CHARACTERS)
        ),
        hint: "run it again when backup calls are open for that server".to_owned(),
    }
}

/// How much of what there is was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    All,
    Part,
}

fn not_found(backup: BackupId, reach: Reach) -> Failure {
    let (message, hint) = match reach {
        Reach::All => (
            "no server that was looked at has this backup",
            "it may be deleted or rotated away, or on a server that the key does not see: `nestegg panel backups` lists those that there are",
        ),
        Reach::Part => (
            "the servers that could be looked at don't have this backup",
            "mend what kept the others from being looked at, or name the backup's server with --server",
        ),
    };
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::NotFound,
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}
