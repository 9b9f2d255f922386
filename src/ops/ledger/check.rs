//! `nestegg ledger check`: ledger, destinations and panels, held against each other.

mod fix;
mod meant;
mod panels;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::config::Settings;
use crate::destination::Destination;
use crate::destination::Examined;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::CopyFilter;
use crate::ledger::DescribedCopy;
use crate::ledger::FoundPlaceholder;
use crate::ledger::Ledger;
use crate::ledger::SharedLedger;
use crate::ledger::Unrecordable;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::outcome::Ended;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::described::Described;
use crate::ops::described::described_in_short;
use crate::ops::ledger::Summary;
use crate::ops::ledger::check::fix::fix;
use crate::ops::ledger::check::meant::Meant;
use crate::ops::ledger::check::panels::ask;
use crate::ops::mirror::book::Book;
use crate::ops::setup;
use crate::plan::check;
use crate::plan::check::Accounts;
use crate::plan::check::Finding;
use crate::plan::check::Place;
use crate::plan::check::Placeholder;
use crate::plan::check::Placeholders;
use crate::plan::check::Sign;
use crate::plan::check::There;
use crate::plan::rebuild::Recorded;
use crate::report::ledger::CheckReport;
use crate::report::ledger::Elsewhere;

/// Whether panels are asked as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panels {
    /// Those of the settings.
    Asked,
    /// None.
    LeftAlone,
}

/// A ledger to be compared and left as it is.
///
/// # Errors
/// [`Error::Ledger`].
pub fn read_only(settings: &Settings, env: &Env) -> Result<Book, Error> {
    let ledger = Ledger::open_read_only(&settings.ledger)?;
    ledger.ensure_sound()?;
    Ok(Book::new(SharedLedger::new(ledger), None, env.clone()))
}

/// Compares; and, for a book with a run, adopts what is unknown and marks as lost what is missing. No
/// destination and no panel is changed.
///
/// # Errors
/// [`Error::NamesNothing`], [`Error::Destination`], [`Error::SamePlace`], [`Error::Ledger`].
pub async fn check(
    settings: &Settings,
    book: &Book,
    env: &Env,
    panels: Panels,
    tuning: &Tuning,
) -> Result<CheckReport, Error> {
    let mode = match book.run() {
        Some(_) => Mode::Apply,
        None => Mode::DryRun,
    };
    let mut report = CheckReport {
        run: book.run(),
        started_at: env.now(),
        finished_at: env.now(),
        mode,
        findings: Vec::new(),
        elsewhere: Vec::new(),
        ended: Ended::InFull,
    };
    let mut meant = Meant::new(settings, book).await?;
    let places = setup::open_to_read(settings, tuning).await?;
    for failure in &places.failures {
        if let Ok(name) = failure.id.parse::<DestinationName>() {
            let place = Place::Destination(name);
            report.findings.push(Finding::failed(place, None, failure));
        }
    }
    let mut looked_at = Vec::new();
    for destination in &places.destinations {
        let before = recorded(book, destination, &meant).await?;
        let looked = tokio::select! {
            biased;
            () = env.cancel.cancelled() => break,
            looked = described_in_short(destination, |server, _| meant.may_be(server), Summary::of) => looked,
        };
        match looked {
            Ok(there) => {
                meant.learn(&there);
                looked_at.push((destination, before, there));
            }
            Err(error) => {
                let name = destination.name().clone();
                let failure = error.failure(Scope::Destination, name.to_string());
                let place = Place::Destination(name);
                report.findings.push(Finding::failed(place, None, &failure));
            }
        }
    }
    meant.ensure_all_name_something(env)?;
    let mut held: Vec<HeldCopy> = Vec::new();
    let mut compared: BTreeSet<String> = BTreeSet::new();
    for (destination, before, there) in looked_at {
        let after = recorded(book, destination, &meant).await?;
        let accounts = Accounts { before, after };
        let (standing, mut found) = standing(there, &meant);
        let mut findings = check::compare(destination.name(), &accounts, &standing);
        if mode == Mode::Apply {
            fix(
                book,
                destination,
                &mut findings,
                &accounts,
                &standing,
                &mut found,
            )
            .await?;
        }
        report.findings.extend(findings);
        let whole = standing.into_values().filter_map(|there| match there {
            There::Whole(copy) => Some(*copy),
            There::BadSidecar { .. }
            | There::NoArchive
            | There::OtherLength { .. }
            | There::Alone { .. }
            | There::Unread(_) => None,
        });
        held.extend(whole);
        compared.insert(destination.location().to_owned());
    }
    let copies = book
        .read(|ledger| ledger.copies(&CopyFilter::default()))
        .await?;
    let elsewhere: Vec<HeldCopy> = copies
        .into_iter()
        .filter(|copy| !compared.contains(&copy.location) && meant.is_meant_copy(copy))
        .collect();
    report.elsewhere = by_place(&elsewhere);
    held.extend(elsewhere);
    if panels == Panels::Asked {
        let asked = ask_all(settings, book, env, &held, tuning).await?;
        report.findings.extend(asked);
    }
    check::sort(&mut report.findings);
    report.ended = match env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None => Ended::InFull,
    };
    report.finished_at = env.now();
    Ok(report)
}

