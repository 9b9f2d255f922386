//! The last members of an archive: when they stand in a server as the archive has them, it is unpacked.
//!
//! Nodes write members one after the other and go on when nobody waits any more
//! (`panel-contract.md` section 7); no call tells how far they are.

use std::collections::VecDeque;
use std::io;
use std::io::Read;

use bytes::Buf as _;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use tar::EntryType;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::content::Part;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::transfer::pump::Sink;

/// How many are looked at: nodes leave out what the egg forbids, so the very last may never come.
const MEMBERS: usize = 8;
/// Chunks that wait for the walk.
const CHUNKS_AHEAD: usize = 16;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The directory in the server, from `/`.
    pub directory: String,
    /// Its name there.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its modification time.
    pub modified_at: Option<Timestamp>,
}

/// Takes an archive and keeps its last members.
#[derive(Debug)]
pub struct TailSink {
    chunks: mpsc::Sender<Bytes>,
    walk: JoinHandle<io::Result<Vec<Member>>>,
}

impl TailSink {
    /// One that has seen nothing yet.
    pub fn begin() -> Self {
        let (chunks, received) = mpsc::channel(CHUNKS_AHEAD);
        let walk = tokio::task::spawn_blocking(move || {
            walk(Chunks {
                received,
                current: Bytes::new(),
            })
        });
        Self { chunks, walk }
    }

    /// The last members, in their order.
    ///
    /// # Errors
    /// What the walk stumbled over.
    pub async fn finish(self) -> io::Result<Vec<Member>> {
        drop(self.chunks);
        self.walk.await.map_err(io::Error::other)?
    }
}

impl Sink for TailSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        for chunk in part.chunks() {
            if self.chunks.send(chunk.clone()).await.is_err() {
                return Err(Failure {
                    scope: Scope::Backup,
                    id: String::new(),
                    kind: FailureKind::Integrity,
                    message: "the archive is no tar in a gzip stream".to_owned(),
                    hint: String::new(),
                });
            }
        }
        Ok(())
    }

    async fn abort(self) {
        drop(self.chunks);
        if let Err(error) = self.walk.await {
            tracing::debug!("the walk over an archive crashed: {error}");
        }
    }

    fn name(&self) -> String {
        "the list of its members".to_owned()
    }
}

fn walk(archive: impl Read) -> io::Result<Vec<Member>> {
    let mut last = VecDeque::new();
    let mut tar = tar::Archive::new(MultiGzDecoder::new(archive));
    for entry in tar.entries()? {
        let entry = entry?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let Ok(path) = String::from_utf8(entry.path_bytes().into_owned()) else {
            continue;
        };
        let path = path.trim_start_matches("./");
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if last.len() == MEMBERS {
            last.pop_front();
        }
        let seconds = entry.header().mtime()?;
        last.push_back(Member {
            directory: format!("/{directory}"),
            name: name.to_owned(),
            bytes: entry.size(),
            modified_at: i64::try_from(seconds)
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
        });
    }
    // The sender must never wait for nobody.
    io::copy(&mut tar.into_inner(), &mut io::sink())?;
    Ok(last.into())
}

struct Chunks {
    received: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.received.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        let (taken, _rest) = buffer.split_at_mut(length);
        self.current.copy_to_slice(taken);
        Ok(length)
    }
}
