//! Carrying out the plan of one backup: the second half of a mirror run.

use crate::destination::Destination;
use crate::destination::StoredObject;
use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::CopyOrigin;
use crate::model::backup::CompletedBackup;
use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::backup::Refusal;
use crate::model::checksum::Verdict;
use crate::model::holding::SealedCopy;
use crate::model::ids::DestinationName;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::member::MemberGlob;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::removal::Removal;
use crate::model::server::Server;
use crate::ops::mirror::Run;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::protect;
use crate::ops::mirror::protect::Shield;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::mirror::unrecorded;
use crate::ops::mirror::vanished;
use crate::plan::mirror::CopyPlan;
use crate::plan::mirror::KnownCopy;
use crate::transfer;
use crate::transfer::Finished;
use crate::transfer::Instead;
use crate::transfer::Job;
use crate::transfer::Recheck;
use crate::transfer::Recorded;
use crate::transfer::describe::SidecarDraft;
use crate::transfer::observer::TransferLabel;
use crate::transfer::source::CopySource;
use crate::transfer::source::PanelSource;
use crate::transfer::source::Source;

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

/// Where the bytes may come from, the nearest first.
struct Origin {
    source: Source,
    expected: ExpectedContent,
    recorded: Option<Recorded>,
    recheck: Recheck,
    made: CopyOrigin,
    /// The destination whose copy is read.
    held_at: Option<usize>,
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

/// How a copy stands before anything is done.
fn copy_before(task: &Task, plan: &CopyPlan, target: &DestinationTarget) -> Option<CopyOutcome> {
    let backup = &task.plan.backup;
    let (state, verdict, failure) = match plan {
        CopyPlan::Held(held) => (CopyState::AlreadyHeld, Some(held.verdict), None),
        CopyPlan::Make => (CopyState::NotReached, None, None),
        CopyPlan::Removed(_) => return None,
        CopyPlan::Unclear(failure) => (CopyState::Failed, None, Some(failure.clone())),
        CopyPlan::Conflict { held, why } => (
            CopyState::Failed,
            Some(held.verdict),
            Some(Failure {
                scope: Scope::Backup,
                id: backup.record.id.to_string(),
                kind: FailureKind::Policy,
                message: format!("the panel's record no longer fits the verified copy: {why}"),
                hint: "the verified copy is kept as it is; if the row was used as a placeholder for a restore, \
                       delete it in the panel and make a fresh backup"
                    .to_owned(),
            }),
        ),
    };
    Some(CopyOutcome {
        destination: target.destination.name().clone(),
        key: match plan {
            CopyPlan::Held(held) | CopyPlan::Conflict { held, .. } => held.key.clone(),
            CopyPlan::Make | CopyPlan::Unclear(_) | CopyPlan::Removed(_) => {
                let destination = &target.destination;
                destination.archive_key(task.server.id, backup.record.id)
            }
        },
        state,
        verdict,
        failure,
    })
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

    /// Copies that are held come first, nearest as configured; the node comes last.
    fn origins(&self, expected: ExpectedContent) -> Vec<Origin> {
        let backup = &self.task.plan.backup;
        let plans = self.task.plan.copies.iter().zip(&self.run.destinations);
        let mut origins: Vec<Origin> = plans
            .enumerate()
            .filter_map(|(index, (plan, target))| match plan {
                CopyPlan::Held(held) if target.given_up.get().is_none() => {
                    Some(origin_in_copy(index, held, &target.destination))
                }
                CopyPlan::Held(_)
                | CopyPlan::Make
                | CopyPlan::Conflict { .. }
                | CopyPlan::Unclear(_)
                | CopyPlan::Removed(_) => None,
            })
            .collect();
        let recheck = if self.task.plan.is_young(self.run.env.now()) {
            Recheck::Row {
                panel: self.task.panel.client.clone(),
                server: self.task.server.id,
                listed: Box::new(backup.clone()),
            }
        } else {
            Recheck::No
        };
        origins.push(Origin {
            source: Source::Panel(self.panel_source()),
            expected,
            recorded: None,
            recheck,
            made: CopyOrigin::Mirrored,
            held_at: None,
        });
        origins
    }

    /// Whose archive it is that the panel gave instead of the one that it recorded.
    ///
    /// A panel's backup disk takes restored archives under the ids of placeholder backups, whose rows keep
    /// the length and digest of what was there before (`panel-contract.md` section 7, routes D and E).
    async fn whose(&self, instead: Instead) -> Result<Option<BackupOf>, ledger::Error> {
        let this = self.this();
        let bytes = match &instead {
            Instead::OfLength(bytes) | Instead::Content { bytes, .. } => *bytes,
        };
        let known = self
            .run
            .book
            .read(move |ledger| ledger.archives_of_length(bytes, this))
            .await?;
        if known.is_empty() {
            return Ok(None);
        }
        let sha256 = match instead {
            Instead::Content { sha256, .. } => sha256,
            Instead::OfLength(bytes) => {
                let source = Source::Panel(self.panel_source());
                match transfer::identify(source, bytes, &self.label(), &self.run.shared).await {
                    Ok(sha256) => sha256,
                    Err(failure) => {
                        tracing::debug!(
                            "what came instead was not recognised: {}",
                            failure.message
                        );
                        return Ok(None);
                    }
                }
            }
        };
        let holds = known.into_iter().find(|(known, _)| *known == sha256);
        Ok(holds.map(|(_, of)| of))
    }

    /// Leaves a placeholder out, in this run and in those to come.
    async fn pass_over(&mut self, holds: BackupOf) -> Result<(), ledger::Error> {
        self.placeholder_for = Some(holds);
        let this = self.this();
        self.run
            .book
            .write(move |ledger, run, now| ledger.record_placeholder(run, this, holds, now))
            .await
    }

    fn this(&self) -> BackupOf {
        BackupOf {
            server: self.task.server.id,
            backup: self.task.plan.backup.record.id,
        }
    }

    fn panel_source(&self) -> PanelSource {
        PanelSource::new(
            self.task.panel.client.clone(),
            self.run.node.clone(),
            self.task.server.id,
            self.task.plan.backup.record.id,
            self.run.shared.tuning.stall_timeout,
        )
    }

    fn label(&self) -> TransferLabel {
        let record = &self.task.plan.backup.record;
        TransferLabel {
            server_name: self.task.server.name.clone(),
            backup_name: record.name.clone(),
            backup: record.id,
        }
    }

    /// A held copy could not be used as source: when it is damaged or gone, it no longer counts.
    async fn doubt(&mut self, index: usize, failure: Failure) -> Result<(), ledger::Error> {
        let Some(target) = self.run.destinations.get(index) else {
            return Ok(());
        };
        let place = target.destination.name().clone();
        if !matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound) {
            if failure.kind != FailureKind::Interrupted {
                tracing::warn!(
                    "could not make another copy from the one at {place}: {}",
                    failure.message
                );
            }
            return Ok(());
        }
        let failure = damaged_copy(&place, failure);
        tracing::warn!("{}", failure.message);
        if let (Some(reference), Some(key)) = (target.reference, self.key(index)) {
            let failure = failure.clone();
            self.run
                .book
                .write(move |ledger, run, now| {
                    ledger.record_lost(run, reference, &key, &failure, now)
                })
                .await?;
        }
        self.settle(index, CopyState::Failed, None, Some(failure));
        Ok(())
    }

