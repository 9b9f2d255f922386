//! Recorded answers of a real panel, played to the commands: each has its outcome.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use nestegg::config::settings::panel::CreateTask;
use nestegg::config::settings::panel::LockTask;
use nestegg::config::settings::panel::Wait;
use nestegg::config::settings::panel::Within;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::ledger::BackupOf;
use nestegg::ledger::LockOwner;
use nestegg::ledger::NamedBackup;
use nestegg::model::backup::Backup;
use nestegg::model::backup::ChecksumPolicy;
use nestegg::model::backup::LockState;
use nestegg::model::selector::ServerSelector;
use nestegg::model::server::ServerScope;
use nestegg::ops::mirror::PanelTarget;
use nestegg::ops::panel::Parts;
use nestegg::ops::panel::backups::backups;
use nestegg::ops::panel::lock::set_locks;
use nestegg::report::panel::CreateReport;
use nestegg::report::panel::HeldAt;

use super::made_by;
use super::messages;
use crate::recordings::Playback;
use crate::recordings::recording;
use crate::support::world::quick_tuning;

const SERVER: &str = "a1fa0000";

fn parts(playback: &Playback) -> Parts {
    let selector: ServerSelector = SERVER.parse().unwrap();
    Parts {
        env: Env::new(Clock::System),
        tuning: quick_tuning(),
        targets: vec![PanelTarget {
            client: playback.client.clone(),
            selectors: vec![selector],
            scope: ServerScope::Mine,
            exclude: Vec::new(),
            checksum: ChecksumPolicy::Panel,
        }],
        failures: Vec::new(),
    }
}

fn wire(name: &str) -> Vec<u8> {
    recording(&format!("{name}.http")).wire()
}

/// A panel that lists as recorded, and answers a wish for a backup and the looks after it as recorded.
async fn making(list: &str, created: &str, views: &'static [&'static str]) -> Playback {
    let server = wire("server-short-id");
    let (list, created) = (wire(list), wire(created));
    let views: Vec<Vec<u8>> = views.iter().map(|name| wire(name)).collect();
    let looks = Arc::new(AtomicUsize::new(0));
    Playback::of(move |target| {
        let path = target.split('?').next().unwrap();
        if path.ends_with("/backups") && target.contains("per_page") {
            list.clone()
        } else if path.ends_with("/backups") {
            created.clone()
        } else if path.contains("/backups/") {
            let look = looks.fetch_add(1, Ordering::Relaxed);
            views[look.min(views.len() - 1)].clone()
        } else {
            server.clone()
        }
    })
    .await
}

async fn create(playback: &Playback, lock: LockState) -> (CreateReport, u8) {
    let task = CreateTask {
        server: SERVER.parse().unwrap(),
        name: None,
        ignored: Vec::new(),
        lock,
        wait: Wait::For(Duration::from_secs(30)),
    };
    let report = made_by(&parts(playback), &task).await;
    let code = Exit::of_create(&report).code();
    (report, code)
}

#[tokio::test]
async fn recorded_creations_are_seen_through_to_what_they_became() {
    for (created, views, state, code) in [
        (
            "create-wings",
            &[
                "create-wings-view-while-running",
                "create-wings-view-when-done",
            ][..],
            "completed",
            0,
        ),
        ("create-s3", &["create-s3-view-when-done"], "completed", 0),
        (
            "create-that-will-fail",
            &["create-failed-view"],
            "failed",
            1,
        ),
    ] {
        let playback = making("backups-empty-server", created, views).await;
        let (report, exit) = create(&playback, LockState::Unlocked).await;
        let became = match report.made.unwrap().backup {
            Backup::Completed(_) => "completed",
            Backup::Failed(_) => "failed",
            Backup::Pending(_) => "in progress",
        };
        assert_eq!(
            (became, exit),
            (state, code),
            "{created} {:?}",
            report.errors
        );
    }
}

