//! What is held at a destination: finding, describing, reading, listing.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use futures_util::stream::BoxStream;
use object_store::GetOptions;
use object_store::GetRange;
use object_store::GetResult;
use object_store::GetResultPayload;
use object_store::PutOptions;
use object_store::PutPayload;
use uuid::Uuid;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::redact::Scrubber;
use crate::destination::redact::StoreFault;
use crate::destination::stored::Facts;
use crate::destination::stored::StoredObject;
use crate::model::backup::LockState;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::content::Structure;
use crate::model::holding::HeldCopy;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::chain;
use crate::model::sidecar::BadSidecar;
use crate::model::sidecar::Sidecar;

/// A sidecar longer than this is none of ours.
const LONGEST_SIDECAR_BYTES: u64 = 4 * 1024 * 1024;

/// How much of a local file is read at once.
const READ_BYTES: usize = 1024 * 1024;

/// A copy that was found with a valid sidecar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCopy {
    /// The copy.
    pub stored: StoredObject,
    /// The panel that its sidecar names.
    pub panel: PanelName,
    /// What its sidecar says.
    pub sidecar: Sidecar,
}

impl FoundCopy {
    /// The copy as its sidecar describes it; nothing is known of whether the panel still lists the
    /// backup, nor of when the copy was last read back.
    pub fn held(&self) -> HeldCopy {
        let Self {
            stored,
            panel,
            sidecar,
        } = self;
        HeldCopy {
            panel: panel.clone(),
            server: stored.key().server(),
            identifier: sidecar.server.identifier.clone(),
            server_name: sidecar.server.name.clone(),
            backup: stored.key().backup(),
            backup_name: sidecar.backup.name.clone(),
            created_at: sidecar.backup.created_at,
            completed_at: sidecar.backup.completed_at,
            panel_checksum: sidecar.archive.panel_checksum.clone(),
            on_panel: PanelPresence::Listed,
            destination: stored.destination().clone(),
            location: stored.location().to_owned(),
            key: stored.key().clone(),
            archive_bytes: stored.archive_bytes(),
            sha256: stored.archive_sha256().clone(),
            stored_bytes: stored.stored_bytes(),
            stored_sha256: stored.stored_sha256().clone(),
            encryption: stored.encryption().cloned(),
            structure: stored.structure(),
            etag: stored.etag().map(str::to_owned),
            verdict: stored.verdict(),
            mirrored_at: stored.stored_at(),
            verified_at: None,
            kept: sidecar.kept.clone(),
            lock: if sidecar.backup.is_locked {
                LockState::Locked
            } else {
                LockState::Unlocked
            },
        }
    }
}

/// What stands at a destination of one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examined {
    /// A valid sidecar, and an archive of the right length beside it.
    Whole(Box<FoundCopy>),
    /// No sidecar: no copy, whatever else is there.
    NoSidecar,
    /// A sidecar that can't be used.
    BadSidecar {
        /// Why not.
        why: String,
    },
    /// A valid sidecar, and no archive beside it.
    NoArchive {
        /// What it says.
        sidecar: Box<Sidecar>,
    },
    /// A valid sidecar, and an archive of another length beside it.
    OtherLength {
        /// What it says.
        sidecar: Box<Sidecar>,
        /// The archive's length.
        bytes: u64,
    },
}

impl Examined {
    fn bad(why: &str) -> Self {
        Self::BadSidecar {
            why: why.to_owned(),
        }
    }

    /// Why a sidecar that is there is no proof of a copy; `None` where there is a copy, or no sidecar.
    pub fn why_unusable(&self) -> Option<String> {
        match self {
            Self::Whole(_) | Self::NoSidecar => None,
            Self::BadSidecar { why } => Some(why.clone()),
            Self::NoArchive { .. } => Some("the archive beside it is missing".to_owned()),
            Self::OtherLength { sidecar, bytes } => Some(format!(
                "the archive beside it has {bytes} bytes, not {}",
                sidecar.stored.bytes
            )),
        }
    }
}

/// A sidecar as it was read.
pub(super) enum Document {
    Whole(Bytes),
    Missing,
    TooLong,
}

/// An object being read.
pub struct ObjectRead {
    /// The length of the whole object, wherever reading began.
    pub length_bytes: u64,
    /// The store's own mark of this version.
    pub etag: Option<String>,
    /// The bytes, from where reading began to the end.
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for ObjectRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectRead")
            .field("length_bytes", &self.length_bytes)
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}

