//! `--create`: have the panel make a fresh backup, and wait for it.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::config::settings::CreateBackup;
use crate::model::backup::Backup;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::retry::Retry;
use crate::model::server::Server;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Run;
use crate::panel::NewBackup;

/// The longest that a fresh backup is waited for: the panel itself gives up on it after six
/// hours (`panel-contract.md` section 3).
const LONGEST_CREATION: SignedDuration = SignedDuration::from_hours(6);

/// Asks for a backup and waits until it is completed.
///
/// # Errors
/// The failure, about the server; existing backups can be mirrored all the same.
pub async fn fresh(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    wish: &CreateBackup,
) -> Result<(), Failure> {
    let about_server =
        |error: crate::panel::Error| error.failure(Scope::Server, server.id.to_string());
    let failure = |kind, message: &str, hint: &str| Failure {
        scope: Scope::Server,
        id: server.id.to_string(),
        kind,
        message: message.to_owned(),
        hint: hint.to_owned(),
    };
    let mut backup = panel
        .client
        .create_backup(&server.id, &NewBackup::named(wish.name.clone()))
        .await
        .map_err(about_server)?;
    let id = backup.record().id;
    tracing::info!(server.id = %server.id, backup.id = %id, "the panel makes a fresh backup");
    let began = run.env.now();
    let waited = || run.env.now().duration_since(began);
    loop {
        match backup {
            Backup::Completed(_) => return Ok(()),
            Backup::Failed(_) => {
                return Err(failure(
                    FailureKind::Transfer,
                    "the fresh backup that the panel was asked for failed",
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
                    "the fresh backup that the panel was asked for is still in progress",
                    "the next run takes it when it is completed",
                ));
            }
            Backup::Pending(_) => {}
        }
        tokio::select! {
            biased;
            () = run.env.cancel.cancelled() => {
                return Err(failure(FailureKind::Interrupted, "interrupted while the panel makes a backup", "run it again"));
            }
            () = tokio::time::sleep(run.tuning.create_poll) => {}
        }
        let asked = tokio::select! {
            biased;
            () = run.env.cancel.cancelled() => continue,
            asked = panel.client.backup(&server.id, &id) => asked,
        };
        backup = match asked {
            Ok(backup) => backup,
            Err(error) if error.retry() == Retry::Never => return Err(about_server(error)),
            Err(error) => {
                tracing::info!(server.id = %server.id, "asking for the fresh backup is tried again: {error}");
                continue;
            }
        };
    }
}
