//! A file that only gets its name once its bytes are proved.

mod error;

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use crate::model::content::Part;
use crate::model::content::Position;
use crate::model::content::StreamId;
use crate::model::content::VerifiedContent;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::transfer::pump::Sink;

pub use crate::transfer::sink::file::error::Error;
pub(super) use crate::transfer::sink::file::error::hint_for;
pub(in crate::transfer) use crate::transfer::sink::file::error::kind_of;

/// How the names of unfinished files begin; they stand beside the file that they are to become.
const UNFINISHED: &str = ".nestegg-restore-";
/// How often a new unfinished file may be swept away by another run between its making and its lock.
const TRIES: u32 = 10;

/// What becomes of a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupied {
    /// It stays; the new one is not made.
    Refuse,
    /// It is replaced, once the new one is proved.
    Replace,
}

/// An unfinished file; dropped, it is removed.
#[derive(Debug)]
pub struct FileSink {
    /// `None` only while, or after, a write that did not come back.
    unfinished: Option<NamedTempFile>,
    path: PathBuf,
    occupied: Occupied,
    position: Position,
}

impl FileSink {
    /// Looks whether `path` can become a file, without making anything.
    ///
    /// # Errors
    /// [`Error`]; nothing was touched.
    pub fn look(path: &Path, occupied: Occupied) -> Result<(), Error> {
        if path.file_name().is_none() {
            return Err(Error::NoName {
                path: path.to_owned(),
            });
        }
        let refused = |path: &Path, source| Error::File {
            action: "look at",
            path: path.to_owned(),
            source,
        };
        let directory = directory_of(path);
        match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(refused(directory, io::ErrorKind::NotADirectory.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoDirectory {
                    path: directory.to_owned(),
                });
            }
            Err(error) => return Err(refused(directory, error)),
        }
        // A link is replaced itself, never what it leads to; but what it leads to says what the
        // operator has in mind.
        let found = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::symlink_metadata(path).ok()
            }
            Err(error) => return Err(refused(path, error)),
        };
        let Some(found) = found.map(|metadata| metadata.file_type()) else {
            return Ok(());
        };
        if found.is_dir() {
            Err(Error::NotAFile {
                path: path.to_owned(),
                found: "a directory",
            })
        } else if !found.is_file() && !found.is_symlink() {
            Err(Error::NotAFile {
                path: path.to_owned(),
                found: "a device, pipe or socket",
            })
        } else if occupied == Occupied::Refuse {
            Err(Error::Exists {
                path: path.to_owned(),
            })
        } else if is_a_copy(path) {
            Err(Error::ACopy {
                path: path.to_owned(),
            })
        } else {
            Ok(())
        }
    }

    /// Makes an unfinished file beside `path`, for its owner alone (0600), and removes those that
    /// killed runs left there.
    ///
    /// # Errors
    /// As [`Self::look`]; why the file can't be made.
    pub async fn begin(path: &Path, occupied: Occupied, stream: StreamId) -> Result<Self, Error> {
        let target = path.to_owned();
        let unfinished = blocking(path, move || {
            Self::look(&target, occupied)?;
            let directory = directory_of(&target);
            sweep(directory);
            unfinished_in(directory).map_err(|source| Error::File {
                action: "make a file in",
                path: directory.to_owned(),
                source,
            })
        })
        .await?;
        Ok(Self {
            unfinished: Some(unfinished),
            path: path.to_owned(),
            occupied,
            position: Position::start(stream),
        })
    }

    /// Gives the file its name, durably, once `proof` says that its bytes are the right ones.
    ///
    /// # Errors
    /// [`Error::Exists`] when the name was taken meanwhile; [`Error::Unproved`]; else the refusal.
    /// Nothing has the name then that did not have it before, unless the directory could not be
    /// synced.
    pub async fn keep(self, proof: &VerifiedContent) -> Result<(), Error> {
        let Self {
            unfinished,
            path,
            occupied,
            position,
        } = self;
        let Some(unfinished) = unfinished.filter(|_| position == proof.end()) else {
            return Err(Error::Unproved { path });
        };
        let target = path.clone();
        blocking(&path, move || {
            let failed = |action, path: &Path| {
                let path = path.to_owned();
                move |source| Error::File {
                    action,
                    path,
                    source,
                }
            };
            unfinished
                .as_file()
                .sync_all()
                .map_err(failed("write", &target))?;
            match occupied {
                Occupied::Refuse => match unfinished.persist_noclobber(&target) {
                    Ok(_file) => {}
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                        return Err(Error::Exists { path: target });
                    }
                    Err(error) => return Err(failed("name", &target)(error.error)),
                },
                Occupied::Replace => {
                    let named = unfinished.persist(&target);
                    named.map_err(|error| failed("name", &target)(error.error))?;
                }
            }
            let directory = directory_of(&target);
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(failed("sync", directory))
        })
        .await
    }
}

