//! A file that only gets its name once its bytes are proved.

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
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::transfer::pump::Sink;

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

/// Why a file could not be restored to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there already.
    #[error("`{}` is already there, and is not overwritten", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The name leads to something that no file can stand in for.
    #[error("`{}` is {found}, not a file", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there, with its article.
        found: &'static str,
    },
    /// The path has no last part, such as `/` or `..`.
    #[error("`{}` names no file", .path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// The directory that the file is to be in is not there.
    #[error("the directory `{}` does not exist", .path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not {action} `{}`", .path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The proof is of other bytes than those that were written: a defect of ours.
    #[error("`{}` was written with other bytes than those that were proved", .path.display())]
    Unproved {
        /// The file.
        path: PathBuf,
    },
    /// A task of ours ended in a defect.
    #[error("could not write `{}`: the task crashed", .path.display())]
    Crashed {
        /// The file.
        path: PathBuf,
        /// The panic.
        source: tokio::task::JoinError,
    },
}

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::File { source, .. } => kind_of(source),
            Self::Exists { .. } => FailureKind::Policy,
            Self::NotAFile { .. }
            | Self::NoName { .. }
            | Self::NoDirectory { .. }
            | Self::Unproved { .. }
            | Self::Crashed { .. } => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Exists { .. } => "name another file, or replace it with --force".to_owned(),
            Self::NotAFile { found, .. } if *found == "a directory" => {
                "name a file in it".to_owned()
            }
            Self::NotAFile { .. } => {
                "name a file, or stream the archive with `--output -`".to_owned()
            }
            Self::NoName { .. } => "name a file".to_owned(),
            Self::NoDirectory { .. } => "create it, or name another".to_owned(),
            Self::File { source, .. } => hint_for(source).to_owned(),
            Self::Unproved { .. } | Self::Crashed { .. } => {
                "nothing was kept; run it again".to_owned()
            }
        }
    }

    /// The same, as an entry of a report.
    pub fn failure(&self, scope: Scope, id: String) -> Failure {
        Failure {
            scope,
            id,
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }
}

/// The kind of a refusal by the operating system, when something is written here.
pub(super) fn kind_of(error: &io::Error) -> FailureKind {
    let kind = error.kind();
    let is_full = matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    );
    let is_forbidden = matches!(
        kind,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    );
    if is_full {
        FailureKind::NoSpace
    } else if is_forbidden {
        FailureKind::Permission
    } else {
        FailureKind::Local
    }
}

/// What to do about one.
pub(super) fn hint_for(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) {
        "make room there, or name a place on another disk"
    } else if kind == io::ErrorKind::FileTooLarge {
        "use a file system that takes files of this length (FAT32 ends at 4 GiB), or raise the process's limit (`ulimit -f`)"
    } else if kind == io::ErrorKind::PermissionDenied {
        "let the user that runs nestegg write there, or name another place"
    } else if kind == io::ErrorKind::ReadOnlyFilesystem {
        "name a place that can be written to"
    } else {
        ""
    }
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
