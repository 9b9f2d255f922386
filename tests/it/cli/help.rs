//! Help texts and version.

use super::in_folder;
use crate::support::world::World;

#[tokio::test]
async fn the_help_shows_every_exit_code_and_a_first_command() {
    let world = World::new().await;
    let ran = world.run(&["--help"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for code in [0, 1, 2, 3, 4, 5, 10, 11, 12, 130, 143] {
        assert!(
            ran.stdout.contains(&format!("\n{code:>5}  ")),
            "{code}: {}",
            ran.stdout
        );
    }
    for word in [
        "NESTEGG_API_KEY",
        "mirror",
        "status",
        "list",
        "ledger",
        "restore",
        "panel",
        "config",
    ] {
        assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
    }
    let short = world.run(&["-h"]).await;
    assert!(short.stdout.contains("exit codes"), "{}", short.stdout);
}

#[tokio::test]
async fn every_command_has_a_help_with_examples_or_places() {
    let world = World::new().await;
    for (args, words) in [
        (&["mirror", "--help"][..], &["Examples:", "--dry-run"][..]),
        (&["status", "--help"], &["Examples:", "exit code is 5"]),
        (&["ledger", "--help"], &["rebuild", "check", "export"]),
        (&["ledger", "rebuild", "--help"], &["Examples:", "--from"]),
        (&["ledger", "check", "--help"], &["Examples:", "--fix"]),
        (
            &["ledger", "export", "--help"],
            &["Examples:", "sha256sum -c"],
        ),
        (
            &["prune", "--help"],
            &["Examples:", "--apply", "--keep-within"],
        ),
        (
            &["list", "--help"],
            &["Examples:", "Only the ledger", "--from"],
        ),
        (
            &["restore", "--help"],
            &["Examples:", "--output", "NESTEGG_IDENTITY_FILE"],
        ),
        (
            &["panel", "--help"],
            &["servers", "backups", "create", "lock", "unlock"],
        ),
        (&["panel", "servers", "--help"], &["Examples:"]),
        (&["panel", "backups", "--help"], &["Examples:", "HELD AT"]),
        (&["panel", "create", "--help"], &["Examples:", "--timeout"]),
        (&["panel", "lock", "--help"], &["Examples:", "toggle"]),
        (&["panel", "unlock", "--help"], &["Examples:", "toggle"]),
        (&["config", "--help"], &["XDG_CONFIG_HOME", "init"]),
        (&["config", "check", "--help"], &["without contacting"]),
    ] {
        let ran = world.run(args).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
        for word in words {
            assert!(ran.stdout.contains(word), "{word}: {}", ran.stdout);
        }
        assert!(
            ran.stdout
                .chars()
                .all(|letter| letter == '\n' || !letter.is_control()),
            "{args:?}: control characters off a terminal"
        );
    }
}

#[tokio::test]
async fn the_version_is_one_line() {
    let world = World::new().await;
    for flag in ["--version", "-V"] {
        let ran = world.run(&[flag]).await;
        let version = format!("nestegg {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            (ran.code, ran.stdout, ran.stderr),
            (Some(0), version, String::new())
        );
    }
}

#[tokio::test]
async fn wrong_usage_is_exit_2_on_stderr_with_a_way_out_and_touches_nothing() {
    let world = World::new().await;
    for (args, word) in [
        (&[][..], "Usage:"),
        (&["mirorr"], "mirror"),
        (&["mirror", "--dryrun"], "--dry-run"),
        (&["mirror", "--api-key", "x"], "--api-key-file"),
        (&["mirror", "--transfers", "0"], "from 1 to 64"),
        (&["mirror", "--shard", "0/4"], "1/4"),
        (&["mirror", "--backup", "latest"], "uuid"),
        (&["mirror", "--limit-rate", "0"], "--limit-rate"),
        (&["mirror", "--max-duration", "5"], "unit"),
        (&["mirror", "--server", ""], "--server"),
        (&["status", "extra"], "extra"),
        (&["config"], "init"),
        (&["config", "shwo"], "show"),
    ] {
        let ran = world.run(args).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(in_folder(&world), [""; 0]);
}
