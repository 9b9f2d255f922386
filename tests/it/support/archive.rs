//! Archives like a node's, and broken ones.
//!
//! A node writes one tar in one gzip stream: files only, paths relative to the server's root, closed by two zero
//! blocks (`panel-contract.md` section 6). [`Recipe`] makes such archives from a seed, the same bytes every time;
//! small ones stay in memory, big ones go to an unnamed temporary file and never into memory as a whole.
//! The `with_…` and `cut_to` methods damage a copy and recompute its digests, since a node's digest of a broken
//! archive matches that broken archive.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;

/// 1024 × 1024 bytes.
pub const MIB: u64 = 1 << 20;

/// Archives whose content is at most this long are kept in memory.
const IN_MEMORY_BYTES: u64 = 16 * MIB;

/// What to make an archive from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Everything else equal, another seed is another content.
    pub seed: u64,
    /// How much the members hold in all; the archive is about this long when all of it is noise.
    pub content_bytes: u64,
    /// How much of the content can't be compressed, from 0 to 100; the rest is log text.
    pub noise_percent: u64,
    /// How hard the node compresses.
    pub packing: Packing,
    /// How the tar ends.
    pub ending: Ending,
}

/// The node's `compression_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// `best_speed`, a node's default.
    BestSpeed,
    /// `none`: stored blocks, still a gzip stream; the quickest to make.
    Stored,
}

/// How the tar inside a whole gzip stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With its two zero blocks, as it must.
    Marked,
    /// Right after the last member: the writer was never closed.
    Unmarked,
    /// In the middle of the last member's data.
    InsideMember,
}

/// One archive and all that a panel or a test wants to know of it. Clones are cheap.
#[must_use = "an archive is served by adding it to a panel"]
#[derive(Debug, Clone)]
pub struct Archive {
    content: Content,
    sha1: String,
    sha256: String,
    members: u64,
    tar_bytes: u64,
}

#[derive(Debug, Clone)]
enum Content {
    Memory(Bytes),
    File { file: Arc<File>, bytes: u64 },
}

impl Recipe {
    /// Makes the archive.
    ///
    /// # Errors
    /// When the temporary file of a big one can't be written.
    pub fn make(self) -> io::Result<Archive> {
        if self.content_bytes <= IN_MEMORY_BYTES {
            return Ok(self.make_in_memory());
        }
        let (written, file) =
            self.write_to(io::BufWriter::with_capacity(1 << 20, tempfile::tempfile()?))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = written.bytes;
        Ok(written.into_archive(Content::File {
            file: Arc::new(file),
            bytes,
        }))
    }

    fn make_in_memory(self) -> Archive {
        let (written, memory) = in_memory(self.write_to(Vec::new()));
        written.into_archive(Content::Memory(memory.into()))
    }

    fn write_to<W: Write>(self, out: W) -> io::Result<(Written, W)> {
        let level = match self.packing {
            Packing::BestSpeed => Compression::fast(),
            Packing::Stored => Compression::none(),
        };
        let mut gzip = GzEncoder::new(Hashing::new(out), level);
        let members = Members::of(&self);
        let last = members.count.saturating_sub(1);
        let mut tar_bytes = 0;
        for number in 0..members.count {
            let member = members.member(number);
            gzip.write_all(member.header()?.as_bytes())?;
            let cut = number == last && self.ending == Ending::InsideMember;
            let data_bytes = if cut { member.bytes / 2 } else { member.bytes };
            let mut data = Content::reader(self.seed, &member).take(data_bytes);
            io::copy(&mut data, &mut gzip)?;
            tar_bytes += 512 + data_bytes;
            if !cut {
                let padding = member.bytes.next_multiple_of(512) - member.bytes;
                tar_bytes += io::copy(&mut io::repeat(0).take(padding), &mut gzip)?;
            }
        }
        if self.ending == Ending::Marked {
            tar_bytes += io::copy(&mut io::repeat(0).take(1024), &mut gzip)?;
        }
        let (mut written, out) = gzip.finish()?.finish();
        written.members = members.count;
        written.tar_bytes = tar_bytes;
        Ok((written, out))
    }
}

