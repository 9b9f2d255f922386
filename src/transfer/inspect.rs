//! The gzip and tar inside an archive, walked to their end without keeping them.
//!
//! A matching panel digest does not prove a whole archive: nodes drop errors when they close
//! their writers (`panel-contract.md` section 0, trap 10). So the gzip trailers must be right
//! and the tar must reach its end marker. Memory is bounded whatever the archive claims.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::io::BufRead;
use std::io::Read;

use bytes::Buf;
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use tar::EntryType;
use tokio::sync::mpsc;

use crate::model::content::Part;
use crate::model::content::Structure;
use crate::model::member::MemberGlob;
use crate::model::member::MemberPath;

/// A tar's block, and the unit of its end marker (POSIX.1-2017, pax, "ustar interchange format").
const BLOCK_BYTES: usize = 512;

/// At most this much of long names and extended headers is read for one member.
const MEMBER_HEADER_BYTES: u64 = 1 << 20;

/// Looks at the members of an archive while it is walked.
pub trait Visitor {
    /// Why it would look at no more of them.
    type Stop;

    /// Looks at one member; what it leaves unread is read past.
    ///
    /// # Errors
    /// Its own reason to end the walk.
    fn member<R: Read>(&mut self, member: &mut tar::Entry<'_, R>) -> Result<(), Self::Stop>;
}

/// Looks for what must be there; forgets each glob once it is found.
#[derive(Debug)]
pub struct Search {
    /// Globs that no member has matched yet, nor a directory above one.
    pub missing: Vec<MemberGlob>,
}

impl Visitor for Search {
    type Stop = Infallible;

    fn member<R: Read>(&mut self, member: &mut tar::Entry<'_, R>) -> Result<(), Infallible> {
        if !self.missing.is_empty()
            && let Ok(path) = MemberPath::parse(&member.path_bytes())
        {
            self.missing
                .retain(|glob| !glob.matches_from_above(path.as_bytes()));
        }
        Ok(())
    }
}

/// A walk that did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwalked<S> {
    /// What it stumbled over, in words for the operator.
    Broken(String),
    /// More came out than may.
    TooMuch,
    /// The visitor's reason.
    Stopped(S),
}

/// Walks a `.tar.gz` to the end of its last gzip member, and looks for what must be in it; of that is
/// left in `search` what was not found.
///
/// Reads `archive` to its end whatever is found, so that the sender never blocks on it.
///
/// # Errors
/// What the walk stumbled over, in words for the operator.
pub fn walk(mut archive: impl BufRead, search: &mut Search) -> Result<Structure, String> {
    let found = walk_members(&mut archive, search, u64::MAX);
    io::copy(&mut archive, &mut io::sink()).map_err(|error| error.to_string())?;
    found.map_err(|unwalked| match unwalked {
        Unwalked::Broken(why) => why,
        Unwalked::TooMuch => TOO_MUCH.to_owned(),
        Unwalked::Stopped(never) => match never {},
    })
}

/// Walks a `.tar.gz` as [`walk`] does, shows every member to `visitor`, and unpacks at most
/// `most_bytes`. What is left of `archive` after an error is left unread.
///
/// # Errors
/// [`Unwalked`].
pub fn walk_members<V: Visitor>(
    archive: &mut impl BufRead,
    visitor: &mut V,
    most_bytes: u64,
) -> Result<Structure, Unwalked<V::Stop>> {
    let meter = Meter::up_to(most_bytes);
    let unpacked = Metered {
        inner: MultiGzDecoder::new(archive),
        meter: &meter,
    };
    let mut tar = tar::Archive::new(unpacked);
    let broken = |why: String| {
        if meter.is_over.get() {
            Unwalked::TooMuch
        } else {
            Unwalked::Broken(why)
        }
    };
    let entries = visit(&mut tar, &meter, visitor).map_err(|ended| match ended {
        Ended::Broken(error) => broken(format!(
            "{error} (after {} unpacked bytes)",
            meter.read_bytes.get()
        )),
        // What the visitor could not read of a member is the walk's own reason first.
        Ended::Stopped(_) if meter.is_over.get() => Unwalked::TooMuch,
        Ended::Stopped(stop) => Unwalked::Stopped(stop),
    })?;
    if meter.at_end.get() {
        return Err(Unwalked::Broken(format!(
            "the tar ends without its end marker after {entries} members"
        )));
    }
    let mut unpacked = tar.into_inner();
    meter.allowance_bytes.set(u64::MAX);
    second_end_block(&mut unpacked).map_err(broken)?;
    io::copy(&mut unpacked, &mut io::sink())
        .map_err(|error| broken(format!("the gzip stream ends wrong: {error}")))?;
    Ok(Structure {
        entries,
        unpacked_bytes: meter.read_bytes.get(),
    })
}

