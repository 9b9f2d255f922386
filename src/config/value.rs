//! Sizes, durations and counts as people write them; the same for flags and for the file.

use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use jiff::Span;
use jiff::SpanFieldwise;
use jiff::SpanRelativeTo;

use crate::model::backup::Protect;
use crate::model::ids::printable;
use crate::model::subset::Percent;
use crate::model::subset::Share;
use crate::model::subset::Subset;

/// Why a text is not the value it should be, with an example of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub String);

/// At most this many transfers at once.
const MOST_TRANSFERS: usize = 64;

/// A number of bytes, at least one: `50MiB` (1024s), `20M` (1000s) or plain bytes.
///
/// # Errors
/// [`BadValue`] for anything else.
pub fn size(text: &str) -> Result<u64, BadValue> {
    let trimmed = text.trim();
    let starts_as_number = trimmed.starts_with(|c: char| c.is_ascii_digit());
    let parsed = if starts_as_number {
        ByteSize::from_str(trimmed).ok()
    } else {
        None
    };
    match parsed {
        Some(size) if size.as_u64() > 0 => Ok(size.as_u64()),
        Some(_zero) => Err(BadValue(
            "0 would let nothing through; leave it out for no limit".to_owned(),
        )),
        None => Err(BadValue(format!(
            "`{}` is not a size; write it like `50MiB`, `20M` or `1048576`",
            printable(text)
        ))),
    }
}

/// Bytes a second: a [`size`], with or without `/s`.
///
/// # Errors
/// [`BadValue`] for anything else.
pub fn rate(text: &str) -> Result<u64, BadValue> {
    size(text.trim().strip_suffix("/s").unwrap_or(text))
}

fn span(text: &str) -> Result<Span, BadValue> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.chars().all(|c| c.is_ascii_digit() || c == '.') {
        let shown = printable(trimmed);
        return Err(BadValue(format!(
            "`{shown}` has no unit; write `{shown}s`, `{shown}m`, `{shown}h` or `{shown}d`"
        )));
    }
    let not_one = || {
        BadValue(format!(
            "`{}` is not a duration; write it like `26h`, `30d` or `5h 30m`",
            printable(text)
        ))
    };
    let span = Span::from_str(trimmed).map_err(|_unclear| not_one())?;
    if span.is_negative() || trimmed.starts_with(['-', '+']) {
        return Err(BadValue(format!(
            "`{}` has a sign; a duration is written without one",
            printable(text)
        )));
    }
    Ok(span)
}

/// A duration of any length, in units up to weeks; a day is 24 hours.
///
/// # Errors
/// [`BadValue`] for a number without a unit, for months and years (they have no fixed length), and for
/// anything else.
pub fn wait(text: &str) -> Result<Duration, BadValue> {
    let span = span(text)?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(BadValue(format!(
            "`{}` counts months or years, whose length varies; write days, such as `30d`",
            printable(text)
        )));
    }
    let signed = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_out_of_range| {
            BadValue(format!("`{}` is too long a duration", printable(text)))
        })?;
    Ok(signed.unsigned_abs())
}

/// As [`wait`], and longer than nothing.
///
/// # Errors
/// [`BadValue`], as for [`wait`], and for zero.
pub fn duration(text: &str) -> Result<Duration, BadValue> {
    let duration = wait(text)?;
    if duration.is_zero() {
        return Err(BadValue(
            "no time at all; write it like `26h`, `30d` or `5h 30m`".to_owned(),
        ));
    }
    Ok(duration)
}

/// As [`duration`], for ages.
///
/// # Errors
/// [`BadValue`], as for [`duration`].
pub fn age(text: &str) -> Result<SignedDuration, BadValue> {
    let duration = duration(text)?;
    SignedDuration::try_from(duration)
        .map_err(|_out_of_range| BadValue(format!("`{}` is too long", printable(text))))
}

