//! A stream as equal parts, which only a cutter makes, and where a consumer of them is.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use bytes::Bytes;

/// One attempt at reading one archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId(u64);

impl StreamId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A run of bytes of one stream; cloning shares them.
#[derive(Clone)]
pub struct Part {
    stream: StreamId,
    offset_bytes: u64,
    length_bytes: u64,
    chunks: Arc<[Bytes]>,
    _held: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("stream", &self.stream)
            .field("offset_bytes", &self.offset_bytes)
            .field("length_bytes", &self.length_bytes)
            .finish_non_exhaustive()
    }
}

impl Part {
    /// The stream it was cut from.
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Where in the stream it begins.
    pub const fn offset_bytes(&self) -> u64 {
        self.offset_bytes
    }

    /// Its length.
    pub const fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// Its bytes, in order, as they came.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }
}

/// Cuts a stream into equal parts; only the last may be shorter.
#[derive(Debug)]
pub struct PartCutter {
    stream: StreamId,
    part_bytes: u64,
    cut_bytes: u64,
    pending: Vec<Bytes>,
    pending_bytes: u64,
}

impl PartCutter {
    /// A cutter at the start of a new stream; parts are `part_bytes` long (at least 1).
    pub fn new(part_bytes: u64) -> Self {
        Self {
            stream: StreamId::next(),
            part_bytes: part_bytes.max(1),
            cut_bytes: 0,
            pending: Vec::new(),
            pending_bytes: 0,
        }
    }

    /// The stream that its parts belong to.
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// How many bytes were taken in, cut or not.
    pub const fn taken_bytes(&self) -> u64 {
        self.cut_bytes + self.pending_bytes
    }

    /// How many bytes left as parts: a broken source may go on from here.
    pub const fn cut_bytes(&self) -> u64 {
        self.cut_bytes
    }

    /// Takes as much of `chunk` as the current part has room for, and leaves the rest in it.
    pub fn fill(&mut self, chunk: &mut Bytes) {
        let room = self.part_bytes - self.pending_bytes;
        let take = chunk.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if take > 0 {
            self.pending.push(chunk.split_to(take));
            self.pending_bytes += take as u64;
        }
    }

    /// Whether a whole part is waiting to be cut.
    pub const fn is_full(&self) -> bool {
        self.pending_bytes == self.part_bytes
    }

    /// Whether nothing is waiting to be cut.
    pub const fn is_empty(&self) -> bool {
        self.pending_bytes == 0
    }

    /// Cuts what is waiting; `held` is kept alive as long as any clone of the part is.
    pub fn cut(&mut self, held: Option<Arc<dyn Any + Send + Sync>>) -> Part {
        let part = Part {
            stream: self.stream,
            offset_bytes: self.cut_bytes,
            length_bytes: self.pending_bytes,
            chunks: std::mem::take(&mut self.pending).into(),
            _held: held,
        };
        self.cut_bytes += self.pending_bytes;
        self.pending_bytes = 0;
        part
    }

    /// Forgets what is waiting, so that reading goes on at [`Self::cut_bytes`].
    pub fn drop_pending(&mut self) {
        self.pending.clear();
        self.pending_bytes = 0;
    }
}

/// A part came from another stream, or out of order: a defect in the caller, never in the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part at byte {came_bytes} came where byte {wanted_bytes} of the same stream was due")]
pub struct OutOfOrder {
    wanted_bytes: u64,
    came_bytes: u64,
}

/// Where in a stream a consumer of parts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    stream: StreamId,
    bytes: u64,
}

impl Position {
    /// The start of a stream.
    pub const fn start(stream: StreamId) -> Self {
        Self { stream, bytes: 0 }
    }

    /// How many bytes were taken so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Moves past `part`.
    ///
    /// # Errors
    /// [`OutOfOrder`] unless it is the next part of this stream.
    pub fn advance(&mut self, part: &Part) -> Result<(), OutOfOrder> {
        if part.stream != self.stream || part.offset_bytes != self.bytes {
            return Err(OutOfOrder {
                wanted_bytes: self.bytes,
                came_bytes: part.offset_bytes,
            });
        }
        self.bytes += part.length_bytes;
        Ok(())
    }
}
