//! The directory that members are unpacked into, and how it takes its place.
//!
//! | target | staged in | put in place by |
//! |---|---|---|
//! | not there | `.NAME.nestegg-partial` beside it | one rename |
//! | there, and empty | the same | one rename over it |
//! | empty, and a mount, or nothing may be made beside it | `.nestegg-partial` in it | a rename for each name in it |
//! | holds something, and may be written into | `.nestegg-partial` in it | a rename for each file |
//!
//! A process that is killed leaves the staging directory, and in the last two rows perhaps some of the files
//! in place, each whole. The next extraction to the same target clears the staging directory and begins
//! anew. A lock on the staging directory tells a leftover from one in use.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::AtFlags;
use rustix::fs::FlockOperation;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Uid;
use rustix::io::Errno;

use crate::transfer::extract::Error;
use crate::transfer::extract::Overwrite;
use crate::transfer::extract::merge::Merge;
use crate::transfer::extract::merge::merge;
use crate::transfer::extract::tree;
use crate::transfer::extract::tree::Missing;
use crate::transfer::extract::tree::Tree;
use crate::transfer::extract::tree::Unreached;
use crate::transfer::extract::unpack::NotedDirectory;

/// What staging directories are called, or end with.
const PARTIAL: &str = ".nestegg-partial";

/// How often making the staging directory is tried while others remove it.
const TRIES: u32 = 8;

/// A staging directory, locked.
#[derive(Debug)]
pub(super) struct Stage {
    /// The target, as it is named in messages.
    target: PathBuf,
    /// The directory that holds the staging directory.
    above: OwnedFd,
    name: OsString,
    staged: OwnedFd,
    placing: Placing,
}

/// How what is staged gets to its place.
#[derive(Debug)]
enum Placing {
    /// The staging directory becomes the target.
    Whole {
        name: OsString,
        mode: Mode,
        owner: Option<(Uid, Gid)>,
    },
    /// Its files go into the target, which is `above`.
    Merged,
}

/// What stands where the members shall go.
enum Found {
    Nothing,
    Empty(fs::Metadata),
    Full { is_unfinished: bool },
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(Errno) -> Error {
    Error::file(action, path.display().to_string())
}

fn failed_io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let what = path.display().to_string();
    move |source| Error::File {
        action,
        what,
        source,
    }
}

impl Stage {
    /// Looks whether `target` may be extracted into, without making anything.
    pub(super) fn look(target: &Path, overwrite: Overwrite) -> Result<(), Error> {
        find(target, overwrite).map(|_found| ())
    }

    /// Makes, or clears, and locks the staging directory for `target`.
    pub(super) fn make(target: &Path, overwrite: Overwrite) -> Result<Self, Error> {
        let (found, real) = find(target, overwrite)?;
        match found {
            Found::Nothing => Self::beside(target, &real, None),
            Found::Empty(metadata) => {
                let is_mount = real
                    .parent()
                    .and_then(|above| fs::metadata(above).ok())
                    .is_none_or(|above| above.dev() != metadata.dev());
                if is_mount {
                    return Self::inside(target, &real);
                }
                match Self::beside(target, &real, Some(&metadata)) {
                    Err(Error::File { source, .. })
                        if source.kind() == io::ErrorKind::PermissionDenied =>
                    {
                        Self::inside(target, &real)
                    }
                    made => made,
                }
            }
            Found::Full { .. } => Self::inside(target, &real),
        }
    }

