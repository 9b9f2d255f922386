//! A destination's root at a real store, and what is really in it, seen past nestegg.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::Attribute;
use object_store::Error;
use object_store::GetOptions;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::PutOptions;
use object_store::path::Path as StorePath;

use crate::support::servers::background;
use crate::support::servers::signed::Service;

/// What a store says of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) bytes: u64,
    pub(crate) content_type: Option<String>,
    pub(crate) content_encoding: Option<String>,
}

/// A place for copies: what a destination is configured with, and a view of it of the test's own.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) url: String,
    pub(crate) options: BTreeMap<String, String>,
    prefix: String,
    view: View,
}

#[derive(Debug, Clone)]
pub(crate) enum View {
    Folder(PathBuf),
    Bucket {
        /// Up to and including the bucket, as in a URL of a destination.
        url: String,
        name: &'static str,
        store: Arc<dyn ObjectStore>,
        uploads: Uploads,
    },
}

/// How uploads that were begun and not finished show.
#[derive(Debug, Clone)]
pub(crate) enum Uploads {
    /// The store lists them, and bills for them until they are aborted.
    Listed(Arc<Service>),
    /// Azure has none: blocks that were not committed vanish by themselves and can't be aborted.
    /// `rclone serve s3` has them in its memory only.
    Unlisted,
}

impl Root {
    /// A local directory.
    pub(crate) fn folder(path: &Path) -> Self {
        Self {
            url: path.to_str().unwrap().to_owned(),
            options: BTreeMap::new(),
            prefix: String::new(),
            view: View::Folder(path.to_owned()),
        }
    }

    /// A prefix, as plain text, in a bucket or container; the empty one is the bucket itself.
    pub(crate) fn in_bucket(view: View, options: BTreeMap<String, String>, prefix: &str) -> Self {
        let url = match &view {
            View::Folder(path) => path.join(prefix).to_str().unwrap().to_owned(),
            View::Bucket { url, .. } => format!("{url}/{prefix}"),
        };
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Self {
            url,
            options,
            prefix,
            view,
        }
    }

    /// Another prefix of the same bucket.
    pub(crate) fn beside(&self, prefix: &str) -> Self {
        Self::in_bucket(self.view.clone(), self.options.clone(), prefix)
    }

    /// A root further down; in a folder, the directory is made.
    pub(crate) fn below_it(&self, name: &str) -> Self {
        match &self.view {
            View::Folder(path) => {
                fs::create_dir_all(path.join(name)).unwrap();
                Self::folder(&path.join(name))
            }
            View::Bucket { .. } => self.beside(&format!("{}{name}", self.prefix)),
        }
    }

