//! An encrypted copy: its stored bytes are hashed as they come, and what they hold once decrypted is
//! hashed, inspected and given on. Both digests must be the recorded ones.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::destination::Destination;
use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::checksum::ContentDigest;
use crate::model::content::ComputedContent;
use crate::model::content::Inspect;
use crate::model::content::Part;
use crate::model::content::PartCutter;
use crate::model::content::StreamId;
use crate::model::content::VerifiedContent;
use crate::model::holding::HeldCopy;
use crate::model::ids::printable;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::chain;
use crate::model::recipient;
use crate::model::sidecar::Encryption;
use crate::transfer::Shared;
use crate::transfer::compute::Computation;
use crate::transfer::compute::WorkerLost;
use crate::transfer::pump::Pump;
use crate::transfer::pump::Pumped;
use crate::transfer::pump::Sink;
use crate::transfer::pump::Slot;
use crate::transfer::pump::Stopped;
use crate::transfer::readback::NotRead;
use crate::transfer::readback::ReadBack;
use crate::transfer::readback::Reading;
use crate::transfer::readback::Unproved;
use crate::transfer::readback::Whose;
use crate::transfer::readback::label;
use crate::transfer::source::CopySource;
use crate::transfer::source::Source;
use crate::transfer::unseal::Identities;
use crate::transfer::unseal::Opened;
use crate::transfer::unseal::Unopened;
use crate::transfer::unseal::Unsealer;
use crate::transfer::unseal::Unsealing;
use crate::transfer::unseal::opens_beginning;

/// What to do when no identity fits.
const GIVE_ANOTHER: &str =
    "give the private key of one of them with --identity FILE, or NESTEGG_IDENTITY_FILE";

/// Reads the archive inside an encrypted copy; the sink is only built once an identity opened it.
pub(super) async fn archive<S: Sink>(
    reading: Reading<'_>,
    encryption: &Encryption,
    identities: &Identities,
    make: impl AsyncFnOnce(StreamId) -> Result<S, Failure>,
    shared: &Shared,
) -> Result<ReadBack<S>, NotRead> {
    let Reading {
        copy,
        destination,
        inspect,
        part_bytes,
    } = reading;
    let place = destination.name().to_string();
    let not_read = |unproved: Unproved, read_bytes| NotRead {
        failure: unproved.failure(copy, &place),
        whose: unproved.whose,
        read_bytes,
    };
    usable(encryption, identities).map_err(|unusable| not_read(unusable, 0))?;
    let stored = expected(copy.stored_bytes, &copy.stored_sha256);
    let archive = expected(copy.archive_bytes, &copy.sha256);
    let tuning = shared.tuning.beside_sealed(1);
    // Cancelled as well when the archive can't be taken on: the rest need not be read then.
    let cancel = shared.env.cancel.child_token();
    let mut source = Source::Copy(CopySource::new(destination, copy.key.clone()));
    let cutter = PartCutter::new(part_bytes);
    let stream = cutter.stream();
    let (unsealer, unsealing) = Unsealer::start(identities, cutter, tuning.parts_alive(part_bytes));
    let Unsealing {
        opened,
        parts,
        done,
    } = unsealing;
    let ticket = shared.observer.started(&label(copy), stored.length_bytes);
    let pump = Pump {
        tuning: &tuning,
        cancel: &cancel,
        throttle: &shared.throttle,
        observer: &*shared.observer,
        ticket,
        expected_bytes: stored.length_bytes,
    };
    let pumping = async {
        let cutter = PartCutter::new(part_bytes);
        let computation = Computation::start(cutter.stream(), &stored, Inspect::WhenNeeded);
        let mut slots = [Slot::open(unsealer)];
        // The age file ends for its thread when the slots are dropped.
        pump.run(&mut source, cutter, computation, part_bytes, &mut slots)
            .await
    };
    let taking = async {
        let start = || Computation::start(stream, &archive, inspect);
        let taken = take(opened, parts, start, make(stream), &shared.env.cancel).await;
        if taken.is_err() {
            cancel.cancel();
        }
        taken
    };
    let (pumped, taken) = tokio::join!(pumping, taking);
    let done = done.await;
    shared.observer.finished(ticket);
    let Pumped { read_bytes, result } = pumped;
    let (sink, computed) = match taken {
        Ok((sink, computed)) => (Some(sink), computed.map_err(Stopped::from)),
        Err(NotTaken::Sink(failure)) => {
            return Err(NotRead {
                failure,
                whose: Whose::Sink,
                read_bytes,
            });
        }
        Err(NotTaken::Lost(lost)) => (None, Err(Stopped::from(lost))),
        Err(NotTaken::Unopened | NotTaken::Interrupted) => (None, Err(Stopped::Interrupted)),
    };
    let decrypted = match done {
        Ok(done) => done.map_err(|unopened| unproved(&unopened, encryption)),
        Err(_panicked) => Err(Unproved::of_copy(
            FailureKind::Local,
            "its decryption crashed".to_owned(),
        )),
    };
    let proved = judge(&stored, result, decrypted, &shared.env.cancel).and_then(|()| {
        let computed = computed?;
        VerifiedContent::prove(&archive, computed)
            .map_err(|mismatch| Unproved::of_copy(FailureKind::Integrity, chain(&mismatch)))
    });
    match (proved, sink) {
        (Ok(content), Some(sink)) => Ok(ReadBack {
            content,
            sink,
            read_bytes,
        }),
        (Ok(_), None) => Err(not_read(Stopped::Interrupted.into(), read_bytes)),
        (Err(unproved), sink) => {
            if let Some(sink) = sink {
                sink.abort().await;
            }
            Err(not_read(unproved, read_bytes))
        }
    }
}

