//! What the destinations are known to hold of a server's backups: by the ledger, else by sidecars.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::stream;

use crate::destination::FoundCopy;
use crate::destination::StoredObject;
use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::CopyOrigin;
use crate::ledger::HeldFacts;
use crate::model::backup::CompletedBackup;
use crate::model::checksum::ContentDigest;
use crate::model::holding::SealedCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::mark::Mark;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::removal::Removal;
use crate::model::server::Server;
use crate::ops::mirror::Run;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::mirror::ready::Trust;
use crate::plan::mirror::CopyPlan;
use crate::plan::mirror::Known;
use crate::plan::mirror::KnownCopy;

/// How many sidecars are asked for at once, for one server and destination.
const LOOKUPS_AT_ONCE: usize = 8;

/// What was found out about one backup at one destination.
#[derive(Debug)]
pub struct Found {
    /// For the plan.
    pub known: Known,
    /// A copy that the ledger does not know; recorded once the plan says that it fits.
    adoptable: Option<Adoptable>,
}

/// A copy with a valid sidecar that the ledger does not know.
#[derive(Debug)]
pub struct Adoptable {
    stored: StoredObject,
    /// The mark that `nestegg keep` left in its sidecar.
    kept: Option<Mark>,
}

impl Found {
    const fn sure(known: Known) -> Self {
        Self {
            known,
            adoptable: None,
        }
    }
}

