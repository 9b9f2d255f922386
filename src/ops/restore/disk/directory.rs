//! A node's backup directory: paths, modes, owners.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::config::settings::restore::DiskLayout;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::restore::disk::Ids;

/// The mode of a directory that Pelican's daemon makes for a server's backups.
const PRIVATE_DIRECTORY: u32 = 0o700;
/// The mode of an archive that a daemon makes.
const PRIVATE_FILE: u32 = 0o600;

/// Who owns a node's backup directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

/// Where a node looks for an archive (`panel-contract.md` section 6).
pub(super) fn path_in(root: &Path, layout: DiskLayout, ids: Ids) -> PathBuf {
    let name = format!("{}.tar.gz", ids.backup);
    match layout {
        DiskLayout::Pterodactyl => root.join(name),
        DiskLayout::Pelican => root.join(ids.server.to_string()).join(name),
    }
}

pub(super) fn refused(path: &Path, error: &io::Error) -> Failure {
    let (kind, hint) = if error.kind() == io::ErrorKind::NotFound {
        (
            FailureKind::NotFound,
            "name the directory that the node's daemon keeps backups in: `system.backup_directory` of its \
             configuration",
        )
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        (
            FailureKind::Permission,
            "run it as root, or as the daemon's user",
        )
    } else {
        (FailureKind::Local, "")
    };
    Failure {
        scope: Scope::Destination,
        id: path.display().to_string(),
        kind,
        message: format!("could not use `{}`: {error}", path.display()),
        hint: hint.to_owned(),
    }
}

/// Makes the directory of a server as Pelican's daemon does, or puts right the one that is there; says what
/// is to be done when it may not be like that.
pub(super) fn make_server_directory(
    archive: &Path,
    owner: Owner,
) -> Result<Option<String>, Failure> {
    let Some(directory) = archive.parent() else {
        return Ok(None);
    };
    match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(directory) {
        Ok(()) => Ok(own(directory, owner)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match fs::symlink_metadata(directory) {
                Ok(found) if found.is_dir() => Ok(put_right(directory, owner, PRIVATE_DIRECTORY)),
                Ok(_) => Err(refused(
                    directory,
                    &io::Error::from(io::ErrorKind::NotADirectory),
                )),
                Err(error) => Err(refused(directory, &error)),
            }
        }
        Err(error) => Err(refused(directory, &error)),
    }
}

/// Gives an archive that is there already the owner and mode of a new one, and so the directory of its
/// server, if it has one; says what is to be done when that is not allowed.
pub(super) fn put_archive_right(path: &Path, layout: DiskLayout, owner: Owner) -> Vec<String> {
    let directory = match layout {
        DiskLayout::Pterodactyl => None,
        DiskLayout::Pelican => path.parent(),
    };
    let directory = directory.and_then(|at| put_right(at, owner, PRIVATE_DIRECTORY));
    let archive = put_right(path, owner, PRIVATE_FILE);
    directory.into_iter().chain(archive).collect()
}

/// Gives something that is there already the owner of the backup directory and a mode. The mode stays as it
/// is when the owner has to: it may be what lets the daemon read it.
fn put_right(path: &Path, owner: Owner, mode: u32) -> Option<String> {
    if let Some(note) = own(path, owner) {
        return Some(note);
    }
    let found = fs::symlink_metadata(path).ok()?;
    if found.permissions().mode() & 0o7777 == mode {
        return None;
    }
    // By its descriptor: a name could meanwhile be a link to something else.
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let changed = rustix::fs::open(path, how, Mode::empty())
        .map_err(io::Error::from)
        .and_then(|opened| File::from(opened).set_permissions(Permissions::from_mode(mode)));
    changed.err().map(|error| {
        format!(
            "`{}` could not be given the mode that the daemon gives it ({error}): give it with \
             `chmod {mode:o}`",
            path.display()
        )
    })
}

/// Gives a file the owner of the backup directory; says what is to be done when that is not allowed.
pub(super) fn own(path: &Path, owner: Owner) -> Option<String> {
    let found = fs::symlink_metadata(path).ok()?;
    if found.uid() == owner.user && found.gid() == owner.group {
        return None;
    }
    let changed = std::os::unix::fs::lchown(path, Some(owner.user), Some(owner.group));
    changed.err().map(|error| {
        format!(
            "`{}` could not be given to the owner of the backup directory ({error}): if the daemon does \
             not run as root, let its user read it, with `chown {}:{}`",
            path.display(),
            owner.user,
            owner.group
        )
    })
}

pub(super) fn sha256_of(path: &Path) -> io::Result<ContentDigest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let got = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..got).filter(|read| !read.is_empty()) else {
            return Ok(hasher.finish());
        };
        hasher.update(read);
    }
}
