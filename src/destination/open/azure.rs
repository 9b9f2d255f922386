//! Azure Blob Storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ClientConfigKey;
use object_store::ObjectStore;
use object_store::azure::AzureConfigKey;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;

use crate::destination::error::Error;
use crate::destination::open::Endpoint;
use crate::destination::open::Handle;
use crate::destination::open::Handles;
use crate::destination::open::Opened;
use crate::destination::open::client;
use crate::destination::open::location;
use crate::destination::open::no_credentials;
use crate::destination::open::plain_http;
use crate::destination::open::retry;
use crate::destination::options;
use crate::destination::options::Settings;
use crate::destination::options::USE_INSTANCE_METADATA;
use crate::destination::redact::Scrubber;
use crate::destination::retention::Attentive;
use crate::destination::tuning::DestinationTuning;
use crate::model::secret::Secret;

/// The account and key that every Azure emulator has; public knowledge, no secret.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Opens a container.
pub(super) fn open(
    container: &str,
    prefix: Path,
    given: &BTreeMap<String, Secret>,
    environment: &[(String, Secret)],
    tuning: &DestinationTuning,
) -> Result<Opened, Error> {
    const ACCOUNT: &str = "azure_storage_account_name";
    const ENDPOINT: &str = "azure_storage_endpoint";
    const EMULATOR: &str = "azure_storage_use_emulator";
    let mut settings: Settings<AzureConfigKey> =
        Settings::read(&options::AZURE, given, environment)?;
    let emulator = settings.is_on(EMULATOR);
    let endpoint = settings
        .get(ENDPOINT)
        .map(|text| Endpoint::parse(text, &settings.written(ENDPOINT)))
        .transpose()?;
    settings.remove(ENDPOINT);
    settings.remove(EMULATOR);
    let account = match settings.get(ACCOUNT) {
        Some(account) => account.to_owned(),
        None if emulator => EMULATOR_ACCOUNT.to_owned(),
        None => {
            return Err(no_credentials(
                &location("az", &[container, prefix.as_ref()], endpoint.as_ref()),
                "set the option `account_name` or the variable AZURE_STORAGE_ACCOUNT_NAME",
            ));
        }
    };
    let location = location(
        "az",
        &[&account, container, prefix.as_ref()],
        endpoint.as_ref(),
    );
    let has_credentials = options::AZURE
        .credentials
        .iter()
        .any(|key| settings.get(key).is_some());
    if !has_credentials && !emulator && !settings.use_instance_metadata() {
        return Err(no_credentials(
            &location,
            &format!(
                "set the option `access_key`, `sas_token`, or `client_id` with its secret and tenant, or the variable AZURE_STORAGE_ACCOUNT_KEY; on a machine with a managed identity, set `{USE_INSTANCE_METADATA} = \"true\"`"
            ),
        ));
    }
    // The crate finds an emulator only through a variable of the whole process; an address of our
    // own, with the account in its path, says the same for one destination.
    let emulator_url = endpoint
        .as_ref()
        .filter(|_endpoint| emulator)
        .map(|endpoint| {
            let base = endpoint.text();
            if endpoint.url.path().trim_matches('/') == account {
                base
            } else {
                format!("{base}/{account}")
            }
        });
    let scrubber = Scrubber::new(settings.secrets());
    let handle = |purpose| {
        let asked = settings
            .pairs()
            .filter_map(|(key, value)| Some((client_key(key)?, value)));
        let mut builder = MicrosoftAzureBuilder::new()
            .with_http_connector(Attentive)
            .with_client_options(client(
                purpose,
                tuning,
                asked,
                plain_http(endpoint.as_ref()),
            ))
            .with_retry(retry(purpose, tuning))
            .with_account(&account)
            .with_container_name(container);
        for (key, value) in settings.pairs() {
            if !matches!(key, AzureConfigKey::Client(_)) {
                builder = builder.with_config(key, value);
            }
        }
        builder = match (&emulator_url, &endpoint) {
            (Some(url), _) if !has_credentials => builder
                .with_endpoint(url.clone())
                .with_access_key(EMULATOR_KEY),
            (Some(url), _) => builder.with_endpoint(url.clone()),
            (None, Some(endpoint)) => builder.with_endpoint(endpoint.text()),
            (None, None) => builder.with_use_emulator(emulator),
        };
        let store = Arc::new(builder.build()?);
        Ok(Handle {
            store: Arc::clone(&store) as Arc<dyn ObjectStore>,
            uploads: None,
            signer: Some(store),
        })
    };
    let handles = Handles::build(handle, &location, &scrubber)?;
    Ok(Opened {
        location,
        ways: handles.into(),
        prefix,
        root: None,
        scrubber,
    })
}

const fn client_key(key: AzureConfigKey) -> Option<ClientConfigKey> {
    if let AzureConfigKey::Client(key) = key {
        Some(key)
    } else {
        None
    }
}
