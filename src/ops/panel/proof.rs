//! Whether a backup is held elsewhere, before the panel's own goes.
//!
//! A ledger's word is where it begins; it is not enough to delete the original. Each destination of the
//! configuration is looked at: archive, length, `ETag` and sidecar must be those recorded, and the
//! copy must be of the very archive that the panel lists. What can't be looked at counts as missing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::future::join_all;

use crate::config::Settings;
use crate::destination::Destination;
use crate::ledger;
use crate::ledger::CopyFilter;
use crate::ledger::Ledger;
use crate::ledger::RecordedCopy;
use crate::model::backup::CompletedBackup;
use crate::model::checksum::Algorithm;
use crate::model::checksum::PanelChecksum;
use crate::model::finding::Standing;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::setup;
use crate::ops::verify::check;
use crate::report::panel::copies::CopyFound;
use crate::report::panel::copies::CopySeen;

/// Every destination of the configuration, and the ledger.
#[derive(Debug)]
pub struct Prover<'s> {
    settings: &'s Settings,
    opened: Vec<Destination>,
    /// Why others could not be opened.
    failures: Vec<Failure>,
}

impl<'s> Prover<'s> {
    /// Opens what can be opened; what can't counts as missing wherever it is looked for.
    ///
    /// # Errors
    /// As [`setup::open_to_read`].
    pub async fn open(settings: &'s Settings, tuning: &Tuning) -> Result<Self, Error> {
        let places = setup::open_to_read(settings, tuning).await?;
        Ok(Self {
            settings,
            opened: places.destinations,
            failures: places.failures,
        })
    }

    /// Destinations that could not be opened, each with why.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// How many destinations the configuration has.
    pub const fn destinations(&self) -> usize {
        self.settings.destinations.len()
    }

    /// Which destinations hold which backups of a server, by the ledger alone; nothing without one.
    ///
    /// # Errors
    /// The ledger's.
    pub fn recorded(
        &self,
        server: ServerId,
    ) -> Result<BTreeMap<BackupId, Vec<DestinationName>>, ledger::Error> {
        let filter = CopyFilter {
            servers: Some(BTreeSet::from([server])),
            destinations: None,
        };
        let copies = read(self.settings, |ledger| ledger.copies(&filter))?.unwrap_or_default();
        let mut held: BTreeMap<BackupId, Vec<DestinationName>> = BTreeMap::new();
        for copy in copies {
            let place = self
                .opened
                .iter()
                .find(|place| place.location() == copy.location);
            if let Some(place) = place {
                let at = held.entry(copy.backup).or_default();
                if !at.contains(place.name()) {
                    at.push(place.name().clone());
                }
            }
        }
        Ok(held)
    }

    /// What the ledger says of one backup at every destination; nothing is looked at.
    ///
    /// # Errors
    /// The ledger's.
    pub fn by_ledger(
        &self,
        server: ServerId,
        backup: &CompletedBackup,
    ) -> Result<Vec<CopySeen>, ledger::Error> {
        let recorded = self.copies_of(server, backup.record.id)?;
        let seen = |name: &DestinationName| {
            self.claim(name, &recorded, backup)
                .map_or_else(|found| found, |_claimed| CopyFound::Held)
        };
        Ok(self.each(seen))
    }

