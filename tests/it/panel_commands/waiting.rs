//! `panel create --wait`.

use std::time::Duration;

use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::model::backup::Backup;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::outcome::Ended;
use nestegg::report::human;

use super::DIALECTS;
use super::create_in;
use super::messages;
use super::panel_args;
use super::plain;
use super::quick_create;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::NewBackup;
use crate::support::fake_panel::Times;
use crate::support::world::World;

const WAIT: [&str; 5] = ["--server", "Survival", "--name", "n", "--wait"];

/// Never ends by itself.
const ENDLESS: NewBackup = NewBackup {
    reads_in_progress: u32::MAX,
    archive: None,
};

/// The backup that somebody has made, as soon as there is one besides the first.
async fn made(world: &World, server: ServerId) -> BackupId {
    loop {
        if let [_, made] = world.panel.backups_of(server)[..] {
            return made;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn pending(reads_in_progress: u32, archive: Option<Archive>) -> NewBackup {
    NewBackup {
        reads_in_progress,
        archive,
    }
}

#[tokio::test]
async fn it_ends_when_the_backup_is_completed_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, _, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        world
            .panel
            .plan_creation(pending(4, Some(Archive::small(9))));
        let (report, exit) = quick_create(&world, &[&WAIT[..], &["--lock"]].concat()).await;
        assert_eq!(
            (exit.code(), messages(&report.errors)),
            (0, vec![]),
            "{dialect:?}"
        );
        let Some(Backup::Completed(made)) = report.made.map(|made| made.backup) else {
            panic!("{dialect:?}")
        };
        assert_eq!(
            (made.archive_bytes, made.record.is_locked),
            (Archive::small(9).len(), true)
        );
    }
}

#[tokio::test]
async fn a_backup_that_fails_is_told_from_a_slow_one_in_every_dialect() {
    for dialect in DIALECTS {
        let (world, _, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        world.panel.plan_creation(pending(2, None));
        let (report, exit) = quick_create(&world, &WAIT).await;
        assert_eq!(
            (exit.code(), messages(&report.errors)),
            (1, vec!["the backup that the panel was asked for failed"]),
            "{dialect:?}"
        );
        assert!(matches!(report.made.unwrap().backup, Backup::Failed(_)));
    }
}

#[tokio::test]
async fn the_time_limit_ends_the_wait_and_says_how_to_look() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(ENDLESS);
    let args = panel_args(
        &world,
        &[&["create"], &WAIT[..], &["--timeout", "1s"]].concat(),
    );
    let ran = world.run(&args).await;
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    plain().bind(|| {
        insta::assert_snapshot!(ran.stdout, @"in progress: [uuid] n of Survival");
        insta::assert_snapshot!(ran.stderr, @"note: it is still in progress after [n]s, and goes on at the panel: `nestegg panel backups --server [uuid]` shows how it stands");
    });
    assert_eq!(world.panel.backups_of(server).len(), 2);
}

#[tokio::test]
async fn looks_become_rarer() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(ENDLESS);
    let (report, exit) = quick_create(&world, &[&WAIT[..], &["--timeout", "1s"]].concat()).await;
    assert_eq!((exit.code(), report.ended), (10, Ended::AtLimit));
    let looks = world
        .panel
        .requests()
        .iter()
        .filter(|one| one.method == "GET" && one.path.contains("/backups/"))
        .count();
    // 20 ms apart it would be 50; growing to 120 ms it is 12 or so.
    assert!((1..=20).contains(&looks), "{looks}");
}

#[tokio::test]
async fn told_to_stop_it_leaves_the_backup_to_the_panel_and_says_so() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(ENDLESS);
    let env = Env::new(Clock::System);
    let stop = async {
        let made = made(&world, server).await;
        env.stop(StopSignal::Interrupt);
        made
    };
    let ((report, exit), made) = tokio::join!(create_in(&world, &WAIT, env.clone()), stop);
    assert_eq!(
        (exit.code(), report.ended, messages(&report.errors)),
        (130, Ended::BySigint, vec![])
    );
    assert_eq!(report.made.as_ref().unwrap().backup.record().id, made);
    let mut said = Vec::new();
    let style = human::Style {
        color: human::Color::Off,
        width: None,
    };
    human::panel::create_notes(&report, style, &mut said).unwrap();
    plain().bind(|| {
        insta::assert_snapshot!(String::from_utf8(said).unwrap(), @"note: it is no longer waited for, and goes on at the panel: `nestegg panel backups --server [uuid]` shows how it stands");
    });
}

#[tokio::test]
async fn a_stop_before_anything_was_asked_for_asks_for_nothing() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let env = Env::new(Clock::System);
    env.stop(StopSignal::Terminate);
    let (report, exit) = create_in(&world, &WAIT, env).await;
    assert_eq!((exit.code(), report.made), (143, None));
    assert_eq!(world.panel.backups_of(server).len(), 1);
}

#[tokio::test]
async fn a_backup_that_is_deleted_meanwhile_is_told() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(ENDLESS);
    let delete = async {
        let made = made(&world, server).await;
        world.panel.delete_backup(made);
    };
    let ((report, exit), ()) = tokio::join!(quick_create(&world, &WAIT), delete);
    // There is no backup: nothing was done.
    assert_eq!(
        (exit.code(), &report.made, messages(&report.errors)),
        (
            1,
            &None,
            vec!["the backup was deleted while it was being made"]
        )
    );
}

#[tokio::test]
async fn pages_of_a_proxy_and_failures_that_pass_are_outlasted() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .plan_creation(pending(3, Some(Archive::small(9))));
    let trouble = async {
        let made = made(&world, server).await;
        for fault in [
            Fault::Html,
            Fault::BadGateway,
            Fault::Unavailable,
            Fault::Garbage,
        ] {
            world.panel.on(Call::Backup(made), Times::Next(1), fault);
        }
    };
    let ((report, exit), ()) = tokio::join!(quick_create(&world, &WAIT), trouble);
    assert_eq!((exit.code(), messages(&report.errors)), (0, vec![]));
}

#[tokio::test]
async fn a_page_that_stays_ends_the_wait() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.panel.plan_creation(ENDLESS);
    let trouble = async {
        let made = made(&world, server).await;
        world
            .panel
            .on(Call::Backup(made), Times::Forever, Fault::Html);
    };
    let ((report, exit), ()) = tokio::join!(quick_create(&world, &WAIT), trouble);
    assert_eq!(exit.code(), 3);
    assert!(
        messages(&report.errors)[0].contains("a web page instead of a panel's API"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_lock_that_somebody_takes_off_meanwhile_is_told() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .plan_creation(pending(12, Some(Archive::small(9))));
    let unlock = async {
        let made = made(&world, server).await;
        world.panel.edit(made, |row| row.is_locked = false);
        made
    };
    let words = [&WAIT[..], &["--lock"]].concat();
    let ((report, exit), made) = tokio::join!(quick_create(&world, &words), unlock);
    assert_eq!(
        (exit.code(), messages(&report.errors)),
        (3, vec!["the backup was locked, and is no longer"])
    );
    assert!(
        report.errors[0]
            .hint
            .contains(&format!("nestegg panel lock {made}"))
    );
}
