//! The flags of `restore`.

use std::path::PathBuf;

use crate::config::settings::restore::RestoreJob;

/// What was typed after `restore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreFlags {
    /// The target and what goes there, paths and places as typed; the parser sees to it that there is one.
    pub job: Option<RestoreJob<String>>,
    /// `--from`.
    pub from: Vec<String>,
    /// `--identity`.
    pub identities: Vec<PathBuf>,
    /// `--limit-rate`, bytes a second.
    pub limit_rate: Option<u64>,
    /// `--to-panel`.
    pub panel: Option<String>,
    /// `--api-key-file`.
    pub api_key_file: Option<PathBuf>,
}
