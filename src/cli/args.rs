//! The command line: what may be typed, and its way into plain [`Flags`].

pub mod ledger;
pub mod mark;
pub mod mirror;
pub mod panel;
pub mod prune;
pub mod restore;
pub mod verify;

use std::path::PathBuf;

use clap::ArgAction;
use clap::Args;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

use crate::cli::args::ledger::LedgerCommand;
use crate::cli::args::mark::AcceptArgs;
use crate::cli::args::mark::KeepArgs;
use crate::cli::args::mark::UnkeepArgs;
use crate::cli::args::mirror::MirrorArgs;
use crate::cli::args::panel::PanelCommand;
use crate::cli::args::prune::PruneArgs;
use crate::cli::args::restore::RestoreArgs;
use crate::cli::args::verify::VerifyArgs;
use crate::cli::help;
use crate::config::flags::FilterFlags;
use crate::config::flags::Flags;
use crate::config::flags::Request;
use crate::config::output::LogFormat;
use crate::config::output::OutputFlags;
use crate::config::output::ResultFormat;
use crate::config::output::Verbosity;
use crate::config::output::When;
use crate::model::selector::ServerSelector;

/// Keeps verified offsite copies of the backups that a Pterodactyl or Pelican panel makes.
#[derive(Debug, Parser)]
#[command(
    name = "nestegg",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = help::NESTEGG_SHORT,
    after_long_help = help::NESTEGG
)]
pub struct Cli {
    /// The flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The configuration file [env: NESTEGG_CONFIG]"
    )]
    pub config: Option<PathBuf>,
    /// The ledger.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help = "The ledger, the record of what is held [env: NESTEGG_LEDGER]"
    )]
    pub ledger: Option<PathBuf>,
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing on stderr unless something is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How diagnostics on stderr are written
    #[arg(long, global = true, value_name = "text|json", hide_possible_values = true, value_enum, default_value_t = LogFormatArg::Text)]
    pub log_format: LogFormatArg,
    /// Progress bars: on a terminal, always, or never
    #[arg(long, global = true, value_name = "auto|always|never", hide_possible_values = true, value_enum, default_value_t = WhenArg::Auto)]
    pub progress: WhenArg,
    /// Colours: on a terminal, always, or never
    #[arg(long, global = true, value_name = "auto|always|never", hide_possible_values = true, value_enum, default_value_t = WhenArg::Auto)]
    pub color: WhenArg,
    /// The form of results.
    #[command(flatten)]
    pub results: ResultArgs,
}

/// The form of results.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct ResultArgs {
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// `--progress` and `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhenArg {
    /// On a terminal
    Auto,
    /// In any case
    Always,
    /// In no case
    Never,
}

impl From<WhenArg> for When {
    fn from(when: WhenArg) -> Self {
        match when {
            WhenArg::Auto => Self::Auto,
            WhenArg::Always => Self::Always,
            WhenArg::Never => Self::Never,
        }
    }
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy completed backups to every destination, verified; never deletes
    #[command(after_help = help::MIRROR)]
    Mirror(Box<MirrorArgs>),
    /// Show how fresh and complete the copies are, per server
    #[command(after_help = help::STATUS)]
    Status(FilterArgs),
    /// List the copies held, from the ledger, or by a destination's own account
    #[command(after_help = help::LIST)]
    List(ListArgs),
    /// Give a verified backup back: as a file, a folder, on a panel's backup disk, into a server
    #[command(after_help = help::RESTORE)]
    Restore(Box<RestoreArgs>),
    /// Read copies back and compare them with what was recorded; repair bad ones
    #[command(after_help = help::VERIFY)]
    Verify(Box<VerifyArgs>),
    /// Thin copies by policy: shows the plan, --apply carries it out
    #[command(after_help = help::PRUNE)]
    Prune(Box<PruneArgs>),
    /// Make the ledger anew, compare it with what is there, hand it out
    #[command(after_help = help::LEDGER, subcommand_required = true, arg_required_else_help = true)]
    Ledger {
        /// What to do with it.
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Keep the copies of backups, whatever a policy says
    #[command(after_help = help::KEEP)]
    Keep(KeepArgs),
    /// Let policies remove the copies of backups again
    #[command(after_help = help::UNKEEP)]
    Unkeep(UnkeepArgs),
    /// Say that a suspicious backup is right as it is, so that its server is pruned again
    #[command(after_help = help::ACCEPT)]
    Accept(AcceptArgs),
    /// Ask a panel for its own backup operations
    #[command(after_help = help::PANEL, subcommand_required = true, arg_required_else_help = true)]
    Panel {
        /// What to ask it for.
        #[command(subcommand)]
        command: Box<PanelCommand>,
    },
    /// Write, show or check the configuration
    #[command(after_help = help::CONFIG, subcommand_required = true, arg_required_else_help = true)]
    Config {
        /// What to do with it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What to do with the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Write a commented starter file, to --config FILE or the default place; overwrites nothing
    Init,
    /// Show the settings in effect, secrets masked, and where each comes from
    Show,
    /// Check the file, the key files and the options, without contacting anything
    Check,
}

/// The flags of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which copies.
    #[command(flatten)]
    pub only: FilterArgs,
    /// List what this holds by its sidecars, without a ledger: a destination of the configuration,
    /// a folder (./offsite), or s3://…, gs://…, az://…
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1.., conflicts_with = "to", help_heading = "From")]
    pub from: Vec<String>,
}

