//! Everything that can go wrong with a restore by the panel.

use std::time::Duration;

use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::ops::power::NotStopped;
use crate::panel;
use crate::transfer::source;

/// Where to look when the panel can't tell.
const LOOK: &str = "look at the server's files in the panel, and into the log of wings on the node (/var/log/pterodactyl/wings.log)";

/// A restore by the panel failed, or it is not known how it ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The panel failed, or could not be reached.
    #[error(transparent)]
    Panel(#[from] panel::Error),
    /// The panel refused the restore itself.
    #[error(transparent)]
    Refused(panel::Error),
    /// There is no archive yet.
    #[error("the backup is still being made, so there is nothing to restore")]
    NotCompleted,
    /// There is no archive, and there will be none.
    #[error("the backup failed, so there is nothing to restore")]
    BackupFailed,
    /// The archive can't be got.
    #[error(
        "could not make sure that the archive is there, and --truncate deletes all files before the node looks for it"
    )]
    NotProved(#[source] source::Error),
    /// The archive has another length than the panel says.
    #[error("the panel's archive has {found_bytes} bytes, and the panel says {expected_bytes}")]
    OtherLength {
        /// Its length.
        found_bytes: u64,
        /// What the panel says.
        expected_bytes: u64,
    },
    /// The archive is one that nodes do not restore from.
    #[error("the node would refuse the archive after it has deleted the files: {why}")]
    NotTakenByNodes {
        /// Why.
        why: String,
    },
    /// Nobody agreed to what can't be undone.
    #[error("nobody agreed to {deed}, so nothing was done")]
    NotAgreed {
        /// What.
        deed: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// The server did not stop.
    #[error("the server was told to stop and is still {state} after {} s", waited.as_secs())]
    StillUp {
        /// Its state.
        state: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// The node says that it failed.
    #[error("the restore failed on the node, by the panel's log of activity")]
    Failed,
    /// It is over, and nobody tells how it ended.
    #[error("the server restores no more, and how the restore ended can't be told: {why}")]
    NotTold {
        /// Why not.
        why: String,
    },
    /// It takes longer than anybody waits.
    #[error("the server is still restoring after {} s", waited.as_secs())]
    TimedOut {
        /// How long was waited.
        waited: Duration,
    },
    /// It is complete, and the server could not be started.
    #[error(
        "the restore is complete, and the server, which ran before, could not be started again"
    )]
    NotStarted(#[source] panel::Error),
    /// The run was told to stop.
    #[error("interrupted")]
    Interrupted,
}

impl From<NotStopped> for Error {
    fn from(why: NotStopped) -> Self {
        match why {
            NotStopped::Panel(error) => Self::Panel(error),
            NotStopped::StillUp { state, waited } => Self::StillUp { state, waited },
            NotStopped::Interrupted => Self::Interrupted,
        }
    }
}

impl Error {
    /// The kind of failure.
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::Panel(error) | Self::Refused(error) | Self::NotStarted(error) => error.kind(),
            Self::NotProved(source::Error::Gone { .. }) | Self::OtherLength { .. } => {
                FailureKind::Integrity
            }
            Self::NotProved(error) => error.kind(),
            Self::NotCompleted | Self::BackupFailed => FailureKind::NotFound,
            Self::NotTakenByNodes { .. } | Self::NotAgreed { .. } => FailureKind::Policy,
            Self::StillUp { .. } | Self::TimedOut { .. } => FailureKind::ServerState,
            Self::Failed | Self::NotTold { .. } => FailureKind::Transfer,
            Self::Interrupted => FailureKind::Interrupted,
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Panel(error) | Self::Refused(error) => error.hint(),
            Self::NotCompleted => "wait until it is completed".to_owned(),
            Self::BackupFailed => "choose another backup".to_owned(),
            Self::NotProved(error) => error.hint(),
            Self::OtherLength { .. } => {
                "the archive was written over, or cut off: do not restore it".to_owned()
            }
            Self::NotTakenByNodes { .. } => {
                "copy the object onto itself with the content type application/x-gzip".to_owned()
            }
            Self::NotAgreed { hint, .. } => (*hint).to_owned(),
            Self::StillUp { .. } => {
                "stop it in the panel, or kill it there if it hangs, which can cost what it has not written yet; then run this again".to_owned()
            }
            Self::Failed => {
                "why stands only in the log of wings on the node (/var/log/pterodactyl/wings.log)".to_owned()
            }
            Self::NotTold { .. } => LOOK.to_owned(),
            Self::TimedOut { .. } => {
                "wait, and look at the server's activity in the panel; a node that was started again meanwhile has given it up".to_owned()
            }
            Self::NotStarted(_) => "start it in the panel".to_owned(),
            Self::Interrupted => "look at the server in the panel before this is run again".to_owned(),
        }
    }

    /// The failure as the operator reads it.
    pub(super) fn failure(&self, scope: Scope, id: String) -> Failure {
        Failure {
            scope,
            id,
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }
}