#[tokio::test]
async fn recorded_refusals_of_a_backup_are_explained() {
    for (list, answer, code, words) in [
        (
            "limit-list-before",
            "limit-create-when-full",
            1,
            "the server has reached its limit of backups: 5 of 200 slots are taken (5 completed, 0 in progress; 1 locked)",
        ),
        (
            "backups-empty-server",
            "create-400-limit-zero",
            1,
            "has reached its limit of backups",
        ),
        (
            "backups-empty-server",
            "create-429-throttled",
            1,
            "wants 599 s of waiting",
        ),
        (
            "backups-empty-server",
            "create-422-name-too-long",
            1,
            "The name may not be greater than 191 characters.",
        ),
        (
            "backups-empty-server",
            "node-down-create",
            1,
            "could not get it done by the server's node (HTTP 504); the server's list has no new backup, so none was begun",
        ),
    ] {
        let playback = making(list, answer, &["backup-404-unknown"]).await;
        let (report, exit) = create(&playback, LockState::Unlocked).await;
        let told = messages(&report.errors);
        assert_eq!(
            (exit, told.len(), &report.made),
            (code, 1, &None),
            "{answer}"
        );
        assert!(told[0].contains(words), "{answer}: {}", told[0]);
        assert!(!report.errors[0].hint.is_empty(), "{answer}");
    }
}

#[tokio::test]
async fn recorded_lists_while_backups_are_made_show_what_takes_a_slot() {
    for (list, completed, in_progress, failed) in [
        ("create-wings-list-while-running", None, 1, None),
        ("create-failed-list", None, 0, Some(1)),
        ("limit-list-before", Some(5), 0, None),
        ("limit-list-after", None, 0, None),
    ] {
        let playback = making(list, "create-wings", &["backup-404-unknown"]).await;
        let report = backups(&parts(&playback), None).await.unwrap();
        assert_eq!(messages(&report.errors), Vec::<&str>::new(), "{list}");
        let server = &report.servers[0];
        let taken = server.slots.taken.unwrap();
        assert_eq!(taken.in_progress, in_progress, "{list}");
        if let Some(completed) = completed {
            assert_eq!(taken.completed, completed, "{list}");
        }
        if let Some(failed) = failed {
            assert!(taken.failed >= failed, "{list}");
        }
        assert_eq!(
            taken.counted,
            Some(taken.completed + taken.in_progress),
            "{list}"
        );
        assert!(
            server
                .backups
                .iter()
                .all(|row| row.held == HeldAt::NotKnown)
        );
    }
}

#[tokio::test]
async fn recorded_toggles_lock_and_unlock() {
    for (before, answer, wanted, code, words) in [
        ("backup-wings", "lock-toggle-on", LockState::Locked, 0, ""),
        (
            "lock-toggle-on",
            "lock-toggle-off",
            LockState::Unlocked,
            0,
            "",
        ),
        (
            "backup-wings",
            "lock-403-subuser-without-delete",
            LockState::Locked,
            1,
            "`backup.delete` is missing",
        ),
        (
            "lock-toggle-on",
            "lock-toggle-on",
            LockState::Unlocked,
            1,
            "still locked",
        ),
    ] {
        let (server, row, toggled) = (wire("server-short-id"), wire(before), wire(answer));
        let list = wire("backups-one-page-server");
        let gone = wire("unlock-route-404");
        let playback = Playback::of(move |target| {
            if target.ends_with("/unlock") {
                gone.clone()
            } else if target.ends_with("/lock") {
                toggled.clone()
            } else if target.contains("/backups/") {
                row.clone()
            } else if target.contains("/backups?") {
                list.clone()
            } else {
                server.clone()
            }
        })
        .await;
        let id = recording(&format!("{before}.http")).uuid();
        let known = NamedBackup {
            panel: "main".parse().unwrap(),
            of: BackupOf {
                server: crate::recordings::server_id(),
                backup: id,
            },
            identifier: SERVER.to_owned(),
            server_name: "Survival".to_owned(),
            name: "nightly".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            completed_at: None,
            lock: LockOwner::Operator,
        };
        let task = LockTask {
            backups: vec![id],
            wanted,
            within: Within::Anywhere,
        };
        let report = set_locks(&parts(&playback), &[known], &task).await;
        let exit = Exit::of_panel(report.ended, &report.errors, report.as_wanted());
        assert_eq!(exit.code(), code, "{answer} {:?}", report.errors);
        let told = messages(&report.errors).join("; ");
        assert!(
            told.contains(words) && told.is_empty() == words.is_empty(),
            "{answer}: {told}"
        );
    }
}