    async fn transfer(&self, origin: Origin, wanted: &[usize]) -> Finished {
        let task = self.task;
        let backup = &task.plan.backup;
        let job = Job {
            key: ObjectKey::for_backup(task.server.id, backup.record.id, ObjectKind::Archive),
            label: self.label(),
            source: origin.source,
            expected: origin.expected,
            hinted_bytes: backup.archive_bytes,
            inspect: self.run.settings.inspect,
            must_contain: self.run.drill.must_contain(
                task.server.id,
                &task.server.identifier,
                &task.server.name,
            ),
            recorded: origin.recorded,
            recheck: origin.recheck,
            destinations: wanted
                .iter()
                .filter_map(|index| self.run.destinations.get(*index))
                .map(|target| target.destination.clone())
                .collect(),
            sidecar: SidecarDraft {
                panel: task.panel.client.name().clone(),
                panel_url: task.panel.client.base_url().to_string(),
                server: Server::clone(&task.server),
                backup: backup.clone(),
                kept: task.kept.clone(),
            },
        };
        transfer::run(job, &self.run.shared).await
    }

    fn wanted(&self) -> Vec<usize> {
        self.copies
            .iter()
            .enumerate()
            .filter(|(_, copy)| copy.as_ref().is_some_and(is_not_made))
            .map(|(index, _)| index)
            .collect()
    }

