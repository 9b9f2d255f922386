//! Digests: what the panel promised, what was computed, and what comparing them proved.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;

use crate::model::ids::printable;

/// A digest algorithm that a panel may name and that we compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// What every released Wings computes (`panel-contract.md` section 3, checksum history).
    Sha1,
    /// Rows migrated from the betas of 2020, `sha256_hash`, and our own lasting truth.
    Sha256,
    /// Named by some daemons derived from Wings.
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The lower-case name before the colon of a panel's checksum.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of a digest in bytes.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name.replace('-', ""))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One digest of some bytes, of the length its algorithm gives.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentDigest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl ContentDigest {
    /// The algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The digest in lower-case hex.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.bytes)
    }

    /// A digest from hex digits of any case.
    ///
    /// # Errors
    /// [`BadDigest`] when the text is not exactly the algorithm's length of hex digits.
    pub fn from_hex(algorithm: Algorithm, digits: &str) -> Result<Self, BadDigest> {
        let bad = |why| BadDigest {
            algorithm,
            shown: printable(digits),
            why,
        };
        let bytes = hex::decode(digits).map_err(|_not_hex| {
            if digits.chars().all(|c| c.is_ascii_hexdigit()) {
                bad("an odd number of digits")
            } else {
                bad("not hexadecimal")
            }
        })?;
        if bytes.len() != algorithm.digest_bytes() {
            return Err(bad("the wrong length"));
        }
        Ok(Self { algorithm, bytes })
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.to_hex())
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentDigest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        match PanelChecksum::parse(Some(text)) {
            PanelChecksum::Digest(digest) => Ok(digest),
            PanelChecksum::Malformed(bad) => Err(bad),
            PanelChecksum::Absent | PanelChecksum::Opaque { .. } => Err(BadDigest {
                algorithm: Algorithm::Sha256,
                shown: printable(text),
                why: "not a digest",
            }),
        }
    }
}

impl TryFrom<String> for ContentDigest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

impl From<ContentDigest> for String {
    fn from(digest: ContentDigest) -> Self {
        digest.to_string()
    }
}

/// A checksum whose scheme is known and whose value is not one of that scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not a {algorithm} digest: {why}")]
pub struct BadDigest {
    algorithm: Algorithm,
    shown: String,
    why: &'static str,
}

/// What a panel says about the content of one completed backup (design section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PanelChecksum {
    /// A digest of the archive: a difference is a failure.
    Digest(ContentDigest),
    /// Null or absent.
    Absent,
    /// A scheme that is no digest of the archive, such as `restic:…`; not an error.
    Opaque {
        /// The scheme's name, made safe to print.
        scheme: String,
    },
    /// A known scheme with an impossible value: that backup fails, said plainly.
    Malformed(BadDigest),
}

impl PanelChecksum {
    /// Reads the field `checksum`, or `sha256_hash` of other implementations.
    ///
    /// `algorithm:hex` goes by its name, a bare value by its length; a bare value of no
    /// digest's length counts as a malformed SHA-256, which is what bare values are.
    pub fn parse(text: Option<&str>) -> Self {
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return Self::Absent;
        };
        let (algorithm, digits) = match text.split_once(':') {
            Some((name, digits)) => match Algorithm::named(name) {
                Some(algorithm) => (algorithm, digits),
                None => {
                    return Self::Opaque {
                        scheme: printable(name),
                    };
                }
            },
            None => (
                Algorithm::ALL
                    .into_iter()
                    .find(|algorithm| algorithm.digest_bytes() * 2 == text.len())
                    .unwrap_or(Algorithm::Sha256),
                text,
            ),
        };
        match ContentDigest::from_hex(algorithm, digits) {
            Ok(digest) => Self::Digest(digest),
            Err(bad) => Self::Malformed(bad),
        }
    }

    /// The checksum as it is recorded: `sha1:…`, or nothing where it proves nothing.
    pub fn digest(&self) -> Option<&ContentDigest> {
        match self {
            Self::Digest(digest) => Some(digest),
            Self::Absent | Self::Opaque { .. } | Self::Malformed(_) => None,
        }
    }
}

/// A digest under construction.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-1.
    Sha1(sha1::Sha1),
    /// SHA-256.
    Sha256(sha2::Sha256),
    /// SHA-512.
    Sha512(sha2::Sha512),
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1(_) => "Hasher(sha1)",
            Self::Sha256(_) => "Hasher(sha256)",
            Self::Sha512(_) => "Hasher(sha512)",
        })
    }
}

