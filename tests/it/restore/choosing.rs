//! Which backup is meant, and what is refused.

use std::sync::Arc;

use nestegg::transfer::observer::Silent;

use super::Vault;
use crate::support::archive::Archive;
use crate::support::world::World;

#[tokio::test]
async fn words_that_mean_nothing_or_too_much_are_refused_with_what_there_is() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let other = vault.world.panel.add_server("Survival two");
    vault
        .world
        .panel
        .add_backup(other, "nightly", Archive::small(2));
    vault.mirror().await;
    let server = vault.server.to_string();
    let bare = [
        (
            "Survival".to_owned(),
            "neither a backup's uuid nor SERVER:latest",
        ),
        ("Survival:yesterday".to_owned(), "neither a backup's uuid"),
        (
            "Surviving:latest".to_owned(),
            "names no server that a copy is held of",
        ),
        ("Surv*:latest".to_owned(), "names several servers"),
        (server.clone(), "is the server `Survival`, not a backup"),
        (
            "6fdff738-0000-4933-824f-489198dda9e6".to_owned(),
            "no copy of the backup 6fdff738-0000-4933-824f-489198dda9e6 was found",
        ),
        (
            "Survival:1999-12-31".to_owned(),
            "that was completed by 1999-12-31",
        ),
    ];
    for from in [&[][..], &["--from", "near"]] {
        for (choice, said) in &bare {
            let args = [&["restore", choice, "--output", "got.tar.gz"], from].concat();
            let ran = vault.world.run(&args).await;
            assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
            assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        }
    }
    vault.assert_nothing_else(&[]);
}

#[tokio::test]
async fn a_day_means_the_newest_backup_completed_by_its_end_in_local_time() {
    let (mut world, server, first) = World::with_backup(Archive::small(1)).await;
    let second = world.panel.add_backup(server, "later", Archive::small(2));
    for (backup, completed_at) in [
        (first, "2026-11-01T22:30:00Z"),
        (second, "2026-11-01T23:30:00Z"),
    ] {
        world.panel.edit(backup, |row| {
            row.created_at = completed_at.parse().unwrap();
            row.completed_at = completed_at.parse().unwrap();
        });
    }
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    for (zone, choice, chosen) in [
        ("UTC0", "Survival:2026-11-01", second),
        // There the second one was completed after midnight.
        ("CET-1", "Survival:2026-11-01", first),
        ("CET-1", "Survival:2026-11-02", second),
        ("CET-1", "Survival:2026-11-02T00:29", first),
        ("CET-1", "Survival:2026-11-02T00:30", second),
        ("CET-1", "Survival:2026-11-01T23:29Z", first),
        ("CET-1", "Survival:latest", second),
    ] {
        world.set("TZ", zone);
        let args = [
            "restore",
            choice,
            "--output",
            "got.tar.gz",
            "--force",
            "--json",
        ];
        let ran = world.run(&args).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let document = ran.json();
        let backup = document["backups"][0]["backup"].as_str().unwrap();
        assert_eq!(backup, chosen.to_string(), "{zone} {choice}");
    }
}

#[tokio::test]
async fn exactly_one_target_is_named_and_nothing_that_does_not_go_with_it() {
    let world = World::new().await;
    for (args, said) in [
        ("restore a:latest", "required"),
        ("restore --output x", "required"),
        (
            "restore a:latest --output x --extract y",
            "cannot be used with",
        ),
        (
            "restore a:latest --output x --include *.yml",
            "cannot be used with",
        ),
        ("restore a:latest --to-panel main", "--to-server"),
        (
            "restore a:latest --output x --to-server b",
            "cannot be used with",
        ),
        (
            "restore a:latest --output x --sample 3",
            "cannot be used with",
        ),
        ("restore a:latest --drill", "cannot be used with"),
        ("restore a:latest --sheet a", "cannot be used with"),
        (
            "restore a:latest --backup-disk d --all",
            "cannot be used with",
        ),
        ("restore --backup-disk d --all --as x/y", "SERVER/BACKUP"),
        ("restore a:latest --backup-disk d --as x", "two uuids"),
        (
            "restore a:latest --output x --server b",
            "cannot be used with",
        ),
        ("restore a:latest --backup-disk d --server b", "required"),
        (
            "restore a:latest --output x --layout pelican",
            "cannot be used with",
        ),
        (
            "restore a:latest --output x --truncate",
            "cannot be used with",
        ),
        (
            "restore a:latest --output x --from nowhere",
            "there is no destination `nowhere`",
        ),
        (
            "restore a:latest --output x --from http://b",
            "names no kind of store",
        ),
        ("restore a:latest --output x --identity none", "identity"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        let ran = world.run(&args).await;
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn with_neither_ledger_nor_places_it_says_what_to_do() {
    let world = World::new().await;
    let ran = world.run(&["restore", "a:latest", "--output", "x"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no ledger"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--from"), "{}", ran.stderr);
    std::fs::create_dir(world.path("empty")).unwrap();
    let from = ["restore", "a:latest", "--output", "x", "--from", "./empty"];
    let ran = world.run(&from).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("no copy of any backup was found"),
        "{}",
        ran.stderr
    );
    let ran = world.run(&["list", "--from", "./empty"]).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "No copy was found.\n")
    );
    let missing = [
        "restore",
        "a:latest",
        "--output",
        "x",
        "--from",
        "./missing",
    ];
    let ran = world.run(&missing).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
    assert!(!world.path("missing").exists());
}

#[tokio::test]
async fn what_was_verified_last_is_read_first() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let ledger = rusqlite::Connection::open(vault.world.ledger()).unwrap();
    let verified = "UPDATE copies SET verified_at = mirrored_at WHERE destination_id =
                      (SELECT id FROM destinations WHERE name = 'near')";
    assert_eq!(ledger.execute(verified, []).unwrap(), 1);
    drop(ledger);
    let args = ["restore", "Survival:latest", "--output", "got.tar.gz"];
    let (report, exit) = vault.watched(&args, Arc::new(Silent)).await;
    assert_eq!(exit.code(), 0);
    let copies = &report.backups[0].copies;
    assert_eq!(copies[0].destination.as_str(), "near");
    assert!(
        copies[0].why.starts_with("read back and found right on"),
        "{}",
        copies[0].why
    );
    assert!(
        copies[1].why.starts_with("not read back since"),
        "{}",
        copies[1].why
    );
}
