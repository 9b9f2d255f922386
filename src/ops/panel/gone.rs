//! One backup deleted from its panel, and seen to be gone.

use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::panel;
use crate::panel::PanelClient;
use crate::report::panel::copies::CopyFound;
use crate::report::panel::copies::CopySeen;

/// How a backup went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// It was deleted.
    Now,
    /// It was gone before it was asked for.
    Before,
}

/// Deletes it and looks at what came of that: a panel's word is not taken for it, and neither is an
/// answer that leaves open what was done.
///
/// # Errors
/// Why it is there still, or why that is not known.
pub async fn delete(
    panel: &PanelClient,
    server: &ServerId,
    backup: &BackupId,
) -> Result<Went, Failure> {
    let asked = panel.delete_backup(server, backup).await;
    let lost = match asked {
        Ok(()) => None,
        // It went between the look and the call; or the first of two tries did it.
        Err(panel::Error::UnknownBackup { .. }) => return Ok(Went::Before),
        Err(error) if error.leaves_open() => Some(error),
        Err(error) => return Err(explained(&error, *backup)),
    };
    match (panel.backup(server, backup).await, lost) {
        (Err(panel::Error::UnknownBackup { .. }), _) => Ok(Went::Now),
        (Ok(_still_there), Some(error)) => Err(explained(&error, *backup)),
        (Ok(_still_there), None) => Err(Failure {
            scope: Scope::Backup,
            id: backup.to_string(),
            kind: FailureKind::Protocol,
            message: "the panel said that it deleted the backup, and lists it still".to_owned(),
            hint: "look into the panel's own log (storage/logs), and run this again".to_owned(),
        }),
        (Err(error), lost) => {
            let what = match &lost {
                Some(lost) => chain(lost),
                None => "the panel said that it deleted the backup".to_owned(),
            };
            let mut failure = error.failure(Scope::Backup, backup.to_string());
            failure.message = format!(
                "{what}, and whether it did is not known: {}",
                failure.message
            );
            Err(failure)
        }
    }
}

/// A refusal, with what it means for the backup.
fn explained(error: &panel::Error, backup: BackupId) -> Failure {
    let mut failure = error.failure(Scope::Backup, backup.to_string());
    if matches!(error, panel::Error::Node { .. }) {
        failure.hint = format!(
            "the panel deletes a backup only together with the archive on the node, so it is there still: {}; then run this again",
            error.hint()
        );
    } else if matches!(error, panel::Error::Locked { .. }) {
        failure.hint = unlock_first(backup);
    }
    failure
}

/// The way out for a locked backup.
pub fn unlock_first(backup: BackupId) -> String {
    format!("if it is really to go, run `nestegg panel unlock {backup}` first")
}

/// Why a backup is not held as it must be: the gravest of what was seen, with all of it in words.
/// `None` when it is held everywhere.
pub fn not_held(backup: BackupId, copies: &[CopySeen]) -> Option<Failure> {
    let missing: Vec<String> = copies
        .iter()
        .filter_map(|copy| {
            let why = copy.found.why_not()?;
            Some(format!("{} ({why})", copy.destination))
        })
        .collect();
    let unread = copies.iter().find_map(|copy| match &copy.found {
        CopyFound::Unread(failure) => Some(failure),
        CopyFound::Held | CopyFound::NotHeld { .. } | CopyFound::Wrong { .. } => None,
    });
    let is_wrong = |copy: &CopySeen| matches!(copy.found, CopyFound::Wrong { .. });
    let (kind, hint) = if copies.is_empty() {
        (
            FailureKind::Policy,
            "no destination is configured: add one and mirror to it, or give --even-if-not-mirrored"
                .to_owned(),
        )
    } else if copies.iter().any(is_wrong) {
        (
            FailureKind::Integrity,
            format!(
                "`nestegg verify --backup {backup} --repair` makes bad copies anew as long as the panel has the backup"
            ),
        )
    } else if let Some(failure) = unread {
        // What is missing there is the place, not what was named.
        let kind = if failure.kind == FailureKind::NotFound {
            FailureKind::Destination
        } else {
            failure.kind
        };
        (kind, failure.hint.clone())
    } else {
        (
            FailureKind::Policy,
            format!("run `nestegg mirror --backup {backup}` first, or give --even-if-not-mirrored"),
        )
    };
    let message = if copies.is_empty() {
        "it is held nowhere".to_owned()
    } else if missing.is_empty() {
        return None;
    } else {
        format!("it is not held, verified, at {}", missing.join(", "))
    };
    Some(Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind,
        message: format!("{message}; it was not deleted"),
        hint,
    })
}
