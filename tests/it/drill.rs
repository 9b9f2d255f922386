//! Drills: random copies fetched and walked as a rehearsal, and recorded.

use std::collections::BTreeSet;

use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::report::json::DRILL_SCHEMA;
use serde_json::Value;
use serde_json::json;

use crate::support::archive::Archive;
use crate::support::held::Held;
use crate::support::members::Members;
use crate::support::schema;
use crate::support::world::Ran;
use crate::support::world::World;

fn with_level() -> Archive {
    Members::new()
        .file("world/level.dat", "level")
        .file("ops.json", "[]")
        .archive()
}

/// A configuration that names the world's destination and has these lines besides.
fn configure(held: &Held, lines: &str) {
    let text = format!(
        "[[destination]]\nname = \"disk\"\nurl = {:?}\n\n{lines}",
        held.world.offsite()
    );
    std::fs::write(held.world.path("config.toml"), text).unwrap();
}

async fn drill(held: &Held, more: &[&str]) -> Ran {
    let config = held.world.path("config.toml");
    let args = [
        "--config",
        config.to_str().unwrap(),
        "restore",
        "--drill",
        "--json",
    ];
    let args: Vec<&str> = args.into_iter().chain(more.iter().copied()).collect();
    let ran = held.world.run(&args).await;
    assert_valid(&ran);
    ran
}

fn assert_valid(ran: &Ran) {
    let document = ran.json();
    schema::assert_fits(DRILL_SCHEMA, &document);
    assert_eq!(document["exit_code"], json!(ran.code));
}

