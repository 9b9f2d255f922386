//! What a plan is made from: the ledger, and stores where they are asked about retention.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;
use jiff::Timestamp;

use crate::config::Settings;
use crate::destination;
use crate::destination::Destination;
use crate::destination::Retention;
use crate::env::Env;
use crate::ledger::BackupMarks;
use crate::ledger::BackupOf;
use crate::ledger::BegunRemoval;
use crate::ledger::CopyFilter;
use crate::ledger::PrunableCopy;
use crate::ledger::PrunableServer;
use crate::ledger::ServerHistory;
use crate::model::backup::LockState;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::retention::KeepPolicy;
use crate::model::suspicion::ShrinkAlarm;
use crate::ops::Error;
use crate::ops::choice;
use crate::ops::mirror::book::Book;
use crate::ops::prune::look;
use crate::ops::status::suspicion_of;
use crate::plan::prune::Facts;
use crate::plan::prune::Mark;
use crate::plan::prune::Prunable;
use crate::plan::prune::ServerPlan;
use crate::plan::prune::StoreRetention;
use crate::plan::prune::Wishes;
use crate::plan::prune::newest;
use crate::plan::prune::plan;
use crate::plan::prune::would_be_newest;
use crate::report::prune::Thinning;

/// How many copies a store is asked about at the same time.
const AT_ONCE: usize = 16;

/// One copy: which destination, which server there, which of its copies, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) place: usize,
    pub(super) unit: usize,
    pub(super) copy: usize,
}

/// One destination, and what it holds of the servers that are asked for.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) number: usize,
    pub(super) destination: Destination,
    pub(super) thinning: Thinning,
    pub(super) units: Vec<Unit>,
    pub(super) begun: Vec<BegunRemoval>,
    /// What the ledger knows of backups whose removal was begun.
    pub(super) marks: BTreeMap<BackupOf, BackupMarks>,
    /// What servers are called.
    names: BTreeMap<ServerId, String>,
    /// Why it can't be used, if so.
    pub(super) given_up: Option<Failure>,
}

/// One server at one destination.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) held: PrunableServer,
    policy: KeepPolicy,
    /// What the store says of the copies that the policy would remove.
    pub(super) retention: BTreeMap<BackupId, Retention>,
    /// Why it could not be asked about others of them: they stay.
    pub(super) not_asked: BTreeMap<BackupId, Failure>,
}

/// What a store answered about one copy of a unit, or why it did not.
#[derive(Debug)]
struct Told {
    unit: usize,
    backup: BackupId,
    answer: Result<Retention, Failure>,
}

/// Reads what the destinations hold of the servers that are asked for.
///
/// # Errors
/// [`Error::NamesNothing`] for a word that fits no server; the ledger's.
pub(super) async fn gather(
    book: &Book,
    settings: &Settings,
    destinations: Vec<Destination>,
) -> Result<Vec<Place>, Error> {
    let wanted = settings.clone();
    let chosen = book
        .read(move |ledger| Ok(choice::chosen(ledger, &wanted)))
        .await??;
    // Destinations go by their location: the ledger may know one by another name.
    let filter = CopyFilter {
        destinations: None,
        ..chosen
    };
    let (mut held, mut begun, marks, known) = book
        .read(move |ledger| {
            let begun = ledger.begun_removals(&filter)?;
            let of_begun = CopyFilter {
                servers: Some(begun.iter().map(|removal| removal.key.server()).collect()),
                destinations: None,
            };
            let marks = ledger.marks(&of_begun)?;
            Ok((ledger.prunable(&filter)?, begun, marks, ledger.known()?))
        })
        .await?;
    let names: BTreeMap<ServerId, String> = known
        .servers
        .into_iter()
        .map(|server| (server.id, server.name))
        .collect();
    let mut places = Vec::new();
    for (number, destination) in destinations.into_iter().enumerate() {
        let location = destination.location();
        let wanted = settings
            .destinations
            .iter()
            .find(|wanted| wanted.name == *destination.name());
        let policy_of = |server: &ServerHistory| {
            let (id, identifier, name) = (server.server, &server.identifier, &server.name);
            let policy = wanted
                .and_then(|there| settings.prune.policy(there, id, identifier, name))
                .cloned();
            policy.unwrap_or_default()
        };
        let units = held
            .extract_if(.., |unit| unit.location == location)
            .map(|held| Unit {
                policy: policy_of(&held.server),
                retention: BTreeMap::new(),
                not_asked: BTreeMap::new(),
                held,
            })
            .collect();
        let begun = begun
            .extract_if(.., |removal| removal.location == location)
            .collect();
        places.push(Place {
            number,
            thinning: match wanted {
                Some(there) if settings.prune.thins(there) => Thinning::ByPolicy,
                Some(_) | None => Thinning::None,
            },
            units,
            begun,
            marks: marks.clone(),
            names: names.clone(),
            given_up: None,
            destination,
        });
    }
    Ok(places)
}

/// A plan for every server of every place, in their order.
pub(super) fn plans(
    places: &[Place],
    settings: &Settings,
    env: &Env,
    now: Timestamp,
) -> Vec<ServerPlan<Slot>> {
    let of_place = |place| Place::plans(place, settings, env, now);
    places.iter().flat_map(of_place).collect()
}

impl Place {
    /// What a server was last called.
    pub(super) fn server_name(&self, server: ServerId) -> String {
        let known = self.names.get(&server).cloned();
        known.unwrap_or_else(|| server.short())
    }

