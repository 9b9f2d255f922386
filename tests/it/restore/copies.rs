//! One copy is bad or out of reach: the next is tried, and said.

use std::fmt;
use std::fs::OpenOptions;
use std::sync::Arc;
use std::sync::Mutex;

use nestegg::model::finding::CheckedCopy;
use nestegg::model::outcome::BackupOutcome;
use nestegg::model::outcome::FailureKind;
use nestegg::model::retry::Retry;
use nestegg::transfer::observer::Observer;
use nestegg::transfer::observer::Silent;
use nestegg::transfer::observer::TransferLabel;
use nestegg::transfer::observer::TransferTicket;
use nestegg::transfer::source::CopySource;
use nestegg::transfer::source::Source;
use serde_json::Value;

use super::Vault;
use super::fates;
use crate::support::archive::Archive;
use crate::support::held::Held;
use crate::support::servers::root::Root;

const OUTPUT: [&str; 4] = ["restore", "Survival:latest", "--output", "got.tar.gz"];

/// Does something once, when the first bytes of a transfer have arrived.
pub(super) struct AtFirstByte(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl AtFirstByte {
    pub(super) fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self(Mutex::new(Some(Box::new(act))))
    }
}

impl fmt::Debug for AtFirstByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtFirstByte")
    }
}

impl Observer for AtFirstByte {
    fn planned(&self, _backups: u64, _bytes: u64) {}

    fn started(&self, _label: &TransferLabel, _total_bytes: Option<u64>) -> TransferTicket {
        TransferTicket(0)
    }

    fn advanced(&self, _ticket: TransferTicket, _bytes: u64) {
        if let Some(act) = self.0.lock().unwrap().take() {
            act();
        }
    }

    fn restarted(&self, _ticket: TransferTicket, _at_bytes: u64) {}

    fn finished(&self, _ticket: TransferTicket) {}

    fn backup_done(&self, _outcome: &BackupOutcome) {}

    fn checks_planned(&self, _copies: u64, _bytes: u64) {}

    fn copy_checked(&self, _checked: &CheckedCopy) {}
}

fn fate(destination: &str, fate: &'static str) -> (String, &'static str) {
    (destination.to_owned(), fate)
}

#[tokio::test]
async fn a_flipped_bit_is_told_and_the_next_copy_serves() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    // Both were made by one run, so their names decide: far comes first.
    vault.flip("far");
    let ran = vault.world.run(&[&OUTPUT[..], &["--json"]].concat()).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    let document = ran.json();
    assert_eq!(document["outcome"], "ok");
    let copies = &document["backups"][0]["copies"];
    assert_eq!(copies[0]["destination"], "far");
    assert_eq!(copies[0]["fate"], "passed_over");
    assert_eq!(copies[0]["error"]["kind"], "integrity");
    assert_eq!(copies[1]["fate"], "used");
    for said in [
        "the copy at far could not be read back",
        "the next copy is tried",
        "it was restored from near instead, and is whole",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn with_no_copy_left_nothing_is_written_and_the_code_is_4() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    vault.flip("far");
    std::fs::remove_file(vault.path_at("near")).unwrap();
    let (report, exit) = vault.watched(&OUTPUT, Arc::new(Silent)).await;
    assert_eq!(exit.code(), 4);
    assert_eq!(
        fates(&report),
        [fate("far", "passed over"), fate("near", "passed over")]
    );
    let kinds: Vec<_> = report.failures().map(|failure| failure.kind).collect();
    assert_eq!(kinds, [FailureKind::Integrity, FailureKind::NotFound]);
    vault.assert_nothing_else(&[]);
}

