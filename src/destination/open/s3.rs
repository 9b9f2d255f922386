//! S3 and what speaks it.

mod protection;
mod transport;

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ClientConfigKey;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::aws::AmazonS3ConfigKey;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use url::Url;

use crate::destination::error::Error;
use crate::destination::open::Endpoint;
use crate::destination::open::Handle;
use crate::destination::open::Handles;
use crate::destination::open::Opened;
use crate::destination::open::Purpose;
use crate::destination::open::client;
use crate::destination::open::location;
use crate::destination::open::no_credentials;
use crate::destination::open::plain_http;
use crate::destination::open::retry;
use crate::destination::open::s3::protection::Asked;
use crate::destination::open::s3::protection::Protection;
use crate::destination::open::s3::protection::Protections;
use crate::destination::open::s3::transport::Transport;
use crate::destination::options;
use crate::destination::options::Settings;
use crate::destination::options::USE_INSTANCE_METADATA;
use crate::destination::redact::Scrubber;
use crate::destination::retention::Attentive;
use crate::destination::tuning::DestinationTuning;
use crate::destination::ways::Spare;
use crate::destination::ways::Ways;
use crate::model::secret::Secret;

/// Opens a bucket.
pub(super) fn open(
    bucket: &str,
    prefix: Path,
    given: &BTreeMap<String, Secret>,
    environment: &[(String, Secret)],
    tuning: &DestinationTuning,
) -> Result<Opened, Error> {
    const ENDPOINTS: [&str; 2] = ["aws_endpoint_url_s3", "aws_endpoint"];
    let mut given = given.clone();
    let asked = Asked::take(&mut given)?;
    let mut settings: Settings<AmazonS3ConfigKey> =
        Settings::read(&options::S3, &given, environment)?;
    let asked = asked.or_in(&mut settings)?;
    settings.prefer_options(&ENDPOINTS);
    settings.prefer_options(&["aws_region", "aws_default_region"]);
    let endpoint_key = ENDPOINTS
        .into_iter()
        .find(|key| settings.get(key).is_some());
    let endpoint = endpoint_key
        .map(|key| s3_endpoint(&settings, key, bucket))
        .transpose()?;
    for key in ENDPOINTS {
        settings.remove(key);
    }
    let location = location("s3", &[bucket, prefix.as_ref()], endpoint.as_ref());
    s3_credentials(&settings, &location)?;
    let transport = Transport::to(endpoint.as_ref(), &settings, environment);
    let Protections {
        usual,
        if_refused,
        of_parts,
    } = Protections::choose(&settings, asked, transport);
    let scrubber = Scrubber::new(settings.secrets());
    let bucket = Arc::new(Bucket {
        name: bucket.to_owned(),
        location: location.clone(),
        settings,
        endpoint,
        tuning: *tuning,
        scrubber: scrubber.clone(),
    });
    let usual = bucket.handles(usual)?;
    let spare = |protection: Option<Protection>| {
        let protection = protection?;
        let bucket = Arc::clone(&bucket);
        Some(Spare::new(move || bucket.handles(protection)))
    };
    Ok(Opened {
        location,
        ways: Ways {
            usual,
            without_checksum: spare(if_refused),
            cheap_parts: spare(of_parts),
        },
        prefix,
        root: None,
        scrubber,
    })
}

/// Everything that the clients of one bucket are built from.
struct Bucket {
    name: String,
    location: String,
    settings: Settings<AmazonS3ConfigKey>,
    endpoint: Option<Endpoint>,
    tuning: DestinationTuning,
    scrubber: Scrubber,
}

impl Bucket {
    /// Its clients, which protect uploads like this.
    fn handles(&self, protection: Protection) -> Result<Handles, Error> {
        let handle = |purpose| self.handle(purpose, protection);
        Handles::build(handle, &self.location, &self.scrubber)
    }

