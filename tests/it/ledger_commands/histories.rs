//! Over random histories: a ledger made from sidecars alone equals the one that was lost.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use nestegg::destination::Destination;
use nestegg::destination::DestinationTuning;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::CopyOrigin;
use nestegg::ledger::Ledger;
use nestegg::ledger::SharedLedger;
use nestegg::model::backup::Backup;
use nestegg::model::backup::BackupRecord;
use nestegg::model::backup::CompletedBackup;
use nestegg::model::backup::ListingSeen;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Hasher;
use nestegg::model::checksum::PanelChecksum;
use nestegg::model::holding::HeldCopy;
use nestegg::model::holding::PanelPresence;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::outcome::Failure;
use nestegg::model::outcome::FailureKind;
use nestegg::model::outcome::Scope;
use nestegg::model::server::Passport;
use nestegg::model::server::Server;
use nestegg::model::server::ServerState;
use nestegg::ops::ledger::rebuild;
use nestegg::ops::mirror::book::Book;
use nestegg::ops::setup::OpenedPlaces;
use object_store::ObjectStore;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use proptest::prelude::*;
use serde_json::json;

use super::backup_id;
use super::server_id;
use super::sha256;

const CASES: u32 = 256;
const PLACES: [&str; 3] = ["b2", "nas 2", "zażółć"];
const PANELS: [&str; 3] = ["main", "Główny panel", "パネル"];

/// One backup, as its panel has it from the first to the last.
#[derive(Debug, Clone)]
struct Made {
    name: String,
    is_locked: bool,
    created_ms: i64,
    took_ms: i64,
    checksum: Option<Algorithm>,
    archive: Vec<u8>,
}

/// What happens to a copy that is there: nothing, or it is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Make,
    Lose,
}

/// One thing that happens: a copy is made, or one is lost.
#[derive(Debug, Clone)]
struct Happening {
    server: u64,
    backup: usize,
    place: usize,
    panel: usize,
    server_name: String,
    origin: CopyOrigin,
    is_encrypted: bool,
    structure: Option<(u64, u64)>,
    verdict: &'static str,
    act: Act,
}

/// Names as panels and their users write them, hostile ones included.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,12}", "\\PC{0,20}", "[\\p{C}\\p{L}\\p{Z}]{0,20}"]
}

fn made() -> impl Strategy<Value = Made> {
    let algorithm = prop_oneof![
        Just(Algorithm::Sha1),
        Just(Algorithm::Sha256),
        Just(Algorithm::Sha512)
    ];
    (
        name(),
        any::<bool>(),
        1_500_000_000_000..1_800_000_000_000_i64,
        0..10_000_000_i64,
        proptest::option::of(algorithm),
        proptest::collection::vec(any::<u8>(), 0..40),
    )
        .prop_map(
            |(name, is_locked, created_ms, took_ms, checksum, archive)| Made {
                name,
                is_locked,
                created_ms,
                took_ms,
                checksum,
                archive,
            },
        )
}

fn happening() -> impl Strategy<Value = Happening> {
    let origin = prop_oneof![
        Just(CopyOrigin::Mirrored),
        Just(CopyOrigin::Filled),
        Just(CopyOrigin::Adopted)
    ];
    let verdict = prop_oneof![
        Just("panel-sha1"),
        Just("panel-sha256"),
        Just("panel-sha512"),
        Just("structure")
    ];
    (
        (0..4_u64, 0..6_usize, 0..PLACES.len(), 0..PANELS.len()),
        name(),
        origin,
        any::<bool>(),
        proptest::option::of((0..1_u64 << 60, 0..1_u64 << 60)),
        verdict,
        prop_oneof![9 => Just(Act::Make), 1 => Just(Act::Lose)],
    )
        .prop_map(
            |(
                (server, backup, place, panel),
                server_name,
                origin,
                is_encrypted,
                structure,
                verdict,
                act,
            )| Happening {
                server,
                backup,
                place,
                panel,
                server_name,
                origin,
                is_encrypted,
                structure,
                verdict,
                act,
            },
        )
}

