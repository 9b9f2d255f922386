//! What a local directory needs beyond the store: its root, modes, leftovers, listing.
//!
//! Everything here blocks; callers run it on the blocking pool. `storage-servers.md` section 7
//! has the facts about the crate's local store.

mod staged;

use std::fs;
use std::fs::DirBuilder;
use std::fs::File;
use std::fs::Metadata;
use std::fs::Permissions;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use url::Url;

use crate::destination::RootRule;
use crate::destination::error::Error;
pub(super) use crate::destination::local::staged::Lease;
use crate::destination::local::staged::WriterLock;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;

const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;

/// The root directory of a local destination.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    /// Device and inode when the run began: a lost mount shows as another directory.
    identity: (u64, u64),
    lock: Mutex<WriterLock>,
    modes_refused: AtomicBool,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File {
        action,
        path,
        source,
    }
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("sync the directory", path))
}

fn make_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path)
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Root {
    /// Opens the directory, or makes it where that is allowed; never the directories above it.
    pub(super) fn open(path: &Path, rule: RootRule) -> Result<Self, Error> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_other) => {
                return Err(Error::NotADirectory {
                    path: path.to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match rule {
                RootRule::MustExist => {
                    return Err(Error::RootMissing {
                        path: path.to_owned(),
                    });
                }
                RootRule::MayCreate => create_root(path)?,
            },
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Error::NotADirectory {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(failed("look at", path)(error)),
        }
        let path = fs::canonicalize(path).map_err(failed("resolve", path))?;
        let directory = File::open(&path).map_err(failed("open", &path))?;
        let metadata = directory.metadata().map_err(failed("look at", &path))?;
        Ok(Self {
            identity: identity(&metadata),
            lock: Mutex::new(WriterLock {
                directory,
                writers: 0,
            }),
            modes_refused: AtomicBool::new(false),
            path,
        })
    }

    /// The canonical path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The canonical path as a URL.
    pub(super) fn location(&self) -> Result<String, Error> {
        Url::from_file_path(&self.path)
            .map(String::from)
            .map_err(|()| Error::Url {
                shown: self.path.display().to_string(),
                why: "it has no form as a URL".to_owned(),
                hint: "use another directory".to_owned(),
            })
    }

    fn directory_of(&self, server: ServerId) -> PathBuf {
        self.path.join(server.to_string())
    }

    fn file_of(&self, key: &ObjectKey) -> PathBuf {
        self.path.join(key.to_string())
    }

    /// Fails when the root is gone, or is another directory than it was.
    pub(super) fn check(&self) -> Result<(), Error> {
        match fs::metadata(&self.path) {
            Ok(metadata) if identity(&metadata) == self.identity => Ok(()),
            Ok(_other) => Err(Error::RootReplaced {
                path: self.path.clone(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::RootReplaced {
                path: self.path.clone(),
            }),
            Err(error) => Err(failed("look at", &self.path)(error)),
        }
    }

    /// Makes the server's directory, private and durable, unless it is there.
    pub(super) fn prepare(&self, server: ServerId) -> Result<(), Error> {
        self.check()?;
        let path = self.directory_of(server);
        match make_private_directory(&path) {
            Ok(()) => sync_directory(&self.path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.refuse_links_to_server(server)
            }
            Err(error) => Err(failed("make the directory", &path)(error)),
        }
    }

    /// Makes durable what was removed from the server's directory; one that is missing has nothing.
    pub(super) fn sync_server(&self, server: ServerId) -> Result<(), Error> {
        match sync_directory(&self.directory_of(server)) {
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }

    fn refuse_links_to_server(&self, server: ServerId) -> Result<(), Error> {
        let path = self.directory_of(server);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => Err(Error::Symlink { path }),
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_other) => Err(Error::NotADirectory { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("look at", &path)(error)),
        }
    }

    /// Fails when a link stands where the object or its directory should be; a missing one is fine.
    pub(super) fn refuse_links(&self, key: &ObjectKey) -> Result<(), Error> {
        self.check()?;
        self.refuse_links_to_server(key.server())?;
        let path = self.file_of(key);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => Err(Error::Symlink { path }),
            Ok(_real) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("look at", &path)(error)),
        }
    }

    /// Lets only the owner read a file; a file system without modes is told once and left alone.
    pub(super) fn make_private(&self, key: &ObjectKey) {
        let path = self.file_of(key);
        if let Err(error) = fs::set_permissions(&path, Permissions::from_mode(PRIVATE_FILE))
            && !self.modes_refused.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "files below {} can't be made private",
                self.path.display()
            );
        }
    }

    /// Whether a file can be made and synced here; it never has a name.
    pub(super) fn probe(&self) -> Result<(), Error> {
        self.check()?;
        tempfile::tempfile_in(&self.path)
            .and_then(|mut file| {
                file.write_all(&[0; 4096])?;
                file.sync_all()
            })
            .map_err(failed("write below", &self.path))
    }

    /// The servers that have a real directory here, in order.
    pub(super) fn servers(&self) -> Result<Vec<ServerId>, Error> {
        self.check()?;
        let named = |name: &str| {
            let server = name.parse::<ServerId>().ok()?;
            (server.to_string() == name).then_some(server)
        };
        let found = entries(&self.path, named).map_err(failed("list", &self.path))?;
        let mut servers: Vec<_> = found
            .into_iter()
            .filter(|(_server, metadata)| metadata.is_dir())
            .map(|(server, _metadata)| server)
            .collect();
        servers.sort_unstable();
        Ok(servers)
    }

    /// The objects of one server with their lengths, in order; links and foreign names left out.
    pub(super) fn objects(&self, server: ServerId) -> Result<Vec<(ObjectKey, u64)>, Error> {
        let path = self.directory_of(server);
        let named = |name: &str| ObjectKey::parse(&format!("{server}/{name}"));
        let found = entries(&path, named).map_err(failed("list", &path))?;
        let mut objects: Vec<_> = found
            .into_iter()
            .filter(|(_key, metadata)| metadata.is_file())
            .map(|(key, metadata)| (key, metadata.len()))
            .collect();
        objects.sort_unstable();
        Ok(objects)
    }
}

