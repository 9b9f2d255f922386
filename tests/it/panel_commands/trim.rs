//! `panel trim`.

use std::fs;

use nestegg::config::settings::panel::PanelTask;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::exit::Exit;
use nestegg::ops::panel;
use nestegg::report::json::panel::TRIM_SCHEMA;
use serde_json::Value;
use serde_json::json;

use super::DIALECTS;
use super::mirrored::Mirrored;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;
use crate::support::world::quick_tuning;

/// What became of each backup, newest first, with the reason.
fn told(document: &Value) -> Vec<String> {
    let rows = document["servers"][0]["backups"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
            format!(
                "{}: {} {}{}",
                text("name"),
                text("state"),
                text("reason"),
                text("changed")
            )
            .trim_end()
            .to_owned()
        })
        .collect()
}

/// Six mirrored backups, the third of them locked, and one of each other kind.
async fn full() -> Mirrored {
    let scene = Mirrored::of(6).await;
    let panel = &scene.world.panel;
    panel.edit(scene.backups[2], |row| row.is_locked = true);
    panel.add_failed(scene.server, "failed");
    panel.add_in_progress(scene.server, "running", None);
    panel.add_backup(scene.server, "fresh", Archive::small(50));
    panel.edit_server(scene.server, |row| row.backup_limit = 8);
    scene
}

const KEEP: [&str; 5] = ["trim", "--server", "Survival", "--keep", "2"];

#[tokio::test]
async fn the_plan_gives_every_backup_a_reason_and_deletes_nothing() {
    let scene = full().await;
    fs::remove_file(scene.archive("nas", scene.backups[0])).unwrap();
    let ran = scene.panel(&KEEP).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[made]");
    settings.add_filter(
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[uuid]",
    );
    settings.bind(|| {
        insta::assert_snapshot!(scene.plain(&ran.stdout), @r"
        Survival (SHORT): 8 of 8 slots taken
                MADE                      SIZE  BACKUP     ID                                    WHY
        keep    [made]  15.2 KiB  fresh      [uuid]  newest 1/2
        keep    [made]         -  running    [uuid]  in progress
        keep    [made]         -  failed     [uuid]  failed, takes no slot
        keep    [made]  15.3 KiB  nightly 6  BACKUP-6  newest 2/2
        delete  [made]  15.3 KiB  nightly 5  BACKUP-5  held at b2, nas
        delete  [made]  15.2 KiB  nightly 4  BACKUP-4  held at b2, nas
        keep    [made]  15.3 KiB  nightly 3  BACKUP-3  locked
        delete  [made]  15.3 KiB  nightly 2  BACKUP-2  held at b2, nas
        delete  [made]  15.3 KiB  nightly 1  BACKUP-1  held at b2, nas

        would delete 4 backups and free as many slots; nothing was deleted: --apply deletes
        ");
    });
    assert_eq!(scene.deletions_asked(), 0);
    let (_, document) = scene.json(TRIM_SCHEMA, &KEEP).await;
    assert_eq!(
        json!([document["applied"], document["counts"]]),
        json!([false, {"deleted": 0, "would_be_deleted": 4, "kept": 5, "failed": 0}])
    );
}

#[tokio::test]
async fn the_oldest_that_are_held_go_and_the_second_run_finds_nothing_to_do() {
    for dialect in DIALECTS {
        let scene = full().await;
        scene.world.panel.set_dialect(dialect);
        let mut words = KEEP.to_vec();
        words.push("--apply");
        let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(0), ""),
            "{dialect:?}"
        );
        assert_eq!(
            told(&document),
            [
                "fresh: stays newest 1/2",
                "running: stays in progress",
                "failed: stays failed, takes no slot",
                "nightly 6: stays newest 2/2",
                "nightly 5: deleted",
                "nightly 4: deleted",
                "nightly 3: stays locked",
                "nightly 2: deleted",
                "nightly 1: deleted",
            ],
            "{dialect:?}"
        );
        assert_eq!(scene.there(), [3, 6]);
        for backup in &scene.backups {
            assert!(scene.archive("b2", *backup).exists());
        }
        scene.world.panel.forget_requests();
        let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(document["counts"]["deleted"], 0);
        assert_eq!(scene.deletions_asked(), 0);
        let mut quiet = vec!["-q"];
        quiet.extend(&words);
        let ran = scene.panel(&quiet).await;
        assert_eq!(
            (ran.code, ran.stdout, ran.stderr),
            (Some(0), String::new(), String::new())
        );
    }
}

