//! age encryption as a stage of an upload: plaintext parts in, parts of the age file out.
//!
//! Standard age v1 (`age-encryption.org/v1`), to public keys alone: what is sealed here can't be read
//! back here. Nothing in this file awaits; `upload/sealed.rs` runs it beside the upload.

use std::fmt;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use age::EncryptError;
use age::Encryptor;
use age::stream::StreamWriter;
use bytes::BytesMut;

use crate::destination::tuning::LARGEST_PART_BYTES;
use crate::model::checksum::Algorithm;
use crate::model::content::Part;
use crate::model::content::PartCutter;
use crate::model::content::StreamDigest;
use crate::model::content::StreamHasher;
use crate::model::content::StreamId;
use crate::model::recipient::Recipient;

/// age encrypts in chunks of this length, and each becomes longer by its tag.
const CHUNK_BYTES: u64 = 64 << 10;

/// The length of a chunk's tag.
const TAG_BYTES: u64 = 16;

/// More than any recipient, or the rest of an age header, takes: the largest RSA key makes 725 bytes.
const HEADER_LINE_BYTES: u64 = 1024;

/// Ciphertext is collected in blocks of this length, so that a part is not moved while it grows.
const BLOCK_BYTES: usize = 1 << 20;

/// How long the parts of an age file are, given those of its plaintext: long enough that it has no more
/// of them, and that an archive of one part is an age file of one part.
pub(super) fn sealed_part_bytes(plain_part_bytes: u64, recipients: usize) -> u64 {
    let lines = u64::try_from(recipients)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let tags = plain_part_bytes.div_ceil(CHUNK_BYTES).max(1) * TAG_BYTES;
    plain_part_bytes
        .saturating_add(tags)
        .saturating_add(lines.saturating_mul(HEADER_LINE_BYTES))
        .min(LARGEST_PART_BYTES)
}

/// One age file being made.
pub(super) struct Sealer {
    writer: StreamWriter<Outlet>,
    outlet: Outlet,
    stream: StreamId,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// A new age file, under a new key that only the recipients can unwrap.
    pub(super) fn new(recipients: &[Recipient], part_bytes: u64) -> Result<Self, EncryptError> {
        let cutter = PartCutter::new(part_bytes);
        let stream = cutter.stream();
        let outlet = Outlet(Arc::new(Mutex::new(Ciphertext {
            hasher: StreamHasher::new(stream, Algorithm::Sha256),
            cutter,
            block: BytesMut::new(),
            cut: Vec::new(),
        })));
        let encryptor = Encryptor::with_recipients(recipients.iter().map(Recipient::key))?;
        Ok(Self {
            writer: encryptor.wrap_output(outlet.clone())?,
            outlet,
            stream,
        })
    }

    /// The stream that the parts of the age file belong to.
    pub(super) const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Encrypts the next part, and gives what became whole by it.
    pub(super) fn seal(&mut self, part: &Part) -> io::Result<Vec<Part>> {
        for chunk in part.chunks() {
            self.writer.write_all(chunk)?;
        }
        Ok(std::mem::take(&mut self.outlet.lock().cut))
    }

    /// Ends the age file: the rest of its parts, and its digest.
    pub(super) fn finish(self) -> io::Result<(Vec<Part>, StreamDigest)> {
        let Self { writer, outlet, .. } = self;
        drop(writer.finish()?);
        let mut ciphertext = outlet.lock();
        ciphertext.pour()?;
        if !ciphertext.cutter.is_empty() {
            ciphertext.cut()?;
        }
        let digest = ciphertext.hasher.clone().finish();
        Ok((std::mem::take(&mut ciphertext.cut), digest))
    }
}

/// Where the encryption writes to: it gives its writer back only at its end.
#[derive(Clone)]
struct Outlet(Arc<Mutex<Ciphertext>>);

