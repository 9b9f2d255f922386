//! From URL and options to the clients of a store.

mod azure;
mod gcs;
mod s3;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use object_store::BackoffConfig;
use object_store::ClientConfigKey;
use object_store::ClientOptions;
use object_store::ObjectStore;
use object_store::RetryConfig;
use object_store::local::LocalFileSystem;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::Signer;
use url::Url;

use crate::destination::RootRule;
use crate::destination::error::Error;
use crate::destination::local::Root;
use crate::destination::place::Place;
use crate::destination::place::Store;
use crate::destination::redact::Scrubber;
use crate::destination::redact::shown_url;
use crate::destination::tuning::DestinationTuning;
use crate::destination::ways::Ways;
use crate::model::secret::Secret;

/// One client of a store.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) store: Arc<dyn ObjectStore>,
    /// For stores whose uploads have an id that outlives this process.
    pub(super) uploads: Option<Arc<dyn MultipartStore>>,
    /// For stores that can let somebody else read one object for a while.
    pub(super) signer: Option<Arc<dyn Signer>>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.store)
    }
}

/// The clients of one store: they differ in patience alone.
#[derive(Debug, Clone)]
pub(super) struct Handles {
    pub(super) write: Handle,
    /// Without a total timeout, which would cut long reads (`storage-servers.md` section 6,
    /// trap 15).
    pub(super) read: Handle,
    /// With few repetitions, so that a wrong address is told soon.
    pub(super) probe: Handle,
}

/// A destination as far as it can be had without talking to the store.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) location: String,
    pub(super) ways: Ways,
    pub(super) prefix: Path,
    pub(super) root: Option<Arc<Root>>,
    pub(super) scrubber: Scrubber,
}

/// Which client is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Write,
    Read,
    Probe,
}

/// A day: repetitions of a read are bounded by their number, not by the time since it began.
const READ_WINDOW: Duration = Duration::from_hours(24);

/// Opens a remote place.
pub(super) fn remote(
    place: (Store, &str, Path),
    given: &BTreeMap<String, Secret>,
    environment: &[(String, Secret)],
    tuning: &DestinationTuning,
) -> Result<Opened, Error> {
    let (store, bucket, prefix) = place;
    match store {
        Store::S3 => s3::open(bucket, prefix, given, environment, tuning),
        Store::Gcs => gcs::open(bucket, prefix, given, environment, tuning),
        Store::Azure => azure::open(bucket, prefix, given, environment, tuning),
    }
}

/// Opens a local directory, with fsync (`storage-servers.md` section 7); its options are none.
pub(super) fn local(root: Root, given: &BTreeMap<String, Secret>) -> Result<Opened, Error> {
    if let Some(option) = given.keys().next() {
        return Err(Error::UnknownOption {
            option: option.clone(),
            store: "local",
            hint: "a directory needs no options: remove the table".to_owned(),
        });
    }
    let location = root.location()?;
    let scrubber = Scrubber::default();
    let files = LocalFileSystem::new_with_prefix(root.path()).map_err(|error| Error::Setup {
        location: location.clone(),
        source: scrubber.store_error(&error),
    })?;
    let handle = Handle {
        store: Arc::new(files.with_fsync(true)),
        uploads: None,
        signer: None,
    };
    Ok(Opened {
        location,
        ways: Handles::single(handle).into(),
        prefix: Path::default(),
        root: Some(Arc::new(root)),
        scrubber,
    })
}

impl Handles {
    /// One client for everything.
    pub(super) fn single(handle: Handle) -> Self {
        Self {
            write: handle.clone(),
            read: handle.clone(),
            probe: handle,
        }
    }

    fn build(
        mut handle: impl FnMut(Purpose) -> Result<Handle, object_store::Error>,
        location: &str,
        scrubber: &Scrubber,
    ) -> Result<Self, Error> {
        let mut build = |purpose| {
            handle(purpose).map_err(|error| Error::Setup {
                location: location.to_owned(),
                source: scrubber.store_error(&error),
            })
        };
        Ok(Self {
            write: build(Purpose::Write)?,
            read: build(Purpose::Read)?,
            probe: build(Purpose::Probe)?,
        })
    }
}