/// A span of calendar units and hours, for `keep.within`.
///
/// # Errors
/// [`BadValue`] for anything else; minutes and less are refused, because `m` is easily taken for months.
pub fn keep_within(text: &str) -> Result<SpanFieldwise, BadValue> {
    let span = span(text)?;
    let finer = span.get_minutes() != 0
        || span.get_seconds() != 0
        || span.get_milliseconds() != 0
        || span.get_microseconds() != 0
        || span.get_nanoseconds() != 0;
    if finer || span.is_zero() {
        return Err(BadValue(format!(
            "`{}` is not an age to keep copies for; write it like `14d`, `6mo` or `1y 6mo`, hours at the finest",
            printable(text)
        )));
    }
    Ok(SpanFieldwise(span))
}

/// A whole number from 1 to `most`.
///
/// # Errors
/// [`BadValue`] for anything else.
fn whole(text: &str, most: usize) -> Result<usize, BadValue> {
    match text.trim().parse::<usize>() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(BadValue(format!(
            "`{}` is not a whole number from 1 to {most}",
            printable(text)
        ))),
    }
}

/// How many transfers at once.
///
/// # Errors
/// [`BadValue`] unless it is 1 to 64.
pub fn transfers(text: &str) -> Result<usize, BadValue> {
    whole(text, MOST_TRANSFERS)
}

/// How many backups of each server, at least 1.
///
/// # Errors
/// [`BadValue`] for anything else.
pub fn newest(text: &str) -> Result<usize, BadValue> {
    whole(text, 1_000_000)
}

/// How many copies a retention rule keeps, at least 1.
///
/// # Errors
/// [`BadValue`] for anything else.
pub fn kept(text: &str) -> Result<u32, BadValue> {
    let number = whole(text, 1_000_000)?;
    u32::try_from(number).map_err(|_too_large| BadValue(format!("{number} is too large")))
}

/// A name for a backup that a panel is to make, or nothing (`panel-contract.md` section 3: at most 191 characters).
///
/// # Errors
/// [`BadValue`] for a longer one, and for one with control characters.
pub fn backup_name(text: &str) -> Result<String, BadValue> {
    if text.chars().count() > 191 || text.chars().any(char::is_control) {
        return Err(BadValue(
            "a backup's name has at most 191 printable characters".to_owned(),
        ));
    }
    Ok(text.to_owned())
}

impl FromStr for Share {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let refuse = || {
            BadValue(format!(
                "`{}` is not a part of the work; write K/N with K from 1 to N, such as `1/4`",
                printable(text)
            ))
        };
        let (k, n) = text.trim().split_once('/').ok_or_else(refuse)?;
        let number = |digits: &str| {
            digits
                .chars()
                .all(|c| c.is_ascii_digit())
                .then(|| digits.parse::<u32>().ok())
                .flatten()
                .ok_or_else(refuse)
        };
        let share = Self {
            index: number(k)?,
            of: number(n)?,
        };
        if share.index == 0 || share.index > share.of {
            return Err(refuse());
        }
        Ok(share)
    }
}

/// What keeps a backup from vanishing while it is copied.
///
/// # Errors
/// [`BadValue`] for anything else than `lock` and `none`.
pub fn protect(text: &str) -> Result<Protect, BadValue> {
    match text {
        "lock" => Ok(Protect::Lock),
        "none" => Ok(Protect::Nothing),
        other => Err(BadValue(format!(
            "`{}` is neither `lock` (on the panel, while a backup is copied) nor `none`",
            repeatable(other)
        ))),
    }
}

/// A part of what is held: `10%`, `1/7` or `20GiB`.
///
/// # Errors
/// [`BadValue`] for anything else.
pub fn subset(text: &str) -> Result<Subset, BadValue> {
    let trimmed = text.trim();
    if let Some(percent) = trimmed.strip_suffix('%') {
        return percentage(percent.trim_end()).map(Subset::Percent).ok_or_else(|| {
            BadValue(format!(
                "`{}` is not a percentage; write it like `10%` or `0.5%`, at most `100%`, with two decimals at most",
                printable(text)
            ))
        });
    }
    if trimmed.contains('/') {
        return trimmed.parse().map(Subset::Part);
    }
    size(trimmed).map(Subset::Bytes).map_err(|_not_one| {
        BadValue(format!(
            "`{}` is not a part of what is held; write it like `10%`, `1/7` or `20GiB`",
            printable(text)
        ))
    })
}

