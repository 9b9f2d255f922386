//! What a panel does with its backups: makes, locks and deletes them (`panel-contract.md` section 5).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::backup::Backup;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::panel::PanelClient;
use crate::panel::call::Call;
use crate::panel::error::Error;
use crate::panel::exchange::Ask;
use crate::panel::malformed;
use crate::panel::wire;

/// What became of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockChange {
    /// The backup was as wanted already: nothing was asked for.
    Already,
    /// It is now as wanted, and was not before.
    Changed,
}

/// A backup that a panel is to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBackup {
    /// Its name; the panel makes one up otherwise.
    pub name: Option<String>,
    /// Patterns in the syntax of `.gitignore` of what is left out; none leaves that to the server's own ignore file.
    pub ignored: Vec<String>,
    /// Whether it is locked from the start; ignored by the panel without the permission `backup.delete`.
    pub lock: LockState,
}

impl NewBackup {
    /// One of this name, of everything, not locked.
    pub const fn named(name: Option<String>) -> Self {
        Self {
            name,
            ignored: Vec::new(),
            lock: LockState::Unlocked,
        }
    }

    fn body(&self) -> Value {
        let mut body = Map::new();
        if let Some(name) = &self.name {
            body.insert("name".to_owned(), name.as_str().into());
        }
        if !self.ignored.is_empty() {
            body.insert("ignored".to_owned(), self.ignored.join("\n").into());
        }
        if self.lock == LockState::Locked {
            body.insert("is_locked".to_owned(), true.into());
        }
        Value::Object(body)
    }
}

impl PanelClient {
    /// Has the panel make a backup, which is pending at first.
    ///
    /// Sent again only where no connection came about; any other failure leaves open whether the
    /// backup is being made.
    ///
    /// # Errors
    /// [`Error::BackupLimit`], [`Error::Throttled`], [`Error::Node`]; any other of a call.
    pub async fn create_backup(&self, server: &ServerId, new: &NewBackup) -> Result<Backup, Error> {
        let call = Call::CreateBackup(*server);
        let ask = Ask::post(
            self.exchange
                .url(&["servers", &server.to_string(), "backups"], &[]),
            new.body(),
        );
        let body = self.exchange.send(&call, &ask).await?;
        wire::one(&body).map_err(|why| malformed(&call, &why))
    }

    /// Makes sure that a backup is locked, or that it is not: reads it, asks for a change only where
    /// it is otherwise (a real panel has a toggle alone), and looks at what came of it.
    ///
    /// What an answer does not say, or says of another backup, is read again. A panel as published
    /// documentation describes it has `…/unlock` besides, which is tried where the toggle was answered
    /// and the lock stayed on.
    ///
    /// # Errors
    /// [`Error::UnknownBackup`], [`Error::Permission`]; [`Error::NoLocks`] when the panel shows the backup, and
    /// knows nothing of its lock; [`Error::LockStayed`] when the panel answered and
    /// changed nothing, or somebody changed it back meanwhile; any other of a call, after which the
    /// backup may be either way.
    pub async fn set_lock(
        &self,
        server: &ServerId,
        backup: &BackupId,
        wanted: LockState,
    ) -> Result<LockChange, Error> {
        if LockState::of(&self.backup(server, backup).await?) == wanted {
            return Ok(LockChange::Already);
        }
        match self.ask_for_lock(server, backup, "lock", wanted).await {
            Ok(is) if is == wanted => return Ok(LockChange::Changed),
            Ok(_stayed) => {}
            // The same answer comes for a backup that is gone and for an address that is none.
            Err(Error::UnknownBackup { call }) => {
                return Err(match self.backup(server, backup).await {
                    Ok(_there) => Error::NoLocks { call },
                    Err(_) => Error::UnknownBackup { call },
                });
            }
            Err(error) => return Err(error),
        }
        let is = match wanted {
            LockState::Locked => LockState::Unlocked,
            LockState::Unlocked => {
                match self.ask_for_lock(server, backup, "unlock", wanted).await {
                    // No real panel has this route.
                    Err(Error::UnknownBackup { .. } | Error::Refused { .. }) => LockState::Locked,
                    asked => asked?,
                }
            }
        };
        if is == wanted {
            Ok(LockChange::Changed)
        } else {
            let call = Call::ToggleLock(*backup);
            Err(Error::LockStayed { call, is })
        }
    }

    /// Sends one wish about a lock; how the backup is afterwards.
    async fn ask_for_lock(
        &self,
        server: &ServerId,
        backup: &BackupId,
        verb: &str,
        wanted: LockState,
    ) -> Result<LockState, Error> {
        let call = Call::ToggleLock(*backup);
        let (server_id, id) = (server.to_string(), backup.to_string());
        let url = self
            .exchange
            .url(&["servers", &server_id, "backups", &id, verb], &[]);
        let failed = match self.exchange.send(&call, &Ask::post(url, json!({}))).await {
            Ok(body) => match wire::one::<Backup>(&body) {
                Ok(now) if now.record().id == *backup && LockState::of(&now) == wanted => {
                    return Ok(wanted);
                }
                // It says nothing, speaks of another backup, or was overtaken.
                Ok(_) | Err(_) => None,
            },
            Err(error) if !error.leaves_open() => return Err(error),
            Err(error) => Some(error),
        };
        match (self.backup(server, backup).await, failed) {
            (Ok(now), _) if LockState::of(&now) == wanted => Ok(wanted),
            (Ok(now), None) => Ok(LockState::of(&now)),
            (_, Some(error)) | (Err(error), None) => Err(error),
        }
    }

    /// Deletes a backup and its archive; one that is being made too.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::UnknownBackup`], [`Error::Node`]; any other of a call.
    pub async fn delete_backup(&self, server: &ServerId, backup: &BackupId) -> Result<(), Error> {
        let (server, id) = (server.to_string(), backup.to_string());
        let url = self
            .exchange
            .url(&["servers", &server, "backups", &id], &[]);
        self.exchange
            .send(&Call::DeleteBackup(*backup), &Ask::delete(url))
            .await
            .map(drop)
    }
}
