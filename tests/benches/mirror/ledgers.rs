//! What depends on how much the ledger holds: `status`, and a night with nothing to do.

use std::fs;
use std::path::Path;

use nestegg::ledger::Ledger;
use rusqlite::Connection;
use rusqlite::params;

use crate::Outcome;
use crate::bench::Bench;
use crate::bench::Contender;
use crate::bench::Store;
use crate::measure::Job;
use crate::panel::CLAIMED_BYTES;
use crate::panel::Panel;
use crate::panel::claimed_sha1;
use crate::say;
use crate::table::bound;

/// How many servers the ledgers know.
const SERVERS: u64 = 1000;

/// How many backups each has on a night with nothing to do.
const NIGHTLY_BACKUPS: u64 = 20;

/// A ledger that holds every backup of [`Panel::of`] at every destination, filled by its own
/// schema: the mirroring of a million archives would take a day.
fn fill(ledger: &Path, panel: &str, backups: u64, destinations: &[&Path]) -> Outcome<()> {
    drop(Ledger::open(ledger)?);
    let db = Connection::open(ledger)?;
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; BEGIN;")?;
    db.execute(
        "INSERT INTO panels (id, name, url, first_seen_at, last_seen_at) VALUES (1, 'bench', ?1, 0, 0)",
        [panel],
    )?;
    db.execute(
        "INSERT INTO runs (id, command, started_at, finished_at, exit_code) VALUES (1, 'mirror', 0, 0, 0)",
        [],
    )?;
    db.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO servers (id, uuid, panel_id, identifier, name, first_seen_at, last_seen_at, last_listed_at)
         SELECT n, printf('%08x-0000-4000-8000-%012x', n, n), 1, printf('%08x', n), 'Server ' || n, 0, 0, 0 FROM n",
        [i64::try_from(SERVERS)?],
    )?;
    db.execute(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO backups (server_id, uuid, name, state, is_locked, created_at, completed_at,
                              archive_bytes, checksum, first_seen_at, last_seen_at)
         SELECT s.id, printf('%08x-%04x-4000-9000-%012x', s.id, n, s.id), 'nightly ' || n, 'completed', 0,
                1717210800000, 1717210800000, ?2, 'sha1:' || ?3, 0, 0
           FROM servers s CROSS JOIN n",
        params![i64::try_from(backups)?, i64::try_from(CLAIMED_BYTES)?, claimed_sha1()],
    )?;
    for destination in destinations {
        let root = fs::canonicalize(destination)?;
        let location = url::Url::from_file_path(&root)
            .map_err(|()| format!("{} is no absolute path", root.display()))?;
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        db.execute(
            "INSERT INTO destinations (location, name, first_used_at, last_used_at, first_copy_at)
             VALUES (?1, ?2, 0, 0, 0)",
            params![location.as_str(), name],
        )?;
    }
    db.execute(
        "INSERT INTO copies (backup_id, destination_id, run_id, state, wanted_at, key, archive_bytes, archive_sha256,
                             stored_bytes, stored_sha256, panel_checksum, verdict, completed_at, mirrored_at)
         SELECT b.id, d.id, 1, 'verified', 0, s.uuid || '/' || b.uuid || '.tar.gz', b.archive_bytes,
                printf('%064x', b.id), b.archive_bytes, printf('%064x', b.id), b.checksum, 'panel-sha1',
                b.completed_at, 0
           FROM backups b JOIN servers s ON s.id = b.server_id CROSS JOIN destinations d",
        [],
    )?;
    db.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}

fn nestegg(bench: &Bench, config: &Path, words: &[&str]) -> Job {
    let mut all = vec![
        bench.program.display().to_string(),
        "--config".to_owned(),
        config.display().to_string(),
    ];
    all.extend(words.iter().map(|word| (*word).to_owned()));
    Job {
        words: all,
        variables: Vec::new(),
    }
    .with("NESTEGG_API_KEY", format!("ptlc_{}", "b".repeat(43)))
}

/// Writes a configuration with that panel and these folders, which it makes.
fn configure(file: &Path, ledger: &Path, panel: &str, folders: &[&Path]) -> Outcome<()> {
    let mut config = format!(
        "ledger = \"{}\"\n[[panel]]\nname = \"bench\"\nurl = \"{panel}\"\n",
        ledger.display()
    );
    for folder in folders {
        fs::create_dir_all(folder)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        config.extend([format!(
            "[[destination]]\nname = \"{name}\"\nurl = \"{}\"\n",
            folder.display()
        )]);
    }
    fs::write(file, config)?;
    Ok(())
}

