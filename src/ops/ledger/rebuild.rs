//! `nestegg ledger rebuild`: from the sidecars alone, a ledger that equals the lost one.

use crate::config::Settings;
use crate::destination::Destination;
use crate::destination::Examined;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::CopyOrigin;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::described::Described;
use crate::ops::described::described_in_short;
use crate::ops::ledger::Summary;
use crate::ops::mirror::book::Book;
use crate::ops::setup;
use crate::ops::setup::OpenedPlaces;
use crate::plan::rebuild::Recorded;
use crate::plan::rebuild::Standing;
use crate::plan::rebuild::stand;
use crate::report::ledger::RebuildReport;
use crate::report::ledger::RebuiltPlace;

/// Records what the destinations of the settings describe.
///
/// # Errors
/// [`Error::Destination`], [`Error::SamePlace`] for destinations that are written wrong;
/// [`Error::Ledger`]: what was recorded of whole destinations stays.
pub async fn rebuild(
    settings: &Settings,
    book: &Book,
    env: &Env,
    tuning: &Tuning,
) -> Result<RebuildReport, Error> {
    let places = setup::open_to_read(settings, tuning).await?;
    from_places(book, env, places).await
}

/// Records what these destinations describe: each as a whole, or not at all.
///
/// What the ledger has already is left as it is, and told where it differs. No destination is written.
///
/// # Errors
/// [`Error::Ledger`]: what was recorded of whole destinations stays.
pub async fn from_places(
    book: &Book,
    env: &Env,
    places: OpenedPlaces,
) -> Result<RebuildReport, Error> {
    let mut report = RebuildReport {
        run: book.run(),
        started_at: env.now(),
        finished_at: env.now(),
        places: Vec::new(),
        errors: places.failures,
        ended: Ended::InFull,
    };
    for destination in &places.destinations {
        let looked = tokio::select! {
            biased;
            () = env.cancel.cancelled() => break,
            looked = described_in_short(destination, |_, _| true, Summary::of) => looked,
        };
        match looked {
            Ok(there) => {
                let place = record(book, destination, there, &mut report.errors).await?;
                report.places.push(place);
            }
            Err(error) => report
                .errors
                .push(error.failure(Scope::Destination, destination.name().to_string())),
        }
    }
    report.ended = match env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None => Ended::InFull,
    };
    report.finished_at = env.now();
    Ok(report)
}

/// Records what one destination describes.
async fn record(
    book: &Book,
    destination: &Destination,
    there: Described<Summary>,
    errors: &mut Vec<Failure>,
) -> Result<RebuiltPlace, ledger::Error> {
    let name = destination.name().clone();
    let location = destination.location().to_owned();
    let mut left_out = Vec::new();
    left_out.extend(there.failures);
    for (server, backup, examined) in &there.broken {
        left_out.extend(broken(destination, *server, *backup, examined));
    }
    for (key, bytes) in &there.alone {
        left_out.push(alone(destination, key, *bytes));
    }
    let at = location.clone();
    let recorded = book
        .read(move |ledger| {
            Ok(Recorded::new(
                ledger.copies_at(&at)?,
                ledger.damaged_at(&at)?,
                ledger.being_removed_at(&at)?,
            ))
        })
        .await?;
    let mut known = 0;
    let mut new = Vec::new();
    let mut added = Vec::new();
    let mut marks = Vec::new();
    for Summary { held, recordable } in there.copies {
        match stand(&held, &recorded) {
            Standing::New => match recordable {
                Ok(copy) => {
                    added.push(held.key);
                    new.push(copy);
                }
                Err(why) => left_out.push(integrity(
                    held.backup,
                    format!("the sidecar {} at {name} can't be recorded: {why}", held.key.sidecar()),
                    "somebody changed it: compare it with another destination's",
                )),
            },
            Standing::Known => known += 1,
            Standing::Unmarked(mark) => {
                known += 1;
                let of = BackupOf {
                    server: held.server,
                    backup: held.backup,
                };
                marks.push((of, mark));
            }
            Standing::BeingRemoved => left_out.push(Failure {
                scope: Scope::Backup,
                id: held.backup.to_string(),
                kind: FailureKind::Policy,
                message: format!("{} at {name} is being removed", held.key),
                hint: "`nestegg prune --apply` finishes that".to_owned(),
            }),
            Standing::Differs(fields) => left_out.push(integrity(
                held.backup,
                format!(
                    "the ledger says something else of {} at {name} than its sidecar: {}",
                    held.key,
                    fields.join(", ")
                ),
                "the ledger was left as it is; `nestegg verify` reads the copy and tells who is right",
            )),
            Standing::Damaged => left_out.push(integrity(
                held.backup,
                format!(
                    "the ledger has {} at {name} as damaged, whatever its sidecar says",
                    held.key
                ),
                "`nestegg verify` reads it again; `nestegg mirror` makes it anew while the panel has the backup",
            )),
        }
    }
    if !marks.is_empty() {
        book.write(move |ledger, run, now| {
            for (of, mark) in &marks {
                ledger.restore_kept(run, *of, mark, now)?;
            }
            Ok(())
        })
        .await?;
    }
    if !new.is_empty() {
        let (name, location) = (name.clone(), location.clone());
        book.write(move |ledger, run, now| {
            ledger.record_described(run, &name, &location, &new, CopyOrigin::Rebuilt, now)
        })
        .await?;
    }
    let place = RebuiltPlace {
        destination: name,
        location,
        added,
        known,
        left_out: left_out.len() as u64,
    };
    errors.extend(left_out);
    Ok(place)
}

/// What is wrong where a sidecar is no proof of a copy.
fn broken(
    destination: &Destination,
    server: ServerId,
    backup: BackupId,
    examined: &Examined,
) -> Option<Failure> {
    let name = destination.name();
    let sidecar = ObjectKey::for_backup(server, backup, ObjectKind::Sidecar);
    let why = examined.why_unusable()?;
    Some(integrity(
        backup,
        format!("the sidecar {sidecar} at {name} is of no use: {why}"),
        "it was not recorded; `nestegg mirror` makes the copy anew while the panel has the backup",
    ))
}

fn alone(destination: &Destination, key: &ObjectKey, bytes: u64) -> Failure {
    integrity(
        key.backup(),
        format!(
            "{key} at {} ({bytes} bytes) has no sidecar, so nothing proves it",
            destination.name()
        ),
        "it was not recorded; `nestegg mirror` makes the copy anew while the panel has the backup",
    )
}

fn integrity(backup: BackupId, message: String, hint: &str) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Integrity,
        message,
        hint: hint.to_owned(),
    }
}
