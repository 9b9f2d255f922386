//! The panel's answers.

use super::*;

#[tokio::test]
async fn objects_have_the_fields_and_kinds_of_the_recorded_ones() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    let running = panel.add_in_progress(server, "running", None);
    let failed = panel.add_failed(server, "failed");
    let shown = async |path: String| shape(&ask(&panel, &path).await.json());

    let object = shown(format!("/servers/{server}/backups/{backup}")).await;
    let mut recorded = shape(&recorded!("panel/backup-wings").json());
    recorded["attributes"]["ignored_files"] = json!([]);
    assert_eq!(object, recorded);
    assert_eq!(
        shown(format!("/servers/{server}/backups/{running}")).await,
        shape(&recorded!("panel/backup-in-progress").json())
    );
    assert_eq!(
        shown(format!("/servers/{server}/backups/{failed}")).await,
        shape(&recorded!("panel/backup-failed").json())
    );
    assert_eq!(
        shown(format!("/servers/{server}/backups/{backup}/download")).await,
        shape(&recorded!("panel/download-wings-link").json())
    );

    let mut recorded = shape(&recorded!("panel/server-short-id").json());
    // The recording's first variable has no value of its own; ours all have.
    recorded["attributes"]["relationships"]["variables"]["data"][0]["attributes"]["server_value"] =
        json!("string");
    assert_eq!(shown(format!("/servers/{server}")).await, recorded);
    let short = server.short();
    assert_eq!(shown(format!("/servers/{short}")).await, recorded);
}

#[tokio::test]
async fn pages_are_cut_and_linked_like_the_recorded_ones() {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Alpha");
    let archive = Archive::small(1);
    for number in 0..56 {
        panel.add_backup(server, &format!("nightly {number}"), archive.clone());
    }
    for _ in 0..4 {
        panel.add_failed(server, "failed");
    }
    let short = server.short();
    for (recorded, query) in [
        (recorded!("panel/backups-default"), ""),
        (recorded!("panel/backups-default-page-2"), "?page=2"),
        (
            recorded!("panel/backups-default-page-4-beyond-end"),
            "?page=4",
        ),
        (
            recorded!("panel/backups-per_page-50-page-1"),
            "?per_page=50",
        ),
        (
            recorded!("panel/backups-per_page-50-page-2"),
            "?per_page=50&page=2",
        ),
        (
            recorded!("panel/backups-per_page-100-capped"),
            "?per_page=100",
        ),
        (recorded!("panel/backups-per_page-0"), "?per_page=0"),
        (recorded!("panel/backups-per_page-text"), "?per_page=abc"),
        (recorded!("panel/backups-page-0"), "?page=0&per_page=2"),
    ] {
        let got = ask(&panel, &format!("/servers/{short}/backups{query}")).await;
        let moved = recorded
            .body
            .replace(
                "http:\\/\\/127.0.0.1:18000",
                &panel.url().replace('/', "\\/"),
            )
            .replace("a1fa0000", &short);
        let recorded: Value = serde_json::from_str(&moved).unwrap();
        assert_eq!(got.json()["meta"], recorded["meta"], "{query}");
        assert_eq!(
            got.json()["data"].as_array().unwrap().len(),
            recorded["data"].as_array().unwrap().len(),
            "{query}"
        );
    }
    let got = ask(&panel, &format!("/servers/{short}/backups?per_page=-1")).await;
    let recorded = recorded!("panel/backups-per_page-minus-1");
    assert_eq!(got.told(), recorded.told());
}

#[tokio::test]
async fn the_list_of_servers_keeps_the_page_length_in_its_links() {
    let panel = FakePanel::start().await;
    for number in 0..9 {
        panel.add_server(&format!("Server {number}"));
    }
    let got = ask(&panel, "?per_page=3&page=2").await.json();
    let recorded = recorded!("panel/servers-owner-per_page-3-page-2");
    let moved = recorded.body.replace(
        "http:\\/\\/127.0.0.1:18000",
        &panel.url().replace('/', "\\/"),
    );
    let recorded: Value = serde_json::from_str(&moved).unwrap();
    assert_eq!(got["meta"], recorded["meta"]);
    assert_eq!(got["data"][0]["attributes"]["name"], "Server 3");
}

