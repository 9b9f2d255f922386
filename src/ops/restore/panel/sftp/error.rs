//! Everything that can go wrong with SFTP to a node.

use std::io;
use std::path::PathBuf;

use crate::model::outcome::FailureKind;
use crate::model::text::one_line;
use crate::ops::restore::panel::sftp::SHOWN_CHARACTERS;

/// SFTP failed.
#[derive(Debug, thiserror::Error)]
pub enum SftpError {
    /// The private key can't be used.
    #[error("the private key for SFTP can't be used: {why}")]
    UnusableKey {
        /// What is wrong with it; nothing of the key.
        why: &'static str,
    },
    /// The file with the key or password can't be read.
    #[error("could not read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody said which host key to believe.
    #[error("the host key of {host} is not known; it shows {shown}")]
    UnknownHost {
        /// Host and port.
        host: String,
        /// Its fingerprint.
        shown: String,
    },
    /// The host key is another than the one that was said.
    #[error("the host key of {host} is not the one to believe: it shows {shown}")]
    WrongHost {
        /// Host and port.
        host: String,
        /// Its fingerprint.
        shown: String,
    },
    /// No connection, or it broke.
    #[error("could not {action} over SFTP at {host}: {why}")]
    Broken {
        /// What was attempted.
        action: &'static str,
        /// Host and port.
        host: String,
        /// Why; nothing of a secret.
        why: String,
    },
    /// The login is refused.
    #[error("{host} refused the SFTP login of {user}")]
    Refused {
        /// Host and port.
        host: String,
        /// The login's name.
        user: String,
    },
}

impl SftpError {
    /// The kind of failure.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::UnusableKey { .. } | Self::Refused { .. } => FailureKind::Credentials,
            Self::UnknownHost { .. } | Self::WrongHost { .. } => FailureKind::Policy,
            Self::Broken { .. } => FailureKind::Unreachable,
            Self::Unreadable { .. } => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnusableKey { .. } => {
                "give a key of OpenSSH without a passphrase (`ssh-keygen -t ed25519 -N ''`), whose public half is in the panel under Account, SSH Keys".to_owned()
            }
            Self::Unreadable { .. } => {
                "check the path, and that this user may read it".to_owned()
            }
            Self::UnknownHost { shown, .. } => format!(
                "compare it on the node (`ssh-keygen -lf` over the keys below /var/lib/pterodactyl/.sftp), and if it is right, add --sftp-host-key {shown}"
            ),
            Self::WrongHost { .. } => {
                "either the node got a new key or somebody stands between: compare it on the node before anything else; nothing was sent".to_owned()
            }
            Self::Broken { .. } => {
                "check that this machine reaches the node's SFTP port (2022 unless configured otherwise), and run this again: it goes on where it was".to_owned()
            }
            Self::Refused { .. } => {
                "API keys do not work here: the account needs the permission file.sftp on the server, and its password, or a key that is in the panel under Account, SSH Keys".to_owned()
            }
        }
    }
}

/// A connection that failed, with the server's words made safe to print.
pub(super) fn broken(action: &'static str, host: &str, why: &str) -> SftpError {
    SftpError::Broken {
        action,
        host: host.to_owned(),
        why: one_line(why, SHOWN_CHARACTERS),
    }
}
