//! Which backup a restore means, and in which order its copies are tried.

mod ranking;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::choice::BackupChoice;
use crate::model::choice::Moment;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::FailureKind;
use crate::model::selector::ServerSelector;
use crate::model::text::likeliest;
use crate::model::text::shown_name;
pub use crate::plan::restore::ranking::Keys;
pub use crate::plan::restore::ranking::Ranked;
pub use crate::plan::restore::ranking::disagree;
pub use crate::plan::restore::ranking::rank;

/// So many known names are told to someone whose word names nothing.
const NAMES_TOLD: usize = 5;
/// Names are cut to this many characters.
const NAME_CHARACTERS: usize = 40;

/// Why a choice means no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoChoice {
    /// There is no copy of anything.
    #[error("no copy of any backup was found")]
    NothingHeld,
    /// No copy of the backup.
    #[error("no copy of the backup {backup} was found")]
    NoSuchBackup {
        /// The backup.
        backup: BackupId,
    },
    /// The uuid is a server's.
    #[error("{uuid} is the server `{name}`, not a backup")]
    ServersUuid {
        /// The uuid.
        uuid: BackupId,
        /// The server's name, fit to be shown.
        name: String,
    },
    /// Two panels, or a panel and a placeholder, have a backup of this uuid.
    #[error("the backup {backup} is held for several servers: {}", .servers.join(", "))]
    SeveralOfThatUuid {
        /// The backup.
        backup: BackupId,
        /// The servers, fit to be shown.
        servers: Vec<String>,
    },
    /// No server of which a copy is held fits the word.
    #[error("`{word}` names no server that a copy is held of")]
    NoSuchServer {
        /// The word, fit to be shown.
        word: String,
        /// Some of the servers that there are, the likeliest first.
        known: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// Several servers fit it.
    #[error("`{word}` names several servers: {}{}", .servers.join(", "), and_more(*.more))]
    SeveralServers {
        /// The word, fit to be shown.
        word: String,
        /// Some of them with their ids, fit to be shown.
        servers: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// All that is held of the server is newer.
    #[error("no copy is held of a backup of `{server}` that was completed by {moment}")]
    NothingSoOld {
        /// The server, fit to be shown.
        server: String,
        /// The moment.
        moment: String,
        /// When the oldest backup of which a copy is held was completed.
        oldest: Timestamp,
        /// The same for the newest.
        newest: Timestamp,
    },
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

impl NoChoice {
    /// What kind of failure this is: what was asked for is not there.
    pub const fn kind(&self) -> FailureKind {
        FailureKind::NotFound
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        let look = "`nestegg list`, with --from where copies are, shows what there is";
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M");
        match self {
            Self::NothingHeld => {
                "name a place that holds copies with --from; only `nestegg mirror` makes them"
                    .to_owned()
            }
            Self::NoSuchBackup { .. } => look.to_owned(),
            Self::ServersUuid { uuid, .. } => format!("for its newest backup write {uuid}:latest"),
            Self::SeveralOfThatUuid { .. } => {
                "choose by server and time, as in SERVER:2026-11-01T03:00".to_owned()
            }
            Self::NoSuchServer { known, more, .. } => {
                format!("known: {}{}", known.join(", "), and_more(*more))
            }
            Self::SeveralServers { .. } => "name one by its id".to_owned(),
            Self::NothingSoOld { oldest, newest, .. } => format!(
                "the oldest is of {}, the newest of {} (UTC)",
                minute(*oldest),
                minute(*newest)
            ),
        }
    }
}

/// The copies of the one backup that is meant, among all that are known.
///
/// # Errors
/// [`NoChoice`]: none is, or more than one.
pub fn choose<'c>(
    copies: &'c [HeldCopy],
    choice: &BackupChoice,
    zone: &TimeZone,
) -> Result<Vec<&'c HeldCopy>, NoChoice> {
    let (server, backup) = match choice {
        BackupChoice::Backup(backup) => (server_of(copies, *backup)?, *backup),
        BackupChoice::Of { server, moment } => {
            let server = one_server(copies, server)?;
            (server, newest_by(copies, server, *moment, zone)?)
        }
    };
    let is_meant = |copy: &&HeldCopy| copy.server == server && copy.backup == backup;
    Ok(copies.iter().filter(is_meant).collect())
}

/// The copies of every backup of the servers that are meant, a list a backup, by server and newest
/// first; no selector means every server.
///
/// # Errors
/// [`NoChoice`] for a word that fits no server, and when nothing is held at all.
pub fn choose_all<'c>(
    copies: &'c [HeldCopy],
    servers: &[ServerSelector],
) -> Result<Vec<Vec<&'c HeldCopy>>, NoChoice> {
    if copies.is_empty() {
        return Err(NoChoice::NothingHeld);
    }
    for selector in servers {
        if !copies.iter().any(|copy| is_meant(selector, copy)) {
            return Err(no_such_server(copies, selector));
        }
    }
    let mut backups: BTreeMap<_, Vec<&HeldCopy>> = BTreeMap::new();
    for copy in copies {
        if servers.is_empty() || servers.iter().any(|selector| is_meant(selector, copy)) {
            let of = (copy.server, Reverse(copy.completed_at), copy.backup);
            backups.entry(of).or_default().push(copy);
        }
    }
    Ok(backups.into_values().collect())
}