/// The flags of `status`, and of `list` besides `--from`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Only")]
pub struct FilterArgs {
    /// Only servers of these panels
    #[arg(long, value_name = "NAME|URL", num_args = 1..)]
    pub panel: Vec<String>,
    /// Only these servers: short id, uuid, name or name glob
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub server: Vec<ServerSelector>,
    /// Only these destinations, as named in the configuration or typed at the time
    #[arg(long, value_name = "NAME|URL|PATH", num_args = 1..)]
    pub to: Vec<String>,
}

impl GlobalArgs {
    /// How to talk, as typed.
    pub fn output(&self) -> OutputFlags {
        OutputFlags {
            verbosity: match (self.quiet, self.verbose) {
                (true, _) => Verbosity::Quiet,
                (false, 0) => Verbosity::Normal,
                (false, 1) => Verbosity::Verbose,
                (false, _) => Verbosity::Debug,
            },
            log_format: match self.log_format {
                LogFormatArg::Text => LogFormat::Text,
                LogFormatArg::Json => LogFormat::Json,
            },
            progress: self.progress.into(),
            color: self.color.into(),
            results: if self.results.json {
                ResultFormat::Json
            } else {
                ResultFormat::Human
            },
        }
    }
}

impl Cli {
    /// What was typed, for [`crate::config::load`].
    pub fn flags(&self) -> Flags {
        Flags {
            config: self.global.config.clone(),
            ledger: self.global.ledger.clone(),
            request: match &self.command {
                Command::Mirror(args) => Request::Mirror(Box::new(args.flags())),
                Command::Status(args) => Request::Read(args.flags(&[])),
                Command::List(args) => Request::Read(args.only.flags(&args.from)),
                Command::Restore(args) => Request::Restore(Box::new(args.flags())),
                Command::Verify(args) => Request::Verify(Box::new(args.flags())),
                Command::Prune(args) => Request::Prune(Box::new(args.flags())),
                Command::Ledger { command } => command.request(),
                Command::Keep(args) => Request::Mark(Box::new(args.flags())),
                Command::Unkeep(args) => Request::Mark(Box::new(args.flags())),
                Command::Accept(args) => Request::Mark(Box::new(args.flags())),
                Command::Panel { command } => Request::Panel(Box::new(command.flags())),
                Command::Config { command } => match command {
                    ConfigCommand::Init | ConfigCommand::Show => Request::Show,
                    ConfigCommand::Check => Request::Check,
                },
            },
        }
    }
}

