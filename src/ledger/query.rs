//! What the ledger answers.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::OptionalExtension as _;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::ledger::Ledger;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::rows;
use crate::model::backup::LockState;
use crate::model::checksum::ContentDigest;
use crate::model::checksum::Verdict;
use crate::model::content::Structure;
use crate::model::holding::DestinationHolding;
use crate::model::holding::HeldCopy;
use crate::model::holding::MissingCopy;
use crate::model::holding::PanelPresence;
use crate::model::holding::ServerHolding;
use crate::model::ids::BackupId;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::sidecar::Encryption;

/// What is recorded of one verified copy, as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFacts {
    /// The archive's key below the destination's root.
    pub key: ObjectKey,
    /// The archive's length.
    pub archive_bytes: u64,
    /// The archive's SHA-256.
    pub sha256: ContentDigest,
    /// The stored object's length; differs when encrypted.
    pub stored_bytes: u64,
    /// The stored object's SHA-256.
    pub stored_sha256: ContentDigest,
    /// The panel's digest of the archive when the copy was made.
    pub panel_checksum: Option<ContentDigest>,
    /// What was proved.
    pub verdict: Verdict,
    /// What the walk over the archive found, unless inspection was off.
    pub structure: Option<Structure>,
    /// The store's entity tag, where it gave one.
    pub etag: Option<String>,
    /// How the stored object is encrypted, if it is.
    pub encryption: Option<Encryption>,
}

/// Which servers and copies are asked for; `None` asks for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyFilter {
    /// Only these servers.
    pub servers: Option<BTreeSet<ServerId>>,
    /// Only destinations of these names: the names they were last used under.
    pub destinations: Option<BTreeSet<DestinationName>>,
}

impl CopyFilter {
    pub(super) fn takes_server(&self, server: ServerId) -> bool {
        let servers = self.servers.as_ref();
        servers.is_none_or(|servers| servers.contains(&server))
    }

    pub(super) fn takes_destination(&self, name: &DestinationName) -> bool {
        let destinations = self.destinations.as_ref();
        destinations.is_none_or(|destinations| destinations.contains(name))
    }
}

/// What the ledger has a record of, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The panels.
    pub panels: BTreeSet<PanelName>,
    /// The servers.
    pub servers: Vec<KnownServer>,
    /// The destinations, by the names they were last used under.
    pub destinations: BTreeSet<DestinationName>,
}

/// A server by all that it may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownServer {
    /// Its panel.
    pub panel: PanelName,
    /// Its uuid.
    pub id: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name when last seen.
    pub name: String,
}

/// The copies of one server at one destination: by its backups, however many copies there are in all.
pub(super) const HELD: &str = "SELECT b.uuid, c.key, c.archive_bytes, c.archive_sha256, c.stored_bytes,
        c.stored_sha256, c.panel_checksum, c.verdict, c.entries, c.unpacked_bytes, c.etag, c.encryption
   FROM backups b
  CROSS JOIN copies c ON c.backup_id = b.id AND c.destination_id = ?2
  WHERE b.server_id = (SELECT id FROM servers WHERE uuid = ?1)
    AND c.state = 'verified'";
/// The same, of those that were found damaged.
pub(super) const DAMAGED: &str = "SELECT b.uuid
   FROM backups b
  CROSS JOIN copies c ON c.backup_id = b.id AND c.destination_id = ?2
  WHERE b.server_id = (SELECT id FROM servers WHERE uuid = ?1)
    AND c.state <> 'verified' AND c.is_distrusted = 1";

impl Ledger {
    /// The verified copies of one server at one destination, vanished backups' included.
    ///
    /// # Errors
    /// Those of reading.
    pub fn held(
        &self,
        server: ServerId,
        destination: DestinationRef,
    ) -> Result<BTreeMap<BackupId, HeldFacts>, Error> {
        self.read("read what is held", |tx| {
            let mut statement = tx.prepare_cached(HELD)?;
            let held = statement.query_map(params![server.to_string(), destination.0], |row| {
                let facts = HeldFacts {
                    key: rows::key(row, 1)?,
                    archive_bytes: rows::bytes(row, 2)?,
                    sha256: rows::sha256(row, 3)?,
                    stored_bytes: rows::bytes(row, 4)?,
                    stored_sha256: rows::sha256(row, 5)?,
                    panel_checksum: rows::parsed_if_any(row, 6)?,
                    verdict: rows::parsed(row, 7)?,
                    structure: rows::structure(row, 8)?,
                    etag: row.get(10)?,
                    encryption: rows::encryption(row, 11)?,
                };
                Ok((rows::parsed(row, 0)?, facts))
            })?;
            Ok(held.collect::<Result<_, _>>()?)
        })
    }