impl Archive {
    /// A whole archive of a few kilobytes; another seed, another content.
    pub fn small(seed: u64) -> Self {
        Recipe {
            seed,
            content_bytes: 24 * 1024,
            noise_percent: 50,
            packing: Packing::BestSpeed,
            ending: Ending::Marked,
        }
        .make_in_memory()
    }

    /// A whole archive of about this many bytes, kept in memory; for big ones use [`Recipe::make`].
    pub fn of_about(seed: u64, archive_bytes: u64) -> Self {
        Recipe {
            seed,
            content_bytes: archive_bytes,
            noise_percent: 100,
            packing: Packing::Stored,
            ending: Ending::Marked,
        }
        .make_in_memory()
    }

    /// A whole gzip stream around a tar that ends wrong.
    pub fn with_ending(seed: u64, ending: Ending) -> Self {
        Recipe {
            seed,
            content_bytes: 64 * 1024,
            noise_percent: 50,
            packing: Packing::BestSpeed,
            ending,
        }
        .make_in_memory()
    }

    /// Any bytes at all, with their true digests; says of itself that it has no members.
    pub fn of_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut hashing = Hashing::new(io::sink());
        in_memory(hashing.write_all(&bytes));
        hashing.finish().0.into_archive(Content::Memory(bytes))
    }

    /// Its first bytes alone: a gzip stream that breaks off.
    pub fn cut_to(&self, bytes: u64) -> Self {
        Self::of_bytes(self.slice(0, bytes))
    }

    /// The same with something behind it that no gzip stream holds.
    pub fn with_trailing(&self, garbage: &[u8]) -> Self {
        let mut bytes = self.bytes().to_vec();
        bytes.extend_from_slice(garbage);
        Self::of_bytes(bytes)
    }

    /// The same with all bits of one byte flipped.
    pub fn with_flipped_byte(&self, at: u64) -> Self {
        let mut bytes = self.bytes().to_vec();
        if let Some(byte) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at)) {
            *byte = !*byte;
        }
        Self::of_bytes(bytes)
    }

    /// How long the archive is.
    pub fn len(&self) -> u64 {
        match &self.content {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::File { bytes, .. } => *bytes,
        }
    }

    /// Whether it has no bytes at all, which no whole archive has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lower-case hex SHA-1 of the archive's bytes.
    pub fn sha1(&self) -> &str {
        &self.sha1
    }

    /// Lower-case hex SHA-256 of the archive's bytes.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How many members the tar holds; of damaged archives: 0.
    pub fn members(&self) -> u64 {
        self.members
    }

    /// How many bytes the gzip stream unpacks to; of damaged archives: 0.
    pub fn tar_bytes(&self) -> u64 {
        self.tar_bytes
    }

    /// All of it.
    pub fn bytes(&self) -> Bytes {
        self.slice(0, self.len())
    }

    fn slice(&self, from: u64, to: u64) -> Bytes {
        in_memory(self.read_at(from, usize::try_from(to - from).unwrap_or(usize::MAX)))
    }

    /// At most this many bytes from an offset; fewer at the end.
    ///
    /// # Errors
    /// When the temporary file can't be read.
    pub fn read_at(&self, offset: u64, at_most: usize) -> io::Result<Bytes> {
        let start = offset.min(self.len());
        let wanted = usize::try_from(self.len() - start)
            .unwrap_or(usize::MAX)
            .min(at_most);
        match &self.content {
            Content::Memory(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                Ok(bytes.slice(start..start + wanted))
            }
            Content::File { file, .. } => {
                let mut buffer = vec![0; wanted];
                file.read_exact_at(&mut buffer, start)?;
                Ok(buffer.into())
            }
        }
    }
}

/// Takes the result of writing to memory or of reading what was just written.
fn in_memory<T>(result: io::Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => unreachable!("an archive in memory can't fail: {error}"),
    }
}

/// How the content is spread over members.
#[derive(Debug, Clone, Copy)]
struct Members {
    count: u64,
    bytes_each: u64,
    bytes_last: u64,
    noise_percent: u64,
}

/// No member is longer than this.
const MEMBER_BYTES: u64 = 4 * MIB;

