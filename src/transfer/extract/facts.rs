//! What a member's headers say of it besides its name: mode, time, form.

use std::fs::File;
use std::io::Read;

use rustix::fs::Mode;
use tar::Entry;

use crate::transfer::extract::tree::ModifiedAt;
use crate::transfer::extract::unpack::Failed;

/// Gives a file that is whole its mode and time.
pub(super) fn settle<R: Read>(file: &File, entry: &mut Entry<'_, R>) -> Result<(), Failed> {
    rustix::fs::fchmod(file, mode_of(entry, 0o644))
        .map_err(|error| Failed::os("set the mode of", error))?;
    if let Some(modified_at) = modified_at(entry)? {
        rustix::fs::futimens(file, &modified_at.timestamps())
            .map_err(|error| Failed::os("set the time of", error))?;
    }
    Ok(())
}

/// The permissions alone: no set-user-id, set-group-id or sticky bit.
pub(super) fn mode_of<R: Read>(entry: &Entry<'_, R>, otherwise: u32) -> Mode {
    Mode::from_raw_mode((entry.header().mode().unwrap_or(otherwise) & 0o777) as _)
}

/// When a member was last changed: to the second, or finer where the archive says so.
pub(super) fn modified_at<R: Read>(entry: &mut Entry<'_, R>) -> Result<Option<ModifiedAt>, Failed> {
    let in_header = entry.header().mtime().ok().map(|seconds| ModifiedAt {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanoseconds: 0,
    });
    let finer = entry
        .pax_extensions()
        .map_err(Failed::unread)?
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|field| field.key_bytes() == b"mtime")
        .find_map(|field| pax_time(field.value().ok()?));
    Ok(finer.or(in_header))
}

/// A time in the decimal form of pax headers (POSIX.1-2017, pax, "pax Header Block").
fn pax_time(text: &str) -> Option<ModifiedAt> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let nanoseconds: i32 = digits.parse().ok().filter(|number| *number >= 0)?;
    let seconds: i64 = whole.parse().ok()?;
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some(ModifiedAt {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        });
    }
    Some(ModifiedAt {
        seconds,
        nanoseconds,
    })
}

/// Whether the data of a member is a sparse file in the form of newer GNU tars, whose map would be taken
/// for content.
pub(super) fn is_unknown_sparse<R: Read>(entry: &mut Entry<'_, R>) -> Result<bool, Failed> {
    let fields = entry.pax_extensions().map_err(Failed::unread)?;
    Ok(fields
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .any(|field| field.key_bytes().starts_with(b"GNU.sparse.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_times_are_read_to_the_nanosecond() {
        for (text, expected) in [
            ("1730000000", Some((1_730_000_000, 0))),
            ("1730000000.5", Some((1_730_000_000, 500_000_000))),
            ("1730000000.1234567891", Some((1_730_000_000, 123_456_789))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.25", Some((-1, 750_000_000))),
            ("", None),
            ("soon", None),
            ("1.x", None),
        ] {
            let read = pax_time(text).map(|at| (at.seconds, at.nanoseconds));
            assert_eq!(read, expected, "{text}");
        }
    }
}