    /// The backups of a server whose copy at one destination was held once and then found damaged:
    /// what is there under their keys is not to be believed.
    ///
    /// # Errors
    /// Those of reading.
    pub fn damaged(
        &self,
        server: ServerId,
        destination: DestinationRef,
    ) -> Result<BTreeSet<BackupId>, Error> {
        self.read("read what was found damaged", |tx| {
            let mut statement = tx.prepare_cached(DAMAGED)?;
            let damaged = statement
                .query_map(params![server.to_string(), destination.0], |row| {
                    rows::parsed(row, 0)
                })?;
            Ok(damaged.collect::<Result<_, _>>()?)
        })
    }

    /// As [`Self::damaged`], of all servers, at the destination of a location.
    ///
    /// # Errors
    /// Those of reading.
    pub fn damaged_at(&self, location: &str) -> Result<BTreeSet<(ServerId, BackupId)>, Error> {
        self.read("read what was found damaged", |tx| {
            let mut statement = tx.prepare_cached(
                "SELECT s.uuid, b.uuid
                   FROM copies c
                   JOIN destinations d ON d.id = c.destination_id AND d.location = ?1
                   JOIN backups b ON b.id = c.backup_id
                   JOIN servers s ON s.id = b.server_id
                  WHERE c.state <> 'verified' AND c.is_distrusted = 1",
            )?;
            let damaged = statement.query_map([location], |row| {
                Ok((rows::parsed(row, 0)?, rows::parsed(row, 1)?))
            })?;
            Ok(damaged.collect::<Result<_, _>>()?)
        })
    }

    /// The newest verified copy at a destination, to tell whether it is still the same place.
    ///
    /// # Errors
    /// Those of reading.
    pub fn sample(
        &self,
        destination: DestinationRef,
    ) -> Result<Option<(ServerId, BackupId)>, Error> {
        self.read("read a copy to look for", |tx| {
            Ok(tx
                .prepare_cached(
                    "SELECT s.uuid, b.uuid
                       FROM copies c JOIN backups b ON b.id = c.backup_id JOIN servers s ON s.id = b.server_id
                      WHERE c.destination_id = ?1 AND c.state = 'verified'
                      ORDER BY c.id DESC LIMIT 1",
                )?
                .query_row([destination.0], |row| {
                    Ok((rows::parsed(row, 0)?, rows::parsed(row, 1)?))
                })
                .optional()?)
        })
    }

    /// Everything that has a name here.
    ///
    /// # Errors
    /// Those of reading.
    pub fn known(&self) -> Result<Known, Error> {
        self.read("read what is recorded", |tx| {
            let mut statement = tx.prepare_cached("SELECT name FROM panels")?;
            let panels = statement.query_map([], |row| rows::parsed(row, 0))?;
            let all = CopyFilter::default();
            let servers = chosen_servers(tx, &all)?.into_iter();
            Ok(Known {
                panels: panels.collect::<Result<_, _>>()?,
                servers: servers
                    .map(|(_, server)| KnownServer {
                        panel: server.panel,
                        id: server.server,
                        identifier: server.identifier,
                        name: server.name,
                    })
                    .collect(),
                destinations: destinations(tx, &all)?.into_values().collect(),
            })
        })
    }

    /// The verified copies that a filter chooses: by panel, server name and id, newest backup first.
    ///
    /// # Errors
    /// Those of reading.
    pub fn copies(&self, filter: &CopyFilter) -> Result<Vec<HeldCopy>, Error> {
        self.copies_that(filter, |copy| filter.takes_destination(&copy.destination))
    }

    /// The verified copies at the destination of one location, in the same order.
    ///
    /// # Errors
    /// Those of reading.
    pub fn copies_at(&self, location: &str) -> Result<Vec<HeldCopy>, Error> {
        self.copies_that(&CopyFilter::default(), |copy| copy.location == location)
    }

