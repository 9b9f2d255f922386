//! `--json` of every command against the schemas that are promised.

use nestegg::ops::config::CHECK_SCHEMA;
use nestegg::ops::config::INIT_SCHEMA;
use nestegg::ops::config::SHOW_SCHEMA;
use nestegg::report::json::LIST_SCHEMA;
use nestegg::report::json::MIRROR_SCHEMA;
use nestegg::report::json::STATUS_SCHEMA;

use super::text;
use crate::support::archive::Archive;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Fault;
use crate::support::schema;
use crate::support::world::Ran;
use crate::support::world::World;

/// Fails unless the whole of standard output is one document of this schema.
fn assert_fits(schema: &str, ran: &Ran) {
    let document = ran.json();
    schema::assert_fits(schema, &document);
}

#[tokio::test]
async fn every_ending_of_mirror_fits_its_schema() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    assert_fits(MIRROR_SCHEMA, &world.mirror(&["--json", "--dry-run"]).await);
    assert_fits(MIRROR_SCHEMA, &world.mirror(&["--json"]).await);
    assert_fits(MIRROR_SCHEMA, &world.mirror(&["--json"]).await);
    let flipped = world.panel.add_backup(server, "flipped", Archive::small(2));
    world.panel.on_download(flipped, Fault::FlipByte { at: 9 });
    let malformed = world
        .panel
        .add_backup(server, "malformed", Archive::small(3));
    world.panel.set_checksum(malformed, "sha1:x");
    world.panel.add_failed(server, "failed");
    world.panel.add_in_progress(server, "pending", None);
    let suspended = world.panel.add_server("Suspended");
    world.panel.set_condition(suspended, Condition::Suspended);
    let bad = world.mirror(&["--json"]).await;
    assert_eq!(bad.code, Some(4), "{}", bad.stderr);
    assert_fits(MIRROR_SCHEMA, &bad);
    std::fs::write(world.path("file"), "").unwrap();
    let (good, none) = (world.path("good"), world.path("file"));
    let partial = world
        .mirror(&["--json", "--to", text(&good), text(&none)])
        .await;
    assert_fits(MIRROR_SCHEMA, &partial);
    world
        .panel
        .set_key("ptlc_anotheranotheranotheranotheranotheranother1");
    let refused = world.mirror(&["--json"]).await;
    assert_eq!(refused.code, Some(12), "{}", refused.stderr);
    assert_fits(MIRROR_SCHEMA, &refused);
}

#[tokio::test]
async fn status_and_list_fit_their_schemas() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world.mirror(&[]).await;
    assert_fits(STATUS_SCHEMA, &world.run(&["status", "--json"]).await);
    assert_fits(LIST_SCHEMA, &world.run(&["list", "--json"]).await);
    let bad = world.panel.add_backup(server, "bad", Archive::small(2));
    world.panel.set_checksum(bad, "sha1:x");
    let never = world.panel.add_server("Never");
    world.panel.set_condition(never, Condition::Installing);
    world.mirror(&[]).await;
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"disk\"\nurl = \"offsite\"\n[mirror]\nmax_age = \"1h\"\n",
        world.panel.url()
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
    world.run(&["mirror", "--config", "nestegg.toml"]).await;
    let stale = world
        .run(&["status", "--json", "--config", "nestegg.toml"])
        .await;
    assert_eq!(stale.code, Some(5), "{}", stale.stderr);
    assert_fits(STATUS_SCHEMA, &stale);
}

#[tokio::test]
async fn the_documents_of_config_fit_their_schemas() {
    let world = World::new().await;
    let init = world
        .run(&["config", "init", "--json", "--config", "made.toml"])
        .await;
    assert_eq!(init.code, Some(0), "{}", init.stderr);
    assert_fits(INIT_SCHEMA, &init);
    std::fs::write(world.path("main.key"), format!("{}\n", world.panel.key())).unwrap();
    std::fs::write(world.path("broken.toml"), "[[panel]]\nnam = 1\n").unwrap();
    let starter = std::fs::read_to_string(world.path("made.toml")).unwrap();
    std::fs::create_dir(world.path("disk")).unwrap();
    let good = starter.replace("/mnt/backup/nestegg", "disk");
    let lost = starter.replace("/mnt/backup/nestegg", "lost");
    std::fs::write(world.path("good.toml"), good).unwrap();
    std::fs::write(world.path("lost.toml"), lost).unwrap();
    for (config, code) in [("good.toml", 0), ("lost.toml", 2), ("broken.toml", 2)] {
        let check = world
            .run(&["config", "check", "--json", "--config", config])
            .await;
        assert_eq!(check.code, Some(code), "{config}: {}", check.stderr);
        assert_fits(CHECK_SCHEMA, &check);
        let document = check.json();
        assert_eq!(document["ok"], code == 0, "{config}");
        let errors = document["errors"].as_array().unwrap();
        assert_eq!(errors.is_empty(), code == 0, "{config}");
    }
    let show = world
        .run(&["config", "show", "--json", "--config", "made.toml"])
        .await;
    assert_eq!(show.code, Some(0), "{}", show.stderr);
    assert_fits(SHOW_SCHEMA, &show);
}
