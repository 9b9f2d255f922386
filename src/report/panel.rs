//! What panels were asked for, and what came of it, as data.

use std::cmp::Ordering;
use std::time::Duration;
pub mod copies;
pub mod delete;
pub mod restore;
pub mod trim;

use jiff::Timestamp;

use crate::model::backup::Backup;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Skipped;
use crate::model::server::Server;
use crate::model::slots::BackupSlots;

/// What `panel servers` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServersReport {
    /// When it was asked.
    pub at: Timestamp,
    /// By panel and name.
    pub servers: Vec<ServerRow>,
    /// What could not be asked, in the order in which it happened.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// One server of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: Server,
    /// Its places for backups.
    pub slots: BackupSlots,
}

/// A server as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRef {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The short id that people type.
    pub identifier: String,
    /// Free text.
    pub name: String,
}

impl ServerRef {
    /// By panel, name and id.
    pub fn by_name(&self, other: &Self) -> Ordering {
        (&self.panel, &self.name, self.server).cmp(&(&other.panel, &other.name, other.server))
    }
}

/// What `panel backups` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupsReport {
    /// When it was asked.
    pub at: Timestamp,
    /// By panel and name.
    pub servers: Vec<ServerBackups>,
    /// Servers whose state refuses backup calls.
    pub skipped: Vec<Skipped>,
    /// What could not be asked, in the order in which it happened.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// The backups of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBackups {
    /// The server.
    pub of: ServerRef,
    /// Its places for backups.
    pub slots: BackupSlots,
    /// In every state, newest first.
    pub backups: Vec<BackupRow>,
}

/// One backup on a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupRow {
    /// The backup.
    pub backup: Backup,
    /// Where verified copies of it are.
    pub held: HeldAt,
}

/// Where verified copies of a backup are, by the ledger's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldAt {
    /// At these destinations; none of them = nowhere.
    Places(Vec<DestinationName>),
    /// There is no ledger.
    NotKnown,
}

/// What `panel create` came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateReport {
    /// When it began.
    pub at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The server, once it was found.
    pub of: Option<ServerRef>,
    /// Its places for backups before, where they could be seen.
    pub slots: Option<BackupSlots>,
    /// The new backup, once it is known.
    pub made: Option<MadeBackup>,
    /// How long the panel wants a refused wish to be put off, where it says so.
    pub retry_after: Option<Duration>,
    /// What failed, in the order in which it happened.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did; at the limit when the backup took too long.
    pub ended: Ended,
}

/// A backup that the panel makes or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeBackup {
    /// As it was last seen.
    pub backup: Backup,
    /// How it is known.
    pub learnt: Learnt,
}

/// How a new backup is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// The panel answered so.
    FromAnswer,
    /// The answer was lost, and the server's list had one backup more.
    FromList,
}

/// What `panel lock` or `panel unlock` came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockReport {
    /// When it began.
    pub at: Timestamp,
    /// How the backups were to be.
    pub wanted: LockState,
    /// In the order in which they were named.
    pub backups: Vec<LockRow>,
    /// What failed, in the order in which it happened.
    pub errors: Vec<Failure>,
    /// How it ended before its time, if it did.
    pub ended: Ended,
}

/// One backup that was to be locked or unlocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRow {
    /// The backup.
    pub backup: BackupId,
    /// Its server, once it was found.
    pub of: Option<ServerRef>,
    /// Its name, once it was found: free text.
    pub name: Option<String>,
    /// What became of the wish.
    pub outcome: LockOutcome,
    /// How it is now, where that is known.
    pub is: Option<LockState>,
}

/// What became of a wish about a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockOutcome {
    /// It is as wanted, and was not before.
    Changed,
    /// It was as wanted already.
    Already,
    /// See the errors.
    Failed,
    /// The command was told to stop before its turn came.
    NotReached,
}

impl LockReport {
    /// How many are as wanted.
    pub fn as_wanted(&self) -> usize {
        let is_as_wanted = |row: &&LockRow| match row.outcome {
            LockOutcome::Changed | LockOutcome::Already => true,
            LockOutcome::Failed | LockOutcome::NotReached => false,
        };
        self.backups.iter().filter(is_as_wanted).count()
    }
}