    /// Where copies are still to be made that can be made of this origin: an encrypted copy can't be
    /// read here, and goes only to where the same people can read it.
    fn wanted_from(&self, origin: &Origin) -> Vec<usize> {
        let mut wanted = self.wanted();
        if let Some(sealed) = origin.source.as_stored() {
            wanted.retain(|index| {
                let target = self.run.destinations.get(*index);
                target.is_some_and(|target| target.destination.takes_as_stored(&sealed.encryption))
            });
        }
        wanted
    }

    fn unmade(&mut self) -> impl Iterator<Item = &mut CopyOutcome> {
        self.copies
            .iter_mut()
            .flatten()
            .filter(|copy| is_not_made(copy))
    }

    async fn keep(
        &mut self,
        index: usize,
        stored: StoredObject,
        made: CopyOrigin,
    ) -> Result<(), ledger::Error> {
        self.sha256 = Some(stored.archive_sha256().to_hex());
        self.archive_bytes = stored.archive_bytes();
        let verdict = stored.verdict();
        if let Some(reference) = self.reference(index) {
            let recorded = self
                .run
                .book
                .write(move |ledger, run, now| {
                    ledger.record_copy(run, reference, &stored, made, now)
                })
                .await;
            if let Err(error) = recorded {
                let failure = unrecorded(&error);
                self.settle(index, CopyState::Failed, Some(verdict), Some(failure));
                return Err(error);
            }
        }
        if let Some(target) = self.run.destinations.get(index) {
            target.worked();
        }
        self.settle(index, CopyState::Mirrored, Some(verdict), None);
        Ok(())
    }

    async fn fail(&mut self, index: usize, failure: Failure) -> Result<(), ledger::Error> {
        if failure.kind == FailureKind::Interrupted {
            return Ok(());
        }
        if let Some(target) = self.run.destinations.get(index) {
            target.learn(&failure);
        }
        if let (Some(reference), Some(key)) = (self.reference(index), self.key(index)) {
            let failure = failure.clone();
            self.run
                .book
                .write(move |ledger, run, now| {
                    ledger.record_copy_failure(run, reference, &key, &failure, now)
                })
                .await?;
        }
        self.settle(index, CopyState::Failed, None, Some(failure));
        Ok(())
    }

    async fn fail_rest(&mut self, failure: &Failure) -> Result<(), ledger::Error> {
        for index in self.wanted() {
            self.fail(index, failure.clone()).await?;
        }
        Ok(())
    }

    fn settle(
        &mut self,
        index: usize,
        state: CopyState,
        verdict: Option<Verdict>,
        failure: Option<Failure>,
    ) {
        if let Some(Some(copy)) = self.copies.get_mut(index) {
            copy.state = state;
            copy.verdict = verdict;
            copy.failure = failure;
        }
    }

    fn key(&self, index: usize) -> Option<ObjectKey> {
        let copy = self.copies.get(index)?.as_ref()?;
        Some(copy.key.clone())
    }

    fn reference(&self, index: usize) -> Option<ledger::DestinationRef> {
        self.run
            .destinations
            .get(index)
            .and_then(|target| target.reference)
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

fn is_not_made(copy: &CopyOutcome) -> bool {
    copy.state == CopyState::NotReached
}

fn origin_in_copy(index: usize, held: &KnownCopy, destination: &Destination) -> Origin {
    let destination = destination.clone();
    let (source, bytes, sha256) = match &held.sealed {
        None => (
            CopySource::new(destination, held.key.clone()),
            held.archive_bytes,
            &held.sha256,
        ),
        Some(sealed) => (
            CopySource::as_stored(destination, SealedCopy::clone(sealed)),
            sealed.stored_bytes,
            &sealed.stored_sha256,
        ),
    };
    Origin {
        source: Source::Copy(source),
        expected: ExpectedContent {
            length_bytes: Some(bytes),
            proof: ExpectedProof::Digest(sha256.clone()),
        },
        recorded: Some(Recorded {
            verdict: held.verdict,
            structure: None,
        }),
        recheck: Recheck::No,
        made: CopyOrigin::Filled,
        held_at: Some(index),
    }
}

/// A copy that the ledger, or its sidecar, calls verified, and that is damaged or gone.
fn damaged_copy(place: &DestinationName, failure: Failure) -> Failure {
    let why = failure.message.trim_start_matches(transfer::NOTHING_KEPT);
    Failure {
        kind: FailureKind::Integrity,
        message: format!("the verified copy at `{place}` is damaged or gone: {why}"),
        hint: format!(
            "check the disk or store behind `{place}`; other copies are made from elsewhere, and the next \
             run makes this one anew"
        ),
        ..failure
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