#[tokio::test]
async fn administrators_see_every_server_and_others_none_of_them() {
    let panel = FakePanel::start().await;
    panel.add_server("mine");
    let foreign = panel.add_server("foreign");
    panel.edit_server(foreign, |row| row.access = Access::Stranger);
    let names = async |query: &str| -> Vec<String> {
        let body = ask(&panel, query).await.json();
        let rows = body["data"].as_array().unwrap().iter();
        rows.map(|row| row["attributes"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("").await, ["mine"]);
    assert_eq!(names("?type=admin-all").await, [""; 0]);
    let recorded = recorded!("panel/server-404-of-another-user");
    let got = ask(&panel, &format!("/servers/{foreign}")).await;
    assert_eq!(got.told(), recorded.told());
    panel.set_role(Role::Administrator);
    assert_eq!(names("").await, ["mine"]);
    assert_eq!(names("?type=admin").await, ["foreign"]);
    assert_eq!(names("?type=admin-all").await, ["mine", "foreign"]);
    assert_eq!(
        ask(&panel, &format!("/servers/{foreign}")).await.status,
        200
    );
}

#[tokio::test]
async fn refusals_have_the_recorded_status_and_body() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    let check = async |recorded: Recorded, path: String| {
        let got = ask(&panel, &path).await;
        assert_eq!(got.told(), recorded.told());
        assert_eq!(
            got.header("x-ratelimit-limit").is_some(),
            recorded.header_names.contains("x-ratelimit-limit"),
            "{path}"
        );
    };
    let list = || format!("/servers/{server}/backups");
    let row = || format!("/servers/{server}/backups/{backup}");
    let link = || format!("/servers/{server}/backups/{backup}/download");

    check(
        recorded!("panel/server-404-unknown"),
        "/servers/deadbeef".to_owned(),
    )
    .await;
    check(
        recorded!("panel/backup-404-not-a-uuid"),
        format!("{}/nonsense", list()),
    )
    .await;
    check(recorded!("panel/route-404-unknown"), "/nope".to_owned()).await;
    for (condition, recorded) in [
        (
            Condition::Suspended,
            recorded!("panel/state-suspended-backups"),
        ),
        (
            Condition::Installing,
            recorded!("panel/state-installing-backups"),
        ),
        (
            Condition::InstallFailed,
            recorded!("panel/state-installfailed-backups"),
        ),
        (
            Condition::Restoring,
            recorded!("panel/state-restoring-backups"),
        ),
        (
            Condition::NodeMaintenance,
            recorded!("panel/state-maintenance-backups"),
        ),
    ] {
        panel.set_condition(server, condition);
        check(recorded, list()).await;
        assert_eq!(ask(&panel, &format!("/servers/{server}")).await.status, 200);
    }
    panel.set_condition(server, Condition::Ready);

    let without_download = Access::Subuser(vec!["backup.read".to_owned()]);
    panel.edit_server(server, |row| row.access = without_download);
    assert_eq!(ask(&panel, &row()).await.status, 200);
    check(
        recorded!("panel/download-403-subuser-without-download"),
        link(),
    )
    .await;
    panel.edit_server(server, |row| row.access = Access::Subuser(Vec::new()));
    check(recorded!("panel/backups-403-subuser-without-read"), list()).await;
    panel.edit_server(server, |row| row.access = Access::Owner);

    panel.set_disk(backup, Disk::Unknown);
    check(recorded!("panel/download-400-unknown-disk"), link()).await;

    panel.set_standing(Standing::WrongAddress);
    check(recorded!("panel/auth-403-key-ip-restricted"), list()).await;
    panel.set_standing(Standing::NoSecondFactor);
    check(recorded!("panel/auth-400-two-factor-required"), list()).await;
    panel.set_standing(Standing::Fine);
    panel.set_service(Service::Maintenance);
    check(recorded!("panel/panel-503-maintenance"), list()).await;
    panel.set_service(Service::DatabaseDown);
    check(recorded!("panel/panel-500-database-down"), list()).await;
}

#[tokio::test]
async fn keys_are_refused_as_recorded_and_only_json_askers_get_json() {
    let panel = FakePanel::start().await;
    let with = async |key: &str, accept: &str| {
        let request = http().get(format!("{}/api/client", panel.url()));
        send(request.bearer_auth(key).header("accept", accept)).await
    };
    let recorded = recorded!("panel/auth-401-bad-token");
    for accept in [
        "application/json",
        "Application/vnd.pterodactyl.v1+json",
        "application/json, */*",
    ] {
        let got = with("ptlc_wrong", accept).await;
        assert_eq!(got.told(), recorded.told());
    }
    let got = with("ptla_application", "application/json").await;
    let recorded = recorded!("panel/auth-403-application-key");
    assert_eq!(got.told(), recorded.told());

    let got = with("ptlc_wrong", "*/*").await;
    assert_eq!(
        (got.status, got.header("location")),
        (302, Some(format!("{}/auth/login", panel.url()).as_str()))
    );
    assert_eq!(
        get(&format!("{}/auth/login", panel.url())).await.status,
        200
    );
    let got = with(&panel.key(), "*/*").await;
    assert_eq!(
        (got.status, got.header("content-type")),
        (200, Some("application/json"))
    );
}

#[tokio::test]
async fn requests_are_counted_and_refused_with_a_wait_as_recorded() {
    let (panel, server, _backup, _archive) = with_one_backup().await;
    panel.set_rate_limit(5, Duration::from_mins(1));
    for (recorded, remaining) in [
        (recorded!("panel/ratelimit-1"), "4"),
        (recorded!("panel/ratelimit-2"), "3"),
    ] {
        let got = ask(&panel, &format!("/servers/{server}")).await;
        assert_eq!(got.status, recorded.status);
        assert_eq!(
            (
                got.header("x-ratelimit-limit"),
                got.header("x-ratelimit-remaining")
            ),
            (Some("5"), Some(remaining))
        );
    }
    for _ in 3..=5 {
        assert_eq!(ask(&panel, &format!("/servers/{server}")).await.status, 200);
    }
    let got = ask(&panel, &format!("/servers/{server}")).await;
    let recorded = recorded!("panel/ratelimit-6-429");
    assert_eq!(got.told(), recorded.told());
    let wait_s: u64 = got.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait_s), "{wait_s}");
    assert!(got.header("x-ratelimit-reset").is_some());
    assert_eq!(got.header("x-ratelimit-remaining"), Some("0"));
    // A window that is over counts from the start.
    panel.set_rate_limit(5, Duration::ZERO);
    assert_eq!(ask(&panel, &format!("/servers/{server}")).await.status, 200);
}

