//! The copies of one backup: how each stands, and what the ledger is told of it.

use crate::destination::StoredObject;
use crate::ledger;
use crate::ledger::CopyOrigin;
use crate::model::checksum::Verdict;
use crate::model::ids::DestinationName;
use crate::model::key::ObjectKey;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::mirror::act::Acting;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::mirror::unrecorded;
use crate::plan::mirror::CopyPlan;
use crate::transfer;

/// How a copy stands before anything is done.
pub(super) fn copy_before(
    task: &Task,
    plan: &CopyPlan,
    target: &DestinationTarget,
) -> Option<CopyOutcome> {
    let backup = &task.plan.backup;
    let (state, verdict, failure) = match plan {
        CopyPlan::Held(held) => (CopyState::AlreadyHeld, Some(held.verdict), None),
        CopyPlan::Make => (CopyState::NotReached, None, None),
        CopyPlan::Removed(_) => return None,
        CopyPlan::Unclear(failure) => (CopyState::Failed, None, Some(failure.clone())),
        CopyPlan::Conflict { held, why } => (
            CopyState::Failed,
            Some(held.verdict),
            Some(Failure {
                scope: Scope::Backup,
                id: backup.record.id.to_string(),
                kind: FailureKind::Policy,
                message: format!("the panel's record no longer fits the verified copy: {why}"),
                hint: "the verified copy is kept as it is; if the row was used as a placeholder for a restore, \
                       delete it in the panel and make a fresh backup"
                    .to_owned(),
            }),
        ),
    };
    Some(CopyOutcome {
        destination: target.destination.name().clone(),
        key: match plan {
            CopyPlan::Held(held) | CopyPlan::Conflict { held, .. } => held.key.clone(),
            CopyPlan::Make | CopyPlan::Unclear(_) | CopyPlan::Removed(_) => {
                let destination = &target.destination;
                destination.archive_key(task.server.id, backup.record.id)
            }
        },
        state,
        verdict,
        failure,
    })
}

impl Acting<'_> {
    /// The copies that are still to be made, by destination.
    pub(super) fn wanted(&self) -> Vec<usize> {
        self.copies
            .iter()
            .enumerate()
            .filter(|(_, copy)| copy.as_ref().is_some_and(is_not_made))
            .map(|(index, _)| index)
            .collect()
    }

    /// The same, to be changed.
    pub(super) fn unmade(&mut self) -> impl Iterator<Item = &mut CopyOutcome> {
        self.copies
            .iter_mut()
            .flatten()
            .filter(|copy| is_not_made(copy))
    }

    /// A copy was stored: it counts once the ledger has it.
    pub(super) async fn keep(
        &mut self,
        index: usize,
        stored: StoredObject,
        made: CopyOrigin,
    ) -> Result<(), ledger::Error> {
        self.sha256 = Some(stored.archive_sha256().to_hex());
        self.archive_bytes = stored.archive_bytes();
        let verdict = stored.verdict();
        if let Some(reference) = self.reference(index) {
            let recorded = self
                .run
                .book
                .write(move |ledger, run, now| {
                    ledger.record_copy(run, reference, &stored, made, now)
                })
                .await;
            if let Err(error) = recorded {
                let failure = unrecorded(&error);
                self.settle(index, CopyState::Failed, Some(verdict), Some(failure));
                return Err(error);
            }
        }
        if let Some(target) = self.run.destinations.get(index) {
            target.worked();
        }
        self.settle(index, CopyState::Mirrored, Some(verdict), None);
        Ok(())
    }

    /// A copy could not be made; one that was interrupted is only not reached.
    pub(super) async fn fail(
        &mut self,
        index: usize,
        failure: Failure,
    ) -> Result<(), ledger::Error> {
        if failure.kind == FailureKind::Interrupted {
            return Ok(());
        }
        if let Some(target) = self.run.destinations.get(index) {
            target.learn(&failure);
        }
        if let (Some(reference), Some(key)) = (self.reference(index), self.key(index)) {
            let failure = failure.clone();
            self.run
                .book
                .write(move |ledger, run, now| {
                    ledger.record_copy_failure(run, reference, &key, &failure, now)
                })
                .await?;
        }
        self.settle(index, CopyState::Failed, None, Some(failure));
        Ok(())
    }

    /// None of the copies that are still to be made can be.
    pub(super) async fn fail_rest(&mut self, failure: &Failure) -> Result<(), ledger::Error> {
        for index in self.wanted() {
            self.fail(index, failure.clone()).await?;
        }
        Ok(())
    }

    /// A held copy could not be used as source: when it is damaged or gone, it no longer counts.
    pub(super) async fn doubt(
        &mut self,
        index: usize,
        failure: Failure,
    ) -> Result<(), ledger::Error> {
        let Some(target) = self.run.destinations.get(index) else {
            return Ok(());
        };
        let place = target.destination.name().clone();
        if !matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound) {
            if failure.kind != FailureKind::Interrupted {
                tracing::warn!(
                    "could not make another copy from the one at {place}: {}",
                    failure.message
                );
            }
            return Ok(());
        }
        let failure = damaged_copy(&place, failure);
        tracing::warn!("{}", failure.message);
        if let (Some(reference), Some(key)) = (target.reference, self.key(index)) {
            let failure = failure.clone();
            self.run
                .book
                .write(move |ledger, run, now| {
                    ledger.record_lost(run, reference, &key, &failure, now)
                })
                .await?;
        }
        self.settle(index, CopyState::Failed, None, Some(failure));
        Ok(())
    }

    fn settle(
        &mut self,
        index: usize,
        state: CopyState,
        verdict: Option<Verdict>,
        failure: Option<Failure>,
    ) {
        if let Some(Some(copy)) = self.copies.get_mut(index) {
            copy.state = state;
            copy.verdict = verdict;
            copy.failure = failure;
        }
    }

    fn key(&self, index: usize) -> Option<ObjectKey> {
        let copy = self.copies.get(index)?.as_ref()?;
        Some(copy.key.clone())
    }

    fn reference(&self, index: usize) -> Option<ledger::DestinationRef> {
        self.run
            .destinations
            .get(index)
            .and_then(|target| target.reference)
    }
}

fn is_not_made(copy: &CopyOutcome) -> bool {
    copy.state == CopyState::NotReached
}

/// A copy that the ledger, or its sidecar, calls verified, and that is damaged or gone.
fn damaged_copy(place: &DestinationName, failure: Failure) -> Failure {
    let why = failure.message.trim_start_matches(transfer::NOTHING_KEPT);
    Failure {
        kind: FailureKind::Integrity,
        message: format!("the verified copy at `{place}` is damaged or gone: {why}"),
        hint: format!(
            "check the disk or store behind `{place}`; other copies are made from elsewhere, and the next \
             run makes this one anew"
        ),
        ..failure
    }
}
