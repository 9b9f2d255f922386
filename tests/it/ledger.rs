//! The ledger file: migrations, locks, refusals.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use nestegg::destination::Destination;
use nestegg::destination::DestinationTuning;
use nestegg::destination::JournalError;
use nestegg::destination::OpenUpload;
use nestegg::destination::UploadJournal;
use nestegg::destination::VerifiedUpload;
use nestegg::ledger::BackupOf;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::CopyOrigin;
use nestegg::ledger::DestinationRef;
use nestegg::ledger::Error;
use nestegg::ledger::HeldFacts;
use nestegg::ledger::JournaledUpload;
use nestegg::ledger::Ledger;
use nestegg::ledger::SharedLedger;
use nestegg::ledger::UploadEnd;
use nestegg::ledger::WriterLock;
use nestegg::model::backup::Backup;
use nestegg::model::backup::BackupRecord;
use nestegg::model::backup::CompletedBackup;
use nestegg::model::backup::ExpectedContent;
use nestegg::model::backup::ExpectedProof;
use nestegg::model::backup::ListingSeen;
use nestegg::model::backup::LockState;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Hasher;
use nestegg::model::checksum::PanelChecksum;
use nestegg::model::checksum::Verdict;
use nestegg::model::content::ComputedContent;
use nestegg::model::content::PartCutter;
use nestegg::model::content::StreamHasher;
use nestegg::model::content::Structure;
use nestegg::model::content::VerifiedContent;
use nestegg::model::holding::DestinationHolding;
use nestegg::model::holding::HeldCopy;
use nestegg::model::holding::MissingCopy;
use nestegg::model::holding::PanelPresence;
use nestegg::model::holding::ServerHolding;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::PanelName;
use nestegg::model::ids::RunId;
use nestegg::model::ids::ServerId;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::server::Passport;
use nestegg::model::server::Server;
use nestegg::model::server::ServerState;
use nestegg::model::server::Variable;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use rusqlite::Connection;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_763_780_000 + seconds).unwrap()
}

fn panel() -> PanelName {
    "main".parse().unwrap()
}

fn server_id(n: u32) -> ServerId {
    format!("a1fa0000-1111-4111-8111-{n:012x}").parse().unwrap()
}

fn backup_id(n: u32) -> BackupId {
    format!("6fdff738-bf44-4933-824f-{n:012x}").parse().unwrap()
}

fn server(n: u32) -> Server {
    Server {
        id: server_id(n),
        identifier: server_id(n).short(),
        name: format!("Server {n}"),
        state: ServerState::Ready,
        passport: Passport::default(),
    }
}

fn completed(n: u32) -> Backup {
    Backup::Completed(CompletedBackup {
        record: BackupRecord {
            id: backup_id(n),
            name: format!("nightly {n}"),
            is_locked: false,
            ignored_files: Vec::new(),
            created_at: at(i64::from(n)),
        },
        archive_bytes: 10,
        checksum: PanelChecksum::Digest(Hasher::digest(Algorithm::Sha1, b"0123456789")),
        completed_at: at(i64::from(n) + 1),
    })
}

/// Records one listing of `backups` completed backups for each of `servers` servers.
fn fill(ledger: &mut Ledger, servers: u32, backups: u32) {
    let run = ledger.begin_run("mirror", at(0)).unwrap();
    ledger
        .record_panel(&panel(), "https://panel.example.com/", at(0))
        .unwrap();
    let listed: Vec<Backup> = (0..backups).map(completed).collect();
    for n in 0..servers {
        ledger
            .record_listing(
                run,
                &panel(),
                &server(n),
                &listed,
                ListingSeen::Whole,
                at(9),
            )
            .unwrap();
    }
}

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn ledger(&self) -> PathBuf {
        self.path("ledger.sqlite3")
    }

    /// A ledger with three servers of ten backups each, closed.
    fn with_ledger() -> Self {
        let home = Self::new();
        fill(&mut Ledger::open(&home.ledger()).unwrap(), 3, 10);
        home
    }

    /// The files there, but for those that SQLite keeps beside one that is being read.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
            .collect();
        names.sort();
        names
    }
}

