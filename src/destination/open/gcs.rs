//! Google Cloud Storage.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ClientConfigKey;
use object_store::ObjectStore;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::gcp::GoogleConfigKey;
use object_store::multipart::MultipartStore;
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

/// Opens a bucket.
pub(super) fn open(
    bucket: &str,
    prefix: Path,
    given: &BTreeMap<String, Secret>,
    environment: &[(String, Secret)],
    tuning: &DestinationTuning,
) -> Result<Opened, Error> {
    const FILE: &str = "google_service_account";
    const KEY: &str = "google_service_account_key";
    let settings: Settings<GoogleConfigKey> = Settings::read(&options::GCS, given, environment)?;
    if settings.get(FILE).is_some() && settings.get(KEY).is_some() {
        return Err(Error::BadOption {
            option: settings.written(FILE),
            why: format!("`{}` says the same", settings.written(KEY)),
        });
    }
    for file in [FILE, "google_application_credentials"] {
        if let Some(path) = settings.get(file) {
            readable(path, &settings.written(file))?;
        }
    }
    let endpoint = match (settings.get("google_base_url"), key_json(&settings)) {
        (Some(base), _) => Some(Endpoint::parse(base, &settings.written("google_base_url"))?),
        (None, Some(base)) => Some(Endpoint::parse(&base, &settings.written(KEY))?),
        (None, None) => None,
    };
    let location = location("gs", &[bucket, prefix.as_ref()], endpoint.as_ref());
    let has_credentials = options::GCS
        .credentials
        .iter()
        .any(|key| settings.get(key).is_some());
    if !has_credentials && !settings.use_instance_metadata() {
        return Err(no_credentials(
            &location,
            &format!(
                "set the option `service_account_path`, or the variable GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS; on a machine with a service account of its own, set `{USE_INSTANCE_METADATA} = \"true\"`"
            ),
        ));
    }
    let scrubber = Scrubber::new(settings.secrets());
    let handle = |purpose| {
        let asked = settings
            .pairs()
            .filter_map(|(key, value)| Some((client_key(key)?, value)));
        let mut builder = GoogleCloudStorageBuilder::new()
            .with_http_connector(Attentive)
            .with_client_options(client(
                purpose,
                tuning,
                asked,
                plain_http(endpoint.as_ref()),
            ))
            .with_retry(retry(purpose, tuning));
        for (key, value) in settings.pairs() {
            if !matches!(key, GoogleConfigKey::Client(_)) {
                builder = builder.with_config(key, value);
            }
        }
        let store = Arc::new(builder.with_bucket_name(bucket).build()?);
        Ok(Handle {
            store: Arc::clone(&store) as Arc<dyn ObjectStore>,
            uploads: Some(Arc::clone(&store) as Arc<dyn MultipartStore>),
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

/// The address that a service account's JSON may name, which is how emulators are reached.
fn key_json(settings: &Settings<GoogleConfigKey>) -> Option<String> {
    let text = match settings.get("google_service_account_key") {
        Some(text) => text.to_owned(),
        None => std::fs::read_to_string(settings.get("google_service_account")?).ok()?,
    };
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(json.get("gcs_base_url")?.as_str()?.to_owned())
}

fn readable(path: &str, option: &str) -> Result<(), Error> {
    std::fs::File::open(path)
        .map(drop)
        .map_err(|error| Error::BadOption {
            option: option.to_owned(),
            why: format!("could not read `{path}`: {error}"),
        })
}

const fn client_key(key: GoogleConfigKey) -> Option<ClientConfigKey> {
    if let GoogleConfigKey::Client(key) = key {
        Some(key)
    } else {
        None
    }
}
