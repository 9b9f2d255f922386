//! `nestegg prune`: copies are thinned as policies say, plan first.
//!
//! The plan is made from the ledger, and from what stores say of the retention of those copies alone that
//! it would remove. It is carried out one copy after the other at each destination, all destinations at the
//! same time: intent in the ledger, sidecar, archive, done in the ledger. What a killed run began is
//! finished first.

mod begun;
mod gather;
mod look;
mod remove;
mod undo;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::config::Settings;
use crate::destination::Destination;
use crate::env::Env;
use crate::env::StopSignal;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::ops::Error;
use crate::ops::mirror::book::Book;
use crate::ops::prune::begun::BegunAt;
use crate::ops::prune::gather::Place;
use crate::ops::prune::gather::Slot;
use crate::ops::prune::remove::Remover;
use crate::plan::prune::Decision;
use crate::plan::prune::MaxDelete;
use crate::plan::prune::ServerPlan;
use crate::plan::prune::cap;
use crate::report::prune::Became;
use crate::report::prune::BegunCopy;
use crate::report::prune::PruneReport;
use crate::report::prune::PrunedCopy;
use crate::report::prune::PrunedPlace;
use crate::report::prune::PrunedServer;

/// Everything that one run stands on.
#[derive(Debug)]
pub struct Parts {
    /// Clock and cancellation.
    pub env: Env,
    /// The ledger, and the run in it unless only the plan is wanted.
    pub book: Book,
    /// Destinations that could be opened.
    pub destinations: Vec<Destination>,
    /// Why others could not.
    pub failures: Vec<Failure>,
}

/// Fails when `--apply` would have nothing to go by.
///
/// # Errors
/// [`Error::NoPolicy`].
pub fn has_policy(settings: &Settings) -> Result<(), Error> {
    let mut destinations = settings.destinations.iter();
    let is_thinned = destinations.any(|destination| settings.prune.thins(destination));
    match settings.mirror.mode {
        Mode::Apply if !is_thinned => Err(Error::NoPolicy),
        Mode::Apply | Mode::DryRun => Ok(()),
    }
}

/// Plans what the settings ask for, and carries it out when they say so.
///
/// # Errors
/// [`Error`] when the run could not be begun, or the ledger not be read; whatever failed later is in the
/// report.
pub async fn run(parts: Parts, settings: &Settings) -> Result<PruneReport, Error> {
    let Parts {
        env,
        book,
        destinations,
        failures,
    } = parts;
    let started_at = env.now();
    let mode = settings.mirror.mode;
    let mut errors = failures;
    let mut places = gather::gather(&book, settings, destinations).await?;
    let asked = places
        .iter_mut()
        .map(|place| place.look(settings, &env, started_at));
    errors.extend(join_all(asked).await.into_iter().flatten());
    let plans = gather::plans(&places, settings, &env, started_at);
    let refused = begun::refused(&places, &plans);
    let room = settings.prune.max_delete;
    let work = shared_out(&places, &plans, &refused, room);
    let mut done = Done::leaving(&refused);
    if mode == Mode::Apply {
        let removers = places.iter().zip(work.of_places).map(|(place, work)| {
            let remover = Remover::new(&env, &book, place, &refused);
            remover.all(work.begun, work.planned)
        });
        for of_place in join_all(removers).await {
            done.add(of_place, &mut errors);
        }
    }
    let ended = match env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None if work.left_over > 0 && mode == Mode::Apply => Ended::AtLimit,
        None => Ended::InFull,
    };
    Ok(PruneReport {
        run: book.run(),
        started_at,
        finished_at: env.now(),
        mode,
        places: reported(places, plans, done, mode),
        max_delete: room,
        errors: each_once(errors),
        ended,
    })
}

/// Failures without those that were told before: many copies may meet the same.
fn each_once(mut failures: Vec<Failure>) -> Vec<Failure> {
    let mut told = BTreeSet::new();
    failures.retain(|failure| {
        told.insert((failure.scope, failure.id.clone(), failure.message.clone()))
    });
    failures
}

/// What one run may do at each destination.
struct Work {
    of_places: Vec<PlaceWork>,
    left_over: u64,
}

/// What is done at one destination, in this order.
#[derive(Default)]
struct PlaceWork {
    /// Numbers of its begun removals.
    begun: Vec<usize>,
    /// Copies that the plan removes.
    planned: Vec<Slot>,
}

