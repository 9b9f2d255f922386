//! `panel delete`: backups leave their panel once they are held elsewhere.

use crate::config::Settings;
use crate::config::settings::panel::delete::DeleteJob;
use crate::config::settings::panel::delete::MirrorNeed;
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
use crate::ops::panel::find::Place;
use crate::ops::panel::find::Search;
use crate::ops::panel::find::the_backups;
use crate::ops::panel::gone;
use crate::ops::panel::gone::Went;
use crate::ops::panel::known;
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
    let remembered = known(settings, &job.backups)?;
    let search = the_backups(parts, &remembered, job.within, &job.backups).await;
    let mut backups = Vec::new();
    for id in &job.backups {
        backups.push(begun(*id, &search, &prover, job.need)?);
    }
    // Those about a backup are told with it.
    let mut errors = search.failures.clone();
    errors.retain(|failure| {
        backups
            .iter()
            .all(|one| one.failure.as_ref() != Some(failure))
    });
    let mut deletion = Deleting {
        parts,
        prover: &prover,
        need: job.need,
        search: &search,
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

/// How it stands before anything is done: what may go is not reached yet.
fn begun(
    id: BackupId,
    search: &Search<'_>,
    prover: &Prover<'_>,
    need: MirrorNeed,
) -> Result<DeletedBackup, Error> {
    let mut begun = DeletedBackup {
        backup: id,
        found: None,
        deletion: Deletion::NotReached,
        copies: Vec::new(),
        failure: None,
    };
    if let Some(place) = search.gone.get(&id) {
        begun.found = Some(found_as(place, None));
        begun.deletion = Deletion::AlreadyGone;
    } else if let Some(there) = search.found.get(&id) {
        begun.found = Some(found_as(&there.place, Some(&there.backup)));
        match must_be_held(&there.backup, need) {
            Err(failure) => begun.failure = Some(failure),
            Ok(None) => {}
            Ok(Some(completed)) => {
                begun.copies = prover.by_ledger(there.place.server.server, completed)?;
                begun.failure = gone::not_held(id, &begun.copies);
            }
        }
    } else {
        let text = id.to_string();
        let mut failures = search.failures.iter();
        let own = failures.find(|one| one.scope == Scope::Backup && one.id == text);
        begun.failure = own.cloned();
    }
    if begun.failure.is_some() {
        begun.deletion = Deletion::NotDeleted;
    }
    Ok(begun)
}

fn found_as(place: &Place<'_>, backup: Option<&Backup>) -> FoundBackup {
    let record = backup.map(Backup::record);
    FoundBackup {
        panel: place.server.panel.clone(),
        server: place.server.server,
        server_name: place.server.name.clone(),
        name: record.map(|record| record.name.clone()),
        created_at: record.map(|record| record.created_at),
        bytes: match backup {
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
    search: &'a Search<'a>,
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
        let Some(there) = self.search.found.get(&backup.backup) else {
            return Ok(());
        };
        let (panel, server) = (&there.place.target.client, &there.place.server.server);
        let outcome = match panel.backup(server, &backup.backup).await {
            Err(panel::Error::UnknownBackup { .. }) => Ok(Went::Before),
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
            Ok(Went::Now) => backup.deletion = Deletion::Deleted,
            Ok(Went::Before) => backup.deletion = Deletion::AlreadyGone,
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
