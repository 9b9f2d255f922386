//! `nestegg panel …`: from flags to a report, and how it is told.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::confirm;
use crate::cli::fail;
use crate::cli::progress::Tty;
use crate::cli::session::Session;
use crate::cli::session::until_stopped;
use crate::cli::settings;
use crate::config::Environment;
use crate::config::Settings;
use crate::config::flags::Flags;
use crate::config::output::ResultFormat;
use crate::config::settings::panel::PanelTask;
use crate::config::settings::restore::Consent;
use crate::env::Clock;
use crate::env::Env;
use crate::exit::Exit;
use crate::model::backup::BackupRecord;
use crate::model::outcome::Failure;
use crate::ops;
use crate::ops::Tuning;
use crate::ops::panel;
use crate::ops::panel::create::Watch;
use crate::ops::restore::panel::consent::Agreed;
use crate::ops::restore::panel::consent::Asker;
use crate::report::human;
use crate::report::human::Verbosity;
use crate::report::json;
use crate::report::panel::BackupsReport;
use crate::report::panel::CreateReport;
use crate::report::panel::LockReport;
use crate::report::panel::ServerRef;
use crate::report::panel::ServersReport;
use crate::report::panel::delete::DeleteReport;
use crate::report::panel::restore::PanelRestoreReport;
use crate::report::panel::trim::TrimReport;

/// What came of it.
enum Answer {
    Servers(ServersReport),
    Backups(BackupsReport),
    Create(Box<CreateReport>),
    SetLock(LockReport),
    Deleted(DeleteReport),
    Restored(Box<PanelRestoreReport>),
    Trimmed(TrimReport),
}

/// Carries out one `panel` command.
pub(super) async fn run(flags: &Flags, environment: &Environment, session: &Session) -> Exit {
    let settings = match settings(flags, environment, session) {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    let Some(task) = &settings.panel_task else {
        session.say("error: nothing says what the panel is asked for");
        return Exit::Usage;
    };
    let env = Env::new(Clock::System);
    let work = Box::pin(answer(&settings, task, env.clone(), session));
    match until_stopped(&env, session, work).await {
        Ok(Ok(Answer::Servers(report))) => tell_servers(&report, session),
        Ok(Ok(Answer::Backups(report))) => tell_backups(&report, session),
        Ok(Ok(Answer::Create(report))) => tell_create(&report, session),
        Ok(Ok(Answer::SetLock(report))) => tell_lock(&report, session),
        Ok(Ok(Answer::Deleted(report))) => tell_deleted(&report, session),
        Ok(Ok(Answer::Restored(report))) => tell_restored(&report, session),
        Ok(Ok(Answer::Trimmed(report))) => tell_trimmed(&report, session),
        Ok(Err(error)) => fail(&error, session),
        Err(exit) => exit,
    }
}

async fn answer(
    settings: &Settings,
    task: &PanelTask,
    env: Env,
    session: &Session,
) -> Result<Answer, ops::Error> {
    let parts = panel::parts(settings, env, Tuning::production());
    match task {
        PanelTask::Servers => Ok(Answer::Servers(panel::servers::servers(&parts).await)),
        PanelTask::Backups => {
            let ledger = panel::ledger_if_any(settings);
            let report = panel::backups::backups(&parts, ledger).await?;
            Ok(Answer::Backups(report))
        }
        PanelTask::Create(task) => {
            let watch = Told { session };
            let report = panel::create::create(&parts, task, &watch).await;
            Ok(Answer::Create(Box::new(report)))
        }
        PanelTask::SetLock(task) => {
            let known = panel::known(settings, &task.backups)?;
            let report = panel::lock::set_locks(&parts, &known, task).await;
            Ok(Answer::SetLock(report))
        }
        PanelTask::Delete(job) => {
            let asker = asker(job.consent, session);
            let report = panel::delete::delete(&parts, settings, job, &*asker).await?;
            Ok(Answer::Deleted(report))
        }
        PanelTask::Restore(job) => {
            let asker = asker(job.consent, session);
            let report = panel::restore::restore(&parts, settings, job, &*asker).await?;
            Ok(Answer::Restored(Box::new(report)))
        }
        PanelTask::Trim(job) => {
            let report = panel::trim::trim(&parts, settings, *job).await?;
            Ok(Answer::Trimmed(report))
        }
    }
}

/// Tells a person at a terminal what is being waited for.
#[derive(Debug)]
struct Told<'s> {
    session: &'s Session,
}

