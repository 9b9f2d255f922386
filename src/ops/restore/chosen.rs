//! One backup that is meant, with its copies in the order in which they are tried.

use std::collections::BTreeSet;

use crate::config::settings::restore::CopiesFrom;
use crate::destination::Destination;
use crate::model::choice::BackupChoice;
use crate::model::content::Inspect;
use crate::model::content::StreamId;
use crate::model::holding::HeldCopy;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::selector::ServerSelector;
use crate::ops::Error;
use crate::ops::restore::Restore;
use crate::ops::restore::inventory::BrokenCopy;
use crate::ops::restore::inventory::Inventory;
use crate::ops::restore::inventory::Sought;
use crate::ops::restore::source;
use crate::ops::restore::source::Candidate;
use crate::ops::restore::source::NotRestored;
use crate::ops::restore::source::Restored;
use crate::plan;
use crate::plan::restore::Keys;
use crate::plan::restore::NoChoice;
use crate::plan::restore::Ranked;
use crate::report::restore::CopyConsidered;
use crate::report::restore::CopyFate;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoredBackup;
use crate::report::restore::Sealing;
use crate::transfer::pump::Sink;
use crate::transfer::readback::Whose;

/// What was found, and what went wrong beside it.
#[derive(Debug)]
pub struct Found<T> {
    /// What was found.
    pub found: T,
    /// What went wrong beside it: places that could not be looked at, copies that are broken.
    pub errors: Vec<Failure>,
}

/// One backup, and the copies that it may be restored from.
#[derive(Debug)]
pub struct Chosen {
    /// The backup, as its best copy describes it.
    pub subject: HeldCopy,
    /// The copies that can be tried, best first.
    pub candidates: Vec<Candidate>,
    /// Why each of them stands where it does.
    whys: Vec<String>,
    /// Copies that can't be tried, and why not.
    out_of_reach: Vec<CopyConsidered>,
}

/// Every backup that is meant.
#[derive(Debug)]
pub struct AllChosen {
    /// The backups.
    pub chosen: Vec<Chosen>,
    /// Whether there may be more of them.
    pub coverage: Coverage,
}

