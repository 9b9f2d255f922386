//! Commands: gather → plan → act → record → report.

pub mod choice;
pub mod config;
pub mod described;
pub mod emptied;
pub mod ledger;
pub mod list;
pub mod mark;
pub mod mirror;
pub mod panel;
pub mod power;
pub mod prune;
pub mod restore;
pub mod setup;
pub mod status;
pub mod verify;

use std::path::PathBuf;
use std::time::Duration;

use crate::destination::DestinationTuning;
use crate::env::StopSignal;
use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::text::shown_name;
use crate::ops::mark::words::NoBackup;
use crate::ops::panel::restore::PanelRestoreTuning;
use crate::ops::restore::panel::ToPanelTuning;
use crate::panel::PanelTuning;
use crate::plan::restore::NoChoice;
use crate::transfer;

/// Waits and sizes of everything a command does.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// Of panel clients.
    pub panel: PanelTuning,
    /// Of stores.
    pub destination: DestinationTuning,
    /// Of transfers.
    pub transfer: transfer::Tuning,
    /// How soon a fresh backup is first asked for; the waits grow.
    pub create_poll: Duration,
    /// How long a panel that makes a backup may not answer.
    pub create_silence: Duration,
    /// How long a run that is told to stop may go on to take its locks off.
    pub unlock_patience: Duration,
    /// Of restores into a server.
    pub to_panel: ToPanelTuning,
    /// Of restores by a panel itself.
    pub panel_restore: PanelRestoreTuning,
}

impl Tuning {
    /// The values of real runs.
    pub fn production() -> Self {
        Self {
            panel: PanelTuning::PRODUCTION,
            destination: DestinationTuning::PRODUCTION,
            transfer: transfer::Tuning::PRODUCTION,
            create_poll: Duration::from_secs(5),
            // Longer than it takes to update a panel.
            create_silence: Duration::from_mins(15),
            unlock_patience: Duration::from_secs(15),
            to_panel: ToPanelTuning::PRODUCTION,
            panel_restore: PanelRestoreTuning::PRODUCTION,
        }
    }
}

