//! `nestegg restore`: from flags to a report, and how it is told.

use std::io;
use std::io::Write;
use std::sync::Arc;

use crate::cli::confirm;
use crate::cli::exit_of;
use crate::cli::fail;
use crate::cli::progress::SharedWriter;
use crate::cli::progress::Tty;
use crate::cli::session::Session;
use crate::cli::session::until_stopped;
use crate::cli::settings;
use crate::config::Environment;
use crate::config::Settings;
use crate::config::flags::Flags;
use crate::config::output::ResultFormat;
use crate::config::settings::restore::Consent;
use crate::config::settings::restore::CopiesFrom;
use crate::config::settings::restore::DrillJob;
use crate::config::settings::restore::Existing;
use crate::config::settings::restore::OutputJob;
use crate::config::settings::restore::OutputTo;
use crate::config::settings::restore::RestoreJob;
use crate::config::settings::restore::RestoreSettings;
use crate::env::Clock;
use crate::env::Env;
use crate::exit::Exit;
use crate::ops;
use crate::ops::Tuning;
use crate::ops::restore::Restore;
use crate::ops::restore::drill::Record;
use crate::ops::restore::panel::consent::Agreed;
use crate::ops::setup;
use crate::report::drill::DrillReport;
use crate::report::human;
use crate::report::json;
use crate::report::restore::RestoreReport;
use crate::report::restore::SheetReport;
use crate::report::restore::TargetKind;
use crate::transfer::observer::Observer;

/// What came of it.
enum Answer {
    Restored(RestoreReport),
    Sheet(SheetReport),
    Drill(DrillReport),
}

/// Carries out one `restore`.
pub(super) async fn run(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let Some(wanted) = &settings.restore else {
        session.say("error: nothing says what to restore");
        return Exit::Usage;
    };
    if let Err(exit) = refuse_to_mix(wanted, session) {
        return exit;
    }
    let env = Env::new(Clock::System);
    let work = Box::pin(answer(&settings, wanted, env.clone(), session));
    match until_stopped(&env, session, work).await {
        Ok(Ok(Answer::Restored(report))) => tell(&report, session),
        Ok(Ok(Answer::Sheet(report))) => tell_sheet(&report, session),
        Ok(Ok(Answer::Drill(report))) => tell_drill(&report, session),
        Ok(Err(error)) => fail(&error, session),
        Err(exit) => exit,
    }
}

/// Refuses to write an archive where something else is due: a document, or a person's eyes.
fn refuse_to_mix(wanted: &RestoreSettings, session: &Session) -> Result<(), Exit> {
    let RestoreJob::Output(OutputJob {
        to: OutputTo::Stdout,
        existing,
        ..
    }) = &wanted.job
    else {
        return Ok(());
    };
    let why = match (session.output.results, session.stdout_tty(), existing) {
        (ResultFormat::Json, _, _) => {
            "--json and `--output -` can't both have standard output\n  fix: restore to a file, or leave out --json"
        }
        (ResultFormat::Human, Tty::Yes, Existing::Keep) => {
            "an archive on a terminal is of no use to anybody\n  fix: name a file, pipe it into a command, or insist with --force"
        }
        (ResultFormat::Human, Tty::Yes | Tty::No, _) => return Ok(()),
    };
    session.say(&format!("error: {why}"));
    Err(Exit::Usage)
}

async fn answer(
    settings: &Settings,
    wanted: &RestoreSettings,
    env: Env,
    session: &Session,
) -> Result<Answer, ops::Error> {
    let observer: Arc<dyn Observer> = Arc::new(session.progress.clone());
    let mut restore = Restore::new(settings, wanted, env, observer, Tuning::production())?;
    match &wanted.job {
        RestoreJob::Output(job) => {
            let stdout = Box::new(Archive(session.stdout()));
            let report = ops::restore::file::restore(&restore, job, stdout).await?;
            Ok(Answer::Restored(report))
        }
        RestoreJob::Extract(job) => {
            let report = ops::restore::extract::restore(&restore, job).await?;
            Ok(Answer::Restored(report))
        }
        RestoreJob::Disk(job) => {
            let report = ops::restore::disk::restore(&restore, job).await?;
            Ok(Answer::Restored(report))
        }
        RestoreJob::Panel(job) => {
            restore.asker = match job.consent {
                Consent::Given => Arc::new(Agreed),
                Consent::ToBeAsked => confirm::asker(session),
            };
            let report = ops::restore::server::restore(&restore, job).await?;
            Ok(Answer::Restored(report))
        }
        RestoreJob::Sheet(job) => {
            let sheet = ops::restore::sheet::sheet(&restore, job).await?;
            Ok(Answer::Sheet(sheet))
        }
        RestoreJob::Drill(job) => Ok(Answer::Drill(drill(&restore, job).await?)),
    }
}

/// Drills, and records it as a run, unless the copies come from `--from`.
async fn drill(restore: &Restore<'_>, job: &DrillJob) -> Result<DrillReport, ops::Error> {
    match restore.wanted.copies {
        CopiesFrom::Sidecars => ops::restore::drill::drill(restore, job, Record::Nowhere).await,
        CopiesFrom::Ledger => {
            let open = setup::ledger(restore.settings, "drill", &restore.shared.env).await?;
            let book = &open.book;
            match ops::restore::drill::drill(restore, job, Record::In(book)).await {
                Ok(mut report) => {
                    let code = Exit::of_drill(&report).code();
                    if let Err(error) = book.finish(code, json::drill_counts(&report)).await {
                        report.errors.push(ops::mirror::unrecorded(&error));
                    }
                    Ok(report)
                }
                Err(error) => {
                    let code = exit_of(&error).code();
                    if let Err(unfinished) = book.finish(code, serde_json::Value::Null).await {
                        tracing::debug!("the run could not be ended in the ledger: {unfinished}");
                    }
                    Err(error)
                }
            }
        }
    }
}

/// Standard output, as bytes.
struct Archive(SharedWriter);

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.with(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.with(|out| out.flush())
    }
}

fn tell(report: &RestoreReport, session: &Session) -> Exit {
    let exit = Exit::of_restore(report);
    session.complain(|err| human::restore_errors(report, session.display.stderr, err));
    match (report.target.kind, session.output.results) {
        // The archive has standard output to itself.
        (TargetKind::Stdout, _) => {
            session.complain(|err| {
                human::restore(report, session.verbosity, session.display.stderr, err)
            });
            exit
        }
        (_, ResultFormat::Json) => {
            session.result(exit, |out| json::restore(report, exit.code(), out))
        }
        (_, ResultFormat::Human) => session.result(exit, |out| {
            human::restore(report, session.verbosity, session.display.stdout, out)
        }),
    }
}

fn tell_drill(report: &DrillReport, session: &Session) -> Exit {
    let exit = Exit::of_drill(report);
    session.complain(|err| human::drill_errors(report, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::drill(report, exit.code(), out),
        ResultFormat::Human => human::drill(report, session.verbosity, session.display.stdout, out),
    })
}

fn tell_sheet(report: &SheetReport, session: &Session) -> Exit {
    session.complain(|err| human::errors(&report.errors, session.display.stderr, err));
    session.result(Exit::Done, |out| match session.output.results {
        ResultFormat::Json => json::sheet(report, out),
        ResultFormat::Human => human::sheet(report, out),
    })
}
