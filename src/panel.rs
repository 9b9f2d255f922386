//! The panel's client API: list servers, list backups, mint a download link.
//!
//! One client for Pterodactyl 1.x, Pelican, and the API of published documentation. It tells features
//! apart by the fields an answer has, never by version (`panel-contract.md` section 9), asks for JSON,
//! follows no redirect, keeps no cookie, and sends the key to the configured address only. All clones
//! share one budget of requests.

mod answer;
mod backups;
mod bound;
mod call;
mod error;
mod exchange;
mod files;
mod hint;
mod hosting;
mod link;
mod pace;
mod page;
mod passport;
mod power;
mod refusal;
mod restoring;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use url::Url;

use crate::model::backup::Backup;
use crate::model::backup::ListingSeen;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::ids::printable;
use crate::model::secret::Secret;
use crate::model::server::Server;
use crate::model::server::ServerScope;
use crate::panel::exchange::Ask;
use crate::panel::exchange::Exchange;
use crate::panel::page::Listing;
use crate::panel::wire::Attributes;
use crate::panel::wire::Unfit;

pub use crate::panel::backups::LockChange;
pub use crate::panel::backups::NewBackup;
pub use crate::panel::call::Call;
pub use crate::panel::call::Signal;
pub use crate::panel::call::Stray;
pub use crate::panel::error::Error;
pub use crate::panel::files::FileEntry;
pub use crate::panel::files::NodeWork;
pub use crate::panel::files::PullRequest;
pub use crate::panel::hosting::Account;
pub use crate::panel::hosting::DiskLimit;
pub use crate::panel::hosting::Hosting;
pub use crate::panel::hosting::SftpAddress;
pub use crate::panel::link::DownloadLink;
pub use crate::panel::link::UploadLink;
pub use crate::panel::page::ListingTrust;
pub use crate::panel::page::UnreadableRow;
pub use crate::panel::power::PowerState;
pub use crate::panel::power::Resources;
pub use crate::panel::refusal::NodeRefusal;
pub use crate::panel::restoring::RestoreEnd;
pub use crate::panel::restoring::RestoreEntry;
pub use crate::panel::restoring::Truncate;

/// Rows asked for a page of backups; panels give no more (`panel-contract.md` section 3).
const BACKUPS_A_PAGE: u32 = 50;
/// Rows asked for a page of servers; panels give no more (`panel-contract.md` section 2).
const SERVERS_A_PAGE: u32 = 100;
/// A server id, of whatever kind, has at most this many characters.
const LONGEST_ID: usize = 64;

/// Where a panel is and how to be let in.
#[derive(Debug, Clone)]
pub struct PanelEndpoint {
    /// What the operator calls it.
    pub name: PanelName,
    /// Its address as a browser shows it; a path prefix is kept.
    pub base_url: Url,
    /// A client API key.
    pub key: Secret,
}

/// How patient a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PanelTuning {
    /// For a connection, TLS included.
    pub connect_timeout: Duration,
    /// For a whole answer.
    pub request_timeout: Duration,
    /// Tries of one call in all.
    pub attempts: u32,
    /// Before the second try; doubles from there.
    pub first_wait: Duration,
    /// No wait of ours is longer than twice this; what a panel asks for is another matter.
    pub max_wait: Duration,
    /// The length of the panel's rate-limit window.
    pub window: Duration,
}

impl PanelTuning {
    /// What is used outside tests.
    pub const PRODUCTION: Self = Self {
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_mins(1),
        attempts: 5,
        first_wait: Duration::from_millis(500),
        max_wait: Duration::from_secs(20),
        window: Duration::from_mins(1),
    };
}

/// The servers of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerListing {
    /// Each once.
    pub servers: Vec<Server>,
    /// Rows that are no server.
    pub unreadable: Vec<UnreadableRow>,
    /// Whether absence means anything.
    pub trust: ListingTrust,
}

