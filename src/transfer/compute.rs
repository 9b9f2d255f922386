//! Digests and inspection of one stream, each on a thread of its own.
//!
//! One thread a digest keeps hashing beside I/O on two cores: SHA-1 and SHA-256 run at about
//! 1.1 GB/s each with SHA extensions, so neither is the bottleneck alone (design section 11).

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::checksum::Algorithm;
use crate::model::content::ComputedContent;
use crate::model::content::OutOfOrder;
use crate::model::content::Part;
use crate::model::content::StreamDigest;
use crate::model::content::StreamHasher;
use crate::model::content::StreamId;
use crate::model::content::Structure;
use crate::transfer::inspect;
use crate::transfer::inspect::PartReader;

/// How many parts may wait before a worker. What bounds memory is how many parts may be alive; with
/// fewer here, a worker that falls behind for a moment would make all others wait.
const QUEUED_PARTS: usize = 2;

/// Whether the gzip and tar inside are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
    /// They are.
    On,
    /// Only where there is no digest to go by.
    WhenNeeded,
}

/// A worker ended before its stream did: a defect here, never in the data.
#[derive(Debug, thiserror::Error)]
#[error("a digest of the archive could not be computed")]
pub struct WorkerLost(#[source] Option<OutOfOrder>);

enum Work {
    Part(Part),
    Snapshot(oneshot::Sender<StreamDigest>),
}

#[derive(Debug)]
struct DigestWorker {
    work: mpsc::Sender<Work>,
    done: JoinHandle<Result<StreamDigest, OutOfOrder>>,
}

impl DigestWorker {
    fn start(stream: StreamId, algorithm: Algorithm) -> Self {
        let (work, mut queue) = mpsc::channel(QUEUED_PARTS);
        let done = tokio::task::spawn_blocking(move || {
            let mut hasher = StreamHasher::new(stream, algorithm);
            while let Some(work) = queue.blocking_recv() {
                match work {
                    Work::Part(part) => hasher.absorb(&part)?,
                    Work::Snapshot(reply) => {
                        if reply.send(hasher.clone().finish()).is_err() {
                            tracing::debug!("nobody waited for a snapshot of a digest");
                        }
                    }
                }
            }
            Ok(hasher.finish())
        });
        Self { work, done }
    }

    async fn feed(&self, part: &Part) -> Result<(), WorkerLost> {
        self.work
            .send(Work::Part(part.clone()))
            .await
            .map_err(|_closed| WorkerLost(None))
    }

    async fn finish(self) -> Result<StreamDigest, WorkerLost> {
        drop(self.work);
        match self.done.await {
            Ok(digest) => digest.map_err(|error| WorkerLost(Some(error))),
            Err(_panicked) => Err(WorkerLost(None)),
        }
    }
}

#[derive(Debug)]
struct InspectWorker {
    parts: mpsc::Sender<Part>,
    done: JoinHandle<Result<Structure, String>>,
}

/// Everything that is computed over one stream while it passes.
#[derive(Debug)]
pub struct Computation {
    sha256: DigestWorker,
    second: Option<DigestWorker>,
    inspection: Option<InspectWorker>,
}

impl Computation {
    /// Starts the workers that `expected` needs.
    pub fn start(stream: StreamId, expected: &ExpectedContent, inspect: Inspect) -> Self {
        let walk = match (inspect, &expected.proof) {
            (Inspect::On, ExpectedProof::Digest(_) | ExpectedProof::Structure)
            | (Inspect::WhenNeeded, ExpectedProof::Structure) => true,
            (Inspect::WhenNeeded, ExpectedProof::Digest(_)) => false,
        };
        Self {
            sha256: DigestWorker::start(stream, Algorithm::Sha256),
            second: expected
                .proof
                .second_algorithm()
                .map(|algorithm| DigestWorker::start(stream, algorithm)),
            inspection: walk.then(|| {
                let (parts, queue) = mpsc::channel(QUEUED_PARTS);
                let done =
                    tokio::task::spawn_blocking(move || inspect::walk(PartReader::new(queue)));
                InspectWorker { parts, done }
            }),
        }
    }

    /// Hands the next part to every worker; waits while one is behind.
    ///
    /// # Errors
    /// [`WorkerLost`].
    pub async fn feed(&self, part: &Part) -> Result<(), WorkerLost> {
        self.sha256.feed(part).await?;
        if let Some(second) = &self.second {
            second.feed(part).await?;
        }
        if let Some(inspection) = &self.inspection {
            inspection
                .parts
                .send(part.clone())
                .await
                .map_err(|_closed| WorkerLost(None))?;
        }
        Ok(())
    }

    /// The SHA-256 of all parts fed so far.
    ///
    /// # Errors
    /// [`WorkerLost`].
    pub async fn snapshot(&self) -> Result<StreamDigest, WorkerLost> {
        let (reply, answer) = oneshot::channel();
        self.sha256
            .work
            .send(Work::Snapshot(reply))
            .await
            .map_err(|_closed| WorkerLost(None))?;
        answer.await.map_err(|_dropped| WorkerLost(None))
    }

    /// Waits for the workers to finish what they were fed.
    ///
    /// # Errors
    /// [`WorkerLost`].
    pub async fn finish(self) -> Result<ComputedContent, WorkerLost> {
        let Self {
            sha256,
            second,
            inspection,
        } = self;
        let structure = match inspection {
            Some(InspectWorker { parts, done }) => {
                drop(parts);
                Some(done.await.map_err(|_panicked| WorkerLost(None))?)
            }
            None => None,
        };
        Ok(ComputedContent {
            sha256: sha256.finish().await?,
            second: match second {
                Some(second) => Some(second.finish().await?),
                None => None,
            },
            structure,
        })
    }
}
