//! `ledger check`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use nestegg::model::ids::ServerId;
use nestegg::report::json::ledger::CHECK_SCHEMA;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use super::backup_id;
use super::copies;
use super::document;
use super::lose_ledger;
use super::put;
use super::put_copy;
use super::server_id;
use super::sidecar;
use super::text;
use crate::support::archive::Archive;
use crate::support::world::Ran;
use crate::support::world::World;

/// Seven copies of two servers, and a ledger that records them.
async fn shelf() -> World {
    let world = World::new().await;
    let root = world.offsite();
    for backup in 1..=7 {
        put_copy(&root, 1 + backup % 2, backup);
    }
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&root)])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    world
}

fn archive_at(root: &Path, backup: u64) -> std::path::PathBuf {
    let server = server_id(1 + backup % 2);
    root.join(format!("{server}/{}.tar.gz", backup_id(backup)))
}

fn sidecar_at(root: &Path, backup: u64) -> std::path::PathBuf {
    let server = server_id(1 + backup % 2);
    root.join(format!("{server}/{}.json", backup_id(backup)))
}

/// One of everything that can be wrong.
fn spoil(root: &Path) {
    fs::remove_file(archive_at(root, 1)).unwrap();
    fs::remove_file(sidecar_at(root, 1)).unwrap();
    fs::remove_file(archive_at(root, 2)).unwrap();
    fs::remove_file(sidecar_at(root, 3)).unwrap();
    fs::write(archive_at(root, 4), "cut").unwrap();
    fs::write(sidecar_at(root, 5), "{").unwrap();
    put_copy(root, 1, 8);
    put_copy(root, 3, 9);
    fs::remove_file(sidecar_at(root, 8)).unwrap();
    put_copy(root, 3, 10);
    fs::write(
        root.join(format!("{}/{}.json", server_id(3), backup_id(10))),
        "[]",
    )
    .unwrap();
    let mut newer = sidecar(server_id(3), backup_id(11), b"archive");
    newer["format"] = json!("nestegg.copy/2");
    let newer = newer.to_string();
    put(
        root,
        server_id(3),
        backup_id(11),
        b"archive",
        newer.as_bytes(),
    );
}

/// What was printed, with the folder called by its name and the uuids cut to their numbers.
fn shown(world: &World, printed: &str) -> String {
    printed
        .replace(text(&world.offsite()), "offsite")
        .replace("a1fa0000-1111-4111-8111-00000000000", "server-")
        .replace("6fdff738-bf44-4933-824f-0000000000", "backup-")
}

/// Every file but those that SQLite keeps beside a ledger that is being read.
fn durable(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut files = world.files();
    files.retain(|name, _| !name.ends_with("-wal") && !name.ends_with("-shm"));
    files
}

async fn check(world: &World, more: &[&str]) -> Ran {
    let root = world.offsite();
    let args = [&["ledger", "check", "--to", text(&root)], more].concat();
    world.run(&args).await
}

