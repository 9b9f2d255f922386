//! From the text that names a destination to the place it names.

use std::path::PathBuf;

use object_store::path::Path;
use url::Url;

use crate::destination::error::Error;
use crate::destination::redact::shown_url;

/// Where a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A directory of this machine.
    Local(PathBuf),
    /// A bucket or container, and a prefix in it.
    Remote {
        store: Store,
        bucket: String,
        prefix: Path,
    },
}

/// Which kind of object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    S3,
    Gcs,
    Azure,
}

impl Store {
    const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    const fn bucket_word(self) -> &'static str {
        match self {
            Self::S3 | Self::Gcs => "bucket",
            Self::Azure => "container",
        }
    }
}

const FORMS: &str =
    "write a path, file:///path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix";

fn refuse(url: &str, why: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Url {
        shown: shown_url(url),
        why: why.into(),
        hint: hint.into(),
    }
}

/// Host name endings that belong to an endpoint, never to a bucket.
const ENDPOINT_HOSTS: [&str; 8] = [
    "amazonaws.com",
    "backblazeb2.com",
    "wasabisys.com",
    "cloudflarestorage.com",
    "digitaloceanspaces.com",
    "googleapis.com",
    "windows.net",
    "scw.cloud",
];

impl Place {
    /// Reads a path or URL. What follows the bucket is taken as it stands: a prefix is not
    /// percent-decoded, as with other tools for such stores.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        if url.trim().is_empty() {
            return Err(refuse(url, "it is empty", FORMS));
        }
        if url.contains('\0') {
            return Err(refuse(url, "it holds a NUL character", FORMS));
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return local_path(url);
        };
        let store = match scheme.to_ascii_lowercase().as_str() {
            "file" => return file_url(url),
            "s3" => Store::S3,
            "gs" => Store::Gcs,
            "az" => Store::Azure,
            "http" | "https" => return Err(refuse_web_url(url)),
            other => {
                let hint = match other {
                    "s3a" | "s3n" => "write s3://bucket/prefix".to_owned(),
                    "gcs" => "write gs://bucket/prefix".to_owned(),
                    "azure" | "abfs" | "abfss" | "adl" | "wasb" | "wasbs" => {
                        "write az://container/prefix, and the account as the option `account_name`"
                            .to_owned()
                    }
                    "sftp" | "ftp" | "ftps" | "webdav" | "webdavs" | "dav" | "davs" | "smb"
                    | "b2" | "drive" | "dropbox" => {
                        "reach it through `rclone serve s3` and an s3:// URL with an `endpoint`"
                            .to_owned()
                    }
                    _unknown => FORMS.to_owned(),
                };
                return Err(refuse(url, format!("`{other}://` is not supported"), hint));
            }
        };
        remote(url, store, rest)
    }
}

fn local_path(text: &str) -> Result<Place, Error> {
    let scheme = text.split(':').next().unwrap_or_default();
    if text.contains(':') && ["s3", "gs", "az", "file", "http", "https"].contains(&scheme) {
        return Err(refuse(
            text,
            format!("`{scheme}:` lacks its two slashes"),
            FORMS,
        ));
    }
    if text == "~" || text.starts_with("~/") {
        return Err(refuse(
            text,
            "`~` only means something to a shell",
            "write the whole path",
        ));
    }
    Ok(Place::Local(PathBuf::from(text)))
}

fn file_url(url: &str) -> Result<Place, Error> {
    let hint = "write file:///absolute/path, or just the path";
    let parsed = Url::parse(url).map_err(|error| refuse(url, error.to_string(), hint))?;
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(refuse(
            url,
            "a file URL has no query and no fragment",
            "write just the path, or `%3F` and `%23` for these characters",
        ));
    }
    parsed
        .to_file_path()
        .map(Place::Local)
        .map_err(|()| refuse(url, "it names no path of this machine", hint))
}

