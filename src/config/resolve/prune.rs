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
        let (keep, max_delete) = match request {
            Request::Prune(wanted) => (wanted.keep.clone(), wanted.max_delete),
            Request::Mirror(_)
            | Request::Verify(_)
            | Request::Restore(_)
            | Request::Read(_)
            | Request::Ledger(_)
            | Request::Mark(_)
            | Request::Panel(_)
            | Request::Show
            | Request::Check => (None, None),
        };
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