/// Makes it impossible to keep SQLite's index beside a ledger, as on a read-only medium; permission bits
/// would not do, as they bind no superuser.
fn bar_companions(ledger: &Path) {
    let mut index = ledger.as_os_str().to_owned();
    index.push("-shm");
    std::os::unix::fs::symlink("/nowhere", index).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusals(path: &Path) -> [Error; 2] {
    [
        Ledger::open(path).unwrap_err(),
        Ledger::open_read_only(path).unwrap_err(),
    ]
}

fn servers_in(ledger: &Ledger) -> usize {
    ledger.holdings(&CopyFilter::default()).unwrap().len()
}

// --- New ledgers ---------------------------------------------------------------------------------

#[test]
fn a_new_ledger_and_its_directories_are_its_owners_alone() {
    let home = Home::new();
    let path = home.path("state/nestegg/ledger.sqlite3");
    let mut ledger = Ledger::open(&path).unwrap();
    fill(&mut ledger, 1, 1);
    assert_eq!(ledger.path(), path);
    for file in ["ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
    for directory in ["state", "state/nestegg"] {
        assert_eq!(mode(&home.path(directory)), 0o700, "{directory}");
    }
}

#[test]
fn an_empty_file_and_a_link_to_nothing_become_new_ledgers() {
    let home = Home::new();
    fs::write(home.ledger(), b"").unwrap();
    fill(&mut Ledger::open(&home.ledger()).unwrap(), 1, 1);
    assert_eq!(servers_in(&Ledger::open(&home.ledger()).unwrap()), 1);

    let link = home.path("link");
    std::os::unix::fs::symlink(home.path("elsewhere.sqlite3"), &link).unwrap();
    fill(&mut Ledger::open(&link).unwrap(), 1, 1);
    assert_eq!(mode(&home.path("elsewhere.sqlite3")), 0o600);
}

#[test]
fn names_that_look_like_urls_are_names() {
    let home = Home::new();
    let odd = home.path("file:ledger?mode=memory&x=%20#1");
    fill(&mut Ledger::open(&odd).unwrap(), 2, 1);
    assert_eq!(servers_in(&Ledger::open_read_only(&odd).unwrap()), 2);
    assert_eq!(home.names(), ["file:ledger?mode=memory&x=%20#1"]);
    // The same where it has to be written as a URL.
    let home = Home::new();
    let odd = home.path("file:ledger?mode=memory&x=%20#1");
    fill(&mut Ledger::open(&odd).unwrap(), 2, 1);
    bar_companions(&odd);
    assert_eq!(servers_in(&Ledger::open_read_only(&odd).unwrap()), 2);
}

#[test]
fn every_schema_that_was_released_still_opens_and_becomes_the_newest() {
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/ledgers");
    let home = Home::new();
    drop(Ledger::open(&home.path("new")).unwrap());
    let schema = |path: &Path| -> Vec<(String, String)> {
        Connection::open(path)
            .unwrap()
            .prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    };
    for version in ["v1"] {
        let old = home.path(version);
        fs::copy(released.join(version).with_extension("sqlite3"), &old).unwrap();
        let ledger = Ledger::open(&old).unwrap();
        insta::assert_debug_snapshot!(
            format!("{version}_holdings"),
            ledger.holdings(&CopyFilter::default()).unwrap()
        );
        insta::assert_debug_snapshot!(
            format!("{version}_copies"),
            ledger.copies(&CopyFilter::default()).unwrap()
        );
        insta::assert_debug_snapshot!(
            format!("{version}_rest"),
            (
                ledger.open_uploads().unwrap(),
                ledger.last_run("mirror").unwrap()
            )
        );
        drop(ledger);
        assert_eq!(schema(&old), schema(&home.path("new")), "{version}");
    }
}

#[test]
fn a_ledger_of_an_older_schema_is_read_like_the_newest_and_left_as_it_is() {
    let released =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/ledgers/v1.sqlite3");
    let upgraded = Home::new();
    fs::copy(&released, upgraded.ledger()).unwrap();
    let all = CopyFilter::default();
    let expected = |ledger: &Ledger| {
        (
            ledger.copies(&all).unwrap(),
            ledger.holdings(&all).unwrap(),
            ledger.last_run("mirror").unwrap(),
            ledger.histories(&all).unwrap(),
            ledger.prunable(&all).unwrap(),
        )
    };
    let expected_there = expected(&Ledger::open(&upgraded.ledger()).unwrap());
    for medium in ["ordinary", "read-only"] {
        let home = Home::new();
        fs::copy(&released, home.ledger()).unwrap();
        if medium == "read-only" {
            bar_companions(&home.ledger());
        }
        let before = fs::read(home.ledger()).unwrap();
        let mut reader = Ledger::open_read_only(&home.ledger()).unwrap();
        assert_eq!(expected(&reader), expected_there, "{medium}");
        let refused = reader.begin_run("mirror", at(0)).unwrap_err();
        assert!(matches!(refused, Error::ReadOnly { .. }), "{refused:?}");
        drop(reader);
        assert_eq!(home.names(), ["ledger.sqlite3"]);
        assert!(fs::read(home.ledger()).unwrap() == before, "{medium}");
    }
}

#[test]
fn an_older_ledger_is_read_whole_while_its_own_version_writes_it() {
    let home = Home::new();
    let released =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/ledgers/v1.sqlite3");
    fs::copy(released, home.ledger()).unwrap();
    let before = servers_in(&Ledger::open_read_only(&home.ledger()).unwrap());
    let writer = Connection::open(home.ledger()).unwrap();
    let mode: String = writer
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    writer
        .execute_batch(
            "INSERT INTO servers (uuid, panel_id, identifier, name, first_seen_at, last_seen_at)
             SELECT '00000000-1111-4111-8111-000000000000', id, 'x', 'late', 0, 0 FROM panels LIMIT 1;
             BEGIN IMMEDIATE;
             UPDATE servers SET name = 'half-written';",
        )
        .unwrap();
    let reader = Ledger::open_read_only(&home.ledger()).unwrap();
    assert_eq!(servers_in(&reader), before + 1);
    let holdings = reader.holdings(&CopyFilter::default()).unwrap();
    assert!(holdings.iter().all(|server| server.name != "half-written"));
    writer.execute_batch("ROLLBACK").unwrap();
}

// --- Refusals ------------------------------------------------------------------------------------

#[test]
fn a_newer_ledger_is_refused_and_not_one_byte_of_it_is_touched() {
    let home = Home::with_ledger();
    Connection::open(home.ledger())
        .unwrap()
        .pragma_update(None, "user_version", 7)
        .unwrap();
    let before = fs::read(home.ledger()).unwrap();
    let known = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"));
    let known = known.unwrap().count();
    for refusal in refusals(&home.ledger()) {
        assert_eq!(
            refusal.to_string(),
            format!(
                "the ledger `{}` has schema version 7, and this nestegg knows versions up to {known}: upgrade nestegg",
                home.ledger().display()
            )
        );
    }
    assert_eq!(home.names(), ["ledger.sqlite3"]);
    assert_eq!(fs::read(home.ledger()).unwrap(), before);
}

#[test]
fn a_newer_ledger_with_unfinished_business_in_its_log_is_left_with_it() {
    let home = Home::new();
    let crashed = Home::with_ledger();
    let writer = Connection::open(crashed.ledger()).unwrap();
    writer.pragma_update(None, "user_version", 7).unwrap();
    for name in ["ledger.sqlite3", "ledger.sqlite3-wal"] {
        fs::copy(crashed.path(name), home.path(name)).unwrap();
    }
    let both =
        || ["ledger.sqlite3", "ledger.sqlite3-wal"].map(|name| fs::read(home.path(name)).unwrap());
    let before = both();
    assert!(!before[1].is_empty());
    for refusal in refusals(&home.ledger()) {
        assert!(
            matches!(refusal, Error::Newer { found: 7, .. }),
            "{refusal:?}"
        );
    }
    assert_eq!(both(), before);
}

#[test]
fn what_is_no_ledger_is_refused_and_left_as_it_is() {
    let home = Home::new();
    let own = home.path("own.sqlite3");
    Connection::open(&own)
        .unwrap()
        .execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup');")
        .unwrap();
    let numbered = home.path("numbered.sqlite3");
    Connection::open(&numbered)
        .unwrap()
        .execute_batch("CREATE TABLE recipes (name TEXT); PRAGMA user_version = 1;")
        .unwrap();
    let marked = home.path("marked.sqlite3");
    Connection::open(&marked)
        .unwrap()
        .execute_batch("PRAGMA application_id = 1852142452; PRAGMA user_version = -1;")
        .unwrap();
    let another = "it is the database of another program";
    let mut cases = vec![(own, another), (numbered, another), (marked, another)];
    for (n, text) in [
        b"x".to_vec(),
        b"# notes\n".to_vec(),
        vec![0; 100],
        vec![0xa5; 511],
        vec![b'\n'; 70_000],
    ]
    .into_iter()
    .enumerate()
    {
        let path = home.path(&format!("text{n}"));
        fs::write(&path, text).unwrap();
        cases.push((path, "it is not an SQLite file"));
    }
    for (path, why) in cases {
        let before = fs::read(&path).unwrap();
        for refusal in refusals(&path) {
            assert_eq!(
                refusal.to_string(),
                format!("`{}` is not a nestegg ledger: {why}", path.display())
            );
            assert!(!refusal.hint().is_empty());
        }
        assert_eq!(fs::read(&path).unwrap(), before, "{}", path.display());
    }
    assert_eq!(home.names().len(), 8, "{:?}", home.names());
}

#[test]
fn a_ledger_whose_head_was_overwritten_is_refused_and_left_as_it_is() {
    let home = Home::with_ledger();
    let mut bytes = fs::read(home.ledger()).unwrap();
    bytes[..16].copy_from_slice(b"0123456789abcdef");
    fs::write(home.ledger(), &bytes).unwrap();
    for refusal in refusals(&home.ledger()) {
        assert!(matches!(refusal, Error::Foreign { .. }), "{refusal:?}");
    }
    assert_eq!(fs::read(home.ledger()).unwrap(), bytes);
}

#[test]
fn a_ledger_with_damaged_pages_says_so_and_how_to_go_on() {
    let home = Home::with_ledger();
    let mut bytes = fs::read(home.ledger()).unwrap();
    assert!(bytes.len() > 8 * 4096);
    bytes[4096..].fill(0x5a);
    fs::write(home.ledger(), &bytes).unwrap();
    let damaged = [
        Ledger::open_read_only(&home.ledger())
            .and_then(|ledger| ledger.holdings(&CopyFilter::default()))
            .unwrap_err(),
        Ledger::open(&home.ledger())
            .and_then(|mut ledger| ledger.begin_run("mirror", at(0)))
            .unwrap_err(),
    ];
    for error in damaged {
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        assert!(error.to_string().ends_with("is damaged"), "{error}");
        assert!(error.hint().contains("run `nestegg ledger rebuild`"));
    }
    assert_eq!(fs::read(home.ledger()).unwrap(), bytes);
}

#[test]
fn a_ledger_cut_short_is_damaged_and_left_as_it_is() {
    let home = Home::with_ledger();
    let mut bytes = fs::read(home.ledger()).unwrap();
    bytes.truncate(3 * 4096);
    fs::write(home.ledger(), &bytes).unwrap();
    let error = Ledger::open(&home.ledger())
        .and_then(|mut ledger| {
            ledger.begin_run("mirror", at(0))?;
            ledger.holdings(&CopyFilter::default())
        })
        .unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert_eq!(fs::read(home.ledger()).unwrap(), bytes);
}

#[test]
fn a_path_that_leads_to_no_file_is_named_for_what_it_is() {
    let home = Home::new();
    fs::write(home.path("file"), b"").unwrap();
    for (path, said) in [
        (home.path("."), "is a directory, not a file"),
        (PathBuf::from("/dev/null"), "is a device, not a file"),
    ] {
        for refusal in refusals(&path) {
            assert_eq!(
                refusal.to_string(),
                format!("the ledger path `{}` {said}", path.display())
            );
        }
    }
    let below_a_file = home.path("file/ledger.sqlite3");
    for refusal in refusals(&below_a_file) {
        assert_eq!(
            refusal.to_string(),
            format!("could not look at the ledger `{}`", below_a_file.display())
        );
    }
    assert_eq!(home.names(), ["file"]);
}

#[test]
fn reading_where_nothing_was_recorded_says_that_there_is_no_ledger() {
    let home = Home::new();
    fs::write(home.path("empty"), b"").unwrap();
    // A run that was killed while it made its ledger.
    Connection::open(home.path("begun"))
        .unwrap()
        .pragma_update(None, "journal_mode", "wal")
        .unwrap();
    for name in ["missing", "missing/directory", "empty", "begun"] {
        let refusal = Ledger::open_read_only(&home.path(name)).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!("there is no ledger at `{}`", home.path(name).display())
        );
    }
    assert_eq!(home.names(), ["begun", "empty"]);
}

#[test]
fn a_writer_that_can_keep_no_files_beside_the_ledger_says_so() {
    let home = Home::with_ledger();
    let before = fs::read(home.ledger()).unwrap();
    fs::create_dir(home.path("ledger.sqlite3-wal")).unwrap();
    let refusal = Ledger::open(&home.ledger()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        format!(
            "could not open the ledger: SQLite can't open the ledger `{}` or make its files beside it",
            home.ledger().display()
        )
    );
    assert!(refusal.hint().contains("directory writable"));
    assert_eq!(fs::read(home.ledger()).unwrap(), before);
}

// --- Reading -------------------------------------------------------------------------------------

#[test]
fn a_reader_sees_what_was_recorded_while_a_writer_is_at_work_and_can_change_nothing() {
    let home = Home::new();
    let mut writer = Ledger::open(&home.ledger()).unwrap();
    fill(&mut writer, 2, 5);
    let mut reader = Ledger::open_read_only(&home.ledger()).unwrap();
    assert_eq!(servers_in(&reader), 2);
    fill(&mut writer, 4, 5);
    assert_eq!(servers_in(&reader), 4);
    let refused = reader.begin_run("mirror", at(0)).unwrap_err();
    assert!(matches!(refused, Error::ReadOnly { .. }), "{refused:?}");
}

#[test]
fn a_reader_does_not_wait_for_a_writer_in_the_middle_of_its_work() {
    let home = Home::with_ledger();
    let writer = Connection::open(home.ledger()).unwrap();
    writer
        .execute_batch("BEGIN IMMEDIATE; DELETE FROM backups;")
        .unwrap();
    let reader = Ledger::open_read_only(&home.ledger()).unwrap();
    assert_eq!(servers_in(&reader), 3);
}

#[test]
fn a_ledger_is_readable_where_nothing_can_be_written_beside_it() {
    let home = Home::with_ledger();
    bar_companions(&home.ledger());
    let reader = Ledger::open_read_only(&home.ledger()).unwrap();
    assert_eq!(servers_in(&reader), 3);
}

#[test]
fn what_lies_in_a_log_that_can_not_be_opened_is_not_ignored() {
    let home = Home::new();
    let crashed = Home::new();
    let mut writer = Ledger::open(&crashed.ledger()).unwrap();
    fill(&mut writer, 3, 10);
    for name in ["ledger.sqlite3", "ledger.sqlite3-wal"] {
        fs::copy(crashed.path(name), home.path(name)).unwrap();
    }
    bar_companions(&home.ledger());
    let refusal = Ledger::open_read_only(&home.ledger()).unwrap_err();
    assert!(matches!(refusal, Error::Beside { .. }), "{refusal:?}");
    // With its log readable, the crashed ledger is whole.
    fs::remove_file(home.path("ledger.sqlite3-shm")).unwrap();
    assert_eq!(
        servers_in(&Ledger::open_read_only(&home.ledger()).unwrap()),
        3
    );
}

// --- Locks ---------------------------------------------------------------------------------------

/// Not a test of its own: what the next test starts as another process, to be killed.
#[tokio::test]
async fn another_process_that_holds_the_lock_until_it_is_killed() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells its other process what to do"
    )]
    let Some(ledger) = std::env::var_os("NESTEGG_TEST_HOLD_LOCK_OF") else {
        return;
    };
    let _lock = WriterLock::acquire(Path::new(&ledger), "prune", at(0), Duration::ZERO)
        .await
        .unwrap();
    std::io::stdout().write_all(b"\nheld\n").unwrap();
    std::io::stdout().flush().unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_writer_has_let_go_of_the_ledger() {
    let home = Home::new();
    let name = "ledger::another_process_that_holds_the_lock_until_it_is_killed";
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("NESTEGG_TEST_HOLD_LOCK_OF", home.ledger())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = std::io::BufReader::new(other.stdout.take().unwrap());
    let held = std::io::BufRead::lines(said).any(|line| line.unwrap() == "held");
    assert!(held, "the other process ended early");

    let ledger = home.ledger();
    let acquire = || WriterLock::acquire(&ledger, "mirror", at(1), Duration::ZERO);
    let refusal = acquire().await.unwrap_err();
    assert!(refusal.is_locked());
    assert_eq!(
        refusal.to_string(),
        format!(
            "another run holds the ledger `{}`: `nestegg prune`, process {}, since {:.0}",
            home.ledger().display(),
            other.id(),
            at(0)
        )
    );
    other.kill().unwrap();
    other.wait().unwrap();
    let _lock = acquire().await.unwrap();
    let beside = format!("{}.lock", home.ledger().display());
    assert_eq!(mode(Path::new(&beside)), 0o600);
    assert!(acquire().await.unwrap_err().is_locked());
}

