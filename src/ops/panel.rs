//! `nestegg panel`: the panel's own operations on its backups.

pub mod backups;
pub mod create;
pub mod delete;
pub mod find;
pub mod gone;
pub mod lock;
pub mod proof;
pub mod restore;
pub mod servers;
pub mod trim;

use crate::config::Settings;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::Ledger;
use crate::ledger::NamedBackup;
use crate::model::ids::BackupId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Skipped;
use crate::model::outcome::chain;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::mirror::PanelTarget;
use crate::ops::setup;
use crate::report::panel::ServerRef;

/// How many servers are asked about at once; the panel's rate limit is the real bound.
const SERVERS_AT_ONCE: usize = 8;

/// What a `panel` command stands on.
#[derive(Debug)]
pub struct Parts {
    /// Clock, and who may stop it.
    pub env: Env,
    /// Waits.
    pub tuning: Tuning,
    /// The panels, and which of their servers are meant.
    pub targets: Vec<PanelTarget>,
    /// Why others could not even be set up.
    pub failures: Vec<Failure>,
}

/// Puts together what a `panel` command stands on; what can't be set up becomes a failure of it.
pub fn parts(settings: &Settings, env: Env, tuning: Tuning) -> Parts {
    let mut targets = Vec::new();
    let mut failures = Vec::new();
    for panel in &settings.panels {
        match setup::target(panel, &tuning) {
            Ok(target) => targets.push(target),
            Err(failure) => failures.push(failure),
        }
    }
    Parts {
        env,
        tuning,
        targets,
        failures,
    }
}

/// The ledger, for a command that can do without: one that can't be read is told as a warning.
pub fn ledger_if_any(settings: &Settings) -> Option<Ledger> {
    // There is no home, so there is no ledger.
    if settings.ledger.as_os_str().is_empty() {
        return None;
    }
    match Ledger::open_read_only(&settings.ledger) {
        Ok(ledger) => Some(ledger),
        Err(ledger::Error::NoLedger { .. }) => None,
        Err(error) => {
            tracing::warn!("going on without the ledger: {}", chain(&error));
            None
        }
    }
}

/// What the ledger knows of backups; nothing where there is no ledger.
///
/// # Errors
/// [`Error::Ledger`] when there is one and it can't be asked.
pub fn known(settings: &Settings, backups: &[BackupId]) -> Result<Vec<NamedBackup>, Error> {
    match ledger_if_any(settings) {
        Some(ledger) => Ok(ledger.backups_named(backups)?),
        None => Ok(Vec::new()),
    }
}

impl Parts {
    /// How the command ended, as far as signals go.
    fn ended(&self) -> Ended {
        match self.env.stopped_by() {
            Some(StopSignal::Interrupt) => Ended::BySigint,
            Some(StopSignal::Terminate) => Ended::BySigterm,
            None => Ended::InFull,
        }
    }

    /// Waits for an answer, unless the command is told to stop before: then `None`. For calls that
    /// change nothing; one that was sent and could change something is waited for.
    async fn unless_stopped<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.env.cancel.cancelled() => None,
            answer = answer => Some(answer),
        }
    }
}

/// A server that is left out, because its state refuses backup calls.
fn left_out(target: &PanelTarget, server: &Server, state: ServerState) -> Skipped {
    Skipped {
        panel: target.client.name().clone(),
        server: server.id,
        server_name: server.name.clone(),
        backup: None,
        why: format!("the server is {state}"),
    }
}

/// A server as reports name it.
fn server_ref(target: &PanelTarget, server: &Server) -> ServerRef {
    ServerRef {
        panel: target.client.name().clone(),
        server: server.id,
        identifier: server.identifier.clone(),
        name: server.name.clone(),
    }
}
