//! Keeping in the ledger what one look at a copy showed, whichever command looked.

use crate::ledger;
use crate::ledger::DestinationRef;
use crate::ledger::RecordedCopy;
use crate::model::finding::ArchiveFinding;
use crate::model::finding::Finding;
use crate::model::finding::SidecarFinding;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::mirror::book::Book;
use crate::ops::verify::check::Seen;

/// Records what was seen of a copy at the destination of `reference`: that it is proved, that it no longer
/// counts, or what else is to be said of it.
///
/// # Errors
/// The ledger's.
pub async fn seen(
    book: &Book,
    reference: DestinationRef,
    recorded: &RecordedCopy,
    seen: &Seen,
) -> Result<(), ledger::Error> {
    let key = recorded.copy.key.clone();
    let finding = seen.finding.clone();
    if let Some(proof) = seen.proof.clone() {
        return book
            .write(move |ledger, run, now| {
                ledger.record_verified(run, reference, &proof, &finding, now)
            })
            .await;
    }
    if seen.finding.archive.is_lost() {
        let failure = bad_archive(recorded, &finding);
        return book
            .write(move |ledger, run, now| {
                ledger.record_bad_copy(run, reference, &key, &finding, &failure, now)
            })
            .await;
    }
    if is_nothing_new(&finding) {
        return Ok(());
    }
    book.write(move |ledger, run, now| ledger.record_finding(run, reference, &key, &finding, now))
        .await
}

/// A copy that is there as far as was looked: that leaves no mark in the ledger.
fn is_nothing_new(finding: &Finding) -> bool {
    matches!(
        (&finding.archive, &finding.sidecar),
        (
            ArchiveFinding::Present | ArchiveFinding::Sound,
            SidecarFinding::Sound
        )
    )
}

/// Why a copy no longer counts, as the ledger keeps it.
///
/// A copy that is missing may come back with its disk, and be taken over then; what is damaged is
/// not to be believed.
pub(super) fn bad_archive(recorded: &RecordedCopy, finding: &Finding) -> Failure {
    let place = &recorded.copy.destination;
    let said = finding.complaint(recorded.copy.stored_bytes);
    Failure {
        scope: Scope::Backup,
        id: recorded.copy.backup.to_string(),
        kind: match finding.archive {
            ArchiveFinding::Missing => FailureKind::NotFound,
            ArchiveFinding::Sound
            | ArchiveFinding::Present
            | ArchiveFinding::Truncated { .. }
            | ArchiveFinding::Longer { .. }
            | ArchiveFinding::Altered
            | ArchiveFinding::Changed
            | ArchiveFinding::Unread(_) => FailureKind::Integrity,
        },
        message: format!("the copy at `{place}` is bad: {}", said.unwrap_or_default()),
        hint: String::new(),
    }
}
