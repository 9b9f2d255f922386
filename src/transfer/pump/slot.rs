//! Where a pump sends its parts: the sinks of one fan-out, each open until it fails.

use std::sync::Arc;

use crate::destination;
use crate::destination::Destination;
use crate::destination::Upload;
use crate::destination::UploadJournal;
use crate::model::content::Part;
use crate::model::content::StreamId;
use crate::model::holding::SealedCopy;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;

/// Takes the parts of one stream, in order, and shows nothing of them before its owner has the
/// proof that they are the right ones.
pub trait Sink: Send {
    /// Takes the next part, and waits until there is room for it.
    ///
    /// After an error, or when the future is dropped, the sink is of no more use: abort it.
    fn send(&mut self, part: Part) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Leaves nothing behind; what goes wrong with that is logged.
    fn abort(self) -> impl Future<Output = ()> + Send;

    /// What it is called in the log.
    fn name(&self) -> String;
}

/// An upload to one destination.
#[derive(Debug)]
pub struct UploadSink {
    /// Where.
    pub destination: Destination,
    /// The upload.
    pub upload: Box<Upload>,
}

impl Sink for UploadSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        self.upload
            .send(part)
            .await
            .map_err(|error| error.failure(Scope::Destination, self.destination.name().to_string()))
    }

    async fn abort(self) {
        self.upload.abort().await;
    }

    fn name(&self) -> String {
        self.destination.name().to_string()
    }
}

/// Takes parts and keeps none of them: for streams that are only hashed and inspected.
#[derive(Debug, Clone, Copy)]
pub struct Nowhere;

impl Sink for Nowhere {
    async fn send(&mut self, _part: Part) -> Result<(), Failure> {
        Ok(())
    }

    async fn abort(self) {}

    fn name(&self) -> String {
        "nowhere".to_owned()
    }
}

/// One sink of a fan-out.
#[derive(Debug)]
pub struct Slot<S> {
    /// How it stands.
    pub state: SlotState<S>,
    /// What was sent to it.
    pub sent_bytes: u64,
}

/// How a sink of a fan-out stands.
#[derive(Debug)]
pub enum SlotState<S> {
    /// It takes parts.
    Open(S),
    /// It failed and was aborted; the others go on.
    Failed(Failure),
}

impl Slot<UploadSink> {
    /// Begins an upload; one that can't even begin is failed from the start.
    pub async fn begin(
        destination: Destination,
        key: &ObjectKey,
        stream: StreamId,
        part_bytes: u64,
        journal: &Arc<dyn UploadJournal>,
    ) -> Self {
        let begun = destination
            .begin(key.clone(), stream, part_bytes, Arc::clone(journal))
            .await;
        Self::begun(destination, begun)
    }

    /// The same for the very bytes of an encrypted copy.
    pub async fn begin_as_stored(
        destination: Destination,
        copy: &SealedCopy,
        stream: StreamId,
        part_bytes: u64,
        journal: &Arc<dyn UploadJournal>,
    ) -> Self {
        let begun = destination
            .begin_as_stored(copy, stream, part_bytes, Arc::clone(journal))
            .await;
        Self::begun(destination, begun)
    }

    fn begun(destination: Destination, begun: Result<Upload, destination::Error>) -> Self {
        let state = match begun {
            Ok(upload) => SlotState::Open(UploadSink {
                destination,
                upload: Box::new(upload),
            }),
            Err(error) => {
                SlotState::Failed(error.failure(Scope::Destination, destination.name().to_string()))
            }
        };
        Self {
            state,
            sent_bytes: 0,
        }
    }

    /// Says how many uploads of the fan-out seal: they share the memory for it.
    pub fn share_with(&mut self, sealed_uploads: usize) {
        if let SlotState::Open(sink) = &mut self.state {
            sink.upload.share_with(sealed_uploads);
        }
    }
}

impl<S: Sink> Slot<S> {
    /// A slot of a sink that takes parts.
    pub const fn open(sink: S) -> Self {
        Self {
            state: SlotState::Open(sink),
            sent_bytes: 0,
        }
    }

    /// Whether it takes parts.
    pub const fn is_open(&self) -> bool {
        matches!(self.state, SlotState::Open(_))
    }

    /// Aborts what is open; the failure is its own when it had one before.
    pub async fn give_up(self, failure: &Failure) -> Failure {
        match self.state {
            SlotState::Open(sink) => {
                sink.abort().await;
                failure.clone()
            }
            SlotState::Failed(own) => own,
        }
    }

    /// Sends a part while it is open; one that fails then is aborted.
    pub(super) async fn send(&mut self, part: Part) {
        let SlotState::Open(sink) = &mut self.state else {
            return;
        };
        let bytes = part.length_bytes();
        match sink.send(part).await {
            Ok(()) => self.sent_bytes += bytes,
            Err(failure) => {
                tracing::info!(
                    kind = failure.kind.as_str(),
                    "{} is left out of this transfer from now on: {}",
                    sink.name(),
                    failure.message
                );
                self.fail(failure).await;
            }
        }
    }

    async fn fail(&mut self, failure: Failure) {
        let state = std::mem::replace(&mut self.state, SlotState::Failed(failure));
        if let SlotState::Open(sink) = state {
            sink.abort().await;
        }
    }
}
