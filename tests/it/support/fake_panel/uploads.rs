//! The node's port for files: one `POST` a token, its limit looked at after the whole body
//! (`panel-contract.md` section 7).

use axum::body::Body;
use bytes::Bytes;
use bytes::BytesMut;
use futures_util::StreamExt as _;
use serde_json::json;

use super::fault::Call;
use super::fault::HostCall;
use super::listing;
use super::log::Request;
use super::log::Site;
use super::reply::Reply;
use super::script::Script;
use super::state::State;
use super::words;

pub(super) fn is_one(site: Site, head: &axum::http::request::Parts) -> bool {
    site == Site::Node && head.uri.path() == "/upload/file"
}

/// The body, as it came through a node's spool; `None` when it broke off.
pub(super) async fn whole(script: &Script, body: Body) -> Option<Bytes> {
    let mut taken = BytesMut::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.ok()?;
        script.state().hosts.upload_bytes += chunk.len() as u64;
        taken.extend_from_slice(&chunk);
    }
    Some(taken.freeze())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// The one file of a form: its base name and its bytes.
fn file_of(request: &Request) -> Option<(String, Bytes)> {
    let body = request.file.clone()?;
    let boundary = request.header("content-type")?.split_once("boundary=")?.1;
    let closing = format!("\r\n--{boundary}--\r\n");
    let head_end = find(&body, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(body.get(..head_end)?).into_owned();
    if !head.contains("name=\"files\"") {
        return None;
    }
    let name = head.split_once("filename=\"")?.1.split_once('"')?.0;
    let name = name.rsplit('/').next()?.to_owned();
    let rest = body.slice(head_end + 4..);
    let end = rest.len().checked_sub(closing.len())?;
    (rest.get(end..)? == closing.as_bytes()).then(|| (name, rest.slice(..end)))
}

impl State {
    /// The upload that a request to the node is.
    pub(super) fn upload_of(&self, request: &Request) -> Option<Call> {
        let token = listing::parameter(&request.query, "token")?;
        let token = self.hosts.tokens.get(token)?;
        Some(Call::Host(token.server, HostCall::Upload))
    }

    pub(super) fn take_upload(&mut self, request: &Request) -> Reply {
        let token = listing::parameter(&request.query, "token").unwrap_or_default();
        let Some(token) = self.hosts.tokens.get_mut(token).filter(|one| !one.is_used) else {
            return words::node_resource_missing();
        };
        token.is_used = true;
        let server = token.server;
        let refuse = |error: &str| words::node_error(400, &json!({"error": error}));
        let Some((name, bytes)) = file_of(request) else {
            return refuse("The request body could not be read: unexpected EOF");
        };
        let length = bytes.len() as u64;
        let limit = self.hosts.rules.upload_limit_bytes;
        if length > limit {
            return refuse(&format!(
                "File {name} is larger than the maximum file upload size of {} MB.",
                limit >> 20
            ));
        }
        let limit_mib = self.limit_mib(server);
        if !self.hosts.has_room(server, limit_mib, length) {
            return refuse("There is not enough disk space available to perform that action.");
        }
        let target = self.hosts.of(server).folder.path().join(&name);
        if std::fs::write(target, &bytes).is_err() {
            return refuse("could not write");
        }
        self.hosts.deeds.push(format!("upload {name}"));
        Reply::empty(200)
    }
}
