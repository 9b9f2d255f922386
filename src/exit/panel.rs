//! How the `panel` commands end.

mod freed;

use crate::exit::Exit;
use crate::model::backup::Backup;
use crate::model::outcome::Ended;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::report::panel::CreateReport;

impl Exit {
    /// How a `panel` command ends that did so many things, or found them. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop | 130, 143 |
    /// | no errors | 0 |
    /// | errors, and something done | 3 |
    /// | nothing done: a panel refused the credentials | 12 |
    /// | … what was named does not exist | 2 |
    /// | … anything else | 1 |
    pub fn of_panel(ended: Ended, errors: &[Failure], done: usize) -> Self {
        let refused = |failure: &Failure| {
            failure.kind == FailureKind::Credentials && failure.scope == Scope::Panel
        };
        let all = |kind| errors.iter().all(|failure: &Failure| failure.kind == kind);
        match ended {
            Ended::BySigint => Self::Interrupted,
            Ended::BySigterm => Self::Terminated,
            Ended::InFull | Ended::AtLimit if errors.is_empty() => Self::Done,
            Ended::InFull | Ended::AtLimit if done > 0 => Self::Partial,
            Ended::InFull | Ended::AtLimit
                if errors.iter().any(refused) || all(FailureKind::Credentials) =>
            {
                Self::Credentials
            }
            Ended::InFull | Ended::AtLimit if all(FailureKind::NotFound) => Self::Usage,
            Ended::InFull | Ended::AtLimit => Self::Failed,
        }
    }

    /// How `panel create` ends. The first row that applies:
    ///
    /// | what happened | exit |
    /// |---|---|
    /// | told to stop before it was done | 130, 143 |
    /// | errors, and the backup is being made or completed: the lock, or sight of it, is missing | 3 |
    /// | errors, and there is no backup, or it failed | as [`Exit::of_panel`] |
    /// | it was still in progress when the time was over | 10 |
    /// | it is completed; or it is being made, and was not to be waited for | 0 |
    pub fn of_create(report: &CreateReport) -> Self {
        let made = report.made.as_ref().map_or(0, |made| match made.backup {
            Backup::Pending(_) | Backup::Completed(_) => 1,
            Backup::Failed(_) => 0,
        });
        if report.ended == Ended::AtLimit && report.errors.is_empty() {
            Self::Limit
        } else {
            Self::of_panel(report.ended, &report.errors, made)
        }
    }
}
