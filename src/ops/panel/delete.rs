//! `panel delete`: backups leave their panel once they are held elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::config::Settings;
use crate::config::settings::panel::delete::DeleteJob;
use crate::config::settings::panel::delete::MirrorNeed;
use crate::ledger::CopyFilter;
use crate::model::backup::Backup;
use crate::model::backup::CompletedBackup;
use crate::model::backup::LockState;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::text::shown_name;
use crate::ops::Error;
use crate::ops::panel::Parts;
use crate::ops::panel::gone;
use crate::ops::panel::locate::Located;
use crate::ops::panel::locate::Place;
use crate::ops::panel::locate::locate;
use crate::ops::panel::proof;
use crate::ops::panel::proof::Prover;
use crate::ops::restore::panel::consent;
use crate::ops::restore::panel::consent::Asker;
use crate::ops::restore::panel::consent::Consent;
use crate::ops::restore::panel::consent::Deed;
use crate::panel;
use crate::report::panel::copies::CopySeen;
use crate::report::panel::delete::DeleteReport;
use crate::report::panel::delete::DeletedBackup;
use crate::report::panel::delete::Deletion;
use crate::report::panel::delete::FoundBackup;

/// Names in a question are cut to this many characters.
const NAME_CHARACTERS: usize = 60;

/// Deletes what may be deleted, after the operator has agreed.
///
/// # Errors
/// When a destination is written wrong, or the ledger can't be read.
pub async fn delete(
    parts: &Parts,
    settings: &Settings,
    job: &DeleteJob,
    asker: &dyn Asker,
) -> Result<DeleteReport, Error> {
    let started_at = parts.env.now();
    let prover = Prover::open(settings, &parts.tuning).await?;
    let hints = hints(settings, &job.backups)?;
    let Located {
        found,
        failures: not_asked,
    } = locate(parts, &hints, &job.backups).await;
    let is_all_found = found.len() == job.backups.len();
    let mut backups = Vec::new();
    for id in &job.backups {
        backups.push(match found.get(id) {
            None => unfound(*id, parts, &not_asked),
            Some(place) => begun(*id, place, &prover, job.need)?,
        });
    }
    let mut errors = parts.failures.clone();
    if !is_all_found {
        let known: Vec<String> = job.backups.iter().map(ToString::to_string).collect();
        errors.extend(
            not_asked
                .into_iter()
                .filter(|failure| !known.contains(&failure.id)),
        );
    }
    let mut deletion = Deleting {
        parts,
        prover: &prover,
        need: job.need,
        found: &found,
    };
    if deletion.agreed(&mut backups, asker).await {
        for backup in &mut backups {
            if backup.deletion == Deletion::NotReached && backup.failure.is_none() {
                deletion.one(backup).await?;
            }
        }
    }
    Ok(DeleteReport {
        started_at,
        finished_at: parts.env.now(),
        backups,
        errors,
        ended: parts.ended(),
    })
}

/// On which servers the ledger remembers the backups.
fn hints(settings: &Settings, backups: &[BackupId]) -> Result<BTreeMap<BackupId, ServerId>, Error> {
    let wanted: BTreeSet<BackupId> = backups.iter().copied().collect();
    let copies = proof::read(settings, |ledger| ledger.copies(&CopyFilter::default()))?;
    let copies = copies.unwrap_or_default().into_iter();
    Ok(copies
        .filter(|copy| wanted.contains(&copy.backup))
        .map(|copy| (copy.backup, copy.server))
        .collect())
}

fn unfound(id: BackupId, parts: &Parts, failures: &[Failure]) -> DeletedBackup {
    let own = failures
        .iter()
        .find(|failure| failure.id == id.to_string())
        .cloned();
    let is_stopped = parts.env.cancel.is_cancelled();
    let failure = own.or_else(|| {
        (!is_stopped).then(|| Failure {
            scope: Scope::Backup,
            id: id.to_string(),
            kind: failures
                .first()
                .map_or(FailureKind::NotFound, |failure| failure.kind),
            message: if failures.is_empty() {
                "no server that this key sees has such a backup, and the ledger knows of none"
                    .to_owned()
            } else {
                "it was not found on the servers that could be asked".to_owned()
            },
            hint: "check the uuid, and name the server with --server".to_owned(),
        })
    });
    DeletedBackup {
        backup: id,
        found: None,
        deletion: match failure {
            Some(_) => Deletion::NotDeleted,
            None => Deletion::NotReached,
        },
        copies: Vec::new(),
        failure,
    }
}

/// How it stands before anything is done: what may go is not reached yet.
fn begun(
    id: BackupId,
    place: &Place<'_>,
    prover: &Prover<'_>,
    need: MirrorNeed,
) -> Result<DeletedBackup, Error> {
    let mut begun = DeletedBackup {
        backup: id,
        found: Some(found_as(place)),
        deletion: Deletion::NotReached,
        copies: Vec::new(),
        failure: None,
    };
    let Some(backup) = &place.backup else {
        begun.deletion = Deletion::AlreadyGone;
        return Ok(begun);
    };
    match must_be_held(backup, need) {
        Err(failure) => begun.failure = Some(failure),
        Ok(None) => {}
        Ok(Some(completed)) => {
            begun.copies = prover.by_ledger(place.server.id, completed)?;
            begun.failure = gone::not_held(id, &begun.copies);
        }
    }
    if begun.failure.is_some() {
        begun.deletion = Deletion::NotDeleted;
    }
    Ok(begun)
}

