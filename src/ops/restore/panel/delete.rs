//! Deleting in a server, to its end: told by the node, or seen in the server's root.

use crate::model::outcome::chain;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job;
use crate::ops::restore::panel::job::Job;
use crate::ops::restore::panel::job::Reached;
use crate::ops::restore::panel::pull::may_pass;
use crate::panel::FileEntry;
use crate::panel::NodeWork;

/// Deletes these names of the server's root; none is fine.
///
/// # Errors
/// The panel's; some of the names may be gone.
pub async fn names(job: &Job<'_>, names: &[String]) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let panel = job.request.panel;
    let asked = panel.delete_files(job.server(), names);
    let instead = match job.unless_stopped(asked).await? {
        NodeWork::Done => return Ok(()),
        NodeWork::GoesOn { instead } => instead,
    };
    tracing::warn!("{}; the node goes on, and is watched", chain(&instead));
    let mut left = names.len();
    let mut last_change = tokio::time::Instant::now();
    loop {
        match job.root().await {
            Ok(root) => {
                let still = root.iter().filter(|entry| names.contains(&entry.name));
                let still = still.count();
                if still == 0 {
                    return Ok(());
                }
                if still < left {
                    left = still;
                    last_change = tokio::time::Instant::now();
                }
            }
            Err(Error::Panel(error)) if may_pass(&error) => {}
            Err(error) => return Err(error),
        }
        if last_change.elapsed() >= job.tuning.settle {
            return Err(instead.into());
        }
        job.pause(job.tuning.unpack_poll).await?;
    }
}

/// Deletes everything that is not this restore's own; the very listing that names it must show the
/// archive, whole.
///
/// # Errors
/// [`Error::NotWhole`], with nothing deleted; [`Error::NotEmptied`]; the panel's.
pub async fn all_but_ours(job: &mut Job<'_>) -> Result<(), Error> {
    let others = |root: Vec<FileEntry>| -> Vec<String> {
        let names = root.into_iter().map(|entry| entry.name);
        names
            .filter(|name| !job::is_ours(name, job.backup))
            .collect()
    };
    let root = job.root().await?;
    job.check_whole(job.archive_in(&root))?;
    let doomed = others(root);
    job.reached = Reached::Emptying;
    names(job, &doomed).await?;
    match others(job.root().await?).len() {
        0 => Ok(()),
        left => Err(Error::NotEmptied { left }),
    }
}

/// Removes the archive, and what earlier runs left of it.
///
/// # Errors
/// The panel's.
pub async fn archives(job: &Job<'_>) -> Result<(), Error> {
    let note = job.note_name();
    let there: Vec<String> = job
        .root()
        .await?
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| job::is_ours(name, job.backup) && *name != note)
        .collect();
    names(job, &there).await
}

/// Whether the note is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// It is.
    Gone,
    /// It may be there still.
    Stays,
}

/// Removes the note; one that stays is told and harms nothing.
pub async fn note(job: &Job<'_>) -> Note {
    let note = job.note_name();
    match names(job, std::slice::from_ref(&note)).await {
        Ok(()) => Note::Gone,
        Err(error) => {
            tracing::warn!("{}; delete {note} in the server's root", chain(&error));
            Note::Stays
        }
    }
}
