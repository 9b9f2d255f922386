use jiff::Span;
use jiff::ToSpan as _;

use super::*;

/// Central European time, whose summer ends at 3 o'clock.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// A summer that ends one minute after midnight, as Newfoundland's did.
fn newfoundland() -> TimeZone {
    TimeZone::posix("NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01").unwrap()
}

fn offset(seconds: i32) -> TimeZone {
    TimeZone::fixed(jiff::tz::Offset::from_seconds(seconds).unwrap())
}

fn within(span: Span) -> KeepPolicy {
    KeepPolicy {
        within: Some(SpanFieldwise(span)),
        ..KeepPolicy::default()
    }
}

fn last(most: u32) -> KeepPolicy {
    KeepPolicy {
        last: Some(most),
        ..KeepPolicy::default()
    }
}

fn hourly(most: u32) -> KeepPolicy {
    KeepPolicy {
        hourly: Some(most),
        ..KeepPolicy::default()
    }
}

fn daily(most: u32) -> KeepPolicy {
    KeepPolicy {
        daily: Some(most),
        ..KeepPolicy::default()
    }
}

fn weekly(most: u32) -> KeepPolicy {
    KeepPolicy {
        weekly: Some(most),
        ..KeepPolicy::default()
    }
}

fn monthly(most: u32) -> KeepPolicy {
    KeepPolicy {
        monthly: Some(most),
        ..KeepPolicy::default()
    }
}

fn yearly(most: u32) -> KeepPolicy {
    KeepPolicy {
        yearly: Some(most),
        ..KeepPolicy::default()
    }
}

/// The reasons of each, joined; `-` for none. It is the year 2100.
fn said(policy: &KeepPolicy, made: &[&str], zone: &TimeZone) -> Vec<String> {
    let made: Vec<Timestamp> = made.iter().map(|at| at.parse().unwrap()).collect();
    let now = "2100-01-01T00:00:00Z".parse().unwrap();
    policy
        .reasons(&made, now, zone)
        .into_iter()
        .map(|reasons| match reasons.as_slice() {
            [] => "-".to_owned(),
            some => {
                let words: Vec<String> = some.iter().map(KeepReason::to_string).collect();
                words.join(", ")
            }
        })
        .collect()
}

fn said_in_utc(policy: &KeepPolicy, made: &[&str]) -> Vec<String> {
    said(policy, made, &TimeZone::UTC)
}

#[test]
fn last_keeps_the_newest_so_many_whatever_the_order_they_are_given_in() {
    let made = [
        "2024-03-01T10:00:00Z",
        "2024-03-03T10:00:00Z",
        "2024-03-02T10:00:00Z",
    ];
    assert_eq!(said_in_utc(&last(2), &made), ["-", "last 1/2", "last 2/2"]);
}

#[test]
fn a_bucket_keeps_its_newest_and_those_that_are_empty_do_not_count() {
    let made = [
        "2024-03-09T23:59:59Z",
        "2024-03-09T00:00:00Z",
        "2024-03-05T12:00:00Z",
        "2024-02-29T12:00:00Z",
        "2024-02-28T12:00:00Z",
    ];
    assert_eq!(
        said_in_utc(&daily(3), &made),
        ["daily 1/3", "-", "daily 2/3", "daily 3/3", "-"]
    );
    assert_eq!(
        said_in_utc(&hourly(2), &made),
        ["hourly 1/2", "hourly 2/2", "-", "-", "-"]
    );
    assert_eq!(
        said_in_utc(&monthly(5), &made),
        ["monthly 1/5", "-", "-", "monthly 2/5", "-"]
    );
    assert_eq!(
        said_in_utc(&yearly(5), &made),
        ["yearly 1/5", "-", "-", "-", "-"]
    );
}

#[test]
fn a_copy_is_kept_when_any_rule_keeps_it_and_every_reason_is_told() {
    let policy = KeepPolicy {
        last: Some(1),
        hourly: None,
        daily: Some(14),
        weekly: Some(2),
        monthly: None,
        yearly: Some(0),
        within: Some(SpanFieldwise(1.day().hours(12))),
    };
    let made = [
        "2024-03-10T04:00:00Z",
        "2024-03-09T04:00:00Z",
        "2024-03-09T03:00:00Z",
        "2024-03-03T04:00:00Z",
    ];
    assert_eq!(
        said_in_utc(&policy, &made),
        [
            "last 1/1, daily 1/14, weekly 1/2, within 1d 12h",
            "daily 2/14, within 1d 12h",
            "within 1d 12h",
            "daily 3/14, weekly 2/2",
        ]
    );
}

