//! Each thing that can be wrong with a copy, at each kind of store.

use nestegg::exit::Exit;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Scope;
use serde_json::Value;

use super::Kept;
use super::findings;
use super::flip;
use crate::support::servers::azurite::Azurite;
use crate::support::servers::gcs::Gcs;
use crate::support::servers::root::Root;
use crate::support::servers::seaweedfs::SeaweedFs;
use crate::support::world::World;

/// Breaks one copy in each way, and leaves the first as it is.
async fn each_finding_is_told_apart(kept: Kept) {
    let root = &kept.roots["disk"];
    root.remove(&kept.archive(1)).await;
    kept.edit("disk", &kept.archive(2), |mut bytes| {
        bytes.pop();
        bytes
    })
    .await;
    kept.edit("disk", &kept.archive(3), |mut bytes| {
        bytes.push(0);
        bytes
    })
    .await;
    kept.edit("disk", &kept.archive(4), |bytes| flip(bytes, 1000))
        .await;
    root.remove(&kept.sidecar(5)).await;
    kept.edit("disk", &kept.sidecar(6), |bytes| {
        bytes[..bytes.len() / 2].to_vec()
    })
    .await;
    kept.edit("disk", &kept.sidecar(7), |bytes| {
        let mut document: Value = serde_json::from_slice(&bytes).unwrap();
        document["archive"]["verdict"] = "structure".into();
        serde_json::to_vec(&document).unwrap()
    })
    .await;
    kept.edit("disk", &kept.sidecar(8), |mut bytes| {
        bytes.push(b'\n');
        bytes
    })
    .await;
    root.remove(&kept.archive(9)).await;
    root.remove(&kept.sidecar(9)).await;

    let (quick, exit) = kept.verify(&["--quick"]).await;
    assert_eq!(exit, Exit::Integrity);
    // A store may give the altered archive the ETag of the old one's time and length.
    let seen = findings(&kept, &quick);
    let expected = [
        "present sound",
        "missing sound",
        "truncated sound",
        "longer sound",
        "changed sound",
        "present missing",
        "present damaged",
        "present differs",
        "present altered",
        "missing missing",
    ];
    assert_eq!(seen, expected);

    let (full, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Integrity);
    let expected = [
        "sound sound",
        "missing sound",
        "truncated sound",
        "longer sound",
        "altered sound",
        "sound missing",
        "sound damaged",
        "sound differs",
        "sound altered",
        "missing missing",
    ];
    assert_eq!(findings(&kept, &full), expected);

    // What is lost no longer counts as held; a sound archive does, whatever its sidecar.
    for number in 0..10 {
        let is_held = !matches!(number, 1..=4 | 9);
        assert_eq!(
            kept.claimed_of(number).len(),
            usize::from(is_held),
            "{number}"
        );
    }
    let verified = kept.claimed().iter().all(|copy| copy.verified_at.is_some());
    assert!(verified, "{:?}", kept.claimed());

    // And it stays lost until it is repaired.
    let (again, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Integrity);
    assert_eq!(findings(&kept, &again), expected);
    let (repaired, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", repaired.errors);
    assert_eq!(findings(&kept, &repaired), expected);
    let (after, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(findings(&kept, &after), ["sound sound"; 10]);
    kept.assert_restored("disk").await;
}

async fn at(root: Root) -> Kept {
    Kept::at(World::new().await, [("disk", root)], 10).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_is_told_apart_in_a_directory() {
    each_finding_is_told_apart(Kept::on_disk(10).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_is_told_apart_at_seaweedfs() {
    each_finding_is_told_apart(at(SeaweedFs::shared().root("verify/findings")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_is_told_apart_at_azurite() {
    each_finding_is_told_apart(at(Azurite::shared().root("verify/findings")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_finding_is_told_apart_at_the_gcs_shim() {
    each_finding_is_told_apart(at(Gcs::shared().root("verify/findings")).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_of_a_newer_format_is_told_and_never_written_over() {
    let kept = Kept::on_disk(1).await;
    kept.edit("disk", &kept.sidecar(0), |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace("nestegg.copy/1", "nestegg.copy/3")
            .into_bytes()
    })
    .await;
    let before = kept.read("disk", &kept.sidecar(0)).await;
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Integrity);
    assert_eq!(findings(&kept, &report), ["sound newer"]);
    assert_eq!(kept.read("disk", &kept.sidecar(0)).await, before);
    assert!(
        report.errors[0].message.contains("not written over"),
        "{:?}",
        report.errors
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_sidecar_was_never_digested_is_compared_with_the_ledger_and_digested() {
    let kept = Kept::on_disk(1).await;
    let forget = || {
        let ledger = rusqlite::Connection::open(kept.world.ledger()).unwrap();
        ledger
            .execute("UPDATE copies SET sidecar_sha256 = NULL", [])
            .unwrap();
    };
    forget();
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(
        (exit, findings(&kept, &report)),
        (Exit::Done, vec!["sound sound".to_owned()])
    );
    kept.edit("disk", &kept.sidecar(0), |mut bytes| {
        bytes.push(b' ');
        bytes
    })
    .await;
    let (report, _) = kept.verify(&[]).await;
    assert_eq!(findings(&kept, &report), ["sound altered"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_restored_from_where_is_said() {
    let kept = Kept::on_two_disks(2).await;
    kept.roots["disk"].remove(&kept.archive(0)).await;
    let (report, exit) = kept.verify(&["--to", "disk"]).await;
    assert_eq!(exit, Exit::Integrity);
    let said = &report.errors[0];
    assert_eq!(
        said.message,
        "the copy at disk is bad: the archive is missing"
    );
    assert_eq!(
        said.hint,
        "the backup can be restored from other, and the panel still listed it when it was last asked; \
         `nestegg verify --repair` makes it anew"
    );
    kept.roots["other"].remove(&kept.archive(0)).await;
    kept.world.panel.delete_backup(kept.backups[0]);
    kept.run(&["mirror"]).await;
    let (report, _) = kept
        .verify(&["--backup", &kept.backups[0].to_string()])
        .await;
    assert_eq!(findings(&kept, &report), ["missing sound", "missing sound"]);
    for error in &report.errors {
        assert!(
            error
                .hint
                .ends_with("it is lost; check the disk or store behind it"),
            "{error:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_store_says_nothing_about_its_copies() {
    let mut store = SeaweedFs::start();
    let world = World::new().await;
    std::fs::create_dir(world.path("other")).unwrap();
    let roots = [
        ("disk", store.root("verify/unreachable")),
        ("other", Root::folder(&world.path("other"))),
    ];
    let kept = Kept::at(world, roots, 5).await;
    let before = kept.claimed();
    store.kill();
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Partial, "{:?}", report.errors);
    assert!(report.verified.not_reached > 0, "a dead store is given up");
    assert_eq!(kept.claimed().len(), before.len());
    let (report, exit) = kept.verify(&["--to", "disk"]).await;
    assert_eq!(exit, Exit::Failed);
    let unread = report
        .verified
        .copies
        .iter()
        .all(|copy| copy.state() == "unread");
    assert!(unread, "{report:?}");
    assert_eq!(kept.claimed().len(), before.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_not_mounted_loses_nothing() {
    let kept = Kept::on_disk(2).await;
    std::fs::rename(kept.world.path("disk"), kept.world.path("gone")).unwrap();
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(
        (exit, kept.claimed().len()),
        (Exit::Failed, 2),
        "{:?}",
        report.errors
    );
    // An empty directory in its place is what its mount point looks like.
    std::fs::create_dir(kept.world.path("disk")).unwrap();
    for more in [&[][..], &["--quick"], &["--repair"], &["--to", "disk"]] {
        let (report, exit) = kept.verify(more).await;
        assert_eq!((exit, kept.claimed().len()), (Exit::Failed, 2), "{more:?}");
        assert_eq!(findings(&kept, &report), Vec::<String>::new());
        assert_eq!(report.verified.not_reached, 2);
        assert_emptied(&report, "disk");
        assert!(is_empty(&kept.world.path("disk")), "{more:?}");
    }
    // Mounted again, they are found again.
    std::fs::remove_dir(kept.world.path("disk")).unwrap();
    std::fs::rename(kept.world.path("gone"), kept.world.path("disk")).unwrap();
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(
        (exit, kept.claimed().len()),
        (Exit::Done, 2),
        "{:?}",
        report.errors
    );
}

/// The one failure of the run is that a destination holds nothing at all.
fn assert_emptied(report: &nestegg::report::VerifyReport, place: &str) {
    let [error] = report.errors.as_slice() else {
        panic!("{:?}", report.errors);
    };
    assert_eq!(
        (error.scope, error.id.as_str(), error.kind),
        (Scope::Destination, place, FailureKind::NotFound)
    );
    assert!(
        error.message.contains("nothing at all is there"),
        "{error:?}"
    );
    let hint = format!(
        "another disk may be mounted, or the bucket was emptied; if it was, `nestegg mirror` makes what the panel \
         still has, and `nestegg verify --repair --to {place}` makes what it can and marks the rest as lost"
    );
    assert_eq!(error.hint, hint);
}

fn is_empty(folder: &std::path::Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// Leaves an empty directory where a destination was.
fn empty(kept: &Kept, place: &str) {
    std::fs::rename(kept.world.path(place), kept.world.path("gone")).unwrap();
    std::fs::create_dir(kept.world.path(place)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_writes_nothing_to_a_destination_that_holds_nothing_and_the_others_go_on() {
    let kept = Kept::on_two_disks(3).await;
    let before = kept.claimed().len();
    empty(&kept, "disk");
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!((exit, kept.claimed().len()), (Exit::Partial, before));
    assert_eq!(findings(&kept, &report), ["sound sound"; 3]);
    assert_emptied(&report, "disk");
    // Nor does a repair elsewhere lose what it would have read from there.
    kept.edit("other", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    let (report, exit) = kept.verify(&["--repair", "--to", "other"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(kept.claimed().len(), before);
    assert!(is_empty(&kept.world.path("disk")));
    kept.assert_restored("other").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_was_really_emptied_is_filled_again_when_it_is_named() {
    let kept = Kept::on_two_disks(3).await;
    empty(&kept, "disk");
    kept.world.panel.delete_backup(kept.backups[0]);
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(findings(&kept, &report), ["missing missing"; 3]);
    kept.assert_restored("disk").await;
    // What nobody has any more is marked as lost.
    let kept = Kept::on_disk(1).await;
    empty(&kept, "disk");
    kept.world.panel.delete_backup(kept.backups[0]);
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
    assert_eq!(kept.claimed(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_missing_where_others_are_held_is_marked_as_lost() {
    let kept = Kept::on_disk(3).await;
    for object in [kept.archive(1), kept.sidecar(1)] {
        kept.roots["disk"].remove(&object).await;
    }
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!((exit, kept.claimed().len()), (Exit::Integrity, 2));
    assert_eq!(
        findings(&kept, &report),
        ["sound sound", "missing missing", "sound sound"]
    );
    assert_eq!(kept.claimed_of(1), Vec::<String>::new());
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    kept.assert_restored("disk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_copy_is_not_adopted_by_mirror_even_when_making_it_anew_fails_first() {
    let kept = Kept::on_disk(1).await;
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 77))
        .await;
    let (_, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Integrity);
    kept.world.panel.stop_node().await;
    let ran = kept.run(&["mirror", "--max-duration", "1h"]).await;
    assert_ne!(ran.code, Some(0));
    assert_eq!(kept.claimed(), []);
    kept.world.panel.start_node().await.unwrap();
    let ran = kept.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    kept.assert_restored("disk").await;
}