impl Members {
    fn of(recipe: &Recipe) -> Self {
        let wanted = (recipe.content_bytes / MEMBER_BYTES).max(8);
        let bytes_each = recipe.content_bytes / wanted;
        Self {
            count: wanted,
            bytes_each,
            bytes_last: recipe.content_bytes - bytes_each * (wanted - 1),
            noise_percent: recipe.noise_percent,
        }
    }

    /// Noise and text alternate in the ratio that was asked for.
    fn member(&self, number: u64) -> Member {
        let noise_before = number * self.noise_percent / 100;
        let is_noise = (number + 1) * self.noise_percent / 100 > noise_before;
        Member {
            number,
            bytes: if number + 1 == self.count {
                self.bytes_last
            } else {
                self.bytes_each
            },
            kind: if is_noise { Kind::Region } else { Kind::Log },
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Member {
    number: u64,
    bytes: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A region file: chunks that the game has compressed itself.
    Region,
    /// A log file.
    Log,
}

impl Member {
    fn path(&self) -> String {
        match self.kind {
            Kind::Region => format!("world/region/r.{}.{}.mca", self.number / 8, self.number % 8),
            Kind::Log => format!("logs/server-{:05}.log", self.number),
        }
    }

    fn header(&self) -> io::Result<tar::Header> {
        let mut header = tar::Header::new_ustar();
        header.set_path(self.path())?;
        header.set_size(self.bytes);
        header.set_mode(0o644);
        header.set_uid(988);
        header.set_gid(988);
        header.set_mtime(1_730_000_000 + self.number);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        Ok(header)
    }
}

impl Content {
    /// The member's data, made while it is read: one block, repeated, with a counter at the start of each repetition.
    /// A block is far longer than what deflate can look back, so repeated noise stays incompressible.
    fn reader(seed: u64, member: &Member) -> Repeated {
        const BLOCK_BYTES: usize = 256 * 1024;
        let mut random = SplitMix(seed ^ (member.number << 32));
        let block = match member.kind {
            Kind::Region => random.noise(BLOCK_BYTES),
            Kind::Log => random.log(BLOCK_BYTES),
        };
        Repeated {
            block,
            offset: 0,
            repetition: 0,
        }
    }
}

struct Repeated {
    block: Vec<u8>,
    offset: usize,
    repetition: u64,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.offset == 0 {
            let counter = format!("{:016x}", self.repetition);
            for (byte, digit) in self.block.iter_mut().zip(counter.bytes()) {
                *byte = digit;
            }
        }
        let taken = self
            .block
            .get(self.offset..)
            .unwrap_or_default()
            .read(buffer)?;
        self.offset += taken;
        if self.offset == self.block.len() {
            self.offset = 0;
            self.repetition += 1;
        }
        Ok(taken)
    }
}

/// The generator of Steele, Lea and Flood, seeded: the same numbers on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn noise(&mut self, bytes: usize) -> Vec<u8> {
        let mut block = Vec::with_capacity(bytes + 8);
        while block.len() < bytes {
            block.extend_from_slice(&self.next().to_le_bytes());
        }
        block.truncate(bytes);
        block
    }

    fn log(&mut self, bytes: usize) -> Vec<u8> {
        const EVENTS: [&str; 4] = [
            "joined the game",
            "left the game",
            "lost connection: Timed out",
            "issued server command: /spawn",
        ];
        let mut block = Vec::with_capacity(bytes + 80);
        while block.len() < bytes {
            let random = self.next();
            let second = random % 86_400;
            let event = EVENTS
                .iter()
                .cycle()
                .nth((random >> 20) as usize % EVENTS.len())
                .unwrap_or(&"idle");
            let line = format!(
                "[{:02}:{:02}:{:02}] [Server thread/INFO]: player{} {event}\n",
                second / 3600,
                second / 60 % 60,
                second % 60,
                (random >> 40) % 500,
            );
            block.extend_from_slice(line.as_bytes());
        }
        block.truncate(bytes);
        block
    }
}

/// Hashes and counts what passes through.
struct Hashing<W> {
    out: W,
    sha1: Sha1,
    sha256: Sha256,
    bytes: u64,
}

