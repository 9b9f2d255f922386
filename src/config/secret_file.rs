//! Small files that hold one secret each.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;

use crate::config::error::Error;
use crate::config::source::Place;
use crate::config::value::looks_like_key;
use crate::model::secret::Secret;

/// At most this much is read from a file that should hold one secret.
const MOST_BYTES: u64 = 64 * 1024;

/// How many lines a secret may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// A key or a password.
    One,
    /// A JSON document, such as a service account's.
    Many,
}

/// Why a text is no secret, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable {
    pub(super) why: &'static str,
    pub(super) fix: &'static str,
}

const fn unusable(why: &'static str, fix: &'static str) -> Unusable {
    Unusable { why, fix }
}

/// The one secret in a text: byte order mark and white space around it are dropped.
pub(super) fn secret_in(bytes: &[u8], lines: Lines) -> Result<Secret, Unusable> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(unusable("it is UTF-16", "save it as UTF-8 or plain ASCII"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(unusable("it is not text", "put the bare value into it"));
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(unusable(
            "it is empty",
            "put the value into it, alone on one line",
        ));
    }
    let is_stray = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.contains(is_stray) {
        return Err(unusable(
            "it holds control characters",
            "put the bare value into it, alone on one line",
        ));
    }
    if lines == Lines::One {
        if text.contains(['\n', '\r']) {
            return Err(unusable(
                "it has several lines",
                "leave only the value in it, alone on one line, without comments",
            ));
        }
        if text.contains(char::is_whitespace) {
            return Err(unusable(
                "it holds spaces",
                "leave only the value in it, without a name, `=` or quotes",
            ));
        }
        if text.starts_with(['"', '\'']) {
            return Err(unusable("it is in quotes", "leave out the quotes"));
        }
    }
    Ok(Secret::new(text))
}

/// A secret that was read, and whether its file is too open.
#[derive(Debug)]
pub(super) struct ReadSecret {
    pub(super) secret: Secret,
    pub(super) warning: Option<String>,
}

/// Refuses a path that is a key itself, before anything repeats it.
///
/// # Errors
/// [`Error::BadSecret`], without the path.
pub(super) fn not_a_key(path: &Path, from: &str, place: Option<&Place>) -> Result<(), Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    if !name.is_some_and(looks_like_key) || path.exists() {
        return Ok(());
    }
    Err(Error::BadSecret {
        from: from.to_owned(),
        what: "file name".to_owned(),
        place: place.cloned(),
        why: "it looks like a key itself",
        fix: "put the key into a file with mode 0600 and give that file's path; make a new key if this one \
              was typed on a command line, where everyone on the machine can see it",
    })
}

/// Reads the secret in this file.
///
/// # Errors
/// [`Error::Read`] and [`Error::BadSecret`], naming the file, never its content.
pub(super) fn read(
    path: &Path,
    what: &str,
    lines: Lines,
    place: Option<&Place>,
) -> Result<ReadSecret, Error> {
    let failed = |source| Error::Read {
        what: "secret file",
        path: path.to_owned(),
        place: place.cloned(),
        source,
    };
    let bad = |unusable: Unusable| Error::BadSecret {
        from: format!("`{}`", path.display()),
        what: what.to_owned(),
        place: place.cloned(),
        why: unusable.why,
        fix: unusable.fix,
    };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(bad(unusable(
            "it is longer than 64 KiB",
            "name the file that holds only this value",
        )));
    }
    let secret = secret_in(&bytes, lines).map_err(bad)?;
    Ok(ReadSecret {
        secret,
        warning: too_open(path, &metadata),
    })
}

/// What to say about a file with a secret that other users may read.
#[cfg(unix)]
pub(super) fn too_open(path: &Path, metadata: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    let is_open = metadata.is_file() && mode & 0o027 != 0;
    is_open.then(|| {
        format!(
            "`{0}` holds a secret and its mode is {mode:04o}: other users may read or change it; run `chmod 600 {0}`",
            path.display()
        )
    })
}

/// Elsewhere, modes say nothing.
#[cfg(not(unix))]
pub(super) fn too_open(_path: &Path, _metadata: &std::fs::Metadata) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_marks_and_blanks_around_a_secret_are_dropped() {
        for bytes in [
            &b"ptlc_x"[..],
            b"ptlc_x\n",
            b"ptlc_x\r\n",
            b"\xef\xbb\xbfptlc_x\r\n\r\n",
            b"  ptlc_x \n",
        ] {
            assert_eq!(secret_in(bytes, Lines::One), Ok(Secret::new("ptlc_x")));
        }
        assert_eq!(
            secret_in(b"{\n \"a\": 1\n}\n", Lines::Many),
            Ok(Secret::new("{\n \"a\": 1\n}"))
        );
    }

    #[test]
    fn what_is_no_single_secret_is_told_apart() {
        for (bytes, why) in [
            (&b""[..], "it is empty"),
            (b" \r\n", "it is empty"),
            (b"\xff\xfep\0t\0", "it is UTF-16"),
            (b"\x80\x81", "it is not text"),
            (b"a\0b", "it holds control characters"),
            (b"# my key\nptlc_x\n", "it has several lines"),
            (b"key: ptlc_x", "it holds spaces"),
            (b"\"ptlc_x\"", "it is in quotes"),
        ] {
            assert_eq!(
                secret_in(bytes, Lines::One).map_err(|bad| bad.why),
                Err(why)
            );
        }
    }
}
