//! The archive onto the node by the node itself, from a presigned URL.

use std::time::Duration;

use crate::destination::Presigned;
use crate::model::outcome::chain;
use crate::model::retry::Retry;
use crate::ops::restore::panel::delete;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job::Job;
use crate::panel;
use crate::panel::PullRequest;
use crate::plan::to_panel;
use crate::plan::to_panel::PullOutlook;
use crate::plan::to_panel::Route;
use crate::plan::to_panel::Wish;
use crate::transfer::observer::TransferLabel;

/// A presigned URL of one of the copies.
struct Signed {
    outlook: PullOutlook,
    url: Option<Presigned>,
}

/// The best that the copies offer.
async fn best(job: &Job<'_>) -> Signed {
    let mut best = Signed {
        outlook: PullOutlook::NotSigned,
        url: None,
    };
    for candidate in job.request.candidates {
        if candidate.copy.encryption.is_some() {
            if best.url.is_none() {
                best.outlook = PullOutlook::Encrypted;
            }
            continue;
        }
        let signed = candidate
            .destination
            .presign(&candidate.copy.key, job.tuning.presigned_for)
            .await;
        let url = match signed {
            Ok(Some(url)) => url,
            Ok(None) => continue,
            Err(error) => {
                tracing::info!("{}", chain(&error));
                continue;
            }
        };
        let scheme = url.expose().scheme();
        let outlook = to_panel::pull_outlook(scheme, url.expose().host_str().unwrap_or_default());
        let is_public = outlook == PullOutlook::Public;
        if is_public || best.url.is_none() {
            best = Signed {
                outlook,
                url: Some(url),
            };
        }
        if is_public {
            break;
        }
    }
    best
}

/// Whether the node can fetch one of the copies; nothing is signed where another way is named.
///
/// # Errors
/// [`Error::Interrupted`].
pub async fn outlook(job: &Job<'_>) -> Result<PullOutlook, Error> {
    match job.request.wish {
        Wish::Best | Wish::Only(Route::Pull) => {
            job.unless_stopped(async { Ok::<_, Error>(best(job).await.outlook) })
                .await
        }
        Wish::Only(Route::Upload | Route::Sftp) => Ok(PullOutlook::NotSigned),
    }
}

/// Has the node fetch the archive, and waits until its length is right.
///
/// # Errors
/// [`Error::PullStalled`] when nothing more comes; what has come is removed.
pub async fn pull(job: &Job<'_>) -> Result<(), Error> {
    let signed = job
        .unless_stopped(async { Ok::<_, Error>(best(job).await) })
        .await?;
    let Some(url) = signed.url else {
        return Err(Error::NoRoute {
            why: "no store signs a URL".to_owned(),
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