/// The one server that a word means, among those of which a copy is held.
///
/// # Errors
/// [`NoChoice`]: none is, or more than one.
pub fn one_server(copies: &[HeldCopy], selector: &ServerSelector) -> Result<ServerId, NoChoice> {
    if copies.is_empty() {
        return Err(NoChoice::NothingHeld);
    }
    let fitting = copies.iter().filter(|copy| is_meant(selector, copy));
    let servers: BTreeMap<ServerId, &HeldCopy> = fitting.map(|copy| (copy.server, copy)).collect();
    let mut ids = servers.keys();
    match (ids.next(), ids.next()) {
        (None, _) => Err(no_such_server(copies, selector)),
        (Some(only), None) => Ok(*only),
        (Some(_), Some(_)) => {
            let more = servers.len().saturating_sub(NAMES_TOLD);
            let told = servers.into_values().take(NAMES_TOLD);
            Err(NoChoice::SeveralServers {
                word: shown_name(selector.as_str(), NAME_CHARACTERS),
                servers: told.map(server_in_words).collect(),
                more,
            })
        }
    }
}

fn is_meant(selector: &ServerSelector, copy: &HeldCopy) -> bool {
    selector.matches_words(copy.server, &copy.identifier, &copy.server_name)
}

fn server_in_words(copy: &HeldCopy) -> String {
    let name = shown_name(&copy.server_name, NAME_CHARACTERS);
    format!("{name} ({})", copy.server)
}

fn no_such_server(copies: &[HeldCopy], selector: &ServerSelector) -> NoChoice {
    let names = copies.iter().map(|copy| copy.server_name.as_str());
    let (known, more) = likeliest(selector.as_str(), names, NAMES_TOLD, NAME_CHARACTERS);
    NoChoice::NoSuchServer {
        word: shown_name(selector.as_str(), NAME_CHARACTERS),
        known,
        more,
    }
}

fn server_of(copies: &[HeldCopy], backup: BackupId) -> Result<ServerId, NoChoice> {
    let of_it = copies.iter().filter(|copy| copy.backup == backup);
    let servers: BTreeMap<ServerId, &HeldCopy> = of_it.map(|copy| (copy.server, copy)).collect();
    let mut ids = servers.keys();
    match (ids.next(), ids.next()) {
        (Some(only), None) => Ok(*only),
        (Some(_), Some(_)) => Err(NoChoice::SeveralOfThatUuid {
            backup,
            servers: servers.into_values().map(server_in_words).collect(),
        }),
        (None, _) => {
            let uuid = backup.to_string();
            let mut servers = copies.iter();
            match servers.find(|copy| copy.server.to_string() == uuid) {
                Some(copy) => Err(NoChoice::ServersUuid {
                    uuid: backup,
                    name: shown_name(&copy.server_name, NAME_CHARACTERS),
                }),
                None => Err(NoChoice::NoSuchBackup { backup }),
            }
        }
    }
}

/// Whether a copy that is lost is one of a newer backup than the one that was chosen, and would have been
/// taken: it is of the same server, and the moment includes it.
pub fn is_passed_over(lost: &HeldCopy, chosen: &HeldCopy, moment: Moment, zone: &TimeZone) -> bool {
    lost.server == chosen.server
        && moment.includes(lost.completed_at, zone)
        && age(lost) > age(chosen)
}

/// By what the newest backup of a server is told.
const fn age(copy: &HeldCopy) -> (Timestamp, Timestamp, BackupId) {
    (copy.completed_at, copy.created_at, copy.backup)
}

fn newest_by(
    copies: &[HeldCopy],
    server: ServerId,
    moment: Moment,
    zone: &TimeZone,
) -> Result<BackupId, NoChoice> {
    let of_it = || copies.iter().filter(|copy| copy.server == server);
    let in_time = of_it().filter(|copy| moment.includes(copy.completed_at, zone));
    let newest = in_time.max_by_key(|copy| age(copy));
    let times = || of_it().map(|copy| copy.completed_at);
    match (newest, times().min(), times().max()) {
        (Some(newest), _, _) => Ok(newest.backup),
        (None, Some(oldest), Some(newest)) => Err(NoChoice::NothingSoOld {
            server: of_it().next().map_or_else(String::new, |copy| {
                shown_name(&copy.server_name, NAME_CHARACTERS)
            }),
            moment: moment.to_string(),
            oldest,
            newest,
        }),
        (None, _, _) => Err(NoChoice::NothingHeld),
    }
}

#[cfg(test)]
mod tests;
