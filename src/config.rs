//! Settings: the only reader of flags, environment and file.
//!
//! [`load`] finds and reads the file, [`resolve`](resolve::resolve) puts the three together: a flag beats the
//! environment, which beats the file, which beats the default. Each effective value keeps its source, so that
//! `config show` can say it. Bad input ends in one [`Error`] that names the thing, its line and the mend.

pub mod address;
pub mod error;
pub mod file;
pub mod flags;
pub mod ignore;
pub mod key;
pub mod location;
pub mod output;
pub mod reader;
mod recipients;
pub mod resolve;
pub mod secret_file;
pub mod settings;
pub mod source;
pub mod table;
pub mod value;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

pub use crate::config::error::Error;
pub use crate::config::flags::Flags;
pub use crate::config::settings::Settings;

use crate::config::file::File;
use crate::config::flags::Request;
use crate::config::source::Source;
use crate::model::secret::Secret;

/// A configuration file is never longer than this.
const MOST_BYTES: u64 = 1024 * 1024;

/// Variables that stores read, by the beginning of their names.
const STORE_PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];
/// Those of proxies, in capitals or not.
const PROXIES: [&str; 2] = ["HTTP_PROXY", "ALL_PROXY"];

/// What the process was given besides its arguments; captured once, so that tests can make their own.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    current_dir: PathBuf,
    system_config: PathBuf,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .field("current_dir", &self.current_dir)
            .field("system_config", &self.system_config)
            .finish()
    }
}

impl Environment {
    /// An environment of these variables.
    ///
    /// `current_dir` is where relative paths of flags start, `system_config` the file that is read when the
    /// user has none.
    pub fn new(
        variables: impl IntoIterator<Item = (String, OsString)>,
        current_dir: PathBuf,
        system_config: PathBuf,
    ) -> Self {
        Self {
            variables: variables.into_iter().collect(),
            current_dir,
            system_config,
        }
    }

    /// The environment of this process.
    pub fn capture() -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let current_dir = std::env::current_dir().unwrap_or_default();
        Self::new(
            variables,
            current_dir,
            PathBuf::from("/etc/nestegg/config.toml"),
        )
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn filled(&self, variable: &str) -> Option<&OsStr> {
        self.variables
            .get(variable)
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn is_set(&self, variable: &str) -> bool {
        self.variables.contains_key(variable)
    }

    /// The user's home, if it is known.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.filled("HOME")
            .map(Path::new)
            .filter(|home| home.is_absolute())
    }

    /// A path of a flag or a variable, made absolute.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        location::absolute(path, &self.current_dir, self.home())
    }

    pub(crate) fn current_dir(&self) -> &Path {
        &self.current_dir
    }

    /// What stores read, by name.
    pub(crate) fn of_stores(&self) -> Vec<(String, Secret)> {
        self.variables
            .iter()
            .filter(|(name, _)| {
                STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
                    || name.as_str() == "SERVICE_ACCOUNT"
                    || PROXIES.iter().any(|proxy| name.eq_ignore_ascii_case(proxy))
            })
            .filter_map(|(name, value)| Some((name.clone(), Secret::new(value.to_str()?))))
            .collect()
    }

    /// The folder of a kind of the user's own files: `$XDG_…`, else a folder below `$HOME`.
    fn own_folder(&self, xdg: &str, below_home: &str) -> Option<PathBuf> {
        self.filled(xdg)
            .map(Path::new)
            .filter(|folder| folder.is_absolute())
            .map(Path::to_path_buf)
            .or_else(|| self.home().map(|home| home.join(below_home)))
            .map(|folder| folder.join("nestegg"))
    }

    /// `$XDG_CONFIG_HOME/nestegg/config.toml`, if there is such a place.
    fn own_config(&self) -> Option<PathBuf> {
        self.own_folder("XDG_CONFIG_HOME", ".config")
            .map(|folder| folder.join("config.toml"))
    }

    /// `$XDG_STATE_HOME/nestegg/ledger.sqlite3`.
    ///
    /// # Errors
    /// [`Error::NoHome`].
    fn own_ledger(&self) -> Result<PathBuf, Error> {
        self.own_folder("XDG_STATE_HOME", ".local/state")
            .map(|folder| folder.join("ledger.sqlite3"))
            .ok_or(Error::NoHome {
                what: "ledger",
                xdg: "XDG_STATE_HOME",
                flag: "--ledger",
            })
    }

    /// The file that `--config` or `NESTEGG_CONFIG` names, made absolute, and which of them.
    fn named_config(&self, flag: Option<&Path>) -> Option<(PathBuf, Source)> {
        if let Some(path) = flag {
            return Some((self.absolute(path), Source::Flag("--config")));
        }
        self.filled("NESTEGG_CONFIG").map(|path| {
            (
                self.absolute(Path::new(path)),
                Source::Environment("NESTEGG_CONFIG"),
            )
        })
    }

    /// Where the file is looked for when nothing names one.
    pub(crate) fn default_configs(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self.own_config().into_iter().collect();
        paths.push(self.system_config.clone());
        paths
    }
}

