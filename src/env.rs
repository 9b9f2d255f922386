//! All nondeterminism of a run, in one struct: the clock and the wish to stop.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// Where "now" comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Always this instant; for tests.
    Fixed(Timestamp),
}

impl Clock {
    /// The current time.
    pub fn now(self) -> Timestamp {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the one place that reads the clock"
            )]
            Self::System => Timestamp::now(),
            Self::Fixed(instant) => instant,
        }
    }
}

/// What a run may not decide for itself.
#[derive(Debug, Clone)]
pub struct Env {
    /// Where "now" comes from.
    pub clock: Clock,
    /// Cancelled when the run shall stop cleanly; whoever holds an upload aborts it.
    pub cancel: CancellationToken,
}

impl Env {
    /// The real thing, never cancelled until somebody does.
    pub fn system() -> Self {
        Self {
            clock: Clock::System,
            cancel: CancellationToken::new(),
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
