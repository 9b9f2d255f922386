//! One ledger in the hands of many tasks.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::ledger::Ledger;
use crate::ledger::error::Error;

/// A ledger that tasks share; its work is done on the blocking pool, one piece at a time.
#[derive(Debug, Clone)]
pub struct SharedLedger(Arc<Mutex<Ledger>>);

impl SharedLedger {
    /// Shares a ledger.
    pub fn new(ledger: Ledger) -> Self {
        Self(Arc::new(Mutex::new(ledger)))
    }

    /// Does `work` with the ledger, off the async threads.
    ///
    /// Dropping the future does not break the work off: what was begun is recorded.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Stopped`] when it panicked or the runtime is shutting down.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ledger = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || {
            // A panic in an earlier piece of work rolled that piece back; the ledger itself is whole.
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut ledger)
        })
        .await
        .map_err(|source| Error::Stopped { source })?
    }
}
