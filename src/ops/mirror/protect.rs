//! `protect = "lock"`: a backup is locked on the panel while it is copied, and is as it was before afterwards.
//!
//! The ledger knows of every lock before the panel is asked for it, and until it is off again: the next run takes
//! off what a killed one left. The panel has a toggle alone (`panel-contract.md` section 5), so that each
//! change looks at what came of it, and undoes what crossed somebody else's.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::Protection;
use crate::ledger::ProtectionEnd;
use crate::model::backup::Backup;
use crate::model::backup::LockState;
use crate::model::backup::Protect;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::server::Server;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Run;
use crate::ops::mirror::vanished;
use crate::panel;
use crate::panel::LockChange;

/// What a run remembers of its locks beside what the ledger says.
#[derive(Debug, Default)]
pub struct Memory {
    /// What could not be locked, told once a server.
    unlockable: Mutex<BTreeMap<ServerId, Failure>>,
    /// Servers whose backups this key may not lock, or whose panel has no locks: no more is tried there.
    forbidden: Mutex<BTreeSet<ServerId>>,
    /// Locks of earlier runs that could not be taken off at the beginning.
    stuck: Mutex<BTreeMap<BackupId, Failure>>,
}

impl Memory {
    fn with<T, R>(held: &Mutex<T>, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn could_not_lock(&self, server: ServerId, failure: Failure) {
        Self::with(&self.unlockable, |told| {
            told.entry(server).or_insert(failure);
        });
    }
}

/// What keeps one backup from vanishing.
#[derive(Debug)]
pub enum Shield {
    /// A lock of ours.
    Ours(Lock),
    /// Somebody else's lock, or nothing.
    None,
    /// The backup is gone already.
    Vanished,
}

/// A lock on the panel that the ledger knows to be ours; it may also have failed to come about.
#[derive(Debug)]
#[must_use = "the backup stays locked on the panel until this is released"]
pub struct Lock {
    panel: Arc<PanelTarget>,
    of: BackupOf,
}

/// Locks a backup right before it is copied, if that is wanted.
///
/// One that is locked already is left alone, and nothing is recorded, unless the lock is ours from before. One
/// that can't be locked is told of, and is to be copied all the same.
///
/// # Errors
/// The ledger's: nothing is locked that is not recorded.
pub async fn shield(
    run: &Run,
    panel: &Arc<PanelTarget>,
    of: BackupOf,
) -> Result<Shield, ledger::Error> {
    match (run.settings.protect, run.settings.mode) {
        (Protect::Lock, Mode::Apply) => {}
        (Protect::Nothing, _) | (Protect::Lock, Mode::DryRun) => return Ok(Shield::None),
    }
    if Memory::with(&run.locks.forbidden, |servers| servers.contains(&of.server)) {
        return Ok(Shield::None);
    }
    let now = tokio::select! {
        biased;
        () = run.env.cancel.cancelled() => return Ok(Shield::None),
        now = panel.client.backup(&of.server, &of.backup) => now,
    };
    match now.map(|backup| LockState::of(&backup)) {
        Ok(LockState::Unlocked) => lock(run, panel, of).await,
        Ok(LockState::Locked) if ours(run).await?.contains(&of.backup) => Ok(Shield::Ours(Lock {
            panel: Arc::clone(panel),
            of,
        })),
        Ok(LockState::Locked) => Ok(Shield::None),
        Err(panel::Error::UnknownBackup { .. }) if vanished::is_gone(run, panel, of).await => {
            Ok(Shield::Vanished)
        }
        Err(error) => {
            not_locked(run, of.server, &error);
            Ok(Shield::None)
        }
    }
}

/// Records a backup that was just asked for, and locks it as if it were about to be copied; the lock is released with
/// its copy, else at the end of the run.
///
/// A backup is never locked by the call that makes it: a run that is killed before the answer comes would leave a lock
/// that nobody knows of.
///
/// # Errors
/// The ledger's.
pub async fn fresh(
    run: &Run,
    panel: &Arc<PanelTarget>,
    server: &Arc<Server>,
    backup: &Backup,
) -> Result<(), ledger::Error> {
    match run.settings.protect {
        Protect::Nothing => return Ok(()),
        Protect::Lock => {}
    }
    let (name, known, made) = (
        panel.client.name().clone(),
        Arc::clone(server),
        backup.clone(),
    );
    run.book
        .write(move |ledger, run, now| ledger.record_backup(run, &name, &known, &made, now))
        .await?;
    let of = BackupOf {
        server: server.id,
        backup: backup.record().id,
    };
    match shield(run, panel, of).await? {
        // The ledger remembers it.
        Shield::Ours(_) | Shield::None | Shield::Vanished => Ok(()),
    }
}

/// Takes for unlocked what only we have locked, in a listing that is about to be recorded and copied.
///
/// An operator's lock can't be told from ours until ours is off, and counts when it is seen then.
///
/// # Errors
/// The ledger's.
pub async fn overlook_ours(run: &Run, listed: &mut [Backup]) -> Result<(), ledger::Error> {
    let ours = ours(run).await?;
    for backup in listed {
        let record = backup.record_mut();
        record.is_locked &= !ours.contains(&record.id);
    }
    Ok(())
}

/// The backups that are, or may be, locked by a run.
async fn ours(run: &Run) -> Result<BTreeSet<BackupId>, ledger::Error> {
    let known = run.book.read(|ledger| ledger.protections()).await?;
    Ok(known
        .into_iter()
        .map(|protection| protection.of.backup)
        .collect())
}

/// Notes the wish, then asks the panel.
async fn lock(run: &Run, panel: &Arc<PanelTarget>, of: BackupOf) -> Result<Shield, ledger::Error> {
    run.book
        .write(move |ledger, run, now| ledger.intend_protection(run, of, now))
        .await?;
    let lock = Lock {
        panel: Arc::clone(panel),
        of,
    };
    let asked = tokio::select! {
        biased;
        asked = set(panel, of, LockState::Locked) => asked,
        // It may be locked all the same.
        () = stopped_for_long(run) => return Ok(Shield::Ours(lock)),
    };
    match asked {
        Ok(Change::Ours) => Ok(Shield::Ours(lock)),
        Ok(Change::Others) => {
            tracing::info!(backup.id = %of.backup, "somebody else locked this backup at the same moment; the lock is left to them");
            lock.forget(run, ProtectionEnd::NotOurs).await?;
            Ok(Shield::None)
        }
        Err(error @ panel::Error::UnknownBackup { .. }) => {
            lock.forget(run, ProtectionEnd::NotOurs).await?;
            if vanished::is_gone(run, panel, of).await {
                Ok(Shield::Vanished)
            } else {
                not_locked(run, of.server, &error);
                Ok(Shield::None)
            }
        }
        Err(error @ (panel::Error::Permission { .. } | panel::Error::NoLocks { .. })) => {
            Memory::with(&run.locks.forbidden, |servers| servers.insert(of.server));
            not_locked(run, of.server, &error);
            lock.forget(run, ProtectionEnd::NotOurs).await?;
            Ok(Shield::None)
        }
        // It may be locked all the same.
        Err(error) => {
            not_locked(run, of.server, &error);
            Ok(Shield::Ours(lock))
        }
    }
}

fn not_locked(run: &Run, server: ServerId, error: &panel::Error) {
    let mut failure = error.failure(Scope::Server, server.to_string());
    if failure.kind == FailureKind::ServerState {
        tracing::warn!(server.id = %server, "a backup is not locked while it is copied: {}", failure.message);
        return;
    }
    failure.message = format!(
        "its backups are copied without the protection of a lock: {}",
        failure.message
    );
    if let panel::Error::Permission { .. } | panel::Error::NoLocks { .. } = error {
        failure
            .hint
            .push_str("; or mirror with `protect = \"none\"`");
    }
    run.locks.could_not_lock(server, failure);
}

impl Lock {
    /// Takes the lock off, unless somebody has done so, and forgets it. What can't be done now is tried again at the end of
    /// the run, and then by the next one.
    ///
    /// # Errors
    /// The ledger's; the lock is off then, and the next run finds it so.
    pub async fn release(self, run: &Run) -> Result<(), ledger::Error> {
        let over = stopped_for_long(run);
        let off = tokio::select! {
            biased;
            off = self.take_off() => off,
            () = over => return Ok(()),
        };
        match off {
            Ok(()) => self.forget(run, ProtectionEnd::Released).await,
            Err(error) => {
                tracing::warn!(backup.id = %self.of.backup, "the lock could not be taken off yet: {error}");
                Ok(())
            }
        }
    }