#[tokio::test]
async fn what_has_too_few_copies_stays_and_fewer_may_be_asked_for() {
    let scene = Mirrored::unmirrored(3).await;
    scene.mirror(&["--to", "b2"]).await;
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        told(&document),
        [
            "nightly 3: stays newest 1/1",
            "nightly 2: stays only 1 of 2 copies",
            "nightly 1: stays only 1 of 2 copies",
        ]
    );
    let mut words = words.to_vec();
    words.extend(["--min-copies", "1"]);
    let ran = scene.panel(&words).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(scene.there(), [3]);
}

#[tokio::test]
async fn a_copy_that_is_gone_holds_its_backup_and_the_others_go() {
    let scene = Mirrored::of(4).await;
    fs::remove_file(scene.archive("nas", scene.backups[0])).unwrap();
    let words = ["trim", "--server", "Survival", "--keep", "2", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert_eq!(
        told(&document),
        [
            "nightly 4: stays newest 1/2",
            "nightly 3: stays newest 2/2",
            "nightly 2: deleted",
            "nightly 1: not_deleted",
        ]
    );
    let error = &document["errors"][0];
    assert_eq!(error["kind"], "integrity");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("only 1 of 2 copies were found there"),
        "{error}"
    );
    assert_eq!(scene.there(), [1, 3, 4]);
    // One copy is enough where only one is asked for.
    let mut words = words.to_vec();
    words.extend(["--min-copies", "1"]);
    let ran = scene.panel(&words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(scene.there(), [3, 4]);
}

#[test]
fn the_readme_says_of_a_missing_copy_that_others_may_have_been_deleted() {
    let readme = include_str!("../../../README.md");
    let (_, codes) = readme.split_once("| exit | of `nestegg panel` |").unwrap();
    let row = codes.lines().find(|row| row.starts_with("| 4 |")).unwrap();
    let (freed, restore) = row.split_once("`restore`:").unwrap();
    assert!(freed.contains("others may have been deleted"), "{row}");
    assert!(!freed.contains("nothing was changed"), "{row}");
    assert!(restore.contains("nothing was changed"), "{row}");
}

#[tokio::test]
async fn servers_in_a_closed_state_are_left_out_and_told_and_the_others_are_trimmed() {
    for dialect in DIALECTS {
        let scene = Mirrored::of(2).await;
        let panel = &scene.world.panel;
        panel.set_dialect(dialect);
        for (name, condition) in [
            ("1", Condition::Suspended),
            ("2", Condition::Installing),
            ("3", Condition::InstallFailed),
            ("4", Condition::Restoring),
            ("5", Condition::Transferring),
            ("6", Condition::NodeMaintenance),
        ] {
            let server = panel.add_server(name);
            panel.add_backup(server, "closed", Archive::small(9));
            panel.set_condition(server, condition);
        }
        let words = ["trim", "--server", "*", "--keep", "1"];
        let ran = scene.panel(&words).await;
        assert_eq!(ran.code, Some(0), "{dialect:?}: {}", ran.stderr);
        let mut told: Vec<&str> = ran.stderr.lines().collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                "skipped       1: the server is suspended",
                "skipped       2: the server is installing",
                "skipped       3: the server is installing",
                "skipped       4: the server is restoring a backup",
                "skipped       5: the server is being transferred",
                "skipped       6: the server is on a node under maintenance",
            ],
            "{dialect:?}"
        );
        let mut words = words.to_vec();
        words.push("--apply");
        let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
        assert_eq!(ran.code, Some(0), "{dialect:?}: {}", ran.stderr);
        assert_eq!(document["errors"], json!([]), "{dialect:?}");
        assert_eq!(document["servers"].as_array().unwrap().len(), 1);
        let skipped = document["skipped"].as_array().unwrap();
        let suspended = skipped.iter().find(|one| one["server_name"] == "1");
        assert_eq!(suspended.unwrap()["why"], "the server is suspended");
        assert_eq!(skipped.len(), 6, "{dialect:?}");
        assert_eq!(scene.there(), [2], "{dialect:?}");
        words.insert(0, "-q");
        let ran = scene.panel(&words).await;
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (Some(0), "", ""),
            "{dialect:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_closes_between_list_and_backups_is_left_out() {
    let scene = Mirrored::of(2).await;
    let server = scene.server;
    let panel = &scene.world.panel;
    panel.before(Call::BackupsOf(server), move |script| {
        script.set_condition(server, Condition::Transferring);
    });
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        json!([document["servers"], document["errors"]]),
        json!([[], []])
    );
    assert_eq!(
        document["skipped"][0]["why"],
        "the server is being transferred"
    );
    assert_eq!(scene.there(), [1, 2]);
}

