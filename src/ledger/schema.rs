//! Opens the file, applies `migrations/`, refuses a newer schema.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use rusqlite::TransactionBehavior;
use rusqlite::backup::Backup;
use rusqlite::backup::StepResult;
use rusqlite::config::DbConfig;
use rusqlite_migration::M;
use rusqlite_migration::Migrations;

use crate::ledger::error::Error;
use crate::ledger::error::SqliteSays;
use crate::ledger::file;
use crate::ledger::file::Found;

/// One entry a file of `migrations/`, in order; the schema version is their number.
const STEPS: &[M<'static>] = &[
    M::up(include_str!("../../migrations/0001_ledger.sql")),
    M::up(include_str!("../../migrations/0002_encryption.sql")),
    M::up(include_str!("../../migrations/0003_verify.sql")),
    M::up(include_str!("../../migrations/0004_placeholders.sql")),
    M::up(include_str!("../../migrations/0005_retention.sql")),
];

/// `application_id` of a ledger, as `migrations/0001_ledger.sql` sets it.
const APPLICATION_ID: i64 = 0x6e65_7374;

/// How long SQLite waits for another program that has the file locked.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a readable file turned out to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// No schema yet.
    Nothing,
    /// A ledger of this schema version.
    Ledger { version: i64 },
}

/// The newest schema version that this program knows.
fn known_version() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Opens a ledger for writing; made, and upgraded to the newest schema, when needed.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    const ACTION: &str = "open the ledger";
    let sql = |error| Error::from_sql(ACTION, path, error);
    if file::look(path)? == Found::Nothing {
        file::make_parent(path)?;
        file::open_private(path).map_err(|source| Error::File {
            action: "make the ledger",
            path: path.to_owned(),
            source,
        })?;
    }
    let mut connection = Connection::open_with_flags(
        file::real_path(path),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(sql)?;
    // Until it is known to be ours, closing it must not so much as tidy up.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log(path))
        .map_err(sql)?;
    settle(&connection).map_err(sql)?;
    if connection.is_readonly("main").map_err(sql)? {
        return Err(Error::ReadOnly {
            action: ACTION,
            path: path.to_owned(),
        });
    }
    check(&connection, path)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;",
        )
        .map_err(sql)?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    migrate(&mut connection, path)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .map_err(sql)?;
    Ok(connection)
}

/// Opens a ledger for reading, whether or not somebody writes it.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, Error> {
    let no_ledger = || Error::NoLedger {
        path: path.to_owned(),
    };
    match file::look(path)? {
        Found::Nothing | Found::Empty => return Err(no_ledger()),
        Found::File => {}
    }
    let attempt = connect_read_only(path, Medium::Ordinary).and_then(|connection| {
        let content = check(&connection, path)?;
        Ok((connection, content))
    });
    let (connection, content) = match attempt {
        Ok(opened) => opened,
        // SQLite could not make its files beside the ledger. With no log of unfinished business there,
        // the file alone is the whole truth.
        Err(error) if needs_companions(&error) && !has_log(path) => {
            let connection = connect_read_only(path, Medium::Immutable)?;
            let content = check(&connection, path)?;
            (connection, content)
        }
        Err(error) => return Err(error),
    };
    match content {
        Content::Nothing => Err(no_ledger()),
        Content::Ledger { version } if version < known_version() => upgraded(&connection, path),
        Content::Ledger { .. } => Ok(connection),
    }
}

