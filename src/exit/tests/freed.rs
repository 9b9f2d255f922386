//! How `panel delete`, `panel trim` and `panel restore` end.

use std::num::NonZeroU32;

use jiff::Timestamp;

use super::*;
use crate::model::outcome::FailureKind as Kind;
use crate::model::outcome::Mode;
use crate::model::outcome::Skipped;
use crate::model::slots::BackupSlots;
use crate::plan::to_panel::Files;
use crate::plan::trim::TrimWish;
use crate::report::panel::delete::DeleteReport;
use crate::report::panel::delete::DeletedBackup;
use crate::report::panel::delete::Deletion;
use crate::report::panel::restore::PanelRestoreReport;
use crate::report::panel::restore::RestoreState;
use crate::report::panel::restore::ServerPower;
use crate::report::panel::trim::TrimReport;
use crate::report::panel::trim::TrimmedServer;

#[test]
fn a_deletion_ends_well_only_when_all_that_was_named_is_gone() {
    let deleted = |backups: &[(Deletion, Option<FailureKind>)], ended| DeleteReport {
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        backups: backups
            .iter()
            .map(|(deletion, kind)| DeletedBackup {
                backup: BACKUP.parse().unwrap(),
                found: None,
                deletion: *deletion,
                copies: Vec::new(),
                failure: kind.map(|kind| failure(Scope::Backup, kind)),
            })
            .collect(),
        errors: Vec::new(),
        ended,
    };
    let gone = (Deletion::Deleted, None);
    let not = |kind| (Deletion::NotDeleted, Some(kind));
    for (backups, ended, exit) in [
        (
            &[gone, (Deletion::AlreadyGone, None)][..],
            Ended::InFull,
            Exit::Done,
        ),
        (&[gone], Ended::BySigint, Exit::Done),
        (
            &[gone, (Deletion::NotReached, None)],
            Ended::BySigterm,
            Exit::Terminated,
        ),
        (
            &[gone, not(FailureKind::Policy)],
            Ended::InFull,
            Exit::Partial,
        ),
        (
            &[gone, not(FailureKind::Integrity)],
            Ended::InFull,
            Exit::Integrity,
        ),
        (&[not(FailureKind::Policy)], Ended::InFull, Exit::Failed),
        (&[not(FailureKind::NotFound)], Ended::InFull, Exit::Usage),
        (
            &[not(FailureKind::Credentials)],
            Ended::InFull,
            Exit::Credentials,
        ),
    ] {
        let report = deleted(backups, ended);
        assert_eq!(Exit::of_delete(&report), exit, "{report:?}");
    }
}

#[test]
fn a_trim_ends_well_when_every_server_was_gone_through() {
    let server = TrimmedServer {
        panel: "main".parse().unwrap(),
        server: SERVER.parse().unwrap(),
        identifier: "a1fa0000".to_owned(),
        name: "Survival".to_owned(),
        slots: BackupSlots::default(),
        backups: Vec::new(),
    };
    let closed = Skipped {
        panel: server.panel.clone(),
        server: server.server,
        server_name: "Closed".to_owned(),
        backup: None,
        why: "the server is suspended".to_owned(),
    };
    for (servers, errors, ended, exit) in [
        (1, &[][..], Ended::InFull, Exit::Done),
        (0, &[], Ended::InFull, Exit::Done),
        (1, &[DOWN], Ended::InFull, Exit::Partial),
        (1, &[CORRUPT], Ended::InFull, Exit::Integrity),
        (0, &[DOWN], Ended::InFull, Exit::Failed),
        (0, &[REFUSED_THERE], Ended::InFull, Exit::Credentials),
        (1, &[DOWN], Ended::BySigint, Exit::Interrupted),
    ] {
        let report = TrimReport {
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            mode: Mode::Apply,
            wish: TrimWish {
                keep: NonZeroU32::MIN,
                min_copies: NonZeroU32::MIN,
            },
            servers: vec![server.clone(); servers],
            skipped: vec![closed.clone()],
            errors: errors
                .iter()
                .map(|(scope, kind)| failure(*scope, *kind))
                .collect(),
            ended,
        };
        assert_eq!(Exit::of_trim(&report), exit, "{report:?}");
    }
}

#[test]
fn a_restore_by_the_panel_ends_well_only_when_the_log_says_so() {
    let restored = |end, kind: Option<FailureKind>, ended| PanelRestoreReport {
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
        panel: "main".parse().unwrap(),
        server: SERVER.parse().unwrap(),
        server_name: "Survival".to_owned(),
        backup: BACKUP.parse().unwrap(),
        backup_name: None,
        files: Files::Keep,
        end,
        power: ServerPower::Untouched,
        notes: Vec::new(),
        failure: kind.map(|kind| failure(Scope::Server, kind)),
        held_at: Vec::new(),
        ended,
    };
    for (end, kind, ended, exit) in [
        (RestoreState::Complete, None, Ended::InFull, Exit::Done),
        (
            RestoreState::Complete,
            Some(Kind::Unreachable),
            Ended::InFull,
            Exit::Partial,
        ),
        (
            RestoreState::Failed,
            Some(Kind::Transfer),
            Ended::InFull,
            Exit::Partial,
        ),
        (
            RestoreState::Unknown,
            Some(Kind::Transfer),
            Ended::InFull,
            Exit::Partial,
        ),
        (
            RestoreState::Broken,
            Some(Kind::Unreachable),
            Ended::InFull,
            Exit::Partial,
        ),
        (
            RestoreState::UnderWay,
            Some(Kind::ServerState),
            Ended::InFull,
            Exit::Limit,
        ),
        (
            RestoreState::UnderWay,
            Some(Kind::Interrupted),
            Ended::BySigint,
            Exit::Interrupted,
        ),
        (
            RestoreState::NotBegun,
            Some(Kind::Integrity),
            Ended::InFull,
            Exit::Integrity,
        ),
        (
            RestoreState::NotBegun,
            Some(Kind::Credentials),
            Ended::InFull,
            Exit::Credentials,
        ),
        (
            RestoreState::NotBegun,
            Some(Kind::Policy),
            Ended::InFull,
            Exit::Failed,
        ),
    ] {
        let report = restored(end, kind, ended);
        assert_eq!(Exit::of_panel_restore(&report), exit, "{report:?}");
    }
}

#[test]
fn a_command_that_finds_no_server_says_why() {
    for (errors, exit) in [
        (&[][..], Exit::Usage),
        (&[(Scope::Server, FailureKind::NotFound)], Exit::Usage),
        (&[REFUSED_THERE], Exit::Credentials),
        (&[DOWN], Exit::Failed),
    ] {
        let failures: Vec<Failure> = errors
            .iter()
            .map(|(scope, kind)| failure(*scope, *kind))
            .collect();
        assert_eq!(Exit::of_unfound(&failures), exit, "{errors:?}");
    }
}
