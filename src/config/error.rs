//! What can be wrong with flags, environment and file, each said with its mend.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use crate::config::source::Place;
use crate::config::source::Source;
use crate::model::ids::PanelName;
use crate::model::outcome::FailureKind;
use crate::model::outcome::chain;

/// The configuration can't be used; nothing was touched.
///
/// No variant ever holds a secret: values are repeated only where they can't be one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file that was asked for is not there.
    #[error("there is no configuration file `{}` ({asked_by})", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What named it.
        asked_by: Source,
    },
    /// A file is there and can't be read.
    #[error("could not read the {what} `{}`", path.display())]
    Read {
        /// What it is.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What named it, when a line of the configuration did.
        place: Option<Place>,
        /// Why.
        source: io::Error,
    },
    /// A file's content is no configuration at all.
    #[error("`{}` is not a configuration file: {why}", path.display())]
    NotConfiguration {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file is not TOML.
    #[error("this is not TOML: {why}")]
    Syntax {
        /// Where.
        place: Place,
        /// The parser's words.
        why: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {section}")]
    UnknownKey {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// The table it stands in.
        section: String,
        /// The key that was probably meant.
        meant: Option<&'static str>,
        /// All keys of that table.
        known: Vec<&'static str>,
    },
    /// A key that has to be there.
    #[error("{section} has no `{key}`")]
    MissingKey {
        /// The table.
        place: Place,
        /// The table's name.
        section: String,
        /// The key.
        key: &'static str,
        /// How a line with it looks.
        example: &'static str,
    },
    /// A value of the wrong type.
    #[error("`{key}` is {found} and has to be {expected}")]
    WrongType {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// What it has to be, with an example.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A value of the right type that makes no sense.
    #[error("bad `{key}`: {why}")]
    BadValue {
        /// Where it comes from.
        from: Source,
        /// The key or flag.
        key: String,
        /// Why.
        why: String,
        /// What to do about it; may be empty when `why` says it.
        fix: String,
    },
    /// Two entries that can't stand together.
    #[error("{what}")]
    Clash {
        /// The second of them, when the file has it.
        place: Option<Place>,
        /// What clashes.
        what: String,
        /// What to do about it.
        fix: String,
    },
    /// Neither flags nor file name what is needed.
    #[error("{what}")]
    Missing {
        /// What is missing.
        what: String,
        /// What to add.
        fix: String,
    },
    /// A name that stands for nothing.
    #[error("there is no {what} `{name}` in the configuration")]
    UnknownName {
        /// `panel` or `destination`.
        what: &'static str,
        /// The name.
        name: String,
        /// What to do about it.
        fix: String,
    },
    /// A panel has no key.
    #[error("there is no API key for panel `{panel}`")]
    NoKey {
        /// The panel.
        panel: PanelName,
        /// A source that is there and empty, if any.
        empty: Option<&'static str>,
    },
    /// One key would go to several panels.
    #[error("{from} would be sent to several panels: {}", names(panels))]
    SharedKey {
        /// What holds the key.
        from: String,
        /// The panels.
        panels: Vec<PanelName>,
    },
    /// What should hold a key holds none.
    #[error("{from} holds no usable {what}: {why}")]
    BadSecret {
        /// What should hold it.
        from: String,
        /// `API key` or an option's name.
        what: String,
        /// The line of the configuration that names it.
        place: Option<Place>,
        /// Why.
        why: &'static str,
        /// What to do about it.
        fix: &'static str,
    },
    /// The command that prints a key did not.
    #[error("the api_key_command of panel `{panel}` (`{program}`) failed: {why}")]
    KeyCommand {
        /// The panel.
        panel: PanelName,
        /// The command's first word.
        program: String,
        /// The line of the configuration that names it.
        place: Place,
        /// Why.
        why: String,
    },
    /// No folder of the user's own to put a file in.
    #[error("there is no place for the {what}: neither {xdg} nor HOME names an absolute path")]
    NoHome {
        /// What is to be placed.
        what: &'static str,
        /// The XDG variable.
        xdg: &'static str,
        /// The flag that says it.
        flag: &'static str,
    },
    /// `config init` would overwrite a file.
    #[error("`{}` is already there, and is not overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// `config init` could not write.
    #[error("could not write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than one thing is wrong.
    #[error("{} things are wrong with the configuration", .0.len())]
    Several(Vec<Self>),
}

fn names(panels: &[PanelName]) -> String {
    let names: Vec<&str> = panels.iter().map(PanelName::as_str).collect();
    names.join(", ")
}

impl Error {
    /// The kind of failure: always the operator's own machine and files; the exit code is 2.
    pub fn kind(&self) -> FailureKind {
        FailureKind::Local
    }

    /// The position in the file, when there is one.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::UnknownKey { place, .. }
            | Self::MissingKey { place, .. }
            | Self::WrongType { place, .. }
            | Self::KeyCommand { place, .. } => Some(place),
            Self::BadValue { from, .. } => match from {
                Source::File(place) => Some(place),
                Source::Flag(_) | Source::Environment(_) | Source::Default => None,
            },
            Self::Read { place, .. }
            | Self::Clash { place, .. }
            | Self::BadSecret { place, .. } => place.as_ref(),
            Self::NoFile { .. }
            | Self::NotConfiguration { .. }
            | Self::Missing { .. }
            | Self::UnknownName { .. }
            | Self::NoKey { .. }
            | Self::SharedKey { .. }
            | Self::NoHome { .. }
            | Self::Exists { .. }
            | Self::Write { .. }
            | Self::Several(_) => None,
        }
    }

    /// What to do about it; empty when the message says it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoFile { path, .. } => format!(
                "name another file, or write a starter with `nestegg config init --config {}`",
                path.display()
            ),
            Self::Read { what, source, .. } => {
                let kind = source.kind();
                if kind == io::ErrorKind::NotFound {
                    format!("create the {what}, or name another")
                } else if kind == io::ErrorKind::PermissionDenied {
                    "let the user that runs nestegg read it (`ls -l` shows who may)".to_owned()
                } else if kind == io::ErrorKind::IsADirectory {
                    "name a file, not a folder".to_owned()
                } else {
                    String::new()
                }
            }
            Self::NotConfiguration { .. } => {
                "name a TOML file in UTF-8; `nestegg config init` writes a starter".to_owned()
            }
            Self::Syntax { .. } => {
                "texts stand in quotes: key = \"value\"; tables start with [[panel]], [[destination]] or [mirror]"
                    .to_owned()
            }
            Self::UnknownKey { meant, known, .. } => match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known keys: {}", known.join(", ")),
            },
            Self::MissingKey { example, .. } => format!("add a line such as: {example}"),
            Self::BadValue { fix, .. }
            | Self::Clash { fix, .. }
            | Self::Missing { fix, .. }
            | Self::UnknownName { fix, .. } => fix.clone(),
            Self::BadSecret { fix, .. } => (*fix).to_owned(),
            Self::NoKey { panel, empty } => {
                let mut text = format!(
                    "give a client API key in one of these ways: --api-key-file FILE; `api_key_file` or \
                     `api_key_command` of the panel in the configuration; the environment variable \
                     NESTEGG_API_KEY or NESTEGG_API_KEY_FILE; a systemd credential named nestegg-{panel}.key or nestegg.key"
                );
                if let Some(variable) = empty {
                    let _infallible = write!(text, " ({variable} is set, and empty)");
                }
                text
            }
            Self::SharedKey { .. } => {
                "give each panel its own `api_key_file` in the configuration, or select one with --panel".to_owned()
            }
            Self::KeyCommand { .. } => {
                "run the command by hand: it must end with success and print the key, alone, on stdout".to_owned()
            }
            Self::NoHome { flag, .. } => format!("say where with {flag}, or set HOME"),
            Self::Exists { .. } => "edit it, or name another file with --config".to_owned(),
            Self::Write { .. } => "name a file that may be written with --config".to_owned(),
            Self::WrongType { .. } | Self::Several(_) => String::new(),
        }
    }

    /// Each thing that is wrong.
    pub fn each(&self) -> Vec<&Self> {
        if let Self::Several(errors) = self {
            errors.iter().flat_map(Self::each).collect()
        } else {
            vec![self]
        }
    }

    /// Everything there is to say, on several lines, without a leading `error:` and without a last line end.
    pub fn explain(&self) -> String {
        if let Self::Several(errors) = self {
            let parts: Vec<String> = errors.iter().map(Self::explain).collect();
            return format!("{self}\n\n{}", parts.join("\n\n"));
        }
        let mut text = chain(self);
        if let Some(place) = self.place() {
            let _infallible = write!(text, "\n  --> {place}");
        }
        let hint = self.hint();
        if !hint.is_empty() {
            let _infallible = write!(text, "\n  fix: {hint}");
        }
        text
    }

    /// Nothing, the one error, or all of them.
    pub(super) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match (errors.pop(), errors.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                errors.push(last);
                Err(Self::Several(errors))
            }
        }
    }
}
