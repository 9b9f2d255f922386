//! Making bad copies anew: from another destination, else from the panel, under the same rule as any
//! copy: proved before it is visible.
//!
//! A copy is looked at once more right before anything is written over it; one that is merely
//! unreachable, or missing where nothing at all is held, is left alone. What was made is read back before it counts as repaired.

mod sidecar;
pub mod sources;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream;

use crate::destination::StoredObject;
use crate::ledger;
use crate::ledger::CopyOrigin;
use crate::ledger::RecordedCopy;
use crate::model::finding::ArchiveFinding;
use crate::model::finding::CheckedCopy;
use crate::model::finding::Depth;
use crate::model::finding::Repair;
use crate::model::finding::RepairSource;
use crate::model::finding::SidecarFinding;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::chain;
use crate::ops::emptied::Believed;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::verify::check::NotSeen;
use crate::ops::verify::check::Seen;
use crate::ops::verify::check::check_doubting;
use crate::ops::verify::checks::Checked;
use crate::ops::verify::checks::Checks;
use crate::ops::verify::record::bad_archive;
use crate::ops::verify::repair::sources::Made;
use crate::ops::verify::repair::sources::NotMade;
use crate::ops::verify::repair::sources::Way;

/// What repairs stand on.
#[derive(Debug)]
pub struct Mender<'r> {
    /// What the checks stand on.
    pub checks: Checks<'r>,
    /// Destinations at which everything may be missing and is made anew.
    pub believed: Believed<'r>,
    /// The panels that may still have a backup.
    pub panels: Vec<PanelTarget>,
    /// The client for their nodes.
    pub node: reqwest::Client,
}

/// What mending one copy came to.
struct Mended {
    copy: CheckedCopy,
    failures: Vec<Failure>,
    result: Result<(), ledger::Error>,
}