#[test]
fn no_policy_and_one_that_counts_to_nothing_keep_everything() {
    let nothing = KeepPolicy::default();
    let zero = KeepPolicy {
        last: Some(0),
        daily: Some(0),
        ..within(0.days())
    };
    for policy in [nothing, zero] {
        assert!(policy.is_empty());
        assert_eq!(
            said_in_utc(&policy, &["2024-03-09T03:00:00Z", "2001-03-09T03:00:00Z"]),
            ["no policy", "no policy"]
        );
    }
    for policy in [
        last(1),
        hourly(1),
        daily(1),
        weekly(1),
        monthly(1),
        yearly(1),
        within(1.day()),
    ] {
        assert!(!policy.is_empty(), "{policy:?}");
    }
}

#[test]
fn nothing_at_all_is_kept_of_nothing() {
    assert_eq!(said_in_utc(&last(1), &[]), Vec::<String>::new());
    assert_eq!(said_in_utc(&within(1.day()), &[]), Vec::<String>::new());
}

#[test]
fn the_oldest_is_not_kept_for_being_the_oldest() {
    let made = [
        "2024-03-09T12:00:00Z",
        "2024-03-09T11:00:00Z",
        "2024-03-09T10:00:00Z",
    ];
    assert_eq!(said_in_utc(&yearly(10), &made), ["yearly 1/10", "-", "-"]);
}

#[test]
fn of_two_in_the_same_second_the_one_given_first_is_taken_for_the_newer() {
    let made = [
        "2024-03-09T12:00:00Z",
        "2024-03-09T12:00:00Z",
        "2024-03-09T12:00:00Z",
    ];
    assert_eq!(said_in_utc(&last(2), &made), ["last 1/2", "last 2/2", "-"]);
    assert_eq!(said_in_utc(&hourly(2), &made), ["hourly 1/2", "-", "-"]);
}

#[test]
fn days_begin_where_the_clock_says_so() {
    let made = [
        "2024-03-09T18:15:00Z",
        "2024-03-09T18:14:59Z",
        "2024-03-09T03:30:00Z",
        "2024-03-09T03:29:59Z",
    ];
    assert_eq!(said_in_utc(&daily(4), &made), ["daily 1/4", "-", "-", "-"]);
    assert_eq!(
        said(&daily(4), &made, &offset(5 * 3600 + 45 * 60)),
        ["daily 1/4", "daily 2/4", "-", "-"]
    );
    assert_eq!(
        said(&daily(4), &made, &offset(-(3 * 3600 + 30 * 60))),
        ["daily 1/4", "-", "-", "daily 2/4"]
    );
}

#[test]
fn hours_begin_where_the_clock_says_so() {
    let made = [
        "2024-03-09T18:16:00Z",
        "2024-03-09T18:15:00Z",
        "2024-03-09T18:14:00Z",
    ];
    assert_eq!(
        said(&hourly(4), &made, &offset(5 * 3600 + 45 * 60)),
        ["hourly 1/4", "-", "hourly 2/4"]
    );
}

#[test]
fn the_hour_that_the_clock_shows_twice_is_one_hour() {
    let made = [
        "2024-10-27T02:30:00Z", // 03:30 in winter
        "2024-10-27T01:30:00Z", // 02:30 in winter
        "2024-10-27T00:30:00Z", // 02:30 in summer
        "2024-10-26T23:30:00Z", // 01:30 in summer
    ];
    assert_eq!(
        said(&hourly(9), &made, &berlin()),
        ["hourly 1/9", "hourly 2/9", "-", "hourly 3/9"]
    );
}

#[test]
fn the_hour_that_the_clock_leaves_out_is_none() {
    let made = [
        "2024-03-31T01:00:00Z", // 03:00 in summer
        "2024-03-31T00:59:59Z", // 01:59:59 in winter
    ];
    assert_eq!(
        said(&hourly(2), &made, &berlin()),
        ["hourly 1/2", "hourly 2/2"]
    );
}

#[test]
fn days_of_23_and_of_25_hours_are_days() {
    let made = [
        "2024-10-27T22:59:59Z", // the last second of a day of 25 hours
        "2024-10-26T22:00:00Z", // its first
        "2024-10-26T21:59:59Z",
        "2024-03-31T21:59:59Z", // the last second of a day of 23 hours
        "2024-03-30T23:00:00Z", // its first
        "2024-03-30T22:59:59Z",
    ];
    assert_eq!(
        said(&daily(9), &made, &berlin()),
        ["daily 1/9", "-", "daily 2/9", "daily 3/9", "-", "daily 4/9"]
    );
}

