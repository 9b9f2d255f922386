//! Archives cut into proved parts, and their way to a destination.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use bytes::Bytes;
use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nestegg::destination::Destination;
use nestegg::destination::JournalError;
use nestegg::destination::OpenUpload;
use nestegg::destination::SizeHint;
use nestegg::destination::StoredObject;
use nestegg::destination::Upload;
use nestegg::destination::UploadJournal;
use nestegg::model::backup::ExpectedContent;
use nestegg::model::backup::ExpectedProof;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::ContentDigest;
use nestegg::model::checksum::Hasher;
use nestegg::model::content::ComputedContent;
use nestegg::model::content::Part;
use nestegg::model::content::PartCutter;
use nestegg::model::content::StreamHasher;
use nestegg::model::content::VerifiedContent;
use nestegg::model::key::ObjectKey;
use nestegg::model::key::ObjectKind;
use nestegg::model::server::Passport;
use nestegg::model::sidecar::FORMAT;
use nestegg::model::sidecar::Sidecar;
use nestegg::model::sidecar::SidecarArchive;
use nestegg::model::sidecar::SidecarBackup;
use nestegg::model::sidecar::SidecarPanel;
use nestegg::model::sidecar::SidecarServer;
use nestegg::model::sidecar::SidecarStored;

pub(super) const SERVER: &str = "d3aac109-6c6a-4dcb-9b1d-4a8b1b0f4d2e";
pub(super) const BACKUP: &str = "904df120-a66d-4375-a4bd-ae5d5a02a0b1";

pub(super) fn archive_key() -> ObjectKey {
    ObjectKey::for_backup(
        SERVER.parse().unwrap(),
        BACKUP.parse().unwrap(),
        ObjectKind::Archive,
    )
}

/// Bytes that differ everywhere, and compress badly, as an archive's do.
pub(super) fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = BytesMut::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.freeze()
}

/// Four whole parts and a bit.
pub(super) fn several_parts() -> &'static Bytes {
    static BYTES: OnceLock<Bytes> = OnceLock::new();
    BYTES.get_or_init(|| noise(4 * 5 * 1024 * 1024 + 4321))
}

/// Two whole parts and a bit, where more would prove no more.
pub(super) fn three_parts() -> Bytes {
    several_parts().slice(..=2 * 5 * 1024 * 1024)
}

/// An archive cut into the parts that a destination asks for, and the proof of it.
pub(super) struct Cut {
    pub(super) cutter: PartCutter,
    pub(super) parts: Vec<Part>,
    pub(super) part_bytes: u64,
    pub(super) content: VerifiedContent,
}

pub(super) fn cut(destination: &Destination, archive: &Bytes) -> Cut {
    let part_bytes = destination.part_bytes(SizeHint::Known(archive.len() as u64));
    let mut cutter = PartCutter::new(part_bytes);
    let mut hasher = StreamHasher::new(cutter.stream(), Algorithm::Sha256);
    let mut parts = Vec::new();
    let mut rest = archive.clone();
    while !rest.is_empty() {
        cutter.fill(&mut rest);
        parts.push(cutter.cut(None));
    }
    for part in &parts {
        hasher.absorb(part).unwrap();
    }
    let expected = ExpectedContent {
        length_bytes: Some(archive.len() as u64),
        proof: ExpectedProof::Digest(sha256(archive)),
    };
    let computed = ComputedContent {
        sha256: hasher.finish(),
        second: None,
        structure: None,
    };
    Cut {
        cutter,
        parts,
        part_bytes,
        content: VerifiedContent::prove(&expected, computed).unwrap(),
    }
}

pub(super) fn sha256(bytes: &[u8]) -> ContentDigest {
    Hasher::digest(Algorithm::Sha256, bytes)
}

/// Keeps what an upload notes.
#[derive(Debug, Default)]
pub(super) struct Notes {
    opened: Mutex<Vec<OpenUpload>>,
    closed: Mutex<Vec<OpenUpload>>,
}

impl Notes {
    pub(super) fn opened(&self) -> Vec<OpenUpload> {
        self.opened.lock().unwrap().clone()
    }

    pub(super) fn closed(&self) -> Vec<OpenUpload> {
        self.closed.lock().unwrap().clone()
    }
}

impl UploadJournal for Notes {
    fn opened<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, Result<(), JournalError>> {
        self.opened.lock().unwrap().push(upload.clone());
        async { Ok(()) }.boxed()
    }

    fn closed<'a>(&'a self, upload: &'a OpenUpload) -> BoxFuture<'a, ()> {
        self.closed.lock().unwrap().push(upload.clone());
        async {}.boxed()
    }
}

pub(super) async fn begin(destination: &Destination, cut: &Cut, notes: &Arc<Notes>) -> Upload {
    let journal = Arc::clone(notes) as Arc<dyn UploadJournal>;
    destination
        .begin(archive_key(), cut.cutter.stream(), cut.part_bytes, journal)
        .await
        .unwrap()
}

pub(super) async fn begin_and_send(
    destination: &Destination,
    cut: &Cut,
    parts: &[Part],
    notes: &Arc<Notes>,
) -> Upload {
    let mut upload = begin(destination, cut, notes).await;
    for part in parts {
        upload.send(part.clone()).await.unwrap();
    }
    upload
}

pub(super) async fn store(destination: &Destination, archive: &Bytes) -> StoredObject {
    let cut = cut(destination, archive);
    let upload = begin_and_send(destination, &cut, &cut.parts, &Arc::default()).await;
    let verified = upload.verify(&cut.content).await.unwrap();
    verified.commit(jiff::Timestamp::UNIX_EPOCH).await.unwrap()
}

pub(super) fn sidecar_of(stored: &StoredObject) -> Sidecar {
    let at = "2026-11-22T02:55:56Z".parse().unwrap();
    Sidecar {
        format: FORMAT.to_owned(),
        panel: SidecarPanel {
            name: "main".to_owned(),
            url: "https://panel.example.com/".to_owned(),
        },
        server: SidecarServer {
            uuid: stored.key().server(),
            identifier: stored.key().server().short(),
            name: "Survival ✨".to_owned(),
            passport: Passport::default(),
        },
        backup: SidecarBackup {
            uuid: stored.key().backup(),
            name: "nightly".to_owned(),
            is_locked: true,
            ignored_files: vec!["*.log".to_owned()],
            created_at: at,
            completed_at: at,
        },
        archive: SidecarArchive {
            bytes: stored.archive_bytes(),
            sha256: stored.archive_sha256().to_hex(),
            panel_checksum: Some(format!("sha256:{}", stored.archive_sha256().to_hex())),
            verdict: stored.verdict().as_str().to_owned(),
            entries: None,
            unpacked_bytes: None,
        },
        stored: SidecarStored {
            bytes: stored.stored_bytes(),
            sha256: stored.stored_sha256().to_hex(),
            encryption: stored.encryption().cloned(),
        },
        kept: None,
        written_by: "nestegg".to_owned(),
        written_at: stored.stored_at(),
        as_read: serde_json::Map::new(),
    }
}
