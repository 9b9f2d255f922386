//! A download link: a bearer credential in the shape of a URL.

use std::fmt;

use url::Url;

/// Where one archive can be fetched, for minutes and perhaps only once (`panel-contract.md` section 4).
///
/// Whoever holds the whole URL can read the archive: it is shown without user, query and
/// fragment, and must not be stored.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadLink(Url);

impl DownloadLink {
    /// A link, if the text is an `http` or `https` URL with a host.
    pub(super) fn read(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
        usable.then_some(Self(url))
    }

    /// The whole URL, for the one request that uses it.
    pub const fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for DownloadLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for DownloadLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DownloadLink({self}?…)")
    }
}

/// Where one file can be sent, for a quarter of an hour and once (`panel-contract.md` section 7).
///
/// A credential, shown like a [`DownloadLink`].
#[derive(Clone, PartialEq, Eq)]
pub struct UploadLink(DownloadLink);

impl UploadLink {
    pub(super) const fn new(link: DownloadLink) -> Self {
        Self(link)
    }

    /// The whole URL, for the one request that sends a file into the server's root.
    pub fn expose_for_root(&self) -> Url {
        let mut url = self.0.expose().clone();
        url.query_pairs_mut().append_pair("directory", "/");
        url
    }
}

impl fmt::Display for UploadLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for UploadLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadLink({self}?…)")
    }
}

/// Scheme, host, port and path of a URL: the parts that are no credential.
pub(super) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_shown_without_its_credentials() {
        let link = DownloadLink::read(
            "https://u:sentinel@node:8080/download/backup?token=sentinel#sentinel",
        );
        let link = link.unwrap();
        assert_eq!(link.to_string(), "https://node:8080/download/backup");
        assert_eq!(
            format!("{link:?}"),
            "DownloadLink(https://node:8080/download/backup?…)"
        );
        assert_eq!(link.expose().query(), Some("token=sentinel"));
    }

    #[test]
    fn only_http_and_https_are_links() {
        for text in [
            "",
            "node/download",
            "ftp://node/x",
            "file:///etc/passwd",
            "data:,x",
        ] {
            assert_eq!(DownloadLink::read(text), None, "{text}");
        }
    }
}
