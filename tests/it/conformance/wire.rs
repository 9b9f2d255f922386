//! Bytes that are not the same when they arrive.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use bytes::BytesMut;
use nestegg::destination::Destination;
use nestegg::destination::Error;
use tokio::io;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;

use crate::conformance::archives::begin;
use crate::conformance::archives::cut;
use crate::conformance::archives::three_parts;
use crate::conformance::stores::Store;
use crate::conformance::stores::open;
use crate::conformance::uploads::assert_nothing_is_left;
use crate::support::servers::root::Root;

/// What changes on its way; its first byte is in no other place of it.
const DELICATE: &[u8] = b"\xF0changes on its way";

/// The header of a part under a CRC; its first byte is in no other place of it.
const CRC: &[u8] = b"x-amz-checksum-crc64nvme:";

/// What came past.
#[derive(Debug, Default)]
struct Seen {
    changes: AtomicU32,
    crcs: AtomicU32,
}

/// An address that hands everything on to a store, but changes the last byte of what is delicate.
async fn careless_way_to(store: &str) -> (String, Arc<Seen>) {
    let store = store.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((client, _address)) = listener.accept().await {
            let store = TcpStream::connect(&store).await.unwrap();
            let ((from_client, mut to_client), (mut from_store, to_store)) =
                (client.into_split(), store.into_split());
            tokio::spawn(hand_on(from_client, to_store, Arc::clone(&counted)));
            tokio::spawn(async move { io::copy(&mut from_store, &mut to_client).await });
        }
    });
    (format!("http://{address}"), seen)
}

/// How much of `wanted` ends with this byte, when `matched` of it ended with the one before.
fn matched(wanted: &[u8], matched: usize, byte: u8) -> usize {
    match wanted.get(matched) {
        Some(next) if *next == byte => matched + 1,
        _other => usize::from(wanted.first() == Some(&byte)),
    }
}

async fn hand_on(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    seen: Arc<Seen>,
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(64 << 10);
    let (mut delicate, mut crc) = (0, 0);
    loop {
        buffer.clear();
        if from.read_buf(&mut buffer).await? == 0 {
            return to.shutdown().await;
        }
        for byte in &mut buffer[..] {
            (delicate, crc) = (matched(DELICATE, delicate, *byte), matched(CRC, crc, *byte));
            if delicate == DELICATE.len() {
                *byte ^= 1;
                seen.changes.fetch_add(1, Ordering::Relaxed);
            }
            if crc == CRC.len() {
                seen.crcs.fetch_add(1, Ordering::Relaxed);
            }
        }
        to.write_all(&buffer).await?;
    }
}

/// Uploads an archive, and aborts what does not end well.
async fn upload(destination: &Destination, archive: &Bytes) -> Result<(), Error> {
    let cut = cut(destination, archive);
    let mut upload = begin(destination, &cut, &Arc::default()).await;
    for part in cut.parts {
        if let Err(error) = upload.send(part).await {
            upload.abort().await;
            return Err(error);
        }
    }
    let verified = upload.verify(&cut.content).await?;
    let committed = verified.commit(jiff::Timestamp::UNIX_EPOCH).await;
    committed.map(drop)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    AProbe,
}

pub(super) async fn bytes_that_change_on_the_way_are_never_kept(kind: Store) {
    for before in [Before::Nothing, Before::AProbe] {
        for (archive, at) in [
            (three_parts(), 7 * 1024 * 1024),
            (three_parts().slice(..1000), 500),
        ] {
            let place = kind.place();
            let (way, seen) = careless_way_to(&place.root.options["endpoint"]).await;
            let destination = open(&place.root.with_option("endpoint", way)).await;
            if before == Before::AProbe {
                destination.probe().await.unwrap();
            }
            let mut delicate = BytesMut::from(&archive[..]);
            delicate[at..at + DELICATE.len()].copy_from_slice(DELICATE);
            let error = upload(&destination, &delicate.freeze()).await.unwrap_err();
            assert!(error.hint().contains("bytes changed"), "{error:?}");
            assert!(seen.changes.load(Ordering::Relaxed) > 0);
            assert_nothing_is_left(&place.root).await;
            upload(&destination, &archive).await.unwrap();
        }
    }
}

/// How many parts of an upload come under a CRC; a probe's are not counted.
async fn parts_under_a_crc(root: &Root, before: Before) -> u32 {
    let (way, seen) = careless_way_to(&root.options["endpoint"]).await;
    let destination = open(&root.with_option("endpoint", way)).await;
    if before == Before::AProbe {
        destination.probe().await.unwrap();
    }
    let of_the_probe = seen.crcs.load(Ordering::Relaxed);
    upload(&destination, &three_parts()).await.unwrap();
    seen.crcs.load(Ordering::Relaxed) - of_the_probe
}

pub(super) async fn parts_are_sent_under_a_crc_once_the_store_has_said_one_back(kind: Store) {
    let root = kind.place().root;
    assert_eq!(parts_under_a_crc(&root, Before::Nothing).await, 0);
    assert_eq!(parts_under_a_crc(&root, Before::AProbe).await, 3);
    let signed = root.with_option("unsigned_payload", "false");
    assert_eq!(parts_under_a_crc(&signed, Before::AProbe).await, 0);
}

pub(super) async fn parts_are_sent_signed_where_the_store_says_no_crc_back(kind: Store) {
    assert_eq!(
        parts_under_a_crc(&kind.place().root, Before::AProbe).await,
        0
    );
}
