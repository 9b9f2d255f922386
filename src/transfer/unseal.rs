//! The private keys that open encrypted copies, and the stage of a restore that uses them.

mod stage;

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use age::secrecy::ExposeSecret as _;
use age::secrecy::SecretString;

use crate::model::outcome::FailureKind;

pub(super) use crate::transfer::unseal::stage::Opened;
pub(super) use crate::transfer::unseal::stage::Unopened;
pub(super) use crate::transfer::unseal::stage::Unsealer;
pub(super) use crate::transfer::unseal::stage::Unsealing;
pub(super) use crate::transfer::unseal::stage::opens_beginning;

/// No identity file is longer.
const LONGEST_FILE_BYTES: u64 = 1 << 20;

/// Private keys, read from identity files; only restores have them.
#[derive(Clone, Default)]
pub struct Identities {
    keys: Vec<Arc<dyn age::Identity + Send + Sync>>,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities")
            .field("keys", &self.keys.len())
            .finish()
    }
}

/// An identity file could not be used. Nothing of what stands in one is repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("could not read the identity file `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is longer than any identity file, or no text.
    #[error("`{}` is no identity file: {why}", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// In what way.
        why: &'static str,
    },
    /// The key in it is itself encrypted.
    #[error("the private key in `{}` is protected by a passphrase", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// It holds a public key.
    #[error("line {line} of `{}` is a public key, which opens nothing", path.display())]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// It holds the name of a key that a plugin keeps.
    #[error("line {line} of `{}` is a key of an age plugin, and plugins are not run", path.display())]
    Plugin {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// An SSH key of another kind.
    #[error("the SSH key in `{}` is of a kind that age can't use", path.display())]
    OtherSsh {
        /// The file.
        path: PathBuf,
    },
    /// A line is no key.
    #[error("line {line} of `{}` is no private key of age or SSH", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Nothing but comments.
    #[error("`{}` holds no private key", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl Error {
    /// Its kind, for scripts and exit codes.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Read { .. }
            | Self::NoText { .. }
            | Self::Passphrase { .. }
            | Self::PublicKey { .. }
            | Self::Plugin { .. }
            | Self::OtherSsh { .. }
            | Self::NoKey { .. }
            | Self::Empty { .. } => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a file that this user can read",
            Self::Passphrase { .. } => {
                "make a copy without one where only you can read it, and remove it afterwards: for SSH keys \
                 `ssh-keygen -p -N '' -f COPY`, for age `age -d -o COPY FILE`"
            }
            Self::PublicKey { .. } => {
                "give the private half: the file that `age-keygen` wrote, or the SSH key's file without `.pub`"
            }
            Self::Plugin { .. } => {
                "download the object and open it with `age -d` and that plugin, or give another identity"
            }
            Self::OtherSsh { .. } => {
                "give an ed25519 or RSA key in OpenSSH's format, or an age identity"
            }
            Self::NoText { .. } | Self::NoKey { .. } | Self::Empty { .. } => {
                "give the file that `age-keygen` wrote (`AGE-SECRET-KEY-1…`), or an OpenSSH private key"
            }
        }
    }
}

impl Identities {
    /// Reads private keys from files: those that `age-keygen` writes, comments included, and
    /// unprotected OpenSSH keys (ed25519, RSA). A file that others can read is warned of.
    ///
    /// # Errors
    /// [`Error`]: of the first file that can't be used.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for path in paths {
            keys.extend(read_file(path)?);
        }
        Ok(Self { keys })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| &**key as &dyn age::Identity)
    }
}

type Key = Arc<dyn age::Identity + Send + Sync>;

fn read_file(path: &Path) -> Result<Vec<Key>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    warn_of_readers(path, &file);
    let mut text = String::new();
    let read = file.take(LONGEST_FILE_BYTES + 1).read_to_string(&mut text);
    // Wiped when it is dropped, whatever became of it.
    let text = SecretString::from(text);
    let no_text = |why| Error::NoText {
        path: path.to_owned(),
        why,
    };
    match read {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(no_text("it is no text"));
        }
        Err(error) => return Err(failed(error)),
        Ok(bytes) if bytes as u64 > LONGEST_FILE_BYTES => {
            return Err(no_text("it is longer than 1 MiB"));
        }
        Ok(_) => {}
    }
    let text = text.expose_secret();
    let begin = text.trim_start();
    if begin.starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
        || begin.starts_with("age-encryption.org/")
    {
        return Err(Error::Passphrase {
            path: path.to_owned(),
        });
    }
    if begin.starts_with("-----BEGIN ") {
        return ssh_key(path, begin).map(|key| vec![key]);
    }
    native_keys(path, text)
}

#[cfg(unix)]
fn warn_of_readers(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    let others_read = file
        .metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0);
    if others_read {
        tracing::warn!(
            "others on this machine can read the identity file `{}`: chmod 600 it",
            path.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_path: &Path, _file: &File) {}

fn ssh_key(path: &Path, text: &str) -> Result<Key, Error> {
    let other = || Error::OtherSsh {
        path: path.to_owned(),
    };
    let protected = || Error::Passphrase {
        path: path.to_owned(),
    };
    if text.contains("Proc-Type: 4,ENCRYPTED") || text.starts_with("-----BEGIN ENCRYPTED") {
        return Err(protected());
    }
    // The parser waits for a line's end after the last line.
    let text = SecretString::from(format!("{}\n", text.replace("\r\n", "\n").trim_end()));
    let key = age::ssh::Identity::from_buffer(text.expose_secret().as_bytes(), None);
    match key {
        Ok(key @ age::ssh::Identity::Unencrypted(_)) => Ok(Arc::new(key)),
        Ok(age::ssh::Identity::Encrypted(_)) => Err(protected()),
        Ok(age::ssh::Identity::Unsupported(_)) => Err(other()),
        Err(_no_key) if text.expose_secret().contains("OPENSSH PRIVATE KEY") => Err(Error::NoKey {
            path: path.to_owned(),
            line: 1,
        }),
        Err(_no_key) => Err(other()),
    }
}

fn native_keys(path: &Path, text: &str) -> Result<Vec<Key>, Error> {
    let mut keys: Vec<Key> = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let path = || path.to_owned();
        if let Ok(key) = text.parse::<age::x25519::Identity>() {
            keys.push(Arc::new(key));
        } else if text.starts_with("AGE-PLUGIN-") {
            return Err(Error::Plugin { path: path(), line });
        } else if text.starts_with("age1") || text.starts_with("ssh-") {
            return Err(Error::PublicKey { path: path(), line });
        } else {
            return Err(Error::NoKey { path: path(), line });
        }
    }
    if keys.is_empty() {
        return Err(Error::Empty {
            path: path.to_owned(),
        });
    }
    Ok(keys)
}
