//! What a client is made of, and what it sends.

use super::*;

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
