//! Reading what stands in files of its own: keys and options.

use std::fs;

use crate::config::key;
use crate::config::resolve::Resolver;
use crate::config::secret_file;
use crate::config::secret_file::Lines;
use crate::config::settings::DestinationSettings;
use crate::config::settings::PanelKey;
use crate::config::settings::PanelSettings;
use crate::config::source::Source;
use crate::model::secret::Secret;

impl Resolver<'_> {
    pub(super) fn read_keys(&mut self, panels: &mut [PanelSettings]) {
        for panel in panels {
            match key::read(&panel.name, &panel.key_origin, self.environment) {
                Ok(read) => {
                    self.warnings.extend(read.warning);
                    if is_application_key(&read.secret) {
                        self.warnings.push(format!(
                            "the key of panel `{}` ({}) looks like an application key, which can't list backups; \
                             make a client key under Account, API Credentials",
                            panel.name,
                            panel.key_origin.describe()
                        ));
                    }
                    panel.key = PanelKey::Held(read.secret);
                }
                Err(error) => self.problems.push(error),
            }
        }
    }

    pub(super) fn read_options(&mut self, destinations: &mut [DestinationSettings]) {
        self.warn_of_open_file(destinations);
        for destination in destinations {
            for (option, path) in &destination.option_files {
                let setting = format!("destination.{}.options.{option}", destination.name);
                let place = match self.sources.of(&setting) {
                    Source::File(place) => Some(place.clone()),
                    Source::Flag(_) | Source::Environment(_) | Source::Default => None,
                };
                let lines = if option.ends_with("service_account_key") {
                    Lines::Many
                } else {
                    Lines::One
                };
                match secret_file::read(path, option, lines, place.as_ref()) {
                    Ok(read) => {
                        self.warnings.extend(read.warning);
                        destination.options.insert(option.clone(), read.secret);
                    }
                    Err(error) => self.problems.push(error),
                }
            }
        }
    }

    fn warn_of_open_file(&mut self, destinations: &[DestinationSettings]) {
        let has_secret = destinations
            .iter()
            .flat_map(|destination| destination.options.keys())
            .any(|option| !is_plain_option(option));
        if let Some(file) = self.file.filter(|_| has_secret)
            && let Ok(metadata) = fs::metadata(&file.path)
        {
            self.warnings
                .extend(secret_file::too_open(&file.path, &metadata));
        }
    }
}

/// Whether a key has a prefix that only application keys have (`panel-contract.md` section 1).
fn is_application_key(key: &Secret) -> bool {
    ["ptla_", "papp_", "peli_"]
        .iter()
        .any(|prefix| key.expose().starts_with(prefix))
}

/// Options whose values are no secrets and may be shown.
pub(crate) fn is_plain_option(option: &str) -> bool {
    const PLAIN: [&str; 21] = [
        "account_name",
        "allow_http",
        "allow_invalid_certificates",
        "bucket",
        "bucket_name",
        "checksum_algorithm",
        "conditional_put",
        "connect_timeout",
        "container_name",
        "default_region",
        "disable_tagging",
        "endpoint",
        "endpoint_url",
        "imds_v1_fallback",
        "region",
        "request_payer",
        "skip_signature",
        "timeout",
        "unsigned_payload",
        "use_emulator",
        "virtual_hosted_style_request",
    ];
    let bare = ["aws_", "google_", "azure_storage_", "azure_"]
        .iter()
        .find_map(|prefix| option.strip_prefix(prefix))
        .unwrap_or(option);
    PLAIN.contains(&bare)
}
