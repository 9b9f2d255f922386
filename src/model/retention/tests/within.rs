//! How far back `within` reaches.

use jiff::Span;
use jiff::ToSpan as _;

use super::*;

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
