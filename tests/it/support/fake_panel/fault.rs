//! What goes wrong, where, and how often.

use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;

/// A kind of request; in [`super::FakePanel::on`] the wider ones cover the narrower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Every request to the panel's API.
    Panel,
    /// Every page of the list of servers.
    Servers,
    /// One page of the list of servers, counted from 1.
    ServersPage(u64),
    /// One server.
    Server(ServerId),
    /// Every page of backups of any server.
    Backups,
    /// Every page of one server's backups.
    BackupsOf(ServerId),
    /// One page of one server's backups, counted from 1.
    BackupsPage(ServerId, u64),
    /// One backup's own row: read, deleted, locked or unlocked.
    Backup(BackupId),
    /// The wish to lock or unlock it.
    Lock(BackupId),
    /// The wish to lock or unlock any backup.
    Locks,
    /// A download link for any backup.
    Links,
    /// A download link for this backup.
    Link(BackupId),
    /// A backup's restore.
    Restore(BackupId),
    /// A server's log of activity.
    Activity(ServerId),
    /// The wish for a new backup.
    Create(ServerId),
    /// The download of any archive, from the node or the S3 disk.
    Downloads,
    /// The download of this backup's archive, from the node or the S3 disk.
    Download(BackupId),
    /// Something about a server's files or power.
    Host(ServerId, HostCall),
}

/// A call about a server's files or power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostCall {
    /// `resources`.
    Resources,
    /// `power`.
    Power,
    /// `files/list`.
    List,
    /// `files/upload`.
    UploadLink,
    /// The upload itself, to the node.
    Upload,
    /// `files/pull`.
    Pull,
    /// `files/decompress`.
    Decompress,
    /// `files/delete`.
    Delete,
    /// `files/write`.
    Write,
}

impl Call {
    /// Whether a request of the narrowest kind `actual` is meant.
    pub(super) fn covers(self, actual: Self) -> bool {
        self == actual
            || match self {
                Self::Panel => {
                    !matches!(actual, Self::Download(_) | Self::Host(_, HostCall::Upload))
                }
                Self::Servers => matches!(actual, Self::ServersPage(_)),
                Self::Backups => matches!(actual, Self::BackupsPage(..)),
                Self::BackupsOf(wanted) => {
                    matches!(actual, Self::BackupsPage(server, _page) if server == wanted)
                }
                Self::Links => matches!(actual, Self::Link(_)),
                Self::Downloads => matches!(actual, Self::Download(_)),
                Self::Backup(wanted) => actual == Self::Lock(wanted),
                Self::Locks => matches!(actual, Self::Lock(_)),
                Self::ServersPage(_)
                | Self::Server(_)
                | Self::BackupsPage(..)
                | Self::Lock(_)
                | Self::Link(_)
                | Self::Create(_)
                | Self::Restore(_)
                | Self::Activity(_)
                | Self::Download(_)
                | Self::Host(..) => false,
            }
    }
}

/// How often a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// The next so many calls.
    Next(u32),
    /// From now on.
    Forever,
}

/// What goes wrong with one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    // The answer comes, and its body is spoiled; headers and side effects are those of the right answer.
    /// One byte has all its bits flipped.
    FlipByte {
        /// Counted from 0.
        at: u64,
    },
    /// The body is shorter, and `Content-Length` says so.
    ShortenTo {
        /// What is left.
        bytes: u64,
    },
    /// The connection breaks inside the body; `Content-Length` is that of the whole one.
    CutAfter {
        /// What arrives.
        bytes: u64,
    },
    /// The body is longer than the panel says, and `Content-Length` with it.
    Lengthen {
        /// How many bytes come on top.
        by: u64,
    },
    /// Nothing more comes; the connection stays open until the client goes away.
    StallAfter {
        /// What arrives.
        bytes: u64,
    },
    /// Nothing more comes until the test says so, by [`super::Script::let_go`]; then all the rest does.
    HoldAfter {
        /// What arrives before.
        bytes: u64,
    },
    /// Chunked, without a `Content-Length`.
    NoLength,
    /// The body comes slowly.
    Drip {
        /// How slowly.
        bytes_per_second: u64,
    },
    /// Several of the above at once.
    All(Vec<Self>),

    // The request has its effect, and no answer comes.
    /// No answer ever, though what was asked for is done; the connection stays open until the client goes away.
    SilentAfter,
    /// The connection is closed without an answer, though what was asked for is done.
    ClosedAfter,

    // Something else is answered; the request has no effect.
    /// The node's 404 for a token that is spent or refused; S3 and panel: their own 404.
    ResourceMissing,
    /// The node's 404 for an archive that is not there; S3 and panel: their own 404.
    BackupMissing,
    /// The node's 500 for an expired token; S3: 403 `Request has expired`; panel: a 500.
    Expired,
    /// 429.
    TooManyRequests {
        /// `Retry-After` in seconds.
        retry_after_s: u64,
    },
    /// An HTML page with status 200.
    Html,
    /// 302 to the login page.
    Redirect,
    /// 500, in the words of whoever is asked.
    ServerError,
    /// 502 from the web server in front, in HTML.
    BadGateway,
    /// 503, in the words of whoever is asked.
    Unavailable,
    /// Status 200 and `application/json`, and no JSON.
    Garbage,
    /// Status 200 and this JSON.
    Says(String),
    /// A refusal in the panel's form, with a status and code of the test's own.
    Refusal {
        /// The HTTP status.
        status: u16,
        /// `code` of the one error.
        code: String,
        /// `detail` of the one error.
        detail: String,
    },
    /// The connection is closed without an answer.
    Closed,
    /// No answer ever; the connection stays open until the client goes away.
    Silent,
}

/// One fault that waits for its call.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) call: Call,
    pub(super) times: Times,
    pub(super) fault: Fault,
}

impl Planned {
    fn is_spent(&self) -> bool {
        self.times == Times::Next(0)
    }
}

/// Takes the oldest fault that is meant for this call.
pub(super) fn take(planned: &mut Vec<Planned>, actual: Call) -> Option<Fault> {
    let found = planned.iter_mut().find(|one| one.call.covers(actual))?;
    if let Times::Next(left) = &mut found.times {
        *left = left.saturating_sub(1);
    }
    let fault = found.fault.clone();
    planned.retain(|one| !one.is_spent());
    Some(fault)
}
