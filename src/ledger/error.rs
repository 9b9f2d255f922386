//! What can go wrong with the ledger, in the operator's words.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::ledger::lock::Holder;
use crate::model::ids::BackupId;
use crate::model::ids::PanelName;
use crate::model::ids::RunId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::FailureKind;
use crate::model::outcome::chain;

/// Why the ledger could not be opened, read, written or locked.
///
/// Whatever the variant, nothing that was recorded before is lost: every method is one transaction,
/// and one that fails leaves the ledger as it was.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Asked to read a ledger that is not there, or holds nothing yet.
    #[error("there is no ledger at `{}`", .path.display())]
    NoLedger {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The path leads to something that can't be a ledger.
    #[error("the ledger path `{}` is {found}, not a file", .path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there, with its article.
        found: &'static str,
    },
    /// The file is something else.
    #[error("`{}` is not a nestegg ledger: {why}", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that is known.
        why: &'static str,
    },
    /// Written by a newer version of nestegg.
    #[error(
        "the ledger `{}` has schema version {found}, and this nestegg knows versions up to {known}: upgrade nestegg",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// An older ledger could not be copied, to be read with today's schema.
    #[error("could not make a private copy of the older ledger `{}` to read it", .path.display())]
    Copy {
        /// The ledger.
        path: PathBuf,
        /// What SQLite says.
        source: Box<SqliteSays>,
    },
    /// The operating system refused a file or directory.
    #[error("could not {action} `{}`", .path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The file's content is damaged.
    #[error("could not {action}: the ledger `{}` is damaged", .path.display())]
    Damaged {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<SqliteSays>,
    },
    /// The file or its directory may not be written.
    #[error("could not {action}: the ledger `{}` can't be written", .path.display())]
    ReadOnly {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file, or what SQLite keeps beside it (`-wal` and `-shm`), could not be opened or made.
    #[error(
        "could not {action}: SQLite can't open the ledger `{}` or make its files beside it",
        .path.display()
    )]
    Beside {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The disk is full.
    #[error("could not {action}: there is no room for the ledger `{}`", .path.display())]
    Full {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<SqliteSays>,
    },
    /// Another program keeps the file busy.
    #[error("could not {action}: another program keeps the ledger `{}` busy", .path.display())]
    Busy {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<SqliteSays>,
    },
    /// Anything else that SQLite refuses.
    #[error("could not {action} (ledger `{}`)", .path.display())]
    Sql {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<SqliteSays>,
    },
    /// The steps to the newest schema could not be taken.
    #[error("could not upgrade the ledger `{}`", .path.display())]
    Upgrade {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<rusqlite_migration::Error>,
    },
    /// The panel was not recorded before something of it was.
    #[error("the ledger does not know the panel `{panel}`")]
    UnknownPanel {
        /// Its name.
        panel: PanelName,
    },
    /// The server was not recorded before something of it was.
    #[error("the ledger does not know the server {server}")]
    UnknownServer {
        /// Its id.
        server: ServerId,
    },
    /// The backup was not recorded before something of it was.
    #[error("the ledger does not know the backup {backup} of the server {server}")]
    UnknownBackup {
        /// The server.
        server: ServerId,
        /// The backup.
        backup: BackupId,
    },
    /// The ledger has the backup as pending or failed, so that no copy of it can be good.
    #[error("the backup {backup} of the server {server} was not complete when last listed")]
    NotCompleted {
        /// The server.
        server: ServerId,
        /// The backup.
        backup: BackupId,
    },
    /// The destination was not recorded before something of it was.
    #[error("the ledger does not know the destination at `{location}`")]
    UnknownDestination {
        /// Its location, or its number.
        location: String,
    },
    /// An object stored at one destination was to be recorded as stored at another.
    #[error("the object is stored at `{stored_at}`, not at `{recorded_at}`")]
    OtherDestination {
        /// Where it is.
        stored_at: String,
        /// Where it was said to be.
        recorded_at: String,
    },
    /// What was read back is another copy than the one that is recorded.
    #[error("`{key}` was read back as another copy than the one recorded")]
    OtherCopy {
        /// The copy.
        key: ObjectKey,
    },
    /// The copy is not held, so that there is nothing to remove.
    #[error("the ledger does not hold `{key}` there")]
    NotHeld {
        /// The copy.
        key: ObjectKey,
    },
    /// No removal of the copy is begun.
    #[error("no removal of `{key}` is begun there")]
    NoRemoval {
        /// The copy.
        key: ObjectKey,
    },
    /// The run was not begun in this ledger.
    #[error("the ledger does not know run {run}")]
    UnknownRun {
        /// Its number.
        run: RunId,
    },
    /// A length that no disk holds.
    #[error("{bytes} bytes are more than the ledger can record")]
    TooLarge {
        /// The length.
        bytes: u64,
    },
    /// Another run holds the writer lock.
    #[error("another run holds the ledger `{}`{}", .path.display(), said_of(.holder.as_ref()))]
    Locked {
        /// The ledger.
        path: PathBuf,
        /// Who it is, when it left word.
        holder: Option<Holder>,
    },
    /// The lock could not be tried at all.
    #[error("could not lock `{}`", .path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The work was broken off: it panicked, or the runtime is shutting down.
    #[error("the work on the ledger was broken off")]
    Stopped {
        /// What became of it.
        source: tokio::task::JoinError,
    },
}

fn said_of(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(": {holder}"))
}

impl Error {
    /// What kind of failure it is, for `--json` and exit codes.
    pub const fn kind(&self) -> FailureKind {
        FailureKind::Local
    }

