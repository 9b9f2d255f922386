//! The flags of `prune`, as plain data.

use std::time::Duration;

use crate::config::flags::MirrorFlags;
use crate::model::outcome::Mode;
use crate::model::retention::KeepPolicy;
use crate::model::selector::ServerSelector;

/// The flags of `prune`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneFlags {
    /// `--server`.
    pub servers: Vec<ServerSelector>,
    /// `--to`.
    pub to: Vec<String>,
    /// `--keep-*`; `None` when there is none of them.
    pub keep: Option<KeepPolicy>,
    /// Whether the plan is carried out.
    pub mode: Mode,
    /// `--max-delete`.
    pub max_delete: Option<usize>,
    /// `--retry-lock`.
    pub retry_lock: Option<Duration>,
}

impl PruneFlags {
    /// The same in the flags that destinations are found by.
    pub(crate) fn as_mirror(&self) -> MirrorFlags {
        MirrorFlags {
            to: self.to.clone(),
            mode: Some(self.mode),
            retry_lock: self.retry_lock,
            ..MirrorFlags::default()
        }
    }
}
