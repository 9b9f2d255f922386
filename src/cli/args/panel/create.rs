//! The flags of `panel create`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::panel::WhomArgs;
use crate::config::flags::panel::CreateWish;
use crate::config::flags::panel::IgnoreWish;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::ignore;
use crate::config::settings::panel::Wait;
use crate::config::value;
use crate::model::backup::LockState;
use crate::model::selector::ServerSelector;

/// How long a backup is waited for, unless told otherwise.
const TIMEOUT: Duration = Duration::from_hours(2);

/// The flags of `panel create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Which panel.
    #[command(flatten)]
    pub whom: WhomArgs,
    /// Of what.
    #[command(flatten)]
    pub what: WhatArgs,
    /// Whether it is waited for.
    #[command(flatten)]
    pub waiting: WaitArgs,
}

/// Of what, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "What")]
pub struct WhatArgs {
    /// The server: short id, uuid, name, or a name glob that only it fits
    #[arg(long, value_name = "ID")]
    pub server: ServerSelector,
    /// The backup's name [default: the panel makes one up]
    #[arg(long, value_name = "NAME", value_parser = ignore::fresh_name)]
    pub name: Option<String>,
    /// Leave out what these patterns match, as in a .gitignore; instead of the server's own .pteroignore
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_parser = ignore::pattern, conflicts_with = "ignore_file")]
    pub ignore: Vec<String>,
    /// The same, from a file with a pattern a line, 32 KiB at most
    #[arg(long, value_name = "FILE")]
    pub ignore_file: Option<PathBuf>,
    /// Lock it from the start; takes the permission backup.delete
    #[arg(long)]
    pub lock: bool,
}

/// Whether it is waited for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Waiting")]
pub struct WaitArgs {
    /// Wait until it is completed or failed
    #[arg(long)]
    pub wait: bool,
    /// Wait so long at most, such as 30m [default: 2h]
    #[arg(long, value_name = "DURATION", value_parser = value::duration, requires = "wait")]
    pub timeout: Option<Duration>,
}

impl CreateArgs {
    /// What was typed.
    pub(super) fn flags(&self) -> PanelFlags {
        let Self {
            whom,
            what,
            waiting,
        } = self;
        let wish = CreateWish {
            server: what.server.clone(),
            name: what.name.clone(),
            ignored: match (&what.ignore_file, what.ignore.as_slice()) {
                (Some(file), _) => IgnoreWish::File(file.clone()),
                (None, []) => IgnoreWish::AsServer,
                (None, patterns) => IgnoreWish::Patterns(patterns.to_vec()),
            },
            lock: if what.lock {
                LockState::Locked
            } else {
                LockState::Unlocked
            },
            wait: if waiting.wait {
                Wait::For(waiting.timeout.unwrap_or(TIMEOUT))
            } else {
                Wait::No
            },
        };
        let servers = [what.server.clone()];
        whom.flags(&servers, None, PanelWish::Create(wish))
    }
}
