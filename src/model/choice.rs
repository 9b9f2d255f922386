//! Which backup a restore is asked for: one by its uuid, or a server's as of a moment.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::model::ids::BackupId;
use crate::model::ids::printable;
use crate::model::selector::BadSelector;
use crate::model::selector::ServerSelector;

/// The word for the newest backup of all.
const LATEST: &str = "latest";

/// A backup, as the operator names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupChoice {
    /// This one.
    Backup(BackupId),
    /// The newest one of a server that was completed by a moment.
    Of {
        /// The server; it must name exactly one.
        server: ServerSelector,
        /// The moment.
        moment: Moment,
    },
}

/// Up to when backups are looked at. What is named is included whole: a day to its last second, a
/// minute to its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// To the end of time.
    Latest,
    /// To the end of a day of the local calendar.
    Day(Date),
    /// To the end of a minute or second of the local clock.
    Until {
        /// The time as written.
        named: DateTime,
        /// What comes right after it.
        end: DateTime,
    },
    /// To the end of a minute or second that was written with its offset from UTC.
    Instant {
        /// The time as written.
        named: Timestamp,
        /// What comes right after it.
        end: Timestamp,
    },
}

/// A text that chooses no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChoice {
    /// Neither a uuid nor a server with a moment.
    #[error(
        "`{}` is neither a backup's uuid nor SERVER:latest nor SERVER:DATE, such as survival:latest or survival:2026-11-01",
        printable(.0)
    )]
    NoMoment(String),
    /// The part before the colon can name no server.
    #[error(transparent)]
    Server(#[from] BadSelector),
}

impl FromStr for BackupChoice {
    type Err = BadChoice;

    /// Servers' names may hold colons, and so do times: the first colon after which a whole moment
    /// follows is the one that counts.
    fn from_str(text: &str) -> Result<Self, BadChoice> {
        if let Ok(backup) = text.parse() {
            return Ok(Self::Backup(backup));
        }
        let split = text.match_indices(':').find_map(|(at, _colon)| {
            let (server, rest) = text.split_at_checked(at)?;
            let moment = Moment::parse(rest.strip_prefix(':')?)?;
            Some((server, moment))
        });
        let (server, moment) = split.ok_or_else(|| BadChoice::NoMoment(text.to_owned()))?;
        Ok(Self::Of {
            server: server.parse()?,
            moment,
        })
    }
}

impl fmt::Display for BackupChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup(backup) => backup.fmt(f),
            Self::Of { server, moment } => write!(f, "{server}:{moment}"),
        }
    }
}

