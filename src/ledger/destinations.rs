//! Destinations: known by where they are, called by their last name.

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::ledger::Ledger;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::rows;
use crate::model::ids::DestinationName;

/// A destination in this ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationRef(pub(super) i64);

impl Ledger {
    /// Records a destination under the name it is now used by. Its location is what it is: another
    /// location under the same name is another destination, and the older one is then called by its
    /// location.
    ///
    /// # Errors
    /// Those of writing; a location that carries credentials is refused.
    pub fn record_destination(
        &mut self,
        name: &DestinationName,
        location: &str,
        now: Timestamp,
    ) -> Result<DestinationRef, Error> {
        self.write("record the destination", |tx| {
            named(tx, name, location, now)
        })
    }

    /// The destination at `location`, when the ledger knows it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn find_destination(&self, location: &str) -> Result<Option<DestinationRef>, Error> {
        self.read("look up a destination", |tx| {
            Ok(tx
                .prepare_cached("SELECT id FROM destinations WHERE location = ?1")?
                .query_row([location], |row| row.get(0).map(DestinationRef))
                .optional()?)
        })
    }

    /// What a destination was last called.
    ///
    /// # Errors
    /// Those of reading.
    pub fn name_of(&self, destination: DestinationRef) -> Result<Option<DestinationName>, Error> {
        self.read("look up a destination", |tx| {
            Ok(tx
                .prepare_cached("SELECT name FROM destinations WHERE id = ?1")?
                .query_row([destination.0], |row| rows::parsed(row, 0))
                .optional()?)
        })
    }

    /// Whether the destination at `location` has ever held a copy.
    ///
    /// # Errors
    /// Those of reading.
    pub fn knows_destination(&self, location: &str) -> Result<bool, Error> {
        self.read("look up a destination", |tx| {
            Ok(tx
                .prepare_cached(
                    "SELECT first_copy_at IS NOT NULL FROM destinations WHERE location = ?1",
                )?
                .query_row([location], |row| row.get(0))
                .optional()?
                .unwrap_or(false))
        })
    }
}

/// The destination at a location, under the name it goes by; recorded under `name` when it is not known.
pub(super) fn known_or_new(
    tx: &Transaction<'_>,
    name: &DestinationName,
    location: &str,
    now: Timestamp,
) -> Result<DestinationRef, Fault> {
    let known: Option<i64> = tx
        .prepare_cached(
            "UPDATE destinations SET last_used_at = ?2 WHERE location = ?1 RETURNING id",
        )?
        .query_row(params![location, rows::time(now)], |row| row.get(0))
        .optional()?;
    match known {
        Some(destination) => Ok(DestinationRef(destination)),
        None => named(tx, name, location, now),
    }
}

/// The destination at a location, under the name it is now used by.
fn named(
    tx: &Transaction<'_>,
    name: &DestinationName,
    location: &str,
    now: Timestamp,
) -> Result<DestinationRef, Fault> {
    give_up_name(tx, name, location, now)?;
    let destination = tx
        .prepare_cached(
            "INSERT INTO destinations (location, name, first_used_at, last_used_at)
             VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (location) DO UPDATE
                SET name = excluded.name, last_used_at = excluded.last_used_at
             RETURNING id",
        )?
        .query_row(params![location, name.as_str(), rows::time(now)], |row| {
            row.get(0)
        })?;
    Ok(DestinationRef(destination))
}

/// The destination at a location.
pub(super) fn destination_at(
    tx: &Transaction<'_>,
    location: &str,
) -> Result<DestinationRef, Fault> {
    let found: Option<i64> = tx
        .prepare_cached("SELECT id FROM destinations WHERE location = ?1")?
        .query_row([location], |row| row.get(0))
        .optional()?;
    found.map(DestinationRef).ok_or_else(|| {
        Error::UnknownDestination {
            location: location.to_owned(),
        }
        .into()
    })
}

pub(super) fn location_of(
    tx: &Transaction<'_>,
    destination: DestinationRef,
) -> Result<String, Fault> {
    let found: Option<String> = tx
        .prepare_cached("SELECT location FROM destinations WHERE id = ?1")?
        .query_row([destination.0], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| {
        Error::UnknownDestination {
            location: format!("number {}", destination.0),
        }
        .into()
    })
}

/// Calls every other destination that goes by `name` by its location instead.
fn give_up_name(
    tx: &Transaction<'_>,
    name: &DestinationName,
    location: &str,
    now: Timestamp,
) -> Result<(), Fault> {
    let others: Vec<(i64, String)> = tx
        .prepare_cached("SELECT id, location FROM destinations WHERE name = ?1 AND location <> ?2")?
        .query_map([name.as_str(), location], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (other, its_location) in others {
        let its_name: String = its_location
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        tx.prepare_cached("UPDATE destinations SET name = ?2 WHERE id = ?1")?
            .execute(params![other, its_name])?;
        let subject = Subject {
            destination: Some(DestinationRef(other)),
            ..Subject::default()
        };
        let detail = json!({"name": name, "now_at": location});
        events::event(tx, None, "name_given_up", subject, &detail, now)?;
    }
    Ok(())
}