    fn copies_that(
        &self,
        filter: &CopyFilter,
        is_asked_for: impl Fn(&HeldCopy) -> bool,
    ) -> Result<Vec<HeldCopy>, Error> {
        self.read("read the copies", |tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {COPY_COLUMNS}
                   FROM backups b
                  CROSS JOIN copies c ON c.backup_id = b.id
                   JOIN destinations d ON d.id = c.destination_id
                  WHERE b.server_id = ?1 AND c.state = 'verified'"
            ))?;
            let mut copies = Vec::new();
            for (id, server) in chosen_servers(tx, filter)? {
                let mut held = statement.query([id])?;
                while let Some(row) = held.next()? {
                    let copy = held_copy(row, &server)?;
                    if is_asked_for(&copy) {
                        copies.push(copy);
                    }
                }
            }
            copies.sort_by(|a, b| {
                (&a.panel, &a.server_name, a.server)
                    .cmp(&(&b.panel, &b.server_name, b.server))
                    .then_with(|| b.completed_at.cmp(&a.completed_at))
                    .then_with(|| (a.backup, &a.destination).cmp(&(b.backup, &b.destination)))
            });
            Ok(copies)
        })
    }

    /// How the servers that a filter chooses stand, by panel and name.
    ///
    /// A backup is missing where it was wanted, is not held, and the panel still lists it as complete.
    ///
    /// # Errors
    /// Those of reading.
    pub fn holdings(&self, filter: &CopyFilter) -> Result<Vec<ServerHolding>, Error> {
        self.read("read how the servers stand", |tx| {
            let mut servers = chosen_servers(tx, filter)?;
            let mut holdings = held_totals(tx, filter)?;
            add_missing(tx, filter, &mut holdings)?;
            for ((server, _, _), holding) in holdings {
                if let Some((_, standing)) = servers
                    .binary_search_by_key(&server, |(id, _)| *id)
                    .ok()
                    .and_then(|index| servers.get_mut(index))
                {
                    standing.destinations.push(holding);
                }
            }
            let mut servers: Vec<ServerHolding> =
                servers.into_iter().map(|(_, standing)| standing).collect();
            servers
                .sort_by(|a, b| (&a.panel, &a.name, a.server).cmp(&(&b.panel, &b.name, b.server)));
            Ok(servers)
        })
    }
}

/// The columns of [`held_copy`], in its order: of `backups b`, `copies c` and `destinations d`.
pub(super) const COPY_COLUMNS: &str =
    "b.uuid, b.name, c.completed_at, c.panel_checksum, b.vanished_at IS NULL,
    d.name, c.key, c.archive_bytes, c.archive_sha256, c.stored_bytes, c.verdict,
    c.mirrored_at, c.verified_at, b.created_at, d.location, c.stored_sha256,
    c.entries, c.unpacked_bytes, c.etag, c.encryption,
    b.is_locked = 1 AND NOT EXISTS (SELECT 1 FROM protections x WHERE x.backup_id = b.id),
    (SELECT k.kept_at FROM keeps k WHERE k.backup_id = b.id),
    (SELECT k.reason FROM keeps k WHERE k.backup_id = b.id)";
/// How many they are.
pub(super) const COPY_COLUMNS_COUNT: usize = 23;

pub(super) fn held_copy(row: &Row<'_>, server: &ServerHolding) -> rusqlite::Result<HeldCopy> {
    Ok(HeldCopy {
        panel: server.panel.clone(),
        server: server.server,
        identifier: server.identifier.clone(),
        server_name: server.name.clone(),
        backup: rows::parsed(row, 0)?,
        backup_name: row.get(1)?,
        created_at: rows::timestamp(row, 13)?,
        completed_at: rows::timestamp(row, 2)?,
        panel_checksum: row.get(3)?,
        on_panel: if row.get(4)? {
            PanelPresence::Listed
        } else {
            PanelPresence::Vanished
        },
        destination: rows::parsed(row, 5)?,
        location: row.get(14)?,
        key: rows::key(row, 6)?,
        archive_bytes: rows::bytes(row, 7)?,
        sha256: rows::sha256(row, 8)?,
        stored_bytes: rows::bytes(row, 9)?,
        stored_sha256: rows::sha256(row, 15)?,
        encryption: rows::encryption(row, 19)?,
        structure: rows::structure(row, 16)?,
        etag: row.get(18)?,
        verdict: rows::parsed(row, 10)?,
        mirrored_at: rows::timestamp(row, 11)?,
        verified_at: rows::timestamp_if_any(row, 12)?,
        kept: rows::mark(row, 21)?,
        lock: if row.get(20)? {
            LockState::Locked
        } else {
            LockState::Unlocked
        },
    })
}

fn server_holding(row: &Row<'_>) -> rusqlite::Result<ServerHolding> {
    Ok(ServerHolding {
        panel: rows::parsed(row, 1)?,
        server: rows::parsed(row, 2)?,
        identifier: row.get(3)?,
        name: row.get(4)?,
        last_listed_at: rows::timestamp_if_any(row, 5)?,
        skipped_because: row.get(6)?,
        destinations: Vec::new(),
    })
}

