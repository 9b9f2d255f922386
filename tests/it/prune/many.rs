//! A hundred thousand copies.

use std::time::Duration;

use rusqlite::Connection;
use rusqlite::params;

use super::Thinned;
use super::now;
use crate::support::world::Ran;

const COPIES: i64 = 100_000;
/// A few seconds in an unoptimised build; whatever takes the square of that takes hours, and a busy machine some more.
const LONG_ENOUGH: Duration = Duration::from_mins(10);

async fn in_time(run: impl Future<Output = Ran>) -> Ran {
    tokio::time::timeout(LONG_ENOUGH, run).await.unwrap()
}

#[tokio::test]
async fn a_hundred_thousand_copies_are_planned_in_bounded_time() {
    let thinned = Thinned::on_disk(&[1]).await;
    let ledger = Connection::open(thinned.world.ledger()).unwrap();
    ledger
        .execute_batch("PRAGMA synchronous = OFF; BEGIN")
        .unwrap();
    let an_hour = 3_600_000;
    ledger
        .execute(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
             INSERT INTO backups (server_id, uuid, name, state, is_locked, created_at, completed_at,
                                  archive_bytes, checksum, first_seen_at, last_seen_at, vanished_at)
             SELECT 1, printf('%08x-0000-4000-8000-%012x', n, n), 'nightly ' || n, 'completed', 0,
                    ?2 - n * ?3, ?2 - n * ?3, 1000, NULL, 0, 0, 1
               FROM n",
            params![COPIES, now().as_millisecond() - 48 * an_hour, an_hour],
        )
        .unwrap();
    ledger
        .execute(
            "INSERT INTO copies (backup_id, destination_id, run_id, state, wanted_at, key, archive_bytes,
                                 archive_sha256, stored_bytes, stored_sha256, verdict, completed_at,
                                 mirrored_at)
             SELECT b.id, 1, 1, 'verified', 0, s.uuid || '/' || b.uuid || '.tar.gz', b.archive_bytes,
                    printf('%064x', b.id), b.archive_bytes, printf('%064x', b.id), 'structure',
                    b.completed_at, ?1
               FROM backups b JOIN servers s ON s.id = b.server_id
              WHERE b.name <> 'nightly'",
            [now().as_millisecond()],
        )
        .unwrap();
    ledger.execute_batch("COMMIT").unwrap();
    drop(ledger);
    let words = [
        "prune",
        "-q",
        "--keep-last",
        "3",
        "--keep-hourly",
        "24",
        "--keep-daily",
        "14",
        "--keep-monthly",
        "12",
        "--keep-yearly",
        "20",
        "--keep-within",
        "1y",
        "--max-delete",
        "3",
        "--apply",
    ];
    let ran = in_time(thinned.run(&words[..words.len() - 1])).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("100001 copies"), "{}", ran.stdout);
    // None of them is really there, so that none goes.
    let ran = in_time(thinned.run(&words)).await;
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
}
