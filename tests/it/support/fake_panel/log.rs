//! What was asked, and what was served.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// Where a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// The panel's API.
    Panel,
    /// The node's download port.
    Node,
    /// The panel's S3 disk.
    S3,
}

/// One request as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where it arrived.
    pub site: Site,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent, without its `?`; empty when there is none.
    pub query: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// A whole file that came to the node; `None` when it broke off, and for every other request.
    pub file: Option<Bytes>,
    /// The status of the answer; `None` when the connection was closed or left without one.
    pub answered: Option<u16>,
}

impl Request {
    pub(super) fn read(site: Site, head: &axum::http::request::Parts, body: &[u8]) -> Self {
        let shown = |value: &axum::http::HeaderValue| {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        Self {
            site,
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), shown(value)))
                .collect(),
            body: String::from_utf8_lossy(body).into_owned(),
            file: None,
            answered: None,
        }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _value)| known.eq_ignore_ascii_case(name))
            .map(|(_name, value)| value.as_str())
    }

    /// Whether it carries something that is the panel's business alone.
    pub fn carries_credentials(&self) -> bool {
        ["authorization", "cookie", "proxy-authorization"]
            .iter()
            .any(|name| self.header(name).is_some())
    }
}

/// Counts of archive downloads over node and S3 disk.
#[derive(Debug, Default)]
pub(super) struct Served {
    started: AtomicU64,
    bytes: AtomicU64,
    now: AtomicU64,
    most: AtomicU64,
    let_go: CancellationToken,
}

impl Served {
    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::SeqCst)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    pub(super) fn most_at_once(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }

    /// Counts from zero again; downloads that run now go on being counted as running.
    pub(super) fn forget(&self) {
        self.started.store(0, Ordering::SeqCst);
        self.bytes.store(0, Ordering::SeqCst);
        self.most
            .store(self.now.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    pub(super) fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(super) fn begin(&self) {
        self.started.fetch_add(1, Ordering::SeqCst);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    /// Cancelled once nothing is held any more.
    pub(super) fn let_go(&self) -> &CancellationToken {
        &self.let_go
    }

    pub(super) fn end(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}