    fn handle(
        &self,
        purpose: Purpose,
        protection: Protection,
    ) -> Result<Handle, object_store::Error> {
        let settings = &self.settings;
        let asked = settings
            .pairs()
            .filter_map(|(key, value)| Some((client_key(key)?, value)));
        let mut builder = AmazonS3Builder::new()
            .with_http_connector(Attentive)
            .with_client_options(client(
                purpose,
                &self.tuning,
                asked,
                plain_http(self.endpoint.as_ref()),
            ))
            .with_retry(retry(purpose, &self.tuning));
        for (key, value) in settings.pairs() {
            if !matches!(key, AmazonS3ConfigKey::Client(_)) {
                builder = builder.with_config(key, value);
            }
        }
        // One copy at a time is removed, and an answer of its own says why one is not.
        builder = builder.with_disable_bulk_delete(true);
        // What is read carries no bytes to protect.
        if purpose != Purpose::Read {
            for (key, value) in protection.options() {
                builder = builder.with_config(key, value);
            }
        }
        if let Some(endpoint) = &self.endpoint {
            builder =
                builder.with_endpoint(if settings.is_on("aws_virtual_hosted_style_request") {
                    with_bucket_in_host(&endpoint.url, &self.name)
                } else {
                    endpoint.text()
                });
        }
        let store = Arc::new(builder.with_bucket_name(&self.name).build()?);
        Ok(Handle {
            store: Arc::clone(&store) as Arc<dyn ObjectStore>,
            uploads: Some(Arc::clone(&store) as Arc<dyn MultipartStore>),
            signer: Some(store),
        })
    }
}

fn s3_endpoint(
    settings: &Settings<AmazonS3ConfigKey>,
    key: &str,
    bucket: &str,
) -> Result<Endpoint, Error> {
    let option = settings.written(key);
    let endpoint = Endpoint::parse(settings.get(key).unwrap_or_default(), &option)?;
    if endpoint.url.path().trim_matches('/') == bucket {
        return Err(Error::BadOption {
            option,
            why: format!("the bucket stands in the URL already: leave `/{bucket}` out"),
        });
    }
    Ok(endpoint)
}

/// The form that virtual-hosted requests want (`storage-servers.md` section 6, trap 27).
fn with_bucket_in_host(endpoint: &Url, bucket: &str) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    let mut url = endpoint.clone();
    if host.split('.').next() != Some(bucket) && !host.starts_with(&format!("{bucket}.")) {
        // An address that can't take a label in front, such as an IP, stays as it is.
        if url.set_host(Some(&format!("{bucket}.{host}"))).is_err() {
            url = endpoint.clone();
        }
    }
    url.as_str().trim_end_matches('/').to_owned()
}

fn s3_credentials(settings: &Settings<AmazonS3ConfigKey>, location: &str) -> Result<(), Error> {
    let has = |key| settings.get(key).is_some();
    let halves = [
        ("aws_access_key_id", "aws_secret_access_key"),
        ("aws_web_identity_token_file", "aws_role_arn"),
        (
            "aws_container_credentials_full_uri",
            "aws_container_authorization_token_file",
        ),
    ];
    for (one, other) in halves {
        match (has(one), has(other)) {
            (true, true) => return Ok(()),
            (true, false) => {
                return Err(Error::BadOption {
                    option: settings.written(one),
                    why: format!("it needs `{}` beside it", other.trim_start_matches("aws_")),
                });
            }
            (false, true) if other == "aws_secret_access_key" => {
                return Err(Error::BadOption {
                    option: settings.written(other),
                    why: "it needs `access_key_id` beside it".to_owned(),
                });
            }
            (false, true | false) => {}
        }
    }
    if has("aws_container_credentials_relative_uri")
        || settings.is_on("aws_skip_signature")
        || settings.use_instance_metadata()
    {
        return Ok(());
    }
    Err(no_credentials(
        location,
        &format!(
            "set the options `access_key_id` and `secret_access_key_file`, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on a machine with an instance role, set `{USE_INSTANCE_METADATA} = \"true\"`"
        ),
    ))
}

const fn client_key(key: AmazonS3ConfigKey) -> Option<ClientConfigKey> {
    if let AmazonS3ConfigKey::Client(key) = key {
        Some(key)
    } else {
        None
    }
}
