//! The bytes of one archive on their way, and the proof that they are the right ones.
//!
//! A [`Part`] can only be cut by a [`PartCutter`]; the digests and every upload take the same
//! parts, in order, and each checks that. A [`VerifiedContent`] is made only here, by comparing
//! what was computed over those parts with what was expected, so an upload that took the parts
//! of a proved stream took the proved bytes.

mod digest;
mod part;

use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Verdict;
pub use crate::model::content::digest::StreamDigest;
pub use crate::model::content::digest::StreamHasher;
pub use crate::model::content::digest::StreamHashers;
pub use crate::model::content::part::OutOfOrder;
pub use crate::model::content::part::Part;
pub use crate::model::content::part::PartCutter;
pub use crate::model::content::part::Position;
pub use crate::model::content::part::StreamId;

/// Whether archives are inspected (gzip trailer, end of the tar) while they pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspect {
    /// They are.
    On,
    /// Only where there is no digest to go by.
    WhenNeeded,
}

/// What walking an archive to its end found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Structure {
    /// How many members the tar holds.
    pub entries: u64,
    /// How many bytes the gzip stream unpacks to.
    pub unpacked_bytes: u64,
}

/// The bytes that arrived are not the bytes that were expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Fewer or more bytes.
    #[error("the archive has {got_bytes} bytes where {expected_bytes} were expected")]
    Length {
        /// As the panel, or an earlier answer, said it.
        expected_bytes: u64,
        /// As counted.
        got_bytes: u64,
    },
    /// The right number of bytes, other content.
    #[error("the archive's {} is {} where {} was expected", .got.algorithm(), .got.to_hex(), .expected.to_hex())]
    Digest {
        /// As the panel said it.
        expected: ContentDigest,
        /// As computed.
        got: ContentDigest,
    },
    /// The gzip or tar inside is not whole.
    #[error("the archive is not a whole .tar.gz: {why}")]
    Structure {
        /// What the walk stumbled over.
        why: String,
    },
}

/// Proof that one stream, to its end, is the archive that was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a proof is what lets uploads become visible"]
pub struct VerifiedContent {
    end: Position,
    sha256: ContentDigest,
    verdict: Verdict,
    structure: Option<Structure>,
}

/// What was computed over one stream.
#[derive(Debug, Clone)]
pub struct ComputedContent {
    /// Our own digest, always.
    pub sha256: StreamDigest,
    /// The panel's algorithm, when it is another.
    pub second: Option<StreamDigest>,
    /// The walk over the archive, unless inspection is off.
    pub structure: Option<Result<Structure, String>>,
}

impl VerifiedContent {
    /// Compares what was computed with what was expected.
    ///
    /// # Errors
    /// [`Mismatch`]: length first, then digest, then structure.
    pub fn prove(expected: &ExpectedContent, computed: ComputedContent) -> Result<Self, Mismatch> {
        let ComputedContent {
            sha256,
            second,
            structure,
        } = computed;
        let got_bytes = sha256.bytes();
        if let Some(expected_bytes) = expected.length_bytes
            && expected_bytes != got_bytes
        {
            return Err(Mismatch::Length {
                expected_bytes,
                got_bytes,
            });
        }
        match &expected.proof {
            ExpectedProof::Digest(wanted) => {
                let got = [Some(&sha256), second.as_ref()]
                    .into_iter()
                    .flatten()
                    .filter(|digest| digest.position == sha256.position)
                    .map(StreamDigest::digest)
                    .find(|digest| digest.algorithm() == wanted.algorithm());
                match got {
                    Some(got) if got == wanted => {}
                    Some(got) => {
                        return Err(Mismatch::Digest {
                            expected: wanted.clone(),
                            got: got.clone(),
                        });
                    }
                    None => {
                        return Err(Mismatch::Structure {
                            why: format!("no {} was computed over all of it", wanted.algorithm()),
                        });
                    }
                }
            }
            ExpectedProof::Structure if structure.is_none() => {
                return Err(Mismatch::Structure {
                    why: "it was not inspected".to_owned(),
                });
            }
            ExpectedProof::Structure => {}
        }
        let structure = structure
            .transpose()
            .map_err(|why| Mismatch::Structure { why })?;
        Ok(Self {
            end: sha256.position,
            sha256: sha256.digest,
            verdict: expected.proof.verdict(),
            structure,
        })
    }

    /// Where the proved stream ended; an upload compares its own position with it.
    pub const fn end(&self) -> Position {
        self.end
    }

    /// The archive's length.
    pub const fn bytes(&self) -> u64 {
        self.end.bytes()
    }

    /// The archive's SHA-256.
    pub const fn sha256(&self) -> &ContentDigest {
        &self.sha256
    }

