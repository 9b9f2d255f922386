//! A panel and its node over real HTTP.
//!
//! [`FakePanel::start`] opens three ports on loopback: the panel's client API, the node's download port, and an
//! S3-like disk. They answer like the recordings of a real panel (`panel-contract.md`), or, with
//! [`Script::set_dialect`], like a Pelican panel or like published documentation. Tests script it while it runs:
//!
//! ```ignore
//! let panel = FakePanel::start().await;
//! let server = panel.add_server("Survival");
//! let backup = panel.add_backup(server, "nightly", Archive::small(1));
//! panel.on_download(backup, Fault::FlipByte { at: 10 });
//! panel.before(Call::Link(backup), move |script| script.delete_backup(backup));
//! // … run something against panel.url() with panel.key() …
//! assert_eq!(panel.downloads_started(), 1);
//! assert_eq!(panel.leaks(), []);
//! ```
//!
//! Every request is recorded with its headers and the status it got. Nothing here knows the client under test,
//! except for the ids of the model.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

#[path = "fake_panel/api.rs"]
mod api;
#[path = "fake_panel/chores.rs"]
mod chores;
#[path = "fake_panel/disks.rs"]
mod disks;
#[path = "fake_panel/fault.rs"]
mod fault;
#[path = "fake_panel/host_rules.rs"]
mod host_rules;
#[path = "fake_panel/host_script.rs"]
mod host_script;
#[path = "fake_panel/hosts.rs"]
mod hosts;
#[path = "fake_panel/instead.rs"]
mod instead;
#[path = "fake_panel/line.rs"]
mod line;
#[path = "fake_panel/links.rs"]
mod links;
#[path = "fake_panel/listing.rs"]
mod listing;
#[path = "fake_panel/log.rs"]
mod log;
#[path = "fake_panel/objects.rs"]
mod objects;
#[path = "fake_panel/pulls.rs"]
mod pulls;
#[path = "fake_panel/refusal.rs"]
mod refusal;
#[path = "fake_panel/reply.rs"]
mod reply;
#[path = "fake_panel/restores.rs"]
mod restores;
#[path = "fake_panel/rows.rs"]
mod rows;
#[path = "fake_panel/script.rs"]
mod script;
#[path = "fake_panel/state.rs"]
mod state;
#[cfg(test)]
#[path = "fake_panel/tests.rs"]
mod tests;
#[path = "fake_panel/token.rs"]
mod token;
#[path = "fake_panel/uploads.rs"]
mod uploads;
#[path = "fake_panel/words.rs"]
mod words;

pub use fault::Call;
pub use fault::Fault;
pub use fault::HostCall;
pub use fault::Times;
pub use host_rules::Deletes;
pub use host_rules::Gateway;
pub use host_rules::HostRules;
pub use host_rules::Pulls;
pub use hosts::Power;
pub use log::Request;
pub use log::Site;
pub use restores::ActivityRow;
pub use restores::LogFilter;
pub use restores::LogIds;
pub use restores::RestoreEnding;
pub use restores::RestoreRules;
pub use rows::Access;
pub use rows::BackupRow;
pub use rows::Checksum;
pub use rows::Condition;
pub use rows::Disk;
pub use rows::Listing;
pub use rows::Locks;
pub use rows::Origin;
pub use rows::ServerRow;
pub use rows::Stage;
pub use script::Script;
pub use state::Dialect;
pub use state::Identifiers;
pub use state::NewBackup;
pub use state::Role;
pub use state::Service;
pub use state::Standing;

use line::Door;
use line::Line;
use state::Bystander;
use state::NodeState;
use state::State;

/// A panel that runs; gone with its last clone. What it does is scripted through [`Script`], to which it dereferences.
#[derive(Debug, Clone)]
pub struct FakePanel {
    script: Script,
    ports: Arc<Ports>,
}

#[derive(Debug)]
struct Ports {
    panel: Port,
    node: Port,
    s3: Port,
}

/// One address, open or closed.
#[derive(Debug)]
struct Port {
    address: SocketAddr,
    site: Site,
    open: Mutex<Option<Open>>,
    /// Holds the address while it is closed, so that nobody else gets it; connections are refused.
    kept: Mutex<Option<TcpSocket>>,
}

/// A server on an address; its connections end when it is dropped.
#[derive(Debug)]
struct Open {
    task: JoinHandle<()>,
    closed: CancellationToken,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.closed.cancel();
        self.task.abort();
    }
}

impl Deref for FakePanel {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
    }
}

impl FakePanel {
    /// A panel without servers.
    pub async fn start() -> Self {
        match Self::try_start().await {
            Ok(panel) => panel,
            Err(error) => unreachable!("loopback has no free port: {error}"),
        }
    }

