//! Flags, environment and file become settings.

pub mod destinations;
mod drill;
mod filter;
mod mirror;
mod needs;
mod panel;
pub mod panels;
mod prune;
pub mod restore;
pub mod secrets;
mod verify;

use std::path::Path;
use std::path::PathBuf;

use crate::config::Environment;
use crate::config::error::Error;
use crate::config::file::DestinationEntry;
use crate::config::file::File;
use crate::config::file::PanelEntry;
use crate::config::flags::Flags;
use crate::config::flags::MirrorFlags;
use crate::config::reader::nearest;
use crate::config::resolve::needs::Needs;
use crate::config::resolve::needs::flag_of_places;
use crate::config::resolve::needs::needs_of;
use crate::config::settings::Settings;
use crate::config::source::Source;
use crate::config::source::Sources;
use crate::config::value::repeatable;

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
    let drill = resolver.drill(&flags.request);
    let prune = resolver.prune(&flags.request);
    let filter = resolver.filter(&flags.request);
    let restore = flags.request.as_restore();
    let mut restore = restore.and_then(|wanted| resolver.restore(wanted));
    let panel = flags.request.as_panel();
    let panel_task = panel.and_then(|wanted| resolver.panel_task(wanted, &mut panels));
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
