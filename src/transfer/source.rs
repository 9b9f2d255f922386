//! Where the bytes of one archive come from: the panel's node or disk, or a copy already held.
//!
//! A signed URL is asked for right before each attempt, used once, and never printed. Node URLs
//! are single-use and know no ranges; S3 disks honour `Range` with `If-Match`
//! (`panel-contract.md` section 4).

mod error;
mod probe;

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header;
use reqwest::header::HeaderMap;

use crate::destination::Destination;
use crate::model::holding::SealedCopy;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::ids::printable;
use crate::model::key::ObjectKey;
use crate::model::text::without_credentials;
use crate::panel::PanelClient;

pub use crate::transfer::source::error::Error;
pub use crate::transfer::source::probe::Probed;
pub use crate::transfer::source::probe::ProbedAt;

/// At most this much of an error's body is read.
const ERROR_BODY_BYTES: usize = 4 << 10;

/// The client for signed URLs: no credentials, no cookies, no redirects, no total timeout.
///
/// One connection a URL over HTTP/1.1: anything that touches a link first spends it.
///
/// # Errors
/// [`Error::Connect`] when no TLS is to be had.
pub fn node_client(connect_timeout: Duration) -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .user_agent(concat!("nestegg/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .http1_only()
        .connect_timeout(connect_timeout)
        .build()
        .map_err(|error| Error::Connect {
            host: "any node".to_owned(),
            source: error.without_url(),
        })
}

/// An archive that is being answered.
pub struct Opened {
    /// Where in the archive the body begins: where it was asked to, or 0.
    pub from_bytes: u64,
    /// The whole archive's length, where the answer says it.
    pub total_bytes: Option<u64>,
    /// The bytes.
    pub body: BoxStream<'static, Result<Bytes, Error>>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("from_bytes", &self.from_bytes)
            .field("total_bytes", &self.total_bytes)
            .finish_non_exhaustive()
    }
}

/// Where one archive can be read, again and again.
#[derive(Debug)]
pub enum Source {
    /// From the panel: the node, or the panel's S3 disk.
    Panel(PanelSource),
    /// From a destination that holds a copy.
    Copy(CopySource),
}

impl Source {
    /// Where the copy is that this reads; `None` when it reads from the panel.
    pub fn held_at(&self) -> Option<&DestinationName> {
        match self {
            Self::Panel(_) => None,
            Self::Copy(source) => Some(source.destination()),
        }
    }

    /// The encrypted copy whose very bytes this reads, if it does.
    pub fn as_stored(&self) -> Option<&SealedCopy> {
        match self {
            Self::Panel(_) => None,
            Self::Copy(source) => source.sealed.as_deref(),
        }
    }

    /// Asks for the archive from `from_bytes` on; the answer may begin at 0 all the same.
    ///
    /// # Errors
    /// [`Error`]; nothing was read.
    pub async fn open(&mut self, from_bytes: u64) -> Result<Opened, Error> {
        match self {
            Self::Panel(source) => source.open(from_bytes).await,
            Self::Copy(source) => source.open(from_bytes).await,
        }
    }
}

/// A copy at a destination.
#[derive(Debug)]
pub struct CopySource {
    destination: Destination,
    key: ObjectKey,
    etag: Option<String>,
    sealed: Option<Box<SealedCopy>>,
}

impl CopySource {
    /// The archive `key` at `destination`.
    pub const fn new(destination: Destination, key: ObjectKey) -> Self {
        Self {
            destination,
            key,
            etag: None,
            sealed: None,
        }
    }

    /// An encrypted copy at `destination`, to be copied as it is: a job with this source must expect
    /// the stored bytes and their digest, and brings them only to where the same people can read them.
    pub fn as_stored(destination: Destination, copy: SealedCopy) -> Self {
        Self {
            destination,
            key: copy.key.clone(),
            etag: None,
            sealed: Some(Box::new(copy)),
        }
    }

    /// Where it is.
    pub fn destination(&self) -> &DestinationName {
        self.destination.name()
    }