impl Watch for Told<'_> {
    fn waiting(&self, server: &ServerRef, backup: &BackupRecord, patience: Duration) {
        if self.session.stderr_tty() == Tty::Yes && self.session.verbosity == Verbosity::Normal {
            self.session
                .complain(|err| human::panel::waiting(server, backup, patience, err));
        }
    }
}

fn tell_servers(report: &ServersReport, session: &Session) -> Exit {
    let exit = Exit::of_panel(report.ended, &report.errors, report.servers.len());
    session.complain(|err| human::errors(&report.errors, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::servers(report, exit.code(), out),
        ResultFormat::Human => human::panel::servers(report, session.display.stdout, out),
    })
}

fn tell_backups(report: &BackupsReport, session: &Session) -> Exit {
    let exit = Exit::of_panel(report.ended, &report.errors, report.servers.len());
    session.complain(|err| {
        if session.verbosity == Verbosity::Normal {
            human::panel::skipped(&report.skipped, session.display.stderr, err)?;
        }
        human::errors(&report.errors, session.display.stderr, err)
    });
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::backups(report, exit.code(), out),
        ResultFormat::Human => human::panel::backups(report, session.display.stdout, out),
    })
}

fn tell_create(report: &CreateReport, session: &Session) -> Exit {
    let exit = Exit::of_create(report);
    session.complain(|err| {
        human::errors(&report.errors, session.display.stderr, err)?;
        human::panel::create_notes(report, session.display.stderr, err)
    });
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::create(report, exit.code(), out),
        ResultFormat::Human => {
            human::panel::create(report, session.verbosity, session.display.stdout, out)
        }
    })
}

fn tell_lock(report: &LockReport, session: &Session) -> Exit {
    let exit = Exit::of_panel(report.ended, &report.errors, report.as_wanted());
    session.complain(|err| human::errors(&report.errors, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::lock(report, exit.code(), out),
        ResultFormat::Human => {
            human::panel::lock(report, session.verbosity, session.display.stdout, out)
        }
    })
}

/// Whoever is asked before what can't be undone.
fn asker(consent: Consent, session: &Session) -> Arc<dyn Asker> {
    match consent {
        Consent::Given => Arc::new(Agreed),
        Consent::ToBeAsked => confirm::asker(session),
    }
}

fn tell_deleted(report: &DeleteReport, session: &Session) -> Exit {
    let exit = Exit::of_delete(report);
    let failures: Vec<Failure> = report.failures().cloned().collect();
    session.complain(|err| human::errors(&failures, session.display.stderr, err));
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::delete(report, exit.code(), out),
        ResultFormat::Human => {
            human::panel::delete(report, session.verbosity, session.display.stdout, out)
        }
    })
}

fn tell_restored(report: &PanelRestoreReport, session: &Session) -> Exit {
    let exit = Exit::of_panel_restore(report);
    session.complain(|err| {
        let failures = report.failure.as_slice();
        human::errors(failures, session.display.stderr, err)
    });
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::restore(report, exit.code(), out),
        ResultFormat::Human => {
            human::panel::restore(report, session.verbosity, session.display.stdout, out)
        }
    })
}

fn tell_trimmed(report: &TrimReport, session: &Session) -> Exit {
    let exit = Exit::of_trim(report);
    let failures: Vec<Failure> = report.failures().cloned().collect();
    session.complain(|err| {
        if session.verbosity == Verbosity::Normal {
            human::panel::skipped(&report.skipped, session.display.stderr, err)?;
        }
        human::errors(&failures, session.display.stderr, err)
    });
    session.result(exit, |out| match session.output.results {
        ResultFormat::Json => json::panel::trim(report, exit.code(), out),
        ResultFormat::Human => {
            human::panel::trim(report, session.verbosity, session.display.stdout, out)
        }
    })
}
