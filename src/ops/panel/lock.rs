//! `nestegg panel lock` and `unlock`.

use crate::config::settings::panel::LockTask;
use crate::config::settings::panel::Within;
use crate::ledger::LockOwner;
use crate::ledger::Owner;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::panel::Parts;
use crate::ops::panel::find::FoundBackup;
use crate::ops::panel::find::the_backups;
use crate::panel;
use crate::panel::LockChange;
use crate::report::panel::LockOutcome;
use crate::report::panel::LockReport;
use crate::report::panel::LockRow;

/// Makes sure that backups are locked, or that they are not, one after the other, and says of each
/// whether it was changed.
///
/// `owners` is what the ledger knows of them. A signal is heeded between two backups: a wish that was
/// sent is seen through.
pub async fn set_locks(parts: &Parts, owners: &[Owner], task: &LockTask) -> LockReport {
    let at = parts.env.now();
    let known: &[Owner] = match task.within {
        Within::Anywhere => owners,
        Within::NamedServers => &[],
    };
    let search = the_backups(parts, known, &task.backups).await;
    let mut errors = search.failures;
    let mut found = search.found;
    let mut rows = Vec::new();
    for backup in &task.backups {
        let row = match found.remove(backup) {
            _ if parts.env.cancel.is_cancelled() => LockRow {
                backup: *backup,
                of: None,
                name: None,
                outcome: LockOutcome::NotReached,
                is: None,
            },
            None => LockRow {
                backup: *backup,
                of: None,
                name: None,
                outcome: LockOutcome::Failed,
                is: None,
            },
            Some(found) => {
                let is_runs = |owner: &Owner| {
                    owner.backup == *backup
                        && owner.server == found.server.server
                        && owner.lock == LockOwner::Run
                };
                let lock = if owners.iter().any(is_runs) {
                    LockOwner::Run
                } else {
                    LockOwner::Operator
                };
                set_lock(found, task.wanted, lock, &mut errors).await
            }
        };
        rows.push(row);
    }
    LockReport {
        at,
        wanted: task.wanted,
        backups: rows,
        errors,
        ended: parts.ended(),
    }
}

async fn set_lock(
    found: FoundBackup<'_>,
    wanted: LockState,
    lock: LockOwner,
    errors: &mut Vec<Failure>,
) -> LockRow {
    let FoundBackup {
        target,
        server,
        backup,
    } = found;
    let record = backup.record();
    let asked = target
        .client
        .set_lock(&server.server, &record.id, wanted)
        .await;
    let (outcome, is) = match (asked, wanted, lock) {
        (Ok(LockChange::Already), LockState::Locked, LockOwner::Run) => {
            errors.push(of_a_run(record.id));
            (LockOutcome::Failed, Some(LockState::Locked))
        }
        (Ok(LockChange::Already), _, _) => (LockOutcome::Already, Some(wanted)),
        (Ok(LockChange::Changed), _, _) => (LockOutcome::Changed, Some(wanted)),
        (Err(error), _, _) => {
            let is = if let panel::Error::LockStayed { is, .. } = &error {
                Some(*is)
            } else {
                None
            };
            errors.push(error.failure(Scope::Backup, record.id.to_string()));
            (LockOutcome::Failed, is)
        }
    };
    LockRow {
        backup: record.id,
        name: Some(record.name.clone()),
        of: Some(server),
        outcome,
        is,
    }
}

/// A lock that is there, and will not stay.
fn of_a_run(backup: BackupId) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Policy,
        message: "the backup is locked only while a run of mirror copies it, which takes the lock off again"
            .to_owned(),
        hint: "lock it when that run has ended".to_owned(),
    }
}
