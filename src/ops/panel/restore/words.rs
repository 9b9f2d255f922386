//! What is told of a restore by the panel: how it ended, how it stands with the server, the way out.

use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::panel::restore::Reached;
use crate::ops::panel::restore::Restoring;
use crate::ops::panel::restore::error::Error;
use crate::ops::panel::restore::watch::Seen;
use crate::panel;
use crate::plan::to_panel::Files;
use crate::report::panel::restore::RestoreState;
use crate::report::panel::restore::ServerPower;

impl Restoring<'_> {
    /// How it ended, why, and what there is to do.
    pub(super) fn ended(
        &mut self,
        done: Result<Seen, Error>,
        held_at: &[DestinationName],
    ) -> (RestoreState, Option<Failure>) {
        let (end, mut failure) = match done {
            Ok(Seen::Complete) => return (RestoreState::Complete, None),
            Ok(Seen::Failed) => (RestoreState::Failed, self.failure(&Error::Failed)),
            Ok(Seen::Unknown { why }) => {
                let failure = self.failure(&Error::NotTold { why });
                (RestoreState::Unknown, failure)
            }
            Err(error @ Error::NotStarted(_)) => {
                return (RestoreState::Complete, Some(self.failure(&error)));
            }
            Err(error) => {
                let end = match self.reached {
                    Reached::Looked | Reached::Stopping => RestoreState::NotBegun,
                    Reached::Asked => RestoreState::Broken,
                    Reached::Begun => RestoreState::UnderWay,
                    Reached::Over => RestoreState::Unknown,
                };
                let failure = self.failure(&error);
                (end, failure)
            }
        };
        self.tell(end);
        let is_in_doubt = match end {
            RestoreState::Failed | RestoreState::Unknown | RestoreState::Broken => true,
            RestoreState::NotBegun => {
                failure.kind == FailureKind::Integrity || failure.kind == FailureKind::NotFound
            }
            RestoreState::Complete | RestoreState::UnderWay => false,
        };
        if is_in_doubt {
            failure.hint = format!("{}; {}", failure.hint, self.way_out(held_at));
        }
        (end, Some(failure))
    }

    fn failure(&self, error: &Error) -> Failure {
        error.failure(Scope::Server, self.server.to_string())
    }

    fn way_out(&self, held_at: &[DestinationName]) -> String {
        let backup = self.job.backup;
        if held_at.is_empty() {
            return format!("the ledger knows of no verified copy of backup {backup} elsewhere");
        }
        let files = match self.files {
            Files::Keep => "",
            Files::Truncate => " --truncate",
        };
        let places: Vec<&str> = held_at.iter().map(DestinationName::as_str).collect();
        format!(
            "the backup is held, verified, at {}: `nestegg restore {backup} --to-panel {} --to-server {}{files}`",
            places.join(", "),
            self.panel.name(),
            self.server,
        )
    }

    /// How it stands with the server.
    fn tell(&mut self, end: RestoreState) {
        let files = match (end, self.files) {
            (RestoreState::NotBegun, _) => "no file of the server was changed",
            (RestoreState::UnderWay, _) => {
                "the node goes on with it; the panel's log of activity will tell how it ended"
            }
            (RestoreState::Failed, Files::Keep) => "some of its files may be written",
            (RestoreState::Failed, Files::Truncate) => {
                "its files are deleted, and some of the archive's may be written"
            }
            (RestoreState::Broken | RestoreState::Unknown, Files::Keep) => {
                "some of its files may be written: look at them in the panel"
            }
            (RestoreState::Broken | RestoreState::Unknown, Files::Truncate) => {
                "its files may be deleted: look at them in the panel"
            }
            (RestoreState::Complete, _) => return,
        };
        self.notes.push(files.to_owned());
        if self.power == ServerPower::LeftStopped {
            self.notes.push(
                "it ran before and was told to stop: start it in the panel once its files are right"
                    .to_owned(),
            );
        }
    }
}

/// Whether the panel itself refused, before anything was asked of the node.
pub(super) const fn is_refusal(error: &panel::Error) -> bool {
    match error {
        panel::Error::KeyRefused { .. }
        | panel::Error::ApplicationKey { .. }
        | panel::Error::AddressNotAllowed { .. }
        | panel::Error::KeyForbidden { .. }
        | panel::Error::TwoFactor { .. }
        | panel::Error::Permission { .. }
        | panel::Error::ServerState { .. }
        | panel::Error::UnknownServer { .. }
        | panel::Error::UnknownBackup { .. }
        | panel::Error::NotCompleted { .. }
        | panel::Error::BackupFailed { .. }
        | panel::Error::NotRestorable { .. }
        | panel::Error::Throttled { .. }
        | panel::Error::RateLimited { .. }
        | panel::Error::Refused { .. }
        | panel::Error::Connect { .. }
        | panel::Error::Certificate { .. } => true,
        panel::Error::BadAddress { .. }
        | panel::Error::UnusableKey { .. }
        | panel::Error::Client { .. }
        | panel::Error::UnusableId { .. }
        | panel::Error::NoApi { .. }
        | panel::Error::Locked { .. }
        | panel::Error::LockStayed { .. }
        | panel::Error::NoLocks { .. }
        | panel::Error::UnknownDisk { .. }
        | panel::Error::NoActivityLog { .. }
        | panel::Error::BackupLimit { .. }
        | panel::Error::NoRoom { .. }
        | panel::Error::Node { .. }
        | panel::Error::NodeRefused { .. }
        | panel::Error::PanelFailed { .. }
        | panel::Error::Maintenance { .. }
        | panel::Error::NotThePanel { .. }
        | panel::Error::Malformed { .. }
        | panel::Error::TooLarge { .. }
        | panel::Error::Endless { .. }
        | panel::Error::Timeout { .. }
        | panel::Error::Broken { .. } => false,
    }
}
