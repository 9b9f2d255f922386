//! What the members of an archive are called: names that may be anything, and globs over them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::str::FromStr;

use globset::GlobBuilder;
use globset::GlobMatcher;

use crate::model::ids::printable;
use crate::model::text::shown_name;

/// The longest path that the usual calls of a system take; a longer one could be made and not be opened.
const LONGEST_PATH_BYTES: usize = 4095;

/// The longest name of one file or directory on the usual file systems.
const LONGEST_NAME_BYTES: usize = 255;

/// No real tree is deeper than this.
const DEEPEST: usize = 128;

/// At most this many characters of a member's name are shown.
const SHOWN_CHARACTERS: usize = 120;

/// A member's name made safe to print.
pub fn shown_member(name: &[u8]) -> String {
    shown_name(&String::from_utf8_lossy(name), SHOWN_CHARACTERS)
}

/// A member's path below the root of its archive: it leads nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberPath {
    /// The names with one slash between them; empty for the root.
    bytes: Vec<u8>,
    depth: usize,
}

/// Why a member's name, or what a link leads to, can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadMember {
    /// It begins with a slash.
    #[error("has an absolute path")]
    Absolute,
    /// It goes up.
    #[error("has `..` in its path")]
    Upwards,
    /// It holds a NUL.
    #[error("has a NUL character in its name")]
    Nul,
    /// There is nothing in it.
    #[error("has no name")]
    Nameless,
    /// A link whose target is nowhere below the root.
    #[error("is a link that leads out")]
    LeadsOut,
}

impl MemberPath {
    /// Reads a member's name; `.` and doubled slashes count for nothing.
    ///
    /// # Errors
    /// [`BadMember`], for a name that no panel's node writes.
    pub fn parse(name: &[u8]) -> Result<Self, BadMember> {
        if name.is_empty() {
            return Err(BadMember::Nameless);
        }
        if name.starts_with(b"/") {
            return Err(BadMember::Absolute);
        }
        if name.contains(&0) {
            return Err(BadMember::Nul);
        }
        let mut bytes = Vec::with_capacity(name.len());
        let mut depth = 0;
        for part in parts(name) {
            match part {
                b".." => return Err(BadMember::Upwards),
                part => {
                    if depth > 0 {
                        bytes.push(b'/');
                    }
                    bytes.extend_from_slice(part);
                    depth += 1;
                }
            }
        }
        Ok(Self { bytes, depth })
    }

    /// The names on the way to it, its own last; none for the root.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.bytes
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty())
    }

    /// Its directory and its own name; `None` for the root.
    pub fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.depth == 0 {
            return None;
        }
        match self.bytes.iter().rposition(|byte| *byte == b'/') {
            None => Some((&[], &self.bytes)),
            Some(at) => Some((self.bytes.get(..at)?, self.bytes.get(at + 1..)?)),
        }
    }

    /// The path as it is in the archive, in its shortest form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many names it has.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Whether a usual file system can hold it.
    pub fn fits(&self) -> bool {
        self.bytes.len() <= LONGEST_PATH_BYTES
            && self.depth <= DEEPEST
            && self.parts().all(|part| part.len() <= LONGEST_NAME_BYTES)
    }

    /// Checks that a symbolic link of this path that says `target` leads to a place below the root.
    ///
    /// Only targets are taken that go up first and down after, and not higher than the root: then
    /// going up never depends on what other links there are, so that no chain of them leads out.
    ///
    /// # Errors
    /// [`BadMember::LeadsOut`]; [`BadMember::Nul`] and [`BadMember::Nameless`] for what is no target.
    pub fn check_link(&self, target: &[u8]) -> Result<(), BadMember> {
        if target.is_empty() {
            return Err(BadMember::Nameless);
        }
        if target.contains(&0) {
            return Err(BadMember::Nul);
        }
        if target.starts_with(b"/") {
            return Err(BadMember::LeadsOut);
        }
        let mut above = self.depth.saturating_sub(1);
        let mut goes_down = false;
        for part in parts(target) {
            if part != b".." {
                goes_down = true;
            } else if goes_down || above == 0 {
                return Err(BadMember::LeadsOut);
            } else {
                above -= 1;
            }
        }
        Ok(())
    }
}

fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown_member(&self.bytes))
    }
}

/// A glob over members' paths: `*` and `?` stay within one directory, `**` does not.
#[derive(Clone)]
pub struct MemberGlob {
    text: String,
    matcher: GlobMatcher,
}

impl PartialEq for MemberGlob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for MemberGlob {}

impl fmt::Debug for MemberGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for MemberGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.text))
    }
}

/// A text that is no glob over members.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGlob {
    /// Nothing in it.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// Members' paths begin at the server's root.
    #[error("`{}` begins with `/`: paths begin at the server's root, without one", printable(.0))]
    Absolute(String),
    /// It can't be read.
    #[error("`{}` is no glob: {why} (a backslash makes the next character plain)", printable(.text))]
    Glob {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

impl FromStr for MemberGlob {
    type Err = BadGlob;

    fn from_str(text: &str) -> Result<Self, BadGlob> {
        let plain = text.strip_prefix("./").unwrap_or(text);
        let plain = plain.strip_suffix('/').unwrap_or(plain);
        if plain.trim().is_empty() {
            return Err(BadGlob::Empty);
        }
        if plain.starts_with('/') {
            return Err(BadGlob::Absolute(text.to_owned()));
        }
        let glob = GlobBuilder::new(plain)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| BadGlob::Glob {
                text: text.to_owned(),
                why: error.kind().to_string(),
            })?;
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }
}

