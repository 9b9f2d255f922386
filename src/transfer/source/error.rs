//! Why an archive could not be read, and whether trying again makes sense.

use std::time::Duration;

use reqwest::StatusCode;

use crate::destination;
use crate::model::ids::DestinationName;
use crate::model::outcome::FailureKind;
use crate::model::retry::Retry;
use crate::panel;

/// Why an archive could not be read, or stopped being read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The panel gave no link.
    #[error(transparent)]
    Link(panel::Error),
    /// Connecting, TLS, or the answer's head failed.
    #[error("could not reach `{host}` for the archive")]
    Connect {
        /// Host and port, never the query.
        host: String,
        /// The cause, without its URL.
        source: reqwest::Error,
    },
    /// The node, or the panel's S3 disk, does not have the archive.
    #[error("`{host}` does not have this archive, although the panel lists it as completed")]
    Gone {
        /// Host and port.
        host: String,
    },
    /// The node answers that a fresh link is spent, or that it does not know the server.
    #[error("`{host}` refused a fresh download link")]
    LinkRefused {
        /// Host and port.
        host: String,
    },
    /// The node could not accept the link's token; expired links look the same.
    #[error("`{host}` could not accept a fresh download link (status 500)")]
    TokenRejected {
        /// Host and port.
        host: String,
    },
    /// The panel's S3 disk refused a fresh presigned link.
    #[error("the panel's S3 disk at `{host}` refused a fresh presigned link: {code}")]
    PresignRefused {
        /// Host and port.
        host: String,
        /// S3's own error code.
        code: String,
    },
    /// Told to wait.
    #[error("`{host}` answered 429, too many requests")]
    Busy {
        /// Host and port.
        host: String,
        /// How long it said.
        after: Option<Duration>,
    },
    /// A status that no node or disk gives for a download.
    #[error("`{host}` answered {status} to the download: {detail}")]
    Status {
        /// Host and port.
        host: String,
        /// The status.
        status: StatusCode,
        /// What stood in the body, safe to print.
        detail: String,
    },
    /// Something between here and the node answered with a web page.
    #[error("`{host}` answered with a web page where an archive was due")]
    WebPage {
        /// Host and port.
        host: String,
    },
    /// The connection broke off.
    #[error("the download broke off after {at_bytes} bytes")]
    Broken {
        /// How far it had come.
        at_bytes: u64,
        /// The cause, without its URL.
        source: Option<reqwest::Error>,
    },
    /// Nothing came for too long.
    #[error("the download stood still for {} s after {at_bytes} bytes", .waited.as_secs())]
    Stalled {
        /// How far it had come.
        at_bytes: u64,
        /// How long it was waited.
        waited: Duration,
    },
    /// A later attempt met other bytes than the first.
    #[error("the archive changed while it was being read: {what}")]
    Changed {
        /// What differs.
        what: String,
    },
    /// A copy at another destination could not be read.
    #[error("could not read the copy at `{destination}`")]
    Copy {
        /// Where it is.
        destination: DestinationName,
        /// The cause.
        source: destination::Error,
    },
}

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Link(error) => error.kind(),
            Self::Connect { .. } => FailureKind::Unreachable,
            Self::Gone { .. } => FailureKind::NotFound,
            Self::Busy { .. } => FailureKind::RateLimited,
            Self::LinkRefused { .. }
            | Self::TokenRejected { .. }
            | Self::PresignRefused { .. }
            | Self::Status { .. }
            | Self::WebPage { .. } => FailureKind::Protocol,
            Self::Broken { .. } | Self::Stalled { .. } | Self::Changed { .. } => {
                FailureKind::Transfer
            }
            Self::Copy { source, .. } => source.kind(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Link(error) => error.hint(),
            Self::Connect { host, .. } => format!(
                "this machine must reach every node's daemon port (8080 unless changed) and the panel's S3 endpoint, \
                 not only the panel: check name, firewall and certificate of `{host}`"
            ),
            Self::Gone { .. } => "a server transfer leaves its archives on the old node, and archives can be deleted by hand: \
                 look on the node, then delete the row in the panel"
                .to_owned(),
            Self::LinkRefused { .. } => "panel and Wings versions may not fit (Wings 1.12.2 needs panel 1.12.3, Pelican wings beta26 \
                 needs panel beta35), Wings may have just restarted, or the server was moved to another node"
                .to_owned(),
            Self::TokenRejected { .. } => {
                "compare the clocks of panel and node: a node's clock 15 minutes ahead refuses every link".to_owned()
            }
            Self::PresignRefused { .. } => {
                "check the panel's own S3 settings: key, clock and endpoint; a lost object also looks like this \
                 when the panel's key may not list the bucket"
                    .to_owned()
            }
            Self::Busy { .. } => "run fewer transfers at once with --transfers".to_owned(),
            Self::Status { .. } | Self::WebPage { .. } => {
                "a proxy in front of the node may answer in its place; try the panel's own download button".to_owned()
            }
            Self::Broken { .. } | Self::Stalled { .. } => {
                "the next run tries again; proxies in front of a node may cut long downloads".to_owned()
            }
            Self::Changed { .. } => "the next run starts over".to_owned(),
            Self::Copy { source, .. } if source.is_missing_object() => {
                "`nestegg verify --repair` makes it anew from another copy, or from the panel; if other copies \
                 there are missing as well, look whether another disk is mounted"
                    .to_owned()
            }
            Self::Copy { source, .. } => source.hint(),
        }
    }

    /// Whether a fresh attempt makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Link(error) => error.retry(),
            // The store does not have it: asking again brings nothing, where an upload can be begun again.
            Self::Copy { source, .. } if source.is_missing_object() => Retry::Never,
            Self::Copy { source, .. } => source.retry(),
            Self::Gone { .. } | Self::Changed { .. } => Retry::Never,
            Self::Busy {
                after: Some(after), ..
            } => Retry::After(*after),
            Self::Status { status, .. } if status.is_client_error() || status.is_redirection() => {
                Retry::Never
            }
            Self::Busy { after: None, .. }
            | Self::Connect { .. }
            | Self::LinkRefused { .. }
            | Self::TokenRejected { .. }
            | Self::PresignRefused { .. }
            | Self::Status { .. }
            | Self::WebPage { .. }
            | Self::Broken { .. }
            | Self::Stalled { .. } => Retry::Backoff,
        }
    }

    /// How many attempts in a row may end like this; the contract says "once or twice" where a
    /// fresh link can help at all.
    pub fn patience(&self, attempts: u32) -> u32 {
        match self {
            Self::LinkRefused { .. } => attempts.min(3),
            Self::TokenRejected { .. } | Self::PresignRefused { .. } => attempts.min(2),
            // The panel client has tried as often as makes sense itself.
            Self::Link(_) => 1,
            Self::Connect { .. }
            | Self::Gone { .. }
            | Self::Busy { .. }
            | Self::Status { .. }
            | Self::WebPage { .. }
            | Self::Broken { .. }
            | Self::Stalled { .. }
            | Self::Changed { .. }
            | Self::Copy { .. } => attempts,
        }
    }
}
