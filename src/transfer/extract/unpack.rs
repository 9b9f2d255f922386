//! The members of an archive on their way into a directory, checked one by one.

use std::fs::File;
use std::io::Read;
use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use tar::Entry;
use tar::EntryType;

use crate::model::member::BadMember;
use crate::model::member::MemberGlob;
use crate::model::member::MemberPath;
use crate::model::member::shown_member;
use crate::transfer::extract::Extracted;
use crate::transfer::extract::LeftOut;
use crate::transfer::extract::WhyLeftOut;
use crate::transfer::extract::facts::is_unknown_sparse;
use crate::transfer::extract::facts::mode_of;
use crate::transfer::extract::facts::modified_at;
use crate::transfer::extract::facts::settle;
use crate::transfer::extract::tree;
use crate::transfer::extract::tree::Missing;
use crate::transfer::extract::tree::ModifiedAt;
use crate::transfer::extract::tree::Tree;
use crate::transfer::extract::tree::Unreached;
use crate::transfer::inspect::Visitor;

/// How much is copied at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Sparse members are at most this long together, holes included: holes take no room on the disk, and
/// making them still takes time.
const SPARSE_BYTES: u64 = 64 << 30;

/// At most this much of directories' names is kept until their modes and times can be set, which is
/// when nothing more comes into them.
const NOTED_BYTES: usize = 64 << 20;

/// At most so many members that were left out are named; all are counted.
const NAMED_LEFT_OUT: usize = 100;

/// Why the members of an archive are not taken any further.
#[derive(Debug)]
pub(super) enum Stop {
    /// A member that must not be made.
    Refused { member: String, why: String },
    /// The archive could not be read.
    Broken(String),
    /// The file system refused.
    File {
        action: &'static str,
        member: String,
        source: Errno,
    },
}

/// A directory that the archive names, to be given its mode and time at the end.
#[derive(Debug)]
pub(super) struct NotedDirectory {
    pub(super) path: MemberPath,
    pub(super) mode: Mode,
    pub(super) modified_at: Option<ModifiedAt>,
}

#[derive(Debug)]
struct Wanted {
    glob: MemberGlob,
    is_matched: bool,
}

/// Writes members below a directory.
#[derive(Debug)]
pub(super) struct Unpack {
    tree: Tree,
    wanted: Vec<Wanted>,
    extracted: Extracted,
    directories: Vec<NotedDirectory>,
    noted_bytes: usize,
    sparse_bytes: u64,
    buffer: Vec<u8>,
}

/// Where one member goes.
struct Place<'t> {
    directory: BorrowedFd<'t>,
    name: &'t [u8],
}

