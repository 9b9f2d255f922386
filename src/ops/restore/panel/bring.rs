//! The archive onto the node: way after way, until its length there is right.

use std::sync::Arc;

use crate::model::content::Inspect;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::ops::restore::panel::SftpLogin;
use crate::ops::restore::panel::became::Came;
use crate::ops::restore::panel::because::Because;
use crate::ops::restore::panel::delete;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job::Job;
use crate::ops::restore::panel::job::PART;
use crate::ops::restore::panel::pull;
use crate::ops::restore::panel::sftp::Sftp;
use crate::ops::restore::panel::sftp::error::SftpError;
use crate::ops::restore::panel::upload::NodeUpload;
use crate::ops::restore::source::NotRestored;
use crate::ops::restore::source::Restored;
use crate::ops::restore::source::first_that_proves;
use crate::panel::Hosting;
use crate::plan::to_panel;
use crate::plan::to_panel::Route;
use crate::plan::to_panel::Routes;
use crate::plan::to_panel::SftpOutlook;
use crate::plan::to_panel::Situation;
use crate::transfer::readback::PART_BYTES;
use crate::transfer::readback::Whose;

/// The ways to try.
///
/// # Errors
/// [`Error::NoRoute`] when there is none.
pub async fn routes(job: &mut Job<'_>, hosting: &Hosting) -> Result<Routes, Error> {
    let situation = Situation {
        archive_bytes: job.archive_bytes,
        pull: pull::outlook(job).await?,
        sftp: match (&job.request.sftp, &hosting.sftp) {
            (SftpLogin::None, _) => SftpOutlook::NoLogin,
            (SftpLogin::With(_), None) => SftpOutlook::NoAddress,
            (SftpLogin::With(_), Some(_)) => SftpOutlook::Ready,
        },
    };
    let routes = to_panel::routes(&situation, job.request.wish);
    for (route, why) in &routes.left_out {
        tracing::info!("{route} is left out: {why}");
    }
    job.not_taken.clone_from(&routes.left_out);
    if routes.in_order.is_empty() {
        let why: Vec<String> = routes
            .left_out
            .iter()
            .map(|(route, why)| format!("{route}: {why}"))
            .collect();
        return Err(Error::NoRoute {
            why: why.join("; "),
        });
    }
    Ok(routes)
}

