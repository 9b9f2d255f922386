//! One file to a node's own port, as the one `POST` that a link of the panel allows.
//!
//! The body's end is held back until the archive is proved: a node that never sees the end makes
//! no file of it (`panel-contract.md` section 7).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::multipart::Form;
use reqwest::multipart::Part as FormPart;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::content::Part;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::outcome::chain;
use crate::model::text::one_line;
use crate::model::text::without_credentials;
use crate::ops::restore::panel::because::Because;
use crate::panel::NodeRefusal;
use crate::panel::UploadLink;
use crate::transfer::pump::Sink;

/// Chunks that wait for the connection.
const CHUNKS_AHEAD: usize = 16;
/// Words of a node are shown up to this length.
const SHOWN_CHARACTERS: usize = 300;
/// A refusal is read up to this length.
const LONGEST_REFUSAL_BYTES: usize = 64 * 1024;

/// An upload to a node failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// No HTTP client could be made on this machine.
    #[error("could not set up an HTTP client")]
    Client {
        /// Why.
        source: reqwest::Error,
    },
    /// The node refused it.
    #[error("could not upload the archive to {node}: {refusal}{}", in_words(.said))]
    Refused {
        /// Scheme, host, port and path.
        node: String,
        /// What it refused.
        refusal: NodeRefusal,
        /// Its words, made safe to print.
        said: String,
    },
    /// The node can't be reached, or the connection broke.
    #[error("could not upload the archive to {node}")]
    Broken {
        /// Scheme, host, port and path.
        node: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The node takes no more bytes, or does not answer once it has them all.
    #[error("could not upload the archive to {node}: it has taken nothing, or not answered, for {} s", waited.as_secs())]
    Stalled {
        /// Scheme, host, port and path.
        node: String,
        /// How long.
        waited: Duration,
    },
    /// A task of ours ended in a defect.
    #[error("could not upload the archive: the task crashed")]
    Crashed {
        /// The panic.
        source: tokio::task::JoinError,
    },
}

fn in_words(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(" (\"{said}\")")
    }
}

impl UploadError {
    /// The kind of failure.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Client { .. } | Self::Crashed { .. } => FailureKind::Local,
            Self::Refused { refusal, .. } => refusal.kind(),
            Self::Broken { .. } => FailureKind::Unreachable,
            Self::Stalled { .. } => FailureKind::Transfer,
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Client { .. } => "check the system's certificate store",
            Self::Refused { refusal, .. } => refusal.hint(),
            Self::Broken { .. } | Self::Stalled { .. } => {
                "check that this machine reaches the node's port (8080 unless configured otherwise), or restore with --via sftp"
            }
            Self::Crashed { .. } => "report this",
        }
    }

    /// Whether the archive may still get there another way.
    pub const fn allows_another_way(&self) -> bool {
        match self {
            Self::Client { .. } | Self::Crashed { .. } => false,
            Self::Refused { refusal, .. } => !matches!(refusal, NodeRefusal::NoSpace),
            Self::Broken { .. } | Self::Stalled { .. } => true,
        }
    }

    /// Whether the file may have become whole all the same.
    pub const fn leaves_it_open(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Stalled { .. })
    }
}

