//! What a new backup leaves out: patterns in the syntax of `.gitignore`.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use crate::config::error::Error;
use crate::config::source::Source;
use crate::config::value::BadValue;
use crate::model::ids::printable;

/// The longest list that a node reads from a server's own ignore file (`panel-contract.md` section 6); a
/// longer one is a mistake in the file's name.
const MOST_BYTES: u64 = 32 * 1024;

/// The flag that names a file.
const FLAG: &str = "--ignore-file";

/// One pattern of `--ignore`.
///
/// # Errors
/// [`BadValue`] for none, and for several: a line end begins another.
pub fn pattern(text: &str) -> Result<String, BadValue> {
    let is_blank = text.trim().is_empty();
    if is_blank || text.chars().any(char::is_control) || text.len() as u64 > MOST_BYTES {
        return Err(BadValue(format!(
            "`{}` is no pattern: write one such as `*.log` or `cache/`, each as a word of its own",
            printable(text)
        )));
    }
    Ok(text.to_owned())
}

/// The name of a backup that a panel is to make; how long it may be is the panel's to say, 191 or 255
/// characters (`panel-contract.md` section 5).
///
/// # Errors
/// [`BadValue`] for an empty one, for one longer than any panel takes, and for control characters.
pub fn fresh_name(text: &str) -> Result<String, BadValue> {
    const LONGEST: usize = 255;
    let is_usable = !text.trim().is_empty()
        && text.chars().count() <= LONGEST
        && !text.chars().any(char::is_control);
    if is_usable {
        Ok(text.to_owned())
    } else {
        Err(BadValue(format!(
            "a backup's name has 1 to {LONGEST} printable characters"
        )))
    }
}

/// The patterns in a file: its lines, without blank ones and comments.
///
/// # Errors
/// [`Error::Read`]; [`Error::BadValue`] for a file that is too long, no text, or without a pattern.
pub(super) fn read(path: &Path) -> Result<Vec<String>, Error> {
    let failed = |source| Error::Read {
        what: "ignore file",
        path: path.to_owned(),
        place: None,
        source,
    };
    let refuse = |why: &str, fix: &str| Error::BadValue {
        from: Source::Flag(FLAG),
        key: FLAG.to_owned(),
        why: format!("`{}` {why}", printable(&path.display().to_string())),
        fix: fix.to_owned(),
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refuse(
            "is longer than 32 KiB, which is more than nodes read of such a file",
            "name a file of patterns in the syntax of .gitignore, one a line",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_not_text| {
        refuse(
            "is not UTF-8",
            "save it as UTF-8 text: patterns in the syntax of .gitignore, one a line",
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let is_meant = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let patterns: Vec<String> = text.lines().filter(is_meant).map(str::to_owned).collect();
    if patterns.iter().any(|line| line.chars().any(is_foreign)) {
        return Err(refuse(
            "holds control characters, as binary files do",
            "name a file of patterns in the syntax of .gitignore, one a line",
        ));
    }
    if patterns.is_empty() {
        return Err(refuse(
            "holds no pattern",
            "leave the flag out: the server's own .pteroignore then says what is left out",
        ));
    }
    Ok(patterns)
}

fn is_foreign(character: char) -> bool {
    character.is_control() && character != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_of(bytes: &[u8]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ignore");
        fs::write(&path, bytes).unwrap();
        let shown = path.display().to_string();
        read(&path).map_err(|error| error.explain().replace(&shown, "FILE"))
    }

    #[test]
    fn a_file_of_patterns_is_read_line_by_line_without_comments() {
        assert_eq!(
            read_of(b"\xef\xbb\xbf# logs\r\n*.log\r\n\r\n  \n!keep.log\ncache/ \n"),
            Ok(vec![
                "*.log".to_owned(),
                "!keep.log".to_owned(),
                "cache/ ".to_owned()
            ])
        );
    }

    #[test]
    fn a_file_that_holds_no_patterns_is_refused_with_what_to_do() {
        for (bytes, why) in [
            (&b"# only a comment\n\n"[..], "holds no pattern"),
            (b"", "holds no pattern"),
            (b"a\0b\n", "holds control characters"),
            (b"\xff\xfe*.log\n", "is not UTF-8"),
            (&vec![b'a'; 32 * 1024 + 1], "is longer than 32 KiB"),
        ] {
            let said = read_of(bytes).unwrap_err();
            assert!(
                said.starts_with("bad `--ignore-file`: ") && said.contains(why),
                "{said}"
            );
            assert!(said.contains("\n  fix: "), "{said}");
        }
        assert!(read_of(&vec![b'a'; 32 * 1024]).is_ok());
    }

    #[test]
    fn a_file_that_is_not_there_is_told_by_its_name() {
        let said = read(Path::new("/no/such/ignore")).unwrap_err().explain();
        assert_eq!(
            said,
            "could not read the ignore file `/no/such/ignore`: No such file or directory (os error 2)\n  \
             fix: create the ignore file, or name another"
        );
    }

    #[test]
    fn a_pattern_is_one_line_and_a_name_is_printable() {
        assert_eq!(pattern("*.log"), Ok("*.log".to_owned()));
        for bad in ["", "  ", "a\nb", "\0"] {
            assert!(pattern(bad).is_err(), "{bad:?}");
        }
        assert!(fresh_name(&"é".repeat(255)).is_ok());
        for bad in ["", " ", "a\nb", &"é".repeat(256)] {
            assert!(fresh_name(bad).is_err(), "{bad:?}");
        }
    }
}