impl Moment {
    fn parse(text: &str) -> Option<Self> {
        if text == LATEST {
            return Some(Self::Latest);
        }
        let (day, rest) = text.split_at_checked("2026-11-01".len())?;
        let is_dashed = day.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _digit => byte.is_ascii_digit(),
        });
        if !is_dashed {
            return None;
        }
        if rest.is_empty() {
            return day.parse().ok().map(Self::Day);
        }
        let clock = rest.strip_prefix(['T', 't', ' '])?;
        let digits = clock.find(|c: char| !c.is_ascii_digit() && c != ':');
        let (time, offset) = clock.split_at_checked(digits.unwrap_or(clock.len()))?;
        let unit = match time.len() {
            5 => 1.minute(),
            8 => 1.second(),
            _other => return None,
        };
        let named: DateTime = format!("{day}T{time}").parse().ok()?;
        if offset.is_empty() {
            let end = named.checked_add(unit).ok()?;
            return Some(Self::Until { named, end });
        }
        let named: Timestamp = format!("{day}T{time}{offset}").parse().ok()?;
        let end = named.checked_add(unit).ok()?;
        Some(Self::Instant { named, end })
    }

    /// Whether something of this time had happened by then, on the clocks of `zone`.
    pub fn includes(self, at: Timestamp, zone: &TimeZone) -> bool {
        let before = |end: DateTime| {
            let end = zone.to_ambiguous_timestamp(end).compatible();
            // An end beyond the last instant that there is leaves nothing out.
            end.map_or(true, |end| at < end)
        };
        match self {
            Self::Latest => true,
            Self::Day(day) => day.tomorrow().map_or(true, |next| {
                before(next.to_datetime(jiff::civil::Time::midnight()))
            }),
            Self::Until { end, .. } => before(end),
            Self::Instant { end, .. } => at < end,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str(LATEST),
            Self::Day(day) => day.fmt(f),
            Self::Until { named, .. } => named.fmt(f),
            Self::Instant { named, .. } => named.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (String, String) {
        let BackupChoice::Of { server, moment } = text.parse().unwrap() else {
            panic!("{text} is a uuid")
        };
        (server.to_string(), moment.to_string())
    }

    #[test]
    fn a_uuid_chooses_its_backup() {
        let id = "6fdff738-bf44-4933-824f-489198dda9e6";
        assert_eq!(id.parse(), Ok(BackupChoice::Backup(id.parse().unwrap())));
    }

    #[test]
    fn the_moment_stands_after_the_first_colon_that_one_follows() {
        for (text, server, moment) in [
            ("survival:latest", "survival", "latest"),
            ("serv_1a2b:latest", "serv_1a2b", "latest"),
            ("d3aac109:2026-11-01", "d3aac109", "2026-11-01"),
            ("eu: hub:2026-11-01", "eu: hub", "2026-11-01"),
            ("a:latest:latest", "a:latest", "latest"),
            ("a:2026-11-01T03:00", "a", "2026-11-01T03:00:00"),
            ("a:2026-11-01 03:00", "a", "2026-11-01T03:00:00"),
            ("a:b:2026-11-01T03:00:09", "a:b", "2026-11-01T03:00:09"),
            ("a:2026-11-01T03:00Z", "a", "2026-11-01T03:00:00Z"),
            ("a:2026-11-01T03:00+02:00", "a", "2026-11-01T01:00:00Z"),
            ("surv*:latest", "surv*", "latest"),
        ] {
            assert_eq!(of(text), (server.to_owned(), moment.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_chooses_nothing_is_refused_with_an_example() {
        for text in [
            "",
            ":",
            "survival",
            "survival:",
            "survival:newest",
            "a:2026-11",
            "a:2026-13-01",
            "a:20261101",
            "a:2026-11-01T",
            "a:2026-11-01T03",
            "a:2026-11-01T25:00",
            "a:2026-11-01x",
            "a:2026-11-0\u{e9}",
            "a:2026-11-01T03:00 noon",
        ] {
            assert_eq!(
                text.parse::<BackupChoice>(),
                Err(BadChoice::NoMoment(text.to_owned())),
                "{text}"
            );
        }
        assert_eq!(
            ":latest".parse::<BackupChoice>(),
            Err(BadChoice::Server(BadSelector::Empty))
        );
        assert_eq!(
            "x".parse::<BackupChoice>().unwrap_err().to_string(),
            "`x` is neither a backup's uuid nor SERVER:latest nor SERVER:DATE, such as survival:latest or survival:2026-11-01"
        );
    }

    #[test]
    fn what_is_named_is_included_to_its_end_on_the_local_clock() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        for (choice, time, included) in [
            ("a:latest", "9999-12-30T22:00:00Z", true),
            ("a:2026-11-01", "2026-11-01T21:59:59.999Z", true),
            ("a:2026-11-01", "2026-11-01T22:00:00Z", false),
            ("a:9999-12-31", "9999-12-30T22:00:00Z", true),
            ("a:2026-11-01T03:00", "2026-11-01T01:00:59Z", true),
            ("a:2026-11-01T03:00", "2026-11-01T01:01:00Z", false),
            ("a:2026-11-01T03:00:05", "2026-11-01T01:00:05.9Z", true),
            ("a:2026-11-01T03:00:05", "2026-11-01T01:00:06Z", false),
            ("a:2026-11-01T03:00Z", "2026-11-01T03:00:59Z", true),
            ("a:2026-11-01T03:00Z", "2026-11-01T03:01:00Z", false),
        ] {
            let BackupChoice::Of { moment, .. } = choice.parse().unwrap() else {
                panic!("{choice}")
            };
            assert_eq!(
                moment.includes(at(time), &zone),
                included,
                "{choice} {time}"
            );
        }
    }

    #[test]
    fn a_day_ends_when_the_clocks_say_so_even_when_they_are_changed() {
        // Clocks there go back at 03:00 on this day, which so has 25 hours.
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let day = Moment::Day("2026-10-25".parse().unwrap());
        assert!(day.includes("2026-10-25T22:59:59Z".parse().unwrap(), &zone));
        assert!(!day.includes("2026-10-25T23:00:00Z".parse().unwrap(), &zone));
    }
}
