//! Which backups are meant, by words and what the ledger knows.

use jiff::tz::TimeZone;

use crate::config::value::repeatable;
use crate::ledger;
use crate::ledger::CopyFilter;
use crate::ledger::KnownServer;
use crate::ledger::Ledger;
use crate::ledger::NamedBackup;
use crate::model::choice::BackupChoice;
use crate::model::choice::Moment;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::mark::MarkWord;
use crate::model::outcome::FailureKind;
use crate::model::selector::ServerSelector;
use crate::model::text::likeliest;
use crate::model::text::shown_name;

/// So many known names are told to someone whose word names nothing, or too much.
const NAMES_TOLD: usize = 5;
/// Names are cut to this many characters.
const NAME_CHARACTERS: usize = 40;

/// Why a word means no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBackup {
    /// No backup of this uuid is recorded.
    #[error("no backup {backup} is recorded")]
    Unknown {
        /// The uuid.
        backup: BackupId,
    },
    /// The uuid is a server's, and a backup is asked for.
    #[error("{uuid} is the server `{name}`, not a backup")]
    ServersUuid {
        /// The uuid.
        uuid: BackupId,
        /// The server's name, fit to be shown.
        name: String,
    },
    /// Servers share it.
    #[error("several servers have a backup {backup}: {}", .servers.join(", "))]
    Several {
        /// The uuid.
        backup: BackupId,
        /// The servers, fit to be shown.
        servers: Vec<String>,
    },
    /// The word names no server that is recorded.
    #[error("`{word}` names no server that is recorded")]
    NoServer {
        /// The word, fit to be shown.
        word: String,
        /// Some of the names that there are, the likeliest first.
        known: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// The word names several servers.
    #[error("`{word}` names several servers: {}", .servers.join(", "))]
    SeveralServers {
        /// The word, fit to be shown.
        word: String,
        /// Some of them with their ids, fit to be shown.
        servers: Vec<String>,
    },
    /// The server has no completed backup, or none by then.
    #[error("no completed backup of the server `{server}` is recorded{by}")]
    NoneYet {
        /// The server, fit to be shown.
        server: String,
        /// By when, with a blank before it; nothing for any time.
        by: String,
    },
}

impl NoBackup {
    /// What kind of failure it is.
    pub const fn kind(&self) -> FailureKind {
        FailureKind::NotFound
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { .. } => {
                "`nestegg list` shows the backups that are held, by uuid; what no run has listed yet is recorded by \
                 `nestegg mirror`"
                    .to_owned()
            }
            Self::ServersUuid { uuid, .. } => format!("for its newest backup write {uuid}:latest"),
            Self::Several { .. } => {
                "choose by server and time, as in SERVER:2026-11-01T03:00".to_owned()
            }
            Self::NoServer { known, more, .. } => match (known.as_slice(), more) {
                ([], _) => "nothing is recorded yet: run `nestegg mirror` first".to_owned(),
                (known, 0) => format!("known: {}", known.join(", ")),
                (known, more) => format!("known: {} and {more} more", known.join(", ")),
            },
            Self::SeveralServers { .. } => "name one by its id".to_owned(),
            Self::NoneYet { .. } => "`nestegg list` shows what is held".to_owned(),
        }
    }
}

/// The backups that the words mean, each once, in their order; nothing for a word that means none, or
/// several.
///
/// # Errors
/// The ledger's; beneath them [`NoBackup`] for the first word that is not one backup.
pub(super) fn resolve(
    ledger: &Ledger,
    words: &[MarkWord],
    zone: &TimeZone,
) -> Result<Result<Vec<NamedBackup>, NoBackup>, ledger::Error> {
    let mut named: Vec<NamedBackup> = Vec::new();
    for word in words {
        let found = match word {
            MarkWord::Backup(BackupChoice::Backup(backup)) => by_uuid(ledger, *backup)?,
            MarkWord::Backup(BackupChoice::Of { server, moment }) => {
                by_moment(ledger, server, *moment, zone)?
            }
            MarkWord::NewestOf(server) => newest_of(ledger, server)?,
        };
        match found {
            Ok(found) if named.iter().any(|known| known.of == found.of) => {}
            Ok(found) => named.push(found),
            Err(refused) => return Ok(Err(refused)),
        }
    }
    Ok(Ok(named))
}

