//! The sidecar beside a copy, as a document: reading and writing its bytes.

use bytes::Bytes;
use object_store::PutOptions;
use object_store::PutPayload;
use uuid::Uuid;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::destination::stored::StoredObject;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::key::ObjectKey;
use crate::model::sidecar::Sidecar;

/// A sidecar longer than this is none of ours.
const LONGEST_SIDECAR_BYTES: u64 = 4 * 1024 * 1024;

/// A sidecar as it was read.
pub(super) enum Document {
    Whole(Bytes),
    Missing,
    TooLong,
}

impl Destination {
    /// Writes the sidecar beside a stored archive: from then on it counts as a verified copy. Gives
    /// the copy with the digest of the sidecar that stands beside it now.
    ///
    /// # Errors
    /// [`Error::SidecarOfAnother`] when it does not describe this very copy;
    /// [`Error::SizeDiffers`] when the store acknowledged it and holds something else; else why it
    /// could not be written. It may or may not be there then; repeating is safe.
    pub async fn write_sidecar(
        &self,
        stored: &StoredObject,
        sidecar: &Sidecar,
    ) -> Result<StoredObject, Error> {
        if let Some(field) = differing_field(stored, sidecar) {
            return Err(Error::SidecarOfAnother {
                key: stored.key().clone(),
                field,
            });
        }
        let key = stored.key().sidecar();
        let document = sidecar.to_json().map_err(|source| Error::Sidecar {
            key: key.clone(),
            source,
        })?;
        let sent_bytes = document.len() as u64;
        let mut sha256 = Hasher::digest(Algorithm::Sha256, &document);
        let held = self.put_document(&key, document.into()).await?;
        // Another run may have described the same copy meanwhile, in a text of another length.
        if held != Some(sent_bytes) {
            sha256 = match self.described_as(&key, stored).await? {
                Some(theirs) => theirs,
                None => {
                    return Err(Error::SizeDiffers {
                        key,
                        sent_bytes,
                        stored_bytes: held,
                    });
                }
            };
        }
        self.make_private(&key).await;
        Ok(stored.clone().beside_sidecar(sha256))
    }

    /// Stores a sidecar's bytes, and says how long what is there then is.
    pub(super) async fn put_document(
        &self,
        key: &ObjectKey,
        document: Bytes,
    ) -> Result<Option<u64>, Error> {
        let _lease = self.prepare(key).await?;
        let path = self.path_of(key)?;
        let options = PutOptions {
            attributes: self.attributes(key.kind(), &Uuid::new_v4().simple().to_string()),
            ..PutOptions::default()
        };
        let waited = self.tuning().request_deadline;
        let store = &self.handles().write.store;
        let request = store.put_opts(&path, PutPayload::from(document), options);
        self.ask("store", key.to_string(), waited, request).await?;
        Ok(self.head(key).await?.map(|(bytes, _etag)| bytes))
    }

    /// The digest of the sidecar under `key`, when it is a whole one of this very copy, to the last byte.
    async fn described_as(
        &self,
        key: &ObjectKey,
        stored: &StoredObject,
    ) -> Result<Option<ContentDigest>, Error> {
        let Document::Whole(document) = self.sidecar_document(key).await? else {
            return Ok(None);
        };
        let is_whole = Sidecar::from_json(&document).is_ok_and(|sidecar| {
            differing_field(stored, &sidecar).is_none()
                && sidecar.to_json().is_ok_and(|whole| whole == document)
        });
        Ok(is_whole.then(|| Hasher::digest(Algorithm::Sha256, &document)))
    }

    pub(super) async fn sidecar_document(&self, key: &ObjectKey) -> Result<Document, Error> {
        self.refuse_links(key).await?;
        let result = match self.get(key, None).await {
            Ok(result) => result,
            Err(error) if error.fault() == Some(StoreFault::NotFound) => {
                return Ok(Document::Missing);
            }
            Err(error) => return Err(error),
        };
        if result.meta.size > LONGEST_SIDECAR_BYTES {
            return Ok(Document::TooLong);
        }
        let waited = self.tuning().request_deadline;
        self.ask("read", key.to_string(), waited, result.bytes())
            .await
            .map(Document::Whole)
    }
}

/// The first field by which a sidecar does not describe this copy.
fn differing_field(stored: &StoredObject, sidecar: &Sidecar) -> Option<&'static str> {
    let hex = |digest: &ContentDigest| digest.to_hex();
    [
        ("server", sidecar.server.uuid == stored.key().server()),
        ("backup", sidecar.backup.uuid == stored.key().backup()),
        (
            "archive length",
            sidecar.archive.bytes == stored.archive_bytes(),
        ),
        (
            "archive SHA-256",
            sidecar.archive.sha256 == hex(stored.archive_sha256()),
        ),
        (
            "verdict",
            sidecar.archive.verdict == stored.verdict().as_str(),
        ),
        (
            "stored length",
            sidecar.stored.bytes == stored.stored_bytes(),
        ),
        (
            "stored SHA-256",
            sidecar.stored.sha256 == hex(stored.stored_sha256()),
        ),
        (
            "encryption",
            sidecar.stored.encryption.as_ref() == stored.encryption(),
        ),
    ]
    .into_iter()
    .find(|(_field, same)| !same)
    .map(|(field, _same)| field)
}