#[test]
fn a_clock_that_goes_back_over_midnight_opens_the_day_before_again() {
    let made = [
        "2024-11-03T03:31:00Z", // 00:01 on the 3rd, the second time
        "2024-11-03T02:45:00Z", // 23:15 on the 2nd, the second time
        "2024-11-03T02:30:30Z", // 00:00:30 on the 3rd, the first time
        "2024-11-03T02:00:00Z", // 23:30 on the 2nd, the first time
    ];
    assert_eq!(
        said(&daily(9), &made, &newfoundland()),
        ["daily 1/9", "daily 2/9", "daily 3/9", "daily 4/9"]
    );
}

#[test]
fn weeks_are_those_of_iso_8601_with_a_53rd_where_there_is_one() {
    let made = [
        "2021-01-04T00:00:00Z", // Monday of week 1 of 2021
        "2021-01-03T23:59:59Z", // Sunday of week 53 of 2020
        "2020-12-28T00:00:00Z", // Monday of week 53 of 2020
        "2020-12-27T23:59:59Z", // Sunday of week 52 of 2020
    ];
    assert_eq!(
        said_in_utc(&weekly(9), &made),
        ["weekly 1/9", "weekly 2/9", "-", "weekly 3/9"]
    );
}

#[test]
fn a_week_goes_on_over_the_new_year_and_years_and_months_do_not() {
    let made = [
        "2025-01-01T00:00:00Z", // Wednesday of week 1 of 2025
        "2024-12-31T23:59:59Z", // Tuesday of the same
        "2024-12-30T00:00:00Z", // Monday of the same
        "2024-12-29T23:59:59Z", // Sunday of week 52 of 2024
    ];
    assert_eq!(
        said_in_utc(&weekly(9), &made),
        ["weekly 1/9", "-", "-", "weekly 2/9"]
    );
    assert_eq!(
        said_in_utc(&yearly(9), &made),
        ["yearly 1/9", "yearly 2/9", "-", "-"]
    );
    assert_eq!(
        said_in_utc(&monthly(9), &made),
        ["monthly 1/9", "monthly 2/9", "-", "-"]
    );
}

#[test]
fn the_same_week_of_another_year_is_another_week() {
    let made = ["2024-03-04T00:00:00Z", "2023-03-04T00:00:00Z"];
    assert_eq!(said_in_utc(&weekly(9), &made), ["weekly 1/9", "weekly 2/9"]);
    assert_eq!(
        said_in_utc(&monthly(9), &made),
        ["monthly 1/9", "monthly 2/9"]
    );
}

#[test]
fn the_leap_day_is_a_day() {
    let made = [
        "2024-03-01T00:00:00Z",
        "2024-02-29T00:00:00Z",
        "2024-02-28T23:59:59Z",
    ];
    assert_eq!(
        said_in_utc(&daily(9), &made),
        ["daily 1/9", "daily 2/9", "daily 3/9"]
    );
}

#[test]
fn within_is_measured_back_from_the_newest_and_leaves_out_its_very_end() {
    let made = [
        "2024-03-09T12:00:00Z",
        "2024-03-07T12:00:01Z",
        "2024-03-07T12:00:00Z",
    ];
    assert_eq!(
        said_in_utc(&within(2.days()), &made),
        ["within 2d", "within 2d", "-"]
    );
}

#[test]
fn within_does_not_believe_a_newest_from_the_future_and_keeps_it() {
    let made = [
        "2101-01-01T00:00:00Z",
        "2024-03-09T12:00:00Z",
        "2024-03-01T12:00:00Z",
    ];
    assert_eq!(
        said_in_utc(&within(2.days()), &made),
        ["within 2d", "within 2d", "-"]
    );
}