/// Brings the archive to the node, unless it is there.
///
/// # Errors
/// That of the last way that was tried, or one that no other way would mend.
pub async fn bring(job: &mut Job<'_>, hosting: &Hosting, routes: &Routes) -> Result<(), Error> {
    if take_over_what_is_there(job).await? {
        return Ok(());
    }
    let mut failed = None;
    for route in &routes.in_order {
        if let Some(error) = failed.take() {
            tell_fallback(job, &error, *route);
        }
        let tried = match route {
            Route::Pull => pull::pull(job).await.map(|from| (from, Came::Fetched)),
            Route::Upload => upload(job).await.map(|from| (from, Came::Proved)),
            Route::Sftp => sftp(job, hosting).await.map(|from| (from, Came::Proved)),
        };
        let error = match tried {
            Ok((from, came)) => match arrived_whole(job).await {
                Ok(()) => {
                    job.taken = Some(*route);
                    job.copies.tell(from, came);
                    return Ok(());
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        let goes_on = error.allows_another_way(*route);
        job.not_taken.push((*route, chain(&error)));
        if !goes_on {
            return Err(error);
        }
        failed = Some(error);
    }
    Err(failed.unwrap_or(Error::NoRoute { why: String::new() }))
}

fn tell_fallback(job: &Job<'_>, error: &Error, next: Route) {
    tracing::warn!(
        server = %job.server(),
        "{}; {next} is tried next",
        chain(error)
    );
}

/// Whether an earlier run brought the archive; one that still grows is waited for, any other is removed.
async fn take_over_what_is_there(job: &Job<'_>) -> Result<bool, Error> {
    let Some(there) = job.archive_there().await? else {
        return Ok(false);
    };
    if there.bytes <= job.archive_bytes {
        let arrived = pull::wait_for_arrival(job, job.tuning.leftover_stall).await;
        match arrived {
            Ok(()) => {
                tracing::info!("the archive is on the node already");
                return Ok(true);
            }
            Err(Error::PullStalled { .. } | Error::NotWhole { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    delete::names(job, &[job.archive_name()]).await?;
    Ok(false)
}

async fn arrived_whole(job: &Job<'_>) -> Result<(), Error> {
    let there = job.archive_there().await?;
    job.check_whole(there.as_ref())
}

/// One signed upload; the node sees its end once the archive is proved. Gives the number of the copy.
async fn upload(job: &mut Job<'_>) -> Result<usize, Error> {
    let because = Because::default();
    let name = job.archive_name();
    let read = {
        let job = &*job;
        let make = async |_copy: &_, _stream| {
            let link = job.request.panel.upload_link(job.server()).await;
            let link = link.map_err(|error| {
                let error = Error::from(error);
                let failure = error.failure(Scope::Server, job.server().to_string());
                because.tell(error);
                failure
            })?;
            Ok(NodeUpload::begin(
                &job.http,
                &link,
                (&name, job.archive_bytes),
                job.shared.tuning.stall_timeout,
                job.server().to_string(),
                &because,
            ))
        };
        first_that_proves(
            job.copies.usable(),
            job.request.identities,
            PART_BYTES,
            Inspect::WhenNeeded,
            make,
            job.shared,
        )
        .await
    };
    let restored = match read {
        Ok(restored) => restored,
        Err(not) => return Err(why_not(job, not, &because)),
    };
    let Restored {
        from: _,
        back,
        passed_over,
    } = restored;
    let from = passed_over.len();
    job.copies.passed_over(passed_over);
    let finishing = back.sink.finish(job.tuning.upload_patience);
    let finished = job.unless_stopped(async { Ok::<_, Error>(finishing.await) });
    match finished.await? {
        Ok(()) => Ok(from),
        Err(error) if error.leaves_it_open() => {
            // The answer was lost, and the file may be whole, or on its way from the spool.
            match pull::wait_for_arrival(job, job.tuning.leftover_stall).await {
                Ok(()) => Ok(from),
                Err(Error::Interrupted) => Err(Error::Interrupted),
                Err(_not_there) => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Over SFTP, from where an earlier run came to. Gives the number of the copy.
async fn sftp(job: &mut Job<'_>, hosting: &Hosting) -> Result<usize, Error> {
    let (SftpLogin::With(access), Some(address)) = (&job.request.sftp, &hosting.sftp) else {
        return Err(Error::NoRoute {
            why: "no SFTP".to_owned(),
        });
    };
    let account = job.unless_stopped(job.request.panel.account()).await?;
    let user = format!("{}.{}", account.username, job.server().short());
    let opening = Sftp::open(address, &user, access, job.tuning.login_patience);
    let sftp = Arc::new(job.unless_stopped::<_, SftpError>(opening).await?);
    let because = Because::default();
    let name = job.archive_name();
    let part = format!("{name}{PART}");
    let read = {
        let (job, sftp, part) = (&*job, &sftp, &part);
        let make = async |_copy: &_, _stream| {
            let begun = Arc::clone(sftp)
                .begin(
                    part.clone(),
                    job.shared.tuning.stall_timeout,
                    job.server().to_string(),
                    &because,
                )
                .await;
            begun.map_err(|error| {
                let error = Error::from(error);
                let failure = error.failure(Scope::Server, job.server().to_string());
                because.tell(error);
                failure
            })
        };
        first_that_proves(
            job.copies.usable(),
            job.request.identities,
            PART_BYTES,
            Inspect::WhenNeeded,
            make,
            job.shared,
        )
        .await
    };
    let restored = match read {
        Ok(restored) => restored,
        Err(not) => {
            if not.whose == Whose::Copy {
                sftp.remove(&part).await;
            }
            return Err(why_not(job, not, &because));
        }
    };
    let Restored {
        from: _,
        back,
        passed_over,
    } = restored;
    let from = passed_over.len();
    job.copies.passed_over(passed_over);
    let finishing = back.sink.finish(&name, job.archive_bytes);
    job.unless_stopped(finishing).await?;
    Ok(from)
}

/// Why no copy could be sent; those that are of no use are noted.
pub fn why_not(job: &mut Job<'_>, not: NotRestored, because: &Because) -> Error {
    let NotRestored { failures, whose } = not;
    let last = failures.last().cloned();
    let of_copies = match whose {
        Whose::Copy => failures.len(),
        Whose::Sink | Whose::Nobody => failures.len().saturating_sub(1),
    };
    let of_copies = failures.into_iter().take(of_copies).collect();
    job.copies.passed_over(of_copies);
    match (whose, because.take(), last) {
        (Whose::Nobody, _, _) => Error::Interrupted,
        (Whose::Sink, Some(error), _) => error,
        (Whose::Sink | Whose::Copy, _, Some(failure)) => Error::NotRead(failure),
        (Whose::Sink | Whose::Copy, _, None) => Error::NoCopy,
    }
}
