//! How `panel delete`, `panel trim` and `panel restore` end.

use crate::exit::Exit;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::report::panel::delete::DeleteReport;
use crate::report::panel::restore::PanelRestoreReport;
use crate::report::panel::restore::RestoreState;
use crate::report::panel::trim::TrimReport;

impl Exit {
    /// How `panel delete` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | all that was named is gone from the panel | 0 |
    /// | a copy that the ledger claims is not there, or not what it should be | 4 |
    /// | some of it is gone | 3 |
    /// | none is: credentials were refused | 12 |
    /// | … no such backup or server | 2 |
    /// | … anything else; it is not held everywhere, it is locked | 1 |
    pub fn of_delete(report: &DeleteReport) -> Self {
        let failures: Vec<&Failure> = report.failures().collect();
        let gone = report.backups.iter().filter(|one| one.deletion.is_gone());
        if gone.clone().count() == report.backups.len() && report.errors.is_empty() {
            // Told to stop after the last of them: all that was asked is done.
            return Self::Done;
        }
        Self::of_freed(report.ended, &failures, gone.count())
    }

    /// How `panel trim` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | every plan was made, and carried out where that was asked for | 0 |
    /// | a copy that the ledger claims is not there, or not what it should be | 4 |
    /// | failures, and some server was gone through | 3 |
    /// | none was: credentials were refused | 12 |
    /// | … no such server | 2 |
    /// | … anything else | 1 |
    ///
    /// What has changed since the plan was made stays, and is no failure; nor are servers whose state refuses
    /// backup calls.
    pub fn of_trim(report: &TrimReport) -> Self {
        let failures: Vec<&Failure> = report.failures().collect();
        Self::of_freed(report.ended, &failures, report.servers.len())
    }

    fn of_freed(ended: Ended, failures: &[&Failure], done: usize) -> Self {
        let any = |kind| failures.iter().any(|failure| failure.kind == kind);
        let all = |kind| failures.iter().all(|failure| failure.kind == kind);
        match ended {
            Ended::BySigint => Self::Interrupted,
            Ended::BySigterm => Self::Terminated,
            Ended::InFull | Ended::AtLimit if failures.is_empty() => Self::Done,
            Ended::InFull | Ended::AtLimit if any(FailureKind::Integrity) => Self::Integrity,
            Ended::InFull | Ended::AtLimit if done > 0 => Self::Partial,
            Ended::InFull | Ended::AtLimit if any(FailureKind::Credentials) => Self::Credentials,
            Ended::InFull | Ended::AtLimit if all(FailureKind::NotFound) => Self::Usage,
            Ended::InFull | Ended::AtLimit => Self::Failed,
        }
    }

    /// How a command ends that found no server to do anything with: 12 when credentials were refused,
    /// 2 when there is none of that name, else 1.
    pub fn of_unfound(failures: &[Failure]) -> Self {
        let failures: Vec<&Failure> = failures.iter().collect();
        if failures.is_empty() {
            return Self::Usage;
        }
        Self::of_freed(Ended::InFull, &failures, 0)
    }

    /// How `panel restore` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | complete, by the panel's log, and the server is as it was | 0 |
    /// | told to stop before | 130, 143 |
    /// | complete, and the server could not be started again | 3 |
    /// | failed on the node, or it is not known how it ended | 3 |
    /// | still under way when the time was up | 10 |
    /// | nothing was changed: the panel's archive is missing, or not what the panel says | 4 |
    /// | … credentials were refused | 12 |
    /// | … anything else | 1 |
    pub fn of_panel_restore(report: &PanelRestoreReport) -> Self {
        let Some(failure) = &report.failure else {
            return Self::Done;
        };
        match (report.ended, report.end) {
            (Ended::BySigint, _) => Self::Interrupted,
            (Ended::BySigterm, _) => Self::Terminated,
            (Ended::InFull | Ended::AtLimit, RestoreState::UnderWay)
                if failure.kind == FailureKind::ServerState =>
            {
                Self::Limit
            }
            (
                Ended::InFull | Ended::AtLimit,
                RestoreState::Complete
                | RestoreState::Failed
                | RestoreState::Unknown
                | RestoreState::Broken
                | RestoreState::UnderWay,
            ) => Self::Partial,
            (Ended::InFull | Ended::AtLimit, RestoreState::NotBegun) => {
                Self::of_failures(std::slice::from_ref(failure))
            }
        }
    }
}
