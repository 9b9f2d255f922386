//! Where a server lives and what it may use, as far as a restore into it must know.

use serde::Deserialize;
use serde_json::Value;

use crate::model::ids::ServerId;
use crate::model::server::Server;
use crate::panel::PanelClient;
use crate::panel::answered_for_another;
use crate::panel::call::Call;
use crate::panel::error::Error;
use crate::panel::wire::Attributes;
use crate::panel::wire::Unfit;
use crate::panel::wire::lenient;

/// A host name or address is at most this long.
const LONGEST_HOST: usize = 255;

/// How much a server may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskLimit {
    /// So many bytes.
    Bytes(u64),
    /// As much as its node can; also where the panel does not say.
    Unlimited,
}

/// Where a node serves SFTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpAddress {
    /// A name or an address.
    pub host: String,
    /// The port; 2022 unless configured otherwise.
    pub port: u16,
}

/// A server, and what its node gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosting {
    /// The server.
    pub server: Server,
    /// Its disk limit.
    pub disk_limit: DiskLimit,
    /// Where its files can be reached over SFTP, if the panel says.
    pub sftp: Option<SftpAddress>,
}

/// Whose key is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name before the dot of an SFTP login.
    pub username: String,
}

#[derive(Deserialize)]
struct WireHosting {
    #[serde(default, deserialize_with = "lenient")]
    limits: Option<WireLimits>,
    #[serde(default, deserialize_with = "lenient")]
    sftp_details: Option<WireSftp>,
}

#[derive(Deserialize)]
struct WireLimits {
    /// MiB; 0 is no limit.
    #[serde(default, deserialize_with = "lenient")]
    disk: Option<u64>,
}

#[derive(Deserialize)]
struct WireSftp {
    ip: String,
    port: u16,
}

#[derive(Deserialize)]
struct WireAccount {
    username: String,
}

impl Attributes for Hosting {
    fn read(attributes: Value) -> Result<Self, Unfit> {
        let wire: WireHosting = serde_json::from_value(attributes.clone())?;
        let mib = wire.limits.and_then(|limits| limits.disk).unwrap_or(0);
        Ok(Self {
            server: Server::read(attributes)?,
            disk_limit: match mib {
                0 => DiskLimit::Unlimited,
                mib => DiskLimit::Bytes(mib.saturating_mul(1 << 20)),
            },
            sftp: wire
                .sftp_details
                .filter(|sftp| is_host(&sftp.ip))
                .map(|WireSftp { ip, port }| SftpAddress { host: ip, port }),
        })
    }
}

/// Whether a text can be a host's name or address, of either family.
fn is_host(text: &str) -> bool {
    (1..=LONGEST_HOST).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
}

impl Attributes for Account {
    fn read(attributes: Value) -> Result<Self, Unfit> {
        let WireAccount { username } = serde_json::from_value(attributes)?;
        Ok(Self { username })
    }
}

impl PanelClient {
    /// A server with its disk limit and its SFTP address; answered in every state of it.
    ///
    /// # Errors
    /// [`Error::UnknownServer`]; any other of a call.
    pub async fn hosting(&self, server: &ServerId) -> Result<Hosting, Error> {
        let call = Call::ReadHosting(*server);
        let id = server.to_string();
        let hosting: Hosting = self.object(&call, &["servers", &id], &[]).await?;
        if hosting.server.id == *server {
            Ok(hosting)
        } else {
            Err(answered_for_another(call))
        }
    }

    /// The account that the key belongs to.
    ///
    /// # Errors
    /// Any of a call.
    pub async fn account(&self) -> Result<Account, Error> {
        self.object(&Call::ReadAccount, &["account"], &[]).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(limits: &Value, sftp: &Value) -> (DiskLimit, Option<SftpAddress>) {
        let hosting = Hosting::read(json!({
            "uuid": "a1fa0000-1111-4111-8111-00000000000a", "limits": limits, "sftp_details": sftp,
        }))
        .unwrap();
        (hosting.disk_limit, hosting.sftp)
    }

    #[test]
    fn a_disk_limit_is_in_mebibytes_and_zero_is_none() {
        let address = SftpAddress {
            host: "node.example.com".to_owned(),
            port: 2022,
        };
        let details = json!({"ip": "node.example.com", "port": 2022});
        assert_eq!(
            read(&json!({"disk": 3}), &details),
            (DiskLimit::Bytes(3 << 20), Some(address))
        );
        assert_eq!(
            read(&json!({"disk": 0}), &Value::Null),
            (DiskLimit::Unlimited, None)
        );
        assert_eq!(
            read(&Value::Null, &json!({"ip": "-o x y", "port": 1})),
            (DiskLimit::Unlimited, None)
        );
    }
}
