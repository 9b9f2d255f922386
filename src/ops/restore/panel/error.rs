//! Everything that can go wrong with a restore into a server.

use std::time::Duration;

use bytesize::ByteSize;

use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::ops::power::NotStopped;
use crate::ops::restore::panel::sftp::error::SftpError;
use crate::ops::restore::panel::upload::UploadError;
use crate::panel;
use crate::panel::NodeRefusal;
use crate::plan::to_panel::NoRoom;
use crate::plan::to_panel::Route;

/// A restore into a server failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The panel refused, or could not be reached.
    #[error(transparent)]
    Panel(#[from] panel::Error),
    /// Nothing to restore from.
    #[error("there is no copy to restore from")]
    NoCopy,
    /// Archive and content don't fit into the server's disk limit at once.
    #[error(
        "the server's disk limit of {} has no room for the archive and its content at once, which need {}",
        ByteSize(.0.limit_bytes), ByteSize(.0.needed_bytes)
    )]
    NoRoom(NoRoom),
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
    /// None of the ways can be tried.
    #[error("there is no way to bring the archive to the node: {why}")]
    NoRoute {
        /// Why not, for each.
        why: String,
    },
    /// The node fetches nothing, or nothing more.
    #[error("the node fetched {got_bytes} bytes of the archive, and nothing more for {} s", waited.as_secs())]
    PullStalled {
        /// What has arrived.
        got_bytes: u64,
        /// How long nothing did.
        waited: Duration,
    },
    /// An upload failed.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// SFTP failed.
    #[error(transparent)]
    Sftp(#[from] SftpError),
    /// No copy could be read, or was what it should be.
    #[error("{}", .0.message)]
    NotRead(Failure),
    /// The file on the node has another length than the archive.
    #[error("the archive on the node has {found_bytes} bytes where {expected_bytes} were sent")]
    NotWhole {
        /// What was sent.
        expected_bytes: u64,
        /// What is there.
        found_bytes: u64,
    },
    /// Something is left of the files that should be gone.
    #[error("the server could not be emptied: {left} names are left in its root")]
    NotEmptied {
        /// How many names.
        left: usize,
    },
    /// Unpacking stopped before its end, as far as can be seen.
    #[error("unpacking has come to a halt before its end ({instead})")]
    NotUnpacked {
        /// What came instead of the node's answer.
        instead: String,
    },
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
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Panel(error) => error.kind(),
            Self::NoCopy => FailureKind::NotFound,
            Self::NoRoom(_) => FailureKind::NoSpace,
            Self::NotAgreed { .. } | Self::NoRoute { .. } => FailureKind::Policy,
            Self::StillUp { .. } => FailureKind::ServerState,
            Self::PullStalled { .. } | Self::NotUnpacked { .. } | Self::NotEmptied { .. } => {
                FailureKind::Transfer
            }
            Self::Upload(error) => error.kind(),
            Self::Sftp(error) => error.kind(),
            Self::NotRead(failure) => failure.kind,
            Self::NotWhole { .. } => FailureKind::Integrity,
            Self::Interrupted => FailureKind::Interrupted,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Panel(error) => error.hint(),
            Self::NoCopy => "look with `nestegg list` at what is held, and where".to_owned(),
            Self::NoRoom(_) => NodeRefusal::NoSpace.hint().to_owned(),
            Self::NotAgreed { hint, .. } => (*hint).to_owned(),
            Self::StillUp { .. } => {
                "stop it in the panel, or kill it there if it hangs, which can cost what it has not written yet; then run this again".to_owned()
            }
            Self::NoRoute { .. } => {
                "leave --via out, or give what the way needs".to_owned()
            }
            Self::PullStalled { .. } => {
                "why stands only in the log of wings on the node (/var/log/pterodactyl/wings.log); or use --via upload or --via sftp".to_owned()
            }
            Self::Upload(error) => error.hint().to_owned(),
            Self::Sftp(error) => error.hint(),
            Self::NotRead(failure) if failure.hint.is_empty() => {
                "restore from another destination with --from, or mend the copy with `nestegg verify --repair`".to_owned()
            }
            Self::NotRead(failure) => failure.hint.clone(),
            Self::NotWhole { .. } => "run this again, which sends it anew".to_owned(),
            Self::NotEmptied { .. } => {
                "delete these files in the panel or over SFTP, and run this again".to_owned()
            }
            Self::NotUnpacked { .. } => {
                "look into the log of wings on the node, then run this again: the archive is still there and is not sent again; if it halts once more, delete the archive in the server's root first".to_owned()
            }
            Self::Interrupted => "run this again: it goes on where it was".to_owned(),
        }
    }

    /// Whether the archive may still get there another way.
    pub const fn allows_another_way(&self, route: Route) -> bool {
        match self {
            Self::Panel(panel::Error::NodeRefused { refusal, .. }) => match refusal {
                NodeRefusal::NoSpace | NodeRefusal::FileBusy => false,
                NodeRefusal::PullDisabled
                | NodeRefusal::TooManyPulls
                | NodeRefusal::PrivateAddress
                | NodeRefusal::UnknownFormat
                | NodeRefusal::UploadTooLarge
                | NodeRefusal::Missing
                | NodeRefusal::Other { .. } => true,
            },
            // The limit on pulls is one of its own, and a copy that can't be fetched is not every copy.
            Self::Panel(panel::Error::RateLimited { .. })
            | Self::NotRead(_)
            | Self::NoRoute { .. } => matches!(route, Route::Pull),
            Self::Panel(error) => matches!(
                error,
                panel::Error::Node { .. }
                    | panel::Error::PanelFailed { .. }
                    | panel::Error::Refused { .. }
                    | panel::Error::Timeout { .. }
                    | panel::Error::Broken { .. }
                    | panel::Error::NotThePanel { .. }
                    | panel::Error::Malformed { .. }
            ),
            Self::Upload(error) => error.allows_another_way(),
            Self::PullStalled { .. } | Self::NotWhole { .. } | Self::Sftp(_) => true,
            Self::NoCopy
            | Self::NoRoom(_)
            | Self::NotAgreed { .. }
            | Self::StillUp { .. }
            | Self::NotEmptied { .. }
            | Self::NotUnpacked { .. }
            | Self::Interrupted => false,
        }
    }

    /// The failure as the operator reads it.
    pub fn failure(&self, scope: Scope, id: String) -> Failure {
        // What a copy is told for stays the copy's, so that it is told once.
        let (scope, id) = if let Self::NotRead(failure) = self {
            (failure.scope, failure.id.clone())
        } else {
            (scope, id)
        };
        Failure {
            scope,
            id,
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }
}
