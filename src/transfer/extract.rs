//! An archive unpacked into a directory, which gets nothing of it before the digest held.
//!
//! Members go into a staging directory that is made for them. When the stream is proved, everything is
//! brought to the disk (one `syncfs`), and then the staging directory takes the place of the target, or,
//! where the target holds something already, its files are renamed into it one by one. What is refused
//! fails the whole extraction, and the staging directory is removed.

mod error;
mod facts;
mod merge;
mod stage;
mod tree;
mod unpack;

use std::io;
use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::content::Part;
use crate::model::content::Position;
use crate::model::content::StreamId;
use crate::model::content::VerifiedContent;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::member::MemberGlob;
use crate::model::outcome::Failure;
use crate::model::outcome::chain;
pub use crate::transfer::extract::error::Basis;
pub use crate::transfer::extract::error::Error;
use crate::transfer::extract::stage::Stage;
use crate::transfer::extract::unpack::Stop;
use crate::transfer::extract::unpack::Unpack;
use crate::transfer::inspect;
use crate::transfer::inspect::PartReader;
use crate::transfer::inspect::Unwalked;
use crate::transfer::pump::Sink;

/// How many parts may wait for the worker.
const QUEUED_PARTS: usize = 2;

/// How many times its own length an archive may unpack to when no walk over it was ever recorded. Logs
/// unpack to 20 to 50 times their length; the format's own limit is about 1,000 times.
const MOST_TIMES: u64 = 250;

/// What comes on top of that, for small archives.
const MOST_BYTES_MORE: u64 = 256 << 20;

/// Whether a directory that holds something may be written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// It must be empty, or not there.
    Never,
    /// Files of the same name are replaced; nothing else in it is touched.
    Files,
}

/// Where members go, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The directory; only its last name may be missing.
    pub directory: PathBuf,
    /// What may be there already.
    pub overwrite: Overwrite,
    /// Only members that one of these matches, or a directory above them; empty = all.
    pub include: Vec<MemberGlob>,
}

/// Why a member was left out that harms nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// A named pipe.
    Fifo,
    /// A device.
    Device,
    /// Something that is no file, directory or link.
    OtherKind,
    /// Its name is longer than the file system, or the usual calls, can take.
    Name,
    /// A sparse file in a form that is not read here.
    Format,
    /// A hard link to a member that was not asked for.
    LinkToUnwanted,
}

impl WhyLeftOut {
    /// Whether its kind alone is the reason: nothing of the content of files is missing then.
    pub const fn is_by_kind(self) -> bool {
        match self {
            Self::Fifo | Self::Device | Self::OtherKind => true,
            Self::Name | Self::Format | Self::LinkToUnwanted => false,
        }
    }

    /// The reason in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fifo => "it is a named pipe",
            Self::Device => "it is a device",
            Self::OtherKind => "it is no file, directory or link",
            Self::Name => "its name is too long, or has bytes that this file system refuses",
            Self::Format => "it is a sparse file in a form that is not read here",
            Self::LinkToUnwanted => "it is a second name of a file that was not asked for",
        }
    }
}

/// A member that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path, made safe to print.
    pub member: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// What an extraction made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// Directories that the archive names.
    pub directories: u64,
    /// Symbolic and hard links.
    pub links: u64,
    /// The first hundred members that were left out.
    pub left_out: Vec<LeftOut>,
    /// How many were left out because of their kind.
    pub left_out_by_kind: u64,
    /// How many were left out though they were wanted.
    pub left_out_wanted: u64,
    /// Globs that no member matched.
    pub unmatched: Vec<MemberGlob>,
}

impl Extracted {
    /// Whether all that was asked for is there; fifos and devices are not asked for.
    pub fn is_whole(&self) -> bool {
        self.left_out_wanted == 0 && self.unmatched.is_empty()
    }
}

/// How much may come out of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackedLimit {
    most_bytes: u64,
    basis: Basis,
}

impl UnpackedLimit {
    /// What was recorded of this copy's archive, else 250 times its length and 256 MiB.
    pub fn of(copy: &HeldCopy) -> Self {
        match copy.structure {
            Some(structure) => Self {
                most_bytes: structure.unpacked_bytes,
                basis: Basis::Recorded,
            },
            None => Self {
                most_bytes: copy
                    .archive_bytes
                    .saturating_mul(MOST_TIMES)
                    .saturating_add(MOST_BYTES_MORE),
                basis: Basis::Ratio,
            },
        }
    }
}

/// Unpacks the parts of one stream on a thread of its own.
#[derive(Debug)]
#[must_use = "nothing is in place until it is finished; abort it to leave nothing behind"]
pub struct ExtractSink {
    backup: BackupId,
    target: Target,
    position: Position,
    stage: Stage,
    parts: mpsc::Sender<Part>,
    worker: Worker,
}

#[derive(Debug)]
enum Worker {
    Running(JoinHandle<Result<Unpack, Error>>),
    /// It told its failure already.
    Ended,
}

