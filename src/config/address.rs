//! The address of a panel.

use url::Host;
use url::Url;

use crate::config::value::looks_like_key;

/// Why a text is no panel's address, and the fix; the text itself is not repeated, it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadAddress {
    pub(super) why: String,
    pub(super) fix: String,
}

const FIX: &str =
    "write what the browser shows on the panel's front page, such as \"https://panel.example.com\"";

/// Reads `https://panel.example.com`, with or without a path below which the panel lives.
pub(super) fn parse(text: &str) -> Result<Url, BadAddress> {
    let bad = |why: &str, fix: &str| BadAddress {
        why: why.to_owned(),
        fix: fix.to_owned(),
    };
    if looks_like_key(text) {
        return Err(bad("it looks like a key", FIX));
    }
    let has_scheme = text.contains("://");
    let url = match Url::parse(text) {
        Ok(url) if has_scheme => url,
        Ok(_) | Err(_) => {
            let fix = if has_scheme {
                FIX
            } else {
                "start it with https://"
            };
            return Err(bad("it is no web address", fix));
        }
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("a panel is reached over https:// (or http://)", FIX));
    }
    if url.host().is_none() {
        return Err(bad("it names no host", FIX));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(
            "it holds a user name or a password",
            "leave them out: panels know clients by their API key",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it holds `?` or `#`", FIX));
    }
    let is_api = url
        .path_segments()
        .is_some_and(|mut segments| segments.any(|segment| segment == "api"));
    if is_api {
        return Err(bad("it points into the API", FIX));
    }
    Ok(url)
}

/// Whether the key would travel in the clear.
pub(super) fn is_in_the_clear(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_loopback
}

/// What an address given by `--panel URL` is called: host, and port where it is not the usual one.
pub(super) fn name_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for (text, why) in [
            ("panel.example.com", "it is no web address"),
            ("localhost:8080", "it is no web address"),
            ("https://", "it is no web address"),
            (
                "ftp://panel.example.com",
                "a panel is reached over https:// (or http://)",
            ),
            (
                "https://me:sentinel@panel.example.com",
                "it holds a user name or a password",
            ),
            (
                "https://panel.example.com/api/client",
                "it points into the API",
            ),
            (
                "https://panel.example.com/?token=sentinel",
                "it holds `?` or `#`",
            ),
            ("ptlc_sentinel", "it looks like a key"),
        ] {
            let bad = parse(text).unwrap_err();
            assert_eq!(bad.why, why, "{text}");
            assert!(!bad.fix.contains("sentinel"));
        }
    }

    #[test]
    fn only_http_beyond_this_machine_is_in_the_clear() {
        for (text, clear) in [
            ("https://panel.example.com", false),
            ("http://panel.example.com", true),
            ("http://localhost:8080", false),
            ("http://127.0.0.2", false),
            ("http://[::1]:80", false),
            ("http://192.168.1.2", true),
        ] {
            assert_eq!(is_in_the_clear(&parse(text).unwrap()), clear, "{text}");
        }
    }

    #[test]
    fn an_address_is_called_by_its_host() {
        let url = parse("http://127.0.0.1:8080/panel").unwrap();
        assert_eq!(name_of(&url), "127.0.0.1:8080");
        assert_eq!(
            name_of(&parse("https://p.example.com:443").unwrap()),
            "p.example.com"
        );
    }
}
