//! Which servers and which backups are taken.

use jiff::SignedDuration;
use nestegg::env::Clock;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;

use super::all;
use super::both;
use super::mirror_json;
use super::states;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Identifiers;
use crate::support::fake_panel::Role;
use crate::support::world::World;

const NOBODY: &str = "00000000-0000-4000-8000-000000000001";

/// Servers of these names, each with one backup.
async fn servers<const N: usize>(names: [&str; N]) -> (World, [(ServerId, BackupId); N]) {
    let world = World::new().await;
    let made = names.map(|name| {
        let server = world.panel.add_server(name);
        let backup = world.panel.add_backup(server, "nightly", Archive::small(1));
        (server, backup)
    });
    (world, made)
}

/// `--server` with one word, instead of all of them.
fn only<'a>(panel: &'a str, to: &'a str, word: &'a str) -> Vec<&'a str> {
    vec!["mirror", "--panel", panel, "--to", to, "--server", word]
}

#[tokio::test]
async fn a_server_is_named_by_short_id_uuid_serv_id_name_or_glob() {
    let (world, made) = servers(["Survival", "Creative"]).await;
    let (server, backup) = made[0];
    let uuid = server.to_string();
    let short = server.short();
    world.panel.set_identifiers(Identifiers::Long);
    let long = {
        let settings = world.run(&only(&world.panel.url(), "./seen", &uuid)).await;
        assert_eq!(settings.code, Some(0), "{}", settings.stderr);
        let sidecar: serde_json::Value =
            serde_json::from_slice(&world.files()[&format!("seen/{server}/{backup}.json")])
                .unwrap();
        sidecar["server"]["identifier"].as_str().unwrap().to_owned()
    };
    assert!(long.starts_with("serv_"), "{long}");
    world.panel.set_identifiers(Identifiers::Short);
    for (number, word) in [
        &short,
        &short.to_uppercase(),
        &uuid,
        &long,
        "Survival",
        "Surv*",
    ]
    .into_iter()
    .enumerate()
    {
        let to = format!("by-{number}");
        let ran = world
            .run(&only(&world.panel.url(), &format!("./{to}"), word))
            .await;
        assert_eq!(ran.code, Some(0), "{word}: {}", ran.stderr);
        let seen: Vec<String> = world
            .files()
            .into_keys()
            .filter_map(|name| name.strip_prefix(&format!("{to}/")).map(str::to_owned))
            .collect();
        assert_eq!(seen, both(server, backup), "{word}");
    }
}

