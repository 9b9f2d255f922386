//! Plans that are carried out.

use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::exit::Exit;
use nestegg::model::mark::Mark;
use nestegg::model::sidecar::Sidecar;
use nestegg::report::prune::Became;

use super::Thinned;
use super::became;
use super::now;

#[tokio::test]
async fn what_the_plan_says_goes_sidecar_and_archive_and_running_again_does_nothing_more() {
    let thinned = Thinned::on_disk(&[30, 20, 10, 2, 1]).await;
    let words = ["prune", "--keep-last", "2", "--apply"];
    let ran = thinned.run(&words).await;
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(0), ""),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with("All was removed that was to be.\n"),
        "{}",
        ran.stdout
    );
    let mut left = vec![
        thinned.archive(3),
        thinned.sidecar(3),
        thinned.archive(4),
        thinned.sidecar(4),
    ];
    left.sort();
    assert_eq!(thinned.roots["disk"].keys().await, left);
    assert_eq!(thinned.claimed("disk"), [3, 4]);
    assert_eq!(thinned.events(), ["prune_intended", "pruned"].repeat(3));
    let quiet: Vec<&str> = words.iter().chain(&["-q"]).copied().collect();
    let again = thinned.run(&quiet).await;
    assert_eq!(
        (again.code, again.stdout.as_str(), again.stderr.as_str()),
        (Some(0), "", "")
    );
    assert_eq!(thinned.roots["disk"].keys().await, left);
    assert_eq!(thinned.events().len(), 6);
}

#[tokio::test]
async fn what_is_locked_or_marked_in_a_sidecar_stays() {
    let thinned = Thinned::on_disk(&[5, 4, 3, 2, 1]).await;
    thinned
        .world
        .panel
        .edit(thinned.backups[0], |row| row.is_locked = true);
    thinned.mirror().await;
    let kept = thinned.sidecar(1);
    let read = thinned.roots["disk"].read(&kept).await.unwrap();
    let mut sidecar = Sidecar::from_json(&read).unwrap();
    sidecar.kept = Some(Mark {
        at: now(),
        reason: Some("by another machine".to_owned()),
    });
    let marked = sidecar.to_json().unwrap();
    thinned.roots["disk"].put(&kept, marked.clone()).await;
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    assert_eq!(
        became(&report),
        [
            "keep: locked",
            "spared: no rule keeps it",
            "removed: no rule keeps it",
            "removed: no rule keeps it",
            "keep: last 1/1, newest",
        ]
    );
    assert_eq!(thinned.held("disk").await, [0, 1, 4]);
    assert_eq!(thinned.claimed("disk"), [0, 1, 4]);
    assert_eq!(thinned.roots["disk"].read(&kept).await.unwrap(), marked);
}

#[tokio::test]
async fn a_copy_that_is_not_what_is_recorded_is_told_and_left() {
    let thinned = Thinned::on_disk(&[5, 4, 3, 2, 1]).await;
    let root = &thinned.roots["disk"];
    root.remove(&thinned.sidecar(0)).await;
    root.put(&thinned.archive(1), "short").await;
    root.put(&thinned.sidecar(2), "{").await;
    let before = root.keys().await;
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Integrity);
    let words: Vec<&str> = report.places[0].servers[0]
        .copies
        .iter()
        .rev()
        .map(|copy| copy.became.as_str())
        .collect();
    assert_eq!(words, ["failed", "failed", "failed", "removed", "keep"]);
    assert_eq!(report.errors.len(), 3);
    let mut left = before;
    left.retain(|name| *name != thinned.archive(3) && *name != thinned.sidecar(3));
    assert_eq!(root.keys().await, left);
}