    async fn take_off(&self) -> Result<(), panel::Error> {
        let Self { panel, of } = self;
        let BackupOf { server, backup } = of;
        match set(panel, *of, LockState::Unlocked).await {
            Ok(Change::Ours | Change::Others) => Ok(()),
            // The lock is gone with it.
            Err(panel::Error::UnknownBackup { .. }) => {
                let seen = panel.client.server(&server.to_string()).await;
                if let Err(panel::Error::UnknownServer { .. }) = seen {
                    tracing::warn!(
                        server.id = %server,
                        backup.id = %backup,
                        "the server is gone, or this key no longer sees it: if it is still there, unlock the backup by hand"
                    );
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes it off at a panel that answers; one that did not is not asked for each lock again.
    async fn try_off(&self, answers: &mut Answers) -> Result<(), Failure> {
        if *answers == Answers::No {
            return Err(self.still_on("the panel does not answer", FailureKind::Unreachable, ""));
        }
        self.take_off().await.map_err(|error| {
            if error.kind() == FailureKind::Unreachable {
                *answers = Answers::No;
            }
            let hint = format!("{}; ", error.hint());
            self.still_on(&chain(&error), error.kind(), &hint)
        })
    }

    async fn forget(&self, run: &Run, end: ProtectionEnd) -> Result<(), ledger::Error> {
        let of = self.of;
        run.book
            .write(move |ledger, run, now| ledger.end_protection(run, of, end, now))
            .await
    }

    fn still_on_when_stopped(&self) -> Failure {
        self.still_on("the run was stopped", FailureKind::Interrupted, "")
    }

    fn still_on(&self, why: &str, kind: FailureKind, hint: &str) -> Failure {
        Failure {
            scope: Scope::Backup,
            id: self.of.backup.to_string(),
            kind,
            message: format!("it is still locked on the panel, by a run that copied it: {why}"),
            hint: format!("{hint}the next run takes the lock off, and so may you in the panel"),
        }
    }
}

/// Whether a panel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Yes,
    No,
}

/// Whose a lock is, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Ours: the change was made by our call.
    Ours,
    /// It was as wanted without us; what our call had crossed is as it was.
    Others,
}

/// Makes sure of a lock's state. A toggle that crossed another one has undone it, and is undone.
async fn set(panel: &PanelTarget, of: BackupOf, wanted: LockState) -> Result<Change, panel::Error> {
    let BackupOf { server, backup } = of;
    match panel.client.set_lock(&server, &backup, wanted).await {
        Ok(LockChange::Changed) => Ok(Change::Ours),
        Ok(LockChange::Already) => Ok(Change::Others),
        Err(panel::Error::LockStayed { .. }) => {
            let again = panel.client.set_lock(&server, &backup, wanted).await;
            again.map(|_crossed| Change::Others)
        }
        Err(error) => Err(error),
    }
}

/// Completes some time after the run was told to stop: so long it may still tidy up.
async fn stopped_for_long(run: &Run) {
    run.env.cancel.cancelled().await;
    tokio::time::sleep(run.tuning.unlock_patience).await;
}

/// The locks that the ledger knows of at one panel.
async fn left(run: &Run, panel: &Arc<PanelTarget>) -> Result<Vec<Lock>, ledger::Error> {
    let known = run.book.read(|ledger| ledger.protections()).await?;
    let here = |protection: &Protection| protection.panel == *panel.client.name();
    Ok(known
        .into_iter()
        .filter(here)
        .map(|protection| Lock {
            panel: Arc::clone(panel),
            of: protection.of,
        })
        .collect())
}

/// Takes off what earlier runs left locked at a panel, before its backups are listed. What stays is told at the end of the
/// run.
///
/// # Errors
/// The ledger's.
pub async fn undo_left(run: &Run, panel: &Arc<PanelTarget>) -> Result<(), ledger::Error> {
    if run.settings.mode == Mode::DryRun {
        return Ok(());
    }
    let mut answers = Answers::Yes;
    for lock in left(run, panel).await? {
        if run.is_stopping() {
            return Ok(());
        }
        let off = tokio::select! {
            biased;
            off = lock.try_off(&mut answers) => off,
            () = stopped_for_long(run) => return Ok(()),
        };
        match off {
            Ok(()) => {
                tracing::info!(backup.id = %lock.of.backup, "the lock that an earlier run left on this backup is off");
                lock.forget(run, ProtectionEnd::Released).await?;
            }
            Err(failure) => {
                Memory::with(&run.locks.stuck, |stuck| {
                    stuck.insert(lock.of.backup, failure)
                });
            }
        }
    }
    Ok(())
}

/// Takes off what earlier runs left locked, in a run that can copy nothing.
///
/// # Errors
/// The ledger's.
pub async fn only_undo(
    run: &Run,
    panels: &[Arc<PanelTarget>],
    failures: &mut Vec<Failure>,
) -> Result<(), ledger::Error> {
    for panel in panels {
        undo_left(run, panel).await?;
    }
    undo_all(run, panels, failures).await
}

/// Takes off whatever is left at the end of the copying, and says what could not be locked or is still locked.
///
/// # Errors
/// The ledger's; all that could be taken off is off then.
pub async fn undo_all(
    run: &Run,
    panels: &[Arc<PanelTarget>],
    failures: &mut Vec<Failure>,
) -> Result<(), ledger::Error> {
    let told = Memory::with(&run.locks.unlockable, std::mem::take);
    failures.extend(told.into_values());
    if run.settings.mode == Mode::DryRun {
        return Ok(());
    }
    let stuck = Memory::with(&run.locks.stuck, std::mem::take);
    let mut over = pin!(stopped_for_long(run));
    let mut is_over = false;
    let mut recorded = Ok(());
    for panel in panels {
        let mut answers = Answers::Yes;
        for lock in left(run, panel).await? {
            if let Some(failure) = stuck.get(&lock.of.backup) {
                tell(failure.clone(), failures);
                continue;
            }
            if is_over {
                failures.push(lock.still_on_when_stopped());
                continue;
            }
            let off = tokio::select! {
                biased;
                off = lock.try_off(&mut answers) => off,
                () = &mut over => {
                    is_over = true;
                    Err(lock.still_on_when_stopped())
                }
            };
            match off {
                // Each is off, even where that can't be written down: the next run finds it so.
                Ok(()) => recorded = recorded.and(lock.forget(run, ProtectionEnd::Released).await),
                Err(failure) => tell(failure, failures),
            }
        }
    }
    recorded
}

/// Says that a lock is still on. A server whose state refuses all calls about backups is no failure of the night, as its
/// backups are none: the panel's rotation does not touch them either.
fn tell(failure: Failure, failures: &mut Vec<Failure>) {
    if failure.kind == FailureKind::ServerState {
        tracing::warn!(backup.id = %failure.id, "{}", failure.message);
    } else {
        failures.push(failure);
    }
}
