//! Row ↔ model: the one place that knows how values are written into columns.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

use crate::ledger::error::Error;
use crate::model::backup::Backup;
use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::content::Structure;
use crate::model::key::ObjectKey;
use crate::model::mark::Mark;
use crate::model::sidecar::Encryption;

/// A time as it is recorded: milliseconds since 1970 UTC; what is finer is dropped.
pub(super) fn time(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// A length as it is recorded.
pub(super) fn size(bytes: u64) -> Result<i64, Error> {
    i64::try_from(bytes).map_err(|_too_large| Error::TooLarge { bytes })
}

/// A length that a panel claims. One that no disk holds becomes the largest there is: it is not for the
/// ledger to refuse a listing because of it, and no transfer will ever match it.
pub(super) fn claimed_size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The word for a backup's state.
pub(super) const fn state_word(backup: &Backup) -> &'static str {
    match backup {
        Backup::Pending(_) => "pending",
        Backup::Failed(_) => "failed",
        Backup::Completed(_) => "completed",
    }
}

/// What a column holds is not what was ever written there.
#[derive(Debug)]
struct Garbled(String);

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Garbled {}

fn garbled(column: usize, why: impl fmt::Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(Garbled(format!("a column can't be read: {why}"))),
    )
}

/// Text that is written by a type's `Display` and read by its `FromStr`.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: T::Err| garbled(column, error))
}

/// The same where there may be nothing.
pub(super) fn parsed_if_any<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    row.get_ref(column)?
        .as_str_or_null()?
        .map(|text| text.parse().map_err(|error: T::Err| garbled(column, error)))
        .transpose()
}

/// An object's key.
pub(super) fn key(row: &Row<'_>, column: usize) -> rusqlite::Result<ObjectKey> {
    let text = row.get_ref(column)?.as_str()?;
    ObjectKey::parse(text).ok_or_else(|| garbled(column, "not the key of an object"))
}

/// A SHA-256 in bare hex.
pub(super) fn sha256(row: &Row<'_>, column: usize) -> rusqlite::Result<ContentDigest> {
    let digits = row.get_ref(column)?.as_str()?;
    ContentDigest::from_hex(Algorithm::Sha256, digits).map_err(|bad| garbled(column, bad))
}

/// The same where there may be none.
pub(super) fn sha256_if_any(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<ContentDigest>> {
    row.get_ref(column)?
        .as_str_or_null()?
        .map(|digits| {
            ContentDigest::from_hex(Algorithm::Sha256, digits).map_err(|bad| garbled(column, bad))
        })
        .transpose()
}

/// A time.
pub(super) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|error| garbled(column, error))
}

/// A time where there may be none.
pub(super) fn timestamp_if_any(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?
        .map(|at| Timestamp::from_millisecond(at).map_err(|error| garbled(column, error)))
        .transpose()
}

/// A length.
pub(super) fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let bytes: i64 = row.get(column)?;
    u64::try_from(bytes).map_err(|error| garbled(column, error))
}

/// What the walk over an archive found, in two columns.
pub(super) fn structure(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Structure>> {
    if row.get::<_, Option<i64>>(column)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Structure {
        entries: bytes(row, column)?,
        unpacked_bytes: bytes(row, column + 1)?,
    }))
}

/// How a stored object is encrypted, as its sidecar says it; nothing when it is not.
pub(super) fn encryption(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Encryption>> {
    row.get_ref(column)?
        .as_str_or_null()?
        .map(|text| serde_json::from_str(text).map_err(|error| garbled(column, error)))
        .transpose()
}

/// The same, to be written.
pub(super) fn encryption_text(encryption: &Encryption) -> String {
    serde_json::json!({"scheme": encryption.scheme, "recipients": encryption.recipients})
        .to_string()
}

/// An operator's mark, in two columns; there is none when its time is null.
pub(super) fn mark(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Mark>> {
    let Some(at) = timestamp_if_any(row, column)? else {
        return Ok(None);
    };
    let reason = row.get(column + 1)?;
    Ok(Some(Mark { at, reason }))
}

/// A list of globs as JSON; an empty one where there is nothing.
pub(super) fn globs(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(Vec::new()),
        Some(text) => serde_json::from_str(text).map_err(|error| garbled(column, error)),
    }
}
