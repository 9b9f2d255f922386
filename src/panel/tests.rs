//! The client, against a panel on loopback.

mod answers;
mod making;
mod requests;
mod tries;

use std::sync::Mutex;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::Response;
use reqwest::header::HeaderValue;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";
const KEY: &str = "ptlc_sentinel";

const TUNING: PanelTuning = PanelTuning {
    connect_timeout: Duration::from_mins(1),
    request_timeout: Duration::from_mins(1),
    attempts: 3,
    first_wait: Duration::from_millis(1),
    max_wait: Duration::from_millis(2),
    window: Duration::from_millis(50),
};

/// One request as it came in.
#[derive(Debug, Clone)]
struct Heard {
    target: String,
    headers: HeaderMap,
    at: Instant,
}

/// A panel on loopback that answers by the number of the request and what it asks for.
struct Panel {
    url: Url,
    heard: Arc<Mutex<Vec<Heard>>>,
    task: JoinHandle<()>,
}

impl Drop for Panel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Panel {
    async fn of(answer: impl Fn(usize, &str) -> Response + Clone + Send + Sync + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heard);
        let app = Router::new().fallback(move |request: Request| {
            let target = format!("{} {}", request.method(), request.uri());
            let number = {
                let mut heard = record.lock().unwrap();
                let headers = request.headers().clone();
                heard.push(Heard {
                    target: target.clone(),
                    headers,
                    at: Instant::now(),
                });
                heard.len()
            };
            let answer = answer(number, &target);
            async move { answer }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, heard, task }
    }

    fn client(&self, tuning: PanelTuning) -> PanelClient {
        client(self.url.as_str(), KEY, tuning).unwrap()
    }

    /// Why a client can't list its server's backups.
    async fn unlisted(&self) -> Error {
        let client = self.client(TUNING);
        client.backups(&server_id()).await.unwrap_err()
    }

    fn targets(&self) -> Vec<String> {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .map(|heard| heard.target.clone())
            .collect()
    }
}

fn client(url: &str, key: &str, tuning: PanelTuning) -> Result<PanelClient, Error> {
    let endpoint = PanelEndpoint {
        name: "main".parse().unwrap(),
        base_url: Url::parse(url).unwrap(),
        key: Secret::new(key),
    };
    PanelClient::new(endpoint, tuning)
}

fn server_id() -> ServerId {
    SERVER.parse().unwrap()
}

fn backup_id() -> BackupId {
    BACKUP.parse().unwrap()
}

fn ok(body: &Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}

fn refuse(status: u16, code: &str) -> Response {
    let body = json!({"errors": [{"code": code, "status": status.to_string(), "detail": "x"}]});
    let mut answer = ok(&body);
    *answer.status_mut() = status.try_into().unwrap();
    answer
}

fn with(mut answer: Response, name: &'static str, value: &'static str) -> Response {
    answer
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    answer
}

fn no_backups() -> Response {
    ok(&json!({"object": "list", "data": [],
        "meta": {"pagination": {"total": 0, "count": 0, "per_page": 50, "current_page": 1, "total_pages": 1, "links": {}}}}))
}

fn a_server() -> Response {
    ok(
        &json!({"object": "server", "attributes": {"uuid": SERVER, "identifier": "a1fa0000", "name": "Alpha"}}),
    )
}

fn a_backup(uuid: &str) -> Response {
    ok(
        &json!({"object": "backup", "attributes": {"uuid": uuid, "name": "x", "is_successful": false,
        "checksum": null, "bytes": 0, "created_at": "2025-03-01T03:00:00+00:00", "completed_at": null}}),
    )
}
