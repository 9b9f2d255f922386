//! `panel restore`: the panel restores one of its backups itself, and is watched until it is known how
//! that ended (`panel-contract.md` section 5).
//!
//! Order: look (server, backup, archive) → read the log as it is → ask → stop → restore → wait →
//! read the log again → start. A node deletes the files before it looks for the archive, so with
//! `truncate` the archive is looked for first.

mod error;
mod prove;
mod watch;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::Settings;
use crate::config::settings::panel::restore::PanelRestoreJob;
use crate::config::settings::restore::ServerFiles;
use crate::ledger::CopyFilter;
use crate::model::backup::Backup;
use crate::model::backup::CompletedBackup;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::model::text::shown_name;
use crate::ops;
use crate::ops::panel::Parts;
use crate::ops::panel::find::FoundServer;
use crate::ops::panel::find::the_server;
use crate::ops::panel::proof;
use crate::ops::panel::restore::error::Error;
use crate::ops::panel::restore::watch::Log;
use crate::ops::panel::restore::watch::Seen;
use crate::ops::panel::restore::words::is_refusal;
use crate::ops::power;
use crate::ops::power::StopPatience;
use crate::ops::restore::panel::consent;
use crate::ops::restore::panel::consent::Asker;
use crate::ops::restore::panel::consent::Consent;
use crate::ops::restore::panel::consent::Deed;
use crate::panel;
use crate::panel::Call;
use crate::panel::PanelClient;
use crate::panel::PowerState;
use crate::panel::Signal;
use crate::panel::Truncate;
use crate::plan::to_panel::Files;
use crate::report::panel::restore::PanelRestoreReport;
use crate::report::panel::restore::RestoreState;
use crate::report::panel::restore::ServerPower;

/// A server's name is shown up to this length.
const SHOWN_CHARACTERS: usize = 60;

/// Waits of a restore by the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PanelRestoreTuning {
    /// How often it is looked whether the server is restoring still.
    pub poll: Duration,
    /// How long the log may take to tell the end, once the server is restoring no more.
    pub log_patience: Duration,
}

impl PanelRestoreTuning {
    /// The values of real runs.
    pub const PRODUCTION: Self = Self {
        poll: Duration::from_secs(3),
        // Panels clear the state and write the log one after the other.
        log_patience: Duration::from_secs(15),
    };
}

/// Has the panel restore one backup, and says how that ended.
///
/// # Errors
/// [`ops::Error::NotOneServer`] when no one server is meant, [`ops::Error::Stopped`].
pub async fn restore(
    parts: &Parts,
    settings: &Settings,
    job: &PanelRestoreJob,
    asker: &dyn Asker,
) -> Result<PanelRestoreReport, ops::Error> {
    let started_at = parts.env.now();
    let FoundServer { target, server } = one_server(parts, job).await?;
    let mut restoring = Restoring {
        parts,
        panel: &target.client,
        server: server.id,
        job,
        files: match job.files {
            ServerFiles::Keep => Files::Keep,
            ServerFiles::Truncate => Files::Truncate,
        },
        backup_name: None,
        reached: Reached::Looked,
        ran_before: false,
        power: ServerPower::Untouched,
        notes: Vec::new(),
    };
    let done = restoring.steps(&server, asker).await;
    let held_at = held_at(settings, server.id, job);
    let (end, failure) = restoring.ended(done, &held_at);
    Ok(PanelRestoreReport {
        started_at,
        finished_at: parts.env.now(),
        panel: target.client.name().clone(),
        server: server.id,
        server_name: server.name,
        backup: job.backup,
        backup_name: restoring.backup_name,
        files: restoring.files,
        end,
        power: restoring.power,
        notes: restoring.notes,
        ended: match end {
            RestoreState::Complete => Ended::InFull,
            RestoreState::Failed
            | RestoreState::Unknown
            | RestoreState::UnderWay
            | RestoreState::NotBegun
            | RestoreState::Broken => parts.ended(),
        },
        failure,
        held_at,
    })
}

/// The one server that is meant.
async fn one_server<'p>(
    parts: &'p Parts,
    job: &PanelRestoreJob,
) -> Result<FoundServer<'p>, ops::Error> {
    the_server(parts, &job.server)
        .await
        .map_err(|failures| match parts.env.stopped_by() {
            Some(signal) => ops::Error::Stopped(signal),
            None => ops::Error::NotOneServer { failures },
        })
}

/// Where the ledger has verified copies, as far as it can be read: a word of comfort, no more.
fn held_at(settings: &Settings, server: ServerId, job: &PanelRestoreJob) -> Vec<DestinationName> {
    let filter = CopyFilter {
        servers: Some(BTreeSet::from([server])),
        destinations: None,
    };
    match proof::read(settings, |ledger| ledger.copies(&filter)) {
        Ok(copies) => copies
            .unwrap_or_default()
            .into_iter()
            .filter(|copy| copy.backup == job.backup)
            .map(|copy| copy.destination)
            .collect(),
        Err(error) => {
            tracing::debug!("the ledger can't be asked where else the backup is held: {error}");
            Vec::new()
        }
    }
}

/// How far a restore has come: what a run that ends early must tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Nothing that changes anything.
    Looked,
    /// The server was told to stop, or is off.
    Stopping,
    /// The panel was asked, and nobody knows what came of that.
    Asked,
    /// The node has begun.
    Begun,
    /// The panel says that the server restores no more.
    Over,
}

/// A restore on its way.
struct Restoring<'a> {
    parts: &'a Parts,
    panel: &'a PanelClient,
    server: ServerId,
    job: &'a PanelRestoreJob,
    files: Files,
    backup_name: Option<String>,
    reached: Reached,
    ran_before: bool,
    power: ServerPower,
    notes: Vec<String>,
}

