//! One file to a node over SFTP (`panel-contract.md` section 7, route C).
//!
//! The file has a name of its own until the archive is proved. One that an earlier run left is gone
//! on with, as far as its bytes are those of the archive: they are read back and compared.

use std::fmt;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use russh::client;
use russh::client::Handle;
use russh::keys::HashAlg;
use russh::keys::PrivateKey;
use russh::keys::PrivateKeyWithHashAlg;
use russh::keys::PublicKey;
use russh::keys::known_hosts::known_host_keys_path;
use russh_sftp::client::SftpSession;
use russh_sftp::client::fs::File;
use russh_sftp::protocol::FileAttributes;
use russh_sftp::protocol::OpenFlags;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::model::content::Part;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::secret::Secret;
use crate::model::text::one_line;
use crate::ops::restore::panel::because::Because;
use crate::panel::SftpAddress;
use crate::transfer::pump::Sink;

/// A silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// A server may take this long for one request, a `write` to a slow disk included.
const REQUEST_SECONDS: u64 = 60;
/// At most this much is read from a file with a key or password.
const MOST_SECRET_BYTES: u64 = 64 * 1024;
/// Words of a server are shown up to this length.
const SHOWN_CHARACTERS: usize = 300;

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

/// The SHA-256 of a public key, as OpenSSH writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

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
    std::fs::File::open(path)
        .and_then(|file| file.take(MOST_SECRET_BYTES).read_to_string(&mut text))
        .map_err(unreadable)?;
    let secret = Secret::new(text);
    if secret.is_empty() {
        return Err(unreadable(io::Error::other("it is empty")));
    }
    Ok(secret)
}

impl std::str::FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
        match text.strip_prefix("SHA256:") {
            Some(digest) if digest.len() == 43 && digest.chars().all(base64) => {
                Ok(Self(text.to_owned()))
            }
            Some(_) | None => Err(
                "write SHA256: and 43 characters, as `ssh-keygen -lf` prints it for the node's host key",
            ),
        }
    }
}

/// Who logs in, how, and whom to believe.
#[derive(Debug, Clone)]
pub struct SftpAccess {
    /// The proof.
    pub secret: SftpSecret,
    /// The host keys.
    pub host_keys: HostKeys,
}

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

/// What a host key was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Believed {
    Unknown(String),
    Wrong(String),
}

/// Decides about the host key, once.
struct HostKeyCheck {
    rule: HostKeys,
    address: SftpAddress,
    refused: Arc<OnceLock<Believed>>,
}

impl client::Handler for HostKeyCheck {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKey) -> Result<bool, Self::Error> {
        let shown = key.fingerprint(HashAlg::Sha256).to_string();
        let refused = match &self.rule {
            HostKeys::Pinned(Fingerprint(wanted)) if *wanted == shown => return Ok(true),
            HostKeys::Pinned(_) => Believed::Wrong(shown),
            HostKeys::KnownHosts(file) => {
                let known = known_host_keys_path(&self.address.host, self.address.port, file);
                let known = known.unwrap_or_default();
                if known
                    .iter()
                    .any(|(_line, known)| known.key_data() == key.key_data())
                {
                    return Ok(true);
                }
                if known.is_empty() {
                    Believed::Unknown(shown)
                } else {
                    Believed::Wrong(shown)
                }
            }
        };
        self.refused.get_or_init(|| refused);
        Ok(false)
    }
}

/// A login that came about.
pub struct Sftp {
    session: SftpSession,
    host: String,
    // The connection ends with its handle.
    _connection: Handle<HostKeyCheck>,
}

