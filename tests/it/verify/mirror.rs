//! `mirror --verify-subset`: a part of what is held, every night.

use nestegg::report::json;

use super::Kept;
use super::assert_fits;
use super::flip;

#[tokio::test(flavor = "multi_thread")]
async fn nights_of_a_subset_come_by_every_copy_and_tell_in_the_report() {
    let kept = Kept::on_two_disks(10).await;
    for night in 0..5 {
        let ran = kept
            .run(&["mirror", "--json", "--verify-subset", "20%"])
            .await;
        assert_eq!(ran.code, Some(0), "night {night}: {}", ran.stderr);
        let document = ran.json();
        assert_fits(json::MIRROR_SCHEMA, &document);
        let counts = &document["verified"]["counts"];
        assert_eq!(counts["checked"], counts["well"], "{counts}");
        assert!(counts["checked"].as_u64() >= Some(4), "{counts}");
    }
    let never: Vec<_> = kept
        .claimed()
        .into_iter()
        .filter(|copy| copy.verified_at.is_none())
        .collect();
    assert_eq!(never, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_copy_among_them_ends_the_run_with_4_and_the_next_makes_it_anew() {
    let kept = Kept::on_disk(3).await;
    kept.edit("disk", &kept.archive(1), |bytes| flip(bytes, 9))
        .await;
    kept.configure("verify_subset = \"100%\"");
    let ran = kept.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let document = ran.json();
    assert_fits(json::MIRROR_SCHEMA, &document);
    assert_eq!(document["verified"]["counts"]["bad"], 1);
    assert_eq!(document["errors"][0]["kind"], "integrity");
    assert!(
        ran.stderr
            .contains("the copy at disk is bad: the archive is altered"),
        "{}",
        ran.stderr
    );
    let ran = kept.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("Verified      3 copies"),
        "{}",
        ran.stdout
    );
    kept.assert_restored("disk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_it_nothing_is_read_back_and_the_document_is_as_it_was() {
    let kept = Kept::on_disk(1).await;
    let document = kept.run(&["mirror", "--json"]).await.json();
    assert_fits(json::MIRROR_SCHEMA, &document);
    assert!(document.get("verified").is_none());
    let shown = kept.run(&["config", "show"]).await;
    assert!(
        shown.stdout.contains("# verify_subset is not set"),
        "{}",
        shown.stdout
    );
    kept.configure("verify_subset = \"2%\"");
    let shown = kept.run(&["config", "show"]).await;
    assert!(
        shown.stdout.contains("verify_subset = \"2%\""),
        "{}",
        shown.stdout
    );
    kept.configure("verify_subset = \"a bit\"");
    let refused = kept.run(&["mirror"]).await;
    assert_eq!(refused.code, Some(2));
    assert!(
        refused
            .stderr
            .contains("write it like `10%`, `1/7` or `20GiB`"),
        "{}",
        refused.stderr
    );
}
