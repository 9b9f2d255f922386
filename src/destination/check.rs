//! Looking at what stands under a copy's keys without believing any of it: for `verify`.

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::destination::sidecar::Document;
use crate::destination::stored::Facts;
use crate::destination::stored::StoredObject;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::content::VerifiedContent;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::chain;
use crate::model::sidecar::BadSidecar;
use crate::model::sidecar::Sidecar;

/// What a store says of an object that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectStat {
    /// Its length.
    pub bytes: u64,
    /// The store's own mark of this version of it, where it has one.
    pub etag: Option<String>,
}

/// A sidecar as it stands there, whatever it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SidecarRead {
    /// There is none.
    Missing,
    /// It is longer than any sidecar of ours.
    TooLong,
    /// It could be read as one.
    Whole {
        /// What it says.
        sidecar: Box<Sidecar>,
        /// The SHA-256 of its bytes.
        sha256: ContentDigest,
    },
    /// It says that it is of a newer format, and must not be written over.
    Newer {
        /// What it says of itself.
        why: String,
        /// The SHA-256 of its bytes.
        sha256: ContentDigest,
    },
    /// It is no sidecar.
    Damaged {
        /// Why not.
        why: String,
        /// The SHA-256 of its bytes.
        sha256: ContentDigest,
    },
}

impl Destination {
    /// The length and mark of an object; `None` when the store says for certain that it is missing.
    ///
    /// # Errors
    /// What kept the destination from being asked; a bucket that is missing is no missing object.
    pub async fn stat(&self, key: &ObjectKey) -> Result<Option<ObjectStat>, Error> {
        if let Some((bytes, etag)) = self.head(key).await? {
            return Ok(Some(ObjectStat { bytes, etag }));
        }
        // An answer without a body can't say whether the object or its bucket is missing.
        match self.get(key, None).await {
            Ok(result) => Ok(Some(ObjectStat {
                bytes: result.meta.size,
                etag: result.meta.e_tag,
            })),
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The sidecar of a backup as it stands there; the archive beside it is not looked at.
    ///
    /// # Errors
    /// What kept it from being read.
    pub async fn read_sidecar(
        &self,
        server: ServerId,
        backup: BackupId,
    ) -> Result<SidecarRead, Error> {
        let key = ObjectKey::for_backup(server, backup, ObjectKind::Sidecar);
        let document = match self.sidecar_document(&key).await? {
            Document::Whole(document) => document,
            Document::Missing => return Ok(SidecarRead::Missing),
            Document::TooLong => return Ok(SidecarRead::TooLong),
        };
        let sha256 = Hasher::digest(Algorithm::Sha256, &document);
        Ok(match Sidecar::from_json(&document) {
            Ok(sidecar) => SidecarRead::Whole {
                sidecar: Box::new(sidecar),
                sha256,
            },
            Err(error @ BadSidecar::Newer(_)) => SidecarRead::Newer {
                why: chain(&error),
                sha256,
            },
            Err(error @ (BadSidecar::Json(_) | BadSidecar::Foreign(_))) => SidecarRead::Damaged {
                why: chain(&error),
                sha256,
            },
        })
    }

    /// The proof that `copy` is held here: it was just read to its end, and `content` is what came.
    ///
    /// `etag` is the store's mark of what was read.
    ///
    /// # Errors
    /// [`Error::Unproved`] when the proof is of other bytes than the copy's, or the copy is
    /// elsewhere.
    pub fn read_back(
        &self,
        copy: &HeldCopy,
        content: &VerifiedContent,
        etag: Option<String>,
    ) -> Result<StoredObject, Error> {
        let is_it = copy.location == self.location()
            && *content.sha256() == copy.stored_sha256
            && content.bytes() == copy.stored_bytes;
        if !is_it {
            return Err(Error::Unproved {
                key: copy.key.clone(),
                sent_bytes: copy.stored_bytes,
                proved_bytes: content.bytes(),
            });
        }
        let facts = Facts {
            archive_bytes: copy.archive_bytes,
            archive_sha256: copy.sha256.clone(),
            verdict: copy.verdict,
            structure: copy.structure,
            stored_bytes: copy.stored_bytes,
            stored_sha256: copy.stored_sha256.clone(),
            encryption: copy.encryption.clone(),
        };
        Ok(StoredObject::new(
            copy.key.clone(),
            self.name().clone(),
            self.location().to_owned(),
            facts,
            etag,
            copy.mirrored_at,
        ))
    }
}