impl fmt::Debug for Sftp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sftp")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Sftp {
    /// Connects, looks at the host key, and logs in.
    ///
    /// # Errors
    /// Any [`SftpError`]; nothing of the secret was sent to a host that is not believed.
    pub async fn open(
        address: &SftpAddress,
        user: &str,
        access: &SftpAccess,
        patience: Duration,
    ) -> Result<Self, SftpError> {
        let host = format!("{}:{}", address.host, address.port);
        let opened = tokio::time::timeout(patience, Self::connect(address, user, access, &host));
        opened.await.unwrap_or_else(|_elapsed| {
            Err(broken(
                "log in",
                &host,
                &format!("no answer in {} s", patience.as_secs()),
            ))
        })
    }

    async fn connect(
        address: &SftpAddress,
        user: &str,
        access: &SftpAccess,
        host: &str,
    ) -> Result<Self, SftpError> {
        let config = client::Config {
            keepalive_interval: Some(KEEPALIVE),
            nodelay: true,
            ..client::Config::default()
        };
        let refused = Arc::new(OnceLock::new());
        let check = HostKeyCheck {
            rule: access.host_keys.clone(),
            address: address.clone(),
            refused: Arc::clone(&refused),
        };
        let target = (address.host.as_str(), address.port);
        let connected = client::connect(Arc::new(config), target, check).await;
        let mut connection = connected.map_err(|error| {
            let host = host.to_owned();
            match refused.get().cloned() {
                Some(Believed::Unknown(shown)) => SftpError::UnknownHost { host, shown },
                Some(Believed::Wrong(shown)) => SftpError::WrongHost { host, shown },
                None => broken("connect", &host, &error.to_string()),
            }
        })?;
        let fail = |error: russh::Error| broken("log in", host, &error.to_string());
        let answer = match &access.secret {
            SftpSecret::Password(password) => {
                connection
                    .authenticate_password(user, password.expose())
                    .await
            }
            SftpSecret::Key(key) => {
                let hash = connection.best_supported_rsa_hash().await.map_err(fail)?;
                let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash.flatten());
                connection.authenticate_publickey(user, key).await
            }
        };
        if !answer.map_err(fail)?.success() {
            return Err(SftpError::Refused {
                host: host.to_owned(),
                user: one_line(user, SHOWN_CHARACTERS),
            });
        }
        let channel = connection.channel_open_session().await.map_err(fail)?;
        channel
            .request_subsystem(true, "sftp")
            .await
            .map_err(fail)?;
        let config = russh_sftp::client::Config {
            request_timeout_secs: REQUEST_SECONDS,
            ..russh_sftp::client::Config::default()
        };
        let session = SftpSession::new_with_config(channel.into_stream(), config)
            .await
            .map_err(|error| broken("begin a session", host, &error.to_string()))?;
        Ok(Self {
            session,
            host: host.to_owned(),
            _connection: connection,
        })
    }

    fn fail(&self, action: &'static str, error: &russh_sftp::client::error::Error) -> SftpError {
        broken(action, &self.host, &error.to_string())
    }

    /// The length of a file; `None` when there is none.
    async fn length(&self, name: &str) -> Result<Option<u64>, SftpError> {
        let there = self.session.try_exists(name).await;
        if !there.map_err(|error| self.fail("look for a file", &error))? {
            return Ok(None);
        }
        let found = self.session.metadata(name).await;
        let found = found.map_err(|error| self.fail("look at a file", &error))?;
        Ok(Some(found.size.unwrap_or(0)))
    }

    /// Opens a file that is there, or makes it; what is in it stays.
    ///
    /// # Errors
    /// [`SftpError::Broken`].
    pub async fn begin(
        self: Arc<Self>,
        name: String,
        stall_timeout: Duration,
        server: String,
        because: &Because,
    ) -> Result<SftpUpload, SftpError> {
        let there_bytes = self.length(&name).await?.unwrap_or(0);
        let flags = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
        let file = self.session.open_with_flags(name.as_str(), flags).await;
        let file = file.map_err(|error| self.fail("open a file", &error))?;
        if there_bytes > 0 {
            tracing::info!(
                there_bytes,
                "an earlier run left this much of the archive on the node"
            );
        }
        Ok(SftpUpload {
            sftp: self,
            name,
            file,
            there_bytes,
            at_bytes: 0,
            stall_timeout,
            because: because.clone(),
            server,
        })
    }

    /// Removes a file; one that is gone already is fine.
    pub async fn remove(&self, name: &str) {
        if let Err(error) = self.session.remove_file(name).await {
            tracing::debug!("could not remove a file over SFTP: {error}");
        }
    }
}

fn broken(action: &'static str, host: &str, why: &str) -> SftpError {
    SftpError::Broken {
        action,
        host: host.to_owned(),
        why: one_line(why, SHOWN_CHARACTERS),
    }
}

/// A file on a node that takes parts.
#[must_use = "the file only gets its name in `finish`"]
pub struct SftpUpload {
    sftp: Arc<Sftp>,
    name: String,
    file: File,
    /// What an earlier run left, as far as it may still be right.
    there_bytes: u64,
    /// Where the file is to be read or written next.
    at_bytes: u64,
    stall_timeout: Duration,
    because: Because,
    server: String,
}

