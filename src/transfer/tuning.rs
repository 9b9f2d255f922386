//! Waits, attempts and memory of transfers; every default in one place.

use std::time::Duration;

/// Waits, attempts and memory of transfers.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// How long a download may stand still.
    pub stall_timeout: Duration,
    /// How long connecting to a node may take.
    pub connect_timeout: Duration,
    /// Attempts in a row that got no further.
    pub attempts: u32,
    /// Attempts of one archive in all.
    pub attempts_in_all: u32,
    /// The first wait between attempts; it doubles, with jitter.
    pub first_wait: Duration,
    /// The longest such wait.
    pub max_wait: Duration,
    /// The longest `Retry-After` that is waited for.
    pub longest_wait: Duration,
    /// How many bytes of parts may be alive at once.
    pub parts_bytes: u64,
}

impl Tuning {
    /// The values of real runs.
    pub const PRODUCTION: Self = Self {
        stall_timeout: Duration::from_mins(1),
        connect_timeout: Duration::from_secs(15),
        attempts: 5,
        attempts_in_all: 50,
        first_wait: Duration::from_secs(1),
        max_wait: Duration::from_mins(1),
        longest_wait: Duration::from_mins(10),
        parts_bytes: 64 << 20,
    };

    /// The same, where this many uploads seal: age files in the making take memory too, so archives
    /// leave them half of it.
    #[must_use]
    pub fn beside_sealed(&self, uploads: usize) -> Self {
        Self {
            parts_bytes: match uploads {
                0 => self.parts_bytes,
                _some => self.parts_bytes / 2,
            },
            ..self.clone()
        }
    }

    /// How many parts of this size may be alive at once: at least the two that an upload needs
    /// to know whether it is a single put.
    pub fn parts_alive(&self, part_bytes: u64) -> usize {
        usize::try_from(self.parts_bytes / part_bytes.max(1))
            .unwrap_or(usize::MAX)
            .clamp(2, 64)
    }
}
