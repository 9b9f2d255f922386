//! `restore --drill`: random copies fetched, verified, unpacked and walked to their end; nothing is written.

use serde_json::Value;
use serde_json::json;

use crate::config::settings::restore::CopiesFrom;
use crate::config::settings::restore::DrillJob;
use crate::destination::Destination;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::DestinationRef;
use crate::ledger::StoredProof;
use crate::model::content::Inspect;
use crate::model::finding::Depth;
use crate::model::holding::HeldCopy;
use crate::model::member::MemberGlob;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::emptied;
use crate::ops::emptied::Believed;
use crate::ops::mirror::book::Book;
use crate::ops::mirror::unrecorded;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::unreachable;
use crate::ops::restore::inventory::Inventory;
use crate::ops::restore::inventory::Sought;
use crate::ops::verify::check::check_doubting;
use crate::ops::verify::record;
use crate::plan;
use crate::report::drill::DrillReport;
use crate::report::drill::DrillState;
use crate::report::drill::DrilledCopy;
use crate::transfer::pump::Nowhere;
use crate::transfer::readback;
use crate::transfer::readback::NotRead;
use crate::transfer::readback::PART_BYTES;
use crate::transfer::readback::ReadBack;
use crate::transfer::readback::Reading;
use crate::transfer::readback::Whose;
use crate::transfer::rehearse::RehearseSink;
use crate::transfer::rehearse::Rehearsed;

/// Where a drill is recorded.
#[derive(Debug, Clone, Copy)]
pub enum Record<'b> {
    /// In the ledger.
    In(&'b Book),
    /// Nowhere: the copies come from `--from`, and the ledger may know none of them.
    Nowhere,
}

/// Whether the stored object seems to be missing or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    None,
    Lost,
}

/// What one copy came to.
struct Drilled {
    copy: DrilledCopy,
    proof: StoredProof,
    suspicion: Suspicion,
}

/// Drills with random copies, one after the other; what fails does not keep the others from it.
///
/// # Errors
/// [`Error::Ledger`], [`Error::Destination`], [`Error::SamePlace`], before anything was read.
pub async fn drill(
    restore: &Restore<'_>,
    job: &DrillJob,
    record: Record<'_>,
) -> Result<DrillReport, Error> {
    let env = &restore.shared.env;
    let started_at = env.now();
    let sample = restore.settings.drill.sample;
    let sought = Sought::Servers(&job.servers);
    let mut inventory = restore.inventory(sought).await?;
    let mut held = meant(job, &inventory);
    if held.is_empty() && restore.wanted.copies == CopiesFrom::Ledger {
        // The ledger may be a new one.
        inventory = restore.inventory_of_sidecars(sought).await?;
        held = meant(job, &inventory);
    }
    let mut report = DrillReport {
        run: match record {
            Record::In(book) => book.run(),
            Record::Nowhere => None,
        },
        started_at,
        finished_at: started_at,
        sample: sample as u64,
        held: held.len() as u64,
        copies: Vec::new(),
        errors: errors(job, &inventory),
        ended: Ended::InFull,
    };
    if held.is_empty() {
        report.errors.push(nothing_held(job));
    }
    let taken = plan::drill::sample(held, sample, env.seed());
    let bytes = taken.iter().map(|copy| copy.stored_bytes).sum();
    let observer = &restore.shared.observer;
    observer.planned(taken.len() as u64, bytes);
    for copy in taken {
        if env.cancel.is_cancelled() {
            report.copies.push(described(&copy, DrillState::NotReached));
            continue;
        }
        let drilled = restore.drill_one(&inventory, &copy).await;
        if let Record::In(book) = record
            && let Err(error) = restore.note(book, &inventory, &copy, &drilled).await
        {
            report.errors.push(unrecorded(&error));
        }
        report.copies.push(drilled.copy);
    }
    let is_cut_short = report.count(DrillState::NotReached) > 0;
    report.ended = match env.stopped_by() {
        Some(StopSignal::Interrupt) if is_cut_short => Ended::BySigint,
        Some(StopSignal::Terminate) if is_cut_short => Ended::BySigterm,
        Some(_) | None => Ended::InFull,
    };
    report.finished_at = env.now();
    Ok(report)
}

fn meant(job: &DrillJob, inventory: &Inventory) -> Vec<HeldCopy> {
    let copies = inventory.copies.iter();
    copies.filter(|copy| is_meant(job, copy)).cloned().collect()
}

/// Whether a copy is of a server that is meant; none named means all.
fn is_meant(job: &DrillJob, copy: &HeldCopy) -> bool {
    job.servers.is_empty()
        || job.servers.iter().any(|selector| {
            selector.matches_words(copy.server, &copy.identifier, &copy.server_name)
        })
}

