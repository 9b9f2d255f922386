//! What is held at a destination of one backup: finding it, and telling what is wrong with it.

use bytes::Bytes;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::sidecar::Document;
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
