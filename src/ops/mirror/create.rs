//! `--create`: the panel makes a fresh backup first, and it is waited for.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::config::settings::CreateBackup;
use crate::ledger;
use crate::model::backup::Backup;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::retry::Retry;
use crate::model::server::Server;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Run;
use crate::ops::mirror::protect;
use crate::panel;
use crate::panel::NewBackup;

/// The longest that a fresh backup is waited for: the panel itself gives up on it after six
/// hours (`panel-contract.md` section 3).
const LONGEST_CREATION: SignedDuration = SignedDuration::from_hours(6);

/// The waits between two looks at it grow to so many times the first one.
const LONGEST_WAIT: u32 = 12;

/// Asks for a backup and waits until it is completed.
///
/// The failure within is about the server; existing backups can be mirrored all the same.
///
/// # Errors
/// The ledger's.
pub async fn fresh(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    wish: &CreateBackup,
) -> Result<Result<(), Failure>, ledger::Error> {
    let new = NewBackup::named(wish.name.clone());
    let backup = match panel.client.create_backup(&server.id, &new).await {
        Ok(backup) => backup,
        Err(error) => return Ok(Err(not_made(server, &error))),
    };
    tracing::info!(server.id = %server.id, backup.id = %backup.record().id, "the panel makes a fresh backup");
    protect::fresh(run, panel, server, &backup).await?;
    Ok(wait(run, panel, server, backup).await)
}

async fn wait(
    run: &Run,
    panel: &PanelTarget,
    server: &Server,
    mut backup: Backup,
) -> Result<(), Failure> {
    let id = backup.record().id;
    let failure = |kind, message: String, hint: &str| Failure {
        scope: Scope::Server,
        id: server.id.to_string(),
        kind,
        message,
        hint: hint.to_owned(),
    };
    let began = run.env.now();
    let waited = || run.env.now().duration_since(began);
    let mut pauses = Pauses::new(run.tuning.create_poll);
    loop {
        match backup {
            Backup::Completed(_) => return Ok(()),
            Backup::Failed(_) => {
                return Err(failure(
                    FailureKind::Transfer,
                    "the fresh backup that the panel was asked for failed".to_owned(),
                    "the node's Wings log says why; a full disk on the node is the usual cause",
                ));
            }
            Backup::Pending(_) if run.is_past_deadline() => {
                run.limit_came();
                tracing::info!(server.id = %server.id, "the fresh backup is still in progress at the time limit");
                return Ok(());
            }
            Backup::Pending(_) if waited() >= LONGEST_CREATION => {
                return Err(failure(
                    FailureKind::Transfer,
                    format!(
                        "the fresh backup that the panel was asked for has not failed, and is still in progress after {LONGEST_CREATION:#}"
                    ),
                    "the next run takes it when it is completed; when its node has lost it, the panel marks it as failed",
                ));
            }
            Backup::Pending(_) => {}
        }
        tokio::select! {
            biased;
            () = run.env.cancel.cancelled() => {
                return Err(failure(
                    FailureKind::Interrupted,
                    "interrupted while the panel makes a backup".to_owned(),
                    "run it again: what is completed by then is mirrored",
                ));
            }
            () = tokio::time::sleep(pauses.next()) => {}
        }
        let asked = tokio::select! {
            biased;
            () = run.env.cancel.cancelled() => continue,
            asked = panel.client.backup(&server.id, &id) => asked,
        };
        backup = match asked {
            Ok(backup) => backup,
            Err(panel::Error::UnknownBackup { .. }) => {
                return Err(failure(
                    FailureKind::NotFound,
                    format!(
                        "the fresh backup {id} vanished while the panel made it: its rotation or somebody deleted it"
                    ),
                    "raise the server's backup limit, or unlock or delete backups that need not stay",
                ));
            }
            Err(error) if error.retry() == Retry::Never => {
                return Err(error.failure(Scope::Server, server.id.to_string()));
            }
            Err(error) => {
                tracing::info!(server.id = %server.id, "asking for the fresh backup is tried again: {error}");
                continue;
            }
        };
    }
}

/// Ever longer waits, up to a limit: an archive takes from seconds to hours.
struct Pauses {
    next: Duration,
    longest: Duration,
}

impl Pauses {
    fn new(first: Duration) -> Self {
        Self {
            next: first,
            longest: first.saturating_mul(LONGEST_WAIT),
        }
    }

    fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now.saturating_mul(3) / 2).min(self.longest);
        now
    }
}

/// Why the panel makes no backup, and what that means for the night.
fn not_made(server: &Server, error: &panel::Error) -> Failure {
    let mut failure = error.failure(Scope::Server, server.id.to_string());
    if let panel::Error::BackupLimit { .. } = error {
        "raise the server's backup limit, or delete a backup that is mirrored; those that are there are mirrored all the same"
            .clone_into(&mut failure.hint);
    } else if let panel::Error::Throttled { wait, .. } = error {
        let later = wait.map_or_else(
            || "later".to_owned(),
            |wait| format!("in {} s", wait.as_secs()),
        );
        failure.hint =
            format!("run it again {later}; the backups that are there are mirrored all the same");
    } else if error.retry() != Retry::Never {
        failure.hint.push_str(
            "; the panel shows whether it makes the backup all the same, and the next run takes it when it is completed",
        );
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_by_half_to_twelve_times_the_first() {
        let mut pauses = Pauses::new(Duration::from_secs(4));
        let waits: Vec<u64> = (0..9).map(|_| pauses.next().as_secs()).collect();
        assert_eq!(waits, [4, 6, 9, 13, 20, 30, 45, 48, 48]);
    }
}
