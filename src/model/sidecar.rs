//! The JSON object beside a copy that describes it fully: read leniently, written exactly.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::model::holding::HeldCopy;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::ids::printable;
use crate::model::mark::Mark;
use crate::model::server::Passport;

/// The format this version writes, and the newest major one it reads.
pub const FORMAT: &str = "nestegg.copy/1";

const FORMAT_NAME: &str = "nestegg.copy/";
const FORMAT_MAJOR: u32 = 1;

/// Everything there is to say about one copy (design section 4).
///
/// Fields that this version does not know are kept when a sidecar is read and written again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// [`FORMAT`].
    pub format: String,
    /// Where the backup was made.
    pub panel: SidecarPanel,
    /// The server it is of.
    pub server: SidecarServer,
    /// The backup's own fields, as the panel gave them.
    pub backup: SidecarBackup,
    /// The archive as the panel made it.
    pub archive: SidecarArchive,
    /// The object as it is stored; differs from the archive when encrypted.
    pub stored: SidecarStored,
    /// By `nestegg keep`: no policy removes the copy as long as this stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Mark>,
    /// Name and version of the writer.
    pub written_by: String,
    /// When the archive became visible, which is when this was written beside it.
    pub written_at: Timestamp,
    /// The document as it was read, for the fields that this version does not know.
    #[serde(skip)]
    pub as_read: Map<String, Value>,
}

/// The panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarPanel {
    /// What the operator calls it.
    pub name: String,
    /// Its base URL.
    pub url: String,
}

/// The server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarServer {
    /// Its full uuid.
    pub uuid: ServerId,
    /// Its short id.
    pub identifier: String,
    /// Its name when the copy was made.
    pub name: String,
    /// What a rebuild needs to know.
    #[serde(default)]
    pub passport: Passport,
}

/// The backup's own fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarBackup {
    /// Its uuid.
    pub uuid: BackupId,
    /// Its name when the copy was made.
    pub name: String,
    /// Whether the panel had it locked.
    #[serde(default)]
    pub is_locked: bool,
    /// What the archive leaves out.
    #[serde(default)]
    pub ignored_files: Vec<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the node reported it whole.
    pub completed_at: Timestamp,
}

/// The archive as the panel made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarArchive {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// The panel's digest, as `algorithm:hex`, where it gave one.
    pub panel_checksum: Option<String>,
    /// What was proved: see [`crate::model::checksum::Verdict`].
    pub verdict: String,
    /// How many members the tar holds, unless inspection was off.
    pub entries: Option<u64>,
    /// How many bytes it unpacks to, unless inspection was off.
    pub unpacked_bytes: Option<u64>,
}

/// The object as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidecarStored {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
    /// How it is encrypted; `None` when the archive is stored as it is.
    pub encryption: Option<Encryption>,
}

/// How a stored object is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `age`.
    pub scheme: String,
    /// The public keys that can open it.
    pub recipients: Vec<String>,
}

/// Why some bytes are no usable sidecar.
#[derive(Debug, thiserror::Error)]
pub enum BadSidecar {
    /// Not JSON, or a known field is missing or of the wrong type.
    #[error("the sidecar can't be read")]
    Json(#[source] serde_json::Error),
    /// Not a JSON object with a `format` field of ours.
    #[error("the sidecar's format is `{0}`, not `{FORMAT}`")]
    Foreign(String),
    /// Written by a newer major version.
    #[error(
        "the sidecar's format `{0}` is newer than this version of nestegg reads: upgrade nestegg"
    )]
    Newer(String),
}

