//! Who logs in over SFTP, how, and whom to believe.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::PrivateKey;

use crate::model::fingerprint::Fingerprint;
use crate::model::secret::Secret;
use crate::ops::restore::panel::sftp::error::SftpError;

/// At most this much is read from a file with a key or password.
const MOST_SECRET_BYTES: u64 = 64 * 1024;

/// Who logs in, how, and whom to believe.
#[derive(Debug, Clone)]
pub struct SftpAccess {
    /// The proof.
    pub secret: SftpSecret,
    /// The host keys.
    pub host_keys: HostKeys,
}

/// How to prove to a node who one is.
#[derive(Clone)]
pub enum SftpSecret {
    /// A private key that the panel's account knows; no passphrase.
    Key(Arc<PrivateKey>),
    /// The password of the panel's account.
    Password(Secret),
}

impl fmt::Debug for SftpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Password(_) => "Password(…)",
        })
    }
}

impl SftpSecret {
    /// A private key as the file holds it: OpenSSH's form, or PEM.
    ///
    /// # Errors
    /// [`SftpError::UnusableKey`].
    pub fn key(text: &Secret) -> Result<Self, SftpError> {
        match russh::keys::decode_secret_key(text.expose(), None) {
            Ok(key) => Ok(Self::Key(Arc::new(key))),
            Err(russh::keys::Error::KeyIsEncrypted) => Err(SftpError::UnusableKey {
                why: "a passphrase protects it",
            }),
            // The cause could quote the file.
            Err(_other) => Err(SftpError::UnusableKey {
                why: "it is no private key that OpenSSH would read",
            }),
        }
    }
}

/// Which host keys are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeys {
    /// The one with this fingerprint, as `SHA256:…`.
    Pinned(Fingerprint),
    /// Those that a `known_hosts` file names for the node; a file that is not there names none.
    KnownHosts(PathBuf),
}

impl SftpAccess {
    /// The access that a private key's file gives.
    ///
    /// # Errors
    /// [`SftpError::Unreadable`], [`SftpError::UnusableKey`].
    pub fn with_key_file(path: &Path, host_keys: HostKeys) -> Result<Self, SftpError> {
        let secret = SftpSecret::key(&secret_in(path)?)?;
        Ok(Self { secret, host_keys })
    }

    /// The access that a password's file gives.
    ///
    /// # Errors
    /// [`SftpError::Unreadable`].
    pub fn with_password_file(path: &Path, host_keys: HostKeys) -> Result<Self, SftpError> {
        let secret = SftpSecret::Password(secret_in(path)?);
        Ok(Self { secret, host_keys })
    }
}

fn secret_in(path: &Path) -> Result<Secret, SftpError> {
    let unreadable = |source| SftpError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MOST_SECRET_BYTES).read_to_string(&mut text))
        .map_err(unreadable)?;
    let secret = Secret::new(text);
    if secret.is_empty() {
        return Err(unreadable(io::Error::other("it is empty")));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_private_key_is_refused_without_repeating_it() {
        let error = SftpSecret::key(&Secret::new("sentinel")).unwrap_err();
        assert_eq!(
            format!("{error} {error:?}").find("sentinel"),
            None,
            "{error}"
        );
    }
}
