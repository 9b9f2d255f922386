//! Which API key a panel gets, and reading it.
//!
//! First `--api-key-file`, then what the panel's own table names, then the environment, then a systemd
//! credential. What is not a panel's own is never sent to several panels.

use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use crate::config::Environment;
use crate::config::error::Error;
use crate::config::secret_file;
use crate::config::secret_file::Lines;
use crate::config::secret_file::ReadSecret;
use crate::config::source::Place;
use crate::model::ids::PanelName;

/// How long an `api_key_command` may take.
const COMMAND_TIME: Duration = Duration::from_mins(1);
/// At most this much is read from it.
const COMMAND_BYTES: u64 = 64 * 1024;

/// Where a panel's key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOrigin {
    /// `--api-key-file`.
    Flag(PathBuf),
    /// `api_key_file` of the panel.
    File {
        /// The file with the key.
        path: PathBuf,
        /// The line that names it.
        place: Place,
    },
    /// `api_key_command` of the panel: a program and its arguments, run without a shell.
    Command {
        /// Program and arguments; arguments may be secret and are never shown.
        command: KeyCommand,
        /// The line that names it.
        place: Place,
    },
    /// `NESTEGG_API_KEY` itself.
    Variable,
    /// The file that `NESTEGG_API_KEY_FILE` names.
    VariableFile(PathBuf),
    /// A systemd credential of this panel's own name.
    OwnCredential(PathBuf),
    /// The systemd credential `nestegg.key`.
    SharedCredential(PathBuf),
    /// Nothing names one.
    Missing {
        /// A variable that is set and empty.
        empty: Option<&'static str>,
    },
}

/// A program and its arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyCommand {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl std::fmt::Debug for KeyCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} …", self.program)
    }
}

impl KeyOrigin {
    /// Whether several panels could end up with this same key, and what to call it.
    fn shared_as(&self) -> Option<String> {
        match self {
            Self::Flag(path) => Some(format!("the key of --api-key-file {}", path.display())),
            Self::Variable => Some("the key in NESTEGG_API_KEY".to_owned()),
            Self::VariableFile(_) => Some("the key of NESTEGG_API_KEY_FILE".to_owned()),
            Self::SharedCredential(path) => Some(format!("the credential {}", path.display())),
            Self::File { .. }
            | Self::Command { .. }
            | Self::OwnCredential(_)
            | Self::Missing { .. } => None,
        }
    }

    /// In words, without any secret.
    pub fn describe(&self) -> String {
        match self {
            Self::Flag(path) => format!("{}, --api-key-file", path.display()),
            Self::File { path, place } => format!(
                "{}, {}:{}",
                path.display(),
                place.file.display(),
                place.line
            ),
            Self::Command { command, place } => format!(
                "the command `{} …`, {}:{}",
                command.program,
                place.file.display(),
                place.line
            ),
            Self::Variable => "environment, NESTEGG_API_KEY".to_owned(),
            Self::VariableFile(path) => {
                format!("{}, environment, NESTEGG_API_KEY_FILE", path.display())
            }
            Self::OwnCredential(path) | Self::SharedCredential(path) => {
                format!("{}, systemd credential", path.display())
            }
            Self::Missing { .. } => "nothing names one".to_owned(),
        }
    }
}

/// What a panel's own table says about its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnKey {
    /// `api_key_file`, made absolute.
    File(PathBuf),
    /// `api_key_command`.
    Command(KeyCommand),
}

/// Finds where a panel's key comes from, reading nothing but the environment.
///
/// # Errors
/// [`Error::Clash`] when both variables are set, [`Error::BadSecret`] for a key where a file should be named.
pub(super) fn locate(
    panel: &PanelName,
    flag: Option<&Path>,
    own: Option<(&OwnKey, &Place)>,
    environment: &Environment,
) -> Result<KeyOrigin, Error> {
    if let Some(path) = flag {
        secret_file::not_a_key(path, "--api-key-file", None)?;
        return Ok(KeyOrigin::Flag(path.to_owned()));
    }
    if let Some((own, place)) = own {
        let place = place.clone();
        return Ok(match own {
            OwnKey::File(path) => KeyOrigin::File {
                path: path.clone(),
                place,
            },
            OwnKey::Command(command) => KeyOrigin::Command {
                command: command.clone(),
                place,
            },
        });
    }
    match (
        environment.filled("NESTEGG_API_KEY"),
        environment.filled("NESTEGG_API_KEY_FILE"),
    ) {
        (Some(_), Some(_)) => {
            return Err(Error::Clash {
                place: None,
                what: "both NESTEGG_API_KEY and NESTEGG_API_KEY_FILE are set".to_owned(),
                fix: "unset one of them".to_owned(),
            });
        }
        (Some(_), None) => return Ok(KeyOrigin::Variable),
        (None, Some(path)) => {
            let path = environment.absolute(Path::new(path));
            secret_file::not_a_key(&path, "NESTEGG_API_KEY_FILE", None)?;
            return Ok(KeyOrigin::VariableFile(path));
        }
        (None, None) => {}
    }
    if let Some(folder) = environment.filled("CREDENTIALS_DIRECTORY") {
        let folder = Path::new(folder);
        let own = folder.join(format!("nestegg-{panel}.key"));
        if own.exists() {
            return Ok(KeyOrigin::OwnCredential(own));
        }
        let shared = folder.join("nestegg.key");
        if shared.exists() {
            return Ok(KeyOrigin::SharedCredential(shared));
        }
    }
    let empty = ["NESTEGG_API_KEY", "NESTEGG_API_KEY_FILE"]
        .into_iter()
        .find(|variable| environment.is_set(variable));
    Ok(KeyOrigin::Missing { empty })
}

