//! A stream that somebody else reads while it is written: it can't be taken back, so its end is
//! withheld until all of it is proved.

use std::fmt;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::task::spawn_blocking;

use crate::model::checksum::Algorithm;
use crate::model::checksum::Hasher;
use crate::model::content::Part;
use crate::model::content::Position;
use crate::model::content::StreamId;
use crate::model::content::VerifiedContent;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::transfer::pump::Sink;
use crate::transfer::sink::file::hint_for;
use crate::transfer::sink::file::kind_of;

/// Why a stream could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody reads it any more.
    #[error("whoever read {name} went away after {written_bytes} bytes")]
    ReaderGone {
        /// The stream.
        name: &'static str,
        /// What was written before.
        written_bytes: u64,
    },
    /// The operating system refused.
    #[error("could not write to {name}")]
    Write {
        /// The stream.
        name: &'static str,
        /// The refusal.
        source: io::Error,
    },
    /// What was written already, of another copy, is not how this one begins: one of the two is bad.
    #[error(
        "{written_bytes} bytes of a copy that did not hold are on {name} already, and can't be taken back: they must not be used"
    )]
    Spoilt {
        /// The stream.
        name: &'static str,
        /// How many.
        written_bytes: u64,
    },
    /// The proof is of other bytes than those that were written: a defect of ours.
    #[error("{name} was given other bytes than those that were proved")]
    Unproved {
        /// The stream.
        name: &'static str,
    },
    /// A task of ours ended in a defect.
    #[error("could not write to {name}: the task crashed")]
    Crashed {
        /// The stream.
        name: &'static str,
        /// The panic.
        source: tokio::task::JoinError,
    },
}

impl Error {
    /// What kind of failure this is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Write { source, .. } => kind_of(source),
            Self::ReaderGone { .. }
            | Self::Spoilt { .. }
            | Self::Unproved { .. }
            | Self::Crashed { .. } => FailureKind::Local,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Write { source, .. } => hint_for(source).to_owned(),
            Self::ReaderGone { .. } => {
                "see why the command after the pipe ended before the archive did".to_owned()
            }
            Self::Spoilt { .. } => {
                "throw away what came, and restore to a file with `--output FILE`, which begins anew with the next copy"
                    .to_owned()
            }
            Self::Unproved { .. } | Self::Crashed { .. } => {
                "throw away what came, and run it again".to_owned()
            }
        }
    }

    /// The same, as an entry of a report.
    pub fn failure(&self, name: &str) -> Failure {
        Failure {
            scope: Scope::Destination,
            id: name.to_owned(),
            kind: self.kind(),
            message: chain(self),
            hint: self.hint(),
        }
    }
}

/// A stream that one copy after another may be tried on: a later one goes on where an earlier one
/// broke off, as long as it begins with the very bytes that were written.
///
/// Copies are cut into parts of one length, and parts are written whole, so that what was written
/// ends where a part of the next copy does.
#[derive(Clone)]
pub struct OpenStream {
    out: Arc<Mutex<Written>>,
    written_bytes: Arc<AtomicU64>,
    name: &'static str,
}

/// The stream, and the digest of what is on it.
struct Written {
    out: Box<dyn Write + Send>,
    hasher: Hasher,
}

impl fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStream")
            .field("name", &self.name)
            .field("written_bytes", &self.written_bytes)
            .finish_non_exhaustive()
    }
}

impl OpenStream {
    /// A stream that nothing was written to yet.
    pub fn new(out: Box<dyn Write + Send>, name: &'static str) -> Self {
        Self {
            out: Arc::new(Mutex::new(Written {
                out,
                hasher: Hasher::new(Algorithm::Sha256),
            })),
            written_bytes: Arc::default(),
            name,
        }
    }