#[tokio::test]
async fn the_lock_keeps_out_writers_and_not_readers() {
    let home = Home::with_ledger();
    let _lock = WriterLock::acquire(&home.ledger(), "mirror", at(1), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        servers_in(&Ledger::open_read_only(&home.ledger()).unwrap()),
        3
    );
}

// --- Copies, from real uploads -------------------------------------------------------------------

/// Writes open uploads into the ledger, as a run does.
#[derive(Debug)]
struct LedgerJournal(SharedLedger, RunId);

impl UploadJournal for LedgerJournal {
    fn opened<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>> {
        let (upload, run) = (upload.clone(), self.1);
        Box::pin(async move {
            self.0
                .with(move |ledger| {
                    ledger.journal_upload(
                        run,
                        &upload.location,
                        &upload.key,
                        &upload.upload_id,
                        at(60),
                    )
                })
                .await
                .map_err(JournalError::from)
        })
    }

    fn closed<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, ()> {
        let (upload, run) = (upload.clone(), self.1);
        Box::pin(async move {
            self.0
                .with(move |ledger| {
                    let OpenUpload {
                        location,
                        key,
                        upload_id,
                    } = &upload;
                    ledger.close_upload(run, location, key, upload_id, UploadEnd::ByItsRun, at(61))
                })
                .await
                .unwrap();
        })
    }
}