fn create_root(path: &Path) -> Result<(), Error> {
    make_private_directory(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            let above = path.parent().unwrap_or(path);
            return Error::RootMissing {
                path: above.to_owned(),
            };
        }
        failed("make the directory", path)(error)
    })?;
    let canonical = fs::canonicalize(path).map_err(failed("resolve", path))?;
    canonical.parent().map_or(Ok(()), sync_directory)
}

/// What the names in a directory mean, with what they are; those that mean nothing are not looked at, and
/// links are not followed. A missing directory is empty.
fn entries<T>(
    directory: &Path,
    meaning: impl Fn(&str) -> Option<T>,
) -> io::Result<Vec<(T, Metadata)>> {
    let listing = match fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry?;
        let Some(meant) = entry.file_name().to_str().and_then(&meaning) else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) => found.push((meant, metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::destination::local::staged::SURELY_STALE;

    const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
    const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

    fn server() -> ServerId {
        SERVER.parse().unwrap()
    }

    fn key() -> ObjectKey {
        ObjectKey::parse(&format!("{SERVER}/{BACKUP}.tar.gz")).unwrap()
    }

    fn open(path: &Path) -> Arc<Root> {
        Arc::new(Root::open(path, RootRule::MustExist).unwrap())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = entries(path, |name| Some(name.to_owned()))
            .unwrap()
            .into_iter()
            .map(|(name, _metadata)| name)
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_missing_root_is_an_error_unless_it_may_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new");
        let missing = Root::open(&path, RootRule::MustExist).unwrap_err();
        assert!(
            matches!(&missing, Error::RootMissing { path: named } if *named == path),
            "{missing:?}"
        );
        assert!(!path.exists());
        let root = Root::open(&path, RootRule::MayCreate).unwrap();
        assert_eq!(mode(root.path()), 0o700);
    }

    #[test]
    fn only_the_last_directory_of_a_new_root_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let error = Root::open(&dir.path().join("mount/new"), RootRule::MayCreate).unwrap_err();
        assert!(
            matches!(&error, Error::RootMissing { path } if *path == dir.path().join("mount")),
            "{error:?}"
        );
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }

    #[test]
    fn a_file_is_no_root() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = Root::open(&path, RootRule::MayCreate).unwrap_err();
            assert!(matches!(error, Error::NotADirectory { .. }), "{error:?}");
        }
    }

    #[test]
    fn a_root_that_was_swapped_under_the_run_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mount");
        fs::create_dir(&path).unwrap();
        let root = open(&path);
        fs::rename(&path, dir.path().join("gone")).unwrap();
        assert!(matches!(
            root.prepare(server()),
            Err(Error::RootReplaced { .. })
        ));
        fs::create_dir(&path).unwrap();
        assert!(matches!(
            root.prepare(server()),
            Err(Error::RootReplaced { .. })
        ));
        assert!(matches!(root.lease(), Err(Error::RootReplaced { .. })));
        assert_eq!(names(&path), Vec::<String>::new());
    }

    #[test]
    fn server_directories_are_private_and_never_links() {
        let dir = tempfile::tempdir().unwrap();
        let root = open(dir.path());
        root.prepare(server()).unwrap();
        root.prepare(server()).unwrap();
        let path = dir.path().join(SERVER);
        assert_eq!(mode(&path), 0o700);

        fs::remove_dir(&path).unwrap();
        let outside = tempfile::tempdir().unwrap();
        symlink(outside.path(), &path).unwrap();
        assert!(matches!(root.prepare(server()), Err(Error::Symlink { .. })));
        assert!(matches!(
            root.refuse_links(&key()),
            Err(Error::Symlink { .. })
        ));
        assert_eq!(root.servers().unwrap(), []);

        fs::remove_file(&path).unwrap();
        fs::write(&path, b"x").unwrap();
        assert!(matches!(
            root.prepare(server()),
            Err(Error::NotADirectory { .. })
        ));
    }

    #[test]
    fn a_link_in_place_of_an_object_is_refused_and_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        let root = open(dir.path());
        root.prepare(server()).unwrap();
        symlink("/etc/hostname", dir.path().join(key().to_string())).unwrap();
        assert!(matches!(
            root.refuse_links(&key()),
            Err(Error::Symlink { .. })
        ));
        assert_eq!(root.objects(server()).unwrap(), []);
    }

    fn leave_staged(dir: &Path) -> PathBuf {
        let path = dir.join(SERVER);
        fs::create_dir_all(&path).unwrap();
        for name in [
            format!("{BACKUP}.tar.gz#1"),
            format!("{BACKUP}.json#12"),
            format!("{BACKUP}.tar.gz"),
            format!("{BACKUP}.tar.gz#x"),
            "notes#1".to_owned(),
        ] {
            fs::write(path.join(name), b"x").unwrap();
        }
        path
    }

    #[test]
    fn leftovers_are_swept_when_nobody_writes_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = leave_staged(dir.path());
        assert_eq!(open(dir.path()).sweep().unwrap(), 2);
        assert_eq!(
            names(&path),
            [
                format!("{BACKUP}.tar.gz"),
                format!("{BACKUP}.tar.gz#x"),
                "notes#1".to_owned()
            ]
        );
    }

    #[test]
    fn while_anyone_writes_only_leftovers_of_yesterday_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let path = leave_staged(dir.path());
        let old = File::options()
            .write(true)
            .open(path.join(format!("{BACKUP}.json#12")))
            .unwrap();
        let stamp = old.metadata().unwrap().modified().unwrap();
        old.set_modified(stamp - SURELY_STALE - Duration::from_mins(1))
            .unwrap();
        let (writer, other) = (open(dir.path()), open(dir.path()));
        let lease = writer.lease().unwrap();
        assert_eq!(other.sweep().unwrap(), 1);
        assert_eq!(writer.sweep().unwrap(), 0);
        assert!(path.join(format!("{BACKUP}.tar.gz#1")).exists());
        drop(lease);
        assert_eq!(other.sweep().unwrap(), 1);
    }

    #[test]
    fn removing_what_one_key_staged_leaves_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = leave_staged(dir.path());
        open(dir.path()).remove_staged(&key());
        assert!(!path.join(format!("{BACKUP}.tar.gz#1")).exists());
        assert!(path.join(format!("{BACKUP}.json#12")).exists());
    }

    #[test]
    fn syncing_what_is_staged_leaves_all_of_it_and_needs_none() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).sync_staged(&key());
        let path = leave_staged(dir.path());
        let before = names(&path);
        open(dir.path()).sync_staged(&key());
        assert_eq!(names(&path), before);
    }

    #[test]
    fn a_probe_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).probe().unwrap();
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
}