    /// What stands of one backup at every destination, looked at now.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn looked_at(
        &self,
        server: ServerId,
        backup: &CompletedBackup,
    ) -> Result<Vec<CopySeen>, ledger::Error> {
        let recorded = self.copies_of(server, backup.record.id)?;
        let looks = self.settings.destinations.iter().map(async |wanted| {
            let found = match self.claim(&wanted.name, &recorded, backup) {
                Err(found) => found,
                Ok((place, copy)) => look(place, copy).await,
            };
            CopySeen {
                destination: wanted.name.clone(),
                found,
            }
        });
        Ok(join_all(looks).await)
    }

    fn each(&self, found: impl Fn(&DestinationName) -> CopyFound) -> Vec<CopySeen> {
        let names = self.settings.destinations.iter().map(|wanted| &wanted.name);
        names
            .map(|name| CopySeen {
                destination: name.clone(),
                found: found(name),
            })
            .collect()
    }

    /// The copy that the ledger claims to be at a destination, or why it is none.
    fn claim<'a>(
        &'a self,
        name: &DestinationName,
        recorded: &'a [RecordedCopy],
        backup: &CompletedBackup,
    ) -> Result<(&'a Destination, &'a RecordedCopy), CopyFound> {
        let Some(place) = self.opened.iter().find(|place| place.name() == name) else {
            let id = name.to_string();
            let failure = self.failures.iter().find(|failure| failure.id == id);
            return Err(failure.map_or(
                CopyFound::NotHeld {
                    why: "it could not be opened",
                },
                |failure| CopyFound::Unread(failure.clone()),
            ));
        };
        let copy = recorded
            .iter()
            .find(|copy| copy.copy.location == place.location());
        match copy {
            None => Err(CopyFound::NotHeld {
                why: "the ledger knows of no copy there",
            }),
            Some(copy) if copy.standing == Standing::Lost => Err(CopyFound::NotHeld {
                why: "its copy there was found damaged or missing",
            }),
            Some(copy) => match differs(&copy.copy, backup) {
                Some(why) => Err(CopyFound::Wrong { why }),
                None => Ok((place, copy)),
            },
        }
    }

    fn copies_of(
        &self,
        server: ServerId,
        backup: BackupId,
    ) -> Result<Vec<RecordedCopy>, ledger::Error> {
        let copies = read(self.settings, |ledger| {
            ledger.recorded_copies_of(server, backup)
        })?;
        Ok(copies.unwrap_or_default())
    }
}

/// Asks the ledger as it is now; `None` when there is none.
///
/// # Errors
/// The ledger's.
pub fn read<T>(
    settings: &Settings,
    ask: impl FnOnce(&Ledger) -> Result<T, ledger::Error>,
) -> Result<Option<T>, ledger::Error> {
    match Ledger::open_read_only(&settings.ledger) {
        Ok(ledger) => ask(&ledger).map(Some),
        Err(ledger::Error::NoLedger { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a copy is not of the archive that the panel lists: a panel's archive can be written over, and
/// its row then speaks of another one (`panel-contract.md` section 7).
fn differs(copy: &HeldCopy, backup: &CompletedBackup) -> Option<String> {
    match &backup.checksum {
        // No digest of the archive, and maybe not its length either.
        PanelChecksum::Opaque { .. } => return None,
        PanelChecksum::Digest(digest) => {
            // A panel may come to speak of another algorithm; then only a SHA-256 can be compared.
            let same_kind = |text: &&String| {
                text.split_once(':')
                    .is_some_and(|(kind, _)| kind == digest.algorithm().name())
            };
            let recorded = match digest.algorithm() {
                Algorithm::Sha256 => Some(copy.sha256.to_string()),
                Algorithm::Sha1 | Algorithm::Sha512 => {
                    copy.panel_checksum.as_ref().filter(same_kind).cloned()
                }
            };
            if recorded.is_some_and(|recorded| recorded != digest.to_string()) {
                return Some(
                    "the panel gives another checksum now than when it was copied".to_owned(),
                );
            }
        }
        PanelChecksum::Absent | PanelChecksum::Malformed(_) => {}
    }
    (copy.archive_bytes != backup.archive_bytes).then(|| {
        format!(
            "the panel says {} bytes, and the copy's archive has {}",
            backup.archive_bytes, copy.archive_bytes
        )
    })
}

async fn look(place: &Destination, recorded: &RecordedCopy) -> CopyFound {
    let finding = check::glance(place, recorded).await;
    if let Some(why) = finding.complaint(recorded.copy.stored_bytes) {
        CopyFound::Wrong { why }
    } else if let Some(failure) = finding.unread() {
        CopyFound::Unread(failure.clone())
    } else {
        CopyFound::Held
    }
}
