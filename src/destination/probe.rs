//! Trying a destination before anything is downloaded for it.

use std::sync::Arc;

use object_store::GetOptions;
use object_store::PutMultipartOptions;
use object_store::PutPayload;
use object_store::multipart::PartId;
use object_store::path::Path;

use crate::destination::Destination;
use crate::destination::OpenUpload;
use crate::destination::UploadJournal;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::destination::open::Handle;
use crate::model::key::ObjectKey;

/// The part of a probe.
const PART: &[u8] = b"nestegg";

/// Its CRC64NVME as the crate keeps it, if the store said it back.
const CRC_OF_PART: &str = "<checksum_crc64nvme>V5j6r5aPs6U=</checksum_crc64nvme>";

impl Destination {
    /// Finds out whether root or bucket are there, the credentials are good, and writing, reading
    /// and aborting uploads are allowed; leaves nothing visible.
    ///
    /// Where the operator leaves open which checksum uploads carry, what the store is seen to take is
    /// used from then on: none if it refuses the usual one, and for parts one that costs less, if it
    /// says that back and nobody else can change them on their way.
    ///
    /// The uploads that it begins are noted in no journal: who has one calls
    /// [`Self::probe_noted`].
    ///
    /// # Errors
    /// What stands in the way, after few repetitions: a wrong name or key is told at once.
    pub async fn probe(&self) -> Result<(), Error> {
        self.try_all(None).await
    }

    /// The same with its uploads noted as any other is, so that a process that is killed in here
    /// leaves nothing that the next run does not abort.
    ///
    /// # Errors
    /// As [`Self::probe`]; [`Error::Journal`].
    pub async fn probe_noted(&self, journal: &dyn UploadJournal) -> Result<(), Error> {
        self.try_all(Some(journal)).await
    }

    /// Finds out whether root or bucket are there and may be read; writes nothing.
    ///
    /// # Errors
    /// What stands in the way, after few repetitions.
    pub async fn probe_reading(&self) -> Result<(), Error> {
        match self.root() {
            Some(root) => {
                let root = Arc::clone(root);
                self.clone().on_disk("try", move || root.check()).await
            }
            None => self.try_reading().await,
        }
    }

    async fn try_all(&self, journal: Option<&dyn UploadJournal>) -> Result<(), Error> {
        if let Some(root) = self.root() {
            let root = Arc::clone(root);
            return self
                .clone()
                .on_disk("try", move || {
                    let _lease = root.lease()?;
                    root.probe()
                })
                .await;
        }
        let ways = &self.inner.ways;
        match (
            self.try_writing(&ways.handles().probe, journal).await,
            &ways.without_checksum,
        ) {
            (Err(error), Some(plain))
                if matches!(
                    error.fault(),
                    Some(StoreFault::Refused(400 | 501) | StoreFault::Damaged)
                ) =>
            {
                let tried = self.try_writing(&plain.handles()?.probe, journal).await;
                if tried.is_err() {
                    return Err(error);
                }
                plain.put_to_use();
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "{} does not take upload checksums; going on without (set `checksum_algorithm = \"none\"` to say so)",
                    self.location()
                );
            }
            (Ok(_part), _) => {}
            (Err(error), _) => return Err(error),
        }
        self.try_cheap_parts(journal).await?;
        self.try_reading().await
    }

    /// Uploads a part under the checksum that costs less, where there is such a choice, and goes on
    /// with that if the store says it back, as those do that compare it.
    async fn try_cheap_parts(&self, journal: Option<&dyn UploadJournal>) -> Result<(), Error> {
        let Some(cheap) = &self.inner.ways.cheap_parts else {
            return Ok(());
        };
        match self.try_writing(&cheap.handles()?.probe, journal).await {
            Ok(Some(part)) if part.content_id.contains(CRC_OF_PART) => cheap.put_to_use(),
            Ok(_part) => {
                tracing::debug!(
                    "{} does not say a CRC64NVME of a part back",
                    self.location()
                );
            }
            Err(error @ Error::Journal { .. }) => return Err(error),
            // Whatever is wrong, it is not wrong with the usual way.
            Err(error) => {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "{} does not take a CRC64NVME of a part",
                    self.location()
                );
            }
        }
        Ok(())
    }

    fn probe_path(&self) -> Result<Path, Error> {
        self.path_of(&ObjectKey::of_probe())
    }

    async fn step<T>(
        &self,
        action: &'static str,
        request: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, Error> {
        let waited = self.tuning().probe_deadline;
        self.ask(action, self.location().to_owned(), waited, request)
            .await
    }

    /// One part of an upload that is aborted; what the store gives for the part.
    async fn try_writing(
        &self,
        probe: &Handle,
        journal: Option<&dyn UploadJournal>,
    ) -> Result<Option<PartId>, Error> {
        let path = self.probe_path()?;
        let Handle { store, uploads, .. } = probe;
        let part = || PutPayload::from_static(PART);
        let options = PutMultipartOptions::default();
        let Some(uploads) = uploads else {
            let request = store.put_multipart_opts(&path, options);
            let mut upload = self.step("write to", request).await.map_err(no_bucket)?;
            let sent = self
                .step("write to", upload.put_part(part()))
                .await
                .map_err(no_bucket);
            let aborted = self.step("abort an upload to", upload.abort()).await;
            sent.and(aborted)?;
            return Ok(None);
        };
        let request = uploads.create_multipart_opts(&path, options);
        let upload_id = self.step("write to", request).await.map_err(no_bucket)?;
        let upload = OpenUpload {
            location: self.location().to_owned(),
            key: ObjectKey::of_probe(),
            upload_id,
        };
        let id = &upload.upload_id;
        let noted = match journal {
            Some(journal) => journal.opened(&upload).await,
            None => Ok(()),
        };
        let sent = match noted {
            Ok(()) => {
                let request = uploads.put_part(&path, id, 0, part());
                self.step("write to", request).await
            }
            Err(source) => Err(Error::Journal {
                key: upload.key.clone(),
                source,
            }),
        };
        let request = uploads.abort_multipart(&path, id);
        let aborted = self.step("abort an upload to", request).await;
        if let (Ok(()), Some(journal)) = (&aborted, journal) {
            journal.closed(&upload).await;
        }
        let part = sent?;
        aborted?;
        Ok(Some(part))
    }

    /// A read of what is not there: by GET, since an answer to HEAD can't say why it failed.
    async fn try_reading(&self) -> Result<(), Error> {
        let path = self.probe_path()?;
        let request = self
            .handles()
            .probe
            .store
            .get_opts(&path, GetOptions::new());
        match self.step("read from", request).await {
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(()),
            other => other.map(drop),
        }
    }
}

/// When beginning an upload, the one thing that can be missing is the bucket.
fn no_bucket(error: Error) -> Error {
    if error.fault() == Some(StoreFault::NotFound)
        && let Error::Store {
            action,
            what,
            source,
        } = error
    {
        return Error::Store {
            action,
            what,
            source: source.meaning(StoreFault::NoBucket),
        };
    }
    error
}
