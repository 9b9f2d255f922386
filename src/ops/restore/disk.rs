//! `restore --backup-disk`: archives where a panel's own Restore button looks for them.
//!
//! A node's directory holds `<backup>.tar.gz`, mode 0600 (Pterodactyl), or `<server>/<backup>.tar.gz` in a
//! directory of mode 0700 (Pelican); a panel's bucket holds `<server>/<backup>.tar.gz` at its root, with the
//! content type `application/x-gzip` (`panel-contract.md` sections 5 to 7). No sidecar is written: the place
//! is the panel's, not a destination. An archive only gets its name once its digest held.

mod bring;
mod directory;
mod there;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::config::settings::DestinationSettings;
use crate::config::settings::restore::DiskContent;
use crate::config::settings::restore::DiskJob;
use crate::config::settings::restore::DiskLayout;
use crate::config::settings::restore::Existing;
use crate::destination::Destination;
use crate::destination::DestinationSpec;
use crate::destination::RootRule;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::AllChosen;
use crate::ops::restore::chosen::Chosen;
use crate::ops::restore::chosen::Found;
use crate::ops::restore::disk::bring::upload;
use crate::ops::restore::disk::bring::write_file;
use crate::ops::restore::disk::directory::Owner;
use crate::ops::restore::disk::directory::make_server_directory;
use crate::ops::restore::disk::directory::own;
use crate::ops::restore::disk::directory::path_in;
use crate::ops::restore::disk::directory::put_archive_right;
use crate::ops::restore::disk::directory::refused;
use crate::ops::restore::disk::there::There;
use crate::ops::restore::source::NotRestored;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreReport;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoreTarget;
use crate::report::restore::RestoredBackup;
use crate::report::restore::TargetKind;
use crate::transfer::sink::file::Occupied;

/// A panel's backup disk.
enum Disk {
    /// A directory of a node.
    Directory {
        root: PathBuf,
        layout: DiskLayout,
        owner: Owner,
    },
    /// A bucket.
    Bucket(Destination),
}

/// Under which ids an archive is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ids {
    server: ServerId,
    backup: BackupId,
}

/// Whose ids those are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Under {
    /// The backup's own.
    Own,
    /// A placeholder's, which the panel made.
    Placeholder,
}

/// Why an archive is not at its place.
enum NotPlaced {
    /// No copy could be read, or the disk refused while one was.
    Missed(NotRestored),
    /// The disk refused in the end.
    NotKept(Vec<Failure>, Failure),
    /// The disk refused at once.
    Refused(Failure),
}

/// Restores one archive, or many, to a backup disk; what fails does not keep the others from it.
///
/// # Errors
/// [`Error::Destination`] when the disk's address or options are wrong; those of [`Restore::choose`].
pub async fn restore(restore: &Restore<'_>, job: &DiskJob) -> Result<RestoreReport, Error> {
    let started_at = restore.shared.env.now();
    let disk = Disk::open(restore, &job.place, job.layout).await?;
    let mut coverage = Coverage::Whole;
    let (found, errors, under, occupied) = match &job.what {
        DiskContent::One(choice) => {
            let Found { found, errors } = restore.choose(choice).await?;
            let found = vec![(Ids::of(&found), found)];
            (found, errors, Under::Own, occupied(job))
        }
        DiskContent::As {
            choice,
            server,
            backup,
        } => {
            let Found { found, errors } = restore.choose(choice).await?;
            let ids = Ids {
                server: *server,
                backup: *backup,
            };
            // What the panel made there is the placeholder: it is there to be replaced.
            let found = vec![(ids, found)];
            (found, errors, Under::Placeholder, Occupied::Replace)
        }
        DiskContent::All(servers) => {
            let Found { found, errors } = restore.choose_all(servers).await?;
            let AllChosen {
                chosen: found,
                coverage: known,
            } = found;
            coverage = known;
            let found = found.into_iter().map(|chosen| (Ids::of(&chosen), chosen));
            (found.collect(), errors, Under::Own, occupied(job))
        }
    };
    let stored = found.iter().map(|(_, chosen)| chosen.subject.stored_bytes);
    let observer = &restore.shared.observer;
    observer.planned(found.len() as u64, stored.sum());
    let mut backups = Vec::with_capacity(found.len());
    for (ids, chosen) in &found {
        let backup = match &disk {
            _ if restore.shared.env.cancel.is_cancelled() => chosen.untried(),
            Err(failure) => RestoredBackup {
                state: RestoreState::Failed,
                failure: Some(failure.clone()),
                ..chosen.untried()
            },
            Ok(disk) => {
                let taken = disk.take(restore, *ids, chosen, under, occupied);
                taken.await
            }
        };
        backups.push(backup);
    }
    let last = backups
        .last()
        .map_or(RestoreState::NotReached, |last| last.state);
    Ok(RestoreReport {
        started_at,
        finished_at: restore.shared.env.now(),
        target: RestoreTarget {
            kind: TargetKind::BackupDisk,
            place: match &disk {
                Ok(disk) => disk.place(),
                Err(_) => job.place.name.to_string(),
            },
        },
        ended: restore.ended(last),
        backups,
        errors,
        coverage,
    })
}

