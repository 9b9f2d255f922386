//! The flags of `panel delete`.

use clap::Args;

use crate::cli::args::panel::WhomArgs;
use crate::cli::args::panel::lock::each_once;
use crate::cli::args::panel::lock::within;
use crate::config::flags::panel::PanelFlags;
use crate::config::flags::panel::PanelWish;
use crate::config::settings::panel::delete::DeleteJob;
use crate::config::settings::panel::delete::MirrorNeed;
use crate::config::settings::restore::Consent;
use crate::model::ids::BackupId;
use crate::model::selector::ServerSelector;

/// The flags of `panel delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// Which backups: their uuids
    #[arg(value_name = "BACKUP", required = true, num_args = 1..)]
    pub backups: Vec<BackupId>,
    /// The server that they are of: short id, uuid or name [default: it is looked for]
    #[arg(long, value_name = "ID")]
    pub server: Option<ServerSelector>,
    /// Delete even what is not held, verified, at every destination of the configuration
    #[arg(long)]
    pub even_if_not_mirrored: bool,
    /// Whether to ask.
    #[command(flatten)]
    pub consent: ConsentArgs,
    /// Which panel.
    #[command(flatten)]
    pub whom: WhomArgs,
}

impl DeleteArgs {
    /// What was typed, as far as settings depend on it.
    pub(super) fn flags(&self) -> PanelFlags {
        let job = DeleteJob {
            backups: each_once(&self.backups),
            within: within(self.server.as_slice()),
            need: if self.even_if_not_mirrored {
                MirrorNeed::Nothing
            } else {
                MirrorNeed::Everywhere
            },
            consent: self.consent.consent(),
        };
        let servers = self.server.as_slice();
        self.whom.flags(servers, None, PanelWish::Delete(job))
    }
}

/// Whether to ask.
#[derive(Debug, Args)]
pub struct ConsentArgs {
    /// Don't ask
    #[arg(long)]
    pub yes: bool,
}

impl ConsentArgs {
    /// Whether the operator has agreed already.
    pub(super) const fn consent(&self) -> Consent {
        if self.yes {
            Consent::Given
        } else {
            Consent::ToBeAsked
        }
    }
}
