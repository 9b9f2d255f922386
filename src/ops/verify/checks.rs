//! Checking many copies, and keeping in the ledger what is found.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use crate::env::Env;
use crate::ledger;
use crate::ledger::CopyFilter;
use crate::ledger::CopyRef;
use crate::ledger::CopyToCheck;
use crate::ledger::DestinationRef;
use crate::ledger::RecordedCopy;
use crate::model::finding::CheckedCopy;
use crate::model::finding::Depth;
use crate::model::finding::Repair;
use crate::model::finding::Standing;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;
use crate::model::subset::Subset;
use crate::ops::emptied::Believed;
use crate::ops::mirror::book::Book;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::verify::check::NotSeen;
use crate::ops::verify::check::Seen;
use crate::ops::verify::check::check_doubting;
use crate::ops::verify::record;
use crate::plan::verify::Checkable;
use crate::plan::verify::Planned;
use crate::plan::verify::Selection;
use crate::plan::verify::VerifyPlan;
use crate::plan::verify::plan;
use crate::transfer;

/// What checks of copies stand on, whichever command makes them.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'r> {
    /// Clock and cancellation.
    pub env: &'r Env,
    /// The ledger and the run in it.
    pub book: &'r Book,
    /// What all readings share.
    pub shared: &'r transfer::Shared,
    /// Where copies are checked.
    pub targets: &'r [DestinationTarget],
    /// How many copies at the same time.
    pub at_once: usize,
    /// When nothing new is begun any more.
    pub deadline: Option<Timestamp>,
    /// How thoroughly.
    pub depth: Depth,
}

/// What came of checks.
#[derive(Debug, Default)]
pub struct Checked {
    /// Every copy whose turn came, in the order in which they were done.
    pub copies: Vec<CheckedCopy>,
    /// How many copies were planned, and their turn did not come.
    pub not_reached: u64,
    /// Failures that are not one copy's.
    pub failures: Vec<Failure>,
    /// Whether the limit on time came before the end.
    pub at_limit: bool,
}

/// A plan of checks, by the places' numbers among the targets.
pub type Plan = VerifyPlan<CopyRef, usize>;

/// Whether copies that were found lost before are checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// They are.
    Included,
    /// They are not: the run has just tried to make them anew, or can't.
    LeftAlone,
}

/// What came of one copy's turn.
enum Turn {
    /// It was checked.
    Checked(Box<CheckedCopy>),
    /// Its destination is given up.
    PassedOver,
    /// It is recorded no more, or the run may begin nothing more.
    NotReached,
}

