//! Where a destination's root is, as the operator writes it.

use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use url::Url;

use crate::config::value::repeatable;

/// A root, checked as far as that goes without touching it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// An absolute path, or the URL as written.
    pub(super) url: String,
    /// The kind of store and its bucket.
    store: String,
    /// The path below it.
    segments: Vec<String>,
}

/// Why a text is no root, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadLocation {
    pub(super) why: String,
    pub(super) fix: String,
}

fn bad(why: impl Into<String>, fix: impl Into<String>) -> BadLocation {
    BadLocation {
        why: why.into(),
        fix: fix.into(),
    }
}

const SHAPES: &str =
    "write a path, file:///PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";

impl Location {
    /// Reads a path (relative ones start at `base`, `~/` at `home`) or a URL.
    pub(super) fn parse(text: &str, base: &Path, home: Option<&Path>) -> Result<Self, BadLocation> {
        if text.trim().is_empty() {
            return Err(bad("it is empty", SHAPES));
        }
        if text.chars().any(char::is_control) {
            return Err(bad("it holds control characters", SHAPES));
        }
        match text.split_once("://") {
            Some((scheme, rest)) => Self::from_url(text, scheme, rest),
            None => Self::from_path(&absolute(Path::new(text), base, home)),
        }
    }

    fn from_url(text: &str, scheme: &str, rest: &str) -> Result<Self, BadLocation> {
        match scheme {
            "s3" | "gs" | "az" => Self::from_bucket(text, scheme, rest),
            "file" => Url::parse(text)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .ok_or_else(|| {
                    bad(
                        "a file:// URL names an absolute path on this machine",
                        "write file:///PATH, with three slashes, or just the path",
                    )
                })
                .and_then(|path| Self::from_path(&path)),
            "http" | "https" | "b2" | "r2" | "s3a" | "minio" | "wasabi" => Err(bad(
                format!("`{scheme}://` names no kind of store"),
                "an S3-compatible store is written s3://BUCKET/PREFIX, and its address goes into its options: \
                 options = { endpoint = \"https://…\" }",
            )),
            "gcs" => Err(bad(
                "`gcs://` names no kind of store",
                "write gs://BUCKET/PREFIX",
            )),
            "azure" | "abfs" | "abfss" | "adl" | "wasb" | "wasbs" => Err(bad(
                format!("`{scheme}://` names no kind of store"),
                "write az://CONTAINER/PREFIX, with the account in the options",
            )),
            other => Err(bad(
                format!("`{}://` names no kind of store", repeatable(other)),
                format!("{SHAPES}; anything else is reached through `rclone serve s3`"),
            )),
        }
    }

    fn from_bucket(text: &str, scheme: &str, rest: &str) -> Result<Self, BadLocation> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let word = if scheme == "az" {
            "container"
        } else {
            "bucket"
        };
        if bucket.contains('@') {
            return Err(bad(
                "credentials don't belong into a URL",
                "give them as options, such as access_key_id and secret_access_key_file",
            ));
        }
        if text.contains(['?', '#']) {
            return Err(bad(
                "`?` and `#` don't belong into it",
                "give settings of the store as options",
            ));
        }
        if bucket.is_empty() {
            return Err(bad(
                format!("it names no {word}"),
                format!("write {scheme}://{}/PREFIX", word.to_uppercase()),
            ));
        }
        if bucket.contains([':', ' ', '\\', '%']) {
            return Err(bad(
                format!("what follows {scheme}:// is no {word}"),
                format!(
                    "write {scheme}://{}/PREFIX; the store's address goes into its options: \
                     options = {{ endpoint = \"https://…\" }}",
                    word.to_uppercase()
                ),
            ));
        }
        let segments: Vec<String> = prefix
            .trim_end_matches('/')
            .split('/')
            .filter(|_| !prefix.trim_end_matches('/').is_empty())
            .map(str::to_owned)
            .collect();
        if segments
            .iter()
            .any(|segment| matches!(segment.as_str(), "" | "." | ".."))
        {
            return Err(bad(
                "its prefix holds an empty part, `.` or `..`",
                "write the prefix plainly, such as s3://BUCKET/nightly/panel",
            ));
        }
        Ok(Self {
            url: text.trim_end_matches('/').to_owned(),
            store: format!("{scheme}://{bucket}"),
            segments,
        })
    }

    fn from_path(path: &Path) -> Result<Self, BadLocation> {
        let Some(url) = path.to_str() else {
            return Err(bad("its path is not UTF-8", "rename the folder"));
        };
        let mut segments: Vec<String> = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => segments.push(name.to_string_lossy().into_owned()),
                Component::ParentDir => {
                    segments.pop();
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        Ok(Self {
            url: url.to_owned(),
            store: "file://".to_owned(),
            segments,
        })
    }

    /// How two roots lie to each other; `endpoint` keeps equal buckets of different stores apart.
    pub(super) fn overlap(
        &self,
        endpoint: Option<&str>,
        other: &Self,
        other_endpoint: Option<&str>,
    ) -> Overlap {
        let plain = |endpoint: Option<&str>| {
            endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_lowercase())
        };
        if self.store != other.store || plain(endpoint) != plain(other_endpoint) {
            return Overlap::Apart;
        }
        if self.segments == other.segments {
            Overlap::Same
        } else if self.segments.starts_with(&other.segments) {
            Overlap::Inside
        } else if other.segments.starts_with(&self.segments) {
            Overlap::Around
        } else {
            Overlap::Apart
        }
    }
}

