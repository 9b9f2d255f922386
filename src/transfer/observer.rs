//! Who watches transfers: told what happens, never asked.

use std::fmt;

use crate::model::finding::CheckedCopy;
use crate::model::ids::BackupId;
use crate::model::outcome::BackupOutcome;

/// What a transfer is called while it runs; the names are free text from a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferLabel {
    /// The server's name.
    pub server_name: String,
    /// The backup's name.
    pub backup_name: String,
    /// The backup.
    pub backup: BackupId,
}

/// One running transfer, as the observer that was told of it numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferTicket(pub u64);

/// Something that watches a run. Its methods return at once and cannot fail; they are called
/// from any task, in any order that the names allow.
pub trait Observer: Send + Sync + fmt::Debug {
    /// This much more work is ahead: backups that lack a copy somewhere, and their archives'
    /// bytes together. May be told again as further servers are looked at; the numbers add up.
    fn planned(&self, backups: u64, bytes: u64);

    /// One archive begins to flow; `total_bytes` is `None` when its length is not known.
    fn started(&self, label: &TransferLabel, total_bytes: Option<u64>) -> TransferTicket;

    /// So many more bytes of it have arrived.
    fn advanced(&self, ticket: TransferTicket, bytes: u64);

    /// It goes on, or begins again, from this offset.
    fn restarted(&self, ticket: TransferTicket, at_bytes: u64);

    /// It flows no more, whatever came of it.
    fn finished(&self, ticket: TransferTicket);

    /// Nothing more will happen to this backup in this run.
    fn backup_done(&self, outcome: &BackupOutcome);

    /// So many copies are to be checked, with so many bytes to be read.
    fn checks_planned(&self, copies: u64, bytes: u64);

    /// One copy was checked, and repaired if that was possible and wanted.
    fn copy_checked(&self, checked: &CheckedCopy);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Silent;

impl Observer for Silent {
    fn planned(&self, _backups: u64, _bytes: u64) {}

    fn started(&self, _label: &TransferLabel, _total_bytes: Option<u64>) -> TransferTicket {
        TransferTicket(0)
    }

    fn advanced(&self, _ticket: TransferTicket, _bytes: u64) {}

    fn restarted(&self, _ticket: TransferTicket, _at_bytes: u64) {}

    fn finished(&self, _ticket: TransferTicket) {}

    fn backup_done(&self, _outcome: &BackupOutcome) {}

    fn checks_planned(&self, _copies: u64, _bytes: u64) {}

    fn copy_checked(&self, _checked: &CheckedCopy) {}
}
