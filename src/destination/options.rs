//! Options and environment of a remote store: every key checked, options above environment.
//!
//! The crate drops keys that it does not know (`storage-servers.md` section 6, trap 24), so each
//! is parsed here first.

mod dialect;

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::destination::error::Error;
pub(super) use crate::destination::options::dialect::AZURE;
use crate::destination::options::dialect::Dialect;
pub(super) use crate::destination::options::dialect::GCS;
pub(super) use crate::destination::options::dialect::S3;
use crate::model::secret::Secret;

/// Our own option: take credentials from the cloud's metadata address, which is asked only then
/// (`storage-servers.md` section 6, trap 16).
pub(super) const USE_INSTANCE_METADATA: &str = "use_instance_metadata";

const DURATIONS: &[&str] = &[
    "connect_timeout",
    "http2_keep_alive_interval",
    "http2_keep_alive_timeout",
    "pool_idle_timeout",
    "read_timeout",
    "timeout",
];

const SWITCHES: &[&str] = &[
    USE_INSTANCE_METADATA,
    "allow_http",
    "allow_invalid_certificates",
    "aws_disable_bulk_delete",
    "aws_disable_tagging",
    "aws_imdsv1_fallback",
    "aws_s3_express",
    "aws_skip_signature",
    "aws_sse_bucket_key_enabled",
    "aws_unsigned_payload",
    "aws_virtual_hosted_style_request",
    "azure_disable_tagging",
    "azure_skip_signature",
    "azure_storage_use_emulator",
    "azure_use_azure_cli",
    "azure_use_fabric_endpoint",
    "disable_system_certificates",
    "google_skip_signature",
    "http1_only",
    "http2_keep_alive_while_idle",
    "http2_only",
    "randomize_addresses",
];

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Options,
    Environment,
}

#[derive(Debug, Clone)]
struct Setting<K> {
    key: K,
    written: String,
    value: Secret,
    origin: Origin,
}

/// The settings of one store, by the crate's full names.
#[derive(Debug, Clone)]
pub(super) struct Settings<K> {
    by_name: BTreeMap<String, Setting<K>>,
    use_instance_metadata: bool,
}

impl<K: FromStr + AsRef<str> + Copy> Settings<K> {
    /// Checks the options, and lets the environment fill what they leave open.
    pub(super) fn read(
        dialect: &Dialect,
        options: &BTreeMap<String, Secret>,
        environment: &[(String, Secret)],
    ) -> Result<Self, Error> {
        let mut settings = Self {
            by_name: BTreeMap::new(),
            use_instance_metadata: false,
        };
        for (written, value) in options {
            let bad = |why: String| Error::BadOption {
                option: written.clone(),
                why,
            };
            if value.expose().trim().is_empty() {
                return Err(bad("it is empty".to_owned()));
            }
            let name = written.to_ascii_lowercase();
            if name == USE_INSTANCE_METADATA {
                check_value(&name, value).map_err(bad)?;
                settings.use_instance_metadata = is_on(value.expose()) == Some(true);
                continue;
            }
            let Some(key) = dialect.parse::<K>(&name) else {
                return Err(dialect.unknown(written));
            };
            let full = key.as_ref().to_owned();
            if dialect.in_url.contains(&full.as_str()) {
                return Err(bad("the URL names it already".to_owned()));
            }
            check_value(&full, value).map_err(bad)?;
            let setting = Setting {
                key,
                written: written.clone(),
                value: value.clone(),
                origin: Origin::Options,
            };
            if let Some(other) = settings.by_name.insert(full, setting) {
                return Err(bad(format!("`{}` says the same", other.written)));
            }
        }
        settings.fill_from(dialect, environment)?;
        Ok(settings)
    }

    fn fill_from(
        &mut self,
        dialect: &Dialect,
        environment: &[(String, Secret)],
    ) -> Result<(), Error> {
        let given = |full: &str, settings: &Self| {
            settings
                .by_name
                .get(full)
                .is_some_and(|setting| setting.origin == Origin::Options)
        };
        let own_credentials = self.use_instance_metadata
            || dialect
                .credentials
                .iter()
                .any(|credential| given(credential, self));
        for (variable, value) in environment {
            let name = variable.to_ascii_lowercase();
            let ours = dialect
                .prefixes
                .iter()
                .any(|prefix| name.starts_with(prefix))
                || name == "service_account";
            if !ours || value.expose().trim().is_empty() {
                continue;
            }
            let Some(key) = dialect.parse::<K>(&name) else {
                continue;
            };
            let full = key.as_ref().to_owned();
            let completes = dialect.together.iter().any(|group| {
                group.contains(&full.as_str()) && group.iter().any(|other| given(other, self))
            });
            let foreign_credential =
                own_credentials && !completes && dialect.credentials.contains(&full.as_str());
            if dialect.in_url.contains(&full.as_str()) || given(&full, self) || foreign_credential {
                continue;
            }
            check_value(&full, value).map_err(|why| Error::BadOption {
                option: variable.clone(),
                why,
            })?;
            let setting = Setting {
                key,
                written: variable.clone(),
                value: value.clone(),
                origin: Origin::Environment,
            };
            self.by_name.insert(full, setting);
        }
        Ok(())
    }
}

