//! Whether trying again makes sense; each adapter's error answers it, callers never look at status codes.

use std::time::Duration;

/// What an error says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would end the same way.
    Never,
    /// It may pass; wait a growing while.
    Backoff,
    /// The other side said when.
    After(Duration),
}
