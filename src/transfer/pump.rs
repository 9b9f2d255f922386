//! From one source to n uploads, hashed and inspected on the way, in bounded memory.
//!
//! Bytes become [`Part`](crate::model::content::Part)s; every part holds a permit until the last of its readers has let it
//! go, so (permits × part size) bounds a transfer's memory whatever the archive's size and
//! however many destinations it has.

mod slot;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use backon::BackoffBuilder;
use backon::ExponentialBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::model::checksum::Algorithm;
use crate::model::content::ComputedContent;
use crate::model::content::PartCutter;
use crate::model::content::StreamHasher;
use crate::model::retry::Retry;
use crate::transfer::Tuning;
use crate::transfer::compute::Computation;
use crate::transfer::compute::WorkerLost;
use crate::transfer::limit::Throttle;
use crate::transfer::observer::Observer;
use crate::transfer::observer::TransferTicket;
pub use crate::transfer::pump::slot::Nowhere;
pub use crate::transfer::pump::slot::Sink;
pub use crate::transfer::pump::slot::Slot;
pub use crate::transfer::pump::slot::SlotState;
pub use crate::transfer::pump::slot::UploadSink;
use crate::transfer::source::Error as SourceError;
use crate::transfer::source::Opened;
use crate::transfer::source::Source;

/// Why the pump stopped before the source's end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The source failed, and trying again makes no sense or did not help.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// More bytes than the panel said; nothing beyond that was read.
    #[error("the archive is longer than the {expected_bytes} bytes it should have")]
    TooLong {
        /// What the panel, or the copy's record, said.
        expected_bytes: u64,
    },
    /// The answer's length is not the one expected; nothing was read.
    #[error("the archive is {offered_bytes} bytes long where {expected_bytes} were expected")]
    WrongLength {
        /// What the panel, or the copy's record, said.
        expected_bytes: u64,
        /// What the answer says.
        offered_bytes: u64,
    },
    /// A worker thread was lost.
    #[error(transparent)]
    Worker(#[from] WorkerLost),
    /// Every destination had failed.
    #[error("every destination failed")]
    NoDestinationLeft,
    /// The run was told to stop.
    #[error("interrupted")]
    Interrupted,
}

/// What a pump is given besides its source and slots.
#[derive(Debug)]
pub struct Pump<'a> {
    /// Waits, attempts and memory.
    pub tuning: &'a Tuning,
    /// Cancelled when the run shall stop.
    pub cancel: &'a CancellationToken,
    /// The bandwidth limit over all transfers.
    pub throttle: &'a Throttle,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// As whom.
    pub ticket: TransferTicket,
    /// The archive's length, where it is known beforehand.
    pub expected_bytes: Option<u64>,
}

/// What became of the source.
#[derive(Debug)]
pub struct Pumped {
    /// Read over the network, repeated bytes included.
    pub read_bytes: u64,
    /// What was computed over the whole stream, or why there is no whole stream.
    pub result: Result<ComputedContent, Stopped>,
}

/// What the pump carries from attempt to attempt.
struct Progress {
    cutter: PartCutter,
    computation: Computation,
    permits: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    read_bytes: u64,
}

