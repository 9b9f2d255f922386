//! Taking a removal back: the sidecar stands beside the archive again, and the ledger holds the copy.

use crate::destination::Examined;
use crate::destination::FoundCopy;
use crate::destination::Removal;
use crate::destination::Retention;
use crate::destination::SidecarRead;
use crate::ledger;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::ops::prune::look;
use crate::ops::prune::remove::Remover;
use crate::ops::prune::remove::Subject;
use crate::plan::prune::Reason;

/// Whether a copy that was being removed is held again.
#[derive(Debug)]
pub(super) enum Again {
    /// It is.
    Held,
    /// Its archive is gone.
    ArchiveGone,
    /// It could not be found out, or not be made so: the removal stays begun.
    Not(Failure),
}

impl Remover<'_> {
    /// Holds a copy again whose removal was noted, if its archive is still there.
    pub(super) async fn hold_again(
        &self,
        removal: &Removal,
        subject: Subject<'_>,
        why: String,
    ) -> Result<Again, ledger::Error> {
        let found = match self.whole_again(removal, subject).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Again::ArchiveGone),
            Err(failure) => return Ok(Again::Not(failure)),
        };
        let reference = subject.reference;
        self.book
            .write(move |ledger, run, now| {
                ledger.undo_removal(run, reference, &found.stored, &why, now)
            })
            .await?;
        Ok(Again::Held)
    }

    /// Puts the sidecar back where it is missing; `None` when there is no archive to describe.
    async fn whole_again(
        &self,
        removal: &Removal,
        subject: Subject<'_>,
    ) -> Result<Option<FoundCopy>, Failure> {
        let there = self.destination();
        let (server, backup) = (subject.key.server(), subject.key.backup());
        let failed = |error| self.failed(&error);
        match there.stat(subject.key).await.map_err(failed)? {
            None => return Ok(None),
            Some(stat) if stat.bytes != subject.stored_bytes => {
                let why = format!(
                    "the archive has {} bytes, not {}",
                    stat.bytes, subject.stored_bytes
                );
                return Err(look::amiss(there, backup, &why));
            }
            Some(_as_noted) => {}
        }
        let beside = there.read_sidecar(server, backup).await.map_err(failed)?;
        if beside == SidecarRead::Missing {
            removal.put_back().await.map_err(failed)?;
        }
        match there.examine(server, backup).await.map_err(failed)? {
            Examined::Whole(found) if found.stored.key() == subject.key => Ok(Some(*found)),
            Examined::Whole(other) => {
                let why = format!("the sidecar describes {}", other.stored.key());
                Err(look::amiss(there, backup, &why))
            }
            other @ (Examined::NoSidecar
            | Examined::BadSidecar { .. }
            | Examined::NoArchive { .. }
            | Examined::OtherLength { .. }) => {
                Err(look::amiss(there, backup, &look::unusable(&other)))
            }
        }
    }

    /// Why the store retains an object, if it says so.
    pub(super) async fn retained(&self, key: &ObjectKey) -> Result<Option<Reason>, Failure> {
        match self.destination().retention(key, self.env.now()).await {
            Ok(Retention::None) => Ok(None),
            Ok(Retention::Until(until)) => Ok(Some(Reason::RetainedUntil(until))),
            Ok(Retention::Held) => Ok(Some(Reason::Retained)),
            Err(error) => Err(self.failed(&error)),
        }
    }
}