fn in_memory(name: &str) -> Destination {
    let store = Arc::new(InMemory::new());
    Destination::over(
        name.parse().unwrap(),
        format!("memory:///{name}"),
        Arc::clone(&store) as Arc<dyn ObjectStore>,
        Some(store),
        DestinationTuning::PRODUCTION,
    )
}

const ARCHIVE: &[u8] = b"0123456789";

/// An upload of the ten bytes that every backup here has, proved and not yet visible.
async fn proved(to: &Destination, key: ObjectKey, journal: Arc<LedgerJournal>) -> VerifiedUpload {
    let mut cutter = PartCutter::new(4);
    let mut sha256 = StreamHasher::new(cutter.stream(), Algorithm::Sha256);
    let mut sha1 = StreamHasher::new(cutter.stream(), Algorithm::Sha1);
    let mut upload = to.begin(key, cutter.stream(), 4, journal).await.unwrap();
    let mut rest = Bytes::from_static(ARCHIVE);
    while !rest.is_empty() {
        cutter.fill(&mut rest);
        let part = cutter.cut(None);
        sha256.absorb(&part).unwrap();
        sha1.absorb(&part).unwrap();
        upload.send(part).await.unwrap();
    }
    let expected = ExpectedContent {
        length_bytes: Some(10),
        proof: ExpectedProof::Digest(Hasher::digest(Algorithm::Sha1, ARCHIVE)),
    };
    let computed = ComputedContent {
        sha256: sha256.finish(),
        second: Some(sha1.finish()),
        structure: Some(Ok(Structure {
            entries: 2,
            unpacked_bytes: 40,
        })),
    };
    let content = VerifiedContent::prove(&expected, computed).unwrap();
    upload.verify(&content).await.unwrap()
}

