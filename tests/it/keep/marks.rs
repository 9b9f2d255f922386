//! Where marks stand, and that they stay.

use serde_json::Value;
use serde_json::json;

use super::Marked;
use crate::support::world::Ran;

#[tokio::test]
async fn a_mark_is_in_the_ledger_and_in_every_sidecar_and_comes_off_again() {
    let marked = Marked::of(2).await;
    let before = marked.sidecar("disk", 0);
    let (ran, document) = marked
        .mark(&["keep", &marked.backup(0), "--reason", "before the update"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        document["counts"],
        json!({"backups": 1, "changed": 1, "sidecars_written": 2, "failed": 0})
    );
    let mark = document["backups"][0]["mark"].clone();
    assert_eq!(mark["reason"], "before the update");
    for disk in super::DISKS {
        assert_eq!(marked.sidecar(disk, 0)["kept"], mark, "{disk}");
        assert_eq!(marked.sidecar(disk, 1).get("kept"), None, "{disk}");
    }
    assert_eq!(
        marked.kept(),
        [(marked.backups[0], Some("before the update".to_owned()))]
    );

    let listed = marked.run(&["list", "--json"]).await.json();
    let kept = listed["copies"].as_array().unwrap().iter();
    let kept = kept.filter(|copy| copy["kept"] == mark);
    assert_eq!(kept.count(), 2, "{listed:#}");
    let table = marked.run(&["list"]).await.stdout;
    assert!(table.contains("kept: before the update"), "{table}");
    // What is marked is still a copy as it was written.
    assert_eq!(marked.run(&["verify"]).await.code, Some(0));
    assert_eq!(marked.run(&["ledger", "check"]).await.code, Some(0));

    let again = marked.mark(&["keep", &marked.backup(0)]).await.1;
    assert_eq!(again["backups"][0]["change"], "as_it_was");
    assert_eq!(again["backups"][0]["mark"], mark);
    assert_eq!(again["counts"]["sidecars_written"], 0);

    let (ran, document) = marked
        .mark(&["unkeep", "Survival:latest", &marked.backup(0)])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let changes: Vec<&Value> = document["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| &backup["change"])
        .collect();
    assert_eq!(changes, ["as_it_was", "made"]);
    assert_eq!(marked.sidecar("disk", 0), before);
    assert_eq!(marked.kept(), []);
}

#[tokio::test]
async fn a_rebuilt_ledger_has_the_marks_and_so_has_one_that_adopts() {
    let marked = Marked::of(2).await;
    let kept = marked
        .run(&["keep", &marked.backup(1), "--reason", "good"])
        .await;
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let expected = [(marked.backups[1], Some("good".to_owned()))];
    for command in [["ledger", "rebuild"].as_slice(), &["mirror"]] {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = marked.world.ledger().into_os_string();
            name.push(suffix);
            let _absent = std::fs::remove_file(name);
        }
        let ran = marked.run(command).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(marked.kept(), expected, "{command:?}");
        assert_eq!(marked.run(&["ledger", "check"]).await.code, Some(0));
    }
}

#[tokio::test]
async fn a_mark_that_the_ledger_lost_is_told_by_a_check_and_taken_back_by_a_rebuild() {
    let marked = Marked::of(1).await;
    let older = std::fs::read(marked.world.ledger()).unwrap();
    assert_eq!(marked.run(&["keep", &marked.backup(0)]).await.code, Some(0));
    for suffix in ["-wal", "-shm"] {
        let mut name = marked.world.ledger().into_os_string();
        name.push(suffix);
        let _absent = std::fs::remove_file(name);
    }
    std::fs::write(marked.world.ledger(), older).unwrap();
    assert_eq!(marked.kept(), []);
    let check = marked.run(&["ledger", "check", "--json"]).await;
    assert_eq!(check.code, Some(4), "{}", check.stderr);
    let findings = check.json()["findings"].clone();
    assert_eq!(findings[0]["fields"], json!(["kept"]), "{findings:#}");
    assert_eq!(marked.run(&["ledger", "rebuild"]).await.code, Some(0));
    assert_eq!(marked.kept(), [(marked.backups[0], None)]);
    assert_eq!(marked.run(&["ledger", "check"]).await.code, Some(0));
}

#[tokio::test]
async fn copies_that_are_made_later_or_anew_bear_the_mark() {
    let marked = Marked::of(2).await;
    assert_eq!(marked.run(&["keep", &marked.backup(0)]).await.code, Some(0));
    let mark = marked.sidecar("nas", 0)["kept"].clone();
    assert_ne!(mark, Value::Null);
    // Damaged, and repaired from the other one.
    std::fs::write(marked.file("disk", 0, "tar.gz"), b"damaged").unwrap();
    let repaired = marked.run(&["verify", "--repair"]).await;
    assert_eq!(repaired.code, Some(0), "{}", repaired.stderr);
    assert_eq!(marked.sidecar("disk", 0)["kept"], mark);
    // Gone, found missing, and mirrored again.
    for ending in ["json", "tar.gz"] {
        std::fs::remove_file(marked.file("disk", 0, ending)).unwrap();
    }
    assert_eq!(marked.run(&["verify", "--quick"]).await.code, Some(4));
    assert_eq!(marked.run(&["mirror"]).await.code, Some(0));
    assert_eq!(marked.sidecar("disk", 0)["kept"], mark);
    assert_eq!(marked.run(&["ledger", "check"]).await.code, Some(0));
}

#[tokio::test]
async fn a_sidecar_that_is_out_of_reach_is_told_and_written_when_it_is_there_again() {
    let marked = Marked::of(1).await;
    let (away, there) = (marked.world.path("away"), marked.world.path("nas"));
    std::fs::rename(&there, &away).unwrap();
    let (ran, document) = marked.mark(&["keep", &marked.backup(0)]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let states = |document: &Value| -> Vec<String> {
        let copies = document["backups"][0]["copies"].as_array().unwrap().iter();
        copies
            .map(|copy| format!("{}: {}", copy["destination"], copy["sidecar"]))
            .collect()
    };
    assert_eq!(
        states(&document),
        [r#""disk": "written""#, r#""nas": "failed""#]
    );
    assert_eq!(marked.kept(), [(marked.backups[0], None)]);
    std::fs::rename(&away, &there).unwrap();
    let (ran, document) = marked.mark(&["keep", &marked.backup(0)]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        states(&document),
        [r#""disk": "as_it_was""#, r#""nas": "written""#]
    );
}

#[tokio::test]
async fn a_sidecar_that_somebody_changed_is_not_written_over() {
    let marked = Marked::of(1).await;
    let path = marked.file("disk", 0, "json");
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push(' ');
    std::fs::write(&path, &text).unwrap();
    let (ran, document) = marked.mark(&["keep", &marked.backup(0)]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let error = &document["backups"][0]["copies"][0]["error"];
    assert_eq!(error["kind"], "integrity", "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    // And mended as the hint says, the mark included.
    let repaired = marked.run(&["verify", "--repair"]).await;
    assert_eq!(repaired.code, Some(0), "{}", repaired.stderr);
    assert_eq!(
        marked.sidecar("disk", 0)["kept"],
        marked.sidecar("nas", 0)["kept"]
    );
    assert_eq!(marked.run(&["keep", &marked.backup(0)]).await.code, Some(0));
}

#[tokio::test]
async fn a_copy_at_a_place_that_is_not_in_play_is_told() {
    let marked = Marked::of(1).await;
    let ran: Ran = marked
        .world
        .run(&["keep", &marked.backup(0), "--to", "./disk"])
        .await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("not among those in play"),
        "{}",
        ran.stderr
    );
    assert_ne!(marked.sidecar("disk", 0)["kept"], Value::Null);
}

#[tokio::test]
async fn a_lock_that_went_with_its_backup_is_let_go_for_good() {
    let marked = Marked::of(2).await;
    marked
        .world
        .panel
        .edit(marked.backups[0], |row| row.is_locked = true);
    assert_eq!(marked.run(&["mirror"]).await.code, Some(0));
    let (_, still) = marked.mark(&["unkeep", &marked.backup(0)]).await;
    assert_eq!(still["backups"][0]["panel_lock"], "on_panel");
    let table = marked.run(&["list"]).await.stdout;
    assert!(table.contains("locked"), "{table}");
    marked.world.panel.delete_backup(marked.backups[0]);
    assert_eq!(marked.run(&["mirror"]).await.code, Some(0));
    let (_, gone) = marked.mark(&["unkeep", &marked.backup(0)]).await;
    assert_eq!(gone["backups"][0]["panel_lock"], "let_go");
    let table = marked.run(&["list"]).await.stdout;
    assert!(!table.contains("locked"), "{table}");
}

#[tokio::test]
async fn a_run_that_is_killed_between_sidecar_and_ledger_leaves_a_copy_that_is_as_it_should_be() {
    let marked = Marked::of(1).await;
    let before = std::fs::read(marked.file("disk", 0, "json")).unwrap();
    assert_eq!(marked.run(&["keep", &marked.backup(0)]).await.code, Some(0));
    let after = std::fs::read(marked.file("disk", 0, "json")).unwrap();
    for found in [before, after] {
        // The digest was forgotten before the sidecar was written, and not recorded afterwards.
        marked.prune(|ledger, _run, disk| {
            ledger.forget_sidecar(disk, &marked.key(0)).unwrap();
        });
        std::fs::write(marked.file("disk", 0, "json"), found).unwrap();
        assert_eq!(marked.run(&["verify"]).await.code, Some(0));
        let ran = marked.run(&["keep", &marked.backup(0)]).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(
            marked.sidecar("disk", 0)["kept"],
            marked.sidecar("nas", 0)["kept"]
        );
        assert_eq!(marked.run(&["verify"]).await.code, Some(0));
    }
}

#[tokio::test]
async fn people_are_told_in_a_few_lines_and_cron_is_told_nothing() {
    let marked = Marked::of(1).await;
    let (backup, created_at) = {
        let copies = marked
            .ledger()
            .copies(&nestegg::ledger::CopyFilter::default());
        let copy = copies.unwrap().remove(0);
        (
            copy.backup,
            copy.created_at.strftime("%Y-%m-%d %H:%M").to_string(),
        )
    };
    let said = marked
        .run(&["keep", "Survival:latest", "--reason", "the good one"])
        .await;
    assert_eq!(
        said.stdout,
        format!(
            "kept          Survival / nightly of {created_at} (UTC), {backup}: the good one\n\
             {:12}  sidecars: disk written, nas written\n",
            ""
        )
    );
    let quiet = marked.run(&["-q", "unkeep", "Survival:latest"]).await;
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(0), ""));
    assert_eq!(quiet.stderr, "");
}
