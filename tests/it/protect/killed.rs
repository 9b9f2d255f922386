//! Killed between every two steps of a protected copy: the next run unlocks what is ours, and nothing else.

use std::sync::Arc;

use nestegg::config::settings::MirrorSettings;
use nestegg::model::backup::Protect;
use nestegg::model::ids::ServerId;
use tokio::sync::Notify;

use super::*;
use crate::crash::scene::Scene;
use crate::crash::scene::Until;
use crate::crash::scene::everything;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::NewBackup;
use crate::support::fake_panel::Site;
use crate::support::fake_panel::Times;

/// How a request is left without an answer.
const WAYS: [Fault; 2] = [
    // Nothing of what was asked for is done.
    Fault::Silent,
    // All of it is, and nobody hears of it.
    Fault::SilentAfter,
];

/// One backup that nobody has locked, one that the operator has, and one that is held.
#[derive(Debug)]
struct Trio {
    world: World,
    server: ServerId,
    theirs: BackupId,
}

impl Trio {
    async fn new(dialect: Dialect) -> Self {
        let world = World::in_memory().await;
        let panel = &world.panel;
        let server = panel.add_server("Survival");
        panel.add_backup(server, "held", Archive::small(1));
        panel.set_dialect(dialect);
        panel.set_rate_limit(1_000_000, std::time::Duration::from_mins(1));
        assert_eq!(world.quick(&[]).await.1, Exit::Done);
        panel.add_backup(server, "free", Archive::small(2));
        let theirs = panel.add_backup(server, "theirs", Archive::small(3));
        panel.edit(theirs, |row| row.is_locked = true);
        panel.forget_requests();
        Self {
            world,
            server,
            theirs,
        }
    }

    /// Waits until a request goes unanswered, and what it asked for is done if it is to be.
    async fn hung(&self, hangs: &Notify) {
        hangs.notified().await;
        self.world.panel.wait_for_the_answer();
    }

    /// From now on, the request of this number (from 1) goes unanswered, and the test is told.
    fn hang_at(&self, number: usize, how: &Fault) -> Arc<Notify> {
        let hangs = Arc::new(Notify::new());
        let (tells, how) = (Arc::clone(&hangs), how.clone());
        let mut seen = 0;
        self.world.panel.before_each(move |script, request| {
            seen += 1;
            if seen == number {
                let call = match request.site {
                    Site::Panel => Call::Panel,
                    Site::Node | Site::S3 => Call::Downloads,
                };
                script.on(call, Times::Next(1), how.clone());
                tells.notify_one();
            }
        });
        hangs
    }

    /// What holds at any moment: the operator's lock is there, and any other is known to be ours.
    fn assert_accounted_for(&self, when: &str) {
        let mut locks = self.world.panel.locked();
        assert!(locks.remove(&self.theirs), "{when}: the operator's is gone");
        let noted: BTreeSet<BackupId> = noted(&self.world.ledger()).into_iter().collect();
        assert!(locks.is_subset(&noted), "{when}: {locks:?} is nobody's");
        assert!(!noted.contains(&self.theirs), "{when}: taken for ours");
    }

