//! How long copies are kept, per server at one destination (design section 8).
//!
//! The meaning is that of restic's `forget`, as of the versions before 0.16 (Debian's is 0.14): since
//! 0.16 restic also keeps the oldest snapshot of all for as long as a rule has counts left, which is
//! not done here. One more thing differs: of a snapshot made while its zone was at UTC restic only knows
//! that it was made at UTC, and measures `within` back on that clock; here it is the zone's.

use std::fmt;

use jiff::SignedDuration;
use jiff::Span;
use jiff::SpanFieldwise;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What `keep` of a destination asks for, in restic's meaning; a rule that is absent keeps nothing by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeepPolicy {
    /// The newest so many.
    pub last: Option<u32>,
    /// The newest of each of so many hours that have one.
    pub hourly: Option<u32>,
    /// The newest of each of so many days that have one.
    pub daily: Option<u32>,
    /// The newest of each of so many weeks that have one.
    pub weekly: Option<u32>,
    /// The newest of each of so many months that have one.
    pub monthly: Option<u32>,
    /// The newest of each of so many years that have one.
    pub yearly: Option<u32>,
    /// All that are younger than this, measured back from the newest that is not in the future.
    pub within: Option<SpanFieldwise>,
}

/// A rule that keeps so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The newest.
    Last,
    /// The newest of each hour.
    Hourly,
    /// The newest of each day.
    Daily,
    /// The newest of each ISO week.
    Weekly,
    /// The newest of each month.
    Monthly,
    /// The newest of each year.
    Yearly,
}

impl Rule {
    /// The word used in the configuration, in output and in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    /// What all that were made in the same hour, day, … share; each has its own for [`Self::Last`].
    fn bucket(self, position: usize, local: DateTime) -> (i64, u8, u8, u8) {
        let date = local.date();
        let year = i64::from(date.year());
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        match self {
            Self::Last => (i64::try_from(position).unwrap_or(i64::MAX), 0, 0, 0),
            Self::Hourly => (year, month, day, local.hour().unsigned_abs()),
            Self::Daily => (year, month, day, 0),
            Self::Weekly => {
                let week = date.iso_week_date();
                (i64::from(week.year()), week.week().unsigned_abs(), 0, 0)
            }
            Self::Monthly => (year, month, 0, 0),
            Self::Yearly => (year, 0, 0, 0),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a policy keeps something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// It is one of those that a rule keeps.
    Nth {
        /// The rule.
        rule: Rule,
        /// Which one, from 1 for the newest.
        nth: u32,
        /// Of how many at most.
        of: u32,
    },
    /// It is younger than this.
    Within(SpanFieldwise),
    /// There is no policy.
    NoPolicy,
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth { rule, nth, of } => write!(f, "{rule} {nth}/{of}"),
            Self::Within(span) => write!(f, "within {:#}", span.0),
            Self::NoPolicy => f.write_str("no policy"),
        }
    }
}

impl KeepPolicy {
    /// Whether it has no rule that could keep anything; such a policy is taken for none, and keeps
    /// everything.
    pub fn is_empty(&self) -> bool {
        self.counted().next().is_none() && self.measured().is_none()
    }

    /// The rules that keep so many, and how many.
    fn counted(&self) -> impl Iterator<Item = (Rule, u32)> {
        [
            (Rule::Last, self.last),
            (Rule::Hourly, self.hourly),
            (Rule::Daily, self.daily),
            (Rule::Weekly, self.weekly),
            (Rule::Monthly, self.monthly),
            (Rule::Yearly, self.yearly),
        ]
        .into_iter()
        .filter_map(|(rule, most)| Some((rule, most.filter(|most| *most > 0)?)))
    }

    /// How far back everything is kept, if it is.
    fn measured(&self) -> Option<SpanFieldwise> {
        self.within.filter(|span| !span.0.is_zero())
    }