/// Settings from flags, environment and the file that they name, or the default one if it is there.
///
/// # Errors
/// [`Error`]; nothing was changed.
pub fn load(flags: &Flags, environment: &Environment) -> Result<Settings, Error> {
    let file = read_file(flags, environment)?;
    if file.is_none() && flags.request == Request::Check {
        let looked_at: Vec<String> = environment
            .default_configs()
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(Error::Missing {
            what: format!(
                "there is no configuration file to check: looked at {}",
                looked_at.join(", ")
            ),
            fix: "write one with `nestegg config init`, or name one with --config".to_owned(),
        });
    }
    resolve::resolve(flags, environment, file.as_ref())
}

/// Where `config init` writes: `--config`, `NESTEGG_CONFIG`, else the user's own file.
///
/// # Errors
/// [`Error::NoHome`].
pub fn starter_path(flag: Option<&Path>, environment: &Environment) -> Result<PathBuf, Error> {
    match environment.named_config(flag) {
        Some((path, _)) => Ok(path),
        None => environment.own_config().ok_or(Error::NoHome {
            what: "configuration file",
            xdg: "XDG_CONFIG_HOME",
            flag: "--config",
        }),
    }
}

/// The configuration file in force, read and parsed; `None` when nothing names one and no default is there.
///
/// # Errors
/// [`Error`] for a named file that is not there, and for any file that can't be read or is wrong.
pub fn read_file(flags: &Flags, environment: &Environment) -> Result<Option<File>, Error> {
    let named = environment.named_config(flags.config.as_deref());
    let (paths, asked_by) = match named {
        Some((path, source)) => (vec![path], Some(source)),
        None => (environment.default_configs(), None),
    };
    for path in paths {
        match read_text(&path) {
            Ok(text) => return file::parse(&path, &text, environment.home()).map(Some),
            Err(Error::Read { source, .. }) if is_absent(&source) => {
                if let Some(asked_by) = asked_by {
                    return Err(Error::NoFile { path, asked_by });
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn read_text(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read {
        what: "configuration file",
        path: path.to_owned(),
        place: None,
        source,
    };
    let refuse = |why: String| Error::NotConfiguration {
        path: path.to_owned(),
        why,
    };
    let file = fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refuse("it is longer than 1 MiB".to_owned()));
    }
    if bytes.contains(&0) {
        return Err(refuse(
            "it holds NUL bytes, as binary files and UTF-16 do".to_owned(),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let whole = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..whole).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        refuse(format!("it is not UTF-8 (line {line})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_told_of_their_variables_and_of_proxies_and_of_no_others() {
        let variables = [
            "AWS_REGION",
            "SERVICE_ACCOUNT",
            "service_account",
            "HTTP_PROXY",
            "http_proxy",
            "all_proxy",
            "HTTPS_PROXY",
            "NESTEGG_API_KEY",
            "PATH",
        ];
        let variables = variables.map(|name| (name.to_owned(), OsString::from("x")));
        let environment = Environment::new(variables, PathBuf::new(), PathBuf::new());
        let told: Vec<_> = environment
            .of_stores()
            .into_iter()
            .map(|(name, _value)| name)
            .collect();
        assert_eq!(
            told,
            [
                "AWS_REGION",
                "HTTP_PROXY",
                "SERVICE_ACCOUNT",
                "all_proxy",
                "http_proxy"
            ]
        );
    }
}
