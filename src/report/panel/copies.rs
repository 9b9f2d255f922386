//! What stands at the destinations of a backup that is to go from its panel.

use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;

/// One destination, and what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySeen {
    /// The destination.
    pub destination: DestinationName,
    /// What stands there.
    pub found: CopyFound,
}

/// What stands at a destination of one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFound {
    /// The copy that the ledger has as verified: archive, length and sidecar are there.
    Held,
    /// The ledger has no verified copy there.
    NotHeld {
        /// What it has instead.
        why: &'static str,
    },
    /// The ledger has one, and it is not what stands there, or not what the panel has.
    Wrong {
        /// What is wrong with it.
        why: String,
    },
    /// It could not be looked at.
    Unread(Failure),
}

impl CopyFound {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::NotHeld { .. } => "not_held",
            Self::Wrong { .. } => "wrong",
            Self::Unread(_) => "unread",
        }
    }

    /// Why it does not count; `None` when it does.
    pub fn why_not(&self) -> Option<&str> {
        match self {
            Self::Held => None,
            Self::NotHeld { why } => Some(why),
            Self::Wrong { why } => Some(why),
            Self::Unread(failure) => Some(&failure.message),
        }
    }
}
