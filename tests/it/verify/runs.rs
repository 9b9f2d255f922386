//! Runs as such: what is chosen, limits, locks, ledgers that fail, what is printed.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::env::StopSignal;
use nestegg::exit::Exit;
use nestegg::ledger::WriterLock;
use nestegg::model::finding::CheckedCopy;
use nestegg::model::outcome::BackupOutcome;
use nestegg::report::json;
use nestegg::transfer::observer::Observer;
use nestegg::transfer::observer::TransferLabel;
use nestegg::transfer::observer::TransferTicket;

use super::Kept;
use super::assert_fits;
use super::findings;
use super::flip;
use crate::support::archive::Archive;

/// A backup that nobody has.
const UNKNOWN: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

#[tokio::test(flavor = "multi_thread")]
async fn the_least_recently_verified_come_first_and_parts_cover_all() {
    let kept = Kept::on_disk(9).await;
    let (first, exit) = kept.verify(&["--subset", "30%"]).await;
    assert_eq!(exit, Exit::Done);
    let checked = first.verified.copies.len();
    assert!((3..=4).contains(&checked), "{checked}");
    assert_eq!(
        (
            first.copies_held,
            first.verified.count(|copy| copy.verified_before.is_some())
        ),
        (9, 0)
    );
    let (second, _) = kept.verify(&["--subset", "60%"]).await;
    assert_eq!(
        second.verified.count(|copy| copy.verified_before.is_some()),
        0
    );
    let (rest, _) = kept.verify(&["--older-than", "1h"]).await;
    let seen =
        first.verified.copies.len() + second.verified.copies.len() + rest.verified.copies.len();
    assert_eq!(seen, 9);
    let mut parts = 0;
    for part in 1..=7 {
        let (report, _) = kept.verify(&["--subset", &format!("{part}/7")]).await;
        parts += report.verified.copies.len();
    }
    assert_eq!(parts, 9);
    let (one, _) = kept.verify(&["--subset", "1B"]).await;
    assert_eq!(one.verified.copies.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_backups_and_destinations_narrow_it_and_what_names_nothing_is_refused() {
    let kept = Kept::on_two_disks(3).await;
    let (report, _) = kept
        .verify(&["--backup", &kept.backups[1].to_string()])
        .await;
    assert_eq!(report.verified.copies.len(), 2);
    let (report, _) = kept.verify(&["--server", "Surv*", "--to", "other"]).await;
    assert_eq!(report.verified.copies.len(), 3);
    for (arguments, code) in [
        (&["verify", "--server", "nobody"][..], 2),
        (&["verify", "--to", "nowhere"], 2),
        (&["verify", "--to", "./disk2"], 1),
        (&["verify", "--quick", "--subset", "1/7"], 2),
        (&["verify", "--subset", "8/7"], 2),
        (&["verify", "--panel", "main"], 2),
        (&["verify", "--backup", UNKNOWN], 1),
        (&["verify", "--backup", UNKNOWN, "--older-than", "1h"], 1),
        (&["verify", "--backup", UNKNOWN, "--subset", "10%"], 1),
        (&["verify", "--backup", UNKNOWN, "--subset", "1/7"], 1),
    ] {
        let ran = kept.run(arguments).await;
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
    // One that is known, and whose turn has not come, is no failure.
    let known = kept.backups[1].to_string();
    let (report, exit) = kept
        .verify(&["--backup", &known, "--older-than", "1h"])
        .await;
    assert_eq!((exit, report.verified.copies.len()), (Exit::Done, 0));
    std::fs::create_dir(kept.world.path("empty")).unwrap();
    let ran = kept.run(&["verify", "--to", "./empty"]).await;
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("the ledger knows no copy there"),
        "{}",
        ran.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_that_are_not_configured_any_more_are_told() {
    let mut kept = Kept::on_two_disks(2).await;
    kept.roots.remove("other");
    kept.configure("");
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(exit, Exit::Done);
    assert_eq!(report.unconfigured, [("other".parse().unwrap(), 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_ledger_there_is_nothing_to_compare_with_and_none_is_made() {
    let kept = Kept::on_disk(1).await;
    for entry in std::fs::read_dir(kept.world.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("ledger")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    let ran = kept.run(&["verify"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no ledger"), "{}", ran.stderr);
    assert!(!kept.world.ledger().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_finds_the_ledger_locked_ends_with_11() {
    let kept = Kept::on_disk(1).await;
    let lock = WriterLock::acquire(
        &kept.world.ledger(),
        "mirror",
        Timestamp::UNIX_EPOCH,
        Duration::from_secs(10),
    )
    .await
    .unwrap();
    let ran = kept.run(&["verify"]).await;
    assert_eq!(ran.code, Some(11), "{}", ran.stderr);
    drop(lock);
    let ran = kept.run(&["verify", "--retry-lock", "10s"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_written_is_said_before_anything_is_read() {
    let kept = Kept::on_disk(1).await;
    // The lock file is a directory: nobody can lock, whatever the user may do.
    let lock = std::fs::read_dir(kept.world.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().ends_with("lock"))
        .expect("a lock file");
    std::fs::remove_file(&lock).unwrap();
    std::fs::create_dir(&lock).unwrap();
    let ran = kept.run(&["verify"]).await;
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("could not lock"), "{}", ran.stderr);
    std::fs::remove_dir(&lock).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_on_time_ends_the_run_with_10_and_the_rest_is_told() {
    let kept = Kept::on_disk(4).await;
    let ran = kept
        .run(&[
            "verify",
            "--json",
            "--transfers",
            "1",
            "--limit-rate",
            "1kB",
            "--max-duration",
            "1ms",
        ])
        .await;
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    let document = ran.json();
    assert_fits(json::VERIFY_SCHEMA, &document);
    let counts = &document["counts"];
    let told = counts["checked"].as_u64().unwrap() + counts["not_reached"].as_u64().unwrap();
    assert_eq!(told, 4, "{counts}");
    assert_eq!(document["outcome"], "partial");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_grow_is_told_and_loses_nothing() {
    let kept = Kept::on_disk(20).await;
    kept.edit("disk", &kept.archive(3), |bytes| flip(bytes, 9))
        .await;
    let before = kept.claimed();
    for blocks in [16, 64, 96] {
        // A limit on the length of files stands in for the full disk.
        let script = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
        let nestegg = kept.world.command(&kept.arguments(&["verify"]));
        let nestegg = nestegg.as_std();
        let output = tokio::process::Command::new("sh")
            .args(["-c", script, &blocks.to_string()])
            .arg(nestegg.get_program())
            .args(nestegg.get_args())
            .output()
            .await
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code();
        assert!(
            matches!(code, Some(1 | 3 | 4)),
            "{blocks}: {code:?} {stderr}"
        );
        assert!(stderr.contains("ledger.sqlite3"), "{blocks}: {stderr}");
        let after = kept.claimed();
        let lost = before
            .iter()
            .filter(|copy| !after.iter().any(|other| other.backup == copy.backup));
        assert!(lost.count() <= 1, "{blocks}: only the one that is bad");
    }
    let (_, exit) = kept.verify(&["--repair"]).await;
    assert_eq!(exit, Exit::Done);
    kept.assert_restored("disk").await;
}

/// Does something when the first bytes of the first archive have arrived.
struct AtFirstBytes(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl AtFirstBytes {
    fn act(act: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(Box::new(act)))))
    }
}

impl fmt::Debug for AtFirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtFirstBytes")
    }
}

impl Observer for AtFirstBytes {
    fn planned(&self, _backups: u64, _bytes: u64) {}

    fn started(&self, label: &TransferLabel, _total_bytes: Option<u64>) -> TransferTicket {
        assert_eq!(label.server_name, "verify Survival");
        TransferTicket(0)
    }

    fn advanced(&self, _ticket: TransferTicket, _bytes: u64) {
        if let Some(act) = self.0.lock().unwrap().take() {
            act();
        }
    }

    fn restarted(&self, _ticket: TransferTicket, _at_bytes: u64) {}

    fn finished(&self, _ticket: TransferTicket) {}

    fn backup_done(&self, _outcome: &BackupOutcome) {}

    fn checks_planned(&self, _copies: u64, _bytes: u64) {}

    fn copy_checked(&self, _checked: &CheckedCopy) {}
}

/// One backup of several reads.
async fn with_a_long_archive() -> Kept {
    let mut kept = Kept::on_disk(0).await;
    let panel = &kept.world.panel;
    let archive = Archive::of_about(1, 9 << 20);
    kept.backups = vec![panel.add_backup(kept.server, "long", archive)];
    let ran = kept.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_told_to_stop_ends_by_the_signal_and_judges_nothing() {
    let kept = with_a_long_archive().await;
    let env = Env::new(Clock::System);
    let stopping = env.clone();
    let stop = AtFirstBytes::act(move || stopping.stop(StopSignal::Terminate));
    let (report, exit) = kept.verify_watched(&[], env, stop).await;
    assert_eq!(exit, Exit::Terminated);
    assert_eq!(
        (report.verified.copies.len(), report.verified.not_reached),
        (0, 1)
    );
    assert!(kept.claimed().iter().all(|copy| copy.verified_at.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_truncated_while_it_is_read_is_found_truncated() {
    let kept = with_a_long_archive().await;
    let path = kept.world.path("disk").join(kept.archive(0));
    let cut = AtFirstBytes::act(move || {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 20).unwrap();
    });
    let env = Env::new(Clock::System);
    let (report, exit) = kept.verify_watched(&[], env, cut).await;
    assert_eq!(exit, Exit::Integrity, "{:?}", report.errors);
    assert_eq!(findings(&kept, &report), ["truncated sound"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_are_events_of_their_run() {
    let kept = Kept::on_disk(3).await;
    kept.roots["disk"].remove(&kept.archive(1)).await;
    kept.roots["disk"].remove(&kept.sidecar(2)).await;
    kept.verify(&["--transfers", "1"]).await;
    let mut events = kept.events_after(1);
    events.sort();
    assert_eq!(events, ["lost", "verified", "verified"]);
    kept.verify(&["--repair", "--transfers", "1"]).await;
    let mut events = kept.events_after(2);
    events.sort();
    events.dedup();
    assert_eq!(events, ["repaired", "sidecar_written", "verified"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_a_line_a_copy_and_the_sums() {
    let kept = Kept::on_two_disks(2).await;
    kept.edit("disk", &kept.archive(0), |bytes| flip(bytes, 9))
        .await;
    kept.roots["other"].remove(&kept.sidecar(1)).await;
    let ran = kept.run(&["verify"]).await;
    assert_eq!(ran.code, Some(4));
    // In which order copies are done is chance.
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines[..4].sort_by_key(|line| (line.split("  ").next(), line.rsplit("  ").next()));
    let told: Vec<&str> = ran.stderr.lines().collect();
    let mut told: Vec<String> = told.chunks(2).map(|two| two.join("\n")).collect();
    told.sort_by_key(|two| two.split_once("): ").map(|(_who, what)| what.to_owned()));
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "<uuid>",
    );
    settings.add_filter(r"\d+(\.\d)? (B|KiB)", "<size>");
    settings.add_filter(r"in \d+s \(<size>/s\)", "in <time>");
    settings.bind(|| {
        insta::assert_snapshot!(format!("{}\n\n{}", lines.join("\n"), told.join("\n")), @r"
        bad sidecar   Survival / nightly  <uuid>  <size>  other (the sidecar is missing)
        lost          Survival / nightly  <uuid>  <size>  disk (the archive is altered: its length is right and its SHA-256 is not)
        sound         Survival / nightly  <uuid>  <size>  disk
        sound         Survival / nightly  <uuid>  <size>  other
        Recorded      4 copies, <size>
        Well          2 copies
        Bad           2 copies
        Read          <size> in <time>
        Some copies are bad; the errors say what can be restored from where.

        error: backup Survival / nightly (<uuid>): the copy at disk is bad: the archive is altered: its length is right and its SHA-256 is not
          hint: the backup can be restored from other, and the panel still listed it when it was last asked; `nestegg verify --repair` makes it anew
        error: backup Survival / nightly (<uuid>): the copy at other is bad: the sidecar is missing
          hint: the backup can be restored from disk, other itself (its archive is right), and the panel still listed it when it was last asked; `nestegg verify --repair` makes it anew
        ");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_stays_private() {
    let kept = Kept::on_disk(1).await;
    kept.verify(&[]).await;
    let mode = std::fs::metadata(kept.world.ledger())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}
