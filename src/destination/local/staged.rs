//! What uploads leave staged below a local root, and who may still be writing it.

use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use crate::destination::error::Error;
use crate::destination::local::Root;
use crate::destination::local::entries;
use crate::destination::local::failed;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;

/// A staged file of a run that may still be alive is left alone until it is this old.
pub(super) const SURELY_STALE: Duration = Duration::from_hours(24);

/// How many of this process write below a root, and the lock that tells others.
#[derive(Debug)]
pub(super) struct WriterLock {
    /// The root itself, opened, which carries the lock.
    pub(super) directory: File,
    pub(super) writers: usize,
}

/// Whether some process may be writing below the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writers {
    None,
    MayBe,
}

/// While any of these lives, no other process takes this one's staged files for leftovers.
#[derive(Debug)]
pub(in crate::destination) struct Lease {
    root: Arc<Root>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut lock = self.root.lock();
        lock.writers = lock.writers.saturating_sub(1);
        if lock.writers == 0
            && let Err(error) = lock.directory.unlock()
        {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "could not unlock {}",
                self.root.path.display()
            );
        }
    }
}

impl Root {
    fn lock(&self) -> MutexGuard<'_, WriterLock> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells other processes that staged files here are alive.
    pub(in crate::destination) fn lease(self: &Arc<Self>) -> Result<Lease, Error> {
        self.check()?;
        let mut lock = self.lock();
        if lock.writers == 0
            && let Err(error) = lock.directory.lock_shared()
        {
            // Some network file systems have no locks; old leftovers are still swept by age.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no lock on {}",
                self.path.display()
            );
        }
        lock.writers += 1;
        Ok(Lease {
            root: Arc::clone(self),
        })
    }

    /// Removes what a failed commit left staged for one key.
    pub(in crate::destination) fn remove_staged(&self, key: &ObjectKey) {
        let staged = |name: &str| staged_key(name) == Some(key.clone());
        match sweep_directory(&self.directory_of(key.server()), key.server(), |name, _| {
            staged(name)
        }) {
            Ok(_removed) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not remove what is staged for {key}"
            ),
        }
    }

    /// Has the disk write what is staged for one key so far. A failure shows again, and is told, when
    /// the object is committed.
    pub(in crate::destination) fn sync_staged(&self, key: &ObjectKey) {
        let directory = self.directory_of(key.server());
        let of_key = |name: &str| {
            let staged = staged_key(&format!("{}/{name}", key.server()));
            (staged.as_ref() == Some(key)).then(|| name.to_owned())
        };
        let synced = entries(&directory, of_key).and_then(|files| {
            files
                .iter()
                .filter(|(_name, metadata)| metadata.is_file())
                .try_for_each(|(name, _)| File::open(directory.join(name))?.sync_data())
        });
        if let Err(error) = synced {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "could not sync what is staged for {key}"
            );
        }
    }

    /// Removes what killed runs left staged: all of it when nobody writes here, else what is older
    /// than a day. Says how many files that were.
    pub(in crate::destination) fn sweep(&self) -> Result<u64, Error> {
        self.check()?;
        let lock = self.lock();
        let writers = if lock.writers > 0 {
            Writers::MayBe
        } else {
            match lock.directory.try_lock() {
                Ok(()) => Writers::None,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => Writers::MayBe,
            }
        };
        let swept = self.sweep_for(writers);
        if writers == Writers::None {
            lock.directory
                .unlock()
                .map_err(failed("unlock", &self.path))?;
        }
        drop(lock);
        swept
    }

    fn sweep_for(&self, writers: Writers) -> Result<u64, Error> {
        let now = if writers == Writers::None {
            None
        } else {
            // The file system's own clock, which is the one that stamped the leftovers.
            let stamped = tempfile::tempfile_in(&self.path)
                .and_then(|file| file.metadata())
                .and_then(|metadata| metadata.modified())
                .map_err(failed("write below", &self.path))?;
            Some(stamped)
        };
        let stale = |_name: &str, metadata: &Metadata| {
            now.is_none_or(|now| {
                metadata
                    .modified()
                    .ok()
                    .and_then(|modified| now.duration_since(modified).ok())
                    .is_some_and(|age| age > SURELY_STALE)
            })
        };
        let mut removed = 0;
        for server in self.servers()? {
            removed += sweep_directory(&self.directory_of(server), server, stale)?;
        }
        Ok(removed)
    }
}

/// The object that a staged file was to become: the crate appends `#` and a number.
fn staged_key(name_below_root: &str) -> Option<ObjectKey> {
    let (name, number) = name_below_root.rsplit_once('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    ObjectKey::parse(name).filter(|_key| is_number)
}

fn sweep_directory(
    directory: &Path,
    server: ServerId,
    goes: impl Fn(&str, &Metadata) -> bool,
) -> Result<u64, Error> {
    let mut removed = 0;
    let staged = |name: &str| {
        let below_root = format!("{server}/{name}");
        staged_key(&below_root).map(|_key| (name.to_owned(), below_root))
    };
    for ((name, below_root), metadata) in
        entries(directory, staged).map_err(failed("list", directory))?
    {
        if !metadata.is_file() || !goes(&below_root, &metadata) {
            continue;
        }
        let path = directory.join(&name);
        match fs::remove_file(&path) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("remove", &path)(error)),
        }
    }
    Ok(removed)
}
