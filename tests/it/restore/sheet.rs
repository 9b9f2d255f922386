//! `--sheet`: what to recreate on a new panel.

use super::Vault;
use crate::support::archive::Archive;

#[tokio::test]
async fn the_sheet_says_what_to_recreate_in_order_and_what_no_copy_holds() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    vault.lose_ledger();
    let sheet = ["restore", "--sheet", "Survival", "--from", "near"];
    let ran = vault.world.run(&sheet).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let mut rest = ran.stdout.as_str();
    for step in [
        "Survival (",
        "1. egg:",
        "2. image:",
        "3. startup command:",
        "4. limits:",
        "5. feature limits:",
        "6. allocations:",
        "7. variables:",
        "8. files: nestegg restore",
        "databases and what is in them, schedules, subusers",
    ] {
        let after = rest.split_once(step).map(|(_, after)| after);
        rest = after.unwrap_or_else(|| panic!("{step} is not in its place: {}", ran.stdout));
    }
    // By the ledger it is the same, and so is what programs read.
    vault.mirror().await;
    let by_ledger = vault.world.run(&["restore", "--sheet", "Survival"]).await;
    assert_eq!(by_ledger.code, Some(0), "{}", by_ledger.stderr);
    let steps = |text: &str| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(steps(&by_ledger.stdout), steps(&ran.stdout));
}

#[tokio::test]
async fn secrets_are_masked_and_said_to_be() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let path = vault.sidecar_at("near");
    let mut sidecar: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    sidecar["server"]["passport"]["variables"] = serde_json::json!([
        {"name": "Jar", "env": "SERVER_JARFILE", "value": "server.jar"},
        {"name": "RCON", "env": "RCON_PASSWORD", "value": "********"},
        {"name": "Unset", "env": "UNSET"},
    ]);
    std::fs::write(&path, sidecar.to_string()).unwrap();
    let sheet = ["restore", "--sheet", "Survival", "--from", "near"];
    let ran = vault.world.run(&sheet).await;
    for line in [
        "     SERVER_JARFILE=server.jar  (Jar)\n",
        "     RCON_PASSWORD=********  (RCON)\n",
        "     UNSET=(not set)  (Unset)\n",
        "stands for secrets, which copies never hold (1 variable): set new ones.\n",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let document = vault
        .world
        .run(&[&sheet[..], &["--json"]].concat())
        .await
        .json();
    let masked: Vec<_> = document["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| variable["masked"].as_bool().unwrap())
        .collect();
    assert_eq!(masked, [false, true, false]);
}

#[tokio::test]
async fn a_sheet_needs_no_archive_and_no_whole_set_of_sidecars() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    std::fs::remove_file(vault.path_at("far")).unwrap();
    std::fs::remove_file(vault.path_at("near")).unwrap();
    std::fs::write(vault.sidecar_at("far"), "{").unwrap();
    let ran = vault.world.run(&["restore", "--sheet", "Survival"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("from near"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("its sidecar is of no use"),
        "{}",
        ran.stderr
    );
    let ran = vault.world.run(&["restore", "--sheet", "Survivor"]).await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("known: Survival"), "{}", ran.stderr);
}