/// `status` over a large ledger.
pub(crate) fn status(bench: &Bench) -> Outcome<()> {
    const STATUS: &str = "nestegg status";
    const JSON: &str = "nestegg status --json";
    let folder = bench.folder("status")?;
    let (config, ledger) = (folder.join("nestegg.toml"), folder.join("ledger.sqlite3"));
    let (one, two) = (folder.join("one"), folder.join("two"));
    let panel = "https://panel.example.com";
    configure(&config, &ledger, panel, &[&one, &two])?;
    let backups = bench.copies.div_ceil(SERVERS * 2);
    fill(&ledger, panel, backups, &[&one, &two])?;
    let contenders = [
        Contender::process(STATUS, &[], |_| Ok(nestegg(bench, &config, &["status"]))),
        Contender::process(JSON, &[], |_| {
            Ok(nestegg(bench, &config, &["status", "--json"]))
        }),
    ];
    let rows = bench.compare(&contenders, &Store::None)?;
    let copies = backups * SERVERS * 2;
    let title = format!("status, {copies} copies of {SERVERS} servers at two destinations");
    rows.print(&title, None);
    for name in [STATUS, JSON] {
        bound(
            name,
            rows.wall(name).map(|wall| wall * 1000.0),
            200.0,
            " ms",
        );
    }
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Makes the copies that a ledger claims, their archives as long as claimed and empty: a run that does not find
/// one of them looks for all.
fn make_claimed(ledger: &Path, root: &Path) -> Outcome<()> {
    let db = Connection::open(ledger)?;
    let mut statement = db.prepare(
        "SELECT c.key, s.uuid, b.uuid, c.stored_bytes, c.stored_sha256
           FROM copies c JOIN backups b ON b.id = c.backup_id JOIN servers s ON s.id = b.server_id",
    )?;
    let mut claimed = statement.query([])?;
    while let Some(row) = claimed.next()? {
        let (key, server, backup): (String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let bytes = u64::try_from(row.get::<_, i64>(3)?)?;
        let sha256: String = row.get(4)?;
        let sidecar = serde_json::json!({
            "format": "nestegg.copy/1",
            "panel": {"name": "bench", "url": "http://127.0.0.1"},
            "server": {"uuid": server, "identifier": server.get(..8), "name": "Server"},
            "backup": {"uuid": backup, "name": "nightly", "created_at": "2024-06-01T03:00:00Z", "completed_at": "2024-06-01T03:00:00Z"},
            "archive": {"bytes": bytes, "sha256": sha256, "panel_checksum": null, "verdict": "panel-sha1",
                "entries": null, "unpacked_bytes": null},
            "stored": {"bytes": bytes, "sha256": sha256, "encryption": null},
            "written_by": "the benchmark",
            "written_at": "2024-06-01T03:10:00Z",
        });
        fs::create_dir_all(root.join(&server))?;
        fs::File::create(root.join(key))?.set_len(bytes)?;
        let beside = root.join(&server).join(format!("{backup}.json"));
        fs::write(beside, sidecar.to_string())?;
    }
    Ok(())
}

/// A night with nothing to do.
pub(crate) fn idle(bench: &Bench) -> Outcome<()> {
    const IDLE: &str = "nestegg mirror, nothing to do";
    let folder = bench.folder("idle")?;
    let (config, ledger) = (folder.join("nestegg.toml"), folder.join("ledger.sqlite3"));
    let root = folder.join("offsite");
    let panel = Panel::of(SERVERS, NIGHTLY_BACKUPS)?;
    configure(&config, &ledger, &panel.url(), &[&root])?;
    fill(&ledger, &panel.url(), NIGHTLY_BACKUPS, &[&root])?;
    make_claimed(&ledger, &root)?;
    let contenders = [Contender::process(IDLE, &[], |_| {
        Ok(nestegg(bench, &config, &["mirror", "-q"]))
    })];
    let rows = bench.compare(&contenders, &Store::None)?;
    let title = format!(
        "{SERVERS} servers, {} backups, all held",
        SERVERS * NIGHTLY_BACKUPS
    );
    rows.print(&title, None);
    bound(
        "own CPU",
        rows.get(IDLE).map(crate::table::Row::cpu),
        2.0,
        " s",
    );
    say("");
    fs::remove_dir_all(folder)?;
    Ok(())
}
