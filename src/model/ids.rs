//! Identifiers, checked where they enter.
//!
//! Server and backup ids become object keys and URL path segments, so they are parsed as
//! uuids at the edge and hold nothing else. Names from the panel never become keys.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

/// A panel or destination sent something that is not a hyphenated uuid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not a uuid")]
pub struct NotAUuid {
    shown: String,
}

/// At most this many characters of a rejected value are repeated in an error.
const SHOWN_CHARACTERS: usize = 60;

/// A foreign string made safe to print: control characters escaped, long text cut.
pub fn printable(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARACTERS)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

fn hyphenated(text: &str) -> Result<Uuid, NotAUuid> {
    let refuse = || NotAUuid {
        shown: printable(text),
    };
    if text.len() != 36 {
        return Err(refuse());
    }
    Uuid::try_parse(text).map_err(|_not_hex| refuse())
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// All zeros, which nothing real is called by.
            pub const NIL: Self = Self(Uuid::nil());
        }

        impl FromStr for $name {
            type Err = NotAUuid;

            fn from_str(text: &str) -> Result<Self, NotAUuid> {
                hyphenated(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAUuid;

            fn try_from(text: String) -> Result<Self, NotAUuid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A game server's full uuid, the key under which everything about it is kept.
    ServerId
}
uuid_id! {
    /// A backup's uuid, unique over one panel (`panel-contract.md` section 3).
    BackupId
}

impl ServerId {
    /// The first eight hex digits, which is what people type.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

/// A name that is empty, too long, or holds characters that would spoil a message or a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not usable as a name: use 1 to 200 printable characters", printable(.0))]
pub struct BadName(String);

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                let usable = !text.trim().is_empty()
                    && text.chars().count() <= 200
                    && !text.chars().any(char::is_control);
                if usable { Ok(Self(text.to_owned())) } else { Err(BadName(text.to_owned())) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl $name {
            /// The name as configured.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name! {
    /// What the operator calls a destination.
    DestinationName
}
checked_name! {
    /// What the operator calls a panel.
    PanelName
}

/// The number of one invocation that changes something, counted by the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hyphenated_uuids_become_ids() {
        let id = "6FDFF738-bf44-4933-824f-489198dda9e6".parse::<BackupId>();
        assert_eq!(
            id.map(|id| id.to_string()),
            Ok("6fdff738-bf44-4933-824f-489198dda9e6".to_owned())
        );
        for hostile in [
            "",
            "..",
            "../../../../../../etc/passwd/aaaaaaaa",
            "6fdff738bf444933824f489198dda9e6",
            "{6fdff738-bf44-4933-824f-489198dda9}",
            "6fdff738-bf44-4933-824f-489198dda9e\0",
            "urn:uuid:6fdff738-bf44-4933-824f-489198dda9e6",
        ] {
            assert!(hostile.parse::<BackupId>().is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn a_refused_value_is_printed_short_and_without_control_characters() {
        let message = "\u{1b}[31m"
            .repeat(4000)
            .parse::<ServerId>()
            .map_err(|e| e.to_string());
        let message = message.err().unwrap_or_default();
        assert!(!message.contains('\u{1b}'));
        assert!(message.len() < 600, "{message}");
    }
}
