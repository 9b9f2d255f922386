//! `panel trim`: backup slots are freed, of what is held elsewhere.

use crate::config::Settings;
use crate::config::settings::panel::trim::TrimJob;
use crate::model::backup::Backup;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::Skipped;
use crate::model::server::Server;
use crate::model::slots::BackupSlots;
use crate::model::slots::TakenSlots;
use crate::ops::Error;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::servers::choose;
use crate::ops::panel::Parts;
use crate::ops::panel::find::Looked;
use crate::ops::panel::find::look_at;
use crate::ops::panel::gone;
use crate::ops::panel::gone::Went;
use crate::ops::panel::left_out;
use crate::ops::panel::proof::Prover;
use crate::panel;
use crate::panel::BackupListing;
use crate::plan::trim;
use crate::plan::trim::Candidate;
use crate::plan::trim::Fate;
use crate::plan::trim::Planned;
use crate::plan::trim::TrimWish;
use crate::report::panel::copies::CopyFound;
use crate::report::panel::copies::CopySeen;
use crate::report::panel::trim::Became;
use crate::report::panel::trim::TrimReport;
use crate::report::panel::trim::TrimmedBackup;
use crate::report::panel::trim::TrimmedServer;

/// Plans for every server that is meant, and carries the plans out when told to. Servers that refuse
/// backup calls in their state are left out, and told.
///
/// # Errors
/// [`Error::TooFewPlaces`]; when a destination is written wrong, or the ledger can't be read.
pub async fn trim(parts: &Parts, settings: &Settings, job: TrimJob) -> Result<TrimReport, Error> {
    let started_at = parts.env.now();
    let prover = Prover::open(settings, &parts.tuning).await?;
    let wanted = usize::try_from(job.min_copies.get()).unwrap_or(usize::MAX);
    if prover.destinations() < wanted {
        return Err(Error::TooFewPlaces {
            there: prover.destinations(),
            wanted,
        });
    }
    let wish = TrimWish {
        keep: job.keep,
        min_copies: job.min_copies,
    };
    let trimming = Trimming {
        parts,
        prover: &prover,
        wish,
    };
    let mut errors = parts.failures.clone();
    errors.extend_from_slice(prover.failures());
    let mut servers = Vec::new();
    let mut skipped = Vec::new();
    for target in &parts.targets {
        match parts.unless_stopped(choose(target)).await {
            Some(Ok(chosen)) => {
                errors.extend(chosen.failures);
                for server in chosen.servers {
                    match trimming.server(target, server, job.mode).await? {
                        Came::Through(trimmed) => servers.push(trimmed),
                        Came::LeftOut(server) => skipped.push(server),
                        Came::Failed(failure) => errors.push(failure),
                        Came::Stopped => break,
                    }
                }
            }
            Some(Err(failure)) => errors.push(failure),
            None => break,
        }
    }
    servers.sort_by(|a, b| (&a.panel, &a.name, a.server).cmp(&(&b.panel, &b.name, b.server)));
    Ok(TrimReport {
        started_at,
        finished_at: parts.env.now(),
        mode: job.mode,
        wish,
        servers,
        skipped,
        errors,
        ended: parts.ended(),
    })
}

/// What trims of servers stand on.
struct Trimming<'a> {
    parts: &'a Parts,
    prover: &'a Prover<'a>,
    wish: TrimWish,
}

/// What came of one server.
enum Came {
    /// It was gone through.
    Through(TrimmedServer),
    /// Its state refuses backup calls.
    LeftOut(Skipped),
    /// It could not be listed.
    Failed(Failure),
    /// The command was told to stop before it was listed.
    Stopped,
}

