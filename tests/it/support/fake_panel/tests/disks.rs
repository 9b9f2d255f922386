//! Node, S3 disk, and their links.

use super::*;

#[tokio::test]
async fn the_node_serves_a_token_once_and_answers_as_recorded() {
    let (panel, server, backup, archive) = with_one_backup().await;
    let url = link(&panel, server, backup).await;

    let head = send(http().head(&url)).await;
    assert_eq!(head.status, recorded!("node/wings-download-0-head").status);
    let bad = get(&format!("{url}x")).await;
    assert_eq!(
        bad.status,
        recorded!("node/wings-download-bad-signature").status
    );
    assert!(bad.text().contains("An unexpected error was encountered"));
    assert!(bad.text().contains(bad.header("x-request-id").unwrap()));

    let first = send(http().get(&url).header("range", "bytes=10-")).await;
    let recorded = recorded!("node/wings-download-1-first-use");
    assert_eq!(first.status, recorded.status);
    assert_eq!(first.body, archive.bytes());
    let names: BTreeSet<String> = first.headers.keys().map(ToString::to_string).collect();
    assert_eq!(names, recorded.header_names);
    assert_eq!(
        first.header("content-disposition").unwrap(),
        format!("attachment; filename=\"{backup}.tar.gz\"")
    );

    let second = get(&url).await;
    let recorded = recorded!("node/wings-download-2-second-use");
    assert_eq!(second.told(), recorded.told());

    panel.lose_archive(backup);
    let recorded = recorded!("node/wings-download-missing-file");
    let url = link(&panel, server, backup).await;
    let missing = get(&url).await;
    assert_eq!(missing.told(), recorded.told());
    let again = get(&url).await;
    assert_eq!(
        again.text(),
        recorded!("node/wings-download-missing-file-second-use").body
    );

    let url = link(&panel, server, backup).await;
    panel.expire_links();
    assert_eq!(
        get(&url).await.status,
        recorded!("node/wings-download-expired").status
    );
    panel.set_disk_clock_ahead(SignedDuration::from_mins(15));
    assert_eq!(download(&panel, server, backup).await.status, 500);
    let other = get(&url.replace("/download/backup", "/nope")).await;
    assert_eq!(other.text(), recorded!("node/wings-unknown-path-404").body);
    assert_eq!(panel.downloads_started(), 1);
    assert_eq!(panel.bytes_served(), archive.len());
}

#[tokio::test]
async fn the_s3_disk_serves_ranges_as_often_as_asked_and_only_to_get() {
    let (panel, server, backup, archive) = with_one_backup().await;
    panel.set_disk(backup, Disk::S3);
    let url = link(&panel, server, backup).await;
    assert!(url.contains("&X-Amz-Expires=300&X-Amz-Signature="));
    let whole = get(&url).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &archive.bytes()[..]));
    assert_eq!(whole.header("content-type"), Some("application/x-gzip"));
    let etag = whole.header("etag").unwrap();

    let ranged = |range: &'static str, etag: String| {
        http()
            .get(&url)
            .header("range", range)
            .header("if-match", etag)
    };
    let part = send(ranged("bytes=100-199", etag.to_owned())).await;
    assert_eq!(part.status, recorded!("node/s3-download-range-206").status);
    assert_eq!(part.body, archive.bytes()[100..200]);
    assert_eq!(
        part.header("content-range").unwrap(),
        format!("bytes 100-199/{}", archive.len())
    );
    assert_eq!(
        send(ranged("bytes=1-", "\"other\"".to_owned()))
            .await
            .status,
        412
    );
    assert_eq!(
        send(ranged("bytes=999999999-", etag.to_owned()))
            .await
            .status,
        416
    );
    assert_eq!(
        send(http().head(&url)).await.status,
        recorded!("node/s3-download-head-403").status
    );
    assert_eq!(
        send(http().get(&url).bearer_auth(panel.key())).await.status,
        400
    );
    assert_eq!(panel.leaks().len(), 1);

    panel.expire_links();
    let expired = get(&url).await;
    assert_eq!(
        expired.status,
        recorded!("node/s3-download-expired-403").status
    );
    assert!(expired.text().contains("Request has expired"));
    panel.lose_archive(backup);
    let missing = download(&panel, server, backup).await;
    assert_eq!(
        missing.status,
        recorded!("node/s3-download-missing-404").status
    );
    assert!(missing.text().contains("NoSuchKey"));
}

#[tokio::test]
async fn secrets_hold_the_key_every_token_and_secret_variables() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    let url = link(&panel, server, backup).await;
    let token = url.split_once("token=").unwrap().1.to_owned();
    let password = panel.server(server).unwrap().variables[1].2.clone();
    assert_eq!(
        panel.secrets().into_iter().collect::<BTreeSet<_>>(),
        BTreeSet::from([panel.key(), token, password])
    );
}
