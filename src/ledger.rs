//! The SQLite file that records what is mirrored: one writer; one method is one transaction.
//!
//! Design section 7. Whoever opens a ledger for writing holds its [`WriterLock`]; whoever only reads it
//! needs no lock and never waits. Times are kept to the millisecond.

mod checks;
mod copies;
mod described;
mod destinations;
mod drills;
mod error;
mod events;
mod file;
mod journal;
mod listing;
mod lock;
mod marks;
mod named;
mod placeholders;
mod protections;
mod query;
mod removals;
mod retention;
mod rows;
mod runs;
mod schema;
mod shared;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use crate::ledger::error::Fault;

pub use crate::ledger::checks::CopyRef;
pub use crate::ledger::checks::CopyToCheck;
pub use crate::ledger::checks::LostCopy;
pub use crate::ledger::checks::RecordedCopy;
pub use crate::ledger::copies::CopyOrigin;
pub use crate::ledger::described::DescribedCopy;
pub use crate::ledger::described::Unrecordable;
pub use crate::ledger::destinations::DestinationRef;
pub use crate::ledger::drills::StoredProof;
pub use crate::ledger::error::Error;
pub use crate::ledger::error::SqliteSays;
pub use crate::ledger::journal::JournaledUpload;
pub use crate::ledger::journal::UploadEnd;
pub use crate::ledger::lock::Holder;
pub use crate::ledger::lock::WriterLock;
pub use crate::ledger::marks::BackupMarks;
pub use crate::ledger::marks::Keeping;
pub use crate::ledger::marks::Released;
pub use crate::ledger::named::LockOwner;
pub use crate::ledger::named::NamedBackup;
pub use crate::ledger::placeholders::BackupOf;
pub use crate::ledger::placeholders::FoundPlaceholder;
pub use crate::ledger::protections::Protection;
pub use crate::ledger::protections::ProtectionEnd;
pub use crate::ledger::query::CopyFilter;
pub use crate::ledger::query::HeldFacts;
pub use crate::ledger::query::Known;
pub use crate::ledger::query::KnownServer;
pub use crate::ledger::removals::BegunRemoval;
pub use crate::ledger::retention::Archive;
pub use crate::ledger::retention::PrunableCopy;
pub use crate::ledger::retention::PrunableServer;
pub use crate::ledger::retention::ServerHistory;
pub use crate::ledger::runs::RunEnd;
pub use crate::ledger::runs::RunRecord;
pub use crate::ledger::shared::SharedLedger;

/// An open ledger.
///
/// Dropping it in the middle of anything loses that one thing and nothing else.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    path: PathBuf,
}

impl Ledger {
    /// Opens the ledger at `path` for writing, under the caller's [`WriterLock`].
    ///
    /// A missing or empty file becomes a new ledger, for its owner alone (0600, in directories made
    /// 0700); an older one is brought up to the newest schema.
    ///
    /// # Errors
    /// [`Error::Newer`], [`Error::Foreign`], [`Error::NotAFile`]: what is there was not touched.
    /// [`Error::Damaged`], [`Error::ReadOnly`], [`Error::Full`], [`Error::Busy`], [`Error::File`],
    /// [`Error::Sql`], [`Error::Upgrade`]: what was recorded is still there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            connection: schema::open(path)?,
            path: path.to_owned(),
        })
    }

    /// Opens the ledger at `path` to read it: while it is being written, and from a read-only medium.
    ///
    /// A ledger of an older schema is read through a private copy: later changes do not show there.
    /// Every method that records answers [`Error::ReadOnly`].
    ///
    /// # Errors
    /// [`Error::NoLedger`] when there is none or nothing was ever recorded in it; [`Error::Copy`] when
    /// its schema is older and no copy could be made to upgrade and read; else as [`Self::open`].
    pub fn open_read_only(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            connection: schema::open_read_only(path)?,
            path: path.to_owned(),
        })
    }

    /// Where it is, as it was named when opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does some recording as one transaction: all of it is durable afterwards, or none of it happened.
    fn write<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let Self { connection, path } = self;
        let all = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        all().map_err(|fault: Fault| fault.during(action, path))
    }

    /// Does some reading over one state of the ledger, whatever is written meanwhile.
    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Error> {
        let all = || {
            let snapshot =
                Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
            work(&snapshot)
        };
        all().map_err(|fault: Fault| fault.during(action, &self.path))
    }
}