    /// Why each of those made at `made` is kept, in the order given; no reason at all: it is not.
    ///
    /// `made` may be in any order; of those of the same instant, what comes first is taken for the
    /// newer. Hours, days, weeks, months and years are those of the wall clock in `zone`, which is what
    /// restic goes by for snapshots made in that zone; a wall clock that goes back over midnight opens
    /// the day before a second time, as in restic.
    pub fn reasons(
        &self,
        made: &[Timestamp],
        now: Timestamp,
        zone: &TimeZone,
    ) -> Vec<Vec<KeepReason>> {
        if self.is_empty() {
            return made.iter().map(|_| vec![KeepReason::NoPolicy]).collect();
        }
        let mut order: Vec<(usize, Timestamp)> = made.iter().copied().enumerate().collect();
        order.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        let within = self
            .measured()
            .map(|span| (span, Since::of(span.0, made, now, zone)));
        let mut counters: Vec<Counter> = self.counted().map(Counter::new).collect();
        let mut reasons: Vec<(usize, Vec<KeepReason>)> = Vec::with_capacity(order.len());
        for (position, (given, at)) in order.into_iter().enumerate() {
            let local = zone.to_datetime(at);
            let counted = counters
                .iter_mut()
                .filter_map(|counter| counter.take(position, local));
            let mut why: Vec<KeepReason> = counted.collect();
            if let Some((span, since)) = within
                && since.holds(at)
            {
                why.push(KeepReason::Within(span));
            }
            reasons.push((given, why));
        }
        reasons.sort_unstable_by_key(|(given, _)| *given);
        reasons.into_iter().map(|(_, why)| why).collect()
    }
}

/// How far a rule has come, from the newest backwards.
struct Counter {
    rule: Rule,
    of: u32,
    taken: u32,
    last: Option<(i64, u8, u8, u8)>,
}

impl Counter {
    const fn new((rule, of): (Rule, u32)) -> Self {
        Self {
            rule,
            of,
            taken: 0,
            last: None,
        }
    }

    fn take(&mut self, position: usize, local: DateTime) -> Option<KeepReason> {
        if self.taken == self.of {
            return None;
        }
        let bucket = Some(self.rule.bucket(position, local));
        if bucket == self.last {
            return None;
        }
        self.last = bucket;
        self.taken += 1;
        Some(KeepReason::Nth {
            rule: self.rule,
            nth: self.taken,
            of: self.of,
        })
    }
}

/// From when on `within` keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    /// Everything.
    Ever,
    /// What was made later than this.
    After(Timestamp),
}

impl Since {
    /// Measures back from the newest that is not in the future. Where all are, restic measures back
    /// from the year 1, so that everything is kept.
    fn of(span: Span, made: &[Timestamp], now: Timestamp, zone: &TimeZone) -> Self {
        let past = made.iter().filter(|at| **at < now);
        past.max()
            .and_then(|newest| before(*newest, span, zone))
            .map_or(Self::Ever, Self::After)
    }

    fn holds(self, at: Timestamp) -> bool {
        match self {
            Self::Ever => true,
            Self::After(since) => at > since,
        }
    }
}

/// So long before `at`, as Go's `AddDate` counts back years, months and days on the wall clock, and hours
/// after that; `None` for before there was time.
///
/// Unlike in other calendars, a day that a month does not have is so many days into the next one: a month
/// before 31 March is 3 March, or 2 March in a leap year.
fn before(at: Timestamp, span: Span, zone: &TimeZone) -> Option<Timestamp> {
    let local = zone.to_datetime(at);
    let months = i64::from(local.year()) * 12 + i64::from(local.month())
        - 1
        - i64::from(span.get_years()) * 12
        - i64::from(span.get_months());
    let year = i16::try_from(months.div_euclid(12)).ok()?;
    let month = i8::try_from(months.rem_euclid(12) + 1).ok()?;
    let days =
        i64::from(local.day()) - 1 - i64::from(span.get_weeks()) * 7 - i64::from(span.get_days());
    let date = Date::new(year, month, 1)
        .ok()?
        .checked_add(Span::new().try_days(days).ok()?)
        .ok()?;
    instant(date.to_datetime(local.time()), zone)?
        .checked_sub(SignedDuration::from_hours(i64::from(span.get_hours())))
        .ok()
}

/// The instant of a wall clock's reading. Where the clock shows it twice or never, Go's choice: it looks up
/// the offset at that reading in UTC, and with it the offset that counts.
fn instant(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let guess = zone.to_offset(TimeZone::UTC.to_timestamp(local).ok()?);
    let offset = zone.to_offset(guess.to_timestamp(local).ok()?);
    offset.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests;
