//! Removing copies at one destination, one after the other.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;

use crate::destination;
use crate::destination::Destination;
use crate::destination::FoundCopy;
use crate::destination::NotTaken;
use crate::destination::Removal;
use crate::env::Env;
use crate::ledger;
use crate::ledger::DestinationRef;
use crate::ledger::HeldFacts;
use crate::ledger::PrunableCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::ops::mirror::book::Book;
use crate::ops::prune::begun::BegunAt;
use crate::ops::prune::gather::Place;
use crate::ops::prune::gather::Slot;
use crate::ops::prune::gather::Unit;
use crate::ops::prune::look;
use crate::ops::prune::undo::Again;
use crate::plan::prune::Decision;
use crate::plan::prune::Reason;
use crate::plan::prune::newest;
use crate::report::prune::Became;

/// After so many failures in a row a destination counts as dead.
const FAILURES_OF_THE_DEAD: u32 = 3;

/// What became of the work at one destination.
#[derive(Debug, Default)]
pub(super) struct PlaceDone {
    pub(super) number: usize,
    pub(super) copies: BTreeMap<Slot, Became>,
    pub(super) begun: BTreeMap<usize, Became>,
    pub(super) failures: Vec<Failure>,
    /// Why nothing more could be recorded, and so nothing more was done.
    pub(super) unrecorded: Option<ledger::Error>,
}

/// One destination being thinned.
pub(super) struct Remover<'r> {
    pub(super) env: &'r Env,
    pub(super) book: &'r Book,
    pub(super) place: &'r Place,
    /// Begun removals whose servers are refused.
    refused: &'r BTreeSet<BegunAt>,
    /// What is recorded of the copies of servers.
    recorded: BTreeMap<ServerId, BTreeMap<BackupId, HeldFacts>>,
    /// Whether the copies of servers that always stay are there.
    stands: BTreeMap<usize, Result<(), Failure>>,
    failed_in_a_row: u32,
    is_given_up: bool,
}

/// Which copy, as the ledger knows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) reference: DestinationRef,
    pub(super) key: &'s ObjectKey,
    pub(super) stored_bytes: u64,
}

impl<'r> Remover<'r> {
    pub(super) fn new(
        env: &'r Env,
        book: &'r Book,
        place: &'r Place,
        refused: &'r BTreeSet<BegunAt>,
    ) -> Self {
        Self {
            env,
            book,
            place,
            refused,
            recorded: BTreeMap::new(),
            stands: BTreeMap::new(),
            failed_in_a_row: 0,
            is_given_up: place.given_up.is_some(),
        }
    }