    async fn open(&mut self, from_bytes: u64) -> Result<Opened, Error> {
        let name = self.destination.name().clone();
        let failed = move |source| Error::Copy {
            destination: name.clone(),
            source,
        };
        let read = self
            .destination
            .read(&self.key, from_bytes)
            .await
            .map_err(&failed)?;
        if from_bytes > 0 && self.etag != read.etag {
            return Err(Error::Changed {
                what: "the copy has another ETag than before".to_owned(),
            });
        }
        self.etag = read.etag;
        Ok(Opened {
            from_bytes,
            total_bytes: Some(read.length_bytes),
            body: read.stream.map_err(failed).boxed(),
        })
    }
}

/// A backup behind the panel's download links.
#[derive(Debug)]
pub struct PanelSource {
    panel: PanelClient,
    node: reqwest::Client,
    server: ServerId,
    backup: BackupId,
    header_timeout: Duration,
    etag: Option<String>,
    total_bytes: Option<u64>,
}

impl PanelSource {
    /// The backup's archive; `header_timeout` bounds the wait for an answer's first line.
    pub const fn new(
        panel: PanelClient,
        node: reqwest::Client,
        server: ServerId,
        backup: BackupId,
        header_timeout: Duration,
    ) -> Self {
        Self {
            panel,
            node,
            server,
            backup,
            header_timeout,
            etag: None,
            total_bytes: None,
        }
    }

    async fn open(&mut self, from_bytes: u64) -> Result<Opened, Error> {
        let link = self
            .panel
            .download_link(&self.server, &self.backup)
            .await
            .map_err(Error::Link)?;
        let host = host_of(link.expose());
        let mut request = self
            .node
            .get(link.expose().clone())
            .header(header::ACCEPT_ENCODING, "identity");
        if let (Some(etag), true) = (&self.etag, from_bytes > 0) {
            request = request
                .header(header::RANGE, format!("bytes={from_bytes}-"))
                .header(header::IF_MATCH, etag);
        }
        let response = tokio::time::timeout(self.header_timeout, request.send())
            .await
            .map_err(|_elapsed| Error::Stalled {
                at_bytes: from_bytes,
                waited: self.header_timeout,
            })?
            .map_err(|error| Error::Connect {
                host: host.clone(),
                source: error.without_url(),
            })?;
        let opened = self.accept(response, from_bytes, host).await?;
        match (self.total_bytes, opened.total_bytes) {
            (Some(before), Some(now)) if before != now => Err(Error::Changed {
                what: format!("it had {before} bytes before and has {now} now"),
            }),
            (_, now) => {
                self.total_bytes = now.or(self.total_bytes);
                Ok(opened)
            }
        }
    }

    async fn accept(
        &mut self,
        response: Response,
        from_bytes: u64,
        host: String,
    ) -> Result<Opened, Error> {
        let status = response.status();
        let (start, total_bytes) = match status {
            StatusCode::OK => (0, content_length(response.headers())),
            StatusCode::PARTIAL_CONTENT => match content_range(response.headers()) {
                Some((start, total)) if start == from_bytes => {
                    // Some proxies honour `Range` and drop `If-Match`.
                    let etag = header_text(response.headers(), header::ETAG);
                    if !etag.is_empty() && self.etag.as_deref() != Some(etag) {
                        return Err(Error::Changed {
                            what: "it has another ETag than before".to_owned(),
                        });
                    }
                    (start, Some(total))
                }
                Some(_) | None => {
                    return Err(Error::Status {
                        host,
                        status,
                        detail: "another range than the one asked for".to_owned(),
                    });
                }
            },
            StatusCode::PRECONDITION_FAILED => {
                return Err(Error::Changed {
                    what: "it has another ETag than before".to_owned(),
                });
            }
            status => return Err(refusal(status, response, host, self.header_timeout).await),
        };
        if is_web_page(response.headers()) {
            return Err(Error::WebPage { host });
        }
        if start == 0 {
            self.etag = resumable_etag(response.headers());
        }
        let mut at_bytes = start;
        let body = response.bytes_stream().map(move |chunk| match chunk {
            Ok(chunk) => {
                at_bytes += chunk.len() as u64;
                Ok(chunk)
            }
            Err(error) => Err(Error::Broken {
                at_bytes,
                source: Some(error.without_url()),
            }),
        });
        Ok(Opened {
            from_bytes: start,
            total_bytes,
            body: body.boxed(),
        })
    }
}

