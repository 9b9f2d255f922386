//! The table `[prune]`, and what a destination says of how long its copies are kept.

use std::str::FromStr as _;

use crate::config::error::Error;
use crate::config::file::KeepRuleEntry;
use crate::config::file::PruneEntry;
use crate::config::reader::Section;
use crate::config::reader::Written;
use crate::config::table::DURATION;
use crate::config::table::NUMBER;
use crate::config::table::Reading;
use crate::config::table::SERVERS;
use crate::config::value;
use crate::config::value::BadValue;
use crate::model::retention::KeepPolicy;
use crate::model::selector::ServerSelector;

const PERCENTAGE: &str = "a percentage such as \"50%\"";
const AGE: &str = "an age such as \"14d\" or \"6mo\"";

impl Reading<'_> {
    pub(in crate::config) fn prune(&mut self, mut section: Section<'_, '_>) -> PruneEntry {
        let problems = &mut self.problems;
        let entry = PruneEntry {
            verify_within: section.parsed("verify_within", problems, DURATION, value::age),
            shrink_alarm: section.parsed("shrink_alarm", problems, PERCENTAGE, value::percent),
            max_delete: section.parsed("max_delete", problems, NUMBER, value::newest),
        };
        section.close(problems);
        entry
    }

    /// `[[destination.rule]]`.
    pub(super) fn keep_rule(&mut self, mut section: Section<'_, '_>) -> Option<KeepRuleEntry> {
        let servers = section.needed_list(
            "servers",
            "servers = [\"vip-*\"]",
            &mut self.problems,
            SERVERS,
            |text| ServerSelector::from_str(text).map_err(|bad| BadValue(bad.to_string())),
        );
        let keep = section
            .needed_table(
                "keep",
                "keep = { daily = 14, weekly = 8 }",
                &mut self.problems,
            )
            .map(|keep| self.keep(keep));
        section.close(&mut self.problems);
        if let Some(empty) = servers.as_ref().filter(|servers| servers.value.is_empty()) {
            self.bad(
                &empty.place,
                "servers",
                "an empty list selects no server",
                "name some, or take the rule out",
            );
        }
        Some(KeepRuleEntry {
            servers: servers?,
            keep: keep?,
        })
    }

    pub(super) fn keep(&mut self, mut section: Section<'_, '_>) -> Written<KeepPolicy> {
        let place = section.place().clone();
        let mut problems = Vec::new();
        let mut count = |key| {
            section
                .parsed(key, &mut problems, NUMBER, value::kept)
                .map(|written| written.value)
        };
        let policy = KeepPolicy {
            last: count("last"),
            hourly: count("hourly"),
            daily: count("daily"),
            weekly: count("weekly"),
            monthly: count("monthly"),
            yearly: count("yearly"),
            within: section
                .parsed("within", &mut problems, AGE, value::keep_within)
                .map(|written| written.value),
        };
        section.close(&mut problems);
        self.problems.extend(problems.into_iter().map(below_keep));
        Written {
            value: policy,
            place,
        }
    }
}

/// A complaint with the whole name of its key: a bare `last` could be anything.
fn below_keep(mut problem: Error) -> Error {
    if let Error::BadValue { key, .. } | Error::WrongType { key, .. } = &mut problem {
        *key = format!("keep.{key}");
    }
    problem
}
