//! Archives made member by member, hostile ones too: any name, any kind, any mode.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::EntryType;

use crate::support::archive::Archive;

/// A tar under construction, in one gzip stream.
#[must_use = "nothing is made before `archive`"]
#[derive(Debug)]
pub(crate) struct Members {
    gzip: GzEncoder<Vec<u8>>,
}

/// What a member's header says besides its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts {
    /// Its kind.
    pub(crate) kind: EntryType,
    /// Its permissions, and more.
    pub(crate) mode: u32,
    /// When it was last changed, in seconds.
    pub(crate) modified_at: u64,
}

impl Facts {
    /// An ordinary file's.
    pub(crate) const FILE: Self = Self {
        kind: EntryType::Regular,
        mode: 0o644,
        modified_at: 1_730_000_000,
    };

    /// The same of another kind.
    pub(crate) const fn of(kind: EntryType) -> Self {
        Self { kind, ..Self::FILE }
    }
}

impl Members {
    /// No members yet.
    pub(crate) fn new() -> Self {
        Self {
            gzip: GzEncoder::new(Vec::new(), Compression::fast()),
        }
    }

    /// No members yet, to be packed as small as can be.
    pub(crate) fn packed_hard() -> Self {
        Self {
            gzip: GzEncoder::new(Vec::new(), Compression::best()),
        }
    }

    /// A file.
    pub(crate) fn file(self, name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Self {
        self.member(name, Facts::FILE, "", data)
    }

    /// A symbolic link.
    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.member(name, Facts::of(EntryType::Symlink), target, "")
    }

    /// A hard link.
    pub(crate) fn hard_link(self, name: &str, target: &str) -> Self {
        self.member(name, Facts::of(EntryType::Link), target, "")
    }

    /// Any member; a long name or target goes into a GNU header before it.
    pub(crate) fn member(
        mut self,
        name: impl AsRef<[u8]>,
        facts: Facts,
        target: impl AsRef<[u8]>,
        data: impl AsRef<[u8]>,
    ) -> Self {
        let (name, target, data) = (name.as_ref(), target.as_ref(), data.as_ref());
        if name.len() > 100 {
            self.long(b'L', name);
        }
        if target.len() > 100 {
            self.long(b'K', target);
        }
        let header = header(name, facts, target, data.len());
        self.block(header.as_bytes(), data);
        self
    }

    /// A file whose pax header says more, such as `mtime`.
    pub(crate) fn with_pax(mut self, name: &str, fields: &[(&str, &str)], data: &[u8]) -> Self {
        let records: String = fields
            .iter()
            .map(|(key, value)| record(key, value))
            .collect();
        let pax = header(b"pax", Facts::of(EntryType::XHeader), b"", records.len());
        self.block(pax.as_bytes(), records.as_bytes());
        self.file(name, data)
    }

    /// A GNU sparse file: `data` at an offset, holes before and after it.
    pub(crate) fn sparse(mut self, name: &str, at: u64, data: &[u8], length: u64) -> Self {
        let mut header = tar::Header::new_gnu();
        header
            .set_path(name)
            .unwrap_or_else(|error| panic!("{error}"));
        header.set_mode(0o644);
        header.set_mtime(1_730_000_000);
        header.set_entry_type(EntryType::GNUSparse);
        header.set_size(data.len() as u64);
        if let Some(gnu) = header.as_gnu_mut() {
            gnu.set_real_size(length);
            for (slot, (offset, bytes)) in gnu
                .sparse
                .iter_mut()
                .zip([(at, data.len() as u64), (length, 0)])
            {
                slot.set_offset(offset);
                slot.set_length(bytes);
            }
        }
        header.set_cksum();
        self.block(header.as_bytes(), data);
        self
    }

    /// A file of zeros, made without holding them.
    pub(crate) fn zeros(mut self, name: &str, bytes: u64) -> Self {
        let mut header = header(name.as_bytes(), Facts::FILE, b"", 0);
        header.set_size(bytes);
        header.set_cksum();
        self.write(header.as_bytes());
        let block = vec![0; 1 << 20];
        let mut left = bytes.next_multiple_of(512);
        while left > 0 {
            let some = left.min(block.len() as u64);
            self.write(&block[..usize::try_from(some).unwrap_or(0)]);
            left -= some;
        }
        self
    }

    /// The archive.
    pub(crate) fn archive(mut self) -> Archive {
        self.write(&[0; 1024]);
        match self.gzip.finish() {
            Ok(bytes) => Archive::of_bytes(bytes),
            Err(error) => unreachable!("memory can't fail: {error}"),
        }
    }

    fn long(&mut self, kind: u8, text: &[u8]) {
        let text = [text, b"\0"].concat();
        let facts = Facts::of(EntryType::new(kind));
        let header = header(b"././@LongLink", facts, b"", text.len());
        self.block(header.as_bytes(), &text);
    }

    fn block(&mut self, header: &[u8], data: &[u8]) {
        self.write(header);
        self.write(data);
        let padding = data.len().next_multiple_of(512) - data.len();
        self.write(&[0; 512][..padding]);
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Err(error) = self.gzip.write_all(bytes) {
            unreachable!("memory can't fail: {error}");
        }
    }
}

/// A header with a name that no well-behaved program would write.
fn header(name: &[u8], facts: Facts, target: &[u8], bytes: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let old = header.as_old_mut();
    for (place, byte) in old.name.iter_mut().zip(name) {
        *place = *byte;
    }
    for (place, byte) in old.linkname.iter_mut().zip(target) {
        *place = *byte;
    }
    header.set_entry_type(facts.kind);
    header.set_mode(facts.mode);
    header.set_uid(988);
    header.set_gid(988);
    header.set_mtime(facts.modified_at);
    header.set_size(bytes as u64);
    header.set_cksum();
    header
}

/// A pax record: its own length in decimal, a key, a value.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    loop {
        let whole = format!("{length}{rest}");
        if whole.len() == length {
            return whole;
        }
        length = whole.len();
    }
}
