//! The table `[drill]`.

use std::str::FromStr as _;

use crate::config::error::Error;
use crate::config::file::DrillEntry;
use crate::config::file::DrillRuleEntry;
use crate::config::reader::Section;
use crate::config::reader::Written;
use crate::config::table::NUMBER;
use crate::config::table::Reading;
use crate::config::table::SERVERS;
use crate::config::value;
use crate::config::value::BadValue;
use crate::model::member::MemberGlob;
use crate::model::selector::ServerSelector;

const PATHS: &str =
    "a list of paths or globs below the server's root, such as [\"world/level.dat\"]";

impl Reading<'_> {
    pub(in crate::config) fn drill(&mut self, mut section: Section<'_, '_>) -> DrillEntry {
        let problems = &mut self.problems;
        let sample = section.parsed("sample", problems, NUMBER, value::newest);
        let must_contain = globs(&mut section, problems);
        let rules = section.tables(
            "rule",
            "a list of tables: start each with [[drill.rule]], two brackets on each side",
            problems,
        );
        let rules = rules
            .into_iter()
            .filter_map(|section| rule(section, problems))
            .collect();
        section.close(problems);
        DrillEntry {
            sample,
            must_contain,
            rules,
        }
    }
}

fn globs(
    section: &mut Section<'_, '_>,
    problems: &mut Vec<Error>,
) -> Option<Written<Vec<MemberGlob>>> {
    section.list("must_contain", problems, PATHS, |text| {
        MemberGlob::from_str(text).map_err(|bad| BadValue(bad.to_string()))
    })
}

fn rule(mut section: Section<'_, '_>, problems: &mut Vec<Error>) -> Option<DrillRuleEntry> {
    let servers = section.needed_list(
        "servers",
        "servers = [\"survival-*\"]",
        problems,
        SERVERS,
        |text| ServerSelector::from_str(text).map_err(|bad| BadValue(bad.to_string())),
    );
    let must_contain = globs(&mut section, problems);
    section.close(problems);
    Some(DrillRuleEntry {
        servers: servers?,
        must_contain,
    })
}