impl<K: Copy> Settings<K> {
    /// Whether credentials may come from the cloud's metadata address.
    pub(super) const fn use_instance_metadata(&self) -> bool {
        self.use_instance_metadata
    }

    /// A value by the crate's full name.
    pub(super) fn get(&self, full: &str) -> Option<&str> {
        self.by_name.get(full).map(|setting| setting.value.expose())
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, full: &str) -> bool {
        self.get(full).and_then(is_on) == Some(true)
    }

    /// How the operator wrote this name.
    pub(super) fn written(&self, full: &str) -> String {
        self.by_name
            .get(full)
            .map_or_else(|| full.to_owned(), |setting| setting.written.clone())
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, full: &str) -> Option<String> {
        let setting = self.by_name.remove(full)?;
        Some(setting.value.expose().to_owned())
    }

    /// Drops from the environment's values those that an option of another name overrides.
    pub(super) fn prefer_options(&mut self, alternatives: &[&str]) {
        let given = alternatives.iter().any(|full| {
            self.by_name
                .get(*full)
                .is_some_and(|setting| setting.origin == Origin::Options)
        });
        if given {
            self.by_name.retain(|full, setting| {
                setting.origin == Origin::Options || !alternatives.contains(&full.as_str())
            });
        }
    }

    /// Every pair, for the crate's builder.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (K, &str)> {
        self.by_name
            .values()
            .map(|setting| (setting.key, setting.value.expose()))
    }

    /// The values that must not be seen in any text.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.by_name
            .iter()
            .filter(|(full, _setting)| is_secret(full))
            .map(|(_full, setting)| setting.value.clone())
            .collect()
    }
}

fn is_secret(full: &str) -> bool {
    const PUBLIC: [&str; 6] = [
        "_file",
        "_key_id",
        "_enabled",
        "_path",
        "_url",
        "_kms_key_id",
    ];
    let telling = ["secret", "token", "_key", "sas", "password"];
    telling.iter().any(|word| full.contains(word))
        && !PUBLIC.iter().any(|ending| full.ends_with(ending))
}

fn is_on(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Some(true),
        "0" | "false" | "off" | "no" | "n" => Some(false),
        _other => None,
    }
}

