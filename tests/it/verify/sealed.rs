//! Encrypted copies: checked without any key, made anew from one that is encrypted alike.

use nestegg::exit::Exit;
use nestegg::model::checksum::Algorithm;
use nestegg::model::checksum::Hasher;
use nestegg::model::finding::Repair;
use nestegg::model::finding::RepairSource;
use serde_json::json;

use super::Kept;
use super::findings;
use super::flip;

/// What stands for an age file: no check looks inside.
const SEALED: &[u8] = &[0x5a; 3000];

/// Makes the copy of the one backup at a place one that is encrypted to these recipients.
async fn seal(kept: &Kept, place: &str, recipients: &[String]) {
    let root = &kept.roots[place];
    root.remove(&kept.archive(0)).await;
    root.put(&sealed(kept), SEALED).await;
    kept.edit(place, &kept.sidecar(0), |bytes| {
        let mut document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        document["stored"] = json!({
            "bytes": SEALED.len(),
            "sha256": Hasher::digest(Algorithm::Sha256, SEALED).to_hex(),
            "encryption": {"scheme": "age", "recipients": recipients},
        });
        serde_json::to_vec(&document).unwrap()
    })
    .await;
}

/// A public key that nobody has the private half of.
fn recipient() -> String {
    age::x25519::Identity::generate().to_public().to_string()
}

fn sealed(kept: &Kept) -> String {
    format!("{}.age", kept.archive(0))
}

/// A ledger that knows what is there by the sidecars alone.
async fn adopt(kept: &Kept) {
    for name in ["ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"] {
        let path = kept.world.path(name);
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
    let ran = kept.run(&["mirror"]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(kept.world.panel.downloads_started(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_copy_is_made_anew_from_one_that_is_encrypted_alike_byte_for_byte() {
    let kept = Kept::on_two_disks(1).await;
    let [a, b] = [recipient(), recipient()];
    seal(&kept, "disk", &[a.clone(), b.clone()]).await;
    seal(&kept, "other", &[b, a]).await;
    adopt(&kept).await;
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(
        (exit, findings(&kept, &report)),
        (Exit::Done, vec!["sound sound".to_owned(); 2])
    );
    kept.edit("disk", &sealed(&kept), |bytes| flip(bytes, 99))
        .await;
    let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
    assert_eq!(exit, Exit::Done, "{:?}", report.errors);
    let from = RepairSource::Destination("other".parse().unwrap());
    assert_eq!(report.verified.copies[0].repair, Repair::CopyMade { from });
    assert_eq!(kept.read("disk", &sealed(&kept)).await, SEALED);
    let names = kept.roots["disk"].keys().await;
    assert_eq!(names, [kept.sidecar(0), sealed(&kept)]);
    let (report, exit) = kept.verify(&[]).await;
    assert_eq!(
        (exit, findings(&kept, &report)),
        (Exit::Done, vec!["sound sound".to_owned(); 2])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_copy_is_never_made_anew_in_the_clear() {
    for other in [None, Some(recipient())] {
        let kept = Kept::on_two_disks(1).await;
        seal(&kept, "disk", &[recipient()]).await;
        if let Some(other) = &other {
            seal(&kept, "other", std::slice::from_ref(other)).await;
        }
        adopt(&kept).await;
        kept.edit("disk", &sealed(&kept), |bytes| flip(bytes, 99))
            .await;
        let (report, exit) = kept.verify(&["--repair", "--to", "disk"]).await;
        assert_eq!(exit, Exit::Integrity);
        let Repair::Impossible { why } = &report.verified.copies[0].repair else {
            panic!("{report:?}")
        };
        let said = match other {
            None => "is not encrypted, and the destination no longer encrypts",
            Some(_) => "is encrypted to other recipients",
        };
        assert!(why[0].contains(said), "{why:?}");
        assert!(
            why[1].contains("panel main: the copy was encrypted"),
            "{why:?}"
        );
        let names = kept.roots["disk"].keys().await;
        assert_eq!(names, [kept.sidecar(0), sealed(&kept)]);
    }
}