#[tokio::test]
async fn excluded_servers_are_left_out() {
    let (world, made) = servers(["Survival", "test-one", "test-two", "Creative"]).await;
    let (ran, document) = mirror_json(&world, &["--exclude", "test-*", "Creative"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["servers"], 1);
    assert_eq!(world.visible(), both(made[0].0, made[0].1));
}

#[tokio::test]
async fn a_server_that_nobody_has_is_wrong_usage_and_its_word_is_named() {
    let (world, _) = servers(["Survival"]).await;
    for word in ["survival", "deadbeef", NOBODY, "lobby-*"] {
        let ran = world
            .run(&only(&world.panel.url(), "./offsite", word))
            .await;
        assert_eq!(ran.code, Some(2), "{word}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("`{word}`")) && ran.stderr.contains("--all-servers"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(world.visible(), Vec::<String>::new());
    assert_eq!(world.panel.downloads_started(), 0);
}

#[tokio::test]
async fn a_server_that_nobody_has_beside_one_that_is_there_makes_the_run_partial() {
    let (world, made) = servers(["Survival"]).await;
    let url = world.panel.url();
    let mut args = only(&url, "./offsite", "Survival");
    args.push("Lobby");
    let ran = world.run(&args).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("`Lobby`"), "{}", ran.stderr);
    assert_eq!(world.visible(), both(made[0].0, made[0].1));
}

#[tokio::test]
async fn all_servers_of_the_panel_are_seen_with_an_administrators_key() {
    let (world, made) = servers(["Mine", "Theirs"]).await;
    world
        .panel
        .edit_server(made[1].0, |row| row.access = Access::Stranger);
    let mine = world.mirror(&[]).await;
    assert_eq!(mine.code, Some(0), "{}", mine.stderr);
    assert_eq!(world.visible(), both(made[0].0, made[0].1));
    world.panel.set_role(Role::Administrator);
    let whole = world.mirror(&["--all-servers"]).await;
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    assert_eq!(world.visible(), all(&made));
}

#[tokio::test]
async fn all_servers_without_an_administrators_key_is_no_success() {
    let (world, _) = servers(["Mine"]).await;
    let (ran, document) = mirror_json(&world, &["--all-servers"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(document["errors"][0]["kind"], "permission");
    assert!(
        ran.stderr.contains("the panel shows no servers at all")
            && ran.stderr.contains("a root administrator"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn failed_and_unfinished_backups_are_left_out_and_said() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let running = world
        .panel
        .add_in_progress(server, "half", Some(Archive::small(2)));
    let failed = world.panel.add_failed(server, "broken");
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("still in progress"), "{}", ran.stdout);
    assert!(ran.stdout.contains("failed on the panel"), "{}", ran.stdout);
    assert_eq!(world.visible(), both(server, backup));
    let (_, document) = mirror_json(&world, &[]).await;
    assert_eq!(document["counts"]["backups_seen"], 3);
    assert_eq!(document["counts"]["skipped"], 2);
    for backup in [running, failed] {
        assert!(
            !document["backups"]
                .to_string()
                .contains(&backup.to_string()),
            "{document}"
        );
    }
    world
        .panel
        .edit(running, |row| row.complete(Archive::small(3)));
    let later = world.mirror(&[]).await;
    assert_eq!(later.code, Some(0), "{}", later.stderr);
    assert_eq!(world.visible(), all(&[(server, backup), (server, running)]));
}

#[tokio::test]
async fn a_server_whose_state_closes_backup_calls_is_skipped_and_said_and_the_others_are_mirrored()
{
    for (condition, words) in [
        (Condition::Suspended, "the server is suspended"),
        (Condition::Installing, "the server is installing"),
        (Condition::InstallFailed, "the server is installing"),
        (Condition::Restoring, "the server is restoring a backup"),
        (Condition::Transferring, "the server is being transferred"),
        (
            Condition::NodeMaintenance,
            "the server is on a node under maintenance",
        ),
    ] {
        let (world, made) = servers(["Survival", "Creative"]).await;
        world.panel.set_condition(made[1].0, condition);
        let ran = world.mirror(&[]).await;
        assert_eq!(ran.code, Some(0), "{condition:?}: {}", ran.stderr);
        assert_eq!(world.visible(), both(made[0].0, made[0].1), "{condition:?}");
        let said = format!("{words} (Creative)");
        assert!(ran.stdout.contains(&said), "{condition:?}: {}", ran.stdout);
        let status = world.run(&["status"]).await;
        assert_eq!(status.code, Some(0), "{condition:?}: {}", status.stderr);
        assert!(
            status.stdout.contains(&format!("Creative: {words}")),
            "{condition:?}: {}",
            status.stdout
        );
    }
}

#[tokio::test]
async fn a_panel_that_shows_no_server_is_no_success() {
    let world = World::new().await;
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("the panel shows no servers at all"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn a_server_without_backups_leaves_nothing_to_mirror_and_is_no_failure() {
    let world = World::new().await;
    world.panel.add_server("Empty");
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("Nothing to mirror."), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("0 backups on 1 server"),
        "{}",
        ran.stdout
    );
    assert_eq!(world.visible(), Vec::<String>::new());
}

#[tokio::test]
async fn the_newest_backups_of_each_server_are_taken_with_newest() {
    let (world, made) = servers(["Survival", "Creative"]).await;
    let [(survival, _), (creative, _)] = made;
    let second = world.panel.add_backup(survival, "two", Archive::small(2));
    let third = world.panel.add_backup(survival, "three", Archive::small(3));
    let newest = world.panel.add_backup(creative, "two", Archive::small(4));
    let ran = world.mirror(&["--newest", "1"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        world.visible(),
        all(&[(survival, third), (creative, newest)])
    );
    let ran = world.mirror(&["--newest", "2"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        world.visible(),
        all(&[
            (survival, second),
            (survival, third),
            (creative, newest),
            made[1]
        ])
    );
}

#[tokio::test]
async fn backups_that_are_older_than_since_are_left_out() {
    let (world, server, recent) = World::with_backup(Archive::small(1)).await;
    let old = world.panel.add_backup(server, "old", Archive::small(2));
    world.panel.edit(old, |row| {
        let long_ago = Clock::System.now() - SignedDuration::from_hours(24 * 40);
        row.created_at = long_ago;
        row.completed_at = long_ago;
    });
    let (ran, document) = mirror_json(&world, &["--since", "30d"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["counts"]["backups_seen"], 2);
    assert_eq!(world.visible(), both(server, recent));
    let (ran, _) = mirror_json(&world, &["--since", "41d"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.visible(), all(&[(server, recent), (server, old)]));
}

#[tokio::test]
async fn only_the_backups_that_are_named_are_taken() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let wanted = world.panel.add_backup(server, "wanted", Archive::small(2));
    world.panel.add_backup(server, "other", Archive::small(3));
    let ran = world.mirror(&["--backup", &wanted.to_string()]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(world.visible(), both(server, wanted));
}

#[tokio::test]
async fn a_named_backup_that_no_server_lists_is_a_failure_of_that_backup() {
    let (world, server, wanted) = World::with_backup(Archive::small(1)).await;
    let alone = world.mirror(&["--backup", NOBODY]).await;
    assert_eq!(alone.code, Some(1), "{}", alone.stderr);
    assert!(
        alone.stderr.contains(&format!(
            "backup {NOBODY}: no selected server lists this backup"
        )),
        "{}",
        alone.stderr
    );
    assert_eq!(world.visible(), Vec::<String>::new());
    let words = format!("{wanted},{NOBODY}");
    let beside = world.mirror(&["--backup", &words]).await;
    assert_eq!(beside.code, Some(3), "{}", beside.stderr);
    assert!(beside.stderr.contains(NOBODY), "{}", beside.stderr);
    assert_eq!(world.visible(), both(server, wanted));
}

#[tokio::test]
async fn a_named_backup_that_failed_on_the_panel_is_said_and_not_taken() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let failed = world.panel.add_failed(server, "broken");
    let ran = world.mirror(&["--backup", &failed.to_string()]).await;
    assert_eq!(world.visible(), Vec::<String>::new());
    assert!(ran.stdout.contains("failed on the panel"), "{}", ran.stdout);
}

#[tokio::test]
async fn shards_share_the_work_without_overlap_and_a_changed_shard_downloads_nothing_twice() {
    let (world, server, first) = World::with_backup(Archive::small(0)).await;
    let mut backups = vec![(server, first)];
    for seed in 1..12 {
        let backup = world
            .panel
            .add_backup(server, "nightly", Archive::small(seed));
        backups.push((server, backup));
    }
    let one = world.mirror(&["--shard", "1/2"]).await;
    assert_eq!(one.code, Some(0), "{}", one.stderr);
    let of_one = world.visible();
    let before_bytes = world.panel.bytes_served();
    let again = world.mirror(&["--shard", "1/2"]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(world.visible(), of_one);
    assert_eq!(world.panel.bytes_served(), before_bytes);
    let two = world.mirror(&["--shard", "2/2"]).await;
    assert_eq!(two.code, Some(0), "{}", two.stderr);
    assert_eq!(world.visible(), all(&backups));
    assert_eq!(world.panel.downloads_started(), 12);
    // Another machine, which has no ledger yet, takes over a share of another size.
    std::fs::remove_file(world.ledger()).unwrap();
    let (ran, document) = mirror_json(&world, &["--shard", "1/1"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(states(&document).len(), 12);
    assert_eq!(document["counts"]["already_held"], 12);
    assert_eq!(world.panel.downloads_started(), 12);
}
