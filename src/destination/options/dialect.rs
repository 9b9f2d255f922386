//! The options of each kind of store: their names, and which belong together.

use std::str::FromStr;

use crate::destination::error::Error;
use crate::destination::options::USE_INSTANCE_METADATA;

/// How one kind of store writes its options.
#[derive(Debug)]
pub(in crate::destination) struct Dialect {
    /// For messages.
    pub(in crate::destination) name: &'static str,
    /// What may stand before a key, and does stand before a variable of the environment.
    pub(in crate::destination) prefixes: &'static [&'static str],
    /// Other usual names, of the environment or of people, and the crate's.
    pub(in crate::destination) aliases: &'static [(&'static str, &'static str)],
    /// What the URL says already, by the crate's full names.
    pub(in crate::destination) in_url: &'static [&'static str],
    /// The credentials, by the crate's full names: those of the environment count only when no
    /// option names any.
    pub(in crate::destination) credentials: &'static [&'static str],
    /// Credentials that only work together: a variable may complete what an option begins.
    pub(in crate::destination) together: &'static [&'static [&'static str]],
    /// The names to offer.
    pub(in crate::destination) known: &'static [&'static str],
}

/// The client options that every kind of store has.
pub(super) const CLIENT_KEYS: &[&str] = &[
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "disable_system_certificates",
    "http1_only",
    "http2_only",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_ca_certificate",
    "proxy_excludes",
    "proxy_url",
    "read_timeout",
    "timeout",
    "user_agent",
];

impl Dialect {
    /// The crate's key that a name means.
    pub(in crate::destination) fn parse<K: FromStr>(&self, name: &str) -> Option<K> {
        let name = self
            .aliases
            .iter()
            .find(|(alias, _real)| *alias == name)
            .map_or(name, |(_alias, real)| real);
        let with = self.prefixes.iter().map(|prefix| format!("{prefix}{name}"));
        let without = self
            .prefixes
            .iter()
            .filter_map(|prefix| name.strip_prefix(prefix).map(str::to_owned));
        std::iter::once(name.to_owned())
            .chain(with)
            .chain(without)
            .find_map(|form| form.parse().ok())
    }

    /// The refusal of a name, with those that it may have meant.
    pub(in crate::destination) fn unknown(&self, written: &str) -> Error {
        let names = || self.known.iter().chain(CLIENT_KEYS);
        let bare = written.to_ascii_lowercase();
        let bare = self
            .prefixes
            .iter()
            .find_map(|prefix| bare.strip_prefix(prefix))
            .unwrap_or(&bare);
        let close: Vec<_> = names()
            .filter(|name| strsim::levenshtein(bare, name) <= (bare.len() / 4).max(2))
            .map(|name| format!("`{name}`"))
            .collect();
        let all: Vec<_> = names().copied().collect();
        let all = all.join(", ");
        let hint = if close.is_empty() {
            format!("known options: {all}")
        } else {
            format!("did you mean {}? Known options: {all}", close.join(" or "))
        };
        Error::UnknownOption {
            option: written.to_owned(),
            store: self.name,
            hint,
        }
    }
}

/// S3 and what speaks it.
pub(in crate::destination) const S3: Dialect = Dialect {
    name: "s3://",
    prefixes: &["aws_"],
    aliases: &[("endpoint_url_s3", "aws_endpoint_url_s3")],
    in_url: &["aws_bucket"],
    credentials: &[
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_web_identity_token_file",
        "aws_container_credentials_relative_uri",
        "aws_container_credentials_full_uri",
        "aws_container_authorization_token_file",
        "aws_skip_signature",
    ],
    together: &[
        &["aws_access_key_id", "aws_secret_access_key"],
        &[
            "aws_container_credentials_full_uri",
            "aws_container_authorization_token_file",
        ],
    ],
    known: &[
        "access_key_id",
        "secret_access_key",
        "session_token",
        "region",
        "endpoint",
        "checksum_algorithm",
        "virtual_hosted_style_request",
        "unsigned_payload",
        "server_side_encryption",
        "sse_kms_key_id",
        "sse_bucket_key_enabled",
        "sse_customer_key_base64",
        "web_identity_token_file",
        "role_arn",
        "role_session_name",
        "endpoint_url_sts",
        "container_credentials_relative_uri",
        "container_credentials_full_uri",
        "container_authorization_token_file",
        USE_INSTANCE_METADATA,
        "imdsv1_fallback",
        "metadata_endpoint",
        "skip_signature",
        "request_payer",
        "s3_express",
        "disable_tagging",
        "disable_bulk_delete",
        "copy_if_not_exists",
        "conditional_put",
    ],
};

/// Google Cloud Storage.
pub(in crate::destination) const GCS: Dialect = Dialect {
    name: "gs://",
    prefixes: &["google_"],
    aliases: &[],
    in_url: &["google_bucket"],
    credentials: &[
        "google_service_account",
        "google_service_account_key",
        "google_application_credentials",
        "google_bearer_token",
        "google_skip_signature",
    ],
    together: &[],
    known: &[
        "service_account_path",
        "service_account_key",
        "application_credentials",
        "bearer_token",
        "base_url",
        "skip_signature",
        USE_INSTANCE_METADATA,
    ],
};

/// Azure Blob Storage.
pub(in crate::destination) const AZURE: Dialect = Dialect {
    name: "az://",
    prefixes: &["azure_storage_", "azure_"],
    aliases: &[
        ("azure_storage_account", "account_name"),
        ("azure_storage_key", "access_key"),
        ("account", "account_name"),
        ("sas", "sas_token"),
    ],
    in_url: &["azure_container_name"],
    credentials: &[
        "azure_storage_account_key",
        "azure_storage_sas_key",
        "azure_storage_token",
        "azure_storage_client_id",
        "azure_storage_client_secret",
        "azure_storage_tenant_id",
        "azure_federated_token_file",
        "azure_msi_endpoint",
        "azure_object_id",
        "azure_msi_resource_id",
        "azure_use_azure_cli",
        "azure_skip_signature",
        "azure_credential_type",
    ],
    together: &[&[
        "azure_storage_client_id",
        "azure_storage_client_secret",
        "azure_storage_tenant_id",
        "azure_federated_token_file",
    ]],
    known: &[
        "account_name",
        "access_key",
        "sas_token",
        "bearer_token",
        "client_id",
        "client_secret",
        "tenant_id",
        "authority_host",
        "federated_token_file",
        "msi_endpoint",
        "object_id",
        "msi_resource_id",
        "use_azure_cli",
        "credential_type",
        "endpoint",
        "use_emulator",
        "encryption_key",
        "skip_signature",
        "disable_tagging",
        USE_INSTANCE_METADATA,
    ],
};
