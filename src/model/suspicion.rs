//! Whether the newest archive of a server looks as if something had gone wrong on the server: `prune`
//! removes nothing then, and `status` says so.

use std::fmt;

use bytesize::ByteSize;

use crate::model::ids::BackupId;
use crate::model::ids::printable;
use crate::model::subset::Percent;

/// How many archives before the newest it is compared with, at most.
const COMPARED: usize = 7;

/// An archive is suspicious when it is smaller than this part of the median of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShrinkAlarm(pub Percent);

impl fmt::Display for ShrinkAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether an operator has looked at a suspicious backup and found it right (`nestegg accept`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It was.
    Accepted,
    /// It was not.
    Open,
}

/// The archive of a completed backup, as far as suspicion goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The backup.
    pub backup: BackupId,
    /// Its length.
    pub bytes: u64,
    /// What it was to hold (`must_contain`) and does not, as the walk over it found.
    pub lacking: Vec<String>,
    /// Whether it was accepted as it is.
    pub acceptance: Acceptance,
}

/// What is suspicious about an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// It is far smaller than those before it.
    Shrunk {
        /// Its length.
        bytes: u64,
        /// The median length of those before it.
        median_bytes: u64,
        /// Of how many.
        of: usize,
        /// Its length in percent of the median, rounded down.
        percent: u64,
        /// What is suspicious.
        alarm: ShrinkAlarm,
    },
    /// It lacks paths that it was to hold.
    Lacks {
        /// The globs that nothing in it matches.
        globs: Vec<String>,
    },
}