/// The destinations, and their stores.
struct Stores(Vec<(Destination, Arc<InMemory>)>);

impl Stores {
    fn new() -> Self {
        Self(
            PLACES
                .iter()
                .enumerate()
                .map(|(number, name)| {
                    let store = Arc::new(InMemory::new());
                    let destination = Destination::over(
                        name.parse().unwrap(),
                        format!("memory:///{number}"),
                        Arc::clone(&store) as Arc<dyn ObjectStore>,
                        None,
                        DestinationTuning::PRODUCTION,
                    );
                    (destination, store)
                })
                .collect(),
        )
    }

    async fn put(&self, place: usize, key: &ObjectKey, bytes: Vec<u8>) {
        let path = key.to_string().as_str().into();
        self.0[place].1.put(&path, bytes.into()).await.unwrap();
    }

    async fn remove(&self, place: usize, key: &ObjectKey) {
        let path = key.to_string().as_str().into();
        self.0[place].1.delete(&path).await.unwrap();
    }
}

fn at(minute: usize) -> Timestamp {
    let second = 1_763_780_000 + 60 * i64::try_from(minute).unwrap();
    // Finer than the ledger records.
    Timestamp::new(second, 123_456_789).unwrap()
}

/// The world in which a history happens.
struct Played {
    stores: Stores,
    /// The last that was seen of each server: its panel, its name, its backups.
    seen: BTreeMap<u64, (usize, String, BTreeSet<usize>)>,
    held: BTreeMap<(u64, usize, usize), ObjectKey>,
    /// The latest copy of each server: what it is called now stands in that one's sidecar.
    latest: BTreeMap<u64, (u64, usize, usize)>,
}

fn server(number: u64, name: &str) -> Server {
    Server {
        id: server_id(number),
        identifier: server_id(number).short(),
        name: name.to_owned(),
        state: ServerState::Ready,
        passport: Passport::default(),
    }
}

/// Backups of different servers may share a uuid, so that only both together name one.
fn listed(backups: &[Made], number: usize) -> CompletedBackup {
    let made = &backups[number];
    let created_at = Timestamp::from_millisecond(made.created_ms).unwrap();
    CompletedBackup {
        record: BackupRecord {
            id: backup_id(number as u64),
            name: made.name.clone(),
            is_locked: made.is_locked,
            ignored_files: Vec::new(),
            created_at,
        },
        archive_bytes: made.archive.len() as u64,
        checksum: made.checksum.map_or(PanelChecksum::Absent, |algorithm| {
            PanelChecksum::Digest(Hasher::digest(algorithm, &made.archive))
        }),
        completed_at: Timestamp::from_millisecond(made.created_ms + made.took_ms).unwrap(),
    }
}

fn list_all(
    ledger: &mut Ledger,
    played: &Played,
    backups: &[Made],
    leave_out: usize,
    now: Timestamp,
) {
    let run = ledger.begin_run("mirror", now).unwrap();
    for (number, (panel, name, known)) in &played.seen {
        let panel = PANELS[*panel].parse().unwrap();
        ledger
            .record_panel(&panel, "https://panel.example.com/", now)
            .unwrap();
        let rows: Vec<Backup> = known
            .iter()
            .filter(|backup| **backup != leave_out)
            .map(|backup| Backup::Completed(listed(backups, *backup)))
            .collect();
        let server = server(*number, name);
        ledger
            .record_listing(run, &panel, &server, &rows, ListingSeen::Whole, now)
            .unwrap();
    }
}

