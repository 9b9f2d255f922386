//! Beginning uploads: what a new copy is called at a destination, and who may read it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::upload::Cursor;
use crate::destination::upload::Upload;
use crate::destination::upload::UploadJournal;
use crate::model::content::StreamId;
use crate::model::holding::SealedCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::recipient::Recipient;
use crate::model::recipient::SCHEME;
use crate::model::sidecar::Encryption;

impl Destination {
    /// The same place, where new copies are encrypted to these public keys; with none they are not.
    #[must_use]
    pub fn encrypting_to(self, recipients: &[Recipient]) -> Self {
        Self {
            encrypt_to: recipients.into(),
            ..self
        }
    }

    /// Who alone can read what is stored here from now on; empty when archives are stored as they are.
    ///
    /// Copies that are held already stay as they are: each says itself how it is encrypted.
    pub fn encrypts_to(&self) -> &[Recipient] {
        &self.encrypt_to
    }

    /// The key under which a new copy of a backup is stored here.
    pub fn archive_key(&self, server: ServerId, backup: BackupId) -> ObjectKey {
        let kind = if self.encrypt_to.is_empty() {
            ObjectKind::Archive
        } else {
            ObjectKind::EncryptedArchive
        };
        ObjectKey::for_backup(server, backup, kind)
    }

    /// Begins an upload of parts of `part_bytes` of one stream, as a copy of the backup that `key`
    /// names: under [`Self::archive_key`], sealed where the destination encrypts. Nothing is sent yet;
    /// a local destination makes the server's directory.
    ///
    /// # Errors
    /// What is wrong with a local directory; [`Error::Seal`].
    pub async fn begin(
        &self,
        key: ObjectKey,
        stream: StreamId,
        part_bytes: u64,
        journal: Arc<dyn UploadJournal>,
    ) -> Result<Upload, Error> {
        let key = self.archive_key(key.server(), key.backup());
        let path = self.path_of(&key)?;
        let lease = self.prepare(&key).await?;
        let cursor = Cursor::start(stream, part_bytes);
        Upload::new(self.clone(), key, path, cursor, journal, lease).await
    }

    /// Whether a copy that is encrypted like this one may be brought here as it is: the same people
    /// could read it here.
    pub fn takes_as_stored(&self, encryption: &Encryption) -> bool {
        let here: BTreeSet<&str> = self.encrypt_to.iter().map(Recipient::as_str).collect();
        let there: BTreeSet<&str> = encryption.recipients.iter().map(String::as_str).collect();
        !here.is_empty() && encryption.scheme == SCHEME && here == there
    }

    /// Begins an upload of the very bytes of an encrypted copy, which can't be opened here: the proof
    /// must be of its stored bytes, and what is recorded of the archive inside is recorded again.
    ///
    /// # Errors
    /// [`Error::OtherRecipients`] unless [`Self::takes_as_stored`]; as [`Self::begin`].
    pub async fn begin_as_stored(
        &self,
        copy: &SealedCopy,
        stream: StreamId,
        part_bytes: u64,
        journal: Arc<dyn UploadJournal>,
    ) -> Result<Upload, Error> {
        let key = copy.key.clone();
        if !self.takes_as_stored(&copy.encryption) {
            return Err(Error::OtherRecipients { key });
        }
        let path = self.path_of(&key)?;
        let lease = self.prepare(&key).await?;
        let cursor = Cursor::start(stream, part_bytes);
        let upload = Upload::as_stored(self.clone(), copy, path, cursor, journal, lease);
        Ok(upload)
    }
}