fn found_as(place: &Place<'_>) -> FoundBackup {
    let record = place.backup.as_ref().map(Backup::record);
    FoundBackup {
        panel: place.target.client.name().clone(),
        server: place.server.id,
        server_name: place.server.name.clone(),
        name: record.map(|record| record.name.clone()),
        created_at: record.map(|record| record.created_at),
        bytes: match &place.backup {
            Some(Backup::Completed(backup)) => Some(backup.archive_bytes),
            Some(Backup::Pending(_) | Backup::Failed(_)) | None => None,
        },
    }
}

/// Whether it may go: then the archive that must be held elsewhere, if any must.
fn must_be_held(backup: &Backup, need: MirrorNeed) -> Result<Option<&CompletedBackup>, Failure> {
    let id = backup.record().id;
    let refused = |message: &str, hint: String| {
        Err(Failure {
            scope: Scope::Backup,
            id: id.to_string(),
            kind: FailureKind::Policy,
            message: message.to_owned(),
            hint,
        })
    };
    match (backup, need) {
        // They hold no archive.
        (Backup::Failed(_), _) | (Backup::Pending(_), MirrorNeed::Nothing) => Ok(None),
        (Backup::Pending(_), MirrorNeed::Everywhere) => refused(
            "it is still being made, and was not deleted",
            "wait for it and mirror it; or give --even-if-not-mirrored, which breaks it off"
                .to_owned(),
        ),
        (Backup::Completed(_), _) if LockState::of(backup) == LockState::Locked => refused(
            "it is locked on the panel, and was not deleted",
            gone::unlock_first(id),
        ),
        (Backup::Completed(completed), _) => {
            Ok((need == MirrorNeed::Everywhere).then_some(completed))
        }
    }
}

/// What deletions stand on.
struct Deleting<'a> {
    parts: &'a Parts,
    prover: &'a Prover<'a>,
    need: MirrorNeed,
    found: &'a BTreeMap<BackupId, Place<'a>>,
}

impl Deleting<'_> {
    /// Asks about all that may go; where nobody agrees, none of it does.
    async fn agreed(&mut self, backups: &mut [DeletedBackup], asker: &dyn Asker) -> bool {
        let is_meant = |backup: &DeletedBackup| backup.deletion == Deletion::NotReached;
        let lines: Vec<String> = backups
            .iter()
            .filter(|backup| is_meant(backup))
            .filter_map(|backup| Some(line(backup.backup, backup.found.as_ref()?)))
            .collect();
        if lines.is_empty() {
            return true;
        }
        let what = match lines.len() {
            1 => "1 backup".to_owned(),
            several => format!("{several} backups"),
        };
        let deed = Deed {
            words: "delete backups from the panel",
            question: format!(
                "This will delete {what} from the panel, with the archive that the panel keeps:\n{}",
                lines.join("\n")
            ),
            answer: "delete".to_owned(),
            asked_for: "delete",
        };
        let hint = match self.parts.unless_stopped(asker.may(deed)).await {
            None => return false,
            Some(Consent::Given) => return true,
            Some(Consent::Declined) => "type `delete`, or give --yes",
            Some(Consent::NobodyThere) => consent::NOBODY_THERE,
        };
        for backup in backups.iter_mut().filter(|backup| is_meant(backup)) {
            backup.deletion = Deletion::NotDeleted;
            backup.failure = Some(Failure {
                scope: Scope::Backup,
                id: backup.backup.to_string(),
                kind: FailureKind::Policy,
                message: "nobody agreed to delete backups from the panel, so nothing was done"
                    .to_owned(),
                hint: hint.to_owned(),
            });
        }
        false
    }

    /// Deletes one, if it may go as it is now.
    async fn one(&mut self, backup: &mut DeletedBackup) -> Result<(), Error> {
        if self.parts.env.cancel.is_cancelled() {
            return Ok(());
        }
        let Some(place) = self.found.get(&backup.backup) else {
            return Ok(());
        };
        let (panel, server) = (&place.target.client, &place.server.id);
        let outcome = match panel.backup(server, &backup.backup).await {
            Err(panel::Error::UnknownBackup { .. }) => Ok(Deletion::AlreadyGone),
            Err(error) => Err(error.failure(Scope::Backup, backup.backup.to_string())),
            Ok(now) => match must_be_held(&now, self.need) {
                Err(failure) => Err(failure),
                Ok(None) => gone::delete(panel, server, &backup.backup).await,
                Ok(Some(completed)) => {
                    backup.copies = self.looked_at(*server, completed).await?;
                    match gone::not_held(backup.backup, &backup.copies) {
                        Some(failure) => Err(failure),
                        None if self.parts.env.cancel.is_cancelled() => return Ok(()),
                        None => gone::delete(panel, server, &backup.backup).await,
                    }
                }
            },
        };
        match outcome {
            Ok(deletion) => backup.deletion = deletion,
            Err(failure) => {
                backup.deletion = Deletion::NotDeleted;
                backup.failure = Some(failure);
            }
        }
        Ok(())
    }

    async fn looked_at(
        &self,
        server: ServerId,
        backup: &CompletedBackup,
    ) -> Result<Vec<CopySeen>, Error> {
        Ok(self.prover.looked_at(server, backup).await?)
    }
}

/// One backup in a question.
fn line(id: BackupId, found: &FoundBackup) -> String {
    let name = shown_name(found.name.as_deref().unwrap_or_default(), NAME_CHARACTERS);
    let server = shown_name(&found.server_name, NAME_CHARACTERS);
    let age = found
        .created_at
        .map_or_else(String::new, |at| format!(", made {at}"));
    format!("  {server} / {name} ({id}){age}")
}