const fn occupied(job: &DiskJob) -> Occupied {
    match job.existing {
        Existing::Keep => Occupied::Refuse,
        Existing::Replace => Occupied::Replace,
    }
}

impl Ids {
    const fn of(chosen: &Chosen) -> Self {
        Self {
            server: chosen.subject.server,
            backup: chosen.subject.backup,
        }
    }

    const fn key(self) -> ObjectKey {
        ObjectKey::for_backup(self.server, self.backup, ObjectKind::Archive)
    }
}

impl Disk {
    /// Opens it; a directory has to be there.
    async fn open(
        restore: &Restore<'_>,
        place: &DestinationSettings,
        layout: DiskLayout,
    ) -> Result<Result<Self, Failure>, Error> {
        if !place.url.contains("://") {
            let root = PathBuf::from(&place.url);
            return Ok(match fs::metadata(&root) {
                Ok(found) if found.is_dir() => Ok(Self::Directory {
                    owner: Owner {
                        user: found.uid(),
                        group: found.gid(),
                    },
                    root,
                    layout,
                }),
                Ok(_) => Err(refused(
                    &root,
                    &io::Error::from(io::ErrorKind::NotADirectory),
                )),
                Err(error) => Err(refused(&root, &error)),
            });
        }
        let spec = DestinationSpec {
            name: place.name.clone(),
            url: place.url.clone(),
            options: place.options.clone(),
            environment: restore.settings.environment.clone(),
            root: RootRule::MustExist,
            // The panel reads archives as it made them.
            encrypt_to: Vec::new(),
        };
        match Destination::open(spec, restore.tuning.destination).await {
            Ok(bucket) => {
                if let Some(prefix) = prefix_of(&place.url) {
                    tracing::warn!(
                        "panels look for archives at the root of their bucket, not below `{prefix}`"
                    );
                }
                Ok(Ok(Self::Bucket(bucket)))
            }
            Err(error) if error.is_usage() => Err(Error::Destination {
                name: place.name.clone(),
                source: error,
            }),
            Err(error) => Ok(Err(
                error.failure(Scope::Destination, place.name.to_string())
            )),
        }
    }

    /// What it is called.
    fn place(&self) -> String {
        match self {
            Self::Directory { root, .. } => root.display().to_string(),
            Self::Bucket(bucket) => bucket.location().to_owned(),
        }
    }

    /// Brings one archive to its place.
    async fn take(
        &self,
        restore: &Restore<'_>,
        ids: Ids,
        chosen: &Chosen,
        under: Under,
        occupied: Occupied,
    ) -> RestoredBackup {
        let taken = self.try_take(restore, ids, chosen, under, occupied);
        match taken.await {
            Ok(backup) => backup,
            Err(NotPlaced::Missed(missed)) => chosen.missed(&missed),
            Err(NotPlaced::NotKept(passed_over, failure)) => chosen.not_kept(&passed_over, failure),
            Err(NotPlaced::Refused(failure)) => RestoredBackup {
                state: if failure.kind == FailureKind::Interrupted {
                    RestoreState::NotReached
                } else {
                    RestoreState::Failed
                },
                failure: Some(failure),
                ..chosen.untried()
            },
        }
    }