impl Unpack {
    pub(super) fn below(root: OwnedFd, include: &[MemberGlob]) -> Self {
        Self {
            tree: Tree::new(root),
            wanted: include
                .iter()
                .map(|glob| Wanted {
                    glob: glob.clone(),
                    is_matched: false,
                })
                .collect(),
            extracted: Extracted::default(),
            directories: Vec::new(),
            noted_bytes: 0,
            sparse_bytes: 0,
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// What was made, and the directories whose modes and times are still to be set.
    pub(super) fn done(self) -> (Extracted, Vec<NotedDirectory>) {
        let mut extracted = self.extracted;
        extracted.unmatched = self
            .wanted
            .into_iter()
            .filter(|wanted| !wanted.is_matched)
            .map(|wanted| wanted.glob)
            .collect();
        (extracted, self.directories)
    }

    fn wants(&mut self, path: &MemberPath) -> bool {
        let mut is_wanted = self.wanted.is_empty();
        for wanted in &mut self.wanted {
            if wanted.glob.matches_from_above(path.as_bytes()) {
                wanted.is_matched = true;
                is_wanted = true;
            }
        }
        is_wanted
    }

    fn leave_out(&mut self, path: &MemberPath, why: WhyLeftOut) {
        let Extracted {
            left_out,
            left_out_by_kind,
            left_out_wanted,
            ..
        } = &mut self.extracted;
        if why.is_by_kind() {
            *left_out_by_kind += 1;
        } else {
            *left_out_wanted += 1;
        }
        if left_out.len() < NAMED_LEFT_OUT {
            left_out.push(LeftOut {
                member: path.to_string(),
                why,
            });
        }
    }

    /// The directory that a member goes into.
    fn place<'t>(&'t mut self, path: &'t MemberPath) -> Result<Place<'t>, Failed> {
        let Some((_, name)) = path.split() else {
            return Err(Failed::refused("has no name"));
        };
        let above = path.parts().take(path.depth().saturating_sub(1));
        let directory = self.tree.directory(above, Missing::Make)?;
        Ok(Place { directory, name })
    }

    fn make<R: Read>(&mut self, path: &MemberPath, entry: &mut Entry<'_, R>) -> Result<(), Failed> {
        let kind = entry.header().entry_type();
        let is_directory = kind == EntryType::Directory
            || kind == EntryType::Regular && entry.path_bytes().ends_with(b"/");
        if is_directory {
            return self.directory(path, entry);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the format's own enum, with an arm for any byte"
        )]
        match kind {
            EntryType::Regular | EntryType::Continuous if is_unknown_sparse(entry)? => {
                Err(Failed::LeftOut(WhyLeftOut::Format))
            }
            EntryType::Regular | EntryType::Continuous => self.file(path, entry),
            EntryType::GNUSparse => self.sparse_file(path, entry),
            EntryType::Symlink => self.symbolic_link(path, entry),
            EntryType::Link => self.hard_link(path, entry),
            EntryType::Fifo => Err(Failed::LeftOut(WhyLeftOut::Fifo)),
            EntryType::Char | EntryType::Block => Err(Failed::LeftOut(WhyLeftOut::Device)),
            _foreign => Err(Failed::LeftOut(WhyLeftOut::OtherKind)),
        }
    }

    fn directory<R: Read>(
        &mut self,
        path: &MemberPath,
        entry: &mut Entry<'_, R>,
    ) -> Result<(), Failed> {
        if path.depth() == 0 {
            return Ok(());
        }
        self.tree.directory(path.parts(), Missing::Make)?;
        self.extracted.directories += 1;
        self.noted_bytes += path.as_bytes().len() + size_of::<NotedDirectory>();
        if self.noted_bytes <= NOTED_BYTES {
            self.directories.push(NotedDirectory {
                path: path.clone(),
                mode: mode_of(entry, 0o755),
                modified_at: modified_at(entry)?,
            });
        }
        Ok(())
    }

    fn file<R: Read>(&mut self, path: &MemberPath, entry: &mut Entry<'_, R>) -> Result<(), Failed> {
        let mut file = self.place(path)?.new_file()?;
        let mut bytes = 0;
        loop {
            let got = entry.read(&mut self.buffer).map_err(Failed::unread)?;
            let Some(read) = self.buffer.get(..got).filter(|read| !read.is_empty()) else {
                break;
            };
            file.write_all(read)
                .map_err(|error| Failed::of("write", &error))?;
            bytes += got as u64;
        }
        settle(&file, entry)?;
        self.extracted.files += 1;
        self.extracted.bytes += bytes;
        Ok(())
    }

    /// As [`Self::file`], and what is all zeros becomes a hole.
    fn sparse_file<R: Read>(
        &mut self,
        path: &MemberPath,
        entry: &mut Entry<'_, R>,
    ) -> Result<(), Failed> {
        let length_bytes = entry.size();
        self.sparse_bytes = self.sparse_bytes.saturating_add(length_bytes);
        if self.sparse_bytes > SPARSE_BYTES {
            return Err(Failed::refused("is a sparse file of an absurd length"));
        }
        let file = self.place(path)?.new_file()?;
        let written = |error| Failed::of("write", &error);
        let mut at_bytes = 0;
        loop {
            let got = entry.read(&mut self.buffer).map_err(Failed::unread)?;
            let Some(read) = self.buffer.get(..got).filter(|read| !read.is_empty()) else {
                break;
            };
            if read.iter().any(|byte| *byte != 0) {
                file.write_all_at(read, at_bytes).map_err(written)?;
            }
            at_bytes += got as u64;
        }
        file.set_len(at_bytes).map_err(written)?;
        settle(&file, entry)?;
        self.extracted.files += 1;
        self.extracted.bytes += at_bytes;
        Ok(())
    }

    fn symbolic_link<R: Read>(
        &mut self,
        path: &MemberPath,
        entry: &mut Entry<'_, R>,
    ) -> Result<(), Failed> {
        let modified_at = modified_at(entry)?;
        let target = entry.link_name_bytes().unwrap_or_default();
        path.check_link(&target)?;
        let place = self.place(path)?;
        place.make_room()?;
        rustix::fs::symlinkat(&*target, place.directory, place.name)
            .map_err(|error| Failed::os("make", error))?;
        if let Some(modified_at) = modified_at {
            let times = modified_at.timestamps();
            rustix::fs::utimensat(
                place.directory,
                place.name,
                &times,
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(|error| Failed::os("set the time of", error))?;
        }
        self.extracted.links += 1;
        Ok(())
    }

    /// A second name for a file that the archive brought before.
    fn hard_link<R: Read>(
        &mut self,
        path: &MemberPath,
        entry: &mut Entry<'_, R>,
    ) -> Result<(), Failed> {
        let target = entry.link_name_bytes().unwrap_or_default();
        let target = MemberPath::parse(&target).map_err(|bad| match bad {
            BadMember::Absolute | BadMember::Upwards => BadMember::LeadsOut,
            other @ (BadMember::Nul | BadMember::Nameless | BadMember::LeadsOut) => other,
        })?;
        if target == *path {
            return Err(Failed::refused("is a hard link to itself"));
        }
        let Some((_, target_name)) = target.split() else {
            return Err(Failed::refused("is a hard link to a directory"));
        };
        let above = target.parts().take(target.depth().saturating_sub(1));
        let found = match self.tree.directory(above, Missing::Fail) {
            Ok(directory) => tree::look(directory, target_name)
                .map_err(|error| Failed::os("look at", error))?
                .map(|found| (directory, found)),
            Err(Unreached::Os(Errno::NOENT)) => None,
            Err(unreached) => return Err(unreached.into()),
        };
        let Some((directory, found)) = found else {
            return Err(if self.wanted.is_empty() {
                Failed::refused("is a hard link to a member that did not come before it")
            } else {
                Failed::LeftOut(WhyLeftOut::LinkToUnwanted)
            });
        };
        if tree::kind_of(&found) != FileType::RegularFile {
            return Err(Failed::refused(
                "is a hard link to something that is no file",
            ));
        }
        let directory = directory
            .try_clone_to_owned()
            .map_err(|error| Failed::of("make", &error))?;
        let place = self.place(path)?;
        place.make_room()?;
        rustix::fs::linkat(
            &directory,
            target_name,
            place.directory,
            place.name,
            AtFlags::empty(),
        )
        .map_err(|error| Failed::os("make", error))?;
        self.extracted.links += 1;
        Ok(())
    }
}

impl Visitor for Unpack {
    type Stop = Stop;

    fn member<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<(), Stop> {
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            return Ok(());
        }
        let name = entry.path_bytes().into_owned();
        let path = MemberPath::parse(&name).map_err(|bad| Stop::Refused {
            member: shown_member(&name),
            why: bad.to_string(),
        })?;
        if !self.wants(&path) {
            return Ok(());
        }
        if !path.fits() {
            self.leave_out(&path, WhyLeftOut::Name);
            return Ok(());
        }
        match self.make(&path, entry) {
            Ok(()) => Ok(()),
            Err(Failed::LeftOut(why)) => {
                self.leave_out(&path, why);
                Ok(())
            }
            Err(Failed::Refused(why)) => Err(Stop::Refused {
                member: path.to_string(),
                why,
            }),
            Err(Failed::Unread(why)) => Err(Stop::Broken(why)),
            Err(Failed::Os { action, source }) => Err(Stop::File {
                action,
                member: path.to_string(),
                source,
            }),
        }
    }
}

/// Why one member was not made.
pub(super) enum Failed {
    LeftOut(WhyLeftOut),
    Refused(String),
    Unread(String),
    Os { action: &'static str, source: Errno },
}

impl Failed {
    fn refused(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "it is what `map_err` hands over"
    )]
    pub(super) fn unread(error: std::io::Error) -> Self {
        Self::Unread(error.to_string())
    }

