//! Whose turn it is at a server whose backups are locked while they are copied.
//!
//! A schedule that is due while all slots of a server are taken deletes its oldest backup that is not
//! locked (`panel-contract.md` section 5). Were the others locked when a fresh one is made, that would be
//! the fresh one, until it is locked too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tokio::sync::OwnedRwLockReadGuard;
use tokio::sync::OwnedRwLockWriteGuard;
use tokio::sync::RwLock;

use crate::model::backup::Protect;
use crate::model::ids::ServerId;
use crate::ops::mirror::Run;

/// The turns at every server of a run.
#[derive(Debug, Default)]
pub struct Turns(Mutex<BTreeMap<ServerId, Arc<RwLock<()>>>>);

impl Turns {
    fn at(&self, server: ServerId) -> Arc<RwLock<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(server).or_default())
    }
}

/// Waits until no backup of the server is being asked for, and keeps it so; nothing is waited for where
/// nothing is locked.
pub async fn to_copy(run: &Run, server: ServerId) -> Option<OwnedRwLockReadGuard<()>> {
    match run.settings.protect {
        Protect::Nothing => None,
        Protect::Lock => Some(run.turns.at(server).read_owned().await),
    }
}

/// Waits until no backup of the server is locked by this run, and keeps it so; nothing is waited for
/// where nothing is locked.
pub async fn to_make(run: &Run, server: ServerId) -> Option<OwnedRwLockWriteGuard<()>> {
    match run.settings.protect {
        Protect::Nothing => None,
        Protect::Lock => Some(run.turns.at(server).write_owned().await),
    }
}