fn retry(purpose: Purpose, tuning: &DestinationTuning) -> RetryConfig {
    // Whoever waits for a probe sits before a terminal.
    let (hurry, max_retries) = match purpose {
        Purpose::Write | Purpose::Read => (1, tuning.retries),
        Purpose::Probe => (5, tuning.probe_retries),
    };
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: tuning.first_wait / hurry,
            max_backoff: tuning.max_wait / hurry,
            base: 3.0,
        },
        max_retries,
        retry_timeout: match purpose {
            Purpose::Write | Purpose::Probe => tuning.retry_window,
            Purpose::Read => READ_WINDOW,
        },
    }
}

/// The HTTP side of a client: our patience, then what the operator asked for.
fn client<'a>(
    purpose: Purpose,
    tuning: &DestinationTuning,
    asked: impl Iterator<Item = (ClientConfigKey, &'a str)>,
    plain_http: PlainHttp,
) -> ClientOptions {
    let ours = ClientOptions::new()
        .with_connect_timeout(tuning.connect_timeout)
        .with_timeout(tuning.request_timeout)
        .with_allow_http(plain_http == PlainHttp::Allowed);
    let all = asked.fold(ours, |options, (key, value)| {
        options.with_config(key, value)
    });
    match purpose {
        Purpose::Write => all,
        Purpose::Read => all
            .with_timeout_disabled()
            .with_read_timeout(tuning.read_stall),
        Purpose::Probe => all.with_timeout(tuning.probe_deadline),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlainHttp {
    Allowed,
    Refused,
}

/// An endpoint that was checked.
struct Endpoint {
    url: Url,
    plain_http: PlainHttp,
}

impl Endpoint {
    fn parse(text: &str, option: &str) -> Result<Self, Error> {
        let bad = |why: String| Error::BadOption {
            option: option.to_owned(),
            why,
        };
        let shown = shown_url(text);
        if !text.contains("://") {
            return Err(bad(format!(
                "write `https://{shown}`, or http:// where there is no TLS"
            )));
        }
        let url = Url::parse(text).map_err(|error| bad(format!("`{shown}`: {error}")))?;
        let plain_http = match url.scheme() {
            "http" => PlainHttp::Allowed,
            "https" => PlainHttp::Refused,
            other => return Err(bad(format!("`{other}://` is neither http:// nor https://"))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("credentials have options of their own".to_owned()));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad(format!("`{shown}` has a query or fragment")));
        }
        if url.host_str().is_none() {
            return Err(bad(format!("`{shown}` names no host")));
        }
        Ok(Self { url, plain_http })
    }

    /// Host and port, for telling destinations apart; the port that the scheme implies is left out.
    fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    fn text(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }
}

fn plain_http(endpoint: Option<&Endpoint>) -> PlainHttp {
    endpoint.map_or(PlainHttp::Refused, |endpoint| endpoint.plain_http)
}

fn location(scheme: &str, parts: &[&str], endpoint: Option<&Endpoint>) -> String {
    let path: Vec<_> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    let path = path.join("/");
    endpoint.map_or_else(
        || format!("{scheme}://{path}"),
        |endpoint| format!("{scheme}://{path}?endpoint={}", endpoint.authority()),
    )
}

fn no_credentials(location: &str, hint: &str) -> Error {
    Error::NoCredentials {
        location: location.to_owned(),
        hint: hint.to_owned(),
    }
}

/// Opens any place; touches the file system for a local one and no network for the others.
pub(super) fn place(
    place: Place,
    rule: RootRule,
    given: &BTreeMap<String, Secret>,
    environment: &[(String, Secret)],
    tuning: &DestinationTuning,
) -> Result<Opened, Error> {
    match place {
        Place::Local(path) => {
            let path: &FilePath = &path;
            local(Root::open(path, rule)?, given)
        }
        Place::Remote {
            store,
            bucket,
            prefix,
        } => remote((store, &bucket, prefix), given, environment, tuning),
    }
}
