//! An upload that becomes visible only when it is proved: `Upload` → `VerifiedUpload` →
//! `StoredObject`.
//!
//! An [`Upload`] takes parts and has no `commit`:
//!
//! ```compile_fail,E0599
//! async fn publish(upload: nestegg::destination::Upload, now: jiff::Timestamp) {
//!     let _stored = upload.commit(now).await;
//! }
//! ```
//!
//! Only what [`Upload::verify`] returns has one:
//!
//! ```
//! async fn publish(upload: nestegg::destination::VerifiedUpload, now: jiff::Timestamp) {
//!     let _stored = upload.commit(now).await;
//! }
//! ```

mod behind;
mod cursor;
mod parts;
mod request;
mod sealed;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use object_store::path::Path;
use tokio::time::timeout;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::error::JournalError;
use crate::destination::local::Lease;
use crate::destination::stored::Facts;
use crate::destination::stored::StoredObject;
pub(super) use crate::destination::upload::cursor::Cursor;
use crate::destination::upload::parts::Running;
use crate::destination::upload::request::Open;
use crate::destination::upload::request::Target;
use crate::destination::upload::sealed::Sealing;
use crate::model::content::Part;
use crate::model::content::VerifiedContent;
use crate::model::holding::SealedCopy;
use crate::model::key::ObjectKey;

/// An upload whose id outlives this process, so that a later run can abort it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// The destination's identity.
    pub location: String,
    /// The object that it was to become.
    pub key: ObjectKey,
    /// The store's own id of it.
    pub upload_id: String,
}

/// Where open uploads are written down; stores can't be asked for them.
pub trait UploadJournal: Send + Sync + fmt::Debug {
    /// Notes an upload, durably, before its first part is sent.
    fn opened<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>>;

    /// Forgets one that was completed or aborted.
    fn closed<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, ()>;
}

/// An upload in progress: invisible, and not yet proved.
///
/// Where the destination encrypts, the parts it takes are the archive's all the same: they are
/// sealed on their way, and the proof must be of exactly what was sealed.
///
/// Ends well by [`Upload::verify`], ends otherwise by [`Upload::abort`]. When dropped instead,
/// parts may be left at the store until the next run aborts them.
#[derive(Debug)]
#[must_use = "nothing is stored until it is verified and committed; abort it to leave nothing behind"]
pub struct Upload {
    sending: Sending,
    form: Form,
}

/// What becomes of the parts on their way.
#[derive(Debug)]
enum Form {
    /// They are stored as they come.
    Plain,
    /// They are encrypted.
    Sealing(Box<Sealing>),
    /// They are those of an age file, which is stored as it is.
    AsStored(Box<Facts>),
}

/// An upload whose bytes are proved: still invisible.
#[derive(Debug)]
#[must_use = "nothing is stored until `commit`; abort it to leave nothing behind"]
pub struct VerifiedUpload {
    sending: Sending,
    facts: Facts,
}

impl Upload {
    pub(super) async fn new(
        destination: Destination,
        key: ObjectKey,
        path: Path,
        cursor: Cursor,
        journal: Arc<dyn UploadJournal>,
        lease: Option<Lease>,
    ) -> Result<Self, Error> {
        let target = Target::new(destination, key, path, journal);
        if target.destination.encrypts_to().is_empty() {
            return Ok(Self::over(target, cursor, lease, Form::Plain));
        }
        let (cursor, sealing) = Sealing::begin(&target, cursor).await?;
        let mut upload = Self::over(target, cursor, lease, Form::Sealing(Box::new(sealing)));
        upload.share_with(1);
        Ok(upload)
    }

    pub(super) fn as_stored(
        destination: Destination,
        copy: &SealedCopy,
        path: Path,
        cursor: Cursor,
        journal: Arc<dyn UploadJournal>,
        lease: Option<Lease>,
    ) -> Self {
        let target = Target::new(destination, copy.key.clone(), path, journal);
        let form = Form::AsStored(Box::new(Facts::as_stored(copy)));
        Self::over(target, cursor, lease, form)
    }

    fn over(target: Target, cursor: Cursor, lease: Option<Lease>, form: Form) -> Self {
        Self {
            sending: Sending {
                in_flight: target.destination.tuning().in_flight(cursor.part_bytes),
                target,
                cursor,
                _lease: lease,
                stage: Stage::Empty,
            },
            form,
        }
    }

