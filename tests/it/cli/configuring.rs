//! `config init`, `show` and `check`.

use std::os::unix::fs::PermissionsExt as _;

use super::in_folder;
use crate::support::archive::Archive;
use crate::support::world::World;

#[tokio::test]
async fn a_starter_is_written_edited_checked_shown_and_used() {
    let (mut world, server, backup) = World::with_backup(Archive::small(1)).await;
    world.unset("NESTEGG_API_KEY");
    let starter = world.run(&["config", "init"]).await;
    assert_eq!((starter.code, starter.stderr.as_str()), (Some(0), ""));
    let folder = world.path(".config/nestegg");
    let file = folder.join("config.toml");
    let bits = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(bits, 0o600);
    assert!(
        starter.stdout.contains(file.to_str().unwrap()),
        "{}",
        starter.stdout
    );

    let unfinished = world.run(&["config", "check"]).await;
    assert_eq!(unfinished.code, Some(2), "{}", unfinished.stdout);
    assert!(
        unfinished.stderr.contains("main.key"),
        "{}",
        unfinished.stderr
    );

    let offsite = world.offsite();
    std::fs::create_dir(&offsite).unwrap();
    let edited = std::fs::read_to_string(&file)
        .unwrap()
        .replace("https://panel.example.com", &world.panel.url())
        .replace("/mnt/backup/nestegg", offsite.to_str().unwrap());
    std::fs::write(&file, edited).unwrap();
    let key = folder.join("main.key");
    std::fs::write(&key, format!("{}\n", world.panel.key())).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();

    let check = world.run(&["config", "check"]).await;
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""));
    assert!(
        check
            .stdout
            .contains("ok: 1 panel, 1 destination; nothing was contacted"),
        "{}",
        check.stdout
    );
    assert_eq!(world.panel.requests(), []);

    let show = world.run(&["config", "show"]).await;
    assert_eq!((show.code, show.stderr.as_str()), (Some(0), ""));
    for word in [&world.panel.url(), "main", "disk", "default", "config.toml"] {
        assert!(show.stdout.contains(word), "{word}: {}", show.stdout);
    }
    let ran = world.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(World::archive_at(&offsite, server, backup).exists());
}

#[tokio::test]
async fn what_is_there_already_is_never_overwritten() {
    let world = World::new().await;
    std::fs::write(world.path("mine.toml"), "# mine\n").unwrap();
    let ran = world
        .run(&["config", "init", "--config", "mine.toml"])
        .await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("mine.toml"), "{}", ran.stderr);
    assert_eq!(std::fs::read(world.path("mine.toml")).unwrap(), b"# mine\n");
    assert_eq!(in_folder(&world), ["mine.toml"]);
}

#[tokio::test]
async fn without_a_file_check_says_where_it_looked() {
    let world = World::new().await;
    let ran = world.run(&["config", "check"]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(
        ran.stderr.contains(".config/nestegg/config.toml") && ran.stderr.contains("config init"),
        "{}",
        ran.stderr
    );
    let named = world.run(&["mirror", "--config", "gone.toml"]).await;
    assert_eq!(named.code, Some(2), "{}", named.stdout);
    assert!(named.stderr.contains("gone.toml"), "{}", named.stderr);
}

#[tokio::test]
async fn a_mistake_is_named_by_file_line_and_mend_by_every_command_that_reads_the_file() {
    let world = World::new().await;
    std::fs::write(
        world.path("nestegg.toml"),
        "[[panel]]\nname = \"main\"\nurll = \"https://panel.example.com\"\n",
    )
    .unwrap();
    for command in [
        &["mirror"][..],
        &["status"],
        &["list"],
        &["config", "check"],
        &["config", "show"],
    ] {
        let mut args = vec!["--config", "nestegg.toml"];
        args.extend(command);
        let ran = world.run(&args).await;
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{command:?}"
        );
        for word in ["nestegg.toml:3", "`urll`", "`url`"] {
            assert!(
                ran.stderr.contains(word),
                "{command:?} {word}: {}",
                ran.stderr
            );
        }
    }
    assert_eq!(in_folder(&world), ["nestegg.toml"]);
}

#[tokio::test]
async fn check_knows_the_options_of_stores_and_shows_no_secret() {
    let world = World::new().await;
    let config = |option: &str| {
        format!(
            "[[panel]]\nname = \"main\"\nurl = \"{}\"\n[[destination]]\nname = \"b2\"\nurl = \"s3://bucket/x\"\n\
             options = {{ {option} = \"x\", access_key_id = \"an-id\", secret_access_key = \"a-store-secret\" }}\n",
            world.panel.url()
        )
    };
    for (option, code) in [("region", 0), ("regoin", 2)] {
        std::fs::write(world.path("nestegg.toml"), config(option)).unwrap();
        let check = world
            .run(&["config", "check", "--config", "nestegg.toml"])
            .await;
        assert_eq!(check.code, Some(code), "{}", check.stderr);
        let show = world
            .run(&["config", "show", "--config", "nestegg.toml"])
            .await;
        for text in [&check.stdout, &check.stderr, &show.stdout, &show.stderr] {
            assert!(!text.contains("a-store-secret"), "{text}");
        }
        assert_eq!(
            check.stderr.contains("`regoin`"),
            code == 2,
            "{}",
            check.stderr
        );
    }
    assert_eq!(world.panel.requests(), []);
}
