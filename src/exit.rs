//! Exit codes, and the one map from what happened to a code.

use std::process::ExitCode;

use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::plan::check::Fixed;
use crate::plan::check::Sign;
use crate::report::Freshness;
use crate::report::ListReport;
use crate::report::MirrorReport;
use crate::report::ServerStatus;
use crate::report::StatusReport;
use crate::report::VerifyReport;
use crate::report::drill::DrillReport;
use crate::report::drill::DrilledCopy;
use crate::report::ledger::CheckReport;
use crate::report::ledger::RebuildReport;
use crate::report::outcome::Outcome;
use crate::report::restore::RestoreReport;

/// How a command ends; the numbers are a promise and are never reused (design section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All that was asked is done and proved.
    Done,
    /// Nothing could be done: panel or destination unreachable, unexpected failure.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// Some backups or destinations failed; the rest is done.
    Partial,
    /// A checksum mismatch, or a corrupt or missing copy, was found.
    Integrity,
    /// A server's newest verified copy is older than promised.
    Freshness,
    /// A limit was reached before all was done.
    Limit,
    /// Another run holds the lock.
    Locked,
    /// The panel or a destination refused the credentials.
    Credentials,
    /// SIGINT: what was done is recorded, nothing half-done is visible.
    Interrupted,
    /// SIGTERM: the same.
    Terminated,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Integrity => 4,
            Self::Freshness => 5,
            Self::Limit => 10,
            Self::Locked => 11,
            Self::Credentials => 12,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// How a run of `mirror` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | anything failed on integrity | 4 |
    /// | failures, and nothing held: a panel or destination refused the credentials | 12 |
    /// | … no server of those asked for exists | 2 |
    /// | … anything else | 1 |
    /// | failures, and something held | 3 |
    /// | a limit came before the end of the work | 10 |
    /// | none of these; what was skipped does not count | 0 |
    pub fn of_mirror(report: &MirrorReport) -> Self {
        let is_integrity = |failure: &Failure| failure.kind == FailureKind::Integrity;
        let stopped = match report.ended {
            Ended::BySigint => Some(Self::Interrupted),
            Ended::BySigterm => Some(Self::Terminated),
            Ended::InFull | Ended::AtLimit => None,
        };
        if let Some(exit) = stopped {
            exit
        } else if report.failures().any(is_integrity) {
            Self::Integrity
        } else {
            match report.outcome() {
                Outcome::Ok => Self::Done,
                Outcome::Partial if report.has_failures() => Self::Partial,
                Outcome::Partial => Self::Limit,
                Outcome::Failed => Self::of_nothing_done(report),
                Outcome::Interrupted => Self::Interrupted,
            }
        }
    }

    fn of_nothing_done(report: &MirrorReport) -> Self {
        let refused = |failure: &Failure| failure.kind == FailureKind::Credentials;
        let refused_at_the_door = |failure: &Failure| {
            refused(failure) && matches!(failure.scope, Scope::Panel | Scope::Destination)
        };
        let names_no_server = |failure: &Failure| {
            failure.kind == FailureKind::NotFound && failure.scope == Scope::Server
        };
        let mut failures = report.failures().peekable();
        if failures.peek().is_none() {
            Self::Failed
        } else if report.failures().any(refused_at_the_door) || report.failures().all(refused) {
            Self::Credentials
        } else if report.servers == 0 && failures.all(names_no_server) {
            Self::Usage
        } else {
            Self::Failed
        }
    }

    /// How a run of `verify` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | a copy is bad and was not repaired, or another failure of integrity | 4 |
    /// | failures, and no copy was found well: a destination or panel refused the credentials | 12 |
    /// | … anything else | 1 |
    /// | failures, and some copy was found well | 3 |
    /// | a limit came before the end of the work | 10 |
    /// | none of these; what was bad and was repaired does not count | 0 |
    pub fn of_verify(report: &VerifyReport) -> Self {
        let is_integrity = |failure: &Failure| failure.kind == FailureKind::Integrity;
        let refused = |failure: &Failure| failure.kind == FailureKind::Credentials;
        match (report.ended, report.outcome()) {
            (Ended::BySigint, _) => Self::Interrupted,
            (Ended::BySigterm, _) => Self::Terminated,
            _ if report.verified.leaves_bad() || report.errors.iter().any(is_integrity) => {
                Self::Integrity
            }
            (Ended::InFull | Ended::AtLimit, Outcome::Failed)
                if report.errors.iter().any(refused) =>
            {
                Self::Credentials
            }
            (Ended::InFull | Ended::AtLimit, Outcome::Failed) => Self::Failed,
            (Ended::InFull | Ended::AtLimit, Outcome::Partial) if !report.errors.is_empty() => {
                Self::Partial
            }
            (Ended::InFull | Ended::AtLimit, Outcome::Partial | Outcome::Interrupted) => {
                Self::Limit
            }
            (Ended::InFull | Ended::AtLimit, Outcome::Ok) => Self::Done,
        }
    }

    /// How `ledger rebuild` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | something at a destination is no copy, or is not what the ledger says | 4 |
    /// | failures, and no destination could be gone through: refused credentials | 12 |
    /// | … anything else | 1 |
    /// | failures | 3 |
    /// | none of these | 0 |
    pub fn of_rebuild(report: &RebuildReport) -> Self {
        let errors: Vec<FailureKind> = report.errors.iter().map(|error| error.kind).collect();
        match report.ended {
            Ended::BySigint => Self::Interrupted,
            Ended::BySigterm => Self::Terminated,
            Ended::InFull | Ended::AtLimit => Self::of_errors(&errors, report.places.len()),
        }
    }

    /// How `ledger check` ends. The first row that applies:
    ///
    /// | what was found | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | anything missing, unknown and not adopted, different, or no copy although something is there | 4 |
    /// | errors, and nothing could be compared: refused credentials | 12 |
    /// | … anything else | 1 |
    /// | errors | 3 |
    /// | everything is the same, or was adopted | 0 |
    pub fn of_check(report: &CheckReport) -> Self {
        let mut errors = Vec::new();
        let mut is_amiss = false;
        let mut compared = 0;
        for finding in &report.findings {
            match finding.sign {
                Sign::Error(kind) => errors.push(kind),
                Sign::Same => compared += 1,
                Sign::Unknown if finding.fixed == Some(Fixed::Adopted) => compared += 1,
                Sign::Missing | Sign::Unknown | Sign::Differs => is_amiss = true,
            }
        }
        match report.ended {
            Ended::BySigint => Self::Interrupted,
            Ended::BySigterm => Self::Terminated,
            Ended::InFull | Ended::AtLimit
                if is_amiss || errors.contains(&FailureKind::Integrity) =>
            {
                Self::Integrity
            }
            Ended::InFull | Ended::AtLimit => Self::of_errors(&errors, compared),
        }
    }

    /// How a command ends that had these errors, and went through so many things all the same.
    fn of_errors(errors: &[FailureKind], gone_through: usize) -> Self {
        if errors.is_empty() {
            Self::Done
        } else if errors.contains(&FailureKind::Integrity) {
            Self::Integrity
        } else if gone_through > 0 {
            Self::Partial
        } else if errors.contains(&FailureKind::Credentials) {
            Self::Credentials
        } else {
            Self::Failed
        }
    }

    /// How `status` ends: 5 when a promise of freshness is broken, else 0.
    pub fn of_status(report: &StatusReport) -> Self {
        let is_broken = |server: &ServerStatus| match server.freshness {
            Freshness::Stale => true,
            Freshness::Never => server.max_age.is_some(),
            Freshness::Fresh | Freshness::NotPromised => false,
        };
        if report.servers.iter().any(is_broken) {
            Self::Freshness
        } else {
            Self::Done
        }
    }

    /// How `list` ends: 4 when a copy is broken, else as the worst of what could not be looked at.
    pub fn of_list(report: &ListReport) -> Self {
        if report.failures.is_empty() {
            Self::Done
        } else {
            Self::of_failures(&report.failures)
        }
    }

    /// How `restore` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop before it was done | 130, 143 |
    /// | everything is at the target, proved; copies that were passed over on the way don't count | 0 |
    /// | not everything is, and a copy was corrupt or missing | 4 |
    /// | some of it is | 3 |
    /// | nothing is: every failure was refused credentials | 12 |
    /// | … anything else | 1 |
    ///
    /// A restore that another copy served is a success: 4 means that what was asked for was not
    /// proved, and that what may be on standard output must not be used.
    pub fn of_restore(report: &RestoreReport) -> Self {
        match (report.outcome(), report.ended) {
            (Outcome::Ok, _) => Self::Done,
            (Outcome::Interrupted, Ended::BySigterm) => Self::Terminated,
            (Outcome::Interrupted, _) => Self::Interrupted,
            (Outcome::Partial | Outcome::Failed, _) => {
                let failures: Vec<Failure> = report.failures().cloned().collect();
                match (Self::of_failures(&failures), report.outcome()) {
                    (Self::Integrity, _) => Self::Integrity,
                    (_, Outcome::Partial) => Self::Partial,
                    (exit, _) => exit,
                }
            }
        }
    }

    /// How `restore --drill` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop before it was done | 130, 143 |
    /// | all that were taken were good, or at least what was recorded | 0 |
    /// | a copy was corrupt or missing, or lacks what it must contain | 4 |
    /// | some copies were good, and something failed | 3 |
    /// | none was: every failure was refused credentials | 12 |
    /// | … anything else; there was none to drill with | 1 |
    pub fn of_drill(report: &DrillReport) -> Self {
        let is_of_a_copy = |copy: &DrilledCopy| {
            copy.failure.as_ref().is_some_and(|failure| {
                matches!(failure.kind, FailureKind::Integrity | FailureKind::NotFound)
            })
        };
        let failures: Vec<Failure> = report.failures().cloned().collect();
        match (report.outcome(), report.ended) {
            (Outcome::Ok, _) => Self::Done,
            (Outcome::Interrupted, Ended::BySigterm) => Self::Terminated,
            (Outcome::Interrupted, _) => Self::Interrupted,
            (Outcome::Partial | Outcome::Failed, _) if report.copies.iter().any(is_of_a_copy) => {
                Self::Integrity
            }
            (outcome, _) => match (Self::of_failures(&failures), outcome) {
                (Self::Integrity, _) => Self::Integrity,
                (_, Outcome::Partial) => Self::Partial,
                (exit, _) => exit,
            },
        }
    }

    /// How a command ends that came to nothing because of these: 4 when a copy is corrupt or
    /// missing, 12 when credentials were refused everywhere, else 1.
    pub fn of_failures(failures: &[Failure]) -> Self {
        let is_of_a_copy = |failure: &Failure| match failure.kind {
            FailureKind::Integrity => true,
            FailureKind::NotFound => failure.scope == Scope::Backup,
            FailureKind::Credentials
            | FailureKind::Permission
            | FailureKind::Unreachable
            | FailureKind::Protocol
            | FailureKind::RateLimited
            | FailureKind::ServerState
            | FailureKind::Policy
            | FailureKind::NoSpace
            | FailureKind::Destination
            | FailureKind::Transfer
            | FailureKind::Interrupted
            | FailureKind::Local => false,
        };
        let refused = |failure: &Failure| failure.kind == FailureKind::Credentials;
        if failures.iter().any(is_of_a_copy) {
            Self::Integrity
        } else if !failures.is_empty() && failures.iter().all(refused) {
            Self::Credentials
        } else {
            Self::Failed
        }
    }

    /// How a command ends that failed as a whole, before it could do anything.
    ///
    /// Wrong usage and a held lock are no failures of a kind: they have codes of their own,
    /// [`Exit::Usage`] and [`Exit::Locked`].
    pub const fn of_failure(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Credentials => Self::Credentials,
            FailureKind::Integrity => Self::Integrity,
            FailureKind::Interrupted => Self::Interrupted,
            FailureKind::Permission
            | FailureKind::Unreachable
            | FailureKind::Protocol
            | FailureKind::NotFound
            | FailureKind::RateLimited
            | FailureKind::ServerState
            | FailureKind::Policy
            | FailureKind::NoSpace
            | FailureKind::Destination
            | FailureKind::Transfer
            | FailureKind::Local => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::Timestamp;

    use super::*;
    use crate::model::finding::ArchiveFinding;
    use crate::model::finding::CheckedCopy;
    use crate::model::finding::Depth;
    use crate::model::finding::Finding;
    use crate::model::finding::Repair;
    use crate::model::finding::RepairSource;
    use crate::model::finding::RepairWish;
    use crate::model::finding::SidecarFinding;
    use crate::model::finding::Standing;
    use crate::model::holding::PanelPresence;
    use crate::model::holding::ServerHolding;
    use crate::model::ids::BackupId;
    use crate::model::ids::ServerId;
    use crate::model::key::ObjectKey;
    use crate::model::key::ObjectKind;
    use crate::model::outcome::BackupOutcome;
    use crate::model::outcome::CopyOutcome;
    use crate::model::outcome::CopyState;
    use crate::model::outcome::Mode;
    use crate::model::outcome::Skipped;
    use crate::plan::check;
    use crate::plan::check::Place;
    use crate::report::Account;
    use crate::report::ledger::RebuiltPlace;
    use crate::report::restore::CopyConsidered;
    use crate::report::restore::CopyFate;
    use crate::report::restore::RestoreState;
    use crate::report::restore::RestoreTarget;
    use crate::report::restore::RestoredBackup;
    use crate::report::restore::Sealing;
    use crate::report::restore::TargetKind;
    use crate::report::verify::Verified;

    use CopyState::AlreadyHeld;
    use CopyState::Failed;
    use CopyState::Mirrored;
    use CopyState::NotReached;
    use CopyState::WouldMirror;

    const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
    const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

    fn failure(scope: Scope, kind: FailureKind) -> Failure {
        Failure {
            scope,
            id: "x".to_owned(),
            kind,
            message: "could not".to_owned(),
            hint: String::new(),
        }
    }

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
        }
    }

    const REFUSED: (Scope, FailureKind) = (Scope::Panel, FailureKind::Credentials);
    const REFUSED_THERE: (Scope, FailureKind) = (Scope::Destination, FailureKind::Credentials);
    const DOWN: (Scope, FailureKind) = (Scope::Panel, FailureKind::Unreachable);
    const CORRUPT: (Scope, FailureKind) = (Scope::Backup, FailureKind::Integrity);
    const CUT: (Scope, FailureKind) = (Scope::Backup, FailureKind::Transfer);
    const NO_SUCH_SERVER: (Scope, FailureKind) = (Scope::Server, FailureKind::NotFound);

    #[test]
    fn every_number_is_the_promised_one() {
        let all = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Partial, 3),
            (Exit::Integrity, 4),
            (Exit::Freshness, 5),
            (Exit::Limit, 10),
            (Exit::Locked, 11),
            (Exit::Credentials, 12),
            (Exit::Interrupted, 130),
            (Exit::Terminated, 143),
        ];
        for (exit, code) in all {
            assert_eq!(exit.code(), code, "{exit:?}");
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

    #[test]
    fn status_ends_with_5_only_when_a_promise_is_broken() {
        let hours = Some(SignedDuration::from_hours(26));
        for (freshness, max_age, exit) in [
            (Freshness::Fresh, hours, Exit::Done),
            (Freshness::NotPromised, None, Exit::Done),
            (Freshness::Never, None, Exit::Done),
            (Freshness::Never, hours, Exit::Freshness),
            (Freshness::Stale, hours, Exit::Freshness),
        ] {
            let status = |freshness, max_age| ServerStatus {
                holding: ServerHolding {
                    panel: "main".parse().unwrap(),
                    server: SERVER.parse().unwrap(),
                    identifier: "a1fa0000".to_owned(),
                    name: "lobby".to_owned(),
                    last_listed_at: None,
                    skipped_because: None,
                    destinations: Vec::new(),
                },
                max_age,
                freshness,
            };
            let report = StatusReport {
                at: Timestamp::UNIX_EPOCH,
                last_run: None,
                servers: vec![status(Freshness::Fresh, hours), status(freshness, max_age)],
                verified: Vec::new(),
            };
            assert_eq!(
                Exit::of_status(&report),
                exit,
                "{freshness:?} of {max_age:?}"
            );
        }
    }

    fn restored(states: &[RestoreState], errors: &[(Scope, FailureKind)]) -> RestoreReport {
        let failures = || errors.iter().map(|(scope, kind)| failure(*scope, *kind));
        let backup = |state: &RestoreState| RestoredBackup {
            panel: "main".parse().unwrap(),
            server: SERVER.parse().unwrap(),
            server_name: String::new(),
            backup: BACKUP.parse().unwrap(),
            name: String::new(),
            completed_at: Timestamp::UNIX_EPOCH,
            bytes: 1,
            sha256: None,
            state: *state,
            copies: failures()
                .map(|failure| CopyConsidered {
                    destination: "b2".parse().unwrap(),
                    location: String::new(),
                    key: ObjectKey::of_probe(),
                    sealing: Sealing::Plain,
                    why: String::new(),
                    fate: CopyFate::PassedOver(failure),
                })
                .collect(),
            failure: None,
            notes: Vec::new(),
        };
        RestoreReport {
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            target: RestoreTarget {
                kind: TargetKind::File,
                place: String::new(),
            },
            backups: states.iter().map(backup).collect(),
            errors: Vec::new(),
            ended: Ended::InFull,
        }
    }

    fn checked(archive: ArchiveFinding, repair: Repair) -> CheckedCopy {
        let (server, backup) = (SERVER.parse().unwrap(), BACKUP.parse().unwrap());
        CheckedCopy {
            panel: "main".parse().unwrap(),
            server,
            server_name: String::new(),
            backup,
            backup_name: String::new(),
            destination: "b2".parse().unwrap(),
            key: ObjectKey::for_backup(server, backup, ObjectKind::Archive),
            stored_bytes: 1,
            standing: Standing::Held,
            verified_before: None,
            depth: Depth::Full,
            finding: Finding {
                archive,
                sidecar: SidecarFinding::Sound,
            },
            repair,
            elsewhere: Vec::new(),
            on_panel: PanelPresence::Listed,
            read_bytes: 0,
        }
    }

    #[test]
    fn a_restore_ends_by_whether_what_was_asked_for_is_there_and_proved() {
        use RestoreState::AlreadyThere;
        use RestoreState::Failed;
        use RestoreState::Restored;
        const GONE: (Scope, FailureKind) = (Scope::Backup, FailureKind::NotFound);
        const NO_DISK: (Scope, FailureKind) = (Scope::Destination, FailureKind::NotFound);
        const FULL: (Scope, FailureKind) = (Scope::Destination, FailureKind::NoSpace);
        for (states, errors, exit) in [
            (&[Restored][..], &[][..], Exit::Done),
            (&[Restored, AlreadyThere], &[CORRUPT, GONE], Exit::Done),
            (&[Failed], &[CORRUPT], Exit::Integrity),
            (&[Failed], &[REFUSED_THERE, GONE], Exit::Integrity),
            (&[Restored, Failed], &[CORRUPT], Exit::Integrity),
            (&[Restored, Failed], &[CUT], Exit::Partial),
            (
                &[Failed],
                &[REFUSED_THERE, REFUSED_THERE],
                Exit::Credentials,
            ),
            (&[Failed], &[REFUSED_THERE, DOWN], Exit::Failed),
            (&[Failed], &[NO_DISK], Exit::Failed),
            (&[Failed], &[FULL], Exit::Failed),
            (&[], &[], Exit::Failed),
        ] {
            let report = restored(states, errors);
            assert_eq!(Exit::of_restore(&report), exit, "{states:?} {errors:?}");
        }
        for (ended, exit) in [
            (Ended::BySigint, Exit::Interrupted),
            (Ended::BySigterm, Exit::Terminated),
        ] {
            let mut report = restored(&[RestoreState::NotReached], &[CORRUPT]);
            report.ended = ended;
            assert_eq!(Exit::of_restore(&report), exit);
        }
    }

    #[test]
    fn a_list_ends_with_4_when_a_copy_is_broken() {
        for (failures, exit) in [
            (vec![], Exit::Done),
            (vec![failure(CORRUPT.0, CORRUPT.1)], Exit::Integrity),
            (vec![failure(DOWN.0, DOWN.1)], Exit::Failed),
        ] {
            let report = ListReport {
                panel: None,
                copies: Vec::new(),
                account: Account::Sidecars,
                failures,
            };
            assert_eq!(Exit::of_list(&report), exit);
        }
    }

    #[test]
    fn a_run_of_verify_ends_by_the_worst_that_is_left() {
        let unreachable = failure(Scope::Destination, FailureKind::Unreachable);
        let refused = failure(Scope::Destination, FailureKind::Credentials);
        let bad = failure(Scope::Backup, FailureKind::Integrity);
        let sound = || checked(ArchiveFinding::Sound, Repair::NotTried);
        let lost = || checked(ArchiveFinding::Missing, Repair::NotTried);
        let unread = || {
            checked(
                ArchiveFinding::Unread(unreachable.clone()),
                Repair::NotTried,
            )
        };
        let made = Repair::CopyMade {
            from: RepairSource::Ledger,
        };
        let repaired = || checked(ArchiveFinding::Missing, made.clone());
        for (copies, errors, not_reached, exit) in [
            (vec![], vec![], 0, Exit::Done),
            (vec![sound()], vec![], 0, Exit::Done),
            (vec![repaired(), sound()], vec![], 0, Exit::Done),
            (vec![lost(), sound()], vec![bad.clone()], 0, Exit::Integrity),
            (
                vec![lost(), unread()],
                vec![unreachable.clone(), bad.clone()],
                1,
                Exit::Integrity,
            ),
            (vec![sound()], vec![bad.clone()], 0, Exit::Integrity),
            (
                vec![unread(), sound()],
                vec![unreachable.clone()],
                0,
                Exit::Partial,
            ),
            (vec![unread()], vec![unreachable.clone()], 0, Exit::Failed),
            (vec![], vec![refused.clone()], 0, Exit::Credentials),
            (vec![sound()], vec![refused.clone()], 0, Exit::Partial),
            (vec![sound()], vec![], 3, Exit::Limit),
        ] {
            let ended = if not_reached > 0 {
                Ended::AtLimit
            } else {
                Ended::InFull
            };
            let mut report = VerifyReport {
                run: None,
                started_at: Timestamp::UNIX_EPOCH,
                finished_at: Timestamp::UNIX_EPOCH,
                depth: Depth::Full,
                repair: RepairWish::Wanted,
                copies_held: 0,
                bytes_held: 0,
                verified: Verified {
                    copies,
                    not_reached,
                },
                unconfigured: Vec::new(),
                errors,
                ended,
            };
            assert_eq!(Exit::of_verify(&report), exit, "{report:?}");
            report.ended = Ended::BySigterm;
            assert_eq!(Exit::of_verify(&report), Exit::Terminated);
        }
    }

    #[test]
    fn every_kind_of_failure_has_its_code() {
        use FailureKind as Kind;
        for (kind, exit) in [
            (Kind::Credentials, Exit::Credentials),
            (Kind::Permission, Exit::Failed),
            (Kind::Unreachable, Exit::Failed),
            (Kind::Protocol, Exit::Failed),
            (Kind::NotFound, Exit::Failed),
            (Kind::RateLimited, Exit::Failed),
            (Kind::ServerState, Exit::Failed),
            (Kind::Integrity, Exit::Integrity),
            (Kind::Policy, Exit::Failed),
            (Kind::NoSpace, Exit::Failed),
            (Kind::Destination, Exit::Failed),
            (Kind::Transfer, Exit::Failed),
            (Kind::Interrupted, Exit::Interrupted),
            (Kind::Local, Exit::Failed),
        ] {
            assert_eq!(Exit::of_failure(kind), exit, "{kind:?}");
        }
    }

    #[test]
    fn a_rebuild_ends_with_the_worst_that_it_met() {
        let place = RebuiltPlace {
            destination: "b2".parse().unwrap(),
            location: "s3://bucket".to_owned(),
            added: Vec::new(),
            known: 0,
            left_out: 0,
        };
        let rebuilt = |places: usize, errors: &[(Scope, FailureKind)], ended| RebuildReport {
            run: None,
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: Timestamp::UNIX_EPOCH,
            places: vec![place.clone(); places],
            errors: errors
                .iter()
                .map(|(scope, kind)| failure(*scope, *kind))
                .collect(),
            ended,
        };
        for (report, exit) in [
            (rebuilt(1, &[], Ended::InFull), Exit::Done),
            (rebuilt(1, &[REFUSED_THERE], Ended::InFull), Exit::Partial),
            (
                rebuilt(1, &[REFUSED_THERE, CORRUPT], Ended::InFull),
                Exit::Integrity,
            ),
            (
                rebuilt(0, &[REFUSED_THERE], Ended::InFull),
                Exit::Credentials,
            ),
            (rebuilt(0, &[DOWN], Ended::InFull), Exit::Failed),
            (rebuilt(1, &[CORRUPT], Ended::BySigterm), Exit::Terminated),
            (rebuilt(1, &[], Ended::BySigint), Exit::Interrupted),
        ] {
            assert_eq!(Exit::of_rebuild(&report), exit, "{report:?}");
        }
    }

    #[test]
    fn a_check_ends_well_only_when_everything_is_the_same_or_was_adopted() {
        let unreachable = Sign::Error(FailureKind::Unreachable);
        let refused = Sign::Error(FailureKind::Credentials);
        let broken = Sign::Error(FailureKind::Integrity);
        for (signs, fixed, exit) in [
            (&[][..], None, Exit::Done),
            (&[Sign::Same], None, Exit::Done),
            (&[Sign::Same, Sign::Missing], None, Exit::Integrity),
            (&[Sign::Missing], Some(Fixed::MarkedLost), Exit::Integrity),
            (&[Sign::Unknown], None, Exit::Integrity),
            (&[Sign::Unknown], Some(Fixed::Adopted), Exit::Done),
            (&[Sign::Differs], None, Exit::Integrity),
            (&[Sign::Same, broken], None, Exit::Integrity),
            (&[Sign::Same, unreachable], None, Exit::Partial),
            (&[Sign::Differs, unreachable], None, Exit::Integrity),
            (&[unreachable], None, Exit::Failed),
            (&[unreachable, refused], None, Exit::Credentials),
        ] {
            let finding = |sign: &Sign| check::Finding {
                sign: *sign,
                place: Place::Destination("b2".parse().unwrap()),
                server: None,
                backup: None,
                key: None,
                fields: Vec::new(),
                detail: String::new(),
                fixed,
            };
            let mut report = CheckReport {
                run: None,
                started_at: Timestamp::UNIX_EPOCH,
                finished_at: Timestamp::UNIX_EPOCH,
                mode: Mode::DryRun,
                findings: signs.iter().map(finding).collect(),
                elsewhere: Vec::new(),
                ended: Ended::InFull,
            };
            assert_eq!(Exit::of_check(&report), exit, "{signs:?}");
            report.ended = Ended::BySigint;
            assert_eq!(Exit::of_check(&report), Exit::Interrupted);
        }
    }
}
