//! The requests of one upload: each under a deadline, each error read at the boundary.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::GetOptions;
use object_store::MultipartUpload;
use object_store::PutMultipartOptions;
use object_store::PutOptions;
use object_store::PutPayload;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use uuid::Uuid;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::destination::mark_in;
use crate::destination::upload::OpenUpload;
use crate::destination::upload::UploadJournal;
use crate::destination::ways::Spare;
use crate::model::content::Part;
use crate::model::key::ObjectKey;

/// What every request of one upload needs to know.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) destination: Destination,
    pub(super) key: ObjectKey,
    pub(super) path: Path,
    /// Stored with the object, so that it can be told from an older one of the same key.
    pub(super) mark: String,
    pub(super) journal: Arc<dyn UploadJournal>,
}

/// A multipart upload at the store.
pub(super) enum Open {
    /// It has an id, which is noted.
    ById {
        store: Arc<dyn MultipartStore>,
        upload: OpenUpload,
    },
    /// It has none: its blocks vanish by themselves, or it is a local file.
    Plain(Box<dyn MultipartUpload>),
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ById { upload, .. } => upload.fmt(f),
            Self::Plain(upload) => upload.fmt(f),
        }
    }
}

/// What the store says of the object under the key.
pub(super) struct Found {
    pub(super) bytes: u64,
    pub(super) etag: Option<String>,
    pub(super) mark: Option<String>,
}

impl Target {
    /// Of a new upload.
    pub(super) fn new(
        destination: Destination,
        key: ObjectKey,
        path: Path,
        journal: Arc<dyn UploadJournal>,
    ) -> Self {
        Self {
            destination,
            key,
            path,
            mark: Uuid::new_v4().simple().to_string(),
            journal,
        }
    }

    /// Runs one request under a deadline and reads its error at the boundary.
    pub(super) async fn ask<T>(
        &self,
        action: &'static str,
        waited: Duration,
        request: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, Error> {
        self.destination
            .ask(action, self.key.to_string(), waited, request)
            .await
    }

    /// Begins a multipart upload, and notes its id before any part can be sent.
    pub(super) async fn open(self) -> Result<Open, Error> {
        const ACTION: &str = "begin the upload of";
        let tuning = self.destination.tuning();
        let handle = &self.destination.handles_for_parts().write;
        let options = PutMultipartOptions {
            attributes: self.destination.attributes(self.key.kind(), &self.mark),
            ..PutMultipartOptions::default()
        };
        let Some(store) = handle.uploads.clone() else {
            let request = handle.store.put_multipart_opts(&self.path, options);
            let plain = self.ask(ACTION, tuning.request_deadline, request).await?;
            return Ok(Open::Plain(plain));
        };
        let request = store.create_multipart_opts(&self.path, options);
        let upload_id = self.ask(ACTION, tuning.request_deadline, request).await?;
        let upload = OpenUpload {
            location: self.destination.location().to_owned(),
            key: self.key.clone(),
            upload_id,
        };
        let noted = self.journal.opened(&upload).await;
        let mut open = Open::ById { store, upload };
        match noted {
            Ok(()) => Ok(open),
            Err(source) => {
                self.abort(&mut open).await;
                Err(Error::Journal {
                    key: self.key.clone(),
                    source,
                })
            }
        }
    }

    /// After a refusal to put parts together: a store that says the cheaper checksum of a part back may
    /// still not take what came under it, so later uploads go without.
    pub(super) fn doubt_parts(&self, refusal: &Error) {
        let may_be_checksums = matches!(
            refusal.fault(),
            Some(StoreFault::Refused(_) | StoreFault::Damaged)
        );
        let cheap = self.destination.inner.ways.cheap_parts.as_ref();
        if may_be_checksums && cheap.is_some_and(Spare::give_up) {
            tracing::warn!(
                "{} may not take parts under a CRC64NVME; going on with SHA-256 (set `checksum_algorithm = \"sha256\"` to say so)",
                self.destination.location()
            );
        }
    }

    /// Leaves nothing behind; says so in the log when that failed.
    pub(super) async fn abort(&self, open: &mut Open) {
        let waited = self.destination.tuning().abort_deadline;
        let aborted = match open {
            Open::ById { store, upload } => {
                let request = store.abort_multipart(&self.path, &upload.upload_id);
                match self.ask("abort the upload of", waited, request).await {
                    Err(error) if error.fault() != Some(StoreFault::NotFound) => Err(error),
                    Ok(()) | Err(_) => {
                        self.journal.closed(upload).await;
                        Ok(())
                    }
                }
            }
            Open::Plain(plain) => self.ask("abort the upload of", waited, plain.abort()).await,
        };
        if let Err(error) = aborted {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "parts of {} may be left at {}; the next run tries again",
                self.key,
                self.destination.location()
            );
        }
    }

    /// Asks the store what it holds under the key.
    pub(super) async fn look(&self, waited: Duration) -> Result<Option<Found>, Error> {
        let options = GetOptions::new().with_head(true);
        let store = &self.destination.handles().write.store;
        let request = store.get_opts(&self.path, options);
        match self.ask("check", waited, request).await {
            Ok(result) => Ok(Some(Found {
                bytes: result.meta.size,
                mark: mark_in(&result.attributes),
                etag: result.meta.e_tag,
            })),
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores the whole object by one request.
    pub(super) async fn put(&self, part: Option<&Part>) -> Result<(), Error> {
        let payload: PutPayload = part.into_iter().flat_map(Part::chunks).cloned().collect();
        let options = PutOptions {
            attributes: self.destination.attributes(self.key.kind(), &self.mark),
            ..PutOptions::default()
        };
        let waited = self.destination.tuning().part_deadline;
        let store = &self.destination.handles().write.store;
        let request = store.put_opts(&self.path, payload, options);
        self.ask("store", waited, request).await.map(drop)
    }

    /// After a failed commit: the object, if it is the one of this very upload all the same.
    ///
    /// Completing is repeated inside the crate, and a repetition of what had worked may well be
    /// answered by an error (`storage-servers.md` section 6, trap 5).
    pub(super) async fn landed_after_all(&self, sent_bytes: u64) -> Option<Found> {
        let waited = self.destination.tuning().abort_deadline;
        let found = self.look(waited).await.ok()??;
        (found.bytes == sent_bytes && found.mark.as_ref() == Some(&self.mark)).then_some(found)
    }

    /// Strikes a completed upload off the journal.
    pub(super) async fn close(&self, open: &mut Option<Open>) {
        if let Some(Open::ById { upload, .. }) = open {
            self.journal.closed(upload).await;
        }
    }
}
