//! The archive onto the node by the node itself, from a presigned URL.

use std::time::Duration;

use crate::destination::Presigned;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::retry::Retry;
use crate::ops::restore::panel::became::Came;
use crate::ops::restore::panel::copies;
use crate::ops::restore::panel::delete;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job::Job;
use crate::ops::restore::source::Candidate;
use crate::panel;
use crate::panel::NodeRefusal;
use crate::panel::PullRequest;
use crate::plan::to_panel;
use crate::plan::to_panel::PullOutlook;
use crate::plan::to_panel::Route;
use crate::plan::to_panel::Wish;
use crate::transfer::observer::TransferLabel;

/// A URL for one of the copies; none where its store signs nothing, or fails to.
async fn signed(job: &Job<'_>, candidate: &Candidate) -> Option<(PullOutlook, Presigned)> {
    let signed = candidate
        .destination
        .presign(&candidate.copy.key, job.tuning.presigned_for)
        .await;
    let url = match signed {
        Ok(url) => url?,
        Err(error) => {
            tracing::info!("{}", chain(&error));
            return None;
        }
    };
    let scheme = url.expose().scheme();
    let host = url.expose().host_str().unwrap_or_default();
    Some((to_panel::pull_outlook(scheme, host), url))
}

/// What each of the usable copies offers, by its number, the public ones first; nothing that is signed
/// for this look is given away.
async fn offers(job: &Job<'_>) -> Vec<(usize, PullOutlook)> {
    let mut offers = Vec::new();
    for (number, candidate) in job.copies.usable().iter().enumerate() {
        let offer = if candidate.copy.encryption.is_some() {
            PullOutlook::Encrypted
        } else {
            match signed(job, candidate).await {
                Some((outlook, _url)) => outlook,
                None => PullOutlook::NotSigned,
            }
        };
        offers.push((number, offer));
    }
    offers.sort_by_key(|(_number, offer)| rank(offer));
    offers
}

const fn rank(offer: &PullOutlook) -> u8 {
    match offer {
        PullOutlook::Public => 0,
        PullOutlook::PlainHttp | PullOutlook::Private { .. } => 1,
        PullOutlook::Encrypted => 2,
        PullOutlook::NotSigned => 3,
    }
}

/// Whether a node may be sent to it: to what does not look public, only when the operator names the way.
const fn may_be_fetched(offer: &PullOutlook, wish: Wish) -> bool {
    match offer {
        PullOutlook::Public => true,
        PullOutlook::PlainHttp | PullOutlook::Private { .. } => matches!(wish, Wish::Only(_)),
        PullOutlook::Encrypted | PullOutlook::NotSigned => false,
    }
}

/// Whether the node can fetch one of the copies; nothing is signed where another way is named.
///
/// # Errors
/// [`Error::Interrupted`].
pub async fn outlook(job: &Job<'_>) -> Result<PullOutlook, Error> {
    match job.request.wish {
        Wish::Best | Wish::Only(Route::Pull) => {
            let offers = job.unless_stopped(async { Ok::<_, Error>(offers(job).await) });
            let best = offers.await?.into_iter().next();
            Ok(best.map_or(PullOutlook::NotSigned, |(_number, offer)| offer))
        }
        Wish::Only(Route::Upload | Route::Sftp) => Ok(PullOutlook::NotSigned),
    }
}

/// Has the node fetch the archive from one copy after the other, until its length is right; gives the
/// number of the copy. One that is gone, or that the node can't get, is told and passed over.
///
/// # Errors
/// That of the last copy, or of the first thing that goes for all of them.
pub async fn pull(job: &mut Job<'_>) -> Result<usize, Error> {
    let wish = job.request.wish;
    let offers = job
        .unless_stopped(async { Ok::<_, Error>(offers(job).await) })
        .await?;
    let mut failed: Option<(usize, Error)> = None;
    for (number, offer) in offers {
        if !may_be_fetched(&offer, wish) {
            continue;
        }
        let Some(candidate) = job.copies.usable().get(number).cloned() else {
            continue;
        };
        if let Some((before, error)) = failed.take() {
            pass_over(job, before, &error);
        }
        match pull_from(job, &candidate).await {
            Ok(()) => return Ok(number),
            Err(error) if is_of_one_copy(&error) => failed = Some((number, error)),
            Err(error) => return Err(error),
        }
    }
    let Some((last, error)) = failed else {
        return Err(Error::NoRoute {
            why: "no store signs a URL".to_owned(),
        });
    };
    if let Error::NotRead(failure) = &error {
        job.copies.tell(last, Came::PassedOver(failure.clone()));
    }
    Err(error)
}

