//! What a backup disk holds already under the name of an archive, and whether that may be replaced.

use std::fs;
use std::io;

use url::Url;

use crate::destination;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::Chosen;
use crate::ops::restore::disk::Disk;
use crate::ops::restore::disk::Ids;
use crate::ops::restore::disk::directory::path_in;
use crate::ops::restore::disk::directory::refused;
use crate::ops::restore::disk::directory::sha256_of;
use crate::transfer;
use crate::transfer::observer::TransferLabel;
use crate::transfer::source::CopySource;
use crate::transfer::source::Source;

/// The content types with which a panel's node restores an object of its bucket, to the letter
/// (`panel-contract.md` section 5).
const RESTORED_TYPES: [&str; 2] = ["application/x-gzip", "application/gzip"];

/// What is under an archive's name already.
pub(super) enum There {
    /// Nothing.
    Nothing,
    /// The same archive.
    This,
    /// The same archive, with a content type with which the panel's node does not restore it.
    Mistyped,
    /// Something else, of so many bytes.
    Other(u64),
}

impl Disk {
    /// What is under the archive's name, compared by length first and then to the last byte.
    pub(super) async fn look(
        &self,
        restore: &Restore<'_>,
        ids: Ids,
        chosen: &Chosen,
    ) -> Result<There, Failure> {
        let (bytes, wanted) = (chosen.subject.archive_bytes, &chosen.subject.sha256);
        match self {
            Self::Directory { root, layout, .. } => {
                let path = path_in(root, *layout, ids);
                let found = match fs::symlink_metadata(&path) {
                    Ok(found) => found,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Ok(There::Nothing);
                    }
                    Err(error) => return Err(refused(&path, &error)),
                };
                if !found.is_file() || found.len() != bytes {
                    return Ok(There::Other(found.len()));
                }
                let read = path.clone();
                let got = tokio::task::spawn_blocking(move || sha256_of(&read)).await;
                let got = got
                    .unwrap_or_else(|lost| Err(io::Error::other(lost)))
                    .map_err(|error| refused(&path, &error))?;
                Ok(if got == *wanted {
                    There::This
                } else {
                    There::Other(bytes)
                })
            }
            Self::Bucket(bucket) => {
                let key = ids.key();
                let found = match bucket.read(&key, 0).await {
                    Ok(read) => read,
                    Err(error) if error.kind() == FailureKind::NotFound => {
                        return Ok(There::Nothing);
                    }
                    Err(error) => return Err(self.failed(&error)),
                };
                if found.length_bytes != bytes {
                    return Ok(There::Other(found.length_bytes));
                }
                let is_restorable = !bucket.keeps_content_types()
                    || RESTORED_TYPES
                        .map(Some)
                        .contains(&found.content_type.as_deref());
                drop(found);
                let source = Source::Copy(CopySource::new(bucket.clone(), key));
                let label = TransferLabel {
                    server_name: chosen.subject.server_name.clone(),
                    backup_name: chosen.subject.backup_name.clone(),
                    backup: ids.backup,
                };
                let got = transfer::identify(source, bytes, &label, &restore.shared).await?;
                Ok(if got != *wanted {
                    There::Other(bytes)
                } else if is_restorable {
                    There::This
                } else {
                    There::Mistyped
                })
            }
        }
    }

    /// Whether what is there is a copy that mirror runs made: one has a sidecar beside it. Where copies
    /// are being read from, one that lost its sidecar counts as well.
    pub(super) async fn is_a_copy(&self, ids: Ids, chosen: &Chosen) -> Result<bool, Failure> {
        if self.is_a_source(chosen) {
            return Ok(true);
        }
        match self {
            Self::Directory { root, layout, .. } => {
                let sidecar =
                    path_in(root, *layout, ids).with_file_name(format!("{}.json", ids.backup));
                match fs::symlink_metadata(&sidecar) {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                    Err(error) => Err(refused(&sidecar, &error)),
                }
            }
            Self::Bucket(bucket) => {
                let sidecar = ObjectKey::for_backup(ids.server, ids.backup, ObjectKind::Sidecar);
                match bucket.read(&sidecar, 0).await {
                    Ok(_) => Ok(true),
                    Err(error) if error.kind() == FailureKind::NotFound => Ok(false),
                    Err(error) => Err(self.failed(&error)),
                }
            }
        }
    }

    /// Whether the archive is being read from this very place: nothing that a copy needs is replaced.
    fn is_a_source(&self, chosen: &Chosen) -> bool {
        let location = match self {
            Self::Directory { root, .. } => fs::canonicalize(root)
                .ok()
                .and_then(|root| Url::from_file_path(root).ok())
                .map(String::from),
            Self::Bucket(bucket) => Some(bucket.location().to_owned()),
        };
        chosen
            .candidates
            .iter()
            .any(|candidate| Some(candidate.destination.location()) == location.as_deref())
    }

    /// It is left alone.
    pub(super) fn occupied(&self, ids: Ids, bytes: u64) -> Failure {
        Failure {
            scope: Scope::Destination,
            id: self.place(),
            kind: FailureKind::Policy,
            message: format!(
                "another archive of {bytes} bytes is there as backup {}, and is not overwritten",
                ids.backup
            ),
            hint: "replace it with --force, or restore under the ids of a placeholder with --as"
                .to_owned(),
        }
    }

    /// It is a copy, and left alone whatever was asked for.
    pub(super) fn a_copy(&self, ids: Ids) -> Failure {
        Failure {
            scope: Scope::Destination,
            id: self.place(),
            kind: FailureKind::Policy,
            message: format!(
                "the backup disk is a destination of `nestegg mirror`: the copy that it holds of backup {} is \
                 not overwritten",
                ids.backup
            ),
            hint: "name the panel's own directory or bucket; a damaged copy is mended by \
                   `nestegg verify --repair`"
                .to_owned(),
        }
    }

    fn failed(&self, error: &destination::Error) -> Failure {
        error.failure(Scope::Destination, self.place())
    }
}
