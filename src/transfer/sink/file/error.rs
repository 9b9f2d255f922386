//! Why a file could not be restored to, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;

/// Why a file could not be restored to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is there already.
    #[error("`{}` is already there, and is not overwritten", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is a copy, or the sidecar of one: no restore replaces those.
    #[error("`{}` is a copy that nestegg keeps, and is not overwritten", .path.display())]
    ACopy {
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
            Self::Exists { .. } | Self::ACopy { .. } => FailureKind::Policy,
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
            Self::ACopy { .. } => {
                "name another file; a damaged copy is mended by `nestegg verify --repair`"
                    .to_owned()
            }
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
pub(in crate::transfer) fn kind_of(error: &io::Error) -> FailureKind {
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
pub(in crate::transfer) fn hint_for(error: &io::Error) -> &'static str {
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