/// A ledger that wants the first two of three backups of one server at a destination.
struct Wanting {
    _home: Home,
    shared: SharedLedger,
    run: RunId,
    b2: Destination,
    there: DestinationRef,
}

impl Wanting {
    fn new() -> Self {
        let home = Home::new();
        let mut ledger = Ledger::open(&home.ledger()).unwrap();
        fill(&mut ledger, 1, 3);
        let run = ledger.last_run("mirror").unwrap().unwrap().run;
        let b2 = in_memory("b2");
        let there = ledger
            .record_destination(b2.name(), b2.location(), at(50))
            .unwrap();
        let wanted = [backup_id(0), backup_id(1)];
        ledger
            .record_wanted(run, server_id(0), there, &wanted, at(50))
            .unwrap();
        Self {
            _home: home,
            shared: SharedLedger::new(ledger),
            run,
            b2,
            there,
        }
    }

    async fn proved(&self, key: &ObjectKey) -> VerifiedUpload {
        let journal = Arc::new(LedgerJournal(self.shared.clone(), self.run));
        proved(&self.b2, key.clone(), journal).await
    }

    async fn open_uploads(&self) -> Vec<JournaledUpload> {
        self.shared
            .with(|ledger| ledger.open_uploads())
            .await
            .unwrap()
    }
}