impl Checks<'_> {
    /// Plans the checks of what a filter and a selection choose at the wanted destinations; gives
    /// as well at which destinations, none of these, there are how many more copies.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn planned(
        &self,
        filter: CopyFilter,
        backups: BTreeSet<BackupId>,
        selection: Selection,
        lost: Lost,
        is_wanted: impl Fn(&DestinationTarget) -> bool,
    ) -> Result<(Plan, Vec<(DestinationName, u64)>), ledger::Error> {
        let copies = self
            .book
            .read(move |ledger| ledger.copies_to_check(&filter, &backups))
            .await?;
        let places: BTreeMap<DestinationRef, usize> = self
            .targets
            .iter()
            .enumerate()
            .filter_map(|(index, target)| Some((target.reference?, index)))
            .collect();
        let wanted: BTreeSet<usize> = self
            .targets
            .iter()
            .enumerate()
            .filter(|(_, target)| is_wanted(target))
            .map(|(index, _)| index)
            .collect();
        let mut strange: BTreeMap<DestinationRef, u64> = BTreeMap::new();
        let mut checkable = Vec::new();
        for copy in copies {
            if lost == Lost::LeftAlone && copy.standing == Standing::Lost {
                continue;
            }
            match places.get(&copy.destination) {
                Some(place) if wanted.contains(place) => checkable.push(as_checkable(copy, *place)),
                Some(_not_asked_for) => {}
                None => *strange.entry(copy.destination).or_default() += 1,
            }
        }
        let unconfigured = self.named(strange).await?;
        Ok((plan(checkable, selection), unconfigured))
    }

    /// Verifies a part of all that is held, and leaves out what was found lost before: the run of
    /// `mirror` that this is part of has just made anew what it could.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub async fn subset(&self, subset: Subset, checked: &mut Checked) -> Result<(), ledger::Error> {
        let selection = Selection {
            subset: Some(subset),
            not_since: None,
        };
        let all = CopyFilter::default();
        let everywhere = |_target: &DestinationTarget| true;
        let (plan, _unconfigured) = self
            .planned(all, BTreeSet::new(), selection, Lost::LeftAlone, everywhere)
            .await?;
        self.all(plan, Believed::default(), checked).await
    }

    async fn named(
        &self,
        strange: BTreeMap<DestinationRef, u64>,
    ) -> Result<Vec<(DestinationName, u64)>, ledger::Error> {
        if strange.is_empty() {
            return Ok(Vec::new());
        }
        self.book
            .read(move |ledger| {
                let mut named = Vec::new();
                for (reference, count) in strange {
                    named.extend(ledger.name_of(reference)?.map(|name| (name, count)));
                }
                Ok(named)
            })
            .await
    }

    /// Whether the run was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.env.cancel.is_cancelled()
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| self.env.now() >= deadline)
    }

    /// Whether one more piece of work may begin; when it may not, it is counted.
    pub(super) fn may_begin(&self, at_limit: &AtomicBool) -> bool {
        if self.is_stopping() {
            return false;
        }
        if self.is_past_deadline() {
            at_limit.store(true, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Carries out a plan, and records what is found. A destination that holds nothing at all, and is not
    /// among the `believed`, is given up: it may be another disk, so none of its copies is called missing.
    ///
    /// # Errors
    /// The ledger's: what was begun went on to its end, nothing new was begun.
    pub async fn all(
        &self,
        plan: Plan,
        believed: Believed<'_>,
        checked: &mut Checked,
    ) -> Result<(), ledger::Error> {
        let bytes = match self.depth {
            Depth::Full => plan
                .checks
                .iter()
                .map(|planned| planned.copy.stored_bytes)
                .fold(0, u64::saturating_add),
            Depth::Quick => 0,
        };
        let count = u64::try_from(plan.checks.len()).unwrap_or(u64::MAX);
        self.shared.observer.checks_planned(count, bytes);
        let at_limit = AtomicBool::new(false);
        let is_unrecordable = AtomicBool::new(false);
        let mut results = stream::iter(plan.checks)
            .map(async |planned| {
                if is_unrecordable.load(Ordering::Relaxed) || !self.may_begin(&at_limit) {
                    return Ok(Turn::NotReached);
                }
                let given_up = self
                    .targets
                    .get(planned.copy.place)
                    .is_none_or(|target| target.given_up.get().is_some());
                if given_up {
                    return Ok(Turn::PassedOver);
                }
                self.one(&planned, believed).await
            })
            .buffer_unordered(self.at_once);
        let mut done = Ok(());
        let mut passed_over: u64 = 0;
        while let Some(result) = results.next().await {
            match result {
                Ok(Turn::Checked(copy)) => {
                    self.shared.observer.copy_checked(&copy);
                    checked.copies.push(*copy);
                }
                Ok(Turn::PassedOver) => {
                    checked.not_reached += 1;
                    passed_over += 1;
                }
                Ok(Turn::NotReached) => checked.not_reached += 1,
                Err(error) => {
                    checked.not_reached += 1;
                    is_unrecordable.store(true, Ordering::Relaxed);
                    if done.is_ok() {
                        done = Err(error);
                    }
                }
            }
        }
        drop(results);
        checked.at_limit |= at_limit.load(Ordering::Relaxed);
        if passed_over > 0 {
            let dead = self.targets.iter();
            checked.failures.extend(dead.filter_map(|target| {
                let failure = target.given_up.get()?;
                Some(Failure {
                    message: format!(
                        "no more copies were checked there, {passed_over} in all were passed over: {}",
                        failure.message
                    ),
                    ..failure.clone()
                })
            }));
        }
        done
    }

    /// Checks one copy and records what is found.
    async fn one(
        &self,
        planned: &Planned<CopyRef, usize>,
        believed: Believed<'_>,
    ) -> Result<Turn, ledger::Error> {
        let Some(target) = self.targets.get(planned.copy.place) else {
            return Ok(Turn::NotReached);
        };
        let copy = planned.copy.copy;
        let recorded = self
            .book
            .read(move |ledger| ledger.recorded_copy(copy))
            .await?;
        let Some(recorded) = recorded else {
            return Ok(Turn::NotReached);
        };
        // Only bytes that are read can make good what was found lost.
        let depth = match recorded.standing {
            Standing::Held => self.depth,
            Standing::Lost => Depth::Full,
        };
        let place = &target.destination;
        let seen = match check_doubting(place, &recorded, depth, believed, self.shared).await {
            Ok(seen) => seen,
            Err(NotSeen::Stopped) => return Ok(Turn::NotReached),
            Err(NotSeen::Doubted(failure)) => {
                target.given_up.get_or_init(|| failure);
                return Ok(Turn::PassedOver);
            }
        };
        match seen.finding.unread() {
            Some(failure) => target.learn(failure),
            None => target.worked(),
        }
        self.record(target, &recorded, &seen).await?;
        let elsewhere = if seen.finding.is_bad() {
            self.elsewhere(&recorded).await?
        } else {
            Vec::new()
        };
        let Seen {
            finding,
            read_bytes,
            ..
        } = seen;
        let held = recorded.copy;
        Ok(Turn::Checked(Box::new(CheckedCopy {
            panel: held.panel,
            server: held.server,
            server_name: held.server_name,
            backup: held.backup,
            backup_name: held.backup_name,
            destination: target.destination.name().clone(),
            key: held.key,
            stored_bytes: held.stored_bytes,
            standing: recorded.standing,
            verified_before: held.verified_at,
            depth,
            finding,
            repair: Repair::NotTried,
            elsewhere,
            on_panel: held.on_panel,
            read_bytes,
        })))
    }

    /// Keeps what was found in the ledger.
    pub(super) async fn record(
        &self,
        target: &DestinationTarget,
        recorded: &RecordedCopy,
        seen: &Seen,
    ) -> Result<(), ledger::Error> {
        match target.reference {
            Some(reference) => record::seen(self.book, reference, recorded, seen).await,
            None => Ok(()),
        }
    }

    /// Where else the ledger has a held copy of the same backup.
    async fn elsewhere(
        &self,
        recorded: &RecordedCopy,
    ) -> Result<Vec<DestinationName>, ledger::Error> {
        let (server, backup) = (recorded.copy.server, recorded.copy.backup);
        let here = recorded.copy.location.clone();
        self.book
            .read(move |ledger| {
                let copies = ledger.recorded_copies_of(server, backup)?.into_iter();
                Ok(copies
                    .filter(|other| other.standing == Standing::Held && other.copy.location != here)
                    .map(|other| other.copy.destination)
                    .collect())
            })
            .await
    }
}

fn as_checkable(copy: CopyToCheck, place: usize) -> Checkable<CopyRef, usize> {
    Checkable {
        copy: copy.copy,
        place,
        backup: copy.backup,
        standing: copy.standing,
        stored_bytes: copy.stored_bytes,
        mirrored_at: copy.mirrored_at,
        verified_at: copy.verified_at,
        checked_at: copy.checked_at,
    }
}