    pub(super) fn destination(&self) -> &'r Destination {
        &self.place.destination
    }

    /// Does all of it, in order; a wish to stop is heeded between copies.
    pub(super) async fn all(mut self, begun: Vec<usize>, planned: Vec<Slot>) -> PlaceDone {
        let mut done = PlaceDone {
            number: self.place.number,
            ..PlaceDone::default()
        };
        if let Err(error) = self.each(begun, planned, &mut done).await {
            done.unrecorded = Some(error);
        }
        done
    }

    async fn each(
        &mut self,
        begun: Vec<usize>,
        planned: Vec<Slot>,
        done: &mut PlaceDone,
    ) -> Result<(), ledger::Error> {
        for number in begun {
            let Some(removal) = self.place.begun.get(number) else {
                continue;
            };
            if self.is_stopping() {
                return Ok(());
            }
            let became = if self.refused.contains(&(self.place.number, number)) {
                self.leave(removal).await?
            } else {
                self.finish(removal).await?
            };
            self.learn(&became, &mut done.failures);
            done.begun.insert(number, became);
        }
        for slot in planned {
            let Some(unit) = self.place.units.get(slot.unit) else {
                continue;
            };
            let Some(copy) = unit.held.copies.get(slot.copy) else {
                continue;
            };
            if self.is_stopping() {
                return Ok(());
            }
            let became = self.remove(slot.unit, unit, copy).await?;
            self.learn(&became, &mut done.failures);
            done.copies.insert(slot, became);
        }
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.is_given_up || self.env.cancel.is_cancelled()
    }

    /// Remembers a failure that the next copy would meet as well, or that has come too often.
    fn learn(&mut self, became: &Became, failures: &mut Vec<Failure>) {
        let Became::Failed(failure) = became else {
            self.failed_in_a_row = 0;
            return;
        };
        failures.push(failure.clone());
        if failure.scope == Scope::Destination {
            self.failed_in_a_row += 1;
            let is_dead = self.failed_in_a_row >= FAILURES_OF_THE_DEAD;
            self.is_given_up = is_dead || look::is_lasting(failure.kind);
        }
    }

    pub(super) fn failed(&self, error: &destination::Error) -> Failure {
        error.failure(Scope::Destination, self.destination().name().to_string())
    }

    /// Removes one copy, if it is what is recorded and nothing keeps it.
    async fn remove(
        &mut self,
        number: usize,
        unit: &Unit,
        copy: &PrunableCopy,
    ) -> Result<Became, ledger::Error> {
        let key = &copy.key;
        if let Err(failure) = self.newest_stands(number, unit).await? {
            return Ok(Became::Failed(failure));
        }
        let (found, document) = match self.as_recorded(unit, key).await? {
            Ok(whole) => whole,
            Err(failure) => return Ok(Became::Failed(failure)),
        };
        // By another machine, whose ledger is not this one.
        if let Some(mark) = found.sidecar.kept {
            let reason = mark.reason;
            return Ok(Became::Spared(Reason::KeptByHand { reason }));
        }
        if !unit.retention.contains_key(&key.backup()) {
            match self.retained(key).await {
                Ok(None) => {}
                Ok(Some(reason)) => return Ok(Became::Spared(reason)),
                Err(failure) => return Ok(Became::Failed(failure)),
            }
        }
        let subject = Subject {
            reference: unit.held.destination,
            key,
            stored_bytes: copy.stored_bytes,
        };
        let (reference, of, noted) = (subject.reference, key.clone(), document.clone());
        self.book
            .write(move |ledger, run, now| {
                let reason = Decision::Remove.to_string();
                ledger.intend_removal(run, reference, &of, &reason, &noted, now)
            })
            .await?;
        tracing::debug!(%key, destination = %self.destination().name(), "removing a copy");
        let removal = self.destination().begin_removal(key, document);
        self.carry_out(removal, subject).await
    }

    /// Takes the steps of a removal that the ledger has noted.
    pub(super) async fn carry_out(
        &self,
        removal: Removal,
        subject: Subject<'_>,
    ) -> Result<Became, ledger::Error> {
        let gone = match removal.sidecar_gone().await {
            Ok(undescribed) => undescribed.archive_gone().await,
            Err(not_taken) => Err(not_taken),
        };
        if let Err(not_taken) = gone {
            return self.settle(*not_taken, subject).await;
        }
        let (reference, key) = (subject.reference, subject.key.clone());
        self.book
            .write(move |ledger, run, now| ledger.finish_removal(run, reference, &key, now))
            .await?;
        Ok(Became::Removed)
    }

    /// Decides about a removal that did not come to its end: what the store refused is held again; where
    /// it is not certain what the store did, the removal stays begun and the next run finishes it.
    async fn settle(
        &self,
        not_taken: NotTaken<Removal>,
        subject: Subject<'_>,
    ) -> Result<Became, ledger::Error> {
        let NotTaken { still, error } = not_taken;
        let failure = self.failed(&error);
        if !error.is_refusal() {
            return Ok(Became::Failed(failure));
        }
        match self
            .hold_again(&still, subject, failure.message.clone())
            .await?
        {
            Again::Held if error.is_retention() => {
                let reason = self.retained(subject.key).await.ok().flatten();
                Ok(Became::Spared(reason.unwrap_or(Reason::Retained)))
            }
            Again::Held | Again::ArchiveGone => Ok(Became::Failed(failure)),
            Again::Not(instead) => {
                tracing::warn!(
                    key = %subject.key,
                    destination = %self.destination().name(),
                    "the store did not let a copy go, and it could not be made whole again; the next run sees to it: {}",
                    instead.message
                );
                Ok(Became::Failed(failure))
            }
        }
    }

    /// Looks, once for each server, whether the copies that always stay are there: where another disk is
    /// mounted, or the bucket was emptied, nothing older goes.
    pub(super) async fn newest_stands(
        &mut self,
        number: usize,
        unit: &Unit,
    ) -> Result<Result<(), Failure>, ledger::Error> {
        if let Some(known) = self.stands.get(&number) {
            return Ok(known.clone());
        }
        let copies = &unit.held.copies;
        let ages = copies
            .iter()
            .map(|copy| (copy.key.backup(), copy.created_at));
        let always = newest(ages, self.env.now());
        let mut stands = Ok(());
        for copy in copies {
            if !always.contains(&copy.key.backup()) {
                continue;
            }
            if let Err(failure) = self.as_recorded(unit, &copy.key).await? {
                let server = unit.held.server.server;
                stands = Err(look::newest_amiss(self.destination(), server, failure));
                break;
            }
        }
        self.stands.insert(number, stands.clone());
        Ok(stands)
    }

    /// The copy under a key and its sidecar's bytes, when they are what the ledger says.
    async fn as_recorded(
        &mut self,
        unit: &Unit,
        key: &ObjectKey,
    ) -> Result<Result<(FoundCopy, Bytes), Failure>, ledger::Error> {
        let (server, reference) = (key.server(), unit.held.destination);
        if !self.recorded.contains_key(&server) {
            let facts = self
                .book
                .read(move |ledger| ledger.held(server, reference))
                .await?;
            self.recorded.insert(server, facts);
        }
        let of_server = self.recorded.get(&server);
        let facts = of_server.and_then(|facts| facts.get(&key.backup()));
        Ok(look::as_recorded(self.destination(), key, facts).await)
    }
}
