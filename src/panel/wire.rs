//! The JSON as panels send it; private to the panel module.
//!
//! Unknown fields are ignored, known ones are typed (`panel-contract.md` sections 2 and 3,
//! `documented-api.md` for the other spelling). A listing's rows are read one by one, so that one
//! that makes no sense does not spoil the others. What only feeds a passport is read leniently: no
//! server goes unmirrored because a port was sent as text.

use jiff::Timestamp;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::backup::Backup;
use crate::model::backup::BackupRecord;
use crate::model::backup::CompletedBackup;
use crate::model::checksum::PanelChecksum;
use crate::model::ids::NotAUuid;
use crate::model::ids::ServerId;
use crate::model::ids::printable;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::model::text::without_credentials;
use crate::panel::LONGEST_ID;
use crate::panel::bound;
use crate::panel::link::DownloadLink;
use crate::panel::page::Page;
use crate::panel::page::Pagination;
use crate::panel::page::Row;
use crate::panel::page::UnreadableRow;
use crate::panel::passport;
use crate::panel::passport::WirePassport;

/// Why one object of an answer can't be what it says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("its uuid is unusable: {0}")]
    Uuid(#[from] NotAUuid),
    #[error("`{field}` is not a time with an offset: `{shown}`")]
    Time { field: &'static str, shown: String },
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`bytes` is {0}, which no archive has")]
    Size(u64),
    #[error("{0}")]
    Shape(String),
}

impl From<serde_json::Error> for Unfit {
    /// Only the start of the text is kept: it may quote the answer.
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(printable(&without_credentials(&error.to_string())))
    }
}

/// Something that an answer can hold.
pub(super) trait Attributes: Sized {
    /// Reads the object below `attributes`.
    fn read(attributes: Value) -> Result<Self, Unfit>;
}

/// A key that may be absent, null or there, where the three mean different things.
#[derive(Debug, Default)]
enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    fn into_value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    const fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// `None` where the value is not of the type.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).ok())
}

#[derive(Deserialize)]
struct WireList {
    data: Vec<Value>,
    #[serde(default, deserialize_with = "lenient")]
    meta: Option<WireMeta>,
}

#[derive(Deserialize)]
struct WireMeta {
    pagination: WirePagination,
    #[serde(default, deserialize_with = "lenient")]
    backup_count: Option<u64>,
}

#[derive(Deserialize)]
struct WirePagination {
    total: u64,
    #[serde(default, deserialize_with = "lenient")]
    per_page: Option<u64>,
    total_pages: u64,
}

#[derive(Deserialize)]
struct WireObject {
    attributes: Value,
}

#[derive(Deserialize)]
struct WireLink {
    attributes: WireLinkAttributes,
}

#[derive(Deserialize)]
struct WireLinkAttributes {
    url: String,
}

#[derive(Deserialize)]
struct WireErrors {
    errors: Vec<WireError>,
}

#[derive(Deserialize)]
struct WireError {
    code: String,
    #[serde(default, deserialize_with = "lenient")]
    detail: Option<String>,
}

/// What a panel's error body says (`panel-contract.md` section 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The exception's class name.
    pub(super) code: String,
    /// A text that may be translated or edited; safe to print only through `printable`.
    pub(super) detail: String,
}

/// One page of a listing.
pub(super) fn page<T: Attributes>(body: &[u8]) -> Result<Page<T>, Unfit> {
    let list: WireList = serde_json::from_slice(body)?;
    Ok(Page {
        rows: list.data.into_iter().map(row).collect(),
        pagination: list.meta.map(|meta| Pagination {
            total: meta.pagination.total,
            counted: meta.backup_count,
            per_page: meta.pagination.per_page,
            total_pages: meta.pagination.total_pages,
        }),
        body_bytes: body.len(),
    })
}

/// One object.
pub(super) fn one<T: Attributes>(body: &[u8]) -> Result<T, Unfit> {
    let object: WireObject = serde_json::from_slice(body)?;
    T::read(object.attributes)
}

/// A download link; nothing of an unusable one is repeated.
pub(super) fn link(body: &[u8]) -> Result<DownloadLink, Unfit> {
    serde_json::from_slice::<WireLink>(body)
        .ok()
        .and_then(|link| DownloadLink::read(&link.attributes.url))
        .ok_or_else(|| Unfit::Shape("there is no http or https URL in it".to_owned()))
}

/// The rows of a list that is not paged; one that makes no sense spoils it.
pub(super) fn all<T: Attributes>(body: &[u8]) -> Result<Vec<T>, Unfit> {
    let list: WireList = serde_json::from_slice(body)?;
    list.data
        .into_iter()
        .map(|row| T::read(serde_json::from_value::<WireObject>(row)?.attributes))
        .collect()
}

/// The first entry of an error body; `None` when the body is not a panel's.
pub(super) fn refusal(body: &[u8]) -> Option<Refusal> {
    let errors: WireErrors = serde_json::from_slice(body).ok()?;
    let first = errors.errors.into_iter().next()?;
    Some(Refusal {
        code: without_credentials(&first.code),
        detail: without_credentials(&first.detail.unwrap_or_default()),
    })
}

