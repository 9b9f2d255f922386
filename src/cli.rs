//! What was typed, nothing more; `run` picks the op.

pub mod args;
pub mod confirm;
pub mod help;
pub mod ledger;
mod mark;
mod panel;
pub mod progress;
mod prune;
mod restore;
pub mod session;
mod verify;

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use clap::Parser as _;

use crate::cli::args::Cli;
use crate::cli::args::Command;
use crate::cli::args::ConfigCommand;
use crate::cli::session::Session;
use crate::cli::session::Streams;
use crate::cli::session::until_stopped;
use crate::config;
use crate::config::Environment;
use crate::config::Settings;
use crate::config::flags::Flags;
use crate::config::output::ResultFormat;
use crate::env::Clock;
use crate::env::Env;
use crate::env::StopSignal;
use crate::exit::Exit;
use crate::model::outcome::Failure;
use crate::ops;
use crate::ops::Tuning;
use crate::ops::mirror::book::Book;
use crate::ops::setup;
use crate::report::MirrorReport;
use crate::report::human;
use crate::report::json;
use crate::transfer::observer::Observer;

/// Carries out one command line.
pub async fn run<I>(args: I, environment: Environment, streams: Streams) -> Exit
where
    I: IntoIterator<Item: Into<OsString> + Clone>,
{
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(answer) => return parse_answer(&answer, &streams),
    };
    let session = Session::begin(cli.global.output(), &environment, streams);
    let flags = cli.flags();
    match cli.command {
        Command::Mirror(_) => mirror(&flags, &environment, &session).await,
        Command::Verify(_) => verify::verify(&flags, &environment, &session).await,
        Command::Status(_) => status(&flags, &environment, &session),
        Command::List(_) => list(&flags, &environment, &session).await,
        Command::Restore(_) => restore::run(&flags, &environment, &session).await,
        Command::Prune(_) => prune::prune(&flags, &environment, &session).await,
        Command::Ledger { command } => ledger::run(command, &flags, &environment, &session).await,
        Command::Keep(args) => mark::mark(args.flags(), &flags, &environment, &session).await,
        Command::Unkeep(args) => mark::mark(args.flags(), &flags, &environment, &session).await,
        Command::Accept(args) => mark::mark(args.flags(), &flags, &environment, &session).await,
        Command::Panel { .. } => panel::run(&flags, &environment, &session).await,
        Command::Config { command } => configure(command, &flags, &environment, &session).await,
    }
}

/// Help and version are results; anything else that the parser says is a complaint.
fn parse_answer(answer: &clap::Error, streams: &Streams) -> Exit {
    let text = answer.render();
    let (stream, exit) = if answer.use_stderr() {
        (&streams.stderr, Exit::Usage)
    } else {
        (&streams.stdout, Exit::Done)
    };
    let tty = if answer.use_stderr() {
        streams.stderr_tty
    } else {
        streams.stdout_tty
    };
    let written = stream.with(|out| {
        match tty {
            progress::Tty::Yes => write!(out, "{}", text.ansi())?,
            progress::Tty::No => write!(out, "{text}")?,
        }
        out.flush()
    });
    match written {
        // A reader that went away has seen what it wanted; a complaint is the exit code's too.
        Err(error) if exit == Exit::Done && error.kind() != io::ErrorKind::BrokenPipe => {
            streams.complain(&format!("error: could not write the result: {error}"))
        }
        Ok(()) | Err(_) => exit,
    }
}

/// Reads flags, environment and file; says what is wrong, or what is suspicious.
fn settings(flags: &Flags, environment: &Environment, session: &Session) -> Result<Settings, Exit> {
    match config::load(flags, environment) {
        Ok(settings) => {
            for warning in &settings.warnings {
                tracing::warn!("{warning}");
            }
            Ok(settings)
        }
        Err(error) => {
            session.say(&format!("error: {}", error.explain()));
            Err(Exit::Usage)
        }
    }
}

async fn mirror(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let env = Env::new(Clock::System);
    let work = Box::pin(mirror_recorded(settings, env.clone(), session));
    match until_stopped(&env, session, work).await {
        Ok(Ok((report, exit))) => tell_mirror(&report, exit, session),
        Ok(Err(error)) => fail(&error, session),
        Err(exit) => exit,
    }
}

/// Runs the op, and ends its run in the ledger with the code that the process will end with.
async fn mirror_recorded(
    settings: Settings,
    env: Env,
    session: &Session,
) -> Result<(MirrorReport, Exit), ops::Error> {
    let open = setup::ledger(&settings, "mirror", &env).await?;
    let observer: Arc<dyn Observer> = Arc::new(session.progress.clone());
    let done = mirror_into(settings, &open.book, env, observer).await;
    let tell = |report: &mut MirrorReport, error| report.errors.push(error);
    ended(&open.book, done, Exit::of_mirror, json::counts, tell).await
}

/// Ends a run in the ledger with the code that the process will end with; that it could not be ended is one more
/// failure to `tell`, unless the run came to nothing anyway.
async fn ended<R>(
    book: &Book,
    done: Result<R, ops::Error>,
    exit: fn(&R) -> Exit,
    counts: fn(&R) -> serde_json::Value,
    tell: fn(&mut R, Failure),
) -> Result<(R, Exit), ops::Error> {
    let (code, counted) = match &done {
        Ok(report) => (exit(report).code(), counts(report)),
        Err(error) => (exit_of(error).code(), serde_json::Value::Null),
    };
    let finished = book.finish(code, counted).await;
    match (done, finished) {
        (Ok(mut report), Err(error)) => {
            tell(&mut report, ops::mirror::unrecorded(&error));
            let exit = exit(&report);
            Ok((report, exit))
        }
        (Ok(report), Ok(())) => {
            let exit = exit(&report);
            Ok((report, exit))
        }
        (Err(error), finished) => {
            if let Err(unfinished) = finished {
                tracing::debug!("the run could not be ended in the ledger: {unfinished}");
            }
            Err(error)
        }
    }
}

