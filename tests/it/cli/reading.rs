//! `status` and `list`.

use super::text;
use crate::support::archive::Archive;
use crate::support::world::World;

fn write_config(world: &World, max_age: &str) {
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"disk\"\nurl = \"offsite\"\n\
         [mirror]\nmax_age = \"{max_age}\"\n",
        world.panel.url()
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
    std::fs::create_dir_all(world.offsite()).unwrap();
}

#[tokio::test]
async fn before_the_first_run_they_say_that_there_is_no_ledger_and_make_none() {
    let world = World::new().await;
    for command in ["status", "list"] {
        let ran = world.run(&[command]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{command}");
        assert!(
            ran.stderr.contains(text(&world.ledger())) && ran.stderr.contains("nestegg mirror"),
            "{}",
            ran.stderr
        );
    }
    assert!(!world.ledger().exists());
}

#[tokio::test]
async fn status_says_how_fresh_each_server_is_and_exits_5_when_a_promise_is_broken() {
    let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    write_config(&world, "26h");
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let fresh = world.run(&["status"]).await;
    assert_eq!((fresh.code, fresh.stderr.as_str()), (Some(0), ""));
    assert!(fresh.stdout.contains("fresh"), "{}", fresh.stdout);
    assert!(
        fresh.stdout.contains("1 server: 1 fresh."),
        "{}",
        fresh.stdout
    );
    // The fake panel's backups are half a day old.
    write_config(&world, "1h");
    let stale = world.run(&["status"]).await;
    assert_eq!((stale.code, stale.stderr.as_str()), (Some(5), ""));
    assert!(stale.stdout.contains("STALE"), "{}", stale.stdout);
    let json = world.run(&["status", "--json"]).await;
    assert_eq!(json.code, Some(5));
    let document = json.json();
    assert_eq!(document["exit_code"], 5);
    assert_eq!(document["servers"][0]["freshness"], "stale");
    assert_eq!(document["servers"][0]["max_age_seconds"], 3600);
}

#[tokio::test]
async fn a_server_without_any_copy_breaks_its_promise() {
    let (mut world, _, backup) = World::with_backup(Archive::small(1)).await;
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    write_config(&world, "26h");
    world.panel.set_checksum(backup, "sha1:x");
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let status = world.run(&["status"]).await;
    assert_eq!(status.code, Some(5), "{}", status.stderr);
    assert!(status.stdout.contains("NO COPY"), "{}", status.stdout);
    assert!(
        status.stdout.contains("checksum is malformed"),
        "{}",
        status.stdout
    );
    let unpromised = world.run(&["status", "--config", "/dev/null"]).await;
    assert_eq!(unpromised.code, Some(0), "{}", unpromised.stderr);
}

#[tokio::test]
async fn status_names_what_is_missing_where_and_why() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let bad = world.panel.add_backup(server, "spoiled", Archive::small(2));
    world
        .panel
        .set_checksum(bad, format!("sha1:{}", Archive::small(3).sha1()));
    let ran = world.mirror(&[]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let status = world.run(&["status"]).await;
    assert_eq!(status.code, Some(0));
    for words in ["1 missing", "spoiled", "the archive's sha1 is"] {
        assert!(status.stdout.contains(words), "{words}: {}", status.stdout);
    }
    let document = world.run(&["status", "--json"]).await.json();
    let missing = &document["servers"][0]["destinations"][0]["missing"];
    assert_eq!(missing.as_array().unwrap().len(), 1);
    assert_eq!(missing[0]["backup"], bad.to_string());
}

#[tokio::test]
async fn list_shows_every_copy_newest_first_and_takes_filters() {
    let (world, survival, first) = World::with_backup(Archive::small(1)).await;
    let second = world
        .panel
        .add_backup(survival, "weekly", Archive::small(2));
    let creative = world.panel.add_server("Creative");
    let third = world.panel.add_backup(creative, "other", Archive::small(3));
    let (one, two) = (world.path("one"), world.path("two"));
    world.mirror(&["--to", text(&one), text(&two)]).await;
    let all = world.run(&["list"]).await;
    assert_eq!((all.code, all.stderr.as_str()), (Some(0), ""));
    for word in [&first, &second, &third].map(ToString::to_string) {
        assert_eq!(all.stdout.matches(&word).count(), 2, "{}", all.stdout);
    }
    assert!(all.stdout.find(&second.to_string()) < all.stdout.find(&first.to_string()));
    let ids = |ran: crate::support::world::Ran| -> Vec<String> {
        let document = ran.json();
        document["copies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|copy| copy["backup"].as_str().unwrap().to_owned())
            .collect()
    };
    let near = ["list", "--json", "--server", "Surv*", "--to", text(&one)];
    assert_eq!(
        ids(world.run(&near).await),
        [second.to_string(), first.to_string()]
    );
    let short = creative.short();
    let by_id = ["list", "--json", "--server", &short, "--to", text(&two)];
    assert_eq!(ids(world.run(&by_id).await), [third.to_string()]);
    let nobody = world.run(&["list", "--server", "nobody"]).await;
    assert_eq!(nobody.code, Some(2));
    assert!(
        nobody.stderr.contains("`--server nobody`"),
        "{}",
        nobody.stderr
    );
}

#[tokio::test]
async fn they_read_while_another_run_holds_the_lock_and_change_nothing() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let lock = std::fs::File::options()
        .write(true)
        .open(world.path("ledger.sqlite3.lock"))
        .unwrap();
    lock.lock().unwrap();
    let before = std::fs::read(world.ledger()).unwrap();
    for command in ["status", "list"] {
        let ran = world.run(&[command]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("Survival"), "{}", ran.stdout);
    }
    assert!(std::fs::read(world.ledger()).unwrap() == before);
}

#[tokio::test]
async fn a_refused_run_is_told_who_holds_the_lock() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    let path = world.path("ledger.sqlite3.lock");
    std::fs::write(
        &path,
        "{\"pid\":4711,\"command\":\"mirror\",\"since\":\"2026-11-22T03:00:00Z\"}\n",
    )
    .unwrap();
    let lock = std::fs::File::options().write(true).open(&path).unwrap();
    lock.lock().unwrap();
    let ran = world.mirror(&[]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(11), ""));
    assert!(
        ran.stderr
            .contains("`nestegg mirror`, process 4711, since 2026-11-22T03:00:00Z")
            && ran.stderr.contains("--retry-lock"),
        "{}",
        ran.stderr
    );
}