#[test]
fn where_all_are_from_the_future_within_keeps_all() {
    let made = ["2101-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];
    assert_eq!(
        said_in_utc(&within(1.hour()), &made),
        ["within 1h", "within 1h"]
    );
}

#[test]
fn other_rules_take_the_future_as_it_comes() {
    let made = ["2101-01-01T00:00:00Z", "2024-03-09T12:00:00Z"];
    assert_eq!(said_in_utc(&last(1), &made), ["last 1/1", "-"]);
}

#[test]
fn within_counts_days_on_the_clock_and_hours_by_their_length() {
    let made = [
        "2024-10-27T12:00:00Z", // 13:00 in winter
        "2024-10-26T11:30:00Z", // 13:30 in summer
        "2024-10-26T10:30:00Z", // 12:30 in summer
    ];
    assert_eq!(
        said(&within(1.day()), &made, &berlin()),
        ["within 1d", "within 1d", "-"]
    );
    assert_eq!(
        said(&within(24.hours()), &made, &berlin()),
        ["within 24h", "-", "-"]
    );
    assert_eq!(
        said(&within(25.hours()), &made, &berlin()),
        ["within 25h", "within 25h", "-"]
    );
}

fn counted_back(from: &str, span: Span, zone: &TimeZone) -> String {
    let since = before(from.parse().unwrap(), span, zone).unwrap();
    zone.to_datetime(since).to_string()
}

#[test]
fn a_day_that_a_month_lacks_is_so_many_days_into_the_next() {
    for (from, span, since) in [
        ("2023-03-31T10:00:00Z", 1.month(), "2023-03-03T10:00:00"),
        ("2024-03-31T10:00:00Z", 1.month(), "2024-03-02T10:00:00"),
        ("2024-02-29T10:00:00Z", 1.year(), "2023-03-01T10:00:00"),
        ("2024-02-29T10:00:00Z", 4.years(), "2020-02-29T10:00:00"),
        ("2024-01-31T10:00:00Z", 14.months(), "2022-12-01T10:00:00"),
        ("2024-01-15T10:00:00Z", 1.month(), "2023-12-15T10:00:00"),
        ("2024-03-01T10:00:00Z", 1.day(), "2024-02-29T10:00:00"),
        ("2024-03-14T10:00:00Z", 2.weeks(), "2024-02-29T10:00:00"),
        (
            "2024-03-31T01:00:00Z",
            1.month().days(2).hours(2),
            "2024-02-28T23:00:00",
        ),
    ] {
        assert_eq!(
            counted_back(from, span, &TimeZone::UTC),
            since,
            "{from} - {span:#}"
        );
    }
}

#[test]
fn a_reading_of_the_clock_that_never_was_or_was_twice_is_taken_as_go_takes_it() {
    let new_york = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
    for (zone, from, since) in [
        (berlin(), "2024-04-01T00:30:00Z", "2024-03-31T01:30:00Z"),
        (berlin(), "2024-10-28T01:30:00Z", "2024-10-27T01:30:00Z"),
        (
            new_york.clone(),
            "2024-03-11T06:30:00Z",
            "2024-03-10T06:30:00Z",
        ),
        (new_york, "2024-11-04T06:30:00Z", "2024-11-03T05:30:00Z"),
    ] {
        let since: Timestamp = since.parse().unwrap();
        assert_eq!(
            before(from.parse().unwrap(), 1.day(), &zone),
            Some(since),
            "{from}"
        );
    }
}

#[test]
fn a_within_longer_than_there_is_time_keeps_all() {
    for span in [
        19_998.years(),
        200_000.months(),
        7_000_000.days(),
        175_000_000.hours(),
    ] {
        assert_eq!(
            said_in_utc(
                &within(span),
                &["2024-03-09T12:00:00Z", "0000-01-01T00:00:00Z"]
            )
            .iter()
            .filter(|said| *said == "-")
            .count(),
            0,
            "{span:#}"
        );
    }
}

#[test]
fn times_at_both_ends_of_time_are_taken_like_others() {
    let made = [Timestamp::MAX, Timestamp::MIN];
    let policy = KeepPolicy {
        within: Some(SpanFieldwise(1.hour())),
        ..weekly(3)
    };
    for zone in [TimeZone::UTC, berlin(), offset(-86_399), offset(86_399)] {
        let kept = policy.reasons(&made, Timestamp::MAX, &zone);
        assert!(kept.iter().all(|reasons| !reasons.is_empty()), "{zone:?}");
    }
}

#[test]
fn a_hundred_thousand_copies_are_decided_about() {
    let newest: Timestamp = "2024-03-09T12:00:00Z".parse().unwrap();
    let made: Vec<Timestamp> = (0..100_000)
        .map(|quarter| newest - SignedDuration::from_mins(15 * quarter))
        .collect();
    let policy = KeepPolicy {
        last: Some(10),
        hourly: Some(u32::MAX),
        daily: Some(30),
        weekly: Some(10),
        monthly: Some(12),
        yearly: Some(10),
        within: Some(SpanFieldwise(1.year())),
    };
    let reasons = policy.reasons(&made, newest, &berlin());
    let kept_by = |rule: Rule| {
        let of_rule = reasons.iter().flatten();
        of_rule
            .filter(|reason| matches!(reason, KeepReason::Nth { rule: this, .. } if *this == rule))
            .count()
    };
    assert_eq!(
        [
            Rule::Last,
            Rule::Hourly,
            Rule::Daily,
            Rule::Weekly,
            Rule::Monthly,
            Rule::Yearly
        ]
        .map(kept_by),
        // So many quarters lie in 25,001 hours, three of which the clock showed twice.
        [10, 24_998, 30, 10, 12, 4]
    );
}
