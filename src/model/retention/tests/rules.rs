//! What the rules keep, one by one and together.

use jiff::ToSpan as _;

use super::*;

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
fn other_rules_take_the_future_as_it_comes() {
    let made = ["2101-01-01T00:00:00Z", "2024-03-09T12:00:00Z"];
    assert_eq!(said_in_utc(&last(1), &made), ["last 1/1", "-"]);
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
