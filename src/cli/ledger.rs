//! The `ledger` commands.

use std::io::Write;

use crate::cli::args::ledger::ExportArgs;
use crate::cli::args::ledger::LedgerCommand;
use crate::cli::ended;
use crate::cli::exit_of;
use crate::cli::fail;
use crate::cli::session::Session;
use crate::cli::session::until_stopped;
use crate::cli::settings;
use crate::config::Environment;
use crate::config::Settings;
use crate::config::flags::Flags;
use crate::config::output::ResultFormat;
use crate::env::Clock;
use crate::env::Env;
use crate::exit::Exit;
use crate::model::outcome::Mode;
use crate::ops;
use crate::ops::Tuning;
use crate::ops::ledger::check::Panels;
use crate::report;
use crate::report::human;
use crate::report::json;
use crate::report::ledger::CheckReport;
use crate::report::ledger::ExportFormat;
use crate::report::ledger::RebuildReport;

/// Carries out one of them.
pub(super) async fn run(
    command: LedgerCommand,
    flags: &Flags,
    environment: &Environment,
    session: &Session,
) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match command {
        LedgerCommand::Rebuild(_) => rebuild(&settings, session).await,
        LedgerCommand::Check(args) => {
            let panels = match args.panel {
                Some(_) => Panels::Asked,
                None => Panels::LeftAlone,
            };
            check(&settings, panels, session).await
        }
        LedgerCommand::Export(args) => export(&settings, &args, session),
    }
}

async fn rebuild(settings: &Settings, session: &Session) -> Exit {
    let env = Env::new(Clock::System);
    match until_stopped(&env, session, rebuild_recorded(settings, &env)).await {
        Ok(Ok((report, exit))) => {
            session.complain(|err| human::errors(&report.errors, session.display.stderr, err));
            session.result(exit, |out| match session.output.results {
                ResultFormat::Json => json::ledger::rebuild(&report, exit.code(), out),
                ResultFormat::Human => {
                    human::ledger::rebuild(&report, session.verbosity, session.display.stdout, out)
                }
            })
        }
        Ok(Err(error)) => fail(&error, session),
        Err(stopped) => stopped,
    }
}

async fn rebuild_recorded(
    settings: &Settings,
    env: &Env,
) -> Result<(RebuildReport, Exit), ops::Error> {
    let open = ops::ledger::open(settings, "ledger rebuild", env).await?;
    let done =
        ops::ledger::rebuild::rebuild(settings, &open.book, env, &Tuning::production()).await;
    let tell = |report: &mut RebuildReport, error| report.errors.push(error);
    let counts = json::ledger::rebuild_counts;
    ended(&open.book, done, Exit::of_rebuild, counts, tell).await
}

async fn check(settings: &Settings, panels: Panels, session: &Session) -> Exit {
    let env = Env::new(Clock::System);
    let (report, exit) =
        match until_stopped(&env, session, check_recorded(settings, panels, &env)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => return fail(&error, session),
            Err(stopped) => return stopped,
        };
    let exit = session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::ledger::check(&report, exit.code(), out),
        ResultFormat::Human => human::ledger::check(&report, session.verbosity, out),
    });
    if session.verbosity == human::Verbosity::Normal {
        session.complain(|err| human::ledger::check_summary(&report, session.display.stderr, err));
    }
    exit
}

async fn check_recorded(
    settings: &Settings,
    panels: Panels,
    env: &Env,
) -> Result<(CheckReport, Exit), ops::Error> {
    let tuning = Tuning::production();
    match settings.mirror.mode {
        Mode::DryRun => {
            let book = ops::ledger::check::read_only(settings, env)?;
            let report = ops::ledger::check::check(settings, &book, env, panels, &tuning).await?;
            let exit = Exit::of_check(&report);
            Ok((report, exit))
        }
        Mode::Apply => {
            let open = ops::ledger::open(settings, "ledger check", env).await?;
            let done = ops::ledger::check::check(settings, &open.book, env, panels, &tuning).await;
            let (code, counts) = match &done {
                Ok(report) => (
                    Exit::of_check(report).code(),
                    json::ledger::check_counts(report),
                ),
                Err(error) => (exit_of(error).code(), serde_json::Value::Null),
            };
            let finished = open.book.finish(code, counts).await;
            let report = done?;
            finished?;
            let exit = Exit::of_check(&report);
            Ok((report, exit))
        }
    }
}

fn export(settings: &Settings, args: &ExportArgs, session: &Session) -> Exit {
    let asked = args.format.map(ExportFormat::from);
    let format = match (asked, session.output.results) {
        (None | Some(ExportFormat::Json), ResultFormat::Json) => ExportFormat::Json,
        (Some(ExportFormat::Sha256Sums | ExportFormat::Csv), ResultFormat::Json) => {
            session.say("error: --json and --format ask for different forms; give one of them");
            return Exit::Usage;
        }
        (Some(format), ResultFormat::Human) => format,
        (None, ResultFormat::Human) => ExportFormat::Sha256Sums,
    };
    let report = match ops::ledger::export::export(settings, format, Env::new(Clock::System).now())
    {
        Ok(report) => report,
        Err(error) => return fail(&error, session),
    };
    let write = |out: &mut dyn Write| match format {
        ExportFormat::Sha256Sums => report::export::sha256sums(&report.copies, out),
        ExportFormat::Csv => report::export::csv(&report.copies, out),
        ExportFormat::Json => json::ledger::export(&report, out),
    };
    match &args.output {
        None => session.result(Exit::Done, write),
        Some(path) => match ops::ledger::export::to_file(path, write) {
            Ok(()) => Exit::Done,
            Err(error) => fail(&error, session),
        },
    }
}
