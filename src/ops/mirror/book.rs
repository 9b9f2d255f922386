//! The ledger as a run writes it: only when the run is one that changes something.

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::destination::JournalError;
use crate::destination::OpenUpload;
use crate::destination::UploadJournal;
use crate::env::Env;
use crate::ledger::Error;
use crate::ledger::Ledger;
use crate::ledger::SharedLedger;
use crate::ledger::UploadEnd;
use crate::model::ids::RunId;

/// The ledger, and the run that is written into it; a dry run writes nothing.
#[derive(Clone)]
pub struct Book {
    ledger: SharedLedger,
    run: Option<RunId>,
    env: Env,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Book {
    /// A book for `run`, or one that nothing is written into.
    pub const fn new(ledger: SharedLedger, run: Option<RunId>, env: Env) -> Self {
        Self { ledger, run, env }
    }

    /// The run, unless it is a dry one.
    pub const fn run(&self) -> Option<RunId> {
        self.run
    }

    /// Asks the ledger.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Ledger) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ledger.with(ask).await
    }

    /// Writes into the ledger; in a dry run, does nothing.
    ///
    /// # Errors
    /// The ledger's; nothing of this write is in it then.
    pub async fn write(
        &self,
        write: impl FnOnce(&mut Ledger, RunId, Timestamp) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let Some(run) = self.run else {
            return Ok(());
        };
        let now = self.env.now();
        self.ledger
            .with(move |ledger| write(ledger, run, now))
            .await
    }

    /// Writes into the ledger and gives what that came to; in a dry run, does nothing and gives nothing.
    ///
    /// # Errors
    /// The ledger's; nothing of this write is in it then.
    pub async fn record<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Ledger, RunId, Timestamp) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let Some(run) = self.run else {
            return Ok(None);
        };
        let now = self.env.now();
        let written = self
            .ledger
            .with(move |ledger| write(ledger, run, now))
            .await?;
        Ok(Some(written))
    }
}

impl Book {
    /// Ends the run with the code that the process ends with.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn finish(&self, exit_code: u8, counts: serde_json::Value) -> Result<(), Error> {
        self.write(move |ledger, run, now| ledger.finish_run(run, exit_code, &counts, now))
            .await
    }

    /// Strikes an upload from the journal.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn close(&self, upload: OpenUpload, end: UploadEnd) -> Result<(), Error> {
        self.write(move |ledger, run, now| {
            ledger.close_upload(
                run,
                &upload.location,
                &upload.key,
                &upload.upload_id,
                end,
                now,
            )
        })
        .await
    }
}

impl UploadJournal for Book {
    fn opened<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>> {
        let upload = upload.clone();
        Box::pin(async move {
            self.write(move |ledger, run, now| {
                ledger.journal_upload(run, &upload.location, &upload.key, &upload.upload_id, now)
            })
            .await
            .map_err(JournalError::from)
        })
    }

    fn closed<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, ()> {
        let upload = upload.clone();
        Box::pin(async move {
            if let Err(error) = self.close(upload, UploadEnd::ByItsRun).await {
                // The next run finds it open, and the store says that it is not.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an upload could not be struck from the journal"
                );
            }
        })
    }
}
