//! Bringing one archive to its place on a backup disk, under a name that it only gets once it is proved.

use std::path::Path;
use std::sync::Arc;

use crate::destination::Destination;
use crate::destination::SizeHint;
use crate::model::content::Inspect;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::ops::restore::Restore;
use crate::ops::restore::chosen::Chosen;
use crate::ops::restore::disk::NotPlaced;
use crate::ops::restore::source::Restored;
use crate::transfer::pump::UploadSink;
use crate::transfer::readback::PART_BYTES;
use crate::transfer::sink::file::FileSink;
use crate::transfer::sink::file::Occupied;

/// Writes the archive beside its place and renames it there once it is proved. Says why copies before
/// the one that served were of no use.
pub(super) async fn write_file(
    restore: &Restore<'_>,
    chosen: &Chosen,
    path: &Path,
    occupied: Occupied,
) -> Result<Vec<Failure>, NotPlaced> {
    let place = || path.display().to_string();
    let make = async |_: &_, stream| {
        FileSink::begin(path, occupied, stream)
            .await
            .map_err(|error| error.failure(Scope::Destination, place()))
    };
    let Restored {
        back, passed_over, ..
    } = restore
        .read(chosen, PART_BYTES, Inspect::WhenNeeded, make)
        .await
        .map_err(NotPlaced::Missed)?;
    match back.sink.keep(&back.content).await {
        Ok(()) => Ok(passed_over),
        Err(error) => {
            let failure = error.failure(Scope::Destination, place());
            Err(NotPlaced::NotKept(passed_over, failure))
        }
    }
}

/// Uploads the archive; it becomes visible, or takes the place of another, once it is proved. Says as
/// [`write_file`].
pub(super) async fn upload(
    restore: &Restore<'_>,
    chosen: &Chosen,
    bucket: &Destination,
    key: ObjectKey,
) -> Result<Vec<Failure>, NotPlaced> {
    let failed = |error: crate::destination::Error| {
        error.failure(Scope::Destination, bucket.location().to_owned())
    };
    let part_bytes = bucket.part_bytes(SizeHint::Known(chosen.subject.archive_bytes));
    let make = async |_: &_, stream| {
        let journal = Arc::clone(&restore.shared.journal);
        let begun = bucket.begin(key.clone(), stream, part_bytes, journal);
        let upload = begun.await.map_err(failed)?;
        Ok(UploadSink {
            destination: bucket.clone(),
            upload: Box::new(upload),
        })
    };
    let Restored {
        back, passed_over, ..
    } = restore
        .read(chosen, part_bytes, Inspect::WhenNeeded, make)
        .await
        .map_err(NotPlaced::Missed)?;
    let stored = match back.sink.upload.verify(&back.content).await {
        Ok(verified) => verified.commit(restore.shared.env.now()).await,
        Err(error) => Err(error),
    };
    match stored {
        Ok(_stored) => Ok(passed_over),
        Err(error) => Err(NotPlaced::NotKept(passed_over, failed(error))),
    }
}
