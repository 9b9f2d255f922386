//! Flags, environment and file become settings.

pub mod destinations;
mod drill;
mod panel;
pub mod panels;
mod prune;
pub mod restore;
pub mod secrets;

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Environment;
use crate::config::address;
use crate::config::error::Error;
use crate::config::file::DestinationEntry;
use crate::config::file::File;
use crate::config::file::PanelEntry;
use crate::config::flags::Flags;
use crate::config::flags::MirrorFlags;
use crate::config::flags::Request;
use crate::config::flags::VerifyFlags;
use crate::config::reader::Written;
use crate::config::reader::nearest;
use crate::config::settings::Filter;
use crate::config::settings::MirrorSettings;
use crate::config::settings::Settings;
use crate::config::settings::VerifySettings;
use crate::config::source::Source;
use crate::config::source::Sources;
use crate::config::value::repeatable;
use crate::model::backup::DigestNeed;
use crate::model::backup::Protect;
use crate::model::content::Inspect;
use crate::model::finding::Depth;
use crate::model::finding::RepairWish;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::mark::MarkAction;
use crate::model::outcome::Mode;
use crate::model::selector::ServerSelector;

/// Transfers at the same time, unless told otherwise.
const TRANSFERS: usize = 2;

/// What a command needs of panels, or of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    /// At least one; their secrets are read.
    Some,
    /// Those that there are; their secrets are read.
    Any,
    /// To be shown: secrets stay where they are.
    Shown,
    /// Nothing; keys are not even looked for: `status` must answer when they are in disorder, and
    /// a restore when there is no panel left.
    Nothing,
}

impl Need {
    const fn reads_secrets(self) -> bool {
        matches!(self, Self::Some | Self::Any)
    }
}

/// What has to be there, and whose secrets are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Needs {
    panels: Need,
    destinations: Need,
}

impl Needs {
    const fn both(need: Need) -> Self {
        Self {
            panels: need,
            destinations: need,
        }
    }
}

struct Resolver<'r> {
    flags: MirrorFlags,
    environment: &'r Environment,
    file: Option<&'r File>,
    needs: Needs,
    /// The flag that names destinations.
    places: &'static str,
    sources: Sources,
    warnings: Vec<String>,
    problems: Vec<Error>,
}

/// Puts flags, environment and file together.
///
/// # Errors
/// [`Error`]: all that is wrong, several things as [`Error::Several`]. For `mirror` and `config check` secret
/// files are read and key commands run, once everything else is right.
pub fn resolve(
    flags: &Flags,
    environment: &Environment,
    file: Option<&File>,
) -> Result<Settings, Error> {
    let (mirror_flags, needs) = needs_of(&flags.request, file);
    let mut resolver = Resolver {
        flags: mirror_flags,
        environment,
        file,
        needs,
        places: flag_of_places(&flags.request),
        sources: Sources::default(),
        warnings: Vec::new(),
        problems: Vec::new(),
    };
    let ledger = resolver.ledger(flags);
    let ledger = match ledger {
        // Nothing is read from a ledger: a rescue system may well have no home.
        Err(Error::NoHome { .. }) if flags.request.asks_no_ledger() => PathBuf::new(),
        ledger => ledger?,
    };
    let mut panels = resolver.panels();
    let mut destinations = resolver.destinations();
    let mirror = resolver.mirror();
    let drill = resolver.drill(flags);
    let prune = resolver.prune(&flags.request);
    let filter = resolver.filter(&flags.request);
    let mut restore = match &flags.request {
        Request::Restore(wanted) => resolver.restore(wanted),
        Request::Mirror(_)
        | Request::Verify(_)
        | Request::Read(_)
        | Request::Ledger(_)
        | Request::Prune(_)
        | Request::Mark(_)
        | Request::Panel(_)
        | Request::Show
        | Request::Check => None,
    };
    let panel_task = match &flags.request {
        Request::Panel(wanted) => resolver.panel_task(wanted, &mut panels),
        Request::Mirror(_)
        | Request::Verify(_)
        | Request::Restore(_)
        | Request::Read(_)
        | Request::Ledger(_)
        | Request::Prune(_)
        | Request::Mark(_)
        | Request::Show
        | Request::Check => None,
    };
    let verify = resolver.verify(&flags.request);
    if resolver.problems.is_empty() {
        if needs.panels.reads_secrets() {
            resolver.read_keys(&mut panels);
        }
        if needs.destinations.reads_secrets() {
            resolver.read_options(&mut destinations);
        }
        if let Some(restore) = &mut restore {
            resolver.read_disk_options(restore);
        }
    }
    Error::all(resolver.problems)?;
    Ok(Settings {
        config: file.map(|file| file.path.clone()),
        ledger,
        panels,
        destinations,
        mirror,
        drill,
        restore,
        panel_task,
        filter,
        verify,
        prune,
        environment: environment.of_stores(),
        warnings: resolver.warnings,
        sources: resolver.sources,
    })
}

