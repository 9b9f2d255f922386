//! The rules as restic's manual tells them, written once more in another way: every rule groups the
//! copies by what the wall clock's reading says in letters, and takes so many groups from the end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::retention::case::Back;
use crate::retention::case::Case;
use crate::retention::case::Held;

/// What is said of one copy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    /// Which one of each rule it is, last to yearly; 0 for none.
    pub(super) nth: [u32; 6],
    pub(super) also: BTreeSet<Also>,
}

/// Why else a copy stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Also {
    Within,
    NoPolicy,
    Newest,
    Guarded,
}

impl Said {
    pub(super) fn stays(&self) -> bool {
        *self != Self::default()
    }
}

const DAY: i64 = 86_400;

/// What is said of each copy, in the order of the case.
pub(super) fn said(case: &Case, zone: &TimeZone) -> Vec<Said> {
    let mut all = vec![Said::default(); case.copies.len()];
    for (said, held) in all.iter_mut().zip(&case.copies) {
        if held.guard.keeps() {
            said.also.insert(Also::Guarded);
        }
        if case.policy.is_empty() {
            said.also.insert(Also::NoPolicy);
        }
    }
    let mut oldest_first: Vec<usize> = (0..case.copies.len()).collect();
    let age = |number: &usize| -> (i64, usize) {
        let held: &Held = &case.copies[*number];
        (held.made, held.id)
    };
    oldest_first.sort_by_key(age);
    if let Some(newest) = oldest_first.last() {
        all[*newest].also.insert(Also::Newest);
    }
    let believed = |number: &&usize| case.copies[**number].made <= case.now;
    if let Some(newest) = oldest_first.iter().rev().find(believed) {
        all[*newest].also.insert(Also::Newest);
    }

    let readings: Vec<Reading> = case
        .copies
        .iter()
        .map(|held| Reading::of(held.made, zone))
        .collect();
    for (rule, most) in case.policy.counts.iter().enumerate() {
        if *most == 0 {
            continue;
        }
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for (turn, number) in oldest_first.iter().enumerate() {
            let group = match rule {
                0 => format!("{turn:05}"),
                rule => readings[*number].group(rule).to_owned(),
            };
            // The newer one takes the place of the older one.
            groups.insert(group, *number);
        }
        let from_the_end = groups.into_values().rev();
        for (nth, number) in (1..=*most).zip(from_the_end) {
            all[number].nth[rule] = nth;
        }
    }

    if case.policy.within != Back::default() {
        let past = case
            .copies
            .iter()
            .map(|held| held.made)
            .filter(|made| *made < case.now);
        let since = past
            .max()
            .map(|newest| counted_back(newest, case.policy.within, zone));
        for (said, held) in all.iter_mut().zip(&case.copies) {
            if since.is_none_or(|since| held.made > since) {
                said.also.insert(Also::Within);
            }
        }
    }
    all
}

fn offset(at: i64, zone: &TimeZone) -> i64 {
    i64::from(
        zone.to_offset(Timestamp::from_second(at).unwrap())
            .seconds(),
    )
}

/// What the wall clock and the calendar show.
struct Reading {
    /// `2024-02-29 23`
    hour: String,
    /// `2024-W09`
    week: String,
}

impl Reading {
    fn of(at: i64, zone: &TimeZone) -> Self {
        let wall = at + offset(at, zone);
        let day = wall.div_euclid(DAY);
        let (year, month, day_of_month) = calendar(day);
        let hour = wall.rem_euclid(DAY) / 3600;
        // A week belongs to the year of its Thursday; 1970 began with one.
        let thursday = day - (day + 3).rem_euclid(7) + 3;
        let week_year = calendar(thursday).0;
        let week = (thursday - new_year(week_year)) / 7 + 1;
        Self {
            hour: format!("{year:04}-{month:02}-{day_of_month:02} {hour:02}"),
            week: format!("{week_year:04}-W{week:02}"),
        }
    }

    fn group(&self, rule: usize) -> &str {
        let as_long_as = |like: &str| self.hour.get(..like.len()).unwrap();
        match rule {
            1 => &self.hour,
            2 => as_long_as("2024-02-29"),
            3 => &self.week,
            4 => as_long_as("2024-02"),
            _ => as_long_as("2024"),
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The first day of a year, in days from 1970.
fn new_year(year: i64) -> i64 {
    let before = year - 1;
    before * 365 + before / 4 - before / 100 + before / 400 - 719_162
}

/// Year, month and day of a day counted from 1970.
fn calendar(day: i64) -> (i64, i64, i64) {
    let mut year = 1970 + day / 366;
    while new_year(year + 1) <= day {
        year += 1;
    }
    let mut left = day - new_year(year);
    let mut month = 1;
    while left >= month_days(year, month) {
        left -= month_days(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// So far before an instant: years, months and days on the calendar, whose days may overflow into the
/// next month, then hours by their length.
fn counted_back(at: i64, back: Back, zone: &TimeZone) -> i64 {
    let wall = at + offset(at, zone);
    let (mut year, mut month, day) = calendar(wall.div_euclid(DAY));
    year -= back.years;
    month -= back.months;
    while month < 1 {
        month += 12;
        year -= 1;
    }
    let first: i64 = new_year(year) + (1..month).map(|month| month_days(year, month)).sum::<i64>();
    let days = first + day - 1 - back.days - 7 * back.weeks;
    instant(days * DAY + wall.rem_euclid(DAY), zone) - back.hours * 3600
}

/// The instant of a reading. East of Greenwich, one that is shown twice is taken for the later, and one
/// that is never shown is read as if summer had not begun; in the west it is the other way round.
fn instant(wall: i64, zone: &TimeZone) -> i64 {
    let winter = offset(wall - 2 * DAY, zone).min(offset(wall + 2 * DAY, zone));
    let summer = offset(wall - 2 * DAY, zone).max(offset(wall + 2 * DAY, zone));
    let shows = |offset_then: i64| offset(wall - offset_then, zone) == offset_then;
    let is_east = winter > 0;
    // Where it is shown twice, the later one is that of winter; where never, winter was before.
    let is_winter = match (shows(winter), shows(summer)) {
        (true, true) | (false, false) => is_east,
        (of_winter, _) => of_winter,
    };
    let of_offset = if is_winter { winter } else { summer };
    wall - of_offset
}
