//! `panel restore`: the panel's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::time::Duration;

use flate2::read::GzDecoder;
use jiff::SignedDuration;
use nestegg::config::settings::panel::PanelTask;
use nestegg::config::settings::restore::Consent;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::exit::Exit;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::ops::Tuning;
use nestegg::ops::panel;
use nestegg::ops::restore::panel::consent::Agreed;
use nestegg::ops::restore::panel::consent::Asker;
use nestegg::ops::restore::panel::consent::NobodyThere;
use nestegg::report::json;
use nestegg::report::panel::restore::PanelRestoreReport;
use nestegg::report::panel::restore::RestoreState;
use nestegg::report::panel::restore::ServerPower;
use serde_json::Value;

use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::ActivityRow;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::HostCall;
use crate::support::fake_panel::LogFilter;
use crate::support::fake_panel::LogIds;
use crate::support::fake_panel::Power;
use crate::support::fake_panel::RestoreEnding;
use crate::support::fake_panel::Times;
use crate::support::schema;
use crate::support::terminal;
use crate::support::world::SOON;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// A server with files of its own, and a backup of it.
struct Scene {
    world: World,
    server: ServerId,
    backup: BackupId,
    archive: Archive,
    tuning: Tuning,
}

impl Scene {
    async fn new() -> Self {
        let archive = Archive::small(1);
        let (world, server, backup) = World::with_backup(archive.clone()).await;
        world.panel.edit_host_rules(|rules| {
            rules.resources_cache = Duration::from_millis(30);
        });
        world
            .panel
            .edit_restore_rules(|rules| rules.in_a_quarter = 100);
        let scene = Self {
            world,
            server,
            backup,
            archive,
            tuning: quick_tuning(),
        };
        fs::write(scene.world.panel.folder_of(server).join("old.txt"), "old").unwrap();
        scene
    }

    /// With hardly any patience for the log, which never tells the end.
    fn impatient_with_the_log(mut self) -> Self {
        self.tuning.panel_restore.log_patience = SOON;
        self
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = [
            "panel",
            "restore",
            &self.backup.to_string(),
            "--server",
            &self.server.to_string(),
            "--panel",
            &self.world.panel.url(),
        ]
        .map(str::to_owned)
        .into();
        args.extend(more.iter().map(|word| (*word).to_owned()));
        args
    }

    /// In this process, with short waits; the document is as its schema says.
    async fn restore(&self, more: &[&str]) -> (PanelRestoreReport, Exit) {
        self.restore_in(more, Env::new(Clock::System)).await
    }

    async fn restore_in(&self, more: &[&str], env: Env) -> (PanelRestoreReport, Exit) {
        let settings = self.world.settings(&self.args(more));
        let Some(PanelTask::Restore(job)) = &settings.panel_task else {
            panic!("{more:?} is no restore")
        };
        let asker: &dyn Asker = match job.consent {
            Consent::Given => &Agreed,
            Consent::ToBeAsked => &NobodyThere,
        };
        let parts = panel::parts(&settings, env, self.tuning.clone());
        let report = panel::restore::restore(&parts, &settings, job, asker)
            .await
            .unwrap();
        self.world
            .assert_no_secret_in("the report", format!("{report:?}").as_bytes());
        let exit = Exit::of_panel_restore(&report);
        let mut document = Vec::new();
        json::panel::restore(&report, exit.code(), &mut document).unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        schema::assert_fits(json::panel::RESTORE_SCHEMA, &document);
        (report, exit)
    }

    /// What is in the server, by its name from the root.
    fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.world.panel.folder_of(self.server);
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                    files.insert(name.to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    fn members(&self) -> BTreeMap<String, Vec<u8>> {
        let bytes = self.archive.bytes();
        let mut tar = tar::Archive::new(GzDecoder::new(bytes.as_ref()));
        tar.entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let name = entry.path().unwrap().to_str().unwrap().to_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                (name, content)
            })
            .collect()
    }

    fn is_untouched(&self) -> bool {
        self.tree().into_keys().collect::<Vec<_>>() == ["old.txt"]
    }

    fn running(&self) {
        self.world.panel.set_power(self.server, Power::Running);
    }
}

/// The failure in words.
fn why(report: &PanelRestoreReport) -> (String, String) {
    let failure = report.failure.as_ref().unwrap();
    (failure.message.clone(), failure.hint.clone())
}

