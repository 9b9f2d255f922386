//! `keep`, `unkeep` and `accept`, from the flags to the exit code.

use crate::cli::ended;
use crate::cli::fail;
use crate::cli::session::Session;
use crate::cli::session::until_stopped;
use crate::cli::settings;
use crate::config::Environment;
use crate::config::Settings;
use crate::config::flags::Flags;
use crate::config::flags::mark::MarkFlags;
use crate::config::output::ResultFormat;
use crate::config::settings::mark::MarkSettings;
use crate::env::Clock;
use crate::env::Env;
use crate::exit::Exit;
use crate::ops;
use crate::ops::Tuning;
use crate::ops::setup;
use crate::report::human;
use crate::report::json;
use crate::report::mark::MarkReport;

pub(super) async fn mark(
    asked: MarkFlags,
    flags: &Flags,
    environment: &Environment,
    session: &Session,
) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let env = Env::new(Clock::System);
    let work = Box::pin(recorded(&settings, &asked.wanted, &env));
    match until_stopped(&env, session, work).await {
        Ok(Ok((report, exit))) => {
            let failures: Vec<_> = report.failures().cloned().collect();
            session.complain(|err| human::errors(&failures, session.display.stderr, err));
            session.result(exit, |out| match session.output.results {
                ResultFormat::Json => json::mark::mark(&report, exit.code(), out),
                ResultFormat::Human => {
                    human::mark::mark(&report, session.verbosity, session.display.stdout, out)
                }
            })
        }
        Ok(Err(error)) => fail(&error, session),
        Err(stopped) => stopped,
    }
}

/// Runs the op, and ends its run in the ledger with the code that the process will end with.
async fn recorded(
    settings: &Settings,
    wanted: &MarkSettings,
    env: &Env,
) -> Result<(MarkReport, Exit), ops::Error> {
    setup::has_ledger(settings)?;
    let open = setup::ledger(settings, wanted.action.as_str(), env).await?;
    let done = ops::mark::mark(settings, wanted, &open.book, env, &Tuning::production()).await;
    let tell = |report: &mut MarkReport, error| report.errors.push(error);
    ended(&open.book, done, Exit::of_mark, json::mark::counts, tell).await
}
