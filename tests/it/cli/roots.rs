//! Local destinations: whether the folder is there, and how it is written.

use std::os::unix::fs::symlink;

use super::in_folder;
use super::text;
use crate::support::archive::Archive;
use crate::support::world::World;

#[tokio::test]
async fn a_configured_folder_that_is_not_there_is_an_error_and_not_made() {
    let (mut world, _, _) = World::with_backup(Archive::small(1)).await;
    let config = format!(
        "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"disk\"\nurl = \"mount\"\n",
        world.panel.url()
    );
    std::fs::write(world.path("nestegg.toml"), config).unwrap();
    world.set("NESTEGG_CONFIG", "nestegg.toml");
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("destination disk: the directory")
            && ran.stderr.contains("a disk that is not mounted"),
        "{}",
        ran.stderr
    );
    assert!(!world.path("mount").exists());
    assert_eq!(world.panel.links_given(), 0);
}

#[tokio::test]
async fn a_folder_named_by_a_flag_is_made_the_first_time_only() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let first = world.mirror(&[]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    std::fs::remove_dir_all(world.offsite()).unwrap();
    for _ in 0..2 {
        let ran = world.mirror(&[]).await;
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
        assert!(!world.offsite().exists());
    }
    assert_eq!(world.panel.downloads_started(), 1);
}

#[tokio::test]
async fn a_lost_folder_is_known_by_every_name_that_leads_to_it() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    std::fs::create_dir(world.path("disk")).unwrap();
    symlink("disk", world.path("link")).unwrap();
    let first = world.mirror(&["--to", "link/offsite"]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    std::fs::remove_dir_all(world.path("disk/offsite")).unwrap();
    for name in ["link/offsite", "disk/offsite", "./link/../disk/offsite"] {
        let ran = world.mirror(&["--to", name]).await;
        assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
        assert!(!world.path("disk/offsite").exists(), "{name}");
    }
}

#[tokio::test]
async fn a_folder_whose_parent_is_missing_is_not_made() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    let ran = world.mirror(&["--to", "no/such/place"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains(text(&world.path("no/such"))),
        "{}",
        ran.stderr
    );
    assert!(!world.path("no").exists());
}

#[tokio::test]
async fn relative_absolute_and_url_forms_name_one_destination() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let absolute = world.path("the copies ünï 🥚");
    let relative = "./the copies ünï 🥚";
    let first = world.mirror(&["--to", relative]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(World::archive_at(&absolute, server, backup).exists());
    let url = url::Url::from_file_path(&absolute).unwrap().to_string();
    let dotted = format!("{}/.", text(&absolute));
    for form in [text(&absolute), &url, &dotted, "the copies ünï 🥚/"] {
        let ran = world.mirror(&["--to", form, "--json"]).await;
        assert_eq!(ran.code, Some(0), "{form}: {}", ran.stderr);
        assert_eq!(ran.json()["counts"]["already_held"], 1, "{form}");
    }
    assert_eq!(world.panel.downloads_started(), 1);
    let twice = world.mirror(&["--to", relative, text(&absolute)]).await;
    assert_eq!(twice.code, Some(2), "{}", twice.stderr);
    assert!(twice.stderr.contains("the same place"), "{}", twice.stderr);
    assert_eq!(
        in_folder(&world),
        ["ledger.sqlite3", "ledger.sqlite3.lock", "the copies ünï 🥚"]
    );
}

#[tokio::test]
async fn a_tilde_is_the_home() {
    let (world, server, backup) = World::with_backup(Archive::small(1)).await;
    let ran = world.mirror(&["--to", "~/offsite"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(World::archive_at(&world.offsite(), server, backup).exists());
}

#[tokio::test]
async fn a_word_that_names_no_destination_is_not_taken_for_a_folder() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    for word in [
        "offsite",
        "b2",
        "http://store.example.com/bucket",
        "sftp://host/x",
        "s3://",
    ] {
        let ran = world.mirror(&["--to", word]).await;
        assert_eq!(ran.code, Some(2), "{word}: {}", ran.stderr);
        assert!(ran.stderr.contains("fix: "), "{word}: {}", ran.stderr);
    }
    assert_eq!(in_folder(&world), [""; 0]);
}

#[tokio::test]
async fn two_names_that_lead_to_one_folder_are_not_two_copies() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    std::fs::create_dir_all(world.path("disk/offsite")).unwrap();
    symlink("disk", world.path("link")).unwrap();
    let ran = world
        .mirror(&["--to", "./disk/offsite", "./link/offsite"])
        .await;
    assert_eq!(ran.code, Some(2), "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("the same place"), "{}", ran.stderr);
    assert_eq!(world.panel.links_given(), 0);
}