#[tokio::test]
async fn a_newer_backup_of_which_every_copy_is_lost_is_told_where_it_would_have_been_chosen() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let newer = Archive::small(2);
    let lost = vault.world.panel.add_backup(vault.server, "newer", newer);
    vault.mirror().await;
    let key = format!("{}/{lost}.tar.gz", vault.server);
    for name in ["near", "far"] {
        vault.root(name).remove(&key).await;
    }
    let ran = vault.world.run(&["verify"]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let ran = vault.world.run(&[&OUTPUT[..], &["--json"]].concat()).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    let document = ran.json();
    assert_eq!(document["outcome"], "ok");
    let told = document["errors"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, name) in told.iter().zip(["far", "near"]) {
        assert_eq!(
            (&told["scope"], &told["id"], &told["kind"]),
            (
                &"backup".into(),
                &lost.to_string().into(),
                &"integrity".into()
            )
        );
        let said = format!(
            "the copy at {name} can't be used: the ledger records it as lost (the copy at `{name}` is bad: \
             the archive is missing)"
        );
        assert_eq!(told["message"], said);
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    }
    // Who names the older backup, or a moment before the newer one, passes nothing over.
    let by_uuid = vault.backup.to_string();
    let completed_at = document["backups"][0]["completed_at"].as_str().unwrap();
    let until = format!("Survival:{}Z", completed_at.get(..19).unwrap());
    for choice in [by_uuid, until] {
        let args = ["restore", &choice, "--output", "got.tar.gz", "--force"];
        let ran = vault.world.run(&args).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{choice}");
    }
    // A copy that is there again is no lost one.
    let args = ["mirror", "--panel", &vault.world.panel.url()];
    let ran = vault
        .world
        .run(&[&args[..], &["--server", "*", "--to", "near"]].concat())
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = vault
        .world
        .run(&[&OUTPUT[..], &["--json", "--force"]].concat())
        .await;
    assert_eq!(ran.json()["backups"][0]["backup"], lost.to_string());
    assert_eq!(ran.json()["errors"], serde_json::json!([]));
}

#[tokio::test]
async fn a_copy_that_is_not_there_is_asked_for_once_and_the_hint_says_how_to_have_it_again() {
    let held = Held::of(Archive::small(1)).await;
    std::fs::remove_file(held.archive_path()).unwrap();
    let candidate = held.candidates().await.remove(0);
    let mut source = Source::Copy(CopySource::new(candidate.destination, candidate.copy.key));
    let error = source.open(0).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NotFound);
    assert_eq!(error.retry(), Retry::Never);
    assert_eq!(
        error.hint(),
        "`nestegg verify --repair` makes it anew from another copy, or from the panel; if other copies there are \
         missing as well, look whether another disk is mounted"
    );
}

#[tokio::test]
async fn a_copy_that_is_truncated_while_it_is_read_is_passed_over() {
    let vault = Vault::in_two_folders(Archive::of_about(5, 9 << 20)).await;
    let path = vault.path_at("far");
    let truncate = AtFirstByte::new(move || {
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 20).unwrap();
    });
    let (report, exit) = vault.watched(&OUTPUT, Arc::new(truncate)).await;
    assert_eq!(exit.code(), 0, "{report:?}");
    assert_eq!(
        fates(&report),
        [fate("far", "passed over"), fate("near", "used")]
    );
    vault.assert_restored("got.tar.gz");
    vault.assert_nothing_else(&["got.tar.gz"]);
}

#[tokio::test]
async fn a_place_that_is_out_of_reach_is_told_and_the_other_serves() {
    let mut vault = Vault::in_two_folders(Archive::small(1)).await;
    let lost = vault.root("far").url.clone();
    std::fs::rename(&lost, format!("{lost}-unmounted")).unwrap();
    let ran = vault.world.run(&OUTPUT).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("warning:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    // Alone, it is no corrupt copy but one that can't be reached.
    std::fs::remove_file(vault.world.path("got.tar.gz")).unwrap();
    vault.places.retain(|(name, _)| *name == "far");
    vault.write_config();
    let near = tempfile::tempdir().unwrap();
    let hidden = near.path().join("near");
    let (name, _) = lost.rsplit_once('/').unwrap();
    std::fs::rename(format!("{name}/near"), &hidden).unwrap();
    let ran = vault.world.run(&OUTPUT).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("NOT RESTORED") || ran.stdout.contains("NOT RESTORED"));
    vault.assert_nothing_else(&[]);
}

