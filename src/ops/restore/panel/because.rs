//! Why a sink failed, kept for its owner: a pump passes on no more than the words.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::ops::restore::panel::error::Error;

/// The first error that a sink had; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Because(Arc<Mutex<Option<Error>>>);

impl Because {
    /// Keeps an error, unless there is one.
    pub fn tell(&self, error: Error) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }

    /// The error, if there was one.
    pub fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
