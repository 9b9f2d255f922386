//! The flags of `verify`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

use crate::config::flags::VerifyFlags;
use crate::config::value;
use crate::model::finding::Depth;
use crate::model::finding::RepairWish;
use crate::model::ids::BackupId;
use crate::model::selector::ServerSelector;
use crate::model::subset::Subset;

/// The flags of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Which copies.
    #[command(flatten)]
    pub which: WhichArgs,
    /// How they are checked.
    #[command(flatten)]
    pub how: HowArgs,
    /// What is done about bad ones.
    #[command(flatten)]
    pub repair: RepairArgs,
}

/// Which copies.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which copies")]
pub struct WhichArgs {
    /// Only copies of these servers: short id, uuid, name or name glob
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// Only copies of these backups
    #[arg(long, value_name = "UUID", num_args = 1.., value_delimiter = ',')]
    pub backup: Vec<BackupId>,
    /// Only copies at these destinations; default: all of the configuration
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
    /// Only a part: 10% of the bytes at each destination or 20GiB in all, least recently verified first; or 1/7 of all backups
    #[arg(long, value_name = "10%|1/7|20GiB", value_parser = value::subset)]
    pub subset: Option<Subset>,
    /// Only copies that were not verified for this long, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = value::age)]
    pub older_than: Option<SignedDuration>,
}

/// How they are checked.
#[derive(Debug, Args)]
#[command(next_help_heading = "How")]
pub struct HowArgs {
    /// Look at existence, length and ETag, and read the sidecars, but no archive
    #[arg(long, conflicts_with_all = ["subset", "older_than"])]
    pub quick: bool,
    /// Copies read at the same time, 1 to 64 [default: 2]
    #[arg(long, value_name = "N", value_parser = value::transfers)]
    pub transfers: Option<usize>,
    /// Read at most this much a second, over all copies, such as 20MiB
    #[arg(long, value_name = "SIZE", value_parser = value::rate)]
    pub limit_rate: Option<u64>,
    /// After this long finish what runs and start nothing new, such as 5h
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub max_duration: Option<Duration>,
    /// Wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait)]
    pub retry_lock: Option<Duration>,
}

/// What is done about bad ones.
#[derive(Debug, Args)]
#[command(next_help_heading = "Repair")]
pub struct RepairArgs {
    /// Make bad copies anew: from another destination, else from the panel
    #[arg(long)]
    pub repair: bool,
    /// The panel to ask, when it is not in the configuration
    #[arg(long, value_name = "NAME|URL", num_args = 1.., requires = "repair")]
    pub panel: Vec<String>,
    /// A file that holds the panel's client API key and nothing else
    #[arg(long, value_name = "FILE", requires = "repair")]
    pub api_key_file: Option<PathBuf>,
}

impl VerifyArgs {
    /// What was typed.
    pub(super) fn flags(&self) -> VerifyFlags {
        let Self { which, how, repair } = self;
        VerifyFlags {
            panels: repair.panel.clone(),
            api_key_file: repair.api_key_file.clone(),
            servers: which.server.clone(),
            backups: which.backup.clone(),
            to: which.to.clone(),
            subset: which.subset,
            older_than: which.older_than,
            depth: if how.quick { Depth::Quick } else { Depth::Full },
            repair: if repair.repair {
                RepairWish::Wanted
            } else {
                RepairWish::Unwanted
            },
            transfers: how.transfers,
            limit_rate: how.limit_rate,
            max_duration: how.max_duration,
            retry_lock: how.retry_lock,
        }
    }
}