/// A percentage, such as `50%`.
///
/// # Errors
/// [`BadValue`] for anything else, for nothing and for more than all.
pub fn percent(text: &str) -> Result<Percent, BadValue> {
    let digits = text.trim().strip_suffix('%').map(str::trim_end);
    digits.and_then(percentage).ok_or_else(|| {
        BadValue(format!(
            "`{}` is not a percentage; write it like `50%` or `0.5%`, at most `100%`, with two decimals at most",
            printable(text)
        ))
    })
}

fn percentage(digits: &str) -> Option<Percent> {
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(rest) || rest.len() > 2 {
        return None;
    }
    let whole: u16 = whole.parse().ok()?;
    let rest: u16 = format!("{rest:0<2}").parse().ok()?;
    Percent::of_hundredths(whole.checked_mul(100)?.checked_add(rest)?)
}

/// A text from the operator made safe to repeat: short, printable, and not at all when it looks like a key.
pub(crate) fn repeatable(text: &str) -> String {
    if looks_like_key(text) || text.contains('@') && text.contains("://") {
        "…".to_owned()
    } else {
        printable(text)
    }
}

/// Whether a text has the shape of a panel's API key (`panel-contract.md` section 1).
pub(super) fn looks_like_key(text: &str) -> bool {
    const PREFIXES: [&str; 6] = ["ptlc_", "plcn_", "pacc_", "ptla_", "peli_", "papp_"];
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        || text.len() == 48 && text.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("50MiB", 50 * 1024 * 1024),
            ("20M", 20_000_000),
            ("20 MB", 20_000_000),
            ("1.5GiB", 1_610_612_736),
            ("1048576", 1_048_576),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!(rate("20MiB/s"), Ok(20 * 1024 * 1024));
        for text in ["", "fast", "-5M", "5 parsecs", "5MiB extra", "0", "0B"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(
            size("fast").unwrap_err().to_string(),
            "`fast` is not a size; write it like `50MiB`, `20M` or `1048576`"
        );
    }

    #[test]
    fn durations_need_a_unit_and_have_a_fixed_length() {
        for (text, seconds) in [
            ("26h", 26 * 3600),
            ("30d", 30 * 86_400),
            ("2w", 14 * 86_400),
            ("5h 30m", 19_800),
            ("10m", 600),
            ("90 minutes", 5400),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(wait("0s"), Ok(Duration::ZERO));
        assert_eq!(
            age("30").unwrap_err().to_string(),
            "`30` has no unit; write `30s`, `30m`, `30h` or `30d`"
        );
        for text in [
            "",
            "soon",
            "-5h",
            "+5h",
            "5h ago",
            "0s",
            "1mo",
            "1y",
            "99999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn retention_knows_months_and_refuses_minutes() {
        assert_eq!(
            keep_within("1y 6mo"),
            Ok(SpanFieldwise(Span::new().years(1).months(6)))
        );
        for text in ["6m", "0d", "soon", "30"] {
            assert!(keep_within(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_shard_is_one_of_its_parts() {
        assert_eq!("1/4".parse(), Ok(Share { index: 1, of: 4 }));
        assert_eq!("4/4".parse(), Ok(Share { index: 4, of: 4 }));
        for text in [
            "0/4", "5/4", "1", "1/0", "/", "-1/4", "1/4/2", "a/b", "+1/4",
        ] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_subset_is_a_percentage_a_part_or_a_size() {
        for (text, shown) in [
            ("10%", "10%"),
            ("0.5 %", "0.50%"),
            ("100%", "100%"),
            ("1/7", "1/7"),
            ("20GiB", "21474836480"),
        ] {
            assert_eq!(
                subset(text).map(|subset| subset.to_string()),
                Ok(shown.to_owned())
            );
        }
        for text in [
            "", "%", "0%", "100.01%", "-1%", "1.234%", ".5%", "8/7", "0/7", "some", "0",
        ] {
            assert!(subset(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_start_at_one() {
        assert_eq!(transfers("2"), Ok(2));
        assert_eq!(newest("1"), Ok(1));
        for text in ["0", "-1", "65", "two", ""] {
            assert!(transfers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_key_is_not_repeated() {
        assert_eq!(repeatable("ptlc_sentinel"), "…");
        assert_eq!(repeatable("https://u:sentinel@example.com"), "…");
        assert_eq!(repeatable("main"), "main");
    }
}
