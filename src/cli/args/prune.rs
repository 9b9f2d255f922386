//! The flags of `prune`.

use std::time::Duration;

use clap::Args;
use jiff::SpanFieldwise;

use crate::config::flags::prune::PruneFlags;
use crate::config::value;
use crate::model::outcome::Mode;
use crate::model::retention::KeepPolicy;
use crate::model::selector::ServerSelector;

/// The flags of `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Which copies.
    #[command(flatten)]
    pub which: WhichArgs,
    /// How long they are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// What is done.
    #[command(flatten)]
    pub deed: DeedArgs,
}

/// Which copies.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which copies")]
pub struct WhichArgs {
    /// Only copies of these servers: short id, uuid, name or name glob
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// Only copies at these destinations; default: all of the configuration
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
}

/// How long they are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "What stays (instead of every `keep` of the configuration)")]
pub struct KeepArgs {
    /// The newest so many of each server
    #[arg(long, value_name = "N", value_parser = value::kept)]
    pub keep_last: Option<u32>,
    /// The newest of each of the last N hours that have one
    #[arg(long, value_name = "N", value_parser = value::kept)]
    pub keep_hourly: Option<u32>,
    /// The newest of each of the last N days that have one
    #[arg(long, value_name = "N", value_parser = value::kept)]
    pub keep_daily: Option<u32>,
    /// The newest of each of the last N weeks that have one
    #[arg(long, value_name = "N", value_parser = value::kept)]
    pub keep_weekly: Option<u32>,
    /// The newest of each of the last N months that have one
    #[arg(long, value_name = "N", value_parser = value::kept)]
    pub keep_monthly: Option<u32>,
    /// The newest of each of the last N years that have one
    #[arg(long, value_name = "N", value_parser = value::kept)]
    pub keep_yearly: Option<u32>,
    /// All that were made within this long of the newest, such as 14d, 6mo or 2y
    #[arg(long, value_name = "AGE", value_parser = value::keep_within)]
    pub keep_within: Option<SpanFieldwise>,
}

/// What is done.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is done")]
pub struct DeedArgs {
    /// Carry the plan out; without it the plan is only shown
    #[arg(long)]
    pub apply: bool,
    /// Remove at most so many copies, over all destinations
    #[arg(long, value_name = "N", value_parser = value::newest)]
    pub max_delete: Option<usize>,
    /// Wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait, requires = "apply")]
    pub retry_lock: Option<Duration>,
}

impl PruneArgs {
    /// What was typed.
    pub(super) fn flags(&self) -> PruneFlags {
        let Self { which, keep, deed } = self;
        let policy = KeepPolicy {
            last: keep.keep_last,
            hourly: keep.keep_hourly,
            daily: keep.keep_daily,
            weekly: keep.keep_weekly,
            monthly: keep.keep_monthly,
            yearly: keep.keep_yearly,
            within: keep.keep_within,
        };
        PruneFlags {
            servers: which.server.clone(),
            to: which.to.clone(),
            keep: (policy != KeepPolicy::default()).then_some(policy),
            mode: if deed.apply {
                Mode::Apply
            } else {
                Mode::DryRun
            },
            max_delete: deed.max_delete,
            retry_lock: deed.retry_lock,
        }
    }
}