/// One object below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its length.
    pub bytes: u64,
}

impl Destination {
    /// Looks for a copy by its sidecar, and checks that the archive beside it has the right length.
    ///
    /// A damaged sidecar, and an archive that is missing or of another length, are logged and
    /// count as no copy.
    ///
    /// # Errors
    /// As [`Self::examine`].
    pub async fn find(
        &self,
        server: ServerId,
        backup: BackupId,
    ) -> Result<Option<FoundCopy>, Error> {
        let examined = self.examine(server, backup).await?;
        if let Some(why) = examined.why_unusable() {
            let key = ObjectKey::for_backup(server, backup, ObjectKind::Sidecar);
            tracing::warn!(
                "the sidecar {key} at {} is of no use: {why}",
                self.location()
            );
        }
        match examined {
            Examined::Whole(found) => Ok(Some(*found)),
            Examined::NoSidecar
            | Examined::BadSidecar { .. }
            | Examined::NoArchive { .. }
            | Examined::OtherLength { .. } => Ok(None),
        }
    }

    /// Looks at the sidecar of a backup and at the archive that it describes, and tells apart what
    /// can be wrong with them; the archive's bytes are not read.
    ///
    /// # Errors
    /// [`Error::Sidecar`] for one of a newer format, which must not be written over; else what
    /// kept the destination from being read.
    pub async fn examine(&self, server: ServerId, backup: BackupId) -> Result<Examined, Error> {
        self.examine_whole(server, backup)
            .await
            .map(|(examined, _document)| examined)
    }

    /// As [`Self::examine`], with the bytes of the sidecar, empty where there is none.
    ///
    /// # Errors
    /// As [`Self::examine`].
    pub async fn examine_whole(
        &self,
        server: ServerId,
        backup: BackupId,
    ) -> Result<(Examined, Bytes), Error> {
        let key = ObjectKey::for_backup(server, backup, ObjectKind::Sidecar);
        let document = match self.sidecar_document(&key).await? {
            Document::Whole(document) => document,
            Document::Missing => return Ok((Examined::NoSidecar, Bytes::new())),
            Document::TooLong => {
                let bad = Examined::bad("it is too long to be one");
                return Ok((bad, Bytes::new()));
            }
        };
        let examined = self.examine_beside(key, &document).await?;
        Ok((examined, document))
    }

    /// Looks at the archive that the sidecar under `key` describes.
    async fn examine_beside(&self, key: ObjectKey, document: &[u8]) -> Result<Examined, Error> {
        let (server, backup) = (key.server(), key.backup());
        let sidecar = match Sidecar::from_json(document) {
            Ok(sidecar) => sidecar,
            Err(source @ BadSidecar::Newer(_)) => return Err(Error::Sidecar { key, source }),
            Err(error @ (BadSidecar::Json(_) | BadSidecar::Foreign(_))) => {
                return Ok(Examined::BadSidecar { why: chain(&error) });
            }
        };
        if sidecar.server.uuid != server || sidecar.backup.uuid != backup {
            return Ok(Examined::bad("it describes another backup"));
        }
        let (Some(facts), Ok(panel)) = (facts(&sidecar), sidecar.panel.name.parse()) else {
            return Ok(Examined::bad(
                "a name, digest or verdict in it is malformed",
            ));
        };
        let kind = match sidecar.stored.encryption {
            None => ObjectKind::Archive,
            Some(_) => ObjectKind::EncryptedArchive,
        };
        let archive = ObjectKey::for_backup(server, backup, kind);
        let sidecar = Box::new(sidecar);
        let Some((bytes, etag)) = self.head(&archive).await? else {
            return Ok(Examined::NoArchive { sidecar });
        };
        if bytes != facts.stored_bytes {
            return Ok(Examined::OtherLength { sidecar, bytes });
        }
        let stored = StoredObject::new(
            archive,
            self.name().clone(),
            self.location().to_owned(),
            facts,
            etag,
            sidecar.written_at,
        )
        .beside_sidecar(Hasher::digest(Algorithm::Sha256, document));
        Ok(Examined::Whole(Box::new(FoundCopy {
            stored,
            panel,
            sidecar: *sidecar,
        })))
    }

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