    fn beside(target: &Path, real: &Path, replaced: Option<&fs::Metadata>) -> Result<Self, Error> {
        let (Some(above), Some(name)) = (real.parent(), real.file_name()) else {
            return Err(Error::Nameless {
                path: target.to_owned(),
            });
        };
        let above = open(above)?;
        let mut staged_name = OsString::from(".");
        staged_name.push(name);
        staged_name.push(PARTIAL);
        let staged = lock(&above, &staged_name, target)?;
        let (mode, owner) = match replaced {
            None => (usual_mode(&staged, target)?, None),
            Some(metadata) => (
                Mode::from_raw_mode((metadata.mode() & 0o777) as _),
                Some((Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()))),
            ),
        };
        Ok(Self {
            target: target.to_owned(),
            above,
            name: staged_name,
            staged,
            placing: Placing::Whole {
                name: name.to_owned(),
                mode,
                owner,
            },
        })
    }

    fn inside(target: &Path, real: &Path) -> Result<Self, Error> {
        let above = open(real)?;
        let staged = lock(&above, PARTIAL.as_ref(), target)?;
        Ok(Self {
            target: target.to_owned(),
            above,
            name: PARTIAL.into(),
            staged,
            placing: Placing::Merged,
        })
    }

    /// The staging directory, once more opened.
    pub(super) fn directory(&self) -> Result<OwnedFd, Error> {
        self.staged
            .try_clone()
            .map_err(failed_io("open", &self.target))
    }

    /// Brings everything to the disk and puts it in place.
    pub(super) fn publish(self, directories: &[NotedDirectory]) -> Result<(), Error> {
        let placed = match &self.placing {
            Placing::Whole { name, mode, owner } => {
                self.place_whole(name, *mode, *owner, directories)
            }
            Placing::Merged => self.merge(directories),
        };
        placed.map_err(|error| self.give_up(error))
    }

    fn place_whole(
        &self,
        name: &OsString,
        mode: Mode,
        owner: Option<(Uid, Gid)>,
        directories: &[NotedDirectory],
    ) -> Result<(), Error> {
        settle(self.directory()?, directories)?;
        if let Some((user, group)) = owner
            && let Err(error) = rustix::fs::fchown(&self.staged, Some(user), Some(group))
        {
            tracing::debug!("the directory keeps the owner of this process: {error}");
        }
        rustix::fs::fchmod(&self.staged, mode).map_err(failed("set the mode of", &self.target))?;
        tree::sync_all(self.staged.as_fd()).map_err(failed_io("sync", &self.target))?;
        match rustix::fs::renameat(&self.above, &self.name, &self.above, name) {
            Ok(()) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                return Err(Error::NotEmpty {
                    path: self.target.clone(),
                    is_unfinished: false,
                });
            }
            Err(Errno::NOTDIR) => {
                return Err(Error::NotADirectory {
                    path: self.target.clone(),
                });
            }
            Err(error) => return Err(failed("put in place", &self.target)(error)),
        }
        rustix::fs::fsync(&self.above).map_err(failed("sync the directory of", &self.target))
    }

    /// Moves every staged file into the target, once it is sure that each can go there.
    fn merge(&self, directories: &[NotedDirectory]) -> Result<(), Error> {
        let (from, to) = (self.staged.as_fd(), self.above.as_fd());
        merge(from, to, &[], Merge::Look)?;
        tree::sync_all(from).map_err(failed_io("sync", &self.target))?;
        merge(from, to, &[], Merge::Move)?;
        let target = self
            .above
            .try_clone()
            .map_err(failed_io("open", &self.target))?;
        settle(target, directories)?;
        tree::remove(to, self.name.as_bytes()).map_err(failed("tidy up", &self.target))?;
        tree::sync_all(to).map_err(failed_io("sync", &self.target))
    }

    /// Removes what is staged, and hands the reason back.
    pub(super) fn give_up(&self, error: Error) -> Error {
        self.remove();
        error
    }

    /// Removes what is staged; what goes wrong with that is logged.
    pub(super) fn remove(&self) {
        if let Err(error) = tree::remove(self.above.as_fd(), self.name.as_bytes()) {
            tracing::warn!(
                "`{}`, where `{}` was being extracted, could not be removed: {error}",
                self.name.display(),
                self.target.display()
            );
        }
    }
}

/// Gives directories their modes and times, the deepest first.
fn settle(root: OwnedFd, directories: &[NotedDirectory]) -> Result<(), Error> {
    let mut deepest_first: Vec<&NotedDirectory> = directories.iter().collect();
    deepest_first.sort_by_key(|noted| std::cmp::Reverse(noted.path.depth()));
    let mut tree = Tree::new(root);
    for noted in deepest_first {
        let Some((_, name)) = noted.path.split() else {
            continue;
        };
        let failed = |source| Error::File {
            action: "set the mode of",
            what: noted.path.to_string(),
            source: io::Error::from(source),
        };
        let above = noted
            .path
            .parts()
            .take(noted.path.depth().saturating_sub(1));
        let directory = tree
            .directory(above, Missing::Fail)
            .and_then(|above| Ok(tree::open_directory(above, name)?))
            .map_err(|unreached| match unreached {
                Unreached::Link | Unreached::NoDirectory => failed(Errno::NOTDIR),
                Unreached::Os(error) => failed(error),
            })?;
        if let Some(modified_at) = noted.modified_at {
            rustix::fs::futimens(&directory, &modified_at.timestamps()).map_err(failed)?;
        }
        rustix::fs::fchmod(&directory, noted.mode).map_err(failed)?;
    }
    Ok(())
}

