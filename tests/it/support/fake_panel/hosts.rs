//! Servers as their node has them: files in a real folder, and power (`panel-contract.md` section 7).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use nestegg::model::ids::ServerId;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use super::chores;
use super::chores::Chore;
use super::chores::Unpack;
use super::fault::HostCall;
use super::host_rules::Deletes;
use super::host_rules::Gateway;
use super::host_rules::HostRules;
use super::host_rules::Pulls;
use super::listing;
use super::log::Request;
use super::pulls::Pull;
use super::refusal::Refusal;
use super::reply::Reply;
use super::state::NodeState;
use super::state::State;
use super::token;
use super::words;

/// The name of the key's owner.
pub(super) const USER: &str = "alice";
const NO_SPACE: &str = "There is not enough disk space available to perform that action.";

/// A server's power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// It runs.
    Running,
    /// It was told to stop.
    StoppingSince(Instant),
    /// It is off.
    Offline,
}

/// One server on its node.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) folder: TempDir,
    pub(super) power: Power,
    pub(super) pulls_now: usize,
    pulls: Vec<Instant>,
    cached: Option<(Instant, Value)>,
}

/// All servers on their nodes.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    pub(super) rules: HostRules,
    pub(super) by_server: BTreeMap<ServerId, Host>,
    pub(super) tokens: BTreeMap<String, Token>,
    pub(super) deeds: Vec<String>,
    pub(super) node_log: Vec<String>,
    pub(super) pulled_urls: Vec<String>,
    pub(super) upload_bytes: u64,
    pub(super) chores: Vec<Chore>,
}

/// A link that takes one file.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) server: ServerId,
    pub(super) is_used: bool,
}

/// The call that a method and the path below a server are.
pub(super) fn call(method: &str, rest: &[&str]) -> Option<HostCall> {
    Some(match (method, rest) {
        ("GET", ["resources"]) => HostCall::Resources,
        ("POST", ["power"]) => HostCall::Power,
        ("GET", ["files", "list"]) => HostCall::List,
        ("GET", ["files", "upload"]) => HostCall::UploadLink,
        ("POST", ["files", "pull"]) => HostCall::Pull,
        ("POST", ["files", "decompress"]) => HostCall::Decompress,
        ("POST", ["files", "delete"]) => HostCall::Delete,
        ("POST", ["files", "write"]) => HostCall::Write,
        _ => return None,
    })
}

pub(super) const fn permission(call: HostCall) -> &'static str {
    match call {
        HostCall::Resources => "websocket.connect",
        HostCall::Power => "control.stop",
        HostCall::List => "file.read",
        HostCall::UploadLink
        | HostCall::Upload
        | HostCall::Pull
        | HostCall::Decompress
        | HostCall::Write => "file.create",
        HostCall::Delete => "file.delete",
    }
}

/// The panel's words for a node's refusal.
fn remote(error: &str) -> Refusal {
    Refusal::new(
        400,
        "DaemonConnectionException",
        format!(
            "An error occurred on the remote host: {error}. (request id: {})",
            uuid::Uuid::new_v4()
        ),
    )
}

fn used_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => used_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_gone) => 0,
        })
        .sum()
}

fn shown(seconds: i64, nanoseconds: i64) -> Value {
    let at = Timestamp::from_second(seconds).unwrap_or_default()
        + SignedDuration::from_nanos(nanoseconds);
    json!(at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}

fn entry(name: &str, meta: &fs::Metadata) -> Value {
    json!({"object": "file_object", "attributes": {
        "name": name, "mode": "-rw-r--r--",
        "mode_bits": format!("{:o}", meta.permissions().mode() & 0o777),
        "size": meta.len(), "is_file": meta.is_file(), "is_symlink": meta.is_symlink(),
        "mimetype": "application/octet-stream",
        "created_at": shown(meta.ctime(), 0), "modified_at": shown(meta.mtime(), 0),
    }})
}

impl Hosts {
    pub(super) fn of(&mut self, server: ServerId) -> &mut Host {
        self.by_server.entry(server).or_insert_with(|| Host {
            folder: match tempfile::tempdir() {
                Ok(folder) => folder,
                Err(error) => unreachable!("no folder for a server: {error}"),
            },
            power: Power::Offline,
            pulls_now: 0,
            pulls: Vec::new(),
            cached: None,
        })
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        let signatures = self.pulled_urls.iter().flat_map(|url| {
            let query = url.split_once('?').map_or("", |(_, query)| query);
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(name, _)| name.ends_with("ignature") || *name == "sig")
                .map(|(_, value)| value.to_owned())
        });
        self.tokens.keys().cloned().chain(signatures).collect()
    }

    pub(super) fn pulls_left(&self, server: ServerId) -> (u64, u64) {
        let limit = self.rules.pulls_in_ten_minutes;
        let used = self
            .by_server
            .get(&server)
            .map_or(0, |host| host.pulls.len());
        (limit as u64, limit.saturating_sub(used) as u64)
    }

    /// The folder of a server, and whether `more` bytes fit in.
    pub(super) fn has_room(&mut self, server: ServerId, limit_mib: u64, more: u64) -> bool {
        let used = used_bytes(self.of(server).folder.path());
        limit_mib == 0 || used + more <= limit_mib << 20
    }

    fn power(&mut self, server: ServerId) -> &'static str {
        let stops_after = self.rules.stops_after;
        let host = self.of(server);
        if let (Power::StoppingSince(since), Some(after)) = (host.power, stops_after)
            && since.elapsed() >= after
        {
            host.power = Power::Offline;
        }
        match host.power {
            Power::Running => "running",
            Power::StoppingSince(_) => "stopping",
            Power::Offline => "offline",
        }
    }
}

