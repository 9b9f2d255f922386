//! Which copies there are: by the ledger, or by the destinations' own account.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::config::settings::restore::CopiesFrom;
use crate::destination::Destination;
use crate::destination::DestinationSpec;
use crate::destination::Examined;
use crate::destination::FoundCopy;
use crate::destination::RootRule;
use crate::env::StopSignal;
use crate::ledger;
use crate::ledger::CopyFilter;
use crate::ledger::Ledger;
use crate::model::choice::BackupChoice;
use crate::model::choice::Moment;
use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::ServerId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::selector::ServerSelector;
use crate::ops::Error;
use crate::ops::described::Described;
use crate::ops::described::described;
use crate::ops::restore::Restore;
use crate::ops::setup;
use crate::ops::setup::OpenedPlaces;
use crate::plan::restore::is_passed_over;

/// Whose copies are looked for; more may be found.
#[derive(Debug, Clone, Copy)]
pub enum Sought<'a> {
    /// One backup's.
    Backup(BackupId),
    /// Those of the servers that any of these fits; of all when there is none.
    Servers(&'a [ServerSelector]),
}

impl<'a> Sought<'a> {
    /// What a choice looks for.
    pub fn of(choice: &'a BackupChoice) -> Self {
        match choice {
            BackupChoice::Backup(backup) => Self::Backup(*backup),
            BackupChoice::Of { server, .. } => Self::Servers(std::slice::from_ref(server)),
        }
    }

    /// Whether a sidecar has to be read. A backup's uuid may turn out to be a server's, and a word
    /// with the shape of a uuid names no server but that.
    fn may_be(self, server: ServerId, backup: BackupId) -> bool {
        match self {
            Self::Backup(wanted) => backup == wanted || server.to_string() == wanted.to_string(),
            Self::Servers(selectors) => {
                let uuids: Option<BTreeSet<ServerId>> = selectors
                    .iter()
                    .map(|selector| selector.as_str().parse().ok())
                    .collect();
                selectors.is_empty() || uuids.is_none_or(|uuids| uuids.contains(&server))
            }
        }
    }
}

/// The copies that were found, and where they can be read.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The copies.
    pub copies: Vec<HeldCopy>,
    /// The destinations that could be opened.
    pub places: Vec<Destination>,
    /// What should be copies and is of no use.
    pub broken: Vec<BrokenCopy>,
    /// What could not be looked at.
    pub failures: Vec<Failure>,
    /// By whose account.
    pub by: CopiesFrom,
}

/// What should be a copy and is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenCopy {
    /// The server.
    pub server: ServerId,
    /// The server's short id and name, when its sidecar could be read.
    pub called: Option<(String, String)>,
    /// Why it is of no use.
    pub failure: Failure,
}

impl BrokenCopy {
    fn of(place: &Destination, server: ServerId, backup: BackupId, examined: &Examined) -> Self {
        let sidecar = match examined {
            Examined::NoArchive { sidecar } | Examined::OtherLength { sidecar, .. } => {
                Some(&sidecar.server)
            }
            Examined::Whole(_) | Examined::NoSidecar | Examined::BadSidecar { .. } => None,
        };
        Self {
            server,
            called: sidecar.map(|server| (server.identifier.clone(), server.name.clone())),
            failure: broken_copy(place, backup, examined),
        }
    }
}

impl Inventory {
    /// Whether a broken copy may be of what is sought: its server may be called otherwise by all
    /// that is known of it here or in `other`.
    pub fn may_be_sought(
        &self,
        broken: &BrokenCopy,
        sought: Sought<'_>,
        other: &[HeldCopy],
    ) -> bool {
        let Sought::Servers(selectors @ [_, ..]) = sought else {
            return true;
        };
        let is_meant = |identifier: &str, name: &str| {
            let mut selectors = selectors.iter();
            selectors.any(|selector| selector.matches_words(broken.server, identifier, name))
        };
        if let Some((identifier, name)) = &broken.called {
            return is_meant(identifier, name);
        }
        let mut known = self.copies.iter().chain(other);
        match known.find(|copy| copy.server == broken.server) {
            Some(copy) => is_meant(&copy.identifier, &copy.server_name),
            None => true,
        }
    }

