//! Azurite, Azure Blob Storage on loopback.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::azure::AzureAccessKey;
use object_store::azure::AzureCredential;
use object_store::azure::MicrosoftAzureBuilder;
use reqwest::Method;

use crate::support::servers::background;
use crate::support::servers::install::NodeTools;
use crate::support::servers::ports;
use crate::support::servers::ports::Claim;
use crate::support::servers::process;
use crate::support::servers::process::Launch;
use crate::support::servers::process::NotStarted;
use crate::support::servers::process::Process;
use crate::support::servers::root::Root;
use crate::support::servers::root::Uploads;
use crate::support::servers::root::View;
use crate::support::servers::shared::Shared;
use crate::support::servers::signed::Service;
use crate::support::servers::signed::Signature;

const ACCOUNT: &str = "nestegg";
/// Base64 of "a key that the tests made up".
const KEY: &str = "YSBrZXkgdGhhdCB0aGUgdGVzdHMgbWFkZSB1cA==";
const CONTAINER: &str = "cnt";

/// One server with an empty container, in memory.
#[derive(Debug)]
pub(crate) struct Azurite {
    process: Process,
    options: BTreeMap<String, String>,
    view: View,
    _claim: Claim<1>,
}

impl Azurite {
    /// The one of this test process.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: Shared<Azurite> = Shared::new();
        SERVER.get(|| process::several_tries(Self::try_start))
    }

    /// One for a test alone, which may kill it.
    pub(crate) fn start() -> Self {
        process::several_tries(Self::try_start).unwrap_or_else(|why| panic!("{why}"))
    }

    fn try_start() -> Result<Self, NotStarted> {
        let claim = ports::claim::<1>();
        let port = claim.ports[0];
        let script = NodeTools::get().azurite_blob();
        let folder = process::folder("azurite");
        let launch = Launch {
            program: "node".into(),
            arguments: [
                script.to_str().unwrap(),
                "--blobHost",
                "127.0.0.1",
                "--blobPort",
                &port.to_string(),
                "--inMemoryPersistence",
                "--silent",
                "--disableTelemetry",
            ]
            .map(str::to_owned)
            .to_vec(),
            environment: vec![("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))],
            left_elsewhere: Vec::new(),
        };
        let endpoint = format!("http://127.0.0.1:{port}/{ACCOUNT}");
        let service = Service {
            endpoint: endpoint.clone(),
            signature: Signature::Azure {
                account: ACCOUNT,
                key: AzureCredential::AccessKey(AzureAccessKey::try_new(KEY).unwrap()),
            },
        };
        let process = Process::start("azurite", folder, &launch, || {
            background::block_on(takes_a_blob(&service))
        })?;
        let store = MicrosoftAzureBuilder::new()
            .with_endpoint(endpoint.clone())
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_container_name(CONTAINER)
            .with_allow_http(true)
            .build()
            .unwrap();
        let options = [
            ("endpoint", endpoint.as_str()),
            ("account_name", ACCOUNT),
            ("access_key", KEY),
            ("allow_http", "true"),
        ];
        Ok(Self {
            process,
            options: options
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            view: View::Bucket {
                url: format!("az://{CONTAINER}"),
                name: CONTAINER,
                store: Arc::new(store),
                uploads: Uploads::Unlisted,
            },
            _claim: claim,
        })
    }

    /// A prefix of its container.
    pub(crate) fn root(&self, prefix: &str) -> Root {
        Root::in_bucket(self.view.clone(), self.options.clone(), prefix)
    }

    /// Ends it as a loss of power would; its address refuses connections from then on.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

/// Makes the container, puts a blob and removes it.
async fn takes_a_blob(service: &Service) -> Result<(), String> {
    let container = format!("/{CONTAINER}?restype=container");
    let blob = format!("/{CONTAINER}/readiness");
    let block = [("x-ms-blob-type", "BlockBlob"), ("content-length", "6")];
    service.send(Method::PUT, &container, &[], "").await?;
    service.send(Method::PUT, &blob, &block, "ready?").await?;
    service.send(Method::DELETE, &blob, &[], "").await.map(drop)
}
