//! The flags of the `ledger` commands that touch destinations, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::flags::MirrorFlags;
use crate::model::outcome::Mode;
use crate::model::selector::ServerSelector;

/// The flags of `ledger rebuild` and `ledger check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerFlags {
    /// `--from` or `--to`.
    pub places: Vec<String>,
    /// Which of the two it was.
    pub places_flag: &'static str,
    /// `--server`.
    pub servers: Vec<ServerSelector>,
    /// `--panel`, with the panels it names: none stands for all, no flag for no panel at all.
    pub panels: Option<Vec<String>>,
    /// `--api-key-file`.
    pub api_key_file: Option<PathBuf>,
    /// Whether the ledger is written.
    pub mode: Mode,
    /// `--retry-lock`.
    pub retry_lock: Option<Duration>,
}

impl LedgerFlags {
    /// The same in the flags that destinations and panels are found by.
    pub(crate) fn as_mirror(&self) -> MirrorFlags {
        MirrorFlags {
            panels: self.panels.clone().unwrap_or_default(),
            api_key_file: self.api_key_file.clone(),
            servers: match self.panels {
                Some(_) => self.servers.clone(),
                None => Vec::new(),
            },
            to: self.places.clone(),
            mode: Some(self.mode),
            retry_lock: self.retry_lock,
            ..MirrorFlags::default()
        }
    }
}
