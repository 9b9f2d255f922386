//! What became of a restore into a server, as data.

use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::plan::to_panel::Route;

/// How the end of unpacking is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpacked {
    /// The node said so.
    Said,
    /// The archive's last file stands in the server.
    LastFileSeen,
    /// Nothing changes any more, and some of the archive's last files are there: the node leaves out
    /// what the egg forbids.
    Settled,
}

/// What came of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It was read to its end and proved, and the archive on the node is from it.
    Proved,
    /// The node fetched it; nobody has seen its bytes.
    Fetched,
    /// It was of no use.
    PassedOver(Failure),
    /// It was not tried, or nothing is wrong with it.
    NotNeeded,
}

/// What became of a restore into a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToPanelReport {
    /// The panel.
    pub panel: PanelName,
    /// The server.
    pub server: ServerId,
    /// Its name; empty when it was not read.
    pub server_name: String,
    /// The backup; `None` when there was no copy of any.
    pub backup: Option<BackupId>,
    /// The archive's length.
    pub archive_bytes: u64,
    /// The destinations that hold a copy, in the order in which they were to be tried.
    pub destinations: Vec<DestinationName>,
    /// How the archive came to the node; `None` when it was there, or never came.
    pub route: Option<Route>,
    /// The ways that were left out or failed, and why.
    pub not_taken: Vec<(Route, String)>,
    /// What came of the copies, in the order in which they were to be tried.
    pub copies: Vec<Came>,
    /// How the end of unpacking is known; `None` when it was not reached.
    pub unpacked: Option<Unpacked>,
    /// How it stands with the server now, and what is to be done by hand; in sentences.
    pub left: Vec<String>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}