fn remote(url: &str, store: Store, rest: &str) -> Result<Place, Error> {
    let word = store.bucket_word();
    let form = format!("write {}://{word}/prefix", store.scheme());
    if rest.contains('?') {
        return Err(refuse(
            url,
            "it has a query",
            format!("{form}, and everything else into the destination's `options` table"),
        ));
    }
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(refuse(url, format!("it names no {word}"), form));
    }
    if bucket.contains('@') {
        let hint = match store {
            Store::Azure => format!("{form}, and the account as the option `account_name`"),
            Store::S3 | Store::Gcs => {
                format!("{form}, and the key into the destination's `options` table or a file")
            }
        };
        return Err(refuse(
            url,
            "an account or credentials do not belong into it",
            hint,
        ));
    }
    let endpoint_like = ENDPOINT_HOSTS.iter().any(|host| {
        bucket
            .strip_suffix(host)
            .is_some_and(|rest| rest.ends_with('.'))
    });
    if bucket.contains(':') || endpoint_like {
        return Err(refuse(
            url,
            format!("`{bucket}` is the address of a store, not a {word}"),
            format!("{form}, and the address as the option `endpoint`"),
        ));
    }
    let usable = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '-' | '.' | '_')
            || (c == '$' && store == Store::Azure)
    };
    if !bucket.chars().all(usable) || bucket.chars().all(|c| c == '.') {
        return Err(refuse(url, format!("no {word} has such a name"), form));
    }
    let prefix = Path::parse(prefix).map_err(|error| {
        refuse(
            url,
            format!("its prefix can't be used: {error}"),
            "a prefix has no empty parts, no `.` or `..`, and no control characters",
        )
    })?;
    Ok(Place::Remote {
        store,
        bucket: bucket.to_owned(),
        prefix,
    })
}

