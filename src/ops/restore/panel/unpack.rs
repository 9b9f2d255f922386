//! Unpacking on the node, to its end: told by the node, or seen in the server's files.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::content::Inspect;
use crate::model::outcome::chain;
use crate::ops::restore::panel::became::Unpacked;
use crate::ops::restore::panel::because::Because;
use crate::ops::restore::panel::bring::why_not;
use crate::ops::restore::panel::delete;
use crate::ops::restore::panel::error::Error;
use crate::ops::restore::panel::job::Job;
use crate::ops::restore::panel::job::Reached;
use crate::ops::restore::panel::pull::may_pass;
use crate::ops::restore::panel::tail::Member;
use crate::ops::restore::panel::tail::TailSink;
use crate::ops::restore::source::first_that_proves;
use crate::panel;
use crate::panel::FileEntry;
use crate::panel::NodeRefusal;
use crate::panel::NodeWork;
use crate::transfer::readback::PART_BYTES;

/// Unpacks the archive over what is there.
///
/// # Errors
/// The node's refusal; [`Error::NotUnpacked`] when it stopped before its end.
pub async fn unpack(job: &mut Job<'_>) -> Result<(), Error> {
    let name = job.archive_name();
    let archive = job.archive_there().await?;
    let since = archive.and_then(|entry| entry.changed_at);
    let before = job.reached;
    job.reached = Reached::Unpacking;
    let asked = job.request.panel.decompress(job.server(), &name);
    let instead = match job.unless_stopped(asked).await {
        Ok(NodeWork::Done) => {
            job.unpacked = Some(Unpacked::Said);
            return Ok(());
        }
        Ok(NodeWork::GoesOn { instead }) => chain(&instead),
        Err(error) => {
            if let Error::Panel(panel::Error::NodeRefused { refusal, .. }) = &error {
                match refusal {
                    NodeRefusal::UnknownFormat => {
                        job.reached = before;
                        delete::names(job, &[name]).await?;
                    }
                    NodeRefusal::NoSpace | NodeRefusal::Missing => job.reached = before,
                    // A file that is in use is only met on the way; of others nobody knows.
                    NodeRefusal::FileBusy
                    | NodeRefusal::PullDisabled
                    | NodeRefusal::TooManyPulls
                    | NodeRefusal::PrivateAddress
                    | NodeRefusal::UploadTooLarge
                    | NodeRefusal::Other { .. } => {}
                }
            }
            return Err(error);
        }
    };
    tracing::warn!("{instead}; the node goes on, and its files are watched");
    let tail = last_members(job).await?;
    job.unpacked = Some(watch(job, &tail, since, &instead).await?);
    Ok(())
}

/// Reads a copy for the names of its last members, which proves the copy as well.
async fn last_members(job: &mut Job<'_>) -> Result<Vec<Member>, Error> {
    let read = first_that_proves(
        job.copies.usable(),
        job.request.identities,
        PART_BYTES,
        Inspect::WhenNeeded,
        async |_copy, _stream| Ok(TailSink::begin()),
        job.shared,
    )
    .await;
    let restored = match read {
        Ok(restored) => restored,
        Err(not) => return Err(why_not(job, not, &Because::default())),
    };
    let tail = restored.back.sink.finish().await;
    tail.map_err(|error| Error::NotUnpacked {
        instead: error.to_string(),
    })
}

/// What a look at the server's files showed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Look {
    /// Which of the archive's last members stand there as the archive has them.
    seen: Vec<bool>,
    /// Everything by which a change shows.
    sizes: BTreeMap<String, Vec<(String, u64)>>,
    disk_bytes: u64,
}

/// Looks again and again until the last member stands there, or nothing changes any more.
async fn watch(
    job: &Job<'_>,
    tail: &[Member],
    since: Option<Timestamp>,
    instead: &str,
) -> Result<Unpacked, Error> {
    let mut last = Look::default();
    let mut last_change = tokio::time::Instant::now();
    let mut last_answer = last_change;
    loop {
        match look(job, tail, since).await {
            Ok(now) => {
                last_answer = tokio::time::Instant::now();
                if now.seen.last() == Some(&true) {
                    return Ok(Unpacked::LastFileSeen);
                }
                if now != last {
                    last = now;
                    last_change = tokio::time::Instant::now();
                }
            }
            Err(Error::Panel(error))
                if may_pass(&error) && last_answer.elapsed() < job.tuning.settle =>
            {
                last_change = tokio::time::Instant::now();
            }
            Err(error) => return Err(error),
        }
        if last_change.elapsed() >= job.tuning.settle {
            let is_there = tail.is_empty() || last.seen.contains(&true);
            return if is_there {
                Ok(Unpacked::Settled)
            } else {
                Err(Error::NotUnpacked {
                    instead: instead.to_owned(),
                })
            };
        }
        job.pause(job.tuning.unpack_poll).await?;
    }
}

async fn look(job: &Job<'_>, tail: &[Member], since: Option<Timestamp>) -> Result<Look, Error> {
    let panel = job.request.panel;
    let server = job.server();
    let mut listed: BTreeMap<&str, Vec<FileEntry>> = BTreeMap::new();
    for member in tail {
        if listed.contains_key(member.directory.as_str()) {
            continue;
        }
        let entries = match job
            .unless_stopped(panel.list_files(server, &member.directory))
            .await
        {
            Ok(entries) => entries,
            // The directory comes with its first file; one that can't be listed tells nothing.
            Err(Error::Panel(
                panel::Error::NodeRefused { .. }
                | panel::Error::PanelFailed { .. }
                | panel::Error::Refused { .. }
                | panel::Error::NotThePanel { .. }
                | panel::Error::Malformed { .. }
                | panel::Error::TooLarge { .. },
            )) => Vec::new(),
            Err(error) => return Err(error),
        };
        listed.insert(&member.directory, entries);
    }
    let stands = |member: &Member| {
        let entries = listed.get(member.directory.as_str());
        entries.into_iter().flatten().any(|entry| {
            entry.name == member.name
                && entry.bytes == member.bytes
                && (entry.modified_at.is_none() || entry.modified_at == member.modified_at)
                && (since.is_none() || entry.changed_at.is_none() || entry.changed_at >= since)
        })
    };
    let seen = tail.iter().map(stands).collect();
    let disk_bytes = job
        .unless_stopped(panel.resources(server))
        .await?
        .disk_bytes;
    let sizes = listed
        .into_iter()
        .map(|(directory, entries)| {
            let sizes = entries
                .into_iter()
                .map(|entry| (entry.name, entry.bytes))
                .collect();
            (directory.to_owned(), sizes)
        })
        .collect();
    Ok(Look {
        seen,
        sizes,
        disk_bytes,
    })
}
