//! The panel's own restores, and the log of activity.

use std::fs;

use super::*;

fn restore(
    panel: &FakePanel,
    server: ServerId,
    backup: BackupId,
    body: &'static str,
) -> reqwest::RequestBuilder {
    let path = format!("/servers/{server}/backups/{backup}/restore");
    asking(panel, reqwest::Method::POST, &path)
        .header("content-type", "application/json")
        .body(body)
}

/// Asks for the server until it restores no more, and says how often it did: never, perhaps, where it takes a moment.
async fn wait(panel: &FakePanel, server: ServerId) -> usize {
    for seen in 0.. {
        let status = ask(panel, &format!("/servers/{server}")).await.json();
        if status["attributes"]["status"].is_null() {
            return seen;
        }
        assert_eq!(status["attributes"]["status"], "restoring_backup");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("it counts for ever")
}

async fn events(panel: &FakePanel, server: ServerId, query: &str) -> Vec<String> {
    let log = ask(panel, &format!("/servers/{server}/activity?{query}")).await;
    let rows = log.json()["data"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| row["attributes"]["event"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_restore_is_answered_at_once_and_refused_as_recorded_while_it_lasts() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    let running = panel.add_in_progress(server, "running", None);
    let failed = panel.add_failed(server, "failed");
    let folder = panel.folder_of(server);
    fs::write(folder.join("old.txt"), "old").unwrap();

    let told = send(restore(&panel, server, running, r#"{"truncate":true}"#)).await;
    assert_eq!(
        told.told(),
        recorded!("panel/restore-400-in-progress").told()
    );
    let told = send(restore(&panel, server, backup, "{}")).await;
    assert_eq!(
        told.told(),
        recorded!("panel/restore-422-no-truncate").told()
    );
    assert!(
        folder.join("old.txt").exists(),
        "nothing was asked of the node"
    );

    panel.edit_restore_rules(|rules| {
        rules.in_a_quarter = 9;
        rules.ending = RestoreEnding::Never;
    });
    let told = send(restore(&panel, server, backup, r#"{"truncate":false}"#)).await;
    assert_eq!((told.status, told.text()), (204, ""));
    let shown = ask(&panel, &format!("/servers/{server}")).await.json();
    assert_eq!(shown["attributes"]["status"], "restoring_backup");
    let told = send(restore(&panel, server, backup, r#"{"truncate":false}"#)).await;
    assert_eq!(
        told.told(),
        recorded!("panel/restore-again-while-restoring-409").told()
    );
    panel.set_condition(server, Condition::Ready);
    panel.edit_restore_rules(|rules| rules.ending = RestoreEnding::Complete);
    let told = send(restore(&panel, server, backup, r#"{"truncate":false}"#)).await;
    assert_eq!(told.status, 204);
    wait(&panel, server).await;
    assert!(folder.join("old.txt").exists());
    assert!(fs::read_dir(&folder).unwrap().count() > 1, "it is restored");

    let told = send(restore(&panel, server, failed, r#"{"truncate":true}"#)).await;
    let recorded = recorded!("panel/restore-of-a-failed-backup");
    assert_eq!(told.status, recorded.status);
    assert_eq!(
        told.json()["errors"][0]["code"],
        recorded.json()["errors"][0]["code"]
    );
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "wiped before the archive was looked for"
    );
}

#[tokio::test]
async fn only_the_log_tells_how_a_restore_ended() {
    for (ending, last) in [
        (
            RestoreEnding::Complete,
            Some("server:backup.restore-complete"),
        ),
        (RestoreEnding::Fails, Some("server.backup.restore-failed")),
        (RestoreEnding::Forgotten, None),
    ] {
        let (panel, server, backup, _archive) = with_one_backup().await;
        panel.log_activity(
            server,
            "server:console.command",
            json!({"command": "say hi"}),
        );
        panel.edit_restore_rules(|rules| rules.ending = ending);
        send(restore(&panel, server, backup, r#"{"truncate":true}"#)).await;
        wait(&panel, server).await;
        let mut expected = vec!["server:backup.restore"];
        expected.extend(last);
        let mut seen = events(&panel, server, "filter%5Bevent%5D=backup.restore").await;
        assert_eq!(seen, expected, "{ending:?}");
        seen = events(&panel, server, "").await;
        assert_eq!(seen.len(), expected.len() + 1, "{ending:?}");
    }
}

#[tokio::test]
async fn a_node_that_is_down_or_lost_the_archive_is_told_in_each_panels_words() {
    for (dialect, down, lost) in [
        (
            Dialect::Pterodactyl,
            (504, "DaemonConnectionException"),
            (500, "DaemonConnectionException"),
        ),
        (
            Dialect::Pelican,
            (500, "ConnectionException"),
            (500, "RequestException"),
        ),
    ] {
        let (panel, server, backup, _archive) = with_one_backup().await;
        panel.set_dialect(dialect);
        let asked = async || {
            let got = send(restore(&panel, server, backup, r#"{"truncate":true}"#)).await;
            let code = got.json()["errors"][0]["code"].as_str().unwrap().to_owned();
            (got.status, code)
        };
        let file = panel.folder_of(server).join("old.txt");
        fs::write(&file, "old").unwrap();
        panel.stop_node().await;
        let (status, code) = asked().await;
        assert_eq!((status, code.as_str()), down, "{dialect:?}");
        assert_eq!(wait(&panel, server).await, 0, "status is back");
        assert!(file.exists());
        panel.start_node().await.unwrap();
        panel.lose_archive(backup);
        let (status, code) = asked().await;
        assert_eq!((status, code.as_str()), lost, "{dialect:?}");
        assert!(!file.exists(), "the files went first");
        assert_eq!(wait(&panel, server).await, 0);
    }
}

#[tokio::test]
async fn restores_have_a_limit_of_their_own_and_documentation_answers_202() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    for _ in 0..3 {
        let got = send(restore(&panel, server, backup, "{}")).await;
        assert_eq!(got.status, 422);
    }
    let got = send(restore(&panel, server, backup, "{}")).await;
    assert_eq!(got.status, 429);
    assert!(got.header("retry-after").is_some());

    panel.edit_restore_rules(|rules| rules.in_a_quarter = 9);
    panel.set_dialect(Dialect::Documented);
    assert_eq!(send(restore(&panel, server, backup, "")).await.status, 202);
    wait(&panel, server).await;
    let log = ask(&panel, &format!("/servers/{server}/activity")).await;
    assert_eq!(log.status, 404, "documentation knows no log");
}
