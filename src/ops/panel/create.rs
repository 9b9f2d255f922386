//! `nestegg panel create`: a new backup, asked for once, and waited for if that is wanted.

mod lost;
mod refused;
pub mod wait;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::config::settings::panel::CreateTask;
use crate::config::settings::panel::Wait;
use crate::model::backup::Backup;
use crate::model::backup::BackupRecord;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::slots::BackupSlots;
use crate::model::slots::TakenSlots;
use crate::ops::panel::Parts;
use crate::ops::panel::create::wait::Waited;
use crate::ops::panel::create::wait::Waits;
use crate::ops::panel::find::FoundServer;
use crate::ops::panel::find::the_server;
use crate::ops::panel::server_ref;
use crate::panel::Error;
use crate::panel::NewBackup;
use crate::report::panel::CreateReport;
use crate::report::panel::Learnt;
use crate::report::panel::MadeBackup;
use crate::report::panel::ServerRef;

/// Who is told, while it goes on, that a backup is being waited for.
pub trait Watch: Send + Sync + fmt::Debug {
    /// This backup is being made, and is waited for so long at most.
    fn waiting(&self, server: &ServerRef, backup: &BackupRecord, patience: Duration);
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn waiting(&self, _server: &ServerRef, _backup: &BackupRecord, _patience: Duration) {}
}

/// What a server's list held before a backup was asked for.
#[derive(Debug)]
enum Before {
    /// These backups.
    Listed(BTreeSet<BackupId>),
    /// The key may not see: it can have backups made, and not list them.
    Unseen,
}

/// Has the panel make a backup of one server.
///
/// It is asked for once. When the answer is lost, or makes no sense, the server's list is looked at for
/// a backup that was not there before. A lock that the panel did not put on is put on afterwards, or told
/// as missing. Told to stop while it waits, it leaves the backup to the panel, and says so.
pub async fn create(parts: &Parts, task: &CreateTask, watch: &dyn Watch) -> CreateReport {
    let mut report = CreateReport {
        at: parts.env.now(),
        finished_at: parts.env.now(),
        of: None,
        slots: None,
        made: None,
        retry_after: None,
        errors: Vec::new(),
        ended: Ended::InFull,
    };
    match the_server(parts, &task.server).await {
        Ok(on) => {
            report.of = Some(server_ref(on.target, &on.server));
            make(parts, task, &on, watch, &mut report).await;
        }
        Err(failures) => report.errors = failures,
    }
    if report.ended == Ended::InFull {
        report.ended = parts.ended();
    }
    // What was asked for is there: a signal that came after changes nothing of that.
    if let Some(made) = &report.made
        && (matches!(made.backup, Backup::Completed(_)) || task.wait == Wait::No)
        && report.ended != Ended::AtLimit
    {
        report.ended = Ended::InFull;
    }
    report.finished_at = parts.env.now();
    report
}

async fn make(
    parts: &Parts,
    task: &CreateTask,
    on: &FoundServer<'_>,
    watch: &dyn Watch,
    report: &mut CreateReport,
) {
    let client = &on.target.client;
    let before = match parts.unless_stopped(client.backups(&on.server.id)).await {
        Some(Ok(listing)) => {
            let taken = TakenSlots::of(&listing.backups, listing.counted);
            report.slots = Some(BackupSlots::new(&on.server, Some(taken)));
            let ids = listing.backups.iter().map(|backup| backup.record().id);
            Before::Listed(ids.collect())
        }
        Some(Err(Error::Permission { .. })) => Before::Unseen,
        Some(Err(error)) => {
            report.errors.push(about(on, &error));
            return;
        }
        None => return,
    };
    let new = NewBackup {
        name: task.name.clone(),
        ignored: task.ignored.clone(),
        lock: task.lock,
    };
    let answer = client.create_backup(&on.server.id, &new).await;
    let (backup, learnt) = match answer {
        Ok(backup) if !before.had(&backup) => (backup, Learnt::FromAnswer),
        Ok(_old) => {
            let answer = lost::Answer::OfAnother;
            match lost::look(parts, task, on, &before, answer).await {
                Ok(backup) => (backup, Learnt::FromList),
                Err(failure) => return report.errors.push(failure),
            }
        }
        Err(error) if error.leaves_open() => {
            let answer = lost::Answer::Failed(error);
            match lost::look(parts, task, on, &before, answer).await {
                Ok(backup) => (backup, Learnt::FromList),
                Err(failure) => return report.errors.push(failure),
            }
        }
        Err(error) => {
            report.retry_after = refused::retry_after(&error);
            let refused = refused::explained(on, report.slots, &error);
            return report.errors.push(refused);
        }
    };
    tracing::info!(server.id = %on.server.id, backup.id = %backup.record().id, "the panel makes a backup");
    report.made = Some(MadeBackup { backup, learnt });
    ensure_locked(task, on, report).await;
    if let Wait::For(patience) = task.wait {
        see_through(parts, task, on, patience, watch, report).await;
    }
}