fn second_backups_key() -> ObjectKey {
    ObjectKey::for_backup(server_id(0), backup_id(1), ObjectKind::Archive)
}

#[tokio::test]
async fn an_upload_is_noted_from_its_first_part_until_it_is_committed_or_aborted() {
    let wanting = Wanting::new();
    let key = second_backups_key();
    for committed in [true, false] {
        let upload = wanting.proved(&key).await;
        let open = wanting.open_uploads().await;
        assert_eq!(open.len(), 1);
        let noted = JournaledUpload {
            run: wanting.run,
            destination: wanting.there,
            name: wanting.b2.name().clone(),
            location: wanting.b2.location().to_owned(),
            key: key.clone(),
            upload_id: open[0].upload_id.clone(),
            opened_at: at(60),
        };
        assert_eq!(open, [noted]);
        if committed {
            upload.commit(at(62)).await.unwrap();
        } else {
            upload.abort().await;
        }
        assert_eq!(wanting.open_uploads().await, []);
    }
}

#[tokio::test]
async fn a_stored_object_becomes_a_held_copy_with_all_that_is_known_of_it() {
    let wanting = Wanting::new();
    let key = second_backups_key();
    let stored = wanting.proved(&key).await.commit(at(62)).await.unwrap();
    let Wanting {
        shared,
        run,
        b2,
        there,
        _home,
    } = &wanting;
    let (run, there) = (*run, *there);
    let etag = stored.etag().map(str::to_owned);
    let (held, copies, holdings) = shared
        .with(move |ledger| {
            ledger.record_copy(run, there, &stored, CopyOrigin::Mirrored, at(62))?;
            let all = CopyFilter::default();
            Ok((
                ledger.held(server_id(0), there)?,
                ledger.copies(&all)?,
                ledger.holdings(&all)?,
            ))
        })
        .await
        .unwrap();
    let sha256 = Hasher::digest(Algorithm::Sha256, ARCHIVE);
    let sha1 = Hasher::digest(Algorithm::Sha1, ARCHIVE);
    let facts = HeldFacts {
        key: key.clone(),
        archive_bytes: 10,
        sha256: sha256.clone(),
        stored_bytes: 10,
        stored_sha256: sha256.clone(),
        panel_checksum: Some(sha1.clone()),
        verdict: Verdict::PanelSha1,
        structure: Some(Structure {
            entries: 2,
            unpacked_bytes: 40,
        }),
        etag: etag.clone(),
        encryption: None,
    };
    assert_eq!(held, BTreeMap::from([(backup_id(1), facts)]));
    let copy = HeldCopy {
        panel: panel(),
        server: server_id(0),
        identifier: server_id(0).short(),
        server_name: "Server 0".to_owned(),
        backup: backup_id(1),
        backup_name: "nightly 1".to_owned(),
        created_at: at(1),
        completed_at: at(2),
        panel_checksum: Some(sha1.to_string()),
        on_panel: PanelPresence::Listed,
        destination: b2.name().clone(),
        location: b2.location().to_owned(),
        key,
        archive_bytes: 10,
        sha256: sha256.clone(),
        stored_bytes: 10,
        stored_sha256: sha256,
        encryption: None,
        structure: Some(Structure {
            entries: 2,
            unpacked_bytes: 40,
        }),
        etag,
        verdict: Verdict::PanelSha1,
        mirrored_at: at(62),
        verified_at: None,
        kept: None,
        lock: LockState::Unlocked,
    };
    assert_eq!(copies, [copy]);
    let holding = ServerHolding {
        panel: panel(),
        server: server_id(0),
        identifier: server_id(0).short(),
        name: "Server 0".to_owned(),
        last_listed_at: Some(at(9)),
        skipped_because: None,
        destinations: vec![DestinationHolding {
            destination: b2.name().clone(),
            copies: 1,
            stored_bytes: 10,
            newest_completed_at: Some(at(2)),
            missing: vec![MissingCopy {
                backup: backup_id(0),
                backup_name: "nightly 0".to_owned(),
                completed_at: at(1),
                why: None,
            }],
        }],
    };
    assert_eq!(holdings, [holding]);
}

