//! One file to a node over SFTP (`panel-contract.md` section 7, route C).
//!
//! The file has a name of its own until the archive is proved. One that an earlier run left is gone
//! on with, as far as its bytes are those of the archive: they are read back and compared.

pub mod access;
pub mod error;
pub mod upload;

use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use russh::client;
use russh::client::Handle;
use russh::keys::HashAlg;
use russh::keys::PrivateKeyWithHashAlg;
use russh::keys::PublicKey;
use russh::keys::known_hosts::known_host_keys_path;
use russh_sftp::client::SftpSession;
use russh_sftp::protocol::OpenFlags;

use crate::model::text::one_line;
use crate::ops::restore::panel::because::Because;
use crate::ops::restore::panel::sftp::access::HostKeys;
use crate::ops::restore::panel::sftp::access::SftpAccess;
use crate::ops::restore::panel::sftp::access::SftpSecret;
use crate::ops::restore::panel::sftp::error::SftpError;
use crate::ops::restore::panel::sftp::error::broken;
use crate::ops::restore::panel::sftp::upload::SftpUpload;
use crate::panel::SftpAddress;

/// A silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// A server may take this long for one request, a `write` to a slow disk included.
const REQUEST_SECONDS: u64 = 60;
/// Words of a server are shown up to this length.
const SHOWN_CHARACTERS: usize = 300;

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
            HostKeys::Pinned(wanted) if *wanted == *shown.as_str() => return Ok(true),
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
