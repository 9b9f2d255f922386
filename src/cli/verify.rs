//! `nestegg verify`, from the flags to the exit code.

use std::sync::Arc;

use crate::cli::ended;
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
use crate::ops;
use crate::ops::Tuning;
use crate::ops::mirror::book::Book;
use crate::ops::setup;
use crate::report::VerifyReport;
use crate::report::human;
use crate::report::json;
use crate::transfer::observer::Observer;

pub(super) async fn verify(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let env = Env::new(Clock::System);
    let work = Box::pin(recorded(settings, env.clone(), session));
    match until_stopped(&env, session, work).await {
        Ok(Ok((report, exit))) => tell(&report, exit, session),
        Ok(Err(error)) => fail(&error, session),
        Err(exit) => exit,
    }
}

/// Runs the op, and ends its run in the ledger with the code that the process will end with.
async fn recorded(
    settings: Settings,
    env: Env,
    session: &Session,
) -> Result<(VerifyReport, Exit), ops::Error> {
    setup::has_ledger(&settings)?;
    let open = setup::ledger(&settings, "verify", &env).await?;
    let observer: Arc<dyn Observer> = Arc::new(session.progress.clone());
    let done = into(&settings, &open.book, env, observer).await;
    let tell = |report: &mut VerifyReport, error| report.errors.push(error);
    ended(&open.book, done, Exit::of_verify, json::verify_counts, tell).await
}

async fn into(
    settings: &Settings,
    book: &Book,
    env: Env,
    observer: Arc<dyn Observer>,
) -> Result<VerifyReport, ops::Error> {
    let tuning = Tuning::production();
    let parts = setup::verify_parts(settings, book.clone(), env, observer, tuning).await?;
    ops::verify::run(parts, settings).await
}

fn tell(report: &VerifyReport, exit: Exit, session: &Session) -> Exit {
    session.complain(|err| human::verify_errors(report, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::verify(report, exit.code(), out),
        ResultFormat::Human => {
            human::verify_summary(report, session.verbosity, session.display.stdout, out)
        }
    })
}
