//! Reading an object: its length and mark, and its bytes from any place on.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::ops::Range;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use futures_util::stream::BoxStream;
use object_store::Attribute;
use object_store::GetOptions;
use object_store::GetRange;
use object_store::GetResult;
use object_store::GetResultPayload;

use crate::destination::Destination;
use crate::destination::error::Error;
use crate::destination::fault::StoreFault;
use crate::destination::redact::Scrubber;
use crate::model::key::ObjectKey;

/// How much of a local file is read at once.
const READ_BYTES: usize = 1024 * 1024;

/// An object being read.
pub struct ObjectRead {
    /// The length of the whole object, wherever reading began.
    pub length_bytes: u64,
    /// The store's own mark of this version.
    pub etag: Option<String>,
    /// The content type stored with it, where the store tells one with the bytes.
    pub content_type: Option<String>,
    /// The bytes, from where reading began to the end.
    pub stream: BoxStream<'static, Result<Bytes, Error>>,
}

impl fmt::Debug for ObjectRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectRead")
            .field("length_bytes", &self.length_bytes)
            .field("etag", &self.etag)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

impl Destination {
    /// Reads an object from a byte on; resuming inside is the store client's business, and the
    /// caller compares `etag` when it begins again.
    ///
    /// # Errors
    /// [`Error::PastTheEnd`] when the object is shorter; [`Error::Store`] when it is missing or
    /// can't be read. The stream's items fail for the same reasons.
    pub async fn read(&self, key: &ObjectKey, from_bytes: u64) -> Result<ObjectRead, Error> {
        self.refuse_links(key).await?;
        if from_bytes == 0 {
            let whole = self.get(key, None).await?;
            return Ok(self.reading(key, whole, 0));
        }
        let Some((length_bytes, etag)) = self.head(key).await? else {
            // Fails with what the store says of a missing object.
            let whole = self.get(key, None).await?;
            return Ok(self.reading(key, whole, from_bytes));
        };
        if from_bytes > length_bytes {
            return Err(Error::PastTheEnd {
                key: key.clone(),
                length_bytes,
                from_bytes,
            });
        }
        if from_bytes == length_bytes {
            return Ok(ObjectRead {
                length_bytes,
                etag,
                content_type: None,
                stream: stream::empty().boxed(),
            });
        }
        match self.get(key, Some(from_bytes)).await {
            Ok(rest) => Ok(self.reading(key, rest, 0)),
            Err(error) if ignores_ranges(&error) => {
                let whole = self.get(key, None).await?;
                Ok(self.reading(key, whole, from_bytes))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn get(
        &self,
        key: &ObjectKey,
        from_bytes: Option<u64>,
    ) -> Result<GetResult, Error> {
        let path = self.path_of(key)?;
        let options = GetOptions::new().with_range(from_bytes.map(GetRange::Offset));
        let waited = self.tuning().request_deadline;
        let request = self.handles().read.store.get_opts(&path, options);
        self.ask("read", key.to_string(), waited, request).await
    }

    /// The length and mark of an object; `None` when it is missing.
    pub(super) async fn head(
        &self,
        key: &ObjectKey,
    ) -> Result<Option<(u64, Option<String>)>, Error> {
        self.refuse_links(key).await?;
        let path = self.path_of(key)?;
        let options = GetOptions::new().with_head(true);
        let waited = self.tuning().request_deadline;
        let request = self.handles().read.store.get_opts(&path, options);
        match self.ask("check", key.to_string(), waited, request).await {
            Ok(result) => Ok(Some((result.meta.size, result.meta.e_tag))),
            Err(error) if error.fault() == Some(StoreFault::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn reading(&self, key: &ObjectKey, result: GetResult, skip_bytes: u64) -> ObjectRead {
        let length_bytes = result.meta.size;
        let etag = result.meta.e_tag.clone();
        let content_type = result.attributes.get(&Attribute::ContentType);
        let content_type = content_type.map(|value| value.as_ref().to_owned());
        let stream = match result.payload {
            GetResultPayload::File(file, _path) => {
                let range = result.range.start.saturating_add(skip_bytes)..result.range.end;
                self.file_stream(file, key, range)
            }
            GetResultPayload::Stream(bytes) => {
                let scrubber: Scrubber = self.scrubber().clone();
                let what = key.to_string();
                let bytes = bytes.map_err(move |error| Error::Store {
                    action: "read",
                    what: what.clone(),
                    source: scrubber.store_error(&error),
                });
                skipping(bytes.boxed(), skip_bytes)
            }
        };
        ObjectRead {
            length_bytes,
            etag,
            content_type,
            stream,
        }
    }

    /// A local file in large pieces: the crate's own stream reads 8 KiB at a time.
    fn file_stream(
        &self,
        file: File,
        key: &ObjectKey,
        range: Range<u64>,
    ) -> BoxStream<'static, Result<Bytes, Error>> {
        let destination = self.clone();
        let key = key.clone();
        stream::try_unfold((file, range), move |(mut file, range)| {
            let destination = destination.clone();
            let what = key.clone();
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let key = what.clone();
                destination
                    .on_disk("read", move || {
                        let left = range.end - range.start;
                        let want = usize::try_from(left).unwrap_or(READ_BYTES).min(READ_BYTES);
                        let mut piece = Vec::with_capacity(want);
                        file.seek(SeekFrom::Start(range.start))
                            .and_then(|_at| (&file).take(want as u64).read_to_end(&mut piece))
                            .map_err(|source| Error::File {
                                action: "read",
                                path: key.to_string().into(),
                                source,
                            })?;
                        if piece.is_empty() {
                            return Err(Error::PastTheEnd {
                                key,
                                length_bytes: range.start,
                                from_bytes: range.start,
                            });
                        }
                        let rest = range.start + piece.len() as u64..range.end;
                        Ok(Some((Bytes::from(piece), (file, rest))))
                    })
                    .await
            }
        })
        .boxed()
    }
}

/// Whether the store answers a range by the whole object, as `rclone serve s3` does
/// (`storage-servers.md` section 3).
fn ignores_ranges(error: &Error) -> bool {
    matches!(error, Error::Store { source, .. } if source.to_string().contains("non-partial response"))
}

/// Drops the first bytes of a stream.
fn skipping(
    bytes: BoxStream<'static, Result<Bytes, Error>>,
    skip_bytes: u64,
) -> BoxStream<'static, Result<Bytes, Error>> {
    if skip_bytes == 0 {
        return bytes;
    }
    bytes
        .scan(skip_bytes, |left, piece| {
            let piece = piece.map(|mut piece| {
                let drop = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(piece.len());
                *left -= drop as u64;
                piece.split_off(drop)
            });
            std::future::ready(Some(piece))
        })
        .try_filter(|piece| std::future::ready(!piece.is_empty()))
        .boxed()
}
