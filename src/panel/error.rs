//! Everything that can go wrong between here and a panel; `hint.rs` says what to do about it.

use std::time::Duration;

use crate::model::backup::LockState;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::retry::Retry;
use crate::model::server::ServerState;
use crate::panel::call::Call;
use crate::panel::call::Stray;
use crate::panel::refusal::NodeRefusal;

/// A `Retry-After` longer than this is not waited for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// A call to a panel failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured address can't be one of a panel.
    #[error("`{shown}` is not usable as a panel's address: {why}")]
    BadAddress {
        /// The address without user, query and fragment.
        shown: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The configured key can't be sent.
    #[error("the API key is unusable: {why}")]
    UnusableKey {
        /// What is wrong with it; nothing of the key.
        why: &'static str,
    },
    /// No HTTP client could be made on this machine.
    #[error("could not set up an HTTP client")]
    Client {
        /// Why.
        source: reqwest::Error,
    },
    /// The server's id is no id.
    #[error("`{shown}` is not a server's id")]
    UnusableId {
        /// It, made safe to print.
        shown: String,
    },
    /// 401.
    #[error("could not {call}: the panel does not accept the API key")]
    KeyRefused {
        /// What was asked.
        call: Call,
    },
    /// 403: an application key on the client API.
    #[error("could not {call}: the API key is an application key, and a client key is needed")]
    ApplicationKey {
        /// What was asked.
        call: Call,
    },
    /// 403: the key's list of addresses does not hold ours.
    #[error("could not {call}: the API key may not be used from this address")]
    AddressNotAllowed {
        /// What was asked.
        call: Call,
    },
    /// 403 on a call that needs no permission.
    #[error("could not {call}: the panel forbids it to this API key")]
    KeyForbidden {
        /// What was asked.
        call: Call,
    },
    /// 400: the panel demands two-factor authentication and the account has none.
    #[error("could not {call}: the panel requires two-factor authentication of this account")]
    TwoFactor {
        /// What was asked.
        call: Call,
    },
    /// 403: the user lacks a permission on that server.
    #[error("could not {call}: the permission `{needed}` is missing")]
    Permission {
        /// What was asked.
        call: Call,
        /// The permission.
        needed: &'static str,
    },
    /// 409.
    #[error("could not {call}: the server is {state}")]
    ServerState {
        /// What was asked.
        call: Call,
        /// The state, as far as the answer tells.
        state: ServerState,
    },
    /// 404 for a server.
    #[error("could not {call}: the panel knows no such server, or does not show it to this user")]
    UnknownServer {
        /// What was asked.
        call: Call,
    },
    /// 404 for a backup.
    #[error("could not {call}: the panel has no such backup")]
    UnknownBackup {
        /// What was asked.
        call: Call,
    },
    /// 404 for the API itself.
    #[error("could not {call}: there is no panel API at this address")]
    NoApi {
        /// What was asked.
        call: Call,
    },
    /// 400 `BackupNotCompletedException` (`documented-api.md`).
    #[error("could not {call}: the backup is not completed")]
    NotCompleted {
        /// What was asked.
        call: Call,
    },
    /// 400 `BackupFailedException` (`documented-api.md`).
    #[error("could not {call}: the backup failed")]
    BackupFailed {
        /// What was asked.
        call: Call,
    },
    /// 400 `BackupLockedException`, or `BackupIsLockedException` (`documented-api.md`).
    #[error("could not {call}: the backup is locked")]
    Locked {
        /// What was asked.
        call: Call,
    },
    /// The panel answered, and the backup is not as it was asked to be.
    #[error("could not {call}: the panel answered, and the backup is still {is}")]
    LockStayed {
        /// What was asked.
        call: Call,
        /// How it is.
        is: LockState,
    },
    /// 404 for the change of a lock, of a backup that the panel shows: older panels lock nothing, and a proxy
    /// may keep it from the panel.
    #[error(
        "could not {call}: the panel shows this backup, and has nothing where locks are changed (HTTP 404)"
    )]
    NoLocks {
        /// What was asked.
        call: Call,
    },
    /// 400 of a restore: the server has something else to do, or the backup is not completed.
    #[error(
        "could not {call}: the server is busy with something else, or the backup is not completed"
    )]
    NotRestorable {
        /// What was asked.
        call: Call,
    },
    /// 404 for the log of activity, which older panels do not keep.
    #[error(
        "could not {call}: the panel keeps no log of activity, or does not show it to this user"
    )]
    NoActivityLog {
        /// What was asked.
        call: Call,
    },
    /// 400: the row names a disk that the panel can't make links for.
    #[error("could not {call}: the panel does not know how to read the backup's disk")]
    UnknownDisk {
        /// What was asked.
        call: Call,
    },
    /// 400 `TooManyBackupsException`.
    #[error("could not {call}: the server has reached its limit of backups")]
    BackupLimit {
        /// What was asked.
        call: Call,
    },
    /// 507 `InsufficientStorageException` (`documented-api.md`).
    #[error("could not {call}: the panel says that there is no space for it")]
    NoRoom {
        /// What was asked.
        call: Call,
    },
    /// 429 `TooManyRequestsHttpException`: too many backups of one server in a short time.
    #[error("could not {call}: the panel limits how often a server is backed up{}", after(*.wait))]
    Throttled {
        /// What was asked.
        call: Call,
        /// How long to wait.
        wait: Option<Duration>,
    },
    /// 429 of the user's budget.
    #[error("could not {call}: the panel's rate limit is used up{}", after(*.wait))]
    RateLimited {
        /// What was asked.
        call: Call,
        /// How long to wait.
        wait: Option<Duration>,
    },
    /// 503.
    #[error("could not {call}: the panel is down for maintenance or overloaded (HTTP 503)")]
    Maintenance {
        /// What was asked.
        call: Call,
        /// How long to wait.
        wait: Option<Duration>,
    },
    /// The panel could not reach the node, or the node refused (`DaemonConnectionException`).
    #[error(
        "could not {call}: the panel could not get it done by the server's node (HTTP {status})"
    )]
    Node {
        /// What was asked.
        call: Call,
        /// The status.
        status: u16,
    },
    /// The node refused a call about files.
    #[error("could not {call}: {refusal}{}", in_words(.said))]
    NodeRefused {
        /// What was asked.
        call: Call,
        /// What it refused, as far as its words tell.
        refusal: NodeRefusal,
        /// The node's words, made safe to print.
        said: String,
    },
    /// Any other 5xx.
    #[error("could not {call}: the panel failed (HTTP {status}{})", with_code(.code))]
    PanelFailed {
        /// What was asked.
        call: Call,
        /// The status.
        status: u16,
        /// The exception's name, where there is one.
        code: String,
    },
    /// Any other 4xx.
    #[error("could not {call}: the panel refused (HTTP {status}{})", with_code(.said))]
    Refused {
        /// What was asked.
        call: Call,
        /// The status.
        status: u16,
        /// The panel's words, made safe to print.
        said: String,
    },
    /// The answer is no panel's.
    #[error("could not {call}: the answer is {stray} instead of a panel's API (HTTP {status})")]
    NotThePanel {
        /// What was asked.
        call: Call,
        /// The status.
        status: u16,
        /// What came.
        stray: Stray,
    },
    /// JSON that is not what the call answers.
    #[error("could not {call}: the answer makes no sense: {why}")]
    Malformed {
        /// What was asked.
        call: Call,
        /// What is wrong, without secrets.
        why: String,
    },
    /// An answer beyond all reason.
    #[error("could not {call}: the answer is longer than {limit_bytes} bytes")]
    TooLarge {
        /// What was asked.
        call: Call,
        /// The most that is read.
        limit_bytes: usize,
    },
    /// A list beyond all reason.
    #[error("could not {call}: the panel's list has {pages} pages or more")]
    Endless {
        /// What was asked.
        call: Call,
        /// How many it says or gave.
        pages: u64,
    },
    /// No connection.
    #[error("could not {call}: could not connect to {host}")]
    Connect {
        /// What was asked.
        call: Call,
        /// The panel's scheme, host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The certificate is not believed.
    #[error("could not {call}: the certificate of {host} is not trusted")]
    Certificate {
        /// What was asked.
        call: Call,
        /// The panel's scheme, host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("could not {call}: {host} did not answer in time")]
    Timeout {
        /// What was asked.
        call: Call,
        /// The panel's scheme, host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The connection broke before the answer was whole.
    #[error("could not {call}: the connection to {host} broke")]
    Broken {
        /// What was asked.
        call: Call,
        /// The panel's scheme, host and port.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
}

fn after(wait: Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| {
        format!(", and wants {} s of waiting", wait.as_secs())
    })
}

fn with_code(code: &str) -> String {
    if code.is_empty() {
        String::new()
    } else {
        format!(", {code}")
    }
}

fn in_words(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(" (\"{said}\")")
    }
}

impl Error {
    /// The kind of failure, which exit codes and scripts go by.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::BadAddress { .. } | Self::Client { .. } => FailureKind::Local,
            Self::UnusableKey { .. }
            | Self::KeyRefused { .. }
            | Self::ApplicationKey { .. }
            | Self::AddressNotAllowed { .. }
            | Self::KeyForbidden { .. }
            | Self::TwoFactor { .. } => FailureKind::Credentials,
            Self::Permission { .. } => FailureKind::Permission,
            Self::ServerState { .. } | Self::NotRestorable { .. } => FailureKind::ServerState,
            Self::NodeRefused { refusal, .. } => refusal.kind(),
            Self::UnusableId { .. }
            | Self::UnknownServer { .. }
            | Self::UnknownBackup { .. }
            | Self::NoActivityLog { .. }
            | Self::NotCompleted { .. }
            | Self::BackupFailed { .. } => FailureKind::NotFound,
            Self::BackupLimit { .. } | Self::Locked { .. } => FailureKind::Policy,
            Self::NoRoom { .. } => FailureKind::NoSpace,
            Self::Throttled { .. } | Self::RateLimited { .. } => FailureKind::RateLimited,
            Self::Maintenance { .. }
            | Self::Node { .. }
            | Self::PanelFailed { .. }
            | Self::Connect { .. }
            | Self::Certificate { .. }
            | Self::Timeout { .. }
            | Self::Broken { .. } => FailureKind::Unreachable,
            Self::NoApi { .. }
            | Self::UnknownDisk { .. }
            | Self::LockStayed { .. }
            | Self::NoLocks { .. }
            | Self::Refused { .. }
            | Self::NotThePanel { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Endless { .. } => FailureKind::Protocol,
        }
    }

    /// Whether the same call may succeed later; the client has already tried as often as it is told.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. } => Retry::Backoff,
            Self::RateLimited { wait, .. } | Self::Maintenance { wait, .. } => match wait {
                None => Retry::Backoff,
                Some(wait) if wait.as_secs() <= LONGEST_WAIT.as_secs() => Retry::After(*wait),
                Some(_too_long) => Retry::Never,
            },
            Self::Throttled { wait, .. } => match wait {
                None => Retry::Backoff,
                Some(wait) => Retry::After(*wait),
            },
            Self::PanelFailed { status, .. } | Self::Node { status, .. } => match status {
                // 520 to 524 are a well-known proxy's words for 502 and 504.
                500 | 502 | 503 | 504 | 520..=524 => Retry::Backoff,
                _other => Retry::Never,
            },
            Self::BadAddress { .. }
            | Self::UnusableKey { .. }
            | Self::Client { .. }
            | Self::UnusableId { .. }
            | Self::KeyRefused { .. }
            | Self::ApplicationKey { .. }
            | Self::AddressNotAllowed { .. }
            | Self::KeyForbidden { .. }
            | Self::TwoFactor { .. }
            | Self::Permission { .. }
            | Self::ServerState { .. }
            | Self::NodeRefused { .. }
            | Self::UnknownServer { .. }
            | Self::UnknownBackup { .. }
            | Self::NotRestorable { .. }
            | Self::NoActivityLog { .. }
            | Self::NoApi { .. }
            | Self::NotCompleted { .. }
            | Self::BackupFailed { .. }
            | Self::UnknownDisk { .. }
            | Self::Locked { .. }
            | Self::LockStayed { .. }
            | Self::NoLocks { .. }
            | Self::BackupLimit { .. }
            | Self::NoRoom { .. }
            | Self::Refused { .. }
            | Self::NotThePanel { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::Endless { .. }
            | Self::Certificate { .. } => Retry::Never,
        }
    }

    /// Whether the panel may have done what it was asked for all the same: nothing that was let in
    /// and understood came back.
    pub const fn leaves_open(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Broken { .. }
            | Self::PanelFailed { .. }
            | Self::Node { .. }
            | Self::Maintenance { .. }
            | Self::NotThePanel { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. } => true,
            Self::BadAddress { .. }
            | Self::UnusableKey { .. }
            | Self::Client { .. }
            | Self::UnusableId { .. }
            | Self::KeyRefused { .. }
            | Self::ApplicationKey { .. }
            | Self::AddressNotAllowed { .. }
            | Self::KeyForbidden { .. }
            | Self::TwoFactor { .. }
            | Self::Permission { .. }
            | Self::ServerState { .. }
            | Self::NodeRefused { .. }
            | Self::NotRestorable { .. }
            | Self::NoActivityLog { .. }
            | Self::UnknownServer { .. }
            | Self::UnknownBackup { .. }
            | Self::NoApi { .. }
            | Self::NotCompleted { .. }
            | Self::BackupFailed { .. }
            | Self::UnknownDisk { .. }
            | Self::Locked { .. }
            | Self::LockStayed { .. }
            | Self::NoLocks { .. }
            | Self::BackupLimit { .. }
            | Self::NoRoom { .. }
            | Self::Throttled { .. }
            | Self::RateLimited { .. }
            | Self::Refused { .. }
            | Self::Endless { .. }
            | Self::Connect { .. }
            | Self::Certificate { .. } => false,
        }
    }

    /// The failure as the operator reads it.
    pub fn failure(&self, scope: Scope, id: String) -> Failure {
        Failure {
            scope,
            id,
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }

    /// Whether a request was refused for something in it, which may be an `include` that this
    /// panel does not know.
    pub(super) const fn may_blame_the_request(&self) -> bool {
        matches!(
            self,
            Self::KeyForbidden { .. }
                | Self::UnknownServer { .. }
                | Self::NoApi { .. }
                | Self::Refused { .. }
                | Self::NotThePanel {
                    status: 400..=499,
                    ..
                }
        )
    }
}
