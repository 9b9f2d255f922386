//! Watching a restore until it is known how it ended.
//!
//! The server's state tells that it is over and not how; the log tells how, and has no order and no
//! uuid (`panel-contract.md` section 5). A panel restores one backup of a server at a time, so an end
//! that was not in the log before, and names this backup or none, is this one's. Clocks are not
//! asked: the panel's may have been set.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::model::retry::Retry;
use crate::model::server::ServerState;
use crate::ops::panel::restore::Reached;
use crate::ops::panel::restore::Restoring;
use crate::ops::panel::restore::error::Error;
use crate::panel;
use crate::panel::RestoreEnd;
use crate::panel::RestoreEntry;

/// The log as it was before the restore.
pub(super) enum Log {
    /// The ends of restores that were in it.
    Readable(BTreeSet<RestoreEntry>),
    /// It is not shown.
    Closed(panel::Error),
}

/// How a restore ended.
pub(super) enum Seen {
    /// The node says that it is complete.
    Complete,
    /// The node says that it failed.
    Failed,
    /// Nobody says.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Waits until the server restores no more, then reads the log until it tells.
///
/// # Errors
/// [`Error::TimedOut`], [`Error::Interrupted`]; the panel's, of calls that will not succeed later.
pub(super) async fn until_ended(
    restoring: &mut Restoring<'_>,
    log: &Log,
    name: &str,
) -> Result<Seen, Error> {
    let tuning = restoring.parts.tuning.panel_restore;
    let began = Instant::now();
    let limit = restoring.job.timeout;
    while is_restoring(restoring).await? {
        let waited = began.elapsed();
        if waited >= limit {
            return Err(Error::TimedOut { waited });
        }
        restoring.pause(tuning.poll.min(limit)).await?;
    }
    restoring.reached = Reached::Over;
    let before = match log {
        Log::Readable(before) => before,
        Log::Closed(error) => {
            return Ok(Seen::Unknown {
                why: error.to_string(),
            });
        }
    };
    let over = Instant::now();
    loop {
        let read = restoring.panel.restores_logged(&restoring.server);
        let read = restoring.unless_stopped(async { Ok::<_, Error>(read.await) });
        let why = match read.await? {
            Ok(now) => match new_end(before, &now, name) {
                Some(RestoreEnd::Complete) => return Ok(Seen::Complete),
                Some(RestoreEnd::Failed) => return Ok(Seen::Failed),
                None => "the panel's log of activity says nothing of it, as when the node was started again meanwhile".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        if over.elapsed() >= tuning.log_patience {
            return Ok(Seen::Unknown { why });
        }
        restoring.pause(tuning.poll).await?;
    }
}

/// Whether a restore has begun that was answered with an error: the server restores, or the log has
/// an end that it did not have before. Looked for as long as a log may take to tell an end: a node that
/// deletes many files answers later than panels wait for it.
pub(super) async fn has_begun(restoring: &Restoring<'_>, log: &Log, name: &str) -> bool {
    let tuning = restoring.parts.tuning.panel_restore;
    let asked = Instant::now();
    loop {
        let id = restoring.server.to_string();
        let server = restoring.panel.server(&id).await;
        if server.is_ok_and(|server| server.state == ServerState::Restoring) {
            return true;
        }
        if let Log::Readable(before) = log {
            let now = restoring.panel.restores_logged(&restoring.server).await;
            if now.is_ok_and(|now| new_end(before, &now, name).is_some()) {
                return true;
            }
        }
        if asked.elapsed() >= tuning.log_patience || restoring.pause(tuning.poll).await.is_err() {
            return false;
        }
    }
}

/// Whether the server restores still; a panel that is out of reach for a while is waited for.
async fn is_restoring(restoring: &Restoring<'_>) -> Result<bool, Error> {
    let id = restoring.server.to_string();
    let read = restoring.panel.server(&id);
    let read = restoring.unless_stopped(async { Ok::<_, Error>(read.await) });
    match read.await? {
        Ok(server) => Ok(server.state == ServerState::Restoring),
        Err(error) if error.retry() == Retry::Never => Err(error.into()),
        Err(error) => {
            tracing::warn!("the panel can't be asked just now, and is asked again: {error}");
            Ok(true)
        }
    }
}

/// The end that is in the log now and was not before. Of several the worst counts: a success that is
/// not proved is none.
fn new_end(
    before: &BTreeSet<RestoreEntry>,
    now: &BTreeSet<RestoreEntry>,
    name: &str,
) -> Option<RestoreEnd> {
    now.difference(before)
        .filter(|entry| entry.may_be_of(name))
        .map(|entry| entry.end)
        .max()
}