    /// Whether it is a folder of this machine.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.view, View::Folder(_))
    }

    /// Whether a content type comes back as it was given.
    pub(crate) fn keeps_content_types(&self) -> bool {
        !self.is_folder()
    }

    /// The names of all objects below it, sorted. In a folder that is all files but staged ones.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut keys = match self.view.clone() {
            View::Folder(path) => {
                let mut files = files_below(&path, "");
                files.retain(|name| staged_for(name).is_none());
                files
            }
            View::Bucket { store, .. } => {
                let prefix = StorePath::parse(self.prefix.trim_end_matches('/')).unwrap();
                let listed = background::run(async move {
                    let list = store.list(Some(&prefix));
                    list.try_collect::<Vec<_>>().await.unwrap()
                })
                .await;
                let names = listed.iter().map(|object| object.location.as_ref());
                names.map(|name| self.below(name).unwrap()).collect()
            }
        };
        keys.sort();
        keys
    }

    /// The bytes of an object; `None` when there is none.
    pub(crate) async fn read(&self, key: &str) -> Option<Bytes> {
        match self.view.clone() {
            View::Folder(path) => fs::read(path.join(key)).ok().map(Bytes::from),
            View::Bucket { store, .. } => {
                let location = self.location(key);
                background::run(async move {
                    let object = found(store.get(&location).await)?;
                    Some(object.bytes().await.unwrap())
                })
                .await
            }
        }
    }

    /// What the store says of an object; `None` when there is none.
    pub(crate) async fn attributes(&self, key: &str) -> Option<Attributes> {
        match self.view.clone() {
            View::Folder(path) => fs::metadata(path.join(key)).ok().map(|file| Attributes {
                bytes: file.len(),
                content_type: None,
                content_encoding: None,
            }),
            View::Bucket { store, .. } => {
                let location = self.location(key);
                background::run(async move {
                    let object = found(store.get_opts(&location, head()).await)?;
                    let text = |name| {
                        object
                            .attributes
                            .get(&name)
                            .map(|value| value.as_ref().to_owned())
                    };
                    Some(Attributes {
                        bytes: object.meta.size,
                        content_type: text(Attribute::ContentType),
                        content_encoding: text(Attribute::ContentEncoding),
                    })
                })
                .await
            }
        }
    }

    /// Puts an object there behind nestegg's back.
    pub(crate) async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        match self.view.clone() {
            View::Folder(path) => {
                let file = path.join(key);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, bytes).unwrap();
            }
            View::Bucket { store, .. } => {
                let location = self.location(key);
                let mut options = PutOptions::default();
                options
                    .attributes
                    .insert(Attribute::ContentType, "text/plain".into());
                background::run(async move {
                    store
                        .put_opts(&location, bytes.into(), options)
                        .await
                        .unwrap()
                })
                .await;
            }
        }
    }

    /// Removes an object behind nestegg's back.
    pub(crate) async fn remove(&self, key: &str) {
        match self.view.clone() {
            View::Folder(path) => fs::remove_file(path.join(key)).unwrap(),
            View::Bucket { store, .. } => {
                let location = self.location(key);
                background::run(async move { store.delete(&location).await.unwrap() }).await;
            }
        }
    }

    /// The keys of uploads below it that were begun, and neither completed nor aborted, sorted. In
    /// a folder they show as staged files.
    pub(crate) async fn open_uploads(&self) -> Vec<String> {
        let mut open: Vec<String> = match self.view.clone() {
            View::Folder(path) => {
                let files = files_below(&path, "");
                let staged = files.iter().filter_map(|name| staged_for(name));
                staged.map(str::to_owned).collect()
            }
            View::Bucket {
                uploads: Uploads::Unlisted,
                ..
            } => Vec::new(),
            View::Bucket {
                name,
                uploads: Uploads::Listed(service),
                ..
            } => {
                let open = background::run(async move { service.open_uploads(name).await }).await;
                open.iter().filter_map(|key| self.below(key)).collect()
            }
        };
        open.sort();
        open
    }

    /// Whether uploads that were begun and not finished show in [`Self::open_uploads`].
    pub(crate) fn lists_uploads(&self) -> bool {
        match &self.view {
            View::Folder(_) => true,
            View::Bucket { uploads, .. } => match uploads {
                Uploads::Listed(_) => true,
                Uploads::Unlisted => false,
            },
        }
    }

    /// The same view, for a destination that is told another URL.
    #[must_use]
    pub(crate) fn with_url(&self, url: String) -> Self {
        Self {
            url,
            ..self.clone()
        }
    }

    /// The same view, for a destination that is told another value of an option.
    #[must_use]
    pub(crate) fn with_option(&self, name: &str, value: impl Into<String>) -> Self {
        let mut other = self.clone();
        other.options.insert(name.to_owned(), value.into());
        other
    }

    fn location(&self, key: &str) -> StorePath {
        StorePath::parse(format!("{}{key}", self.prefix)).unwrap()
    }

    fn below(&self, name: &str) -> Option<String> {
        name.strip_prefix(&self.prefix).map(str::to_owned)
    }
}

fn head() -> GetOptions {
    GetOptions {
        head: true,
        ..GetOptions::default()
    }
}

fn found<T>(answer: object_store::Result<T>) -> Option<T> {
    match answer {
        Ok(object) => Some(object),
        Err(Error::NotFound { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

/// The name that a staged file is to get (`<name>#<number>`); `None` for any other file.
fn staged_for(name: &str) -> Option<&str> {
    let (staged_for, number) = name.rsplit_once('#')?;
    number.parse::<u64>().ok().map(|_number| staged_for)
}

fn files_below(folder: &Path, name: &str) -> Vec<String> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(folder) {
        // A run under way removed it right after it was listed.
        Err(gone) if gone.kind() == ErrorKind::NotFound && !name.is_empty() => return files,
        entries => entries.unwrap(),
    };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{name}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path(), &format!("{path}/")));
        } else {
            files.push(path);
        }
    }
    files
}
