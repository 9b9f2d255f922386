//! The effective settings: plain data, with the source of each.

pub mod drill;
pub mod mark;
pub mod panel;
pub mod prune;
pub mod restore;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use url::Url;

use crate::config::key::KeyOrigin;
use crate::config::settings::drill::DrillSettings;
use crate::config::settings::panel::PanelTask;
use crate::config::settings::prune::KeepRule;
use crate::config::settings::prune::PruneSettings;
use crate::config::settings::restore::CopiesFrom;
use crate::config::settings::restore::RestoreSettings;
use crate::config::source::Sources;
use crate::model::backup::ChecksumPolicy;
use crate::model::backup::DigestNeed;
use crate::model::backup::Protect;
use crate::model::content::Inspect;
use crate::model::finding::Depth;
use crate::model::finding::RepairWish;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::outcome::Mode;
use crate::model::recipient::Recipient;
use crate::model::retention::KeepPolicy;
use crate::model::secret::Secret;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;
use crate::model::subset::Share;
use crate::model::subset::Subset;

/// All that a command needs to know from flags, environment and file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The configuration file that was read, if any.
    pub config: Option<PathBuf>,
    /// The ledger.
    pub ledger: PathBuf,
    /// The panels in play: those selected by `--panel`, else all of the file.
    pub panels: Vec<PanelSettings>,
    /// The destinations in play: those selected by `--to`, else all of the file.
    pub destinations: Vec<DestinationSettings>,
    /// How to mirror.
    pub mirror: MirrorSettings,
    /// How to drill.
    pub drill: DrillSettings,
    /// What `restore` is asked for; `None` for other commands.
    pub restore: Option<RestoreSettings>,
    /// What `panel` is asked for; `None` for other commands.
    pub panel_task: Option<PanelTask>,
    /// What `status` and `list` are to show, and of which servers `verify` checks copies; empty for
    /// other commands.
    pub filter: Filter,
    /// How to verify.
    pub verify: VerifySettings,
    /// How to prune.
    pub prune: PruneSettings,
    /// The variables that stores read by custom (`AWS_*`, `GOOGLE_*`, `AZURE_*`, `SERVICE_ACCOUNT`), for destinations.
    pub environment: Vec<(String, Secret)>,
    /// What is suspicious and no error, each ready to print.
    pub warnings: Vec<String>,
    /// Where each value comes from.
    pub sources: Sources,
}

/// One panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelSettings {
    /// Its name: from the file, or host and port of a `--panel URL`.
    pub name: PanelName,
    /// Its address, as written.
    pub url: Url,
    /// Its client API key.
    pub key: PanelKey,
    /// Where the key comes from.
    pub key_origin: KeyOrigin,
    /// Which servers; a server that any of these matches is meant.
    pub selectors: Vec<ServerSelector>,
    /// Where to look for them.
    pub scope: ServerScope,
    /// Which servers not, though selected.
    pub exclude: Vec<ServerSelector>,
    /// How much its checksums are believed.
    pub checksum: ChecksumPolicy,
}

/// A panel's key, when the command needs one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PanelKey {
    /// The key.
    Held(Secret),
    /// The command talks to no panel, so no key was looked for.
    Unread,
}

impl PanelKey {
    /// The key; `None` only for commands that talk to no panel.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Held(secret) => Some(secret),
            Self::Unread => None,
        }
    }
}

/// One destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSettings {
    /// Its name: from the file, or `--to` as typed.
    pub name: DestinationName,
    /// Its root: an absolute path, or an `s3://`, `gs://` or `az://` URL.
    pub url: String,
    /// The store's options; those of `option_files` are among them unless the command uses no store.
    pub options: BTreeMap<String, Secret>,
    /// Options whose value stands in a file (`*_file`), by the option's own name.
    pub option_files: BTreeMap<String, PathBuf>,
    /// Who alone can read its new copies; empty = archives are stored as they are.
    pub encrypt_to: Vec<Recipient>,
    /// How long its copies are kept; `prune` alone acts upon it. `None` and an empty policy keep all.
    pub keep: Option<KeepPolicy>,
    /// How long the copies of some servers are kept instead: the first that matches decides.
    pub rules: Vec<KeepRule>,
    /// Who named it.
    pub origin: DestinationOrigin,
}

/// Who named a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationOrigin {
    /// The file: a missing local root is an error, for it may be a lost mount.
    Configured,
    /// `--to URL` or `--to PATH`.
    OneShot,
}

/// How to mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorSettings {
    /// Backups on the way at the same time.
    pub transfers: usize,
    /// Bytes a second that are read from panels' nodes, in total.
    pub limit_rate: Option<u64>,
    /// The freshness promised per server.
    pub max_age: Option<SignedDuration>,
    /// After this long nothing new is started.
    pub max_duration: Option<Duration>,
    /// Whether a backup without a digest is kept.
    pub need: DigestNeed,
    /// Whether archives are inspected while they pass.
    pub inspect: Inspect,
    /// Only the newest so many of each server.
    pub newest: Option<usize>,
    /// Only backups completed within this time.
    pub since: Option<SignedDuration>,
    /// Only these backups; empty means all.
    pub backups: Vec<BackupId>,
    /// Only this part of the work.
    pub shard: Option<Share>,
    /// Have the panel make a fresh backup first.
    pub create: Option<CreateBackup>,
    /// Whether anything is changed.
    pub mode: Mode,
    /// How long to wait for another run to end.
    pub retry_lock: Duration,
    /// How much of what is held is verified once all is mirrored.
    pub verify_subset: Option<Subset>,
    /// What keeps backups from vanishing while they are copied.
    pub protect: Protect,
}

/// How to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifySettings {
    /// Only copies at these destinations; empty means all in play. Repairs read from the others too.
    pub only: Vec<DestinationName>,
    /// Only copies of these backups; empty means all.
    pub backups: Vec<BackupId>,
    /// Only so much.
    pub subset: Option<Subset>,
    /// Only copies that were not verified for this long.
    pub older_than: Option<SignedDuration>,
    /// How thoroughly.
    pub depth: Depth,
    /// Whether bad copies are made anew.
    pub repair: RepairWish,
}

/// A backup that the panel is to make first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateBackup {
    /// Its name; the panel makes one up otherwise.
    pub name: Option<String>,
}

/// What `status` and `list` are to show; an empty list leaves nothing out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only servers that one of these matches.
    pub servers: Vec<ServerSelector>,
    /// Only these panels.
    pub panels: Vec<PanelName>,
    /// Only these destinations.
    pub destinations: Vec<DestinationName>,
    /// Who is asked.
    pub copies: CopiesFrom,
}