#[tokio::test]
async fn without_a_name_all_servers_that_the_key_sees_are_meant() {
    let scene = Mirrored::of(2).await;
    let panel = &scene.world.panel;
    let other = panel.add_server("Creative");
    let old = panel.add_backup(other, "old", Archive::small(7));
    let new = panel.add_backup(other, "new", Archive::small(8));
    scene.mirror(&["--server", &other.to_string()]).await;
    let (ran, document) = scene.json(TRIM_SCHEMA, &["trim", "--keep", "1"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["would_be_deleted"], 2);
    let names: Vec<&Value> = document["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|server| &server["name"])
        .collect();
    assert_eq!(names, ["Creative", "Survival"]);
    let ran = scene.panel(&["trim", "--keep", "1", "--apply"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(scene.there(), [2]);
    let there = panel.backups_of(other);
    assert!(!there.contains(&old) && there.contains(&new), "{there:?}");
}

#[tokio::test]
async fn a_copy_that_prune_is_removing_is_not_counted() {
    let scene = Mirrored::of(3).await;
    scene.begin_removal("nas", scene.backups[0]);
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        told(&document),
        [
            "nightly 3: stays newest 1/1",
            "nightly 2: deleted",
            "nightly 1: stays only 1 of 2 copies",
        ]
    );
    assert_eq!(scene.there(), [1, 3]);
}

#[tokio::test]
async fn a_backup_that_a_list_hides_is_not_called_gone() {
    let scene = Mirrored::of(2).await;
    let server = scene.server;
    // The list before the deletion has moved.
    let empty = json!({"object": "list", "data": [], "meta": {"backup_count": 0, "pagination":
        {"total": 0, "count": 0, "per_page": 50, "current_page": 1, "total_pages": 1, "links": {}}}});
    scene
        .world
        .panel
        .before(Call::BackupsOf(server), move |script| {
            script.before(Call::BackupsOf(server), move |script| {
                let hidden = Fault::Says(empty.to_string());
                script.on(Call::BackupsOf(server), Times::Next(1), hidden);
            });
        });
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        told(&document),
        [
            "nightly 2: stays newest 1/1",
            "nightly 1: changed the server's list moved while it was read",
        ]
    );
    assert_eq!(scene.there(), [1, 2]);
}

#[tokio::test]
async fn a_destination_that_is_away_counts_for_nothing() {
    let scene = Mirrored::of(3).await;
    fs::rename(scene.root("nas"), scene.root("unmounted")).unwrap();
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(document["errors"][0]["id"], "nas");
    assert_eq!((scene.there(), scene.deletions_asked()), (vec![1, 2, 3], 0));
}

#[tokio::test]
async fn what_changes_between_plan_and_deletion_is_heeded() {
    // Before the second listing of the server.
    let scene = Mirrored::of(4).await;
    let [first, second, fourth] = [0, 1, 3].map(|at: usize| scene.backups[at]);
    let server = scene.server;
    scene
        .world
        .panel
        .before(Call::BackupsOf(server), move |script| {
            script.before(Call::BackupsOf(server), move |script| {
                script.delete_backup(first);
                script.edit(second, |row| row.is_locked = true);
                script.delete_backup(fourth);
            });
        });
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let (ran, document) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        told(&document),
        [
            "nightly 4: stays newest 1/1",
            "nightly 3: changed newest 1/1",
            "nightly 2: changed locked",
            "nightly 1: already_gone",
        ]
    );
    assert_eq!(
        scene.there(),
        [2, 3],
        "the newest of those that are left stays"
    );
    assert_eq!(scene.deletions_asked(), 0);
}

#[tokio::test]
async fn a_panel_that_fails_in_the_middle_is_told_and_the_rest_goes_on() {
    let scene = Mirrored::of(4).await;
    let first = scene.backups[0];
    scene.world.panel.on(
        Call::Backup(first),
        Times::Next(1),
        Fault::Refusal {
            status: 400,
            code: "BackupLockedException".to_owned(),
            detail: "Cannot delete a backup that is marked as locked.".to_owned(),
        },
    );
    let words = ["trim", "--server", "Survival", "--keep", "1", "--apply"];
    let ran = scene.panel(&words).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the backup is locked"),
        "{}",
        ran.stderr
    );
    assert_eq!(scene.there(), [1, 4]);
}

