//! The small part of a panel and its node that a mirror run talks to (`panel-contract.md`
//! sections 2 to 4), as fast as it goes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::archive::Archive;
use crate::http;
use crate::http::Body;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Service;

/// The length that the backups of a panel without an archive claim.
pub(crate) const CLAIMED_BYTES: u64 = 1 << 30;

/// When every backup was made: long enough ago not to be looked at twice.
const MADE_AT: &str = "2024-06-01T03:00:00+00:00";

/// A running panel.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) address: SocketAddr,
}

#[derive(Debug)]
struct Site {
    servers: u64,
    backups: u64,
    archive: Option<Archive>,
}

/// The uuid of the n-th server, from 1.
pub(crate) fn server_uuid(number: u64) -> String {
    format!("{number:08x}-0000-4000-8000-{number:012x}")
}

/// The uuid of the n-th backup of a server, both from 1.
pub(crate) fn backup_uuid(server: u64, number: u64) -> String {
    format!("{server:08x}-{number:04x}-4000-9000-{server:012x}")
}

/// The digest that a panel without an archive claims for all backups.
pub(crate) fn claimed_sha1() -> String {
    "5".repeat(40)
}

impl Panel {
    /// One server with one backup: this archive.
    pub(crate) fn with(archive: &Archive) -> io::Result<Self> {
        Self::start(Site {
            servers: 1,
            backups: 1,
            archive: Some(archive.clone()),
        })
    }

    /// Many servers with backups that can only be listed.
    pub(crate) fn of(servers: u64, backups: u64) -> io::Result<Self> {
        Self::start(Site {
            servers,
            backups,
            archive: None,
        })
    }

    fn start(site: Site) -> io::Result<Self> {
        Ok(Self {
            address: http::serve(Arc::new(site))?,
        })
    }

    /// The panel's address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the archive is to be had without asking.
    pub(crate) fn archive_url(&self) -> String {
        format!("http://{}/archive", self.address)
    }
}

impl Site {
    fn server(number: u64) -> Value {
        let uuid = server_uuid(number);
        json!({"object": "server", "attributes": {
            "server_owner": true, "identifier": format!("{number:08x}"), "uuid": uuid,
            "name": format!("Server {number}"), "node": "node1", "description": "",
            "is_node_under_maintenance": false, "status": null, "is_suspended": false,
            "is_installing": false, "is_transferring": false,
            "limits": {"memory": 1024, "swap": 0, "disk": 10240, "io": 500, "cpu": 100},
            "feature_limits": {"databases": 0, "allocations": 0, "backups": 20},
            "invocation": "java -jar server.jar", "docker_image": "java:21",
            "relationships": {
                "allocations": {"object": "list", "data": [{"object": "allocation",
                    "attributes": {"ip": "192.0.2.7", "ip_alias": null, "port": 25565, "is_default": true}}]},
                "variables": {"object": "list", "data": [{"object": "egg_variable",
                    "attributes": {"name": "Jar", "env_variable": "JARFILE", "server_value": "server.jar", "default_value": ""}}]},
                "egg": {"object": "egg", "attributes": {"uuid": server_uuid(0), "name": "Paper"}}}}})
    }

    fn backup(&self, server: u64, number: u64) -> Value {
        let (sha1, bytes) = match &self.archive {
            Some(archive) => (archive.sha1.clone(), archive.bytes),
            None => (claimed_sha1(), CLAIMED_BYTES),
        };
        json!({"object": "backup", "attributes": {
            "uuid": backup_uuid(server, number), "name": format!("nightly {number}"),
            "is_successful": true, "is_locked": false, "ignored_files": [],
            "checksum": format!("sha1:{sha1}"), "bytes": bytes,
            "created_at": MADE_AT, "completed_at": MADE_AT}})
    }

    /// One page of a list, pages and rows counted from 1.
    fn page(request: &Request, total: u64, most: u64, row: impl Fn(u64) -> Value) -> Value {
        let per_page = request.parameter("per_page").unwrap_or(most).min(most);
        let page = request.parameter("page").unwrap_or(1);
        let first = (page - 1) * per_page;
        let data: Vec<Value> = (first + 1..=total.min(first + per_page)).map(row).collect();
        json!({"object": "list", "meta": {"pagination": {
            "total": total, "count": data.len(), "per_page": per_page, "current_page": page,
            "total_pages": total.div_ceil(per_page).max(1), "links": {}}}, "data": data})
    }

    /// The number that a server's uuid or short id begins with.
    fn number(id: &str) -> u64 {
        let digits = id.split('-').next().unwrap_or_default();
        u64::from_str_radix(digits, 16).unwrap_or(0)
    }
}

impl Service for Site {
    fn answer(&self, request: &Request) -> Reply {
        let words: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let answer = match words.as_slice() {
            ["archive"] => match &self.archive {
                Some(archive) => {
                    return Reply {
                        status: "200 OK",
                        headers: vec![("content-type", "application/octet-stream".to_owned())],
                        body: Body::Archive(archive.clone()),
                    };
                }
                None => Value::Null,
            },
            ["api", "client"] => Self::page(request, self.servers, 100, Self::server),
            ["api", "client", "servers", id] => Self::server(Self::number(id)),
            ["api", "client", "servers", id, "backups"] => {
                let server = Self::number(id);
                Self::page(request, self.backups, 50, |number| {
                    self.backup(server, number)
                })
            }
            ["api", "client", "servers", _, "backups", _, "download"] => {
                let host = request.headers.get("host").cloned().unwrap_or_default();
                json!({"object": "signed_url", "attributes": {"url": format!("http://{host}/archive")}})
            }
            _unknown => Value::Null,
        };
        let status = if answer.is_null() {
            "404 Not Found"
        } else {
            "200 OK"
        };
        let mut reply = Reply::text(status, "application/json", answer.to_string());
        // A panel whose limit is not what is measured.
        reply.headers.extend(
            ["x-ratelimit-limit", "x-ratelimit-remaining"]
                .map(|name| (name, 1_000_000_u32.to_string())),
        );
        reply
    }
}