    /// Where a copy can be read: the destination at its very place, else the one of its name, which
    /// may have moved.
    pub fn place_of(&self, copy: &HeldCopy) -> Option<&Destination> {
        let mut places = self.places.iter();
        let mut named = self.places.iter();
        places
            .find(|place| place.location() == copy.location)
            .or_else(|| named.find(|place| *place.name() == copy.destination))
    }
}

impl Restore<'_> {
    /// Finds the copies that are sought: in the ledger, unless `--from` names whom to ask instead or
    /// the ledger can't be read.
    ///
    /// # Errors
    /// [`Error::NobodyToAsk`] when the ledger can't be read and there is nobody else to ask;
    /// [`Error::Destination`]; [`Error::Stopped`].
    pub(super) async fn inventory(&self, sought: Sought<'_>) -> Result<Inventory, Error> {
        self.unless_stopped(self.found(sought)).await
    }

    async fn found(&self, sought: Sought<'_>) -> Result<Inventory, Error> {
        let opened = setup::open_what_opens(self.settings, &self.tuning).await?;
        match self.wanted.copies {
            CopiesFrom::Sidecars => Ok(by_sidecars(opened, sought).await),
            CopiesFrom::Ledger => match self.recorded(sought) {
                Ok(copies) => Ok(self.by_ledger(opened, copies).await),
                Err(error) if self.settings.destinations.is_empty() => {
                    Err(Error::NobodyToAsk(error))
                }
                Err(error) => {
                    let mut inventory = by_sidecars(opened, sought).await;
                    inventory.failures.insert(0, self.no_ledger(&error));
                    Ok(inventory)
                }
            },
        }
    }

    /// The same by sidecars alone, for what the ledger turned out not to know.
    pub(super) async fn inventory_of_sidecars(
        &self,
        sought: Sought<'_>,
    ) -> Result<Inventory, Error> {
        self.unless_stopped(async {
            let opened = setup::open_what_opens(self.settings, &self.tuning).await?;
            Ok(by_sidecars(opened, sought).await)
        })
        .await
    }

    /// Does some looking around, unless it is told to stop: nothing is to be tidied up after it.
    async fn unless_stopped<T>(
        &self,
        looking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let env = &self.shared.env;
        tokio::select! {
            biased;
            () = env.cancel.cancelled() => {
                Err(Error::Stopped(env.stopped_by().unwrap_or(StopSignal::Interrupt)))
            }
            found = looking => found,
        }
    }

    fn no_ledger(&self, error: &ledger::Error) -> Failure {
        let failure = Failure {
            scope: Scope::Ledger,
            id: self.settings.ledger.display().to_string(),
            kind: FailureKind::Local,
            message: format!("{}; the copies' sidecars are asked instead", chain(error)),
            hint: "`nestegg ledger rebuild` makes a ledger from them".to_owned(),
        };
        tracing::warn!("{}", failure.message);
        failure
    }

    /// Newer backups than the chosen one that the moment includes and of which every copy is lost by the
    /// ledger's account: why each of these copies can't be used.
    pub(super) fn passed_over(&self, chosen: &HeldCopy, moment: Moment) -> Vec<Failure> {
        let ledger = Ledger::open_read_only(&self.settings.ledger);
        let lost = match ledger.and_then(|ledger| ledger.lost_copies(chosen.server)) {
            Ok(lost) => lost,
            Err(error) => {
                tracing::warn!(
                    "whether copies of newer backups are lost could not be read: {}",
                    chain(&error)
                );
                return Vec::new();
            }
        };
        let zone = self.shared.env.zone();
        lost.iter()
            .filter(|lost| is_passed_over(&lost.copy, chosen, moment, &zone))
            .map(|lost| {
                let why = format!("the ledger records it as lost ({})", lost.why);
                unusable(&lost.copy.destination, lost.copy.backup, &why)
            })
            .collect()
    }

    /// What the ledger records; opened to be read, it waits for nobody.
    fn recorded(&self, sought: Sought<'_>) -> Result<Vec<HeldCopy>, ledger::Error> {
        let ledger = Ledger::open_read_only(&self.settings.ledger)?;
        let servers = ledger.known()?.servers;
        let mut copies = Vec::new();
        for server in servers {
            let is_sought = match sought {
                Sought::Backup(_) | Sought::Servers([]) => true,
                Sought::Servers(selectors) => selectors.iter().any(|selector| {
                    selector.matches_words(server.id, &server.identifier, &server.name)
                }),
            };
            if !is_sought {
                continue;
            }
            let filter = CopyFilter {
                servers: Some(BTreeSet::from([server.id])),
                destinations: None,
            };
            let held = ledger.copies(&filter)?.into_iter();
            copies.extend(held.filter(|copy| match sought {
                Sought::Backup(_) => sought.may_be(copy.server, copy.backup),
                Sought::Servers(_) => true,
            }));
        }
        if copies.is_empty() && matches!(sought, Sought::Servers([_, ..])) {
            // The names that there are help somebody who misspelt one.
            return ledger.copies(&CopyFilter::default());
        }
        Ok(copies)
    }

    /// Copies of the ledger, with what was mirrored by `--to` and stands in no configuration.
    async fn by_ledger(&self, opened: OpenedPlaces, copies: Vec<HeldCopy>) -> Inventory {
        let mut inventory = Inventory {
            copies,
            places: opened.destinations,
            broken: Vec::new(),
            failures: opened.failures,
            by: CopiesFrom::Ledger,
        };
        let mut looked_at = BTreeSet::new();
        let mut found = Vec::new();
        for copy in &inventory.copies {
            let is_new = looked_at.insert(copy.location.clone());
            if is_new
                && inventory.place_of(copy).is_none()
                && let Some(place) = self.as_recorded(copy).await
            {
                found.push(place);
            }
        }
        inventory.places.extend(found);
        inventory
    }

    /// Opens a destination that only the ledger knows, at the very place where it was, with what the
    /// environment says of its store.
    async fn as_recorded(&self, copy: &HeldCopy) -> Option<Destination> {
        let url = copy.location.split('?').next().unwrap_or_default();
        let spec = DestinationSpec {
            name: copy.destination.clone(),
            url: url.to_owned(),
            options: BTreeMap::new(),
            environment: self.settings.environment.clone(),
            root: RootRule::MustExist,
            encrypt_to: Vec::new(),
        };
        match Destination::open(spec, self.tuning.destination).await {
            Ok(place) if place.location() == copy.location => Some(place),
            Ok(_another) => None,
            Err(error) => {
                tracing::info!("{} could not be opened: {}", copy.location, chain(&error));
                None
            }
        }
    }
}

