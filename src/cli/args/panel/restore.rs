//! The flags of `panel restore`.

use std::time::Duration;

use clap::ArgGroup;
use clap::Args;

use crate::cli::args::panel::WhomArgs;
use crate::cli::args::panel::delete::ConsentArgs;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::settings::panel::restore::PanelRestoreJob;
use crate::config::settings::restore::ServerFiles;
use crate::config::value;
use crate::model::ids::BackupId;
use crate::model::selector::ServerSelector;

/// How long a node may take, unless told otherwise.
const TIMEOUT: Duration = Duration::from_hours(2);

/// The flags of `panel restore`.
#[derive(Debug, Args)]
pub struct PanelRestoreArgs {
    /// Which backup: its uuid
    #[arg(value_name = "BACKUP")]
    pub backup: BackupId,
    /// The server that it is of, and that it is restored into: short id, uuid or name
    #[arg(long, value_name = "ID")]
    pub server: ServerSelector,
    /// What becomes of its files.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Whether to ask.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Stop waiting after so long, such as 30m [default: 2h]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub timeout: Option<Duration>,
    /// Which panel.
    #[command(flatten)]
    pub whom: WhomArgs,
}

impl PanelRestoreArgs {
    /// What was typed, as far as settings depend on it.
    pub(super) fn flags(&self) -> PanelFlags {
        let job = PanelRestoreJob {
            backup: self.backup,
            server: self.server.clone(),
            files: self.files.files(),
            consent: self.consent.consent(),
            timeout: self.timeout.unwrap_or(TIMEOUT),
        };
        let servers = std::slice::from_ref(&self.server);
        self.whom.flags(servers, None, PanelWish::Restore(job))
    }
}

/// What becomes of the server's files: one must be spelled out, panels have no default.
#[derive(Debug, Args)]
#[command(next_help_heading = "The server's files, exactly one of")]
#[command(group = ArgGroup::new("panel_restore_files").required(true).multiple(false))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "two flags, of which the parser takes exactly one"
)]
pub struct FilesArgs {
    /// Delete all files of the server first
    #[arg(long, group = "panel_restore_files")]
    pub truncate: bool,
    /// Leave the files that are there, and write over those that the archive holds too
    #[arg(long, group = "panel_restore_files")]
    pub no_truncate: bool,
}

impl FilesArgs {
    const fn files(&self) -> ServerFiles {
        if self.truncate {
            ServerFiles::Truncate
        } else {
            ServerFiles::Keep
        }
    }
}