impl Restore<'_> {
    /// The backup that a choice means. What the ledger does not know may still be at a destination.
    ///
    /// # Errors
    /// [`Error::Choice`], [`Error::NothingUsable`]; those of [`Restore::inventory`].
    pub async fn choose(&self, choice: &BackupChoice) -> Result<Found<Chosen>, Error> {
        let zone = self.shared.env.zone();
        let sought = Sought::of(choice);
        let pick = |inventory: &Inventory| -> Result<Vec<HeldCopy>, NoChoice> {
            let copies = plan::restore::choose(&inventory.copies, choice, &zone)?;
            if plan::restore::disagree(&copies) {
                tracing::warn!(
                    "the copies of this backup are said to hold different archives: compare them with `nestegg verify`"
                );
            }
            Ok(copies.into_iter().cloned().collect())
        };
        let (copies, inventory) = self.pick(sought, pick).await?;
        let subject = copies.first().map(|copy| copy.server);
        let errors = inventory.failures.iter().cloned();
        let broken = inventory
            .broken
            .iter()
            .filter(|broken| subject == Some(broken.server));
        let lost = match (choice, inventory.by, copies.first()) {
            (BackupChoice::Of { moment, .. }, CopiesFrom::Ledger, Some(chosen)) => {
                self.passed_over(chosen, *moment)
            }
            (BackupChoice::Backup(_) | BackupChoice::Of { .. }, _, _) => Vec::new(),
        };
        let errors = errors
            .chain(broken.map(|broken| broken.failure.clone()))
            .chain(lost)
            .collect();
        let found = self.ranked(&inventory, copies);
        let found = found.ok_or(Error::Choice(NoChoice::NothingHeld))?;
        Ok(Found { found, errors })
    }

    /// Every backup held of the servers named, or of all; by server, newest first.
    ///
    /// # Errors
    /// As [`Self::choose`].
    pub async fn choose_all(&self, servers: &[ServerSelector]) -> Result<Found<AllChosen>, Error> {
        let pick = |inventory: &Inventory| -> Result<Vec<Vec<HeldCopy>>, NoChoice> {
            let backups = plan::restore::choose_all(&inventory.copies, servers)?.into_iter();
            Ok(backups
                .map(|copies| copies.into_iter().cloned().collect())
                .collect())
        };
        let sought = Sought::Servers(servers);
        let (backups, inventory) = self.pick(sought, pick).await?;
        let may_be = |broken: &&BrokenCopy| inventory.may_be_sought(broken, sought, &[]);
        let broken = inventory.broken.iter().filter(may_be);
        let broken = broken.map(|broken| broken.failure.clone());
        let errors: Vec<Failure> = inventory.failures.iter().cloned().chain(broken).collect();
        let backups = backups.into_iter();
        let chosen: Vec<Chosen> = backups
            .filter_map(|copies| self.ranked(&inventory, copies))
            .collect();
        let found = AllChosen {
            coverage: coverage(&inventory, &chosen, &errors),
            chosen,
        };
        Ok(Found { found, errors })
    }

    /// Picks from the inventory, and once more from the sidecars when the ledger has nothing.
    pub(super) async fn pick<T>(
        &self,
        sought: Sought<'_>,
        pick: impl Fn(&Inventory) -> Result<T, NoChoice>,
    ) -> Result<(T, Inventory), Error> {
        let inventory = self.inventory(sought).await?;
        let no_choice = match pick(&inventory) {
            Ok(picked) => return Ok((picked, inventory)),
            Err(no_choice) => no_choice,
        };
        let is_by_ledger = inventory.broken.is_empty()
            && self.wanted.copies == CopiesFrom::Ledger
            && !inventory
                .failures
                .iter()
                .any(|failure| failure.scope == Scope::Ledger);
        let is_unknown = match &no_choice {
            NoChoice::NothingHeld
            | NoChoice::NoSuchBackup { .. }
            | NoChoice::NoSuchServer { .. } => true,
            NoChoice::ServersUuid { .. }
            | NoChoice::SeveralOfThatUuid { .. }
            | NoChoice::SeveralServers { .. }
            | NoChoice::NothingSoOld { .. } => false,
        };
        let mut recorded = Vec::new();
        let (no_choice, inventory) = if is_by_ledger && is_unknown && !inventory.places.is_empty() {
            tracing::info!("the ledger does not know it; asking the destinations' sidecars");
            recorded = inventory.copies;
            let inventory = self.inventory_of_sidecars(sought).await?;
            match (pick(&inventory), recorded.is_empty()) {
                (Ok(picked), _) => return Ok((picked, inventory)),
                // The ledger knows more names.
                (Err(NoChoice::NothingHeld), false) => (no_choice, inventory),
                (Err(no_choice), _) => (no_choice, inventory),
            }
        } else {
            (no_choice, inventory)
        };
        let may_be = |broken: &&BrokenCopy| inventory.may_be_sought(broken, sought, &recorded);
        let broken = inventory.broken.iter().filter(may_be);
        let broken = broken.map(|broken| broken.failure.clone());
        let failures: Vec<Failure> = inventory
            .failures
            .iter()
            .filter(|failure| failure.scope != Scope::Ledger)
            .cloned()
            .chain(broken)
            .collect();
        if failures.is_empty() {
            Err(Error::Choice(no_choice))
        } else {
            Err(Error::NothingUsable {
                source: no_choice,
                failures,
            })
        }
    }

    /// Puts the copies of one backup in order, and apart from those that can't be read at all.
    fn ranked(&self, inventory: &Inventory, copies: Vec<HeldCopy>) -> Option<Chosen> {
        let keys = if self.identities.is_empty() {
            Keys::Missing
        } else {
            Keys::Given
        };
        let mut ranked = plan::restore::rank(copies, keys);
        let subject = ranked.first()?.copy.clone();
        let mut chosen = Chosen {
            subject,
            candidates: Vec::new(),
            whys: Vec::new(),
            out_of_reach: Vec::new(),
        };
        for Ranked { copy, why } in ranked.drain(..) {
            tracing::info!("copy at {}: {why}", copy.destination);
            if let Some(place) = inventory.place_of(&copy) {
                chosen.candidates.push(Candidate {
                    copy,
                    destination: Destination::clone(place),
                });
                chosen.whys.push(why);
            } else {
                let failure = unreachable(&copy, &inventory.failures);
                let fate = CopyFate::PassedOver(failure);
                chosen.out_of_reach.push(considered(&copy, why, fate));
            }
        }
        Some(chosen)
    }

    /// Reads the archive of the first copy that can be read and is what it should be, into the sink
    /// that `make` builds for it.
    ///
    /// # Errors
    /// [`NotRestored`].
    pub async fn read<'c, S: Sink>(
        &self,
        chosen: &'c Chosen,
        part_bytes: u64,
        inspect: Inspect,
        make: impl AsyncFn(&HeldCopy, StreamId) -> Result<S, Failure> + Send + Sync,
    ) -> Result<Restored<'c, S>, NotRestored> {
        source::first_that_proves(
            &chosen.candidates,
            &self.identities,
            part_bytes,
            inspect,
            make,
            &self.shared,
        )
        .await
    }
}

/// Whether each error is made up for by a backup that is known. A ledger knows them all; by the sidecars'
/// account, what can't be looked at may hold more.
fn coverage(inventory: &Inventory, chosen: &[Chosen], errors: &[Failure]) -> Coverage {
    let known: BTreeSet<String> = chosen
        .iter()
        .map(|chosen| chosen.subject.backup.to_string())
        .collect();
    let is_made_up_for = |failure: &Failure| match failure.scope {
        Scope::Ledger => true,
        Scope::Backup => known.contains(&failure.id),
        Scope::Panel | Scope::Server | Scope::Destination => false,
    };
    match inventory.by {
        CopiesFrom::Ledger => Coverage::Whole,
        CopiesFrom::Sidecars if errors.iter().all(is_made_up_for) => Coverage::Whole,
        CopiesFrom::Sidecars => Coverage::MayLack,
    }
}

