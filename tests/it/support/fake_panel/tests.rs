//! The fake is itself held to the recordings, and to what it promises about faults.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::SignedDuration;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use serde_json::json;

use super::super::archive::Archive;
use super::*;

/// Recorded answers of a real panel and of a real node's download code.
macro_rules! recorded {
    ($name:literal) => {
        Recorded::parse(include_str!(concat!("../../../fixtures/", $name, ".http")))
    };
}

#[path = "tests/api.rs"]
mod api;
#[path = "tests/disks.rs"]
mod disks;
#[path = "tests/restores.rs"]
mod restores;
#[path = "tests/trouble.rs"]
mod trouble;

/// Status, meaning of the JSON, and on how many lines it was written.
type Told = (u16, Value, usize);

struct Recorded {
    status: u16,
    header_names: BTreeSet<String>,
    body: &'static str,
}

impl Recorded {
    fn parse(text: &'static str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .or_else(|| text.split_once("\n\n"))
            .unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        Self {
            status: status.parse().unwrap(),
            header_names: lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, _value)| name.to_ascii_lowercase())
                .collect(),
            body: body.trim_end(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.body).unwrap()
    }

    fn told(&self) -> Told {
        (self.status, self.json(), self.body.lines().count())
    }
}

/// Where values stand and of which kind they are: what a reader of the JSON depends on. Lists count by their first row.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(rows) => Value::Array(rows.iter().take(1).map(shape).collect()),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// Everything of an answer but its timing.
struct Got {
    status: u16,
    headers: HeaderMap,
    /// What came before the connection broke, if it did.
    body: Vec<u8>,
    is_whole: bool,
}

impl Got {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn told(&self) -> Told {
        (self.status, self.json(), self.text().lines().count())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// One client for all tests: it takes long to make, and keeps no connection for another test's runtime.
fn http() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .unwrap()
    });
    &CLIENT
}

async fn send(request: reqwest::RequestBuilder) -> Got {
    let mut response = request.send().await.unwrap();
    let mut got = Got {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: Vec::new(),
        is_whole: true,
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got.body.extend_from_slice(&chunk),
            Ok(None) => return got,
            Err(_broken) => {
                got.is_whole = false;
                return got;
            }
        }
    }
}

async fn get(url: &str) -> Got {
    send(http().get(url)).await
}

/// Asks the panel as a well-behaved client does.
async fn ask(panel: &FakePanel, path: &str) -> Got {
    send(asking(panel, reqwest::Method::GET, path)).await
}

fn asking(panel: &FakePanel, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
    http()
        .request(method, format!("{}/api/client{path}", panel.url()))
        .bearer_auth(panel.key())
        .header("accept", "application/json")
}

async fn link(panel: &FakePanel, server: ServerId, backup: BackupId) -> String {
    let answer = ask(
        panel,
        &format!("/servers/{server}/backups/{backup}/download"),
    )
    .await;
    answer.json()["attributes"]["url"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn download(panel: &FakePanel, server: ServerId, backup: BackupId) -> Got {
    get(&link(panel, server, backup).await).await
}

async fn with_one_backup() -> (FakePanel, ServerId, BackupId, Archive) {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Survival");
    let archive = Archive::of_about(1, 300 * 1024);
    let backup = panel.add_backup(server, "nightly", archive.clone());
    (panel, server, backup, archive)
}