fn events(world: &World) -> Vec<(String, Value)> {
    let ledger = rusqlite::Connection::open(world.ledger()).unwrap();
    let mut statement = ledger
        .prepare("SELECT kind, detail FROM events WHERE kind IN ('drilled', 'lost') ORDER BY id")
        .unwrap();
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .unwrap();
    rows.map(|row| {
        let (kind, detail) = row.unwrap();
        (kind, serde_json::from_str(&detail).unwrap())
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_copy_is_drilled_and_recorded_as_verified() {
    let held = Held::of(with_level()).await;
    configure(
        &held,
        "[drill]\nmust_contain = [\"world/level.dat\", \"*.json\"]\n",
    );
    let before = held.everything();
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = ran.json();
    let copy = document["copies"][0].clone();
    assert_eq!(copy["state"], "drilled");
    assert_eq!(
        (&copy["entries"], &copy["missing"]),
        (&json!(2), &json!([]))
    );
    assert_eq!(document["counts"]["drilled"], 1);
    assert_eq!(held.everything(), before);
    assert!(held.copies()[0].verified_at.is_some());
    let run = Ledger::open_read_only(&held.world.ledger())
        .unwrap()
        .last_run("drill")
        .unwrap()
        .unwrap();
    assert_eq!(json!(run.run.0), document["run"]);
    let end = run.end.unwrap();
    assert_eq!((end.exit_code, end.counts), (0, document["counts"].clone()));
    let [(kind, detail)] = events(&held.world).try_into().unwrap();
    assert_eq!(
        (kind.as_str(), &detail["outcome"]),
        ("drilled", &json!("drilled"))
    );
    assert_eq!(detail["duration_ms"], copy["duration_ms"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_there_and_is_not_fails_the_drill_and_keeps_the_copy() {
    let held = Held::of(with_level()).await;
    configure(
        &held,
        "[drill]\nmust_contain = [\"never\"]\n\n[[drill.rule]]\nservers = [\"Surv*\"]\n\
         must_contain = [\"world\", \"worlds/*.db\"]\n",
    );
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(4));
    assert_eq!(ran.json()["copies"][0]["missing"], json!(["worlds/*.db"]));
    assert_eq!(
        ran.json()["copies"][0]["error"]["message"],
        "the archive is whole, and lacks what it must contain: `worlds/*.db`"
    );
    assert!(held.copies()[0].verified_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_fails_the_drill_and_no_longer_counts_as_held() {
    let held = Held::of(Archive::of_about(3, 1 << 20)).await;
    configure(&held, "");
    let mut damaged = std::fs::read(held.archive_path()).unwrap();
    damaged[500_000] ^= 1;
    std::fs::write(held.archive_path(), damaged).unwrap();
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(4));
    assert_eq!(ran.json()["copies"][0]["error"]["kind"], "integrity");
    assert_eq!(held.copies(), []);
    let kinds: Vec<String> = events(&held.world)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, ["drilled", "lost"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_copy_and_no_copy_at_all_are_told_apart() {
    let held = Held::of(with_level()).await;
    configure(&held, "");
    let nothing = drill(&held, &["--server", "nobody"]).await;
    assert_eq!(nothing.code, Some(1));
    assert_eq!(
        nothing.json()["errors"][0]["message"],
        "there is no copy of these servers to drill with"
    );
    std::fs::remove_file(held.archive_path()).unwrap();
    let gone = drill(&held, &[]).await;
    assert_eq!(gone.code, Some(4), "{}", gone.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_fails_the_drill_and_loses_no_copy() {
    let held = Held::of(with_level()).await;
    configure(&held, "");
    let root = held.archive_path();
    let root = root.parent().unwrap().parent().unwrap().to_owned();
    let away = root.with_extension("away");
    std::fs::rename(&root, &away).unwrap();
    let before = held.copies();
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(held.copies(), before);
    std::fs::create_dir(&root).unwrap();
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert_eq!(held.copies(), before);
    let error = ran.json()["copies"][0]["error"].clone();
    assert_eq!(error["scope"], "destination");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("nothing at all is there"), "{error}");
    std::fs::remove_dir(&root).unwrap();
    std::fs::rename(&away, &root).unwrap();
    assert_eq!(drill(&held, &[]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_with_one_of_two_disks_is_done_in_part() {
    let held = Held::of(with_level()).await;
    let (first, second) = (held.world.offsite(), held.world.path("second"));
    std::fs::create_dir(&second).unwrap();
    let lines = format!("[[destination]]\nname = \"second\"\nurl = {second:?}\n");
    let places = [first.to_str().unwrap(), second.to_str().unwrap()];
    held.world
        .quick(&["--to", places[0], "--to", places[1]])
        .await;
    configure(&held, &lines);
    assert_eq!(drill(&held, &[]).await.code, Some(0));
    let before = held.copies();
    assert_eq!(before.len(), 2);
    std::fs::rename(&second, held.world.path("away")).unwrap();
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    std::fs::create_dir(&second).unwrap();
    let ran = drill(&held, &[]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stdout);
    let (good, failed) = (
        &ran.json()["counts"]["drilled"],
        &ran.json()["counts"]["failed"],
    );
    assert_eq!((good, failed), (&json!(1), &json!(1)));
    let lost = events(&held.world)
        .into_iter()
        .filter(|(kind, _)| kind == "lost");
    assert_eq!((lost.count(), held.copies().len()), (0, before.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_is_as_large_as_told_and_never_has_a_copy_twice() {
    let held = Held::of(Archive::small(1)).await;
    for seed in 2..7 {
        held.world
            .panel
            .add_backup(held.server, "more", Archive::small(seed));
    }
    held.world.quick(&[]).await;
    configure(&held, "[drill]\nsample = 2\n");
    for (more, expected) in [
        (&[][..], 2),
        (&["--sample", "4"], 4),
        (&["--sample", "9"], 6),
    ] {
        let document = drill(&held, more).await.json();
        let copies = document["copies"].as_array().unwrap();
        let distinct: BTreeSet<String> = copies
            .iter()
            .map(|copy| copy["backup"].to_string())
            .collect();
        assert_eq!((copies.len(), distinct.len()), (expected, expected));
        assert_eq!(document["counts"]["held"], 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_from_a_destination_needs_no_ledger_and_writes_none() {
    let held = Held::of(with_level()).await;
    configure(&held, "");
    for name in ["ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"] {
        std::fs::remove_file(held.world.path(name)).ok();
    }
    let offsite = held.world.offsite();
    let ran = drill(&held, &["--from", offsite.to_str().unwrap()]).await;
    assert_eq!((ran.code, &ran.json()["run"]), (Some(0), &Value::Null));
    assert!(!held.world.ledger().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_in_words() {
    let held = Held::of(with_level()).await;
    configure(&held, "");
    let config = held.world.path("config.toml");
    let args = ["--config", config.to_str().unwrap(), "restore", "--drill"];
    let ran = held.world.run(&args).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(
        ran.stdout
            .starts_with("drilled       Survival / nightly of "),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(": 2 files, "), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("1 of 1 copy drilled; 1 held; took "),
        "{}",
        ran.stdout
    );
    let held_copies = Ledger::open_read_only(&held.world.ledger())
        .unwrap()
        .copies(&CopyFilter::default())
        .unwrap();
    assert_eq!(held_copies.len(), 1);
}
