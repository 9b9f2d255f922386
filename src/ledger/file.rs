//! The ledger's file and directory: private to their owner, and what they are said to be.

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use crate::ledger::error::Error;

/// Makes the directory that a file is to live in, and those above it, for the owner alone.
pub(super) fn make_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(|source| Error::File {
            action: "make the directory",
            path: parent.to_owned(),
            source,
        })
}

/// Opens a file for reading and writing, made for the owner alone when it is missing.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// What a ledger path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A file without a byte in it.
    Empty,
    /// A file.
    File,
}

/// What every SQLite file begins with. SQLite itself takes a file of less than a page for an empty one.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Looks at what a ledger path leads to, and refuses what can't be a ledger before SQLite touches it.
pub(super) fn look(path: &Path) -> Result<Found, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(source) => {
            return Err(Error::File {
                action: "look at the ledger",
                path: path.to_owned(),
                source,
            });
        }
    };
    let kind = metadata.file_type();
    let found = if kind.is_file() {
        if metadata.len() == 0 {
            return Ok(Found::Empty);
        }
        return begins_with_magic(path).map(|()| Found::File);
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() || kind.is_socket() {
        "a pipe or socket"
    } else {
        "a device"
    };
    Err(Error::NotAFile {
        path: path.to_owned(),
        found,
    })
}

fn begins_with_magic(path: &Path) -> Result<(), Error> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head))
        .map_err(|source| Error::File {
            action: "read the ledger",
            path: path.to_owned(),
            source,
        })?;
    if head == MAGIC {
        Ok(())
    } else {
        Err(Error::Foreign {
            path: path.to_owned(),
            why: "it is not an SQLite file",
        })
    }
}

/// The path with its links followed, as far as it exists.
pub(super) fn real_path(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_no_cwd| path.to_owned());
    match (
        absolute.parent().map(fs::canonicalize),
        absolute.file_name(),
    ) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        (_, _) => absolute,
    }
}

/// The name of a file that SQLite keeps beside the ledger.
pub(super) fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