/// The backups of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupListing {
    /// Each once, in the panel's order.
    pub backups: Vec<Backup>,
    /// Rows that are no backup, or a completed one without what it must have.
    pub unreadable: Vec<UnreadableRow>,
    /// Completed and running backups by the panel's own count (`meta.backup_count`), where it gives one.
    pub counted: Option<u64>,
    /// Whether absence means anything; even then, one listing is no proof of deletion.
    pub trust: ListingTrust,
}

impl BackupListing {
    /// Whether what is not among them can be said not to be listed.
    pub const fn seen(&self) -> ListingSeen {
        match (self.trust, self.unreadable.is_empty()) {
            (ListingTrust::Whole, true) => ListingSeen::Whole,
            (ListingTrust::Whole, false) | (ListingTrust::Shifting, _) => ListingSeen::Partial,
        }
    }
}

/// Whether the egg is asked for along with a server.
#[derive(Debug, Clone, Copy)]
enum Include {
    Egg,
    Nothing,
}

/// A panel, as one of its users.
#[derive(Clone)]
pub struct PanelClient {
    exchange: Arc<Exchange>,
    refuses_include: Arc<AtomicBool>,
}

impl fmt::Debug for PanelClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelClient")
            .field("name", &self.exchange.name)
            .field("base_url", &self.exchange.base_url.as_str())
            .finish_non_exhaustive()
    }
}

impl PanelClient {
    /// A client that has not yet connected.
    ///
    /// # Errors
    /// [`Error::BadAddress`], [`Error::UnusableKey`], [`Error::Client`].
    pub fn new(endpoint: PanelEndpoint, tuning: PanelTuning) -> Result<Self, Error> {
        Ok(Self {
            exchange: Arc::new(Exchange::new(endpoint, tuning)?),
            refuses_include: Arc::default(),
        })
    }

    /// What the operator calls the panel.
    pub fn name(&self) -> &PanelName {
        &self.exchange.name
    }

    /// The panel's address, without slashes at its end.
    pub fn base_url(&self) -> &Url {
        &self.exchange.base_url
    }

    /// All servers, each once.
    ///
    /// # Errors
    /// Any [`Error`] of a call to the panel; [`Error::NoApi`] when the address has no panel's API.
    pub async fn server_listing(&self, scope: ServerScope) -> Result<ServerListing, Error> {
        let list = |include| async move {
            let call = Call::ListServers;
            self.pages(&call, &[], |number| {
                let mut query = vec![
                    ("per_page", SERVERS_A_PAGE.to_string()),
                    ("page", number.to_string()),
                ];
                match scope {
                    ServerScope::Mine => {}
                    ServerScope::WholePanel => query.push(("type", "admin-all".to_owned())),
                }
                query.extend(include_query(include));
                query
            })
            .await
        };
        let Listing {
            rows,
            unreadable,
            trust,
            counted: _,
        } = self.including_egg(list).await?;
        Ok(ServerListing {
            servers: rows,
            unreadable,
            trust,
        })
    }

    /// One server, by short id, full uuid or `serv_…` identifier.
    ///
    /// # Errors
    /// [`Error::UnusableId`] before anything is sent; [`Error::UnknownServer`]; any other of a call.
    pub async fn server(&self, id: &str) -> Result<Server, Error> {
        let is_id = (1..=LONGEST_ID).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if !is_id {
            return Err(Error::UnusableId {
                shown: printable(id),
            });
        }
        let read = |include| async move {
            let call = Call::ReadServer(id.to_owned());
            let query: Vec<_> = include_query(include).into_iter().collect();
            let server: Server = self.object(&call, &["servers", id], &query).await?;
            match id.parse::<ServerId>() {
                Ok(asked) if asked != server.id => Err(answered_for_another(call)),
                _same_or_no_uuid => Ok(server),
            }
        };
        self.including_egg(read).await
    }

