//! Any history of records, against a plain model of what the ledger should then say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::model::holding::DestinationHolding;
use crate::model::holding::MissingCopy;
use crate::model::holding::PanelPresence;
use crate::model::holding::ServerHolding;

#[derive(Debug, Clone)]
enum Step {
    List {
        panel: u8,
        server: u8,
        rows: Vec<(u8, u8)>,
        listing: ListingSeen,
    },
    Skip {
        server: u8,
    },
    Want {
        server: u8,
        backups: Vec<u8>,
        destination: u8,
    },
    Fail {
        server: u8,
        backup: u8,
        destination: u8,
    },
    Put {
        server: u8,
        backup: u8,
        destination: u8,
        bytes: u64,
    },
    Lose {
        server: u8,
        backup: u8,
        destination: u8,
        loss: Loss,
    },
    Reopen,
}

/// What commands that this ledger must bear later do to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    Damaged,
    Pruned,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (server, backup, destination) = (0..3_u8, 0..4_u8, 0..2_u8);
    let listing = prop_oneof![Just(ListingSeen::Whole), Just(ListingSeen::Partial)];
    let one = (server.clone(), backup.clone(), destination.clone());
    let step = prop_oneof![
        4 => (0..2_u8, server.clone(), prop::collection::vec((backup.clone(), 0..5_u8), 0..5), listing)
            .prop_map(|(panel, server, rows, listing)| Step::List { panel, server, rows, listing }),
        1 => server.clone().prop_map(|server| Step::Skip { server }),
        3 => (server, prop::collection::vec(backup, 0..4), destination)
            .prop_map(|(server, backups, destination)| Step::Want { server, backups, destination }),
        2 => one.clone().prop_map(|(server, backup, destination)| Step::Fail { server, backup, destination }),
        4 => (one.clone(), 0..1000_u64)
            .prop_map(|((server, backup, destination), bytes)| Step::Put { server, backup, destination, bytes }),
        2 => (one, prop_oneof![Just(Loss::Damaged), Just(Loss::Pruned)])
            .prop_map(|((server, backup, destination), loss)| Step::Lose { server, backup, destination, loss }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ModelCopy {
    Wanted,
    Failed(String),
    Verified { bytes: u64, completed_at: Timestamp },
}

#[derive(Debug, Clone)]
struct ModelServer {
    panel: u8,
    last_listed_at: Option<Timestamp>,
    skipped_because: Option<String>,
}

#[derive(Debug, Clone)]
struct ModelBackup {
    is_completed: bool,
    on_panel: PanelPresence,
}

/// Everything that the ledger should know, kept the plain way.
#[derive(Debug, Default)]
struct Model {
    servers: BTreeMap<u8, ModelServer>,
    backups: BTreeMap<(u8, u8), ModelBackup>,
    copies: BTreeMap<(u8, u8, u8), ModelCopy>,
}

/// State 0 is pending, 1 is failed, anything else is completed.
fn listed(backup: u8, state: u8) -> Backup {
    match state {
        0 => Backup::Pending(record(backup)),
        1 => Backup::Failed(record(backup)),
        _ => completed(backup),
    }
}

impl Model {
    fn list(
        &mut self,
        panel: u8,
        server: u8,
        rows: &[(u8, u8)],
        listing: ListingSeen,
        now: Timestamp,
    ) {
        let standing = ModelServer {
            panel,
            last_listed_at: Some(now),
            skipped_because: None,
        };
        self.servers.insert(server, standing);
        if listing == ListingSeen::Whole {
            for ((_, _), backup) in self.backups.iter_mut().filter(|((of, _), _)| *of == server) {
                backup.on_panel = PanelPresence::Vanished;
            }
        }
        for (backup, state) in rows {
            let row = ModelBackup {
                is_completed: *state > 1,
                on_panel: PanelPresence::Listed,
            };
            self.backups.insert((server, *backup), row);
        }
    }

    /// `None` where the ledger must refuse.
    fn want(&mut self, server: u8, backups: &[u8], destination: u8) -> Option<()> {
        self.servers.get(&server)?;
        if backups
            .iter()
            .any(|backup| !self.backups.contains_key(&(server, *backup)))
        {
            return None;
        }
        for backup in backups {
            self.copies
                .entry((server, *backup, destination))
                .or_insert(ModelCopy::Wanted);
        }
        Some(())
    }

    fn fail(&mut self, server: u8, backup: u8, destination: u8, why: &str) -> Option<()> {
        self.backups.get(&(server, backup))?;
        let copy = self
            .copies
            .entry((server, backup, destination))
            .or_insert(ModelCopy::Wanted);
        if !matches!(copy, ModelCopy::Verified { .. }) {
            *copy = ModelCopy::Failed(why.to_owned());
        }
        Some(())
    }

    fn put(&mut self, server: u8, backup: u8, destination: u8, bytes: u64) -> Option<()> {
        if !self.backups.get(&(server, backup))?.is_completed {
            return None;
        }
        let copy = ModelCopy::Verified {
            bytes,
            completed_at: completed_at(backup),
        };
        self.copies.insert((server, backup, destination), copy);
        Some(())
    }

    fn holding(&self, server: u8, destination: u8) -> Option<DestinationHolding> {
        let mut holding = DestinationHolding {
            destination: destination_name(destination),
            copies: 0,
            stored_bytes: 0,
            newest_completed_at: None,
            missing: Vec::new(),
        };
        for ((_, backup, _), copy) in self
            .copies
            .iter()
            .rev()
            .filter(|((of, _, there), _)| (*of, *there) == (server, destination))
        {
            let row = &self.backups[&(server, *backup)];
            let why = match copy {
                ModelCopy::Verified {
                    bytes,
                    completed_at,
                } => {
                    holding.copies += 1;
                    holding.stored_bytes += bytes;
                    holding.newest_completed_at =
                        holding.newest_completed_at.max(Some(*completed_at));
                    continue;
                }
                ModelCopy::Wanted => None,
                ModelCopy::Failed(why) => Some(why.clone()),
            };
            if row.is_completed && row.on_panel == PanelPresence::Listed {
                holding.missing.push(MissingCopy {
                    backup: backup_id(*backup),
                    backup_name: record(*backup).name,
                    completed_at: completed_at(*backup),
                    why,
                });
            }
        }
        (holding.copies > 0 || !holding.missing.is_empty()).then_some(holding)
    }

    fn holdings(&self) -> Vec<ServerHolding> {
        let mut holdings: Vec<ServerHolding> = self
            .servers
            .iter()
            .map(|(n, standing)| ServerHolding {
                panel: panel(standing.panel),
                server: server_id(*n),
                identifier: server(*n).identifier,
                name: server(*n).name,
                last_listed_at: standing.last_listed_at,
                skipped_because: standing.skipped_because.clone(),
                destinations: (0..2).filter_map(|there| self.holding(*n, there)).collect(),
            })
            .collect();
        holdings.sort_by(|a, b| (&a.panel, &a.name).cmp(&(&b.panel, &b.name)));
        holdings
    }

    fn held(&self, server: u8, destination: u8) -> Vec<(BackupId, u64)> {
        self.copies
            .iter()
            .filter(|((of, _, there), _)| (*of, *there) == (server, destination))
            .filter_map(|((_, backup, _), copy)| match copy {
                ModelCopy::Verified { bytes, .. } => Some((backup_id(*backup), *bytes)),
                ModelCopy::Wanted | ModelCopy::Failed(_) => None,
            })
            .collect()
    }
}

type Total = (i64, i64, i64, i64, i64);

fn rows(ledger: &Ledger, sql: &str) -> Vec<Total> {
    ledger
        .connection
        .prepare(sql)
        .unwrap()
        .query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// What the triggers kept.
pub(super) fn totals(ledger: &Ledger) -> Vec<Total> {
    rows(ledger, "SELECT * FROM copy_totals ORDER BY 1, 2")
}

/// The same, counted.
pub(super) fn counted(ledger: &Ledger) -> Vec<Total> {
    rows(
        ledger,
        "SELECT b.server_id, c.destination_id, count(*), sum(c.stored_bytes), max(c.completed_at)
           FROM copies c JOIN backups b ON b.id = c.backup_id
          WHERE c.state = 'verified' GROUP BY 1, 2 ORDER BY 1, 2",
    )
}

/// One row of `copies`, by what it is of and where.
fn one_copy(server: u8, backup: u8, destination: u8) -> String {
    format!(
        "backup_id = (SELECT b.id FROM backups b JOIN servers s ON s.id = b.server_id
                       WHERE s.uuid = '{}' AND b.uuid = '{}')
         AND destination_id = (SELECT id FROM destinations WHERE location = '{}')",
        server_id(server),
        backup_id(backup),
        LOCATIONS[usize::from(destination)]
    )
}

/// A copy that is held is removed as `prune` removes it; of others only the row goes.
fn prune(
    copy: (u8, u8, u8),
    (run, there, now): (RunId, DestinationRef, Timestamp),
    ledger: &mut Ledger,
    model: &mut Model,
) {
    let (server, backup, _) = copy;
    if matches!(model.copies.get(&copy), Some(ModelCopy::Verified { .. })) {
        let key = key(server, backup);
        ledger
            .intend_removal(run, there, &key, "x", b"{}", now)
            .unwrap();
        ledger.finish_removal(run, there, &key, now).unwrap();
        model.copies.remove(&copy);
    } else {
        lose(copy, Loss::Pruned, ledger, model);
    }
}

fn lose(copy: (u8, u8, u8), loss: Loss, ledger: &Ledger, model: &mut Model) {
    let done = match loss {
        Loss::Damaged => {
            "UPDATE copies SET state = 'failed', failed_at = 0, error_kind = 'integrity', error_message = 'gone'"
        }
        Loss::Pruned => "DELETE FROM copies",
    };
    let (server, backup, destination) = copy;
    let sql = format!("{done} WHERE {}", one_copy(server, backup, destination));
    ledger.connection.execute(&sql, []).unwrap();
    let was_there = model.copies.remove(&copy).is_some();
    if was_there && loss == Loss::Damaged {
        model
            .copies
            .insert(copy, ModelCopy::Failed("gone".to_owned()));
    }
}

fn take(
    step: &Step,
    now: Timestamp,
    run: RunId,
    there: [DestinationRef; 2],
    ledger: &mut Ledger,
    model: &mut Model,
) {
    let at = |destination: u8| there[usize::from(destination)];
    match step {
        Step::List {
            panel: of,
            server: n,
            rows,
            listing,
        } => {
            let backups: Vec<Backup> = rows.iter().map(|(n, state)| listed(*n, *state)).collect();
            ledger
                .record_listing(run, &panel(*of), &server(*n), &backups, *listing, now)
                .unwrap();
            model.list(*of, *n, rows, *listing, now);
        }
        Step::Skip { server: n } => {
            let of = model.servers.get(n).map_or(0, |standing| standing.panel);
            ledger
                .record_skipped_server(run, &panel(of), &server(*n), "suspended", now)
                .unwrap();
            let standing = model.servers.entry(*n).or_insert(ModelServer {
                panel: of,
                last_listed_at: None,
                skipped_because: None,
            });
            standing.skipped_because = Some("suspended".to_owned());
        }
        Step::Want {
            server,
            backups,
            destination,
        } => {
            let ids: Vec<BackupId> = backups.iter().map(|n| backup_id(*n)).collect();
            let recorded =
                ledger.record_wanted(run, server_id(*server), at(*destination), &ids, now);
            assert_eq!(recorded.ok(), model.want(*server, backups, *destination));
        }
        Step::Fail {
            server,
            backup,
            destination,
        } => {
            let why = format!("failed at {now}");
            let recorded = ledger.record_copy_failure(
                run,
                at(*destination),
                &key(*server, *backup),
                &failure(&why),
                now,
            );
            assert_eq!(
                recorded.ok(),
                model.fail(*server, *backup, *destination, &why)
            );
        }
        Step::Put {
            server,
            backup,
            destination,
            bytes,
        } => {
            let location = LOCATIONS[usize::from(*destination)];
            let recorded = put(
                ledger,
                run,
                at(*destination),
                location,
                &key(*server, *backup),
                *bytes,
                now,
            );
            assert_eq!(
                recorded.ok(),
                model.put(*server, *backup, *destination, *bytes)
            );
        }
        Step::Lose {
            server,
            backup,
            destination,
            loss,
        } => {
            let copy = (*server, *backup, *destination);
            match loss {
                Loss::Damaged => lose(copy, *loss, ledger, model),
                Loss::Pruned => prune(copy, (run, at(*destination), now), ledger, model),
            }
        }
        Step::Reopen => {
            let home = ledger.path().parent().unwrap().to_owned();
            *ledger = open(&home);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_any_history_the_ledger_says_what_a_plain_model_says(steps in steps()) {
        let home = tempfile::tempdir().unwrap();
        let mut ledger = open(home.path());
        let mut model = Model::default();
        let (run, there) = furnish(&mut ledger);
        let mut now = at(1000);
        for step in &steps {
            now = now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
            take(step, now, run, there, &mut ledger, &mut model);
            prop_assert_eq!(ledger.holdings(&CopyFilter::default()).unwrap(), model.holdings(), "after {:?}", step);
        }
        prop_assert_eq!(totals(&ledger), counted(&ledger));
        for server in 0..3 {
            for destination in 0..2 {
                let held: Vec<(BackupId, u64)> = ledger
                    .held(server_id(server), there[usize::from(destination)])
                    .unwrap()
                    .into_iter()
                    .map(|(backup, facts)| (backup, facts.stored_bytes))
                    .collect();
                prop_assert_eq!(held, model.held(server, destination));
            }
        }
        let verified = model.copies.values().filter(|copy| matches!(copy, ModelCopy::Verified { .. })).count();
        prop_assert_eq!(ledger.copies(&CopyFilter::default()).unwrap().len(), verified);
    }
}
