//! Destinations: uploads step by step, copies found and read, settings refused, directories kept.

mod copies;
mod directory;
mod sealed;
mod settings;
mod uploads;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use nestegg::destination::Destination;
use nestegg::destination::DestinationTuning;
use nestegg::destination::Error;
use nestegg::destination::JournalError;
use nestegg::destination::OpenUpload;
use nestegg::destination::StoredObject;
use nestegg::destination::Upload;
use nestegg::destination::UploadJournal;
use nestegg::destination::VerifiedUpload;
use nestegg::model::backup::ExpectedContent;
use nestegg::model::backup::ExpectedProof;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Hasher;
use nestegg::model::content::ComputedContent;
use nestegg::model::content::Part;
use nestegg::model::content::PartCutter;
use nestegg::model::content::StreamHasher;
use nestegg::model::content::StreamId;
use nestegg::model::content::VerifiedContent;
use nestegg::model::key::ObjectKey;
use nestegg::model::sidecar::Sidecar;

const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

/// Small parts and short waits between tries.
const TUNING: DestinationTuning = DestinationTuning {
    part_bytes: 4,
    unknown_part_bytes: 4,
    first_wait: Duration::from_millis(1),
    max_wait: Duration::from_millis(5),
    ..DestinationTuning::PRODUCTION
};

/// The same for stores that never answer.
const IMPATIENT: DestinationTuning = DestinationTuning {
    part_deadline: Duration::from_millis(100),
    request_deadline: Duration::from_millis(100),
    abort_deadline: Duration::from_millis(100),
    ..TUNING
};

fn archive_key() -> ObjectKey {
    ObjectKey::parse(&format!("{SERVER}/{BACKUP}.tar.gz")).unwrap()
}

fn archive_name() -> String {
    archive_key().to_string()
}

fn sidecar_name() -> String {
    archive_key().sidecar().to_string()
}

/// A stream cut into parts, and the proof of it.
struct Archive {
    stream: StreamId,
    part_bytes: u64,
    parts: Vec<Part>,
    proof: VerifiedContent,
}

impl Archive {
    fn of(bytes: impl Into<Bytes>, part_bytes: u64) -> Self {
        let mut rest: Bytes = bytes.into();
        let expected = Hasher::digest(Algorithm::Sha256, &rest);
        let length = rest.len() as u64;
        let mut cutter = PartCutter::new(part_bytes);
        let mut hasher = StreamHasher::new(cutter.stream(), Algorithm::Sha256);
        let mut parts = Vec::new();
        while !rest.is_empty() {
            // In crumbs, as a network brings them.
            let mut crumb = rest.split_to(rest.len().min(3));
            while !crumb.is_empty() {
                cutter.fill(&mut crumb);
                if cutter.is_full() {
                    parts.push(cutter.cut(None));
                }
            }
        }
        if !cutter.is_empty() {
            parts.push(cutter.cut(None));
        }
        for part in &parts {
            hasher.absorb(part).unwrap();
        }
        let proof = VerifiedContent::prove(
            &ExpectedContent {
                length_bytes: Some(length),
                proof: ExpectedProof::Digest(expected),
            },
            ComputedContent {
                sha256: hasher.finish(),
                second: None,
                structure: None,
            },
        );
        Self {
            stream: cutter.stream(),
            part_bytes,
            parts,
            proof: proof.unwrap(),
        }
    }

    async fn begin(&self, to: &Destination, journal: &Arc<Notebook>) -> Upload {
        let journal = Arc::clone(journal) as Arc<dyn UploadJournal>;
        to.begin(archive_key(), self.stream, self.part_bytes, journal)
            .await
            .unwrap()
    }

    async fn send(&self, to: &Destination, journal: &Arc<Notebook>) -> Result<Upload, Error> {
        let mut upload = self.begin(to, journal).await;
        for part in &self.parts {
            if let Err(error) = upload.send(part.clone()).await {
                upload.abort().await;
                return Err(error);
            }
        }
        Ok(upload)
    }

    async fn verify(
        &self,
        to: &Destination,
        journal: &Arc<Notebook>,
    ) -> Result<VerifiedUpload, Error> {
        self.send(to, journal).await?.verify(&self.proof).await
    }

    async fn store(
        &self,
        to: &Destination,
        journal: &Arc<Notebook>,
    ) -> Result<StoredObject, Error> {
        self.verify(to, journal)
            .await?
            .commit(jiff::Timestamp::UNIX_EPOCH)
            .await
    }
}

/// A journal in memory.
#[derive(Debug, Default)]
struct Notebook {
    open: Mutex<Vec<OpenUpload>>,
    is_full: bool,
}

impl Notebook {
    fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn open(&self) -> Vec<OpenUpload> {
        self.open.lock().unwrap().clone()
    }
}

impl UploadJournal for Notebook {
    fn opened<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>> {
        Box::pin(async move {
            if self.is_full {
                return Err("the disk of the ledger is full".into());
            }
            self.open.lock().unwrap().push(upload.clone());
            Ok(())
        })
    }

    fn closed<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.open.lock().unwrap().retain(|open| open != upload) })
    }
}

/// The sidecar that describes a stored object.
fn sidecar_of(stored: &StoredObject) -> Sidecar {
    let document = serde_json::json!({
        "format": "nestegg.copy/1",
        "panel": {"name": "main", "url": "https://panel.example.com/"},
        "server": {"uuid": SERVER, "identifier": "a1fa0000", "name": "Alpha"},
        "backup": {"uuid": BACKUP, "name": "nightly",
                   "created_at": "2026-11-22T02:54:56Z", "completed_at": "2026-11-22T02:55:56Z"},
        "archive": {"bytes": stored.archive_bytes(), "sha256": stored.archive_sha256().to_hex(),
                    "panel_checksum": null, "verdict": stored.verdict().as_str(),
                    "entries": null, "unpacked_bytes": null},
        "stored": {"bytes": stored.stored_bytes(), "sha256": stored.stored_sha256().to_hex(),
                   "encryption": null},
        "written_by": "nestegg 0.1.0",
        "written_at": stored.stored_at(),
    });
    Sidecar::from_json(document.to_string().as_bytes()).unwrap()
}

/// What a message, its causes and its hint say.
fn told(error: &Error) -> String {
    let message = nestegg::model::outcome::chain(error);
    format!("{message} | {}", error.hint())
}