fn by_uuid(
    ledger: &Ledger,
    backup: BackupId,
) -> Result<Result<NamedBackup, NoBackup>, ledger::Error> {
    let mut found = ledger.backups_named(&[backup])?;
    if found.len() > 1 {
        let servers = found
            .iter()
            .map(|one| shown(&one.server_name, one.of.server))
            .collect();
        return Ok(Err(NoBackup::Several { backup, servers }));
    }
    if let Some(one) = found.pop() {
        return Ok(Ok(one));
    }
    let known = ledger.known()?.servers;
    let uuid = backup.to_string();
    let server = known.iter().find(|server| server.id.to_string() == uuid);
    Ok(Err(match server {
        Some(server) => NoBackup::ServersUuid {
            uuid: backup,
            name: shown_name(&server.name, NAME_CHARACTERS),
        },
        None => NoBackup::Unknown { backup },
    }))
}

fn by_moment(
    ledger: &Ledger,
    selector: &ServerSelector,
    moment: Moment,
    zone: &TimeZone,
) -> Result<Result<NamedBackup, NoBackup>, ledger::Error> {
    let server = match one_server(ledger, selector)? {
        Ok(server) => server,
        Err(refused) => return Ok(Err(refused)),
    };
    let completed = ledger.completed_backups(server.id)?;
    let found = completed.into_iter().find(|backup| {
        let at = backup.completed_at;
        at.is_some_and(|at| moment.includes(at, zone))
    });
    Ok(found.ok_or_else(|| NoBackup::NoneYet {
        server: shown(&server.name, server.id),
        by: match moment {
            Moment::Latest => String::new(),
            Moment::Day(_) | Moment::Until { .. } | Moment::Instant { .. } => {
                format!(" by {moment}")
            }
        },
    }))
}

/// The newest completed backup, as retention and suspicion see it.
fn newest_of(
    ledger: &Ledger,
    selector: &ServerSelector,
) -> Result<Result<NamedBackup, NoBackup>, ledger::Error> {
    let server = match one_server(ledger, selector)? {
        Ok(server) => server,
        Err(refused) => return Ok(Err(refused)),
    };
    let of_server = CopyFilter {
        servers: Some([server.id].into()),
        destinations: None,
    };
    let histories = ledger.histories(&of_server)?;
    let newest: Vec<BackupId> = histories
        .into_iter()
        .flat_map(|history| history.newest)
        .map(|newest| newest.backup)
        .take(1)
        .collect();
    let named = ledger.backups_named(&newest)?.into_iter();
    let mut of_it = named.filter(|backup| backup.of.server == server.id);
    Ok(of_it.next().ok_or_else(|| NoBackup::NoneYet {
        server: shown(&server.name, server.id),
        by: String::new(),
    }))
}

fn one_server(
    ledger: &Ledger,
    selector: &ServerSelector,
) -> Result<Result<KnownServer, NoBackup>, ledger::Error> {
    let known = ledger.known()?.servers;
    let mut meant: Vec<&KnownServer> = known
        .iter()
        .filter(|server| selector.matches_words(server.id, &server.identifier, &server.name))
        .collect();
    let word = repeatable(selector.as_str());
    Ok(match (meant.pop(), meant.is_empty()) {
        (Some(one), true) => Ok(one.clone()),
        (Some(last), false) => Err(NoBackup::SeveralServers {
            word,
            servers: meant
                .into_iter()
                .chain([last])
                .take(NAMES_TOLD)
                .map(|server| shown(&server.name, server.id))
                .collect(),
        }),
        (None, _) => {
            let names = known.iter().map(|server| server.name.as_str());
            let (known, more) = likeliest(selector.as_str(), names, NAMES_TOLD, NAME_CHARACTERS);
            Err(NoBackup::NoServer { word, known, more })
        }
    })
}

fn shown(name: &str, server: ServerId) -> String {
    format!("{} ({})", shown_name(name, NAME_CHARACTERS), server.short())
}