// --- Secrets -------------------------------------------------------------------------------------

#[test]
fn what_a_server_keeps_in_its_variables_is_never_in_the_ledger() {
    let home = Home::new();
    let mut ledger = Ledger::open(&home.ledger()).unwrap();
    let run = ledger.begin_run("mirror", at(0)).unwrap();
    ledger
        .record_panel(&panel(), "https://panel.example.com/", at(0))
        .unwrap();
    let mut chatty = server(1);
    chatty.passport.startup = Some("java -Drcon=SENTINEL".to_owned());
    chatty.passport.variables.push(Variable {
        name: "Motto".to_owned(),
        env: "MOTTO".to_owned(),
        value: Some("SENTINEL".to_owned()),
    });
    ledger
        .record_listing(
            run,
            &panel(),
            &chatty,
            &[completed(1)],
            ListingSeen::Whole,
            at(1),
        )
        .unwrap();
    for name in ["ledger.sqlite3", "ledger.sqlite3-wal"] {
        let bytes = fs::read(home.path(name)).unwrap();
        assert!(
            !bytes.windows(8).any(|window| window == b"SENTINEL"),
            "{name}"
        );
    }
}

// --- Single backups ------------------------------------------------------------------------------

#[test]
fn a_backup_that_vanished_is_said_once_and_is_listed_again_when_it_comes_back() {
    let home = Home::with_ledger();
    let mut ledger = Ledger::open(&home.ledger()).unwrap();
    let run = ledger.begin_run("mirror", at(20)).unwrap();
    let of = BackupOf {
        server: server_id(1),
        backup: backup_id(3),
    };
    ledger.record_vanished(run, of, at(21)).unwrap();
    ledger.record_vanished(run, of, at(22)).unwrap();
    let told = |ledger: &Ledger| -> Vec<String> {
        let sql = Connection::open(ledger.path()).unwrap();
        let mut events = sql
            .prepare("SELECT kind FROM events WHERE backup_id IS NOT NULL ORDER BY id")
            .unwrap();
        let kinds = events.query_map([], |row| row.get(0)).unwrap();
        kinds.map(Result::unwrap).collect()
    };
    assert_eq!(told(&ledger), ["vanished"]);
    ledger
        .record_backup(run, &panel(), &server(1), &completed(3), at(23))
        .unwrap();
    assert_eq!(told(&ledger), ["vanished", "reappeared"]);
    let unknown = BackupOf {
        backup: backup_id(99),
        ..of
    };
    let refused = ledger.record_vanished(run, unknown, at(24)).unwrap_err();
    assert!(
        matches!(refused, Error::UnknownBackup { .. }),
        "{refused:?}"
    );
}

#[test]
fn a_backup_recorded_by_itself_leaves_its_servers_other_backups_as_they_are() {
    let home = Home::with_ledger();
    let mut ledger = Ledger::open(&home.ledger()).unwrap();
    let run = ledger.begin_run("mirror", at(20)).unwrap();
    ledger
        .record_backup(run, &panel(), &server(1), &completed(50), at(21))
        .unwrap();
    let sql = Connection::open(ledger.path()).unwrap();
    let counted: (i64, i64) = sql
        .query_row(
            "SELECT count(*), count(vanished_at) FROM backups b JOIN servers s ON s.id = b.server_id WHERE s.uuid = ?1",
            [server_id(1).to_string()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(counted, (11, 0));
}
