//! Where an upload is in the stream of equal parts that it takes.

use crate::destination::error::Error;
use crate::destination::tuning::MAX_PARTS;
use crate::model::content::Part;
use crate::model::content::Position;
use crate::model::content::StreamId;
use crate::model::content::VerifiedContent;
use crate::model::key::ObjectKey;

/// Where in a stream of equal parts an upload is.
#[derive(Debug, Clone, Copy)]
pub(in crate::destination) struct Cursor {
    pub(super) position: Position,
    pub(super) part_bytes: u64,
}

impl Cursor {
    /// The start of a stream whose parts are `part_bytes` long (at least 1).
    pub(in crate::destination) fn start(stream: StreamId, part_bytes: u64) -> Self {
        Self {
            position: Position::start(stream),
            part_bytes: part_bytes.max(1),
        }
    }

    /// Where it is after `part`, if that is the next one and has the right length.
    pub(super) fn after(&self, part: &Part, key: &ObjectKey) -> Result<Self, Error> {
        let mut after = *self;
        after
            .position
            .advance(part)
            .map_err(|source| Error::OutOfOrder {
                key: key.clone(),
                source,
            })?;
        if part.length_bytes() == 0 {
            return Ok(after);
        }
        let taken = self.position.bytes();
        if part.length_bytes() > self.part_bytes || !taken.is_multiple_of(self.part_bytes) {
            return Err(Error::UnevenPart {
                key: key.clone(),
                came_bytes: part.length_bytes(),
                part_bytes: self.part_bytes,
            });
        }
        if taken / self.part_bytes >= MAX_PARTS {
            return Err(Error::TooManyParts {
                key: key.clone(),
                part_bytes: self.part_bytes,
            });
        }
        Ok(after)
    }

    /// Checks that the proof is of exactly what was taken.
    pub(super) fn prove(&self, content: &VerifiedContent, key: &ObjectKey) -> Result<(), Error> {
        if self.position == content.end() {
            Ok(())
        } else {
            Err(Error::Unproved {
                key: key.clone(),
                sent_bytes: self.position.bytes(),
                proved_bytes: content.bytes(),
            })
        }
    }
}