#[tokio::test]
async fn files_are_replaced_or_joined_as_was_spelled_out_and_the_server_runs_again() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican] {
        for disk in [Disk::Node, Disk::S3] {
            for (flag, deed) in [
                ("--truncate", "restore nightly truncating"),
                ("--no-truncate", "restore nightly keeping"),
            ] {
                let scene = Scene::new().await;
                scene.world.panel.set_dialect(dialect);
                scene.world.panel.set_disk(scene.backup, disk);
                scene.running();
                let (report, exit) = scene.restore(&[flag, "--yes"]).await;
                let case = format!("{dialect:?} {disk:?} {flag}: {report:?}");
                assert_eq!(exit, Exit::Done, "{case}");
                assert_eq!(report.end, RestoreState::Complete, "{case}");
                assert_eq!(report.power, ServerPower::StartedAgain, "{case}");
                let mut expected = scene.members();
                let mut deeds = vec!["stop", "wipe", deed, "start"];
                if flag == "--no-truncate" {
                    expected.insert("old.txt".to_owned(), b"old".to_vec());
                    deeds.retain(|deed| *deed != "wipe");
                }
                assert!(scene.tree() == expected, "{case}");
                assert_eq!(scene.world.panel.deeds(), deeds, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_was_off_stays_off_and_one_that_does_not_stop_is_never_killed() {
    let scene = Scene::new().await;
    let (report, exit) = scene.restore(&["--no-truncate", "--yes"]).await;
    assert_eq!((exit, report.power), (Exit::Done, ServerPower::Untouched));
    let mut scene = Scene::new().await;
    scene.tuning.to_panel.stop_patience = SOON;
    scene.running();
    scene
        .world
        .panel
        .edit_host_rules(|rules| rules.stops_after = None);
    let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
    assert_eq!((exit, report.end), (Exit::Failed, RestoreState::NotBegun));
    assert!(why(&report).0.contains("is still stopping"), "{report:?}");
    assert_eq!(report.power, ServerPower::LeftStopped);
    assert_eq!(scene.world.panel.deeds(), ["stop"]);
    assert!(scene.is_untouched());
}

#[tokio::test]
async fn with_truncate_nothing_is_deleted_before_the_archive_is_seen() {
    for (what, code, says) in [
        ("lost on the node", 4, "does not have this archive"),
        ("lost in the bucket", 4, "does not have this archive"),
        ("of another length", 4, "bytes, and the panel says"),
        (
            "node away",
            1,
            "could not make sure that the archive is there",
        ),
        (
            "no permission",
            1,
            "the permission `backup.download` is missing",
        ),
        ("spent links", 1, "refused a fresh download link"),
    ] {
        let scene = Scene::new().await;
        scene.running();
        let panel = &scene.world.panel;
        match what {
            "lost on the node" => panel.lose_archive(scene.backup),
            "lost in the bucket" => {
                panel.set_disk(scene.backup, Disk::S3);
                panel.lose_archive(scene.backup);
            }
            "of another length" => panel.edit(scene.backup, |row| row.bytes += 1),
            "node away" => panel.on(Call::Downloads, Times::Forever, Fault::Closed),
            "no permission" => panel.edit_server(scene.server, |row| {
                let all = [
                    "backup.read",
                    "backup.restore",
                    "activity.read",
                    "file.read",
                ];
                row.access = Access::Subuser(all.map(str::to_owned).into());
            }),
            _ => panel.on(Call::Downloads, Times::Forever, Fault::ResourceMissing),
        }
        let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
        assert_eq!(exit.code(), code, "{what}: {report:?}");
        assert_eq!(report.end, RestoreState::NotBegun, "{what}");
        assert!(why(&report).0.contains(says), "{what}: {report:?}");
        assert_eq!(panel.deeds(), Vec::<String>::new(), "{what}");
        assert!(scene.is_untouched(), "{what}");
    }
}

#[tokio::test]
async fn the_look_at_the_archive_reads_next_to_nothing_and_is_told() {
    let scene = Scene::new().await;
    scene.world.panel.edit(scene.backup, |row| {
        row.complete(Archive::of_about(3, 40 << 20));
    });
    let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(scene.world.panel.bytes_served() < 20 << 20);
    let note = report.notes.join("\n");
    assert!(
        note.contains("found on the node with the right length"),
        "{note}"
    );
    assert!(note.contains("the rest of it was not"), "{note}");
    assert_eq!(scene.world.panel.leaks(), []);
}

#[tokio::test]
async fn a_backup_that_failed_or_is_being_made_never_reaches_the_node() {
    let scene = Scene::new().await;
    for flag in ["--truncate", "--no-truncate"] {
        scene.world.panel.edit(scene.backup, BackupRow::fail);
        let (report, exit) = scene.restore(&[flag, "--yes"]).await;
        assert_eq!((exit, report.end), (Exit::Failed, RestoreState::NotBegun));
        assert!(why(&report).0.contains("the backup failed"), "{report:?}");
    }
    let running = scene
        .world
        .panel
        .add_in_progress(scene.server, "running", None);
    let scene = Scene {
        backup: running,
        ..scene
    };
    let (report, _) = scene.restore(&["--truncate", "--yes"]).await;
    assert!(why(&report).0.contains("is still being made"), "{report:?}");
    assert_eq!(scene.world.panel.deeds(), Vec::<String>::new());
}

#[tokio::test]
async fn a_failure_on_the_node_is_told_with_where_else_the_backup_is_held() {
    let scene = Scene::new().await;
    let (_, exit) = scene.world.quick(&[]).await;
    assert_eq!(exit, Exit::Done);
    scene.running();
    scene
        .world
        .panel
        .edit_restore_rules(|rules| rules.ending = RestoreEnding::Fails);
    let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
    assert_eq!((exit, report.end), (Exit::Partial, RestoreState::Failed));
    assert_eq!(report.power, ServerPower::LeftStopped);
    let (message, hint) = why(&report);
    assert!(message.contains("failed on the node"), "{message}");
    assert!(hint.contains("the backup is held, verified, at "), "{hint}");
    assert!(hint.contains(&format!("nestegg restore {} --to-panel", scene.backup)));
    let notes = report.notes.join("\n");
    assert!(notes.contains("its files are deleted"), "{notes}");
    assert!(
        notes.contains("it ran before and was told to stop"),
        "{notes}"
    );
}

#[tokio::test]
async fn what_the_log_does_not_tell_is_not_called_a_success() {
    for what in ["no permission", "no log", "forgotten", "another's end"] {
        let scene = Scene::new().await.impatient_with_the_log();
        scene.running();
        let panel = &scene.world.panel;
        let server = scene.server;
        match what {
            "no permission" => panel.edit_server(server, |row| {
                let all = [
                    "backup.read",
                    "backup.restore",
                    "backup.download",
                    "file.read",
                    "control.stop",
                    "websocket.connect",
                ];
                row.access = Access::Subuser(all.map(str::to_owned).into());
            }),
            "no log" => panel.set_dialect(Dialect::Documented),
            "another's end" => {
                panel.edit_restore_rules(|rules| rules.ending = RestoreEnding::Forgotten);
                panel.before(Call::Restore(scene.backup), move |script| {
                    let name = serde_json::json!({"name": "weekly"});
                    script.log_activity(server, "server:backup.restore-complete", name);
                });
            }
            _ => panel.edit_restore_rules(|rules| rules.ending = RestoreEnding::Forgotten),
        }
        let (report, exit) = scene.restore(&["--no-truncate", "--yes"]).await;
        assert_eq!(
            (exit, report.end),
            (Exit::Partial, RestoreState::Unknown),
            "{what}: {report:?}"
        );
        assert_eq!(report.power, ServerPower::LeftStopped, "{what}");
        let (message, hint) = why(&report);
        assert!(
            message.contains("how the restore ended can't be told"),
            "{what}: {message}"
        );
        assert!(
            hint.contains("look at the server's files"),
            "{what}: {hint}"
        );
    }
}

#[tokio::test]
async fn only_an_end_that_was_not_in_the_log_before_counts_whatever_its_time() {
    for (log_ids, filter) in [
        (LogIds::Given, LogFilter::Heeded),
        (LogIds::None, LogFilter::Ignored),
    ] {
        for (ending, expected) in [
            (RestoreEnding::Complete, RestoreState::Complete),
            (RestoreEnding::Fails, RestoreState::Failed),
            (RestoreEnding::Forgotten, RestoreState::Unknown),
        ] {
            let scene = match ending {
                RestoreEnding::Forgotten => Scene::new().await.impatient_with_the_log(),
                RestoreEnding::Complete | RestoreEnding::Fails | RestoreEnding::Never => {
                    Scene::new().await
                }
            };
            scene.world.panel.edit_restore_rules(|rules| {
                rules.log_ids = log_ids;
                rules.filter = filter;
                rules.ending = ending;
            });
            crowded(&scene);
            let (report, _) = scene.restore(&["--no-truncate", "--yes"]).await;
            assert_eq!(report.end, expected, "{log_ids:?} {filter:?}: {report:?}");
        }
    }
}

/// Hundreds of ends of restores of this very backup, of the past and of a future that never came, and
/// more than a thousand rows about other things.
fn crowded(scene: &Scene) {
    let now = Clock::System.now();
    for number in 0..1300_i64 {
        let (event, days) = match number % 4 {
            0 => ("server:backup.restore-complete", number - 650),
            1 => ("server.backup.restore-failed", number - 650),
            2 => ("server:backup.restore", number - 650),
            _ => ("server:console.command", 0),
        };
        scene.world.panel.log_row(ActivityRow {
            server: scene.server,
            event: event.to_owned(),
            properties: serde_json::json!({"name": "nightly"}),
            logged_at: now + SignedDuration::from_hours(24 * days),
        });
    }
}

#[tokio::test]
async fn a_refusal_of_the_panel_changes_nothing_and_the_server_runs_again() {
    for (what, says) in [
        ("limit", "the panel's rate limit is used up"),
        ("busy", "the server is restoring a backup"),
        ("400", "the server is busy with something else"),
        ("422", "The truncate field is required."),
        ("403", "the permission `backup.restore` is missing"),
    ] {
        let scene = Scene::new().await;
        scene.running();
        let panel = &scene.world.panel;
        let refused = |status, code: &str, detail: &str| Fault::Refusal {
            status,
            code: code.to_owned(),
            detail: detail.to_owned(),
        };
        let fault = match what {
            "limit" => Fault::TooManyRequests { retry_after_s: 600 },
            "busy" => refused(
                409,
                "ServerStateConflictException",
                "This server is currently restoring from a backup",
            ),
            "400" => refused(400, "BadRequestHttpException", "x"),
            "422" => refused(
                422,
                "ValidationException",
                "The truncate field is required.",
            ),
            _ => refused(
                403,
                "AccessDeniedHttpException",
                "This action is unauthorized.",
            ),
        };
        panel.on(Call::Restore(scene.backup), Times::Forever, fault);
        let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
        assert_eq!(
            (exit, report.end),
            (Exit::Failed, RestoreState::NotBegun),
            "{what}: {report:?}"
        );
        assert!(why(&report).0.contains(says), "{what}: {report:?}");
        assert_eq!(report.power, ServerPower::StartedAgain, "{what}");
        assert_eq!(panel.deeds(), ["stop", "start"], "{what}");
        assert!(scene.is_untouched(), "{what}");
    }
}

#[tokio::test]
async fn a_node_that_fails_leaves_the_server_off_and_its_files_in_doubt() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican] {
        let scene = Scene::new().await.impatient_with_the_log();
        scene.world.panel.set_dialect(dialect);
        scene.running();
        // The archive is lost between the look and the restore: the files go all the same.
        let backup = scene.backup;
        scene
            .world
            .panel
            .before(Call::Restore(backup), move |script| {
                script.lose_archive(backup);
            });
        let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
        assert_eq!(
            (exit, report.end),
            (Exit::Partial, RestoreState::Broken),
            "{report:?}"
        );
        assert_eq!(report.power, ServerPower::LeftStopped);
        let (message, hint) = why(&report);
        assert!(
            message.contains("by the server's node (HTTP 500)"),
            "{message}"
        );
        assert!(hint.contains("no verified copy"), "{hint}");
        assert!(report.notes.join("\n").contains("its files may be deleted"));
        assert_eq!(scene.tree(), BTreeMap::new());
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_failure_when_the_restore_is_under_way() {
    let scene = Scene::new().await;
    let (server, backup) = (scene.server, scene.backup);
    // The panel does it, and a proxy answers in its place.
    scene.world.panel.edit_restore_rules(|rules| {
        rules.takes = Duration::from_millis(200);
    });
    scene
        .world
        .panel
        .on(Call::Restore(backup), Times::Next(1), Fault::BadGateway);
    scene
        .world
        .panel
        .before(Call::Restore(backup), move |script| {
            script.set_condition(server, Condition::Restoring);
            // It is seen under way once, and is over at the next look.
            script.before(Call::Server(server), move |script| {
                script.before(Call::Server(server), move |script| {
                    script.set_condition(server, Condition::Ready);
                    let name = serde_json::json!({"name": "nightly"});
                    script.log_activity(server, "server:backup.restore-complete", name);
                });
            });
        });
    let (report, exit) = scene.restore(&["--no-truncate", "--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
    assert!(
        report.notes.join("\n").contains("under way all the same"),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_is_no_failure_when_the_restore_is_over_by_then() {
    for (event, exit, power) in [
        (
            "server:backup.restore-complete",
            Exit::Done,
            ServerPower::StartedAgain,
        ),
        (
            "server.backup.restore-failed",
            Exit::Partial,
            ServerPower::LeftStopped,
        ),
    ] {
        let scene = Scene::new().await;
        scene.running();
        let (server, backup) = (scene.server, scene.backup);
        scene
            .world
            .panel
            .on(Call::Restore(backup), Times::Next(1), Fault::BadGateway);
        scene
            .world
            .panel
            .before(Call::Restore(backup), move |script| {
                script.log_activity(server, event, serde_json::json!({"name": "nightly"}));
            });
        let (report, ended) = scene.restore(&["--no-truncate", "--yes"]).await;
        assert_eq!(ended, exit, "{report:?}");
        assert_eq!(report.power, power);
    }
}

#[tokio::test]
async fn a_stop_whose_answer_is_lost_is_told_as_one_that_may_have_come_through() {
    let scene = Scene::new().await;
    scene.running();
    scene.world.panel.on(
        Call::Host(scene.server, HostCall::Power),
        Times::Next(1),
        Fault::ClosedAfter,
    );
    let (report, exit) = scene.restore(&["--truncate", "--yes"]).await;
    assert_eq!(
        (exit, report.end, report.power),
        (
            Exit::Failed,
            RestoreState::NotBegun,
            ServerPower::LeftStopped
        ),
        "{report:?}"
    );
    assert!(scene.is_untouched());
}

#[tokio::test]
async fn a_word_that_names_several_servers_restores_into_none() {
    let scene = Scene::new().await;
    scene.running();
    scene.world.panel.add_server("Survival two");
    let url = scene.world.panel.url();
    let id = scene.backup.to_string();
    let ran = scene
        .world
        .run(&[
            "panel",
            "restore",
            &id,
            "--server",
            "Surv*",
            "--panel",
            &url,
            "--truncate",
            "--yes",
        ])
        .await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`Surv*` names 2 servers"),
        "{}",
        ran.stderr
    );
    assert!(scene.world.panel.deeds().is_empty());
}

#[tokio::test]
async fn who_waits_no_longer_is_told_that_it_goes_on() {
    let scene = Scene::new().await;
    scene
        .world
        .panel
        .edit_restore_rules(|rules| rules.ending = RestoreEnding::Never);
    let (report, exit) = scene
        .restore(&["--no-truncate", "--yes", "--timeout", "1s"])
        .await;
    assert_eq!(
        (exit, report.end),
        (Exit::Limit, RestoreState::UnderWay),
        "{report:?}"
    );
    assert!(
        why(&report).0.contains("still restoring after "),
        "{report:?}"
    );

    let scene = Scene::new().await;
    scene
        .world
        .panel
        .edit_restore_rules(|rules| rules.ending = RestoreEnding::Never);
    let env = Env::new(Clock::System);
    let (teller, server) = (env.clone(), scene.server);
    scene
        .world
        .panel
        .before(Call::Restore(scene.backup), move |script| {
            script.before(Call::Server(server), move |_| {
                teller.stop(StopSignal::Interrupt);
            });
        });
    let (report, exit) = scene.restore_in(&["--no-truncate", "--yes"], env).await;
    assert_eq!(
        (exit, report.end),
        (Exit::Interrupted, RestoreState::UnderWay),
        "{report:?}"
    );
    assert!(report.notes.join("\n").contains("the node goes on with it"));
}

#[tokio::test]
async fn a_panel_that_is_away_for_a_moment_while_it_restores_is_waited_for() {
    let scene = Scene::new().await;
    scene.world.panel.on(
        Call::Server(scene.server),
        Times::Next(0),
        Fault::BadGateway,
    );
    let (server, backup) = (scene.server, scene.backup);
    scene
        .world
        .panel
        .before(Call::Restore(backup), move |script| {
            script.on(Call::Server(server), Times::Next(7), Fault::BadGateway);
        });
    let (report, exit) = scene.restore(&["--no-truncate", "--yes"]).await;
    assert_eq!(exit, Exit::Done, "{report:?}");
}

#[tokio::test]
async fn nobody_to_ask_means_nothing_is_done_not_even_stopped() {
    let scene = Scene::new().await;
    scene.running();
    let (report, exit) = scene.restore(&["--truncate"]).await;
    assert_eq!((exit, report.end), (Exit::Failed, RestoreState::NotBegun));
    let (message, hint) = why(&report);
    assert!(
        message.contains("nobody agreed to delete all files"),
        "{message}"
    );
    assert!(hint.contains("--yes"), "{hint}");
    assert_eq!(scene.world.panel.deeds(), Vec::<String>::new());
}

#[tokio::test]
async fn a_server_in_another_state_is_left_alone() {
    let scene = Scene::new().await;
    scene
        .world
        .panel
        .set_condition(scene.server, Condition::Suspended);
    let (report, exit) = scene.restore(&["--no-truncate", "--yes"]).await;
    assert_eq!((exit, report.end), (Exit::Failed, RestoreState::NotBegun));
    assert!(
        why(&report).0.contains("the server is suspended"),
        "{report:?}"
    );
}

#[tokio::test]
async fn what_becomes_of_the_files_must_be_spelled_out() {
    let scene = Scene::new().await;
    for more in [&["--yes"][..], &["--truncate", "--no-truncate", "--yes"]] {
        let ran = scene.world.run(&scene.args(more)).await;
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("--truncate"), "{}", ran.stderr);
    }
    let mut args = scene.args(&["--no-truncate", "--yes"]);
    let server = args.iter().position(|word| word == "--server").unwrap();
    args[server + 1] = "nowhere".to_owned();
    let ran = scene.world.run(&args).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
    assert_eq!(scene.world.panel.deeds(), Vec::<String>::new());
}

#[tokio::test]
async fn a_person_reads_what_was_done_and_what_is_proved() {
    let scene = Scene::new().await;
    let plain = |text: &str| {
        text.replace(&scene.server.to_string(), "SERVER")
            .replace(&scene.backup.to_string(), "BACKUP")
    };
    let ran = scene.world.run(&scene.args(&["--truncate", "--yes"])).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\(\d+(\.\d+)? [KM]?i?B\)", "([size])");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[panel]");
    settings.bind(|| insta::assert_snapshot!(plain(&ran.stdout), @r"
    restored: Survival / nightly (BACKUP), by panel [panel]
      before anything was deleted, the archive was found on the node with the right length ([size]) and its first byte was read; the rest of it was not
    "));
    scene.world.panel.lose_archive(scene.backup);
    let ran = scene.world.run(&scene.args(&["--truncate", "--yes"])).await;
    assert_eq!(ran.code, Some(4));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "[node]");
    settings.bind(|| insta::assert_snapshot!(plain(&ran.stderr), @r"
    error: server SERVER: could not make sure that the archive is there, and --truncate deletes all files before the node looks for it: `[node]` does not have this archive, although the panel lists it as completed
      hint: a server transfer leaves its archives on the old node, and archives can be deleted by hand: look on the node, then delete the row in the panel; the ledger knows of no verified copy of backup BACKUP elsewhere
    "));
}

#[tokio::test]
async fn who_types_the_server_s_name_is_obeyed_and_nobody_else() {
    for (text, code) in [("Survival\n", 0), ("yes\n", 1), ("\x04", 1)] {
        let scene = Scene::new().await;
        let args = scene.args(&["--truncate"]);
        let (ended, shown) = terminal::typed(&scene.world, &args, text).await;
        assert_eq!(ended, Some(code), "{text:?}: {shown}");
        let question = format!(
            "This will delete all files of the server Survival ({}), which has 1 file or folder in its root.",
            scene.server
        );
        assert!(shown.contains(&question), "{shown}");
        assert_eq!(scene.is_untouched(), code != 0, "{text:?}");
    }
}