/// Compares what is held with what the panels list.
async fn ask_all(
    settings: &Settings,
    book: &Book,
    env: &Env,
    held: &[HeldCopy],
    tuning: &Tuning,
) -> Result<Vec<Finding>, ledger::Error> {
    let removed = book.read(|ledger| ledger.removed_anywhere()).await?;
    let found = book.read(|ledger| ledger.found_placeholders()).await?;
    let placeholders: Placeholders = found.into_iter().map(as_placeholder).collect();
    let mut all = Vec::new();
    for panel in &settings.panels {
        if env.cancel.is_cancelled() {
            break;
        }
        let findings = match setup::target(panel, tuning) {
            Ok(target) => ask(&target, env, held, &placeholders).await,
            Err(failure) => Err(failure),
        };
        let place = Place::Panel(panel.name.clone());
        all.extend(findings.unwrap_or_else(|failure| vec![Finding::failed(place, None, &failure)]));
    }
    all.retain(|finding| !is_removed(finding, &removed));
    Ok(all)
}

fn as_placeholder(found: FoundPlaceholder) -> ((ServerId, BackupId), Placeholder) {
    let FoundPlaceholder {
        row,
        holds,
        listed_bytes,
        listed_checksum,
    } = found;
    let placeholder = Placeholder {
        holds: (holds.server, holds.backup),
        listed_bytes,
        listed_checksum,
    };
    ((row.server, row.backup), placeholder)
}

/// Whether something on a panel is held nowhere because retention removed it.
fn is_removed(finding: &Finding, removed: &BTreeSet<(ServerId, BackupId)>) -> bool {
    let of = finding.server.zip(finding.backup);
    finding.sign == Sign::Unknown && of.is_some_and(|of| removed.contains(&of))
}

/// What the ledger says of one destination.
async fn recorded(
    book: &Book,
    destination: &Destination,
    meant: &Meant<'_>,
) -> Result<Recorded, ledger::Error> {
    let at = destination.location().to_owned();
    let mut recorded = book
        .read(move |ledger| {
            Ok(Recorded::new(
                ledger.copies_at(&at)?,
                ledger.damaged_at(&at)?,
                ledger.being_removed_at(&at)?,
            ))
        })
        .await?;
    recorded.held.retain(|_, copy| meant.is_meant_copy(copy));
    Ok(recorded)
}

/// By server and backup.
type Standing = BTreeMap<(ServerId, BackupId), There>;
/// The whole copies among it, as the ledger takes them.
type Found = BTreeMap<(ServerId, BackupId), Result<DescribedCopy, Unrecordable>>;

/// What stands at a destination under each backup's name, and the copies among it.
fn standing(there: Described<Summary>, meant: &Meant<'_>) -> (Standing, Found) {
    let Described {
        copies,
        broken,
        alone,
        failures,
        unread,
    } = there;
    let mut standing = Standing::new();
    let mut found = Found::new();
    for Summary { held, recordable } in copies {
        let of = (held.server, held.backup);
        standing.insert(of, There::Whole(Box::new(held)));
        found.insert(of, recordable);
    }
    for (server, backup, examined) in broken {
        let there = match examined {
            Examined::Whole(_) | Examined::NoSidecar => continue,
            Examined::BadSidecar { why } => There::BadSidecar { why },
            Examined::NoArchive { .. } => There::NoArchive,
            Examined::OtherLength { bytes, .. } => There::OtherLength { bytes },
        };
        standing.insert((server, backup), there);
    }
    for (key, bytes) in alone {
        standing.insert((key.server(), key.backup()), There::Alone { key, bytes });
    }
    for (of, failure) in unread.into_iter().zip(failures) {
        standing.insert(of, There::Unread(failure));
    }
    standing.retain(|(server, _), _| meant.is_meant(*server));
    found.retain(|(server, _), _| meant.is_meant(*server));
    (standing, found)
}

/// How many copies are recorded at places that were not looked at.
fn by_place(copies: &[HeldCopy]) -> Vec<Elsewhere> {
    let mut places: BTreeMap<(&DestinationName, &str), u64> = BTreeMap::new();
    for copy in copies {
        *places
            .entry((&copy.destination, &copy.location))
            .or_default() += 1;
    }
    places
        .into_iter()
        .map(|((destination, location), copies)| Elsewhere {
            destination: destination.clone(),
            location: location.to_owned(),
            copies,
        })
        .collect()
}