/// Shares out what may be removed: first what was begun, then the oldest over all servers. What is begun and
/// refused takes no room.
fn shared_out(
    places: &[Place],
    plans: &[ServerPlan<Slot>],
    refused: &BTreeSet<BegunAt>,
    room: Option<usize>,
) -> Work {
    let mut of_places: Vec<PlaceWork> = places.iter().map(|_place| PlaceWork::default()).collect();
    let mut left = room.unwrap_or(usize::MAX);
    let mut left_over: u64 = 0;
    for (place, work) in places.iter().zip(&mut of_places) {
        for number in 0..place.begun.len() {
            if refused.contains(&(place.number, number)) {
                work.begun.push(number);
                continue;
            }
            if left == 0 {
                left_over += 1;
                continue;
            }
            left -= 1;
            work.begun.push(number);
        }
    }
    let most = match room {
        None => MaxDelete::Unlimited,
        Some(_) => MaxDelete::AtMost(u64::try_from(left).unwrap_or(u64::MAX)),
    };
    let batch = cap(plans, most);
    for removal in &batch.removals {
        let slot = removal.copy;
        if let Some(work) = of_places.get_mut(slot.place) {
            work.planned.push(slot);
        }
    }
    Work {
        of_places,
        left_over: left_over + batch.left_over,
    }
}

/// What became of everything that was tried, and of what is begun and was not to be.
struct Done {
    copies: BTreeMap<Slot, Became>,
    begun: BTreeMap<BegunAt, Became>,
}

impl Done {
    /// Nothing yet, but that these are refused.
    fn leaving(refused: &BTreeSet<BegunAt>) -> Self {
        let refused = refused.iter().map(|at| (*at, Became::Refused));
        Self {
            copies: BTreeMap::new(),
            begun: refused.collect(),
        }
    }

    fn add(&mut self, of_place: remove::PlaceDone, errors: &mut Vec<Failure>) {
        let remove::PlaceDone {
            number,
            copies,
            begun,
            failures,
            unrecorded,
        } = of_place;
        self.copies.extend(copies);
        let begun = begun.into_iter();
        self.begun
            .extend(begun.map(|(copy, became)| ((number, copy), became)));
        errors.extend(failures);
        if let Some(error) = unrecorded {
            errors.push(Failure {
                scope: Scope::Ledger,
                id: "ledger".to_owned(),
                kind: error.kind(),
                message: format!("what was removed can't be recorded: {}", chain(&error)),
                hint: format!(
                    "{}; a removal that is begun is finished by the next run",
                    error.hint()
                ),
            });
        }
    }
}

fn reported(
    places: Vec<Place>,
    plans: Vec<ServerPlan<Slot>>,
    mut done: Done,
    mode: Mode,
) -> Vec<PrunedPlace> {
    let mut plans = plans.into_iter();
    let untouched = match mode {
        Mode::DryRun => Became::WouldGo,
        Mode::Apply => Became::NotReached,
    };
    let mut reported = Vec::new();
    for place in places {
        let begun = place.begun.iter().enumerate().map(|(number, begun)| {
            let became = done.begun.remove(&(place.number, number));
            BegunCopy {
                server_name: place.server_name(begun.key.server()),
                key: begun.key.clone(),
                stored_bytes: begun.stored_bytes,
                intended_at: begun.intended_at,
                became: became.unwrap_or_else(|| untouched.clone()),
            }
        });
        let begun = begun.collect();
        let mut servers = Vec::new();
        for (unit, plan) in place.units.into_iter().zip(plans.by_ref()) {
            let is_refused = plan.is_refused();
            let held = unit.held;
            let mut copies = Vec::new();
            for (copy, planned) in held.copies.into_iter().zip(plan.copies) {
                let not_asked = unit.not_asked.get(&copy.key.backup());
                let became = done.copies.remove(&planned.copy.copy);
                let became = match (&planned.decision, became, not_asked) {
                    (_, Some(became), _) => became,
                    (Decision::Keep(_), None, _) => Became::Kept,
                    (Decision::Remove, None, Some(failure)) => Became::Failed(failure.clone()),
                    (Decision::Remove, None, None) if is_refused => Became::Refused,
                    (Decision::Remove, None, None) => untouched.clone(),
                };
                copies.push(PrunedCopy {
                    backup: copy.key.backup(),
                    name: copy.name,
                    key: copy.key,
                    created_at: copy.created_at,
                    stored_bytes: copy.stored_bytes,
                    decision: planned.decision,
                    became,
                });
            }
            servers.push(PrunedServer {
                panel: held.server.panel,
                server: held.server.server,
                identifier: held.server.identifier,
                name: held.server.name,
                refusals: plan.refusals,
                copies,
            });
        }
        reported.push(PrunedPlace {
            destination: place.destination.name().clone(),
            thinning: place.thinning,
            given_up: place.given_up,
            begun,
            servers,
        });
    }
    reported
}
