//! `ledger rebuild`.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use insta::assert_snapshot;
use nestegg::report::json::ledger::REBUILD_SCHEMA;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

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
use crate::support::world::World;

/// Mirrored to two folders, which are given back.
async fn mirrored() -> (World, String, String) {
    let (world, survival, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .add_backup(survival, "zażółć \u{1b}[2J", Archive::small(2));
    let creative = world.panel.add_server("Creative");
    world.panel.add_backup(creative, "other", Archive::small(3));
    let (one, two) = (
        text(&world.path("one")).to_owned(),
        text(&world.path("two")).to_owned(),
    );
    let ran = world.mirror(&["--to", &one, &two]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    (world, one, two)
}

#[tokio::test]
async fn a_lost_ledger_is_made_anew_from_the_folders_alone_and_nothing_is_mirrored_again() {
    let (mut world, one, two) = mirrored().await;
    let lost = copies(&world.ledger());
    assert_eq!(lost.len(), 6);
    lose_ledger(&world);
    world.unset("NESTEGG_API_KEY");
    let before = world.panel.bytes_served();
    let ran = world
        .run(&["ledger", "rebuild", "--json", "--from", &one, &two])
        .await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let told = document(&ran, REBUILD_SCHEMA);
    assert_eq!(
        told["counts"],
        json!({"added": 6, "known": 0, "left_out": 0})
    );
    assert_eq!(copies(&world.ledger()), lost);
    world.set("NESTEGG_API_KEY", world.panel.key());
    let again = world.mirror(&["--json", "--to", &one, &two]).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(again.json()["counts"]["already_held"], 3);
    assert_eq!(world.panel.bytes_served(), before);
    assert_eq!(copies(&world.ledger()), lost);
}

#[tokio::test]
async fn with_a_configuration_all_its_destinations_are_read_under_their_names() {
    let (mut world, _, _) = mirrored().await;
    lose_ledger(&world);
    let config = "[[destination]]\nname = \"b2\"\nurl = \"one\"\n[[destination]]\nname = \"nas\"\nurl = \"two\"\n";
    fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let ran = world.run(&["ledger", "rebuild"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(ran.stdout, @r"
    b2: 3 copies added
    nas: 3 copies added
    The ledger records every copy that the destinations describe.
    ");
    let quiet = world.run(&["-q", "ledger", "rebuild"]).await;
    assert_eq!(
        (quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()),
        (Some(0), "", "")
    );
    let list = world.run(&["list", "--json", "--to", "nas"]).await;
    assert_eq!(list.json()["copies"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn into_a_healthy_ledger_only_what_is_missing_is_added_and_that_is_told() {
    let world = World::new().await;
    let root = world.offsite();
    put_copy(&root, 1, 1);
    put_copy(&root, 2, 2);
    let from = ["ledger", "rebuild", "--from", text(&root)];
    assert_eq!(world.run(&from).await.code, Some(0));
    put_copy(&root, 2, 3);
    let ran = world.run(&from).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let told = ran.stdout.replace(text(&root), "offsite");
    assert_snapshot!(told, @r"
    offsite: 1 copy added, 2 known already
      added a1fa0000-1111-4111-8111-000000000002/6fdff738-bf44-4933-824f-000000000003.tar.gz
    The ledger records every copy that the destinations describe.
    ");
    let connection = Connection::open(world.ledger()).unwrap();
    let events: Vec<(String, i64)> = connection
        .prepare("SELECT kind, run_id FROM events ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let rebuilt = |run| ("rebuilt".to_owned(), run);
    assert_eq!(events, [rebuilt(1), rebuilt(1), rebuilt(2)]);
    let runs: Vec<(String, i64, String)> = connection
        .prepare("SELECT command, exit_code, counts FROM runs ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let counts = |added, known| json!({"added": added, "known": known, "left_out": 0}).to_string();
    let ended = |counts| ("ledger rebuild".to_owned(), 0, counts);
    assert_eq!(runs, [ended(counts(2, 0)), ended(counts(1, 2))]);
}

#[tokio::test]
async fn a_row_that_says_something_else_or_is_known_to_be_damaged_is_told_and_left() {
    let world = World::new().await;
    let root = world.offsite();
    for backup in 1..=3 {
        put_copy(&root, 1, backup);
    }
    let from = ["ledger", "rebuild", "--json", "--from", text(&root)];
    assert_eq!(world.run(&from).await.code, Some(0));
    let connection = Connection::open(world.ledger()).unwrap();
    connection
        .execute(
            "UPDATE copies SET stored_sha256 = replace(stored_sha256, 'a', 'b'), verdict = 'panel-sha1' WHERE id = 1",
            [],
        )
        .unwrap();
    connection
        .execute(
            "UPDATE copies SET state = 'failed', failed_at = 1, error_kind = 'integrity', error_message = 'bits', is_distrusted = 1 WHERE id = 2",
            [],
        )
        .unwrap();
    drop(connection);
    let before = copies(&world.ledger());
    let ran = world.run(&from).await;
    assert_eq!(ran.code, Some(4));
    let told = document(&ran, REBUILD_SCHEMA);
    assert_eq!(
        told["counts"],
        json!({"added": 0, "known": 1, "left_out": 2})
    );
    let stderr = ran.stderr.replace(text(&root), "offsite");
    assert_snapshot!(stderr, @r"
    error: backup 6fdff738-bf44-4933-824f-000000000001: the ledger says something else of a1fa0000-1111-4111-8111-000000000001/6fdff738-bf44-4933-824f-000000000001.tar.gz at offsite than its sidecar: stored_sha256, verdict
      hint: the ledger was left as it is; `nestegg verify` reads the copy and tells who is right
    error: backup 6fdff738-bf44-4933-824f-000000000002: the ledger has a1fa0000-1111-4111-8111-000000000001/6fdff738-bf44-4933-824f-000000000002.tar.gz at offsite as damaged, whatever its sidecar says
      hint: `nestegg verify` reads it again; `nestegg mirror` makes it anew while the panel has the backup
    ");
    assert_eq!(copies(&world.ledger()), before);
}

#[tokio::test]
async fn a_ledger_file_that_is_damaged_foreign_or_newer_is_left_as_it_is_with_what_to_do() {
    let world = World::new().await;
    let root = world.offsite();
    for backup in 1..=200 {
        put_copy(&root, 1, backup);
    }
    let from = ["ledger", "rebuild", "--from", text(&root)];
    assert_eq!(world.run(&from).await.code, Some(0));
    let whole = fs::read(world.ledger()).unwrap();
    let newer = {
        let path = world.path("newer");
        fs::write(&path, &whole).unwrap();
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        fs::read(path).unwrap()
    };
    // Where only a look at every page finds it.
    let mut damaged = whole.clone();
    let from_page = damaged.len() / 4096 / 2 * 4096;
    damaged[from_page..from_page + 4096].fill(0x5a);
    for (what, bytes, words) in [
        ("damaged", damaged, "is damaged"),
        ("cut", whole[..5 * 4096].to_vec(), "is damaged"),
        (
            "foreign",
            b"dear diary, today nothing happened\n".to_vec(),
            "is not a nestegg ledger",
        ),
        ("newer", newer, "upgrade nestegg"),
    ] {
        lose_ledger(&world);
        fs::write(world.ledger(), &bytes).unwrap();
        let ran = world.run(&from).await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(1), ""),
            "{what}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains(words) && ran.stderr.contains("hint: "),
            "{what}: {}",
            ran.stderr
        );
        assert!(fs::read(world.ledger()).unwrap() == bytes, "{what}");
        if words == "is damaged" {
            assert!(ran.stderr.contains("move the file aside"), "{}", ran.stderr);
        }
    }
}

type Change = Box<dyn Fn(&mut Value)>;

/// Sidecars as an enemy or a bad disk would leave them: what is changed, the exit code that follows
/// from it alone, and what is said.
fn hostile() -> Vec<(Change, i32, &'static str)> {
    fn set(pointer: &'static str, to: Value) -> Change {
        Box::new(move |sidecar| *sidecar.pointer_mut(pointer).unwrap() = to.clone())
    }
    let huge = json!(u64::MAX);
    vec![
        (
            set("/format", json!("nestegg.copy/2")),
            3,
            "upgrade nestegg",
        ),
        (
            set("/format", json!("\u{1b}[2J")),
            4,
            r"format is `\u{1b}[2J`",
        ),
        (
            set("/server/uuid", json!(server_id(77))),
            4,
            "it describes another backup",
        ),
        (
            set("/backup/uuid", json!(backup_id(77))),
            4,
            "it describes another backup",
        ),
        (
            set("/stored/bytes", huge.clone()),
            4,
            "bytes, not 18446744073709551615",
        ),
        (
            set("/archive/bytes", huge.clone()),
            4,
            "more than any disk holds",
        ),
        (
            set("/archive/entries", huge.clone()),
            4,
            "more than any disk holds",
        ),
        (
            set("/archive/unpacked_bytes", huge),
            4,
            "more than any disk holds",
        ),
        (
            set("/archive/bytes", json!(-1)),
            4,
            "the sidecar can't be read",
        ),
        (
            set("/archive/bytes", json!(1)),
            4,
            "differ in it, although nothing is encrypted",
        ),
        (set("/archive/sha256", json!("x")), 4, "is malformed"),
        (
            set("/archive/verdict", json!("trust me")),
            4,
            "is malformed",
        ),
        (
            set("/archive/panel_checksum", json!("sha1:x")),
            4,
            "is no digest",
        ),
        (set("/panel/name", json!("a\nb")), 4, "is malformed"),
        (
            set("/panel/url", json!("https://u:SENTINEL@panel.example.com/")),
            4,
            "may be a credential",
        ),
        (
            set(
                "/panel/url",
                json!("https://panel.example.com/?token=SENTINEL"),
            ),
            4,
            "may be a credential",
        ),
        (
            set(
                "/stored/encryption",
                json!({"scheme": "age", "recipients": []}),
            ),
            4,
            "the archive beside it is missing",
        ),
        (
            set("/backup/created_at", json!("+99999-01-01T00:00:00Z")),
            4,
            "can't be read",
        ),
        (
            set("/server/name", json!("x".repeat(5 << 20))),
            4,
            "too long to be one",
        ),
    ]
}

#[tokio::test]
async fn hostile_and_broken_sidecars_are_told_and_the_rest_is_rebuilt() {
    let world = World::new().await;
    for (number, (change, code, words)) in (0_u64..).zip(hostile()) {
        let root = world.path(&format!("root-{number}"));
        put_copy(&root, 1, 1);
        let (server, backup) = (server_id(1), backup_id(2));
        let mut bad = sidecar(server, backup, b"archive");
        change(&mut bad);
        put(
            &root,
            server,
            backup,
            b"archive",
            bad.to_string().as_bytes(),
        );
        lose_ledger(&world);
        let ran = world
            .run(&["ledger", "rebuild", "--json", "--from", text(&root)])
            .await;
        assert_eq!(ran.code, Some(code), "{words}: {}", ran.stderr);
        let told = document(&ran, REBUILD_SCHEMA);
        assert_eq!(
            told["counts"],
            json!({"added": 1, "known": 0, "left_out": 1}),
            "{words}"
        );
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&backup.to_string()),
            "{words}: {}",
            ran.stderr
        );
        for text in [&ran.stderr, &ran.stdout] {
            assert!(!text.contains("SENTINEL"), "{text}");
            assert!(
                text.chars().all(|c| c == '\n' || !c.is_control()),
                "{text:?}"
            );
        }
        assert_eq!(copies(&world.ledger()).len(), 1);
    }
}

#[tokio::test]
async fn names_that_act_on_a_terminal_are_kept_and_never_printed_as_they_are() {
    let world = World::new().await;
    let root = world.offsite();
    let hostile = "\u{1b}[2J\u{202e}\nerror: all lost";
    let mut document = sidecar(server_id(1), backup_id(1), b"archive");
    document["server"]["name"] = json!(hostile);
    document["backup"]["name"] = json!(hostile);
    document["server"]["identifier"] = json!(hostile);
    let bytes = document.to_string();
    put(
        &root,
        server_id(1),
        backup_id(1),
        b"archive",
        bytes.as_bytes(),
    );
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&root)])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let held = copies(&world.ledger());
    assert_eq!(
        (held[0].server_name.as_str(), held[0].backup_name.as_str()),
        (hostile, hostile)
    );
    let list = world.run(&["list"]).await;
    assert!(!list.stdout.contains('\u{1b}') && !list.stdout.contains('\u{202e}'));
}

#[tokio::test]
async fn archives_alone_are_told_and_not_taken_for_copies() {
    let world = World::new().await;
    let root = world.offsite();
    put_copy(&root, 1, 1);
    put_copy(&root, 1, 2);
    let lonely = format!("{}/{}", server_id(1), backup_id(2));
    fs::remove_file(root.join(format!("{lonely}.json"))).unwrap();
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&root)])
        .await;
    assert_eq!(ran.code, Some(4));
    assert!(
        ran.stderr.contains(&format!("{lonely}.tar.gz at")) && ran.stderr.contains("no sidecar"),
        "{}",
        ran.stderr
    );
    assert_eq!(copies(&world.ledger()).len(), 1);
}

#[tokio::test]
async fn a_destination_that_is_not_there_is_told_and_never_made() {
    let world = World::new().await;
    let root = world.offsite();
    put_copy(&root, 1, 1);
    let gone = world.path("gone");
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&gone)])
        .await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&gone), text(&root)])
        .await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(!gone.exists());
    assert_eq!(copies(&world.ledger()).len(), 1);
    let nothing = world.run(&["ledger", "rebuild"]).await;
    assert_eq!(nothing.code, Some(2), "{}", nothing.stderr);
    assert!(
        nothing.stderr.contains("give --from with a folder"),
        "{}",
        nothing.stderr
    );
    let misspelt = world.run(&["ledger", "rebuild", "--from", "b2"]).await;
    assert_eq!(misspelt.code, Some(2), "{}", misspelt.stderr);
}