    /// A panel without servers.
    ///
    /// # Errors
    /// When no port can be opened on loopback.
    pub async fn try_start() -> io::Result<Self> {
        let script = Script::new(State::new());
        let ports = Ports {
            panel: Port::open(Site::Panel, &script).await?,
            node: Port::open(Site::Node, &script).await?,
            s3: Port::open(Site::S3, &script).await?,
        };
        {
            let mut state = script.state();
            state.panel_url = format!("http://{}", ports.panel.address);
            state.node_url = format!("http://{}", ports.node.address);
            state.s3_url = format!("http://{}", ports.s3.address);
        }
        Ok(Self {
            script,
            ports: Arc::new(ports),
        })
    }

    /// The panel can't be reached any more; its connections end at once.
    pub async fn stop_panel(&self) {
        self.ports.panel.close().await;
    }

    /// The panel can be reached again, at the address it had.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn start_panel(&self) -> io::Result<()> {
        self.ports.panel.reopen(&self.script).await
    }

    /// The node can't be reached any more; downloads that run break off at once.
    pub async fn stop_node(&self) {
        self.script.state().node = NodeState::Down;
        self.ports.node.close().await;
    }

    /// The node can be reached again, at the address it had; it has forgotten which tokens were used.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn start_node(&self) -> io::Result<()> {
        self.ports.node.reopen(&self.script).await?;
        let mut state = self.script.state();
        state.node = NodeState::Up;
        state.forget_uses();
        Ok(())
    }

    /// The S3 disk can't be reached any more; downloads that run break off at once.
    pub async fn stop_s3(&self) {
        self.ports.s3.close().await;
    }

    /// The S3 disk can be reached again, at the address it had.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn start_s3(&self) -> io::Result<()> {
        self.ports.s3.reopen(&self.script).await
    }
}

impl Port {
    async fn open(site: Site, script: &Script) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Self {
            address: listener.local_addr()?,
            site,
            open: Mutex::new(Some(serve(listener, site, script.clone()))),
            kept: Mutex::new(None),
        })
    }

    async fn close(&self) {
        let Some(mut open) = self.open.lock().await.take() else {
            return;
        };
        open.closed.cancel();
        open.task.abort();
        // The port is free once the task is gone; that it was aborted is no news.
        drop((&mut open.task).await);
        drop(open);
        *self.kept.lock().await = self.keep().ok();
    }

    fn keep(&self) -> io::Result<TcpSocket> {
        let socket = TcpSocket::new_v4()?;
        // Connections that ended a moment ago don't keep the address from being bound again.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        Ok(socket)
    }

    async fn reopen(&self, script: &Script) -> io::Result<()> {
        let mut open = self.open.lock().await;
        if open.is_none() {
            let listener = match self.kept.lock().await.take() {
                Some(socket) => socket.listen(1024)?,
                None => TcpListener::bind(self.address).await?,
            };
            *open = Some(serve(listener, self.site, script.clone()));
        }
        Ok(())
    }
}

fn serve(listener: TcpListener, site: Site, script: Script) -> Open {
    let closed = CancellationToken::new();
    let door = Door::new(listener, closed.clone());
    let app = Router::new().fallback(
        async move |ConnectInfo(line): ConnectInfo<Line>, request: axum::extract::Request| {
            answer(site, &script, line, request).await
        },
    );
    let task = tokio::spawn(async move {
        let service = app.into_make_service_with_connect_info::<Line>();
        // Serving never ends by itself, and there is nobody to tell if it does.
        drop(axum::serve(door, service).await);
    });
    Open { task, closed }
}

/// Records a request, lets happen what was planned before it, and answers it: rightly, or as a fault wants it.
async fn answer(
    site: Site,
    script: &Script,
    line: Line,
    request: axum::extract::Request,
) -> Response {
    const BODY_BYTES: usize = 1 << 20;
    let (head, body) = request.into_parts();
    let request = if uploads::is_one(site, &head) {
        let mut request = Request::read(site, &head, &[]);
        request.file = uploads::whole(script, body).await;
        request
    } else {
        let body = axum::body::to_bytes(body, BODY_BYTES).await;
        Request::read(site, &head, &body.unwrap_or_default())
    };
    let (place, call, actions) = script.state().arrive(&request);
    for action in actions {
        (action.act)(script);
    }
    let bystander = script.state().bystander.clone();
    let (reply, chores) = {
        // Nothing happens between what a bystander does and the answer.
        let mut acts = bystander.as_ref().map(Bystander::acts);
        if let Some(act) = &mut acts {
            act(script, &request);
        }
        let mut state = script.state();
        let reply = state.answer(&request, call, place);
        (reply, std::mem::take(&mut state.hosts.chores))
    };
    for chore in chores {
        chore.begin(script);
    }
    reply.send(line, Arc::clone(&script.served)).await
}
