//! A backup that was mirrored, and what a restore is given of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use nestegg::destination::JournalError;
use nestegg::destination::OpenUpload;
use nestegg::destination::UploadJournal;
use nestegg::env::Clock;
use nestegg::env::Env;
use nestegg::exit::Exit;
use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::holding::HeldCopy;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::ops::restore::source::Candidate;
use nestegg::ops::setup;
use nestegg::transfer::Shared;
use nestegg::transfer::limit::Throttle;
use nestegg::transfer::observer::Silent;

use crate::support::archive::Archive;
use crate::support::world::World;
use crate::support::world::quick_tuning;

/// A world in which one backup is held.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) world: World,
    pub(crate) server: ServerId,
    pub(crate) backup: BackupId,
}

impl Held {
    /// Mirrors this archive to the local destination.
    pub(crate) async fn of(archive: Archive) -> Self {
        let (world, server, backup) = World::with_backup(archive).await;
        let (report, exit) = world.quick(&[]).await;
        assert_eq!(exit, Exit::Done, "{report:?}");
        Self {
            world,
            server,
            backup,
        }
    }

    /// The stored archive.
    pub(crate) fn archive_path(&self) -> PathBuf {
        World::archive_at(&self.world.offsite(), self.server, self.backup)
    }

    /// Everything in the world's folder but the ledger.
    pub(crate) fn everything(&self) -> Tree {
        let mut nodes = tree(&self.world.path(""));
        nodes.retain(|name, _| !name.starts_with("ledger.sqlite3"));
        nodes
    }

    /// What the ledger holds of it.
    pub(crate) fn copies(&self) -> Vec<HeldCopy> {
        let ledger = Ledger::open_read_only(&self.world.ledger()).unwrap();
        ledger.copies(&CopyFilter::default()).unwrap()
    }

    /// Its copies, to be restored from.
    pub(crate) async fn candidates(&self) -> Vec<Candidate> {
        self.candidates_at(&[]).await
    }

    /// The copies at these destinations, in this order.
    pub(crate) async fn candidates_at(&self, more: &[&str]) -> Vec<Candidate> {
        let settings = self.world.settings(&self.world.mirror_args(more));
        let places = setup::open_to_read(&settings, &quick_tuning())
            .await
            .unwrap();
        assert_eq!(places.failures, []);
        let copies = self.copies();
        places
            .destinations
            .into_iter()
            .flat_map(|destination| {
                let here = copies
                    .iter()
                    .filter(|copy| copy.location == destination.location())
                    .cloned()
                    .collect::<Vec<_>>();
                here.into_iter().map(move |copy| Candidate {
                    copy,
                    destination: destination.clone(),
                })
            })
            .collect()
    }
}

/// What transfers share in tests.
pub(crate) fn shared() -> Shared {
    Shared {
        env: Env::new(Clock::System),
        tuning: quick_tuning().transfer,
        throttle: Throttle::none(),
        journal: Arc::new(NotNoted),
        observer: Arc::new(Silent),
    }
}

#[derive(Debug)]
struct NotNoted;

impl UploadJournal for NotNoted {
    fn opened<'a>(&'a self, _upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>> {
        async { Ok(()) }.boxed()
    }

    fn closed<'a>(&'a self, _upload: &'a OpenUpload) -> BoxFuture<'a, ()> {
        async {}.boxed()
    }
}

/// Something below a directory.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A file: mode, time of modification, content.
    File(u32, i64, Vec<u8>),
    /// A directory: mode.
    Directory(u32),
    /// A link: target.
    Link(Vec<u8>),
    /// Anything else.
    Other,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(mode, modified_at, content) => {
                let shown = content.get(..40).unwrap_or(content).escape_ascii();
                let length = content.len();
                write!(f, "file {mode:o} @{modified_at} {length} bytes {shown}")
            }
            Self::Directory(mode) => write!(f, "directory {mode:o}"),
            Self::Link(target) => write!(f, "-> {}", target.escape_ascii()),
            Self::Other => f.write_str("something else"),
        }
    }
}

/// Everything below a directory, by its path from there, bytes that are not ASCII escaped.
pub(crate) type Tree = BTreeMap<String, Node>;

/// Everything below a directory.
pub(crate) fn tree(root: &Path) -> Tree {
    let mut nodes = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let found = path.symlink_metadata().unwrap();
            let kind = found.file_type();
            let node = if kind.is_dir() {
                folders.push(path.clone());
                Node::Directory(found.mode() & 0o7777)
            } else if kind.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                Node::Link(target.as_os_str().as_bytes().to_vec())
            } else if kind.is_fifo() || kind.is_block_device() || kind.is_char_device() {
                Node::Other
            } else {
                let content = std::fs::read(&path).unwrap();
                Node::File(found.mode() & 0o7777, found.mtime(), content)
            };
            let name: &OsStr = path.strip_prefix(root).unwrap().as_ref();
            nodes.insert(name.as_bytes().escape_ascii().to_string(), node);
        }
    }
    nodes
}

/// What a tree looks like that another program made of the same archive.
pub(crate) fn unpacked_by_tar(archive: &Archive, root: &Path) -> Tree {
    std::fs::create_dir(root).unwrap();
    let mut tar = std::process::Command::new("tar")
        .args(["-xzf", "-", "-C"])
        .arg(root)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut tar.stdin.take().unwrap(), &archive.bytes()).unwrap();
    assert!(tar.wait().unwrap().success());
    tree(root)
}
