//! One look at an archive behind a fresh link: whether it can be got, without getting it.
//!
//! A node's link is good for one use, which this spends; asking for another costs nothing. A disk of
//! the S3 kind heeds `Range`, a node does not: it begins with the whole archive, and the connection is
//! dropped after the first bytes (`panel-contract.md` section 4).

use futures_util::StreamExt as _;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::header::HeaderMap;

use crate::model::ids::printable;
use crate::transfer::source::Error;
use crate::transfer::source::PanelSource;
use crate::transfer::source::content_length;
use crate::transfer::source::header_text;
use crate::transfer::source::host_of;
use crate::transfer::source::is_web_page;
use crate::transfer::source::refusal;

/// What one look at an archive showed: that it is there, and that its first byte was read from this
/// machine. Nothing of the rest of it, and nothing of whether the node can read it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Where it is.
    pub at: ProbedAt,
    /// Its length, where the answer says it.
    pub total_bytes: Option<u64>,
}

/// Where an archive was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbedAt {
    /// On the server's node.
    Node,
    /// On a disk of the S3 kind.
    Bucket {
        /// The object's content type, safe to print. Nodes restore from `application/x-gzip` and
        /// `application/gzip` alone (`panel-contract.md` section 5).
        content_type: String,
    },
}

impl ProbedAt {
    /// Why a node will not restore from it; `None` where nothing is known against it.
    pub fn why_not_restorable(&self) -> Option<String> {
        match self {
            Self::Node => None,
            Self::Bucket { content_type } => match content_type.as_str() {
                "application/x-gzip" | "application/gzip" => None,
                other => Some(format!(
                    "the object's content type is `{other}`, and nodes take `application/x-gzip` alone"
                )),
            },
        }
    }
}

impl PanelSource {
    /// Asks for a link and reads the archive's first byte.
    ///
    /// # Errors
    /// As [`super::Source::open`].
    pub async fn probe(&self) -> Result<Probed, Error> {
        let link = self
            .panel
            .download_link(&self.server, &self.backup)
            .await
            .map_err(Error::Link)?;
        let host = host_of(link.expose());
        let request = self
            .node
            .get(link.expose().clone())
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::RANGE, "bytes=0-0");
        let stalled = |_elapsed| Error::Stalled {
            at_bytes: 0,
            waited: self.header_timeout,
        };
        let response = tokio::time::timeout(self.header_timeout, request.send())
            .await
            .map_err(stalled)?
            .map_err(|error| Error::Connect {
                host: host.clone(),
                source: error.without_url(),
            })?;
        let probed = match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT if is_web_page(response.headers()) => {
                return Err(Error::WebPage { host });
            }
            StatusCode::OK => Probed {
                at: ProbedAt::Node,
                total_bytes: content_length(response.headers()),
            },
            StatusCode::PARTIAL_CONTENT => Probed {
                at: ProbedAt::Bucket {
                    content_type: printable(header_text(response.headers(), header::CONTENT_TYPE)),
                },
                total_bytes: whole_length(response.headers()),
            },
            status => return Err(refusal(status, response, host, self.header_timeout).await),
        };
        tokio::time::timeout(self.header_timeout, first_byte(response))
            .await
            .map_err(stalled)??;
        Ok(probed)
    }
}

async fn first_byte(response: Response) -> Result<(), Error> {
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| Error::Broken {
            at_bytes: 0,
            source: Some(error.without_url()),
        })?;
        if !chunk.is_empty() {
            return Ok(());
        }
    }
    Err(Error::Broken {
        at_bytes: 0,
        source: None,
    })
}

/// The length after the slash of `bytes 0-0/TOTAL` (RFC 9110 section 14.4).
fn whole_length(headers: &HeaderMap) -> Option<u64> {
    let (_, total) = header_text(headers, header::CONTENT_RANGE).split_once('/')?;
    total.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nodes_take_is_restorable_from_a_bucket() {
        let why = |content_type: &str| {
            let content_type = content_type.to_owned();
            ProbedAt::Bucket { content_type }.why_not_restorable()
        };
        assert_eq!(why("application/x-gzip"), None);
        assert_eq!(why("application/gzip"), None);
        assert_eq!(ProbedAt::Node.why_not_restorable(), None);
        for other in ["", "binary/octet-stream", "application/gzip; charset=x"] {
            assert!(why(other).unwrap().contains(other), "{other}");
        }
    }
}