/// Says how to write what an https URL of a store most likely means.
///
/// The crate would take it for `WebDAV` (`storage-servers.md` section 6, trap 26).
fn refuse_web_url(url: &str) -> Error {
    let why = "a web address is not a destination";
    let general = "write s3://bucket/prefix, and the address of an S3-compatible store as the option `endpoint`";
    let Ok(parsed) = Url::parse(url) else {
        return refuse(url, why, general);
    };
    let Some(host) = parsed.host_str() else {
        return refuse(url, why, general);
    };
    let path = parsed.path().trim_matches('/');
    let authority = parsed
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let under = |scheme: &str, bucket: &str, prefix: &str| {
        let bucket = if bucket.is_empty() { "bucket" } else { bucket };
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("write {scheme}://{bucket}{slash}{prefix}")
    };
    let (first, others) = path.split_once('/').unwrap_or((path, ""));
    if let Some(account) = host.strip_suffix(".blob.core.windows.net") {
        let form = under("az", first, others);
        return refuse(
            url,
            why,
            format!("{form}, with the option account_name = \"{account}\""),
        );
    }
    if host == "storage.googleapis.com" {
        return refuse(url, why, under("gs", first, others));
    }
    if let Some(bucket) = host.strip_suffix(".storage.googleapis.com") {
        return refuse(url, why, under("gs", bucket, path));
    }
    let endpoint = |authority: &str| {
        format!(
            "with the option endpoint = \"{}://{authority}\"",
            parsed.scheme()
        )
    };
    // Some addresses hold the bucket before the store's own name.
    let inside = ENDPOINT_HOSTS
        .iter()
        .filter(|known| host.ends_with(*known))
        .find_map(|_known| host.split_once(".s3"))
        .filter(|(_bucket, after)| after.starts_with(['.', '-']));
    let form = if let Some((bucket, after)) = inside {
        let form = under("s3", bucket, path);
        if host.ends_with("amazonaws.com") {
            let region = after.trim_start_matches(['.', '-']).split('.').next();
            let region = region.unwrap_or_default();
            format!("{form}, with the option region = \"{region}\"")
        } else {
            format!("{form}, {}", endpoint(&format!("s3{after}")))
        }
    } else {
        let form = under("s3", first, others);
        if host.ends_with("amazonaws.com") {
            format!("{form}, with the bucket's region as the option `region`")
        } else {
            format!("{form}, {}", endpoint(&authority))
        }
    };
    refuse(url, why, form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote_place(store: Store, bucket: &str, prefix: &str) -> Place {
        Place::Remote {
            store,
            bucket: bucket.to_owned(),
            prefix: Path::parse(prefix).unwrap(),
        }
    }

    fn refusal(url: &str) -> (String, String) {
        let error = Place::parse(url).unwrap_err();
        (error.to_string(), error.hint())
    }

    #[test]
    fn paths_and_the_four_schemes_are_places() {
        for (url, place) in [
            ("./offsite", Place::Local("./offsite".into())),
            ("/mnt/a b", Place::Local("/mnt/a b".into())),
            ("file:///mnt/a%20b", Place::Local("/mnt/a b".into())),
            ("file://localhost/mnt", Place::Local("/mnt".into())),
            ("s3://bkt", remote_place(Store::S3, "bkt", "")),
            ("S3://bkt/", remote_place(Store::S3, "bkt", "")),
            ("s3://bkt/a/b/", remote_place(Store::S3, "bkt", "a/b")),
            (
                "gs://bkt.example/x",
                remote_place(Store::Gcs, "bkt.example", "x"),
            ),
            ("az://$root/x", remote_place(Store::Azure, "$root", "x")),
        ] {
            assert_eq!(Place::parse(url).unwrap(), place, "{url}");
        }
    }

    #[test]
    fn a_prefix_is_taken_as_it_stands() {
        for prefix in ["a b", "50%", "a%2Fb", "~x", "żółw", "[1]", "a#1/b", "+&="] {
            let Place::Remote { prefix: read, .. } =
                Place::parse(&format!("s3://bkt/{prefix}")).unwrap()
            else {
                panic!("{prefix}");
            };
            assert_eq!(read.as_ref(), prefix);
        }
    }

    #[test]
    fn what_is_no_place_is_said_plainly() {
        for (url, why) in [
            ("", "it is empty"),
            ("s3://", "it names no bucket"),
            ("az:///x", "it names no container"),
            ("s3://bkt/a//b", "its prefix can't be used"),
            ("s3://bkt/../x", "its prefix can't be used"),
            ("s3://bkt?versions", "it has a query"),
            ("s3://b kt/x", "no bucket has such a name"),
            ("s3:/bkt/x", "`s3:` lacks its two slashes"),
            ("s3://localhost:9000/bkt", "is the address of a store"),
            (
                "s3://s3.eu-central-003.backblazeb2.com/bkt",
                "is the address of a store",
            ),
            ("sftp://host/x", "`sftp://` is not supported"),
            ("memory:///", "`memory://` is not supported"),
            ("file://host/x", "it names no path of this machine"),
            ("file:///x?y", "a file URL has no query"),
            ("~/x", "`~` only means something to a shell"),
        ] {
            let (message, hint) = refusal(url);
            assert!(message.contains(why), "{url}: {message}");
            assert!(!hint.is_empty(), "{url}");
        }
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        for url in [
            "s3://AKIA:sentinel@bkt/x",
            "https://key:sentinel@s3.wasabisys.com/bkt",
            "https://acct.blob.core.windows.net/c?sv=1&sig=sentinel",
        ] {
            let (message, hint) = refusal(url);
            assert!(
                !format!("{message}{hint}").contains("sentinel"),
                "{message} {hint}"
            );
        }
    }

    #[test]
    fn a_web_address_is_answered_with_the_form_to_write() {
        for (url, hint) in [
            (
                "https://s3.eu-central-003.backblazeb2.com/bkt/panel",
                "write s3://bkt/panel, with the option endpoint = \"https://s3.eu-central-003.backblazeb2.com\"",
            ),
            (
                "https://bkt.s3.eu-central-003.backblazeb2.com/panel",
                "write s3://bkt/panel, with the option endpoint = \"https://s3.eu-central-003.backblazeb2.com\"",
            ),
            (
                "https://s3.wasabisys.com/bkt",
                "write s3://bkt, with the option endpoint = \"https://s3.wasabisys.com\"",
            ),
            (
                "http://minio.lan:9000/bkt/x/y",
                "write s3://bkt/x/y, with the option endpoint = \"http://minio.lan:9000\"",
            ),
            (
                "https://bkt.s3.eu-west-1.amazonaws.com/x",
                "write s3://bkt/x, with the option region = \"eu-west-1\"",
            ),
            (
                "https://abc.r2.cloudflarestorage.com",
                "write s3://bucket, with the option endpoint = \"https://abc.r2.cloudflarestorage.com\"",
            ),
            ("https://storage.googleapis.com/bkt/x", "write gs://bkt/x"),
            (
                "https://acct.blob.core.windows.net/c/x",
                "write az://c/x, with the option account_name = \"acct\"",
            ),
        ] {
            assert_eq!(refusal(url).1, hint, "{url}");
        }
    }
}
