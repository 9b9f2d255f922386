//! `nestegg panel lock` and `unlock`.

use crate::config::settings::panel::LockTask;
use crate::ledger::LockOwner;
use crate::ledger::NamedBackup;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::panel::Parts;
use crate::ops::panel::find::FoundBackup;
use crate::ops::panel::find::Place;
use crate::ops::panel::find::Reach;
use crate::ops::panel::find::not_found;
use crate::ops::panel::find::the_backups;
use crate::panel;
use crate::panel::LockChange;
use crate::report::panel::LockOutcome;
use crate::report::panel::LockReport;
use crate::report::panel::LockRow;

/// Makes sure that backups are locked, or that they are not, one after the other, and says of each
/// whether it was changed.
///
/// `known` is what the ledger knows of them. A signal is heeded between two backups: a wish that was
/// sent is seen through.
pub async fn set_locks(parts: &Parts, known: &[NamedBackup], task: &LockTask) -> LockReport {
    let at = parts.env.now();
    let search = the_backups(parts, known, task.within, &task.backups).await;
    let mut errors = search.failures;
    errors.extend(search.gone.keys().map(|id| not_found(*id, Reach::All)));
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
                let server = found.place.server.server;
                let is_it =
                    |known: &&NamedBackup| known.of.backup == *backup && known.of.server == server;
                let recorded = known.iter().find(is_it);
                let lock = recorded.map_or(LockOwner::Operator, |known| known.lock);
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
        place: Place { target, server },
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
