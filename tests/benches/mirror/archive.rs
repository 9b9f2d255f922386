//! Archives of any length that take no room: a gzip member that is repeated, and an end.
//!
//! A `.tar.gz` may be made of several gzip members, and a tar of any number of members; so one
//! compressed run of members, repeated, closed by the tar's end marker as a member of its own, is
//! a whole archive. It is served from one small file in the page cache, which costs the server
//! next to nothing and no disk.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha1::Sha1;
use sha2::Digest;
use sha2::Sha256;

use crate::Outcome;

/// How much the repeated run of members holds, unpacked, at most.
const RUN_BYTES: u64 = 128 << 20;

/// How long a member of the tar is.
const MEMBER_BYTES: usize = 4 << 20;

/// What the members hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Four region files of compressed chunks, each chunk padded to whole sectors as the game does
    /// it, to one log: what is in a game server's folder. Packs to about two thirds.
    Mixed,
    /// Noise, like jars and pictures, stored as it is, which is what nodes do with it.
    Noise,
}

/// One archive.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    run: Arc<[u8]>,
    end: Arc<[u8]>,
    file: Arc<File>,
    repeats: u64,
    pub(crate) bytes: u64,
    pub(crate) sha1: String,
}

/// Xorshift64*: noise that is the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn fill(&mut self, out: &mut Vec<u8>, bytes: usize) {
        let end = out.len() + bytes;
        while out.len() < end {
            out.extend(self.next().to_le_bytes());
        }
        out.truncate(end);
    }

    fn region(&mut self, out: &mut Vec<u8>, bytes: usize) {
        const SECTOR_BYTES: usize = 4096;
        let end = out.len() + bytes;
        while out.len() < end {
            let chunk_bytes = 2048 + usize::try_from(self.next() % 8192).unwrap_or_default();
            self.fill(out, chunk_bytes);
            out.resize(out.len().next_multiple_of(SECTOR_BYTES), 0);
        }
        out.truncate(end);
    }

    fn log_text(&mut self, out: &mut Vec<u8>, bytes: usize) {
        const WORDS: [&str; 8] = [
            "joined the game",
            "left the game",
            "lost connection: Disconnected",
            "was slain by Zombie",
            "issued server command: /home",
            "moved too quickly!",
            "has made the advancement [Stone Age]",
            "Can't keep up! Is the server overloaded?",
        ];
        let end = out.len() + bytes;
        while out.len() < end {
            let random = self.next();
            let word = WORDS
                .get(usize::try_from(random % 8).unwrap_or_default())
                .copied()
                .unwrap_or_default();
            let (hour, minute, second) = (random >> 8 & 15, random >> 16 & 31, random >> 24 & 31);
            let player = random >> 32 & 0xffff;
            out.extend(
                format!("[{hour:02}:{minute:02}:{second:02}] [Server thread/INFO]: Player{player:05} {word}\n")
                    .into_bytes(),
            );
        }
        out.truncate(end);
    }
}

impl Archive {
    /// An archive of about `bytes`, its repeated run kept as a file in `folder`.
    pub(crate) fn make(folder: &Path, content: Content, bytes: u64) -> Outcome<Self> {
        let run = packed_run(content, RUN_BYTES.min(bytes))?;
        let mut end = GzEncoder::new(Vec::new(), Compression::fast());
        end.write_all(&[0; 1024])?;
        let end = end.finish()?;
        let run_bytes = u64::try_from(run.len())?;
        let repeats = (bytes / run_bytes).max(1);
        let path = folder.join(format!("run-{content:?}-{repeats}"));
        std::fs::write(&path, &run)?;
        let file = File::open(&path)?;
        // Nothing but the open file is needed any more.
        std::fs::remove_file(&path)?;
        let mut archive = Self {
            run: run.into(),
            bytes: run_bytes * repeats + u64::try_from(end.len())?,
            end: end.into(),
            file: Arc::new(file),
            repeats,
            sha1: String::new(),
        };
        archive.sha1 = archive.digest::<Sha1>();
        Ok(archive)
    }