impl Pump<'_> {
    /// Reads `source` to its end into every open slot.
    ///
    /// A failed slot is aborted here; on any error the others are left open for the caller to
    /// abort, so that the first error is the one that is told.
    pub async fn run<S: Sink>(
        &self,
        source: &mut Source,
        cutter: PartCutter,
        computation: Computation,
        part_bytes: u64,
        slots: &mut [Slot<S>],
    ) -> Pumped {
        let mut progress = Progress {
            cutter,
            computation,
            permits: Arc::new(Semaphore::new(self.tuning.parts_alive(part_bytes))),
            permit: None,
            read_bytes: 0,
        };
        let ended = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Stopped::Interrupted),
            ended = self.attempts(source, &mut progress, slots) => ended,
        };
        let read_bytes = progress.read_bytes;
        let result = match ended {
            Ok(()) => progress.computation.finish().await.map_err(Stopped::from),
            Err(stopped) => Err(stopped),
        };
        Pumped { read_bytes, result }
    }

    /// Attempt after attempt, until the source's end or until no attempt gets any further.
    async fn attempts<S: Sink>(
        &self,
        source: &mut Source,
        progress: &mut Progress,
        slots: &mut [Slot<S>],
    ) -> Result<(), Stopped> {
        if !slots.iter().any(Slot::is_open) {
            return Err(Stopped::NoDestinationLeft);
        }
        let mut failed_in_a_row = 0;
        let mut furthest_bytes = 0;
        let mut waits = self.waits();
        for attempt in 1..=self.tuning.attempts_in_all {
            let error = match self.attempt(source, progress, slots).await {
                Ok(()) => return Ok(()),
                Err(Stopped::Source(error)) => error,
                Err(stopped) => return Err(stopped),
            };
            progress.cutter.drop_pending();
            if progress.cutter.cut_bytes() > furthest_bytes {
                furthest_bytes = progress.cutter.cut_bytes();
                failed_in_a_row = 0;
                waits = self.waits();
            }
            failed_in_a_row += 1;
            let backoff = waits.next().unwrap_or(self.tuning.max_wait);
            let wait = match error.retry() {
                Retry::Never => return Err(error.into()),
                Retry::Backoff => backoff,
                Retry::After(wait) if wait > self.tuning.longest_wait => return Err(error.into()),
                Retry::After(wait) => wait.max(backoff),
            };
            let is_last = attempt == self.tuning.attempts_in_all
                || failed_in_a_row >= error.patience(self.tuning.attempts);
            if is_last {
                return Err(error.into());
            }
            tracing::info!(
                attempt,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                resume_at_bytes = progress.cutter.cut_bytes(),
                "a download is tried again: {}",
                crate::model::outcome::chain(&error)
            );
            tokio::time::sleep(wait).await;
        }
        Err(Stopped::Source(SourceError::Broken {
            at_bytes: progress.cutter.cut_bytes(),
            source: None,
        }))
    }

    fn waits(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.tuning.first_wait)
            .with_max_delay(self.tuning.max_wait)
            .without_max_times()
            .build()
    }

    async fn attempt<S: Sink>(
        &self,
        source: &mut Source,
        progress: &mut Progress,
        slots: &mut [Slot<S>],
    ) -> Result<(), Stopped> {
        let resume_at = progress.cutter.cut_bytes();
        let mut opened = source.open(resume_at).await?;
        if let (Some(expected_bytes), Some(offered_bytes)) =
            (self.expected_bytes, opened.total_bytes)
            && expected_bytes != offered_bytes
        {
            return Err(Stopped::WrongLength {
                expected_bytes,
                offered_bytes,
            });
        }
        let mut left_over = Bytes::new();
        if opened.from_bytes < resume_at {
            left_over = self.skip_prefix(&mut opened, progress).await?;
        }
        self.observer.restarted(self.ticket, resume_at);
        loop {
            if left_over.is_empty() {
                let at_bytes = progress.cutter.taken_bytes();
                match self.next_chunk(&mut opened.body, at_bytes).await? {
                    Some(chunk) => {
                        progress.read_bytes += chunk.len() as u64;
                        left_over = chunk;
                    }
                    None => break,
                }
            }
            self.take(&mut left_over, progress, slots).await?;
        }
        self.check_end(opened.total_bytes, progress.cutter.taken_bytes())?;
        if !progress.cutter.is_empty() {
            self.cut(progress, slots).await?;
        }
        Ok(())
    }

    /// The next chunk, unless nothing comes for too long.
    async fn next_chunk(
        &self,
        body: &mut BoxStream<'static, Result<Bytes, SourceError>>,
        at_bytes: u64,
    ) -> Result<Option<Bytes>, SourceError> {
        let chunk = tokio::time::timeout(self.tuning.stall_timeout, body.next())
            .await
            .map_err(|_elapsed| SourceError::Stalled {
                at_bytes,
                waited: self.tuning.stall_timeout,
            })?
            .transpose()?;
        if let Some(chunk) = &chunk {
            self.throttle.pass(chunk.len()).await;
        }
        Ok(chunk)
    }

    /// A body that ends early without its connection saying so is a broken one.
    fn check_end(&self, total_bytes: Option<u64>, taken_bytes: u64) -> Result<(), SourceError> {
        match total_bytes.or(self.expected_bytes) {
            Some(due_bytes) if taken_bytes < due_bytes => Err(SourceError::Broken {
                at_bytes: taken_bytes,
                source: None,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Fills the current part from `chunk`, and sends it off when it is whole.
    async fn take<S: Sink>(
        &self,
        chunk: &mut Bytes,
        progress: &mut Progress,
        slots: &mut [Slot<S>],
    ) -> Result<(), Stopped> {
        if progress.permit.is_none() {
            let permit = Arc::clone(&progress.permits).acquire_owned().await;
            progress.permit = permit.ok();
        }
        let before_bytes = progress.cutter.taken_bytes();
        progress.cutter.fill(chunk);
        let taken_bytes = progress.cutter.taken_bytes();
        if let Some(expected_bytes) = self.expected_bytes
            && taken_bytes > expected_bytes
        {
            return Err(Stopped::TooLong { expected_bytes });
        }
        self.observer
            .advanced(self.ticket, taken_bytes - before_bytes);
        if progress.cutter.is_full() {
            self.cut(progress, slots).await?;
        }
        Ok(())
    }

    async fn cut<S: Sink>(
        &self,
        progress: &mut Progress,
        slots: &mut [Slot<S>],
    ) -> Result<(), Stopped> {
        let held = progress
            .permit
            .take()
            .map(|permit| Arc::new(permit) as Arc<dyn Any + Send + Sync>);
        let part = progress.cutter.cut(held);
        progress.computation.feed(&part).await?;
        join_all(slots.iter_mut().map(|slot| slot.send(part.clone()))).await;
        if slots.iter().any(Slot::is_open) {
            Ok(())
        } else {
            Err(Stopped::NoDestinationLeft)
        }
    }

    /// Reads and drops the prefix that was already taken, and makes sure that it is the same.
    async fn skip_prefix(
        &self,
        opened: &mut Opened,
        progress: &mut Progress,
    ) -> Result<Bytes, Stopped> {
        let taken = progress.computation.snapshot().await?;
        let mut prefix = PartCutter::new(u64::MAX);
        let mut hasher = StreamHasher::new(prefix.stream(), Algorithm::Sha256);
        let mut missing_bytes = taken.bytes();
        let mut chunk = Bytes::new();
        while missing_bytes > 0 {
            let at_bytes = taken.bytes() - missing_bytes;
            chunk =
                self.next_chunk(&mut opened.body, at_bytes)
                    .await?
                    .ok_or(SourceError::Broken {
                        at_bytes,
                        source: None,
                    })?;
            progress.read_bytes += chunk.len() as u64;
            let in_prefix = usize::try_from(missing_bytes)
                .unwrap_or(usize::MAX)
                .min(chunk.len());
            missing_bytes -= in_prefix as u64;
            prefix.fill(&mut chunk.split_to(in_prefix));
            hasher.absorb(&prefix.cut(None)).map_err(|error| {
                tracing::error!("{error}");
                SourceError::Changed {
                    what: "its beginning could not be compared".to_owned(),
                }
            })?;
        }
        if hasher.finish().digest() != taken.digest() {
            return Err(SourceError::Changed {
                what: format!("its first {} bytes are others than before", taken.bytes()),
            }
            .into());
        }
        Ok(chunk)
    }
}
