//! Answers that are taken for what they are: no panel's, no sense, another's, without end.

use axum::body::Body;
use reqwest::header::HeaderValue;
use serde_json::json;

use super::*;

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
    let error = panel.unlisted().await;
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
        let error = panel.unlisted().await;
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
    let error = panel.unlisted().await;
    assert_eq!(
        error.to_string(),
        format!(
            "could not list the backups of server {SERVER}: the answer makes no sense: missing field `data` at line 1 column 17"
        )
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
    let error = panel.unlisted().await;
    assert_eq!(
        error.to_string(),
        format!(
            "could not list the backups of server {SERVER}: the answer is longer than 16777216 bytes"
        )
    );
    assert_eq!(panel.targets().len(), 1);
}