fn expected(length_bytes: u64, sha256: &ContentDigest) -> ExpectedContent {
    ExpectedContent {
        length_bytes: Some(length_bytes),
        proof: ExpectedProof::Digest(sha256.clone()),
    }
}

/// So much of an age file holds its header, unless it is to a hundred people.
const HEADER_BYTES: usize = 64 << 10;

/// Whether one of the identities opens the copy, by the beginning of its stored bytes; one whose header
/// is longer than that may be opened.
pub(super) async fn opens(
    copy: &HeldCopy,
    destination: &Destination,
    encryption: &Encryption,
    identities: &Identities,
) -> Result<(), Unproved> {
    let failed = |error| Unproved::of_destination(&error);
    let mut read = destination.read(&copy.key, 0).await.map_err(failed)?;
    let mut beginning = Vec::new();
    while beginning.len() < HEADER_BYTES {
        match read.stream.next().await {
            Some(chunk) => beginning.extend_from_slice(&chunk.map_err(failed)?),
            None => break,
        }
    }
    drop(read);
    beginning.truncate(HEADER_BYTES);
    let may_go_on = beginning.len() == HEADER_BYTES;
    let identities = identities.clone();
    let opened =
        tokio::task::spawn_blocking(move || opens_beginning(&beginning, &identities)).await;
    match opened {
        Ok(Ok(())) => Ok(()),
        Ok(Err(unopened)) if may_go_on && unopened.is_cut_off() => Ok(()),
        Ok(Err(unopened)) => Err(unproved(&unopened, encryption)),
        Err(_panicked) => Err(Unproved::of_copy(
            FailureKind::Local,
            "its decryption crashed".to_owned(),
        )),
    }
}

/// Whether the copy can be opened at all with what is given.
pub(super) fn usable(encryption: &Encryption, identities: &Identities) -> Result<(), Unproved> {
    if encryption.scheme != recipient::SCHEME {
        let why = format!(
            "it is encrypted by `{}`, which this version can't open",
            printable(&encryption.scheme)
        );
        return Err(Unproved {
            hint: "upgrade nestegg".to_owned(),
            ..Unproved::of_copy(FailureKind::Protocol, why)
        });
    }
    if identities.is_empty() {
        let to = recipient::short_list(&encryption.recipients);
        return Err(Unproved {
            hint: GIVE_ANOTHER.to_owned(),
            ..Unproved::of_copy(
                FailureKind::Credentials,
                format!("it is encrypted to {to}, and no identity was given"),
            )
        });
    }
    Ok(())
}

/// The first thing that went wrong with the stored bytes, if any: reading them, their digest, their
/// decryption.
fn judge(
    stored: &ExpectedContent,
    result: Result<ComputedContent, Stopped>,
    unsealed: Result<(), Unproved>,
    interrupt: &CancellationToken,
) -> Result<(), Unproved> {
    match result {
        Ok(computed) => {
            let _proved = VerifiedContent::prove(stored, computed).map_err(|mismatch| {
                let why = format!(
                    "its stored bytes are not those recorded: {}",
                    chain(&mismatch)
                );
                Unproved::of_copy(FailureKind::Integrity, why)
            })?;
            unsealed
        }
        // Both follow from what the decryption met.
        Err(Stopped::NoDestinationLeft) => unsealed,
        Err(Stopped::Interrupted) if !interrupt.is_cancelled() => unsealed,
        Err(stopped) => Err(stopped.into()),
    }
}

fn unproved(unopened: &Unopened, encryption: &Encryption) -> Unproved {
    match unopened {
        Unopened::NoIdentity => Unproved {
            hint: GIVE_ANOTHER.to_owned(),
            ..Unproved::of_copy(
                FailureKind::Credentials,
                format!(
                    "it is encrypted to {}, and no identity given opens it",
                    recipient::short_list(&encryption.recipients)
                ),
            )
        },
        Unopened::Header(_) | Unopened::Altered(_) => {
            Unproved::of_copy(FailureKind::Integrity, chain(unopened))
        }
        Unopened::Unwanted => Stopped::Interrupted.into(),
    }
}

enum NotTaken {
    /// No identity opened it: nothing was built.
    Unopened,
    /// The sink failed, and was aborted.
    Sink(Failure),
    /// A digest could not be computed; the sink was aborted.
    Lost(WorkerLost),
    /// The run was told to stop; the sink was aborted.
    Interrupted,
}

/// Builds the sink when the copy is open, and gives it the archive.
async fn take<S: Sink>(
    opened: oneshot::Receiver<Opened>,
    mut parts: mpsc::Receiver<Part>,
    start: impl FnOnce() -> Computation,
    make: impl Future<Output = Result<S, Failure>>,
    cancel: &CancellationToken,
) -> Result<(S, Result<ComputedContent, WorkerLost>), NotTaken> {
    if opened.await.is_err() {
        return Err(NotTaken::Unopened);
    }
    let mut sink = make.await.map_err(NotTaken::Sink)?;
    let computation = start();
    let giving = async {
        while let Some(part) = parts.recv().await {
            computation.feed(&part).await.map_err(NotTaken::Lost)?;
            sink.send(part).await.map_err(NotTaken::Sink)?;
        }
        Ok(())
    };
    let given = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(NotTaken::Interrupted),
        given = giving => given,
    };
    match given {
        Ok(()) => Ok((sink, computation.finish().await)),
        Err(not_taken) => {
            sink.abort().await;
            Err(not_taken)
        }
    }
}