    /// Says how many uploads of one transfer seal, this one included: they share the memory for it.
    pub fn share_with(&mut self, sealed_uploads: usize) {
        if let Form::Sealing(sealing) = &self.form {
            let shared = sealed::in_flight(sealing.part_bytes(), sealed_uploads);
            self.sending.in_flight = self.sending.in_flight.min(shared);
        }
    }

    /// Takes the next part, and waits until there is room for it on the way.
    ///
    /// The first part is only kept: an archive that ends with it is stored by a single request.
    /// When the returned future is dropped, the part counts as not taken.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`], [`Error::UnevenPart`], [`Error::TooManyParts`] before anything is
    /// sent; else what became of this part's or an earlier part's request. The upload is of no
    /// more use then: abort it.
    pub async fn send(&mut self, part: Part) -> Result<(), Error> {
        match &mut self.form {
            Form::Plain | Form::AsStored(_) => self.sending.send(part).await,
            Form::Sealing(sealing) => sealing.send(part, &mut self.sending).await,
        }
    }

    /// Waits for the parts on the way, and checks that the proof is of exactly what was sent.
    ///
    /// # Errors
    /// [`Error::Unproved`], or what became of a part; the upload is aborted.
    pub async fn verify(mut self, content: &VerifiedContent) -> Result<VerifiedUpload, Error> {
        let settled = match self.form {
            Form::Plain => self.sending.settle(content).await,
            Form::Sealing(mut sealing) => sealing.settle(content, &mut self.sending).await,
            Form::AsStored(facts) => self.sending.settle_as_stored(content, *facts).await,
        };
        match settled {
            Ok(facts) => Ok(VerifiedUpload {
                sending: self.sending,
                facts,
            }),
            Err(error) => {
                self.sending.abort().await;
                Err(error)
            }
        }
    }

    /// Leaves nothing behind at the store; a failure to do so is logged, and the upload stays
    /// noted for the next run.
    pub async fn abort(mut self) {
        self.sending.abort().await;
    }
}

impl VerifiedUpload {
    /// Makes the object visible, atomically, and checks that the store holds all of it. `now` becomes
    /// the time that its sidecar and the ledger say.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Deadline`]: the object may or may not be visible; repeating the
    /// whole upload is safe. [`Error::SizeDiffers`]: the store acknowledged the object and holds
    /// something else.
    pub async fn commit(mut self, now: Timestamp) -> Result<StoredObject, Error> {
        self.sending.publish(self.facts, now).await
    }

    /// As [`Upload::abort`].
    pub async fn abort(mut self) {
        self.sending.abort().await;
    }
}

/// The stored object's own bytes on their way: the archive's, or those of the age file that holds it.
#[derive(Debug)]
struct Sending {
    target: Target,
    in_flight: usize,
    cursor: Cursor,
    _lease: Option<Lease>,
    stage: Stage,
}

/// A multipart upload being begun.
struct Opening(BoxFuture<'static, Result<Open, Error>>);

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening")
    }
}

#[derive(Debug)]
enum Stage {
    /// Nothing came yet.
    Empty,
    /// One part, kept: it may be all there is.
    First(Part),
    /// A second part came, and the store is being asked for a multipart upload. Kept here, so that
    /// the id is not lost when the caller stops waiting for one `send`.
    Opening { first: Part, opening: Opening },
    /// Parts are on the way.
    Open(Running),
    /// Completed, aborted, or given up.
    Ended,
}

impl Sending {
    async fn send(&mut self, part: Part) -> Result<(), Error> {
        let after = self.cursor.after(&part, &self.target.key)?;
        if part.length_bytes() == 0 {
            return Ok(());
        }
        if matches!(self.stage, Stage::Empty) {
            self.stage = Stage::First(part);
        } else {
            let (target, in_flight) = (self.target.clone(), self.in_flight);
            let running = self.opened().await?;
            running.room(in_flight, &target).await?;
            running.start(part, &target);
        }
        self.cursor = after;
        Ok(())
    }