impl fmt::Debug for SftpUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpUpload")
            .field("name", &self.name)
            .field("at_bytes", &self.at_bytes)
            .finish_non_exhaustive()
    }
}

impl SftpUpload {
    /// Gives the file its name, once it has the length of what was proved.
    ///
    /// # Errors
    /// [`SftpError::Broken`]; the file keeps the name that it is sent under.
    pub async fn finish(self, final_name: &str, length_bytes: u64) -> Result<(), SftpError> {
        let Self {
            sftp,
            name,
            mut file,
            ..
        } = self;
        let said = |error: io::Error| broken("write", &sftp.host, &error.to_string());
        file.flush().await.map_err(said)?;
        if sftp.length(&name).await? != Some(length_bytes) {
            let whole = FileAttributes {
                size: Some(length_bytes),
                ..FileAttributes::empty()
            };
            let cut = file.set_metadata(whole).await;
            cut.map_err(|error| sftp.fail("cut a file", &error))?;
        }
        file.close().await.map_err(said)?;
        match sftp.length(&name).await? {
            Some(found) if found == length_bytes => {}
            found => {
                let why = format!(
                    "the file has {} bytes where {length_bytes} were sent",
                    found.unwrap_or(0)
                );
                return Err(broken("write", &sftp.host, &why));
            }
        }
        if sftp.length(final_name).await?.is_some() {
            sftp.remove(final_name).await;
        }
        let renamed = sftp.session.rename(name.as_str(), final_name).await;
        renamed.map_err(|error| sftp.fail("rename a file", &error))
    }

    /// One part: what is there is compared, the rest is written.
    async fn take(&mut self, part: &Part) -> io::Result<()> {
        for chunk in part.chunks() {
            let mut left = chunk.as_ref();
            let compared = usize::try_from(self.there_bytes.saturating_sub(self.at_bytes))
                .unwrap_or(usize::MAX)
                .min(left.len());
            let (there, new) = left.split_at(compared);
            if !there.is_empty() {
                let mut read = vec![0; there.len()];
                let is_same = self.file.read_exact(&mut read).await.is_ok() && read == there;
                if is_same {
                    self.at_bytes += there.len() as u64;
                    left = new;
                    if self.at_bytes == self.there_bytes {
                        self.write_from_here().await?;
                    }
                } else {
                    tracing::info!(
                        at_bytes = self.at_bytes,
                        "what an earlier run left on the node differs from here on"
                    );
                    self.there_bytes = self.at_bytes;
                    self.write_from_here().await?;
                }
            }
            if !left.is_empty() {
                self.file.write_all(left).await?;
                self.at_bytes += left.len() as u64;
            }
        }
        Ok(())
    }

    async fn write_from_here(&mut self) -> io::Result<()> {
        self.file
            .seek(io::SeekFrom::Start(self.at_bytes))
            .await
            .map(drop)
    }
}

impl Sink for SftpUpload {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let stall_timeout = self.stall_timeout;
        let why = match tokio::time::timeout(stall_timeout, self.take(&part)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => format!("it has taken nothing for {} s", stall_timeout.as_secs()),
        };
        let error = broken("write", &self.sftp.host, &why);
        let failure = Failure {
            scope: Scope::Server,
            id: self.server.clone(),
            kind: error.kind(),
            message: chain(&error),
            hint: error.hint(),
        };
        self.because.tell(error.into());
        Err(failure)
    }

    async fn abort(self) {
        // What was sent stays, to be gone on with.
        if let Err(error) = self.file.close().await {
            tracing::debug!("could not close a file over SFTP: {error}");
        }
    }

    fn name(&self) -> String {
        self.sftp.host.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_prints() {
        let right = "SHA256:Mx0uVuVMWW3dL3pXcqRvZfWhGiXCzDdDMDwTtrAUKKk";
        assert_eq!(right.parse(), Ok(Fingerprint(right.to_owned())));
        for text in [
            "",
            "SHA256:",
            "MD5:16:27:ac",
            "Mx0uVuVMWW3dL3pXcqRvZfWhGiXCzDdDMDwTtrAUKKk",
            "SHA256:short",
        ] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

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
