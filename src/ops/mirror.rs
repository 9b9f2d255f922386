//! `nestegg mirror`: gather what there is, plan, act, record, report.

pub mod act;
pub mod book;
pub mod create;
pub mod gather;
pub mod held;
pub mod protect;
pub mod ready;
pub mod servers;
pub mod vanished;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;

use crate::config::settings::MirrorSettings;
use crate::config::settings::drill::DrillSettings;
use crate::destination::Destination;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::BackupOf;
use crate::model::backup::ChecksumPolicy;
use crate::model::finding::Depth;
use crate::model::ids::DestinationName;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::Skipped;
use crate::model::outcome::chain;
use crate::model::removal::Removal;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;
use crate::model::subset::Subset;
use crate::model::text::shown_name;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::mirror::act::Done;
use crate::ops::mirror::book::Book;
use crate::ops::mirror::gather::Gathered;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::mirror::ready::ready;
use crate::ops::verify::checks::Checked;
use crate::ops::verify::checks::Checks;
use crate::ops::verify::watch::Verifying;
use crate::ops::verify::words;
use crate::panel::PanelClient;
use crate::plan::mirror::Selection;
use crate::plan::mirror::order;
use crate::report::Lacking;
use crate::report::MirrorReport;
use crate::report::verify::Verified;
use crate::transfer;
use crate::transfer::limit::Throttle;
use crate::transfer::observer::Observer;
use crate::transfer::source::node_client;

/// Names of destinations are cut to this many characters.
const NAME_CHARACTERS: usize = 40;

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
    is_unrecordable: AtomicBool,
    locks: protect::Memory,
}

impl Run {
    /// Whether nothing new is to be begun: told to stop, or nothing can be recorded any more.
    fn is_stopping(&self) -> bool {
        self.env.cancel.is_cancelled() || self.is_unrecordable.load(Ordering::Relaxed)
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
        is_unrecordable: AtomicBool::new(false),
        locks: protect::Memory::default(),
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
    let tasks = gather_all(run, panels, report).await?;
    act_all(run, &tasks, report).await
}

/// Verifies a part of what is held, once all that was to be mirrored is.
async fn verify_some(
    run: &Run,
    subset: Subset,
    report: &mut MirrorReport,
) -> Result<(), ledger::Error> {
    match run.settings.mode {
        Mode::DryRun => return Ok(()),
        Mode::Apply => {}
    }
    let shared = transfer::Shared {
        env: run.env.clone(),
        tuning: run.tuning.transfer.clone(),
        throttle: throttle(&run.settings),
        journal: Arc::clone(&run.shared.journal),
        observer: Arc::new(Verifying(Arc::clone(&run.shared.observer))),
    };
    let checks = Checks {
        env: &run.env,
        book: &run.book,
        shared: &shared,
        targets: &run.destinations,
        at_once: run.settings.transfers.max(1),
        deadline: run.deadline,
        depth: Depth::Full,
    };
    let mut checked = Checked::default();
    let done = checks.subset(subset, &mut checked).await;
    if checked.at_limit {
        run.limit_came();
    }
    words::settle(&mut checked.copies);
    report.errors.extend(checked.failures);
    words::tell(&checked.copies, &mut report.errors);
    report.verified = Some(Verified {
        copies: checked.copies,
        not_reached: checked.not_reached,
    });
    done
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
        && !run.is_unrecordable.load(Ordering::Relaxed);
    let limit_came = run.limit_came.load(Ordering::Relaxed);
    match run.env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None if not_reached || limit_came => Ended::AtLimit,
        None => Ended::InFull,
    }
}

async fn gather_all(
    run: &Run,
    panels: &[Arc<PanelTarget>],
    report: &mut MirrorReport,
) -> Result<Vec<Task>, ledger::Error> {
    let mut by_server = Vec::new();
    let mut taken = BTreeMap::new();
    for panel in panels {
        let (name, url) = (
            panel.client.name().clone(),
            panel.client.base_url().to_string(),
        );
        run.book
            .write(move |ledger, _run, now| ledger.record_panel(&name, &url, now))
            .await?;
        protect::undo_left(run, panel).await?;
        let chosen = tokio::select! {
            biased;
            () = run.env.cancel.cancelled() => break,
            chosen = servers::choose(panel) => chosen,
        };
        let chosen = match chosen {
            Ok(chosen) => chosen,
            Err(failure) => {
                report.errors.push(failure);
                continue;
            }
        };
        report.errors.extend(chosen.failures);
        let mut servers = Vec::new();
        for server in chosen.servers {
            match taken.get(&server.id) {
                None => {
                    taken.insert(server.id, panel.client.name().clone());
                    servers.push(server);
                }
                Some(through) => report.skipped.push(Skipped {
                    panel: panel.client.name().clone(),
                    server: server.id,
                    server_name: server.name,
                    backup: None,
                    why: format!("taken through panel {through} already"),
                }),
            }
        }
        report.servers += servers.len() as u64;
        for gathered in gather::all(run, panel, servers).await? {
            let Gathered {
                seen,
                plans,
                skipped,
                failures,
            } = gathered;
            report.backups_seen += seen;
            report.skipped.extend(skipped);
            report.errors.extend(failures);
            by_server.push(plans);
        }
    }
    report.errors.extend(not_listed(run, &by_server, report));
    Ok(order(by_server))
}

