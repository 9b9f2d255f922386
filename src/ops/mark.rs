//! `nestegg keep`, `unkeep` and `accept`: what operators say of backups.
//!
//! The ledger is written first, then the sidecars of the held copies, one after the other; what could not
//! be written is told, and written by the same command when it is given once more.

mod sidecars;
pub mod words;

use jiff::Timestamp;

use crate::config::Settings;
use crate::config::settings::mark::MarkSettings;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::BackupOf;
use crate::ledger::CopyFilter;
use crate::ledger::Ledger;
use crate::ledger::NamedBackup;
use crate::model::mark::Mark;
use crate::model::mark::MarkAction;
use crate::model::mark::PanelLock;
use crate::model::outcome::Ended;
use crate::model::suspicion::ShrinkAlarm;
use crate::model::suspicion::Suspicion;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::mark::sidecars::Marker;
use crate::ops::mirror::book::Book;
use crate::ops::setup;
use crate::ops::setup::OpenedPlaces;
use crate::ops::status;
use crate::report::mark::Change;
use crate::report::mark::MarkReport;
use crate::report::mark::MarkedBackup;

/// Marks what the settings ask for.
///
/// # Errors
/// [`Error::NoBackup`] for words that name no backup, or several: then nothing was changed;
/// [`Error::Destination`], [`Error::Ledger`].
pub async fn mark(
    settings: &Settings,
    wanted: &MarkSettings,
    book: &Book,
    env: &Env,
    tuning: &Tuning,
) -> Result<MarkReport, Error> {
    let started_at = env.now();
    let places = match wanted.action {
        MarkAction::Keep | MarkAction::Unkeep => setup::open_what_opens(settings, tuning).await?,
        MarkAction::Accept => OpenedPlaces::default(),
    };
    let (words, zone) = (wanted.words.clone(), env.zone());
    let named = book
        .read(move |ledger| words::resolve(ledger, &words, &zone))
        .await??;
    let mut report = MarkReport {
        run: book.run(),
        started_at,
        finished_at: started_at,
        action: wanted.action,
        backups: Vec::new(),
        errors: Vec::new(),
        ended: Ended::InFull,
    };
    let alarm = ShrinkAlarm(settings.prune.shrink_alarm);
    for named in named {
        report
            .backups
            .extend(record(book, wanted, named, alarm).await?);
    }
    match wanted.action {
        MarkAction::Keep | MarkAction::Unkeep => {
            let marker = Marker {
                book,
                env,
                places: &places,
                action: wanted.action,
            };
            for backup in &mut report.backups {
                backup.copies = marker.mark_copies(backup).await?;
            }
        }
        MarkAction::Accept => {}
    }
    report.ended = match env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None => Ended::InFull,
    };
    report.finished_at = env.now();
    Ok(report)
}

/// Records one mark in the ledger; nothing for a book that nothing is written into.
async fn record(
    book: &Book,
    wanted: &MarkSettings,
    named: NamedBackup,
    alarm: ShrinkAlarm,
) -> Result<Option<MarkedBackup>, ledger::Error> {
    let (action, reason) = (wanted.action, wanted.reason.clone());
    book.record(move |ledger, run, now| {
        let of = named.of;
        let marked = MarkedBackup {
            panel: named.panel,
            server: of.server,
            server_name: named.server_name,
            backup: of.backup,
            name: named.name,
            created_at: named.created_at,
            change: Change::AsItWas,
            mark: None,
            lock: PanelLock::Unlocked,
            wanted_again: Vec::new(),
            being_removed: Vec::new(),
            lifted: None,
            copies: Vec::new(),
        };
        Ok(match action {
            MarkAction::Keep => {
                let keeping = ledger.record_kept(run, of, reason.as_ref(), now)?;
                MarkedBackup {
                    change: change(keeping.before.as_ref(), &keeping.mark),
                    mark: Some(keeping.mark),
                    wanted_again: keeping.wanted_again,
                    being_removed: keeping.being_removed,
                    ..marked
                }
            }
            MarkAction::Unkeep => {
                let released = ledger.record_unkept(run, of, now)?;
                let was_released = released.before.is_some() || released.lock == PanelLock::LetGo;
                MarkedBackup {
                    change: if was_released {
                        Change::Made
                    } else {
                        Change::AsItWas
                    },
                    mark: released.before,
                    lock: released.lock,
                    ..marked
                }
            }
            MarkAction::Accept => {
                let lifted = suspicion_of(ledger, of, alarm, now)?;
                let (mark, before) = ledger.record_accepted(run, of, reason.as_ref(), now)?;
                MarkedBackup {
                    change: change(before.as_ref(), &mark),
                    mark: Some(mark),
                    lifted,
                    ..marked
                }
            }
        })
    })
    .await
}

fn change(before: Option<&Mark>, after: &Mark) -> Change {
    match before {
        None => Change::Made,
        Some(before) if before == after => Change::AsItWas,
        Some(_other_reason) => Change::Renewed,
    }
}

/// What is suspicious about a backup, while it is the newest of its server.
fn suspicion_of(
    ledger: &Ledger,
    of: BackupOf,
    alarm: ShrinkAlarm,
    now: Timestamp,
) -> Result<Option<Suspicion>, ledger::Error> {
    let of_server = CopyFilter {
        servers: Some([of.server].into()),
        destinations: None,
    };
    let histories = ledger.histories(&of_server)?;
    let mut suspicions = histories
        .iter()
        .filter_map(|history| status::suspicion_of(history, alarm, now));
    Ok(suspicions.find(|suspicion| suspicion.backup == of.backup))
}
