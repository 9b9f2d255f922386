//! Numbers, sizes and times in words.

use bytesize::ByteSize;
use jiff::SignedDuration;
use jiff::Span;
use jiff::Timestamp;
use jiff::fmt::friendly::Designator;
use jiff::fmt::friendly::Spacing;
use jiff::fmt::friendly::SpanPrinter;

const SECONDS_A_MINUTE: i64 = 60;
const SECONDS_AN_HOUR: i64 = 60 * SECONDS_A_MINUTE;
const SECONDS_A_DAY: i64 = 24 * SECONDS_AN_HOUR;

/// `700.0 MiB`.
pub fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

/// Sizes together; lengths that a panel made up do not overflow it.
pub fn total(bytes: impl IntoIterator<Item = u64>) -> u64 {
    bytes.into_iter().fold(0, u64::saturating_add)
}

/// `1d 3h`, `3m 12s`, `42s`: the two largest units, rounded down; never below zero.
pub fn age(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let span = if seconds >= SECONDS_A_DAY {
        Span::new()
            .try_days(seconds / SECONDS_A_DAY)
            .and_then(|span| span.try_hours(seconds % SECONDS_A_DAY / SECONDS_AN_HOUR))
    } else if seconds >= SECONDS_AN_HOUR {
        Span::new()
            .try_hours(seconds / SECONDS_AN_HOUR)
            .and_then(|span| span.try_minutes(seconds % SECONDS_AN_HOUR / SECONDS_A_MINUTE))
    } else {
        Span::new()
            .try_minutes(seconds / SECONDS_A_MINUTE)
            .and_then(|span| span.try_seconds(seconds % SECONDS_A_MINUTE))
    };
    let printer = SpanPrinter::new()
        .designator(Designator::Compact)
        .spacing(Spacing::BetweenUnits);
    span.map_or_else(
        |_beyond_any_calendar| format!("{seconds}s"),
        |span| printer.span_to_string(&span),
    )
}

/// `2026-11-21 03:02`, in UTC.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// `1 backup`, `2 backups`, `2 copies`.
pub fn counted(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

/// `41 backups` for the things themselves.
pub fn counted_of<T>(things: &[T], noun: &str) -> String {
    counted(u64::try_from(things.len()).unwrap_or(u64::MAX), noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        for (seconds, said) in [
            (-5, "0s"),
            (0, "0s"),
            (42, "42s"),
            (192, "3m 12s"),
            (7200, "2h"),
            (7260, "2h 1m"),
            (97_200, "1d 3h"),
            (86_400 * 400, "400d"),
            (i64::MAX, "9223372036854775807s"),
        ] {
            assert_eq!(age(SignedDuration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn sizes_are_in_binary_units() {
        for (bytes, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (734_003_200, "700.0 MiB"),
            (1 << 40, "1.0 TiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
    }

    #[test]
    fn absurd_sizes_do_not_overflow_a_total() {
        assert_eq!(total([u64::MAX, 1]), u64::MAX);
        assert_eq!(total([]), 0);
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0, "backup"), "0 backups");
        assert_eq!(counted(1, "backup"), "1 backup");
        assert_eq!(counted_of(&[1, 2], "server"), "2 servers");
        assert_eq!(counted(3, "copy"), "3 copies");
    }
}