/// Backups that were asked for by uuid and that no server has.
fn not_listed(run: &Run, by_server: &[Vec<Task>], report: &MirrorReport) -> Vec<Failure> {
    if run.is_stopping() {
        return Vec::new();
    }
    let planned = |id| {
        by_server
            .iter()
            .flatten()
            .any(|task| task.plan.backup.record.id == id)
    };
    let skipped = |id| {
        report
            .skipped
            .iter()
            .any(|skipped| skipped.backup == Some(id))
    };
    let left_out =
        |id: crate::model::ids::BackupId| run.selection.shard.is_some_and(|share| !share.holds(id));
    run.selection
        .only
        .iter()
        .filter(|id| !planned(**id) && !skipped(**id) && !left_out(**id))
        .map(|id| Failure {
            scope: Scope::Backup,
            id: id.to_string(),
            kind: FailureKind::NotFound,
            message: "no selected server lists this backup".to_owned(),
            hint: "compare the uuid with the panel's list; --newest and --since narrow the selection too"
                .to_owned(),
        })
        .collect()
}

/// Whether a backup was among those that lacked a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HadWork {
    Yes,
    No,
}

async fn act_all(
    run: &Run,
    tasks: &[Task],
    report: &mut MirrorReport,
) -> Result<(), ledger::Error> {
    let (to_do, bytes) = tasks.iter().filter(|task| task.plan.lacks_a_copy()).fold(
        (0, 0),
        |(count, bytes), task| {
            let more: u64 = task.plan.backup.archive_bytes;
            (count + 1, more.saturating_add(bytes))
        },
    );
    run.shared.observer.planned(to_do, bytes);
    let mut results = stream::iter(tasks)
        .map(async |task| {
            if !task.plan.lacks_a_copy() {
                return (HadWork::No, act::as_it_is(run, task));
            }
            if run.is_stopping() || run.is_past_deadline() {
                return (HadWork::Yes, act::as_it_is(run, task));
            }
            (HadWork::Yes, act::carry_out(run, task).await)
        })
        .buffer_unordered(run.settings.transfers.max(1));
    let mut unrecorded = Ok(());
    while let Some((had_work, done)) = results.next().await {
        let Done {
            outcome,
            failures,
            recorded,
            placeholder_for,
            removed,
            lacking,
        } = done;
        report.skipped.extend(removed_from(&outcome, &removed));
        if !lacking.is_empty() {
            report.lacking.push(Lacking {
                panel: outcome.panel.clone(),
                server: outcome.server,
                server_name: outcome.server_name.clone(),
                backup: outcome.backup,
                name: outcome.name.clone(),
                globs: lacking.iter().map(ToString::to_string).collect(),
            });
        }
        report.errors.extend(failures);
        if let Some(holds) = placeholder_for {
            report.skipped.push(Skipped {
                panel: outcome.panel,
                server: outcome.server,
                server_name: outcome.server_name,
                backup: Some(outcome.backup),
                why: placeholder(holds),
            });
        } else if !outcome.copies.is_empty() {
            if had_work == HadWork::Yes && run.settings.mode == Mode::Apply {
                run.shared.observer.backup_done(&outcome);
            }
            tell(&outcome, &mut report.errors);
            report.backups.push(outcome);
        }
        if let Err(error) = recorded {
            // What is under way goes on to its end; nothing new is begun.
            run.is_unrecordable.store(true, Ordering::Relaxed);
            if unrecorded.is_ok() {
                unrecorded = Err(error);
            }
        }
    }
    unrecorded
}

/// Says that retention wants no copy of a backup at some destinations: one reason a state.
fn removed_from(outcome: &BackupOutcome, removed: &[(DestinationName, Removal)]) -> Vec<Skipped> {
    [Removal::Done, Removal::Begun]
        .into_iter()
        .filter_map(|state| {
            let there: Vec<String> = removed
                .iter()
                .filter(|(_, removal)| *removal == state)
                .map(|(name, _)| shown_name(name.as_str(), NAME_CHARACTERS))
                .collect();
            let places = there.join(", ");
            let why = match state {
                Removal::Done => format!("`nestegg prune` removed the copy at {places}"),
                Removal::Begun => format!(
                    "`nestegg prune` began to remove the copy at {places}, and `nestegg prune --apply` finishes that"
                ),
            };
            (!there.is_empty()).then(|| Skipped {
                panel: outcome.panel.clone(),
                server: outcome.server,
                server_name: outcome.server_name.clone(),
                backup: Some(outcome.backup),
                why,
            })
        })
        .collect()
}

/// Why a placeholder is left out.
pub fn placeholder(holds: BackupOf) -> String {
    format!(
        "it holds the archive of backup {} (server {}), put there by a restore: a placeholder, and no \
         backup of its own",
        holds.backup, holds.server
    )
}

/// Adds the failures of a backup's copies, each said once; what is about a destination as a whole
/// is said once a run.
fn tell(outcome: &BackupOutcome, errors: &mut Vec<Failure>) {
    let mut told: Vec<&Failure> = Vec::new();
    let failures = outcome
        .copies
        .iter()
        .filter_map(|copy| copy.failure.as_ref());
    for failure in failures {
        let is_known = told.contains(&failure)
            || failure.scope == Scope::Destination && errors.contains(failure);
        if !is_known {
            told.push(failure);
        }
    }
    errors.extend(told.into_iter().cloned());
}