    /// The running upload, begun with the part that was kept.
    async fn opened(&mut self) -> Result<&mut Running, Error> {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::First(first) => Stage::Opening {
                opening: Opening(Box::pin(self.target.clone().open())),
                first,
            },
            other @ (Stage::Empty | Stage::Opening { .. } | Stage::Open(_) | Stage::Ended) => other,
        };
        if let Stage::Opening { opening, .. } = &mut self.stage {
            let opened = (&mut opening.0).await;
            let Stage::Opening { first, .. } = std::mem::replace(&mut self.stage, Stage::Ended)
            else {
                return Err(self.ended());
            };
            let open = opened?;
            let mut running = Running::new(open);
            running.start(first, &self.target);
            self.stage = Stage::Open(running);
        }
        let ended = self.ended();
        match &mut self.stage {
            Stage::Open(running) => Ok(running),
            Stage::Empty | Stage::First(_) | Stage::Opening { .. } | Stage::Ended => Err(ended),
        }
    }

    fn ended(&self) -> Error {
        Error::Ended {
            key: self.target.key.clone(),
        }
    }

    async fn settle(&mut self, content: &VerifiedContent) -> Result<Facts, Error> {
        self.all_sent().await?;
        self.cursor.prove(content, &self.target.key)?;
        Ok(Facts::plain(content))
    }

    async fn settle_as_stored(
        &mut self,
        content: &VerifiedContent,
        facts: Facts,
    ) -> Result<Facts, Error> {
        let sent = self.settle(content).await?;
        if sent.stored_bytes == facts.stored_bytes && sent.stored_sha256 == facts.stored_sha256 {
            Ok(facts)
        } else {
            Err(Error::Unproved {
                key: self.target.key.clone(),
                sent_bytes: sent.stored_bytes,
                proved_bytes: facts.stored_bytes,
            })
        }
    }

    /// Waits for the parts on the way, and says how many bytes that were in all.
    async fn all_sent(&mut self) -> Result<u64, Error> {
        let target = self.target.clone();
        match &mut self.stage {
            Stage::Empty | Stage::First(_) => {}
            Stage::Open(running) => running.room(1, &target).await?,
            // A send that was given up half-way: its part is missing.
            Stage::Opening { .. } | Stage::Ended => return Err(self.ended()),
        }
        Ok(self.cursor.position.bytes())
    }

    async fn publish(&mut self, facts: Facts, now: Timestamp) -> Result<StoredObject, Error> {
        let target = self.target.clone();
        let (acknowledged, mut open) = match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Empty => (target.put(None).await, None),
            Stage::First(part) => (target.put(Some(&part)).await, None),
            Stage::Open(mut running) => {
                let acknowledged = running.complete(&target).await;
                (acknowledged, Some(running.open))
            }
            Stage::Opening { .. } | Stage::Ended => return Err(self.ended()),
        };
        let found = match acknowledged {
            Ok(()) => {
                target.close(&mut open).await;
                let waited = target.destination.tuning().request_deadline;
                target.look(waited).await?
            }
            Err(error) => {
                let Some(found) = target.landed_after_all(facts.stored_bytes).await else {
                    if let Some(mut open) = open {
                        target.abort(&mut open).await;
                    }
                    target.destination.clear_staged(&target.key).await;
                    return Err(error);
                };
                tracing::info!(
                    error = &error as &dyn std::error::Error,
                    "{} is complete although the store said otherwise",
                    target.key
                );
                target.close(&mut open).await;
                Some(found)
            }
        };
        let stored_bytes = found.as_ref().map(|found| found.bytes);
        let Some(found) = found.filter(|found| found.bytes == facts.stored_bytes) else {
            return Err(Error::SizeDiffers {
                key: target.key,
                sent_bytes: facts.stored_bytes,
                stored_bytes,
            });
        };
        target.destination.make_private(&target.key).await;
        Ok(StoredObject::new(
            target.key,
            target.destination.name().clone(),
            target.destination.location().to_owned(),
            facts,
            found.etag,
            now,
        ))
    }

    async fn abort(&mut self) {
        let target = self.target.clone();
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Empty | Stage::First(_) | Stage::Ended => {}
            Stage::Opening { opening, .. } => {
                let waited = target.destination.tuning().abort_deadline;
                match timeout(waited, opening.0).await {
                    Ok(Ok(mut open)) => target.abort(&mut open).await,
                    Ok(Err(_nothing_was_begun)) => {}
                    Err(_late) => tracing::warn!(
                        "an upload of {} may be left at {}",
                        target.key,
                        target.destination.location()
                    ),
                }
            }
            Stage::Open(mut running) => {
                running.parts.shutdown().await;
                target.abort(&mut running.open).await;
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        match self.stage {
            Stage::Opening { .. } | Stage::Open(_) => tracing::warn!(
                "the upload of {} to {} was dropped; what it left is aborted by the next run",
                self.target.key,
                self.target.destination.location()
            ),
            Stage::Empty | Stage::First(_) | Stage::Ended => {}
        }
    }
}
