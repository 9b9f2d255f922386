//! Schedules that rotate a server's backups, and people who ask for more, while `mirror` runs: at chosen moments, and
//! at random ones over many seeds.

use std::sync::Arc;
use std::sync::Mutex;

use nestegg::model::ids::ServerId;
use nestegg::model::outcome::FailureKind;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::NewBackup;
use crate::support::fake_panel::Script;

/// How many random histories are tried of each kind.
const SEEDS: u64 = 20;

/// How many backups each server may have.
const SLOTS: u64 = 4;

/// Numbers that look random: `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

fn tiny(seed: u64) -> Archive {
    Archive::of_about(seed, 600)
}

/// A panel with so many full servers, some of whose backups the operator has locked.
async fn full_servers(
    servers: usize,
    chance: &mut Chance,
) -> (World, Vec<ServerId>, BTreeSet<BackupId>) {
    let world = World::in_memory().await;
    let panel = &world.panel;
    panel.set_rate_limit(1_000_000, std::time::Duration::from_mins(1));
    panel.set_create_throttle(1_000, std::time::Duration::from_mins(1));
    panel.set_dialect(DIALECTS[usize::try_from(chance.below(3)).unwrap()]);
    let mut operators = BTreeSet::new();
    let servers = (0..servers)
        .map(|number| {
            let server = panel.add_server(&format!("server {number}"));
            panel.edit_server(server, |row| row.backup_limit = SLOTS);
            for _ in 0..SLOTS {
                let backup = panel.add_backup(server, "nightly", tiny(chance.below(1 << 40)));
                if chance.below(4) == 0 {
                    panel.edit(backup, |row| row.is_locked = true);
                    operators.insert(backup);
                }
            }
            server
        })
        .collect();
    (world, servers, operators)
}

/// What a panel saw of one run.
#[derive(Debug, Default)]
struct Seen {
    /// What was locked by a call.
    locked_by_us: BTreeSet<BackupId>,
    /// How many backups the schedules made, and how many they could not.
    made: usize,
    refused: usize,
}

/// From now on, one request in four is met by a schedule that is due on some server.
fn rotate_at_random(world: &World, servers: &[ServerId], mut chance: Chance) -> Arc<Mutex<Seen>> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (log, servers) = (Arc::clone(&seen), servers.to_vec());
    world.panel.before_each(move |script, request| {
        let mut seen = log.lock().unwrap();
        if chance.below(4) == 0 {
            let server = servers[usize::try_from(chance.below(servers.len() as u64)).unwrap()];
            match script.schedule(server, tiny(chance.below(1 << 40))) {
                Some(_) => seen.made += 1,
                None => seen.refused += 1,
            }
        }
        // A lock comes into effect with the answer, right after this.
        if let Some(backup) = toggled(request)
            && script.backup(backup).is_some_and(|row| !row.is_locked)
        {
            seen.locked_by_us.insert(backup);
        }
    });
    seen
}

fn held(world: &World) -> BTreeSet<BackupId> {
    sidecars(world).into_keys().collect()
}

/// Every failure is a backup that vanished, and every such backup is neither held nor listed any more.
fn assert_only_vanished(world: &World, report: &MirrorReport, exit: Exit, when: &str) {
    for failure in &report.errors {
        assert!(
            failure.kind == FailureKind::NotFound
                && failure
                    .message
                    .starts_with("it vanished before it was copied"),
            "{when}: {failure:?}"
        );
        let backup: BackupId = failure.id.parse().unwrap();
        assert!(world.panel.backup(backup).is_none(), "{when}: it is there");
        assert!(!held(world).contains(&backup), "{when}: it is held");
        let vanished = told(&world.ledger(), "vanished_at IS NOT NULL");
        assert!(vanished.contains(&backup), "{when}: not recorded");
    }
    let expected = if report.errors.is_empty() {
        Exit::Done
    } else {
        Exit::Partial
    };
    assert_eq!(exit, expected, "{when}: {:?}", report.errors);
}

#[tokio::test]
async fn a_rotation_at_the_limit_takes_an_unprotected_backup_and_not_a_protected_one() {
    for (words, is_lost) in [
        (&["--protect", "none"], true),
        (&["--protect", "lock"], false),
    ] {
        let world = World::new().await;
        let server = world.panel.add_server("Survival");
        let oldest = world.panel.add_backup(server, "oldest", tiny(1));
        let newest = world.panel.add_backup(server, "newest", tiny(2));
        world.panel.edit_server(server, |row| row.backup_limit = 2);
        // The schedule is due right when the oldest one's turn comes.
        world
            .panel
            .before(Call::Link(oldest), move |script: &Script| {
                script.schedule(server, tiny(3)).unwrap();
            });
        let (report, exit) = world
            .quick(&[words, &["--transfers", "1"][..]].concat())
            .await;
        let expected = if is_lost { Exit::Partial } else { Exit::Done };
        assert_eq!(exit, expected, "{:?}", report.errors);
        assert_eq!(held(&world).contains(&oldest), !is_lost);
        assert!(held(&world).contains(&newest));
        assert_only_vanished(&world, &report, exit, "at the limit");
    }
}

