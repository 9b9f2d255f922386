//! What lies between this machine and a store.

use object_store::aws::AmazonS3ConfigKey;
use url::Host;

use crate::destination::open::Endpoint;
use crate::destination::open::PlainHttp;
use crate::destination::options::Settings;
use crate::model::secret::Secret;

/// Whether others can change what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// TLS to a server that proves who it is, or an address of this machine.
    Closed,
    Open,
}

impl Transport {
    /// What lies between this machine and an endpoint; without one it is the provider's own, by TLS.
    pub(super) fn to(
        endpoint: Option<&Endpoint>,
        settings: &Settings<AmazonS3ConfigKey>,
        environment: &[(String, Secret)],
    ) -> Self {
        let closed = match endpoint {
            Some(endpoint) if endpoint.plain_http == PlainHttp::Allowed => {
                is_here(endpoint) && !has_proxy(settings, environment)
            }
            // A proxy with a certificate of its own opens what it passes on.
            Some(_) | None => {
                !settings.is_on("allow_invalid_certificates")
                    && settings.get("proxy_ca_certificate").is_none()
            }
        };
        if closed { Self::Closed } else { Self::Open }
    }
}

fn is_here(endpoint: &Endpoint) -> bool {
    match endpoint.url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Proxies are asked even for this machine (`storage-servers.md` section 2).
fn has_proxy(settings: &Settings<AmazonS3ConfigKey>, environment: &[(String, Secret)]) -> bool {
    settings.get("proxy_url").is_some()
        || environment.iter().any(|(name, value)| {
            let asks = ["http_proxy", "all_proxy"]
                .iter()
                .any(|variable| name.eq_ignore_ascii_case(variable));
            asks && !value.expose().trim().is_empty()
        })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::destination::options;

    fn transport(given: &[(&str, &str)], environment: &[(&str, &str)]) -> Transport {
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
        let given: BTreeMap<_, _> = given.iter().map(secret).collect();
        let environment: Vec<_> = environment.iter().map(secret).collect();
        let settings = Settings::read(&options::S3, &given, &environment).unwrap();
        let endpoint = settings
            .get("aws_endpoint")
            .map(|text| Endpoint::parse(text, "endpoint").unwrap());
        Transport::to(endpoint.as_ref(), &settings, &environment)
    }

    #[test]
    fn tls_and_this_machine_are_closed_to_others() {
        assert_eq!(transport(&[], &[]), Transport::Closed);
        for endpoint in [
            "https://s3.example.com",
            "http://127.0.0.1:8333",
            "http://[::1]:8333",
            "http://localhost:8333",
        ] {
            assert_eq!(
                transport(&[("endpoint", endpoint)], &[]),
                Transport::Closed,
                "{endpoint}"
            );
        }
        for endpoint in [
            "http://192.168.1.4:9000",
            "http://minio:9000",
            "http://localhost.example.com",
        ] {
            assert_eq!(
                transport(&[("endpoint", endpoint)], &[]),
                Transport::Open,
                "{endpoint}"
            );
        }
    }

    #[test]
    fn tls_to_anybody_and_proxies_before_plain_http_are_open() {
        let careless = [
            ("endpoint", "https://s3.example.com"),
            ("allow_invalid_certificates", "true"),
        ];
        assert_eq!(transport(&careless, &[]), Transport::Open);
        let opened = [("proxy_ca_certificate", "its certificate")];
        assert_eq!(transport(&opened, &[]), Transport::Open);
        let here = ("endpoint", "http://127.0.0.1:8333");
        let proxy = "http://proxy:3128";
        assert_eq!(
            transport(&[here, ("proxy_url", proxy)], &[]),
            Transport::Open
        );
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            assert_eq!(
                transport(&[here], &[(variable, proxy)]),
                Transport::Open,
                "{variable}"
            );
            assert_eq!(
                transport(&[], &[(variable, proxy)]),
                Transport::Closed,
                "{variable}"
            );
        }
    }
}