/// Checks that no key goes to several panels unless each names it as its own.
pub(super) fn check_sharing<'a>(
    origins: impl IntoIterator<Item = (&'a PanelName, &'a KeyOrigin)>,
) -> Result<(), Error> {
    let mut takers: Vec<(String, Vec<PanelName>)> = Vec::new();
    for (panel, origin) in origins {
        let Some(from) = origin.shared_as() else {
            continue;
        };
        match takers.iter_mut().find(|(taken, _)| *taken == from) {
            Some((_, panels)) => panels.push(panel.clone()),
            None => takers.push((from, vec![panel.clone()])),
        }
    }
    match takers.into_iter().find(|(_, panels)| panels.len() > 1) {
        Some((from, panels)) => Err(Error::SharedKey { from, panels }),
        None => Ok(()),
    }
}

/// Reads the key; may run the panel's command.
///
/// # Errors
/// [`Error`] naming the panel and the source, never the key.
pub(super) fn read(
    panel: &PanelName,
    origin: &KeyOrigin,
    environment: &Environment,
) -> Result<ReadSecret, Error> {
    let what = "API key";
    let file = |path: &Path, place| secret_file::read(path, what, Lines::One, place);
    match origin {
        KeyOrigin::File { path, place } => file(path, Some(place)),
        KeyOrigin::Flag(path)
        | KeyOrigin::VariableFile(path)
        | KeyOrigin::OwnCredential(path)
        | KeyOrigin::SharedCredential(path) => file(path, None),
        KeyOrigin::Variable => {
            let value = environment.filled("NESTEGG_API_KEY").unwrap_or_default();
            one_key(value.as_encoded_bytes(), "NESTEGG_API_KEY", None)
        }
        KeyOrigin::Command { command, place } => {
            let output = run(panel, command, place)?;
            let from = format!("the output of the api_key_command of panel `{panel}`");
            one_key(&output, &from, Some(place))
        }
        KeyOrigin::Missing { empty } => Err(Error::NoKey {
            panel: panel.clone(),
            empty: *empty,
        }),
    }
}

fn one_key(bytes: &[u8], from: &str, place: Option<&Place>) -> Result<ReadSecret, Error> {
    match secret_file::secret_in(bytes, Lines::One) {
        Ok(secret) => Ok(ReadSecret {
            secret,
            warning: None,
        }),
        Err(unusable) => Err(Error::BadSecret {
            from: from.to_owned(),
            what: "API key".to_owned(),
            place: place.cloned(),
            why: unusable.why,
            fix: "it has to be the bare key, on one line",
        }),
    }
}

fn run(panel: &PanelName, command: &KeyCommand, place: &Place) -> Result<Vec<u8>, Error> {
    let failed = |why: String| Error::KeyCommand {
        panel: panel.clone(),
        program: command.program.clone(),
        place: place.clone(),
        why,
    };
    let late = || format!("it took longer than {} seconds", COMMAND_TIME.as_secs());
    let started = Instant::now();
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("it could not be started: {error}")))?;
    let Some(stdout) = child.stdout.take() else {
        return Err(failed("its output could not be read".to_owned()));
    };
    let (sender, receiver) = mpsc::channel();
    // The reader is not joined: after a timeout a grandchild may still hold the pipe open.
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(COMMAND_BYTES + 1).read_to_end(&mut bytes);
        drop(sender.send(read.map(|_count| bytes)));
    });
    let output = match receiver.recv_timeout(COMMAND_TIME) {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => {
            stop(&mut child);
            return Err(failed(format!("its output could not be read: {error}")));
        }
        Err(_late) => {
            stop(&mut child);
            return Err(failed(late()));
        }
    };
    if output.len() as u64 > COMMAND_BYTES {
        stop(&mut child);
        return Err(failed("it prints more than 64 KiB".to_owned()));
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(output),
            Ok(Some(status)) => return Err(failed(format!("it ended with {status}"))),
            Ok(None) if started.elapsed() < COMMAND_TIME => {
                thread::sleep(Duration::from_millis(5));
            }
            Ok(None) => {
                stop(&mut child);
                return Err(failed(late()));
            }
            Err(error) => return Err(failed(format!("it could not be waited for: {error}"))),
        }
    }
}

fn stop(child: &mut Child) {
    if let Err(error) = child.kill() {
        tracing::debug!(error = %error, "could not stop the api_key_command");
    }
    if let Err(error) = child.wait() {
        tracing::debug!(error = %error, "could not wait for the api_key_command");
    }
}
