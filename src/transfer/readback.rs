//! One held copy, read back to its end and proved: for `verify`, `restore` and drills.
//!
//! The same pass as a mirror's: the source resumes, every byte is hashed, memory is bounded. Where
//! the bytes go is a [`Sink`]; it shows nothing of them before it is given the proof.

mod sealed;

use crate::destination;
use crate::destination::Destination;
use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::content::Inspect;
use crate::model::content::PartCutter;
use crate::model::content::StreamId;
use crate::model::content::VerifiedContent;
use crate::model::holding::HeldCopy;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::transfer::Shared;
use crate::transfer::compute::Computation;
use crate::transfer::observer::TransferLabel;
use crate::transfer::pump::Pump;
use crate::transfer::pump::Sink;
use crate::transfer::pump::Slot;
use crate::transfer::pump::SlotState;
use crate::transfer::pump::Stopped;
use crate::transfer::source::CopySource;
use crate::transfer::source::Source;
use crate::transfer::unseal::Identities;

/// Parts of this length suit every sink that does not upload.
pub const PART_BYTES: u64 = 4 << 20;

/// One copy to read back.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The copy, as the ledger or its sidecar describes it.
    pub copy: &'a HeldCopy,
    /// Where it is held.
    pub destination: Destination,
    /// Whether the gzip and tar inside are walked.
    pub inspect: Inspect,
    /// The length of every part but the last.
    pub part_bytes: u64,
}

/// A copy that was read to its end and is what it should be.
#[derive(Debug)]
#[must_use = "the sink keeps nothing until it is given the proof"]
pub struct ReadBack<S> {
    /// The proof, of what the sink was given.
    pub content: VerifiedContent,
    /// The sink, with all of it.
    pub sink: S,
    /// Read from the destination, repeated bytes included.
    pub read_bytes: u64,
}

/// Why a copy was not read back; the sink was aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRead {
    /// Why.
    pub failure: Failure,
    /// Whose failure it is.
    pub whose: Whose,
    /// Read from the destination, repeated bytes included.
    pub read_bytes: u64,
}

/// Whose failure it is that a copy was not read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The copy's, or its destination's: another copy may do better.
    Copy,
    /// The sink's: another copy would fail there as well.
    Sink,
    /// The run was told to stop.
    Nobody,
}

/// Reads the stored object of `reading` into the sink that `make` builds for its stream.
///
/// # Errors
/// [`NotRead`]; the sink was aborted.
pub async fn stored<S: Sink>(
    reading: Reading<'_>,
    make: impl AsyncFnOnce(StreamId) -> Result<S, Failure>,
    shared: &Shared,
) -> Result<ReadBack<S>, NotRead> {
    let Reading {
        copy,
        destination,
        inspect,
        part_bytes,
    } = reading;
    let expected = ExpectedContent {
        length_bytes: Some(copy.stored_bytes),
        proof: ExpectedProof::Digest(copy.stored_sha256.clone()),
    };
    let label = label(copy);
    let place = destination.name().to_string();
    let mut source = Source::Copy(CopySource::new(destination, copy.key.clone()));
    let cutter = PartCutter::new(part_bytes);
    let stream = cutter.stream();
    let sink = make(stream).await.map_err(|failure| NotRead {
        failure,
        whose: Whose::Sink,
        read_bytes: 0,
    })?;
    let mut slots = [Slot::open(sink)];
    let ticket = shared.observer.started(&label, expected.length_bytes);
    let pump = Pump {
        tuning: &shared.tuning,
        cancel: &shared.env.cancel,
        throttle: &shared.throttle,
        observer: &*shared.observer,
        ticket,
        expected_bytes: expected.length_bytes,
    };
    let computation = Computation::start(stream, &expected, inspect);
    let pumped = pump
        .run(&mut source, cutter, computation, part_bytes, &mut slots)
        .await;
    shared.observer.finished(ticket);
    let read_bytes = pumped.read_bytes;
    let [slot] = slots;
    let proved = pumped.result.map_err(Unproved::from).and_then(|computed| {
        VerifiedContent::prove(&expected, computed)
            .map_err(|mismatch| Unproved::of_copy(FailureKind::Integrity, chain(&mismatch)))
    });
    match (proved, slot.state) {
        (Ok(content), SlotState::Open(sink)) => Ok(ReadBack {
            content,
            sink,
            read_bytes,
        }),
        (_, SlotState::Failed(failure)) => Err(NotRead {
            failure,
            whose: Whose::Sink,
            read_bytes,
        }),
        (Err(unproved), SlotState::Open(sink)) => {
            sink.abort().await;
            Err(NotRead {
                failure: unproved.failure(copy, &place),
                whose: unproved.whose,
                read_bytes,
            })
        }
    }
}

