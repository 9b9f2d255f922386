//! `panel delete`: which backups are to go.

use crate::config::settings::panel::Within;
use crate::config::settings::restore::Consent;
use crate::model::ids::BackupId;

/// Which backups are to be deleted from their panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteJob {
    /// Each once, in the order in which they were named.
    pub backups: Vec<BackupId>,
    /// Where they are looked for.
    pub within: Within,
    /// What must be held of them before.
    pub need: MirrorNeed,
    /// Whether the operator has agreed already.
    pub consent: Consent,
}

/// What must be held of a backup before the panel's own goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorNeed {
    /// A verified copy at every destination of the configuration.
    Everywhere,
    /// Nothing (`--even-if-not-mirrored`).
    Nothing,
}
