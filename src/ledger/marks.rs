//! What operators say of backups, and what archives lack.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use serde_json::json;

use crate::ledger::Ledger;
use crate::ledger::destinations::DestinationRef;
use crate::ledger::error::Error;
use crate::ledger::error::Fault;
use crate::ledger::events;
use crate::ledger::events::Subject;
use crate::ledger::listing;
use crate::ledger::placeholders::BackupOf;
use crate::ledger::query;
use crate::ledger::query::CopyFilter;
use crate::ledger::rows;
use crate::model::ids::DestinationName;
use crate::model::ids::RunId;
use crate::model::mark::Mark;
use crate::model::mark::PanelLock;
use crate::model::mark::Reason;

/// What `keep` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// The mark that the backup bears now.
    pub mark: Mark,
    /// The mark that it bore before.
    pub before: Option<Mark>,
    /// Destinations whose copy was removed and is wanted again, by the names they were last used under.
    pub wanted_again: Vec<DestinationName>,
    /// Destinations whose copy a run of `prune` began to remove and did not finish.
    pub being_removed: Vec<DestinationName>,
}

/// What `unkeep` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// The mark that it bore.
    pub before: Option<Mark>,
    /// What became of the panel's lock.
    pub lock: PanelLock,
}

/// What retention and `list` heed of a backup besides its age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupMarks {
    /// By `nestegg keep`.
    pub kept: Option<Mark>,
    /// By `nestegg accept`.
    pub accepted: Option<Mark>,
    /// Locked on the panel as it was last listed, by somebody else than a run of ours.
    pub is_locked: bool,
    /// What the archive was to hold and does not.
    pub lacking: Vec<String>,
}

/// Whether a backup is locked on its panel by somebody else than a run of ours: of `backups b`.
pub(super) const IS_LOCKED: &str =
    "b.is_locked = 1 AND NOT EXISTS (SELECT 1 FROM protections x WHERE x.backup_id = b.id)";

/// All `keep` marks, read from the marks: the other way round, every backup there ever was would be read.
pub(super) const KEPT: &str = "SELECT s.uuid, b.uuid, k.kept_at, k.reason
       FROM keeps k
      CROSS JOIN backups b ON b.id = k.backup_id
      CROSS JOIN servers s ON s.id = b.server_id";