    /// What was proved.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the walk found, unless inspection was off.
    pub const fn structure(&self) -> Option<Structure> {
        self.structure
    }

    /// The same proof with the verdict and structure that an earlier check of the same bytes
    /// recorded; for filling a destination from another one, where SHA-256 is the proof.
    pub fn with_recorded(self, verdict: Verdict, structure: Option<Structure>) -> Self {
        Self {
            verdict,
            structure: self.structure.or(structure),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::checksum::Algorithm;
    use crate::model::checksum::Hasher;

    fn parts(cutter: &mut PartCutter, data: &'static [u8]) -> Vec<Part> {
        let mut chunk = Bytes::from_static(data);
        let mut parts = Vec::new();
        while !chunk.is_empty() {
            cutter.fill(&mut chunk);
            if cutter.is_full() {
                parts.push(cutter.cut(None));
            }
        }
        if !cutter.is_empty() {
            parts.push(cutter.cut(None));
        }
        parts
    }

    fn computed(parts: &[Part], stream: StreamId) -> ComputedContent {
        let mut sha256 = StreamHasher::new(stream, Algorithm::Sha256);
        let mut sha1 = StreamHasher::new(stream, Algorithm::Sha1);
        for part in parts {
            assert_eq!((sha256.absorb(part), sha1.absorb(part)), (Ok(()), Ok(())));
        }
        ComputedContent {
            sha256: sha256.finish(),
            second: Some(sha1.finish()),
            structure: None,
        }
    }

    fn expected(data: &[u8]) -> ExpectedContent {
        ExpectedContent {
            length_bytes: Some(data.len() as u64),
            proof: ExpectedProof::Digest(Hasher::digest(Algorithm::Sha1, data)),
        }
    }

    #[test]
    fn parts_are_equal_but_for_the_last_and_hold_every_byte_in_order() {
        let mut cutter = PartCutter::new(4);
        let cut = parts(&mut cutter, b"0123456789");
        let lengths: Vec<u64> = cut.iter().map(Part::length_bytes).collect();
        assert_eq!(lengths, [4, 4, 2]);
        let bytes: Vec<u8> = cut
            .iter()
            .flat_map(Part::chunks)
            .flatten()
            .copied()
            .collect();
        assert_eq!(bytes, b"0123456789");
    }

    #[test]
    fn the_expected_bytes_are_proved_and_any_other_are_not() {
        let mut cutter = PartCutter::new(4);
        let cut = parts(&mut cutter, b"0123456789");
        let proved =
            VerifiedContent::prove(&expected(b"0123456789"), computed(&cut, cutter.stream()));
        assert_eq!(
            proved.map(|proof| (proof.bytes(), proof.verdict())),
            Ok((10, Verdict::PanelSha1))
        );
        let flipped =
            VerifiedContent::prove(&expected(b"0123456788"), computed(&cut, cutter.stream()));
        assert!(
            matches!(flipped, Err(Mismatch::Digest { .. })),
            "{flipped:?}"
        );
        let longer =
            VerifiedContent::prove(&expected(b"01234567890"), computed(&cut, cutter.stream()));
        assert!(matches!(longer, Err(Mismatch::Length { .. })), "{longer:?}");
    }

    #[test]
    fn a_skipped_part_a_repeated_part_and_a_foreign_part_are_refused() {
        let mut cutter = PartCutter::new(2);
        let cut = parts(&mut cutter, b"012345");
        let mut hasher = StreamHasher::new(cutter.stream(), Algorithm::Sha256);
        assert!(hasher.absorb(&cut[1]).is_err());
        assert!(hasher.absorb(&cut[0]).is_ok());
        assert!(hasher.absorb(&cut[0]).is_err());
        let foreign = parts(&mut PartCutter::new(2), b"0123");
        assert!(hasher.absorb(&foreign[1]).is_err());
    }

    #[test]
    fn proof_by_structure_needs_an_inspection() {
        let mut cutter = PartCutter::new(4);
        let cut = parts(&mut cutter, b"0123");
        let expected = ExpectedContent {
            length_bytes: Some(4),
            proof: ExpectedProof::Structure,
        };
        let mut seen = computed(&cut, cutter.stream());
        assert!(VerifiedContent::prove(&expected, seen.clone()).is_err());
        seen.structure = Some(Err("cut short".to_owned()));
        assert!(VerifiedContent::prove(&expected, seen.clone()).is_err());
        seen.structure = Some(Ok(Structure {
            entries: 1,
            unpacked_bytes: 4,
        }));
        let proved = VerifiedContent::prove(&expected, seen).map(|proof| proof.verdict());
        assert_eq!(proved, Ok(Verdict::Structure));
    }
}
