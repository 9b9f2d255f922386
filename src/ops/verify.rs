//! `nestegg verify`: copies are checked against what the ledger says of them, and bad ones repaired.
//!
//! Only what the ledger records is checked: what a destination holds beyond that is the business of
//! `ledger rebuild` and `ledger check`.

pub mod check;
pub mod checks;
pub mod record;
pub mod repair;
pub mod watch;
pub mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::config::Settings;
use crate::destination::Destination;
use crate::env::Env;
use crate::env::StopSignal;
use crate::ledger;
use crate::model::finding::RepairWish;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::choice;
use crate::ops::emptied::Believed;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::book::Book;
use crate::ops::mirror::ready;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::mirror::unrecorded;
use crate::ops::verify::checks::Checked;
use crate::ops::verify::checks::Checks;
use crate::ops::verify::checks::Lost;
use crate::ops::verify::checks::Plan;
use crate::ops::verify::repair::Mender;
use crate::ops::verify::watch::Verifying;
use crate::plan::verify::Selection;
use crate::report::VerifyReport;
use crate::report::verify::Verified;
use crate::transfer;
use crate::transfer::limit::Throttle;
use crate::transfer::observer::Observer;
use crate::transfer::source::node_client;

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
    /// Panels that could be set up; only repairs ask them.
    pub panels: Vec<PanelTarget>,
    /// Destinations that could be opened; repairs also read from those that are not checked.
    pub destinations: Vec<Destination>,
    /// Failures from before: panels that could not be set up, destinations that could not be opened.
    pub failures: Vec<Failure>,
}

/// Verifies what the settings ask for.
///
/// # Errors
/// [`Error`] when the run could not be begun or recorded; whatever failed in between is in the
/// report.
pub async fn run(parts: Parts, settings: &Settings) -> Result<VerifyReport, Error> {
    let Parts {
        env,
        observer,
        tuning,
        book,
        panels,
        destinations,
        failures,
    } = parts;
    let started_at = env.now();
    let wish = &settings.verify;
    let opened = destinations
        .into_iter()
        .map(|destination| DestinationTarget::to_read(&book, destination));
    let targets: Vec<DestinationTarget> = join_all(opened)
        .await
        .into_iter()
        .collect::<Result<_, _>>()?;
    let shared = transfer::Shared {
        env: env.clone(),
        tuning: tuning.transfer.clone(),
        throttle: settings
            .mirror
            .limit_rate
            .map_or_else(Throttle::none, Throttle::new),
        journal: Arc::new(book.clone()),
        observer: Arc::new(Verifying(observer)),
    };
    let checks = Checks {
        env: &env,
        book: &book,
        shared: &shared,
        targets: &targets,
        at_once: settings.mirror.transfers.max(1),
        deadline: settings
            .mirror
            .max_duration
            .and_then(|limit| started_at.checked_add(limit).ok()),
        depth: wish.depth,
    };
    let mut report = VerifyReport {
        run: book.run(),
        started_at,
        finished_at: started_at,
        depth: wish.depth,
        repair: wish.repair,
        copies_held: 0,
        bytes_held: 0,
        verified: Verified::default(),
        unconfigured: Vec::new(),
        errors: failures,
        ended: Ended::InFull,
    };
    let plan = asked_for(&checks, settings, &mut report).await?;
    let mut checked = Checked::default();
    let believed = match wish.repair {
        RepairWish::Wanted => Believed(&wish.only),
        RepairWish::Unwanted => Believed::default(),
    };
    let mut done = checks.all(plan, believed, &mut checked).await;
    if done.is_ok() && wish.repair == RepairWish::Wanted {
        done = mend(&checks, believed, panels, &mut checked).await?;
    }
    if let Err(error) = done {
        checked.failures.push(unrecorded(&error));
    }
    report.ended = match env.stopped_by() {
        Some(StopSignal::Interrupt) => Ended::BySigint,
        Some(StopSignal::Terminate) => Ended::BySigterm,
        None if checked.at_limit => Ended::AtLimit,
        None => Ended::InFull,
    };
    let Checked {
        mut copies,
        not_reached,
        failures,
        ..
    } = checked;
    words::settle(&mut copies);
    report.errors.extend(failures);
    words::tell(&copies, &mut report.errors);
    report.verified = Verified {
        copies,
        not_reached,
    };
    report.finished_at = env.now();
    Ok(report)
}

