//! Finding what is named: the one server of a word, the servers of backups.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::config::settings::panel::Within;
use crate::ledger::NamedBackup;
use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
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

/// A server that has a backup, or had it.
#[derive(Debug, Clone)]
pub struct Place<'p> {
    /// The panel.
    pub target: &'p PanelTarget,
    /// The server.
    pub server: ServerRef,
}

/// A backup, and where it is.
#[derive(Debug)]
pub struct FoundBackup<'p> {
    /// Where.
    pub place: Place<'p>,
    /// As the panel shows it now.
    pub backup: Backup,
}

/// What became of a search. A backup that is neither found nor gone has a failure, unless the command
/// was told to stop.
#[derive(Debug, Default)]
pub struct Search<'p> {
    /// The backups that were found.
    pub found: BTreeMap<BackupId, FoundBackup<'p>>,
    /// The backups that are gone, with the server that had them: it was asked, and has them no more.
    pub gone: BTreeMap<BackupId, Place<'p>>,
    /// Why others were not found: one for each, and what could not be looked at on their account.
    pub failures: Vec<Failure>,
}

/// Finds backups, each by the first of these that tells:
///
/// 1. the one server that `--server` names, or the server of the same panel that the ledger (`known`)
///    remembers: it is asked for the backup, and when it answers that it has none, the backup is gone;
/// 2. the lists of all servers that are meant, asked one by one.
///
/// A server that could not be looked at is never taken for one that does not have it.
pub async fn the_backups<'p>(
    parts: &'p Parts,
    known: &[NamedBackup],
    within: Within,
    wanted: &[BackupId],
) -> Search<'p> {
    let mut seeking = Seeking {
        parts,
        missing: wanted.iter().copied().collect(),
        unseen: parts.failures.clone(),
        search: Search::default(),
    };
    match within {
        Within::Anywhere => {
            let places = remembered(parts, known);
            seeking.ask_at(places).await;
            for target in &parts.targets {
                if seeking.missing.is_empty() {
                    break;
                }
                let (chosen, failures) = seeking.chosen_on(target).await;
                seeking.unseen.extend(failures);
                seeking.go_through(chosen).await;
            }
        }
        Within::NamedServers => {
            let chosen = seeking.named().await;
            // Another panel may have a server of that name too.
            if seeking.unseen.is_empty() {
                let places = match chosen.as_slice() {
                    [(target, only)] => {
                        let place = |id: &BackupId| {
                            let server = server_ref(target, only);
                            (*id, Place { target, server })
                        };
                        wanted.iter().map(place).collect()
                    }
                    several => remembered(parts, known)
                        .into_iter()
                        .filter(|(_, place)| several.iter().any(|(at, one)| place.is(at, one.id)))
                        .collect(),
                };
                seeking.ask_at(places).await;
            }
            seeking.go_through(chosen).await;
        }
    }
    seeking.ended()
}

/// Where the ledger remembers backups, on panels that are meant.
fn remembered<'p>(parts: &'p Parts, known: &[NamedBackup]) -> Vec<(BackupId, Place<'p>)> {
    let place = |known: &NamedBackup| {
        let mut targets = parts.targets.iter();
        let target = targets.find(|target| *target.client.name() == known.panel)?;
        let server = ServerRef {
            panel: known.panel.clone(),
            server: known.of.server,
            identifier: known.identifier.clone(),
            name: known.server_name.clone(),
        };
        Some((known.of.backup, Place { target, server }))
    };
    known.iter().filter_map(place).collect()
}

impl Place<'_> {
    fn is(&self, target: &PanelTarget, server: ServerId) -> bool {
        self.server.panel == *target.client.name() && self.server.server == server
    }
}

/// A search on its way.
struct Seeking<'p> {
    parts: &'p Parts,
    /// What is neither found, nor gone, nor has failed.
    missing: BTreeSet<BackupId>,
    /// What could not be looked at, and may have what is missing.
    unseen: Vec<Failure>,
    search: Search<'p>,
}