#[tokio::test]
async fn what_was_mirrored_by_hand_is_found_where_the_ledger_says_it_is() {
    let (world, server, backup) =
        crate::support::world::World::with_backup(Archive::small(3)).await;
    assert_eq!(world.mirror(&[]).await.code, Some(0));
    let ran = world.run(&OUTPUT).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let copy = crate::support::world::World::archive_at(&world.offsite(), server, backup);
    let got = std::fs::read(world.path("got.tar.gz")).unwrap();
    assert!(got == std::fs::read(copy).unwrap());
}

#[tokio::test]
async fn a_ledger_that_is_held_by_a_run_is_not_waited_for() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let path = vault.world.ledger();
    let lock = nestegg::ledger::WriterLock::acquire(
        &path,
        "mirror",
        "2026-11-22T03:00:00Z".parse().unwrap(),
        std::time::Duration::ZERO,
    );
    let _lock = lock.await.unwrap();
    let ran = vault.world.run(&OUTPUT).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
}

#[tokio::test]
async fn a_ledger_that_is_damaged_or_newer_is_told_and_left_as_it_is() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let newer = |connection: &rusqlite::Connection| {
        connection
            .execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE);")
            .unwrap();
    };
    newer(&rusqlite::Connection::open(vault.world.ledger()).unwrap());
    let whole = std::fs::read(vault.world.ledger()).unwrap();
    let mut damaged = whole.clone();
    damaged[..200].fill(0xff);
    for (content, said) in [
        (whole, "schema version 99"),
        (damaged, "is not a nestegg ledger"),
    ] {
        vault.lose_ledger();
        std::fs::write(vault.world.ledger(), &content).unwrap();
        let ran = vault.world.run(&[&OUTPUT[..], &["--force"]].concat()).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("sidecars are asked instead"),
            "{}",
            ran.stderr
        );
        vault.assert_restored("got.tar.gz");
        assert!(std::fs::read(vault.world.ledger()).unwrap() == content);
    }
}

#[tokio::test]
async fn what_the_ledger_does_not_know_is_looked_for_at_the_places() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    // A new ledger, of another panel's server, at another place.
    vault.lose_ledger();
    let (other, _, _) = crate::support::world::World::with_backup(Archive::small(2)).await;
    other.mirror(&[]).await;
    std::fs::copy(other.ledger(), vault.world.ledger()).unwrap();
    let backup = vault.backup.to_string();
    let ran = vault
        .world
        .run(&["restore", &backup, "--output", "got.tar.gz"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
}

/// Changes the sidecar of a local copy.
fn edit(vault: &Vault, name: &str, edit: impl FnOnce(&mut Value)) {
    let path = vault.sidecar_at(name);
    let mut sidecar: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut sidecar);
    std::fs::write(&path, sidecar.to_string()).unwrap();
}

