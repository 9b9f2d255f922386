//! Where hours, days, weeks, months and years begin.

use super::*;

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
