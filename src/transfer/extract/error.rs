//! Why an archive was not extracted, and what to do about it.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::model::content::OutOfOrder;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::transfer::sink::file::kind_of;

/// Why an archive was not extracted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The target holds something.
    #[error("`{}` is not empty", .path.display())]
    NotEmpty {
        /// The target.
        path: PathBuf,
        /// Whether an extraction that was cut short left something there.
        is_unfinished: bool,
    },
    /// The target is no directory.
    #[error("`{}` is not a directory", .path.display())]
    NotADirectory {
        /// The target.
        path: PathBuf,
    },
    /// The target has no name of its own.
    #[error("`{}` names no directory to extract into", .path.display())]
    Nameless {
        /// The target.
        path: PathBuf,
    },
    /// Another process extracts to the same place.
    #[error("another nestegg is extracting into `{}`", .path.display())]
    Busy {
        /// The target.
        path: PathBuf,
    },
    /// A member that must not be made.
    #[error("the archive's member `{member}` {why}")]
    Refused {
        /// Its path, made safe to print.
        member: String,
        /// What is wrong with it.
        why: String,
    },
    /// More comes out than was recorded, or than is plausible.
    #[error("the archive unpacks to more than {most_bytes} bytes, {}", .basis.as_str())]
    TooMuch {
        /// The bound.
        most_bytes: u64,
        /// Where it comes from.
        basis: Basis,
    },
    /// The gzip or tar inside is not whole.
    #[error("the archive is not a whole .tar.gz: {0}")]
    Broken(String),
    /// No member was asked for.
    #[error("no member of the archive matches {patterns}")]
    NothingMatched {
        /// The globs, made safe to print.
        patterns: String,
    },
    /// Something in the target keeps a member from its place.
    #[error("`{path}` can't be put in place: {why}")]
    InTheWay {
        /// Below the target, made safe to print.
        path: String,
        /// What is there.
        why: &'static str,
    },
    /// The file system refused.
    #[error("could not {action} `{what}`")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what, made safe to print.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// A part came where another was due: a defect here.
    #[error("the parts of the archive came out of order")]
    OutOfOrder(#[source] OutOfOrder),
    /// The proof is of something else than what was unpacked: a defect here.
    #[error("what was unpacked is not what was proved")]
    Unproved,
    /// The worker was lost: a defect here.
    #[error("unpacking ended before the archive did")]
    Lost,
}

/// What an extraction is bounded by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// What the walk over the same archive recorded.
    Recorded,
    /// A plausible ratio: there is no record.
    Ratio,
}

impl Basis {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "which is all that its record says is in it",
            Self::Ratio => "which is more than any real one of its length",
        }
    }
}

impl Error {
    pub(crate) fn file(
        action: &'static str,
        what: impl Into<String>,
    ) -> impl FnOnce(Errno) -> Self {
        let what = what.into();
        move |source| Self::File {
            action,
            what,
            source: source.into(),
        }
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::NotEmpty { .. } | Self::InTheWay { .. } => FailureKind::Policy,
            Self::NothingMatched { .. } => FailureKind::NotFound,
            Self::Refused { .. } | Self::TooMuch { .. } | Self::Broken(_) => FailureKind::Integrity,
            Self::File { source, .. } => kind_of(source),
            Self::NotADirectory { .. }
            | Self::Nameless { .. }
            | Self::Busy { .. }
            | Self::OutOfOrder(_)
            | Self::Unproved
            | Self::Lost => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotEmpty {
                is_unfinished: true,
                ..
            } => "an earlier extraction into it was cut short: run it again with --force to finish it, \
                  or name another directory"
                .to_owned(),
            Self::NotEmpty { .. } => {
                "name another directory, or replace files in this one with --force".to_owned()
            }
            Self::NotADirectory { .. } | Self::Nameless { .. } => {
                "name a directory that is empty or does not exist yet".to_owned()
            }
            Self::Busy { .. } => "wait for it, or name another directory".to_owned(),
            Self::Refused { .. } => {
                "nothing was extracted. No panel's node writes such members: take the archive as it is with \
                 --output, and look into it with `tar -tvf`"
                    .to_owned()
            }
            Self::TooMuch { .. } => {
                "nothing was extracted. If the archive is what you think it is, take it as it is with \
                 --output and unpack it with tar"
                    .to_owned()
            }
            Self::Broken(_) => {
                "the archive is damaged as the panel made it: take an older backup, or what is left of this \
                 one with --output"
                    .to_owned()
            }
            Self::NothingMatched { .. } => {
                "paths begin at the server's root, without a slash; `**/` stands for any directories"
                    .to_owned()
            }
            Self::InTheWay { .. } => {
                "nothing was changed. Move what is there out of the way, or name another directory"
                    .to_owned()
            }
            Self::File { source, .. } => Trouble::of(source).hint().to_owned(),
            Self::OutOfOrder(_) | Self::Unproved | Self::Lost => {
                "this is a defect of nestegg: please report it".to_owned()
            }
        }
    }

    /// As a failure of one backup's restore into a directory: of the backup when the archive is to
    /// blame, else of the directory.
    pub fn failure(&self, backup: BackupId, directory: &Path) -> Failure {
        let (scope, id) = match self {
            Self::Refused { .. } | Self::TooMuch { .. } | Self::Broken(_) => {
                (Scope::Backup, backup.to_string())
            }
            Self::NotEmpty { .. }
            | Self::NotADirectory { .. }
            | Self::Nameless { .. }
            | Self::Busy { .. }
            | Self::NothingMatched { .. }
            | Self::InTheWay { .. }
            | Self::File { .. }
            | Self::OutOfOrder(_)
            | Self::Unproved
            | Self::Lost => (Scope::Destination, directory.display().to_string()),
        };
        Failure {
            scope,
            id,
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }
}

/// What a file system's refusal is about, as far as there is something to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    NoSpace,
    NotAllowed,
    Mount,
    NotThere,
    Other,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let kind = error.kind();
        let is_one_of = |kinds: &[Kind]| kinds.contains(&kind);
        if is_one_of(&[Kind::StorageFull, Kind::QuotaExceeded, Kind::FileTooLarge]) {
            Self::NoSpace
        } else if is_one_of(&[Kind::PermissionDenied, Kind::ReadOnlyFilesystem]) {
            Self::NotAllowed
        } else if is_one_of(&[Kind::ResourceBusy, Kind::CrossesDevices]) {
            Self::Mount
        } else if kind == Kind::NotFound {
            Self::NotThere
        } else {
            Self::Other
        }
    }

    const fn hint(self) -> &'static str {
        match self {
            Self::NoSpace => {
                "free some space there (or raise the quota or `ulimit -f`), or name a directory on \
                 another disk"
            }
            Self::NotAllowed => "run it as a user who may write there, or name another directory",
            Self::Mount => "the directory is a mount of its own: name a new directory below it",
            Self::NotThere => "make the directory above it first",
            Self::Other => "",
        }
    }
}
