//! One writer at a time, by an OS file lock.
//!
//! The lock is on a file beside the ledger, so that readers of the ledger never meet it, and it is the
//! operating system's: a writer that is killed has let go of it.

use std::fmt;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use tokio::time::Instant;

use crate::ledger::error::Error;
use crate::ledger::file;
use crate::model::ids::printable;

/// How often a waiting writer looks again.
const POLL: Duration = Duration::from_millis(250);

/// At most this much of a lock file is read: what we write is far shorter.
const HOLDER_BYTES: u64 = 4096;

/// Who holds the lock, as they wrote it into the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// What it does: `mirror`, `prune`, …
    pub command: String,
    /// When its run began.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid,
            command,
            since,
        } = self;
        write!(
            f,
            "`nestegg {}`, process {pid}, since {since:.0}",
            printable(command)
        )
    }
}

/// The right to write the ledger, held until dropped.
#[derive(Debug)]
#[must_use = "the ledger is free for other writers as soon as this is dropped"]
pub struct WriterLock {
    file: File,
    path: PathBuf,
}

impl WriterLock {
    /// Takes the lock of the ledger at `ledger`, which need not exist yet; its directory is made.
    ///
    /// Looks again every quarter of a second until `wait` has passed; zero looks once. Dropping the
    /// future stops the waiting. `command` and `since` are left in the lock file for others to read.
    ///
    /// # Errors
    /// [`Error::Locked`] when another run still holds it, with who that is when it left word;
    /// [`Error::Lock`] and [`Error::File`] when the lock file can't be made or locked.
    pub async fn acquire(
        ledger: &Path,
        command: &str,
        since: Timestamp,
        wait: Duration,
    ) -> Result<Self, Error> {
        file::make_parent(ledger)?;
        let path = beside(ledger);
        let file = file::open_private(&path).map_err(|source| Error::Lock {
            path: path.clone(),
            source,
        })?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(Error::Lock { path, source }),
            }
            let left = wait.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Error::Locked {
                    holder: read_holder(&file),
                    path: ledger.to_owned(),
                });
            }
            tokio::time::sleep(POLL.min(left)).await;
        }
        let lock = Self { file, path };
        let holder = Holder {
            pid: std::process::id(),
            command: command.to_owned(),
            since,
        };
        if let Err(error) = lock.leave_word(&holder) {
            tracing::warn!(
                lock.path = %lock.path.display(),
                error = &error as &dyn std::error::Error,
                "could not note in the lock file who holds it"
            );
        }
        Ok(lock)
    }

    fn leave_word(&self, holder: &Holder) -> io::Result<()> {
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&line)
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // The word goes before the lock does: whoever is refused next reads the next holder's.
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(
                lock.path = %self.path.display(),
                error = &error as &dyn std::error::Error,
                "could not empty the lock file"
            );
        }
        // Said, not left to closing the file: a child that is just being started shares the open file
        // until it runs its own program (flock(2)), and would hold the lock for us.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(
                lock.path = %self.path.display(),
                error = &error as &dyn std::error::Error,
                "could not unlock the lock file"
            );
        }
    }
}

/// The lock file of a ledger: beside the file that the path leads to, so that every name of one ledger
/// has one lock.
fn beside(ledger: &Path) -> PathBuf {
    file::companion(&file::real_path(ledger), ".lock")
}

/// Who left word in the lock file; `None` for anything that is not our own line.
fn read_holder(file: &File) -> Option<Holder> {
    let mut file = file;
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(HOLDER_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since() -> Timestamp {
        "2026-11-22T03:00:00.25Z".parse().unwrap()
    }

    async fn try_once(ledger: &Path) -> Result<WriterLock, Error> {
        WriterLock::acquire(ledger, "prune", since(), Duration::ZERO).await
    }

    #[tokio::test]
    async fn a_second_writer_is_told_who_holds_the_ledger_and_gets_it_afterwards() {
        let home = tempfile::tempdir().unwrap();
        let ledger = home.path().join("state/ledger.sqlite3");
        let first = WriterLock::acquire(&ledger, "mirror", since(), Duration::ZERO)
            .await
            .unwrap();
        let refused = try_once(&ledger).await.unwrap_err();
        assert!(refused.is_locked());
        assert_eq!(
            refused.to_string(),
            format!(
                "another run holds the ledger `{}`: `nestegg mirror`, process {}, since 2026-11-22T03:00:00Z",
                ledger.display(),
                std::process::id()
            )
        );
        drop(first);
        let second = try_once(&ledger).await.unwrap();
        assert_eq!(second.path, home.path().join("state/ledger.sqlite3.lock"));
    }

    #[tokio::test]
    async fn a_child_that_shares_the_open_file_does_not_keep_the_lock() {
        let home = tempfile::tempdir().unwrap();
        let ledger = home.path().join("ledger.sqlite3");
        let first = try_once(&ledger).await.unwrap();
        let shared = first.file.try_clone().unwrap();
        drop(first);
        let second = try_once(&ledger).await;
        assert!(second.is_ok(), "{second:?}");
        drop(shared);
    }

    #[tokio::test]
    async fn two_names_of_one_ledger_have_one_lock() {
        let home = tempfile::tempdir().unwrap();
        let ledger = home.path().join("ledger.sqlite3");
        let other_name = home.path().join("by-another-name");
        std::fs::write(&ledger, b"").unwrap();
        std::os::unix::fs::symlink(&ledger, &other_name).unwrap();
        let _first = try_once(&ledger).await.unwrap();
        assert!(try_once(&other_name).await.unwrap_err().is_locked());
    }

    #[tokio::test]
    async fn words_that_are_not_ours_are_not_repeated() {
        let home = tempfile::tempdir().unwrap();
        let ledger = home.path().join("ledger.sqlite3");
        let first = try_once(&ledger).await.unwrap();
        for garbage in [&b""[..], b"\xff\x00", b"{\"pid\":1}", &[b'['; 5_000]] {
            std::fs::write(&first.path, garbage).unwrap();
            let refused = try_once(&ledger).await.unwrap_err();
            assert!(
                matches!(&refused, Error::Locked { holder: None, .. }),
                "{refused:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_writer_gets_the_lock_when_it_is_let_go_and_gives_up_in_the_end() {
        let home = tempfile::tempdir().unwrap();
        let ledger = home.path().join("ledger.sqlite3");
        let first = try_once(&ledger).await.unwrap();
        let waited = Instant::now();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let refused = WriterLock::acquire(&ledger, "mirror", since(), minutes(10)).await;
        assert!(refused.unwrap_err().is_locked());
        assert_eq!(waited.elapsed(), minutes(10));

        let waiting = WriterLock::acquire(&ledger, "mirror", since(), minutes(10));
        let letting_go = async {
            tokio::time::sleep(minutes(3)).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(waiting, letting_go);
        assert!(second.is_ok(), "{second:?}");
        assert!(waited.elapsed() < minutes(14));
    }

    #[tokio::test]
    async fn a_place_that_can_hold_no_lock_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        let in_the_way = home.path().join("ledger.sqlite3.lock");
        std::fs::create_dir(&in_the_way).unwrap();
        let refused = try_once(&home.path().join("ledger.sqlite3"))
            .await
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("could not lock `{}`", in_the_way.display())
        );
    }
}
