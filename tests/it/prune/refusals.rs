//! Servers of which nothing is removed, while others are thinned.

use nestegg::exit::Exit;
use nestegg::plan::prune::Refusal;

use super::Thinned;
use super::days;
use super::now;
use crate::support::archive::Archive;

/// What is refused of the server called so at the first destination.
fn refusals(report: &nestegg::report::PruneReport, name: &str) -> Vec<&'static str> {
    let mut servers = report.places[0].servers.iter();
    let server = servers.find(|server| server.name == name).unwrap();
    server.refusals.iter().map(Refusal::as_str).collect()
}

/// Beside `Survival`, a server whose copies are thinned whatever happens to the other.
async fn with_a_neighbour(ages: &[i64]) -> Thinned {
    let thinned = Thinned::on_disk(ages).await;
    let lobby = thinned.world.panel.add_server("Lobby");
    for age in [3, 2, 1] {
        thinned.add(lobby, now() - days(age));
    }
    thinned.mirror().await;
    thinned.configure("keep = { last = 1 }", "");
    thinned
}

async fn assert_refused(thinned: &Thinned, words: &[&str], why: &str) {
    let count = thinned.claimed("disk").len();
    let plan = thinned.prune(words).await;
    assert_eq!(plan.1, Exit::Partial);
    let words: Vec<&str> = words.iter().chain(&["--apply"]).copied().collect();
    let (report, exit) = thinned.prune(&words).await;
    assert_eq!(exit, Exit::Partial, "{:?}", report.errors);
    assert_eq!(refusals(&report, "Survival"), [why]);
    assert_eq!(refusals(&report, "Lobby"), [""; 0]);
    assert_eq!(report.sums().removed, 2);
    assert_eq!(thinned.held("disk").await.len(), count);
}

#[tokio::test]
async fn a_server_whose_newest_backup_is_not_mirrored_there_keeps_all() {
    let thinned = with_a_neighbour(&[3, 2]).await;
    let newest = thinned.add(thinned.server, now() - days(1));
    thinned.world.panel.lose_archive(newest);
    assert_eq!(thinned.run(&["mirror"]).await.code, Some(3));
    assert_refused(&thinned, &[], "newest_not_mirrored").await;
}

#[tokio::test]
async fn a_server_whose_oldest_copy_to_stay_was_not_proved_lately_keeps_all_until_it_is() {
    let thinned = with_a_neighbour(&[3, 2, 1]).await;
    let ledger = rusqlite::Connection::open(thinned.world.ledger()).unwrap();
    let long_ago = (now() - days(91)).as_millisecond();
    let of_survival =
        "backup_id IN (SELECT b.id FROM backups b JOIN servers s ON s.id = b.server_id
                                      WHERE s.name = 'Survival')";
    let changed = ledger
        .execute(
            &format!("UPDATE copies SET mirrored_at = ?1 WHERE {of_survival}"),
            [long_ago],
        )
        .unwrap();
    assert_eq!(changed, 3);
    drop(ledger);
    assert_refused(&thinned, &[], "oldest_not_verified").await;
    let verified = thinned.run(&["verify", "--server", "Survival"]).await;
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let (report, exit) = thinned.prune(&["--apply"]).await;
    assert_eq!((exit, report.sums().removed), (Exit::Done, 2));
}

#[tokio::test]
async fn a_server_whose_newest_archive_has_shrunk_keeps_all() {
    let thinned = Thinned::on_disk(&[]).await;
    let add = |server, bytes, age| {
        let archive = Archive::of_about(bytes, bytes);
        let backup = thinned.world.panel.add_backup(server, "nightly", archive);
        thinned.world.panel.edit(backup, |row| {
            row.created_at = now() - days(age);
            row.completed_at = row.created_at;
        });
    };
    for age in [4, 3, 2] {
        add(thinned.server, 50_000, age);
    }
    add(thinned.server, 1000, 1);
    let lobby = thinned.world.panel.add_server("Lobby");
    for age in [3, 2, 1] {
        add(lobby, 50_000, age);
    }
    thinned.mirror().await;
    thinned.configure("keep = { last = 1 }", "[prune]\nshrink_alarm = \"30%\"");
    assert_refused(&thinned, &[], "suspicious").await;
    let ran = thinned.run(&["prune", "--apply"]).await;
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("refused: Survival"), "{}", ran.stderr);
    assert!(ran.stderr.contains("nestegg accept"), "{}", ran.stderr);
    thinned.configure("keep = { last = 1 }", "[prune]\nshrink_alarm = \"1%\"");
    let (report, exit) = thinned.prune(&["--apply"]).await;
    assert_eq!((exit, report.sums().removed), (Exit::Done, 3));
}

#[tokio::test]
async fn a_backup_from_the_future_does_not_silence_the_alarm() {
    let thinned = Thinned::on_disk(&[]).await;
    for (bytes, age) in [(50_000, 4_i64), (50_000, 3), (1000, 1), (50_000, -30)] {
        let archive = Archive::of_about(bytes + age.unsigned_abs(), bytes);
        let backup = thinned
            .world
            .panel
            .add_backup(thinned.server, "nightly", archive);
        thinned.world.panel.edit(backup, |row| {
            row.created_at = now() - days(age);
            row.completed_at = row.created_at;
        });
    }
    thinned.mirror().await;
    let (report, exit) = thinned.prune(&["--keep-last", "1", "--apply"]).await;
    assert_eq!(exit, Exit::Partial);
    assert_eq!(refusals(&report, "Survival"), ["suspicious"]);
    assert_eq!(report.sums().removed, 0);
}