fn open(path: &Path) -> Result<OwnedFd, Error> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, how, Mode::empty()).map_err(failed("open", path))
}

/// What stands at `target`, if it may be extracted into, and where that really is.
fn find(target: &Path, overwrite: Overwrite) -> Result<(Found, PathBuf), Error> {
    let absolute = std::path::absolute(target).map_err(failed_io("resolve", target))?;
    let found = look(&absolute)?;
    if let (Found::Full { is_unfinished }, Overwrite::Never) = (&found, overwrite) {
        return Err(Error::NotEmpty {
            path: target.to_owned(),
            is_unfinished: *is_unfinished,
        });
    }
    // An existing directory may be named through links; a new one has only its parent to resolve.
    let real = match &found {
        Found::Nothing => real_place(&absolute, target)?,
        Found::Empty(_) | Found::Full { .. } => {
            fs::canonicalize(&absolute).map_err(failed_io("resolve", target))?
        }
    };
    Ok((found, real))
}

fn look(target: &Path) -> Result<Found, Error> {
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A link that leads nowhere is something, and nothing to replace.
            return match fs::symlink_metadata(target) {
                Ok(_) => Err(Error::NotADirectory {
                    path: target.to_owned(),
                }),
                Err(_) => Ok(Found::Nothing),
            };
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::NotADirectory {
                path: target.to_owned(),
            });
        }
        Err(error) => return Err(failed_io("look at", target)(error)),
    };
    if !metadata.is_dir() {
        return Err(Error::NotADirectory {
            path: target.to_owned(),
        });
    }
    let directory = open(target)?;
    let names = tree::names(directory.as_fd()).map_err(failed("read the directory", target))?;
    let is_unfinished = names
        .iter()
        .any(|name| name.as_bytes() == PARTIAL.as_bytes());
    Ok(match names.len() {
        0 => Found::Empty(metadata),
        1 if is_unfinished => Found::Empty(metadata),
        _more => Found::Full { is_unfinished },
    })
}

/// Where a directory that is not there yet would be.
fn real_place(absolute: &Path, target: &Path) -> Result<PathBuf, Error> {
    let (Some(above), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(Error::Nameless {
            path: target.to_owned(),
        });
    };
    let above = fs::canonicalize(above).map_err(failed_io("find the directory above", target))?;
    Ok(above.join(name))
}

/// Makes a staging directory, or takes over one that nobody uses, and empties it.
fn lock(above: &OwnedFd, name: &std::ffi::OsStr, target: &Path) -> Result<OwnedFd, Error> {
    for _ in 0..TRIES {
        match rustix::fs::mkdirat(above, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(failed("make a directory for", target)(error)),
        }
        let staged = match tree::open_directory(above.as_fd(), name.as_bytes()) {
            Ok(staged) => staged,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(failed("open the staging directory of", target)(error)),
        };
        match rustix::fs::flock(&staged, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::Busy {
                    path: target.to_owned(),
                });
            }
            // Some network file systems have no locks.
            Err(error) => tracing::debug!("no lock on the staging directory: {error}"),
        }
        let locked = rustix::fs::fstat(&staged).map_err(failed("look at", target))?;
        let named =
            tree::look(above.as_fd(), name.as_bytes()).map_err(failed("look at", target))?;
        let is_still_named = named
            .is_some_and(|named| (named.st_dev, named.st_ino) == (locked.st_dev, locked.st_ino));
        if !is_still_named {
            continue;
        }
        rustix::fs::fchmod(&staged, Mode::RWXU).map_err(failed("set the mode of", target))?;
        tree::clear(staged.as_fd()).map_err(failed("clear the leftovers of", target))?;
        return Ok(staged);
    }
    Err(Error::Busy {
        path: target.to_owned(),
    })
}

/// The mode that a new directory has by this process's umask.
fn usual_mode(staged: &OwnedFd, target: &Path) -> Result<Mode, Error> {
    const PROBE: &str = "mode";
    let failed = |error| failed("make a directory in", target)(error);
    rustix::fs::mkdirat(staged, PROBE, Mode::from_raw_mode(0o777)).map_err(failed)?;
    let probed = rustix::fs::statat(staged, PROBE, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    rustix::fs::unlinkat(staged, PROBE, AtFlags::REMOVEDIR).map_err(failed)?;
    Ok(Mode::from_raw_mode(probed.st_mode & 0o777))
}