    /// Says in the log when, beside an encrypted copy, the same backup's archive stands there as it is:
    /// left from the time before `encrypt_to`, and no longer described by the sidecar. Nothing is removed.
    pub async fn tell_of_plain(&self, stored: &StoredObject) {
        if stored.encryption().is_none() {
            return;
        }
        let of = stored.key();
        let plain = ObjectKey::for_backup(of.server(), of.backup(), ObjectKind::Archive);
        match self.head(&plain).await {
            Ok(None) => {}
            Ok(Some(_)) => tracing::warn!(
                "`{plain}` at `{}` is not encrypted and no longer counts as a copy, now that `{of}` is there: remove \
                 it when you need it no more",
                self.name()
            ),
            Err(error) => tracing::debug!(
                error = &error as &dyn std::error::Error,
                "could not look for an unencrypted archive"
            ),
        }
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

    /// Reads an object from a byte on; resuming inside is the store client's business, and the
    /// caller compares `etag` when it begins again.
    ///
    /// # Errors
    /// [`Error::PastTheEnd`] when the object is shorter; [`Error::Store`] when it is missing or
    /// can't be read. The stream's items fail for the same reasons.
    pub async fn read(&self, key: &ObjectKey, from_bytes: u64) -> Result<ObjectRead, Error> {
        self.refuse_links(key).await?;
        if from_bytes == 0 {
            let whole = self.get(key, None).await?;
            return Ok(self.reading(key, whole, 0));
        }
        let Some((length_bytes, etag)) = self.head(key).await? else {
            // Fails with what the store says of a missing object.
            let whole = self.get(key, None).await?;
            return Ok(self.reading(key, whole, from_bytes));
        };
        if from_bytes > length_bytes {
            return Err(Error::PastTheEnd {
                key: key.clone(),
                length_bytes,
                from_bytes,
            });
        }
        if from_bytes == length_bytes {
            return Ok(ObjectRead {
                length_bytes,
                etag,
                stream: stream::empty().boxed(),
            });
        }
        match self.get(key, Some(from_bytes)).await {
            Ok(rest) => Ok(self.reading(key, rest, 0)),
            Err(error) if ignores_ranges(&error) => {
                let whole = self.get(key, None).await?;
                Ok(self.reading(key, whole, from_bytes))
            }
            Err(error) => Err(error),
        }
    }

    /// Every archive and sidecar below the root; names of another layout are skipped.
    pub fn list(&self) -> BoxStream<'static, Result<ListedObject, Error>> {
        if let Some(root) = self.root() {
            let walk = stream::once(self.clone().on_disk("list", {
                let root = Arc::clone(root);
                move || root.servers()
            }));
            let destination = self.clone();
            let root = Arc::clone(root);
            return walk
                .map_ok(|servers| stream::iter(servers.into_iter().map(Ok)))
                .try_flatten()
                .and_then(move |server| {
                    let root = Arc::clone(&root);
                    destination
                        .clone()
                        .on_disk("list", move || root.objects(server))
                })
                .map_ok(|objects| {
                    stream::iter(
                        objects
                            .into_iter()
                            .map(|(key, bytes)| Ok(ListedObject { key, bytes })),
                    )
                })
                .try_flatten()
                .boxed();
        }
        let prefix = self.prefix().clone();
        let below = Some(&prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let objects = self.handles().read.store.list(below);
        let destination = self.clone();
        objects
            .filter_map(move |listed| {
                let item = match listed {
                    Ok(meta) => listed_key(prefix.as_ref(), meta.location.as_ref()).map(|key| {
                        Ok(ListedObject {
                            key,
                            bytes: meta.size,
                        })
                    }),
                    Err(error) => Some(Err(Error::Store {
                        action: "list",
                        what: destination.location().to_owned(),
                        source: destination.scrubber().store_error(&error),
                    })),
                };
                std::future::ready(item)
            })
            .boxed()
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

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        from_bytes: Option<u64>,
    ) -> Result<GetResult, Error> {
        let path = self.path_of(key)?;
        let options = GetOptions::new().with_range(from_bytes.map(GetRange::Offset));
        let waited = self.tuning().request_deadline;
        let request = self.handles().read.store.get_opts(&path, options);
        self.ask("read", key.to_string(), waited, request).await
    }

    /// The length and mark of an object; `None` when it is missing.
    pub(super) async fn head(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<(u64, Option<String>)>, Error> {
        self.refuse_links(key).await?;
        let path = self.path_of(key)?;
        let options = GetOptions::new().with_head(true);
        let waited = self.tuning().request_deadline;
        let request = self.handles().read.store.get_opts(&path, options);
        match self.ask("check", key.to_string(), waited, request).await {
            Ok(result) => Ok(Some((result.meta.size, result.meta.e_tag))),
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn reading(&self, key: &ObjectKey, result: GetResult, skip_bytes: u64) -> ObjectRead {
        let length_bytes = result.meta.size;
        let etag = result.meta.e_tag.clone();
        let stream = match result.payload {
            GetResultPayload::File(file, _path) => {
                let range = result.range.start.saturating_add(skip_bytes)..result.range.end;
                self.file_stream(file, key, range)
            }
            GetResultPayload::Stream(bytes) => {
                let scrubber: Scrubber = self.scrubber().clone();
                let what = key.to_string();
                let bytes = bytes.map_err(move |error| Error::Store {
                    action: "read",
                    what: what.clone(),
                    source: scrubber.store_error(&error),
                });
                skipping(bytes.boxed(), skip_bytes)
            }
        };
        ObjectRead {
            length_bytes,
            etag,
            stream,
        }
    }

    /// A local file in large pieces: the crate's own stream reads 8 KiB at a time.
    fn file_stream(
        &self,
        file: File,
        key: &ObjectKey,
        range: Range<u64>,
    ) -> BoxStream<'static, Result<Bytes, Error>> {
        let destination = self.clone();
        let key = key.clone();
        stream::try_unfold((file, range), move |(mut file, range)| {
            let destination = destination.clone();
            let what = key.clone();
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let key = what.clone();
                destination
                    .on_disk("read", move || {
                        let left = range.end - range.start;
                        let want = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
                        let mut piece = Vec::with_capacity(want);
                        file.seek(SeekFrom::Start(range.start))
                            .and_then(|_at| (&file).take(want as u64).read_to_end(&mut piece))
                            .map_err(|source| Error::File {
                                action: "read",
                                path: key.to_string().into(),
                                source,
                            })?;
                        if piece.is_empty() {
                            return Err(Error::PastTheEnd {
                                key,
                                length_bytes: range.start,
                                from_bytes: range.start,
                            });
                        }
                        let rest = range.start + piece.len() as u64..range.end;
                        Ok(Some((Bytes::from(piece), (file, rest))))
                    })
                    .await
            }
        })
        .boxed()
    }
}

/// Whether the store answers a range by the whole object, as `rclone serve s3` does
/// (`storage-servers.md` section 3).
fn ignores_ranges(error: &Error) -> bool {
    matches!(error, Error::Store { source, .. } if source.to_string().contains("non-partial response"))
}

/// Drops the first bytes of a stream.
fn skipping(
    bytes: BoxStream<'static, Result<Bytes, Error>>,
    skip_bytes: u64,
) -> BoxStream<'static, Result<Bytes, Error>> {
    if skip_bytes == 0 {
        return bytes;
    }
    bytes
        .scan(skip_bytes, |left, piece| {
            let piece = piece.map(|mut piece| {
                let drop = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(piece.len());
                *left -= drop as u64;
                piece.split_off(drop)
            });
            std::future::ready(Some(piece))
        })
        .try_filter(|piece| std::future::ready(!piece.is_empty()))
        .boxed()
}

fn listed_key(prefix: &str, location: &str) -> Option<ObjectKey> {
    let below = if prefix.is_empty() {
        location
    } else {
        location.strip_prefix(prefix)?.strip_prefix('/')?
    };
    ObjectKey::parse(below)
}

/// What a sidecar says, unless something in it is malformed.
fn facts(sidecar: &Sidecar) -> Option<Facts> {
    let digest = |hex: &str| ContentDigest::from_hex(Algorithm::Sha256, hex).ok();
    let archive = &sidecar.archive;
    Some(Facts {
        archive_bytes: archive.bytes,
        archive_sha256: digest(&archive.sha256)?,
        verdict: archive.verdict.parse().ok()?,
        structure: archive
            .entries
            .zip(archive.unpacked_bytes)
            .map(|(entries, unpacked_bytes)| Structure {
                entries,
                unpacked_bytes,
            }),
        stored_bytes: sidecar.stored.bytes,
        stored_sha256: digest(&sidecar.stored.sha256)?,
        encryption: sidecar.stored.encryption.clone(),
    })
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