/// Whether another copy may be fetched all the same.
const fn is_of_one_copy(error: &Error) -> bool {
    matches!(
        error,
        Error::PullStalled { .. }
            | Error::NotWhole { .. }
            | Error::NotRead(_)
            | Error::NoRoute { .. }
            | Error::Panel(panel::Error::NodeRefused {
                refusal: NodeRefusal::PrivateAddress,
                ..
            })
    )
}

fn pass_over(job: &mut Job<'_>, number: usize, error: &Error) {
    let Some(candidate) = job.copies.usable().get(number) else {
        return;
    };
    let told = if let Error::NotRead(failure) = error {
        failure.clone()
    } else {
        let place = candidate.destination.name();
        Failure {
            message: format!("the copy at {place} was not fetched: {}", chain(error)),
            ..error.failure(Scope::Backup, job.backup.to_string())
        }
    };
    tracing::warn!("{}; the next copy is tried", told.message);
    job.copies.tell(number, Came::PassedOver(told));
}

async fn pull_from(job: &Job<'_>, candidate: &Candidate) -> Result<(), Error> {
    // Asking and stopping take a while, and a node says nothing of an object that is gone.
    copies::look_at(job, candidate)
        .await?
        .map_err(Error::NotRead)?;
    let signed = job
        .unless_stopped(async { Ok::<_, Error>(signed(job, candidate).await) })
        .await?;
    let Some((_outlook, url)) = signed else {
        return Err(Error::NoRoute {
            why: "its store signs no URL".to_owned(),
        });
    };
    let name = job.archive_name();
    let request = PullRequest {
        url: url.expose(),
        name: &name,
    };
    let asked = job.unless_stopped(job.request.panel.pull(job.server(), &request));
    asked.await?;
    let arrived = wait_for_arrival(job, job.tuning.arrival_stall).await;
    match &arrived {
        Err(Error::PullStalled { got_bytes, .. }) if *got_bytes > 0 => {
            delete::names(job, &[name]).await?;
        }
        Err(Error::NotWhole { .. }) => delete::names(job, &[name]).await?,
        Ok(()) | Err(_) => {}
    }
    arrived
}

/// Waits until the file on the node has the archive's length; a panel that fails meanwhile counts as
/// one that shows no progress.
///
/// # Errors
/// [`Error::PullStalled`], [`Error::NotWhole`] for a file that is too long, [`Error::Interrupted`].
pub async fn wait_for_arrival(job: &Job<'_>, stall: Duration) -> Result<(), Error> {
    let copy = job.request.candidates.first().map(|one| &one.copy);
    let label = TransferLabel {
        server_name: copy.map_or_else(String::new, |copy| copy.server_name.clone()),
        backup_name: copy.map_or_else(String::new, |copy| copy.backup_name.clone()),
        backup: job.backup,
    };
    let observer = &*job.shared.observer;
    let ticket = observer.started(&label, Some(job.archive_bytes));
    let mut got_bytes = 0;
    let mut last_progress = tokio::time::Instant::now();
    let arrived = loop {
        let found_bytes = match job.archive_there().await {
            Ok(there) => there.map_or(0, |entry| entry.bytes),
            Err(Error::Panel(error)) if may_pass(&error) => got_bytes,
            Err(error) => break Err(error),
        };
        if found_bytes > got_bytes {
            observer.advanced(ticket, found_bytes - got_bytes);
            got_bytes = found_bytes;
            last_progress = tokio::time::Instant::now();
        }
        if found_bytes == job.archive_bytes {
            break Ok(());
        }
        if found_bytes > job.archive_bytes {
            break Err(Error::NotWhole {
                expected_bytes: job.archive_bytes,
                found_bytes,
            });
        }
        if last_progress.elapsed() >= stall {
            break Err(Error::PullStalled {
                got_bytes,
                waited: stall,
            });
        }
        if let Err(stopped) = job.pause(job.tuning.arrival_poll).await {
            break Err(stopped);
        }
    };
    observer.finished(ticket);
    arrived
}

/// Whether a later look may succeed.
pub fn may_pass(error: &panel::Error) -> bool {
    error.retry() != Retry::Never
}