    /// Whether another run holds the ledger (exit code 11).
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }

    /// What to do about it; empty when there is nothing to say.
    pub fn hint(&self) -> String {
        match self {
            Self::NoLedger { .. } => {
                "run `nestegg mirror` first, or name the right file with --ledger; if it is lost, `nestegg ledger rebuild` makes it anew from what the destinations hold"
            }
            Self::NotAFile { .. } | Self::Foreign { .. } => {
                "name a file of its own for the ledger with --ledger; this one was left as it is"
            }
            Self::Newer { .. } => "upgrade nestegg on this machine; the ledger was left as it is",
            Self::Copy { .. } => {
                "free some space in the temporary directory, or name another one with TMPDIR; or run `nestegg mirror` once, which upgrades the ledger in its place"
            }
            Self::File { .. } => {
                "check that the path exists and that this user may use it, or name another file with --ledger"
            }
            Self::Damaged { .. } => {
                "move the file aside, with its `-wal` and `-shm`, and run `nestegg ledger rebuild`: the destinations say what they hold, nothing is downloaded twice"
            }
            Self::ReadOnly { .. } | Self::Beside { .. } => {
                "make the file and its directory writable for this user (SQLite keeps `-wal` and `-shm` files beside it); or copy it, with its `-wal`, to where they are"
            }
            Self::Full { .. } => {
                "free some space on its disk and run again; what was recorded before is still there"
            }
            Self::Busy { .. } => "close the program that has the ledger open, then run again",
            Self::Sql { .. } => "check the disk that holds the ledger and its free space",
            Self::Locked { .. } => {
                "wait until it has finished, or let nestegg wait with --retry-lock 10m"
            }
            Self::Lock { .. } => {
                "keep the ledger in a directory that this user may write, on a disk that supports file locks"
            }
            Self::UnknownPanel { .. }
            | Self::UnknownServer { .. }
            | Self::UnknownBackup { .. }
            | Self::NotCompleted { .. }
            | Self::UnknownDestination { .. }
            | Self::OtherDestination { .. }
            | Self::OtherCopy { .. }
            | Self::NotHeld { .. }
            | Self::NoRemoval { .. }
            | Self::UnknownRun { .. }
            | Self::TooLarge { .. }
            | Self::Upgrade { .. }
            | Self::Stopped { .. } => "",
        }
        .to_owned()
    }

    /// Puts what SQLite says into the operator's words.
    pub(super) fn from_sql(action: &'static str, path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let garbled = matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        );
        let code = error.sqlite_error_code();
        let is = |wanted: ErrorCode| code == Some(wanted);
        if is(ErrorCode::NotADatabase) {
            return Self::Foreign {
                path,
                why: "it is not an SQLite file",
            };
        }
        if is(ErrorCode::ReadOnly) || is(ErrorCode::PermissionDenied) {
            return Self::ReadOnly { action, path };
        }
        if is(ErrorCode::CannotOpen) {
            return Self::Beside { action, path };
        }
        let source = SqliteSays::boxed(error);
        if garbled || is(ErrorCode::DatabaseCorrupt) {
            Self::Damaged {
                action,
                path,
                source,
            }
        } else if is(ErrorCode::DiskFull) {
            Self::Full {
                action,
                path,
                source,
            }
        } else if is(ErrorCode::DatabaseBusy) || is(ErrorCode::DatabaseLocked) {
            Self::Busy {
                action,
                path,
                source,
            }
        } else {
            Self::Sql {
                action,
                path,
                source,
            }
        }
    }
}

/// What SQLite says, with the number that its documentation explains, each once: its own errors
/// repeat their text in the cause.
#[derive(Debug, thiserror::Error)]
#[error("{}", said(.0))]
pub struct SqliteSays(rusqlite::Error);

impl SqliteSays {
    pub(super) fn boxed(error: rusqlite::Error) -> Box<Self> {
        Box::new(Self(error))
    }
}

fn said(error: &rusqlite::Error) -> String {
    match (error, error.sqlite_error()) {
        (rusqlite::Error::SqliteFailure(_, Some(message)), Some(code)) => {
            format!("{message} (SQLite code {})", code.extended_code)
        }
        (_, Some(code)) => code.to_string(),
        (_, None) => chain(error),
    }
}

/// What may stop the work inside one transaction: SQLite, or a finding of ours.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Found(Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Found(error)
    }
}

impl Fault {
    pub(super) fn during(self, action: &'static str, path: &Path) -> Error {
        match self {
            Self::Sql(error) => Error::from_sql(action, path, error),
            Self::Found(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_sqlite_says_is_said_once_with_its_number() {
        let failed = |code, message: Option<&str>| {
            let error =
                rusqlite::Error::SqliteFailure(ffi::Error::new(code), message.map(str::to_owned));
            chain(&Error::from_sql("do it", Path::new("/l"), error))
        };
        assert_eq!(
            failed(ffi::SQLITE_IOERR_WRITE, Some("disk I/O error")),
            "could not do it (ledger `/l`): disk I/O error (SQLite code 778)"
        );
        assert_eq!(
            failed(
                ffi::SQLITE_CORRUPT,
                Some("database disk image is malformed")
            ),
            "could not do it: the ledger `/l` is damaged: database disk image is malformed (SQLite code 11)"
        );
        assert_eq!(
            failed(ffi::SQLITE_FULL, None),
            "could not do it: there is no room for the ledger `/l`: Error code 13: database or disk is full"
        );
        let odd = Error::from_sql(
            "do it",
            Path::new("/l"),
            rusqlite::Error::QueryReturnedNoRows,
        );
        assert_eq!(
            chain(&odd),
            "could not do it (ledger `/l`): Query returned no rows"
        );
    }
}