    /// The archive in pieces.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.repeats)
            .map(|_| &*self.run)
            .chain(std::iter::once(&*self.end))
    }

    /// The archive as a reader.
    pub(crate) fn reader(&self) -> impl Read + '_ {
        Pieces {
            pieces: self.pieces(),
            piece: &[],
        }
    }

    fn digest<D: Digest>(&self) -> String {
        let mut digest = D::new();
        for piece in self.pieces() {
            digest.update(piece);
        }
        hex::encode(digest.finalize())
    }

    /// SHA-1 and SHA-256 at the same time, a thread each: what a mirror has to compute.
    pub(crate) fn both_digests(&self) -> (String, String) {
        std::thread::scope(|scope| {
            let sha1 = scope.spawn(|| self.digest::<Sha1>());
            let sha256 = self.digest::<Sha256>();
            (sha1.join().unwrap_or_default(), sha256)
        })
    }

    /// The same in one thread, for the least processor time that is known: each piece comes from
    /// memory once.
    pub(crate) fn both_digests_in_turn(&self) -> (String, String) {
        let (mut sha1, mut sha256) = (Sha1::new(), Sha256::new());
        for piece in self.pieces().flat_map(|piece| piece.chunks(64 << 10)) {
            sha1.update(piece);
            sha256.update(piece);
        }
        (hex::encode(sha1.finalize()), hex::encode(sha256.finalize()))
    }

    /// Unpacks it and lists the members, as `gzip -dc | tar t` does, in one thread.
    pub(crate) fn list(&self) -> io::Result<u64> {
        let packed = io::BufReader::with_capacity(256 << 10, self.reader());
        let mut tar = tar::Archive::new(flate2::bufread::MultiGzDecoder::new(packed));
        let mut members = 0;
        for entry in tar.entries()? {
            entry?;
            members += 1;
        }
        io::copy(&mut tar.into_inner(), &mut io::sink())?;
        Ok(members)
    }

    /// Writes it into a connection, from the page cache.
    pub(crate) fn send(&self, mut connection: &TcpStream) -> io::Result<()> {
        let run_bytes = u64::try_from(self.run.len()).map_err(io::Error::other)?;
        for _ in 0..self.repeats {
            // A handle of its own, since connections must not share a position.
            let mut offset = 0;
            let mut file = File::open(format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(&*self.file)
            ))?;
            while offset < run_bytes {
                let sent = io::copy(&mut (&mut file).take(run_bytes - offset), &mut connection)?;
                if sent == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                offset += sent;
            }
        }
        connection.write_all(&self.end)
    }
}

fn packed_run(content: Content, unpacked_bytes: u64) -> Outcome<Vec<u8>> {
    let mut noise = Noise(0x9E37_79B9_7F4A_7C15);
    let level = match content {
        Content::Mixed => Compression::fast(),
        Content::Noise => Compression::none(),
    };
    let mut gzip = GzEncoder::new(Vec::new(), level);
    let mut written = 0;
    let mut number = 0_u32;
    while written < unpacked_bytes {
        let mut data = Vec::with_capacity(MEMBER_BYTES);
        match content {
            Content::Mixed if number % 5 == 4 => noise.log_text(&mut data, MEMBER_BYTES),
            Content::Mixed => noise.region(&mut data, MEMBER_BYTES),
            Content::Noise => noise.fill(&mut data, MEMBER_BYTES),
        }
        let mut header = tar::Header::new_gnu();
        header.set_path(format!("world/region/r.{number}.0.mca"))?;
        header.set_size(u64::try_from(data.len())?);
        header.set_mode(0o644);
        header.set_cksum();
        gzip.write_all(header.as_bytes())?;
        gzip.write_all(&data)?;
        written += u64::try_from(data.len())?;
        number += 1;
    }
    Ok(gzip.finish()?)
}

struct Pieces<'a, I> {
    pieces: I,
    piece: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a [u8]>> Read for Pieces<'a, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        self.piece.read(buffer)
    }
}
