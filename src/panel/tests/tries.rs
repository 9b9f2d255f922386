//! What is tried again, what is waited for, and what is given up.

use axum::body::Body;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;

use super::*;
use crate::model::retry::Retry;

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
        let error = panel.unlisted().await;
        assert_eq!(error.retry(), Retry::Backoff, "{error}");
        assert_eq!(panel.targets().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn refusals_are_not_tried_again() {
    for status in [400, 401, 403, 404, 405, 409, 422, 501, 507] {
        let panel = Panel::of(move |_, _| refuse(status, "AnyException")).await;
        let error = panel.unlisted().await;
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
    let error = panel.unlisted().await;
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
    // Held, so that nobody else gets it, and not listened on.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", held.local_addr().unwrap());
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
