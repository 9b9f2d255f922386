//! A root in an object store that holds copies.
//!
//! [`Destination`] opens a local directory, S3, Google Cloud Storage or Azure; an [`Upload`] takes
//! parts, becomes a [`VerifiedUpload`] when the bytes are proved, and a [`StoredObject`] when it is
//! visible. Nothing of the `object_store` crate is seen from outside, except in [`Destination::over`].

mod begin;
mod check;
mod copies;
mod error;
mod fault;
mod listing;
mod local;
mod open;
mod options;
mod place;
mod presign;
mod probe;
mod reading;
mod redact;
mod removal;
mod retention;
mod seal;
mod sidecar;
mod stored;
mod tuning;
mod upload;
mod ways;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use object_store::Attribute;
use object_store::Attributes;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use tokio::task::JoinHandle;

pub use crate::destination::check::ObjectStat;
pub use crate::destination::check::SidecarRead;
pub use crate::destination::copies::Examined;
pub use crate::destination::copies::FoundCopy;
pub use crate::destination::error::Error;
pub use crate::destination::error::JournalError;
pub use crate::destination::fault::StoreFault;
pub use crate::destination::listing::ListedObject;
use crate::destination::local::Lease;
use crate::destination::local::Root;
use crate::destination::open::Handle;
use crate::destination::open::Handles;
use crate::destination::open::Opened;
use crate::destination::place::Place;
pub use crate::destination::presign::Presigned;
pub use crate::destination::reading::ObjectRead;
use crate::destination::redact::Scrubber;
pub use crate::destination::redact::StoreError;
pub use crate::destination::removal::NotTaken;
pub use crate::destination::removal::Removal;
pub use crate::destination::removal::Undescribed;
pub use crate::destination::retention::Retention;
pub use crate::destination::stored::StoredObject;
pub use crate::destination::tuning::DestinationTuning;
pub use crate::destination::tuning::SizeHint;
pub use crate::destination::upload::OpenUpload;
pub use crate::destination::upload::Upload;
pub use crate::destination::upload::UploadJournal;
pub use crate::destination::upload::VerifiedUpload;
use crate::destination::ways::Ways;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::recipient::Recipient;
use crate::model::secret::Secret;

/// What the operator says of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationSpec {
    /// What it is called.
    pub name: DestinationName,
    /// A path, `file://`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub url: String,
    /// The store's options; each key is checked.
    pub options: BTreeMap<String, Secret>,
    /// The variables of the environment; those of the store fill what the options leave open.
    pub environment: Vec<(String, Secret)>,
    /// What a local root that is missing means.
    pub root: RootRule,
    /// Who alone can read what is stored there; empty = archives are stored as they are.
    pub encrypt_to: Vec<Recipient>,
}

/// What a local root that is missing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootRule {
    /// A disk that is not mounted.
    MustExist,
    /// A new place, to be made.
    MayCreate,
}

/// The object metadata that tells one upload of a key from another.
const MARK: &str = "nesteggupload";

/// Whether the store keeps a content type and metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Attributes,
    BytesAlone,
}

/// A destination that was opened; cloning shares it.
#[derive(Clone)]
pub struct Destination {
    inner: Arc<Inner>,
    encrypt_to: Arc<[Recipient]>,
}

struct Inner {
    name: DestinationName,
    location: String,
    tuning: DestinationTuning,
    ways: Ways,
    keeps: Keeps,
    prefix: Path,
    root: Option<Arc<Root>>,
    scrubber: Scrubber,
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("name", &self.inner.name)
            .field("location", &self.inner.location)
            .finish_non_exhaustive()
    }
}

impl Destination {
    /// Opens a destination: reads its URL and options, and for a local one looks at the directory.
    /// No network is used; that is what [`Self::probe`] is for.
    ///
    /// # Errors
    /// A URL, option or root that can't be used, or credentials that are nowhere given.
    pub async fn open(spec: DestinationSpec, tuning: DestinationTuning) -> Result<Self, Error> {
        let DestinationSpec {
            name,
            url,
            options,
            environment,
            root,
            encrypt_to,
        } = spec;
        let place = Place::parse(&url)?;
        let opened = blocking("open", &url, move || {
            open::place(place, root, &options, &environment, &tuning)
        })
        .await?;
        let Opened {
            location,
            ways,
            prefix,
            root,
            scrubber,
        } = opened;
        Ok(Self {
            inner: Arc::new(Inner {
                name,
                location,
                tuning,
                ways,
                keeps: match root {
                    Some(_) => Keeps::BytesAlone,
                    None => Keeps::Attributes,
                },
                prefix,
                root,
                scrubber,
            }),
            encrypt_to: encrypt_to.into(),
        })
    }

