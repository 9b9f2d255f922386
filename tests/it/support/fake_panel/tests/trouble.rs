//! Faults, actions, closed ports.

use super::*;

#[tokio::test]
async fn spoiled_downloads_are_spoiled_exactly_where_they_say() {
    let (panel, server, backup, archive) = with_one_backup().await;
    let whole = archive.bytes();
    let length = archive.len();
    let after = async |fault| {
        panel.on_download(backup, fault);
        download(&panel, server, backup).await
    };

    let got = after(Fault::FlipByte { at: 200_000 }).await;
    assert_eq!(got.body, archive.with_flipped_byte(200_000).bytes());
    let got = after(Fault::ShortenTo { bytes: 1000 }).await;
    assert_eq!((got.is_whole, &got.body[..]), (true, &whole[..1000]));
    assert_eq!(got.header("content-length"), Some("1000"));
    for bytes in [0, 1, 1000, 200_000, length - 1] {
        let got = after(Fault::CutAfter { bytes }).await;
        assert_eq!((got.status, got.is_whole), (200, false), "{bytes}");
        assert_eq!(got.body, whole[..usize::try_from(bytes).unwrap()]);
        assert_eq!(got.header("content-length").unwrap(), length.to_string());
    }
    let got = after(Fault::Lengthen { by: 3 }).await;
    assert_eq!(got.body, archive.with_trailing(b"+++").bytes());
    let got = after(Fault::NoLength).await;
    assert_eq!(
        (got.header("content-length"), &got.body[..]),
        (None, &whole[..])
    );
    let got = after(Fault::All(vec![
        Fault::NoLength,
        Fault::ShortenTo { bytes: 7 },
    ]))
    .await;
    assert_eq!(
        (got.header("content-length"), &got.body[..]),
        (None, &whole[..7])
    );
    let got = after(Fault::Drip {
        bytes_per_second: 2_000_000,
    })
    .await;
    assert_eq!(got.body, whole);
    // Spoiled once, then fine.
    assert_eq!(download(&panel, server, backup).await.body, whole);
}

#[tokio::test]
async fn a_stalled_download_stays_open_until_the_client_leaves() {
    let (panel, server, backup, archive) = with_one_backup().await;
    panel.on_download(backup, Fault::StallAfter { bytes: 1000 });
    let mut response = http()
        .get(link(&panel, server, backup).await)
        .send()
        .await
        .unwrap();
    let mut received = Vec::new();
    while received.len() < 1000 {
        received.extend_from_slice(&response.chunk().await.unwrap().unwrap());
    }
    assert_eq!(received, archive.bytes()[..1000]);
    let more = tokio::time::timeout(Duration::from_millis(50), response.chunk()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn other_answers_come_in_the_words_of_whoever_is_asked() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    let node = async |fault| {
        panel.on_download(backup, fault);
        download(&panel, server, backup).await
    };
    let got = node(Fault::ResourceMissing).await;
    assert_eq!(
        got.text(),
        recorded!("node/wings-download-2-second-use").body
    );
    let got = node(Fault::BackupMissing).await;
    assert_eq!(
        got.text(),
        recorded!("node/wings-download-missing-file").body
    );
    assert_eq!(node(Fault::Expired).await.status, 500);
    let got = node(Fault::TooManyRequests { retry_after_s: 7 }).await;
    assert_eq!((got.status, got.header("retry-after")), (429, Some("7")));
    let got = node(Fault::Html).await;
    assert_eq!((got.status, &got.body[..9]), (200, &b"<!DOCTYPE"[..]));
    let list = async |fault| {
        panel.on_list(server, fault);
        ask(&panel, &format!("/servers/{server}/backups")).await
    };
    let got = list(Fault::BadGateway).await;
    let recorded = recorded!("panel/proxy-502-php-down");
    assert_eq!(
        (got.status, got.text().trim_end()),
        (recorded.status, recorded.body)
    );
    assert_eq!(list(Fault::Redirect).await.status, 302);
    let got = list(Fault::Garbage).await;
    assert_eq!(
        (
            got.status,
            serde_json::from_str::<Value>(got.text()).is_err()
        ),
        (200, true)
    );
    let got = list(Fault::CutAfter { bytes: 20 }).await;
    assert_eq!((got.body.len(), got.is_whole), (20, false));
    let got = list(Fault::Refusal {
        status: 507,
        code: "InsufficientStorageException".to_owned(),
        detail: "No space.".to_owned(),
    })
    .await;
    assert_eq!(
        got.json()["errors"][0]["code"],
        "InsufficientStorageException"
    );
    panel.on_list(server, Fault::Closed);
    let closed = asking(
        &panel,
        reqwest::Method::GET,
        &format!("/servers/{server}/backups"),
    );
    assert!(closed.send().await.is_err());
    assert_eq!(panel.requests().last().unwrap().answered, None);
    assert_eq!(list(Fault::NoLength).await.status, 200);
}

#[tokio::test]
async fn faults_are_used_up_in_the_order_they_were_planned() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    panel.on(Call::Links, Times::Next(2), Fault::ServerError);
    panel.on(Call::Link(backup), Times::Next(1), Fault::Unavailable);
    panel.on(Call::Panel, Times::Forever, Fault::BadGateway);
    let path = format!("/servers/{server}/backups/{backup}/download");
    for expected in [500, 500, 503, 502, 502] {
        assert_eq!(ask(&panel, &path).await.status, expected);
    }
    panel.calm();
    assert_eq!(ask(&panel, &path).await.status, 200);
}