impl Mender<'_> {
    /// Repairs every bad copy among those checked.
    ///
    /// # Errors
    /// The ledger's: what was begun went on to its end, nothing new was begun.
    pub async fn all(&self, checked: &mut Checked) -> Result<(), ledger::Error> {
        let (bad, well): (Vec<_>, Vec<_>) = std::mem::take(&mut checked.copies)
            .into_iter()
            .partition(|copy| copy.finding.is_bad());
        checked.copies = well;
        let at_limit = AtomicBool::new(false);
        let is_unrecordable = AtomicBool::new(false);
        let mut results = stream::iter(bad)
            .map(async |copy| {
                if is_unrecordable.load(Ordering::Relaxed) || !self.checks.may_begin(&at_limit) {
                    return Mended {
                        copy,
                        failures: Vec::new(),
                        result: Ok(()),
                    };
                }
                self.one(copy).await
            })
            .buffer_unordered(self.checks.at_once);
        let mut done = Ok(());
        while let Some(mended) = results.next().await {
            let Mended {
                copy,
                failures,
                result,
            } = mended;
            self.checks.shared.observer.copy_checked(&copy);
            checked.copies.push(copy);
            checked.failures.extend(failures);
            if let Err(error) = result {
                is_unrecordable.store(true, Ordering::Relaxed);
                if done.is_ok() {
                    done = Err(error);
                }
            }
        }
        drop(results);
        checked.at_limit |= at_limit.load(Ordering::Relaxed);
        done
    }

    async fn one(&self, copy: CheckedCopy) -> Mended {
        let mut failures = Vec::new();
        let repaired = self.mend(&copy, &mut failures).await;
        let (repair, result) = match repaired {
            Ok(repair) => (repair, Ok(())),
            Err(error) => (copy.repair.clone(), Err(error)),
        };
        Mended {
            copy: CheckedCopy { repair, ..copy },
            failures,
            result,
        }
    }

    async fn mend(
        &self,
        copy: &CheckedCopy,
        failures: &mut Vec<Failure>,
    ) -> Result<Repair, ledger::Error> {
        let (server, backup) = (copy.server, copy.backup);
        let copies = self
            .checks
            .book
            .read(move |ledger| ledger.recorded_copies_of(server, backup))
            .await?;
        let mut targets = self.checks.targets.iter();
        let Some(target) = targets.find(|target| *target.destination.name() == copy.destination)
        else {
            return Ok(impossible("its destination is not open"));
        };
        let (here, others): (Vec<_>, Vec<_>) = copies
            .into_iter()
            .partition(|other| other.copy.location == target.destination.location());
        let Some(recorded) = here.into_iter().next() else {
            return Ok(impossible("the ledger no longer knows it"));
        };
        let seen = match self.look_again(target, &recorded).await? {
            Ok(seen) => seen,
            Err(NotSeen::Stopped) => return Ok(Repair::NotTried),
            Err(NotSeen::Doubted(failure)) => {
                return Ok(impossible(&format!(
                    "it is missing now, and left alone: {}",
                    failure.message
                )));
            }
        };
        match (&seen.finding.archive, &seen.finding.sidecar, &seen.proof) {
            (_, SidecarFinding::Newer { why }, _) => Ok(impossible(&format!(
                "{why}; what a newer version wrote is not written over"
            ))),
            (_, SidecarFinding::Unread(failure), _) | (ArchiveFinding::Unread(failure), _, _) => {
                Ok(impossible(&format!(
                    "it can't be read now, and is left alone: {}",
                    failure.message
                )))
            }
            (ArchiveFinding::Sound, SidecarFinding::Sound, _) => Ok(Repair::NotNeeded),
            (ArchiveFinding::Sound, _, Some(proof)) => {
                self.describe(target, &recorded, proof, &others).await
            }
            (
                ArchiveFinding::Sound | ArchiveFinding::Present | ArchiveFinding::Changed,
                SidecarFinding::Sound
                | SidecarFinding::Missing
                | SidecarFinding::Damaged { .. }
                | SidecarFinding::Differs { .. }
                | SidecarFinding::Altered,
                _,
            ) => Ok(impossible("its archive could not be proved")),
            (
                ArchiveFinding::Missing
                | ArchiveFinding::Truncated { .. }
                | ArchiveFinding::Longer { .. }
                | ArchiveFinding::Altered,
                SidecarFinding::Sound
                | SidecarFinding::Missing
                | SidecarFinding::Damaged { .. }
                | SidecarFinding::Differs { .. }
                | SidecarFinding::Altered,
                _,
            ) => self.make_anew(target, &recorded, &others, failures).await,
        }
    }

    /// Looks at a copy in full and records what is found.
    async fn look_again(
        &self,
        target: &DestinationTarget,
        recorded: &RecordedCopy,
    ) -> Result<Result<Seen, NotSeen>, ledger::Error> {
        let place = &target.destination;
        let shared = self.checks.shared;
        let seen = check_doubting(place, recorded, Depth::Full, self.believed, shared).await;
        if let Ok(seen) = &seen {
            self.checks.record(target, recorded, seen).await?;
        }
        Ok(seen)
    }

    /// Writes the sidecar of a sound archive anew.
    async fn describe(
        &self,
        target: &DestinationTarget,
        recorded: &RecordedCopy,
        proof: &StoredObject,
        others: &[RecordedCopy],
    ) -> Result<Repair, ledger::Error> {
        let way = self.way(target, recorded, others);
        let (sidecar, from) = way.sidecar(proof).await;
        let written = match target.destination.write_sidecar(proof, &sidecar).await {
            Ok(written) => written,
            Err(error) => {
                let why = chain(&error);
                return Ok(impossible(&format!(
                    "its sidecar could not be written: {why}"
                )));
            }
        };
        if let Some(reference) = target.reference {
            self.checks
                .book
                .write(move |ledger, run, now| ledger.record_sidecar(run, reference, &written, now))
                .await?;
        }
        Ok(Repair::SidecarWritten { from })
    }

    /// Makes archive and sidecar anew from the first source that gives the very same archive.
    async fn make_anew(
        &self,
        target: &DestinationTarget,
        recorded: &RecordedCopy,
        others: &[RecordedCopy],
        failures: &mut Vec<Failure>,
    ) -> Result<Repair, ledger::Error> {
        let Some(reference) = target.reference else {
            return Ok(impossible("the ledger does not know its destination"));
        };
        let way = self.way(target, recorded, others);
        let mut why = Vec::new();
        for source in way.sources(&mut why) {
            if self.checks.is_stopping() {
                return Ok(Repair::NotTried);
            }
            match way.make(&source).await {
                Ok(Made { stored, from }) => {
                    self.checks
                        .book
                        .write(move |ledger, run, now| {
                            ledger.record_copy(run, reference, &stored, CopyOrigin::Repaired, now)
                        })
                        .await?;
                    return self.read_back(target, recorded, from).await;
                }
                Err(NotMade::Source(failure)) => {
                    why.push(format!("{}: {}", source.name(), failure.message));
                    self.doubt(&source, failure, failures).await?;
                }
                Err(NotMade::Target(failure)) => {
                    why.push(format!("it can't be written there: {}", failure.message));
                    return Ok(Repair::Impossible { why });
                }
                Err(NotMade::Stopped) => return Ok(Repair::NotTried),
            }
        }
        if why.is_empty() {
            why.push(
                "no other copy is recorded, and no panel that may have it is configured".to_owned(),
            );
        }
        Ok(Repair::Impossible { why })
    }

    /// A disk that lost one copy may lose the next: what was made is read to its end.
    async fn read_back(
        &self,
        target: &DestinationTarget,
        before: &RecordedCopy,
        from: RepairSource,
    ) -> Result<Repair, ledger::Error> {
        let (server, backup) = (before.copy.server, before.copy.backup);
        let here = before.copy.location.clone();
        let made = self
            .checks
            .book
            .read(move |ledger| {
                let copies = ledger.recorded_copies_of(server, backup)?.into_iter();
                Ok(copies.into_iter().find(|copy| copy.copy.location == here))
            })
            .await?;
        let Some(made) = made else {
            return Ok(impossible("the ledger no longer knows it"));
        };
        let seen = match self.look_again(target, &made).await? {
            Ok(seen) => seen,
            Err(NotSeen::Stopped) => return Ok(Repair::CopyMade { from }),
            Err(NotSeen::Doubted(failure)) => {
                return Ok(impossible(&format!(
                    "it was made anew from {from} and can't be read back: {}",
                    failure.message
                )));
            }
        };
        let said = seen.finding.complaint(made.copy.stored_bytes);
        let unread = seen.finding.unread().map(|failure| failure.message.clone());
        Ok(match said.or(unread) {
            None => Repair::CopyMade { from },
            Some(said) => impossible(&format!(
                "it was made anew from {from} and reads back wrong: {said}"
            )),
        })
    }

    /// A copy that was to be read as source is bad itself: it no longer counts.
    async fn doubt(
        &self,
        source: &sources::Source<'_>,
        failure: Failure,
        failures: &mut Vec<Failure>,
    ) -> Result<(), ledger::Error> {
        let Some((target, recorded)) = source.copy() else {
            return Ok(());
        };
        if !matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound) {
            return Ok(());
        }
        let Ok(seen) = self.look_again(target, recorded).await? else {
            return Ok(());
        };
        if seen.finding.archive.is_lost() {
            failures.push(Failure {
                kind: FailureKind::Integrity,
                ..bad_archive(recorded, &seen.finding)
            });
        }
        Ok(())
    }

    fn way<'w>(
        &'w self,
        target: &'w DestinationTarget,
        recorded: &'w RecordedCopy,
        others: &'w [RecordedCopy],
    ) -> Way<'w> {
        Way {
            checks: self.checks,
            panels: &self.panels,
            node: &self.node,
            target,
            recorded,
            others,
        }
    }
}

fn impossible(why: &str) -> Repair {
    Repair::Impossible {
        why: vec![why.to_owned()],
    }
}
