//! An S3 server that throws everything away: what is left is the client's own work.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::http;
use crate::http::Body;
use crate::http::Reply;
use crate::http::Request;
use crate::http::Service;

const XML: &str = "application/xml";

/// The lengths of objects, and of the parts of uploads, by path.
#[derive(Debug, Default)]
struct Sink {
    objects: Mutex<BTreeMap<String, u64>>,
    parts: Mutex<BTreeMap<String, BTreeMap<u64, u64>>>,
}

/// Starts one.
pub(crate) fn start() -> io::Result<SocketAddr> {
    http::serve(Arc::<Sink>::default())
}

fn lock<T>(map: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

fn done() -> Reply {
    let mut reply = Reply::text("200 OK", XML, String::new());
    reply.headers.push(("etag", "\"0\"".to_owned()));
    reply
}

impl Sink {
    fn look(&self, path: &str) -> Reply {
        match lock(&self.objects).get(path) {
            Some(bytes) => Reply {
                status: "200 OK",
                headers: vec![
                    ("etag", "\"0\"".to_owned()),
                    ("last-modified", "Sat, 01 Jun 2024 03:00:00 GMT".to_owned()),
                ],
                body: Body::Length(*bytes),
            },
            None => Self::unknown(),
        }
    }

    fn unknown() -> Reply {
        let body = "<Error><Code>NoSuchKey</Code><Message>not there</Message></Error>";
        Reply::text("404 Not Found", XML, body.to_owned())
    }
}

impl Service for Sink {
    fn answer(&self, request: &Request) -> Reply {
        let path = &request.path;
        let part = request.parameter("partNumber");
        let is_upload = request.query.contains_key("uploadId");
        match (request.method.as_str(), part) {
            ("PUT", Some(part)) => {
                let mut parts = lock(&self.parts);
                let parts = parts.entry(path.clone()).or_default();
                parts.insert(part, request.payload_bytes());
                done()
            }
            ("PUT", None) => {
                lock(&self.objects).insert(path.clone(), request.payload_bytes());
                done()
            }
            ("POST", _) if request.query.contains_key("uploads") => {
                lock(&self.parts).remove(path);
                let text = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>";
                Reply::text("200 OK", XML, text.to_owned())
            }
            ("POST", _) if is_upload => {
                let parts = lock(&self.parts).remove(path).unwrap_or_default();
                lock(&self.objects).insert(path.clone(), parts.into_values().sum());
                let text = "<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>";
                Reply::text("200 OK", XML, text.to_owned())
            }
            ("DELETE", _) => {
                lock(&self.parts).remove(path);
                Reply::text("204 No Content", XML, String::new())
            }
            ("HEAD", _) => match self.look(path) {
                found @ Reply {
                    body: Body::Length(_),
                    ..
                } => found,
                missing => Reply {
                    body: Body::Length(0),
                    ..missing
                },
            },
            _get => Self::unknown(),
        }
    }
}