impl Ledger {
    /// Marks a backup, so that no policy removes its copies; of one that is marked already, the time stays
    /// and the reason too unless another one is given. Copies of it that were removed are wanted again.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_kept(
        &mut self,
        run: RunId,
        of: BackupOf,
        reason: Option<&Reason>,
        now: Timestamp,
    ) -> Result<Keeping, Error> {
        self.write("record that a backup is kept", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let before = mark_in(tx, Table::Keeps, backup.id)?;
            let wanted_again = removals_to(
                tx,
                "DELETE FROM removals WHERE backup_id = ?1 AND done_at IS NOT NULL
                 RETURNING destination_id",
                backup.id,
            )?;
            let being_removed = removals_to(
                tx,
                "SELECT destination_id FROM removals WHERE backup_id = ?1 AND done_at IS NULL",
                backup.id,
            )?;
            let mark = put_mark(tx, Table::Keeps, run, backup.id, reason, now)?;
            if before.as_ref() != Some(&mark) || !wanted_again.is_empty() {
                let subject = Subject::of_backup(server_row, backup.id);
                let detail = json!({"reason": mark.reason, "wanted_again": wanted_again});
                events::event(tx, Some(run), "kept", subject, &detail, now)?;
            }
            Ok(Keeping {
                mark,
                before,
                wanted_again,
                being_removed,
            })
        })
    }

    /// Takes the mark off a backup, and lets go of a lock that the panel can no longer take off because it
    /// no longer lists the backup.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_unkept(
        &mut self,
        run: RunId,
        of: BackupOf,
        now: Timestamp,
    ) -> Result<Released, Error> {
        self.write("record that a backup is no longer kept", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let before = mark_in(tx, Table::Keeps, backup.id)?;
            tx.prepare_cached("DELETE FROM keeps WHERE backup_id = ?1")?
                .execute([backup.id])?;
            let lock = match (backup.is_locked, backup.vanished_at) {
                (false, _) => PanelLock::Unlocked,
                (true, None) => PanelLock::OnPanel,
                (true, Some(_)) => PanelLock::LetGo,
            };
            if lock == PanelLock::LetGo {
                tx.prepare_cached("UPDATE backups SET is_locked = 0 WHERE id = ?1")?
                    .execute([backup.id])?;
            }
            if before.is_some() || lock == PanelLock::LetGo {
                let subject = Subject::of_backup(server_row, backup.id);
                let detail = json!({
                    "reason": before.as_ref().and_then(|mark| mark.reason.as_deref()),
                    "was_kept": before.is_some(),
                    "lock_let_go": lock == PanelLock::LetGo,
                });
                events::event(tx, Some(run), "unkept", subject, &detail, now)?;
            }
            Ok(Released { before, lock })
        })
    }

    /// Puts the mark that a sidecar bears on a backup that bears none here: it was put there by `nestegg
    /// keep`, and this ledger lost it, or never had it.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn restore_kept(
        &mut self,
        run: RunId,
        of: BackupOf,
        mark: &Mark,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record that a backup is kept", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let subject = Subject::of_backup(server_row, backup.id);
            restore_mark(tx, run, subject, mark, now)
        })
    }

    /// Records that an operator looked at a backup and takes it as it is; returns the mark that it bears now
    /// and the one that it bore before.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_accepted(
        &mut self,
        run: RunId,
        of: BackupOf,
        reason: Option<&Reason>,
        now: Timestamp,
    ) -> Result<(Mark, Option<Mark>), Error> {
        self.write("record that a backup is accepted", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let before = mark_in(tx, Table::Accepted, backup.id)?;
            let mark = put_mark(tx, Table::Accepted, run, backup.id, reason, now)?;
            if before.as_ref() != Some(&mark) {
                let subject = Subject::of_backup(server_row, backup.id);
                let detail = json!({"reason": mark.reason});
                events::event(tx, Some(run), "accepted", subject, &detail, now)?;
            }
            Ok((mark, before))
        })
    }

    /// Records what the walk over an archive did not find of what it was to find; `globs` is empty when it
    /// found all, and then what was said before is forgotten.
    ///
    /// # Errors
    /// [`Error::UnknownServer`], [`Error::UnknownBackup`]; those of writing.
    pub fn record_lacking(
        &mut self,
        run: RunId,
        of: BackupOf,
        globs: &[String],
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write("record what an archive lacks", |tx| {
            let (server_row, backup) = listing::known_backup(tx, of)?;
            let subject = Subject::of_backup(server_row, backup.id);
            if globs.is_empty() {
                let forgotten = tx
                    .prepare_cached("DELETE FROM lacking WHERE backup_id = ?1")?
                    .execute([backup.id])?;
                if forgotten == 0 {
                    return Ok(());
                }
                return events::event(tx, Some(run), "lacks_nothing", subject, &json!({}), now);
            }
            let said = json!(globs).to_string();
            let changed = tx
                .prepare_cached(
                    "INSERT INTO lacking (backup_id, run_id, globs, found_at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (backup_id) DO UPDATE
                        SET run_id = excluded.run_id, globs = excluded.globs, found_at = excluded.found_at
                      WHERE globs <> excluded.globs",
                )?
                .execute(params![backup.id, run.0, said, rows::time(now)])?;
            if changed == 0 {
                return Ok(());
            }
            let detail = json!({"globs": globs});
            events::event(tx, Some(run), "lacking", subject, &detail, now)
        })
    }

    /// The `keep` mark of one backup, if it bears one; of a backup that the ledger does not know there is none.
    ///
    /// # Errors
    /// Those of reading.
    pub fn kept_mark(&self, of: BackupOf) -> Result<Option<Mark>, Error> {
        self.read("read whether a backup is kept", |tx| {
            let Some(server_row) = listing::find_server(tx, of.server)? else {
                return Ok(None);
            };
            match listing::backup_row(tx, server_row, of.backup)? {
                Some(backup) => mark_in(tx, Table::Keeps, backup.id),
                None => Ok(None),
            }
        })
    }

    /// The `keep` marks on the backups of the servers that a filter chooses.
    ///
    /// # Errors
    /// Those of reading.
    pub fn kept(&self, filter: &CopyFilter) -> Result<BTreeMap<BackupOf, Mark>, Error> {
        self.read("read which backups are kept", |tx| {
            let mut statement = tx.prepare_cached(KEPT)?;
            let mut found = statement.query([])?;
            let mut kept = BTreeMap::new();
            while let Some(row) = found.next()? {
                let of = BackupOf {
                    server: rows::parsed(row, 0)?,
                    backup: rows::parsed(row, 1)?,
                };
                if filter.takes_server(of.server) {
                    let at = rows::timestamp(row, 2)?;
                    let reason = row.get(3)?;
                    kept.insert(of, Mark { at, reason });
                }
            }
            Ok(kept)
        })
    }

    /// All marks on the backups of the servers that a filter chooses; backups that bear none are left out.
    ///
    /// # Errors
    /// Those of reading.
    pub fn marks(&self, filter: &CopyFilter) -> Result<BTreeMap<BackupOf, BackupMarks>, Error> {
        self.read("read the marks on backups", |tx| {
            let mut statement = tx.prepare_cached(&format!(
                "SELECT b.uuid, k.kept_at, k.reason, a.accepted_at, a.reason, {IS_LOCKED}, l.globs
                   FROM backups b
                   LEFT JOIN keeps k ON k.backup_id = b.id
                   LEFT JOIN accepted a ON a.backup_id = b.id
                   LEFT JOIN lacking l ON l.backup_id = b.id
                  WHERE b.server_id = ?1
                    AND (k.backup_id IS NOT NULL OR a.backup_id IS NOT NULL OR b.is_locked = 1
                         OR l.backup_id IS NOT NULL)"
            ))?;
            let mut marks = BTreeMap::new();
            for (row_of_server, standing) in query::chosen_servers(tx, filter)? {
                let mut found = statement.query([row_of_server])?;
                while let Some(row) = found.next()? {
                    let of = BackupOf {
                        server: standing.server,
                        backup: rows::parsed(row, 0)?,
                    };
                    let found = BackupMarks {
                        kept: rows::mark(row, 1)?,
                        accepted: rows::mark(row, 3)?,
                        is_locked: row.get(5)?,
                        lacking: rows::globs(row, 6)?,
                    };
                    if found != BackupMarks::default() {
                        marks.insert(of, found);
                    }
                }
            }
            Ok(marks)
        })
    }
}

