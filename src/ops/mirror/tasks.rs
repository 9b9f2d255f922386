//! All that a run has to do: gathered from every panel, then carried out.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::stream;
use futures_util::stream::PollNext;
use futures_util::stream::select_with_strategy;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::ledger;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::model::outcome::Skipped;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Run;
use crate::ops::mirror::act;
use crate::ops::mirror::act::Done;
use crate::ops::mirror::create::FreshWish;
use crate::ops::mirror::gather;
use crate::ops::mirror::gather::Gathered;
use crate::ops::mirror::gather::Task;
use crate::ops::mirror::protect;
use crate::ops::mirror::servers;
use crate::ops::mirror::words::placeholder;
use crate::ops::mirror::words::removed_from;
use crate::ops::mirror::words::tell;
use crate::plan::mirror::order;
use crate::report::Lacking;
use crate::report::MirrorReport;

/// Asks every panel what there is, and of which servers a fresh backup is to be made; a server that
/// two panels have is taken through the first.
///
/// # Errors
/// The ledger's: a run that can't be recorded stops.
pub(super) async fn gather_all(
    run: &Run,
    panels: &[Arc<PanelTarget>],
    report: &mut MirrorReport,
) -> Result<(Vec<Task>, Vec<FreshWish>), ledger::Error> {
    let (mut by_server, mut wishes) = (Vec::new(), Vec::new());
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
        for (mut gathered, wish) in gather::all(run, panel, servers).await? {
            by_server.push(std::mem::take(&mut gathered.plans));
            tell_of(gathered, report);
            wishes.extend(wish);
        }
    }
    report.errors.extend(not_listed(run, &by_server, report));
    Ok((order(by_server), wishes))
}

/// Tells what gathering found besides what is to be done.
pub(super) fn tell_of(gathered: Gathered, report: &mut MirrorReport) {
    report.backups_seen += gathered.seen;
    report.skipped.extend(gathered.skipped);
    report.errors.extend(gathered.failures);
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
    let left_out = |id: BackupId| run.selection.shard.is_some_and(|share| !share.holds(id));
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

/// Says what is ahead.
fn announce(run: &Run, tasks: &[Task]) {
    let (to_do, bytes) = tasks.iter().filter(|task| task.plan.lacks_a_copy()).fold(
        (0, 0),
        |(count, bytes), task| {
            let more: u64 = task.plan.backup.archive_bytes;
            (count + 1, more.saturating_add(bytes))
        },
    );
    run.shared.observer.planned(to_do, bytes);
}

/// What comes later is newer, and goes before what still waits.
fn newest_first<T>(later: impl Stream<Item = T>, waiting: Vec<T>) -> impl Stream<Item = T> {
    let later_first = |(): &mut ()| PollNext::Left;
    select_with_strategy(later, stream::iter(waiting), later_first)
}

/// Carries out all tasks and those that come later, and reports each.
///
/// # Errors
/// The first of the ledger's: what was under way by then is still done.
pub(super) async fn act_all(
    run: &Run,
    tasks: Vec<Task>,
    later: UnboundedReceiver<Vec<Task>>,
    report: &mut MirrorReport,
) -> Result<(), ledger::Error> {
    announce(run, &tasks);
    let later = stream::unfold(later, async |mut later| {
        let tasks = later.recv().await?;
        announce(run, &tasks);
        Some((stream::iter(tasks), later))
    });
    let results = newest_first(later.flatten(), tasks)
        .map(async |task| {
            if !task.plan.lacks_a_copy() {
                return (HadWork::No, act::as_it_is(run, &task));
            }
            if run.is_stopping() || run.is_past_deadline() {
                return (HadWork::Yes, act::as_it_is(run, &task));
            }
            (HadWork::Yes, act::carry_out(run, &task).await)
        })
        .buffer_unordered(run.settings.transfers.max(1));
    let mut results = pin!(results);
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
            run.unrecordable.cancel();
            if unrecorded.is_ok() {
                unrecorded = Err(error);
            }
        }
    }
    unrecorded
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn what_comes_later_goes_before_what_still_waits_and_is_not_waited_for() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let later = stream::unfold(receiver, async |mut later| {
            Some((later.recv().await?, later))
        });
        let mut all = pin!(newest_first(later, vec!["old", "older", "oldest"]));
        let mut next = || all.next().now_or_never().flatten();
        assert_eq!(next(), Some("old"));
        sender.send("fresh").unwrap();
        drop(sender);
        assert_eq!(
            [next(), next(), next()],
            ["fresh", "older", "oldest"].map(Some)
        );
        assert_eq!(next(), None);
    }
}