impl Sidecar {
    /// Reads a sidecar; unknown fields are kept, a newer major format is refused.
    ///
    /// # Errors
    /// [`BadSidecar`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, BadSidecar> {
        let document: Value = serde_json::from_slice(bytes).map_err(BadSidecar::Json)?;
        let Value::Object(as_read) = document else {
            return Err(BadSidecar::Foreign("not an object".to_owned()));
        };
        let format = as_read
            .get("format")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let major = format
            .strip_prefix(FORMAT_NAME)
            .and_then(|version| version.split('.').next())
            .and_then(|major| major.parse::<u32>().ok());
        match major {
            Some(FORMAT_MAJOR) => {}
            Some(newer) if newer > FORMAT_MAJOR => {
                return Err(BadSidecar::Newer(printable(format)));
            }
            Some(_) | None => return Err(BadSidecar::Foreign(printable(format))),
        }
        let sidecar: Self =
            serde_json::from_value(Value::Object(as_read.clone())).map_err(BadSidecar::Json)?;
        Ok(Self { as_read, ..sidecar })
    }

    /// The first thing of which this says something else than `copy`, if any.
    pub fn differs_from(&self, copy: &HeldCopy) -> Option<&'static str> {
        let walked = self.archive.entries.zip(self.archive.unpacked_bytes);
        let structure = copy.structure;
        let walked_before = structure.map(|found| (found.entries, found.unpacked_bytes));
        [
            ("server", self.server.uuid == copy.server),
            ("backup", self.backup.uuid == copy.backup),
            ("archive length", self.archive.bytes == copy.archive_bytes),
            (
                "archive SHA-256",
                self.archive.sha256 == copy.sha256.to_hex(),
            ),
            ("verdict", self.archive.verdict == copy.verdict.as_str()),
            ("structure", walked == walked_before),
            ("stored length", self.stored.bytes == copy.stored_bytes),
            (
                "stored SHA-256",
                self.stored.sha256 == copy.stored_sha256.to_hex(),
            ),
            ("encryption", self.stored.encryption == copy.encryption),
        ]
        .into_iter()
        .find(|(_field, is_same)| !is_same)
        .map(|(field, _)| field)
    }

    /// The document to store, pretty-printed, with every unknown field that was read.
    ///
    /// # Errors
    /// None in practice: every field has a JSON form. The signature keeps the promise honest.
    pub fn to_json(&self) -> Result<Vec<u8>, BadSidecar> {
        let mut document = serde_json::to_value(self).map_err(BadSidecar::Json)?;
        if let Value::Object(fields) = &mut document {
            keep_unknown(fields, &self.as_read);
            if self.kept.is_none() {
                fields.remove("kept");
            }
        }
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(BadSidecar::Json)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Adds to `written` what stands only in `read`, at any depth of objects.
fn keep_unknown(written: &mut Map<String, Value>, read: &Map<String, Value>) {
    for (name, old) in read {
        match (written.get_mut(name), old) {
            (None, old) => {
                written.insert(name.clone(), old.clone());
            }
            (Some(Value::Object(written)), Value::Object(read)) => keep_unknown(written, read),
            (Some(_known), _old) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        serde_json::json!({
            "format": "nestegg.copy/1",
            "panel": {"name": "main", "url": "https://panel.example.com/"},
            "server": {"uuid": "a1fa0000-1111-4111-8111-00000000000a", "identifier": "a1fa0000", "name": "Alpha",
                       "passport": {"node": "node-one", "mascot": "hen"}},
            "backup": {"uuid": "6fdff738-bf44-4933-824f-489198dda9e6", "name": "nightly", "is_locked": false,
                       "ignored_files": [], "created_at": "2026-11-22T02:54:56Z", "completed_at": "2026-11-22T02:55:56Z"},
            "archive": {"bytes": 3, "sha256": "ab", "panel_checksum": null, "verdict": "structure",
                        "entries": 1, "unpacked_bytes": 1536},
            "stored": {"bytes": 3, "sha256": "ab", "encryption": null},
            "written_by": "nestegg 0.1.0",
            "written_at": "2026-11-22T03:00:00Z",
            "moon": {"phase": "full"}
        })
    }

    fn read(document: &Value) -> Result<Sidecar, BadSidecar> {
        Sidecar::from_json(document.to_string().as_bytes())
    }

    #[test]
    fn unknown_fields_survive_reading_and_writing_at_every_depth() {
        let sidecar = read(&document()).unwrap();
        let written: Value = serde_json::from_slice(&sidecar.to_json().unwrap()).unwrap();
        assert_eq!(written["moon"]["phase"], "full");
        assert_eq!(written["server"]["passport"]["mascot"], "hen");
        assert_eq!(written["server"]["passport"]["node"], "node-one");
    }

    #[test]
    fn a_keep_mark_is_read_written_and_taken_away_with_the_rest_left_as_it_was() {
        let unmarked = read(&document()).unwrap();
        assert_eq!(unmarked.kept, None);
        let mark = Mark {
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            reason: Some("before the update".to_owned()),
        };
        let marked = Sidecar {
            kept: Some(mark.clone()),
            ..unmarked.clone()
        };
        let read_back = Sidecar::from_json(&marked.to_json().unwrap()).unwrap();
        assert_eq!(read_back.kept, Some(mark));
        let unmarked_again = Sidecar {
            kept: None,
            ..read_back
        };
        assert_eq!(
            unmarked_again.to_json().unwrap(),
            unmarked.to_json().unwrap()
        );
    }

    #[test]
    fn a_newer_minor_format_is_read_and_a_newer_major_one_is_refused() {
        let mut newer = document();
        newer["format"] = "nestegg.copy/1.7".into();
        assert!(read(&newer).is_ok());
        newer["format"] = "nestegg.copy/2".into();
        assert!(matches!(read(&newer), Err(BadSidecar::Newer(_))));
        newer["format"] = "somebody.else/1".into();
        assert!(matches!(read(&newer), Err(BadSidecar::Foreign(_))));
    }

    #[test]
    fn damaged_sidecars_are_refused() {
        for bytes in [
            &b""[..],
            b"null",
            b"[]",
            b"{\"format\":\"nestegg.copy/1\"}",
            b"\xff\xfe",
        ] {
            assert!(Sidecar::from_json(bytes).is_err(), "{bytes:?}");
        }
    }
}
