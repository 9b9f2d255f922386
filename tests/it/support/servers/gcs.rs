//! Google Cloud Storage as `object_store` speaks to it: its XML API, over an S3 server.
//!
//! No packaged emulator has that API, but it is S3's with other header names, and ministack
//! serves requests that are not signed. What stands between them here renames the headers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use object_store::gcp::GoogleCloudStorageBuilder;
use sha2::Digest;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

use crate::support::servers::ministack;
use crate::support::servers::ministack::Keys;
use crate::support::servers::ports;
use crate::support::servers::ports::Claim;
use crate::support::servers::process;
use crate::support::servers::process::NotStarted;
use crate::support::servers::process::Process;
use crate::support::servers::root::Root;
use crate::support::servers::root::Uploads;
use crate::support::servers::root::View;
use crate::support::servers::seaweedfs::BUCKET;
use crate::support::servers::shared::Shared;
use crate::support::servers::signed::Service;
use crate::support::servers::signed::Signature;

/// A bucket that is there, and that nobody may touch.
pub(crate) const FORBIDDEN_BUCKET: &str = "forbidden";

/// One server with an empty bucket, in memory.
#[derive(Debug)]
pub(crate) struct Gcs {
    process: Process,
    shim: Shim,
    options: BTreeMap<String, String>,
    view: View,
    _claim: Claim<1>,
}

impl Gcs {
    /// The one of this test process.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: Shared<Gcs> = Shared::new();
        SERVER.get(|| process::several_tries(Self::try_start))
    }

    /// One for a test alone, which may kill it.
    pub(crate) fn start() -> Self {
        process::several_tries(Self::try_start).unwrap_or_else(|why| panic!("{why}"))
    }

    fn try_start() -> Result<Self, NotStarted> {
        let claim = ports::claim::<1>();
        let behind = format!("http://127.0.0.1:{}", claim.ports[0]);
        let service = Arc::new(Service {
            endpoint: behind.clone(),
            signature: Signature::None,
        });
        let process = ministack::start_process("gcs", claim.ports[0], Keys::Ignored, &service)?;
        let shim = Shim::start(behind);
        let account = service_account(&shim.endpoint);
        let store = GoogleCloudStorageBuilder::new()
            .with_bucket_name(BUCKET)
            .with_service_account_key(&account)
            .build()
            .unwrap();
        Ok(Self {
            process,
            shim,
            options: [("service_account_key".to_owned(), account)].into(),
            view: View::Bucket {
                url: format!("gs://{BUCKET}"),
                name: BUCKET,
                store: Arc::new(store),
                uploads: Uploads::Listed(service),
            },
            _claim: claim,
        })
    }

    /// A prefix of its bucket.
    pub(crate) fn root(&self, prefix: &str) -> Root {
        Root::in_bucket(self.view.clone(), self.options.clone(), prefix)
    }

    /// Ends it as a loss of power would; its address refuses connections from then on.
    pub(crate) fn kill(&mut self) {
        self.shim.stop();
        self.process.kill();
    }
}

/// The key file of a service account at an endpoint that asks for no token.
pub(crate) fn service_account(endpoint: &str) -> String {
    serde_json::json!({
        "gcs_base_url": endpoint,
        "disable_oauth": true,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    })
    .to_string()
}

/// What the shim holds: the server behind it.
#[derive(Debug, Clone)]
struct Behind {
    endpoint: String,
    client: reqwest::Client,
}

/// What renames, on a runtime of its own, so that stopping it cuts its connections.
#[derive(Debug)]
struct Shim {
    runtime: Option<Runtime>,
    endpoint: String,
}

impl Shim {
    fn start(behind: String) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("gcs-shim")
            .enable_all()
            .build()
            .unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let app = Router::new().fallback(answer).with_state(Behind {
                endpoint: behind,
                client: reqwest::Client::builder().no_proxy().build().unwrap(),
            });
            let listener = TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
        Self {
            runtime: Some(runtime),
            endpoint: format!("http://{address}"),
        }
    }

    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn answer(State(behind): State<Behind>, request: Request) -> Response {
    let path = request.uri().path();
    let bucket = path.trim_start_matches('/').split('/').next();
    if bucket == Some(FORBIDDEN_BUCKET) {
        return error(StatusCode::FORBIDDEN, "AccessDenied", "Access denied.");
    }
    match translate(&behind, request).await {
        Ok(response) => response,
        Err(Refusal::Precondition) => error(
            StatusCode::PRECONDITION_FAILED,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold.",
        ),
        Err(Refusal::Behind(why)) => {
            error(StatusCode::BAD_GATEWAY, "BadGateway", &format!("{why:?}"))
        }
    }
}

