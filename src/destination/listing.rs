//! What lies below the root of a destination.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use futures_util::stream::BoxStream;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::model::key::ObjectKey;

/// One object below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its length.
    pub bytes: u64,
}

impl Destination {
    /// Every archive and sidecar below the root; names of another layout are skipped.
    pub fn list(&self) -> BoxStream<'static, Result<ListedObject, Error>> {
        if let Some(root) = self.root() {
            let walk = stream::once(self.clone().on_disk("list", {
                let root = Arc::clone(root);
                move || root.servers()
            }));
            let destination = self.clone();
            let root = Arc::clone(root);
            return walk
                .map_ok(|servers| stream::iter(servers.into_iter().map(Ok)))
                .try_flatten()
                .and_then(move |server| {
                    let root = Arc::clone(&root);
                    destination
                        .clone()
                        .on_disk("list", move || root.objects(server))
                })
                .map_ok(|objects| {
                    stream::iter(
                        objects
                            .into_iter()
                            .map(|(key, bytes)| Ok(ListedObject { key, bytes })),
                    )
                })
                .try_flatten()
                .boxed();
        }
        let prefix = self.prefix().clone();
        let below = Some(&prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let objects = self.handles().read.store.list(below);
        let destination = self.clone();
        objects
            .filter_map(move |listed| {
                let item = match listed {
                    Ok(meta) => listed_key(prefix.as_ref(), meta.location.as_ref()).map(|key| {
                        Ok(ListedObject {
                            key,
                            bytes: meta.size,
                        })
                    }),
                    Err(error) => Some(Err(Error::Store {
                        action: "list",
                        what: destination.location().to_owned(),
                        source: destination.scrubber().store_error(&error),
                    })),
                };
                std::future::ready(item)
            })
            .boxed()
    }
}

fn listed_key(prefix: &str, location: &str) -> Option<ObjectKey> {
    let below = if prefix.is_empty() {
        location
    } else {
        location.strip_prefix(prefix)?.strip_prefix('/')?
    };
    ObjectKey::parse(below)
}
