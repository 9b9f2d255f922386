//! `nestegg mirror`: gather what there is, plan, act, record, report.

pub mod act;
pub mod book;
pub mod create;
pub mod gather;
pub mod held;
pub mod protect;
pub mod ready;
pub mod servers;
mod subset;
mod tasks;
pub mod turns;
pub mod vanished;
mod words;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::settings::MirrorSettings;
use crate::config::settings::drill::DrillSettings;
use crate::destination::Destination;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::model::backup::ChecksumPolicy;
use crate::model::outcome::CopyState;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::mirror::book::Book;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::mirror::ready::ready;
use crate::ops::mirror::subset::verify_some;
use crate::ops::mirror::tasks::act_all;
use crate::ops::mirror::tasks::gather_all;
use crate::ops::mirror::tasks::tell_of;
use crate::ops::mirror::turns::Turns;
use crate::panel::PanelClient;
use crate::plan::mirror::Selection;
use crate::report::MirrorReport;
use crate::transfer;
use crate::transfer::limit::Throttle;
use crate::transfer::observer::Observer;
use crate::transfer::source::node_client;

/// A panel, and which of its servers are meant.
#[derive(Debug)]
pub struct PanelTarget {
    /// Who to ask.
    pub client: PanelClient,
    /// The servers meant.
    pub selectors: Vec<ServerSelector>,
    /// Which servers its list is asked for.
    pub scope: ServerScope,
    /// Left out of them.
    pub exclude: Vec<ServerSelector>,
    /// How much its checksums are believed.
    pub checksum: ChecksumPolicy,
}

/// Everything that one run stands on.
#[derive(Debug)]
pub struct Parts {
    /// Clock and cancellation.
    pub env: Env,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// Waits and sizes.
    pub tuning: Tuning,
    /// The ledger and the run in it.
    pub book: Book,
    /// Panels that could be set up.
    pub panels: Vec<PanelTarget>,
    /// Destinations that could be opened.
    pub destinations: Vec<Destination>,
    /// What archives must contain.
    pub drill: DrillSettings,
    /// Failures from before: panels that could not be set up, destinations that could not be opened.
    pub failures: Vec<Failure>,
}

/// A run under way.
#[derive(Debug)]
pub struct Run {
    env: Env,
    tuning: Tuning,
    book: Book,
    destinations: Vec<DestinationTarget>,
    settings: MirrorSettings,
    drill: DrillSettings,
    selection: Selection,
    shared: transfer::Shared,
    node: reqwest::Client,
    deadline: Option<Timestamp>,
    limit_came: AtomicBool,
    unrecordable: CancellationToken,
    locks: protect::Memory,
    turns: Turns,
}

impl Run {
    /// Whether nothing new is to be begun: told to stop, or nothing can be recorded any more.
    fn is_stopping(&self) -> bool {
        self.env.cancel.is_cancelled() || self.unrecordable.is_cancelled()
    }

    /// Remembers that something was left undone because of `--max-duration`.
    fn limit_came(&self) {
        self.limit_came.store(true, Ordering::Relaxed);
    }

    /// What is left of `--max-duration`, if there is one.
    fn time_left(&self) -> Option<Duration> {
        let left = self.deadline?.duration_since(self.env.now());
        Some(Duration::try_from(left).unwrap_or(Duration::ZERO))
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| self.env.now() >= deadline)
    }
}

