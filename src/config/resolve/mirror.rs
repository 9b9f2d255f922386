//! How to mirror, from flags and file.

use std::time::Duration;

use crate::config::reader::Written;
use crate::config::resolve::Resolver;
use crate::config::settings::MirrorSettings;
use crate::config::source::Source;
use crate::model::backup::DigestNeed;
use crate::model::backup::Protect;
use crate::model::content::Inspect;
use crate::model::outcome::Mode;

/// Transfers at the same time, unless told otherwise.
const TRANSFERS: usize = 2;

impl Resolver<'_> {
    pub(super) fn mirror(&mut self) -> MirrorSettings {
        let written = self
            .file
            .map(|file| file.mirror.clone())
            .unwrap_or_default();
        let flags = self.flags.clone();
        let named = |name: &'static str| move |value| (value, name);
        MirrorSettings {
            transfers: self.pick(
                "transfers",
                flags.transfers.map(named("--transfers")),
                written.transfers.as_ref(),
                TRANSFERS,
            ),
            limit_rate: self.pick_if_any(
                "limit_rate",
                flags.limit_rate.map(|value| (value, "--limit-rate")),
                written.limit_rate.as_ref(),
            ),
            max_age: self.pick_if_any("max_age", None, written.max_age.as_ref()),
            max_duration: self.pick_if_any(
                "max_duration",
                flags.max_duration.map(|value| (value, "--max-duration")),
                written.max_duration.as_ref(),
            ),
            need: self.pick(
                "require_checksum",
                flags.need.map(|value| (value, "--require-checksum")),
                written.need.as_ref(),
                DigestNeed::Optional,
            ),
            inspect: self.pick("inspect", None, written.inspect.as_ref(), Inspect::On),
            newest: self.pick_if_any(
                "newest",
                flags.newest.map(|value| (value, "--newest")),
                written.newest.as_ref(),
            ),
            since: self.pick_if_any(
                "since",
                flags.since.map(|value| (value, "--since")),
                written.since.as_ref(),
            ),
            backups: flags.backups,
            shard: flags.shard,
            create: flags.create,
            mode: flags.mode.unwrap_or(Mode::Apply),
            retry_lock: self.pick(
                "retry_lock",
                flags.retry_lock.map(|value| (value, "--retry-lock")),
                written.retry_lock.as_ref(),
                Duration::ZERO,
            ),
            verify_subset: self.pick_if_any(
                "verify_subset",
                flags.verify_subset.map(|value| (value, "--verify-subset")),
                written.verify_subset.as_ref(),
            ),
            protect: self.pick(
                "protect",
                flags.protect.map(|value| (value, "--protect")),
                written.protect.as_ref(),
                Protect::Nothing,
            ),
        }
    }

    /// The flag's value, else the file's, else the default; the source is noted.
    fn pick<T: Clone>(
        &mut self,
        key: &str,
        flag: Option<(T, &'static str)>,
        written: Option<&Written<T>>,
        default: T,
    ) -> T {
        let (value, source) = match (flag, written) {
            (Some((value, flag)), _) => (value, Source::Flag(flag)),
            (None, Some(written)) => (written.value.clone(), written.source()),
            (None, None) => (default, Source::Default),
        };
        self.sources.note(format!("mirror.{key}"), source);
        value
    }

    fn pick_if_any<T: Clone>(
        &mut self,
        key: &str,
        flag: Option<(T, &'static str)>,
        written: Option<&Written<T>>,
    ) -> Option<T> {
        let flag = flag.map(|(value, name)| (Some(value), name));
        let written = written.map(|written| Written {
            value: Some(written.value.clone()),
            place: written.place.clone(),
        });
        self.pick(key, flag, written.as_ref(), None)
    }
}
