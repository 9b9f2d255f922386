//! Exit codes, and the one map from what happened to a code.

use std::process::ExitCode;

/// How a command ends; the numbers are a promise and are never reused (design section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked is done and proved.
    Done,
    /// Nothing could be done: panel or destination unreachable, unexpected failure.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// Some backups or destinations failed; the rest is done.
    Partial,
    /// A checksum mismatch, or a corrupt or missing copy, was found.
    Integrity,
    /// A server's newest verified copy is older than promised.
    Freshness,
    /// A limit was reached before all was done.
    Limit,
    /// Another run holds the lock.
    Locked,
    /// The panel or a destination refused the credentials.
    Credentials,
    /// SIGINT: what was done is recorded, nothing half-done is visible.
    Interrupted,
    /// SIGTERM: the same.
    Terminated,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Integrity => 4,
            Self::Freshness => 5,
            Self::Limit => 10,
            Self::Locked => 11,
            Self::Credentials => 12,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
