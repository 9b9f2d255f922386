//! Checking one copy: what stands under its keys, against what the ledger says.

use std::cmp::Ordering;

use crate::destination::Destination;
use crate::destination::ObjectStat;
use crate::destination::SidecarRead;
use crate::destination::StoredObject;
use crate::ledger::RecordedCopy;
use crate::model::checksum::ContentDigest;
use crate::model::content::Inspect;
use crate::model::content::VerifiedContent;
use crate::model::finding::ArchiveFinding;
use crate::model::finding::Depth;
use crate::model::finding::Finding;
use crate::model::finding::SidecarFinding;
use crate::model::holding::HeldCopy;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::emptied;
use crate::ops::emptied::Believed;
use crate::transfer::Shared;
use crate::transfer::pump::Nowhere;
use crate::transfer::readback;
use crate::transfer::readback::NotRead;
use crate::transfer::readback::ReadBack;
use crate::transfer::readback::Reading;
use crate::transfer::readback::Whose;

/// A copy is called altered only when so many readings in a row say so: memory and networks err too.
const READINGS: u32 = 2;

/// What one look at a copy showed.
#[derive(Debug)]
pub struct Seen {
    /// What was found.
    pub finding: Finding,
    /// The proof that the archive is held, when it was read to its end; with the digest of its
    /// sidecar, when that is to be believed.
    pub proof: Option<StoredObject>,
    /// Read of the archive, repeated bytes included.
    pub read_bytes: u64,
}

/// Why nothing is known of a copy that was to be checked.
#[derive(Debug)]
pub enum NotSeen {
    /// The run was told to stop.
    Stopped,
    /// It is missing, and its destination is not believed.
    Doubted(Failure),
}

/// Looks at one copy as [`Depth::Quick`] does: what the store says of the archive, and the sidecar.
pub async fn glance(destination: &Destination, recorded: &RecordedCopy) -> Finding {
    let (sidecar, _sha256) = sidecar(destination, recorded).await;
    Finding {
        archive: look(destination, &recorded.copy).await,
        sidecar,
    }
}

/// Checks one copy; `None` when the run was told to stop meanwhile.
pub async fn check(
    destination: &Destination,
    recorded: &RecordedCopy,
    depth: Depth,
    shared: &Shared,
) -> Option<Seen> {
    let looked = async {
        let (sidecar, sidecar_sha256) = sidecar(destination, recorded).await;
        let archive = match depth {
            Depth::Full => read(destination, &recorded.copy, shared).await?,
            Depth::Quick => Looked::at(look(destination, &recorded.copy).await),
        };
        Some((sidecar, sidecar_sha256, archive))
    };
    let (sidecar, sidecar_sha256, archive) = tokio::select! {
        biased;
        () = shared.env.cancel.cancelled() => return None,
        looked = looked => looked?,
    };
    let Looked {
        finding: archive,
        content,
        read_bytes,
    } = archive;
    let proof = content.and_then(|(content, etag)| {
        let proved = destination.read_back(&recorded.copy, &content, etag).ok()?;
        Some(match sidecar_sha256 {
            Some(sha256) => proved.beside_sidecar(sha256),
            None => proved,
        })
    });
    Some(Seen {
        finding: Finding { archive, sidecar },
        proof,
        read_bytes,
    })
}

/// Checks one copy. That it is missing counts only where something else is held, or at a destination that
/// is believed.
///
/// # Errors
/// [`NotSeen`].
pub async fn check_doubting(
    destination: &Destination,
    recorded: &RecordedCopy,
    depth: Depth,
    believed: Believed<'_>,
    shared: &Shared,
) -> Result<Seen, NotSeen> {
    let seen = check(destination, recorded, depth, shared).await;
    let seen = seen.ok_or(NotSeen::Stopped)?;
    if seen.finding.archive != ArchiveFinding::Missing || believed.has(destination.name()) {
        return Ok(seen);
    }
    let doubt = tokio::select! {
        biased;
        () = shared.env.cancel.cancelled() => return Err(NotSeen::Stopped),
        doubt = emptied::doubt(destination) => doubt,
    };
    doubt.map_or(Ok(seen), |failure| Err(NotSeen::Doubted(failure)))
}

/// Compares the sidecar that stands there with its recorded digest; where none is recorded yet, with
/// what the ledger says. The digest is given when the sidecar is right.
async fn sidecar(
    destination: &Destination,
    recorded: &RecordedCopy,
) -> (SidecarFinding, Option<ContentDigest>) {
    let copy = &recorded.copy;
    let before = recorded.sidecar_sha256.as_ref();
    let found = match destination.read_sidecar(copy.server, copy.backup).await {
        Ok(SidecarRead::Missing) => SidecarFinding::Missing,
        Ok(SidecarRead::TooLong) => SidecarFinding::Damaged {
            why: "it is too long to be one".to_owned(),
        },
        Ok(SidecarRead::Damaged { why, .. }) => SidecarFinding::Damaged { why },
        Ok(SidecarRead::Newer { why, sha256 }) => {
            if before == Some(&sha256) {
                return (SidecarFinding::Sound, Some(sha256));
            }
            SidecarFinding::Newer { why }
        }
        Ok(SidecarRead::Whole { sidecar, sha256 }) => match (sidecar.differs_from(copy), before) {
            (None, None) => return (SidecarFinding::Sound, Some(sha256)),
            (None, Some(before)) if *before == sha256 => {
                return (SidecarFinding::Sound, Some(sha256));
            }
            (None, Some(_other)) => SidecarFinding::Altered,
            (Some(field), _) => SidecarFinding::Differs { field },
        },
        Err(error) => {
            let name = destination.name().to_string();
            SidecarFinding::Unread(error.failure(Scope::Destination, name))
        }
    };
    (found, None)
}

