//! What may be typed, and what is said of anything else.

use std::time::Duration;

use nestegg::env::Clock;
use nestegg::ledger::WriterLock;

use super::Marked;
use crate::support::archive::Archive;

#[tokio::test]
async fn words_that_mean_no_backup_are_refused_before_anything_is_changed() {
    let marked = Marked::of(1).await;
    marked.world.panel.add_server("Survival 2");
    let twin = marked.world.panel.add_server("Creative");
    marked
        .world
        .panel
        .add_backup(twin, "nightly", Archive::small(9));
    assert_eq!(marked.run(&["mirror"]).await.code, Some(0));
    let server = marked.server.to_string();
    for (words, said, hint) in [
        (
            ["keep", "6fdff738-bf44-4933-824f-489198dda9e6"],
            "no backup 6fdff738-bf44-4933-824f-489198dda9e6 is recorded",
            "`nestegg list` shows the backups",
        ),
        (
            ["keep", "Surviva:latest"],
            "`Surviva` names no server that is recorded",
            "known: Survival",
        ),
        (
            ["unkeep", "S*:latest"],
            "`S*` names several servers",
            "name one by its id",
        ),
        (
            ["accept", "*"],
            "`*` names several servers",
            "name one by its id",
        ),
        (
            ["accept", "Survival 2"],
            "no completed backup of the server `Survival 2",
            "`nestegg list`",
        ),
        (
            ["keep", "Survival:2001-01-01"],
            "is recorded by 2001-01-01",
            "`nestegg list`",
        ),
        (
            ["keep", &server],
            "is the server `Survival`, not a backup",
            ":latest",
        ),
    ] {
        let kept = marked.backup(0);
        let ran = marked.run(&[words[0], &kept, words[1]]).await;
        assert_eq!(ran.code, Some(2), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{words:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
        assert_eq!(marked.kept(), []);
    }
}

#[tokio::test]
async fn reasons_are_one_line_of_bounded_length() {
    let marked = Marked::of(1).await;
    let long = "x".repeat(501);
    for (reason, said) in [
        ("", "it is empty"),
        ("a\nb", "a line break or another control character"),
        ("a\u{1b}[31mb", "a line break or another control character"),
        (&long, "it is 501 characters long"),
    ] {
        let ran = marked
            .run(&["keep", &marked.backup(0), "--reason", reason])
            .await;
        assert_eq!(ran.code, Some(2), "{reason:?}");
        assert!(ran.stderr.contains(said), "{reason:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
    }
    assert_eq!(marked.kept(), []);
    for line in ["keep", "keep --reason x", "accept"] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = marked.run(&words).await;
        assert_eq!(ran.code, Some(2), "{line}");
    }
}

#[tokio::test]
async fn a_reason_that_a_hostile_sidecar_brought_cannot_act_on_a_terminal() {
    let marked = Marked::of(1).await;
    let path = marked.file("disk", 0, "json");
    let mut sidecar = marked.sidecar("disk", 0);
    sidecar["kept"] = serde_json::json!({
        "at": "2026-11-22T10:00:00Z",
        "reason": format!("\u{1b}[2J\n{}", "x".repeat(100_000)),
    });
    std::fs::write(&path, sidecar.to_string()).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mut name = marked.world.ledger().into_os_string();
        name.push(suffix);
        let _absent = std::fs::remove_file(name);
    }
    assert_eq!(marked.run(&["ledger", "rebuild"]).await.code, Some(0));
    for words in [["list"].as_slice(), &["keep", &marked.backup(0)]] {
        let ran = marked.run(words).await;
        assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
        assert!(ran.stdout.len() < 10_000, "{}", ran.stdout.len());
    }
}

#[tokio::test]
async fn the_ledgers_lock_is_taken_and_can_be_waited_for() {
    let marked = Marked::of(1).await;
    let now = Clock::System.now();
    let lock = WriterLock::acquire(&marked.world.ledger(), "mirror", now, Duration::ZERO)
        .await
        .unwrap();
    for command in ["keep", "unkeep", "accept"] {
        let ran = marked.run(&[command, &marked.backup(0)]).await;
        assert_eq!(ran.code, Some(11), "{}", ran.stderr);
    }
    let backup = marked.backup(0);
    let words = ["keep", &backup, "--retry-lock", "1m"];
    let (ran, ()) = tokio::join!(marked.run(&words), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(lock);
    });
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[tokio::test]
async fn there_must_be_a_ledger() {
    let marked = Marked::of(1).await;
    let nowhere = marked.world.path("nowhere.sqlite3");
    for command in ["keep", "unkeep", "accept"] {
        let ran = marked
            .run(&[
                command,
                &marked.backup(0),
                "--ledger",
                nowhere.to_str().unwrap(),
            ])
            .await;
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("there is no ledger"), "{}", ran.stderr);
        assert!(!nowhere.exists());
    }
}