    fn assert_as_before(&self, when: &str) {
        assert_only_the_operators(&self.world, &[self.theirs].into(), when);
        let held: BTreeSet<BackupId> = sidecars(&self.world).into_keys().collect();
        let listed: BTreeSet<BackupId> = self
            .world
            .panel
            .backups_of(self.server)
            .into_iter()
            .collect();
        assert_eq!(held, listed, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_killed_at_every_request_of_a_protected_run_is_undone_by_the_next() {
    let calm = Trio::new(Dialect::Pterodactyl).await;
    let words = ["--protect", "lock", "--transfers", "1"];
    assert_eq!(calm.world.mirror(&words).await.code, Some(0));
    let steps = calm.world.panel.requests().len();
    assert!(steps >= 12, "{steps}");
    for number in 1..=steps {
        for (dialect, how) in DIALECTS.into_iter().cycle().skip(number).zip(&WAYS) {
            let trio = Trio::new(dialect).await;
            let hangs = trio.hang_at(number, how);
            let mut child = trio.world.start(&trio.world.mirror_args(&words));
            trio.hung(&hangs).await;
            child.start_kill().unwrap();
            child.wait().await.unwrap();
            let when = format!("killed at request {number}, {how:?}, {dialect:?}");
            trio.assert_accounted_for(&when);
            trio.world.panel.calm();
            // Any run does, whether it protects or not.
            let next = if number % 2 == 0 { &words[..] } else { &[] };
            let ran = trio.world.mirror(next).await;
            assert_eq!(ran.code, Some(0), "{when}: {}", ran.stderr);
            trio.assert_as_before(&when);
        }
    }
}

/// Runs and drops at every request, in this process; gives how many requests there were.
async fn dropped_at_every_request(words: &[&str]) -> usize {
    for number in 1.. {
        for how in &WAYS {
            let trio = Trio::new(DIALECTS[number % 3]).await;
            trio.world.panel.plan_creation(NewBackup {
                reads_in_progress: 2,
                archive: Some(Archive::small(9)),
            });
            let hangs = trio.hang_at(number, how);
            let ended = tokio::select! {
                biased;
                () = trio.hung(&hangs) => None,
                ended = trio.world.quick(words) => Some(ended),
            };
            if let Some((report, exit)) = ended {
                assert_eq!(exit, Exit::Done, "{:?}", report.errors);
                trio.assert_as_before("to its end");
                return number - 1;
            }
            let when = format!("{words:?} dropped at request {number}, {how:?}");
            trio.assert_accounted_for(&when);
            trio.world.panel.calm();
            // One that dies again at its first unlocking leaves no less to the next.
            let again = trio.hang_at(2, how);
            tokio::select! {
                biased;
                () = trio.hung(&again) => {}
                _ended = trio.world.quick(&[]) => {}
            }
            trio.assert_accounted_for(&when);
            trio.world.panel.calm();
            settle(&trio);
            let (report, exit) = trio.world.quick(&[]).await;
            assert_eq!(exit, Exit::Done, "{when}: {:?}", report.errors);
            trio.assert_as_before(&when);
        }
    }
    unreachable!("a run has an end")
}

/// A backup that the panel still makes is completed before the last look at it.
fn settle(trio: &Trio) {
    for backup in trio.world.panel.backups_of(trio.server) {
        trio.world.panel.edit(backup, |row| {
            if row.archive.is_none() {
                row.complete(Archive::small(9));
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_run_dropped_at_every_request_is_undone_by_the_next() {
    let steps = dropped_at_every_request(&["--protect", "lock", "--transfers", "1"]).await;
    assert!(steps >= 12, "{steps}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_run_that_makes_a_fresh_backup_dropped_at_every_request_is_undone_by_the_next()
{
    let words = ["--protect", "lock", "--transfers", "1", "--create"];
    let steps = dropped_at_every_request(&words).await;
    assert!(steps >= 18, "{steps}");
}

/// Not only while the panel is asked: before and after every write to the ledger and every effect on the store.
#[tokio::test(flavor = "multi_thread")]
async fn a_protected_run_dropped_at_any_await_is_undone_by_the_next() {
    let protected = || MirrorSettings {
        transfers: 1,
        protect: Protect::Lock,
        ..everything()
    };
    let mut scene = Scene::new(1).await;
    let server = scene.panel.add_server("Survival");
    let theirs = scene.add_backup(server, Archive::small(1));
    scene.panel.edit(theirs, |row| row.is_locked = true);
    scene.add_backup(server, Archive::small(2));
    for times in 1.. {
        let scene = scene.afresh();
        let ended = scene.run_to(&[0], protected(), Until::Woken(times)).await;
        let when = format!("dropped after {times} awakenings");
        let ours: BTreeSet<BackupId> = noted(&scene.ledger_path()).into_iter().collect();
        let mut locks = scene.panel.locked();
        assert!(locks.remove(&theirs) && !ours.contains(&theirs), "{when}");
        assert!(locks.is_subset(&ours), "{when}");
        let next = scene.run_to(&[0], everything(), Until::TheEnd).await;
        assert_eq!(next.unwrap().exit, Exit::Done, "{when}");
        scene.assert_whole(&when);
        assert_eq!(scene.panel.locked(), [theirs].into(), "{when}");
        assert_eq!(noted(&scene.ledger_path()), [], "{when}");
        assert_eq!(told(&scene.ledger_path(), "is_locked"), [theirs].into());
        if ended.is_some() {
            assert!(times > 40, "{when}: it had ended");
            break;
        }
    }
}
