//! `panel restore`: what the panel is to restore, and how.

use std::time::Duration;

use crate::config::settings::restore::Consent;
use crate::config::settings::restore::ServerFiles;
use crate::model::ids::BackupId;
use crate::model::selector::ServerSelector;

/// A restore by the panel itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelRestoreJob {
    /// The backup.
    pub backup: BackupId,
    /// The server that it is of; a word that names several is refused.
    pub server: ServerSelector,
    /// What becomes of the files that the server has.
    pub files: ServerFiles,
    /// Whether the operator has agreed already.
    pub consent: Consent,
    /// How long the node may take.
    pub timeout: Duration,
}