/// Why a command failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger can't be used, or another run holds it.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::Error),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::Error),
    /// A destination's URL or options are wrong.
    #[error("destination `{name}`: {source}")]
    Destination {
        /// Which one.
        name: DestinationName,
        /// What is wrong.
        source: crate::destination::Error,
    },
    /// Two destinations are one place: two copies there would be one.
    #[error("the destinations `{first}` and `{second}` are the same place, `{location}`")]
    SamePlace {
        /// One.
        first: DestinationName,
        /// The other.
        second: DestinationName,
        /// Where both lead.
        location: String,
    },
    /// What is asked for speaks of one destination, and several are meant.
    #[error(
        "copies at several destinations are meant, and the keys of SHA256SUMS are those below one root"
    )]
    SeveralPlaces {
        /// Their names.
        names: Vec<String>,
    },
    /// The file of an export could not be written; what had its name still has it.
    #[error("could not write `{}`", .path.display())]
    ExportFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A word of `status` or `list` fits nothing recorded or configured.
    #[error("`{flag} {word}` names no {what} that is recorded or configured")]
    NamesNothing {
        /// The flag.
        flag: &'static str,
        /// `panel`, `server` or `destination`.
        what: &'static str,
        /// The word, fit to be shown.
        word: String,
        /// Some of the names that there are, the likeliest first.
        known: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// What is to be restored is not there, or is not one thing.
    #[error(transparent)]
    Choice(#[from] NoChoice),
    /// The same, and not everything could be looked at: it may be there all the same.
    #[error("not everything could be looked at, and in what could, {source}")]
    NothingUsable {
        /// What was not found.
        source: NoChoice,
        /// What could not be looked at, or is broken.
        failures: Vec<Failure>,
    },
    /// The ledger can't be read, and no destination is configured that could be asked instead.
    #[error(transparent)]
    NobodyToAsk(crate::ledger::Error),
    /// A private key could not be read.
    #[error(transparent)]
    Identities(#[from] transfer::unseal::Error),
    /// A word of `keep`, `unkeep` or `accept` means no backup, or several.
    #[error(transparent)]
    NoBackup(#[from] NoBackup),
    /// The file of `--output` can't be made.
    #[error(transparent)]
    Output(#[from] transfer::sink::file::Error),
    /// The directory of `--extract` may not be extracted into.
    #[error(transparent)]
    Extract(#[from] transfer::extract::Error),
    /// A restore into a server is not told which panel it is on, or has no key for it.
    #[error("`--to-panel` names no panel whose key is known")]
    NoPanel,
    /// The panel that is restored to failed before anything was done.
    #[error(transparent)]
    Panel(#[from] crate::panel::Error),
    /// `--to-server` names no server of the panel, or several.
    #[error("`--to-server {word}` names {}", how_many(*.found))]
    ToServer {
        /// The word, fit to be shown.
        word: String,
        /// How many it names.
        found: usize,
    },
    /// No policy says what to remove: it would be nothing, and who types `--apply` expects something.
    #[error("no selected destination has a policy, so there is nothing to apply")]
    NoPolicy,
    /// `--server` of a command for one server names none, or several.
    #[error("could not tell which server --server means")]
    NotOneServer {
        /// Why not.
        failures: Vec<Failure>,
    },
    /// `--min-copies` asks for more copies than there are destinations.
    #[error(
        "--min-copies {wanted} asks for more copies than the configuration has destinations ({there})"
    )]
    TooFewPlaces {
        /// So many there are.
        there: usize,
        /// So many are asked for.
        wanted: usize,
    },
    /// The run was told to stop before it began.
    #[error("stopped before anything was done")]
    Stopped(StopSignal),
    /// No HTTP client could be made.
    #[error("could not set up HTTP")]
    NoHttp(#[source] transfer::source::Error),
    /// The scratch ledger of a dry run could not be made.
    #[error("could not make a scratch ledger for the dry run")]
    Scratch(#[source] std::io::Error),
}

fn how_many(found: usize) -> String {
    match found {
        0 => "no server of the panel".to_owned(),
        several => format!("{several} servers of the panel"),
    }
}

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Ledger(error) | Self::NobodyToAsk(error) => error.kind(),
            Self::Config(error) => error.kind(),
            Self::Destination { source, .. } => source.kind(),
            Self::Panel(error) => error.kind(),
            Self::NamesNothing { .. } | Self::ToServer { .. } => FailureKind::NotFound,
            Self::Choice(no_choice) => no_choice.kind(),
            Self::NoBackup(no_backup) => no_backup.kind(),
            Self::NotOneServer { failures, .. } => failures
                .first()
                .map_or(FailureKind::NotFound, |failure| failure.kind),
            Self::NothingUsable { source, failures } => failures
                .first()
                .map_or_else(|| source.kind(), |failure| failure.kind),
            Self::Identities(error) => error.kind(),
            Self::Output(error) => error.kind(),
            Self::Extract(error) => error.kind(),
            Self::Stopped(_) => FailureKind::Interrupted,
            Self::SamePlace { .. }
            | Self::SeveralPlaces { .. }
            | Self::ExportFile { .. }
            | Self::NoPanel
            | Self::NoPolicy
            | Self::TooFewPlaces { .. }
            | Self::NoHttp(_)
            | Self::Scratch(_) => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::NobodyToAsk(_) => {
                "name with --from where copies are: a folder, or s3://…, gs://…, az://…".to_owned()
            }
            Self::Config(error) => error.hint(),
            Self::Destination { source, .. } => source.hint(),
            Self::SamePlace { .. } => {
                "give each destination a root of its own; a symbolic link makes no second place"
                    .to_owned()
            }
            Self::NamesNothing { known, more, .. } => match (known.as_slice(), more) {
                ([], _) => "nothing is recorded yet: run `nestegg mirror` first".to_owned(),
                (known, 0) => format!("known: {}", known.join(", ")),
                (known, more) => format!("known: {} and {more} more", known.join(", ")),
            },
            Self::Choice(no_choice) => no_choice.hint(),
            Self::NoBackup(no_backup) => no_backup.hint(),
            Self::NothingUsable { source, .. } => source.hint(),
            Self::Identities(error) => error.hint().to_owned(),
            Self::Output(error) => error.hint(),
            Self::Extract(error) => error.hint(),
            Self::Panel(error) => error.hint(),
            Self::ToServer { .. } => {
                "give the server's short id or uuid, as the panel shows it".to_owned()
            }
            Self::NoPanel => {
                "name a panel of the configuration, or its address and --api-key-file".to_owned()
            }
            Self::NoPolicy => {
                "write `keep = { daily = 14, … }` under the [[destination]], or give --keep-daily and the like; \
                 without --apply the plan is shown"
                    .to_owned()
            }
            Self::SeveralPlaces { names } => {
                let names: Vec<String> = names.iter().map(|name| shown_name(name, 40)).collect();
                format!("choose one of them with --to: {}", names.join(", "))
            }
            Self::ExportFile { .. } => {
                "check that its folder exists, has room, and may be written by this user".to_owned()
            }
            Self::NotOneServer { .. } => {
                "give the server's short id or uuid, and its panel with --panel".to_owned()
            }
            Self::TooFewPlaces { there, .. } => format!(
                "add a destination and mirror to it, or give --min-copies {there} if that is enough"
            ),
            Self::Stopped(_) => "run it again".to_owned(),
            Self::NoHttp(error) => error.hint(),
            Self::Scratch(_) => "check the temporary directory".to_owned(),
        }
    }

    /// What lies beneath it, each to be told by itself.
    pub fn beneath(&self) -> &[Failure] {
        match self {
            Self::NothingUsable { failures, .. } | Self::NotOneServer { failures, .. } => failures,
            Self::Ledger(_)
            | Self::NobodyToAsk(_)
            | Self::Config(_)
            | Self::Destination { .. }
            | Self::SamePlace { .. }
            | Self::SeveralPlaces { .. }
            | Self::ExportFile { .. }
            | Self::NamesNothing { .. }
            | Self::Choice(_)
            | Self::NoBackup(_)
            | Self::Identities(_)
            | Self::Output(_)
            | Self::Extract(_)
            | Self::NoPanel
            | Self::NoPolicy
            | Self::Panel(_)
            | Self::ToServer { .. }
            | Self::TooFewPlaces { .. }
            | Self::Stopped(_)
            | Self::NoHttp(_)
            | Self::Scratch(_) => &[],
        }
    }
}
