//! The way to a store, on which one DELETE is held back: before the store hears of it, or once it is done.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Which DELETE is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The one after so many others never comes to the store.
    Before(u32),
    /// The one after so many others is done, and its answer never comes back.
    After(u32),
}

#[derive(Debug, Default)]
struct State {
    next: Mutex<Option<Hold>>,
    held: Notify,
}

impl State {
    /// Counts one DELETE; says how it is held back, if it is.
    fn delete(&self) -> Option<Hold> {
        let mut next = self.next.lock().unwrap();
        let hold = (*next)?;
        match hold {
            Hold::Before(0) | Hold::After(0) => next.take(),
            Hold::Before(others) => {
                *next = Some(Hold::Before(others - 1));
                None
            }
            Hold::After(others) => {
                *next = Some(Hold::After(others - 1));
                None
            }
        }
    }

    async fn hold(&self) -> ! {
        self.held.notify_one();
        std::future::pending().await
    }
}

/// The way to one store, as long as the test's runtime lasts.
#[derive(Debug)]
pub(super) struct Gate {
    address: SocketAddr,
    state: Arc<State>,
}

impl Gate {
    /// Before the store at an `http://` endpoint.
    pub(super) async fn to(endpoint: &str) -> Self {
        let store = endpoint.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        let state = Arc::clone(&gate.state);
        tokio::spawn(async move {
            while let Ok((client, _from)) = listener.accept().await {
                tokio::spawn(pass(client, store.clone(), Arc::clone(&state)));
            }
        });
        gate
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Holds back one of the DELETEs to come.
    pub(super) fn arm(&self, hold: Hold) {
        *self.state.next.lock().unwrap() = Some(hold);
    }

    /// Waits until it is held back.
    pub(super) async fn held(&self) {
        self.state.held.notified().await;
    }
}

/// Passes on what both sides say. A client says nothing more before it was answered, so that every
/// request begins what is read from it.
async fn pass(client: TcpStream, store: String, state: Arc<State>) {
    let Ok(store) = TcpStream::connect(store).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_store, mut to_store) = store.into_split();
    let is_mute = AtomicBool::new(false);
    let up = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let said = &buffer[..length];
            if said.starts_with(b"DELETE ") {
                match state.delete() {
                    Some(Hold::Before(_)) => state.hold().await,
                    Some(Hold::After(_)) => is_mute.store(true, Ordering::SeqCst),
                    None => {}
                }
            }
            if to_store.write_all(said).await.is_err() {
                break;
            }
        }
        drop(to_store);
    };
    let down = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_store.read(&mut buffer).await {
            if is_mute.load(Ordering::SeqCst) {
                state.hold().await;
            }
            if to_client.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
        drop(to_client);
    };
    tokio::join!(up, down);
}