/// Reads a refusal by the tables of `panel-contract.md` section 4; what has not come after `patience` does not count.
async fn refusal(
    status: StatusCode,
    response: Response,
    host: String,
    patience: Duration,
) -> Error {
    let after = retry_after(response.headers());
    let is_xml = header_text(response.headers(), header::CONTENT_TYPE).contains("xml");
    let body = short_body(response, patience).await;
    match status {
        StatusCode::NOT_FOUND if body.contains("requested resource") => Error::LinkRefused { host },
        StatusCode::NOT_FOUND
            if body.contains("requested backup") || body.contains("NoSuchKey") =>
        {
            Error::Gone { host }
        }
        StatusCode::INTERNAL_SERVER_ERROR if !is_xml => Error::TokenRejected { host },
        StatusCode::FORBIDDEN if is_xml => Error::PresignRefused {
            host,
            code: s3_code(&body),
        },
        StatusCode::TOO_MANY_REQUESTS => Error::Busy { host, after },
        status if body.trim_start().starts_with("<!") || body.contains("<html") => Error::Status {
            host,
            status,
            detail: "a web page".to_owned(),
        },
        status => Error::Status {
            host,
            status,
            detail: printable(&without_credentials(&body)),
        },
    }
}

fn s3_code(body: &str) -> String {
    let code = body
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("no code", |(code, _)| code);
    printable(&without_credentials(code))
}

async fn short_body(mut response: Response, patience: Duration) -> String {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ERROR_BODY_BYTES {
                break;
            }
        }
    };
    if tokio::time::timeout(patience, read).await.is_err() {
        tracing::debug!("the body of a refusal stood still");
    }
    body.truncate(ERROR_BODY_BYTES);
    String::from_utf8_lossy(&body).into_owned()
}

/// Host and port of a URL: all that may be said of a signed one.
fn host_of(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or("a host without name");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    header_text(headers, header::CONTENT_LENGTH).parse().ok()
}

/// `bytes FIRST-LAST/TOTAL` (RFC 9110 section 14.4) as (first, total).
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let range = header_text(headers, header::CONTENT_RANGE).strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (last, total): (u64, u64) = (last.parse().ok()?, total.parse().ok()?);
    (last.checked_add(1) == Some(total)).then_some((first.parse().ok()?, total))
}

/// Seconds of a `Retry-After`; the HTTP-date form is not sent by any node.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    header_text(headers, header::RETRY_AFTER)
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// A strong `ETag` of an answer that offers ranges (RFC 9110 section 13.1.1: `If-Match` compares
/// strongly, so a weak one is useless).
fn resumable_etag(headers: &HeaderMap) -> Option<String> {
    let etag = header_text(headers, header::ETAG);
    let ranges = header_text(headers, header::ACCEPT_RANGES);
    (etag.starts_with('"') && ranges.eq_ignore_ascii_case("bytes")).then(|| etag.to_owned())
}

fn is_web_page(headers: &HeaderMap) -> bool {
    header_text(headers, header::CONTENT_TYPE).starts_with("text/html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_a_strong_etag_beside_accept_ranges_resumes() {
        let strong = headers(&[(header::ETAG, "\"e9-2\""), (header::ACCEPT_RANGES, "bytes")]);
        assert_eq!(resumable_etag(&strong).as_deref(), Some("\"e9-2\""));
        let weak = headers(&[(header::ETAG, "W/\"e9\""), (header::ACCEPT_RANGES, "bytes")]);
        assert_eq!(resumable_etag(&weak), None);
        let silent = headers(&[(header::ETAG, "\"e9\"")]);
        assert_eq!(resumable_etag(&silent), None);
    }

    #[test]
    fn a_content_range_gives_its_start_and_the_whole_length() {
        let range = |text| content_range(&headers(&[(header::CONTENT_RANGE, text)]));
        assert_eq!(range("bytes 100-876/877"), Some((100, 877)));
        assert_eq!(range("bytes 100-199/877"), None, "not to the end");
        assert_eq!(range("bytes 100-199/*"), None);
        assert_eq!(range("items 1-2/3"), None);
    }

    #[test]
    fn a_signed_url_is_only_ever_named_by_its_host() {
        let url: url::Url = "https://node7.example.net:8080/download/backup?token=sentinel"
            .parse()
            .unwrap();
        assert_eq!(host_of(&url), "node7.example.net:8080");
    }
}