/// What could not be looked at, and copies of servers that are meant that are broken by their sidecars.
fn errors(job: &DrillJob, inventory: &Inventory) -> Vec<Failure> {
    let sought = Sought::Servers(&job.servers);
    let broken = inventory
        .broken
        .iter()
        .filter(|broken| inventory.may_be_sought(broken, sought, &[]));
    let broken = broken.map(|broken| &broken.failure);
    inventory.failures.iter().chain(broken).cloned().collect()
}

fn nothing_held(job: &DrillJob) -> Failure {
    let (message, hint) = if job.servers.is_empty() {
        (
            "there is no copy to drill with",
            "run `nestegg mirror` first, or look elsewhere with --from",
        )
    } else {
        (
            "there is no copy of these servers to drill with",
            "`nestegg list` shows what is held",
        )
    };
    Failure {
        scope: Scope::Server,
        id: "any".to_owned(),
        kind: FailureKind::NotFound,
        message: message.to_owned(),
        hint: hint.to_owned(),
    }
}

fn described(copy: &HeldCopy, state: DrillState) -> DrilledCopy {
    DrilledCopy {
        panel: copy.panel.clone(),
        server: copy.server,
        server_name: copy.server_name.clone(),
        backup: copy.backup,
        name: copy.backup_name.clone(),
        completed_at: copy.completed_at,
        destination: copy.destination.clone(),
        key: copy.key.clone(),
        bytes: copy.stored_bytes,
        state,
        duration_ms: 0,
        structure: None,
        missing: Vec::new(),
        failure: None,
    }
}

impl Restore<'_> {
    async fn drill_one(&self, inventory: &Inventory, copy: &HeldCopy) -> Drilled {
        let began_at = self.shared.env.now();
        let drilled = match inventory.place_of(copy) {
            Some(place) => {
                let reading = Reading {
                    copy,
                    destination: place.clone(),
                    inspect: Inspect::WhenNeeded,
                    part_bytes: PART_BYTES,
                };
                let drilled = if copy.encryption.is_some() && self.identities.is_empty() {
                    self.check_at_rest(reading).await
                } else {
                    self.rehearse(reading).await
                };
                self.unless_doubted(place, copy, drilled).await
            }
            None => failed(copy, unreachable(copy, &inventory.failures)),
        };
        let took = self.shared.env.now().duration_since(began_at);
        Drilled {
            copy: DrilledCopy {
                duration_ms: u64::try_from(took.as_millis()).unwrap_or(0),
                ..drilled.copy
            },
            ..drilled
        }
    }

    /// A copy that is missing where nothing at all is held says nothing of itself: the failure is its
    /// destination's.
    async fn unless_doubted(
        &self,
        place: &Destination,
        copy: &HeldCopy,
        drilled: Drilled,
    ) -> Drilled {
        let failure = drilled.copy.failure.as_ref();
        let is_missing = failure.is_some_and(|failure| failure.kind == FailureKind::NotFound);
        if !is_missing || drilled.suspicion == Suspicion::None {
            return drilled;
        }
        let doubt = tokio::select! {
            biased;
            () = self.shared.env.cancel.cancelled() => return not_reached(copy),
            doubt = emptied::doubt(place) => doubt,
        };
        doubt.map_or(drilled, |failure| failed(copy, failure))
    }

    /// Without a key only the stored object can be compared with its record.
    async fn check_at_rest(&self, reading: Reading<'_>) -> Drilled {
        let copy = reading.copy;
        match readback::stored(reading, async |_| Ok(Nowhere), &self.shared).await {
            Ok(_back) => Drilled {
                copy: described(copy, DrillState::AtRest),
                proof: StoredProof::Held,
                suspicion: Suspicion::None,
            },
            Err(not_read) => unread(copy, not_read),
        }
    }

    async fn rehearse(&self, reading: Reading<'_>) -> Drilled {
        let copy = reading.copy;
        let must_contain =
            self.settings
                .drill
                .must_contain(copy.server, &copy.identifier, &copy.server_name);
        let make = async |stream| Ok(RehearseSink::begin(stream, copy.backup, must_contain));
        let back = match readback::archive(reading, &self.identities, make, &self.shared).await {
            Ok(back) => back,
            Err(not_read) => return unread(copy, not_read),
        };
        let ReadBack { content, sink, .. } = back;
        let walked = sink.finish(&content).await;
        let Rehearsed { structure, missing } = match walked {
            Ok(rehearsed) => rehearsed,
            Err(error) => {
                return Drilled {
                    proof: StoredProof::Held,
                    ..failed(copy, error.failure(copy.backup))
                };
            }
        };
        let is_complete = missing.is_empty();
        Drilled {
            copy: DrilledCopy {
                structure: Some(structure),
                missing: missing
                    .iter()
                    .map(|glob| glob.as_str().to_owned())
                    .collect(),
                failure: (!is_complete).then(|| lacks(copy, &missing)),
                ..described(
                    copy,
                    if is_complete {
                        DrillState::Drilled
                    } else {
                        DrillState::Failed
                    },
                )
            },
            proof: StoredProof::Held,
            suspicion: Suspicion::None,
        }
    }
}

