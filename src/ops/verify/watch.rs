//! Transfers of a check, called so.

use std::sync::Arc;

use crate::model::finding::CheckedCopy;
use crate::model::outcome::BackupOutcome;
use crate::transfer::observer::Observer;
use crate::transfer::observer::TransferLabel;
use crate::transfer::observer::TransferTicket;

/// Tells whoever watches that what flows is being verified.
#[derive(Debug)]
pub struct Verifying(pub Arc<dyn Observer>);

impl Observer for Verifying {
    fn planned(&self, backups: u64, bytes: u64) {
        self.0.planned(backups, bytes);
    }

    fn started(&self, label: &TransferLabel, total_bytes: Option<u64>) -> TransferTicket {
        let label = TransferLabel {
            server_name: format!("verify {}", label.server_name),
            ..label.clone()
        };
        self.0.started(&label, total_bytes)
    }

    fn advanced(&self, ticket: TransferTicket, bytes: u64) {
        self.0.advanced(ticket, bytes);
    }

    fn restarted(&self, ticket: TransferTicket, at_bytes: u64) {
        self.0.restarted(ticket, at_bytes);
    }

    fn finished(&self, ticket: TransferTicket) {
        self.0.finished(ticket);
    }

    fn backup_done(&self, outcome: &BackupOutcome) {
        self.0.backup_done(outcome);
    }

    fn checks_planned(&self, copies: u64, bytes: u64) {
        self.0.checks_planned(copies, bytes);
    }

    fn copy_checked(&self, checked: &CheckedCopy) {
        self.0.copy_checked(checked);
    }
}
