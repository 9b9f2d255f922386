//! What a panel does with its backups: makes, locks and deletes them (`panel-contract.md` section 5).

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::model::backup::Backup;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::retry::Retry;
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
    /// it is otherwise (the panel has a toggle alone), and looks at what came of it.
    ///
    /// # Errors
    /// [`Error::UnknownBackup`], [`Error::Permission`]; [`Error::LockStayed`] when the panel answered and
    /// changed nothing; any other of a call, after which the backup may be either way.
    pub async fn set_lock(
        &self,
        server: &ServerId,
        backup: &BackupId,
        wanted: LockState,
    ) -> Result<LockChange, Error> {
        if LockState::of(&self.backup(server, backup).await?) == wanted {
            return Ok(LockChange::Already);
        }
        let call = Call::ToggleLock(*backup);
        let (server_id, id) = (server.to_string(), backup.to_string());
        let url = self
            .exchange
            .url(&["servers", &server_id, "backups", &id, "lock"], &[]);
        let toggled = self.exchange.send(&call, &Ask::post(url, json!({}))).await;
        // An answer without a body says nothing, and one that was lost leaves both possible.
        let is = match toggled {
            Err(error) if error.retry() == Retry::Never => return Err(error),
            Err(error) => match self.backup(server, backup).await {
                Ok(now) if LockState::of(&now) == wanted => wanted,
                Ok(_) | Err(_) => return Err(error),
            },
            Ok(body) if body.is_empty() => LockState::of(&self.backup(server, backup).await?),
            Ok(body) => {
                let now: Backup = wire::one(&body).map_err(|why| malformed(&call, &why))?;
                LockState::of(&now)
            }
        };
        if is == wanted {
            Ok(LockChange::Changed)
        } else {
            Err(Error::LockStayed { call, is })
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
