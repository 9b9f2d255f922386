//! The proof that a copy is held.

use jiff::Timestamp;

use crate::model::checksum::ContentDigest;
use crate::model::checksum::Verdict;
use crate::model::content::StreamDigest;
use crate::model::content::Structure;
use crate::model::content::VerifiedContent;
use crate::model::holding::SealedCopy;
use crate::model::ids::DestinationName;
use crate::model::key::ObjectKey;
use crate::model::sidecar::Encryption;

/// A copy that is durable and visible at a destination, with the length that was proved.
///
/// Made only by `VerifiedUpload::commit`, which just put it there, `Destination::find`, which
/// found it with a valid sidecar, and `Destination::read_back`, which takes the proof of a reading to
/// its end; the ledger records nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    key: ObjectKey,
    destination: DestinationName,
    location: String,
    archive_bytes: u64,
    archive_sha256: ContentDigest,
    verdict: Verdict,
    structure: Option<Structure>,
    stored_bytes: u64,
    stored_sha256: ContentDigest,
    encryption: Option<Encryption>,
    etag: Option<String>,
    sidecar_sha256: Option<ContentDigest>,
    stored_at: Timestamp,
}

/// What a sidecar, or a proof, says of an archive and of the object that holds it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) archive_bytes: u64,
    pub(super) archive_sha256: ContentDigest,
    pub(super) verdict: Verdict,
    pub(super) structure: Option<Structure>,
    pub(super) stored_bytes: u64,
    pub(super) stored_sha256: ContentDigest,
    pub(super) encryption: Option<Encryption>,
}

impl Facts {
    /// Of an archive that is stored as it is.
    pub(super) fn plain(content: &VerifiedContent) -> Self {
        Self {
            archive_bytes: content.bytes(),
            archive_sha256: content.sha256().clone(),
            verdict: content.verdict(),
            structure: content.structure(),
            stored_bytes: content.bytes(),
            stored_sha256: content.sha256().clone(),
            encryption: None,
        }
    }

    /// Of an age file that is copied as it is.
    pub(super) fn as_stored(copy: &SealedCopy) -> Self {
        Self {
            archive_bytes: copy.archive_bytes,
            archive_sha256: copy.sha256.clone(),
            verdict: copy.verdict,
            structure: copy.structure,
            stored_bytes: copy.stored_bytes,
            stored_sha256: copy.stored_sha256.clone(),
            encryption: Some(copy.encryption.clone()),
        }
    }

    /// Of an archive that is stored in an age file of this digest.
    pub(super) fn sealed(
        content: &VerifiedContent,
        stored: &StreamDigest,
        encryption: Encryption,
    ) -> Self {
        Self {
            stored_bytes: stored.bytes(),
            stored_sha256: stored.digest().clone(),
            encryption: Some(encryption),
            ..Self::plain(content)
        }
    }
}

impl StoredObject {
    pub(super) fn new(
        key: ObjectKey,
        destination: DestinationName,
        location: String,
        facts: Facts,
        etag: Option<String>,
        stored_at: Timestamp,
    ) -> Self {
        let Facts {
            archive_bytes,
            archive_sha256,
            verdict,
            structure,
            stored_bytes,
            stored_sha256,
            encryption,
        } = facts;
        Self {
            key,
            destination,
            location,
            archive_bytes,
            archive_sha256,
            verdict,
            structure,
            stored_bytes,
            stored_sha256,
            encryption,
            etag,
            sidecar_sha256: None,
            stored_at,
        }
    }

    /// The same copy, with the digest of the sidecar that stands beside it.
    #[must_use]
    pub fn beside_sidecar(self, sidecar_sha256: ContentDigest) -> Self {
        Self {
            sidecar_sha256: Some(sidecar_sha256),
            ..self
        }
    }

    /// The SHA-256 of the bytes of the sidecar beside it, once there is one.
    pub const fn sidecar_sha256(&self) -> Option<&ContentDigest> {
        self.sidecar_sha256.as_ref()
    }

    /// The archive's key below the destination's root.
    pub const fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// What the operator calls the destination.
    pub const fn destination(&self) -> &DestinationName {
        &self.destination
    }

    /// The destination's identity.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The archive's length, as the panel made it.
    pub const fn archive_bytes(&self) -> u64 {
        self.archive_bytes
    }

    /// The archive's SHA-256, as the panel made it.
    pub const fn archive_sha256(&self) -> &ContentDigest {
        &self.archive_sha256
    }

    /// What was proved of the archive.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the walk over the archive found, unless inspection was off.
    pub const fn structure(&self) -> Option<Structure> {
        self.structure
    }

    /// The object's length; differs from the archive's when encrypted.
    pub const fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    /// The object's SHA-256; differs from the archive's when encrypted.
    pub const fn stored_sha256(&self) -> &ContentDigest {
        &self.stored_sha256
    }

    /// How the object is encrypted, if it is.
    pub const fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// When it became visible: the one time that its sidecar and the ledger both say.
    pub const fn stored_at(&self) -> Timestamp {
        self.stored_at
    }

    /// The copy as another one can be made of it without opening it; `None` when it is not encrypted.
    pub fn sealed(&self) -> Option<SealedCopy> {
        self.encryption.as_ref().map(|encryption| SealedCopy {
            key: self.key.clone(),
            archive_bytes: self.archive_bytes,
            sha256: self.archive_sha256.clone(),
            verdict: self.verdict,
            structure: self.structure,
            stored_bytes: self.stored_bytes,
            stored_sha256: self.stored_sha256.clone(),
            encryption: encryption.clone(),
        })
    }

    /// The store's own mark of this version of the object, where it has one.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }
}