#[tokio::test]
async fn a_run_that_holds_the_ledger_is_not_disturbed() {
    let (world, one, _) = mirrored().await;
    let lock = fs::File::options()
        .write(true)
        .open(world.path("ledger.sqlite3.lock"))
        .unwrap();
    lock.lock().unwrap();
    let from = ["ledger", "rebuild", "--from", &one];
    let ran = world.run(&from).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(11), ""));
    assert!(ran.stderr.contains("--retry-lock"), "{}", ran.stderr);
    let waiting = [&from[..], &["--retry-lock", "60s"]].concat();
    let waiting = world.run(&waiting);
    let (ran, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(lock);
    });
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[tokio::test]
async fn a_rebuild_and_a_mirror_at_once_take_turns_and_both_end_well() {
    let (world, one, two) = mirrored().await;
    let lost = copies(&world.ledger());
    lose_ledger(&world);
    let from = [
        "ledger",
        "rebuild",
        "--retry-lock",
        "60s",
        "--from",
        &one,
        &two,
    ];
    let to = ["--retry-lock", "60s", "--to", &one, &two];
    let (rebuilt, mirrored) = tokio::join!(world.run(&from), world.mirror(&to));
    assert_eq!(rebuilt.code, Some(0), "{}", rebuilt.stderr);
    assert_eq!(mirrored.code, Some(0), "{}", mirrored.stderr);
    assert_eq!(copies(&world.ledger()), lost);
}