impl Worker {
    async fn end(&mut self) -> Result<Unpack, Error> {
        match std::mem::replace(self, Self::Ended) {
            Self::Running(handle) => handle.await.unwrap_or(Err(Error::Lost)),
            Self::Ended => Err(Error::Lost),
        }
    }
}

impl ExtractSink {
    /// Looks whether a target may be extracted into, without making anything.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::NotADirectory`], [`Error::Nameless`], [`Error::File`]; nothing was
    /// touched.
    pub fn look(target: &Target) -> Result<(), Error> {
        Stage::look(&target.directory, target.overwrite)
    }

    /// Makes the staging directory; what an extraction that was killed left there is removed.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::NotADirectory`], [`Error::Nameless`], [`Error::Busy`],
    /// [`Error::File`]; nothing was changed.
    pub async fn begin(target: Target, copy: &HeldCopy, stream: StreamId) -> Result<Self, Error> {
        let limit = UnpackedLimit::of(copy);
        let (target, stage, unpack) = blocking(move || {
            let stage = Stage::make(&target.directory, target.overwrite)?;
            let unpack = Unpack::below(stage.directory()?, &target.include);
            Ok((target, stage, unpack))
        })
        .await?;
        let (parts, queue) = mpsc::channel(QUEUED_PARTS);
        let work = tokio::task::spawn_blocking(move || work(queue, unpack, limit));
        Ok(Self {
            backup: copy.backup,
            target,
            position: Position::start(stream),
            stage,
            parts,
            worker: Worker::Running(work),
        })
    }

    /// Puts everything in place, now that it is proved.
    ///
    /// # Errors
    /// Why that was not done. With [`Error::File`] some of the files may be in place when the target held
    /// something before; running it again finishes the work. With any other, nothing was changed.
    pub async fn finish(self, content: &VerifiedContent) -> Result<Extracted, Error> {
        let Self {
            target,
            position,
            stage,
            parts,
            mut worker,
            ..
        } = self;
        drop(parts);
        let unpacked = worker.end().await.and_then(|unpack| {
            if position == content.end() {
                Ok(unpack)
            } else {
                Err(Error::Unproved)
            }
        });
        blocking(move || {
            let (extracted, directories) = match unpacked {
                Ok(unpack) => unpack.done(),
                Err(error) => return Err(stage.give_up(error)),
            };
            if !target.include.is_empty() && extracted.unmatched.len() == target.include.len() {
                let patterns: Vec<String> = target
                    .include
                    .iter()
                    .map(|glob| format!("`{glob}`"))
                    .collect();
                return Err(stage.give_up(Error::NothingMatched {
                    patterns: patterns.join(", "),
                }));
            }
            stage.publish(&directories)?;
            Ok(extracted)
        })
        .await
    }
}

/// The worker's whole life. A file system that refuses ends it at once; whatever is wrong with the
/// archive is told only after its last byte was taken, as the digest decides first.
fn work(
    queue: mpsc::Receiver<Part>,
    mut unpack: Unpack,
    limit: UnpackedLimit,
) -> Result<Unpack, Error> {
    let mut archive = PartReader::new(queue);
    let error = match inspect::walk_members(&mut archive, &mut unpack, limit.most_bytes) {
        Ok(_structure) => return Ok(unpack),
        Err(Unwalked::Stopped(Stop::File {
            action,
            member,
            source,
        })) => return Err(Error::file(action, member)(source)),
        Err(Unwalked::Stopped(Stop::Refused { member, why })) => Error::Refused { member, why },
        Err(Unwalked::Stopped(Stop::Broken(why)) | Unwalked::Broken(why)) => Error::Broken(why),
        Err(Unwalked::TooMuch) => Error::TooMuch {
            most_bytes: limit.most_bytes,
            basis: limit.basis,
        },
    };
    match io::copy(&mut archive, &mut io::sink()) {
        Ok(_) => Err(error),
        Err(_never) => Err(Error::Lost),
    }
}

impl Sink for ExtractSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let advanced = self.position.advance(&part).map_err(Error::OutOfOrder);
        let sent = match advanced {
            Ok(()) => self.parts.send(part).await,
            Err(error) => return Err(error.failure(self.backup, &self.target.directory)),
        };
        match sent {
            Ok(()) => Ok(()),
            Err(_closed) => match self.worker.end().await {
                Ok(_early) => Err(Error::Lost.failure(self.backup, &self.target.directory)),
                Err(error) => Err(error.failure(self.backup, &self.target.directory)),
            },
        }
    }

    async fn abort(self) {
        let Self {
            stage,
            parts,
            mut worker,
            ..
        } = self;
        drop(parts);
        if let Err(error) = worker.end().await {
            tracing::debug!("unpacking was given up: {}", chain(&error));
        }
        if blocking(move || {
            stage.remove();
            Ok(())
        })
        .await
        .is_err()
        {
            tracing::warn!("what was unpacked may not have been removed");
        }
    }

    fn name(&self) -> String {
        self.target.directory.display().to_string()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(Error::Lost))
}