#[tokio::test]
async fn what_is_the_same_is_a_line_a_copy_and_exit_0() {
    let world = shelf().await;
    let before = durable(&world);
    let ran = check(&world, &[]).await;
    assert_eq!(ran.code, Some(0));
    assert_snapshot!(shown(&world, &ran.stdout), @r"
    = offsite server-1/backup-02.tar.gz
    = offsite server-1/backup-04.tar.gz
    = offsite server-1/backup-06.tar.gz
    = offsite server-2/backup-01.tar.gz
    = offsite server-2/backup-03.tar.gz
    = offsite server-2/backup-05.tar.gz
    = offsite server-2/backup-07.tar.gz
    ");
    assert_eq!(
        ran.stderr,
        "7 the same, 0 missing, 0 unknown, 0 different, 0 errors.\n"
    );
    let quiet = check(&world, &["-q"]).await;
    assert_eq!(
        (quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()),
        (Some(0), "", "")
    );
    assert!(durable(&world) == before, "something was written");
}

#[tokio::test]
async fn each_thing_that_is_wrong_has_its_symbol_and_nothing_is_repaired() {
    let world = shelf().await;
    spoil(&world.offsite());
    let before = durable(&world);
    let ran = check(&world, &[]).await;
    assert_eq!(ran.code, Some(4));
    assert_snapshot!(shown(&world, &ran.stdout), @r"
    - offsite server-1/backup-02.tar.gz only its sidecar is there
    * offsite server-1/backup-04.tar.gz stored_bytes; it has 3 bytes, not 36
    = offsite server-1/backup-06.tar.gz
    + offsite server-1/backup-08.tar.gz it has no sidecar, so it is no copy
    - offsite server-2/backup-01.tar.gz
    * offsite server-2/backup-03.tar.gz sidecar; its sidecar is gone
    * offsite server-2/backup-05.tar.gz sidecar; the sidecar can't be read: EOF while parsing an object at line 1 column 1
    = offsite server-2/backup-07.tar.gz
    + offsite server-3/backup-09.tar.gz
    ! offsite server-3/backup-0a.json the sidecar's format is `not an object`, not `nestegg.copy/1`
    ! offsite server-3/backup-0b.json could not use the sidecar `server-3/backup-0b.json`: the sidecar's format `nestegg.copy/2` is newer than this version of nestegg reads: upgrade nestegg
    ");
    assert_snapshot!(ran.stderr, @r"
    2 the same, 2 missing, 2 unknown, 3 different, 2 errors.
    With --fix the ledger takes over what is unknown (+) and no longer counts what is missing (-).
    What differs (*) is for `nestegg verify` to decide, which reads the copies.
    ");
    assert!(durable(&world) == before, "something was written");
    let again = check(&world, &[]).await;
    assert_eq!(again.stdout, ran.stdout);
    let quiet = check(&world, &["-q"]).await;
    let different: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| !line.starts_with('='))
        .collect();
    let shown: Vec<&str> = quiet.stdout.lines().collect();
    assert_eq!((shown, quiet.stderr.as_str()), (different, ""));
}

#[tokio::test]
async fn the_document_says_the_same_as_the_lines() {
    let world = shelf().await;
    spoil(&world.offsite());
    let ran = check(&world, &["--json"]).await;
    let told = document(&ran, CHECK_SCHEMA);
    assert_eq!(
        told["counts"],
        json!({"same": 2, "missing": 2, "unknown": 2, "differs": 3, "errors": 2})
    );
    let lines = check(&world, &[]).await;
    let symbols: String = lines
        .stdout
        .lines()
        .filter_map(|line| line.chars().next())
        .collect();
    let findings = told["findings"].as_array().unwrap();
    let told_symbols: String = findings
        .iter()
        .map(|one| one["symbol"].as_str().unwrap())
        .collect();
    assert_eq!(told_symbols, symbols);
    let cut = findings
        .iter()
        .find(|one| one["backup"] == backup_id(4).to_string())
        .unwrap();
    assert_eq!(
        *cut,
        json!({
            "symbol": "*", "state": "differs", "destination": text(&world.offsite()), "panel": null,
            "server": server_id(1), "backup": backup_id(4),
            "key": format!("{}/{}.tar.gz", server_id(1), backup_id(4)), "fields": ["stored_bytes"],
            "error_kind": null, "detail": "it has 3 bytes, not 36", "fixed": null,
        })
    );
}

#[tokio::test]
async fn told_to_fix_it_adopts_what_is_unknown_and_no_longer_counts_what_is_missing() {
    let world = shelf().await;
    let root = world.offsite();
    spoil(&root);
    let stored = |world: &World| -> Vec<(String, Vec<u8>)> {
        durable(world)
            .into_iter()
            .filter(|(name, _)| name.starts_with("offsite/"))
            .collect()
    };
    let before = stored(&world);
    let ran = check(&world, &["--fix", "-q"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(4), ""));
    assert_snapshot!(shown(&world, &ran.stdout), @r"
    - offsite server-1/backup-02.tar.gz only its sidecar is there; marked as lost
    * offsite server-1/backup-04.tar.gz stored_bytes; it has 3 bytes, not 36
    + offsite server-1/backup-08.tar.gz it has no sidecar, so it is no copy
    - offsite server-2/backup-01.tar.gz marked as lost
    * offsite server-2/backup-03.tar.gz sidecar; its sidecar is gone
    * offsite server-2/backup-05.tar.gz sidecar; the sidecar can't be read: EOF while parsing an object at line 1 column 1
    + offsite server-3/backup-09.tar.gz adopted
    ! offsite server-3/backup-0a.json the sidecar's format is `not an object`, not `nestegg.copy/1`
    ! offsite server-3/backup-0b.json could not use the sidecar `server-3/backup-0b.json`: the sidecar's format `nestegg.copy/2` is newer than this version of nestegg reads: upgrade nestegg
    ");
    assert!(stored(&world) == before, "the destination was written");
    let held: Vec<String> = copies(&world.ledger())
        .iter()
        .map(|copy| copy.backup.to_string())
        .collect();
    assert!(held.contains(&backup_id(9).to_string()));
    for lost in [1, 2] {
        assert!(!held.contains(&backup_id(lost).to_string()), "{lost}");
    }
    let connection = Connection::open(world.ledger()).unwrap();
    let kinds: Vec<String> = connection
        .prepare("SELECT kind FROM events WHERE run_id = 2 ORDER BY kind")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(kinds, ["adopted", "lost", "lost"]);
    let run: (String, i64) = connection
        .query_row(
            "SELECT command, exit_code FROM runs WHERE id = 2",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(run, ("ledger check".to_owned(), 4));
    // What was adopted is the same now; what was missing stands without its sidecar or archive.
    let again = check(&world, &["--json"]).await;
    assert_eq!(again.json()["counts"]["missing"], 0);
    assert_eq!(again.json()["counts"]["same"], 3);
}

#[tokio::test]
async fn adopting_alone_ends_well() {
    let world = shelf().await;
    let expected = copies(&world.ledger());
    Connection::open(world.ledger())
        .unwrap()
        .execute("DELETE FROM copies WHERE id < 4", [])
        .unwrap();
    assert_eq!(check(&world, &[]).await.code, Some(4));
    let fixed = check(&world, &["--fix"]).await;
    assert_eq!(fixed.code, Some(0), "{}", fixed.stderr);
    assert_eq!(fixed.stdout.matches(" adopted\n").count(), 3);
    assert_eq!(copies(&world.ledger()), expected);
    assert_eq!(check(&world, &[]).await.code, Some(0));
}

#[tokio::test]
async fn an_empty_folder_may_be_a_disk_that_is_not_mounted_so_nothing_is_marked_as_lost() {
    let world = shelf().await;
    let expected = copies(&world.ledger());
    fs::rename(world.offsite(), world.path("unmounted")).unwrap();
    fs::create_dir(world.offsite()).unwrap();
    let ran = check(&world, &["--fix"]).await;
    assert_eq!(ran.code, Some(4));
    assert_eq!(
        ran.stdout
            .lines()
            .filter(|line| line.starts_with('-'))
            .count(),
        7
    );
    for words in [
        "nothing was marked as lost",
        "another disk may be mounted, or the bucket was emptied",
        "`nestegg verify --repair --to ",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert_eq!(copies(&world.ledger()), expected);
    fs::remove_dir(world.offsite()).unwrap();
    let ran = check(&world, &["--fix"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("! "), "{}", ran.stdout);
    assert_eq!(copies(&world.ledger()), expected);
}

#[tokio::test]
async fn copies_of_one_server_that_are_all_gone_are_marked_where_another_server_has_some() {
    let world = shelf().await;
    fs::remove_dir_all(world.offsite().join(server_id(1).to_string())).unwrap();
    let ran = check(&world, &["--fix", "--server", &server_id(1).to_string()]).await;
    assert_eq!(ran.code, Some(4));
    assert_eq!(ran.stdout.matches("marked as lost").count(), 3);
    assert_eq!(copies(&world.ledger()).len(), 4);
}

#[tokio::test]
async fn a_row_of_another_opinion_is_told_by_its_fields_and_never_changed() {
    let world = shelf().await;
    Connection::open(world.ledger())
        .unwrap()
        .execute_batch(
            "UPDATE copies SET verdict = 'panel-sha1', archive_sha256 = printf('%064d', 0) WHERE id = 1;
             UPDATE copies SET etag = 'other', entries = 5 WHERE id = 2;
             UPDATE copies SET mirrored_at = 0, verified_at = 5 WHERE id = 3;
             UPDATE copies SET state = 'failed', failed_at = 1, error_kind = 'integrity', error_message = 'bits', is_distrusted = 1
              WHERE id = 4;",
        )
        .unwrap();
    let before = copies(&world.ledger());
    for more in [&["-q"][..], &["-q", "--fix"]] {
        let ran = check(&world, more).await;
        assert_eq!(ran.code, Some(4));
        assert_snapshot!("other_opinions", shown(&world, &ran.stdout));
        assert_eq!(copies(&world.ledger()), before);
    }
}

#[tokio::test]
async fn servers_are_chosen_by_any_of_their_names_and_a_word_for_none_is_refused() {
    let world = shelf().await;
    let root = world.offsite();
    let mut lobby = sidecar(server_id(5), backup_id(20), b"lobby");
    lobby["server"]["name"] = json!("Lobby");
    let lobby = lobby.to_string();
    put(
        &root,
        server_id(5),
        backup_id(20),
        b"lobby",
        lobby.as_bytes(),
    );
    let lines = async |words: &[&str]| {
        let args = [&["--server"], words].concat();
        let ran = check(&world, &args).await;
        (ran.code, ran.stdout.lines().count())
    };
    assert_eq!(lines(&["Lob*"]).await, (Some(4), 1));
    assert_eq!(lines(&[&server_id(5).to_string()]).await, (Some(4), 1));
    assert_eq!(lines(&["Survival"]).await, (Some(0), 7));
    assert_eq!(lines(&[&server_id(1).to_string()]).await, (Some(0), 3));
    assert_eq!(lines(&["*"]).await, (Some(4), 8));
    let ran = check(&world, &["--server", "Lobbby"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("known: Lobby"), "{}", ran.stderr);
}

#[tokio::test]
async fn other_destinations_of_the_ledger_are_named_and_unreachable_ones_are_errors() {
    let world = shelf().await;
    let other = world.path("other");
    put_copy(&other, 1, 1);
    let from = ["ledger", "rebuild", "--from", text(&other)];
    assert_eq!(world.run(&from).await.code, Some(0));
    let ran = check(&world, &["--json"]).await;
    assert_eq!(ran.code, Some(0));
    let told = document(&ran, CHECK_SCHEMA);
    assert_eq!(told["not_looked_at"][0]["destination"], text(&other));
    assert_eq!(told["not_looked_at"][0]["copies"], 1);
    let gone = world.path("gone");
    let ran = check(&world, &[text(&gone)]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    let errors: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with('!'))
        .collect();
    assert!(
        errors.len() == 1 && errors[0].starts_with(&format!("! {} - ", text(&gone))),
        "{errors:?}"
    );
}

#[tokio::test]
async fn without_a_ledger_or_with_a_damaged_one_it_says_what_to_do() {
    let world = World::new().await;
    put_copy(&world.offsite(), 1, 1);
    let ran = check(&world, &[]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(
        ran.stderr.contains("nestegg ledger rebuild"),
        "{}",
        ran.stderr
    );
    let world = shelf().await;
    let mut bytes = fs::read(world.ledger()).unwrap();
    let end = bytes.len();
    bytes[end - 8192..].fill(0x5a);
    lose_ledger(&world);
    fs::write(world.ledger(), &bytes).unwrap();
    for more in [&[][..], &["--fix"]] {
        let ran = check(&world, more).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{more:?}");
        assert!(ran.stderr.contains("is damaged"), "{}", ran.stderr);
        assert!(fs::read(world.ledger()).unwrap() == bytes);
    }
}

#[tokio::test]
async fn it_reads_beside_a_run_at_work_and_waits_only_to_fix() {
    let world = shelf().await;
    let lock = fs::File::options()
        .write(true)
        .open(world.path("ledger.sqlite3.lock"))
        .unwrap();
    lock.lock().unwrap();
    assert_eq!(check(&world, &[]).await.code, Some(0));
    assert_eq!(check(&world, &["--fix"]).await.code, Some(11));
}

// --- Panels --------------------------------------------------------------------------------------

/// A world with a configuration, and a ledger that a mirror run wrote.
async fn mirrored() -> (World, ServerId) {
    let (mut world, survival, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .add_backup(survival, "weekly", Archive::small(2));
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"nas\"\nurl = \"offsite\"\n",
        world.panel.url()
    );
    fs::write(world.path("nestegg.toml"), config).unwrap();
    fs::create_dir(world.offsite()).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    (world, survival)
}

fn on_panel(document: &Value) -> Vec<(String, String, String)> {
    let findings = document["findings"].as_array().unwrap().iter();
    let of_panel = findings.filter(|one| one["panel"] == "main");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    of_panel
        .map(|one| {
            let fields = one["fields"].as_array().unwrap();
            let fields: Vec<String> = fields.iter().map(word).collect();
            (word(&one["symbol"]), fields.join(","), word(&one["detail"]))
        })
        .collect()
}

#[tokio::test]
async fn asked_for_it_panels_are_compared_too_and_otherwise_not_even_a_key_is_needed() {
    let (mut world, survival) = mirrored().await;
    let says = |symbol: &str, fields: &str, detail: &str| {
        (symbol.to_owned(), fields.to_owned(), detail.to_owned())
    };
    let ran = world.run(&["ledger", "check", "--panel", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = document(&ran, CHECK_SCHEMA);
    assert_eq!(on_panel(&told), [says("=", "", ""), says("=", "", "")]);

    let backups = world.panel.backups_of(survival);
    world.panel.add_backup(survival, "fresh", Archive::small(3));
    world
        .panel
        .set_checksum(backups[0], format!("sha1:{}", Archive::small(9).sha1()));
    world.panel.delete_backup(backups[1]);
    let ran = world
        .run(&["ledger", "check", "--panel", "main", "--json"])
        .await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let mut told = on_panel(&document(&ran, CHECK_SCHEMA));
    told.sort();
    assert_eq!(
        told,
        [
            says("*", "panel_checksum", "the panel says something else now"),
            says("+", "", "held nowhere"),
            says("=", "", "no longer listed, and kept"),
        ]
    );
    let human = world.run(&["ledger", "check", "--panel"]).await;
    assert!(
        human.stdout.contains("\n+ panel:main ") && human.stdout.contains(" held nowhere\n"),
        "{}",
        human.stdout
    );
    world.unset("NESTEGG_API_KEY");
    let alone = world.run(&["ledger", "check"]).await;
    assert_eq!(alone.code, Some(0), "{}", alone.stderr);
    let keyless = world.run(&["ledger", "check", "--panel"]).await;
    assert_eq!(keyless.code, Some(2), "{}", keyless.stderr);
}

#[tokio::test]
async fn a_panel_that_is_gone_is_one_error_beside_the_results() {
    let (world, _) = mirrored().await;
    world.panel.set_key("ptlc_another");
    let ran = world.run(&["ledger", "check", "--panel"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    let errors: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with('!'))
        .collect();
    assert!(
        errors.len() == 1 && errors[0].starts_with("! panel:main - "),
        "{errors:?}"
    );
}
