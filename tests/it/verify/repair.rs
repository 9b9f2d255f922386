//! Bad copies made anew: from where, when not, and never over a good one.

use nestegg::exit::Exit;
use nestegg::model::finding::Repair;
use nestegg::model::finding::RepairSource;

use super::Kept;
use super::findings;
use super::flip;
use crate::support::archive::Archive;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Times;

fn repairs(report: &nestegg::report::VerifyReport) -> Vec<Repair> {
    report
        .verified
        .copies
        .iter()
        .map(|copy| copy.repair.clone())
        .collect()
}

fn at(name: &str) -> RepairSource {
    RepairSource::Destination(name.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_copy_is_made_anew_from_another_destination_without_asking_the_panel() {
    let kept = Kept::on_two_disks(1).await;
    kept.world.panel.forget_requests();
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(repairs(&report), [Repair::CopyMade { from: at("other") }]);
    assert_eq!(kept.world.panel.requests().len(), 0);
    kept.assert_restored("disk").await;
    let (after, exit) = kept.verify(&[]).await;
    assert_eq!(
        (exit, findings(&kept, &after)),
        (Exit::Done, vec!["sound sound".to_owned(); 2])
    );
    assert!(kept.claimed().iter().all(|copy| copy.verified_at.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_copy_is_made_anew_from_the_panel_when_no_other_copy_is_good() {
    let kept = Kept::on_two_disks(1).await;
    for place in ["disk", "other"] {
        kept.edit(place, &kept.archive(0), |bytes| flip(bytes, 9))
            .await;
    }
    let (report, exit) = kept.verify(&["--repair", "--transfers", "1"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    let panel = Repair::CopyMade {
        from: RepairSource::Panel("main".parse().unwrap()),
    };
    let mut made = repairs(&report);
    made.sort_by_key(|repair| *repair != panel);
    assert_eq!(made[0], panel);
    for place in ["disk", "other"] {
        kept.assert_restored(place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_turns_out_bad_itself_no_longer_counts_and_the_next_is_tried() {
    let kept = Kept::on_two_disks(1).await;
    for place in ["disk", "other"] {
        kept.edit(place, &kept.archive(0), |bytes| flip(bytes, 9))
            .await;
    }
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    // The other copy was not to be verified, and was found bad all the same.
    assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
    let panel = Repair::CopyMade {
        from: RepairSource::Panel("main".parse().unwrap()),
    };
    assert_eq!(repairs(&report), [panel]);
    assert_eq!(kept.claimed_of(0), ["disk"]);
    assert!(
        report.errors[0]
            .message
            .contains("the copy at `other` is bad"),
        "{:?}",
        report.errors
    );
    kept.assert_restored("disk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_repaired_is_said_with_every_way_that_was_tried() {
    let kept = Kept::on_disk(1).await;
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    let bad = kept.read("disk", &kept.archive(0)).await;
    kept.world.panel.delete_backup(kept.backups[0]);
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Integrity);
    let Repair::Impossible { why } = &report.verified.copies[0].repair else {
        panic!("{report:?}")
    };
    assert!(why[0].starts_with("panel main: "), "{why:?}");
    assert_eq!(kept.read("disk", &kept.archive(0)).await, bad);
    assert_eq!(kept.claimed(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_gives_another_archive_repairs_nothing() {
    let kept = Kept::on_disk(1).await;
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    let bad = kept.read("disk", &kept.archive(0)).await;
    let other = Archive::small(99);
    let panel = &kept.world.panel;
    // Its own checksum fits what it gives: only our record does not.
    panel.edit(kept.backups[0], |row| row.complete(other));
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
    assert_eq!(kept.read("disk", &kept.archive(0)).await, bad);
    for fault in [Fault::FlipByte { at: 10 }, Fault::CutAfter { bytes: 100 }] {
        panel.edit(kept.backups[0], |row| row.complete(Archive::small(0)));
        panel.on(Call::Downloads, Times::Forever, fault);
        let (report, exit) = kept.verify(&["--repair"]).await;
        assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
        assert_eq!(kept.read("disk", &kept.archive(0)).await, bad);
        panel.calm();
    }
    let (report, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    kept.assert_restored("disk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_sidecar_is_written_anew_from_the_best_words_there_are() {
    let kept = Kept::on_two_disks(1).await;
    let good = kept.read("other", &kept.sidecar(0)).await;
    let passport = |bytes: &[u8]| {
        let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        (
            document["server"].clone(),
            document["backup"].clone(),
            document["archive"].clone(),
        )
    };
    kept.roots["disk"].remove(&kept.sidecar(0)).await;
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(
        repairs(&report),
        [Repair::SidecarWritten { from: at("other") }]
    );
    assert_eq!(
        passport(&kept.read("disk", &kept.sidecar(0)).await),
        passport(&good)
    );

    kept.roots["disk"].remove(&kept.sidecar(0)).await;
    kept.roots["other"].remove(&kept.sidecar(0)).await;
    let (report, _) = kept.verify(&["--repair", "--to", "disk"]).await;
    let panel = RepairSource::Panel("main".parse().unwrap());
    assert_eq!(repairs(&report), [Repair::SidecarWritten { from: panel }]);
    assert_eq!(
        passport(&kept.read("disk", &kept.sidecar(0)).await),
        passport(&good)
    );

    kept.world.panel.stop_panel().await;
    kept.roots["disk"].remove(&kept.sidecar(0)).await;
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(
        repairs(&report),
        [Repair::SidecarWritten {
            from: RepairSource::Ledger
        }]
    );
    let (after, exit) = kept.verify(&["--to", "disk"]).await;
    assert_eq!(
        (exit, findings(&kept, &after)),
        (Exit::Done, vec!["sound sound".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_etag_alone_is_no_reason_to_write_anything() {
    let kept = Kept::on_disk(1).await;
    // The same bytes, touched.
    kept.edit("disk", &kept.archive(0), |bytes| bytes).await;
    let path = kept.world.path("disk").join(kept.archive(0));
    let touched = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_hours(1);
    std::fs::File::open(&path)
        .unwrap()
        .set_modified(touched)
        .unwrap();
    let (report, exit) = kept.verify(&["--quick"]).await;
    assert_eq!(
        (exit, findings(&kept, &report)),
        (Exit::Integrity, vec!["changed sound".to_owned()])
    );
    assert_eq!(kept.claimed().len(), 1, "it still counts");
    let (report, exit) = kept.verify(&["--quick", "--repair"]).await;
    assert_eq!(
        (exit, repairs(&report)),
        (Exit::Done, vec![Repair::NotNeeded])
    );
    assert_eq!(kept.world.panel.downloads_started(), 1);
    let (_, exit) = kept.verify(&["--quick"]).await;
    assert_eq!(exit, Exit::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_into_a_root_that_cannot_be_written_is_said() {
    let kept = Kept::on_two_disks(1).await;
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    let folder = kept.world.path("disk").join(kept.server.to_string());
    std::fs::remove_file(kept.world.path("disk").join(kept.sidecar(0))).unwrap();
    std::fs::create_dir(kept.world.path("disk").join(kept.sidecar(0))).unwrap();
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
    assert!(folder.is_dir());
    assert!(matches!(repairs(&report)[0], Repair::Impossible { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_run_ends_with_0_and_is_never_silent() {
    let kept = Kept::on_two_disks(1).await;
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    let ran = kept.run(&["-q", "verify", "--repair"]).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ran.stderr
    );
    let copy = format!("repaired: Survival / nightly  {}  ", kept.backups[0]);
    assert!(ran.stderr.starts_with(&copy), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("made anew from the copy at other"),
        "{}",
        ran.stderr
    );
    let ran = kept.run(&["-q", "verify"]).await;
    assert_eq!(
        (ran.code, ran.stdout, ran.stderr),
        (Some(0), String::new(), String::new())
    );
}