impl MemberGlob {
    /// The glob as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches this very path.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.matcher.is_match(Path::new(OsStr::from_bytes(path)))
    }

    /// Whether it matches this path or a directory above it.
    pub fn matches_from_above(&self, path: &[u8]) -> bool {
        let ends = path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| at);
        ends.chain([path.len()])
            .filter_map(|end| path.get(..end))
            .any(|above| self.matches(above))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(name: &str) -> MemberPath {
        MemberPath::parse(name.as_bytes()).unwrap()
    }

    #[test]
    fn a_path_is_read_into_its_shortest_form() {
        for (name, bytes, depth) in [
            ("ops.json", "ops.json", 1),
            ("./world//region/./r.0.0.mca", "world/region/r.0.0.mca", 3),
            ("world/", "world", 1),
            ("./", "", 0),
            ("...", "...", 1),
        ] {
            let path = path(name);
            assert_eq!(
                (path.as_bytes(), path.depth()),
                (bytes.as_bytes(), depth),
                "{name}"
            );
        }
        assert_eq!(path("a/b/c").split(), Some((&b"a/b"[..], &b"c"[..])));
        assert_eq!(path("a").split(), Some((&b""[..], &b"a"[..])));
        assert_eq!(path(".").split(), None);
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (name, bad) in [
            ("", BadMember::Nameless),
            ("/etc/passwd", BadMember::Absolute),
            ("..", BadMember::Upwards),
            ("world/../../x", BadMember::Upwards),
            ("a/..", BadMember::Upwards),
            ("a\0b", BadMember::Nul),
        ] {
            assert_eq!(MemberPath::parse(name.as_bytes()), Err(bad), "{name:?}");
        }
    }

    #[test]
    fn links_may_go_up_to_the_root_and_then_down() {
        let link = path("plugins/jars/latest.jar");
        for target in [
            "v2.jar",
            "../../ops.json",
            "../../world/x",
            "./v2.jar",
            "../..",
        ] {
            assert_eq!(link.check_link(target.as_bytes()), Ok(()), "{target}");
        }
        for target in [
            "/etc/passwd",
            "../../../x",
            "v2/../../../../x",
            "v2/../v3",
            "..//../../x",
        ] {
            assert_eq!(
                link.check_link(target.as_bytes()),
                Err(BadMember::LeadsOut),
                "{target}"
            );
        }
        assert_eq!(link.check_link(b""), Err(BadMember::Nameless));
        assert_eq!(path("top").check_link(b".."), Err(BadMember::LeadsOut));
    }

    #[test]
    fn names_that_no_file_system_holds_do_not_fit() {
        assert!(path(&"n".repeat(255)).fits());
        assert!(!path(&"n".repeat(256)).fits());
        assert!(!path(&"n".repeat(10_000)).fits());
        assert!(path(&"d/".repeat(128)).fits());
        assert!(!path(&"d/".repeat(129)).fits());
        assert!(!path(&format!("{}x", "long-name/".repeat(500))).fits());
    }

    #[test]
    fn globs_take_paths_and_directories_above_them() {
        let glob = |text: &str| text.parse::<MemberGlob>().unwrap();
        assert!(glob("world/level.dat").matches(b"world/level.dat"));
        assert!(!glob("*.dat").matches(b"world/level.dat"));
        assert!(glob("**/*.dat").matches(b"world/level.dat"));
        assert!(glob("**/*.dat").matches(b"level.dat"));
        assert!(!glob("world").matches(b"world/level.dat"));
        assert!(glob("world").matches_from_above(b"world/region/r.mca"));
        assert!(glob("world/").matches_from_above(b"world/level.dat"));
        assert!(glob("./plug*").matches_from_above(b"plugins/a.jar"));
        assert!(!glob("orld").matches_from_above(b"world/level.dat"));
        assert!(glob("caf*").matches(b"caf\xe9"));
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        assert_eq!("".parse::<MemberGlob>(), Err(BadGlob::Empty));
        assert_eq!(
            "/world".parse::<MemberGlob>(),
            Err(BadGlob::Absolute("/world".to_owned()))
        );
        assert!(matches!(
            "[a".parse::<MemberGlob>(),
            Err(BadGlob::Glob { .. })
        ));
    }

    proptest! {
        #[test]
        fn a_path_never_has_a_part_that_leads_anywhere(name: Vec<u8>) {
            if let Ok(path) = MemberPath::parse(&name) {
                let odd = path.parts().any(|part| part == b".." || part == b"." || part.contains(&0));
                prop_assert!(!odd);
                prop_assert_eq!(path.parts().count(), path.depth());
            }
        }
    }
}