impl Before {
    fn had(&self, backup: &Backup) -> bool {
        match self {
            Self::Listed(ids) => ids.contains(&backup.record().id),
            Self::Unseen => false,
        }
    }
}

/// Puts on the lock that was wished for where the panel made the backup without it, which it does
/// silently when the permission is missing (`panel-contract.md` section 1).
async fn ensure_locked(task: &CreateTask, on: &FoundServer<'_>, report: &mut CreateReport) {
    let Some(made) = &mut report.made else {
        return;
    };
    if task.lock == LockState::Unlocked || LockState::of(&made.backup) == LockState::Locked {
        return;
    }
    let id = made.backup.record().id;
    match on
        .target
        .client
        .set_lock(&on.server.id, &id, LockState::Locked)
        .await
    {
        Ok(_) => made.backup = with_lock(made.backup.clone()),
        Err(error) => {
            let cause = error.failure(Scope::Backup, id.to_string());
            report.errors.push(Failure {
                message: format!(
                    "the panel made the backup without the lock; {}",
                    cause.message
                ),
                ..cause
            });
        }
    }
}

fn with_lock(backup: Backup) -> Backup {
    let lock = |mut record: BackupRecord| {
        record.is_locked = true;
        record
    };
    match backup {
        Backup::Pending(record) => Backup::Pending(lock(record)),
        Backup::Failed(record) => Backup::Failed(lock(record)),
        Backup::Completed(mut completed) => {
            completed.record.is_locked = true;
            Backup::Completed(completed)
        }
    }
}

/// Waits for the backup, and looks at what it became.
async fn see_through(
    parts: &Parts,
    task: &CreateTask,
    on: &FoundServer<'_>,
    patience: Duration,
    watch: &dyn Watch,
    report: &mut CreateReport,
) {
    let (Some(made), Some(of)) = (&mut report.made, &report.of) else {
        return;
    };
    let was_locked = LockState::of(&made.backup);
    if let Backup::Pending(record) = &made.backup {
        watch.waiting(of, record, patience);
    }
    let id = made.backup.record().id;
    let waits = Waits {
        first: parts.tuning.create_poll,
        patience,
        silence: parts.tuning.create_silence,
    };
    let (client, server) = (&on.target.client, on.server.id);
    match wait::wait(&parts.env, client, server, made.backup.clone(), waits).await {
        Waited::Became(backup) => made.backup = backup,
        Waited::TimedOut(backup) => {
            made.backup = backup;
            report.ended = Ended::AtLimit;
        }
        Waited::Stopped(backup) => {
            made.backup = backup;
            report.ended = parts.ended();
        }
        Waited::Lost(_, Error::UnknownBackup { .. }) => {
            report.made = None;
            return report.errors.push(gone(id));
        }
        Waited::Lost(backup, error) => {
            made.backup = backup;
            report.errors.push(lost_sight(on, &error));
        }
    }
    match &made.backup {
        Backup::Failed(_) => report.errors.push(failed(id)),
        Backup::Completed(completed)
            if task.lock == LockState::Locked
                && was_locked == LockState::Locked
                && !completed.record.is_locked =>
        {
            report.errors.push(unlocked(id));
        }
        Backup::Completed(_) | Backup::Pending(_) => {}
    }
}

fn about(on: &FoundServer<'_>, error: &Error) -> Failure {
    error.failure(Scope::Server, on.server.id.to_string())
}

fn failed(backup: BackupId) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Transfer,
        message: "the backup that the panel was asked for failed".to_owned(),
        hint: "the node's Wings log says why; a full disk on the node is the usual cause"
            .to_owned(),
    }
}

fn unlocked(backup: BackupId) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Policy,
        message: "the backup was locked, and is no longer".to_owned(),
        hint: format!(
            "somebody unlocked it while it was being made: lock it with `nestegg panel lock {backup}`"
        ),
    }
}

fn lost_sight(on: &FoundServer<'_>, error: &Error) -> Failure {
    let failure = about(on, error);
    Failure {
        hint: format!("{}; the backup itself goes on at the panel", failure.hint),
        ..failure
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
