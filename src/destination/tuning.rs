//! Sizes, numbers and patience of transfers to a destination; every default in one place.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// The part number that S3 and its likes refuse (`storage-servers.md` section 6, trap 2).
pub(super) const MAX_PARTS: u64 = 10_000;

/// Parts are sized for this many, so that an archive somewhat longer than said still fits.
const AIMED_PARTS: u64 = 9_000;

/// The largest part that S3 takes.
pub(super) const LARGEST_PART_BYTES: u64 = 5 * 1024 * MIB;

/// What is known of an archive's length before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeHint {
    /// This many bytes.
    Known(u64),
    /// Nothing: the source sends no length.
    Unknown,
}

/// How a destination is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestinationTuning {
    /// The length of a part, unless the archive needs longer ones.
    pub part_bytes: u64,
    /// The length of a part when the archive's length is not known.
    pub unknown_part_bytes: u64,
    /// How many parts of one upload may be on the way at once.
    pub parts_in_flight: usize,
    /// How many bytes of one upload may be on the way at once; one part always may.
    pub in_flight_bytes: u64,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one try of one request may take, body included.
    pub request_timeout: Duration,
    /// How long one part, one whole small archive, or completing an upload may take, all tries
    /// together.
    pub part_deadline: Duration,
    /// How long any other request may take, all tries together.
    pub request_deadline: Duration,
    /// How long cleaning up may take: a run that was told to stop waits for it.
    pub abort_deadline: Duration,
    /// How long one step of a probe may take.
    pub probe_deadline: Duration,
    /// How long a read may bring nothing before it counts as broken.
    pub read_stall: Duration,
    /// How often a request is tried again.
    pub retries: usize,
    /// How often a request of a probe is tried again.
    pub probe_retries: usize,
    /// The wait before the first repetition.
    pub first_wait: Duration,
    /// The longest wait between two tries.
    pub max_wait: Duration,
    /// No further try later than this; a repetition is not signed anew, so less than 5 minutes
    /// (`storage-servers.md` section 6, trap 13).
    pub retry_window: Duration,
}

impl DestinationTuning {
    /// What runs use (`storage-servers.md` section 9).
    pub const PRODUCTION: Self = Self {
        // The shortest that S3 takes: six on the way hold no more than four of 8 MiB would.
        part_bytes: 5 * MIB,
        unknown_part_bytes: 32 * MIB,
        parts_in_flight: 6,
        in_flight_bytes: 64 * MIB,
        connect_timeout: Duration::from_secs(10),
        request_timeout: Duration::from_mins(15),
        part_deadline: Duration::from_mins(20),
        request_deadline: Duration::from_mins(5),
        abort_deadline: Duration::from_mins(1),
        probe_deadline: Duration::from_secs(30),
        read_stall: Duration::from_mins(1),
        retries: 10,
        probe_retries: 2,
        first_wait: Duration::from_secs(1),
        max_wait: Duration::from_secs(30),
        retry_window: Duration::from_mins(4),
    };

    /// The length of every part but the last, such that 10,000 parts suffice.
    pub fn part_bytes(&self, size: SizeHint) -> u64 {
        match size {
            SizeHint::Unknown => self.unknown_part_bytes.max(1),
            SizeHint::Known(bytes) => {
                let needed = bytes.div_ceil(AIMED_PARTS);
                if needed <= self.part_bytes {
                    self.part_bytes.max(1)
                } else {
                    needed
                        .div_ceil(MIB)
                        .saturating_mul(MIB)
                        .min(LARGEST_PART_BYTES)
                }
            }
        }
    }

    /// How many parts of this length may be on the way at once.
    pub(super) fn in_flight(&self, part_bytes: u64) -> usize {
        let fitting = self.in_flight_bytes / part_bytes.max(1);
        usize::try_from(fitting)
            .unwrap_or(usize::MAX)
            .min(self.parts_in_flight)
            .max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNING: DestinationTuning = DestinationTuning::PRODUCTION;

    #[test]
    fn any_length_fits_into_ten_thousand_equal_parts() {
        for (bytes, part_mib) in [
            (0, 5),
            (1, 5),
            (9_000 * 5 * MIB, 5),
            (9_000 * 5 * MIB + 1, 6),
            (1 << 40, 117),
            (30 << 40, 3496),
        ] {
            let part_bytes = TUNING.part_bytes(SizeHint::Known(bytes));
            assert_eq!(part_bytes, part_mib * MIB, "{bytes}");
            assert!(bytes.div_ceil(part_bytes) <= MAX_PARTS);
        }
        assert_eq!(TUNING.part_bytes(SizeHint::Unknown), 32 * MIB);
        assert_eq!(
            TUNING.part_bytes(SizeHint::Known(u64::MAX)),
            LARGEST_PART_BYTES
        );
    }

    #[test]
    fn longer_parts_travel_in_smaller_company() {
        let in_flight = [1, 5, 8, 16, 17, 32, 64, 65, 5000].map(|mib| TUNING.in_flight(mib * MIB));
        assert_eq!(in_flight, [6, 6, 6, 4, 3, 2, 1, 1, 1]);
    }
}