    /// A place that is not there yet and so holds nothing; for plans alone.
    pub fn absent(name: DestinationName, location: String, tuning: DestinationTuning) -> Self {
        Self::over(name, location, Arc::new(InMemory::new()), None, tuning)
    }

    /// A destination over any store, at its root; for tests.
    ///
    /// With `multipart`, uploads have ids and are noted in the journal; without, they don't.
    pub fn over(
        name: DestinationName,
        location: String,
        store: Arc<dyn ObjectStore>,
        multipart: Option<Arc<dyn MultipartStore>>,
        tuning: DestinationTuning,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                name,
                location,
                tuning,
                ways: Ways::from(Handles::single(Handle {
                    store,
                    uploads: multipart,
                    signer: None,
                })),
                keeps: Keeps::Attributes,
                prefix: Path::default(),
                root: None,
                scrubber: Scrubber::default(),
            }),
            encrypt_to: Arc::from([]),
        }
    }

    /// What the operator calls it.
    pub fn name(&self) -> &DestinationName {
        &self.inner.name
    }

    /// Its identity, without secrets: `file:///abs/dir`, `s3://bucket/prefix?endpoint=host:port`,
    /// `gs://bucket/prefix`, `az://account/container/prefix`.
    pub fn location(&self) -> &str {
        &self.inner.location
    }

    /// The length of every part but the last, such that 10,000 parts suffice.
    pub fn part_bytes(&self, size: SizeHint) -> u64 {
        self.inner.tuning.part_bytes(size)
    }

    /// Aborts an upload that a killed run left; one that is gone already is fine.
    ///
    /// # Errors
    /// [`Error::ForeignUpload`] when it was noted for another location; else why the store did not
    /// abort it: it may still be there, and should stay noted.
    pub async fn abort_leftover(&self, upload: &OpenUpload) -> Result<(), Error> {
        if upload.location != self.location() {
            return Err(Error::ForeignUpload {
                key: upload.key.clone(),
                noted: upload.location.clone(),
                location: self.location().to_owned(),
            });
        }
        let Some(store) = &self.handles().write.uploads else {
            return Ok(());
        };
        let path = self.path_of(&upload.key)?;
        let waited = self.tuning().abort_deadline;
        let request = store.abort_multipart(&path, &upload.upload_id);
        let aborted = self
            .ask(
                "abort the upload of",
                upload.key.to_string(),
                waited,
                request,
            )
            .await;
        match aborted {
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(()),
            other => other,
        }
    }

    /// Removes what killed runs left staged in a local directory, and says how many files that
    /// were; other stores stage nothing by name.
    ///
    /// # Errors
    /// What kept the directory from being swept.
    pub async fn sweep_staged(&self) -> Result<u64, Error> {
        let Some(root) = self.root() else {
            return Ok(0);
        };
        let root = Arc::clone(root);
        self.clone().on_disk("sweep", move || root.sweep()).await
    }

    fn tuning(&self) -> &DestinationTuning {
        &self.inner.tuning
    }

    fn scrubber(&self) -> &Scrubber {
        &self.inner.scrubber
    }

    fn prefix(&self) -> &Path {
        &self.inner.prefix
    }

    fn root(&self) -> Option<&Arc<Root>> {
        self.inner.root.as_ref()
    }

    fn handles(&self) -> &Handles {
        self.inner.ways.handles()
    }

    fn handles_for_parts(&self) -> &Handles {
        self.inner.ways.for_parts()
    }

    fn path_of(&self, key: &ObjectKey) -> Result<Path, Error> {
        self.path_below_root(&key.to_string())
    }

    /// The crate's path, parsed and never encoded (`storage-servers.md` section 6, trap 29).
    fn path_below_root(&self, name: &str) -> Result<Path, Error> {
        let prefix = self.prefix().as_ref();
        let full = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}/{name}")
        };
        Path::parse(full).map_err(|error| Error::Store {
            action: "name",
            what: name.to_owned(),
            source: self.scrubber().store_error(&error.into()),
        })
    }

    /// Whether content types are kept with objects.
    pub fn keeps_content_types(&self) -> bool {
        match self.inner.keeps {
            Keeps::BytesAlone => false,
            Keeps::Attributes => true,
        }
    }

    /// What is stored with an object, where the store keeps such things.
    fn attributes(&self, kind: ObjectKind, mark: &str) -> Attributes {
        match self.inner.keeps {
            Keeps::BytesAlone => Attributes::new(),
            Keeps::Attributes => Attributes::from_iter([
                (Attribute::ContentType, kind.content_type().to_owned()),
                (Attribute::Metadata(MARK.into()), mark.to_owned()),
            ]),
        }
    }

    /// Runs a request under a deadline, all its tries together, and reads its error at the boundary.
    async fn ask<T>(
        &self,
        action: &'static str,
        what: String,
        waited: Duration,
        request: impl Future<Output = Result<T, object_store::Error>>,
    ) -> Result<T, Error> {
        tracing::debug!(destination = %self.name(), what, "asking the store to {action}");
        match tokio::time::timeout(waited, request).await {
            Ok(answer) => answer.map_err(|error| Error::Store {
                action,
                what,
                source: self.scrubber().store_error(&error),
            }),
            Err(_elapsed) => Err(Error::Deadline {
                action,
                what,
                waited,
            }),
        }
    }

    /// Runs local work on the blocking pool.
    async fn on_disk<T: Send + 'static>(
        self,
        action: &'static str,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        blocking(action, self.location(), work).await
    }

    /// Begins to sync what a local directory has staged for one object; other stores need no such thing.
    fn sync_staged(&self, key: &ObjectKey) -> Option<JoinHandle<()>> {
        let (root, key) = (Arc::clone(self.root()?), key.clone());
        Some(tokio::task::spawn_blocking(move || root.sync_staged(&key)))
    }

    /// Readies a local directory for one object.
    async fn prepare(&self, key: &ObjectKey) -> Result<Option<Lease>, Error> {
        let Some(root) = self.root() else {
            return Ok(None);
        };
        let (root, server) = (Arc::clone(root), key.server());
        self.clone()
            .on_disk("prepare", move || {
                let lease = root.lease()?;
                root.prepare(server)?;
                Ok(Some(lease))
            })
            .await
    }

    async fn refuse_links(&self, key: &ObjectKey) -> Result<(), Error> {
        let Some(root) = self.root() else {
            return Ok(());
        };
        let (root, key) = (Arc::clone(root), key.clone());
        self.clone()
            .on_disk("check", move || root.refuse_links(&key))
            .await
    }

    /// Makes what was removed from a server's local directory stay removed.
    async fn sync_server(&self, server: ServerId) -> Result<(), Error> {
        let Some(root) = self.root() else {
            return Ok(());
        };
        let root = Arc::clone(root);
        self.clone()
            .on_disk("sync", move || root.sync_server(server))
            .await
    }

    /// Lets only the owner read a local file.
    async fn make_private(&self, key: &ObjectKey) {
        self.tidy(key, Root::make_private).await;
    }

    /// Removes what a failed local commit left staged.
    async fn clear_staged(&self, key: &ObjectKey) {
        self.tidy(key, Root::remove_staged).await;
    }

    async fn tidy(&self, key: &ObjectKey, work: fn(&Root, &ObjectKey)) {
        let Some(root) = self.root() else {
            return;
        };
        let (root, key) = (Arc::clone(root), key.clone());
        let done = self
            .clone()
            .on_disk("tidy", move || {
                work(&root, &key);
                Ok(())
            })
            .await;
        if let Err(error) = done {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not tidy up"
            );
        }
    }
}

/// Which upload stored an object, where the store keeps such things.
fn mark_in(attributes: &Attributes) -> Option<String> {
    attributes
        .get(&Attribute::Metadata(MARK.into()))
        .map(|mark| mark.as_ref().to_owned())
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    what: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|source| Error::Crashed {
            action,
            what: redact::shown_url(what),
            source,
        })?
}
