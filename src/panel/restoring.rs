//! The panel's own restore of a backup, and the log that alone tells how one ended
//! (`panel-contract.md` section 5).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::panel::PanelClient;
use crate::panel::call::Call;
use crate::panel::error::Error;
use crate::panel::exchange::Ask;
use crate::panel::malformed;
use crate::panel::wire::Unfit;
use crate::panel::wire::lenient;

/// Rows asked for a page of the log; panels give no more
/// (pterodactyl/panel:`app/Http/Controllers/Api/Client/Servers/ActivityLogController.php`).
const ROWS_A_PAGE: u32 = 100;
/// The log is read to this page; with the filter, more than one is rare.
const MOST_PAGES: u64 = 20;
/// What the events of restores have in common; panels look for it anywhere in an event.
const EVENTS: &str = "backup.restore";

/// What becomes of the files that a server has when the panel restores a backup into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncate {
    /// All are deleted, before the node looks for the archive.
    Everything,
    /// They stay, or are written over.
    Nothing,
}

/// How a restore ended, by the panel's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestoreEnd {
    /// The node says that it is complete.
    Complete,
    /// The node says that it failed, or it was started again meanwhile.
    Failed,
}

impl RestoreEnd {
    /// The end that an event of the log tells of.
    ///
    /// A failure is logged as `server.backup.restore-failed`, with dots, when the node reports it
    /// (pterodactyl/panel:`app/Http/Controllers/Api/Remote/Backups/BackupStatusController.php`), and as
    /// `server:backup.restore-failed` when the node starts anew in the middle of it
    /// (`app/Http/Controllers/Api/Remote/Servers/ServerDetailsController.php`).
    fn of(event: &str) -> Option<Self> {
        match event {
            "server:backup.restore-complete" => Some(Self::Complete),
            "server.backup.restore-failed" | "server:backup.restore-failed" => Some(Self::Failed),
            _another => None,
        }
    }
}

/// One end of a restore in the log. Two that are equal are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RestoreEntry {
    /// How it ended.
    pub end: RestoreEnd,
    /// The backup's name; panels log neither its uuid nor anything else of it.
    pub backup_name: Option<String>,
    /// The row's own mark, in panels that give one.
    id: Option<String>,
    /// When it was logged, by the panel's clock and in its words.
    logged_at: String,
}

impl RestoreEntry {
    /// Whether it may be about a backup of this name.
    pub fn may_be_of(&self, name: &str) -> bool {
        self.backup_name.as_deref().is_none_or(|said| said == name)
    }
}

/// One row as panels send it
/// (pterodactyl/panel:`app/Transformers/Api/Client/ActivityLogTransformer.php`): `properties` is an object,
/// or `[]` where there are none; `id` came late.
#[derive(Deserialize)]
struct WireRow {
    attributes: WireEvent,
}

#[derive(Deserialize)]
struct WireEvent {
    event: String,
    timestamp: String,
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
struct WireLog {
    data: Vec<Value>,
    #[serde(default, deserialize_with = "lenient")]
    meta: Option<WireMeta>,
}

#[derive(Deserialize)]
struct WireMeta {
    pagination: WirePagination,
}

#[derive(Deserialize)]
struct WirePagination {
    total_pages: u64,
}

/// One page of the log.
struct LogPage {
    entries: Vec<RestoreEntry>,
    last_page: u64,
}

/// The ends of restores among the rows of a page; a row that makes no sense is about something else.
fn page(body: &[u8]) -> Result<LogPage, Unfit> {
    let log: WireLog = serde_json::from_slice(body)?;
    let entries = log
        .data
        .into_iter()
        .filter_map(|row| serde_json::from_value::<WireRow>(row).ok())
        .filter_map(|row| {
            let event = row.attributes;
            let name = event.properties.get("name").and_then(Value::as_str);
            Some(RestoreEntry {
                end: RestoreEnd::of(&event.event)?,
                backup_name: name.map(str::to_owned),
                id: event.id,
                logged_at: event.timestamp,
            })
        })
        .collect();
    Ok(LogPage {
        entries,
        last_page: log.meta.map_or(1, |meta| meta.pagination.total_pages),
    })
}

impl PanelClient {
    /// Has the panel restore a backup into the server it was made of. Success means that the node has
    /// begun; [`Self::restores_logged`] tells how it ends.
    ///
    /// Sent again only where no connection came about. After an error of the node, and after an answer
    /// that was lost, the restore may be under way; and with [`Truncate::Everything`] the files may be
    /// gone, because nodes delete them before they look for the archive.
    ///
    /// # Errors
    /// [`Error::NotRestorable`], [`Error::ServerState`], [`Error::RateLimited`], [`Error::Node`]; any other
    /// of a call.
    pub async fn restore_backup(
        &self,
        server: &ServerId,
        backup: &BackupId,
        truncate: Truncate,
    ) -> Result<(), Error> {
        let (server, id) = (server.to_string(), backup.to_string());
        let url = self
            .exchange
            .url(&["servers", &server, "backups", &id, "restore"], &[]);
        let truncate = truncate == Truncate::Everything;
        self.exchange
            .send(
                &Call::RestoreBackup(*backup),
                &Ask::post(url, json!({ "truncate": truncate })),
            )
            .await
            .map(drop)
    }

