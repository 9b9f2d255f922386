//! From settings to the things that a run stands on: panel clients, destinations, the ledger.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use url::Url;

use crate::config::Settings;
use crate::config::settings::DestinationOrigin;
use crate::config::settings::DestinationSettings;
use crate::config::settings::PanelSettings;
use crate::destination;
use crate::destination::Destination;
use crate::destination::DestinationSpec;
use crate::destination::RootRule;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::Ledger;
use crate::ledger::SharedLedger;
use crate::ledger::WriterLock;
use crate::model::finding::RepairWish;
use crate::model::outcome::Failure;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::secret::Secret;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Parts;
use crate::ops::mirror::book::Book;
use crate::ops::prune;
use crate::ops::verify;
use crate::panel::PanelClient;
use crate::panel::PanelEndpoint;
use crate::transfer::observer::Observer;

/// The ledger of a run, and what must live as long as the run does.
#[derive(Debug)]
pub struct OpenLedger {
    /// The ledger and the run in it.
    pub book: Book,
    _lock: Option<WriterLock>,
    _scratch: Option<tempfile::TempDir>,
}

/// Locks and opens the ledger and begins a run in it; a dry run reads it, or does without.
///
/// # Errors
/// [`Error::Ledger`], also when another run holds the lock.
pub async fn ledger(settings: &Settings, command: &str, env: &Env) -> Result<OpenLedger, Error> {
    match settings.mirror.mode {
        Mode::Apply => {
            let acquired = WriterLock::acquire(
                &settings.ledger,
                command,
                env.now(),
                settings.mirror.retry_lock,
            );
            let lock = tokio::select! {
                biased;
                () = env.cancel.cancelled() => {
                    let signal = env.stopped_by().unwrap_or(StopSignal::Interrupt);
                    return Err(Error::Stopped(signal));
                }
                lock = acquired => lock?,
            };
            let mut ledger = Ledger::open(&settings.ledger)?;
            let run = ledger.begin_run(command, env.now())?;
            Ok(OpenLedger {
                book: Book::new(SharedLedger::new(ledger), Some(run), env.clone()),
                _lock: Some(lock),
                _scratch: None,
            })
        }
        Mode::DryRun => {
            let (ledger, scratch) = match Ledger::open_read_only(&settings.ledger) {
                Ok(ledger) => (ledger, None),
                Err(ledger::Error::NoLedger { .. }) => {
                    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
                    let ledger = Ledger::open(&scratch.path().join("ledger.sqlite3"))?;
                    (ledger, Some(scratch))
                }
                Err(error) => return Err(error.into()),
            };
            Ok(OpenLedger {
                book: Book::new(SharedLedger::new(ledger), None, env.clone()),
                _lock: None,
                _scratch: scratch,
            })
        }
    }
}

