//! `--create`: the panel makes a fresh backup, which is waited for while what is there is copied.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::OwnedRwLockWriteGuard;
use tokio::sync::mpsc::UnboundedSender;

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
use crate::ops::mirror::gather;
use crate::ops::mirror::gather::Before;
use crate::ops::mirror::gather::Gathered;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::protect;
use crate::ops::mirror::turns;
use crate::ops::panel::create::wait;
use crate::ops::panel::create::wait::Waited;
use crate::ops::panel::create::wait::Waits;
use crate::panel;
use crate::panel::NewBackup;

/// The longest that a fresh backup is waited for: the panel itself gives up on it after six
/// hours (`panel-contract.md` section 3).
const LONGEST_CREATION: Duration = Duration::from_hours(6);

/// How many fresh backups are made at once: nodes have other work to do.
const MADE_AT_ONCE: usize = 8;

/// A server of which a fresh backup is to be made.
#[derive(Debug)]
pub struct FreshWish {
    /// Its panel.
    pub panel: Arc<PanelTarget>,
    /// The server.
    pub server: Arc<Server>,
    /// What was found of it before.
    pub before: Before,
}

/// Has fresh backups made, some at once, and sends what is to be done for each as soon as it can be;
/// what else is to be told of them is returned.
///
/// # Errors
/// The first of the ledger's.
pub async fn all(
    run: &Run,
    wishes: Vec<FreshWish>,
    tasks: UnboundedSender<Vec<Task>>,
) -> Result<Vec<Gathered>, ledger::Error> {
    let made = stream::iter(wishes).map(async |wish| {
        let mut gathered = one(run, &wish).await?;
        if tasks.send(std::mem::take(&mut gathered.plans)).is_err() {
            tracing::debug!("nobody carries out any more what a fresh backup needs");
        }
        Ok(gathered)
    });
    let made: Vec<Result<_, _>> = made.buffer_unordered(MADE_AT_ONCE).collect().await;
    made.into_iter().collect()
}

async fn one(run: &Run, wish: &FreshWish) -> Result<Gathered, ledger::Error> {
    let Some(new) = &run.settings.create else {
        return Ok(Gathered::default());
    };
    let turn = turns::to_make(run, wish.server.id).await;
    if run.is_stopping() {
        return Ok(Gathered::default());
    }
    if run.is_past_deadline() {
        run.limit_came();
        return Ok(Gathered::default());
    }
    let made = tokio::select! {
        biased;
        () = run.unrecordable.cancelled() => return Ok(Gathered::default()),
        made = fresh(run, &wish.panel, &wish.server, new, turn) => made?,
    };
    // Made or not: the newest of those that there are may be others than those before.
    let mut gathered = gather::again(run, &wish.panel, &wish.server, &wish.before).await?;
    gathered.failures.extend(made.err());
    Ok(gathered)
}

/// Asks for a backup and waits until it is completed; the turn is over once it is protected.
///
/// The failure within is about the server; existing backups are mirrored all the same.
///
/// # Errors
/// The ledger's.
async fn fresh(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    wish: &CreateBackup,
    turn: Option<OwnedRwLockWriteGuard<()>>,
) -> Result<Result<(), Failure>, ledger::Error> {
    let new = NewBackup::named(wish.name.clone());
    let backup = match panel.client.create_backup(&server.id, &new).await {
        Ok(backup) => backup,
        Err(error) => return Ok(Err(not_made(server, &error))),
    };
    tracing::info!(server.id = %server.id, backup.id = %backup.record().id, "the panel makes a fresh backup");
    protect::fresh(run, panel, server, &backup).await?;
    drop(turn);
    Ok(wait(run, panel, server, backup).await)
}

async fn wait(
    run: &Run,
    panel: &PanelTarget,
    server: &Server,
    backup: Backup,
) -> Result<(), Failure> {
    let id = backup.record().id;
    let failure = |kind, message: String, hint: &str| Failure {
        scope: Scope::Server,
        id: server.id.to_string(),
        kind,
        message,
        hint: hint.to_owned(),
    };
    let (patience, over) = match run.time_left() {
        Some(left) if left < LONGEST_CREATION => (left, Over::Run),
        Some(_) | None => (LONGEST_CREATION, Over::Creation),
    };
    let waits = Waits {
        first: run.tuning.create_poll,
        patience,
        silence: run.tuning.create_silence,
    };
    match wait::wait(&run.env, &panel.client, server.id, backup, waits).await {
        Waited::Became(Backup::Failed(_)) => Err(failure(
            FailureKind::Transfer,
            "the fresh backup that the panel was asked for failed".to_owned(),
            "the node's Wings log says why; a full disk on the node is the usual cause",
        )),
        Waited::Became(Backup::Completed(_) | Backup::Pending(_)) => Ok(()),
        Waited::TimedOut(_) if over == Over::Run => {
            run.limit_came();
            tracing::info!(server.id = %server.id, "the fresh backup is still in progress at the time limit");
            Ok(())
        }
        Waited::TimedOut(_) => Err(failure(
            FailureKind::Transfer,
            format!(
                "the fresh backup that the panel was asked for has not failed, and was not completed after {} h",
                LONGEST_CREATION.as_secs() / 3600
            ),
            "the next run takes it when it is completed; when its node has lost it, the panel marks it as failed",
        )),
        Waited::Stopped(_) => Err(failure(
            FailureKind::Interrupted,
            "interrupted while the panel makes a backup".to_owned(),
            "run it again: what is completed by then is mirrored",
        )),
        Waited::Lost(_, panel::Error::UnknownBackup { .. }) => Err(failure(
            FailureKind::NotFound,
            format!(
                "the fresh backup {id} vanished while the panel made it: its rotation or somebody deleted it"
            ),
            "raise the server's backup limit, or unlock or delete backups that need not stay",
        )),
        Waited::Lost(_, error) => {
            let mut failure = error.failure(Scope::Server, server.id.to_string());
            failure.hint.push_str(
                "; the panel goes on making the backup, and the next run takes it when it is completed",
            );
            Err(failure)
        }
    }
}

/// Which time is over when a wait is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// The run's, by `--max-duration`.
    Run,
    /// That of the creation of any backup.
    Creation,
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