impl<'p> Seeking<'p> {
    /// Asks servers for single backups. One is gone when every server that it should be on is there and
    /// says so.
    async fn ask_at(&mut self, places: Vec<(BackupId, Place<'p>)>) {
        let mut gone: BTreeMap<BackupId, Place<'p>> = BTreeMap::new();
        let mut in_doubt: BTreeSet<BackupId> = BTreeSet::new();
        for (id, place) in places {
            if !self.missing.contains(&id) {
                continue;
            }
            match self.parts.unless_stopped(ask(&place, id)).await {
                Some(Ok(Asked::There(backup))) => {
                    self.missing.remove(&id);
                    self.search.found.insert(id, FoundBackup { place, backup });
                }
                Some(Ok(Asked::Gone)) => {
                    gone.entry(id).or_insert(place);
                }
                // The server is not there either: what is on the others is not known.
                Some(Ok(Asked::NoServer)) => {
                    in_doubt.insert(id);
                }
                Some(Err(error)) => {
                    self.missing.remove(&id);
                    let failure = error.failure(Scope::Backup, id.to_string());
                    self.search.failures.push(failure);
                }
                None => return,
            }
        }
        for (id, place) in gone {
            if !in_doubt.contains(&id) && self.missing.remove(&id) {
                self.search.gone.insert(id, place);
            }
        }
    }

    /// The servers that are meant on one panel, and what was in the way of seeing them all.
    async fn chosen_on(
        &self,
        target: &'p PanelTarget,
    ) -> (Vec<(&'p PanelTarget, Server)>, Vec<Failure>) {
        match self.parts.unless_stopped(choose(target)).await {
            Some(Ok(chosen)) => {
                let servers = chosen.servers.into_iter();
                let servers = servers.map(|server| (target, server)).collect();
                (servers, chosen.failures)
            }
            Some(Err(failure)) => (Vec::new(), vec![failure]),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// The servers that are named, over all panels. A word that names one on any panel is right.
    async fn named(&mut self) -> Vec<(&'p PanelTarget, Server)> {
        let mut all = Vec::new();
        let mut names_none: Vec<Failure> = Vec::new();
        for target in &self.parts.targets {
            let (chosen, failures) = self.chosen_on(target).await;
            all.extend(chosen);
            for failure in failures {
                if failure.kind == FailureKind::NotFound {
                    names_none.push(failure);
                } else {
                    self.unseen.push(failure);
                }
            }
        }
        let panels = self.parts.targets.len();
        let mut words: BTreeMap<String, Vec<Failure>> = BTreeMap::new();
        for failure in names_none {
            words.entry(failure.id.clone()).or_default().push(failure);
        }
        let nowhere = words.into_values().filter(|said| said.len() >= panels);
        self.unseen
            .extend(nowhere.filter_map(|said| said.into_iter().next()));
        all
    }

    /// Looks for what is missing in the lists of servers, until all is found.
    async fn go_through(&mut self, servers: Vec<(&'p PanelTarget, Server)>) {
        if self.missing.is_empty() {
            return;
        }
        let parts = self.parts;
        let mut listings = stream::iter(servers)
            .map(async |(target, server): (&'p PanelTarget, Server)| {
                let looked = look_at(parts, target, &server).await;
                (target, server, looked)
            })
            .buffered(SERVERS_AT_ONCE);
        while let Some((target, server, looked)) = listings.next().await {
            let listing = match looked {
                Looked::At(Some(Ok(listing))) => listing,
                Looked::At(Some(Err(error))) => {
                    let failure = error.failure(Scope::Server, server.id.to_string());
                    self.unseen.push(failure);
                    continue;
                }
                Looked::At(None) => return,
                Looked::Closed(state) => {
                    self.unseen.push(closed(&server, state));
                    continue;
                }
            };
            for backup in listing.backups {
                let id = backup.record().id;
                if self.missing.remove(&id) {
                    let server = server_ref(target, &server);
                    let place = Place { target, server };
                    self.search.found.insert(id, FoundBackup { place, backup });
                }
            }
            if self.missing.is_empty() {
                return;
            }
        }
    }

    fn ended(self) -> Search<'p> {
        let mut search = self.search;
        if !self.missing.is_empty() && !self.parts.env.cancel.is_cancelled() {
            let reach = if self.unseen.is_empty() {
                Reach::All
            } else {
                Reach::Part
            };
            search.failures.extend(self.unseen);
            let nowhere = self.missing.iter().map(|id| not_found(*id, reach));
            search.failures.extend(nowhere);
        }
        search
    }
}

/// What one server says of one backup.
enum Asked {
    /// It has it.
    There(Backup),
    /// It is there itself, and does not have it.
    Gone,
    /// It is not there, or not shown to this key.
    NoServer,
}

async fn ask(place: &Place<'_>, id: BackupId) -> Result<Asked, Error> {
    let (client, server) = (&place.target.client, &place.server.server);
    match client.backup(server, &id).await {
        Ok(backup) => return Ok(Asked::There(backup)),
        Err(Error::UnknownBackup { .. } | Error::UnknownServer { .. }) => {}
        Err(error) => return Err(error),
    }
    // The same answer comes for a server that this key is not shown (`panel-contract.md` section 1).
    match client.server(&server.to_string()).await {
        Ok(_there) => Ok(Asked::Gone),
        Err(Error::UnknownServer { .. }) => Ok(Asked::NoServer),
        Err(error) => Err(error),
    }
}

/// Lists the backups of a server, where its state lets them be listed.
pub(super) async fn look_at(parts: &Parts, target: &PanelTarget, server: &Server) -> Looked {
    match server.state {
        ServerState::Ready => {
            let read = target.client.backups(&server.id);
            Looked::At(parts.unless_stopped(read).await)
        }
        state @ (ServerState::Suspended
        | ServerState::Installing
        | ServerState::Restoring
        | ServerState::Transferring
        | ServerState::NodeMaintenance
        | ServerState::Conflict) => Looked::Closed(state),
    }
}

/// What a look at one server showed.
pub(super) enum Looked {
    /// Its backups; `None` when the command was told to stop.
    At(Option<Result<BackupListing, Error>>),
    /// Nothing: its state refuses backup calls.
    Closed(ServerState),
}

/// A server whose backups can't be looked at in its state.
fn closed(server: &Server, state: ServerState) -> Failure {
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
pub(super) enum Reach {
    /// All of it.
    All,
    /// Some could not be looked at.
    Part,
}

pub(super) fn not_found(backup: BackupId, reach: Reach) -> Failure {
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
