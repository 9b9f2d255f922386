//! The flags of `panel trim`.

use std::num::NonZeroU32;

use clap::Args;

use crate::cli::args::panel::WhomArgs;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::settings::panel::trim::TrimJob;
use crate::model::outcome::Mode;
use crate::model::selector::ServerSelector;

/// The flags of `panel trim`.
#[derive(Debug, Args)]
pub struct TrimArgs {
    /// Only these servers: short id, uuid, name or name glob; default: all that the key sees
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// How many completed backups of each server stay, at least 1: the newest
    #[arg(long, value_name = "N")]
    pub keep: NonZeroU32,
    /// At how many destinations a backup must be held, verified, before it goes, at least 1
    #[arg(long, value_name = "N", default_value = "2")]
    pub min_copies: NonZeroU32,
    /// Delete; without it, only the plan is shown
    #[arg(long)]
    pub apply: bool,
    /// Which panel.
    #[command(flatten)]
    pub whom: WhomArgs,
}

impl TrimArgs {
    /// What was typed, as far as settings depend on it.
    pub(super) fn flags(&self) -> PanelFlags {
        let job = TrimJob {
            keep: self.keep,
            min_copies: self.min_copies,
            mode: if self.apply {
                Mode::Apply
            } else {
                Mode::DryRun
            },
        };
        self.whom.flags(&self.server, None, PanelWish::Trim(job))
    }
}
