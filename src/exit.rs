//! Exit codes, and the one map from what happened to a code.

mod panel;

use std::process::ExitCode;

use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Mode;
use crate::model::outcome::Scope;
use crate::plan::check::Fixed;
use crate::plan::check::Sign;
use crate::report::Freshness;
use crate::report::ListReport;
use crate::report::MirrorReport;
use crate::report::PruneReport;
use crate::report::ServerStatus;
use crate::report::StatusReport;
use crate::report::VerifyReport;
use crate::report::drill::DrillReport;
use crate::report::ledger::CheckReport;
use crate::report::ledger::RebuildReport;
use crate::report::mark::MarkReport;
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

    /// How a run of `prune` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | a copy is not what is recorded, and so was not removed | 4 |
    /// | failures, and no destination could be looked at: one refused the credentials | 12 |
    /// | … anything else | 1 |
    /// | a server is refused, a removal failed, a destination could not be used | 3 |
    /// | `--max-delete` came before all was removed | 10 |
    /// | none of these; what a store retains does not count | 0 |
    ///
    /// A mere plan ends in the same way, but that it reaches no limit.
    pub fn of_prune(report: &PruneReport) -> Self {
        let has = |kind| report.errors.iter().any(|failure| failure.kind == kind);
        match (report.ended, report.outcome()) {
            (Ended::BySigint, _) => Self::Interrupted,
            (Ended::BySigterm, _) => Self::Terminated,
            _ if has(FailureKind::Integrity) => Self::Integrity,
            (Ended::InFull | Ended::AtLimit, Outcome::Failed) if has(FailureKind::Credentials) => {
                Self::Credentials
            }
            (Ended::InFull | Ended::AtLimit, Outcome::Failed) => Self::Failed,
            _ if !report.errors.is_empty() || report.refused_servers() > 0 => Self::Partial,
            (Ended::AtLimit, _) if report.mode == Mode::Apply => Self::Limit,
            (Ended::InFull | Ended::AtLimit, _) => Self::Done,
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

    /// How `keep`, `unkeep` and `accept` end. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | a sidecar is not what it should be, or its archive is missing | 4 |
    /// | the ledger says it, and some sidecar does not | 3 |
    /// | the ledger says it, and so does every sidecar | 0 |
    pub fn of_mark(report: &MarkReport) -> Self {
        let is_integrity = |failure: &Failure| failure.kind == FailureKind::Integrity;
        match report.ended {
            Ended::BySigint => Self::Interrupted,
            Ended::BySigterm => Self::Terminated,
            Ended::InFull | Ended::AtLimit if report.failures().any(is_integrity) => {
                Self::Integrity
            }
            Ended::InFull | Ended::AtLimit if report.failures().next().is_some() => Self::Partial,
            Ended::InFull | Ended::AtLimit => Self::Done,
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
    /// | some of it is, or there may be more of it than could be found | 3 |
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
        let failures: Vec<Failure> = report.failures().cloned().collect();
        match (report.outcome(), report.ended) {
            (Outcome::Ok, _) => Self::Done,
            (Outcome::Interrupted, Ended::BySigterm) => Self::Terminated,
            (Outcome::Interrupted, _) => Self::Interrupted,
            (outcome @ (Outcome::Partial | Outcome::Failed), _) => {
                match (Self::of_failures(&failures), outcome) {
                    (Self::Integrity, _) => Self::Integrity,
                    (_, Outcome::Partial) => Self::Partial,
                    (exit, _) => exit,
                }
            }
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
mod tests;
