//! Answers, and how they are spoiled on their way out.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::super::archive::Archive;
use super::fault::Fault;
use super::line::Line;
use super::log::Served;

/// One answer before it is sent.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
    shape: Shape,
}

#[derive(Debug)]
enum Content {
    Bytes(Bytes),
    Archive {
        archive: Archive,
        from: u64,
        to: u64,
    },
}

/// What is done to the body; the last word on each point wins.
#[derive(Debug)]
struct Shape {
    flips: Vec<u64>,
    send_at_most: Option<u64>,
    append: u64,
    announce: Announce,
    ending: Ending,
    hold_at: Option<u64>,
    bytes_per_second: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announce {
    /// The length that is sent.
    Sent,
    /// The length that should have been sent.
    Original,
    /// No length.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Finish,
    Cut,
    Stall,
    /// Not even a status line, and the connection closed.
    ClosedAtOnce,
    /// Not even a status line, for ever.
    Silent,
}

impl Reply {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self::with(status, headers, Content::Bytes(body.into()))
    }

    /// No body and no content type.
    pub(super) fn empty(status: u16) -> Self {
        Self::with(status, HeaderMap::new(), Content::Bytes(Bytes::new()))
    }

    /// Some of an archive's bytes.
    pub(super) fn archive(status: u16, archive: Archive, from: u64, to: u64) -> Self {
        Self::with(
            status,
            HeaderMap::new(),
            Content::Archive { archive, from, to },
        )
    }

    fn with(status: u16, headers: HeaderMap, content: Content) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            headers,
            content,
            shape: Shape {
                flips: Vec::new(),
                send_at_most: None,
                append: 0,
                announce: Announce::Sent,
                ending: Ending::Finish,
                hold_at: None,
                bytes_per_second: None,
            },
        }
    }

    /// The connection is closed without an answer.
    pub(super) fn closed() -> Self {
        let mut reply = Self::empty(200);
        reply.shape.ending = Ending::ClosedAtOnce;
        reply
    }

    /// There is no answer, for ever.
    pub(super) fn silent() -> Self {
        let mut reply = Self::empty(200);
        reply.shape.ending = Ending::Silent;
        reply
    }

    /// Adds a header; a value that is none is left out.
    pub(super) fn header(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        if let Ok(value) = HeaderValue::from_str(&format!("{value}")) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Spoils the body; faults that replace the whole answer change nothing here.
    pub(super) fn spoil(&mut self, fault: &Fault) {
        let shape = &mut self.shape;
        match fault {
            Fault::FlipByte { at } => shape.flips.push(*at),
            Fault::ShortenTo { bytes } => shape.send_at_most = Some(*bytes),
            Fault::CutAfter { bytes } => {
                shape.send_at_most = Some(*bytes);
                shape.announce = Announce::Original;
                shape.ending = Ending::Cut;
            }
            Fault::StallAfter { bytes } => {
                shape.send_at_most = Some(*bytes);
                shape.announce = Announce::Original;
                shape.ending = Ending::Stall;
            }
            Fault::HoldAfter { bytes } => shape.hold_at = Some(*bytes),
            Fault::Lengthen { by } => shape.append = *by,
            Fault::NoLength => shape.announce = Announce::Nothing,
            Fault::Drip { bytes_per_second } => shape.bytes_per_second = Some(*bytes_per_second),
            Fault::All(faults) => {
                for fault in faults {
                    self.spoil(fault);
                }
            }
            Fault::SilentAfter => shape.ending = Ending::Silent,
            Fault::ClosedAfter => shape.ending = Ending::ClosedAtOnce,
            Fault::ResourceMissing
            | Fault::BackupMissing
            | Fault::Expired
            | Fault::TooManyRequests { .. }
            | Fault::Html
            | Fault::Redirect
            | Fault::ServerError
            | Fault::BadGateway
            | Fault::Unavailable
            | Fault::Garbage
            | Fault::Says(_)
            | Fault::Refusal { .. }
            | Fault::Closed
            | Fault::Silent => {}
        }
    }

    /// Whether the client is shown a status at all.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.shape.ending, Ending::ClosedAtOnce | Ending::Silent)
    }

    /// Turns it into what the HTTP server sends; archive bytes are counted.
    pub(super) async fn send(self, line: Line, served: Arc<Served>) -> Response {
        if self.shape.ending == Ending::Silent {
            std::future::pending::<()>().await;
        }
        if self.shape.ending == Ending::ClosedAtOnce {
            line.cut_now();
        }
        let original = self.content.bytes();
        let shape = self.shape;
        let of_content = original.min(shape.send_at_most.unwrap_or(u64::MAX));
        let sent = of_content + shape.append;
        let announced = match shape.announce {
            Announce::Sent => Some(sent),
            Announce::Original => Some(original + shape.append),
            Announce::Nothing => None,
        };
        let let_go = served.let_go().clone();
        let counter = matches!(self.content, Content::Archive { .. }).then(|| Counter::new(served));
        let feed = Feed {
            content: self.content,
            at: 0,
            of_content,
            sent,
            flips: shape.flips,
            ending: shape.ending,
            hold_at: shape.hold_at,
            let_go,
            bytes_per_second: shape.bytes_per_second,
            line,
            counter,
        };
        let mut response =
            Response::new(Body::from_stream(stream::unfold(feed, async |mut feed| {
                feed.next().await.map(|chunk| (chunk, feed))
            })));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(announced) = announced.filter(|_bytes| self.status != StatusCode::NO_CONTENT) {
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, announced.into());
        }
        response
    }
}