/// What the destinations hold by their own account.
pub(in crate::ops) async fn by_sidecars(opened: OpenedPlaces, sought: Sought<'_>) -> Inventory {
    let mut inventory = Inventory {
        places: opened.destinations,
        failures: opened.failures,
        by: CopiesFrom::Sidecars,
        ..Inventory::default()
    };
    for place in &inventory.places {
        match described(place, |server, backup| sought.may_be(server, backup)).await {
            Ok(found) => {
                let Described {
                    copies,
                    broken,
                    alone: _,
                    failures,
                    unread: _,
                } = found;
                inventory.copies.extend(copies.iter().map(FoundCopy::held));
                for (server, backup, examined) in broken {
                    let broken = BrokenCopy::of(place, server, backup, &examined);
                    inventory.broken.push(broken);
                }
                inventory.failures.extend(failures);
            }
            Err(error) => inventory
                .failures
                .push(error.failure(Scope::Destination, place.name().to_string())),
        }
    }
    inventory
}

/// Why what stands at a destination of a backup is no copy.
pub(in crate::ops) fn broken_copy(
    place: &Destination,
    backup: BackupId,
    examined: &Examined,
) -> Failure {
    let why = match examined {
        Examined::Whole(_) | Examined::NoSidecar => "there is nothing wrong with it".to_owned(),
        Examined::BadSidecar { why } => format!("its sidecar is of no use: {why}"),
        Examined::NoArchive { .. } => "the archive is missing beside its sidecar".to_owned(),
        Examined::OtherLength { sidecar, bytes } => format!(
            "the archive has {bytes} bytes where its sidecar says {}",
            sidecar.stored.bytes
        ),
    };
    unusable(place.name(), backup, &why)
}

/// A copy of a backup, or what should be one, is of no use.
fn unusable(place: &DestinationName, backup: BackupId, why: &str) -> Failure {
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::Integrity,
        message: format!("the copy at {place} can't be used: {why}"),
        hint: "`nestegg verify --repair` makes a new one from another copy, or from the panel"
            .to_owned(),
    }
}