    /// Whether nothing is held here that is newer than a copy whose removal was begun, as far as the ledger
    /// knows.
    pub(super) fn lacks_newer_than(&self, begun: &BegunRemoval, now: Timestamp) -> bool {
        let server = begun.key.server();
        let units = self.units.iter();
        let held = units
            .filter(|unit| unit.held.server.server == server)
            .flat_map(|unit| &unit.held.copies)
            .map(|copy| (copy.created_at, copy.key.backup()));
        would_be_newest((begun.created_at, begun.key.backup()), held, now)
    }

    /// Tries the destination when there is something to do there, and asks it which of the copies that
    /// would be removed it retains; what could not be asked, if anything.
    pub(super) async fn look(
        &mut self,
        settings: &Settings,
        env: &Env,
        now: Timestamp,
    ) -> Vec<Failure> {
        let candidates: Vec<(usize, ObjectKey)> = self
            .plans(settings, env, now)
            .iter()
            .flat_map(ServerPlan::removals)
            .filter_map(|copy| {
                let Slot { unit, copy, .. } = copy.copy;
                let copy = self.units.get(unit)?.held.copies.get(copy)?;
                Some((unit, copy.key.clone()))
            })
            .collect();
        if candidates.is_empty() && self.begun.is_empty() {
            return Vec::new();
        }
        let asked = tokio::select! {
            biased;
            () = env.cancel.cancelled() => return Vec::new(),
            asked = self.ask(candidates, now) => asked,
        };
        let told = match asked {
            Ok(told) => told,
            Err(failure) => {
                self.given_up = Some(failure.clone());
                return vec![failure];
            }
        };
        let mut failures = Vec::new();
        for Told {
            unit,
            backup,
            answer,
        } in told
        {
            let Some(unit) = self.units.get_mut(unit) else {
                continue;
            };
            match answer {
                Ok(retention) => {
                    unit.retention.insert(backup, retention);
                }
                Err(failure) => {
                    failures.push(failure.clone());
                    unit.not_asked.insert(backup, failure);
                }
            }
        }
        failures
    }

    /// Asks about each copy; what would fail the next one as well ends it.
    async fn ask(
        &self,
        candidates: Vec<(usize, ObjectKey)>,
        now: Timestamp,
    ) -> Result<Vec<Told>, Failure> {
        let of_all = |error: &destination::Error| {
            error.failure(Scope::Destination, self.destination.name().to_string())
        };
        let probed = self.destination.probe_reading().await;
        probed.map_err(|error| of_all(&error))?;
        let mut asked = stream::iter(candidates)
            .map(async |(unit, key)| {
                (
                    unit,
                    key.backup(),
                    self.destination.retention(&key, now).await,
                )
            })
            .buffered(AT_ONCE);
        let mut told = Vec::new();
        while let Some((unit, backup, answer)) = asked.next().await {
            let answer = match answer {
                Ok(retention) => Ok(retention),
                Err(error) if look::is_lasting(error.kind()) => return Err(of_all(&error)),
                Err(error) => Err(look::not_asked(&self.destination, backup, &error)),
            };
            told.push(Told {
                unit,
                backup,
                answer,
            });
        }
        Ok(told)
    }

    fn plans(&self, settings: &Settings, env: &Env, now: Timestamp) -> Vec<ServerPlan<Slot>> {
        let units = self.units.iter().enumerate();
        units
            .map(|(unit, of)| self.plan(unit, of, settings, env, now))
            .collect()
    }

    /// What becomes of the copies of one server.
    fn plan(
        &self,
        unit: usize,
        of: &Unit,
        settings: &Settings,
        env: &Env,
        now: Timestamp,
    ) -> ServerPlan<Slot> {
        let copies = of.held.copies.iter().enumerate().map(|(copy, held)| {
            let slot = Slot {
                place: self.number,
                unit,
                copy,
            };
            prunable(slot, held, of.store(held.key.backup()))
        });
        let history = &of.held.server;
        // One that is held here is mirrored, whether the panel still has it or not: an older one that it
        // still has may be gone from here for that very reason.
        let is_held = |backup| {
            of.held
                .copies
                .iter()
                .any(|copy| copy.key.backup() == backup)
        };
        let completed = history
            .newest
            .iter()
            .filter(|archive| archive.on_panel == PanelPresence::Listed || is_held(archive.backup))
            .map(|archive| (archive.backup, archive.created_at));
        let facts = Facts {
            copies: copies.collect(),
            newest: newest(completed, now),
            suspicion: suspicion_of(history, ShrinkAlarm(settings.prune.shrink_alarm), now),
        };
        let wishes = Wishes {
            policy: &of.policy,
            verify_within: settings.prune.verify_within,
        };
        plan(facts, wishes, now, &env.zone())
    }
}

impl Unit {
    /// What is known of the store's retention of one copy.
    fn store(&self, backup: BackupId) -> StoreRetention {
        if self.not_asked.contains_key(&backup) {
            return StoreRetention::NotAsked;
        }
        match self.retention.get(&backup) {
            Some(Retention::Until(until)) => StoreRetention::Until(*until),
            Some(Retention::Held) => StoreRetention::WithoutDate,
            Some(Retention::None) | None => StoreRetention::None,
        }
    }
}

fn prunable(slot: Slot, held: &PrunableCopy, store: StoreRetention) -> Prunable<Slot> {
    Prunable {
        copy: slot,
        backup: held.key.backup(),
        created_at: held.created_at,
        stored_bytes: held.stored_bytes,
        proved_at: held.verified_at.unwrap_or(held.mirrored_at),
        lock: if held.is_locked {
            LockState::Locked
        } else {
            LockState::Unlocked
        },
        mark: match &held.kept {
            Some(mark) => Mark::Kept {
                reason: mark.reason.clone(),
            },
            None => Mark::None,
        },
        store,
    }
}
