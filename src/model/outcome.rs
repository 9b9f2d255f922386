//! What became of one backup, one server, one run.

use std::fmt;

use serde::Serialize;

use crate::model::checksum::Verdict;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;

/// Whether a run changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It only says what it would do.
    DryRun,
    /// It does it.
    Apply,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A whole panel.
    Panel,
    /// One server.
    Server,
    /// One backup.
    Backup,
    /// One destination.
    Destination,
    /// The ledger: what was done is not recorded.
    Ledger,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panel => "panel",
            Self::Server => "server",
            Self::Backup => "backup",
            Self::Destination => "destination",
            Self::Ledger => "ledger",
        })
    }
}

/// The kind of a failure: what a script may branch on, and what exit codes follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The key is bad, of the wrong kind, or not allowed from this address.
    Credentials,
    /// The key is good and lacks one permission.
    Permission,
    /// No answer, or none that could be understood, after all tries.
    Unreachable,
    /// The answer makes no sense: HTML for JSON, a missing field.
    Protocol,
    /// What was asked for does not exist there.
    NotFound,
    /// Told to wait longer than the run would.
    RateLimited,
    /// The server's state refuses backup calls.
    ServerState,
    /// Checksum, length or structure differ; or a copy is corrupt or missing.
    Integrity,
    /// Refused by the operator's own policy, such as `--require-checksum`.
    Policy,
    /// No room at the destination.
    NoSpace,
    /// The destination failed in another way.
    Destination,
    /// Reading the source stopped and did not go on.
    Transfer,
    /// The run was told to stop.
    Interrupted,
    /// The local machine failed: the ledger, a file.
    Local,
}

impl FailureKind {
    /// The word used in `--json` and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::Unreachable => "unreachable",
            Self::Protocol => "protocol",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::ServerState => "server_state",
            Self::Integrity => "integrity",
            Self::Policy => "policy",
            Self::NoSpace => "no_space",
            Self::Destination => "destination",
            Self::Transfer => "transfer",
            Self::Interrupted => "interrupted",
            Self::Local => "local",
        }
    }
}

/// A failure in the words of the operator: what failed, why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What it is about.
    pub scope: Scope,
    /// Which one: a uuid or a configured name.
    pub id: String,
    /// Its kind.
    pub kind: FailureKind,
    /// What was attempted and why it failed, on one line.
    pub message: String,
    /// What to do about it; empty when there is nothing to say.
    pub hint: String,
}

/// Error text with all its causes on one line, none of them said twice.
///
/// Some libraries repeat their cause in `Display`; a cause whose text was already said is left out.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !said.is_empty() && !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What became of one backup at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Uploaded, verified and visible by this run.
    Mirrored,
    /// It was there before, verified; adopted copies included.
    AlreadyHeld,
    /// It is not there.
    Failed,
    /// A dry run would have mirrored it.
    WouldMirror,
    /// A limit was reached, or the run was told to stop, before its turn came.
    NotReached,
}

impl CopyState {
    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mirrored => "mirrored",
            Self::AlreadyHeld => "already held",
            Self::Failed => "failed",
            Self::WouldMirror => "would mirror",
            Self::NotReached => "not reached",
        }
    }
}

/// One backup at one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOutcome {
    /// The destination.
    pub destination: DestinationName,
    /// The archive's key below the destination's root.
    pub key: ObjectKey,
    /// What became of it.
    pub state: CopyState,
    /// What is proved of the copy, when there is one.
    pub verdict: Option<Verdict>,
    /// Why there is none.
    pub failure: Option<Failure>,
}

/// One completed backup that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupOutcome {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name, for people.
    pub server_name: String,
    /// The backup.
    pub backup: BackupId,
    /// The backup's name, for people.
    pub name: String,
    /// The archive's length: as counted when transferred, else as the panel says it.
    pub bytes: u64,
    /// Our own digest, when a copy is held.
    pub sha256: Option<String>,
    /// The panel's digest, as `algorithm:hex`.
    pub panel_checksum: Option<String>,
    /// Read from the panel's side by this run.
    pub downloaded_bytes: u64,
    /// Sent to destinations by this run.
    pub uploaded_bytes: u64,
    /// One entry a selected destination.
    pub copies: Vec<CopyOutcome>,
}

impl BackupOutcome {
    /// The state that stands for all its copies: the worst of them.
    pub fn state(&self) -> CopyState {
        let has = |state| self.copies.iter().any(|copy| copy.state == state);
        [
            CopyState::Failed,
            CopyState::NotReached,
            CopyState::WouldMirror,
            CopyState::Mirrored,
        ]
        .into_iter()
        .find(|state| has(*state))
        .unwrap_or(CopyState::AlreadyHeld)
    }
}

/// A server or backup that was left out, and why; not a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// The server's name, for people.
    pub server_name: String,
    /// The backup; `None` when the whole server was left out.
    pub backup: Option<BackupId>,
    /// Why, in plain words.
    pub why: String,
}

/// How a run ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It did not: everything was tried.
    InFull,
    /// `--max-duration` was reached.
    AtLimit,
    /// SIGINT or Ctrl-C.
    BySigint,
    /// SIGTERM.
    BySigterm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    #[test]
    fn a_chain_says_every_cause_once_on_one_line() {
        let error = Layer {
            text: "could not commit",
            source: Some(Box::new(Layer {
                text: "put failed: disk\n  full",
                source: Some(Box::new(Layer {
                    text: "disk\n  full",
                    source: None,
                })),
            })),
        };
        assert_eq!(chain(&error), "could not commit: put failed: disk full");
    }
}