impl State {
    pub(super) fn limit_mib(&self, server: ServerId) -> u64 {
        self.server(server).map_or(0, |row| row.disk_mib)
    }

    pub(super) fn host(
        &mut self,
        server: ServerId,
        call: HostCall,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        let body: Value = match request.body.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).map_err(|_not_json| Refusal::bad_json())?,
        };
        if call == HostCall::UploadLink {
            return Ok(self.upload_link(server));
        }
        if self.node == NodeState::Down {
            return Err(Refusal::node_down());
        }
        match call {
            HostCall::Resources => Ok(self.resources(server)),
            HostCall::Power => Ok(self.signal(server, &body)),
            HostCall::List => self.list_files(server, &request.query),
            HostCall::Pull => self.begin_pull(server, &body),
            HostCall::Decompress => self.decompress(server, &body),
            HostCall::Delete => self.delete_files(server, &body),
            HostCall::Write => Ok(self.write_file(server, request)),
            HostCall::UploadLink | HostCall::Upload => Ok(Reply::empty(404)),
        }
    }

    fn resources(&mut self, server: ServerId) -> Reply {
        let cache = self.hosts.rules.resources_cache;
        let cached = self.hosts.of(server).cached.clone();
        if let Some((_, body)) = cached.filter(|(at, _)| at.elapsed() < cache) {
            return words::json_reply(&body);
        }
        let state = self.hosts.power(server);
        let host = self.hosts.of(server);
        let body = json!({"object": "stats", "attributes": {
            "current_state": state, "is_suspended": false,
            "resources": {"memory_bytes": 0, "cpu_absolute": 0,
                "disk_bytes": used_bytes(host.folder.path()),
                "network_rx_bytes": 0, "network_tx_bytes": 0, "uptime": 0}}});
        host.cached = Some((Instant::now(), body.clone()));
        words::json_reply(&body)
    }

    fn signal(&mut self, server: ServerId, body: &Value) -> Reply {
        let signal = body["signal"].as_str().unwrap_or_default().to_owned();
        let host = self.hosts.of(server);
        match (signal.as_str(), host.power) {
            ("start", _) => host.power = Power::Running,
            ("stop", Power::Running) => host.power = Power::StoppingSince(Instant::now()),
            ("kill", _) => host.power = Power::Offline,
            _ => {}
        }
        self.hosts.deeds.push(signal);
        Reply::empty(204)
    }

    fn list_files(&mut self, server: ServerId, query: &str) -> Result<Reply, Refusal> {
        let directory = listing::parameter(query, "directory").unwrap_or_default();
        let directory = url::form_urlencoded::parse(format!("d={directory}").as_bytes())
            .next()
            .map_or_else(String::new, |(_, value)| value.into_owned());
        let below = directory.trim_matches('/').to_owned();
        let folder = self.hosts.of(server).folder.path().join(below);
        let entries = fs::read_dir(folder).map_err(|_none| {
            Refusal::new(
                404,
                "DaemonConnectionException",
                "An error occurred on the remote host: The requested directory does not exist.. (request id: x)",
            )
        })?;
        let rows: Vec<Value> = entries
            .flatten()
            .filter_map(|one| {
                let meta = one.metadata().ok()?;
                Some(entry(one.file_name().to_str()?, &meta))
            })
            .collect();
        Ok(words::json_reply(&json!({"object": "list", "data": rows})))
    }

    fn upload_link(&mut self, server: ServerId) -> Reply {
        let claims = json!({"server_uuid": server.to_string(), "scope": "file-upload",
            "unique_id": uuid::Uuid::new_v4().to_string()});
        let token = token::sign(self.signing_key.as_bytes(), &claims);
        let url = format!("{}/upload/file?token={token}", self.node_url);
        let is_used = false;
        self.hosts.tokens.insert(token, Token { server, is_used });
        words::json_reply(&json!({"object": "signed_url", "attributes": {"url": url}}))
    }

    fn begin_pull(&mut self, server: ServerId, body: &Value) -> Result<Reply, Refusal> {
        let limit = self.hosts.rules.pulls_in_ten_minutes;
        let disabled = self.hosts.rules.pulls == Pulls::Disabled;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (url, name) = (text("url"), text("filename"));
        self.hosts.pulled_urls.push(url.clone());
        let host = self.hosts.of(server);
        if host.pulls.len() >= limit {
            return Err(Refusal::too_many_attempts(299));
        }
        host.pulls.push(Instant::now());
        if disabled {
            return Err(remote(
                "This functionality is not currently enabled on this instance.",
            ));
        }
        if host.pulls_now >= 3 {
            return Err(remote(
                "This server has reached its limit of 3 simultaneous remote file downloads at once. Please wait for one to complete before trying again.",
            ));
        }
        host.pulls_now += 1;
        let target = host.folder.path().join(&name);
        self.hosts.deeds.push(format!("pull {name}"));
        self.hosts.chores.push(Chore::Pull(Pull {
            server,
            url,
            target,
        }));
        Ok(Reply::empty(204))
    }

    fn decompress(&mut self, server: ServerId, body: &Value) -> Result<Reply, Refusal> {
        let name = body["file"].as_str().unwrap_or_default().to_owned();
        if self.hosts.power(server) != "offline" {
            return Err(remote(
                "One or more files this archive is attempting to overwrite are currently in use by another process. Please try again.",
            ));
        }
        let folder = self.hosts.of(server).folder.path().to_owned();
        let unpack = Unpack {
            archive: folder.join(&name),
            folder,
            denied: self.hosts.rules.denied.clone(),
            gateway: self.hosts.rules.gateway,
        };
        let Ok(bytes) = unpack.unpacked_bytes() else {
            return Err(remote(
                "The archive provided is in a format Wings does not understand.",
            ));
        };
        let limit_mib = self.limit_mib(server);
        if !self.hosts.has_room(server, limit_mib, bytes) {
            return Err(remote(NO_SPACE));
        }
        self.hosts.deeds.push(format!("decompress {name}"));
        match unpack.gateway {
            Gateway::Waits | Gateway::GivesUpAtTheEnd => match unpack.run(|_number| {}) {
                Ok(()) if unpack.gateway == Gateway::Waits => Ok(Reply::empty(204)),
                Ok(()) => Ok(chores::gives_up()),
                Err(error) => Err(Refusal::new(
                    500,
                    "DaemonConnectionException",
                    error.to_string(),
                )),
            },
            Gateway::GivesUp { .. } | Gateway::Dies { .. } | Gateway::Halts { .. } => {
                self.hosts.chores.push(Chore::Unpack(unpack));
                Ok(chores::gives_up())
            }
        }
    }

    fn delete_files(&mut self, server: ServerId, body: &Value) -> Result<Reply, Refusal> {
        let folder = self.hosts.of(server).folder.path().to_owned();
        let names = body["files"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        names.sort_unstable();
        self.hosts
            .deeds
            .push(format!("delete {}", names.join(", ")));
        let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
        match self.hosts.rules.deletes {
            Deletes::AtOnce => {
                for path in paths {
                    chores::remove(&path).map_err(|_gone| Refusal::node_down())?;
                }
                Ok(Reply::empty(204))
            }
            Deletes::Slowly { pause } => {
                self.hosts.chores.push(Chore::Delete { paths, pause });
                Ok(chores::gives_up())
            }
            Deletes::Halts { .. } => {
                let pause = Duration::ZERO;
                self.hosts.chores.push(Chore::Delete { paths, pause });
                Ok(chores::gives_up())
            }
        }
    }

    fn write_file(&mut self, server: ServerId, request: &Request) -> Reply {
        let file = listing::parameter(&request.query, "file").unwrap_or_default();
        let name = file.trim_start_matches("%2F").to_owned();
        let target = self.hosts.of(server).folder.path().join(&name);
        if fs::write(target, &request.body).is_err() {
            return Reply::empty(500);
        }
        self.hosts.deeds.push(format!("write {name}"));
        Reply::empty(204)
    }
}
