//! What a policy keeps, and the reasons that it gives.

mod calendar;
mod rules;
mod within;

use jiff::Span;

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