/// Fails when there is no ledger to compare anything with; an older one will be upgraded.
///
/// # Errors
/// [`Error::Ledger`] when there is none.
pub fn has_ledger(settings: &Settings) -> Result<(), Error> {
    match Ledger::open_read_only(&settings.ledger) {
        Err(error @ ledger::Error::NoLedger { .. }) => Err(error.into()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Puts together what a mirror run stands on; what can't be set up becomes a failure of the run.
///
/// # Errors
/// [`Error::Destination`] and [`Error::SamePlace`] for destinations that are written wrong; the
/// ledger's.
pub async fn parts(
    settings: &Settings,
    book: Book,
    env: Env,
    observer: Arc<dyn Observer>,
    tuning: Tuning,
) -> Result<Parts, Error> {
    let mut failures = Vec::new();
    let mut panels = Vec::new();
    for panel in &settings.panels {
        match target(panel, &tuning) {
            Ok(target) => panels.push(target),
            Err(failure) => failures.push(failure),
        }
    }
    let mut destinations = Vec::new();
    let opened = join_all(
        settings
            .destinations
            .iter()
            .map(|wanted| open(wanted, settings, &book, &tuning)),
    )
    .await;
    for opened in opened {
        match opened? {
            Ok(destination) => destinations.push(destination),
            Err(failure) => failures.push(failure),
        }
    }
    apart(&destinations)?;
    Ok(Parts {
        env,
        observer,
        tuning,
        book,
        panels,
        destinations,
        drill: settings.drill.clone(),
        failures,
    })
}

/// Puts together what a verify run stands on; what can't be set up becomes a failure of the run.
///
/// Roots that are missing are never made, and panels are only set up for a repair.
///
/// # Errors
/// As [`open_to_read`].
pub async fn verify_parts(
    settings: &Settings,
    book: Book,
    env: Env,
    observer: Arc<dyn Observer>,
    tuning: Tuning,
) -> Result<verify::Parts, Error> {
    let OpenedPlaces {
        destinations,
        mut failures,
    } = open_to_read(settings, &tuning).await?;
    let only = &settings.verify.only;
    let is_asked_for =
        |failure: &Failure| only.is_empty() || only.iter().any(|name| name.as_str() == failure.id);
    // Another destination that can't be opened is only a source less for a repair.
    failures.retain(is_asked_for);
    let mut panels = Vec::new();
    if settings.verify.repair == RepairWish::Wanted {
        for panel in &settings.panels {
            match target(panel, &tuning) {
                Ok(target) => panels.push(target),
                Err(failure) => failures.push(failure),
            }
        }
    }
    Ok(verify::Parts {
        env,
        observer,
        tuning,
        book,
        panels,
        destinations,
        failures,
    })
}

/// Puts together what a run of `prune` stands on; a destination that can't be opened becomes a failure of
/// the run, and the others are pruned.
///
/// # Errors
/// As [`open_to_read`].
pub async fn prune_parts(
    settings: &Settings,
    book: Book,
    env: Env,
    tuning: &Tuning,
) -> Result<prune::Parts, Error> {
    let OpenedPlaces {
        destinations,
        failures,
    } = open_to_read(settings, tuning).await?;
    Ok(prune::Parts {
        env,
        book,
        destinations,
        failures,
    })
}

/// Fails when two destinations lead to one place, by a symbolic link for instance: the
/// configuration compares only how they are written.
fn apart(destinations: &[Destination]) -> Result<(), Error> {
    let mut seen: BTreeMap<&str, &Destination> = BTreeMap::new();
    for second in destinations {
        if let Some(first) = seen.insert(second.location(), second) {
            return Err(Error::SamePlace {
                first: first.name().clone(),
                second: second.name().clone(),
                location: second.location().to_owned(),
            });
        }
    }
    Ok(())
}

/// A client for one panel, and which of its servers are meant.
///
/// # Errors
/// What is wrong with its address or key.
pub fn target(panel: &PanelSettings, tuning: &Tuning) -> Result<PanelTarget, Failure> {
    let endpoint = PanelEndpoint {
        name: panel.name.clone(),
        base_url: panel.url.clone(),
        key: panel
            .key
            .secret()
            .cloned()
            .unwrap_or_else(|| Secret::new("")),
    };
    let client = PanelClient::new(endpoint, tuning.panel)
        .map_err(|error| error.failure(Scope::Panel, panel.name.to_string()))?;
    Ok(PanelTarget {
        client,
        selectors: panel.selectors.clone(),
        scope: panel.scope,
        exclude: panel.exclude.clone(),
        checksum: panel.checksum,
    })
}

/// Opens one destination. A root that is missing is made only for a one-shot `--to` that never
/// held a copy: otherwise it is a disk that is not mounted.
///
/// # Errors
/// [`Error::Destination`] when its URL or options are wrong; the ledger's.
async fn open(
    wanted: &DestinationSettings,
    settings: &Settings,
    book: &Book,
    tuning: &Tuning,
) -> Result<Result<Destination, Failure>, Error> {
    let spec = |root| spec(wanted, settings, root);
    let opened = Destination::open(spec(RootRule::MustExist), tuning.destination).await;
    let opened = match opened {
        Err(destination::Error::RootMissing { path })
            if wanted.origin == DestinationOrigin::OneShot =>
        {
            let location = location_of_missing(&path);
            let asked = location.clone();
            let is_known = book
                .read(move |ledger| ledger.knows_destination(&asked))
                .await?;
            match (is_known, settings.mirror.mode) {
                (true, _) => Err(destination::Error::RootMissing { path }),
                (false, Mode::Apply) => {
                    Destination::open(spec(RootRule::MayCreate), tuning.destination).await
                }
                (false, Mode::DryRun) => {
                    Ok(
                        Destination::absent(wanted.name.clone(), location, tuning.destination)
                            .encrypting_to(&wanted.encrypt_to),
                    )
                }
            }
        }
        opened => opened,
    };
    match opened {
        Err(error) if error.is_usage() => Err(Error::Destination {
            name: wanted.name.clone(),
            source: error,
        }),
        opened => {
            Ok(opened.map_err(|error| error.failure(Scope::Destination, wanted.name.to_string())))
        }
    }
}

/// Opens every destination of the settings as it is: a root that is missing is never made.
///
/// # Errors
/// [`Error::Destination`] when a URL or an option is wrong; [`Error::SamePlace`].
pub async fn open_to_read(settings: &Settings, tuning: &Tuning) -> Result<OpenedPlaces, Error> {
    let mut places = OpenedPlaces::default();
    for wanted in &settings.destinations {
        let spec = spec(wanted, settings, RootRule::MustExist);
        match Destination::open(spec, tuning.destination).await {
            Ok(destination) => places.destinations.push(destination),
            Err(error) if error.is_usage() => {
                return Err(Error::Destination {
                    name: wanted.name.clone(),
                    source: error,
                });
            }
            Err(error) => places
                .failures
                .push(error.failure(Scope::Destination, wanted.name.to_string())),
        }
    }
    apart(&places.destinations)?;
    Ok(places)
}

/// Opens the destinations of the settings that can be opened as they are: for a restore, one of them
/// is enough, whatever is wrong with the others.
///
/// # Errors
/// [`Error::Destination`] when the URL or the options of each are wrong.
pub async fn open_what_opens(settings: &Settings, tuning: &Tuning) -> Result<OpenedPlaces, Error> {
    let mut places = OpenedPlaces::default();
    let mut wrong = None;
    let mut right = 0_usize;
    for wanted in &settings.destinations {
        let spec = spec(wanted, settings, RootRule::MustExist);
        match Destination::open(spec, tuning.destination).await {
            Ok(destination) => {
                right += 1;
                places.destinations.push(destination);
            }
            Err(error) => {
                let name = &wanted.name;
                let failure = error.failure(Scope::Destination, name.to_string());
                places.failures.push(failure);
                if error.is_usage() {
                    wrong.get_or_insert(Error::Destination {
                        name: name.clone(),
                        source: error,
                    });
                } else {
                    right += 1;
                }
            }
        }
    }
    match wrong {
        Some(error) if right == 0 => Err(error),
        Some(_) | None => Ok(places),
    }
}

/// The destinations that could be opened, and why others could not.
#[derive(Debug, Default)]
pub struct OpenedPlaces {
    /// Those that could.
    pub destinations: Vec<Destination>,
    /// Why others could not.
    pub failures: Vec<Failure>,
}

/// The location that a root has, or would have: as destinations are recorded, with the links on the
/// way to it resolved.
fn location_of_missing(root: &Path) -> String {
    let resolved = root
        .parent()
        .zip(root.file_name())
        .and_then(|(above, name)| Some(above.canonicalize().ok()?.join(name)));
    Url::from_file_path(resolved.as_deref().unwrap_or(root))
        .map_or_else(|()| String::new(), String::from)
}

fn spec(wanted: &DestinationSettings, settings: &Settings, root: RootRule) -> DestinationSpec {
    DestinationSpec {
        name: wanted.name.clone(),
        url: wanted.url.clone(),
        options: wanted.options.clone(),
        environment: settings.environment.clone(),
        root,
        encrypt_to: wanted.encrypt_to.clone(),
    }
}

/// What is wrong with the URLs, options and roots of the destinations; contacts nothing.
pub async fn check_destinations(settings: &Settings) -> Vec<Failure> {
    let tuning = Tuning::production();
    let mut failures = Vec::new();
    for wanted in &settings.destinations {
        let spec = spec(wanted, settings, RootRule::MustExist);
        if let Err(error) = Destination::open(spec, tuning.destination).await {
            failures.push(error.failure(Scope::Destination, wanted.name.to_string()));
        }
    }
    failures
}