#[tokio::test]
async fn a_new_backup_is_in_progress_for_as_many_reads_as_planned() {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Bravo");
    let archive = Archive::small(1);
    panel.plan_creation(NewBackup {
        reads_in_progress: 2,
        archive: Some(archive.clone()),
    });
    panel.plan_creation(NewBackup {
        reads_in_progress: 0,
        archive: None,
    });
    let path = format!("/servers/{server}/backups");
    let create = async |body: &'static str| {
        send(asking(&panel, reqwest::Method::POST, &path).body(body)).await
    };
    let made = create(r#"{"name":"now","ignored":"*.log\ncache/*","is_locked":true}"#).await;
    let recorded = recorded!("panel/create-wings");
    assert_eq!(made.status, recorded.status);
    assert_eq!(shape(&made.json()), shape(&recorded.json()));
    let attributes = made.json()["attributes"].clone();
    assert_eq!(attributes["ignored_files"], json!(["*.log", "cache/*"]));
    assert_eq!(attributes["is_locked"], json!(true));
    let row = format!("{path}/{}", attributes["uuid"].as_str().unwrap());
    for completed in [false, false, true] {
        let seen = ask(&panel, &row).await.json();
        assert_eq!(seen["attributes"]["is_successful"], json!(completed));
        let checksum = completed.then(|| format!("sha1:{}", archive.sha1()));
        assert_eq!(seen["attributes"]["checksum"], json!(checksum));
    }
    let failing = create("").await.json();
    let row = format!("{path}/{}", failing["attributes"]["uuid"].as_str().unwrap());
    let seen = ask(&panel, &row).await.json();
    assert_eq!(
        shape(&seen),
        shape(&recorded!("panel/backup-failed").json())
    );

    let throttled = create("").await;
    let recorded = recorded!("panel/create-429-throttled");
    assert_eq!(throttled.told(), recorded.told());
    assert!(throttled.header("retry-after").is_some());
    panel.set_create_throttle(9, Duration::from_mins(10));
    panel.edit_server(server, |row| row.backup_limit = 0);
    let full = create("").await;
    let recorded = recorded!("panel/create-400-limit-zero");
    assert_eq!(full.told(), recorded.told());
    let bad = create("{").await;
    let recorded = recorded!("panel/auth-400-bad-json-body");
    assert_eq!(bad.told(), recorded.told());
    panel.edit_server(server, |row| row.backup_limit = 5);
    panel.stop_node().await;
    let down = create("").await;
    let recorded = recorded!("panel/node-down-create");
    assert_eq!(down.told(), recorded.told());
}

