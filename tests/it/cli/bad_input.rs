//! Wrong settings, keys, panels and ledgers: one clear message, the right exit code, nothing touched.

use std::time::Duration;
use std::time::Instant;

use super::bare;
use super::in_folder;
use super::text;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Service;
use crate::support::fake_panel::Standing;
use crate::support::fake_panel::Times;
use crate::support::world::Ran;
use crate::support::world::World;

/// Fails unless standard error is short, says all these words, and is free of control characters.
fn assert_says(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    assert!(
        ran.stderr
            .chars()
            .all(|letter| letter == '\n' || !letter.is_control()),
        "{:?}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[tokio::test]
async fn without_configuration_and_panel_a_mirror_says_what_to_give_it() {
    let world = World::new().await;
    let ran = world.run(&["mirror"]).await;
    assert_says(&ran, 2, &["--panel", "--to", "config init"]);
    let ran = world.run(&["mirror", "--to", "./offsite"]).await;
    assert_says(&ran, 2, &["--panel"]);
    let url = world.panel.url();
    let ran = world
        .run(&["mirror", "--panel", &url, "--server", "x"])
        .await;
    assert_says(&ran, 2, &["--to"]);
    let ran = world.run(&["mirror", "--panel", &url, "--to", "./x"]).await;
    assert_says(&ran, 2, &["--server"]);
    assert_eq!(in_folder(&world), [""; 0]);
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    let world = World::new().await;
    for (address, words) in [
        ("panel.example.com", "an address starts with https://"),
        ("ftp://panel.example.com", "is reached over https://"),
        ("https://", "https://"),
        (
            "https://user:word@panel.example.com",
            "a user name or a password",
        ),
        ("https://panel.example.com?x=1", "--panel"),
    ] {
        let args = ["mirror", "--panel", address, "--server", "*", "--to", "./x"];
        let ran = world.run(&args).await;
        assert_says(&ran, 2, &[words]);
        assert!(!ran.stderr.contains("user:word"), "{}", ran.stderr);
    }
    assert_eq!(in_folder(&world), [""; 0]);
}

#[tokio::test]
async fn an_unusable_key_file_is_named_and_its_content_is_not() {
    let mut world = World::new().await;
    world.unset("NESTEGG_API_KEY");
    let none = world.mirror(&[]).await;
    assert_says(&none, 2, &["NESTEGG_API_KEY"]);
    std::fs::write(world.path("empty.key"), "\n").unwrap();
    std::fs::write(world.path("two.key"), "ptlc_first\nptlc_second\n").unwrap();
    std::fs::create_dir(world.path("folder.key")).unwrap();
    for file in ["missing.key", "empty.key", "two.key", "folder.key"] {
        let ran = world.mirror(&["--api-key-file", file]).await;
        assert_says(&ran, 2, &[file]);
        assert!(!ran.stderr.contains("ptlc_"), "{}", ran.stderr);
    }
    assert_eq!(world.panel.requests(), []);
    assert!(!world.ledger().exists());
}

#[tokio::test]
async fn a_key_file_works_as_a_key_in_the_environment_does() {
    let (mut world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.unset("NESTEGG_API_KEY");
    std::fs::write(
        world.path("main.key"),
        format!("  {}\r\n", world.panel.key()),
    )
    .unwrap();
    let ran = world.mirror(&["--api-key-file", "main.key"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    world.set("NESTEGG_API_KEY_FILE", world.path("main.key"));
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(World::archive_at(&world.offsite(), server, backup).exists());
}

#[tokio::test]
async fn a_refused_key_is_exit_12_with_the_way_to_a_good_one() {
    for dialect in [Dialect::Pterodactyl, Dialect::Documented] {
        let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_dialect(dialect);
        let wrong = "ptlc_wrongwrongwrongwrongwrongwrongwrongwrongwro";
        world.set("NESTEGG_API_KEY", wrong);
        let ran = world.mirror(&[]).await;
        assert_says(
            &ran,
            12,
            &["does not accept the API key", "Account, API Credentials"],
        );
        assert!(!ran.stderr.contains(wrong), "{}", ran.stderr);
        assert_eq!(world.visible(), [""; 0]);
    }
}

#[tokio::test]
async fn an_application_key_is_told_from_a_wrong_one() {
    for kind in ["ptla", "papp"] {
        let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
        let key = format!("{kind}_abcdefghijklmnopqrstuvwxyz0123456789abcdefg");
        world.set("NESTEGG_API_KEY", &key);
        let ran = world.mirror(&[]).await;
        assert_says(&ran, 12, &["application key", "client key"]);
        assert!(!ran.stderr.contains(&key), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn a_key_for_other_addresses_and_a_missing_second_factor_are_told() {
    for (standing, words) in [
        (
            Standing::WrongAddress,
            ["may not be used from this address", "allowed IPs"],
        ),
        (
            Standing::NoSecondFactor,
            ["two-factor", "account that owns the key"],
        ),
    ] {
        let (world, _, _) = World::with_backup(Archive::small(1)).await;
        world.panel.set_standing(standing);
        let ran = world.mirror(&[]).await;
        assert_says(&ran, 12, &words);
    }
}

#[tokio::test]
async fn a_dead_panel_is_exit_1_and_named_within_seconds() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let url = world.panel.url();
    world.panel.stop_panel().await;
    let began = Instant::now();
    let ran = world.mirror(&[]).await;
    assert!(
        began.elapsed() < Duration::from_secs(40),
        "{:?}",
        began.elapsed()
    );
    assert_says(&ran, 1, &[&url, "could not connect", "DNS, firewall"]);
}

#[tokio::test]
async fn an_address_without_a_panel_behind_it_is_told() {
    for (fault, words) in [
        (Fault::Html, ["a web page", "check the panel's address"]),
        (
            Fault::Redirect,
            ["a redirect to", "redirects are never followed"],
        ),
        (
            Fault::Garbage,
            ["something that is not JSON", "check the panel's address"],
        ),
    ] {
        let (world, _, _) = World::with_backup(Archive::small(1)).await;
        world.panel.on(Call::Panel, Times::Forever, fault.clone());
        let ran = world.mirror(&[]).await;
        assert_says(&ran, 1, &words);
        assert_eq!(world.panel.leaks(), []);
    }
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let deep = format!("{}/not/the/panel", world.panel.url());
    let ran = world
        .run(&["mirror", "--panel", &deep, "--server", "*", "--to", "./x"])
        .await;
    assert_says(&ran, 1, &["check the panel's address"]);
}

#[tokio::test]
async fn a_panel_under_maintenance_is_told() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.panel.set_service(Service::Maintenance);
    let (report, exit) = world.quick(&[]).await;
    assert_eq!(exit.code(), 1);
    let told: Vec<&str> = report
        .errors
        .iter()
        .map(|one| one.message.as_str())
        .collect();
    assert_eq!(
        told,
        ["could not list the servers: the panel is down for maintenance or overloaded (HTTP 503)"]
    );
}

#[tokio::test]
async fn a_ledger_that_cannot_be_used_is_named_and_nothing_is_downloaded() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    std::fs::create_dir(world.path("folder")).unwrap();
    std::fs::write(world.path("file"), "no folder").unwrap();
    std::fs::write(
        world.path("notes.txt"),
        "these are no pages of a ledger at all",
    )
    .unwrap();
    let before = world.files();
    let url = world.panel.url();
    for ledger in [
        "folder",
        "file/ledger.sqlite3",
        "notes.txt",
        "/proc/nestegg/ledger",
    ] {
        let args = [
            "--ledger", ledger, "mirror", "--panel", &url, "--server", "*", "--to", "./x",
        ];
        let key = world.panel.key();
        let home = world.path("");
        let output = bare(
            &world,
            &[("NESTEGG_API_KEY", &key), ("HOME", text(&home))],
            &args,
        )
        .output()
        .await
        .unwrap();
        let ran = Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert_says(&ran, 1, &[ledger.split('/').next().unwrap(), "hint: "]);
    }
    assert_eq!(world.panel.links_given(), 0);
    let mut after = world.files();
    after.retain(|name, _| !name.contains(".lock"));
    assert_eq!(after, before);
}

#[tokio::test]
async fn without_a_home_the_ledger_must_be_named() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let (url, key) = (world.panel.url(), world.panel.key());
    let args = [
        "mirror",
        "--panel",
        &url,
        "--server",
        "*",
        "--to",
        "./offsite",
    ];
    let output = bare(&world, &[("NESTEGG_API_KEY", &key)], &args)
        .output()
        .await
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--ledger"), "{stderr}");
    assert_eq!(in_folder(&world), [""; 0]);
    let output = bare(
        &world,
        &[
            ("NESTEGG_API_KEY", &key),
            ("NESTEGG_LEDGER", "state/here.sqlite3"),
        ],
        &args,
    )
    .output()
    .await
    .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(world.path("state/here.sqlite3").exists());
    assert!(World::archive_at(&world.offsite(), server, backup).exists());
}

#[tokio::test]
async fn with_a_home_the_ledger_lies_below_it() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let (url, key, home) = (world.panel.url(), world.panel.key(), world.path("home"));
    std::fs::create_dir(&home).unwrap();
    let args = [
        "mirror",
        "--panel",
        &url,
        "--server",
        "*",
        "--to",
        "./offsite",
    ];
    let output = bare(
        &world,
        &[("NESTEGG_API_KEY", &key), ("HOME", text(&home))],
        &args,
    )
    .output()
    .await
    .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(home.join(".local/state/nestegg/ledger.sqlite3").exists());
}
