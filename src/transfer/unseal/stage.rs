//! Decryption beside a transfer: parts of the age file in, parts of the archive out.
//!
//! One thread decrypts. It takes the age file's parts through a queue of one and gives the archive's
//! through another, and holds a permit for every part of the archive until its last reader let it go.

use std::any::Any;
use std::io;
use std::io::Read as _;
use std::sync::Arc;

use age::DecryptError;
use age::Decryptor;
use bytes::Bytes;
use bytes::BytesMut;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::model::content::Part;
use crate::model::content::PartCutter;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::transfer::inspect::PartReader;
use crate::transfer::pump::Sink;
use crate::transfer::unseal::Identities;

/// The archive is collected in blocks of this length.
const BLOCK_BYTES: usize = 256 << 10;

/// Why an age file was not decrypted to its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::transfer) enum Unopened {
    /// No identity fits.
    #[error("no identity given fits")]
    NoIdentity,
    /// It is no age file that can be used here.
    #[error("it is no age file that can be opened")]
    Header(#[source] DecryptError),
    /// Its authentication fails, or it ends early.
    #[error("its encryption does not hold")]
    Altered(#[source] io::Error),
    /// Nobody wanted the archive any more.
    #[error("nobody took the archive")]
    Unwanted,
}

impl Unopened {
    fn of_header(error: DecryptError) -> Self {
        if matches!(error, DecryptError::NoMatchingKeys) {
            Self::NoIdentity
        } else {
            Self::Header(error)
        }
    }

    /// Whether the header goes on where what was given ends.
    pub(in crate::transfer) fn is_cut_off(&self) -> bool {
        matches!(self, Self::Header(DecryptError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
    }
}

/// Whether one of the identities opens the age file that begins so.
pub(in crate::transfer) fn opens_beginning(
    beginning: &[u8],
    identities: &Identities,
) -> Result<(), Unopened> {
    let decryptor = Decryptor::new_buffered(beginning).map_err(Unopened::of_header)?;
    let opened = decryptor.decrypt(identities.iter());
    opened.map(drop).map_err(Unopened::of_header)
}

/// The end that takes the age file's parts: a sink of the pump that reads the copy.
#[derive(Debug)]
pub(in crate::transfer) struct Unsealer {
    parts: mpsc::Sender<Part>,
}

impl Sink for Unsealer {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        // Why it ended is told by the thread itself.
        self.parts.send(part).await.map_err(|_ended| Failure {
            scope: Scope::Backup,
            id: String::new(),
            kind: FailureKind::Integrity,
            message: "its decryption ended early".to_owned(),
            hint: String::new(),
        })
    }

    async fn abort(self) {}

    fn name(&self) -> String {
        "decryption".to_owned()
    }
}

/// Told once an identity has opened the age file; nothing of the archive is known before.
#[derive(Debug)]
pub(in crate::transfer) struct Opened(());

/// The end that gives the archive's parts.
#[derive(Debug)]
pub(in crate::transfer) struct Unsealing {
    /// Told when the header is opened; dropped untold when it is not.
    pub(in crate::transfer) opened: oneshot::Receiver<Opened>,
    /// The archive.
    pub(in crate::transfer) parts: mpsc::Receiver<Part>,
    /// How it ended.
    pub(in crate::transfer) done: JoinHandle<Result<(), Unopened>>,
}

impl Unsealer {
    /// Starts the thread; `cutter` cuts the archive, `alive` parts of which may live at a time.
    pub(in crate::transfer) fn start(
        identities: &Identities,
        cutter: PartCutter,
        alive: usize,
    ) -> (Self, Unsealing) {
        let (sealed, queue) = mpsc::channel(1);
        let (plain, parts) = mpsc::channel(1);
        let (told, opened) = oneshot::channel();
        let identities = identities.clone();
        let outlet = Outlet {
            cutter,
            plain,
            permits: Arc::new(Semaphore::new(alive)),
            runtime: Handle::current(),
        };
        let done = tokio::task::spawn_blocking(move || {
            unseal(PartReader::new(queue), &identities, told, outlet)
        });
        let unsealing = Unsealing {
            opened,
            parts,
            done,
        };
        (Self { parts: sealed }, unsealing)
    }
}

fn unseal(
    sealed: PartReader,
    identities: &Identities,
    told: oneshot::Sender<Opened>,
    mut outlet: Outlet,
) -> Result<(), Unopened> {
    let decryptor = Decryptor::new_buffered(sealed).map_err(Unopened::of_header)?;
    let mut archive = decryptor
        .decrypt(identities.iter())
        .map_err(Unopened::of_header)?;
    told.send(Opened(())).map_err(|_gone| Unopened::Unwanted)?;
    loop {
        let mut block = BytesMut::zeroed(BLOCK_BYTES);
        let mut filled = 0;
        // To the block's end or the file's: a short read says nothing.
        while let Some(room) = block.get_mut(filled..).filter(|room| !room.is_empty()) {
            match archive.read(room).map_err(Unopened::Altered)? {
                0 => break,
                read => filled += read,
            }
        }
        let is_end = filled < BLOCK_BYTES;
        block.truncate(filled);
        outlet.take(block.freeze())?;
        if is_end {
            return outlet.finish();
        }
    }
}

/// Cuts the archive, and hands its parts over.
struct Outlet {
    cutter: PartCutter,
    plain: mpsc::Sender<Part>,
    permits: Arc<Semaphore>,
    runtime: Handle,
}

impl Outlet {
    fn take(&mut self, mut block: Bytes) -> Result<(), Unopened> {
        while !block.is_empty() {
            self.cutter.fill(&mut block);
            if self.cutter.is_full() {
                self.cut()?;
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Unopened> {
        if self.cutter.is_empty() {
            Ok(())
        } else {
            self.cut()
        }
    }

    fn cut(&mut self) -> Result<(), Unopened> {
        let permit = Arc::clone(&self.permits).acquire_owned();
        // Ends when the other end is dropped, for then nobody holds a part for long.
        let permit = self
            .runtime
            .block_on(permit)
            .map_err(|_closed| Unopened::Unwanted)?;
        let held = Arc::new(permit) as Arc<dyn Any + Send + Sync>;
        self.plain
            .blocking_send(self.cutter.cut(Some(held)))
            .map_err(|_gone| Unopened::Unwanted)
    }
}