/// Why no more members are visited.
enum Ended<S> {
    Broken(io::Error),
    Stopped(S),
}

impl<S> From<io::Error> for Ended<S> {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

fn visit<R: Read, V: Visitor>(
    tar: &mut tar::Archive<R>,
    meter: &Meter,
    visitor: &mut V,
) -> Result<u64, Ended<V::Stop>> {
    let mut members = 0;
    meter.allowance_bytes.set(MEMBER_HEADER_BYTES);
    let mut buffer = vec![0; 256 << 10];
    for entry in tar.entries()? {
        let mut entry = entry?;
        members += 1;
        let header = entry.header();
        if header.entry_type() == EntryType::GNUSparse {
            // Its holes are not in the stream: let the walk skip what is.
            let stored_bytes = header.entry_size()?;
            meter
                .allowance_bytes
                .set(stored_bytes.saturating_add(MEMBER_HEADER_BYTES));
            visitor.member(&mut entry).map_err(Ended::Stopped)?;
            continue;
        }
        meter.allowance_bytes.set(u64::MAX);
        visitor.member(&mut entry).map_err(Ended::Stopped)?;
        while entry.read(&mut buffer)? > 0 {}
        if meter.at_end.get() {
            return Err(io::Error::other("the tar ends inside a member").into());
        }
        meter.allowance_bytes.set(MEMBER_HEADER_BYTES);
    }
    Ok(members)
}

fn second_end_block(unpacked: &mut impl Read) -> Result<(), String> {
    let mut block = [0; BLOCK_BYTES];
    match unpacked.read_exact(&mut block) {
        Ok(()) if block.iter().all(|byte| *byte == 0) => Ok(()),
        Ok(()) => Err("the tar's end marker is broken".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err("the tar ends inside its end marker".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

const TOO_MUCH: &str = "more comes out of it than may";

/// What the walk knows about the unpacked stream while `tar` owns its reader.
#[derive(Debug)]
struct Meter {
    read_bytes: Cell<u64>,
    allowance_bytes: Cell<u64>,
    most_bytes: u64,
    at_end: Cell<bool>,
    is_over: Cell<bool>,
}

impl Meter {
    fn up_to(most_bytes: u64) -> Self {
        Self {
            read_bytes: Cell::new(0),
            allowance_bytes: Cell::new(0),
            most_bytes,
            at_end: Cell::new(false),
            is_over: Cell::new(false),
        }
    }
}

struct Metered<'m, R> {
    inner: R,
    meter: &'m Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        let got_bytes = got as u64;
        let Some(allowance) = self.meter.allowance_bytes.get().checked_sub(got_bytes) else {
            return Err(io::Error::other(
                "a member's header is larger than any real one",
            ));
        };
        self.meter.allowance_bytes.set(allowance);
        let read_bytes = self.meter.read_bytes.get().saturating_add(got_bytes);
        self.meter.read_bytes.set(read_bytes);
        if read_bytes > self.meter.most_bytes {
            self.meter.is_over.set(true);
            return Err(io::Error::other(TOO_MUCH));
        }
        if got == 0 && !buffer.is_empty() {
            self.meter.at_end.set(true);
        }
        Ok(got)
    }
}

/// The parts of a stream as a blocking reader; ends when the sender is dropped.
#[derive(Debug)]
pub struct PartReader {
    parts: mpsc::Receiver<Part>,
    part: Option<Part>,
    next_chunk: usize,
    chunk: Bytes,
}

impl PartReader {
    /// Reads what comes over `parts`.
    pub fn new(parts: mpsc::Receiver<Part>) -> Self {
        Self {
            parts,
            part: None,
            next_chunk: 0,
            chunk: Bytes::new(),
        }
    }
}

impl BufRead for PartReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.chunk.is_empty() {
            let next = self
                .part
                .as_ref()
                .and_then(|part| part.chunks().get(self.next_chunk));
            if let Some(chunk) = next {
                self.chunk = chunk.clone();
                self.next_chunk += 1;
                continue;
            }
            self.part = None;
            match self.parts.blocking_recv() {
                Some(part) => {
                    self.part = Some(part);
                    self.next_chunk = 0;
                }
                None => break,
            }
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount);
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ready = self.fill_buf()?;
        let got = ready.read(buffer)?;
        self.consume(got);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn tar(members: &[(&str, usize)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, size) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(*size as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, name, &vec![7; *size][..])
                .unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn look(archive: impl BufRead) -> Result<Structure, String> {
        let mut search = Search {
            missing: Vec::new(),
        };
        walk(archive, &mut search)
    }

    fn why(archive: &[u8]) -> String {
        look(archive).expect_err("this archive is broken")
    }

    #[test]
    fn a_whole_archive_gives_its_members_and_unpacked_bytes() {
        let plain = tar(&[
            ("world/level.dat", 3000),
            ("ops.json", 0),
            (&"n".repeat(300), 5),
        ]);
        let found = look(&gz(&plain)[..]);
        assert_eq!(
            found,
            Ok(Structure {
                entries: 3,
                unpacked_bytes: plain.len() as u64
            })
        );
    }

    #[test]
    fn an_archive_without_members_is_whole() {
        let found = look(&gz(&tar(&[]))[..]);
        assert_eq!(
            found,
            Ok(Structure {
                entries: 0,
                unpacked_bytes: 1024
            })
        );
    }

    #[test]
    fn every_cut_of_the_gzip_is_found() {
        let whole = gz(&tar(&[("a", 700), ("b", 10)]));
        for cut in 0..whole.len() {
            assert!(
                look(&whole[..cut]).is_err(),
                "cut at {cut} of {}",
                whole.len()
            );
        }
    }

    #[test]
    fn every_cut_of_the_tar_inside_a_whole_gzip_is_found() {
        let plain = tar(&[("a", 700), ("b", 10)]);
        for cut in (0..plain.len()).step_by(128) {
            assert!(
                look(&gz(&plain[..cut])[..]).is_err(),
                "cut at {cut} of {}",
                plain.len()
            );
        }
    }

    #[test]
    fn a_tar_cut_between_members_lacks_its_end_marker() {
        let plain = tar(&[("a", 1024)]);
        assert!(why(&gz(&plain[..512 + 1024])).contains("without its end marker"));
        assert!(why(&gz(&plain[..512 + 1024 + 512])).contains("inside its end marker"));
    }

    #[test]
    fn a_flipped_byte_or_something_else_altogether_is_found() {
        let mut flipped = gz(&tar(&[("a", 9000)]));
        let middle = flipped.len() - 6;
        flipped[middle] ^= 1;
        assert!(look(&flipped[..]).is_err());
        assert!(look(&b""[..]).is_err());
        assert!(look(&b"<html>no archive</html>"[..]).is_err());
        assert!(look(&gz(b"not a tar, but long enough to be one block of it")[..]).is_err());
    }

    #[test]
    fn a_member_header_that_claims_gigabytes_is_refused_early() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(EntryType::XHeader);
        header.set_size(8 << 30);
        header.set_cksum();
        let mut plain = header.as_bytes().to_vec();
        plain.resize(plain.len() + (8 << 20), b'1');
        assert!(why(&gz(&plain)).contains("larger than any real one"));
    }

    #[test]
    fn several_gzip_members_are_one_archive() {
        let plain = tar(&[("a", 5000)]);
        let mut archive = gz(&plain[..1000]);
        archive.extend(gz(&plain[1000..]));
        assert!(look(&archive[..]).is_ok());
    }

    #[test]
    fn the_reader_is_drained_even_when_the_archive_is_broken() {
        let junk = "junk".repeat(25_000);
        let mut rest = junk.as_bytes();
        assert!(look(&mut rest).is_err());
        assert_eq!(rest.len(), 0);
    }
}