impl Hasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::new()),
        }
    }

    /// Takes the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes taken in.
    pub fn finish(self) -> ContentDigest {
        match self {
            Self::Sha1(hasher) => ContentDigest {
                algorithm: Algorithm::Sha1,
                bytes: hasher.finalize().to_vec(),
            },
            Self::Sha256(hasher) => ContentDigest {
                algorithm: Algorithm::Sha256,
                bytes: hasher.finalize().to_vec(),
            },
            Self::Sha512(hasher) => ContentDigest {
                algorithm: Algorithm::Sha512,
                bytes: hasher.finalize().to_vec(),
            },
        }
    }

    /// The digest of one slice.
    pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> ContentDigest {
        let mut hasher = Self::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }
}

/// What a check proved about a copy; stored for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Length and the panel's SHA-1 held.
    #[serde(rename = "panel-sha1")]
    PanelSha1,
    /// Length and the panel's SHA-256 held.
    #[serde(rename = "panel-sha256")]
    PanelSha256,
    /// Length and the panel's SHA-512 held.
    #[serde(rename = "panel-sha512")]
    PanelSha512,
    /// The panel gave no digest of the archive; its gzip trailer and tar end are right.
    #[serde(rename = "structure")]
    Structure,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PanelSha1,
        Self::PanelSha256,
        Self::PanelSha512,
        Self::Structure,
    ];

    /// What a matching panel digest proves.
    pub const fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::PanelSha1,
            Algorithm::Sha256 => Self::PanelSha256,
            Algorithm::Sha512 => Self::PanelSha512,
        }
    }

    /// The word used in output, sidecars and the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PanelSha1 => "panel-sha1",
            Self::PanelSha256 => "panel-sha256",
            Self::PanelSha512 => "panel-sha512",
            Self::Structure => "structure",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no [`Verdict`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a verdict")]
pub struct UnknownVerdict(String);

impl FromStr for Verdict {
    type Err = UnknownVerdict;

    fn from_str(text: &str) -> Result<Self, UnknownVerdict> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == text)
            .ok_or_else(|| UnknownVerdict(printable(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY_SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
    const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digests_are_told_by_name_or_by_length() {
        for (text, algorithm) in [
            (format!("sha1:{EMPTY_SHA1}"), Algorithm::Sha1),
            (
                format!("SHA-1:{}", EMPTY_SHA1.to_uppercase()),
                Algorithm::Sha1,
            ),
            (format!("sha256:{EMPTY_SHA256}"), Algorithm::Sha256),
            (EMPTY_SHA1.to_owned(), Algorithm::Sha1),
            (EMPTY_SHA256.to_owned(), Algorithm::Sha256),
            ("ab".repeat(64), Algorithm::Sha512),
        ] {
            let parsed = PanelChecksum::parse(Some(&text));
            assert_eq!(
                parsed.digest().map(ContentDigest::algorithm),
                Some(algorithm),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_is_absent_and_a_foreign_scheme_is_opaque() {
        assert_eq!(PanelChecksum::parse(None), PanelChecksum::Absent);
        assert_eq!(PanelChecksum::parse(Some(" ")), PanelChecksum::Absent);
        for scheme in ["restic", "borg", "zfs-subvolume", "ddup-sha1"] {
            assert_eq!(
                PanelChecksum::parse(Some(&format!("{scheme}:{EMPTY_SHA1}"))),
                PanelChecksum::Opaque {
                    scheme: scheme.to_owned()
                }
            );
        }
    }

    #[test]
    fn a_known_scheme_with_an_impossible_value_is_malformed() {
        for text in [
            "sha1:".to_owned(),
            "sha1:zz".to_owned(),
            format!("sha1:{EMPTY_SHA256}"),
            format!("sha256:{EMPTY_SHA1}"),
            format!("sha1:{EMPTY_SHA1}0"),
            "z".repeat(64),
            "abc".to_owned(),
        ] {
            let parsed = PanelChecksum::parse(Some(&text));
            assert!(
                matches!(parsed, PanelChecksum::Malformed(_)),
                "{text}: {parsed:?}"
            );
        }
    }

    #[test]
    fn hashing_in_pieces_equals_hashing_at_once() {
        for algorithm in Algorithm::ALL {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"nest");
            hasher.update(b"");
            hasher.update(b"egg");
            assert_eq!(hasher.finish(), Hasher::digest(algorithm, b"nestegg"));
        }
        assert_eq!(Hasher::digest(Algorithm::Sha1, b"").to_hex(), EMPTY_SHA1);
        assert_eq!(
            Hasher::digest(Algorithm::Sha256, b"").to_hex(),
            EMPTY_SHA256
        );
    }
}
