//! Why no archive came of a transfer, in words for the operator.

use crate::model::content::Mismatch;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::transfer::pump::Stopped;

/// How the message of a failed verification begins.
pub const NOTHING_KEPT: &str = "nothing was kept: ";

/// The run was told to stop.
pub(super) fn interrupted(backup: BackupId) -> Failure {
    stopped_failure(backup, &Stopped::Interrupted)
}

/// What came is not what was expected.
pub(super) fn mismatch_failure(backup: BackupId, mismatch: &Mismatch) -> Failure {
    let hint = match mismatch {
        Mismatch::Length { .. } | Mismatch::Structure { .. } => {
            "the archive is damaged where the panel keeps it, or its node is still writing it: \
             make a fresh backup, and check the node's disk"
        }
        Mismatch::Digest { .. } => {
            "the archive is not the one the panel recorded: make a fresh backup, and check the node's disk; \
             if this panel's checksums are known to be wrong, set `checksum = \"structure\"` for it"
        }
    };
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Integrity,
        message: format!("{NOTHING_KEPT}{mismatch}"),
        hint: hint.to_owned(),
    }
}

/// It did not come to its end.
pub(super) fn stopped_failure(backup: BackupId, stopped: &Stopped) -> Failure {
    let (kind, hint) = match stopped {
        Stopped::Source(error) => (error.kind(), error.hint()),
        Stopped::TooLong { .. } | Stopped::WrongLength { .. } => (
            FailureKind::Integrity,
            "the archive is damaged where the panel keeps it, or its node is still writing it: \
             make a fresh backup, and check the node's disk"
                .to_owned(),
        ),
        Stopped::Worker(_) => (FailureKind::Local, String::new()),
        Stopped::NoDestinationLeft => (FailureKind::Destination, String::new()),
        Stopped::Interrupted => (FailureKind::Interrupted, "run it again".to_owned()),
    };
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind,
        message: chain(stopped),
        hint,
    }
}
