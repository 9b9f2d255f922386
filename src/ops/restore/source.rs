//! Which copies a restore may read, and reading the first of them that proves right.

use crate::destination::Destination;
use crate::model::content::Inspect;
use crate::model::content::StreamId;
use crate::model::holding::HeldCopy;
use crate::model::outcome::Failure;
use crate::transfer::Shared;
use crate::transfer::pump::Sink;
use crate::transfer::readback;
use crate::transfer::readback::NotRead;
use crate::transfer::readback::ReadBack;
use crate::transfer::readback::Reading;
use crate::transfer::readback::Whose;
use crate::transfer::unseal::Identities;

/// One copy, and where it is held.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The copy.
    pub copy: HeldCopy,
    /// Where it is held.
    pub destination: Destination,
}

/// A copy that was read and proved.
#[derive(Debug)]
#[must_use = "the sink keeps nothing until it is given the proof"]
pub struct Restored<'c, S> {
    /// Which one.
    pub from: &'c Candidate,
    /// The proof of the archive, and the sink that took it.
    pub back: ReadBack<S>,
    /// Why the copies before it were of no use.
    pub passed_over: Vec<Failure>,
}

/// No copy could be restored from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRestored {
    /// Why: one entry a copy that was tried, or the sink's own.
    pub failures: Vec<Failure>,
    /// Whose failure the last one is.
    pub whose: Whose,
}

/// Reads the archive of the first candidate that can be read and is what it should be, into the
/// sink that `make` builds for it; every other one that was tried is told in the log and in the result.
///
/// # Errors
/// [`NotRestored`]: every copy failed, the sink did, or the run was told to stop.
pub async fn first_that_proves<'c, S: Sink>(
    candidates: &'c [Candidate],
    identities: &Identities,
    part_bytes: u64,
    inspect: Inspect,
    make: impl AsyncFn(&HeldCopy, StreamId) -> Result<S, Failure> + Send + Sync,
    shared: &Shared,
) -> Result<Restored<'c, S>, NotRestored> {
    let mut failures = Vec::new();
    for (number, from) in (1..).zip(candidates) {
        let reading = Reading {
            copy: &from.copy,
            destination: from.destination.clone(),
            inspect,
            part_bytes,
        };
        let make = async |stream| make(&from.copy, stream).await;
        match readback::archive(reading, identities, make, shared).await {
            Ok(back) => {
                return Ok(Restored {
                    from,
                    back,
                    passed_over: failures,
                });
            }
            Err(NotRead { failure, whose, .. }) => {
                match whose {
                    Whose::Copy if number < candidates.len() => {
                        tracing::warn!("{}; the next copy is tried", failure.message);
                    }
                    Whose::Copy => {}
                    Whose::Sink | Whose::Nobody => {
                        failures.push(failure);
                        return Err(NotRestored { failures, whose });
                    }
                }
                failures.push(failure);
            }
        }
    }
    Err(NotRestored {
        failures,
        whose: Whose::Copy,
    })
}
