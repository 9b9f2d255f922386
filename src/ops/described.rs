//! What a destination holds by its own account: its sidecars, without any ledger.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;

use crate::destination::Destination;
use crate::destination::Error;
use crate::destination::Examined;
use crate::destination::FoundCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;

/// How many sidecars are read at the same time.
const AT_ONCE: usize = 16;

/// Everything below a destination's root that follows its layout; of each copy, what was to be kept.
#[derive(Debug)]
pub struct Described<C = FoundCopy> {
    /// Copies with a valid sidecar and an archive of the right length, by server and backup.
    pub copies: Vec<C>,
    /// Backups whose sidecar or archive is not what it should be.
    pub broken: Vec<(ServerId, BackupId, Examined)>,
    /// Archives that no sidecar describes: never finished, half removed, or replaced by an encrypted one.
    pub alone: Vec<(ObjectKey, u64)>,
    /// Sidecars that could not be read.
    pub failures: Vec<Failure>,
    /// The backups of `failures`, in the same order.
    pub unread: Vec<(ServerId, BackupId)>,
}

/// Lists a destination and reads the sidecars that `is_wanted` takes; no archive is read.
///
/// # Errors
/// What kept the destination from being listed.
pub async fn described(
    destination: &Destination,
    is_wanted: impl Fn(ServerId, BackupId) -> bool,
) -> Result<Described, Error> {
    described_in_short(destination, is_wanted, |found| found).await
}

/// As [`described`], keeping of each copy only what `keep` makes of it: sidecars are long, and there
/// may be very many.
///
/// # Errors
/// What kept the destination from being listed.
pub async fn described_in_short<C>(
    destination: &Destination,
    is_wanted: impl Fn(ServerId, BackupId) -> bool,
    keep: impl Fn(FoundCopy) -> C,
) -> Result<Described<C>, Error> {
    let mut listing = destination.list();
    let mut sidecars = Vec::new();
    let mut archives: BTreeMap<(ServerId, BackupId), Vec<(ObjectKey, u64)>> = BTreeMap::new();
    while let Some(object) = listing.try_next().await? {
        let of = (object.key.server(), object.key.backup());
        if !is_wanted(of.0, of.1) {
            continue;
        }
        match object.key.kind() {
            ObjectKind::Sidecar => sidecars.push(of),
            ObjectKind::Archive | ObjectKind::EncryptedArchive => archives
                .entry(of)
                .or_default()
                .push((object.key, object.bytes)),
        }
    }
    sidecars.sort_unstable();
    let mut beside = BTreeMap::new();
    for of in &sidecars {
        if let Some(found) = archives.remove(of) {
            beside.insert(*of, found);
        }
    }
    let mut described = Described {
        copies: Vec::new(),
        broken: Vec::new(),
        alone: archives.into_values().flatten().collect(),
        failures: Vec::new(),
        unread: Vec::new(),
    };
    let mut examined = stream::iter(sidecars)
        .map(async |(server, backup)| (server, backup, destination.examine(server, backup).await))
        .buffered(AT_ONCE);
    while let Some((server, backup, examined)) = examined.next().await {
        match examined {
            Ok(Examined::Whole(found)) => {
                // Made before the destination was told to encrypt, or no longer to.
                let others = beside.remove(&(server, backup)).unwrap_or_default();
                let others = others.into_iter();
                described
                    .alone
                    .extend(others.filter(|(key, _)| key != found.stored.key()));
                described.copies.push(keep(*found));
            }
            // Removed since it was listed.
            Ok(Examined::NoSidecar) => {}
            Ok(broken) => described.broken.push((server, backup, broken)),
            Err(error) => {
                let failure = error.failure(Scope::Backup, backup.to_string());
                described.failures.push(failure);
                described.unread.push((server, backup));
            }
        }
    }
    Ok(described)
}