impl Sign {
    /// The word used in `--json`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Shrunk { .. } => "shrunk",
            Self::Lacks { .. } => "lacks",
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shrunk {
                bytes,
                median_bytes,
                of,
                percent,
                alarm,
            } => {
                let (size, median) = (iec(*bytes), iec(*median_bytes));
                write!(
                    f,
                    "its archive of {size} is only {percent}% of the {median} "
                )?;
                match of {
                    1 => f.write_str("that the one before it has")?,
                    of => write!(f, "that are the median of the {of} before it")?,
                }
                write!(f, " (shrink_alarm = {alarm})")
            }
            Self::Lacks { globs } => {
                f.write_str("its archive holds nothing that matches ")?;
                for (number, glob) in globs.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}`", printable(glob))?;
                }
                f.write_str(" (must_contain)")
            }
        }
    }
}

/// That the newest archive of a server is suspicious.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// The backup.
    pub backup: BackupId,
    /// Everything that is suspicious about it; never empty.
    pub signs: Vec<Sign>,
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the newest backup {} is suspicious: ", self.backup)?;
        for (number, sign) in self.signs.iter().enumerate() {
            let and = if number == 0 { "" } else { "; " };
            write!(f, "{and}{sign}")?;
        }
        Ok(())
    }
}

/// Looks at the newest of a server's completed backups; `newest_first` by `created_at`. It needs no more
/// than the first eight.
///
/// An accepted backup is not suspicious, and the first one has nothing to be compared with.
pub fn suspicion(newest_first: &[Archive], alarm: ShrinkAlarm) -> Option<Suspicion> {
    let (newest, before) = newest_first.split_first()?;
    match newest.acceptance {
        Acceptance::Accepted => return None,
        Acceptance::Open => {}
    }
    let before: Vec<u64> = before
        .iter()
        .take(COMPARED)
        .map(|archive| archive.bytes)
        .collect();
    let lacks = (!newest.lacking.is_empty()).then(|| Sign::Lacks {
        globs: newest.lacking.clone(),
    });
    let signs: Vec<Sign> = shrunk(newest.bytes, before, alarm)
        .into_iter()
        .chain(lacks)
        .collect();
    (!signs.is_empty()).then_some(Suspicion {
        backup: newest.backup,
        signs,
    })
}

fn iec(bytes: u64) -> impl fmt::Display {
    ByteSize::b(bytes).display().iec()
}

fn shrunk(bytes: u64, before: Vec<u64>, alarm: ShrinkAlarm) -> Option<Sign> {
    let of = before.len();
    let median_bytes = median(before)?;
    let percent = u128::from(bytes) * 100 / u128::from(median_bytes.max(1));
    (bytes < alarm.0.of(median_bytes)).then(|| Sign::Shrunk {
        bytes,
        median_bytes,
        of,
        percent: u64::try_from(percent).unwrap_or(u64::MAX),
        alarm,
    })
}

/// Of an even number, the mean of the two in the middle, rounded down.
fn median(mut bytes: Vec<u64>) -> Option<u64> {
    bytes.sort_unstable();
    let upper = bytes.get(bytes.len() / 2)?;
    let lower = bytes.get(bytes.len().checked_sub(1)? / 2)?;
    Some(lower.midpoint(*upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> BackupId {
        format!("00000000-0000-4000-8000-{number:012}")
            .parse()
            .unwrap()
    }

    /// Archives of these lengths, newest first.
    fn archives(bytes: &[u64]) -> Vec<Archive> {
        let numbered = bytes.iter().enumerate();
        numbered
            .map(|(number, bytes)| Archive {
                backup: id(number),
                bytes: *bytes,
                lacking: Vec::new(),
                acceptance: Acceptance::Open,
            })
            .collect()
    }

    fn half() -> ShrinkAlarm {
        ShrinkAlarm(Percent::of_hundredths(5000).unwrap())
    }

    /// Percent and median that are told of the newest.
    fn shrunk(bytes: &[u64]) -> Option<(u64, u64, usize)> {
        let suspicion = suspicion(&archives(bytes), half())?;
        assert_eq!(suspicion.backup, id(0));
        match suspicion.signs.as_slice() {
            [
                Sign::Shrunk {
                    percent,
                    median_bytes,
                    of,
                    ..
                },
            ] => Some((*percent, *median_bytes, *of)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_archive_below_half_of_the_median_of_the_seven_before_it_is_suspicious() {
        assert_eq!(
            shrunk(&[49, 900, 100, 10, 100, 10, 100, 900, 1, 1, 1]),
            Some((49, 100, 7))
        );
        assert_eq!(shrunk(&[50, 900, 100, 10, 100, 10, 100, 900]), None);
        assert_eq!(shrunk(&[500, 900, 100, 10, 100, 10, 100, 900]), None);
    }

    #[test]
    fn one_archive_before_it_is_enough_and_none_is_not() {
        assert_eq!(shrunk(&[4, 10]), Some((40, 10, 1)));
        assert_eq!(shrunk(&[5, 10]), None);
        assert_eq!(shrunk(&[0]), None);
        assert_eq!(shrunk(&[]), None);
    }

    #[test]
    fn of_an_even_number_the_median_is_between_the_two_in_the_middle() {
        assert_eq!(shrunk(&[9, 10, 30]), Some((45, 20, 2)));
        assert_eq!(shrunk(&[10, 10, 30]), None);
    }

    #[test]
    fn an_archive_that_is_empty_after_empty_ones_has_not_shrunk() {
        assert_eq!(shrunk(&[0, 0, 0]), None);
        assert_eq!(shrunk(&[0, 1]), Some((0, 1, 1)));
        assert_eq!(
            shrunk(&[u64::MAX / 2, u64::MAX, u64::MAX]),
            Some((49, u64::MAX, 2))
        );
    }

    #[test]
    fn an_archive_that_lacks_what_it_must_contain_is_suspicious_even_as_the_first() {
        let mut archives = archives(&[10]);
        archives[0].lacking = vec!["world/level.dat".to_owned(), "plug\u{1b}ins/**".to_owned()];
        let suspicion = suspicion(&archives, half()).unwrap();
        assert_eq!(
            suspicion.to_string(),
            "the newest backup 00000000-0000-4000-8000-000000000000 is suspicious: its archive holds \
             nothing that matches `world/level.dat`, `plug\\u{1b}ins/**` (must_contain)"
        );
    }

    #[test]
    fn everything_that_is_suspicious_is_told() {
        let mut archives = archives(&[10 << 20, 100 << 20, 101 << 20]);
        archives[0].lacking = vec!["world".to_owned()];
        let signs = suspicion(&archives, half()).unwrap().signs;
        let words: Vec<String> = signs.iter().map(Sign::to_string).collect();
        assert_eq!(
            words,
            [
                "its archive of 10.0 MiB is only 9% of the 100.5 MiB that are the median of the 2 \
                 before it (shrink_alarm = 50%)",
                "its archive holds nothing that matches `world` (must_contain)",
            ]
        );
    }

    #[test]
    fn accepting_the_newest_lifts_it_and_accepting_another_does_not() {
        let mut archives = archives(&[1, 100, 100]);
        archives[0].lacking = vec!["world".to_owned()];
        archives[1].acceptance = Acceptance::Accepted;
        assert!(suspicion(&archives, half()).is_some());
        archives[0].acceptance = Acceptance::Accepted;
        assert_eq!(suspicion(&archives, half()), None);
    }

    #[test]
    fn what_an_older_archive_lacks_is_no_matter() {
        let mut archives = archives(&[100, 100]);
        archives[1].lacking = vec!["world".to_owned()];
        assert_eq!(suspicion(&archives, half()), None);
    }
}
