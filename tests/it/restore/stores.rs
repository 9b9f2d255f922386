//! Every store: mirror, lose the ledger, restore by the sidecars alone.

use super::Vault;
use crate::support::archive::Archive;
use crate::support::archive::Ending;
use crate::support::archive::Packing;
use crate::support::archive::Recipe;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;

/// Longer than two parts of a restore.
fn of_several_parts() -> Archive {
    Recipe {
        seed: 4,
        content_bytes: 10 << 20,
        noise_percent: 100,
        packing: Packing::Stored,
        ending: Ending::Marked,
    }
    .make()
    .unwrap()
}

async fn gives_back_what_went_in(root: Root) {
    let vault = Vault::of(of_several_parts(), vec![("offsite", root)]).await;
    let before = vault.root("offsite").keys().await;
    vault.lose_ledger();
    vault.world.panel.stop_panel().await;

    let listed = vault
        .world
        .run(&["list", "--from", "offsite", "--json"])
        .await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let copies = &listed.json()["copies"];
    assert_eq!(copies[0]["backup"], vault.backup.to_string());
    assert_eq!(copies[0]["on_panel"], "unknown");

    let args = [
        "restore",
        "Survival:latest",
        "--from",
        "offsite",
        "--output",
    ];
    let ran = vault
        .world
        .run(&[&args[..], &["got.tar.gz"]].concat())
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    vault.assert_restored("got.tar.gz");
    vault.assert_nothing_else(&["got.tar.gz"]);

    let piped = vault.raw(&[&args[..], &["-"]].concat()).await;
    assert_eq!(piped.status.code(), Some(0));
    assert!(piped.stdout == vault.archive.bytes());

    // The ledger is asked by default; there is none, so the configured places are.
    let backup = vault.backup.to_string();
    let ran = vault
        .world
        .run(&["restore", &backup, "--output", "b.tar.gz"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no ledger"), "{}", ran.stderr);
    vault.assert_restored("b.tar.gz");

    let root = vault.root("offsite");
    assert_eq!(root.keys().await, before, "a restore wrote to its source");
    assert_eq!(root.open_uploads().await, Vec::<String>::new());
    assert!(!vault.world.ledger().exists(), "a restore made a ledger");

    // Cut at the store: by its sidecar it is broken, and nothing comes of it.
    let cut = vault.archive.cut_to(vault.archive.len() / 2).bytes();
    root.put(&vault.key(), cut).await;
    let listed = vault.world.run(&["list", "--from", "offsite"]).await;
    assert_eq!(listed.code, Some(4), "{}", listed.stderr);
    assert!(
        listed.stderr.contains("bytes where its sidecar says"),
        "{}",
        listed.stderr
    );
    let ran = vault
        .world
        .run(&[&args[..], &["cut.tar.gz"]].concat())
        .await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    // One bit turned over: only reading it shows that.
    let flipped = vault.archive.with_flipped_byte(vault.archive.len() / 2);
    root.put(&vault.key(), flipped.bytes()).await;
    let ran = vault
        .world
        .run(&[&args[..], &["cut.tar.gz"]].concat())
        .await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    vault.assert_nothing_else(&["got.tar.gz", "b.tar.gz"]);
    let loud = vault
        .raw(&[&["-vv"], &args[..], &["loud.tar.gz"]].concat())
        .await;
    for (option, value) in &root.options {
        let is_secret = ["secret", "key"].iter().any(|hint| option.ends_with(hint));
        for said in [&loud.stdout, &loud.stderr] {
            let said = String::from_utf8_lossy(said);
            assert!(
                !is_secret || !said.contains(value),
                "{option} is in what it says"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_gives_back_what_went_in() {
    let folder = tempfile::tempdir().unwrap();
    gives_back_what_went_in(Root::folder(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_gives_back_what_went_in() {
    gives_back_what_went_in(SeaweedFs::shared().root("restore/whole")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_cloud_storage_gives_back_what_went_in() {
    gives_back_what_went_in(Gcs::shared().root("restore/whole")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_gives_back_what_went_in() {
    gives_back_what_went_in(Azurite::shared().root("restore/whole")).await;
}

#[tokio::test]
async fn a_bucket_is_enough_without_any_configuration_or_home() {
    let root = SeaweedFs::shared().root("restore/bare");
    let url = root.url.clone();
    let mut vault = Vault::of(Archive::small(7), vec![("offsite", root)]).await;
    vault.lose_ledger();
    std::fs::remove_file(vault.world.path("nestegg.toml")).unwrap();
    for variable in ["NESTEGG_CONFIG", "HOME", "NESTEGG_API_KEY"] {
        vault.world.unset(variable);
    }
    for (option, value) in vault.root("offsite").options.clone() {
        let variable = format!("AWS_{}", option.to_uppercase());
        vault.world.set(&variable, value);
    }
    let listed = vault.world.run(&["list", "--from", &url]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(listed.stdout.contains("Survival"), "{}", listed.stdout);
    let mut command = vault.world.command(&["restore"]);
    // Not even a place for a ledger.
    let mut bare = tokio::process::Command::new(command.as_std().get_program());
    let ran = bare
        .args([
            "restore",
            "Survival:latest",
            "--from",
            &url,
            "--output",
            "got.tar.gz",
        ])
        .env_clear()
        .envs(
            command
                .as_std_mut()
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(vault.world.path("."))
        .output()
        .await
        .unwrap();
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    vault.assert_restored("got.tar.gz");
}
