//! Plans: what they say, and that they touch nothing.

use jiff::SignedDuration;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;

use super::Thinned;
use super::became;
use super::days;
use super::now;

/// Backups stand for themselves, by their numbers.
fn numbered(thinned: &Thinned, text: &str) -> String {
    let backups = thinned.backups.iter().enumerate();
    let named = backups.fold(text.to_owned(), |text, (number, backup)| {
        text.replace(&backup.to_string(), &format!("BACKUP-{number}"))
    });
    named.replace(&thinned.server.short(), "SERVER")
}

#[tokio::test]
async fn a_plan_shows_each_copy_with_its_reasons_and_touches_nothing() {
    let thinned = Thinned::on_disk(&[40, 3, 2, 1]).await;
    thinned
        .world
        .panel
        .edit(thinned.backups[1], |row| row.is_locked = true);
    thinned.mirror().await;
    thinned.configure("keep = { last = 1, weekly = 1 }", "");
    let before = (thinned.world.files(), thinned.runs("prune"));
    let ran = thinned.run(&["prune"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let quiet = thinned.run(&["prune", "-q"]).await;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d KiB", "SIZE");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME");
    settings.bind(|| {
        insta::assert_snapshot!(numbered(&thinned, &ran.stdout), @r"
        disk
          Survival (SERVER): 4 copies, 2 kept, 2 to remove (SIZE freed)
            keep         TIME     SIZE  BACKUP-3  nightly  last 1/1, weekly 1/1, newest
            remove       TIME     SIZE  BACKUP-2  nightly  no rule keeps it
            keep         TIME     SIZE  BACKUP-1  nightly  locked
            remove       TIME     SIZE  BACKUP-0  nightly  no rule keeps it
        In all        4 copies, 2 kept, 2 to remove (SIZE freed)
        Nothing was removed: --apply carries this out.
        ");
        insta::assert_snapshot!(numbered(&thinned, &quiet.stdout), @r"
        disk
          Survival (SERVER): 4 copies, 2 kept, 2 to remove (SIZE freed)
        In all        4 copies, 2 kept, 2 to remove (SIZE freed)
        Nothing was removed: --apply carries this out.
        ");
    });
    let after = (thinned.world.files(), thinned.runs("prune"));
    let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        files
            .iter()
            .filter(|(name, _)| !name.starts_with("ledger"))
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&before.0), names(&after.0));
    assert_eq!(before.1, after.1);
}

#[tokio::test]
async fn a_plan_waits_for_no_lock() {
    let thinned = Thinned::on_disk(&[2, 1]).await;
    let lock = nestegg::ledger::WriterLock::acquire(
        &thinned.world.ledger(),
        "mirror",
        now(),
        std::time::Duration::ZERO,
    )
    .await
    .unwrap();
    let keep = ["prune", "--keep-last", "1"];
    assert_eq!(thinned.run(&keep).await.code, Some(0));
    let held = thinned.run(&["prune", "--keep-last", "1", "--apply"]).await;
    assert_eq!(held.code, Some(11), "{}", held.stderr);
    drop(lock);
}

#[tokio::test]
async fn no_policy_is_shown_as_such_and_refused_to_be_applied() {
    let thinned = Thinned::on_disk(&[2, 1]).await;
    let ran = thinned.run(&["prune"]).await;
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stdout
            .contains("disk: has no policy, so all of its copies stay")
    );
    let ran = thinned.run(&["prune", "--apply"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(
        ran.stderr.contains("no selected destination has a policy"),
        "{}",
        ran.stderr
    );
    assert_eq!(thinned.runs("prune"), 0);
    thinned.configure("keep = {}", "");
    assert_eq!(thinned.run(&["prune", "--apply"]).await.code, Some(2));
    assert_eq!(thinned.claimed("disk"), [0, 1]);
}

#[tokio::test]
async fn wrong_words_name_themselves() {
    let thinned = Thinned::on_disk(&[1]).await;
    for (words, said) in [
        (&["prune", "--keep-daily", "0"][..], "from 1 to 1000000"),
        (&["prune", "--keep-within", "6m"], "hours at the finest"),
        (&["prune", "--max-delete", "none"], "--max-delete"),
        (
            &["prune", "--server", "Survivl", "--keep-last", "1"],
            "known: Survival",
        ),
        (&["prune", "--to", "dsik"], "did you mean `disk`?"),
        (&["prune", "--retry-lock", "5m"], "--apply"),
    ] {
        let ran = thinned.run(words).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{words:?}");
        assert!(ran.stderr.contains(said), "{words:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn the_first_rule_of_a_server_decides_and_flags_beat_all() {
    let thinned = Thinned::on_disk(&[3, 2, 1]).await;
    thinned.configure(
        "keep = { last = 1 }\n[[destination.rule]]\nservers = [\"Surv*\"]\nkeep = { last = 2 }\n\
         [[destination.rule]]\nservers = [\"*\"]\nkeep = {}",
        "",
    );
    let (report, exit) = thinned.prune(&[]).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(
        became(&report),
        [
            "remove: no rule keeps it",
            "keep: last 2/2",
            "keep: last 1/2, newest"
        ]
    );
    let (report, _exit) = thinned.prune(&["--keep-last", "3"]).await;
    assert_eq!(report.sums().would_go, 0);
}

#[tokio::test]
async fn a_clock_that_was_set_back_and_dates_to_come_remove_nothing_that_counts() {
    let thinned = Thinned::on_disk(&[5, 3, 1, -30]).await;
    // The backup of next month does not stand for the newest: the newest of today stays too.
    let (report, exit) = thinned.prune(&["--keep-last", "1"]).await;
    assert_eq!(exit, Exit::Done);
    let stays: Vec<bool> = became(&report)
        .iter()
        .map(|words| words.starts_with("keep"))
        .collect();
    assert_eq!(stays, [false, false, true, true]);
    // A machine whose clock was set back by two days takes the last two for dates to come.
    let env = Env::new(Clock::Fixed(now() - days(2)));
    let (report, exit) = thinned.prune_under(&["--keep-last", "1"], env).await;
    assert_eq!(exit, Exit::Done);
    let stays: Vec<bool> = became(&report)
        .iter()
        .map(|words| words.starts_with("keep"))
        .collect();
    assert_eq!(stays, [false, true, false, true]);
}

#[tokio::test]
async fn two_backups_of_the_same_second_make_the_same_plan_every_time() {
    let thinned = Thinned::on_disk(&[9]).await;
    let same = now() - SignedDuration::from_hours(30);
    let twins = [
        thinned.add(thinned.server, same),
        thinned.add(thinned.server, same),
    ];
    thinned.mirror().await;
    let mut plans = Vec::new();
    for _again in 0..3 {
        let (report, exit) = thinned.prune(&["--keep-last", "1"]).await;
        assert_eq!(exit, Exit::Done);
        let copies = report.places[0].servers[0].copies.iter();
        plans.push(
            copies
                .map(|copy| (copy.backup, copy.became.as_str()))
                .collect::<Vec<_>>(),
        );
    }
    let newer = *twins.iter().max().unwrap();
    assert_eq!(plans[0][0], (newer, "keep"));
    assert!(plans.iter().all(|plan| *plan == plans[0]));
}