impl Restoring<'_> {
    async fn steps(&mut self, server: &Server, asker: &dyn Asker) -> Result<Seen, Error> {
        if server.state != ServerState::Ready {
            return Err(panel::Error::ServerState {
                call: Call::RestoreBackup(self.job.backup),
                state: server.state,
            }
            .into());
        }
        let backup = self.backup().await?;
        let name = backup.record.name.clone();
        self.backup_name = Some(name.clone());
        if self.files == Files::Truncate {
            self.prove(&backup).await?;
        }
        let now = self
            .unless_stopped(self.panel.resources(&self.server))
            .await?;
        let log = self.log().await?;
        self.ask(server, asker).await?;
        self.ran_before = match now.state {
            PowerState::Running | PowerState::Starting => true,
            PowerState::Offline | PowerState::Stopping | PowerState::Other => false,
        };
        self.stop(now.state).await?;
        self.begin(&log, &name).await?;
        let seen = watch::until_ended(self, &log, &name).await?;
        match seen {
            Seen::Complete => self.start().await?,
            Seen::Failed | Seen::Unknown { .. } => {}
        }
        Ok(seen)
    }

    /// The backup, if there is an archive to restore: panels let a failed one pass, and the node then
    /// deletes the files and finds nothing.
    async fn backup(&self) -> Result<CompletedBackup, Error> {
        let read = self.panel.backup(&self.server, &self.job.backup);
        match self.unless_stopped(read).await? {
            Backup::Completed(backup) => Ok(backup),
            Backup::Pending(_) => Err(Error::NotCompleted),
            Backup::Failed(_) => Err(Error::BackupFailed),
        }
    }

    /// The log as it is before; a panel that does not show it can't tell how the restore ends.
    async fn log(&mut self) -> Result<Log, Error> {
        let read = async { Ok::<_, Error>(self.panel.restores_logged(&self.server).await) };
        match self.unless_stopped(read).await? {
            Ok(before) => Ok(Log::Readable(before)),
            Err(
                error @ (panel::Error::Permission { .. }
                | panel::Error::KeyForbidden { .. }
                | panel::Error::NoActivityLog { .. }),
            ) => Ok(Log::Closed(error)),
            Err(error) => Err(error.into()),
        }
    }

    async fn ask(&self, server: &Server, asker: &dyn Asker) -> Result<(), Error> {
        let name = shown_name(&server.name, SHOWN_CHARACTERS);
        let root = self
            .unless_stopped(self.panel.list_files(&self.server, "/"))
            .await?;
        let deed = Deed::on_files(&name, self.server, root.len(), self.files);
        let words = deed.words;
        let consent = async { Ok::<_, Error>(asker.may(deed).await) };
        let hint = match self.unless_stopped(consent).await? {
            Consent::Given => return Ok(()),
            Consent::Declined => "type the server's name exactly, or give --yes",
            Consent::NobodyThere => consent::NOBODY_THERE,
        };
        Err(Error::NotAgreed { deed: words, hint })
    }

    async fn stop(&mut self, state: PowerState) -> Result<(), Error> {
        let tuning = &self.parts.tuning.to_panel;
        let patience = StopPatience {
            poll: tuning.power_poll,
            limit: tuning.stop_patience,
        };
        let cancel = &self.parts.env.cancel;
        let (reached, power) = (&mut self.reached, &mut self.power);
        let ran_before = self.ran_before;
        power::stop(self.panel, &self.server, state, patience, cancel, || {
            *reached = Reached::Stopping;
            if ran_before {
                *power = ServerPower::LeftStopped;
            }
        })
        .await?;
        Ok(())
    }

    /// Asks the panel. An answer that was lost, and an error that may have come after the deed, leave
    /// it to the server's state and the log whether the restore is under way, or over.
    async fn begin(&mut self, log: &Log, name: &str) -> Result<(), Error> {
        if self.parts.env.cancel.is_cancelled() {
            return Err(Error::Interrupted);
        }
        self.reached = Reached::Asked;
        let truncate = match self.files {
            Files::Keep => Truncate::Nothing,
            Files::Truncate => Truncate::Everything,
        };
        let asked = self
            .panel
            .restore_backup(&self.server, &self.job.backup, truncate)
            .await;
        let error = match asked {
            Ok(()) => {
                self.reached = Reached::Begun;
                return Ok(());
            }
            Err(error) => error,
        };
        if is_refusal(&error) {
            self.reached = Reached::Stopping;
            self.start_after_refusal().await;
            return Err(Error::Refused(error));
        }
        if !watch::has_begun(self, log, name).await {
            return Err(error.into());
        }
        self.notes.push(format!(
            "the panel's answer was an error, and the restore was under way all the same: {error}"
        ));
        self.reached = Reached::Begun;
        Ok(())
    }

    async fn start(&mut self) -> Result<(), Error> {
        if !self.ran_before {
            return Ok(());
        }
        // Not given up when the run is told to stop: nothing would start the server later.
        self.panel
            .signal(&self.server, Signal::Start)
            .await
            .map_err(Error::NotStarted)?;
        self.power = ServerPower::StartedAgain;
        Ok(())
    }

    /// Nothing was changed but the power.
    async fn start_after_refusal(&mut self) {
        if let Err(error) = self.start().await {
            self.notes.push(error.to_string());
        }
    }

    /// Waits, unless the run is told to stop.
    async fn pause(&self, wait: Duration) -> Result<(), Error> {
        self.unless_stopped(async {
            tokio::time::sleep(wait).await;
            Ok::<_, Error>(())
        })
        .await
    }

    /// Does it, unless the run is told to stop.
    async fn unless_stopped<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.parts.env.cancel.cancelled() => Err(Error::Interrupted),
            done = work => done.map_err(Into::into),
        }
    }
}
