//! Carrying out the plan of one backup: the second half of a mirror run.

mod copies;
mod origin;
mod placeholder;

use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::CopyOrigin;
use crate::model::backup::CompletedBackup;
use crate::model::backup::Refusal;
use crate::model::ids::DestinationName;
use crate::model::member::MemberGlob;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::removal::Removal;
use crate::ops::mirror::Run;
use crate::ops::mirror::act::copies::copy_before;
use crate::ops::mirror::act::origin::Origin;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::protect;
use crate::ops::mirror::protect::Shield;
use crate::ops::mirror::turns;
use crate::ops::mirror::vanished;
use crate::plan::mirror::CopyPlan;
use crate::transfer::Finished;

/// What carrying out one plan came to.
#[derive(Debug)]
pub struct Done {
    /// What became of the backup.
    pub outcome: BackupOutcome,
    /// Failures that are not a selected copy's.
    pub failures: Vec<Failure>,
    /// Whether the ledger took it all: what was stored and could not be recorded is adopted by the
    /// next run.
    pub recorded: Result<(), ledger::Error>,
    /// The backup whose archive it holds instead of its own, when a restore has put one there: it is
    /// then left out, and nothing else is said of it.
    pub placeholder_for: Option<BackupOf>,
    /// Destinations whose copy retention removed, or is removing: nothing is done there.
    pub removed: Vec<(DestinationName, Removal)>,
    /// What the archive was to hold and does not, as this run found.
    pub lacking: Vec<MemberGlob>,
}

/// A plan under way.
struct Acting<'r> {
    run: &'r Run,
    task: &'r Task,
    /// One entry a destination; none where retention wants no copy.
    copies: Vec<Option<CopyOutcome>>,
    failures: Vec<Failure>,
    sha256: Option<String>,
    archive_bytes: u64,
    read_bytes: u64,
    sent_bytes: u64,
    placeholder_for: Option<BackupOf>,
    lacking: Vec<MemberGlob>,
}

/// Carries out one backup's plan, and records what became of it.
pub async fn carry_out(run: &Run, task: &Task) -> Done {
    let mut acting = Acting::new(run, task);
    let recorded = acting.make_copies().await;
    Done {
        recorded,
        ..acting.done()
    }
}

/// A backup for which nothing is done: all is held, or its turn does not come.
pub fn as_it_is(run: &Run, task: &Task) -> Done {
    Acting::new(run, task).done()
}

impl<'r> Acting<'r> {
    fn new(run: &'r Run, task: &'r Task) -> Self {
        let backup = &task.plan.backup;
        Self {
            run,
            task,
            copies: task
                .plan
                .copies
                .iter()
                .zip(&run.destinations)
                .map(|(plan, target)| copy_before(task, plan, target))
                .collect(),
            failures: Vec::new(),
            sha256: task.plan.copies.iter().find_map(|plan| match plan {
                CopyPlan::Held(held) => Some(held.sha256.to_hex()),
                CopyPlan::Make
                | CopyPlan::Conflict { .. }
                | CopyPlan::Unclear(_)
                | CopyPlan::Removed(_) => None,
            }),
            archive_bytes: backup.archive_bytes,
            read_bytes: 0,
            sent_bytes: 0,
            placeholder_for: None,
            lacking: Vec::new(),
        }
    }

    async fn make_copies(&mut self) -> Result<(), ledger::Error> {
        let expected = match &self.task.plan.expected {
            Ok(expected) => expected.clone(),
            Err(refusal) => {
                let failure = refused(&self.task.plan.backup, refusal);
                return self.fail_rest(&failure).await;
            }
        };
        match self.run.settings.mode {
            Mode::DryRun => {
                for copy in self.unmade() {
                    copy.state = CopyState::WouldMirror;
                }
                return Ok(());
            }
            Mode::Apply => {}
        }
        for index in self.wanted() {
            let given_up = self
                .run
                .destinations
                .get(index)
                .and_then(|target| target.given_up.get());
            if let Some(failure) = given_up {
                self.fail(index, failure.clone()).await?;
            }
        }
        for origin in self.origins(expected) {
            if self.run.is_stopping() {
                break;
            }
            let wanted = self.wanted_from(&origin);
            if wanted.is_empty() {
                continue;
            }
            match origin.held_at {
                Some(held_at) => self.copy_from(held_at, origin, wanted).await?,
                None => self.copy_from_panel(origin, wanted).await?,
            }
        }
        Ok(())
    }

    /// Fills destinations from the copy that another one holds.
    async fn copy_from(
        &mut self,
        held_at: usize,
        origin: Origin,
        wanted: Vec<usize>,
    ) -> Result<(), ledger::Error> {
        let made = origin.made;
        let finished = self.transfer(origin, &wanted).await;
        self.count(&finished);
        if let Some(lacking) = finished.lacking {
            self.note_lacking(lacking).await?;
        }
        let source_failure = finished.source_failure;
        for (index, copy) in wanted.into_iter().zip(finished.copies) {
            match copy {
                Ok(stored) => self.keep(index, stored, made).await?,
                // Another source may do better; the destination itself did nothing wrong.
                Err(failure) if source_failure.as_ref() == Some(&failure) => {}
                Err(failure) => self.fail(index, failure).await?,
            }
        }
        match source_failure {
            Some(failure) => self.doubt(held_at, failure).await,
            None => Ok(()),
        }
    }