impl FilterArgs {
    fn flags(&self, from: &[String]) -> FilterFlags {
        FilterFlags {
            panels: self.panel.clone(),
            servers: self.server.clone(),
            to: self.to.clone(),
            from: from.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::flags::MirrorFlags;
    use crate::config::settings::CreateBackup;
    use crate::exit::Exit;
    use crate::model::backup::DigestNeed;
    use crate::model::outcome::Mode;
    use crate::model::server::ServerScope;
    use crate::model::subset::Share;
    use clap::CommandFactory as _;
    use jiff::SignedDuration;
    use std::time::Duration;

    fn mirror_flags(line: &str) -> MirrorFlags {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Request::Mirror(flags) = cli.flags().request else {
            panic!("{line} is no mirror")
        };
        *flags
    }

    fn refusal(line: &str) -> String {
        Cli::try_parse_from(line.split(' '))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_mirror_arrives() {
        let flags = mirror_flags(
            "nestegg mirror --panel main --panel https://p.example.com --api-key-file k --server a b --server c* \
             --all-servers --exclude test-* --to ./x s3://b/p --newest 3 --since 30d --transfers 4 \
             --limit-rate 20MiB --max-duration 5h --dry-run --require-checksum --shard 1/4 \
             --retry-lock 10m --encrypt-to age1x",
        );
        let selectors = |words: &[&str]| -> Vec<ServerSelector> {
            words.iter().map(|word| word.parse().unwrap()).collect()
        };
        assert_eq!(
            flags,
            MirrorFlags {
                panels: vec!["main".to_owned(), "https://p.example.com".to_owned()],
                api_key_file: Some(PathBuf::from("k")),
                servers: selectors(&["a", "b", "c*"]),
                scope: Some(ServerScope::WholePanel),
                exclude: selectors(&["test-*"]),
                to: vec!["./x".to_owned(), "s3://b/p".to_owned()],
                encrypt_to: vec!["age1x".to_owned()],
                backups: Vec::new(),
                newest: Some(3),
                since: Some(SignedDuration::from_hours(720)),
                transfers: Some(4),
                limit_rate: Some(20 * 1024 * 1024),
                max_duration: Some(Duration::from_hours(5)),
                create: None,
                mode: Some(Mode::DryRun),
                need: Some(DigestNeed::Required),
                shard: Some(Share { index: 1, of: 4 }),
                retry_lock: Some(Duration::from_mins(10)),
                verify_subset: None,
                protect: None,
            }
        );
    }

    #[test]
    fn create_needs_no_name_and_takes_none_from_the_next_word() {
        let flags = mirror_flags("nestegg mirror --create --server a");
        assert_eq!(flags.create, Some(CreateBackup { name: None }));
        let name = Some("nightly".to_owned());
        let flags = mirror_flags("nestegg mirror --create=nightly");
        assert_eq!(flags.create, Some(CreateBackup { name }));
        assert!(refusal("nestegg mirror --create nightly").contains("'nightly'"));
        assert_eq!(mirror_flags("nestegg mirror"), MirrorFlags::default());
    }

    #[test]
    fn bad_values_say_what_a_good_one_looks_like() {
        for (line, words) in [
            ("nestegg mirror --limit-rate fast", "write it like `50MiB`"),
            ("nestegg mirror --since 30", "`30` has no unit; write `30s`"),
            ("nestegg mirror --shard 5/4", "such as `1/4`"),
            ("nestegg mirror --backup latest", "`latest` is not a uuid"),
            (
                "nestegg mirror --transfers 0",
                "a whole number from 1 to 64",
            ),
            ("nestegg mirror --server [a", "is no glob"),
            (
                "nestegg mirror --newest 1 --backup 6fdff738-bf44-4933-824f-489198dda9e6",
                "cannot be used with",
            ),
            ("nestegg mirror --create --shard 1/4", "cannot be used with"),
            ("nestegg mirror --api-key x", "--api-key-file"),
            ("nestegg mirorr", "mirror"),
            ("nestegg -v -q status", "cannot be used with"),
        ] {
            let message = refusal(line);
            assert!(message.contains(words), "{line}: {message}");
        }
    }

    #[test]
    fn global_flags_are_understood_before_and_after_the_command() {
        for line in [
            "nestegg -vv --json --color never --progress always --log-format json status",
            "nestegg status -vv --json --color never --progress always --log-format json",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(
                cli.global.output(),
                OutputFlags {
                    verbosity: Verbosity::Debug,
                    log_format: LogFormat::Json,
                    progress: When::Always,
                    color: When::Never,
                    results: ResultFormat::Json,
                }
            );
        }
        let cli = Cli::try_parse_from(["nestegg", "list", "-q", "--server", "a"]).unwrap();
        assert_eq!(cli.global.output().verbosity, Verbosity::Quiet);
        assert_eq!(
            cli.flags().request,
            Request::Read(FilterFlags {
                servers: vec!["a".parse().unwrap()],
                ..FilterFlags::default()
            })
        );
    }

    #[test]
    fn the_long_help_lists_every_exit_code() {
        let text = Cli::command().render_long_help().to_string();
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Partial,
            Exit::Integrity,
            Exit::Freshness,
            Exit::Limit,
            Exit::Locked,
            Exit::Credentials,
            Exit::Interrupted,
            Exit::Terminated,
        ] {
            let line = format!("\n{:>5}  ", exit.code());
            assert!(text.contains(&line), "{exit:?}\n{text}");
        }
    }
}