/// What was written.
struct Written {
    bytes: u64,
    sha1: String,
    sha256: String,
    members: u64,
    tar_bytes: u64,
}

impl Written {
    fn into_archive(self, content: Content) -> Archive {
        Archive {
            content,
            sha1: self.sha1,
            sha256: self.sha256,
            members: self.members,
            tar_bytes: self.tar_bytes,
        }
    }
}

impl<W: Write> Hashing<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            sha1: Sha1::new(),
            sha256: Sha256::new(),
            bytes: 0,
        }
    }

    fn finish(self) -> (Written, W) {
        let written = Written {
            bytes: self.bytes,
            sha1: hex::encode(self.sha1.finalize()),
            sha256: hex::encode(self.sha256.finalize()),
            members: 0,
            tar_bytes: 0,
        };
        (written, self.out)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(buffer)?;
        let written = buffer.get(..taken).unwrap_or(buffer);
        self.sha1.update(written);
        self.sha256.update(written);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Member count and unpacked length as another reader sees them, or what it stumbles over.
    fn walk(archive: &Archive) -> io::Result<(u64, u64)> {
        let bytes = archive.bytes();
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut unpacked)?;
        let mut members = 0;
        let mut tar = tar::Archive::new(&*unpacked);
        for entry in tar.entries()? {
            let mut entry = entry?;
            io::copy(&mut entry, &mut io::sink())?;
            members += 1;
        }
        Ok((members, unpacked.len() as u64))
    }

    #[test]
    fn an_archive_is_a_gzip_of_a_tar_with_the_members_it_says_it_has() {
        for archive in [
            Archive::small(1),
            Archive::of_about(2, 3 * MIB),
            Archive::of_about(3, 1),
        ] {
            assert_eq!(
                walk(&archive).unwrap(),
                (archive.members(), archive.tar_bytes())
            );
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_gives_others() {
        assert_eq!(Archive::small(7).bytes(), Archive::small(7).bytes());
        assert_ne!(Archive::small(7).sha1(), Archive::small(8).sha1());
    }

    #[test]
    fn digests_are_those_of_the_bytes() {
        let abc = Archive::of_bytes("abc");
        assert_eq!(abc.sha1(), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            abc.sha256(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let big = Recipe {
            seed: 5,
            content_bytes: IN_MEMORY_BYTES + 1,
            noise_percent: 80,
            packing: Packing::BestSpeed,
            ending: Ending::Marked,
        }
        .make()
        .unwrap();
        assert_eq!(Archive::of_bytes(big.bytes()).sha256(), big.sha256());
        assert_eq!(walk(&big).unwrap(), (big.members(), big.tar_bytes()));
    }

    #[test]
    fn noise_stays_long_and_text_becomes_short() {
        let made = |noise_percent| {
            Recipe {
                seed: 9,
                content_bytes: 4 * MIB,
                noise_percent,
                packing: Packing::BestSpeed,
                ending: Ending::Marked,
            }
            .make()
            .unwrap()
            .len()
        };
        assert!(made(100) > 4 * MIB, "{}", made(100));
        assert!(made(0) < 2 * MIB, "{}", made(0));
        assert!(made(0) < made(50) && made(50) < made(100));
    }

    #[test]
    fn broken_archives_are_broken_where_they_say() {
        let whole = Archive::small(1);
        assert_eq!(whole.cut_to(100).bytes(), whole.bytes().slice(..100));
        assert!(walk(&whole.cut_to(whole.len() - 1)).is_err());
        assert!(walk(&whole.with_flipped_byte(whole.len() / 2)).is_err());
        assert_eq!(whole.with_trailing(b"??").len(), whole.len() + 2);
        let cut = Archive::with_ending(1, Ending::InsideMember);
        assert!(walk(&cut).is_err());
        // A lenient reader takes a missing end marker; only a walk that asks for it notices.
        let unmarked = Archive::with_ending(1, Ending::Unmarked);
        let marked = Archive::with_ending(1, Ending::Marked);
        assert_eq!(unmarked.tar_bytes() + 1024, marked.tar_bytes());
        assert_eq!(
            walk(&unmarked).unwrap(),
            (unmarked.members(), unmarked.tar_bytes())
        );
    }
}