#[tokio::test]
async fn nothing_older_goes_while_the_newest_copy_is_not_there() {
    let thinned = Thinned::on_disk(&[3, 2, 1]).await;
    let root = &thinned.roots["disk"];
    root.remove(&thinned.archive(2)).await;
    let before = root.keys().await;
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Integrity);
    assert_eq!(report.sums().removed, 0);
    let message = &report.errors[0].message;
    assert!(
        message.contains("its newest copy there is amiss"),
        "{message}"
    );
    // Both of the copies that were to go met it, and it is told once.
    assert_eq!((report.sums().failed, report.errors.len()), (2, 1));
    let words = ["prune", "--keep-last", "1", "--apply", "--json"];
    let document = thinned.run(&words).await.json();
    assert_eq!(document["counts"]["failed"], 2);
    assert_eq!(document["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(root.keys().await, before);
    assert_eq!(thinned.events(), Vec::<String>::new());
}

#[tokio::test]
async fn a_removal_that_was_begun_waits_too_while_the_newest_copy_is_not_there() {
    let thinned = Thinned::on_disk(&[3, 2, 1]).await;
    let root = &thinned.roots["disk"];
    thinned.intend_removal(0).await;
    root.remove(&thinned.sidecar(0)).await;
    let newest = root.read(&thinned.archive(2)).await.unwrap();
    root.remove(&thinned.archive(2)).await;
    let words = ["--keep-last", "1", "--apply"];
    let (report, exit) = thinned.prune(&words).await;
    assert_eq!((exit, report.sums().removed), (Exit::Integrity, 0));
    assert!(root.read(&thinned.archive(0)).await.is_some());
    root.put(&thinned.archive(2), newest).await;
    let (report, exit) = thinned.prune(&words).await;
    assert_eq!((exit, report.sums().removed), (Exit::Done, 2));
    assert_eq!(root.keys().await.len(), 2);
}

#[tokio::test]
async fn so_many_are_removed_at_most_the_oldest_first_and_the_next_run_goes_on() {
    let thinned = Thinned::on_disks(&["disk", "other"], &[6, 5, 4, 1]).await;
    thinned.configure("keep = { last = 1 }", "[prune]\nmax_delete = 4");
    let ran = thinned.run(&["prune", "--apply", "--json"]).await;
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    let document = ran.json();
    assert_eq!(document["counts"]["removed"], 4);
    assert_eq!(document["counts"]["not_reached"], 2);
    for place in ["disk", "other"] {
        assert_eq!(thinned.claimed(place), [2, 3]);
    }
    let ran = thinned
        .run(&["prune", "--apply", "--max-delete", "9"])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for place in ["disk", "other"] {
        assert_eq!(thinned.held(place).await, [3]);
    }
    // A plan reaches no limit.
    let plan = thinned.run(&["prune", "--max-delete", "1"]).await;
    assert_eq!(plan.code, Some(0));
}

#[tokio::test]
async fn one_dead_destination_keeps_the_other_from_nothing() {
    let thinned = Thinned::on_disks(&["disk", "other"], &[3, 2, 1]).await;
    std::fs::rename(thinned.world.path("disk"), thinned.world.path("unmounted")).unwrap();
    let ran = thinned.run(&["prune", "--keep-last", "1", "--apply"]).await;
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
    assert_eq!(thinned.held("other").await, [2]);
    assert_eq!(thinned.claimed("disk"), [0, 1, 2]);
    std::fs::rename(thinned.world.path("unmounted"), thinned.world.path("disk")).unwrap();
    let (_report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(thinned.held("disk").await, [2]);
}

#[tokio::test]
async fn a_directory_that_may_not_be_written_to_holds_everything_still() {
    let thinned = Thinned::on_disk(&[3, 2, 1]).await;
    let folder = thinned.world.path("disk").join(thinned.server.to_string());
    // A link in place of the folder is refused to whoever runs the tests, root included.
    let aside = thinned.world.path("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &folder).unwrap();
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Partial, "{:?}", report.errors);
    assert_eq!(report.sums().removed, 0);
    assert_eq!(std::fs::read_dir(&aside).unwrap().count(), 6);
    assert_eq!(thinned.claimed("disk"), [0, 1, 2]);
}

#[tokio::test]
async fn a_wish_to_stop_is_heeded_between_copies() {
    let thinned = Thinned::on_disk(&[3, 2, 1]).await;
    let env = Env::new(Clock::System);
    env.stop(StopSignal::Terminate);
    let (report, exit) = thinned
        .prune_under(&["--keep-last", "1", "--apply"], env)
        .await;
    assert_eq!(exit, Exit::Terminated);
    let copies = &report.places[0].servers[0].copies;
    assert_eq!(copies[2].became, Became::NotReached);
    assert_eq!(thinned.held("disk").await, [0, 1, 2]);
    assert_eq!(thinned.events(), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_servers_and_destinations_that_are_named_are_thinned() {
    let thinned = Thinned::on_disks(&["disk", "other"], &[3, 2, 1]).await;
    let lobby = thinned.world.panel.add_server("Lobby");
    for age in [3, 2, 1] {
        thinned.add(lobby, now() - super::days(age));
    }
    thinned.mirror().await;
    let words = [
        "--keep-last",
        "1",
        "--apply",
        "--to",
        "disk",
        "--server",
        "Lobby",
    ];
    let (report, exit) = thinned.prune(&words).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(report.sums().removed, 2);
    assert_eq!(thinned.held("disk").await, [0, 1, 2]);
    assert_eq!(thinned.held("other").await, [0, 1, 2]);
    let kept = thinned.roots["disk"].keys().await;
    assert_eq!(
        kept.iter()
            .filter(|name| name.starts_with(&lobby.to_string()))
            .count(),
        2
    );
}

#[tokio::test]
async fn without_a_ledger_there_is_nothing_to_thin() {
    let thinned = Thinned::on_disk(&[2, 1]).await;
    std::fs::remove_file(thinned.world.ledger()).unwrap();
    for more in [&["--apply"][..], &[]] {
        let words: Vec<&str> = ["prune", "--keep-last", "1"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let ran = thinned.run(&words).await;
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(!thinned.world.ledger().exists());
    }
    assert_eq!(thinned.held("disk").await, [0, 1]);
}
