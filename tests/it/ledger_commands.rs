//! `nestegg ledger …`: the record itself, made anew, compared, handed out.

mod check;
mod export;
mod histories;
mod rebuild;

use std::fs;
use std::path::Path;

use nestegg::ledger::CopyFilter;
use nestegg::ledger::Ledger;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Hasher;
use nestegg::model::holding::HeldCopy;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;
use serde_json::json;

use crate::support::schema;
use crate::support::world::Ran;
use crate::support::world::World;

fn server_id(number: u64) -> ServerId {
    format!("a1fa0000-1111-4111-8111-{number:012x}")
        .parse()
        .unwrap()
}

fn backup_id(number: u64) -> BackupId {
    format!("6fdff738-bf44-4933-824f-{number:012x}")
        .parse()
        .unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Hasher::digest(Algorithm::Sha256, bytes).to_hex()
}

/// What a sidecar of these archive bytes says.
fn sidecar(server: ServerId, backup: BackupId, archive: &[u8]) -> Value {
    json!({
        "format": "nestegg.copy/1",
        "panel": {"name": "main", "url": "https://panel.example.com/"},
        "server": {"uuid": server, "identifier": server.short(), "name": "Survival"},
        "backup": {"uuid": backup, "name": "nightly", "is_locked": false,
                   "created_at": "2026-11-22T02:54:56Z", "completed_at": "2026-11-22T02:55:56Z"},
        "archive": {"bytes": archive.len(), "sha256": sha256(archive), "panel_checksum": null,
                    "verdict": "structure", "entries": 1, "unpacked_bytes": 1536},
        "stored": {"bytes": archive.len(), "sha256": sha256(archive), "encryption": null},
        "written_by": "nestegg 0.1.0",
        "written_at": "2026-11-22T03:00:00.123456789Z",
    })
}

/// Puts an archive into a folder, with what is to stand beside it.
fn put(root: &Path, server: ServerId, backup: BackupId, archive: &[u8], beside: &[u8]) {
    let folder = root.join(server.to_string());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{backup}.tar.gz")), archive).unwrap();
    fs::write(folder.join(format!("{backup}.json")), beside).unwrap();
}

/// Puts a whole copy into a folder.
fn put_copy(root: &Path, server: u64, backup: u64) {
    let (server, backup) = (server_id(server), backup_id(backup));
    let archive = backup.to_string().into_bytes();
    let beside = sidecar(server, backup, &archive).to_string();
    put(root, server, backup, &archive, beside.as_bytes());
}

/// The document on standard output, which must be as its schema says.
fn document(ran: &Ran, schema: &str) -> Value {
    let document = ran.json();
    schema::assert_fits(schema, &document);
    assert_eq!(document["exit_code"], json!(ran.code));
    document
}

/// Every copy that a ledger records.
fn copies(ledger: &Path) -> Vec<HeldCopy> {
    Ledger::open_read_only(ledger)
        .unwrap()
        .copies(&CopyFilter::default())
        .unwrap()
}

/// Loses the ledger of a world.
fn lose_ledger(world: &World) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = world.ledger().into_os_string();
        name.push(suffix);
        match fs::remove_file(name) {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
}
