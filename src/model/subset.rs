//! How much of what is held one run of `verify` takes, and how several machines share the work.

use std::fmt;

use crate::model::ids::BackupId;

/// A part of all copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subset {
    /// So much of the bytes held at each destination.
    Percent(Percent),
    /// The copies of one of several equal shares of all backups.
    Part(Share),
    /// So many bytes, over all destinations.
    Bytes(u64),
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => percent.fmt(f),
            Self::Part(share) => share.fmt(f),
            Self::Bytes(bytes) => write!(f, "{bytes}"),
        }
    }
}

/// More than nothing and at most all, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent {
    hundredths: u16,
}

impl Percent {
    const ALL: u16 = 100 * 100;

    /// Half of it.
    pub const HALF: Self = Self {
        hundredths: Self::ALL / 2,
    };

    /// So many hundredths of a percent; `None` for nothing and for more than all.
    pub const fn of_hundredths(hundredths: u16) -> Option<Self> {
        if hundredths == 0 || hundredths > Self::ALL {
            None
        } else {
            Some(Self { hundredths })
        }
    }

    /// Its part of `bytes`, rounded up.
    pub fn of(self, bytes: u64) -> u64 {
        let part =
            (u128::from(bytes) * u128::from(self.hundredths)).div_ceil(u128::from(Self::ALL));
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.hundredths / 100, self.hundredths % 100);
        match rest {
            0 => write!(f, "{whole}%"),
            rest => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

/// One of several equal shares of all backups, decided by their uuids alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Which one, from 1.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

impl Share {
    /// Whether `backup` is in this share.
    pub fn holds(self, backup: BackupId) -> bool {
        // FNV-1a: uuids of one panel may share most of their digits.
        let hash = backup
            .to_string()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        let of = u64::from(self.of.max(1));
        (hash >> 16) % of + 1 == u64::from(self.index)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_rounded_up_and_never_overflows() {
        let percent = |hundredths| Percent::of_hundredths(hundredths).unwrap();
        assert_eq!(percent(1000).of(100), 10);
        assert_eq!(percent(1).of(1), 1);
        assert_eq!(percent(10_000).of(u64::MAX), u64::MAX);
        assert_eq!(percent(250).to_string(), "2.50%");
        assert_eq!(percent(200).to_string(), "2%");
        assert_eq!(Percent::of_hundredths(0), None);
        assert_eq!(Percent::of_hundredths(10_001), None);
    }
}
