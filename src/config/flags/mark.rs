//! The flags of `keep`, `unkeep` and `accept`, as plain data.

use std::time::Duration;

use crate::config::flags::MirrorFlags;
use crate::config::settings::mark::MarkSettings;

/// What was typed after one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkFlags {
    /// The command, its words and `--reason`.
    pub wanted: MarkSettings,
    /// `--to`.
    pub to: Vec<String>,
    /// `--retry-lock`.
    pub retry_lock: Option<Duration>,
}

impl MarkFlags {
    /// The same in the flags that destinations are found by.
    pub(crate) fn as_mirror(&self) -> MirrorFlags {
        MirrorFlags {
            to: self.to.clone(),
            retry_lock: self.retry_lock,
            ..MirrorFlags::default()
        }
    }
}
