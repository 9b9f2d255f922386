//! What is said of copies that are not as they should be: what is wrong, and what can be done.

use std::collections::BTreeSet;

use crate::model::finding::ArchiveFinding;
use crate::model::finding::CheckedCopy;
use crate::model::finding::Repair;
use crate::model::finding::SidecarFinding;
use crate::model::holding::PanelPresence;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;

/// Leaves out of where else a backup is held what the same run found bad there.
pub fn settle(copies: &mut [CheckedCopy]) {
    let lost: BTreeSet<(BackupId, DestinationName)> = copies
        .iter()
        .filter(|copy| copy.is_left_bad() && copy.finding.archive.is_lost())
        .map(|copy| (copy.backup, copy.destination.clone()))
        .collect();
    for copy in copies {
        let backup = copy.backup;
        copy.elsewhere
            .retain(|place| !lost.contains(&(backup, place.clone())));
    }
}

/// Adds what is to be said of each copy that is bad or could not be read; what is about a destination
/// as a whole is said once.
pub fn tell(copies: &[CheckedCopy], errors: &mut Vec<Failure>) {
    for copy in copies {
        if copy.is_left_bad() {
            errors.push(bad(copy));
        } else if let Some(failure) = copy.finding.unread() {
            let failure = match failure.scope {
                Scope::Destination => failure.clone(),
                Scope::Panel | Scope::Server | Scope::Backup | Scope::Ledger => Failure {
                    scope: Scope::Backup,
                    id: copy.backup.to_string(),
                    ..failure.clone()
                },
            };
            if !errors.contains(&failure) {
                errors.push(failure);
            }
        }
    }
}

fn bad(copy: &CheckedCopy) -> Failure {
    let place = &copy.destination;
    let complaint = copy.finding.complaint(copy.stored_bytes);
    let mut message = format!(
        "the copy at {place} is bad: {}",
        complaint.unwrap_or_default()
    );
    if let Repair::Impossible { why } = &copy.repair {
        message.push_str("; it could not be repaired: ");
        message.push_str(&why.join("; "));
    }
    Failure {
        scope: Scope::Backup,
        id: copy.backup.to_string(),
        kind: FailureKind::Integrity,
        message,
        hint: hint(copy),
    }
}

/// What can still be restored from where, and what to do.
fn hint(copy: &CheckedCopy) -> String {
    let here = !copy.finding.archive.is_lost();
    let listed = copy.on_panel == PanelPresence::Listed;
    let mut sources: Vec<String> = copy
        .elsewhere
        .iter()
        .map(DestinationName::to_string)
        .collect();
    let itself = match copy.finding.archive {
        ArchiveFinding::Sound => Some("its archive is right"),
        ArchiveFinding::Present | ArchiveFinding::Changed | ArchiveFinding::Unread(_) => {
            Some("its archive was not read")
        }
        ArchiveFinding::Missing
        | ArchiveFinding::Truncated { .. }
        | ArchiveFinding::Longer { .. }
        | ArchiveFinding::Altered => None,
    };
    if let Some(why) = itself {
        sources.push(format!("{} itself ({why})", copy.destination));
    }
    let can = match (sources.as_slice(), listed) {
        ([], true) => {
            "no other copy is recorded, and the panel still listed the backup when it was last asked"
                .to_owned()
        }
        ([], false) => {
            "no other copy is recorded, and the panel no longer lists the backup: it is lost".to_owned()
        }
        (sources, true) => format!(
            "the backup can be restored from {}, and the panel still listed it when it was last asked",
            sources.join(", ")
        ),
        (sources, false) => format!("the backup can be restored from {}", sources.join(", ")),
    };
    let todo = match (&copy.repair, &copy.finding.sidecar) {
        (_, SidecarFinding::Newer { .. }) => {
            "; upgrade nestegg, or, if nothing newer ever wrote there, remove the sidecar and run it again"
        }
        (Repair::NotTried, _) if here || listed || !copy.elsewhere.is_empty() => {
            "; `nestegg verify --repair` makes it anew"
        }
        (
            Repair::NotTried
            | Repair::CopyMade { .. }
            | Repair::SidecarWritten { .. }
            | Repair::NotNeeded
            | Repair::Impossible { .. },
            _,
        ) => "; check the disk or store behind it",
    };
    format!("{can}{todo}")
}