async fn play(ledger: &mut Ledger, backups: &[Made], happenings: &[Happening]) -> Played {
    let mut played = Played {
        stores: Stores::new(),
        seen: BTreeMap::new(),
        held: BTreeMap::new(),
        latest: BTreeMap::new(),
    };
    for (minute, happening) in happenings.iter().enumerate() {
        let of = (happening.server, happening.backup, happening.place);
        let now = at(minute);
        let run = ledger.begin_run("mirror", now).unwrap();
        let destination = &played.stores.0[happening.place].0;
        let there = ledger
            .record_destination(destination.name(), destination.location(), now)
            .unwrap();
        if let Some(key) = played.held.get(&of) {
            if happening.act == Act::Lose && played.latest.get(&happening.server) != Some(&of) {
                let failure = Failure {
                    scope: Scope::Destination,
                    id: destination.name().to_string(),
                    kind: FailureKind::NotFound,
                    message: "gone".to_owned(),
                    hint: String::new(),
                };
                ledger.record_lost(run, there, key, &failure, now).unwrap();
                played.stores.remove(happening.place, &key.sidecar()).await;
                played.stores.remove(happening.place, key).await;
                played.held.remove(&of);
            }
            continue;
        }
        let panel = PANELS[happening.panel].parse().unwrap();
        ledger
            .record_panel(&panel, "https://panel.example.com/", now)
            .unwrap();
        let seen = played
            .seen
            .entry(happening.server)
            .or_insert_with(|| (0, String::new(), BTreeSet::new()));
        seen.0 = happening.panel;
        seen.1.clone_from(&happening.server_name);
        seen.2.insert(happening.backup);
        let rows: Vec<Backup> = seen
            .2
            .iter()
            .map(|backup| Backup::Completed(listed(backups, *backup)))
            .collect();
        let server = server(happening.server, &happening.server_name);
        ledger
            .record_listing(run, &panel, &server, &rows, ListingSeen::Whole, now)
            .unwrap();

        let backup = listed(backups, happening.backup);
        let archive = &backups[happening.backup].archive;
        let (kind, at_rest) = if happening.is_encrypted {
            let sealed = [b"age-encryption.org/v1\n", archive.as_slice()].concat();
            (ObjectKind::EncryptedArchive, sealed)
        } else {
            (ObjectKind::Archive, archive.clone())
        };
        let key = ObjectKey::for_backup(server.id, backup.record.id, kind);
        let sidecar = json!({
            "format": "nestegg.copy/1",
            "panel": {"name": panel, "url": "https://panel.example.com/"},
            "server": {"uuid": server.id, "identifier": server.identifier, "name": server.name},
            "backup": {"uuid": backup.record.id, "name": backup.record.name,
                       "is_locked": backup.record.is_locked, "created_at": backup.record.created_at,
                       "completed_at": backup.completed_at},
            "archive": {"bytes": archive.len(), "sha256": sha256(archive),
                        "panel_checksum": backup.checksum.digest().map(ToString::to_string),
                        "verdict": happening.verdict,
                        "entries": happening.structure.map(|(entries, _)| entries),
                        "unpacked_bytes": happening.structure.map(|(_, bytes)| bytes)},
            "stored": {"bytes": at_rest.len(), "sha256": sha256(&at_rest),
                       "encryption": happening.is_encrypted.then(|| json!({
                           "scheme": "age", "recipients": ["age1qqq", "ssh-ed25519 AAAA"]}))},
            "written_by": "nestegg 0.1.0",
            "written_at": at(minute).checked_add(jiff::SignedDuration::from_secs(7)).unwrap(),
        });
        let place = happening.place;
        played.stores.put(place, &key, at_rest).await;
        let document = sidecar.to_string().into_bytes();
        played.stores.put(place, &key.sidecar(), document).await;
        let destination = &played.stores.0[place].0;
        let found = destination.find(server.id, backup.record.id).await.unwrap();
        let stored = found.unwrap().stored;
        ledger
            .record_copy(run, there, &stored, happening.origin, now)
            .unwrap();
        played.held.insert(of, key);
        played.latest.insert(happening.server, of);
    }
    played
}

