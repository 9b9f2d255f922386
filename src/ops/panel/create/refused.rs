//! Why a panel makes no backup, in full: what is in the slots, how long to wait.

use std::time::Duration;

use crate::model::outcome::Failure;
use crate::model::slots::BackupSlots;
use crate::ops::panel::create::about;
use crate::ops::panel::find::FoundServer;
use crate::panel::Error;

/// How long the panel wants a new wish to be put off, where it says so.
pub(super) const fn retry_after(error: &Error) -> Option<Duration> {
    if let Error::Throttled { wait, .. }
    | Error::RateLimited { wait, .. }
    | Error::Maintenance { wait, .. } = error
    {
        *wait
    } else {
        None
    }
}

/// A refusal of a new backup, with what the server's list tells of it.
pub(super) fn explained(
    on: &FoundServer<'_>,
    slots: Option<BackupSlots>,
    error: &Error,
) -> Failure {
    let failure = about(on, error);
    if matches!(error, Error::BackupLimit { .. }) {
        full(failure, slots.unwrap_or_default())
    } else if let Error::Throttled { wait, .. } = error {
        let hint = wait.map_or_else(
            || "ask again in ten minutes".to_owned(),
            |wait| format!("ask again in {} s", wait.as_secs()),
        );
        Failure { hint, ..failure }
    } else {
        failure
    }
}

/// The slots are full, or there are none.
fn full(failure: Failure, slots: BackupSlots) -> Failure {
    if slots.limit == Some(0) {
        return Failure {
            message: format!("{}: its limit is 0, so none can be made", failure.message),
            hint: "raise the server's backup limit in the panel (an administrator can)".to_owned(),
            ..failure
        };
    }
    let Some(taken) = slots.taken else {
        return failure;
    };
    let limit = slots
        .limit
        .map_or_else(String::new, |limit| format!(" of {limit}"));
    let message = format!(
        "{}: {}{limit} slots are taken ({} completed, {} in progress; {} locked)",
        failure.message,
        taken.used(),
        taken.completed,
        taken.in_progress,
        taken.locked
    );
    let hint = if taken.locked >= taken.used() {
        "all of them are locked: unlock one that may go (`nestegg panel unlock`), or raise the server's backup limit"
    } else {
        "free one: `nestegg panel trim` deletes the oldest that are held elsewhere, `nestegg panel delete` one of your choice; or raise the server's backup limit"
    };
    Failure {
        message,
        hint: hint.to_owned(),
        ..failure
    }
}