/// Which panels and destinations a command is about, and what it needs of them.
fn needs_of(request: &Request, file: Option<&File>) -> (MirrorFlags, Needs) {
    match request {
        Request::Mirror(mirror) => (mirror.as_ref().clone(), Needs::both(Need::Some)),
        Request::Verify(verify) => verify_needs(verify, file),
        Request::Check => (MirrorFlags::default(), Needs::both(Need::Some)),
        Request::Show => (MirrorFlags::default(), Needs::both(Need::Shown)),
        Request::Restore(wanted) => (restore::places_of(wanted), restore::needs_of(wanted)),
        Request::Read(wanted) if wanted.from.is_empty() => {
            (MirrorFlags::default(), Needs::both(Need::Nothing))
        }
        Request::Read(wanted) => (
            MirrorFlags {
                to: wanted.from.clone(),
                ..MirrorFlags::default()
            },
            Needs {
                panels: Need::Nothing,
                destinations: Need::Any,
            },
        ),
        Request::Ledger(wanted) => {
            let panels = match wanted.panels {
                Some(_) => Need::Some,
                None => Need::Nothing,
            };
            let destinations = Need::Some;
            let needs = Needs {
                panels,
                destinations,
            };
            (wanted.as_mirror(), needs)
        }
        Request::Prune(wanted) => {
            let needs = Needs {
                panels: Need::Nothing,
                destinations: Need::Some,
            };
            (wanted.as_mirror(), needs)
        }
        Request::Mark(wanted) => {
            let destinations = match wanted.wanted.action {
                MarkAction::Keep | MarkAction::Unkeep => Need::Any,
                MarkAction::Accept => Need::Nothing,
            };
            let needs = Needs {
                panels: Need::Nothing,
                destinations,
            };
            (wanted.as_mirror(), needs)
        }
        Request::Panel(wanted) => (wanted.as_mirror(), panel::needs_of(wanted)),
    }
}

/// The flag by which a command names destinations.
fn flag_of_places(request: &Request) -> &'static str {
    match request {
        Request::Restore(_) | Request::Read(_) => "--from",
        Request::Ledger(wanted) => wanted.places_flag,
        Request::Mirror(_)
        | Request::Verify(_)
        | Request::Prune(_)
        | Request::Mark(_)
        | Request::Panel(_)
        | Request::Check
        | Request::Show => "--to",
    }
}

/// What `verify` stands on: destinations; for a repair all of them, and the panels that there are.
fn verify_needs(verify: &VerifyFlags, file: Option<&File>) -> (MirrorFlags, Needs) {
    let mut to = verify.to.clone();
    let panels = match verify.repair {
        RepairWish::Wanted => Need::Any,
        RepairWish::Unwanted => Need::Nothing,
    };
    if panels == Need::Any && !to.is_empty() {
        let all = file.map_or(&[][..], |file| &file.destinations);
        to.extend(all.iter().map(|entry| entry.name.value.to_string()));
    }
    let flags = MirrorFlags {
        panels: verify.panels.clone(),
        api_key_file: verify.api_key_file.clone(),
        servers: vec![ServerSelector::Any],
        to,
        transfers: verify.transfers,
        limit_rate: verify.limit_rate,
        max_duration: verify.max_duration,
        retry_lock: verify.retry_lock,
        ..MirrorFlags::default()
    };
    let needs = Needs {
        panels,
        destinations: Need::Some,
    };
    (flags, needs)
}

