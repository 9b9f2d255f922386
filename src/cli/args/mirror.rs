//! The flags of `mirror`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

use crate::config::flags::MirrorFlags;
use crate::config::settings::CreateBackup;
use crate::config::value;
use crate::model::backup::DigestNeed;
use crate::model::backup::Protect;
use crate::model::ids::BackupId;
use crate::model::outcome::Mode;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;
use crate::model::subset::Share;
use crate::model::subset::Subset;

/// The flags of `mirror`.
#[derive(Debug, Args)]
pub struct MirrorArgs {
    /// What to copy from.
    #[command(flatten)]
    pub from: FromArgs,
    /// Which backups.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Where to.
    #[command(flatten)]
    pub to: ToArgs,
    /// How.
    #[command(flatten)]
    pub how: HowArgs,
}

/// What to copy from.
#[derive(Debug, Args)]
#[command(next_help_heading = "From")]
pub struct FromArgs {
    /// A panel of the configuration, or any panel's address; default: all of the configuration
    #[arg(long, value_name = "NAME|URL", num_args = 1..)]
    pub panel: Vec<String>,
    /// A file that holds the panel's client API key and nothing else
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Only these servers: short id, uuid, name or name glob ('*' for all that the key sees)
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// Look at every server of the panel, not only at the user's own; needs an administrator's key
    #[arg(long)]
    pub all_servers: bool,
    /// Leave out these servers, besides those the configuration leaves out
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    pub exclude: Vec<ServerSelector>,
}

/// Which backups.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which backups")]
pub struct SelectArgs {
    /// Only these backups
    #[arg(long, value_name = "UUID", num_args = 1.., value_delimiter = ',', conflicts_with_all = ["newest", "since", "create"])]
    pub backup: Vec<BackupId>,
    /// Only the newest N backups of each server
    #[arg(long, value_name = "N", value_parser = value::newest)]
    pub newest: Option<usize>,
    /// Only backups completed within this time, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = value::age)]
    pub since: Option<SignedDuration>,
    /// Have the panel make a fresh backup of each selected server, and mirror it too when it is completed
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "shard",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = value::backup_name
    )]
    pub create: Option<String>,
    /// Refuse backups for which the panel gives no digest
    #[arg(long)]
    pub require_checksum: bool,
    /// Only part K of N of the work, so that N machines can share it
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Share>,
}

/// Where to.
#[derive(Debug, Args)]
#[command(next_help_heading = "To")]
pub struct ToArgs {
    /// A destination of the configuration, a folder (./offsite), or s3://…, gs://…, az://…; default: all of the configuration
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
    /// Encrypt what is stored in folders and URLs given with --to: a public key of age (age1…) or SSH ('ssh-ed25519 …'); may be repeated
    // One value each, hyphens and all: a private key given by mistake is refused by us, who don't repeat it.
    #[arg(
        long,
        value_name = "PUBLIC-KEY",
        num_args = 1,
        allow_hyphen_values = true,
        requires = "to"
    )]
    pub encrypt_to: Vec<String>,
}

/// How.
#[derive(Debug, Args)]
#[command(next_help_heading = "How")]
pub struct HowArgs {
    /// Print the plan and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Backups on the way at the same time, 1 to 64 [default: 2]
    #[arg(long, value_name = "N", value_parser = value::transfers)]
    pub transfers: Option<usize>,
    /// Download at most this much a second, over all transfers, such as 20MiB
    #[arg(long, value_name = "SIZE", value_parser = value::rate)]
    pub limit_rate: Option<u64>,
    /// After this long finish what runs and start nothing new, such as 5h
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    pub max_duration: Option<Duration>,
    /// Wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait)]
    pub retry_lock: Option<Duration>,
    /// Afterwards verify a part of what is held, as `verify --subset` does [default: none]
    #[arg(long, value_name = "2%|1/50|20GiB", value_parser = value::subset, conflicts_with = "dry_run")]
    pub verify_subset: Option<Subset>,
    /// Lock backups on the panel while they are copied, against its own rotation: 'lock' or 'none' [default: none]
    #[arg(long, value_name = "lock|none", value_parser = value::protect)]
    pub protect: Option<Protect>,
}

impl MirrorArgs {
    /// What was typed.
    pub(super) fn flags(&self) -> MirrorFlags {
        let Self {
            from,
            select,
            to,
            how,
        } = self;
        MirrorFlags {
            panels: from.panel.clone(),
            api_key_file: from.api_key_file.clone(),
            servers: from.server.clone(),
            scope: from.all_servers.then_some(ServerScope::WholePanel),
            exclude: from.exclude.clone(),
            to: to.to.clone(),
            encrypt_to: to.encrypt_to.clone(),
            backups: select.backup.clone(),
            newest: select.newest,
            since: select.since,
            transfers: how.transfers,
            limit_rate: how.limit_rate,
            max_duration: how.max_duration,
            create: select.create.as_ref().map(|name| CreateBackup {
                name: Some(name.clone()).filter(|name| !name.is_empty()),
            }),
            mode: how.dry_run.then_some(Mode::DryRun),
            need: select.require_checksum.then_some(DigestNeed::Required),
            shard: select.shard,
            retry_lock: how.retry_lock,
            verify_subset: how.verify_subset,
            protect: how.protect,
        }
    }
}
