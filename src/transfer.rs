//! One backup: link → bytes → uploads → verify → commit → sidecar.
//!
//! Nothing becomes visible before its bytes are proved; what fails is aborted; one destination
//! failing leaves the others whole. The ledger is the caller's.

pub mod compute;
pub mod describe;
pub mod extract;
mod failure;
pub mod inspect;
pub mod limit;
pub mod observer;
pub mod pump;
pub mod readback;
pub mod rehearse;
pub mod sink;
pub mod source;
mod tuning;
pub mod unseal;

use std::sync::Arc;

use futures_util::future::join_all;

use crate::destination::Destination;
use crate::destination::SizeHint;
use crate::destination::StoredObject;
use crate::destination::UploadJournal;
use crate::destination::VerifiedUpload;
use crate::env::Env;
use crate::model::backup::Backup;
use crate::model::backup::CompletedBackup;
use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::checksum::Verdict;
use crate::model::content::ComputedContent;
use crate::model::content::Inspect;
use crate::model::content::PartCutter;
use crate::model::content::Structure;
use crate::model::content::VerifiedContent;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::member::MemberGlob;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::panel;
use crate::panel::PanelClient;
use crate::transfer::compute::Computation;
use crate::transfer::compute::Lookout;
use crate::transfer::describe::SidecarDraft;
pub use crate::transfer::failure::NOTHING_KEPT;
use crate::transfer::failure::interrupted;
use crate::transfer::failure::mismatch_failure;
use crate::transfer::failure::stopped_failure;
use crate::transfer::limit::Throttle;
use crate::transfer::observer::Observer;
use crate::transfer::observer::TransferLabel;
use crate::transfer::pump::Nowhere;
use crate::transfer::pump::Pump;
use crate::transfer::pump::Pumped;
use crate::transfer::pump::Slot;
use crate::transfer::pump::SlotState;
use crate::transfer::pump::Stopped;
use crate::transfer::pump::UploadSink;
use crate::transfer::source::Source;
pub use crate::transfer::tuning::Tuning;

/// Whether the panel's row is read again before the commit.
#[derive(Debug, Clone)]
pub enum Recheck {
    /// The row is old, or the bytes come from a copy.
    No,
    /// The row was young when it was listed: it must still say the same.
    Row {
        /// Who to ask.
        panel: PanelClient,
        /// The row's server.
        server: ServerId,
        /// The row as listed.
        listed: Box<CompletedBackup>,
    },
}

/// What an earlier check of the same bytes recorded; for filling a destination from a copy.
#[derive(Debug, Clone, Copy)]
pub struct Recorded {
    /// What was proved of the copy when it was made.
    pub verdict: Verdict,
    /// What its inspection found.
    pub structure: Option<Structure>,
}

/// One archive to bring to one or more destinations.
#[derive(Debug)]
pub struct Job {
    /// The archive's key; a destination that encrypts stores it under its own.
    pub key: ObjectKey,
    /// For people.
    pub label: TransferLabel,
    /// Where it is read.
    pub source: Source,
    /// What it must turn out to be.
    pub expected: ExpectedContent,
    /// Its length as the panel says it, for part sizes, even where that is no promise.
    pub hinted_bytes: u64,
    /// Whether the gzip and tar inside are walked.
    pub inspect: Inspect,
    /// What the walk looks for; what it does not find makes the archive no worse a copy.
    pub must_contain: Vec<MemberGlob>,
    /// What an earlier check recorded, when the source is a copy.
    pub recorded: Option<Recorded>,
    /// Whether the row is read again before the commit.
    pub recheck: Recheck,
    /// Where it goes.
    pub destinations: Vec<Destination>,
    /// Everything the sidecar says besides the copy itself.
    pub sidecar: SidecarDraft,
}

/// What all transfers of a run share.
#[derive(Debug)]
pub struct Shared {
    /// Clock and cancellation.
    pub env: Env,
    /// Waits, attempts and memory.
    pub tuning: Tuning,
    /// The bandwidth limit.
    pub throttle: Throttle,
    /// Where open uploads are written down.
    pub journal: Arc<dyn UploadJournal>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

/// What came instead of the archive that was expected; nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// An answer of another length; it was not read.
    OfLength(u64),
    /// Other bytes, to their end.
    Content {
        /// How many.
        bytes: u64,
        /// Their SHA-256.
        sha256: ContentDigest,
    },
}

/// What became of one job.
#[derive(Debug)]
#[must_use = "stored copies must be recorded, failures told"]
pub struct Finished {
    /// Read from the source, repeated bytes included.
    pub read_bytes: u64,
    /// Sent to destinations, failed ones included.
    pub sent_bytes: u64,
    /// One entry a destination, in the job's order.
    pub copies: Vec<Result<StoredObject, Failure>>,
    /// Why the source as a whole failed, when it did: another source may do better.
    pub source_failure: Option<Failure>,
    /// What came, when it was whole and not what was expected.
    pub instead: Option<Instead>,
    /// What the archive lacks of what was looked for, when it was proved and walked to look for something.
    pub lacking: Option<Vec<MemberGlob>>,
}

