//! Copies that retention removed, or is removing: what heeds that.

use nestegg::model::removal::Removal;
use nestegg::report::json;
use serde_json::Value;
use serde_json::json;

use super::Marked;
use crate::support::schema::assert_fits;

impl Marked {
    async fn mirror(&self, more: &[&str]) -> Value {
        let words: Vec<&str> = ["mirror", "--json"]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        let ran = self.run(&words).await;
        let document = ran.json();
        assert_fits(json::MIRROR_SCHEMA, &document);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        document
    }

    fn removal(&self, number: usize) -> Option<Removal> {
        let mut found = None;
        self.prune(|ledger, _run, disk| {
            found = ledger.removal_of(self.of_backup(number), disk).unwrap();
        });
        found
    }
}

#[tokio::test]
async fn a_removed_copy_is_not_mirrored_again_by_itself_and_misses_nobody() {
    let marked = Marked::of(2).await;
    marked.remove(0);
    let document = marked.mirror(&[]).await;
    assert_eq!(
        document["counts"],
        json!({"servers": 1, "backups_seen": 2, "skipped": 1, "already_held": 2, "mirrored": 0, "failed": 0})
    );
    assert!(!marked.file("disk", 0, "tar.gz").exists());
    let said = marked.run(&["mirror"]).await;
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(
        said.stdout
            .contains("`nestegg prune` removed the copy at disk"),
        "{}",
        said.stdout
    );
    assert_eq!(marked.run(&["-q", "mirror"]).await.stdout, "");
    let status = marked.run(&["status", "--json"]).await.json();
    let there = &status["servers"][0]["destinations"];
    assert_eq!(
        (&there[0]["copies"], &there[0]["missing"]),
        (&json!(1), &json!([]))
    );
    assert_eq!(marked.run(&["verify"]).await.code, Some(0));
    for words in [
        ["ledger", "check"].as_slice(),
        &["ledger", "check", "--panel"],
    ] {
        let check = marked.run(words).await;
        assert_eq!(check.code, Some(0), "{}", check.stdout);
    }
}

#[tokio::test]
async fn a_removed_copy_is_made_again_when_it_is_named() {
    let marked = Marked::of(2).await;
    marked.remove(0);
    let document = marked.mirror(&["--backup", &marked.backup(0)]).await;
    assert_eq!(document["counts"]["mirrored"], 1, "{document:#}");
    assert_eq!(marked.removal(0), None);
    assert!(marked.file("disk", 0, "json").exists());
    assert_eq!(marked.mirror(&[]).await["counts"]["already_held"], 2);
}

#[tokio::test]
async fn a_removed_copy_is_made_again_when_its_backup_is_kept() {
    let marked = Marked::of(2).await;
    marked.remove(0);
    let (ran, document) = marked.mark(&["keep", &marked.backup(0)]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(document["backups"][0]["wanted_again"], json!(["disk"]));
    let served = marked.world.panel.bytes_served();
    assert_eq!(marked.mirror(&[]).await["counts"]["mirrored"], 1);
    assert_eq!(
        marked.world.panel.bytes_served(),
        served,
        "filled from the other disk"
    );
    assert_eq!(
        marked.sidecar("disk", 0)["kept"],
        marked.sidecar("nas", 0)["kept"]
    );
}

#[tokio::test]
async fn a_removal_that_was_begun_is_left_to_prune_by_everybody_else() {
    let marked = Marked::of(2).await;
    marked.begin_removal(0);
    // Both objects still stand there, as after a kill right behind the intent.
    for more in [&[][..], &["--backup", &marked.backup(0)]] {
        let document = marked.mirror(more).await;
        assert_eq!(document["counts"]["mirrored"], 0, "{document:#}");
        assert_eq!(document["counts"]["skipped"], 1, "{document:#}");
        assert_eq!(marked.removal(0), Some(Removal::Begun));
    }
    assert_eq!(marked.run(&["verify"]).await.code, Some(0));
    let rebuilt = marked.run(&["ledger", "rebuild"]).await;
    assert_eq!(rebuilt.code, Some(3), "{}", rebuilt.stderr);
    assert!(
        rebuilt.stderr.contains("is being removed"),
        "{}",
        rebuilt.stderr
    );
    for fix in [
        ["ledger", "check"].as_slice(),
        &["ledger", "check", "--fix"],
    ] {
        let check = marked.run(fix).await;
        assert_eq!(check.code, Some(4), "{}", check.stdout);
        assert!(
            check
                .stdout
                .contains("it is being removed: `nestegg prune --apply` finishes that"),
            "{}",
            check.stdout
        );
    }
    // Its archive alone, as after a kill between the two.
    std::fs::remove_file(marked.file("disk", 0, "json")).unwrap();
    assert_eq!(marked.mirror(&[]).await["counts"]["mirrored"], 0);
    assert!(marked.file("disk", 0, "tar.gz").exists());
    assert_eq!(marked.removal(0), Some(Removal::Begun));
    // It is restored from where it is held.
    let target = marked.world.path("out.tar.gz");
    let restored = marked
        .run(&[
            "restore",
            &marked.backup(0),
            "--output",
            target.to_str().unwrap(),
        ])
        .await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    let (_, document) = marked.mark(&["keep", &marked.backup(0)]).await;
    assert_eq!(document["backups"][0]["being_removed"], json!(["disk"]));
    assert_eq!(marked.removal(0), Some(Removal::Begun));
}
