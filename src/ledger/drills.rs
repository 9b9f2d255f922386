//! Drills: copies that were fetched and walked as a rehearsal.

use jiff::Timestamp;
use rusqlite::params;
use serde_json::Value;

use crate::ledger::Ledger;
use crate::ledger::copies::subject_of;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::events;
use crate::ledger::rows;
use crate::model::ids::RunId;
use crate::model::key::ObjectKey;

/// Whether a drill proved the stored object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredProof {
    /// It was read to its end and is what was recorded.
    Held,
    /// It was not.
    Missing,
}

impl Ledger {
    /// Records what a drill with one copy came to, and that its stored object was just verified when it
    /// was; what an earlier check said of the sidecar stays. `detail` is kept as it is.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_drill(
        &mut self,
        run: RunId,
        destination: DestinationRef,
        key: &ObjectKey,
        proof: StoredProof,
        detail: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record a drill", |tx| {
            let (subject, backup_row) = subject_of(tx, destination, key)?;
            match proof {
                StoredProof::Held => {
                    tx.prepare_cached(
                        "UPDATE copies
                            SET verified_at = ?3, checked_at = ?3,
                                finding = iif(finding LIKE 'sidecar %', finding, 'sound')
                          WHERE backup_id = ?1 AND destination_id = ?2 AND state = 'verified'",
                    )?
                    .execute(params![
                        backup_row,
                        destination.0,
                        rows::time(now)
                    ])?;
                }
                StoredProof::Missing => {}
            }
            events::event(tx, Some(run), "drilled", subject, detail, now)
        })
    }
}
