//! A local file's bytes go to the disk while more of them come.
//!
//! Left to itself, a system with free memory keeps what was written there until it is told to sync,
//! which is when the object becomes visible: the disk would idle while an archive is read, and the
//! archive's end would wait for all of it to be written (`tests/benches/mirror.rs` shows the
//! difference).

use tokio::task::JoinHandle;

use crate::destination::upload::request::Target;

/// How much is written between two syncs.
const EVERY_BYTES: u64 = 64 << 20;

/// Syncs what one upload has staged, again and again.
#[derive(Debug, Default)]
pub(super) struct WriteBehind {
    unsynced_bytes: u64,
    syncing: Option<JoinHandle<()>>,
}

impl WriteBehind {
    /// Takes note of a part that was written, and begins to sync when enough has come together and
    /// nothing is being synced. Only a commit promises anything; this just makes it quicker.
    pub(super) fn wrote(&mut self, bytes: u64, target: &Target) {
        self.unsynced_bytes += bytes;
        let is_syncing = self
            .syncing
            .as_ref()
            .is_some_and(|syncing| !syncing.is_finished());
        if self.unsynced_bytes >= EVERY_BYTES && !is_syncing {
            self.unsynced_bytes = 0;
            self.syncing = target.destination.sync_staged(&target.key);
        }
    }
}