#[tokio::test]
async fn a_sidecar_that_lies_restores_nothing_and_acts_on_no_terminal() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    vault.lose_ledger();
    let escape = "\u{1b}[2J\u{202e}evil\r\nerror: all lost";
    let from_far = [&OUTPUT[..], &["--from", "far", "--force"]].concat();
    // Names that act on a terminal are shown and change nothing.
    edit(&vault, "far", |sidecar| {
        sidecar["server"]["name"] = escape.into();
        sidecar["backup"]["name"] = escape.into();
    });
    let by_uuid = vault.backup.to_string();
    for args in [
        vec!["list", "--from", "far"],
        vec!["list", "--from", "far", "--json"],
        vec![
            "restore",
            &by_uuid,
            "--from",
            "far",
            "--output",
            "got.tar.gz",
            "--force",
        ],
        vec![
            "restore",
            &by_uuid,
            "--from",
            "far",
            "--output",
            "got.tar.gz",
            "--force",
            "--json",
        ],
        vec![
            "restore",
            "--sheet",
            &vault.server.to_string(),
            "--from",
            "far",
        ],
        vec![
            "restore",
            "nobody:latest",
            "--from",
            "far",
            "--output",
            "none",
        ],
    ] {
        let ran = vault.world.run(&args).await;
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(acts), "{args:?}: {said:?}");
        assert!(said.contains("evil"), "{args:?}: {said}");
        assert!(
            !said.lines().any(|line| line == "error: all lost"),
            "{said}"
        );
    }
    vault.assert_restored("got.tar.gz");
    // Another archive's length or digest, and lengths that no disk holds.
    let digest = "ab".repeat(32);
    let lies: [fn(&mut Value, &str); 4] = [
        |sidecar, digest| {
            sidecar["archive"]["sha256"] = digest.into();
            sidecar["stored"]["sha256"] = digest.into();
        },
        |sidecar, _| {
            sidecar["archive"]["bytes"] = u64::MAX.into();
            sidecar["stored"]["bytes"] = u64::MAX.into();
        },
        |sidecar, _| sidecar["backup"]["uuid"] = "6fdff738-bf44-4933-824f-489198dda9e6".into(),
        |sidecar, _| sidecar["server"]["uuid"] = "../../../../etc/passwd".into(),
    ];
    let whole = std::fs::read(vault.sidecar_at("near")).unwrap();
    std::fs::remove_file(vault.world.path("got.tar.gz")).unwrap();
    for (number, lie) in lies.iter().enumerate() {
        std::fs::write(vault.sidecar_at("far"), &whole).unwrap();
        edit(&vault, "far", |sidecar| lie(sidecar, &digest));
        let ran = vault.world.run(&from_far).await;
        assert_eq!(ran.code, Some(4), "{number}: {}", ran.stderr);
        vault.assert_nothing_else(&[]);
    }
}

#[tokio::test]
async fn a_sidecar_of_a_newer_format_is_not_guessed_at() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    vault.lose_ledger();
    edit(&vault, "far", |sidecar| {
        sidecar["format"] = "nestegg.copy/9".into();
    });
    let ran = vault
        .world
        .run(&[&OUTPUT[..], &["--from", "far"]].concat())
        .await;
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("upgrade nestegg"), "{}", ran.stderr);
    // Beside one that can be read it is no more than a warning.
    let both = [&OUTPUT[..], &["--from", "far", "--from", "near"]].concat();
    let ran = vault.world.run(&both).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
}

#[tokio::test]
async fn a_place_that_is_written_wrong_keeps_no_other_from_serving() {
    let mut vault = Vault::in_two_folders(Archive::small(1)).await;
    let bare = Root::folder(std::path::Path::new("/nowhere")).with_url("s3://b/p".to_owned());
    let wrong = bare.with_option("regoin", "eu");
    vault.places.push(("wrong", wrong));
    vault.write_config();
    let ran = vault.world.run(&OUTPUT).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("regoin"), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    let alone = [&OUTPUT[..], &["--force", "--from", "wrong"]].concat();
    let ran = vault.world.run(&alone).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("region"), "{}", ran.stderr);
}

#[tokio::test]
async fn identity_files_are_read_before_anything_else_from_flag_or_environment() {
    let mut vault = Vault::in_two_folders(Archive::small(1)).await;
    let by_flag = [&OUTPUT[..], &["--identity", "none.key"]].concat();
    let ran = vault.world.run(&by_flag).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("none.key"), "{}", ran.stderr);
    vault.world.set("NESTEGG_IDENTITY_FILE", "other.key");
    let ran = vault.world.run(&OUTPUT).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("other.key"), "{}", ran.stderr);
    vault.assert_nothing_else(&[]);
}
