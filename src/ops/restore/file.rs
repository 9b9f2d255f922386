//! `restore --output`: the archive as one file, or on standard output.

use std::io::Write;
use std::path::Path;

use crate::config::settings::restore::Existing;
use crate::config::settings::restore::OutputJob;
use crate::config::settings::restore::OutputTo;
use crate::env::StopSignal;
use crate::model::content::Inspect;
use crate::model::outcome::Ended;
use crate::model::outcome::Scope;
use crate::ops::Error;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::Chosen;
use crate::ops::restore::chosen::Found;
use crate::ops::restore::source::Restored;
use crate::report::restore::Coverage;
use crate::report::restore::RestoreReport;
use crate::report::restore::RestoreState;
use crate::report::restore::RestoreTarget;
use crate::report::restore::RestoredBackup;
use crate::report::restore::TargetKind;
use crate::transfer::readback::PART_BYTES;
use crate::transfer::sink::file::FileSink;
use crate::transfer::sink::file::Occupied;
use crate::transfer::sink::stream::OpenStream;

/// What standard output is called.
const STDOUT: &str = "standard output";

/// Restores one archive to a file or to `stdout`.
///
/// # Errors
/// [`Error::Output`] when the file can't be made; those of [`Restore::choose`].
pub async fn restore(
    restore: &Restore<'_>,
    job: &OutputJob,
    stdout: Box<dyn Write + Send>,
) -> Result<RestoreReport, Error> {
    let started_at = restore.shared.env.now();
    let occupied = match job.existing {
        Existing::Keep => Occupied::Refuse,
        Existing::Replace => Occupied::Replace,
    };
    if let OutputTo::File(path) = &job.to {
        FileSink::look(path, occupied)?;
    }
    let Found { found, errors } = restore.choose(&job.choice).await?;
    let bytes = found.subject.stored_bytes;
    restore.shared.observer.planned(1, bytes);
    let (target, backup) = match &job.to {
        OutputTo::File(path) => (
            RestoreTarget {
                kind: TargetKind::File,
                place: path.display().to_string(),
            },
            to_file(restore, &found, path, occupied).await,
        ),
        OutputTo::Stdout => (
            RestoreTarget {
                kind: TargetKind::Stdout,
                place: "-".to_owned(),
            },
            to_stream(restore, &found, OpenStream::new(stdout, STDOUT)).await,
        ),
    };
    Ok(RestoreReport {
        started_at,
        finished_at: restore.shared.env.now(),
        target,
        ended: restore.ended(backup.state),
        backups: vec![backup],
        errors,
        coverage: Coverage::Whole,
    })
}

impl Restore<'_> {
    /// How a restore whose last backup came to this ended: one that was told to stop too late to
    /// matter is a whole one.
    pub(super) fn ended(&self, last: RestoreState) -> Ended {
        match (last, self.shared.env.stopped_by()) {
            (RestoreState::NotReached, Some(StopSignal::Interrupt)) => Ended::BySigint,
            (RestoreState::NotReached, Some(StopSignal::Terminate)) => Ended::BySigterm,
            (_, _) => Ended::InFull,
        }
    }
}

async fn to_file(
    restore: &Restore<'_>,
    chosen: &Chosen,
    path: &Path,
    occupied: Occupied,
) -> RestoredBackup {
    let place = || path.display().to_string();
    let make = async |_: &_, stream| {
        FileSink::begin(path, occupied, stream)
            .await
            .map_err(|error| error.failure(Scope::Destination, place()))
    };
    let read = restore
        .read(chosen, PART_BYTES, Inspect::WhenNeeded, make)
        .await;
    match read {
        Ok(Restored {
            from: _,
            back,
            passed_over,
        }) => match back.sink.keep(&back.content).await {
            Ok(()) => chosen.restored(&passed_over, Vec::new()),
            Err(error) => {
                let failure = error.failure(Scope::Destination, place());
                chosen.not_kept(&passed_over, failure)
            }
        },
        Err(missed) => chosen.missed(&missed),
    }
}

async fn to_stream(restore: &Restore<'_>, chosen: &Chosen, stream: OpenStream) -> RestoredBackup {
    let make = async |_: &_, id| Ok(stream.begin(id));
    let read = restore
        .read(chosen, PART_BYTES, Inspect::WhenNeeded, make)
        .await;
    match read {
        Ok(Restored {
            from: _,
            back,
            passed_over,
        }) => match back.sink.finish(&back.content).await {
            Ok(()) => chosen.restored(&passed_over, Vec::new()),
            Err(error) => chosen.not_kept(&passed_over, error.failure(STDOUT)),
        },
        Err(missed) => {
            let mut backup = chosen.missed(&missed);
            let written_bytes = stream.written_bytes();
            if written_bytes > 0 {
                backup.notes.push(format!(
                    "{written_bytes} bytes are on standard output that were not proved: they must not be used"
                ));
            }
            backup
        }
    }
}
