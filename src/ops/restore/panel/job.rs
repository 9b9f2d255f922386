//! What all steps of one restore into a server share: the panel, the copies, and what was done so far.

use std::time::Duration;

use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::ops::restore::panel::Request;
use crate::ops::restore::panel::ToPanelTuning;
use crate::ops::restore::panel::became::Unpacked;
use crate::ops::restore::panel::error::Error;
use crate::panel::FileEntry;
use crate::plan::to_panel::Route;
use crate::transfer::Shared;

/// What was done to a server so far; what a run that ends early must tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// Nothing that changes anything.
    Looked,
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
    /// Whether the server ran before.
    pub ran_before: bool,
    /// The ways that were left out or failed, and why.
    pub not_taken: Vec<(Route, String)>,
    /// The way that worked.
    pub taken: Option<Route>,
    /// Copies that were of no use.
    pub passed_over: Vec<Failure>,
    /// How the end of unpacking is known.
    pub unpacked: Option<Unpacked>,
}

/// How the archive's name tells a later run whether the server is to be started in the end.
const RAN: &str = "on";
const DID_NOT_RUN: &str = "off";

impl Job<'_> {
    /// The server.
    pub const fn server(&self) -> &ServerId {
        &self.request.server
    }

    /// The archive's name in the server's root.
    pub fn archive_name(&self) -> String {
        name(self.backup, if self.ran_before { RAN } else { DID_NOT_RUN })
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
        let name = self.archive_name();
        let mut root = self.root().await?;
        root.retain(|entry| entry.name == name);
        Ok(root.pop())
    }
}

/// Whether a name is one that a restore of this backup gives.
pub fn is_ours(name_there: &str, backup: BackupId) -> bool {
    [RAN, DID_NOT_RUN].iter().any(|power| {
        name_there
            .strip_prefix(&name(backup, power))
            .is_some_and(|rest| rest.is_empty() || rest == PART)
    })
}

/// Whether an archive's name says that its server ran.
pub fn says_it_ran(name_there: &str, backup: BackupId) -> bool {
    name_there.starts_with(&name(backup, RAN))
}

/// What a file that is being sent over SFTP is called beyond its name.
pub const PART: &str = ".part";

fn name(backup: BackupId, power: &str) -> String {
    format!("nestegg-{backup}.{power}.tar.gz")
}