/// What was seen of an archive.
struct Looked {
    finding: ArchiveFinding,
    content: Option<(VerifiedContent, Option<String>)>,
    read_bytes: u64,
}

impl Looked {
    const fn at(finding: ArchiveFinding) -> Self {
        Self {
            finding,
            content: None,
            read_bytes: 0,
        }
    }
}

/// What the store says of the archive, when that settles it.
async fn stat(destination: &Destination, copy: &HeldCopy) -> Result<ObjectStat, ArchiveFinding> {
    let found = destination.stat(&copy.key).await.map_err(|error| {
        let name = destination.name().to_string();
        ArchiveFinding::Unread(error.failure(Scope::Destination, name))
    })?;
    let Some(stat) = found else {
        return Err(ArchiveFinding::Missing);
    };
    let bytes = stat.bytes;
    match bytes.cmp(&copy.stored_bytes) {
        Ordering::Less => Err(ArchiveFinding::Truncated { bytes }),
        Ordering::Greater => Err(ArchiveFinding::Longer { bytes }),
        Ordering::Equal => Ok(stat),
    }
}

/// Existence, length and ETag.
async fn look(destination: &Destination, copy: &HeldCopy) -> ArchiveFinding {
    match stat(destination, copy).await {
        Err(settled) => settled,
        Ok(stat) if copy.etag.is_none() || stat.etag == copy.etag => ArchiveFinding::Present,
        Ok(_other_etag) => ArchiveFinding::Changed,
    }
}

/// Reads the stored object to its end; `None` when the run was told to stop.
async fn read(destination: &Destination, copy: &HeldCopy, shared: &Shared) -> Option<Looked> {
    let mut read_bytes = 0;
    let mut why: Option<Failure> = None;
    for reading in 0..=READINGS {
        let etag = match stat(destination, copy).await {
            Ok(stat) => stat.etag,
            Err(finding) => {
                return Some(Looked {
                    read_bytes,
                    ..Looked::at(finding)
                });
            }
        };
        if reading == READINGS {
            break;
        }
        let wanted = Reading {
            copy,
            destination: destination.clone(),
            inspect: Inspect::WhenNeeded,
            part_bytes: readback::PART_BYTES,
        };
        match readback::stored(wanted, async |_stream| Ok(Nowhere), shared).await {
            Ok(ReadBack {
                content,
                read_bytes: more,
                ..
            }) => {
                if why.is_some() {
                    tracing::warn!(
                        key = %copy.key,
                        "a copy at {} read wrong and then right: is a network or this machine's memory at fault?",
                        destination.name()
                    );
                }
                return Some(Looked {
                    finding: ArchiveFinding::Sound,
                    content: Some((content, etag)),
                    read_bytes: read_bytes + more,
                });
            }
            Err(NotRead {
                whose: Whose::Nobody,
                ..
            }) => return None,
            Err(NotRead {
                failure,
                read_bytes: more,
                ..
            }) => {
                read_bytes += more;
                let is_of_the_copy = matches!(
                    failure.kind,
                    FailureKind::Integrity | FailureKind::NotFound | FailureKind::Transfer
                );
                why = Some(after(why, failure));
                if !is_of_the_copy {
                    break;
                }
            }
        }
    }
    let finding = match why {
        Some(failure) if failure.kind != FailureKind::Integrity => ArchiveFinding::Unread(failure),
        Some(_) | None => ArchiveFinding::Altered,
    };
    Some(Looked {
        read_bytes,
        ..Looked::at(finding)
    })
}

/// What readings come to: that the bytes are wrong only when every one of them says so. One that broke
/// off says nothing, whatever came before or after it.
fn after(earlier: Option<Failure>, now: Failure) -> Failure {
    match earlier {
        Some(earlier) if earlier.kind != FailureKind::Integrity => earlier,
        Some(_) | None => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_wrong_only_when_every_reading_says_so() {
        let failure = |kind| Failure {
            scope: Scope::Backup,
            id: String::new(),
            kind,
            message: String::new(),
            hint: String::new(),
        };
        let come_to = |kinds: [FailureKind; READINGS as usize]| {
            let readings = kinds.into_iter().map(failure);
            let come = readings.fold(None, |why, reading| Some(after(why, reading)));
            come.unwrap().kind
        };
        let (wrong, broken_off) = (FailureKind::Integrity, FailureKind::Transfer);
        assert_eq!(come_to([wrong, wrong]), wrong);
        assert_eq!(come_to([wrong, broken_off]), broken_off);
        assert_eq!(come_to([broken_off, wrong]), broken_off);
    }
}