impl Sink for FileSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let path = self.path.clone();
        let failure = |error: &Error| error.failure(Scope::Destination, path.display().to_string());
        let in_order = self.position.advance(&part);
        let Some(unfinished) = self.unfinished.take().filter(|_| in_order.is_ok()) else {
            return Err(failure(&Error::Unproved { path: path.clone() }));
        };
        let target = self.path.clone();
        let written = blocking(&self.path, move || {
            for chunk in part.chunks() {
                unfinished
                    .as_file()
                    .write_all(chunk)
                    .map_err(|source| Error::File {
                        action: "write",
                        path: target.clone(),
                        source,
                    })?;
            }
            Ok(unfinished)
        })
        .await;
        self.unfinished = Some(written.map_err(|error| failure(&error))?);
        Ok(())
    }

    async fn abort(self) {
        if let Some(Err(error)) = self.unfinished.map(NamedTempFile::close) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an unfinished file could not be removed"
            );
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Whether a path is that of a copy or of its sidecar at a destination: named like one, in a directory
/// named like a server, and with a sidecar there.
fn is_a_copy(path: &Path) -> bool {
    let directory = directory_of(path);
    let named = fs::canonicalize(directory).ok().and_then(|directory| {
        let server = directory.file_name()?.to_str()?.to_owned();
        ObjectKey::parse(&format!("{server}/{}", path.file_name()?.to_str()?))
    });
    named.is_some_and(|key| {
        let sidecar = key.sidecar().to_string();
        let beside = Path::new(&sidecar).file_name();
        beside.is_some_and(|name| fs::symlink_metadata(directory.join(name)).is_ok())
    })
}

/// Where the unfinished file of `path` stands.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// A new file for its owner alone, locked as long as it is open: it is no leftover.
fn unfinished_in(directory: &Path) -> io::Result<NamedTempFile> {
    for _try in 0..TRIES {
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .make_in(directory, |path| {
                OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(path)
            })?;
        match file.as_file().try_lock() {
            Ok(()) => {}
            // Another run takes it for a leftover just now.
            Err(TryLockError::WouldBlock) => continue,
            // A file system without locks: nobody sweeps there either.
            Err(TryLockError::Error(_)) => return Ok(file),
        }
        let ours = file.as_file().metadata()?.ino();
        if fs::symlink_metadata(file.path()).is_ok_and(|there| there.ino() == ours) {
            return Ok(file);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes unfinished files that nobody has open: their runs were killed. What can't be looked at
/// or removed stays; it has no name that anybody takes for an archive.
fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let is_ours = name.to_string_lossy().starts_with(UNFINISHED)
            && entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_ours {
            continue;
        }
        let path = entry.path();
        let is_left = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_left && fs::remove_file(&path).is_ok() {
            tracing::info!("removed `{}`, left by a killed restore", path.display());
        }
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work)
        .await
        .map_err(|source| Error::Crashed {
            path: path.to_owned(),
            source,
        })?
}
