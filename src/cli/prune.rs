//! `nestegg prune`, from the flags to the exit code.

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
use crate::report::PruneReport;
use crate::report::human;
use crate::report::json;

pub(super) async fn prune(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let env = Env::new(Clock::System);
    let work = Box::pin(recorded(settings, env.clone()));
    match until_stopped(&env, session, work).await {
        Ok(Ok((report, exit))) => tell(&report, exit, session),
        Ok(Err(error)) => fail(&error, session),
        Err(exit) => exit,
    }
}

/// Runs the op, and ends its run in the ledger with the code that the process will end with; a mere plan
/// has no run.
async fn recorded(settings: Settings, env: Env) -> Result<(PruneReport, Exit), ops::Error> {
    ops::prune::has_policy(&settings)?;
    setup::has_ledger(&settings)?;
    let open = setup::ledger(&settings, "prune", &env).await?;
    let done = into(&settings, &open.book, env).await;
    let tell = |report: &mut PruneReport, error| report.errors.push(error);
    ended(&open.book, done, Exit::of_prune, json::prune_counts, tell).await
}

async fn into(settings: &Settings, book: &Book, env: Env) -> Result<PruneReport, ops::Error> {
    let tuning = Tuning::production();
    let parts = setup::prune_parts(settings, book.clone(), env, &tuning).await?;
    ops::prune::run(parts, settings).await
}

fn tell(report: &PruneReport, exit: Exit, session: &Session) -> Exit {
    session.complain(|err| human::prune_errors(report, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::prune(report, exit.code(), out),
        ResultFormat::Human => {
            human::prune_summary(report, session.verbosity, session.display.stdout, out)
        }
    })
}