/// How one root lies to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlap {
    /// Nothing in common.
    Apart,
    /// The very same place.
    Same,
    /// Inside the other.
    Inside,
    /// Around the other.
    Around,
}

/// A path made absolute, with `~/` resolved and `.` dropped.
pub(super) fn absolute(path: &Path, base: &Path, home: Option<&Path>) -> PathBuf {
    let at_home = match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => Some(home.join(rest)),
        (Ok(_) | Err(_), _) => None,
    };
    let whole = at_home.unwrap_or_else(|| base.join(path));
    whole.components().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, BadLocation> {
        Location::parse(text, Path::new("/base"), Some(Path::new("/home/op")))
    }

    #[test]
    fn paths_become_absolute() {
        for (text, url) in [
            ("./offsite/", "/base/offsite"),
            ("/mnt/backup", "/mnt/backup"),
            ("~/eggs", "/home/op/eggs"),
            ("file:///mnt/a%20b", "/mnt/a b"),
            ("..", "/base/.."),
            ("s3://bucket/a/b/", "s3://bucket/a/b"),
            ("gs://bucket", "gs://bucket"),
        ] {
            assert_eq!(
                parse(text).map(|location| location.url),
                Ok(url.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_root_is_refused_with_the_mend() {
        for (text, why) in [
            ("", "it is empty"),
            ("a\0b", "it holds control characters"),
            (
                "https://s3.example.com/bucket",
                "`https://` names no kind of store",
            ),
            ("sftp://host/x", "`sftp://` names no kind of store"),
            ("gcs://bucket", "`gcs://` names no kind of store"),
            ("s3://", "it names no bucket"),
            ("az:///x", "it names no container"),
            (
                "s3://id:sentinel@bucket/x",
                "credentials don't belong into a URL",
            ),
            (
                "s3://localhost:9000/bucket",
                "what follows s3:// is no bucket",
            ),
            (
                "s3://bucket/x?versionId=1",
                "`?` and `#` don't belong into it",
            ),
            (
                "s3://bucket/a/../b",
                "its prefix holds an empty part, `.` or `..`",
            ),
            (
                "file://host/x",
                "a file:// URL names an absolute path on this machine",
            ),
        ] {
            let bad = parse(text).unwrap_err();
            assert_eq!(bad.why, why, "{text}");
            assert!(
                !bad.fix.is_empty() && !bad.fix.contains("sentinel"),
                "{text}"
            );
        }
    }

    #[test]
    fn overlapping_roots_are_seen_whatever_their_spelling() {
        for (one, endpoint, other, other_endpoint, how) in [
            ("/mnt/a", None, "/mnt/./a/", None, Overlap::Same),
            ("/mnt/a/b", None, "/mnt/a", None, Overlap::Inside),
            ("/mnt/a", None, "/mnt/x/../a/b", None, Overlap::Around),
            ("/mnt/ab", None, "/mnt/a", None, Overlap::Apart),
            ("s3://b/x", None, "s3://b/x/", None, Overlap::Same),
            ("s3://b", None, "s3://b/x", None, Overlap::Around),
            (
                "s3://b",
                Some("https://one"),
                "s3://b",
                Some("https://two"),
                Overlap::Apart,
            ),
            (
                "s3://b",
                Some("https://one/"),
                "s3://b",
                Some("https://ONE"),
                Overlap::Same,
            ),
            ("s3://b", None, "gs://b", None, Overlap::Apart),
        ] {
            let (a, b) = (parse(one).unwrap(), parse(other).unwrap());
            assert_eq!(
                a.overlap(endpoint, &b, other_endpoint),
                how,
                "{one} {other}"
            );
        }
    }
}
