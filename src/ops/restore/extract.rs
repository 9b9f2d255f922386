//! `restore --extract`: the members of an archive into a directory.

use crate::config::settings::restore::Existing;
use crate::config::settings::restore::ExtractJob;
use crate::model::content::Inspect;
use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;
use crate::ops::Error;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::Found;
use crate::ops::restore::source::Candidate;
use crate::ops::restore::source::NotRestored;
use crate::ops::restore::source::Restored;
use crate::ops::restore::source::first_that_proves;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreReport;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoreTarget;
use crate::report::restore::RestoredBackup;
use crate::report::restore::TargetKind;
use crate::transfer::Shared;
use crate::transfer::extract::ExtractSink;
use crate::transfer::extract::Extracted;
use crate::transfer::extract::Overwrite;
use crate::transfer::extract::Target;
use crate::transfer::readback::PART_BYTES;
use crate::transfer::readback::Whose;
use crate::transfer::unseal::Identities;

/// Extracts one archive into a directory.
///
/// # Errors
/// [`Error::Extract`] when the directory may not be extracted into; those of [`Restore::choose`].
pub async fn restore(restore: &Restore<'_>, job: &ExtractJob) -> Result<RestoreReport, Error> {
    let started_at = restore.shared.env.now();
    let target = Target {
        directory: job.folder.clone(),
        overwrite: match job.existing {
            Existing::Keep => Overwrite::Never,
            Existing::Replace => Overwrite::Files,
        },
        include: job.include.clone(),
    };
    ExtractSink::look(&target)?;
    let Found {
        found: chosen,
        errors,
    } = restore.choose(&job.choice).await?;
    let bytes = chosen.subject.stored_bytes;
    restore.shared.observer.planned(1, bytes);
    let unpacked = extract(
        &target,
        &chosen.candidates,
        &restore.identities,
        &restore.shared,
    )
    .await;
    let backup = match unpacked {
        Ok(unpacked) => {
            let notes = notes(&unpacked.extracted);
            let backup = chosen.restored(&unpacked.passed_over, notes);
            if unpacked.extracted.is_whole() {
                backup
            } else {
                RestoredBackup {
                    state: RestoreState::InPart,
                    ..backup
                }
            }
        }
        Err(missed) => chosen.missed(&missed),
    };
    Ok(RestoreReport {
        started_at,
        finished_at: restore.shared.env.now(),
        target: RestoreTarget {
            kind: TargetKind::Folder,
            place: job.folder.display().to_string(),
        },
        ended: restore.ended(backup.state),
        backups: vec![backup],
        errors,
        coverage: Coverage::Whole,
    })
}

/// What there is to know of an extraction besides that it was made.
fn notes(extracted: &Extracted) -> Vec<String> {
    let mut notes: Vec<String> = extracted
        .unmatched
        .iter()
        .map(|glob| format!("no member matches `{glob}`"))
        .collect();
    notes.extend(
        extracted
            .left_out
            .iter()
            .map(|left| format!("left out: `{}`, as {}", left.member, left.why.as_str())),
    );
    let named = extracted.left_out.len() as u64;
    let more = (extracted.left_out_by_kind + extracted.left_out_wanted).saturating_sub(named);
    if more > 0 {
        notes.push(format!("{more} more members were left out"));
    }
    notes
}

/// An archive that was extracted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// What was made.
    pub extracted: Extracted,
    /// Where the copy is held that it came from.
    pub from: DestinationName,
    /// Read from there, repeated bytes included.
    pub read_bytes: u64,
    /// Why the copies before it were of no use.
    pub passed_over: Vec<Failure>,
}

/// Extracts the archive of the first candidate that proves right. The directory gets nothing before the
/// digest held, and nothing at all of an archive with a member that must not be made.
///
/// # Errors
/// [`NotRestored`]: nothing is in place, unless the directory held something before and the last step,
/// moving files into it, was cut short; running it again finishes that.
pub async fn extract(
    target: &Target,
    candidates: &[Candidate],
    identities: &Identities,
    shared: &Shared,
) -> Result<Unpacked, NotRestored> {
    let restored = first_that_proves(
        candidates,
        identities,
        PART_BYTES,
        Inspect::WhenNeeded,
        async |copy, stream| {
            ExtractSink::begin(target.clone(), copy, stream)
                .await
                .map_err(|error| error.failure(copy.backup, &target.directory))
        },
        shared,
    )
    .await?;
    let Restored {
        from,
        back,
        passed_over,
    } = restored;
    match back.sink.finish(&back.content).await {
        Ok(extracted) => Ok(Unpacked {
            extracted,
            from: from.destination.name().clone(),
            read_bytes: back.read_bytes,
            passed_over,
        }),
        Err(error) => {
            let mut failures = passed_over;
            failures.push(error.failure(from.copy.backup, &target.directory));
            Err(NotRestored {
                failures,
                whose: Whose::Sink,
            })
        }
    }
}
