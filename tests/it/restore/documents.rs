//! `--json` of every ending against the schemas that are promised.

use nestegg::report::json::LIST_SCHEMA;
use nestegg::report::json::RESTORE_SCHEMA;
use nestegg::report::json::SHEET_SCHEMA;
use serde_json::Value;

use super::Vault;
use crate::support::archive::Archive;
use crate::support::schema;
use crate::support::world::Ran;

fn assert_fits(schema: &str, ran: &Ran) {
    let document = ran.json();
    schema::assert_fits(schema, &document);
    if let Some(code) = document.get("exit_code") {
        assert_eq!(code.as_i64(), ran.code.map(i64::from));
    }
}

#[tokio::test]
async fn every_ending_of_a_restore_fits_its_schema() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let restore = [
        "restore",
        "Survival:latest",
        "--json",
        "--force",
        "--output",
        "got.tar.gz",
    ];
    let run = async |more: &[&str]| vault.world.run(&[&restore[..], more].concat()).await;
    let whole = run(&[]).await;
    assert_eq!(whole.json()["backups"][0]["sha256"], vault.archive.sha256());
    assert_eq!(whole.json()["target"]["kind"], "file");
    assert_fits(RESTORE_SCHEMA, &whole);
    assert_fits(RESTORE_SCHEMA, &run(&["--from", "near"]).await);
    assert_fits(
        LIST_SCHEMA,
        &vault.world.run(&["list", "--json", "--from", "near"]).await,
    );
    vault.flip("far");
    assert_fits(RESTORE_SCHEMA, &run(&[]).await);
    vault.flip("near");
    let none = run(&[]).await;
    assert_eq!(none.code, Some(4), "{}", none.stderr);
    assert_eq!(none.json()["outcome"], "failed");
    assert_fits(RESTORE_SCHEMA, &none);
    vault.lose_ledger();
    assert_fits(RESTORE_SCHEMA, &run(&[]).await);
}

#[tokio::test]
async fn sheets_fit_their_schema_however_little_they_know() {
    let vault = Vault::in_two_folders(Archive::small(1)).await;
    let sheet = ["restore", "--sheet", "Survival", "--json"];
    assert_fits(SHEET_SCHEMA, &vault.world.run(&sheet).await);
    for name in ["near", "far"] {
        let path = vault.sidecar_at(name);
        let mut sidecar: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        sidecar["server"]["passport"] = serde_json::json!({});
        std::fs::write(&path, sidecar.to_string()).unwrap();
    }
    let bare = vault.world.run(&sheet).await;
    assert_eq!(bare.json()["egg"], Value::Null);
    assert_fits(SHEET_SCHEMA, &bare);
    let human = vault.world.run(&["restore", "--sheet", "Survival"]).await;
    assert!(
        human.stdout.contains("1. egg: (not known)"),
        "{}",
        human.stdout
    );
}