fn failed(copy: &HeldCopy, failure: Failure) -> Drilled {
    Drilled {
        copy: DrilledCopy {
            failure: Some(failure),
            ..described(copy, DrillState::Failed)
        },
        proof: StoredProof::Missing,
        suspicion: Suspicion::None,
    }
}

/// What a copy comes to when the drill is told to stop before it is done.
fn not_reached(copy: &HeldCopy) -> Drilled {
    Drilled {
        copy: described(copy, DrillState::NotReached),
        proof: StoredProof::Missing,
        suspicion: Suspicion::None,
    }
}

/// What a copy that was not read to its end comes to. One that seems damaged or gone is looked at again.
fn unread(copy: &HeldCopy, not_read: NotRead) -> Drilled {
    let NotRead { failure, whose, .. } = not_read;
    match whose {
        Whose::Nobody => not_reached(copy),
        Whose::Sink => failed(copy, failure),
        Whose::Copy => {
            let is_lost = matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound);
            Drilled {
                suspicion: if is_lost {
                    Suspicion::Lost
                } else {
                    Suspicion::None
                },
                ..failed(copy, failure)
            }
        }
    }
}

fn lacks(copy: &HeldCopy, missing: &[MemberGlob]) -> Failure {
    let missing: Vec<String> = missing.iter().map(|glob| format!("`{glob}`")).collect();
    Failure {
        scope: Scope::Backup,
        id: copy.backup.to_string(),
        kind: FailureKind::Integrity,
        message: format!(
            "the archive is whole, and lacks what it must contain: {}",
            missing.join(", ")
        ),
        hint: "look at the server's ignored files (`.pteroignore`, `.pelicanignore`) and at `must_contain` in \
               the configuration"
            .to_owned(),
    }
}

impl Restore<'_> {
    /// Writes down what a copy came to; one that the ledger does not know is left out.
    ///
    /// Before a copy no longer counts as held it is checked as `verify` does: one bad reading loses no
    /// copy, and neither does a destination that holds nothing at all, which may be a disk that is not
    /// mounted.
    async fn note(
        &self,
        book: &Book,
        inventory: &Inventory,
        copy: &HeldCopy,
        drilled: &Drilled,
    ) -> Result<(), ledger::Error> {
        if drilled.copy.state == DrillState::NotReached {
            return Ok(());
        }
        let location = copy.location.clone();
        let found = book.read(move |ledger| ledger.find_destination(&location));
        let Some(destination) = found.await? else {
            return Ok(());
        };
        // Of a destination that was moved, the place read may not be the one recorded.
        let place = inventory.place_of(copy);
        let place = place.filter(|place| place.location() == copy.location);
        let proof = place.map_or(StoredProof::Missing, |_| drilled.proof);
        let (key, detail) = (copy.key.clone(), detail(&drilled.copy));
        let noted = book.write(move |ledger, run, now| {
            ledger.record_drill(run, destination, &key, proof, &detail, now)
        });
        match noted.await {
            Err(ledger::Error::UnknownServer { .. } | ledger::Error::UnknownBackup { .. }) => {
                return Ok(());
            }
            noted => noted?,
        }
        match (drilled.suspicion, place) {
            (Suspicion::Lost, Some(place)) => self.look_again(book, destination, place, copy).await,
            (Suspicion::Lost, None) | (Suspicion::None, _) => Ok(()),
        }
    }

    async fn look_again(
        &self,
        book: &Book,
        reference: DestinationRef,
        place: &Destination,
        copy: &HeldCopy,
    ) -> Result<(), ledger::Error> {
        let (server, backup, location) = (copy.server, copy.backup, copy.location.clone());
        let recorded = book
            .read(move |ledger| {
                let copies = ledger.recorded_copies_of(server, backup)?;
                Ok(copies
                    .into_iter()
                    .find(|recorded| recorded.copy.location == location))
            })
            .await?;
        let Some(recorded) = recorded else {
            return Ok(());
        };
        let (depth, believed) = (Depth::Full, Believed::default());
        match check_doubting(place, &recorded, depth, believed, &self.shared).await {
            Ok(seen) => record::seen(book, reference, &recorded, &seen).await,
            Err(_not_seen) => Ok(()),
        }
    }
}

/// What the ledger keeps of a drill.
fn detail(copy: &DrilledCopy) -> Value {
    json!({
        "outcome": copy.state.as_str(),
        "duration_ms": copy.duration_ms,
        "entries": copy.structure.map(|found| found.entries),
        "unpacked_bytes": copy.structure.map(|found| found.unpacked_bytes),
        "missing": copy.missing,
        "error": copy.failure.as_ref().map(|failure| {
            json!({"kind": failure.kind.as_str(), "message": failure.message})
        }),
    })
}