fn check_value(full: &str, value: &Secret) -> Result<(), String> {
    let value = value.expose();
    if DURATIONS.contains(&full) && value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{value}` lacks a unit, such as in `{value}s`"));
    }
    if SWITCHES.contains(&full) && is_on(value).is_none() {
        return Err("write `true` or `false`".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use object_store::aws::AmazonS3ConfigKey;
    use object_store::azure::AzureConfigKey;
    use object_store::gcp::GoogleConfigKey;

    use super::*;
    use crate::destination::options::dialect::CLIENT_KEYS;

    fn table(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)))
            .collect()
    }

    fn s3(
        options: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> Result<Settings<AmazonS3ConfigKey>, Error> {
        let environment: Vec<_> = table(environment).into_iter().collect();
        Settings::read(&S3, &table(options), &environment)
    }

    fn values(settings: &Settings<AmazonS3ConfigKey>) -> Vec<(String, String)> {
        settings
            .pairs()
            .map(|(key, value)| (key.as_ref().to_owned(), value.to_owned()))
            .collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn every_offered_name_is_known_to_the_crate_with_and_without_prefix() {
        fn check<K: FromStr + AsRef<str>>(dialect: &Dialect) {
            let names = dialect.known.iter().chain(CLIENT_KEYS);
            for name in names.filter(|name| **name != USE_INSTANCE_METADATA) {
                let bare = dialect.parse::<K>(name).map(|key| key.as_ref().to_owned());
                assert!(bare.is_some(), "{} {name}", dialect.name);
                let long = format!("{}{name}", dialect.prefixes.last().unwrap());
                let long = dialect.parse::<K>(&long).map(|key| key.as_ref().to_owned());
                assert_eq!(bare, long, "{} {name}", dialect.name);
            }
            for name in dialect.credentials.iter().chain(dialect.in_url) {
                let full = dialect.parse::<K>(name).map(|key| key.as_ref().to_owned());
                assert_eq!(full.as_deref(), Some(*name));
            }
        }
        check::<AmazonS3ConfigKey>(&S3);
        check::<GoogleConfigKey>(&GCS);
        check::<AzureConfigKey>(&AZURE);
    }

    #[test]
    fn a_misspelt_key_is_refused_and_the_right_one_offered() {
        let error = s3(&[("aws_acces_key_id", "x")], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`aws_acces_key_id` is no option of s3:// destinations"
        );
        assert!(
            error.hint().starts_with("did you mean `access_key_id`? "),
            "{}",
            error.hint()
        );
        let error = s3(&[("colour", "x")], &[]).unwrap_err();
        assert!(error.hint().starts_with("known options: access_key_id, "));
    }

    #[test]
    fn values_that_can_not_work_are_refused() {
        for (option, value, why) in [
            ("timeout", "30", "`30` lacks a unit, such as in `30s`"),
            ("allow_http", "maybe", "write `true` or `false`"),
            (
                "use_instance_metadata",
                "perhaps",
                "write `true` or `false`",
            ),
            ("region", " ", "it is empty"),
            ("bucket", "x", "the URL names it already"),
        ] {
            let error = s3(&[(option, value)], &[]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the option `{option}` can't be used: {why}")
            );
        }
        let error = s3(&[("aws_region", "x"), ("region", "y")], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the option `region` can't be used: `aws_region` says the same"
        );
    }

    #[test]
    fn the_environment_fills_what_options_leave_open() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "env-key"),
            ("AWS_SECRET_ACCESS_KEY", "env-secret"),
            ("AWS_REGION", "env-region"),
            ("AWS_BUCKET", "env-bucket"),
            ("AWS_PAGER", "less"),
            ("HOME", "/root"),
        ];
        assert_eq!(
            values(&s3(&[("region", "own")], &environment).unwrap()),
            [
                pair("aws_access_key_id", "env-key"),
                pair("aws_region", "own"),
                pair("aws_secret_access_key", "env-secret"),
            ]
        );
    }

    #[test]
    fn credentials_of_options_and_environment_are_never_mixed() {
        let environment = [
            ("AWS_ACCESS_KEY_ID", "env-key"),
            ("AWS_SECRET_ACCESS_KEY", "env-secret"),
            ("AWS_SESSION_TOKEN", "env-token"),
        ];
        let own = [("access_key_id", "k"), ("secret_access_key", "s")];
        assert_eq!(
            values(&s3(&own, &environment).unwrap()),
            [
                pair("aws_access_key_id", "k"),
                pair("aws_secret_access_key", "s"),
            ]
        );
        assert_eq!(
            values(&s3(&[("access_key_id", "k")], &environment).unwrap()),
            [
                pair("aws_access_key_id", "k"),
                pair("aws_secret_access_key", "env-secret"),
            ]
        );
        let opted = s3(&[("use_instance_metadata", "true")], &environment).unwrap();
        assert!(opted.use_instance_metadata());
        assert_eq!(values(&opted), []);
    }

    #[test]
    fn an_option_beats_a_variable_that_says_the_same_under_another_name() {
        let mut settings = s3(
            &[("endpoint", "https://own")],
            &[("AWS_ENDPOINT_URL_S3", "https://env")],
        )
        .unwrap();
        settings.prefer_options(&["aws_endpoint", "aws_endpoint_url_s3"]);
        assert_eq!(values(&settings), [pair("aws_endpoint", "https://own")]);
    }

    #[test]
    fn only_what_is_secret_is_kept_out_of_texts() {
        let settings = s3(
            &[
                ("access_key_id", "AKIA-public"),
                ("secret_access_key", "hidden-1"),
                ("session_token", "hidden-2"),
                ("sse_customer_key_base64", "hidden-3"),
                ("sse_kms_key_id", "public"),
                ("region", "eu-west-1"),
            ],
            &[],
        )
        .unwrap();
        let secrets: Vec<_> = settings
            .secrets()
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect();
        assert_eq!(secrets, ["hidden-1", "hidden-2", "hidden-3"]);
    }
}