#[tokio::test]
async fn locks_toggle_and_locked_backups_stay() {
    let (panel, server, backup, _archive) = with_one_backup().await;
    let row = format!("/servers/{server}/backups/{backup}");
    let lock = async || {
        send(asking(
            &panel,
            reqwest::Method::POST,
            &format!("{row}/lock"),
        ))
        .await
    };
    let delete = async || send(asking(&panel, reqwest::Method::DELETE, &row)).await;
    assert_eq!(lock().await.json()["attributes"]["is_locked"], json!(true));
    let refused = delete().await;
    let recorded = recorded!("panel/delete-400-locked");
    assert_eq!(refused.told(), recorded.told());
    assert_eq!(lock().await.json()["attributes"]["is_locked"], json!(false));
    assert_eq!(delete().await.status, 204);
    assert_eq!(
        delete().await.status,
        recorded!("panel/delete-404-again").status
    );
}

#[tokio::test]
async fn the_documented_dialect_speaks_as_documented() {
    let panel = FakePanel::start().await;
    panel.set_dialect(Dialect::Documented);
    let server = panel.add_server("Docs");
    let archive = Archive::small(1);
    let done = panel.add_backup(server, "done", archive.clone());
    let running = panel.add_in_progress(server, "running", None);
    let failed = panel.add_failed(server, "failed");
    let fields = async |backup| {
        let path = format!("/servers/{server}/backups/{backup}");
        let attributes = ask(&panel, &path).await.json()["attributes"].clone();
        assert_eq!(attributes.get("checksum"), None);
        let is_ended = attributes["completed_at"].is_string();
        let state = attributes["is_successful"].clone();
        (attributes["sha256_hash"].clone(), state, is_ended)
    };
    assert_eq!(
        fields(done).await,
        (json!(archive.sha256()), json!(true), true)
    );
    assert_eq!(fields(running).await, (Value::Null, Value::Null, false));
    assert_eq!(fields(failed).await, (Value::Null, json!(false), false));
    let code = async |path: String| ask(&panel, &path).await.json()["errors"][0]["code"].clone();
    let link = |backup| format!("/servers/{server}/backups/{backup}/download");
    assert_eq!(code(link(running)).await, "BackupNotCompletedException");
    assert_eq!(code(link(failed)).await, "BackupFailedException");
    let list = ask(&panel, &format!("/servers/{server}/backups?per_page=50")).await;
    assert_eq!(
        list.json()["meta"],
        json!({"pagination": {"total": 3, "count": 3, "per_page": 25, "current_page": 1,
            "total_pages": 1, "links": {}}})
    );
    panel.set_condition(server, Condition::Installing);
    assert_eq!(code(link(done)).await, "ConflictingServerStateException");
}
