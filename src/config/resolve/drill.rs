//! How to drill.

use crate::config::file::DrillEntry;
use crate::config::flags::Request;
use crate::config::reader::Written;
use crate::config::resolve::Resolver;
use crate::config::settings::drill::DrillRule;
use crate::config::settings::drill::DrillSettings;
use crate::config::settings::drill::SAMPLE;
use crate::config::settings::restore::RestoreJob;
use crate::config::source::Source;

impl Resolver<'_> {
    pub(super) fn drill(&mut self, request: &Request) -> DrillSettings {
        let DrillEntry {
            sample,
            must_contain,
            rules,
        } = self.file.map(|file| file.drill.clone()).unwrap_or_default();
        let job = request.as_restore().and_then(|wanted| wanted.job.as_ref());
        let by_flag = match job {
            Some(RestoreJob::Drill(job)) => job.sample,
            Some(
                RestoreJob::Output(_)
                | RestoreJob::Extract(_)
                | RestoreJob::Disk(_)
                | RestoreJob::Panel(_)
                | RestoreJob::Sheet(_),
            )
            | None => None,
        };
        let source = match (by_flag, &sample) {
            (Some(_), _) => Source::Flag("--sample"),
            (None, Some(written)) => written.source(),
            (None, None) => Source::Default,
        };
        self.sources.note("drill.sample", source);
        let source = must_contain
            .as_ref()
            .map_or(Source::Default, Written::source);
        self.sources.note("drill.must_contain", source);
        for (number, rule) in rules.iter().enumerate() {
            let source = rule.servers.source();
            self.sources
                .note(format!("drill.rule.{number}.servers"), source.clone());
            let of_globs = rule.must_contain.as_ref().map_or(source, Written::source);
            self.sources
                .note(format!("drill.rule.{number}.must_contain"), of_globs);
        }
        DrillSettings {
            sample: by_flag
                .or(sample.map(|written| written.value))
                .unwrap_or(SAMPLE),
            must_contain: must_contain
                .map(|written| written.value)
                .unwrap_or_default(),
            rules: rules
                .into_iter()
                .map(|rule| DrillRule {
                    servers: rule.servers.value,
                    must_contain: rule
                        .must_contain
                        .map(|written| written.value)
                        .unwrap_or_default(),
                })
                .collect(),
        }
    }
}
