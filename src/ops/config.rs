//! `nestegg config`: write a starter file, show what is in effect, check it without touching the network.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::config;
use crate::config::Environment;
use crate::config::Flags;
use crate::config::Settings;
use crate::config::output::ResultFormat;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::chain;
use crate::model::selector::ServerSelector;
use crate::ops::config::shown::Shown;

mod shown;

/// What `config init` writes.
const STARTER: &str = include_str!("../config/starter.toml");

/// The JSON Schema of what `config init --json` prints.
pub const INIT_SCHEMA: &str = include_str!("config/schema/config-init-1.json");
/// The JSON Schema of what `config show --json` prints.
pub const SHOW_SCHEMA: &str = include_str!("config/schema/config-show-1.json");
/// The JSON Schema of what `config check --json` prints.
pub const CHECK_SCHEMA: &str = include_str!("config/schema/config-check-1.json");

/// `nestegg config` could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong, or the starter file could not be written.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The result could not be written.
    #[error("could not write the result")]
    Output(#[from] io::Error),
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Config(error) => error.kind(),
            Self::Output(_) => FailureKind::Local,
        }
    }

    /// What to do about it; empty when the message says it.
    pub fn hint(&self) -> String {
        match self {
            Self::Config(error) => error.hint(),
            Self::Output(_) => String::new(),
        }
    }
}

/// Writes a commented starter file to the named place, or to the user's own, with mode 0600.
///
/// # Errors
/// [`config::Error::Exists`] when something is there already, which is left as it is;
/// [`config::Error::Write`]; [`config::Error::NoHome`].
pub fn init(
    named: Option<&Path>,
    environment: &Environment,
    format: ResultFormat,
    out: &mut dyn Write,
) -> Result<PathBuf, Error> {
    let path = config::starter_path(named, environment)?;
    write_starter(&path)?;
    let shown = path.display();
    match format {
        ResultFormat::Json => {
            let document = json!({ "schema": "nestegg.config-init/1", "file": path });
            write_json(&document, out)?;
        }
        ResultFormat::Human => {
            let folder = path.parent().unwrap_or(&path).display();
            writeln!(out, "wrote {shown}")?;
            writeln!(out, "next:")?;
            writeln!(out, "  1. edit it: the panel's url, the destination's url")?;
            writeln!(
                out,
                "  2. put a client API key into {folder}/main.key, readable only by you (chmod 600)"
            )?;
            writeln!(out, "  3. nestegg config check")?;
            writeln!(out, "  4. nestegg mirror --dry-run")?;
        }
    }
    Ok(path)
}

fn write_starter(path: &Path) -> Result<(), config::Error> {
    let failed = |source| config::Error::Write {
        path: path.to_owned(),
        source,
    };
    if path.symlink_metadata().is_ok() {
        return Err(config::Error::Exists {
            path: path.to_owned(),
        });
    }
    let folder = path
        .parent()
        .ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(STARTER.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_file) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(config::Error::Exists {
                path: path.to_owned(),
            })
        }
        Err(error) => Err(failed(error.error)),
    }
}

/// Shows the effective settings, secrets masked, each with where it comes from.
///
/// No secret file is read and no command is run. Warnings are for the caller to print.
///
/// # Errors
/// [`config::Error`] when the configuration is wrong.
pub fn show(
    flags: &Flags,
    environment: &Environment,
    format: ResultFormat,
    out: &mut dyn Write,
) -> Result<Settings, Error> {
    let settings = config::load(flags, environment)?;
    let shown = Shown::of(&settings);
    match format {
        ResultFormat::Json => write_json(&shown.document(), out)?,
        ResultFormat::Human => shown.write_text(out)?,
    }
    Ok(settings)
}

/// Says what a `mirror` without flags would use, or all that is wrong with it; contacts nothing.
///
/// `loaded` comes from [`config::load`], key files and option files and commands included, `stores` from
/// [`setup::check_destinations`](crate::ops::setup::check_destinations). With [`ResultFormat::Json`] the
/// document is written in case of errors too; `loaded`'s are returned as well, and those of `stores` are
/// for the caller to print and to make a bad exit code of. Warnings are part of the result, the caller
/// need not print them.
///
/// # Errors
/// [`config::Error`] with all that is wrong.
pub fn check(
    loaded: Result<Settings, config::Error>,
    stores: &[Failure],
    format: ResultFormat,
    out: &mut dyn Write,
) -> Result<Settings, Error> {
    match (format, &loaded) {
        (ResultFormat::Json, _) => write_json(&check_document(&loaded, stores), out)?,
        (ResultFormat::Human, Ok(settings)) => write_check(settings, stores, out)?,
        (ResultFormat::Human, Err(_)) => {}
    }
    Ok(loaded?)
}

fn write_json(document: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{document:#}")
}

fn check_document(result: &Result<Settings, config::Error>, stores: &[Failure]) -> Value {
    match result {
        Ok(settings) => json!({
            "schema": "nestegg.config-check/1",
            "ok": stores.is_empty(),
            "file": settings.config,
            "ledger": settings.ledger,
            "panels": settings.panels.iter().map(|panel| json!({
                "name": panel.name,
                "url": panel.url.as_str(),
                "key_from": panel.key_origin.describe(),
            })).collect::<Vec<_>>(),
            "destinations": settings.destinations.iter().map(|destination| json!({
                "name": destination.name,
                "url": destination.url,
            })).collect::<Vec<_>>(),
            "warnings": settings.warnings,
            "errors": stores.iter().map(|failure| json!({
                "message": format!("{} {}: {}", failure.scope, failure.id, failure.message),
                "file": null,
                "line": null,
                "column": null,
                "hint": failure.hint,
            })).collect::<Vec<_>>(),
        }),
        Err(error) => json!({
            "schema": "nestegg.config-check/1",
            "ok": false,
            "file": null,
            "ledger": null,
            "panels": [],
            "destinations": [],
            "warnings": [],
            "errors": error.each().into_iter().map(|error| json!({
                "message": chain(error),
                "file": error.place().map(|place| place.file.display().to_string()),
                "line": error.place().map(|place| place.line),
                "column": error.place().map(|place| place.column),
                "hint": error.hint(),
            })).collect::<Vec<_>>(),
        }),
    }
}

fn write_check(settings: &Settings, stores: &[Failure], out: &mut dyn Write) -> io::Result<()> {
    if let Some(file) = &settings.config {
        writeln!(out, "configuration  {}", file.display())?;
    }
    writeln!(out, "ledger         {}", settings.ledger.display())?;
    for panel in &settings.panels {
        let servers: Vec<&str> = panel.selectors.iter().map(ServerSelector::as_str).collect();
        writeln!(
            out,
            "panel          {}  {}  servers {}  key from {}",
            panel.name,
            panel.url,
            servers.join(", "),
            panel.key_origin.describe()
        )?;
    }
    for destination in &settings.destinations {
        writeln!(
            out,
            "destination    {}  {}",
            destination.name, destination.url
        )?;
    }
    for warning in &settings.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if !stores.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "ok: {}, {}; nothing was contacted",
        counted(settings.panels.len(), "panel"),
        counted(settings.destinations.len(), "destination")
    )
}

fn counted(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}