/// Carries out one job.
pub async fn run(job: Job, shared: &Shared) -> Finished {
    let Job {
        key,
        label,
        mut source,
        expected,
        hinted_bytes,
        inspect,
        must_contain,
        recorded,
        recheck,
        destinations,
        sidecar,
    } = job;
    let part_bytes = part_bytes(&destinations, expected.length_bytes, hinted_bytes);
    let as_stored = source.as_stored().cloned();
    let (inspect, sealed) = match &as_stored {
        // There is nothing to be seen in it, and nothing to be encrypted.
        Some(_) => (Inspect::WhenNeeded, 0),
        None => (inspect, sealing(&destinations)),
    };
    let tuning = shared.tuning.beside_sealed(sealed);
    let cutter = PartCutter::new(part_bytes);
    let stream = cutter.stream();
    let mut slots = join_all(destinations.into_iter().map(async |destination| {
        let journal = &shared.journal;
        match &as_stored {
            None => Slot::begin(destination, &key, stream, part_bytes, journal).await,
            Some(copy) => {
                Slot::begin_as_stored(destination, copy, stream, part_bytes, journal).await
            }
        }
    }))
    .await;
    for slot in &mut slots {
        slot.share_with(sealed);
    }
    let ticket = shared.observer.started(&label, expected.length_bytes);
    let pump = Pump {
        tuning: &tuning,
        cancel: &shared.env.cancel,
        throttle: &shared.throttle,
        observer: &*shared.observer,
        ticket,
        expected_bytes: expected.length_bytes,
    };
    let lookout = Lookout::new(must_contain);
    let computation = Computation::start_looking(stream, &expected, inspect, &lookout);
    let Pumped { read_bytes, result } = pump
        .run(&mut source, cutter, computation, part_bytes, &mut slots)
        .await;
    let came = came(&result);
    let proved = prove(&expected, result, &key, &recheck, recorded, shared).await;
    let sent_bytes = slots.iter().map(|slot| slot.sent_bytes).sum();
    let instead = match &proved {
        Err(failure) if failure.kind == FailureKind::Integrity => came,
        Err(_) | Ok(_) => None,
    };
    let lacking = match &proved {
        Ok(_) => lookout.lacking().map(<[MemberGlob]>::to_vec),
        Err(_) => None,
    };
    let (copies, source_failure) = match proved {
        Ok(content) => {
            let published = slots
                .into_iter()
                .map(|slot| publish(slot, &content, &sidecar, shared));
            (join_all(published).await, None)
        }
        Err(failure) => {
            let any_open = slots.iter().any(Slot::is_open);
            let given_up = slots.into_iter().map(|slot| slot.give_up(&failure));
            let copies = join_all(given_up).await.into_iter().map(Err).collect();
            (copies, any_open.then_some(failure))
        }
    };
    shared.observer.finished(ticket);
    Finished {
        read_bytes,
        sent_bytes,
        copies,
        source_failure,
        instead,
        lacking,
    }
}

/// What came of the source, in case it turns out not to be what was expected.
fn came(result: &Result<ComputedContent, Stopped>) -> Option<Instead> {
    match result {
        Ok(computed) => Some(Instead::Content {
            bytes: computed.sha256.bytes(),
            sha256: computed.sha256.digest().clone(),
        }),
        Err(Stopped::WrongLength { offered_bytes, .. }) => Some(Instead::OfLength(*offered_bytes)),
        Err(
            Stopped::Source(_)
            | Stopped::TooLong { .. }
            | Stopped::Worker(_)
            | Stopped::NoDestinationLeft
            | Stopped::Interrupted,
        ) => None,
    }
}

/// Reads an archive of this length to its end, keeps nothing of it, and says its SHA-256.
///
/// # Errors
/// Why it could not be read, or had another length after all.
pub async fn identify(
    mut source: Source,
    length_bytes: u64,
    label: &TransferLabel,
    shared: &Shared,
) -> Result<ContentDigest, Failure> {
    let cutter = PartCutter::new(readback::PART_BYTES);
    let stream = cutter.stream();
    // SHA-256 is computed whatever is expected; here it is what is asked for.
    let expected = ExpectedContent {
        length_bytes: Some(length_bytes),
        proof: ExpectedProof::Digest(Hasher::digest(Algorithm::Sha256, &[])),
    };
    let ticket = shared.observer.started(label, expected.length_bytes);
    let pump = Pump {
        tuning: &shared.tuning,
        cancel: &shared.env.cancel,
        throttle: &shared.throttle,
        observer: &*shared.observer,
        ticket,
        expected_bytes: expected.length_bytes,
    };
    let computation = Computation::start(stream, &expected, Inspect::WhenNeeded);
    let mut slots = [Slot::open(Nowhere)];
    let pumped = pump
        .run(
            &mut source,
            cutter,
            computation,
            readback::PART_BYTES,
            &mut slots,
        )
        .await;
    shared.observer.finished(ticket);
    match pumped.result {
        Ok(computed) => Ok(computed.sha256.digest().clone()),
        Err(stopped) => Err(stopped_failure(label.backup, &stopped)),
    }
}