/// Mirrors what the settings ask for.
///
/// # Errors
/// [`Error`] when the run could not be begun or recorded; whatever failed in between is in the
/// report.
pub async fn run(parts: Parts, settings: MirrorSettings) -> Result<MirrorReport, Error> {
    let Parts {
        env,
        observer,
        tuning,
        book,
        panels,
        destinations,
        drill,
        mut failures,
    } = parts;
    let started_at = env.now();
    let destinations = ready(&book, destinations, settings.mode, &env).await?;
    let refused = destinations
        .iter()
        .filter_map(|target| target.given_up.get());
    failures.extend(refused.cloned());
    let node = node_client(tuning.transfer.connect_timeout).map_err(Error::NoHttp)?;
    let run = Run {
        selection: selection(&settings, started_at),
        shared: transfer::Shared {
            env: env.clone(),
            tuning: tuning.transfer.clone(),
            throttle: throttle(&settings),
            journal: Arc::new(book.clone()),
            observer: Arc::clone(&observer),
        },
        deadline: settings
            .max_duration
            .and_then(|limit| started_at.checked_add(limit).ok()),
        env,
        tuning,
        book,
        destinations,
        settings,
        drill,
        node,
        limit_came: AtomicBool::new(false),
        unrecordable: CancellationToken::new(),
        locks: protect::Memory::default(),
        turns: Turns::default(),
    };
    let panels: Vec<Arc<PanelTarget>> = panels.into_iter().map(Arc::new).collect();
    let mut report = MirrorReport {
        run: run.book.run(),
        started_at,
        finished_at: started_at,
        mode: run.settings.mode,
        servers: 0,
        backups_seen: 0,
        skipped: Vec::new(),
        backups: Vec::new(),
        errors: failures,
        ended: Ended::InFull,
        verified: None,
        lacking: Vec::new(),
    };
    let any_usable = run
        .destinations
        .iter()
        .any(|target| target.given_up.get().is_none());
    let worked = if any_usable {
        gather_and_act(&run, &panels, &mut report).await
    } else {
        protect::only_undo(&run, &panels, &mut report.errors).await
    };
    if let Err(error) = worked {
        report.errors.push(unrecorded(&error));
    }
    let lost = run.destinations.iter().filter_map(DestinationTarget::lost);
    report.errors.extend(lost);
    report.ended = ended(&run, &report);
    report.finished_at = run.env.now();
    Ok(report)
}

async fn gather_and_act(
    run: &Run,
    panels: &[Arc<PanelTarget>],
    report: &mut MirrorReport,
) -> Result<(), ledger::Error> {
    let copied = copy_all(run, panels, report).await;
    let unlocked = protect::undo_all(run, panels, &mut report.errors).await;
    copied.and(unlocked)?;
    match run.settings.verify_subset {
        Some(subset) => verify_some(run, subset, report).await,
        None => Ok(()),
    }
}

async fn copy_all(
    run: &Run,
    panels: &[Arc<PanelTarget>],
    report: &mut MirrorReport,
) -> Result<(), ledger::Error> {
    let (tasks, wishes) = gather_all(run, panels, report).await?;
    let (later, fresh) = mpsc::unbounded_channel();
    // What is there already does not wait for what the panels make meanwhile.
    let (made, acted) = tokio::join!(
        create::all(run, wishes, later),
        act_all(run, tasks, fresh, report)
    );
    let unrecorded = match made {
        Ok(made) => {
            for told in made {
                tell_of(told, report);
            }
            Ok(())
        }
        Err(error) => Err(error),
    };
    acted.and(unrecorded)
}

fn throttle(settings: &MirrorSettings) -> Throttle {
    settings
        .limit_rate
        .map_or_else(Throttle::none, Throttle::new)
}

/// The ledger failed while the run was under way, or at its end.
pub fn unrecorded(error: &ledger::Error) -> Failure {
    Failure {
        scope: Scope::Ledger,
        id: "ledger".to_owned(),
        kind: error.kind(),
        message: format!("what was done can't be recorded: {}", chain(error)),
        hint: format!(
            "{}; copies that are complete stay where they are, and the next run adopts them",
            error.hint()
        ),
    }
}

fn selection(settings: &MirrorSettings, now: Timestamp) -> Selection {
    Selection {
        only: settings.backups.iter().copied().collect(),
        newest: settings.newest,
        since: settings.since.and_then(|age| now.checked_sub(age).ok()),
        shard: settings.shard,
    }
}

fn ended(run: &Run, report: &MirrorReport) -> Ended {
    let not_reached = report
        .backups
        .iter()
        .any(|backup| backup.state() == CopyState::NotReached)
        && !run.unrecordable.is_cancelled();
    let limit_came = run.limit_came.load(Ordering::Relaxed);
    match run.env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None if not_reached || limit_came => Ended::AtLimit,
        None => Ended::InFull,
    }
}