/// So many copies below a folder, on a few servers.
fn fill(root: &Path, copies: u64) {
    for backup in 0..copies {
        put_copy(root, backup % 20, backup);
    }
}

#[tokio::test]
async fn ten_thousand_sidecars_are_read_in_bounded_time() {
    let world = World::new().await;
    let root = world.offsite();
    fill(&root, 10_000);
    let began = Instant::now();
    let ran = world
        .run(&["ledger", "rebuild", "--from", text(&root)])
        .await;
    let took = began.elapsed();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(copies(&world.ledger()).len(), 10_000);
    // Some seconds in an unoptimised build; whatever takes the square of that takes hours.
    assert!(took < Duration::from_mins(10), "{took:?}");
}

#[tokio::test]
async fn a_rebuild_told_to_stop_says_so_and_leaves_whole_destinations() {
    let mut world = World::new().await;
    let roots = ["one", "two", "three"].map(|name| world.path(name));
    for root in &roots {
        fill(root, 500);
    }
    // Without an answer from there, it has no end of its own.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = format!(
        "[[destination]]\nname = \"silent\"\nurl = \"s3://bkt/x\"\n\
         options = {{ endpoint = \"http://{}\", allow_http = \"true\", region = \"x\", access_key_id = \"a\", secret_access_key = \"b\" }}\n",
        silent.local_addr().unwrap()
    );
    fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let mut args = vec!["ledger", "rebuild", "--from"];
    args.extend(roots.iter().map(|root| text(root)));
    let endless = [&args[..], &["silent"]].concat();
    let mut child = world.start(&endless);
    while !world.ledger().exists() {
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let stopped = Command::new("kill")
        .args(["-INT", &child.id().unwrap().to_string()])
        .status();
    assert!(stopped.await.unwrap().success());
    let ended = child.wait_with_output().await.unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let last = world.run(&args).await;
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert_eq!(copies(&world.ledger()).len(), 1_500);
}