/// How many of them encrypt.
fn sealing(destinations: &[Destination]) -> usize {
    destinations
        .iter()
        .filter(|destination| !destination.encrypts_to().is_empty())
        .count()
}

/// Compares what came with what was expected, and asks the panel whether that still holds.
async fn prove(
    expected: &ExpectedContent,
    computed: Result<ComputedContent, Stopped>,
    key: &ObjectKey,
    recheck: &Recheck,
    recorded: Option<Recorded>,
    shared: &Shared,
) -> Result<VerifiedContent, Failure> {
    let backup = key.backup();
    let computed = computed.map_err(|stopped| stopped_failure(backup, &stopped))?;
    let content = VerifiedContent::prove(expected, computed)
        .map_err(|mismatch| mismatch_failure(backup, &mismatch))?;
    still_listed(recheck, key, shared).await?;
    Ok(match recorded {
        Some(Recorded { verdict, structure }) => content.with_recorded(verdict, structure),
        None => content,
    })
}

/// The longest archive of unknown length that parts are made for: 64 MiB each.
const LONGEST_UNPROMISED: u64 = 9_000 * (64 << 20);

/// Part lengths are the same for all destinations: the longest that any of them needs.
fn part_bytes(destinations: &[Destination], length_bytes: Option<u64>, hinted_bytes: u64) -> u64 {
    let sizes = match length_bytes {
        Some(bytes) => vec![SizeHint::Known(bytes)],
        // The panel's figure is no promise here: leave room for twice as much, and don't let an
        // absurd one take all memory.
        None => vec![
            SizeHint::Unknown,
            SizeHint::Known(hinted_bytes.saturating_mul(2).min(LONGEST_UNPROMISED)),
        ],
    };
    destinations
        .iter()
        .flat_map(|destination| sizes.iter().map(|size| destination.part_bytes(*size)))
        .max()
        .unwrap_or(1)
}

/// Verifies, commits and describes one upload.
async fn publish(
    slot: Slot<UploadSink>,
    content: &VerifiedContent,
    draft: &SidecarDraft,
    shared: &Shared,
) -> Result<StoredObject, Failure> {
    let UploadSink {
        destination,
        upload,
    } = match slot.state {
        SlotState::Open(sink) => sink,
        SlotState::Failed(failure) => return Err(failure),
    };
    let failed = |error: crate::destination::Error| {
        error.failure(Scope::Destination, destination.name().to_string())
    };
    let verified: VerifiedUpload = upload.verify(content).await.map_err(failed)?;
    let stored = verified.commit(shared.env.now()).await.map_err(failed)?;
    let sidecar = draft.describe(&stored);
    let stored = destination
        .write_sidecar(&stored, &sidecar)
        .await
        .map_err(failed)?;
    destination.tell_of_plain(&stored).await;
    Ok(stored)
}

/// Asks the panel again about a row that was young when it was listed.
async fn still_listed(recheck: &Recheck, key: &ObjectKey, shared: &Shared) -> Result<(), Failure> {
    let Recheck::Row {
        panel,
        server,
        listed,
    } = recheck
    else {
        return Ok(());
    };
    let id = key.backup();
    let asked = tokio::select! {
        biased;
        () = shared.env.cancel.cancelled() => return Err(interrupted(id)),
        asked = panel.backup(server, &id) => asked,
    };
    match asked {
        Ok(Backup::Completed(now))
            if now.archive_bytes == listed.archive_bytes && now.checksum == listed.checksum =>
        {
            Ok(())
        }
        Ok(Backup::Completed(_) | Backup::Pending(_) | Backup::Failed(_)) => Err(Failure {
            scope: Scope::Backup,
            id: id.to_string(),
            kind: FailureKind::Transfer,
            message: "the panel changed its record of this backup while it was being copied"
                .to_owned(),
            hint: "the next run takes it as it is then".to_owned(),
        }),
        Err(panel::Error::UnknownBackup { .. }) => {
            tracing::info!(backup.id = %id, "the panel deleted this backup while it was being copied; the copy is whole and kept");
            Ok(())
        }
        Err(error) => Err(error.failure(Scope::Backup, id.to_string())),
    }
}
