//! An archive walked to its end as a restore would, without anything being written.

use std::io;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::content::Part;
use crate::model::content::Position;
use crate::model::content::StreamId;
use crate::model::content::Structure;
use crate::model::content::VerifiedContent;
use crate::model::ids::BackupId;
use crate::model::member::MemberGlob;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::transfer::inspect;
use crate::transfer::inspect::PartReader;
use crate::transfer::inspect::Search;
use crate::transfer::inspect::Unwalked;
use crate::transfer::pump::Sink;

/// How many parts may wait for the worker.
const QUEUED_PARTS: usize = 2;

/// What a walk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// Members and unpacked bytes.
    pub structure: Structure,
    /// Globs that no member matches, nor a directory above one.
    pub missing: Vec<MemberGlob>,
}

/// Why an archive was not walked to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The gzip or tar inside is not whole.
    #[error("the archive is not a whole .tar.gz: {0}")]
    Broken(String),
    /// The worker was lost, or took other bytes than those that were proved: a defect here.
    #[error("the archive was not walked to its end")]
    Lost,
}

impl Error {
    /// As a failure of one backup's copy.
    pub fn failure(&self, backup: BackupId) -> Failure {
        let (kind, hint) = match self {
            Self::Broken(_) => (
                FailureKind::Integrity,
                "the copy is what the panel gave, and that is damaged: make a fresh backup, and check the \
                 node's disk",
            ),
            Self::Lost => (
                FailureKind::Local,
                "this is a defect of nestegg: please report it",
            ),
        };
        Failure {
            scope: Scope::Backup,
            id: backup.to_string(),
            kind,
            message: self.to_string(),
            hint: hint.to_owned(),
        }
    }
}

/// Walks the parts of one stream on a thread of its own.
#[derive(Debug)]
pub struct RehearseSink {
    backup: BackupId,
    position: Position,
    parts: mpsc::Sender<Part>,
    worker: JoinHandle<Result<Rehearsed, Error>>,
}

impl RehearseSink {
    /// A walk over the archive of `backup`, which must hold something for each of `must_contain`.
    pub fn begin(stream: StreamId, backup: BackupId, must_contain: Vec<MemberGlob>) -> Self {
        let (parts, queue) = mpsc::channel(QUEUED_PARTS);
        let worker = tokio::task::spawn_blocking(move || walk(queue, must_contain));
        Self {
            backup,
            position: Position::start(stream),
            parts,
            worker,
        }
    }

    /// What was found, now that the stream is proved.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn finish(self, content: &VerifiedContent) -> Result<Rehearsed, Error> {
        drop(self.parts);
        let walked = self.worker.await.unwrap_or(Err(Error::Lost))?;
        if self.position == content.end() {
            Ok(walked)
        } else {
            Err(Error::Lost)
        }
    }
}

impl Sink for RehearseSink {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        let lost = Error::Lost.failure(self.backup);
        if self.position.advance(&part).is_err() || self.parts.send(part).await.is_err() {
            return Err(lost);
        }
        Ok(())
    }

    async fn abort(self) {
        drop(self.parts);
        if self.worker.await.is_err() {
            tracing::debug!("the walk over an archive was lost");
        }
    }

    fn name(&self) -> String {
        "the walk".to_owned()
    }
}

/// Takes all parts whatever it finds: the digest decides first.
fn walk(queue: mpsc::Receiver<Part>, must_contain: Vec<MemberGlob>) -> Result<Rehearsed, Error> {
    let mut archive = PartReader::new(queue);
    let mut search = Search {
        missing: must_contain,
    };
    let walked = inspect::walk_members(&mut archive, &mut search, u64::MAX);
    if io::copy(&mut archive, &mut io::sink()).is_err() {
        return Err(Error::Lost);
    }
    match walked {
        Ok(structure) => Ok(Rehearsed {
            structure,
            missing: search.missing,
        }),
        Err(Unwalked::Broken(why)) => Err(Error::Broken(why)),
        Err(Unwalked::TooMuch) => Err(Error::Lost),
        Err(Unwalked::Stopped(never)) => match never {},
    }
}
