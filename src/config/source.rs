//! Where a value comes from: a flag, the environment, a line of the file, or nowhere (a default).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A position in the configuration file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Where one effective value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This flag, dashes included.
    Flag(&'static str),
    /// This environment variable.
    Environment(&'static str),
    /// This line of the configuration file.
    File(Place),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Environment(variable) => write!(f, "environment, {variable}"),
            Self::File(place) => write!(f, "{}:{}", place.file.display(), place.line),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The source of each setting, by its dotted name, such as `mirror.transfers` or `panel.main.url`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<String, Source>);

impl Sources {
    /// Where this setting comes from; what nobody named is a default.
    pub fn of(&self, setting: &str) -> &Source {
        self.0.get(setting).unwrap_or(&Source::Default)
    }

    pub(super) fn note(&mut self, setting: impl Into<String>, source: Source) {
        self.0.insert(setting.into(), source);
    }
}