/// Reads the archive of `reading` into the sink that `make` builds for its stream: the stored object
/// as it is, or what it holds once it is decrypted. Of an encrypted copy the stored bytes must have
/// the recorded digest as well, and no sink is built before an identity has opened it.
///
/// # Errors
/// [`NotRead`]; the sink was aborted. A copy that no identity opens is the copy's failure.
pub async fn archive<S: Sink>(
    reading: Reading<'_>,
    identities: &Identities,
    make: impl AsyncFnOnce(StreamId) -> Result<S, Failure>,
    shared: &Shared,
) -> Result<ReadBack<S>, NotRead> {
    match &reading.copy.encryption {
        None => stored(reading, make, shared).await,
        Some(encryption) => sealed::archive(reading, encryption, identities, make, shared).await,
    }
}

/// Looks whether the archive of a copy can be had: its object is there with the recorded length, and
/// one of the identities opens it where it is encrypted. Of the object hardly more than nothing is read.
///
/// # Errors
/// Why not, in the words of a reading.
pub async fn look(
    copy: &HeldCopy,
    destination: &Destination,
    identities: &Identities,
) -> Result<(), Failure> {
    let looked = async {
        if let Some(encryption) = &copy.encryption {
            sealed::usable(encryption, identities)?;
        }
        let found = destination.stat(&copy.key).await;
        match found.map_err(|error| Unproved::of_destination(&error))? {
            Some(found) if found.bytes == copy.stored_bytes => {}
            Some(found) => {
                let why = format!(
                    "it has {} bytes where {} are recorded",
                    found.bytes, copy.stored_bytes
                );
                return Err(Unproved::of_copy(FailureKind::Integrity, why));
            }
            None => {
                let why = format!("there is no `{}`", copy.key);
                return Err(Unproved::of_copy(FailureKind::NotFound, why));
            }
        }
        match &copy.encryption {
            None => Ok(()),
            Some(encryption) => sealed::opens(copy, destination, encryption, identities).await,
        }
    };
    let place = destination.name().to_string();
    looked
        .await
        .map_err(|unproved| unproved.failure(copy, &place))
}

fn label(copy: &HeldCopy) -> TransferLabel {
    TransferLabel {
        server_name: copy.server_name.clone(),
        backup_name: copy.backup_name.clone(),
        backup: copy.backup,
    }
}

/// What was read is not what is recorded, or was not read to its end.
struct Unproved {
    kind: FailureKind,
    why: String,
    hint: String,
    whose: Whose,
}

impl Unproved {
    fn of_copy(kind: FailureKind, why: String) -> Self {
        Self {
            kind,
            why,
            hint: String::new(),
            whose: Whose::Copy,
        }
    }

    fn of_destination(error: &destination::Error) -> Self {
        Self {
            hint: error.hint(),
            ..Self::of_copy(error.kind(), chain(error))
        }
    }

    fn failure(&self, copy: &HeldCopy, place: &str) -> Failure {
        Failure {
            scope: Scope::Backup,
            id: copy.backup.to_string(),
            kind: self.kind,
            message: format!("the copy at {place} could not be read back: {}", self.why),
            hint: self.hint.clone(),
        }
    }
}

impl From<Stopped> for Unproved {
    fn from(stopped: Stopped) -> Self {
        let why = chain(&stopped);
        match stopped {
            Stopped::Source(error) => Self {
                hint: error.hint(),
                ..Self::of_copy(error.kind(), why)
            },
            Stopped::TooLong { .. } | Stopped::WrongLength { .. } => {
                Self::of_copy(FailureKind::Integrity, why)
            }
            Stopped::Worker(_) | Stopped::NoDestinationLeft => Self {
                whose: Whose::Sink,
                ..Self::of_copy(FailureKind::Local, why)
            },
            Stopped::Interrupted => Self {
                hint: "run it again".to_owned(),
                whose: Whose::Nobody,
                ..Self::of_copy(FailureKind::Interrupted, why)
            },
        }
    }
}