#[tokio::test]
async fn a_rebuild_that_is_killed_leaves_whole_destinations_or_nothing_and_the_next_one_goes_on() {
    let world = World::new().await;
    let roots = ["one", "two", "three"].map(|name| world.path(name));
    for root in &roots {
        fill(root, 300);
    }
    let mut args = vec!["ledger", "rebuild", "--from"];
    args.extend(roots.iter().map(|root| text(root)));
    let began = Instant::now();
    assert_eq!(world.run(&args).await.code, Some(0));
    let longest = began.elapsed();
    let expected = copies(&world.ledger());
    assert_eq!(expected.len(), 900);
    lose_ledger(&world);
    for kill in 0..12_u32 {
        if kill % 4 == 0 {
            lose_ledger(&world);
        }
        let mut child = world.start(&args);
        let moment = longest * (kill % 6 + 1) / 7;
        let ended = tokio::time::timeout(moment, child.wait()).await;
        if ended.is_err() {
            child.start_kill().unwrap();
            child.wait().await.unwrap();
        }
        if let Ok(ledger) = nestegg::ledger::Ledger::open_read_only(&world.ledger()) {
            ledger.ensure_sound().unwrap();
            let held = copies(&world.ledger());
            assert_eq!(held.len() % 300, 0, "kill {kill}");
            assert!(held.iter().all(|copy| expected.contains(copy)));
        }
    }
    let last = world.run(&args).await;
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert_eq!(copies(&world.ledger()), expected);
}