    fn of(action: &'static str, error: &std::io::Error) -> Self {
        Self::os(action, Errno::from_io_error(error).unwrap_or(Errno::IO))
    }

    /// A name that this file system can't hold is one member's trouble, anything else is everyone's.
    pub(super) fn os(action: &'static str, source: Errno) -> Self {
        match source {
            Errno::NAMETOOLONG | Errno::ILSEQ => Self::LeftOut(WhyLeftOut::Name),
            source => Self::Os { action, source },
        }
    }
}

impl From<BadMember> for Failed {
    fn from(bad: BadMember) -> Self {
        Self::Refused(bad.to_string())
    }
}

impl From<Unreached> for Failed {
    fn from(unreached: Unreached) -> Self {
        match unreached {
            Unreached::Link => Self::refused("would be written through a link"),
            Unreached::NoDirectory => {
                Self::refused("lies below a name that is a file in the same archive")
            }
            Unreached::Os(error) => Self::os("make the directory of", error),
        }
    }
}

impl Place<'_> {
    /// Makes a file that was not there: what was is removed, never written through.
    fn new_file(&self) -> Result<File, Failed> {
        let how =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(self.directory, self.name, how, Mode::RUSR | Mode::WUSR);
        let opened = match open() {
            Err(Errno::EXIST) => {
                self.make_room()?;
                open()
            }
            opened => opened,
        };
        Ok(File::from(
            opened.map_err(|error| Failed::os("make", error))?,
        ))
    }

    /// Removes an earlier member of the same name, as the last one counts.
    fn make_room(&self) -> Result<(), Failed> {
        let found =
            tree::look(self.directory, self.name).map_err(|error| Failed::os("look at", error))?;
        match found {
            None => Ok(()),
            Some(found) if tree::kind_of(&found) == FileType::Directory => Err(Failed::refused(
                "has the name of a directory in the same archive",
            )),
            Some(_) => rustix::fs::unlinkat(self.directory, self.name, AtFlags::empty())
                .map_err(|error| Failed::os("replace", error)),
        }
    }
}
