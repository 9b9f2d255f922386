//! Directories below one, reached name by name and never through a link.
//!
//! Every step opens one name in a directory that is open already, with `O_NOFOLLOW`: no link, whoever
//! put it there and whenever, can lead a step elsewhere. Everything here blocks.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::io::Errno;

/// What is to be done about a directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Make it, as the umask says.
    Make,
    /// Fail.
    Fail,
}

/// Why a directory was not reached.
#[derive(Debug)]
pub(super) enum Unreached {
    /// A link stands where a directory is needed.
    Link,
    /// Something else does.
    NoDirectory,
    /// The system's own reason.
    Os(Errno),
}

impl From<Errno> for Unreached {
    fn from(error: Errno) -> Self {
        Self::Os(error)
    }
}

/// A directory and those below it; the way to the last one that was needed stays open.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    way: Vec<(Vec<u8>, OwnedFd)>,
}

impl Tree {
    pub(super) const fn new(root: OwnedFd) -> Self {
        Self {
            root,
            way: Vec::new(),
        }
    }

    /// The directory that `parts` lead to.
    pub(super) fn directory<'p>(
        &mut self,
        parts: impl Iterator<Item = &'p [u8]>,
        missing: Missing,
    ) -> Result<BorrowedFd<'_>, Unreached> {
        let mut known = 0;
        let mut is_on_the_way = true;
        for part in parts {
            is_on_the_way =
                is_on_the_way && self.way.get(known).is_some_and(|(name, _)| name == part);
            if !is_on_the_way {
                self.way.truncate(known);
                let next = step(self.last(), part, missing)?;
                self.way.push((part.to_vec(), next));
            }
            known += 1;
        }
        self.way.truncate(known);
        Ok(self.last())
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.way
            .last()
            .map_or_else(|| self.root.as_fd(), |(_, directory)| directory.as_fd())
    }
}

fn step(from: BorrowedFd<'_>, name: &[u8], missing: Missing) -> Result<OwnedFd, Unreached> {
    match open_directory(from, name) {
        Err(Errno::NOENT) if missing == Missing::Make => {
            match rustix::fs::mkdirat(from, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(open_directory(from, name)?)
        }
        Err(Errno::NOTDIR | Errno::LOOP) => match look(from, name)? {
            Some(found) if kind_of(&found) == FileType::Symlink => Err(Unreached::Link),
            Some(_) | None => Err(Unreached::NoDirectory),
        },
        opened => Ok(opened?),
    }
}

/// Opens a directory by its name in another; a link is none.
pub(super) fn open_directory(from: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(from, name, how, Mode::empty())
}

/// What stands under a name, itself and not what it leads to.
pub(super) fn look(from: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What kind of thing it is.
pub(super) fn kind_of(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

/// The names in a directory.
pub(super) fn names(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Removes everything in a directory, and not the directory itself.
pub(super) fn clear(directory: BorrowedFd<'_>) -> rustix::io::Result<()> {
    for name in names(directory)? {
        remove(directory, name.as_bytes())?;
    }
    Ok(())
}

/// Removes what stands under a name, with all that is below it.
pub(super) fn remove(from: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<()> {
    match rustix::fs::unlinkat(from, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    let directory = match open_directory(from, name) {
        // A directory that keeps its own owner out.
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(from, name, Mode::RWXU, AtFlags::empty())?;
            open_directory(from, name)?
        }
        opened => opened?,
    };
    if clear(directory.as_fd()) == Err(Errno::ACCESS) {
        rustix::fs::fchmod(&directory, Mode::RWXU)?;
        clear(directory.as_fd())?;
    }
    rustix::fs::unlinkat(from, name, AtFlags::REMOVEDIR)
}

/// A time of modification, in seconds and nanoseconds of the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModifiedAt {
    pub(super) seconds: i64,
    pub(super) nanoseconds: i32,
}

impl ModifiedAt {
    /// As the system takes it; the time of the last access is the same.
    pub(super) const fn timestamps(self) -> Timestamps {
        let at = Timespec {
            tv_sec: self.seconds,
            tv_nsec: self.nanoseconds as _,
        };
        Timestamps {
            last_access: at,
            last_modification: at,
        }
    }
}

/// Brings everything of a file system to the disk: one call, however many files there are.
pub(super) fn sync_all(directory: BorrowedFd<'_>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(directory)?;
    #[cfg(not(target_os = "linux"))]
    {
        rustix::fs::sync();
        rustix::fs::fsync(directory)?;
    }
    Ok(())
}
