//! The mark of `keep` in the sidecars of held copies.

use crate::destination::Destination;
use crate::destination::Examined;
use crate::destination::FoundCopy;
use crate::env::Env;
use crate::ledger;
use crate::ledger::RecordedCopy;
use crate::model::finding::Standing;
use crate::model::holding::HeldCopy;
use crate::model::mark::MarkAction;
use crate::model::mark::PanelLock;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::sidecar::Sidecar;
use crate::model::sidecar::SidecarBackup;
use crate::ops::mirror::book::Book;
use crate::ops::setup::OpenedPlaces;
use crate::report::mark::MarkedBackup;
use crate::report::mark::MarkedCopy;
use crate::report::mark::SidecarMark;

/// What writing marks stands on.
pub(super) struct Marker<'m> {
    pub(super) book: &'m Book,
    pub(super) env: &'m Env,
    pub(super) places: &'m OpenedPlaces,
    pub(super) action: MarkAction,
}

impl Marker<'_> {
    /// Brings the sidecars of a backup's held copies in line with the ledger, one after the other.
    ///
    /// # Errors
    /// The ledger's.
    pub(super) async fn mark_copies(
        &self,
        backup: &MarkedBackup,
    ) -> Result<Vec<MarkedCopy>, ledger::Error> {
        let (server, id) = (backup.server, backup.backup);
        let recorded = self
            .book
            .read(move |ledger| ledger.recorded_copies_of(server, id))
            .await?;
        let mut marked = Vec::new();
        for recorded in recorded {
            if recorded.standing != Standing::Held {
                continue;
            }
            let sidecar = if self.env.cancel.is_cancelled() {
                SidecarMark::NotReached
            } else {
                self.mark_copy(backup, &recorded).await?
            };
            marked.push(MarkedCopy {
                destination: recorded.copy.destination,
                key: recorded.copy.key,
                sidecar,
            });
        }
        Ok(marked)
    }

    async fn mark_copy(
        &self,
        backup: &MarkedBackup,
        recorded: &RecordedCopy,
    ) -> Result<SidecarMark, ledger::Error> {
        let copy = &recorded.copy;
        let destination = match self.open(copy) {
            Ok(destination) => destination,
            Err(failure) => return Ok(SidecarMark::Failed(failure)),
        };
        let examined = tokio::select! {
            biased;
            () = self.env.cancel.cancelled() => return Ok(SidecarMark::NotReached),
            examined = destination.examine(copy.server, copy.backup) => examined,
        };
        let found = match examined {
            Ok(Examined::Whole(found)) => found,
            Ok(broken) => {
                let why = broken
                    .why_unusable()
                    .unwrap_or_else(|| "it is missing".to_owned());
                return Ok(SidecarMark::Failed(unusable(copy, &why)));
            }
            Err(error) => {
                let failure = error.failure(Scope::Backup, copy.backup.to_string());
                return Ok(SidecarMark::Failed(failure));
            }
        };
        let FoundCopy {
            stored, sidecar, ..
        } = *found;
        if let Some(field) = sidecar.differs_from(copy) {
            let why = format!("it says something else of the copy than the ledger: {field}");
            return Ok(SidecarMark::Failed(unusable(copy, &why)));
        }
        let is_altered = recorded
            .sidecar_sha256
            .as_ref()
            .is_some_and(|before| stored.sidecar_sha256() != Some(before));
        if is_altered {
            let why = "it is not as it was written";
            return Ok(SidecarMark::Failed(unusable(copy, why)));
        }
        let wanted = self.marked(backup, &sidecar);
        if wanted == sidecar {
            return Ok(SidecarMark::AsItWas);
        }
        let at = destination.location().to_owned();
        let Some(there) = self
            .book
            .read(move |ledger| ledger.find_destination(&at))
            .await?
        else {
            return Ok(SidecarMark::NotReached);
        };
        let key = copy.key.clone();
        self.book
            .write(move |ledger, _run, _now| ledger.forget_sidecar(there, &key))
            .await?;
        match destination.write_sidecar(&stored, &wanted).await {
            Ok(stored) => {
                self.book
                    .write(move |ledger, run, now| ledger.record_sidecar(run, there, &stored, now))
                    .await?;
                Ok(SidecarMark::Written)
            }
            Err(error) => {
                let failure = error.failure(Scope::Backup, copy.backup.to_string());
                Ok(SidecarMark::Failed(failure))
            }
        }
    }

    /// The sidecar as it is to be.
    fn marked(&self, backup: &MarkedBackup, sidecar: &Sidecar) -> Sidecar {
        let kept = match self.action {
            MarkAction::Keep => backup.mark.clone(),
            MarkAction::Unkeep | MarkAction::Accept => None,
        };
        Sidecar {
            kept,
            backup: SidecarBackup {
                is_locked: sidecar.backup.is_locked && backup.lock != PanelLock::LetGo,
                ..sidecar.backup.clone()
            },
            ..sidecar.clone()
        }
    }

    /// The destination that holds a copy.
    fn open(&self, copy: &HeldCopy) -> Result<&Destination, Failure> {
        let mut opened = self.places.destinations.iter();
        if let Some(destination) = opened.find(|there| there.location() == copy.location) {
            return Ok(destination);
        }
        let name = copy.destination.as_str();
        let mut failed = self.places.failures.iter();
        if let Some(failure) = failed.find(|failure| failure.id == name) {
            return Err(failure.clone());
        }
        Err(Failure {
            scope: Scope::Destination,
            id: name.to_owned(),
            kind: FailureKind::NotFound,
            message: format!(
                "the sidecar of backup {} was not touched: it is at a destination that is not among those in play",
                copy.backup
            ),
            hint:
                "add the destination to the configuration, or name it with --to, and run it again"
                    .to_owned(),
        })
    }
}

fn unusable(copy: &HeldCopy, why: &str) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: copy.backup.to_string(),
        kind: FailureKind::Integrity,
        message: format!(
            "the sidecar {} at {} was left as it is: {why}",
            copy.key.sidecar(),
            copy.destination
        ),
        hint: "`nestegg verify --repair` reads the copy and writes its sidecar anew, the mark included"
            .to_owned(),
    }
}
