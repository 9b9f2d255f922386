//! How runs of `mirror` end.

use jiff::Timestamp;

use super::*;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::CopyOutcome;
use crate::model::outcome::CopyState;
use crate::model::outcome::Mode;
use crate::model::outcome::Skipped;

use CopyState::AlreadyHeld;
use CopyState::Failed;
use CopyState::Mirrored;
use CopyState::NotReached;
use CopyState::WouldMirror;

fn backup(copies: &[CopyState]) -> BackupOutcome {
    let server: ServerId = SERVER.parse().unwrap();
    let backup: BackupId = BACKUP.parse().unwrap();
    let copy = |state: &CopyState| CopyOutcome {
        destination: "b2".parse().unwrap(),
        key: ObjectKey::for_backup(server, backup, ObjectKind::Archive),
        state: *state,
        verdict: None,
        failure: None,
    };
    BackupOutcome {
        panel: "main".parse().unwrap(),
        server,
        server_name: String::new(),
        backup,
        name: String::new(),
        bytes: 1,
        sha256: None,
        panel_checksum: None,
        downloaded_bytes: 0,
        uploaded_bytes: 0,
        copies: copies.iter().map(copy).collect(),
    }
}

fn run(backups: &[&[CopyState]], errors: &[(Scope, FailureKind)]) -> MirrorReport {
    MirrorReport {
        run: None,
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        mode: Mode::Apply,
        servers: 1,
        backups_seen: 0,
        skipped: Vec::new(),
        backups: backups.iter().map(|copies| backup(copies)).collect(),
        errors: errors
            .iter()
            .map(|(scope, kind)| failure(*scope, *kind))
            .collect(),
        ended: Ended::InFull,
        verified: None,
        lacking: Vec::new(),
    }
}

#[test]
fn a_run_ends_by_the_first_row_that_applies() {
    let rows: &[(&str, MirrorReport, Exit)] = &[
        ("nothing to do", run(&[], &[]), Exit::Done),
        (
            "all held or made",
            run(&[&[Mirrored, AlreadyHeld], &[AlreadyHeld]], &[]),
            Exit::Done,
        ),
        ("a dry run", run(&[&[WouldMirror]], &[]), Exit::Done),
        (
            "one of two copies failed",
            run(&[&[Mirrored, Failed]], &[CUT]),
            Exit::Partial,
        ),
        (
            "one backup held, one failed",
            run(&[&[AlreadyHeld], &[Failed]], &[CUT]),
            Exit::Partial,
        ),
        (
            "a failed copy without a reason is no success",
            run(&[&[Mirrored, Failed]], &[]),
            Exit::Partial,
        ),
        (
            "a refused panel beside one that worked",
            run(&[&[AlreadyHeld]], &[REFUSED]),
            Exit::Partial,
        ),
        ("panel down", run(&[], &[DOWN]), Exit::Failed),
        (
            "all copies failed",
            run(&[&[Failed, Failed]], &[CUT]),
            Exit::Failed,
        ),
        (
            "failed without a reason",
            run(&[&[Failed]], &[]),
            Exit::Failed,
        ),
        ("key refused", run(&[], &[REFUSED]), Exit::Credentials),
        (
            "storage key refused",
            run(&[&[Failed]], &[REFUSED_THERE]),
            Exit::Credentials,
        ),
        (
            "one panel refuses, one is down",
            run(&[], &[DOWN, REFUSED]),
            Exit::Credentials,
        ),
        (
            "a backup refused for its credentials, another cut",
            run(
                &[&[Failed], &[Failed]],
                &[(Scope::Backup, FailureKind::Credentials), CUT],
            ),
            Exit::Failed,
        ),
        (
            "a mismatch beats a partial run",
            run(&[&[Mirrored], &[Failed]], &[CUT, CORRUPT]),
            Exit::Integrity,
        ),
        (
            "a mismatch beats refused credentials",
            run(&[&[Failed]], &[REFUSED, CORRUPT]),
            Exit::Integrity,
        ),
        (
            "not reached",
            run(&[&[Mirrored], &[NotReached]], &[]),
            Exit::Limit,
        ),
        (
            "not reached, and a failure",
            run(&[&[Mirrored], &[NotReached]], &[CUT]),
            Exit::Partial,
        ),
        (
            "not reached, and nothing else done",
            run(&[&[NotReached]], &[DOWN]),
            Exit::Failed,
        ),
    ];
    for (what, report, exit) in rows {
        assert_eq!(Exit::of_mirror(report), *exit, "{what}");
    }
}

#[test]
fn a_failure_that_only_a_copy_tells_of_counts() {
    let mut report = run(&[&[Failed], &[Mirrored]], &[]);
    report.backups[0].copies[0].failure = Some(failure(CORRUPT.0, CORRUPT.1));
    assert_eq!(Exit::of_mirror(&report), Exit::Integrity);
}

#[test]
fn being_stopped_beats_everything() {
    for (ended, exit) in [
        (Ended::BySigint, Exit::Interrupted),
        (Ended::BySigterm, Exit::Terminated),
    ] {
        let mut report = run(&[&[Failed], &[NotReached]], &[CORRUPT, REFUSED]);
        report.ended = ended;
        assert_eq!(Exit::of_mirror(&report), exit);
    }
}

#[test]
fn a_limit_is_told_even_when_no_backup_was_listed_for_it() {
    let mut report = run(&[&[AlreadyHeld]], &[]);
    report.ended = Ended::AtLimit;
    assert_eq!(Exit::of_mirror(&report), Exit::Limit);
}

#[test]
fn asking_for_servers_of_which_none_exists_is_wrong_usage() {
    let mut report = run(&[], &[NO_SUCH_SERVER, NO_SUCH_SERVER]);
    report.servers = 0;
    assert_eq!(Exit::of_mirror(&report), Exit::Usage);
    report.errors.push(failure(DOWN.0, DOWN.1));
    assert_eq!(Exit::of_mirror(&report), Exit::Failed);
    let one_of_two_exists = run(&[&[Mirrored]], &[NO_SUCH_SERVER]);
    assert_eq!(Exit::of_mirror(&one_of_two_exists), Exit::Partial);
}

#[test]
fn what_was_skipped_does_not_fail_a_run() {
    let mut report = run(&[&[Mirrored]], &[]);
    report.skipped.push(Skipped {
        panel: "main".parse().unwrap(),
        server: SERVER.parse().unwrap(),
        server_name: "lobby".to_owned(),
        backup: None,
        why: "suspended".to_owned(),
    });
    assert_eq!(Exit::of_mirror(&report), Exit::Done);
}