#[tokio::test]
async fn a_rotation_that_finds_everything_locked_makes_no_backup_and_harms_none() {
    let world = World::new().await;
    let server = world.panel.add_server("Survival");
    let only = world.panel.add_backup(server, "only", tiny(1));
    world.panel.edit_server(server, |row| row.backup_limit = 1);
    world.panel.before(Call::Download(only), move |script| {
        assert_eq!(script.schedule(server, tiny(2)), None);
    });
    let (report, exit) = protected(&world, &[]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert!(world.panel.schedule(server, tiny(3)).is_some(), "unlocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_rotated_at_random_what_was_locked_is_held_and_no_lock_is_left() {
    let (mut vanished, mut made, mut refused, mut locked) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let mut chance = Chance(seed);
        let (world, servers, operators) = full_servers(3, &mut chance).await;
        let seen = rotate_at_random(&world, &servers, chance);
        let (report, exit) = protected(&world, &[]).await;
        let when = format!("seed {seed}");
        assert_only_vanished(&world, &report, exit, &when);
        let held = held(&world);
        {
            let seen = seen.lock().unwrap();
            let lost: Vec<_> = seen.locked_by_us.difference(&held).collect();
            assert!(lost.is_empty(), "{when}: {lost:?}");
            assert!(operators.is_subset(&held), "{when}");
            (made, refused) = (made + seen.made, refused + seen.refused);
            locked += seen.locked_by_us.len();
        }
        vanished += report.errors.len();
        world.panel.calm();
        // What the schedules made meanwhile is taken by the next run.
        assert_eq!(protected(&world, &[]).await.1, Exit::Done, "{when}");
        assert_only_the_operators(&world, &operators, &when);
    }
    assert!(
        vanished > 0 && made > 100 && refused > 0 && locked > 40,
        "{vanished} {made} {refused} {locked}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_protection_the_same_rotations_lose_more_and_each_loss_is_told() {
    let mut vanished = [0, 0];
    for seed in 0..SEEDS / 2 {
        for (index, words) in [["--protect", "none"], ["--protect", "lock"]]
            .iter()
            .enumerate()
        {
            let mut chance = Chance(seed);
            let (world, servers, operators) = full_servers(2, &mut chance).await;
            rotate_at_random(&world, &servers, chance);
            let (report, exit) = world.quick(words).await;
            let when = format!("seed {seed}, {words:?}");
            assert_only_vanished(&world, &report, exit, &when);
            vanished[index] += report.errors.len();
            world.panel.calm();
            assert_eq!(world.quick(words).await.1, Exit::Done, "{when}");
            assert_only_the_operators(&world, &operators, &when);
        }
    }
    assert!(vanished[0] > 0, "{vanished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_backups_that_are_asked_for_among_rotations_are_never_rotated_away() {
    for seed in 0..SEEDS / 2 {
        let mut chance = Chance(seed ^ 0x00c0_ffee);
        let (world, servers, operators) = full_servers(2, &mut chance).await;
        // One slot is free, so that the panel makes one; and then all are taken.
        for server in &servers {
            world
                .panel
                .edit_server(*server, |row| row.backup_limit = SLOTS + 1);
            world.panel.plan_creation(NewBackup {
                reads_in_progress: u32::try_from(chance.below(4)).unwrap(),
                archive: Some(tiny(chance.below(1 << 40))),
            });
        }
        let seen = rotate_at_random(&world, &servers, chance);
        let (report, _exit) = protected(&world, &["--create=fresh"]).await;
        let when = format!("seed {seed}");
        for failure in &report.errors {
            // The schedules may have taken the slot first.
            assert!(
                failure.message.contains("reached its limit of backups")
                    || failure
                        .message
                        .starts_with("it vanished before it was copied"),
                "{when}: {failure:?}"
            );
        }
        {
            let seen = seen.lock().unwrap();
            assert!(seen.locked_by_us.is_subset(&held(&world)), "{when}");
        }
        world.panel.calm();
        assert_eq!(protected(&world, &[]).await.1, Exit::Done, "{when}");
        let fresh = sidecars(&world)
            .into_values()
            .filter(|sidecar| sidecar.backup.name == "fresh")
            .count();
        let limits = report
            .errors
            .iter()
            .filter(|failure| failure.message.contains("reached its limit"))
            .count();
        assert_eq!(fresh + limits, servers.len(), "{when}");
        assert_only_the_operators(&world, &operators, &when);
    }
}