impl Content {
    fn bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Archive { from, to, .. } => to - from,
        }
    }

    /// Reads are short and come from memory or the page cache, so they need no thread of their own.
    fn read(&self, at: u64, at_most: usize) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(at_most).min(bytes.len());
                Ok(bytes.slice(start..end))
            }
            Self::Archive { archive, from, .. } => archive.read_at(from + at, at_most),
        }
    }
}

/// Counts one archive download from its first byte to its end or to the client's going away.
struct Counter(Arc<Served>);

impl Counter {
    fn new(served: Arc<Served>) -> Self {
        served.begin();
        Self(served)
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// One body on its way.
struct Feed {
    content: Content,
    at: u64,
    of_content: u64,
    sent: u64,
    flips: Vec<u64>,
    ending: Ending,
    hold_at: Option<u64>,
    let_go: CancellationToken,
    bytes_per_second: Option<u64>,
    line: Line,
    counter: Option<Counter>,
}

impl Feed {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        const CHUNK_BYTES: u64 = 128 * 1024;
        const DRIPS_PER_SECOND: u64 = 20;
        if self.hold_at == Some(self.at) {
            self.let_go.cancelled().await;
            self.hold_at = None;
        }
        if self.at == self.sent {
            return self.end().await;
        }
        let mut wanted = CHUNK_BYTES;
        if let Some(rate) = self.bytes_per_second {
            tokio::time::sleep(Duration::from_secs(1) / 20).await;
            wanted = (rate / DRIPS_PER_SECOND).clamp(1, CHUNK_BYTES);
        }
        if let Some(held) = self.hold_at.and_then(|at| at.checked_sub(self.at)) {
            wanted = wanted.min(held);
        }
        let chunk = if self.at < self.of_content {
            let at_most = wanted.min(self.of_content - self.at);
            self.content
                .read(self.at, usize::try_from(at_most).unwrap_or(usize::MAX))
        } else {
            let at_most = wanted.min(self.sent - self.at);
            Ok(vec![b'+'; usize::try_from(at_most).unwrap_or_default()].into())
        };
        Some(chunk.map(|chunk| {
            let chunk = self.flipped(chunk);
            self.at += chunk.len() as u64;
            if let Some(counter) = &self.counter {
                counter.0.count(chunk.len() as u64);
            }
            chunk
        }))
    }

    /// After the last byte: the end, a broken connection, or nothing at all.
    async fn end(&mut self) -> Option<io::Result<Bytes>> {
        match self.ending {
            Ending::Finish | Ending::ClosedAtOnce | Ending::Silent => None,
            Ending::Cut => {
                self.line.cut_when_flushed();
                tokio::task::yield_now().await;
                std::future::pending().await
            }
            Ending::Stall => std::future::pending().await,
        }
    }

    fn flipped(&self, chunk: Bytes) -> Bytes {
        let here: Vec<usize> = self
            .flips
            .iter()
            .filter_map(|flip| usize::try_from(flip.checked_sub(self.at)?).ok())
            .filter(|within| *within < chunk.len())
            .collect();
        if here.is_empty() {
            return chunk;
        }
        let mut bytes = chunk.to_vec();
        for within in here {
            if let Some(byte) = bytes.get_mut(within) {
                *byte = !*byte;
            }
        }
        bytes.into()
    }
}
