//! `mirror` after `prune`: what was removed stays removed, until it is asked for.

use nestegg::exit::Exit;

use super::Thinned;
use super::days;
use super::now;

#[tokio::test]
async fn a_mirror_right_after_a_prune_downloads_nothing_and_a_removed_copy_comes_back_when_it_is_named()
 {
    let thinned = Thinned::on_disks(&["disk", "nas"], &[4, 3, 2, 1]).await;
    let prune = ["prune", "--keep-last", "2", "--apply"];
    let ran = thinned.run(&prune).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let served = thinned.world.panel.bytes_served();
    let left = thinned.roots["disk"].keys().await;
    assert_eq!(left.len(), 4);
    let ran = thinned.run(&["mirror", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(
        (
            &document["counts"]["mirrored"],
            &document["bytes"]["downloaded"]
        ),
        (&0.into(), &0.into())
    );
    assert_eq!(thinned.world.panel.bytes_served(), served);
    for place in ["disk", "nas"] {
        assert_eq!(thinned.roots[place].keys().await, left);
        assert_eq!(thinned.claimed(place), [2, 3]);
    }
    let again = thinned.run(&prune).await;
    assert_eq!(again.code, Some(0), "{}", again.stderr);

    let oldest = thinned.backups[0].to_string();
    let ran = thinned.run(&["mirror", "--backup", &oldest]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(thinned.world.panel.bytes_served() > served);
    for place in ["disk", "nas"] {
        assert_eq!(thinned.held(place).await, [0, 2, 3]);
        assert_eq!(thinned.claimed(place), [0, 2, 3]);
    }
    thinned.assert_sound("brought back").await;
    let verified = thinned.run(&["verify"]).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    // No mark keeps it: the policy takes it again.
    let ran = thinned.run(&prune).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(thinned.claimed("disk"), [2, 3]);
}

#[tokio::test]
async fn a_removed_copy_that_was_named_in_vain_stays_wanted() {
    let thinned = Thinned::on_disk(&[3, 2, 1]).await;
    let ran = thinned.run(&["prune", "--keep-last", "2", "--apply"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    thinned.world.panel.lose_archive(thinned.backups[0]);
    let oldest = thinned.backups[0].to_string();
    let named = thinned.run(&["mirror", "--backup", &oldest]).await;
    assert_ne!(named.code, Some(0));
    let status = thinned.run(&["status", "--json"]).await.json();
    let missing = status["servers"][0]["destinations"][0]["missing"].as_array();
    assert_eq!(missing.map(Vec::len), Some(1), "{status:#}");
    // The next run tries it again, and says so, instead of passing over what `status` misses.
    let next = thinned.run(&["mirror"]).await;
    assert_eq!(next.code, Some(3), "{}", next.stderr);
}

#[tokio::test]
async fn an_older_backup_that_outlives_the_newest_on_the_panel_refuses_nothing() {
    let thinned = Thinned::on_disk(&[40, 2, 1]).await;
    let ran = thinned.run(&["prune", "--keep-last", "2", "--apply"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // The nightly job frees the slots of what is mirrored; the oldest stays on the panel.
    for number in [1, 2] {
        thinned.world.panel.delete_backup(thinned.backups[number]);
    }
    thinned.mirror().await;
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(report.places[0].servers[0].refusals, []);
    assert_eq!((exit, report.sums().removed), (Exit::Done, 1));
    assert_eq!(thinned.held("disk").await, [2]);
    // One that is made now and not mirrored counts again.
    let newest = thinned.add(thinned.server, now() - days(0));
    thinned.world.panel.lose_archive(newest);
    assert_ne!(thinned.run(&["mirror"]).await.code, Some(0));
    let (_report, exit) = thinned.prune(&["--keep-last", "1"]).await;
    assert_eq!(exit, Exit::Partial);
}
