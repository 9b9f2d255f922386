//! Parts on their way to the store, a bounded number of them at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::PutPayload;
use object_store::multipart::PartId;
use tokio::task::JoinError;
use tokio::task::JoinSet;

use crate::destination::error::Error;
use crate::destination::upload::behind::WriteBehind;
use crate::destination::upload::request::Open;
use crate::destination::upload::request::Target;
use crate::model::content::Part;

/// What became of one part.
type Sent = Result<Taken, Error>;

/// A part that the store has: its place, its id where the store gives one, its length.
#[derive(Debug)]
pub(super) struct Taken {
    index: usize,
    id: Option<PartId>,
    bytes: u64,
}

/// A multipart upload that takes parts.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) open: Open,
    pub(super) parts: JoinSet<Sent>,
    next: usize,
    done: BTreeMap<usize, PartId>,
    behind: WriteBehind,
}

impl Running {
    /// One that has sent nothing yet.
    pub(super) fn new(open: Open) -> Self {
        Self {
            open,
            parts: JoinSet::new(),
            next: 0,
            done: BTreeMap::new(),
            behind: WriteBehind::default(),
        }
    }

    /// Waits until fewer than `in_flight` parts are on the way; earlier failures surface here.
    pub(super) async fn room(&mut self, in_flight: usize, target: &Target) -> Result<(), Error> {
        while let Some(joined) = self.parts.try_join_next() {
            self.take(joined, target)?;
        }
        while self.parts.len() >= in_flight {
            match self.parts.join_next().await {
                Some(joined) => self.take(joined, target)?,
                None => break,
            }
        }
        Ok(())
    }

    pub(super) fn take(
        &mut self,
        joined: Result<Sent, JoinError>,
        target: &Target,
    ) -> Result<(), Error> {
        let Taken { index, id, bytes } = joined.map_err(|source| Error::Crashed {
            action: "send a part of",
            what: target.key.to_string(),
            source,
        })??;
        if let Some(id) = id {
            self.done.insert(index, id);
        }
        self.behind.wrote(bytes, target);
        Ok(())
    }

    /// Sends a part in a task of its own; its bytes are let go as soon as that task ends.
    pub(super) fn start(&mut self, part: Part, target: &Target) {
        const ACTION: &str = "send a part of";
        let index = self.next;
        self.next += 1;
        let bytes = part.length_bytes();
        let payload: PutPayload = part.chunks().iter().cloned().collect();
        let target = target.clone();
        let waited = target.destination.tuning().part_deadline;
        match &mut self.open {
            Open::ById { store, upload } => {
                let store = Arc::clone(store);
                let id = upload.upload_id.clone();
                self.parts.spawn(async move {
                    let request = store.put_part(&target.path, &id, index, payload);
                    let sent = target.ask(ACTION, waited, request).await;
                    drop(part);
                    sent.map(|id| Taken {
                        index,
                        id: Some(id),
                        bytes,
                    })
                });
            }
            Open::Plain(plain) => {
                let request = plain.put_part(payload);
                self.parts.spawn(async move {
                    let sent = target.ask(ACTION, waited, request).await;
                    drop(part);
                    sent.map(|()| Taken {
                        index,
                        id: None,
                        bytes,
                    })
                });
            }
        }
    }

    pub(super) async fn complete(&mut self, target: &Target) -> Result<(), Error> {
        const ACTION: &str = "complete the upload of";
        let waited = target.destination.tuning().part_deadline;
        match &mut self.open {
            Open::ById { store, upload } => {
                let parts: Vec<_> = std::mem::take(&mut self.done).into_values().collect();
                let request = store.complete_multipart(&target.path, &upload.upload_id, parts);
                let completed = target.ask(ACTION, waited, request).await;
                completed
                    .map(drop)
                    .inspect_err(|error| target.doubt_parts(error))
            }
            Open::Plain(plain) => target.ask(ACTION, waited, plain.complete()).await.map(drop),
        }
    }
}
