//! `restore --sheet`: what to recreate of a server, from its newest sidecar.

use std::cmp::Reverse;

use crate::config::settings::restore::SheetJob;
use crate::destination::Examined;
use crate::model::holding::HeldCopy;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::sidecar::Sidecar;
use crate::ops::Error;
use crate::ops::restore::Restore;
use crate::ops::restore::inventory::Inventory;
use crate::ops::restore::inventory::Sought;
use crate::ops::restore::inventory::broken_copy;
use crate::plan;
use crate::plan::restore::NoChoice;
use crate::report::restore::SheetReport;

/// Reads sidecars of the server, newest backup first, until one can be used; archives are not read.
///
/// # Errors
/// [`Error::Choice`], [`Error::NothingUsable`]; those of [`Restore::inventory`].
pub async fn sheet(restore: &Restore<'_>, job: &SheetJob) -> Result<SheetReport, Error> {
    let sought = Sought::Servers(std::slice::from_ref(&job.server));
    let pick = |inventory: &Inventory| {
        let server = plan::restore::one_server(&inventory.copies, &job.server)?;
        let of_it = inventory.copies.iter().filter(|copy| copy.server == server);
        let mut copies: Vec<HeldCopy> = of_it.cloned().collect();
        copies.sort_by_key(|copy| Reverse((copy.completed_at, copy.mirrored_at)));
        Ok(copies)
    };
    let (copies, inventory) = restore.pick(sought, pick).await?;
    let mut errors = inventory.failures.clone();
    let of = copies.first().map(|copy| copy.server);
    let broken = inventory.broken.iter();
    let broken = broken.filter(|broken| Some(broken.server) == of);
    errors.extend(broken.map(|broken| broken.failure.clone()));
    for copy in &copies {
        let Some(place) = inventory.place_of(copy) else {
            continue;
        };
        match place.examine(copy.server, copy.backup).await {
            Ok(Examined::Whole(found)) => {
                return Ok(report(restore, copy, found.sidecar, errors));
            }
            // The archive is not what is asked for here.
            Ok(Examined::NoArchive { sidecar } | Examined::OtherLength { sidecar, .. }) => {
                return Ok(report(restore, copy, *sidecar, errors));
            }
            Ok(broken @ (Examined::BadSidecar { .. } | Examined::NoSidecar)) => {
                errors.push(broken_copy(place, copy.backup, &broken));
            }
            Err(error) => {
                errors.push(error.failure(Scope::Destination, place.name().to_string()));
            }
        }
    }
    Err(Error::NothingUsable {
        source: NoChoice::NothingHeld,
        failures: errors,
    })
}

fn report(
    restore: &Restore<'_>,
    copy: &HeldCopy,
    sidecar: Sidecar,
    errors: Vec<Failure>,
) -> SheetReport {
    SheetReport {
        at: restore.shared.env.now(),
        destination: copy.destination.clone(),
        sidecar: Box::new(sidecar),
        errors,
    }
}
