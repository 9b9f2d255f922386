//! A game server as the panel shows it, and what a rebuild needs to know of it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::model::ids::ServerId;

/// Why a panel refuses every backup call for a server (`panel-contract.md` section 2, state gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    /// Open to backup calls.
    Ready,
    /// Suspended by an administrator.
    Suspended,
    /// Being installed, or its installation failed.
    Installing,
    /// A backup is being restored into it.
    Restoring,
    /// On its way to another node.
    Transferring,
    /// Its node is under maintenance.
    NodeMaintenance,
    /// Refused with 409 for a reason that this version does not know.
    Conflict,
}

impl ServerState {
    /// The state in plain words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Suspended => "suspended",
            Self::Installing => "installing",
            Self::Restoring => "restoring a backup",
            Self::Transferring => "being transferred",
            Self::NodeMaintenance => "on a node under maintenance",
            Self::Conflict => "in a state that refuses backup calls",
        }
    }
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One game server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The key under which everything about it is kept.
    pub id: ServerId,
    /// The short id that people type; `serv_…` on panels configured so.
    pub identifier: String,
    /// Free text; may repeat, may change, never part of a key.
    pub name: String,
    /// Whether backup calls are open.
    pub state: ServerState,
    /// What a rebuild needs.
    pub passport: Passport,
}

/// What a rebuild of a server needs to know and its archives do not hold (design section 4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passport {
    /// The node's name; client keys are told no node id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The egg's name and uuid, where the panel tells them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egg: Option<Egg>,
    /// The container image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The startup command with its variables put in; values the panel hides stay hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Memory, disk, swap, io and cpu as the panel gives them (MiB and percent).
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub limits: serde_json::Value,
    /// Databases, allocations and backups allowed.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub feature_limits: serde_json::Value,
    /// Addresses and ports, the default one first.
    #[serde(default)]
    pub allocations: Vec<Allocation>,
    /// Startup variables; values of secret-looking ones are masked, and wherever else they stand.
    #[serde(default)]
    pub variables: Vec<Variable>,
}

impl Server {
    /// How many backups it may have (`feature_limits.backups`); 0 = none can be made. `None` where the
    /// panel does not say.
    pub fn backup_limit(&self) -> Option<u64> {
        self.passport.feature_limits.get("backups")?.as_u64()
    }
}

/// The recipe a server was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egg {
    /// The egg's uuid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// The egg's name.
    pub name: String,
}

/// One address and port of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// The address the node binds.
    pub ip: String,
    /// The name shown for that address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The port.
    pub port: u16,
    /// Whether it is the server's primary one.
    pub is_default: bool,
}

/// One startup variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// The name shown in the panel.
    pub name: String,
    /// The name in the server's environment.
    pub env: String,
    /// Its value; [`MASK`] where the name looks like a secret's, and in place of secrets within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What stands in a passport for a secret.
pub const MASK: &str = "********";

/// Whether a variable's name says that its value is a secret.
pub fn looks_secret(name: &str) -> bool {
    const HINTS: [&str; 15] = [
        "PASS",
        "PWD",
        "SECRET",
        "TOKEN",
        "API",
        "KEY",
        "AUTH",
        "CREDENTIAL",
        "LICENSE",
        "LICENCE",
        "PRIVATE",
        "GSLT",
        "RCON",
        "WEBHOOK",
        "DSN",
    ];
    let upper = name.to_ascii_uppercase();
    HINTS.iter().any(|hint| upper.contains(hint))
}

/// Which servers of a panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerScope {
    /// Those the key's user owns or was invited to; so for an administrator too.
    Mine,
    /// Every server (`type=admin-all`); a user who is no root administrator gets none.
    WholePanel,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whether_its_value_is_a_secret() {
        for (name, is_secret) in [
            ("RCON_PASSWORD", true),
            ("Steam gslt", true),
            ("discordToken", true),
            ("MINECRAFT_VERSION", false),
            ("SERVER_JARFILE", false),
        ] {
            assert_eq!(looks_secret(name), is_secret, "{name}");
        }
    }
}
