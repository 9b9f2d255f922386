//! Removals that an earlier run began and did not finish.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::destination::SidecarRead;
use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::BegunRemoval;
use crate::model::ids::ServerId;
use crate::model::mark::Mark;
use crate::model::outcome::Failure;
use crate::ops::prune::gather::Place;
use crate::ops::prune::gather::Slot;
use crate::ops::prune::remove::Remover;
use crate::ops::prune::remove::Subject;
use crate::ops::prune::undo::Again;
use crate::plan::prune::Reason;
use crate::plan::prune::ServerPlan;
use crate::report::prune::Became;

/// One begun removal: at which destination, and which of those begun there.
pub(super) type BegunAt = (usize, usize);

/// The begun removals that stay as they are, because their servers are refused there.
pub(super) fn refused(places: &[Place], plans: &[ServerPlan<Slot>]) -> BTreeSet<BegunAt> {
    let units = places.iter().flat_map(|place| {
        let units = place.units.iter();
        units.map(|unit| (place.number, unit.held.server.server))
    });
    let plans: BTreeMap<(usize, ServerId), &ServerPlan<Slot>> = units.zip(plans).collect();
    let mut refused = BTreeSet::new();
    for place in places {
        for (number, begun) in place.begun.iter().enumerate() {
            let plan = plans.get(&(place.number, begun.key.server()));
            if plan.is_some_and(|plan| plan.leaves_begun(begun.key.backup())) {
                refused.insert((place.number, number));
            }
        }
    }
    refused
}

impl Remover<'_> {
    /// Leaves a removal begun, whose server is refused; one of which no archive is left has nothing to lose,
    /// and is finished.
    pub(super) async fn leave(&mut self, begun: &BegunRemoval) -> Result<Became, ledger::Error> {
        match self.destination().stat(&begun.key).await {
            Ok(Some(_archive)) => Ok(Became::Refused),
            Ok(None) => self.finish(begun).await,
            Err(error) => Ok(Became::Failed(self.failed(&error))),
        }
    }

    /// Finishes a removal; or takes it back, if its archive is still there and something keeps it now.
    pub(super) async fn finish(&mut self, begun: &BegunRemoval) -> Result<Became, ledger::Error> {
        let subject = Subject {
            reference: begun.destination,
            key: &begun.key,
            stored_bytes: begun.stored_bytes,
        };
        let sidecar = begun.sidecar.clone().into();
        let removal = self.destination().begin_removal(&begun.key, sidecar);
        let keeps = match self.kept_since(begun).await {
            Ok(keeps) => keeps,
            Err(failure) => return Ok(Became::Failed(failure)),
        };
        if let Some(reason) = keeps {
            let why = reason.to_string();
            match self.hold_again(&removal, subject, why).await? {
                Again::Held => return Ok(Became::Spared(reason)),
                Again::Not(failure) => return Ok(Became::Failed(failure)),
                // Too late: what is left of it is cleared away.
                Again::ArchiveGone => {}
            }
        }
        let place = self.place;
        let mut units = place.units.iter().enumerate();
        let of_server = units.find(|(_, unit)| unit.held.server.server == begun.key.server());
        if let Some((number, unit)) = of_server
            && let Err(failure) = self.newest_stands(number, unit).await?
        {
            return Ok(Became::Failed(failure));
        }
        self.carry_out(removal, subject).await
    }

    /// What keeps a copy whose removal was begun, as things stand now.
    async fn kept_since(&self, begun: &BegunRemoval) -> Result<Option<Reason>, Failure> {
        let of = BackupOf {
            server: begun.key.server(),
            backup: begun.key.backup(),
        };
        let by_hand = |mark: Mark| {
            let reason = mark.reason;
            Some(Reason::KeptByHand { reason })
        };
        let marks = self.place.marks.get(&of).cloned().unwrap_or_default();
        if let Some(mark) = marks.kept {
            return Ok(by_hand(mark));
        }
        if marks.is_locked {
            return Ok(Some(Reason::Locked));
        }
        if self.place.lacks_newer_than(begun, self.env.now()) {
            return Ok(Some(Reason::Newest));
        }
        let beside = self.destination().read_sidecar(of.server, of.backup).await;
        if let SidecarRead::Whole { sidecar, .. } = beside.map_err(|error| self.failed(&error))?
            && let Some(mark) = sidecar.kept
        {
            return Ok(by_hand(mark));
        }
        self.retained(&begun.key).await
    }
}