    /// How many bytes were written.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Acquire)
    }

    /// A sink for one copy.
    pub fn begin(&self, stream: StreamId) -> StreamSink {
        StreamSink {
            written: match self.written_bytes() {
                0 => None,
                bytes => Some(Prefix {
                    bytes,
                    hasher: Hasher::new(Algorithm::Sha256),
                }),
            },
            stream: self.clone(),
            withheld: None,
            position: Position::start(stream),
        }
    }

    /// Whether what was written is what `hasher` took in.
    fn begins_with(&self, hasher: Hasher) -> bool {
        let written = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        written.hasher.clone().finish() == hasher.finish()
    }

    fn spoilt(&self) -> Error {
        Error::Spoilt {
            name: self.name,
            written_bytes: self.written_bytes(),
        }
    }

    async fn write(&self, part: Part) -> Result<(), Error> {
        let this = self.clone();
        let written = spawn_blocking(move || {
            let mut written = this.out.lock().unwrap_or_else(PoisonError::into_inner);
            for chunk in part.chunks() {
                // Whatever the outcome, some of it may be there.
                let bytes = chunk.len() as u64;
                this.written_bytes.fetch_add(bytes, Ordering::AcqRel);
                written.hasher.update(chunk);
                written.out.write_all(chunk)?;
            }
            written.out.flush()
        })
        .await;
        let name = self.name;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::ReaderGone {
                name,
                written_bytes: self.written_bytes(),
            }),
            Ok(Err(source)) => Err(Error::Write { name, source }),
            Err(source) => Err(Error::Crashed { name, source }),
        }
    }
}

/// The beginning of a copy, which another one has written already.
#[derive(Debug)]
struct Prefix {
    bytes: u64,
    hasher: Hasher,
}

/// Writes the parts of one copy, each when the next one is there: the last is kept back.
#[derive(Debug)]
#[must_use = "the end of the stream is withheld until `finish`"]
pub struct StreamSink {
    stream: OpenStream,
    /// What is not to be written again; `None` once that is past.
    written: Option<Prefix>,
    withheld: Option<Part>,
    position: Position,
}

impl StreamSink {
    /// Writes the end, once `proof` says that all of it is right.
    ///
    /// # Errors
    /// [`Error`]; the reader has less than the whole archive then, or something else.
    pub async fn finish(self, proof: &VerifiedContent) -> Result<(), Error> {
        if self.position != proof.end() {
            return Err(Error::Unproved {
                name: self.stream.name,
            });
        }
        if self.written.is_some() {
            return Err(self.stream.spoilt());
        }
        match self.withheld {
            Some(part) => self.stream.write(part).await,
            None => Ok(()),
        }
    }

    /// Compares a part with what was written in its place, if anything was; what is left is to be
    /// written.
    async fn compare(&mut self, part: Part) -> Result<Option<Part>, Error> {
        let Some(mut prefix) = self.written.take() else {
            return Ok(Some(part));
        };
        let name = self.stream.name;
        let compared = spawn_blocking(move || {
            for chunk in part.chunks() {
                prefix.hasher.update(chunk);
            }
            prefix
        })
        .await;
        let prefix = compared.map_err(|source| Error::Crashed { name, source })?;
        let at_bytes = self.position.bytes();
        if at_bytes < prefix.bytes {
            self.written = Some(prefix);
            Ok(None)
        } else if at_bytes == prefix.bytes && self.stream.begins_with(prefix.hasher) {
            Ok(None)
        } else {
            Err(self.stream.spoilt())
        }
    }

    async fn take(&mut self, part: Part) -> Result<(), Error> {
        let name = self.stream.name;
        if self.position.advance(&part).is_err() {
            return Err(Error::Unproved { name });
        }
        let Some(part) = self.compare(part).await? else {
            return Ok(());
        };
        match self.withheld.replace(part) {
            Some(before) => self.stream.write(before).await,
            None => Ok(()),
        }
    }
}

impl Sink for StreamSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let name = self.stream.name;
        self.take(part).await.map_err(|error| error.failure(name))
    }

    async fn abort(self) {}

    fn name(&self) -> String {
        self.stream.name.to_owned()
    }
}