    /// All backups of a server, each once, whatever their state.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::ServerState`], [`Error::Permission`]; any other of a call.
    pub async fn backups(&self, server: &ServerId) -> Result<BackupListing, Error> {
        let call = Call::ListBackups(*server);
        let id = server.to_string();
        let listing = self
            .pages(&call, &["servers", &id, "backups"], |number| {
                vec![
                    ("per_page", BACKUPS_A_PAGE.to_string()),
                    ("page", number.to_string()),
                ]
            })
            .await?;
        let Listing {
            rows,
            unreadable,
            trust,
            counted,
        } = listing;
        Ok(BackupListing {
            backups: rows,
            unreadable,
            counted,
            trust,
        })
    }

    /// One backup as it is now.
    ///
    /// # Errors
    /// [`Error::UnknownBackup`] when it is gone; any other of a call.
    pub async fn backup(&self, server: &ServerId, backup: &BackupId) -> Result<Backup, Error> {
        let call = Call::ReadBackup(*backup);
        let (server, id) = (server.to_string(), backup.to_string());
        let path = ["servers", &server, "backups", &id];
        let read: Backup = self.object(&call, &path, &[]).await?;
        if read.record().id == *backup {
            Ok(read)
        } else {
            Err(answered_for_another(call))
        }
    }

    /// A fresh link to a backup's archive. Panels give one for unfinished and failed backups too, and
    /// know nothing of whether the node answers (`panel-contract.md` section 4).
    ///
    /// # Errors
    /// [`Error::UnknownBackup`], [`Error::UnknownDisk`], [`Error::Permission`]; any other of a call.
    pub async fn download_link(
        &self,
        server: &ServerId,
        backup: &BackupId,
    ) -> Result<DownloadLink, Error> {
        let call = Call::MintLink(*backup);
        let (server, id) = (server.to_string(), backup.to_string());
        let url = self
            .exchange
            .url(&["servers", &server, "backups", &id, "download"], &[]);
        let body = self.exchange.send(&call, &Ask::get(url)).await?;
        wire::link(&body).map_err(|why| malformed(&call, &why))
    }

    /// Does it with the egg included, and without where the panel refuses that with a 4xx.
    async fn including_egg<T, F, Fut>(&self, ask: F) -> Result<T, Error>
    where
        T: Send,
        F: Fn(Include) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Error>> + Send,
    {
        if self.refuses_include.load(Ordering::Relaxed) {
            return ask(Include::Nothing).await;
        }
        match ask(Include::Egg).await {
            Err(error) if error.may_blame_the_request() => {
                let answer = ask(Include::Nothing).await?;
                self.refuses_include.store(true, Ordering::Relaxed);
                Ok(answer)
            }
            answer => answer,
        }
    }

    async fn pages<T, Q>(&self, call: &Call, path: &[&str], query: Q) -> Result<Listing<T>, Error>
    where
        T: Attributes + Send,
        Q: Fn(u64) -> Vec<(&'static str, String)> + Send + Sync,
    {
        page::walk(call, |number| {
            let ask = Ask::get(self.exchange.url(path, &query(number)));
            async move {
                let body = self.exchange.send(call, &ask).await?;
                wire::page(&body).map_err(|why| malformed(call, &why))
            }
        })
        .await
    }

    async fn object<T>(
        &self,
        call: &Call,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, Error>
    where
        T: Attributes,
    {
        let body = self
            .exchange
            .send(call, &Ask::get(self.exchange.url(path, query)))
            .await?;
        wire::one(&body).map_err(|why| malformed(call, &why))
    }
}

fn malformed(call: &Call, why: &Unfit) -> Error {
    Error::Malformed {
        call: call.clone(),
        why: why.to_string(),
    }
}

fn answered_for_another(call: Call) -> Error {
    Error::Malformed {
        call,
        why: "it is about another one".to_owned(),
    }
}

fn include_query(include: Include) -> Option<(&'static str, String)> {
    match include {
        Include::Egg => Some(("include", "egg".to_owned())),
        Include::Nothing => None,
    }
}

#[cfg(test)]
mod tests;
