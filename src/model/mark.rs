//! What an operator says of a backup: keep it, or accept it as it is; and why.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::model::choice::BackupChoice;
use crate::model::selector::BadSelector;
use crate::model::selector::ServerSelector;
use crate::model::text::one_line;

/// How long a reason may be, in characters.
pub const LONGEST_REASON: usize = 500;

/// A mark that an operator put on a backup.
///
/// `reason` may come from a sidecar, which is foreign text: it is shown through [`crate::model::text`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When it was put there.
    pub at: Timestamp,
    /// Why, when that was said.
    #[serde(default)]
    pub reason: Option<String>,
}

/// An operator's words: one line that any terminal shows as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// Why some text is no reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReason {
    /// Nothing, or blanks alone.
    #[error("it is empty")]
    Empty,
    /// Longer than [`LONGEST_REASON`].
    #[error("it is {characters} characters long, and at most {LONGEST_REASON} are kept")]
    TooLong {
        /// How long it is.
        characters: usize,
    },
    /// A line break, or another character that acts on a terminal.
    #[error("it holds a line break or another control character")]
    Control,
}

/// What is said of backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkAction {
    /// No policy removes their copies.
    Keep,
    /// Policies may remove their copies again.
    Unkeep,
    /// They are not suspicious.
    Accept,
}

impl MarkAction {
    /// The command.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Unkeep => "unkeep",
            Self::Accept => "accept",
        }
    }
}

/// One word after such a command: a backup, or a server that stands for its newest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkWord {
    /// A backup, by its uuid, or as a server's at some moment.
    Backup(BackupChoice),
    /// The newest completed backup of this server.
    NewestOf(ServerSelector),
}

impl FromStr for MarkWord {
    type Err = BadSelector;

    /// What chooses a backup is one; anything else names a server.
    fn from_str(text: &str) -> Result<Self, BadSelector> {
        match text.parse() {
            Ok(choice) => Ok(Self::Backup(choice)),
            Err(_no_choice) => text.parse().map(Self::NewestOf),
        }
    }
}

/// The lock that a panel has on a backup, as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelLock {
    /// None.
    Unlocked,
    /// The panel has it still: no policy removes its copies.
    OnPanel,
    /// The backup vanished while it was locked; the lock no longer counts.
    LetGo,
}

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = BadReason;

    fn from_str(text: &str) -> Result<Self, BadReason> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadReason::Empty);
        }
        let characters = text.chars().count();
        if characters > LONGEST_REASON {
            return Err(BadReason::TooLong { characters });
        }
        if one_line(text, LONGEST_REASON) != text {
            return Err(BadReason::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        let reason = |text: &str| text.parse::<Reason>().map(|reason| reason.0);
        assert_eq!(
            reason("  before the update – größer  "),
            Ok("before the update – größer".to_owned())
        );
        assert_eq!(reason(" \t "), Err(BadReason::Empty));
        for hostile in ["a\nb", "a\u{1b}[2Jb", "a\u{202e}b", "a\0b"] {
            assert_eq!(reason(hostile), Err(BadReason::Control), "{hostile:?}");
        }
        assert!(reason(&"ü".repeat(LONGEST_REASON)).is_ok());
        assert_eq!(
            reason(&"x".repeat(LONGEST_REASON + 1)),
            Err(BadReason::TooLong {
                characters: LONGEST_REASON + 1
            })
        );
    }
}
