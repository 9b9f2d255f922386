//! One case: what is held of a server, and what is asked for.

use jiff::SignedDuration;
use jiff::Span;
use jiff::SpanFieldwise;
use jiff::Timestamp;
use jiff::tz::Offset;
use jiff::tz::TimeZone;
use nestegg::model::backup::LockState;
use nestegg::model::ids::BackupId;
use nestegg::model::retention::KeepPolicy;
use nestegg::plan::prune::Facts;
use nestegg::plan::prune::Mark;
use nestegg::plan::prune::Prunable;
use nestegg::plan::prune::StoreRetention;

/// Copies of a case at most.
pub(super) const MOST: usize = 30;

/// Within what copies have to be proved.
pub(super) const VERIFY_WITHIN_HOURS: i64 = 100;

/// A backup that is never held.
const MISSING: usize = MOST;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    /// Index into the zones.
    pub(super) zone: usize,
    pub(super) now: i64,
    /// In any order.
    pub(super) copies: Vec<Held>,
    pub(super) newest: Newest,
    pub(super) policy: Policy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) made: i64,
    /// Different from those of all others; the greater one is the newer of two of one second.
    pub(super) id: usize,
    pub(super) guard: Guard,
    pub(super) proved_hours_ago: i64,
}

/// What keeps a copy besides the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    Nothing,
    Lock,
    Hand,
    Store,
    StoreForNow,
    StoreOnceUponATime,
}

impl Guard {
    pub(super) const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Lock,
        Self::Hand,
        Self::Store,
        Self::StoreForNow,
        Self::StoreOnceUponATime,
    ];

    pub(super) fn keeps(self) -> bool {
        !matches!(self, Self::Nothing | Self::StoreOnceUponATime)
    }
}

/// Whether the newest completed backup is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newest {
    Held,
    Missing,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Policy {
    /// Last, hourly, daily, weekly, monthly, yearly.
    pub(super) counts: [u32; 6],
    pub(super) within: Back,
}

/// How far back; all zero for not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Back {
    pub(super) years: i64,
    pub(super) months: i64,
    pub(super) weeks: i64,
    pub(super) days: i64,
    pub(super) hours: i64,
}

impl Back {
    pub(super) fn span(self) -> SpanFieldwise {
        let Self {
            years,
            months,
            weeks,
            days,
            hours,
        } = self;
        let span = Span::new().years(years).months(months).weeks(weeks);
        SpanFieldwise(span.days(days).hours(hours))
    }
}

impl Policy {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn keep(&self) -> KeepPolicy {
        // A rule that counts to nothing is as good as none, so both ways of saying so are tried.
        let some = |count: u32| (count > 0 || self.within.hours % 2 == 1).then_some(count);
        let [last, hourly, daily, weekly, monthly, yearly] = self.counts.map(some);
        KeepPolicy {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            within: (self.within != Back::default()).then(|| self.within.span()),
        }
    }
}

/// What is the same for all cases, made once for each thread.
pub(super) struct Fixtures {
    pub(super) zones: Vec<TimeZone>,
    pub(super) ids: Vec<BackupId>,
}

impl Fixtures {
    pub(super) const ZONES: usize = 6;

    pub(super) fn new() -> Self {
        let fixed = |minutes| TimeZone::fixed(Offset::from_seconds(minutes * 60).unwrap());
        let posix = |rule| TimeZone::posix(rule).unwrap();
        let zones = vec![
            TimeZone::UTC,
            fixed(5 * 60 + 45),
            fixed(-(3 * 60 + 30)),
            posix("CET-1CEST,M3.5.0,M10.5.0/3"),
            posix("EST5EDT,M3.2.0,M11.1.0"),
            // Half an hour, in the south.
            posix("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
        ];
        assert_eq!(zones.len(), Self::ZONES);
        let ids = (0..=MISSING).map(|number| format!("00000000-0000-4000-8000-{number:012}"));
        Self {
            zones,
            ids: ids.map(|id| id.parse().unwrap()).collect(),
        }
    }

    pub(super) fn facts(&self, case: &Case) -> Facts<usize> {
        let now = Timestamp::from_second(case.now).unwrap();
        let copies = case.copies.iter().enumerate();
        let newest = match case.newest {
            Newest::Held => case.copies.iter().max_by_key(|held| (held.made, held.id)),
            Newest::Missing => None,
        };
        Facts {
            copies: copies
                .map(|(number, held)| Prunable {
                    copy: number,
                    backup: self.ids[held.id],
                    created_at: Timestamp::from_second(held.made).unwrap(),
                    stored_bytes: 1,
                    proved_at: now - SignedDuration::from_hours(held.proved_hours_ago),
                    lock: if held.guard == Guard::Lock {
                        LockState::Locked
                    } else {
                        LockState::Unlocked
                    },
                    mark: if held.guard == Guard::Hand {
                        Mark::Kept { reason: None }
                    } else {
                        Mark::None
                    },
                    store: match held.guard {
                        Guard::Nothing | Guard::Lock | Guard::Hand => StoreRetention::None,
                        Guard::Store => StoreRetention::WithoutDate,
                        Guard::StoreForNow => {
                            StoreRetention::Until(now + SignedDuration::from_secs(1))
                        }
                        Guard::StoreOnceUponATime => StoreRetention::Until(now),
                    },
                })
                .collect(),
            newest: vec![newest.map_or(self.ids[MISSING], |held| self.ids[held.id])],
            suspicion: None,
        }
    }
}
