//! How nodes behave, as tests set it.

use std::time::Duration;

/// How a node behaves; the same for all servers.
#[derive(Debug, Clone)]
pub struct HostRules {
    /// `upload_size`.
    pub upload_limit_bytes: u64,
    /// Whether and from where files are fetched.
    pub pulls: Pulls,
    /// How many pulls are answered in ten minutes, per server.
    pub pulls_in_ten_minutes: usize,
    /// How fast a file is fetched; `None` is as fast as it comes.
    pub pull_bytes_per_second: Option<u64>,
    /// How long panels repeat the last answer to `resources`.
    pub resources_cache: Duration,
    /// What stands before the panel while an archive is unpacked.
    pub gateway: Gateway,
    /// How long a server takes to stop; `None` is for ever.
    pub stops_after: Option<Duration>,
    /// How a node deletes.
    pub deletes: Deletes,
    /// Files that the egg forbids, which are left out without a word.
    pub denied: Vec<String>,
}

/// Whether and from where a node fetches files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulls {
    /// From public addresses.
    FromPublic,
    /// From private ones too, which no real node does.
    FromAnywhere,
    /// Not at all: `api.disable_remote_download`.
    Disabled,
}

/// What stands before the panel while an archive is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// Something patient.
    Waits,
    /// Something that answers 504 in HTML; the node goes on, with a pause before every file.
    GivesUp {
        /// The pause.
        pause: Duration,
    },
    /// The same, but the node is done by then.
    GivesUpAtTheEnd,
    /// The same, and the node dies before this many files are written.
    Dies {
        /// So many.
        after: usize,
    },
    /// The same, and the node stands still before this many files are written, until tests set another rule.
    Halts {
        /// So many.
        after: usize,
    },
}

impl Default for HostRules {
    fn default() -> Self {
        Self {
            upload_limit_bytes: 100 << 20,
            pulls: Pulls::FromPublic,
            pulls_in_ten_minutes: 5,
            pull_bytes_per_second: None,
            resources_cache: Duration::from_secs(20),
            gateway: Gateway::Waits,
            stops_after: Some(Duration::from_millis(100)),
            deletes: Deletes::AtOnce,
            denied: Vec::new(),
        }
    }
}

/// How a node deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletes {
    /// Before it answers.
    AtOnce,
    /// With a pause before every name; something before the panel answers 504 in HTML meanwhile.
    Slowly {
        /// The pause.
        pause: Duration,
    },
    /// The same without pauses, but standing still before this many names, until tests set another rule.
    Halts {
        /// So many.
        after: usize,
    },
}