/// A folder where syncing costs nothing, where there is one.
fn folder() -> tempfile::TempDir {
    if Path::new("/dev/shm").is_dir() {
        tempfile::tempdir_in("/dev/shm").unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Everything that sidecars can know of panels, servers and backups.
fn rest(ledger: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(ledger).unwrap();
    let mut rows = Vec::new();
    for query in [
        "SELECT format('%s %s', name, url) FROM panels
          WHERE id IN (SELECT panel_id FROM servers WHERE id IN (SELECT server_id FROM copy_totals)) ORDER BY 1",
        "SELECT format('%s %s %s %s', uuid, identifier, name, (SELECT name FROM panels WHERE id = panel_id))
           FROM servers WHERE id IN (SELECT server_id FROM copy_totals) ORDER BY 1",
        "SELECT format('%s %s %s %s %s %s %s %s %s', server.uuid, backups.uuid, backups.name, state, is_locked,
                       created_at, completed_at, archive_bytes, checksum)
           FROM backups JOIN servers server ON server.id = server_id
          WHERE backups.id IN (SELECT backup_id FROM copies WHERE state = 'verified') ORDER BY 1",
        "SELECT format('%s %s', name, location) FROM destinations
          WHERE id IN (SELECT destination_id FROM copy_totals) ORDER BY 1",
        "SELECT format('%s %s %s %s %s', servers.uuid, destinations.name, copies, stored_bytes, newest_completed_at)
           FROM copy_totals JOIN servers ON servers.id = server_id
           JOIN destinations ON destinations.id = destination_id ORDER BY 1",
    ] {
        let mut statement = connection.prepare(query).unwrap();
        let found = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    rows
}

/// As a ledger has them before it was told what the panels no longer list.
fn all_listed(mut copies: Vec<HeldCopy>) -> Vec<HeldCopy> {
    for copy in &mut copies {
        copy.on_panel = PanelPresence::Listed;
    }
    copies
}

async fn plays_and_rebuilds(backups: &[Made], happenings: &[Happening], leave_out: usize) {
    let home = folder();
    let (lost, anew) = (home.path().join("lost"), home.path().join("anew"));
    let mut ledger = Ledger::open(&lost).unwrap();
    let played = play(&mut ledger, backups, happenings).await;
    list_all(&mut ledger, &played, backups, leave_out, at(1000));
    let all = CopyFilter::default();
    let expected = ledger.copies(&all).unwrap();
    assert_eq!(expected.len(), played.held.len());
    drop(ledger);

    let env = Env::new(Clock::Fixed(at(900)));
    let mut fresh = Ledger::open(&anew).unwrap();
    let run = fresh.begin_run("ledger rebuild", at(900)).unwrap();
    let shared = SharedLedger::new(fresh);
    let book = Book::new(shared.clone(), Some(run), env.clone());
    for round in ["first", "second"] {
        let places = OpenedPlaces {
            destinations: played
                .stores
                .0
                .iter()
                .map(|(place, _)| place.clone())
                .collect(),
            failures: Vec::new(),
        };
        let report = rebuild::from_places(&book, &env, places).await.unwrap();
        assert_eq!(report.errors, [], "{round}");
        let (added, known) = match round {
            "first" => (expected.len() as u64, 0),
            _ => (0, expected.len() as u64),
        };
        assert_eq!((report.added(), report.known()), (added, known), "{round}");
    }
    let filter = all.clone();
    let rebuilt = shared.with(move |ledger| ledger.copies(&filter)).await;
    assert_eq!(rebuilt.unwrap(), all_listed(expected.clone()));
    assert_eq!(rest(&anew), rest(&lost));
    // What the panels no longer list is in no sidecar; the next whole listing says it again.
    let backups = backups.to_vec();
    let told = shared
        .with(move |ledger| {
            list_all(ledger, &played, &backups, leave_out, at(1000));
            ledger.copies(&all)
        })
        .await;
    assert_eq!(told.unwrap(), expected);
}

#[test]
fn a_ledger_from_sidecars_alone_equals_the_one_that_was_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let history = (
        proptest::collection::vec(made(), 6),
        proptest::collection::vec(happening(), 0..24),
        0..8_usize,
    );
    proptest!(ProptestConfig::with_cases(CASES), |((backups, happenings, leave_out) in history)| {
        runtime.block_on(plays_and_rebuilds(&backups, &happenings, leave_out));
    });
}