    /// Fills destinations from the panel's side, under the protection that is asked for.
    async fn copy_from_panel(
        &mut self,
        origin: Origin,
        wanted: Vec<usize>,
    ) -> Result<(), ledger::Error> {
        let made = origin.made;
        let turn = turns::to_copy(self.run, self.this().server).await;
        let lock = match protect::shield(self.run, &self.task.panel, self.this()).await? {
            Shield::Ours(lock) => Some(lock),
            Shield::None => None,
            Shield::Vanished => {
                let failure = vanished::tell(self.run, self.this()).await?;
                return self.fail_rest(&failure).await;
            }
        };
        let finished = self.transfer(origin, &wanted).await;
        let released = match lock {
            Some(lock) => lock.release(self.run).await,
            None => Ok(()),
        };
        drop(turn);
        self.count(&finished);
        self.take(finished, &wanted, made).await.and(released)
    }

    fn count(&mut self, finished: &Finished) {
        self.read_bytes += finished.read_bytes;
        self.sent_bytes += finished.sent_bytes;
    }

    /// Records what a transfer from the panel's side came to.
    async fn take(
        &mut self,
        finished: Finished,
        wanted: &[usize],
        made: CopyOrigin,
    ) -> Result<(), ledger::Error> {
        if let Some(instead) = finished.instead
            && let Some(holds) = self.whose(instead).await?
        {
            return self.pass_over(holds).await;
        }
        if let Some(lacking) = finished.lacking {
            self.note_lacking(lacking).await?;
        }
        let source_failure = finished.source_failure;
        let vanished = match &source_failure {
            Some(failure)
                if vanished::may_be(failure)
                    && vanished::is_gone(self.run, &self.task.panel, self.this()).await =>
            {
                Some(vanished::tell(self.run, self.this()).await?)
            }
            Some(_) | None => None,
        };
        for (index, copy) in wanted.iter().zip(finished.copies) {
            match (copy, &vanished) {
                (Ok(stored), _) => self.keep(*index, stored, made).await?,
                (Err(failure), Some(vanished)) if source_failure.as_ref() == Some(&failure) => {
                    self.fail(*index, vanished.clone()).await?;
                }
                (Err(failure), Some(_) | None) => self.fail(*index, failure).await?,
            }
        }
        Ok(())
    }

    /// Notes what an archive lacks of what it must contain, and forgets what was noted when it is all there.
    async fn note_lacking(&mut self, lacking: Vec<MemberGlob>) -> Result<(), ledger::Error> {
        let globs: Vec<String> = lacking.iter().map(ToString::to_string).collect();
        let this = self.this();
        self.lacking = lacking;
        self.run
            .book
            .write(move |ledger, run, now| ledger.record_lacking(run, this, &globs, now))
            .await
    }

    fn this(&self) -> BackupOf {
        BackupOf {
            server: self.task.server.id,
            backup: self.task.plan.backup.record.id,
        }
    }

    fn done(self) -> Done {
        let backup = &self.task.plan.backup;
        let plans = self.task.plan.copies.iter().zip(&self.run.destinations);
        let removed = plans
            .filter_map(|(plan, target)| match plan {
                CopyPlan::Removed(removal) => Some((target.destination.name().clone(), *removal)),
                CopyPlan::Held(_)
                | CopyPlan::Make
                | CopyPlan::Conflict { .. }
                | CopyPlan::Unclear(_) => None,
            })
            .collect();
        Done {
            outcome: BackupOutcome {
                panel: self.task.panel.client.name().clone(),
                server: self.task.server.id,
                server_name: self.task.server.name.clone(),
                backup: backup.record.id,
                name: backup.record.name.clone(),
                bytes: self.archive_bytes,
                sha256: self.sha256,
                panel_checksum: backup.checksum.digest().map(ToString::to_string),
                downloaded_bytes: self.read_bytes,
                uploaded_bytes: self.sent_bytes,
                copies: self.copies.into_iter().flatten().collect(),
            },
            failures: self.failures,
            recorded: Ok(()),
            placeholder_for: self.placeholder_for,
            removed,
            lacking: self.lacking,
        }
    }
}

fn refused(backup: &CompletedBackup, refusal: &Refusal) -> Failure {
    let (kind, hint) = match refusal {
        Refusal::Malformed(_) => (
            FailureKind::Protocol,
            "look at the backup in the panel; if this panel's checksums are known to be wrong, set \
             `checksum = \"structure\"` for it",
        ),
        Refusal::NoDigest => (
            FailureKind::Policy,
            "leave --require-checksum off to keep such archives by their structure alone",
        ),
    };
    Failure {
        scope: Scope::Backup,
        id: backup.record.id.to_string(),
        kind,
        message: refusal.to_string(),
        hint: hint.to_owned(),
    }
}
