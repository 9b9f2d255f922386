//! The flags of the `ledger` commands.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;

use crate::cli::help;
use crate::config::flags::FilterFlags;
use crate::config::flags::Request;
use crate::config::flags::ledger::LedgerFlags;
use crate::config::value;
use crate::model::outcome::Mode;
use crate::model::selector::ServerSelector;
use crate::report::ledger::ExportFormat;

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Make a lost ledger anew from what the destinations hold
    #[command(after_help = help::LEDGER_REBUILD)]
    Rebuild(RebuildArgs),
    /// Compare the ledger with what the destinations hold, and with what the panels list
    #[command(after_help = help::LEDGER_CHECK)]
    Check(CheckArgs),
    /// Hand out what is recorded: SHA256SUMS, CSV or JSON
    #[command(after_help = help::LEDGER_EXPORT)]
    Export(ExportArgs),
}

/// The flags of `ledger rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Only from these: a destination of the configuration, a folder (./offsite), or s3://…, gs://…, az://…; default: all of the configuration
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub from: Vec<String>,
    /// Wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait)]
    pub retry_lock: Option<Duration>,
}

/// The flags of `ledger check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Only these: a destination of the configuration, a folder (./offsite), or s3://…, gs://…, az://…; default: all of the configuration
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
    /// Only these servers: short id, uuid, name or name glob
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// Ask panels too: all of the configuration, or only these
    #[arg(long, value_name = "NAME|URL", num_args = 0..)]
    pub panel: Option<Vec<String>>,
    /// A file that holds the panel's client API key and nothing else
    #[arg(long, value_name = "FILE", requires = "panel")]
    pub api_key_file: Option<PathBuf>,
    /// Mend the ledger: adopt what is unknown, mark as lost what is missing
    #[arg(long)]
    pub fix: bool,
    /// With --fix, wait this long for another run to end, such as 10m [default: not at all]
    #[arg(long, value_name = "DURATION", value_parser = value::wait, requires = "fix")]
    pub retry_lock: Option<Duration>,
}

/// The flags of `ledger export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// In which form [default: sha256sums, or json with --json]
    #[arg(
        long,
        value_name = "sha256sums|csv|json",
        hide_possible_values = true,
        value_enum
    )]
    pub format: Option<FormatArg>,
    /// Only copies at these destinations, as named in the configuration or typed at the time; one for sha256sums
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
    /// Write this file instead of standard output; it is replaced once the new one is whole
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// As `sha256sum` writes and checks it
    Sha256sums,
    /// A row a copy
    Csv,
    /// One document
    Json,
}

impl From<FormatArg> for ExportFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Sha256sums => Self::Sha256Sums,
            FormatArg::Csv => Self::Csv,
            FormatArg::Json => Self::Json,
        }
    }
}

impl LedgerCommand {
    /// What was typed, as far as settings depend on it.
    pub fn request(&self) -> Request {
        match self {
            Self::Rebuild(RebuildArgs { from, retry_lock }) => {
                Request::Ledger(Box::new(LedgerFlags {
                    places: from.clone(),
                    places_flag: "--from",
                    servers: Vec::new(),
                    panels: None,
                    api_key_file: None,
                    mode: Mode::Apply,
                    retry_lock: *retry_lock,
                }))
            }
            Self::Check(CheckArgs {
                to,
                server,
                panel,
                api_key_file,
                fix,
                retry_lock,
            }) => Request::Ledger(Box::new(LedgerFlags {
                places: to.clone(),
                places_flag: "--to",
                servers: server.clone(),
                panels: panel.clone(),
                api_key_file: api_key_file.clone(),
                mode: if *fix { Mode::Apply } else { Mode::DryRun },
                retry_lock: *retry_lock,
            })),
            Self::Export(ExportArgs { to, .. }) => Request::Read(FilterFlags {
                to: to.clone(),
                ..FilterFlags::default()
            }),
        }
    }
}
