//! Waiting for a backup that is being made.

use std::time::Duration;

use backon::BackoffBuilder as _;
use backon::ExponentialBuilder;
use tokio::time::Instant;

use crate::env::Env;
use crate::model::backup::Backup;
use crate::model::ids::ServerId;
use crate::model::retry::Retry;
use crate::panel::Error;
use crate::panel::PanelClient;

/// Waits between two looks grow up to so many times the first.
const SLOWEST: u32 = 6;
/// How fast they grow.
const GROWTH: f32 = 1.5;
/// So many answers in a row may be no panel's: a proxy's page comes and goes.
const STRAYS: u32 = 5;

/// How a wait ended, with the backup as it was last seen.
#[derive(Debug)]
pub enum Waited {
    /// It is completed, or failed.
    Became(Backup),
    /// It is still being made.
    TimedOut(Backup),
    /// The command was told to stop; it is still being made.
    Stopped(Backup),
    /// It can't be seen any more.
    Lost(Backup, Error),
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Before the first look; later ones are longer.
    pub first: Duration,
    /// In total.
    pub patience: Duration,
    /// For a panel that does not answer.
    pub silence: Duration,
}

/// Waits until the backup is completed or failed, so long at most. Looks become rarer.
pub async fn wait(
    env: &Env,
    panel: &PanelClient,
    server: ServerId,
    mut backup: Backup,
    waits: Waits,
) -> Waited {
    let Waits {
        first,
        patience,
        silence,
    } = waits;
    let mut waits = ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(first.saturating_mul(SLOWEST))
        .with_factor(GROWTH)
        .without_max_times()
        .build();
    let deadline = Instant::now() + patience;
    let id = backup.record().id;
    let mut strays = 0;
    let mut last_answer = Instant::now();
    loop {
        match backup {
            Backup::Pending(_) => {}
            Backup::Completed(_) | Backup::Failed(_) => return Waited::Became(backup),
        }
        let next = Instant::now() + waits.next().unwrap_or(first);
        let look = async {
            tokio::time::sleep_until(next.min(deadline)).await;
            if deadline <= next {
                return None;
            }
            let read = panel.backup(&server, &id);
            tokio::time::timeout_at(deadline, read).await.ok()
        };
        let looked = tokio::select! {
            biased;
            () = env.cancel.cancelled() => return Waited::Stopped(backup),
            looked = look => looked,
        };
        match looked {
            None => return last_look(panel, server, backup).await,
            Some(Ok(seen)) => {
                strays = 0;
                last_answer = Instant::now();
                backup = seen;
            }
            Some(Err(error)) => {
                strays += 1;
                let is_passing = (error.retry() != Retry::Never && last_answer.elapsed() < silence)
                    || (matches!(error, Error::NotThePanel { .. }) && strays < STRAYS);
                if !is_passing {
                    return Waited::Lost(backup, error);
                }
                tracing::info!(backup.id = %id, "asking for the backup is tried again: {error}");
            }
        }
    }
}

/// The time is over: the last word is the panel's, if it has one at once.
async fn last_look(panel: &PanelClient, server: ServerId, backup: Backup) -> Waited {
    const PATIENCE: Duration = Duration::from_secs(5);
    let id = backup.record().id;
    let read = panel.backup(&server, &id);
    match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(seen @ (Backup::Completed(_) | Backup::Failed(_)))) => Waited::Became(seen),
        Ok(Ok(seen @ Backup::Pending(_))) => Waited::TimedOut(seen),
        Ok(Err(_)) | Err(_) => Waited::TimedOut(backup),
    }
}
