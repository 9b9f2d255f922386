//! Waiting for a backup that is being made.

use std::time::Duration;

use backon::BackoffBuilder as _;
use backon::ExponentialBuilder;
use tokio::time::Instant;

use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::retry::Retry;
use crate::ops::panel::Parts;
use crate::ops::panel::find::FoundServer;
use crate::panel::Error;

/// Waits between two looks grow up to so many times the first.
const SLOWEST: u32 = 6;
/// How fast they grow.
const GROWTH: f32 = 1.5;
/// So many answers in a row may be no panel's: a proxy's page comes and goes.
const STRAYS: u32 = 5;

/// How a wait ended, with the backup as it was last seen.
#[derive(Debug)]
pub(super) enum Waited {
    /// It is completed, or failed.
    Became(Backup),
    /// It is still being made.
    TimedOut(Backup),
    /// The command was told to stop; it is still being made.
    Stopped(Backup),
    /// It was deleted meanwhile.
    Gone(Failure),
    /// It can't be seen any more.
    Lost(Backup, Failure),
}

/// Waits until the backup is completed or failed, so long at most. Looks are tuned by
/// [`crate::ops::Tuning::create_poll`], and become rarer.
pub(super) async fn wait(
    parts: &Parts,
    on: &FoundServer<'_>,
    mut backup: Backup,
    patience: Duration,
) -> Waited {
    let poll = parts.tuning.create_poll;
    let mut waits = ExponentialBuilder::default()
        .with_min_delay(poll)
        .with_max_delay(poll.saturating_mul(SLOWEST))
        .with_factor(GROWTH)
        .without_max_times()
        .build();
    let deadline = Instant::now() + patience;
    let id = backup.record().id;
    let mut strays = 0;
    loop {
        match backup {
            Backup::Pending(_) => {}
            Backup::Completed(_) | Backup::Failed(_) => return Waited::Became(backup),
        }
        let next = Instant::now() + waits.next().unwrap_or(poll);
        let look = async {
            tokio::time::sleep_until(next.min(deadline)).await;
            if deadline <= next {
                return None;
            }
            let read = on.target.client.backup(&on.server.id, &id);
            tokio::time::timeout_at(deadline, read).await.ok()
        };
        match parts.unless_stopped(look).await {
            None => return Waited::Stopped(backup),
            Some(None) => return last_look(on, backup).await,
            Some(Some(Ok(seen))) => {
                strays = 0;
                backup = seen;
            }
            Some(Some(Err(error))) => {
                strays += 1;
                let is_passing = error.retry() != Retry::Never
                    || (matches!(error, Error::NotThePanel { .. }) && strays < STRAYS);
                if matches!(error, Error::UnknownBackup { .. }) {
                    return Waited::Gone(gone(id));
                }
                if !is_passing {
                    return Waited::Lost(backup, lost(on, &error));
                }
                tracing::info!(backup.id = %id, "asking for the backup is tried again: {error}");
            }
        }
    }
}

/// The time is over: the last word is the panel's, if it has one at once.
async fn last_look(on: &FoundServer<'_>, backup: Backup) -> Waited {
    const PATIENCE: Duration = Duration::from_secs(5);
    let id = backup.record().id;
    let read = on.target.client.backup(&on.server.id, &id);
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(seen @ (Backup::Completed(_) | Backup::Failed(_)))) => Waited::Became(seen),
        Ok(Ok(seen @ Backup::Pending(_))) => Waited::TimedOut(seen),
        Ok(Err(_)) | Err(_) => Waited::TimedOut(backup),
    }
}

fn gone(backup: BackupId) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Transfer,
        message: "the backup was deleted while it was being made".to_owned(),
        hint: "somebody deleted it, or access to the server was lost".to_owned(),
    }
}

fn lost(on: &FoundServer<'_>, error: &Error) -> Failure {
    let failure = error.failure(Scope::Server, on.server.id.to_string());
    Failure {
        hint: format!("{}; the backup itself goes on at the panel", failure.hint),
        ..failure
    }
}