/// The server of this number, without its destinations.
pub(super) fn server_numbered(tx: &Transaction<'_>, id: i64) -> Result<ServerHolding, Fault> {
    Ok(tx
        .prepare_cached(
            "SELECT s.id, p.name, s.uuid, s.identifier, s.name, s.last_listed_at, s.skipped_because
               FROM servers s JOIN panels p ON p.id = s.panel_id
              WHERE s.id = ?1",
        )?
        .query_row([id], server_holding)?)
}

/// The chosen servers by their number, without their destinations.
pub(super) fn chosen_servers(
    tx: &Transaction<'_>,
    filter: &CopyFilter,
) -> Result<Vec<(i64, ServerHolding)>, Fault> {
    let mut statement = tx.prepare_cached(
        "SELECT s.id, p.name, s.uuid, s.identifier, s.name, s.last_listed_at, s.skipped_because
           FROM servers s JOIN panels p ON p.id = s.panel_id
          ORDER BY s.id",
    )?;
    let servers = statement.query_map([], |row| Ok((row.get(0)?, server_holding(row)?)))?;
    let mut chosen = servers.collect::<Result<Vec<_>, _>>()?;
    chosen.retain(|(_, standing)| filter.takes_server(standing.server));
    Ok(chosen)
}

/// By server, destination's name, and destination.
type Holdings = BTreeMap<(i64, DestinationName, i64), DestinationHolding>;

pub(super) fn destinations(
    tx: &Transaction<'_>,
    filter: &CopyFilter,
) -> Result<BTreeMap<i64, DestinationName>, Fault> {
    let mut statement = tx.prepare_cached("SELECT id, name FROM destinations")?;
    let names = statement.query_map([], |row| Ok((row.get(0)?, rows::parsed(row, 1)?)))?;
    let mut names = names.collect::<Result<BTreeMap<_, _>, _>>()?;
    names.retain(|_, name| filter.takes_destination(name));
    Ok(names)
}

fn held_totals(tx: &Transaction<'_>, filter: &CopyFilter) -> Result<Holdings, Fault> {
    let names = destinations(tx, filter)?;
    let mut holdings = Holdings::new();
    let mut statement = tx.prepare_cached(
        "SELECT server_id, destination_id, copies, stored_bytes, newest_completed_at
           FROM copy_totals",
    )?;
    let mut totals = statement.query([])?;
    while let Some(row) = totals.next()? {
        let destination: i64 = row.get(1)?;
        let Some(name) = names.get(&destination) else {
            continue;
        };
        let holding = DestinationHolding {
            destination: name.clone(),
            copies: rows::bytes(row, 2)?,
            stored_bytes: rows::bytes(row, 3)?,
            newest_completed_at: rows::timestamp_if_any(row, 4)?,
            missing: Vec::new(),
        };
        holdings.insert((row.get(0)?, name.clone(), destination), holding);
    }
    Ok(holdings)
}

/// The copies that are wanted and not held: by those copies, however many backups there are.
pub(super) const MISSING: &str =
    "SELECT b.server_id, c.destination_id, b.uuid, b.name, b.completed_at, c.error_message
       FROM copies c INDEXED BY copies_missing
      CROSS JOIN backups b ON b.id = c.backup_id
      WHERE c.state <> 'verified' AND b.vanished_at IS NULL AND b.state = 'completed'";

fn add_missing(
    tx: &Transaction<'_>,
    filter: &CopyFilter,
    holdings: &mut Holdings,
) -> Result<(), Fault> {
    let names = destinations(tx, filter)?;
    let mut statement = tx.prepare_cached(MISSING)?;
    let mut missing = statement.query([])?;
    while let Some(row) = missing.next()? {
        let destination: i64 = row.get(1)?;
        let Some(name) = names.get(&destination) else {
            continue;
        };
        holdings
            .entry((row.get(0)?, name.clone(), destination))
            .or_insert_with(|| DestinationHolding {
                destination: name.clone(),
                copies: 0,
                stored_bytes: 0,
                newest_completed_at: None,
                missing: Vec::new(),
            })
            .missing
            .push(MissingCopy {
                backup: rows::parsed(row, 2)?,
                backup_name: row.get(3)?,
                completed_at: rows::timestamp(row, 4)?,
                why: row.get(5)?,
            });
    }
    for holding in holdings.values_mut() {
        holding.missing.sort_by(|a, b| {
            (b.completed_at.cmp(&a.completed_at)).then_with(|| a.backup.cmp(&b.backup))
        });
    }
    Ok(())
}
