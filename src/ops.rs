//! Commands: gather → plan → act → record → report.

pub mod choice;
pub mod config;
pub mod list;
pub mod mirror;
pub mod setup;
pub mod status;

use std::time::Duration;

use crate::destination::DestinationTuning;
use crate::env::StopSignal;
use crate::ledger;
use crate::model::ids::DestinationName;
use crate::model::outcome::FailureKind;
use crate::panel::PanelTuning;
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
    /// How often a fresh backup is asked for.
    pub create_poll: Duration,
}

impl Tuning {
    /// The values of real runs.
    pub fn production() -> Self {
        Self {
            panel: PanelTuning::PRODUCTION,
            destination: DestinationTuning::PRODUCTION,
            transfer: transfer::Tuning::PRODUCTION,
            create_poll: Duration::from_secs(5),
        }
    }
}

/// Why a command failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger can't be used, or another run holds it.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
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

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Ledger(error) => error.kind(),
            Self::Config(error) => error.kind(),
            Self::Destination { source, .. } => source.kind(),
            Self::NamesNothing { .. } => FailureKind::NotFound,
            Self::Stopped(_) => FailureKind::Interrupted,
            Self::SamePlace { .. } | Self::NoHttp(_) | Self::Scratch(_) => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Ledger(error) => error.hint(),
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
            Self::Stopped(_) => "run it again".to_owned(),
            Self::NoHttp(error) => error.hint(),
            Self::Scratch(_) => "check the temporary directory".to_owned(),
        }
    }
}
