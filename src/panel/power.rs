//! A server's power: its state, and the signals that change it.

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::model::ids::ServerId;
use crate::panel::PanelClient;
use crate::panel::call::Call;
use crate::panel::call::Signal;
use crate::panel::error::Error;
use crate::panel::exchange::Ask;
use crate::panel::wire::Attributes;
use crate::panel::wire::Unfit;

/// Whether a server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerState {
    /// It does not.
    Offline,
    /// It is about to.
    Starting,
    /// It does.
    Running,
    /// It is about to stop.
    Stopping,
    /// A word that this version does not know.
    Other,
}

impl PowerState {
    /// The state in plain words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Other => "in a state that this version does not know",
        }
    }
}

/// What a node says of a server; panels keep the answer for 20 s (`panel-contract.md` section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Its power state.
    pub state: PowerState,
    /// How much its files take, as the node last counted.
    pub disk_bytes: u64,
}

#[derive(Deserialize)]
struct WireResources {
    current_state: String,
    resources: WireUse,
}

#[derive(Deserialize)]
struct WireUse {
    #[serde(default)]
    disk_bytes: u64,
}

impl Attributes for Resources {
    fn read(attributes: Value) -> Result<Self, Unfit> {
        let wire: WireResources = serde_json::from_value(attributes)?;
        Ok(Self {
            state: match wire.current_state.as_str() {
                "offline" => PowerState::Offline,
                "starting" => PowerState::Starting,
                "running" => PowerState::Running,
                "stopping" => PowerState::Stopping,
                _unknown => PowerState::Other,
            },
            disk_bytes: wire.resources.disk_bytes,
        })
    }
}

impl PanelClient {
    /// Whether a server runs, and how much its files take.
    ///
    /// # Errors
    /// [`Error::ServerState`], [`Error::Node`]; any other of a call.
    pub async fn resources(&self, server: &ServerId) -> Result<Resources, Error> {
        let id = server.to_string();
        self.object(
            &Call::ReadResources(*server),
            &["servers", &id, "resources"],
            &[],
        )
        .await
    }

    /// Tells a server to start or stop; that it was told is all that success means.
    ///
    /// # Errors
    /// [`Error::Permission`], [`Error::ServerState`], [`Error::Node`]; any other of a call.
    pub async fn signal(&self, server: &ServerId, signal: Signal) -> Result<(), Error> {
        let url = self
            .exchange
            .url(&["servers", &server.to_string(), "power"], &[]);
        let ask = Ask::post(url, json!({ "signal": signal.word() }));
        self.exchange
            .send(&Call::Power(*server, signal), &ask)
            .await
            .map(drop)
    }
}