async fn mirror_into(
    settings: Settings,
    book: &Book,
    env: Env,
    observer: Arc<dyn Observer>,
) -> Result<MirrorReport, ops::Error> {
    let tuning = Tuning::production();
    let parts = setup::parts(&settings, book.clone(), env, observer, tuning).await?;
    ops::mirror::run(parts, settings.mirror).await
}

fn tell_mirror(report: &MirrorReport, exit: Exit, session: &Session) -> Exit {
    session.complain(|err| human::mirror_errors(report, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::mirror(report, exit.code(), out),
        ResultFormat::Human => {
            human::mirror_summary(report, session.verbosity, session.display.stdout, out)
        }
    })
}

fn status(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match ops::status::status(&settings, Env::new(Clock::System).now()) {
        Ok(report) => {
            let exit = Exit::of_status(&report);
            session.result(exit, |out| match session.output.results {
                ResultFormat::Json => json::status(&report, exit.code(), out),
                ResultFormat::Human => human::status(&report, session.display.stdout, out),
            })
        }
        Err(error) => fail(&error, session),
    }
}

async fn list(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match ops::list::list(&settings, &Tuning::production()).await {
        Ok(report) => {
            session.complain(|err| human::errors(&report.failures, session.display.stderr, err));
            session.result(Exit::of_list(&report), |out| match session.output.results {
                ResultFormat::Json => json::list(&report, out),
                ResultFormat::Human => human::list(&report, session.display.stdout, out),
            })
        }
        Err(error) => fail(&error, session),
    }
}

async fn configure(
    command: ConfigCommand,
    flags: &Flags,
    environment: &Environment,
    session: &Session,
) -> Exit {
    let format = session.output.results;
    match command {
        ConfigCommand::Init => configured(session, Exit::Done, |out| {
            ops::config::init(flags.config.as_deref(), environment, format, out).map(drop)
        }),
        ConfigCommand::Show => configured(session, Exit::Done, |out| {
            ops::config::show(flags, environment, format, out).map(drop)
        }),
        ConfigCommand::Check => {
            let loaded = config::load(flags, environment);
            let stores = match &loaded {
                Ok(settings) => setup::check_destinations(settings).await,
                Err(_) => Vec::new(),
            };
            let exit = if stores.is_empty() {
                Exit::Done
            } else {
                Exit::Usage
            };
            let exit = configured(session, exit, |out| {
                ops::config::check(loaded, &stores, format, out).map(drop)
            });
            session.complain(|err| human::errors(&stores, session.display.stderr, err));
            exit
        }
    }
}

/// Writes what a `config` command says, and why it failed if it did.
fn configured(
    session: &Session,
    exit: Exit,
    write: impl FnOnce(&mut dyn io::Write) -> Result<(), ops::config::Error>,
) -> Exit {
    let mut failed = None;
    let exit = session.result(exit, |out| match write(out) {
        Ok(()) => Ok(()),
        Err(ops::config::Error::Output(error)) => Err(error),
        Err(ops::config::Error::Config(error)) => {
            failed = Some(error);
            Ok(())
        }
    });
    match failed {
        Some(error) => {
            session.say(&format!("error: {}", error.explain()));
            Exit::Usage
        }
        None => exit,
    }
}

/// Says why a command failed as a whole.
fn fail(error: &ops::Error, session: &Session) -> Exit {
    session.complain(|err| {
        human::errors(error.beneath(), session.display.stderr, err)?;
        human::whole_failure(error, &error.hint(), session.display.stderr, err)
    });
    exit_of(error)
}

fn exit_of(error: &ops::Error) -> Exit {
    match error {
        ops::Error::Stopped(StopSignal::Interrupt) => Exit::Interrupted,
        ops::Error::Stopped(StopSignal::Terminate) => Exit::Terminated,
        ops::Error::Config(_)
        | ops::Error::Destination { .. }
        | ops::Error::SamePlace { .. }
        | ops::Error::SeveralPlaces { .. }
        | ops::Error::NamesNothing { .. }
        | ops::Error::Choice(_)
        | ops::Error::NoBackup(_)
        | ops::Error::Identities(_)
        | ops::Error::Output(_)
        | ops::Error::Extract(_)
        | ops::Error::ToServer { .. }
        | ops::Error::NoPolicy
        | ops::Error::TooFewPlaces { .. }
        | ops::Error::NoPanel => Exit::Usage,
        ops::Error::NothingUsable { failures, .. } => Exit::of_failures(failures),
        ops::Error::NotOneServer { failures, .. } => Exit::of_unfound(failures),
        ops::Error::Ledger(error) if error.is_locked() => Exit::Locked,
        ops::Error::Ledger(_)
        | ops::Error::Panel(_)
        | ops::Error::NobodyToAsk(_)
        | ops::Error::ExportFile { .. }
        | ops::Error::NoHttp(_)
        | ops::Error::Scratch(_) => Exit::of_failure(error.kind()),
    }
}
