//! A server's files through the panel (`panel-contract.md` section 7).

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;
use url::Url;

use crate::model::ids::ServerId;
use crate::model::ids::printable;
use crate::panel::PanelClient;
use crate::panel::call::Call;
use crate::panel::error::Error;
use crate::panel::exchange::Ask;
use crate::panel::exchange::Patience;
use crate::panel::link::UploadLink;
use crate::panel::malformed;
use crate::panel::wire;
use crate::panel::wire::Attributes;
use crate::panel::wire::Unfit;

/// A panel waits for its node for a quarter of an hour; we wait a little longer.
const NODE_WORK: Duration = Duration::from_mins(16);

/// One name in a directory of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The name, as untrusted as everything in a server.
    pub name: String,
    /// The length; of a directory, what its file system says.
    pub bytes: u64,
    /// Whether it is a file and no directory.
    pub is_file: bool,
    /// When it came to be what it is, by the node's clock, where the panel tells.
    pub changed_at: Option<Timestamp>,
    /// Its modification time, in whole seconds, where the panel tells.
    pub modified_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct WireFile {
    name: String,
    size: u64,
    is_file: bool,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    modified_at: Option<String>,
}

impl Attributes for FileEntry {
    fn read(attributes: Value) -> Result<Self, Unfit> {
        let wire: WireFile = serde_json::from_value(attributes)?;
        let time = |text: Option<String>| text.and_then(|text| text.parse().ok());
        // It is named in calls that delete, and must not lead out of its directory.
        if matches!(wire.name.as_str(), "" | "." | "..") || wire.name.contains(['/', '\0']) {
            return Err(Unfit::Shape(format!(
                "no file is called `{}`",
                printable(&wire.name)
            )));
        }
        Ok(Self {
            name: wire.name,
            bytes: wire.size,
            is_file: wire.is_file,
            changed_at: time(wire.created_at),
            modified_at: time(wire.modified_at),
        })
    }
}

/// What a node shall fetch.
#[derive(Debug)]
pub struct PullRequest<'a> {
    /// From where; a credential, which the panel writes into the server's activity log.
    pub url: &'a Url,
    /// The name it gets in the server's root.
    pub name: &'a str,
}

/// How a call ended that has a node work for long.
#[derive(Debug)]
pub enum NodeWork {
    /// The node said that it is done.
    Done,
    /// Nobody waited until it was; the node goes on (`panel-contract.md` section 7).
    GoesOn {
        /// What came instead of an answer.
        instead: Error,
    },
}

impl PanelClient {
    /// The names in one directory of a server, such as `/`.
    ///
    /// # Errors
    /// [`Error::ServerState`], [`Error::Permission`], [`Error::NodeRefused`] with
    /// [`Missing`](crate::panel::NodeRefusal::Missing) when there is no such directory,
    /// [`Error::Node`]; any other of a call.
    pub async fn list_files(
        &self,
        server: &ServerId,
        directory: &str,
    ) -> Result<Vec<FileEntry>, Error> {
        let call = Call::ListFiles(*server);
        let url = self.exchange.url(
            &["servers", &server.to_string(), "files", "list"],
            &[("directory", directory.to_owned())],
        );
        let body = self.exchange.send(&call, &Ask::get(url)).await?;
        wire::all(&body).map_err(|why| malformed(&call, &why))
    }

    /// A link that takes one file.
    ///
    /// # Errors
    /// [`Error::ServerState`], [`Error::Permission`]; any other of a call.
    pub async fn upload_link(&self, server: &ServerId) -> Result<UploadLink, Error> {
        let call = Call::MintUploadLink(*server);
        let url = self
            .exchange
            .url(&["servers", &server.to_string(), "files", "upload"], &[]);
        let body = self.exchange.send(&call, &Ask::get(url)).await?;
        wire::link(&body)
            .map(UploadLink::new)
            .map_err(|why| malformed(&call, &why))
    }

    /// Has the node begin to fetch a file; how that goes is only to be seen from the file's length.
    ///
    /// # Errors
    /// [`Error::NodeRefused`], [`Error::RateLimited`] by a limit of its own that is not waited for;
    /// any other of a call.
    pub async fn pull(&self, server: &ServerId, file: &PullRequest<'_>) -> Result<(), Error> {
        let body = json!({
            "url": file.url.as_str(), "directory": "/", "filename": file.name,
            "use_header": false, "foreground": false,
        });
        self.files_post(Call::Pull(*server), server, "pull", body, Patience::Usual)
            .await
    }

    /// Has the node unpack an archive in the server's root over what is there.
    ///
    /// # Errors
    /// [`Error::NodeRefused`]; any other of a call that says that nothing is being unpacked.
    pub async fn decompress(&self, server: &ServerId, name: &str) -> Result<NodeWork, Error> {
        let body = json!({ "root": "/", "file": name });
        self.node_work(Call::Decompress(*server), server, "decompress", body)
            .await
    }

    /// Deletes files and whole directories of the server's root.
    ///
    /// # Errors
    /// Any of a call; some of them may be deleted.
    pub async fn delete_files(
        &self,
        server: &ServerId,
        names: &[String],
    ) -> Result<NodeWork, Error> {
        let body = json!({ "root": "/", "files": names });
        self.node_work(Call::DeleteFiles(*server), server, "delete", body)
            .await
    }

    /// Writes a small file into the server's root that says what it is for.
    ///
    /// # Errors
    /// [`Error::NodeRefused`]; any other of a call.
    pub async fn write_note(&self, server: &ServerId, name: &str) -> Result<(), Error> {
        let url = self.exchange.url(
            &["servers", &server.to_string(), "files", "write"],
            &[("file", format!("/{name}"))],
        );
        // Any body becomes the file; nodes may refuse an empty one.
        let text = json!({ "nestegg": "restores this server, and starts it in the end" });
        let call = Call::WriteNote(*server);
        self.exchange
            .send(&call, &Ask::post(url, text))
            .await
            .map(drop)
    }

    /// A call that the panel waits for, perhaps not to its end.
    async fn node_work(
        &self,
        call: Call,
        server: &ServerId,
        verb: &str,
        body: Value,
    ) -> Result<NodeWork, Error> {
        let patience = Patience::For(NODE_WORK);
        match self.files_post(call, server, verb, body, patience).await {
            Ok(()) => Ok(NodeWork::Done),
            Err(error) if may_go_on(&error) => Ok(NodeWork::GoesOn { instead: error }),
            Err(error) => Err(error),
        }
    }

    async fn files_post(
        &self,
        call: Call,
        server: &ServerId,
        verb: &str,
        body: Value,
        patience: Patience,
    ) -> Result<(), Error> {
        let url = self
            .exchange
            .url(&["servers", &server.to_string(), "files", verb], &[]);
        let ask = Ask {
            patience,
            ..Ask::post(url, body)
        };
        self.exchange.send(&call, &ask).await.map(drop)
    }
}

/// Whether a node may be at work although the panel, or what stands before it, gave up waiting.
const fn may_go_on(error: &Error) -> bool {
    // 520 to 524 are a well-known proxy's words for 502 and 504.
    matches!(
        error,
        Error::Timeout { .. }
            | Error::Broken { .. }
            | Error::Node {
                status: 500 | 502 | 504 | 520..=524,
                ..
            }
            | Error::PanelFailed {
                status: 500 | 502 | 504 | 520..=524,
                ..
            }
    )
}
