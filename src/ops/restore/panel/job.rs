//! What all steps of one restore into a server share: the panel, the copies, and what was done so far.

use std::time::Duration;

use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::ops::restore::panel::Request;
use crate::ops::restore::panel::ToPanelTuning;
use crate::ops::restore::panel::became::Unpacked;
use crate::ops::restore::panel::copies::Copies;
use crate::ops::restore::panel::error::Error;
use crate::panel::FileEntry;
use crate::plan::to_panel::Route;
use crate::transfer::Shared;

/// What was done to a server so far; what a run that ends early must tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Nothing that changes anything.
    Looked,
    /// A note says that it ran.
    Noted,
    /// It was told to stop.
    Stopping,
    /// It is stopped; the archive may be on its way.
    Stopped,
    /// The archive is on the node.
    Archived,
    /// Its files are being deleted.
    Emptying,
    /// The archive is being unpacked.
    Unpacking,
    /// Everything is unpacked.
    Unpacked,
    /// The archive is removed.
    Cleaned,
}

/// Whether the server is to run in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It was off, as far as is known.
    No,
    /// It was seen running, and this run has noted that.
    Seen,
    /// It ran before an earlier run, which has noted that and may have changed files.
    SaidByNote,
}

/// What this run has done to the server's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// Nothing.
    AsFound,
    /// It was told to stop, or is about to.
    Stopping,
    /// It is off.
    Off,
    /// It was told to start again, for the restore has failed.
    StartedAgain,
}

/// One restore on its way.
#[derive(Debug)]
pub struct Job<'a> {
    /// What is asked for.
    pub request: &'a Request<'a>,
    /// Clock, cancellation, tuning of transfers, observer.
    pub shared: &'a Shared,
    /// Waits.
    pub tuning: &'a ToPanelTuning,
    /// The client for the node's port.
    pub http: reqwest::Client,
    /// The backup.
    pub backup: BackupId,
    /// The archive's length.
    pub archive_bytes: u64,
    /// What was done so far.
    pub reached: Reached,
    /// Whether the server is to run in the end.
    pub ran: Ran,
    /// What was done to its power.
    pub power: Power,
    /// The ways that were left out or failed, and why.
    pub not_taken: Vec<(Route, String)>,
    /// The way that worked.
    pub taken: Option<Route>,
    /// The copies, and what came of them.
    pub copies: Copies,
    /// How the end of unpacking is known.
    pub unpacked: Option<Unpacked>,
}

impl Job<'_> {
    /// The server.
    pub const fn server(&self) -> &ServerId {
        &self.request.server
    }

    /// The archive's name in the server's root.
    pub fn archive_name(&self) -> String {
        archive_name(self.backup)
    }

    /// The name of the file in the server's root that tells a later run to start the server in the end.
    pub fn note_name(&self) -> String {
        note_name(self.backup)
    }

    /// Waits, unless the run is told to stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub async fn pause(&self, wait: Duration) -> Result<(), Error> {
        tokio::select! {
            biased;
            () = self.shared.env.cancel.cancelled() => Err(Error::Interrupted),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }

    /// Does it, unless the run is told to stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`], and its own.
    pub async fn unless_stopped<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.shared.env.cancel.cancelled() => Err(Error::Interrupted),
            done = work => done.map_err(Into::into),
        }
    }

    /// What is in the server's root.
    ///
    /// # Errors
    /// The panel's, and [`Error::Interrupted`].
    pub async fn root(&self) -> Result<Vec<FileEntry>, Error> {
        self.unless_stopped(self.request.panel.list_files(self.server(), "/"))
            .await
    }

    /// The archive as it is on the node; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Self::root`].
    pub async fn archive_there(&self) -> Result<Option<FileEntry>, Error> {
        let root = self.root().await?;
        Ok(self.archive_in(&root).cloned())
    }

    /// The archive in a listing of the server's root.
    pub fn archive_in<'e>(&self, root: &'e [FileEntry]) -> Option<&'e FileEntry> {
        let name = self.archive_name();
        root.iter()
            .find(|entry| entry.is_file && entry.name == name)
    }

    /// Whether an archive on the node is all of it, as far as its length tells.
    ///
    /// # Errors
    /// [`Error::NotWhole`].
    pub fn check_whole(&self, there: Option<&FileEntry>) -> Result<(), Error> {
        let found_bytes = there.map_or(0, |entry| entry.bytes);
        if there.is_some() && found_bytes == self.archive_bytes {
            Ok(())
        } else {
            Err(Error::NotWhole {
                expected_bytes: self.archive_bytes,
                found_bytes,
            })
        }
    }
}

/// What a file that is being sent over SFTP is called beyond its name.
pub const PART: &str = ".part";

/// Whether a name is one that a restore of this backup gives.
pub fn is_ours(name_there: &str, backup: BackupId) -> bool {
    let archive = archive_name(backup);
    name_there == archive
        || name_there.strip_suffix(PART) == Some(archive.as_str())
        || name_there == note_name(backup)
}

/// All names that a restore of this backup gives, in a few words.
pub fn pattern(backup: BackupId) -> String {
    format!("nestegg-{backup}.*")
}

fn archive_name(backup: BackupId) -> String {
    format!("nestegg-{backup}.tar.gz")
}

fn note_name(backup: BackupId) -> String {
    format!("nestegg-{backup}.ran")
}