enum Refusal {
    Precondition,
    Behind(reqwest::Error),
}

impl From<reqwest::Error> for Refusal {
    fn from(error: reqwest::Error) -> Self {
        Self::Behind(error)
    }
}

async fn translate(behind: &Behind, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = format!("{}{}", behind.endpoint, parts.uri);
    let headers = behind.request_headers(&parts.uri, &parts.headers).await?;
    let answer = behind
        .client
        .request(parts.method.clone(), target)
        .headers(headers)
        .body(body)
        .send()
        .await?;
    let status = answer.status();
    let mut headers = answer.headers().clone();
    let bytes = answer.bytes().await?;
    if parts.method != Method::HEAD {
        headers.remove(header::CONTENT_LENGTH);
    }
    let mut response = Response::new(Body::from(bytes.clone()));
    *response.status_mut() = status;
    *response.headers_mut() = response_headers(&headers, &bytes);
    Ok(response)
}

impl Behind {
    /// The headers of a request as S3 knows them, after its generation condition was checked.
    async fn request_headers(
        &self,
        uri: &axum::http::Uri,
        from: &HeaderMap,
    ) -> Result<HeaderMap, Refusal> {
        let mut to = HeaderMap::new();
        for (name, value) in from {
            match name.as_str() {
                "authorization"
                | "host"
                | "connection"
                | "transfer-encoding"
                | "content-length"
                | "x-goog-if-generation-match" => {}
                other => {
                    to.append(renamed(other, "x-goog-", "x-amz-"), value.clone());
                }
            }
        }
        let Some(wanted) = from.get("x-goog-if-generation-match") else {
            return Ok(to);
        };
        let existing = self.etag_of(uri).await?;
        if wanted != "0" {
            let etag = existing.filter(|etag| *wanted == generation(etag));
            to.insert(header::IF_MATCH, etag.ok_or(Refusal::Precondition)?);
        } else if from.contains_key("x-goog-copy-source") {
            // S3 has no such condition on a copy.
            if existing.is_some() {
                return Err(Refusal::Precondition);
            }
        } else {
            to.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        Ok(to)
    }

    async fn etag_of(&self, uri: &axum::http::Uri) -> Result<Option<HeaderValue>, Refusal> {
        let target = format!("{}{}", self.endpoint, uri.path());
        let answer = self.client.head(target).send().await?;
        let etag = answer.headers().get(header::ETAG).cloned();
        Ok(etag.filter(|_etag| answer.status().is_success()))
    }
}

/// The headers of an answer as Google names them, with the object's generation.
fn response_headers(from: &HeaderMap, body: &Bytes) -> HeaderMap {
    let mut to = HeaderMap::new();
    for (name, value) in from {
        match name.as_str() {
            "connection" | "transfer-encoding" => {}
            other => {
                to.append(renamed(other, "x-amz-", "x-goog-"), value.clone());
            }
        }
    }
    let etag = from
        .get(header::ETAG)
        .cloned()
        .or_else(|| etag_in(std::str::from_utf8(body).ok()?));
    if let Some(etag) = etag {
        to.insert("x-goog-generation", generation(&etag).parse().unwrap());
    }
    to
}

fn renamed(name: &str, from: &str, to: &str) -> HeaderName {
    match name.strip_prefix(from) {
        Some(rest) => format!("{to}{rest}").parse().unwrap(),
        None => name.parse().unwrap(),
    }
}

/// The tag in the answer that completes an upload.
fn etag_in(body: &str) -> Option<HeaderValue> {
    let answer = body.split_once("<CompleteMultipartUploadResult")?.1;
    let tag = answer.split_once("<ETag>")?.1.split_once("</ETag>")?.0;
    tag.replace("&quot;", "\"").parse().ok()
}

/// A number that stands for an entity tag.
fn generation(etag: &HeaderValue) -> String {
    let digest = Sha256::digest(etag.as_bytes());
    let number = digest[..7]
        .iter()
        .fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
    (number + 1).to_string()
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