impl Resolver<'_> {
    fn ledger(&mut self, flags: &Flags) -> Result<PathBuf, Error> {
        let written = self.file.and_then(|file| file.ledger.as_ref());
        let (path, source) = if let Some(path) = &flags.ledger {
            (self.environment.absolute(path), Source::Flag("--ledger"))
        } else if let Some(path) = self.environment.filled("NESTEGG_LEDGER") {
            let path = self.environment.absolute(Path::new(path));
            (path, Source::Environment("NESTEGG_LEDGER"))
        } else if let Some(written) = written {
            (written.value.clone(), written.source())
        } else {
            (self.environment.own_ledger()?, Source::Default)
        };
        self.sources.note("ledger", source);
        Ok(path)
    }

    fn file_panels(&self) -> &[PanelEntry] {
        self.file.map_or(&[], |file| &file.panels)
    }

    fn file_destinations(&self) -> &[DestinationEntry] {
        self.file.map_or(&[], |file| &file.destinations)
    }

    /// Where to write a missing thing down.
    fn file_in_words(&self) -> String {
        match self.file {
            Some(file) => format!("to {}", file.path.display()),
            None => "to a configuration file (`nestegg config init` writes a starter)".to_owned(),
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

    fn mirror(&mut self) -> MirrorSettings {
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

    fn verify(&mut self, request: &Request) -> VerifySettings {
        match request {
            Request::Verify(wanted) => VerifySettings {
                only: wanted
                    .to
                    .iter()
                    .filter_map(|to| self.wanted_destination(to))
                    .collect(),
                backups: wanted.backups.clone(),
                subset: wanted.subset,
                older_than: wanted.older_than,
                depth: wanted.depth,
                repair: wanted.repair,
            },
            Request::Mirror(_)
            | Request::Restore(_)
            | Request::Read(_)
            | Request::Ledger(_)
            | Request::Prune(_)
            | Request::Mark(_)
            | Request::Panel(_)
            | Request::Show
            | Request::Check => VerifySettings {
                only: Vec::new(),
                backups: Vec::new(),
                subset: None,
                older_than: None,
                depth: Depth::Full,
                repair: RepairWish::Unwanted,
            },
        }
    }

    fn filter(&mut self, request: &Request) -> Filter {
        match request {
            Request::Read(wanted) => Filter {
                servers: wanted.servers.clone(),
                panels: wanted
                    .panels
                    .iter()
                    .filter_map(|panel| self.wanted_panel(panel))
                    .collect(),
                destinations: wanted
                    .to
                    .iter()
                    .filter_map(|to| self.wanted_destination(to))
                    .collect(),
                copies: restore::copies_from(&wanted.from),
            },
            Request::Verify(wanted) => Filter {
                servers: wanted.servers.clone(),
                ..Filter::default()
            },
            Request::Ledger(wanted) => Filter {
                servers: wanted.servers.clone(),
                ..Filter::default()
            },
            Request::Prune(wanted) => Filter {
                servers: wanted.servers.clone(),
                ..Filter::default()
            },
            Request::Mirror(_)
            | Request::Restore(_)
            | Request::Mark(_)
            | Request::Panel(_)
            | Request::Show
            | Request::Check => Filter::default(),
        }
    }

    fn wanted_panel(&mut self, text: &str) -> Option<PanelName> {
        let name = if text.contains("://") {
            address::parse(text)
                .map(|url| address::name_of(&url))
                .map_err(|bad| (bad.why, bad.fix))
        } else {
            Ok(text.to_owned())
        };
        let name = name.and_then(|name| {
            name.parse()
                .map_err(|_unusable| ("it is no name".to_owned(), "name a panel".to_owned()))
        });
        self.wanted("--panel", name)
    }

    fn wanted_destination(&mut self, text: &str) -> Option<DestinationName> {
        let name = text
            .parse()
            .map_err(|_unusable| ("it is no name".to_owned(), "name a destination".to_owned()));
        self.wanted("--to", name)
    }

    fn wanted<N>(&mut self, flag: &'static str, name: Result<N, (String, String)>) -> Option<N> {
        match name {
            Ok(name) => Some(name),
            Err((why, fix)) => {
                self.problems.push(Error::BadValue {
                    from: Source::Flag(flag),
                    key: flag.to_owned(),
                    why,
                    fix,
                });
                None
            }
        }
    }
}

fn unknown_name(what: &'static str, name: &str, known: &[&str], otherwise: &str) -> Error {
    let fix = match (nearest(name, known), known) {
        (Some(meant), _) => format!("did you mean `{meant}`? ({otherwise})"),
        (None, []) => format!("the configuration has none; {otherwise}"),
        (None, known) => format!("known: {}; {otherwise}", known.join(", ")),
    };
    Error::UnknownName {
        what,
        name: repeatable(name),
        fix,
    }
}
