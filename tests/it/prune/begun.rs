//! What is shown and done of a removal that was begun, when the newest copy has gone bad meanwhile.

use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::plan::prune::Reason;
use nestegg::report::prune::Became;

use super::Thinned;
use super::days;
use super::now;

const WORDS: [&str; 3] = ["--keep-last", "2", "--apply"];

/// The removal of the newest copy but one is begun, and the newest is found truncated.
async fn begun_before_the_newest_was_lost() -> Thinned {
    let thinned = Thinned::on_disk(&[4, 3, 2, 1]).await;
    lose_the_newest(&thinned).await;
    thinned
}

async fn lose_the_newest(thinned: &Thinned) {
    thinned.intend_removal(2).await;
    let root = &thinned.roots["disk"];
    root.put(&thinned.archive(3), "short").await;
    let verified = thinned.run(&["verify"]).await;
    assert_eq!(verified.code, Some(4), "{}", verified.stdout);
    assert_eq!(thinned.claimed("disk"), [0, 1]);
}

fn begun(thinned: &Thinned) -> usize {
    let begun = thinned.ledger().begun_removals(&CopyFilter::default());
    begun.unwrap().len()
}

#[tokio::test]
async fn the_newest_intact_copy_of_a_refused_server_does_not_go() {
    let thinned = begun_before_the_newest_was_lost().await;
    let root = &thinned.roots["disk"];
    let before = root.keys().await;
    for words in [&WORDS[..2], &WORDS] {
        let (report, exit) = thinned.prune(words).await;
        assert_eq!((exit, &report.errors[..]), (Exit::Partial, &[][..]));
        assert_eq!(report.places[0].begun[0].became, Became::Refused);
        assert_eq!((report.sums().refused, report.sums().removed), (1, 0));
    }
    let words: Vec<&str> = ["prune"].iter().chain(&WORDS).copied().collect();
    let ran = thinned.run(&words).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stdout.contains(": refused   Survival"),
        "{}",
        ran.stdout
    );
    assert_eq!(root.keys().await, before);
    assert_eq!((thinned.claimed("disk"), begun(&thinned)), (vec![0, 1], 1));
    // The newest is made anew, and nothing stands against it any more.
    thinned.mirror().await;
    let (report, exit) = thinned.prune(&WORDS).await;
    assert_eq!((exit, report.sums().removed), (Exit::Done, 2));
    assert_eq!(thinned.held("disk").await, [1, 3]);
    assert_eq!(begun(&thinned), 0);
}

#[tokio::test]
async fn the_newest_intact_copy_of_a_server_is_held_again_wherever_its_removal_stopped() {
    for sidecar_is_gone in [false, true] {
        let thinned = begun_before_the_newest_was_lost().await;
        let root = &thinned.roots["disk"];
        let sidecar = root.read(&thinned.sidecar(2)).await.unwrap();
        if sidecar_is_gone {
            root.remove(&thinned.sidecar(2)).await;
        }
        for number in [2, 3] {
            let gone = thinned.backups[number];
            thinned.world.panel.delete_backup(gone);
        }
        thinned.mirror().await;
        let (report, exit) = thinned.prune(&WORDS).await;
        assert_eq!(exit, Exit::Done, "{:?}", report.errors);
        let became = &report.places[0].begun[0].became;
        assert_eq!(*became, Became::Spared(Reason::Newest));
        assert_eq!(root.read(&thinned.sidecar(2)).await, Some(sidecar));
        assert!(thinned.claimed("disk").contains(&2));
        assert_eq!(begun(&thinned), 0);
        let (_report, exit) = thinned.prune(&WORDS).await;
        assert_eq!(exit, Exit::Done);
        assert_eq!(thinned.claimed("disk"), [1, 2]);
    }
}

#[tokio::test]
async fn a_removal_whose_archive_is_gone_is_finished_on_a_refused_server_and_on_any_other() {
    for is_refused in [true, false] {
        let thinned = begun_before_the_newest_was_lost().await;
        let root = &thinned.roots["disk"];
        for gone in [thinned.sidecar(2), thinned.archive(2)] {
            root.remove(&gone).await;
        }
        if !is_refused {
            for number in [2, 3] {
                let gone = thinned.backups[number];
                thinned.world.panel.delete_backup(gone);
            }
            thinned.mirror().await;
        }
        let (report, exit) = thinned.prune(&WORDS).await;
        let expected = if is_refused {
            Exit::Partial
        } else {
            Exit::Done
        };
        assert_eq!((exit, &report.errors[..]), (expected, &[][..]));
        assert_eq!(report.places[0].begun[0].became, Became::Removed);
        assert_eq!((thinned.claimed("disk"), begun(&thinned)), (vec![0, 1], 0));
    }
}

#[tokio::test]
async fn what_is_begun_and_refused_takes_no_room_from_other_servers() {
    let thinned = Thinned::on_disk(&[4, 3, 2, 1]).await;
    let lobby = thinned.world.panel.add_server("Lobby");
    for age in [3, 2, 1] {
        thinned.add(lobby, now() - days(age));
    }
    thinned.mirror().await;
    lose_the_newest(&thinned).await;
    let (report, exit) = thinned
        .prune(&["--keep-last", "2", "--apply", "--max-delete", "1"])
        .await;
    assert_eq!((exit, &report.errors[..]), (Exit::Partial, &[][..]));
    let sums = report.sums();
    assert_eq!((sums.removed, sums.refused, sums.not_reached), (1, 1, 0));
    assert_eq!(begun(&thinned), 1);
}