impl Outlet {
    fn lock(&self) -> MutexGuard<'_, Ciphertext> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().take(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The age file as far as it is made and not yet given away: at most one part.
struct Ciphertext {
    cutter: PartCutter,
    hasher: StreamHasher,
    block: BytesMut,
    cut: Vec<Part>,
}

impl Ciphertext {
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.block.capacity() == 0 {
                self.block.reserve(BLOCK_BYTES);
            }
            let room = BLOCK_BYTES.saturating_sub(self.block.len());
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.block.extend_from_slice(now);
            bytes = rest;
            if self.block.len() >= BLOCK_BYTES {
                self.pour()?;
            }
        }
        Ok(())
    }

    /// Cuts what has come together.
    fn pour(&mut self) -> io::Result<()> {
        let mut block = std::mem::take(&mut self.block).freeze();
        while !block.is_empty() {
            self.cutter.fill(&mut block);
            if self.cutter.is_full() {
                self.cut()?;
            }
        }
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        let part = self.cutter.cut(None);
        self.hasher.absorb(&part).map_err(io::Error::other)?;
        self.cut.push(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::iter;

    use age::Decryptor;
    use bytes::Bytes;

    use super::*;
    use crate::model::checksum::Hasher;

    fn sealed(plain: &[u8], part_bytes: u64, recipients: &[Recipient]) -> Vec<Part> {
        let mut cutter = PartCutter::new(part_bytes);
        let sealed_bytes = sealed_part_bytes(part_bytes, recipients.len());
        let mut sealer = Sealer::new(recipients, sealed_bytes).unwrap();
        let mut parts = Vec::new();
        let mut rest = Bytes::copy_from_slice(plain);
        while !rest.is_empty() {
            cutter.fill(&mut rest);
            if cutter.is_full() || rest.is_empty() {
                parts.extend(sealer.seal(&cutter.cut(None)).unwrap());
            }
        }
        let stream = sealer.stream();
        let (last, digest) = sealer.finish().unwrap();
        parts.extend(last);
        let mut hasher = StreamHasher::new(stream, Algorithm::Sha256);
        for part in &parts {
            hasher.absorb(part).unwrap();
        }
        assert_eq!(hasher.finish(), digest);
        let (equal, end) = parts.split_at(parts.len() - 1);
        assert!(equal.iter().all(|part| part.length_bytes() == sealed_bytes));
        assert!(end[0].length_bytes() <= sealed_bytes);
        assert!(
            parts.len()
                <= plain
                    .len()
                    .div_ceil(usize::try_from(part_bytes).unwrap())
                    .max(1)
        );
        parts
    }

    fn opened(parts: &[Part], identity: &age::x25519::Identity) -> Vec<u8> {
        let file: Vec<u8> = parts
            .iter()
            .flat_map(Part::chunks)
            .flatten()
            .copied()
            .collect();
        let mut plain = Vec::new();
        Decryptor::new(&file[..])
            .unwrap()
            .decrypt(iter::once(identity as &dyn age::Identity))
            .unwrap()
            .read_to_end(&mut plain)
            .unwrap();
        plain
    }

    #[test]
    fn every_length_around_chunks_and_parts_opens_to_the_same_bytes_in_no_more_parts() {
        let identity = age::x25519::Identity::generate();
        let recipients = [identity.to_public().to_string().parse().unwrap()];
        let part_bytes = 200_000;
        let chunk = usize::try_from(CHUNK_BYTES).unwrap();
        for length in [
            0,
            1,
            chunk - 1,
            chunk,
            chunk + 1,
            199_999,
            200_000,
            200_001,
            3 * 200_000,
            3 * 200_000 + 1,
        ] {
            let plain: Vec<u8> = (0..=250).cycle().step_by(31).take(length).collect();
            let parts = sealed(&plain, part_bytes, &recipients);
            assert!(opened(&parts, &identity) == plain, "{length}");
        }
    }

    #[test]
    fn the_same_bytes_are_never_sealed_the_same_way_twice() {
        let identity = age::x25519::Identity::generate();
        let recipients = [identity.to_public().to_string().parse().unwrap()];
        let digest = || {
            let parts = sealed(b"archive", 100, &recipients);
            let file: Vec<u8> = parts
                .iter()
                .flat_map(Part::chunks)
                .flatten()
                .copied()
                .collect();
            Hasher::digest(Algorithm::Sha256, &file)
        };
        assert_ne!(digest(), digest());
    }

    #[test]
    fn parts_of_an_age_file_stay_within_what_stores_take() {
        for plain in [1, 4, 5 << 20, 8 << 20, 64 << 20] {
            let sealed = sealed_part_bytes(plain, 3);
            assert!(
                sealed > plain && sealed < plain + plain / 1000 + 8192,
                "{plain}"
            );
        }
        assert_eq!(sealed_part_bytes(LARGEST_PART_BYTES, 1), LARGEST_PART_BYTES);
    }
}
