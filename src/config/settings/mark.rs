//! What `keep`, `unkeep` and `accept` are asked for.

use crate::model::mark::MarkAction;
use crate::model::mark::MarkWord;
use crate::model::mark::Reason;

/// A mark on some backups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkSettings {
    /// Which mark.
    pub action: MarkAction,
    /// On which backups.
    pub words: Vec<MarkWord>,
    /// Why.
    pub reason: Option<Reason>,
}
