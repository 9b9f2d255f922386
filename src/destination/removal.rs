//! Taking a copy away, in the only order in which a sidecar never describes an archive that is gone.
//!
//! ```text
//! Removal ── sidecar_gone ─▶ Undescribed ── archive_gone ─▶ ()
//!    ▲                            │
//!    └──────── put_back ──────────┘
//! ```

use bytes::Bytes;
use object_store::ObjectStoreExt as _;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::model::key::ObjectKey;

/// A copy that is about to be removed, as the ledger has noted: both objects may still be there.
#[derive(Debug)]
#[must_use = "nothing is removed yet"]
pub struct Removal {
    destination: Destination,
    key: ObjectKey,
    sidecar: Bytes,
}

/// What is left of a copy whose sidecar is gone: an archive that counts as none.
#[derive(Debug)]
#[must_use = "the archive is still there"]
pub struct Undescribed(Removal);

/// A step that was not taken, and from where it can be tried again.
#[derive(Debug)]
pub struct NotTaken<S> {
    /// The state before it. After an answer that was lost the object may be gone all the same; trying
    /// again is safe.
    pub still: S,
    /// Why not.
    pub error: Error,
}

impl Destination {
    /// Begins to remove the copy whose archive is under `key`: to be called only once the ledger has
    /// noted it, with the sidecar's bytes as they were noted.
    pub fn begin_removal(&self, key: &ObjectKey, sidecar: Bytes) -> Removal {
        Removal {
            destination: self.clone(),
            key: key.clone(),
            sidecar,
        }
    }

    /// Removes one object; one that is missing is fine. In a local directory that is durable afterwards.
    async fn delete(&self, key: &ObjectKey) -> Result<(), Error> {
        self.refuse_links(key).await?;
        let path = self.path_of(key)?;
        let waited = self.tuning().request_deadline;
        let store = &self.handles().write.store;
        let request = store.delete(&path);
        match self.ask("remove", key.to_string(), waited, request).await {
            Ok(()) => {}
            Err(error) if error.fault() == Some(StoreFault::NotFound) => {}
            Err(error) => return Err(error),
        }
        self.sync_server(key.server()).await
    }
}

impl Removal {
    /// Removes the sidecar: from then on there is no copy.
    ///
    /// # Errors
    /// What kept the sidecar from being removed; the copy is whole, unless an answer was lost.
    pub async fn sidecar_gone(self) -> Result<Undescribed, Box<NotTaken<Self>>> {
        match self.destination.delete(&self.key.sidecar()).await {
            Ok(()) => Ok(Undescribed(self)),
            Err(error) => Err(Box::new(NotTaken { still: self, error })),
        }
    }

    /// Makes sure that the sidecar stands there, byte for byte as it was noted.
    ///
    /// # Errors
    /// What kept it from being written.
    pub async fn put_back(&self) -> Result<(), Error> {
        let Self {
            destination,
            key,
            sidecar,
        } = self;
        let key = key.sidecar();
        let sent_bytes = sidecar.len() as u64;
        let stored_bytes = destination.put_document(&key, sidecar.clone()).await?;
        if stored_bytes != Some(sent_bytes) {
            return Err(Error::SizeDiffers {
                key,
                sent_bytes,
                stored_bytes,
            });
        }
        destination.make_private(&key).await;
        Ok(())
    }
}

impl Undescribed {
    /// Removes the archive: nothing of the copy is left.
    ///
    /// # Errors
    /// What kept the archive from being removed: it is still there without a sidecar, unless an answer
    /// was lost.
    pub async fn archive_gone(self) -> Result<(), Box<NotTaken<Removal>>> {
        let Self(removal) = self;
        match removal.destination.delete(&removal.key).await {
            Ok(()) => Ok(()),
            Err(error) => Err(Box::new(NotTaken {
                still: removal,
                error,
            })),
        }
    }
}
