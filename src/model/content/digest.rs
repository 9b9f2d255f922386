//! Digests over the parts of one stream.

use crate::model::checksum::Algorithm;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Hasher;
use crate::model::content::part::OutOfOrder;
use crate::model::content::part::Part;
use crate::model::content::part::Position;
use crate::model::content::part::StreamId;

/// As much of a part as is hashed by one algorithm after the other: any processor's cache holds it.
const CACHED_BYTES: usize = 64 << 10;

/// A digest over the parts of one stream.
#[derive(Debug, Clone)]
pub struct StreamHasher {
    position: Position,
    hasher: Hasher,
}

impl StreamHasher {
    /// A hasher at the start of `stream`.
    pub fn new(stream: StreamId, algorithm: Algorithm) -> Self {
        Self {
            position: Position::start(stream),
            hasher: Hasher::new(algorithm),
        }
    }

    /// Takes the next part in.
    ///
    /// # Errors
    /// [`OutOfOrder`] unless it is the next part of its stream.
    pub fn absorb(&mut self, part: &Part) -> Result<(), OutOfOrder> {
        self.position.advance(part)?;
        for chunk in part.chunks() {
            self.hasher.update(chunk);
        }
        Ok(())
    }

    /// The digest of all parts taken in.
    pub fn finish(self) -> StreamDigest {
        StreamDigest {
            position: self.position,
            digest: self.hasher.finish(),
        }
    }
}

/// All digests over the parts of one stream: SHA-256, and another where it is asked for.
///
/// Piece by piece, since fetching a piece from memory costs nearly as much as hashing it: what one
/// algorithm has read is in the processor's cache for the other.
#[derive(Debug)]
pub struct StreamHashers {
    sha256: StreamHasher,
    second: Option<StreamHasher>,
}

impl StreamHashers {
    /// Hashers at the start of `stream`.
    pub fn new(stream: StreamId, second: Option<Algorithm>) -> Self {
        Self {
            sha256: StreamHasher::new(stream, Algorithm::Sha256),
            second: second.map(|algorithm| StreamHasher::new(stream, algorithm)),
        }
    }

    /// Takes the next part in.
    ///
    /// # Errors
    /// [`OutOfOrder`] unless it is the next part of its stream.
    pub fn absorb(&mut self, part: &Part) -> Result<(), OutOfOrder> {
        let Some(second) = &mut self.second else {
            return self.sha256.absorb(part);
        };
        self.sha256.position.advance(part)?;
        second.position.advance(part)?;
        for chunk in part.chunks() {
            for piece in chunk.chunks(CACHED_BYTES) {
                self.sha256.hasher.update(piece);
                second.hasher.update(piece);
            }
        }
        Ok(())
    }

    /// The SHA-256 of all parts taken in so far.
    pub fn sha256_so_far(&self) -> StreamDigest {
        self.sha256.clone().finish()
    }

    /// The digests of all parts taken in: SHA-256, and the other.
    pub fn finish(self) -> (StreamDigest, Option<StreamDigest>) {
        (self.sha256.finish(), self.second.map(StreamHasher::finish))
    }
}

/// The digest of a stream up to a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamDigest {
    pub(super) position: Position,
    pub(super) digest: ContentDigest,
}

impl StreamDigest {
    /// The digest.
    pub const fn digest(&self) -> &ContentDigest {
        &self.digest
    }

    /// How many bytes it covers.
    pub const fn bytes(&self) -> u64 {
        self.position.bytes()
    }
}