/// Why a copy can't be read: its destination's own failure, when it has one.
pub(super) fn unreachable(copy: &HeldCopy, failures: &[Failure]) -> Failure {
    let of_it = |failure: &&Failure| {
        failure.scope == Scope::Destination && failure.id == copy.destination.as_str()
    };
    match failures.iter().find(of_it) {
        Some(known) => known.clone(),
        None => Failure {
            scope: Scope::Destination,
            id: copy.destination.to_string(),
            kind: FailureKind::Local,
            message: format!(
                "a copy is at {}, which is not among the destinations of the configuration",
                copy.location
            ),
            hint: "add it to the configuration, or name it with --from".to_owned(),
        },
    }
}

fn considered(copy: &HeldCopy, why: String, fate: CopyFate) -> CopyConsidered {
    CopyConsidered {
        destination: copy.destination.clone(),
        location: copy.location.clone(),
        key: copy.key.clone(),
        sealing: match copy.encryption {
            Some(_) => Sealing::Encrypted,
            None => Sealing::Plain,
        },
        why,
        fate,
    }
}

impl Chosen {
    /// The backup is at the target, from the copy that comes after those that were passed over;
    /// `notes` say where, a line each.
    pub fn restored(&self, passed_over: &[Failure], notes: Vec<String>) -> RestoredBackup {
        RestoredBackup {
            sha256: Some(self.sha256_after(passed_over)),
            state: RestoreState::Restored,
            copies: self.copies(passed_over, Last::Used),
            notes,
            ..self.untried()
        }
    }

    /// A copy was proved, after those that were passed over, and the target would not have it.
    pub fn not_kept(&self, passed_over: &[Failure], failure: Failure) -> RestoredBackup {
        RestoredBackup {
            sha256: Some(self.sha256_after(passed_over)),
            state: RestoreState::Failed,
            copies: self.copies(passed_over, Last::Used),
            failure: Some(failure),
            ..self.untried()
        }
    }

    /// No copy could be restored from, or the restore was told to stop.
    pub fn missed(&self, missed: &NotRestored) -> RestoredBackup {
        let NotRestored { failures, whose } = missed;
        let (of_copies, failure) = match (whose, failures.split_last()) {
            (Whose::Copy, _) | (_, None) => (failures.as_slice(), None),
            (Whose::Sink | Whose::Nobody, Some((last, before))) => (before, Some(last.clone())),
        };
        RestoredBackup {
            state: match whose {
                Whose::Copy | Whose::Sink => RestoreState::Failed,
                Whose::Nobody => RestoreState::NotReached,
            },
            copies: self.copies(of_copies, Last::NotNeeded),
            failure,
            ..self.untried()
        }
    }

    /// The backup with what came of each of its candidates, in their order; its digest stands only
    /// where one of them was proved.
    pub fn came_to(&self, state: RestoreState, fates: Vec<CopyFate>) -> RestoredBackup {
        let used = self.candidates.iter().zip(&fates);
        let used = used
            .filter(|(_candidate, fate)| **fate == CopyFate::Used)
            .map(|(candidate, _fate)| candidate.copy.sha256.to_hex())
            .next();
        RestoredBackup {
            sha256: used,
            state,
            copies: self.with_fates(fates),
            ..self.untried()
        }
    }

    /// The backup before anything was tried.
    pub fn untried(&self) -> RestoredBackup {
        RestoredBackup {
            panel: self.subject.panel.clone(),
            server: self.subject.server,
            server_name: self.subject.server_name.clone(),
            backup: self.subject.backup,
            name: self.subject.backup_name.clone(),
            completed_at: self.subject.completed_at,
            bytes: self.subject.archive_bytes,
            sha256: None,
            state: RestoreState::NotReached,
            copies: self.copies(&[], Last::NotNeeded),
            failure: None,
            notes: Vec::new(),
        }
    }

    fn sha256_after(&self, passed_over: &[Failure]) -> String {
        let used = self.candidates.get(passed_over.len());
        let used = used.map_or(&self.subject, |candidate| &candidate.copy);
        used.sha256.to_hex()
    }

    fn copies(&self, passed_over: &[Failure], then: Last) -> Vec<CopyConsidered> {
        let fates = passed_over.iter().cloned().map(CopyFate::PassedOver);
        let last = (then == Last::Used).then_some(CopyFate::Used);
        self.with_fates(fates.chain(last))
    }

    fn with_fates(&self, fates: impl IntoIterator<Item = CopyFate>) -> Vec<CopyConsidered> {
        let mut fates = fates.into_iter();
        let candidates = self.candidates.iter().zip(&self.whys);
        candidates
            .map(|(candidate, why)| {
                let fate = fates.next().unwrap_or(CopyFate::NotNeeded);
                considered(&candidate.copy, why.clone(), fate)
            })
            .chain(self.out_of_reach.iter().cloned())
            .collect()
    }
}

/// What became of the copy after those that were passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Used,
    NotNeeded,
}