/// Asks the ledger, and where it knows nothing the destinations, one row a backup.
///
/// # Errors
/// The ledger's.
pub async fn look(
    run: &Run,
    server: &Arc<Server>,
    wanted: &[CompletedBackup],
) -> Result<Vec<Vec<Found>>, ledger::Error> {
    let mut rows: Vec<Vec<Found>> = wanted.iter().map(|_| Vec::new()).collect();
    for target in &run.destinations {
        let recorded = Recorded::read(run, target, server.id).await?;
        let found = stream::iter(wanted)
            .map(|backup| recorded.look_for(run, target, server.id, backup.record.id))
            .buffered(LOOKUPS_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for (row, found) in rows.iter_mut().zip(found) {
            row.push(found?);
        }
    }
    Ok(rows)
}

/// What the ledger says of one server at one destination.
struct Recorded {
    held: BTreeMap<BackupId, HeldFacts>,
    damaged: BTreeSet<BackupId>,
    removed: BTreeMap<BackupId, Removal>,
}

impl Recorded {
    async fn read(
        run: &Run,
        target: &DestinationTarget,
        server: ServerId,
    ) -> Result<Self, ledger::Error> {
        let Some(reference) = target.reference else {
            return Ok(Self {
                held: BTreeMap::new(),
                damaged: BTreeSet::new(),
                removed: BTreeMap::new(),
            });
        };
        run.book
            .read(move |ledger| {
                Ok(Self {
                    held: ledger.held(server, reference)?,
                    damaged: ledger.damaged(server, reference)?,
                    removed: ledger.removed(server, reference)?,
                })
            })
            .await
    }

    async fn look_for(
        &self,
        run: &Run,
        target: &DestinationTarget,
        server: ServerId,
        backup: BackupId,
    ) -> Result<Found, ledger::Error> {
        match self.removed.get(&backup) {
            // Named by an operator, it is made again once it is gone.
            Some(Removal::Done) if run.selection.only.contains(&backup) => {}
            Some(removal) => return Ok(Found::sure(Known::Removed(*removal))),
            None => {}
        }
        let facts = self.held.get(&backup);
        let given_up = target.given_up.get();
        match (facts, &target.trust, given_up) {
            (Some(facts), Trust::Ledger, _) | (Some(facts), Trust::Sidecars, Some(_)) => {
                return Ok(Found::sure(Known::Copy(KnownCopy {
                    key: facts.key.clone(),
                    archive_bytes: facts.archive_bytes,
                    sha256: facts.sha256.clone(),
                    panel_checksum: facts.panel_checksum.clone(),
                    verdict: facts.verdict,
                    sealed: sealed(facts),
                })));
            }
            (None, Trust::Ledger | Trust::Sidecars, Some(failure)) => {
                return Ok(Found::sure(Known::Unclear(failure.clone())));
            }
            (None, Trust::Ledger | Trust::Sidecars, None) | (Some(_), Trust::Sidecars, None) => {}
        }
        if run.is_stopping() || self.damaged.contains(&backup) {
            return Ok(Found::sure(Known::Nothing));
        }
        let found = tokio::select! {
            biased;
            () = run.env.cancel.cancelled() => return Ok(Found::sure(Known::Nothing)),
            found = target.destination.find(server, backup) => found,
        };
        match found {
            Ok(Some(found)) => Ok(by_sidecar(found)),
            Ok(None) => {
                if facts.is_some() {
                    record_missing(run, target, server, backup).await?;
                }
                Ok(Found::sure(Known::Nothing))
            }
            Err(error) => Ok(Found::sure(Known::Unclear(
                error.failure(Scope::Destination, target.destination.name().to_string()),
            ))),
        }
    }
}

/// An encrypted copy, as the ledger knows it.
fn sealed(facts: &HeldFacts) -> Option<Box<SealedCopy>> {
    facts.encryption.as_ref().map(|encryption| {
        Box::new(SealedCopy {
            key: facts.key.clone(),
            archive_bytes: facts.archive_bytes,
            sha256: facts.sha256.clone(),
            verdict: facts.verdict,
            structure: facts.structure,
            stored_bytes: facts.stored_bytes,
            stored_sha256: facts.stored_sha256.clone(),
            encryption: encryption.clone(),
        })
    })
}

fn by_sidecar(found: FoundCopy) -> Found {
    let FoundCopy {
        stored, sidecar, ..
    } = found;
    let panel_checksum = sidecar
        .archive
        .panel_checksum
        .as_deref()
        .and_then(|text| text.parse::<ContentDigest>().ok());
    Found {
        known: Known::Copy(KnownCopy {
            key: stored.key().clone(),
            archive_bytes: stored.archive_bytes(),
            sha256: stored.archive_sha256().clone(),
            panel_checksum,
            verdict: stored.verdict(),
            sealed: stored.sealed().map(Box::new),
        }),
        adoptable: Some(Adoptable {
            stored,
            kept: sidecar.kept,
        }),
    }
}

/// The ledger says that it is held there, and it is not.
async fn record_missing(
    run: &Run,
    target: &DestinationTarget,
    server: ServerId,
    backup: BackupId,
) -> Result<(), ledger::Error> {
    target.missing.fetch_add(1, Ordering::Relaxed);
    let Some(reference) = target.reference else {
        return Ok(());
    };
    let key = target.destination.archive_key(server, backup);
    let failure = Failure {
        scope: Scope::Destination,
        id: target.destination.name().to_string(),
        kind: FailureKind::NotFound,
        message: "the copy that was recorded is not there".to_owned(),
        hint: String::new(),
    };
    run.book
        .write(move |ledger, run, now| ledger.record_lost(run, reference, &key, &failure, now))
        .await
}

/// Records, for one destination, what the plans say of it: what is adopted, what is wanted, and
/// what could not be told.
///
/// # Errors
/// The ledger's.
pub async fn record(
    run: &Run,
    server: &Arc<Server>,
    tasks: &[Task],
    found: Vec<Vec<Option<Adoptable>>>,
) -> Result<(), ledger::Error> {
    let mut by_destination: Vec<Vec<Option<Adoptable>>> =
        run.destinations.iter().map(|_| Vec::new()).collect();
    for row in found {
        for (column, stored) in by_destination.iter_mut().zip(row) {
            column.push(stored);
        }
    }
    for (index, (target, column)) in run.destinations.iter().zip(by_destination).enumerate() {
        let Some(reference) = target.reference else {
            continue;
        };
        let mut adopted = Vec::new();
        let mut wanted = Vec::new();
        let mut unclear = Vec::new();
        for (task, stored) in tasks.iter().zip(column) {
            let backup = task.plan.backup.record.id;
            let key = target.destination.archive_key(server.id, backup);
            match (task.plan.copies.get(index), stored) {
                (Some(CopyPlan::Held(_)), Some(stored)) => adopted.push(stored),
                (Some(CopyPlan::Make), _) => wanted.push(backup),
                (Some(CopyPlan::Unclear(failure)), _) => unclear.push((key, failure.clone())),
                (
                    Some(CopyPlan::Held(_) | CopyPlan::Conflict { .. } | CopyPlan::Removed(_))
                    | None,
                    _,
                ) => {}
            }
        }
        let server = server.id;
        run.book
            .write(move |ledger, run, now| {
                for Adoptable { stored, kept } in &adopted {
                    ledger.record_copy(run, reference, stored, CopyOrigin::Adopted, now)?;
                    if let Some(mark) = kept {
                        let of = BackupOf {
                            server,
                            backup: stored.key().backup(),
                        };
                        ledger.restore_kept(run, of, mark, now)?;
                    }
                }
                for (key, failure) in &unclear {
                    ledger.record_copy_failure(run, reference, key, failure, now)?;
                }
                ledger.record_wanted(run, server, reference, &wanted, now)
            })
            .await?;
    }
    Ok(())
}

/// Takes the copies to adopt out of what was found, and leaves what the plan is made of.
pub fn split(found: Vec<Vec<Found>>) -> (Vec<Vec<Known>>, Vec<Vec<Option<Adoptable>>>) {
    found
        .into_iter()
        .map(|row| {
            row.into_iter()
                .map(|Found { known, adoptable }| (known, adoptable))
                .unzip()
        })
        .unzip()
}