    /// The ends of restores that the server's log of activity holds.
    ///
    /// The log has no order of its own and the panel's clock may have been set: whoever wants to know
    /// what is new compares with what was there before.
    ///
    /// # Errors
    /// [`Error::Permission`] without `activity.read`; [`Error::NoActivityLog`]; any other of a call.
    pub async fn restores_logged(
        &self,
        server: &ServerId,
    ) -> Result<BTreeSet<RestoreEntry>, Error> {
        let call = Call::ReadActivity(*server);
        let id = server.to_string();
        let mut seen = BTreeSet::new();
        for number in 1..=MOST_PAGES {
            let query = [
                ("sort", "-timestamp".to_owned()),
                ("filter[event]", EVENTS.to_owned()),
                ("per_page", ROWS_A_PAGE.to_string()),
                ("page", number.to_string()),
            ];
            let url = self.exchange.url(&["servers", &id, "activity"], &query);
            let body = self.exchange.send(&call, &Ask::get(url)).await?;
            let page = page(&body).map_err(|why| malformed(&call, &why))?;
            seen.extend(page.entries);
            if number >= page.last_page {
                break;
            }
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(rows: &Value) -> Vec<RestoreEntry> {
        let body = json!({"object": "list", "data": rows});
        page(body.to_string().as_bytes()).unwrap().entries
    }

    fn row(event: &str, properties: &Value) -> Value {
        json!({"object": "activity_log", "attributes": {"batch": null, "event": event, "is_api": true, "ip": "127.0.0.1",
            "description": null, "properties": properties, "timestamp": "2026-11-22T02:55:12+00:00"}})
    }

    #[test]
    fn only_ends_of_restores_are_read_whatever_else_the_log_holds() {
        let rows = json!([
            row("server:backup.restore", &json!({"name": "nightly", "truncate": true})),
            row("server:backup.restore-complete", &json!({"name": "nightly"})),
            row("server.backup.restore-failed", &json!({"name": "weekly"})),
            row("server:backup.restore-failed", &json!([])),
            row("server:backup.restore-complete-not", &json!({"name": "nightly"})),
            row("server:console.command", &json!({"command": "server:backup.restore-complete"})),
            {"object": "activity_log", "attributes": {"event": 7}},
            "nonsense",
            null,
        ]);
        let read: Vec<_> = entries(&rows)
            .into_iter()
            .map(|entry| (entry.end, entry.backup_name))
            .collect();
        assert_eq!(
            read,
            [
                (RestoreEnd::Complete, Some("nightly".to_owned())),
                (RestoreEnd::Failed, Some("weekly".to_owned())),
                (RestoreEnd::Failed, None),
            ]
        );
    }

    #[test]
    fn an_entry_without_a_name_may_be_of_any_backup_and_one_with_a_name_of_none_else() {
        let rows = json!([
            row(
                "server:backup.restore-complete",
                &json!({"name": "nightly"})
            ),
            row("server:backup.restore-complete", &json!(null)),
        ]);
        let may: Vec<_> = entries(&rows)
            .iter()
            .map(|entry| (entry.may_be_of("nightly"), entry.may_be_of("weekly")))
            .collect();
        assert_eq!(may, [(true, false), (true, true)]);
    }

    #[test]
    fn what_is_no_log_is_refused() {
        for body in ["", "[]", "{}", r#"{"data": 7}"#] {
            assert!(page(body.as_bytes()).is_err(), "{body}");
        }
    }
}