/// Where marks stand.
#[derive(Debug, Clone, Copy)]
enum Table {
    Keeps,
    Accepted,
}

impl Table {
    /// The statements that read a mark and put one there.
    const fn statements(self) -> (&'static str, &'static str) {
        match self {
            Self::Keeps => (
                "SELECT kept_at, reason FROM keeps WHERE backup_id = ?1",
                "INSERT INTO keeps (backup_id, run_id, reason, kept_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (backup_id) DO UPDATE
                    SET run_id = excluded.run_id, reason = excluded.reason
                  WHERE excluded.reason IS NOT NULL AND reason IS NOT excluded.reason",
            ),
            Self::Accepted => (
                "SELECT accepted_at, reason FROM accepted WHERE backup_id = ?1",
                "INSERT INTO accepted (backup_id, run_id, reason, accepted_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (backup_id) DO UPDATE
                    SET run_id = excluded.run_id, reason = excluded.reason
                  WHERE excluded.reason IS NOT NULL AND reason IS NOT excluded.reason",
            ),
        }
    }
}

fn mark_in(tx: &Transaction<'_>, table: Table, backup_row: i64) -> Result<Option<Mark>, Fault> {
    let (select, _) = table.statements();
    Ok(tx
        .prepare_cached(select)?
        .query_row([backup_row], |row| rows::mark(row, 0))
        .optional()?
        .flatten())
}

fn put_mark(
    tx: &Transaction<'_>,
    table: Table,
    run: RunId,
    backup_row: i64,
    reason: Option<&Reason>,
    now: Timestamp,
) -> Result<Mark, Fault> {
    let (select, insert) = table.statements();
    tx.prepare_cached(insert)?.execute(params![
        backup_row,
        run.0,
        reason.map(Reason::as_str),
        rows::time(now)
    ])?;
    Ok(tx.prepare_cached(select)?.query_row([backup_row], |row| {
        Ok(Mark {
            at: rows::timestamp(row, 0)?,
            reason: row.get(1)?,
        })
    })?)
}

/// Puts a mark from a sidecar on a backup that bears none.
pub(super) fn restore_mark(
    tx: &Transaction<'_>,
    run: RunId,
    subject: Subject,
    mark: &Mark,
    now: Timestamp,
) -> Result<(), Fault> {
    let restored = tx
        .prepare_cached(
            "INSERT INTO keeps (backup_id, run_id, reason, kept_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (backup_id) DO NOTHING",
        )?
        .execute(params![
            subject.backup,
            run.0,
            mark.reason,
            rows::time(mark.at)
        ])?;
    if restored == 0 {
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM removals WHERE backup_id = ?1 AND done_at IS NOT NULL")?
        .execute([subject.backup])?;
    let detail = json!({"reason": mark.reason, "by": "sidecar"});
    events::event(tx, Some(run), "kept", subject, &detail, now)
}

/// The names of the destinations that a statement over one backup's removals returns.
fn removals_to(
    tx: &Transaction<'_>,
    statement: &'static str,
    backup_row: i64,
) -> Result<Vec<DestinationName>, Fault> {
    let found: Vec<DestinationRef> = tx
        .prepare_cached(statement)?
        .query_map([backup_row], |row| row.get(0).map(DestinationRef))?
        .collect::<Result<_, _>>()?;
    let mut name = tx.prepare_cached("SELECT name FROM destinations WHERE id = ?1")?;
    let mut names = found
        .into_iter()
        .map(|destination| name.query_row([destination.0], |row| rows::parsed(row, 0)))
        .collect::<Result<Vec<DestinationName>, _>>()?;
    names.sort();
    Ok(names)
}
