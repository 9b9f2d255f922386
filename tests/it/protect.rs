//! `protect = "lock"`: locked on the panel while it is copied, and afterwards as it was before, whatever happens.

mod killed;
mod left;
mod locks;
mod meanwhile;
mod rotation;
mod vanished;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use nestegg::exit::Exit;
use nestegg::ledger::Ledger;
use nestegg::model::ids::BackupId;
use nestegg::model::sidecar::Sidecar;
use nestegg::report::MirrorReport;

use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::FakePanel;
use crate::support::fake_panel::Request;
use crate::support::world::World;

const DIALECTS: [Dialect; 3] = [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented];

/// Runs `mirror` under the protection of locks.
async fn protected(world: &World, more: &[&str]) -> (MirrorReport, Exit) {
    let mut words = vec!["--protect", "lock"];
    words.extend(more);
    world.quick(&words).await
}

/// Which backup a request asks to lock or unlock.
fn toggled(request: &Request) -> Option<BackupId> {
    let path = request.path.strip_suffix("/lock")?;
    path.rsplit('/').next()?.parse().ok()
}

/// What the panel was asked to lock or unlock, in that order.
fn toggles(panel: &FakePanel) -> Vec<BackupId> {
    panel.requests().iter().filter_map(toggled).collect()
}

/// The locks that a ledger takes for ours.
fn noted(ledger: &Path) -> Vec<BackupId> {
    let known = Ledger::open(ledger).unwrap().protections().unwrap();
    known.into_iter().map(|lock| lock.of.backup).collect()
}

/// What a ledger says of every backup, by one column that is a truth value.
fn told(ledger: &Path, what: &str) -> BTreeSet<BackupId> {
    let ledger = rusqlite::Connection::open(ledger).unwrap();
    let mut statement = ledger
        .prepare(&format!("SELECT uuid FROM backups WHERE {what}"))
        .unwrap();
    let ids = statement.query_map([], |row| row.get::<_, String>(0));
    ids.unwrap()
        .map(|id| id.unwrap().parse().unwrap())
        .collect()
}

/// What the sidecars of [`World::offsite`] say.
fn sidecars(world: &World) -> BTreeMap<BackupId, Sidecar> {
    let files = world.files().into_iter();
    let sidecars = files.filter_map(|(name, bytes)| {
        let stem = name.strip_prefix("offsite/")?.strip_suffix(".json")?;
        let (_server, backup) = stem.split_once('/')?;
        Some((backup.parse().unwrap(), Sidecar::from_json(&bytes).unwrap()))
    });
    sidecars.collect()
}

/// What must hold once a run has come to its end: no lock of ours is left anywhere, and everybody knows of the operator's.
fn assert_only_the_operators(world: &World, operators: &BTreeSet<BackupId>, when: &str) {
    assert_eq!(world.panel.locked(), *operators, "{when}: on the panel");
    assert_eq!(noted(&world.ledger()), [], "{when}: noted");
    let in_ledger = told(&world.ledger(), "is_locked AND vanished_at IS NULL");
    assert_eq!(in_ledger, *operators, "{when}: in the ledger");
    for (backup, sidecar) in sidecars(world) {
        let is_locked = sidecar.backup.is_locked;
        let expected = operators.contains(&backup);
        assert_eq!(is_locked, expected, "{when}: sidecar of {backup}");
    }
}

/// The failures of a report, each on a line.
fn failures(report: &MirrorReport) -> Vec<String> {
    let told = report.errors.iter();
    told.map(|one| format!("{} {}: {}", one.scope, one.kind.as_str(), one.message))
        .collect()
}
