//! What a panel, a node and an S3 disk say besides the panel's refusals, worded as recorded.

use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::log::Site;
use super::refusal::Refusal;
use super::reply::Reply;
use super::state::Dialect;

/// A right answer of the panel.
pub(super) fn json_reply(body: &Value) -> Reply {
    Reply::new(200, "application/json", compact(body))
}

/// As PHP writes it: no spaces, slashes escaped.
pub(super) fn compact(body: &Value) -> String {
    body.to_string().replace('/', "\\/")
}

/// With four spaces, as the panel writes most refusals.
pub(super) fn pretty(body: &Value) -> String {
    let mut text = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, indent);
    match body.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_never) => body.to_string(),
    }
}

pub(super) fn login_redirect(panel_url: &str) -> Reply {
    let target = format!("{panel_url}/auth/login");
    let body = format!(
        "<!DOCTYPE html>\n<html>\n    <head>\n        <title>Redirecting to {target}</title>\n    </head>\n    \
         <body>\n        Redirecting to <a href=\"{target}\">{target}</a>.\n    </body>\n</html>"
    );
    Reply::new(302, "text/html; charset=UTF-8", body).header("location", target)
}

/// The panel's own error page, or its login page with status 200.
pub(super) fn page(status: u16, title: &str) -> Reply {
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n    <head>\n        <meta charset=\"utf-8\">\n        \
         <title>{title}</title>\n    </head>\n    <body>\n        <h1>{title}</h1>\n    </body>\n</html>"
    );
    Reply::new(status, "text/html; charset=UTF-8", body)
}

pub(super) fn bad_gateway() -> Reply {
    let body = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
                <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n\
                </body>\r\n</html>\r\n";
    Reply::new(502, "text/html; charset=utf-8", body)
}

/// The headers that a node sets on every answer.
const NODE_HEADERS: [(&str, &str); 4] = [
    ("access-control-allow-credentials", "true"),
    (
        "access-control-allow-headers",
        "Accept, Accept-Encoding, Authorization, Cache-Control, Content-Type, Content-Length, Origin, X-Real-IP, X-CSRF-Token",
    ),
    (
        "access-control-allow-methods",
        "GET, POST, PATCH, PUT, DELETE, OPTIONS",
    ),
    ("access-control-max-age", "7200"),
];

/// A node's answer with the headers that all of them have.
pub(super) fn from_node(mut reply: Reply, panel_url: &str, request_id: &str) -> Reply {
    for (name, value) in NODE_HEADERS {
        reply = reply.header(name, value);
    }
    reply
        .header("access-control-allow-origin", panel_url)
        .header("x-request-id", request_id)
}

pub(super) fn node_error(status: u16, error: &Value) -> Reply {
    Reply::new(status, "application/json; charset=utf-8", error.to_string())
}

pub(super) fn node_resource_missing() -> Reply {
    let error = json!({"error": "The requested resource was not found on this server."});
    node_error(404, &error)
}

pub(super) fn node_backup_missing() -> Reply {
    let error = json!({"error": "The requested backup was not found on this server."});
    node_error(404, &error)
}

/// An expired token, a bad one, none, and any trouble of the node's own: all the same to it.
pub(super) fn node_unexpected(request_id: &str) -> Reply {
    let error = json!({
        "error": "An unexpected error was encountered while processing this request",
        "request_id": request_id,
    });
    node_error(500, &error)
}

pub(super) fn node_no_route() -> Reply {
    Reply::new(404, "text/plain", "404 page not found")
}

/// An S3 server's XML.
pub(super) fn s3_error(status: u16, code: &str, message: &str, path: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
         <Resource>{path}</Resource><RequestId>18EA3E4C28A594BAA99A3914</RequestId></Error>"
    );
    Reply::new(status, "application/xml", body)
}

/// 429 in the words of whoever stands there.
pub(super) fn throttled(site: Site, retry_after_s: u64) -> Reply {
    match site {
        Site::Panel => Refusal::too_many_attempts(retry_after_s).json(Dialect::Pterodactyl),
        Site::Node => page(429, "Too Many Requests"),
        Site::S3 => s3_error(429, "SlowDown", "Please reduce your request rate.", "/"),
    }
    .header("retry-after", retry_after_s)
}
