//! How to prune, from flags and file.

use crate::config::flags::Request;
use crate::config::reader::Written;
use crate::config::resolve::Resolver;
use crate::config::settings::prune::PruneSettings;
use crate::config::settings::prune::SHRINK_ALARM;
use crate::config::settings::prune::VERIFY_WITHIN;
use crate::config::source::Source;

impl Resolver<'_> {
    pub(super) fn prune(&mut self, request: &Request) -> PruneSettings {
        let written = self.file.map(|file| file.prune.clone()).unwrap_or_default();
        let wanted = request.as_prune();
        let keep = wanted.and_then(|wanted| wanted.keep.clone());
        let max_delete = wanted.and_then(|wanted| wanted.max_delete);
        let source = |place: Option<Source>| place.unwrap_or(Source::Default);
        let verify_within = written.verify_within.as_ref();
        let shrink_alarm = written.shrink_alarm.as_ref();
        let by_file = written.max_delete.as_ref();
        let of_limit = match max_delete {
            Some(_) => Some(Source::Flag("--max-delete")),
            None => by_file.map(Written::source),
        };
        self.sources.note(
            "prune.verify_within",
            source(verify_within.map(Written::source)),
        );
        self.sources.note(
            "prune.shrink_alarm",
            source(shrink_alarm.map(Written::source)),
        );
        self.sources.note("prune.max_delete", source(of_limit));
        PruneSettings {
            verify_within: verify_within.map_or(VERIFY_WITHIN, |written| written.value),
            shrink_alarm: shrink_alarm.map_or(SHRINK_ALARM, |written| written.value),
            max_delete: max_delete.or(by_file.map(|written| written.value)),
            keep,
        }
    }
}