impl Trimming<'_> {
    /// Goes through one server.
    async fn server(
        &self,
        target: &PanelTarget,
        server: Server,
        mode: Mode,
    ) -> Result<Came, Error> {
        let listing = match look_at(self.parts, target, &server).await {
            Looked::At(Some(Ok(listing))) => listing,
            // It closed after the servers were listed, or their list did not say it.
            Looked::Closed(state)
            | Looked::At(Some(Err(panel::Error::ServerState { state, .. }))) => {
                return Ok(Came::LeftOut(left_out(target, &server, state)));
            }
            Looked::At(Some(Err(error))) => {
                let failure = error.failure(Scope::Server, server.id.to_string());
                return Ok(Came::Failed(failure));
            }
            Looked::At(None) => return Ok(Came::Stopped),
        };
        let taken = TakenSlots::of(&listing.backups, listing.counted);
        let plan = self.plan(&server, listing)?;
        let mut trimmed = TrimmedServer {
            panel: target.client.name().clone(),
            server: server.id,
            identifier: server.identifier.clone(),
            name: server.name.clone(),
            slots: BackupSlots::new(&server, Some(taken)),
            backups: plan
                .into_iter()
                .map(|planned| begun(planned, mode))
                .collect(),
        };
        if mode == Mode::Apply {
            // The oldest first: what is broken off has freed what is needed least.
            for backup in trimmed.backups.iter_mut().rev() {
                if backup.became == Became::NotReached && !self.parts.env.cancel.is_cancelled() {
                    self.delete(target, &server, backup).await?;
                }
            }
        }
        Ok(Came::Through(trimmed))
    }

    /// The plan for a server as it is listed. Rows that moved or make no sense only leave more of the
    /// others among the newest.
    fn plan(&self, server: &Server, listing: BackupListing) -> Result<Vec<Planned>, Error> {
        let mut recorded = self.prover.recorded(server.id)?;
        let candidates = listing
            .backups
            .into_iter()
            .map(|backup| Candidate {
                held_at: recorded.remove(&backup.record().id).unwrap_or_default(),
                backup,
            })
            .collect();
        Ok(trim::plan(candidates, self.wish))
    }

    /// Deletes one, if a plan made now would.
    async fn delete(
        &self,
        target: &PanelTarget,
        server: &Server,
        backup: &mut TrimmedBackup,
    ) -> Result<(), Error> {
        let id = backup.planned.id();
        let listing = match target.client.backups(&server.id).await {
            Ok(listing) => listing,
            Err(error) => {
                let failure = error.failure(Scope::Backup, id.to_string());
                backup.became = Became::NotDeleted(failure);
                return Ok(());
            }
        };
        let now = self.plan(server, listing)?;
        let Some(now) = now.into_iter().find(|planned| planned.id() == id) else {
            backup.became = unlisted(target, server, id).await;
            return Ok(());
        };
        let completed = match (&now.fate, &now.candidate.backup) {
            (Fate::Delete(_), Backup::Completed(completed)) => completed,
            (Fate::Keep(reason), _) => {
                backup.became = Became::Changed {
                    now: reason.to_string(),
                };
                return Ok(());
            }
            (Fate::Delete(_), Backup::Pending(_) | Backup::Failed(_)) => return Ok(()),
        };
        backup.copies = self.prover.looked_at(server.id, completed).await?;
        if let Some(failure) = self.too_few(id, &backup.copies) {
            backup.became = Became::NotDeleted(failure);
            return Ok(());
        }
        if self.parts.env.cancel.is_cancelled() {
            return Ok(());
        }
        backup.became = match gone::delete(&target.client, &server.id, &id).await {
            Ok(Went::Before) => Became::AlreadyGone,
            Ok(Went::Now) => Became::Deleted,
            Err(failure) => Became::NotDeleted(failure),
        };
        Ok(())
    }

    /// Why a backup is held in too few copies, looked at now.
    fn too_few(&self, id: BackupId, copies: &[CopySeen]) -> Option<Failure> {
        let wanted = usize::try_from(self.wish.min_copies.get()).unwrap_or(usize::MAX);
        let held = copies
            .iter()
            .filter(|copy| copy.found == CopyFound::Held)
            .count();
        if held >= wanted {
            return None;
        }
        let mut failure = gone::not_held(id, copies)?;
        failure.message = format!(
            "only {held} of {wanted} copies were found there: {}",
            failure.message
        );
        if failure.kind == FailureKind::Policy {
            failure.hint = format!("run `nestegg mirror --backup {id}` first");
        }
        Some(failure)
    }
}

/// What became of a backup that a list shows no more: lists hide rows while others come and go
/// (`panel-contract.md` section 3), so it is asked for.
async fn unlisted(target: &PanelTarget, server: &Server, id: BackupId) -> Became {
    match target.client.backup(&server.id, &id).await {
        Err(panel::Error::UnknownBackup { .. }) => Became::AlreadyGone,
        Ok(_there) => Became::Changed {
            now: "the server's list moved while it was read".to_owned(),
        },
        Err(error) => Became::NotDeleted(error.failure(Scope::Backup, id.to_string())),
    }
}

fn begun(planned: Planned, mode: Mode) -> TrimmedBackup {
    let became = match (&planned.fate, mode) {
        (Fate::Keep(_), _) => Became::Stays,
        (Fate::Delete(_), Mode::DryRun) => Became::WouldBeDeleted,
        (Fate::Delete(_), Mode::Apply) => Became::NotReached,
    };
    TrimmedBackup {
        planned,
        became,
        copies: Vec::new(),
    }
}
