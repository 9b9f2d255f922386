//! All nondeterminism of a run, in one struct: the clock, chance, and the wish to stop.

use std::hash::BuildHasher as _;
use std::hash::Hasher as _;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
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

impl Clock {
    /// Where days begin: the machine's own zone (`TZ`, `/etc/localtime`), and UTC for a clock that
    /// does not run.
    pub fn zone(self) -> TimeZone {
        match self {
            Self::System => TimeZone::system(),
            Self::Fixed(_) => TimeZone::UTC,
        }
    }
}

/// Where chance comes from.
#[derive(Debug, Clone, Copy)]
pub enum Chance {
    /// The machine's.
    System,
    /// Always this seed; for tests.
    Fixed(u64),
}

impl Chance {
    /// A number that nobody can foresee, unless it is fixed.
    pub fn seed(self) -> u64 {
        match self {
            // Keyed at random when made (`std::hash::RandomState`).
            Self::System => RandomState::new().build_hasher().finish(),
            Self::Fixed(seed) => seed,
        }
    }
}

/// Who told a run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT, or Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// What a run may not decide for itself.
#[derive(Debug, Clone)]
pub struct Env {
    /// Where "now" comes from.
    pub clock: Clock,
    /// Where chance comes from.
    pub chance: Chance,
    /// Cancelled when the run shall stop cleanly; whoever holds an upload aborts it.
    pub cancel: CancellationToken,
    stopped_by: Arc<OnceLock<StopSignal>>,
}

impl Env {
    /// A clock, and nobody who has told the run to stop.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            chance: Chance::System,
            cancel: CancellationToken::new(),
            stopped_by: Arc::default(),
        }
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A number to draw samples by.
    pub fn seed(&self) -> u64 {
        self.chance.seed()
    }

    /// Where days begin.
    pub fn zone(&self) -> TimeZone {
        self.clock.zone()
    }

    /// Tells the run to stop cleanly; the first teller is remembered.
    pub fn stop(&self, signal: StopSignal) {
        self.stopped_by.get_or_init(|| signal);
        self.cancel.cancel();
    }

    /// Who told the run to stop, if anybody did.
    pub fn stopped_by(&self) -> Option<StopSignal> {
        self.stopped_by.get().copied()
    }
}