#[tokio::test]
async fn rows_may_move_between_two_pages_and_links_and_downloads() {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Alpha");
    let rows: Vec<BackupId> = (0..5)
        .map(|seed| panel.add_backup(server, "nightly", Archive::small(seed)))
        .collect();
    let first = rows[0];
    panel.before(Call::BackupsPage(server, 2), move |script| {
        script.delete_backup(first);
    });
    let page = async |number: u32| -> (Vec<String>, u64) {
        let path = format!("/servers/{server}/backups?per_page=2&page={number}");
        let body = ask(&panel, &path).await.json();
        let rows = body["data"].as_array().unwrap().iter();
        let uuids = rows.map(|row| row["attributes"]["uuid"].as_str().unwrap().to_owned());
        let total = body["meta"]["pagination"]["total"].as_u64().unwrap();
        (uuids.collect(), total)
    };
    assert_eq!(
        page(1).await,
        (vec![rows[0].to_string(), rows[1].to_string()], 5)
    );
    // The third row has slipped to the first page.
    assert_eq!(
        page(2).await,
        (vec![rows[3].to_string(), rows[4].to_string()], 4)
    );
    let path = format!("/servers/{server}/backups/{first}/download");
    assert_eq!(ask(&panel, &path).await.status, 404);
    let second = rows[1];
    panel.before(Call::Downloads, move |script| script.lose_archive(second));
    assert_eq!(download(&panel, server, second).await.status, 404);

    panel.edit_server(server, |row| row.listing = Listing::Endless);
    let (one, two) = (page(1).await.0, page(2).await.0);
    assert_eq!((one.len(), two.len()), (2, 2));
    assert_eq!(one.iter().chain(&two).collect::<BTreeSet<_>>().len(), 4);
    panel.edit_server(server, |row| row.listing = Listing::Repeating);
    assert_eq!(page(1).await.0, page(7).await.0);
}

#[tokio::test]
async fn an_open_request_ends_when_its_port_is_closed_and_works_again_when_it_is_opened() {
    let (panel, server, backup, archive) = with_one_backup().await;
    panel.on_download(backup, Fault::StallAfter { bytes: 10 });
    let url = link(&panel, server, backup).await;
    let mut response = http().get(&url).send().await.unwrap();
    while response
        .chunk()
        .await
        .unwrap()
        .is_none_or(|chunk| chunk.is_empty())
    {}
    panel.stop_node().await;
    assert!(response.chunk().await.is_err());
    let fresh = link(&panel, server, backup).await;
    assert!(http().get(&fresh).send().await.unwrap_err().is_connect());
    panel.start_node().await.unwrap();
    assert_eq!(get(&fresh).await.body, archive.bytes());
    panel.stop_panel().await;
    let down = asking(&panel, reqwest::Method::GET, "").send().await;
    assert!(down.unwrap_err().is_connect());
    panel.start_panel().await.unwrap();
    assert_eq!(ask(&panel, "").await.status, StatusCode::OK.as_u16());
}

#[tokio::test]
async fn hostile_values_are_sent_as_they_are() {
    let (panel, server, backup, archive) = with_one_backup().await;
    let long = "x".repeat(10_000);
    for name in ["../../etc/passwd", "nul \0 inside", "🥚🪺", long.as_str()] {
        panel.edit(backup, |row| {
            name.clone_into(&mut row.name);
            "not/a/uuid".clone_into(&mut row.wire_uuid);
        });
        panel.set_checksum(backup, "sha1:nonsense");
        let list = ask(&panel, &format!("/servers/{server}/backups"))
            .await
            .json();
        let attributes = &list["data"][0]["attributes"];
        assert_eq!(attributes["name"], name);
        assert_eq!(attributes["uuid"], "not/a/uuid");
        assert_eq!(attributes["checksum"], "sha1:nonsense");
        assert_eq!(attributes["bytes"], archive.len());
    }
    assert_eq!(panel.requests_to(Site::Panel).len(), 4);
    assert_eq!(panel.leaks(), []);
}