/// Plans what the settings ask for, and tells what of it there is not.
async fn asked_for(
    checks: &Checks<'_>,
    settings: &Settings,
    report: &mut VerifyReport,
) -> Result<Plan, Error> {
    let wish = &settings.verify;
    let only: BTreeSet<&DestinationName> = wish.only.iter().collect();
    let is_wanted =
        |target: &DestinationTarget| only.is_empty() || only.contains(target.destination.name());
    report.errors.extend(unknown_places(checks.targets, &only));
    let filter = {
        let settings = settings.clone();
        checks
            .book
            .read(move |ledger| Ok(choice::chosen(ledger, &settings)))
            .await??
    };
    let selection = Selection {
        subset: wish.subset,
        not_since: wish
            .older_than
            .and_then(|age| report.started_at.checked_sub(age).ok()),
    };
    let backups: BTreeSet<BackupId> = wish.backups.iter().copied().collect();
    let (plan, unconfigured) = checks
        .planned(
            filter,
            backups.clone(),
            selection,
            Lost::Included,
            is_wanted,
        )
        .await?;
    if only.is_empty() {
        report.unconfigured = unconfigured;
    }
    report.copies_held = plan.copies;
    report.bytes_held = plan.stored_bytes;
    report.errors.extend(unknown_backups(&plan, &backups));
    Ok(plan)
}

/// Repairs what is bad among what was checked.
async fn mend(
    checks: &Checks<'_>,
    believed: Believed<'_>,
    panels: Vec<PanelTarget>,
    checked: &mut Checked,
) -> Result<Result<(), ledger::Error>, Error> {
    let any_bad = checked.copies.iter().any(|copy| copy.finding.is_bad());
    if !any_bad || checks.is_stopping() {
        return Ok(Ok(()));
    }
    for target in checks.targets {
        ready::clear_leftovers(checks.book, &target.destination).await?;
    }
    let node = node_client(checks.shared.tuning.connect_timeout).map_err(Error::NoHttp)?;
    let mender = Mender {
        checks: *checks,
        believed,
        panels,
        node,
    };
    Ok(mender.all(checked).await)
}

/// Destinations that were asked for by name and of which the ledger knows nothing.
fn unknown_places(
    targets: &[DestinationTarget],
    only: &BTreeSet<&DestinationName>,
) -> Vec<Failure> {
    targets
        .iter()
        .filter(|target| only.contains(target.destination.name()) && target.reference.is_none())
        .map(|target| Failure {
            scope: Scope::Destination,
            id: target.destination.name().to_string(),
            kind: FailureKind::NotFound,
            message: "the ledger knows no copy there, so there is nothing to compare with"
                .to_owned(),
            hint: format!(
                "is it another ledger? `nestegg ledger rebuild --from {}` takes up what is there",
                target.destination.name()
            ),
        })
        .collect()
}

/// Backups that were asked for by uuid and of which there is no copy to check.
fn unknown_backups(plan: &Plan, backups: &BTreeSet<BackupId>) -> Vec<Failure> {
    backups
        .difference(&plan.backups)
        .map(|backup| Failure {
            scope: Scope::Backup,
            id: backup.to_string(),
            kind: FailureKind::NotFound,
            message: "the ledger knows no copy of this backup at the selected destinations"
                .to_owned(),
            hint: "compare the uuid with `nestegg list`".to_owned(),
        })
        .collect()
}