#[tokio::test]
async fn backups_of_one_second_and_of_the_future_are_trimmed_the_same_way_every_time() {
    let scene = Mirrored::of(3).await;
    let panel = &scene.world.panel;
    let now = panel.backup(scene.backups[0]).unwrap().created_at;
    for id in &scene.backups {
        panel.edit(*id, |row| {
            row.created_at = now + jiff::SignedDuration::from_hours(24 * 365);
        });
    }
    let words = ["trim", "--server", "Survival", "--keep", "1"];
    let (_, one) = scene.json(TRIM_SCHEMA, &words).await;
    let (_, two) = scene.json(TRIM_SCHEMA, &words).await;
    assert_eq!(told(&one), told(&two));
    assert_eq!(one["counts"]["would_be_deleted"], 2);
}

#[tokio::test]
async fn wrong_numbers_are_wrong_usage() {
    let scene = Mirrored::unmirrored(1).await;
    for (words, says) in [
        (&["--keep", "0"][..], "--keep"),
        (&["--keep", "1", "--min-copies", "0"], "--min-copies"),
        (
            &["--keep", "1", "--min-copies", "3"],
            "--min-copies 3 asks for more copies than the configuration has destinations (2)",
        ),
        (&[], "--keep"),
        (&["--keep", "1", "--server", "nowhere"], "nowhere"),
    ] {
        let mut all = vec!["trim"];
        if !words.contains(&"--server") {
            all.extend(["--server", "Survival"]);
        }
        all.extend(words);
        let ran = scene.panel(&all).await;
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{words:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn told_to_stop_it_ends_the_deletion_it_is_at_and_begins_no_other() {
    let scene = Mirrored::of(4).await;
    let args = [
        "panel", "trim", "--server", "Survival", "--keep", "1", "--apply",
    ]
    .map(str::to_owned);
    let settings = scene.world.settings(&args);
    let Some(PanelTask::Trim(job)) = settings.panel_task else {
        panic!("{:?}", settings.panel_task)
    };
    let env = Env::new(Clock::System);
    let teller = env.clone();
    scene
        .world
        .panel
        .before(Call::Backup(scene.backups[0]), move |_| {
            teller.stop(StopSignal::Terminate);
        });
    let parts = panel::parts(&settings, env, quick_tuning());
    let report = panel::trim::trim(&parts, &settings, job).await.unwrap();
    assert_eq!(Exit::of_trim(&report), Exit::Terminated);
    let became: Vec<&str> = report.servers[0]
        .backups
        .iter()
        .map(|backup| backup.became.as_str())
        .collect();
    assert_eq!(became, ["stays", "not_reached", "not_reached", "deleted"]);
    assert_eq!(scene.there(), [2, 3, 4]);
}
