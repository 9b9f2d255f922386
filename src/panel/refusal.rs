//! What a node refuses when it is asked about files.
//!
//! A node says `{"error":"…"}` and the panel repeats it; beside the status the text is all there is
//! (`panel-contract.md` sections 7 and 8). A text that is not known is a refusal all the same.

use std::fmt;

use crate::model::outcome::FailureKind;

/// What a node refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRefusal {
    /// 400: `api.disable_remote_download` is on.
    PullDisabled,
    /// 400: three files are being fetched for this server already.
    TooManyPulls,
    /// The address resolves to one that the node does not fetch from.
    PrivateAddress,
    /// 400: the server's disk limit does not fit it.
    NoSpace,
    /// 400: the server runs and has a file open that would be overwritten.
    FileBusy,
    /// 400: the archive's format is unknown to the node.
    UnknownFormat,
    /// 400: the file is larger than the node's upload limit; told after the whole body.
    UploadTooLarge,
    /// 404: the file, or the link's token, is not there (any more).
    Missing,
    /// Something else.
    Other {
        /// The HTTP status.
        status: u16,
    },
}

impl NodeRefusal {
    /// What the node's words mean.
    pub fn read(status: u16, text: &str) -> Self {
        const SAYS: [(&str, NodeRefusal); 10] = [
            ("not currently enabled", NodeRefusal::PullDisabled),
            ("simultaneous remote", NodeRefusal::TooManyPulls),
            ("internal network", NodeRefusal::PrivateAddress),
            ("private", NodeRefusal::PrivateAddress),
            ("disk space", NodeRefusal::NoSpace),
            ("maximum file upload size", NodeRefusal::UploadTooLarge),
            ("text file busy", NodeRefusal::FileBusy),
            ("in use by another process", NodeRefusal::FileBusy),
            ("format", NodeRefusal::UnknownFormat),
            ("not found", NodeRefusal::Missing),
        ];
        let text = text.to_ascii_lowercase();
        let said = SAYS.into_iter().find(|(words, _)| text.contains(words));
        match (said, status) {
            (Some((_, refusal)), _) => refusal,
            (None, 404) => Self::Missing,
            (None, status) => Self::Other { status },
        }
    }

    /// The kind of failure.
    pub const fn kind(self) -> FailureKind {
        match self {
            Self::NoSpace => FailureKind::NoSpace,
            Self::FileBusy => FailureKind::ServerState,
            Self::TooManyPulls => FailureKind::RateLimited,
            Self::Missing => FailureKind::NotFound,
            Self::PullDisabled | Self::PrivateAddress | Self::UploadTooLarge => FailureKind::Policy,
            Self::UnknownFormat | Self::Other { .. } => FailureKind::Protocol,
        }
    }

    /// The way out.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::PullDisabled => {
                "set `api.disable_remote_download: false` in the node's config.yml and restart wings, or restore with --via upload or --via sftp"
            }
            Self::TooManyPulls => {
                "wait until the node has fetched the other files of this server, or restore with --via upload or --via sftp"
            }
            Self::PrivateAddress => {
                "nodes fetch from public addresses only: use --via upload or --via sftp, or a store with a public address"
            }
            Self::NoSpace => {
                "the disk limit must fit the archive and its content at once: raise the server's disk limit, delete files, or empty it with --truncate"
            }
            Self::FileBusy => "the server still runs: stop it in the panel and run this again",
            Self::UnknownFormat => {
                "the archive on the node is not whole: run this again, which sends it anew"
            }
            Self::UploadTooLarge => {
                "raise the node's upload size in the panel (Admin, Nodes, Settings), or restore with --via sftp, which has no such limit"
            }
            Self::Missing => "run this again: links are used once and live for minutes",
            Self::Other { .. } => {
                "look into the log of wings on the node (/var/log/pterodactyl/wings.log)"
            }
        }
    }
}

impl fmt::Display for NodeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullDisabled => f.write_str("the node is configured not to fetch files"),
            Self::TooManyPulls => {
                f.write_str("the node fetches as many files for this server as it may")
            }
            Self::PrivateAddress => f.write_str("the node does not fetch from private addresses"),
            Self::NoSpace => f.write_str("the server's disk limit has no room for it"),
            Self::FileBusy => {
                f.write_str("a file that would be overwritten is in use by the running server")
            }
            Self::UnknownFormat => f.write_str("the node does not know the archive's format"),
            Self::UploadTooLarge => {
                f.write_str("the archive is larger than the node's upload limit")
            }
            Self::Missing => f.write_str("the node has no such file, or the link was used before"),
            Self::Other { status } => write!(f, "the server's node refused (HTTP {status})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_words_tell_what_it_refused() {
        for (status, text, refusal) in [
            (
                400,
                "An error occurred on the remote host: There is not enough disk space available to perform that action.. (request id: x)",
                NodeRefusal::NoSpace,
            ),
            (
                400,
                "This functionality is not currently enabled on this instance.",
                NodeRefusal::PullDisabled,
            ),
            (
                400,
                "This server has reached its limit of 3 simultaneous remote file downloads at once.",
                NodeRefusal::TooManyPulls,
            ),
            (
                400,
                "File a.tar.gz is larger than the maximum file upload size of 100 MB.",
                NodeRefusal::UploadTooLarge,
            ),
            (
                400,
                "One or more files this archive is attempting to overwrite are currently in use by another process.",
                NodeRefusal::FileBusy,
            ),
            (
                400,
                "The archive provided is in a format Wings does not understand.",
                NodeRefusal::UnknownFormat,
            ),
            (404, "", NodeRefusal::Missing),
            (
                418,
                "Ich bin eine Teekanne",
                NodeRefusal::Other { status: 418 },
            ),
        ] {
            assert_eq!(NodeRefusal::read(status, text), refusal, "{text}");
            assert!(!refusal.hint().is_empty());
        }
    }
}