fn row<T: Attributes>(row: Value) -> Row<T> {
    let uuid = row
        .pointer("/attributes/uuid")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let read = serde_json::from_value::<WireObject>(row)
        .map_err(Unfit::from)
        .and_then(|object| T::read(object.attributes));
    match read {
        Ok(value) => Row::Read {
            uuid: uuid.unwrap_or_default().to_ascii_lowercase(),
            value,
        },
        Err(why) => Row::Unreadable(UnreadableRow {
            id: uuid.map_or_else(|| "(no uuid)".to_owned(), |uuid| printable(&uuid)),
            why: why.to_string(),
        }),
    }
}

fn time(field: &'static str, text: &str) -> Result<Timestamp, Unfit> {
    text.parse()
        .map_err(|_not_a_time: jiff::Error| Unfit::Time {
            field,
            shown: printable(text),
        })
}

#[derive(Deserialize)]
struct WireBackup {
    uuid: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    is_successful: Field<bool>,
    #[serde(default)]
    is_locked: Option<bool>,
    #[serde(default)]
    ignored_files: Value,
    #[serde(default)]
    checksum: Field<String>,
    #[serde(default)]
    sha256_hash: Field<String>,
    #[serde(default)]
    bytes: Option<u64>,
    created_at: String,
    #[serde(default)]
    completed_at: Option<String>,
}

impl WireBackup {
    /// Whether the row has the shape of published documentation (`documented-api.md`).
    const fn is_documented_form(&self) -> bool {
        self.sha256_hash.is_present() && !self.checksum.is_present()
    }
}

/// The patterns, from the array that panels send or from lines of text.
fn patterns(value: Value) -> Vec<String> {
    match value {
        Value::Array(items) => items
            .into_iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        Value::String(text) => text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

impl Attributes for Backup {
    fn read(attributes: Value) -> Result<Self, Unfit> {
        Self::try_from(serde_json::from_value::<WireBackup>(attributes)?)
    }
}

impl TryFrom<WireBackup> for Backup {
    type Error = Unfit;

    fn try_from(wire: WireBackup) -> Result<Self, Unfit> {
        let completed_at = wire
            .completed_at
            .as_deref()
            .map(|text| time("completed_at", text))
            .transpose()?;
        let is_documented_form = wire.is_documented_form();
        let record = BackupRecord {
            id: wire.uuid.parse()?,
            name: bound::name(wire.name.unwrap_or_default()),
            is_locked: wire.is_locked.unwrap_or(false),
            ignored_files: bound::list(patterns(wire.ignored_files)),
            created_at: time("created_at", &wire.created_at)?,
        };
        match (wire.is_successful, completed_at) {
            (Field::Absent, _) => Err(Unfit::Missing("is_successful")),
            (Field::Value(true), Some(completed_at)) => {
                let archive_bytes = wire.bytes.ok_or(Unfit::Missing("bytes"))?;
                if i64::try_from(archive_bytes).is_err() {
                    return Err(Unfit::Size(archive_bytes));
                }
                let digest = wire.checksum.into_value().or(wire.sha256_hash.into_value());
                Ok(Self::Completed(CompletedBackup {
                    record,
                    archive_bytes,
                    checksum: PanelChecksum::parse(digest.as_deref()),
                    completed_at,
                }))
            }
            (Field::Value(false), Some(_)) => Ok(Self::Failed(record)),
            // The documented API leaves `completed_at` null on failure; real panels never do.
            (Field::Value(false), None) if is_documented_form => Ok(Self::Failed(record)),
            // Before panel v1.5.1 a running backup said `is_successful: true`.
            (Field::Value(_), None) | (Field::Null, _) => Ok(Self::Pending(record)),
        }
    }
}

#[derive(Deserialize)]
struct WireServer {
    uuid: String,
    #[serde(default)]
    identifier: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    is_suspended: Option<bool>,
    #[serde(default)]
    is_installing: Option<bool>,
    #[serde(default)]
    is_transferring: Option<bool>,
    #[serde(default)]
    is_node_under_maintenance: Option<bool>,
}

impl WireServer {
    /// The gate in the order in which panels check it (`panel-contract.md` section 2, state gate);
    /// `reinstall_failed` passes, and a status that this version does not know is left to the answer.
    fn state(&self) -> ServerState {
        let status = self.status.as_deref().unwrap_or_default();
        let says = |flag: Option<bool>| flag == Some(true);
        if status == "suspended" || says(self.is_suspended) {
            ServerState::Suspended
        } else if says(self.is_node_under_maintenance) {
            ServerState::NodeMaintenance
        } else if matches!(status, "installing" | "install_failed") || says(self.is_installing) {
            ServerState::Installing
        } else if status == "restoring_backup" {
            ServerState::Restoring
        } else if says(self.is_transferring) {
            ServerState::Transferring
        } else {
            ServerState::Ready
        }
    }
}

impl Attributes for Server {
    fn read(attributes: Value) -> Result<Self, Unfit> {
        let passport: WirePassport = serde_json::from_value(attributes.clone())?;
        let wire: WireServer = serde_json::from_value(attributes)?;
        let id: ServerId = wire.uuid.parse()?;
        let state = wire.state();
        let identifier = wire
            .identifier
            .filter(|identifier| (1..=LONGEST_ID).contains(&identifier.len()));
        Ok(Self {
            id,
            identifier: identifier.unwrap_or_else(|| id.short()),
            name: bound::name(wire.name.unwrap_or_default()),
            state,
            passport: passport::read(passport),
        })
    }
}

#[cfg(test)]
mod tests;
