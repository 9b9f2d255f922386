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
    /// Something of another copy was written already.
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
                "throw away what came, and restore to a file with `--output FILE`, which goes on with the next copy"
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

/// A stream that one copy after another may be tried on, as long as nothing was written.
#[derive(Clone)]
pub struct OpenStream {
    out: Arc<Mutex<Box<dyn Write + Send>>>,
    written_bytes: Arc<AtomicU64>,
    name: &'static str,
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
            out: Arc::new(Mutex::new(out)),
            written_bytes: Arc::default(),
            name,
        }
    }

    /// How many bytes were written.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Acquire)
    }

    /// A sink for one copy.
    ///
    /// # Errors
    /// [`Error::Spoilt`] when something of another one was written already.
    pub fn begin(&self, stream: StreamId) -> Result<StreamSink, Error> {
        match self.written_bytes() {
            0 => Ok(StreamSink {
                stream: self.clone(),
                withheld: None,
                position: Position::start(stream),
            }),
            written_bytes => Err(Error::Spoilt {
                name: self.name,
                written_bytes,
            }),
        }
    }

    async fn write(&self, part: Part) -> Result<(), Error> {
        let this = self.clone();
        let written = spawn_blocking(move || {
            let mut out = this.out.lock().unwrap_or_else(PoisonError::into_inner);
            for chunk in part.chunks() {
                // Whatever the outcome, some of it may be there.
                let bytes = chunk.len() as u64;
                this.written_bytes.fetch_add(bytes, Ordering::AcqRel);
                out.write_all(chunk)?;
            }
            out.flush()
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

/// Writes the parts of one copy, each when the next one is there: the last is kept back.
#[derive(Debug)]
#[must_use = "the end of the stream is withheld until `finish`"]
pub struct StreamSink {
    stream: OpenStream,
    withheld: Option<Part>,
    position: Position,
}

impl StreamSink {
    /// Writes the end, once `proof` says that all of it is right.
    ///
    /// # Errors
    /// [`Error`]; the reader has less than the whole archive then.
    pub async fn finish(self, proof: &VerifiedContent) -> Result<(), Error> {
        if self.position != proof.end() {
            return Err(Error::Unproved {
                name: self.stream.name,
            });
        }
        match self.withheld {
            Some(part) => self.stream.write(part).await,
            None => Ok(()),
        }
    }
}

impl Sink for StreamSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let name = self.stream.name;
        if self.position.advance(&part).is_err() {
            return Err(Error::Unproved { name }.failure(name));
        }
        match self.withheld.replace(part) {
            Some(before) => {
                let written = self.stream.write(before).await;
                written.map_err(|error| error.failure(name))
            }
            None => Ok(()),
        }
    }

    async fn abort(self) {}

    fn name(&self) -> String {
        self.stream.name.to_owned()
    }
}
