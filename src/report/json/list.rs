//! The document of `list`.

use std::io;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::backup::LockState;
use crate::model::checksum::Verdict;
use crate::model::holding::HeldCopy;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;
use crate::model::sidecar::Encryption;
use crate::report::Account;
use crate::report::ListReport;
use crate::report::json::write_document;

/// JSON Schema of what [`list`] writes.
pub const LIST_SCHEMA: &str = include_str!("../schema/list-1.json");

/// Writes the document of `list`, schema `nestegg.list/1`.
///
/// # Errors
/// What the writer refuses; part of the document may have been written.
pub fn list(report: &ListReport, out: &mut dyn Write) -> io::Result<()> {
    let document = ListDocument {
        schema: "nestegg.list/1",
        panel: report.panel.as_ref(),
        copies: report
            .copies
            .iter()
            .map(|copy| ListCopy::of(copy, report.account))
            .collect(),
    };
    write_document(&document, out)
}

#[derive(Serialize)]
struct ListDocument<'a> {
    schema: &'static str,
    panel: Option<&'a PanelName>,
    copies: Vec<ListCopy<'a>>,
}

#[derive(Serialize)]
struct ListCopy<'a> {
    panel: &'a PanelName,
    server: ServerId,
    server_name: &'a str,
    backup: BackupId,
    name: &'a str,
    completed_at: Timestamp,
    on_panel: &'static str,
    panel_checksum: Option<&'a str>,
    destination: &'a DestinationName,
    key: &'a ObjectKey,
    bytes: u64,
    sha256: String,
    stored_bytes: u64,
    stored_sha256: String,
    encryption: Option<&'a Encryption>,
    verdict: Verdict,
    mirrored_at: Timestamp,
    verified_at: Option<Timestamp>,
    kept: Option<&'a Mark>,
    locked: bool,
}

impl<'a> ListCopy<'a> {
    fn of(copy: &'a HeldCopy, account: Account) -> Self {
        Self {
            panel: &copy.panel,
            server: copy.server,
            server_name: &copy.server_name,
            backup: copy.backup,
            name: &copy.backup_name,
            completed_at: copy.completed_at,
            on_panel: match (account, copy.on_panel) {
                (Account::Sidecars, _) => "unknown",
                (Account::Ledger, PanelPresence::Listed) => "listed",
                (Account::Ledger, PanelPresence::Vanished) => "vanished",
            },
            panel_checksum: copy.panel_checksum.as_deref(),
            destination: &copy.destination,
            key: &copy.key,
            bytes: copy.archive_bytes,
            sha256: copy.sha256.to_hex(),
            stored_bytes: copy.stored_bytes,
            stored_sha256: copy.stored_sha256.to_hex(),
            encryption: copy.encryption.as_ref(),
            verdict: copy.verdict,
            mirrored_at: copy.mirrored_at,
            verified_at: copy.verified_at,
            kept: copy.kept.as_ref(),
            locked: copy.lock == LockState::Locked,
        }
    }
}