/// A private copy of an older ledger with the newest schema, to be read in its place: the ledger
/// itself may be on a read-only medium, and upgrading it is for those who write it.
///
/// The copy is a temporary file of SQLite's own, without a name, gone when the connection or the
/// process is; it shows the ledger at one instant, whatever is written meanwhile.
fn upgraded(older: &Connection, path: &Path) -> Result<Connection, Error> {
    let failed = |source| Error::Copy {
        path: path.to_owned(),
        source: SqliteSays::boxed(source),
    };
    let mut copy = Connection::open_with_flags(
        "",
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(failed)?;
    let ended = Backup::new(older, &mut copy)
        .and_then(|all| all.step(EVERY_PAGE))
        .map_err(|error| {
            let is_about_the_copy = error
                .sqlite_error_code()
                .is_some_and(|code| TROUBLE_OF_COPIES.contains(&code));
            if is_about_the_copy {
                failed(error)
            } else {
                Error::from_sql("read the ledger", path, error)
            }
        })?;
    if ended != StepResult::Done {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        let busy = rusqlite::Error::SqliteFailure(busy, None);
        return Err(Error::from_sql("read the ledger", path, busy));
    }
    settle(&copy).map_err(failed)?;
    migrate(&mut copy, path)?;
    copy.execute_batch("PRAGMA query_only = ON")
        .map_err(failed)?;
    Ok(copy)
}

/// What goes wrong where a copy is made, not where it is made from.
const TROUBLE_OF_COPIES: [ErrorCode; 3] = [
    ErrorCode::DiskFull,
    ErrorCode::SystemIoFailure,
    ErrorCode::CannotOpen,
];

/// One step of a copy that takes all there is, under one read lock.
const EVERY_PAGE: i32 = -1;

/// Whether SQLite may keep its log and index beside a ledger that is only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    /// It may, or finds them there.
    Ordinary,
    /// It can't; nobody else can write there either.
    Immutable,
}

fn connect_read_only(path: &Path, medium: Medium) -> Result<Connection, Error> {
    let sql = |error| Error::from_sql("open the ledger", path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let real = file::real_path(path);
    let connection = match medium {
        Medium::Ordinary => Connection::open_with_flags(real, flags),
        Medium::Immutable => {
            Connection::open_with_flags(immutable_uri(&real), flags | OpenFlags::SQLITE_OPEN_URI)
        }
    }
    .map_err(sql)?;
    connection
        .execute_batch("PRAGMA query_only = ON")
        .map_err(sql)?;
    settle(&connection).map_err(sql)?;
    Ok(connection)
}

/// What holds for every connection: the indexes that the schema has are the ones to use, nothing is
/// sorted in files elsewhere, and nothing that the file itself says is run.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA automatic_index = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string can't fail.
            let _infallible = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    uri
}

fn needs_companions(error: &Error) -> bool {
    matches!(error, Error::ReadOnly { .. } | Error::Beside { .. })
}

/// Whether a log with something in it lies beside the ledger.
fn has_log(path: &Path) -> bool {
    let log = file::companion(&file::real_path(path), "-wal");
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// Reads, and only reads, whose file this is and how new.
fn check(connection: &Connection, path: &Path) -> Result<Content, Error> {
    let sql = |error| Error::from_sql("open the ledger", path, error);
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(sql)
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sql)?;
    let version = number("user_version")?;
    let application = number("application_id")?;
    if tables == 0 && version == 0 && application == 0 {
        return Ok(Content::Nothing);
    }
    if application != APPLICATION_ID || version < 1 {
        return Err(Error::Foreign {
            path: path.to_owned(),
            why: "it is the database of another program",
        });
    }
    if version > known_version() {
        return Err(Error::Newer {
            path: path.to_owned(),
            found: version,
            known: known_version(),
        });
    }
    Ok(Content::Ledger { version })
}

/// Brings the schema up to the newest version, all of it or nothing.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    const ACTION: &str = "upgrade the ledger";
    match Migrations::from_slice(STEPS).to_latest(connection) {
        Ok(()) => Ok(()),
        Err(rusqlite_migration::Error::RusqliteError { err, query: _ }) => {
            Err(Error::from_sql(ACTION, path, err))
        }
        Err(other) => Err(Error::Upgrade {
            path: path.to_owned(),
            source: Box::new(other),
        }),
    }
}