    async fn try_take(
        &self,
        restore: &Restore<'_>,
        ids: Ids,
        chosen: &Chosen,
        under: Under,
        occupied: Occupied,
    ) -> Result<RestoredBackup, NotPlaced> {
        let there = self
            .look(restore, ids, chosen)
            .await
            .map_err(NotPlaced::Refused)?;
        let mut notes = vec![self.note(ids)];
        match (there, occupied) {
            (There::This, _) => {
                notes.extend(self.put_right(ids, chosen).await?);
                return Ok(RestoredBackup {
                    state: RestoreState::AlreadyThere,
                    sha256: Some(chosen.subject.sha256.to_hex()),
                    notes,
                    ..chosen.untried()
                });
            }
            (There::Other(bytes), Occupied::Refuse) => {
                return Err(NotPlaced::Refused(self.occupied(ids, bytes)));
            }
            // The same bytes with another content type are nothing that would be lost.
            (There::Mistyped, _) | (There::Other(_), Occupied::Replace) => {
                let is_a_copy = self.is_a_copy(ids, chosen).await;
                if is_a_copy.map_err(NotPlaced::Refused)? {
                    return Err(NotPlaced::Refused(self.a_copy(ids)));
                }
            }
            (There::Nothing, Occupied::Refuse | Occupied::Replace) => {
                notes.extend(nothing_was_there(ids, under));
            }
        }
        match self {
            Self::Directory {
                root,
                layout,
                owner,
            } => {
                let path = path_in(root, *layout, ids);
                if *layout == DiskLayout::Pelican {
                    let made = make_server_directory(&path, *owner);
                    notes.extend(made.map_err(NotPlaced::Refused)?);
                }
                let passed_over = write_file(restore, chosen, &path, occupied).await?;
                notes.extend(own(&path, *owner));
                Ok(chosen.restored(&passed_over, notes))
            }
            Self::Bucket(bucket) => {
                let passed_over = upload(restore, chosen, bucket, ids.key()).await?;
                Ok(chosen.restored(&passed_over, notes))
            }
        }
    }

    /// Gives an archive that is there already what the panel's node needs beside its bytes, unless it is a
    /// copy of ours: a restore that was killed, or somebody's hand, may have left it without. Says what could
    /// not be done.
    async fn put_right(&self, ids: Ids, chosen: &Chosen) -> Result<Vec<String>, NotPlaced> {
        let Self::Directory {
            root,
            layout,
            owner,
        } = self
        else {
            return Ok(Vec::new());
        };
        let is_a_copy = self.is_a_copy(ids, chosen).await;
        if is_a_copy.map_err(NotPlaced::Refused)? {
            return Ok(Vec::new());
        }
        Ok(put_archive_right(
            &path_in(root, *layout, ids),
            *layout,
            *owner,
        ))
    }

    fn note(&self, ids: Ids) -> String {
        let place = match self {
            Self::Directory { root, layout, .. } => {
                path_in(root, *layout, ids).display().to_string()
            }
            Self::Bucket(bucket) => format!("{} as {}", bucket.location(), ids.key()),
        };
        format!(
            "it is at {place}: restore backup {} of server {} in the panel; whatever size and checksum \
             the panel shows, it restores what is there",
            ids.backup, ids.server
        )
    }
}

/// A panel keeps the archive of a completed backup where this disk has none of a placeholder.
fn nothing_was_there(ids: Ids, under: Under) -> Option<String> {
    match under {
        Under::Own => None,
        Under::Placeholder => Some(format!(
            "nothing was there before: check that the panel has completed the placeholder {}, that it is a \
             backup of the server {}, and that this is where the panel keeps it",
            ids.backup, ids.server
        )),
    }
}

/// What follows the bucket in a URL.
fn prefix_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (_, prefix) = rest.split_once('/')?;
    Some(prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty())
}