/// The client for nodes: it holds no key, follows no redirect and waits as long as bytes flow.
///
/// # Errors
/// [`UploadError::Client`].
pub fn http(connect_timeout: Duration) -> Result<reqwest::Client, UploadError> {
    reqwest::Client::builder()
        .user_agent(concat!("nestegg/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(connect_timeout)
        .http1_only()
        .build()
        .map_err(|source| UploadError::Client { source })
}

/// An upload that takes parts.
#[derive(Debug)]
#[must_use = "nothing becomes a file before `finish`"]
pub struct NodeUpload {
    node: String,
    stall_timeout: Duration,
    body: mpsc::Sender<io::Result<Bytes>>,
    answer: Option<JoinHandle<Result<(), UploadError>>>,
    because: Because,
    server: String,
}

impl NodeUpload {
    /// Begins to send a file with its name and length; why it fails on the way is told to `because`.
    pub fn begin(
        http: &reqwest::Client,
        link: &UploadLink,
        file: (&str, u64),
        stall_timeout: Duration,
        server: String,
        because: &Because,
    ) -> Self {
        let (name, length_bytes) = file;
        let (body, mut chunks) = mpsc::channel(CHUNKS_AHEAD);
        let stream = stream::poll_fn(move |context| chunks.poll_recv(context));
        let part = FormPart::stream_with_length(reqwest::Body::wrap_stream(stream), length_bytes)
            .file_name(name.to_owned());
        let request = http
            .post(link.expose_for_root())
            .multipart(Form::new().part("files", part));
        let node = link.to_string();
        let answer = tokio::spawn(answer(request, node.clone()));
        Self {
            node,
            stall_timeout,
            body,
            answer: Some(answer),
            because: because.clone(),
            server,
        }
    }

    /// Lets the node see the end, and waits as long as `patience` says until it has made a file of it.
    ///
    /// # Errors
    /// Why it has not; [`UploadError::leaves_it_open`] says whether it may have.
    pub async fn finish(mut self, patience: Duration) -> Result<(), UploadError> {
        let Self { body, answer, .. } = &mut self;
        // The channel ends with its last sender.
        drop(std::mem::replace(body, mpsc::channel(1).0));
        let Some(mut answer) = answer.take() else {
            return Ok(());
        };
        match tokio::time::timeout(patience, &mut answer).await {
            Ok(answered) => answered.map_err(|source| UploadError::Crashed { source })?,
            Err(_elapsed) => {
                answer.abort();
                Err(UploadError::Stalled {
                    node: self.node,
                    waited: patience,
                })
            }
        }
    }

    /// Why it takes no more.
    async fn why_ended(&mut self) -> UploadError {
        let ended = match self.answer.take() {
            Some(answer) => match tokio::time::timeout(self.stall_timeout, answer).await {
                Ok(Ok(Err(error))) => Some(error),
                Ok(Err(source)) => Some(UploadError::Crashed { source }),
                Ok(Ok(Ok(()))) | Err(_) => None,
            },
            None => None,
        };
        ended.unwrap_or_else(|| UploadError::Stalled {
            node: self.node.clone(),
            waited: self.stall_timeout,
        })
    }

    fn fail(&mut self, error: UploadError) -> Failure {
        let failure = Failure {
            scope: Scope::Server,
            id: self.server.clone(),
            kind: error.kind(),
            message: chain(&error),
            hint: error.hint().to_owned(),
        };
        self.because.tell(error.into());
        failure
    }
}

async fn answer(request: reqwest::RequestBuilder, node: String) -> Result<(), UploadError> {
    let broken = |error: reqwest::Error| UploadError::Broken {
        node: node.clone(),
        source: error.without_url(),
    };
    let mut answer = request.send().await.map_err(broken)?;
    let status = answer.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(());
    }
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() > LONGEST_REFUSAL_BYTES {
            break;
        }
    }
    let said = serde_json::from_slice::<serde_json::Value>(&text)
        .ok()
        .and_then(|body| Some(body.get("error")?.as_str()?.to_owned()))
        .unwrap_or_default();
    Err(UploadError::Refused {
        // What stands before a node says the same with a status of its own.
        refusal: if status == 413 {
            NodeRefusal::UploadTooLarge
        } else {
            NodeRefusal::read(status, &said)
        },
        said: one_line(&without_credentials(&said), SHOWN_CHARACTERS),
        node,
    })
}

impl Sink for NodeUpload {
    async fn send(&mut self, part: Part) -> Result<(), Failure> {
        for chunk in part.chunks() {
            let sent =
                tokio::time::timeout(self.stall_timeout, self.body.send(Ok(chunk.clone()))).await;
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(_closed)) => {
                    let why = self.why_ended().await;
                    return Err(self.fail(why));
                }
                Err(_elapsed) => {
                    let (node, waited) = (self.node.clone(), self.stall_timeout);
                    return Err(self.fail(UploadError::Stalled { node, waited }));
                }
            }
        }
        Ok(())
    }

    async fn abort(mut self) {
        let given_up = io::Error::other("given up");
        if self.body.try_send(Err(given_up)).is_err() {
            tracing::debug!("the upload had ended, or is cut off");
        }
        if let Some(answer) = self.answer.take() {
            answer.abort();
            if let Err(error) = answer.await
                && error.is_panic()
            {
                tracing::error!("the upload's task crashed");
            }
        }
    }

    fn name(&self) -> String {
        self.node.clone()
    }
}
