use std::sync::Mutex;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::Response;
use reqwest::header::HeaderValue;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::model::retry::Retry;

use super::*;

const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";
const KEY: &str = "ptlc_sentinel";

const TUNING: PanelTuning = PanelTuning {
    connect_timeout: Duration::from_secs(5),
    request_timeout: Duration::from_secs(5),
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

#[tokio::test]
async fn a_request_carries_the_key_asks_for_json_and_keeps_no_cookie() {
    let panel = Panel::of(|_, _| with(no_backups(), "set-cookie", "session=1; Path=/")).await;
    let client = client(&format!("{}behind/a/proxy//", panel.url), KEY, TUNING).unwrap();
    client.backups(&server_id()).await.unwrap();
    client.backups(&server_id()).await.unwrap();
    let target =
        format!("GET /behind/a/proxy/api/client/servers/{SERVER}/backups?per_page=50&page=1");
    assert_eq!(panel.targets(), [target.clone(), target]);
    let heard = panel.heard.lock().unwrap().last().unwrap().headers.clone();
    let header = |name: &str| {
        heard
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(header("authorization"), Some(format!("Bearer {KEY}")));
    assert_eq!(header("accept"), Some("application/json".to_owned()));
    assert_eq!(
        header("user-agent"),
        Some(format!("nestegg/{}", env!("CARGO_PKG_VERSION")))
    );
    for absent in ["cookie", "referer", "origin", "accept-encoding"] {
        assert_eq!(header(absent), None, "{absent}");
    }
}

#[test]
fn addresses_that_no_panel_has_are_refused() {
    let said = |url: &str| client(url, KEY, TUNING).unwrap_err().to_string();
    for (url, why) in [
        (
            "ftp://panel.example.com",
            "`ftp` is not usable as a panel's address: it must begin with https:// or http://",
        ),
        (
            "https://u:sentinel@panel.example.com/x",
            "`https://panel.example.com/x` is not usable as a panel's address: it must not hold a user or password",
        ),
        (
            "https://panel.example.com/?key=sentinel",
            "`https://panel.example.com/` is not usable as a panel's address: it must end with its path, without `?` and `#`",
        ),
        (
            "https://panel.example.com/#x",
            "`https://panel.example.com/` is not usable as a panel's address: it must end with its path, without `?` and `#`",
        ),
    ] {
        assert_eq!(said(url), why);
    }
    let base = client("https://panel.example.com/prefix//", KEY, TUNING).unwrap();
    assert_eq!(base.base_url().as_str(), "https://panel.example.com/prefix");
}

#[test]
fn keys_that_no_header_bears_are_refused_without_being_shown() {
    for key in [
        "",
        "\n",
        "ptlc_sentinel\nX: y",
        "ptlc_ sentinel",
        " sentinel",
        "sentinel\u{e9}",
        "sentinel\0",
    ] {
        let error = client("https://panel.example.com", key, TUNING).unwrap_err();
        assert!(matches!(error, Error::UnusableKey { .. }), "{key:?}");
        assert!(!format!("{error} {error:?} {}", error.hint()).contains("sentinel"));
    }
    let shown = format!(
        "{:?}",
        client("https://panel.example.com", KEY, TUNING).unwrap()
    );
    assert_eq!(
        shown,
        "PanelClient { name: PanelName(\"main\"), base_url: \"https://panel.example.com/\", .. }"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_goes_nowhere_else() {
    let other = Panel::of(|_, _| no_backups()).await;
    let to = HeaderValue::from_str(&format!("{}login?t=sentinel", other.url)).unwrap();
    let panel = Panel::of(move |_, _| {
        let mut answer = axum::http::StatusCode::FOUND.into_response();
        answer.headers_mut().insert("location", to.clone());
        answer
    })
    .await;
    let error = panel
        .client(TUNING)
        .backups(&server_id())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not list the backups of server {SERVER}: the answer is a redirect to {}login instead of a panel's API (HTTP 302)",
            other.url
        )
    );
    assert_eq!((panel.targets().len(), other.targets().len()), (1, 0));
}

#[tokio::test]
async fn a_web_page_with_status_200_is_not_an_empty_list() {
    for (body, stray) in [
        ("\n <!DOCTYPE html><html>", Stray::Html),
        ("", Stray::Other),
        ("{\"data\":[", Stray::Other),
    ] {
        let panel = Panel::of(move |_, _| body.into_response()).await;
        let error = panel
            .client(TUNING)
            .backups(&server_id())
            .await
            .unwrap_err();
        let Error::NotThePanel {
            status: 200,
            stray: found,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((found, panel.targets().len()), (stray, 1));
    }
}

#[tokio::test]
async fn json_of_another_shape_is_malformed() {
    let panel = Panel::of(|_, _| ok(&json!({"object": "list"}))).await;
    let error = panel
        .client(TUNING)
        .backups(&server_id())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not list the backups of server {SERVER}: the answer makes no sense: missing field `data` at line 1 column 17"
        )
    );
}

#[tokio::test]
async fn passing_failures_are_tried_again_and_the_last_is_told() {
    let panel = Panel::of(|number, _| match number {
        1 => refuse(500, "QueryException"),
        2 => (axum::http::StatusCode::BAD_GATEWAY, "<html>").into_response(),
        _ => no_backups(),
    })
    .await;
    panel.client(TUNING).backups(&server_id()).await.unwrap();
    assert_eq!(panel.targets().len(), 3);

    for status in [500, 502, 503, 504] {
        let panel = Panel::of(move |_, _| refuse(status, "HttpException")).await;
        let error = panel
            .client(TUNING)
            .backups(&server_id())
            .await
            .unwrap_err();
        assert_eq!(error.retry(), Retry::Backoff, "{error}");
        assert_eq!(panel.targets().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for status in [400, 401, 403, 404, 405, 409, 422, 501, 507] {
        let panel = Panel::of(move |_, _| refuse(status, "AnyException")).await;
        let error = panel
            .client(TUNING)
            .backups(&server_id())
            .await
            .unwrap_err();
        assert_eq!(
            (error.retry(), panel.targets().len()),
            (Retry::Never, 1),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_429_holds_everybody_back_for_as_long_as_it_says() {
    let panel = Panel::of(|number, _| match number {
        1 => with(refuse(429, "ThrottleRequestsException"), "retry-after", "1"),
        _ => no_backups(),
    })
    .await;
    let first = panel.client(PanelTuning {
        attempts: 1,
        ..TUNING
    });
    let second = first.clone();
    let error = first.backups(&server_id()).await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(1)));
    second.backups(&server_id()).await.unwrap();
    let heard = panel.heard.lock().unwrap().clone();
    assert!(heard[1].at - heard[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_429_is_waited_out_within_reason() {
    let panel = Panel::of(|number, _| match number {
        1 => with(refuse(429, "ThrottleRequestsException"), "retry-after", "0"),
        _ => no_backups(),
    })
    .await;
    panel.client(TUNING).backups(&server_id()).await.unwrap();
    assert_eq!(panel.targets().len(), 2);

    let panel = Panel::of(|_, _| {
        with(
            refuse(429, "ThrottleRequestsException"),
            "retry-after",
            "86400",
        )
    })
    .await;
    let error = panel
        .client(TUNING)
        .backups(&server_id())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not list the backups of server {SERVER}: the panel's rate limit is used up, and wants 86400 s of waiting"
        )
    );
    assert_eq!((error.retry(), panel.targets().len()), (Retry::Never, 1));
}

#[tokio::test]
async fn a_used_up_budget_holds_everybody_back_for_a_window() {
    let panel = Panel::of(|_, _| {
        with(
            with(no_backups(), "x-ratelimit-limit", "720"),
            "x-ratelimit-remaining",
            "0",
        )
    })
    .await;
    let window = Duration::from_millis(300);
    let first = panel.client(PanelTuning { window, ..TUNING });
    first.backups(&server_id()).await.unwrap();
    first.clone().backups(&server_id()).await.unwrap();
    let heard = panel.heard.lock().unwrap().clone();
    assert!(heard[1].at - heard[0].at >= window);
}

#[tokio::test]
async fn making_a_backup_is_never_asked_for_twice() {
    for status in [429, 500, 502, 503, 504] {
        let panel =
            Panel::of(move |_, _| with(refuse(status, "AnyException"), "retry-after", "0")).await;
        let error = panel
            .client(TUNING)
            .create_backup(&server_id(), &NewBackup::named(None))
            .await
            .unwrap_err();
        assert_eq!(panel.targets().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_throttled_backup_is_told_apart_and_holds_nobody_back() {
    let panel = Panel::of(|_, target| {
        if target.starts_with("POST") {
            with(
                refuse(429, "TooManyRequestsHttpException"),
                "retry-after",
                "599",
            )
        } else {
            no_backups()
        }
    })
    .await;
    let client = panel.client(TUNING);
    let error = client
        .create_backup(&server_id(), &NewBackup::named(Some("nightly".to_owned())))
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(599)));
    assert!(matches!(error, Error::Throttled { .. }), "{error}");
    client.backups(&server_id()).await.unwrap();
}

#[tokio::test]
async fn a_made_backup_is_pending() {
    let panel = Panel::of(|_, _| a_backup(BACKUP)).await;
    let made = panel
        .client(TUNING)
        .create_backup(&server_id(), &NewBackup::named(Some("nightly".to_owned())))
        .await
        .unwrap();
    assert!(matches!(made, Backup::Pending(_)), "{made:?}");
    assert_eq!(
        panel.targets(),
        [format!("POST /api/client/servers/{SERVER}/backups")]
    );
}

#[tokio::test]
async fn a_refused_include_does_not_matter_and_is_not_asked_for_again() {
    for status in [400, 403, 404, 422] {
        let panel = Panel::of(move |_, target| {
            if target.contains("include=egg") {
                refuse(status, "AnyException")
            } else {
                a_server()
            }
        })
        .await;
        let client = panel.client(TUNING);
        client.server("a1fa0000").await.unwrap();
        client.server(SERVER).await.unwrap();
        assert_eq!(
            panel.targets(),
            [
                "GET /api/client/servers/a1fa0000?include=egg".to_owned(),
                "GET /api/client/servers/a1fa0000".to_owned(),
                format!("GET /api/client/servers/{SERVER}"),
            ],
            "{status}"
        );
    }
}

#[tokio::test]
async fn the_whole_panel_is_asked_for_as_administrators_do() {
    let panel = Panel::of(|_, _| no_backups()).await;
    let client = panel.client(TUNING);
    for scope in [ServerScope::WholePanel, ServerScope::Mine] {
        assert_eq!(client.server_listing(scope).await.unwrap().servers, []);
    }
    assert_eq!(
        panel.targets(),
        [
            "GET /api/client?per_page=100&page=1&type=admin-all&include=egg",
            "GET /api/client?per_page=100&page=1&include=egg",
        ]
    );
}

#[tokio::test]
async fn an_id_that_could_leave_its_path_is_never_sent() {
    let panel = Panel::of(|_, _| a_server()).await;
    let client = panel.client(TUNING);
    for id in [
        "",
        ".",
        "..",
        "a/b",
        "a?b",
        "a#b",
        "a%2e",
        "ä",
        "a b",
        &"a".repeat(65),
    ] {
        let error = client.server(id).await.unwrap_err();
        assert!(matches!(error, Error::UnusableId { .. }), "{id}");
    }
    client.server("serv_2hq8000hz48gr0000000a").await.unwrap();
    assert_eq!(
        panel.targets(),
        ["GET /api/client/servers/serv_2hq8000hz48gr0000000a?include=egg"]
    );
}

#[tokio::test]
async fn an_answer_about_another_one_is_not_taken() {
    let other = "11111111-bf44-4933-824f-489198dda9e6";
    let panel = Panel::of(move |_, target| {
        if target.contains("backups") {
            a_backup(other)
        } else {
            a_server()
        }
    })
    .await;
    let client = panel.client(TUNING);
    let backup = client.backup(&server_id(), &backup_id()).await.unwrap_err();
    let server = client.server(other).await.unwrap_err();
    assert_eq!(
        [backup.to_string(), server.to_string()],
        [
            format!(
                "could not read backup {BACKUP}: the answer makes no sense: it is about another one"
            ),
            format!(
                "could not read server {other}: the answer makes no sense: it is about another one"
            ),
        ]
    );
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let panel = Panel::of(|_, _| {
        let blanks =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
        Body::from_stream(blanks).into_response()
    })
    .await;
    let error = panel
        .client(TUNING)
        .backups(&server_id())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not list the backups of server {SERVER}: the answer is longer than 16777216 bytes"
        )
    );
    assert_eq!(panel.targets().len(), 1);
}

#[tokio::test]
async fn a_broken_answer_is_tried_again() {
    let panel = Panel::of(|number, _| {
        let cut = futures_util::stream::iter([Ok("{\"data\":"), Err(std::io::Error::other("cut"))]);
        if number == 1 {
            Body::from_stream(cut).into_response()
        } else {
            no_backups()
        }
    })
    .await;
    panel.client(TUNING).backups(&server_id()).await.unwrap();
    assert_eq!(panel.targets().len(), 2);
}

#[tokio::test]
async fn a_panel_that_never_answers_times_out_and_the_error_shows_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tuning = PanelTuning {
        request_timeout: Duration::from_millis(50),
        attempts: 2,
        ..TUNING
    };
    let error = client(&url, KEY, tuning)
        .unwrap()
        .backups(&server_id())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    let failure = error.failure(crate::model::outcome::Scope::Server, SERVER.to_owned());
    let start =
        format!("could not list the backups of server {SERVER}: {url} did not answer in time: ");
    assert!(failure.message.starts_with(&start), "{}", failure.message);
    assert!(!format!("{failure:?} {error:?}").contains("sentinel"));
}

#[tokio::test]
async fn a_panel_that_is_not_there_is_told_by_its_host() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = client(&url, KEY, TUNING).unwrap();
    let listed = client.backups(&server_id()).await.unwrap_err();
    let made = client
        .create_backup(&server_id(), &NewBackup::named(None))
        .await
        .unwrap_err();
    assert!(matches!(listed, Error::Connect { .. }), "{listed}");
    assert_eq!(
        made.to_string(),
        format!("could not have a backup of server {SERVER} made: could not connect to {url}")
    );
}
