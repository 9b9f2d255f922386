//! The panel's own restores, and the log that tells how they ended (`panel-contract.md` section 5).
//!
//! The log's rows and their order are those of pterodactyl/panel:`app/Transformers/Api/Client/ActivityLogTransformer.php`
//! and `app/Http/Controllers/Api/Client/Servers/ActivityLogController.php`.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::super::archive::Archive;
use super::chores;
use super::chores::Chore;
use super::chores::Unpack;
use super::host_rules::Gateway;
use super::hosts::Power;
use super::listing::Page;
use super::listing::page_number;
use super::listing::parameter;
use super::log::Request;
use super::refusal::Refusal;
use super::reply::Reply;
use super::rows::Condition;
use super::rows::Disk;
use super::rows::Stage;
use super::script::Script;
use super::state::Dialect;
use super::state::NodeState;
use super::state::State;
use super::words;

/// How restores go.
#[derive(Debug, Clone)]
pub struct RestoreRules {
    /// How long the server is restoring.
    pub takes: Duration,
    /// What comes of it.
    pub ending: RestoreEnding,
    /// How many are answered in a quarter of an hour, per server.
    pub in_a_quarter: usize,
    /// Whether the log of activity gives its rows a mark of their own.
    pub log_ids: LogIds,
    /// Whether the log of activity filters.
    pub filter: LogFilter,
}

/// What comes of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreEnding {
    /// Every file is written, and the node says so.
    Complete,
    /// Half of it is written, and the node says that it failed.
    Fails,
    /// The node is started again in the middle: the state clears, and nobody says anything.
    Forgotten,
    /// It never ends.
    Never,
}

/// Whether rows of the log have an `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogIds {
    /// They have.
    Given,
    /// Panels before 1.11 gave none.
    None,
}

/// Whether `filter[event]` means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFilter {
    /// It does.
    Heeded,
    /// It does not.
    Ignored,
}

impl Default for RestoreRules {
    fn default() -> Self {
        Self {
            takes: Duration::from_millis(100),
            ending: RestoreEnding::Complete,
            in_a_quarter: 3,
            log_ids: LogIds::Given,
            filter: LogFilter::Heeded,
        }
    }
}

/// One row of the log of activity.
#[derive(Debug, Clone)]
pub struct ActivityRow {
    /// Whose log it is in.
    pub server: ServerId,
    /// The event.
    pub event: String,
    /// Its properties, as sent.
    pub properties: Value,
    /// When it was logged, by the panel's clock.
    pub logged_at: Timestamp,
}

/// Restores and the log.
#[derive(Debug, Default)]
pub(super) struct Restores {
    pub(super) rules: RestoreRules,
    pub(super) log: Vec<ActivityRow>,
    asked: Vec<(ServerId, Instant)>,
}

/// A restore that a node is at.
#[derive(Debug)]
pub(super) struct Restore {
    server: ServerId,
    name: String,
    archive: Archive,
    rules: RestoreRules,
}

impl Restore {
    pub(super) async fn run(self, script: Script) {
        if self.rules.ending == RestoreEnding::Never {
            return;
        }
        tokio::time::sleep(self.rules.takes).await;
        let folder = script.folder_of(self.server);
        script.set_power(self.server, Power::Offline);
        let archive = folder.with_extension("restoring.tar.gz");
        let unpack = Unpack {
            archive: archive.clone(),
            folder,
            denied: Vec::new(),
            gateway: match self.rules.ending {
                RestoreEnding::Complete => Gateway::Waits,
                RestoreEnding::Fails | RestoreEnding::Forgotten | RestoreEnding::Never => {
                    Gateway::Dies { after: 1 }
                }
            },
        };
        let written =
            fs::write(&archive, self.archive.bytes()).and_then(|()| unpack.run(|_number| {}));
        drop(fs::remove_file(&archive));
        let event = match (self.rules.ending, written) {
            (RestoreEnding::Complete, Ok(())) => Some("server:backup.restore-complete"),
            (RestoreEnding::Complete, Err(_)) | (RestoreEnding::Fails, _) => {
                Some("server.backup.restore-failed")
            }
            (RestoreEnding::Forgotten | RestoreEnding::Never, _) => None,
        };
        script.set_condition(self.server, Condition::Ready);
        if let Some(event) = event {
            script.log_activity(self.server, event, json!({"name": self.name}));
        }
    }
}

impl Script {
    /// Changes how restores go.
    pub fn edit_restore_rules(&self, edit: impl FnOnce(&mut RestoreRules)) {
        edit(&mut self.state().restores.rules);
    }

    /// Writes into a server's log of activity, now.
    pub fn log_activity(&self, server: ServerId, event: &str, properties: Value) {
        self.log_row(ActivityRow {
            server,
            event: event.to_owned(),
            properties,
            logged_at: State::now(),
        });
    }

    /// Writes any row into the log of activity.
    pub fn log_row(&self, row: ActivityRow) {
        self.state().restores.log.push(row);
    }

    /// The events of a server's log, oldest first.
    pub fn activity_of(&self, server: ServerId) -> Vec<String> {
        let state = self.state();
        let rows = state.restores.log.iter().filter(|row| row.server == server);
        rows.map(|row| row.event.clone()).collect()
    }
}

impl State {
    pub(super) fn begin_restore(
        &mut self,
        server: ServerId,
        backup: BackupId,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        self.count_restore(server)?;
        let body: Value = match request.body.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).map_err(|_not_json| Refusal::bad_json())?,
        };
        let truncate = match (body.get("truncate").and_then(Value::as_bool), self.dialect) {
            (Some(truncate), _) => truncate,
            (None, Dialect::Documented) => true,
            (None, Dialect::Pterodactyl | Dialect::Pelican) => {
                return Err(Refusal::truncate_required());
            }
        };
        let row = self.backup(backup).ok_or_else(Refusal::unknown)?.clone();
        match (row.stage, self.dialect) {
            (Stage::InProgress, Dialect::Documented) => return Err(Refusal::not_completed()),
            (Stage::Failed, Dialect::Documented) => return Err(Refusal::backup_failed()),
            (Stage::InProgress, Dialect::Pterodactyl | Dialect::Pelican) => {
                return Err(Refusal::not_restorable());
            }
            // The check lets it pass.
            (Stage::Failed, Dialect::Pterodactyl | Dialect::Pelican) | (Stage::Completed, _) => {}
        }
        if self.node == NodeState::Down {
            return Err(Refusal::node_away(self.dialect));
        }
        // From here on it is the node's doing: first the files go.
        if truncate {
            self.wipe(server);
        }
        let Some(archive) = row.archive else {
            return Err(match (row.stage, row.disk) {
                (Stage::Failed, _) => Refusal::of_the_node(self.dialect, 404),
                (_, Disk::S3) => Refusal::of_the_node(self.dialect, 400),
                (_, Disk::Node | Disk::Unknown) => Refusal::of_the_node(self.dialect, 500),
            });
        };
        self.hosts.deeds.push(format!(
            "restore {} {}",
            row.name,
            if truncate { "truncating" } else { "keeping" }
        ));
        if let Some(row) = self.server_mut(server) {
            row.condition = Condition::Restoring;
        }
        self.restores.log.push(ActivityRow {
            server,
            event: "server:backup.restore".to_owned(),
            properties: json!({"name": row.name, "truncate": truncate}),
            logged_at: Self::now(),
        });
        self.hosts.chores.push(Chore::Restore(Restore {
            server,
            name: row.name,
            archive,
            rules: self.restores.rules.clone(),
        }));
        Ok(Reply::empty(match self.dialect {
            Dialect::Pterodactyl | Dialect::Pelican => 204,
            Dialect::Documented => 202,
        }))
    }

    /// The route has a limit of its own, which counts every request to it.
    fn count_restore(&mut self, server: ServerId) -> Result<(), Refusal> {
        let now = Instant::now();
        let span = Duration::from_mins(15);
        let restores = &mut self.restores;
        restores.asked.retain(|(_, at)| now < *at + span);
        let mine: Vec<Instant> = restores
            .asked
            .iter()
            .filter(|(whose, _)| *whose == server)
            .map(|(_, at)| *at)
            .collect();
        if mine.len() >= restores.rules.in_a_quarter {
            let free = mine.first().map_or(now, |at| *at + span);
            let wait = free.saturating_duration_since(now);
            return Err(Refusal::too_many_attempts(wait.as_secs().max(1)));
        }
        restores.asked.push((server, now));
        Ok(())
    }

    fn wipe(&mut self, server: ServerId) {
        self.hosts.deeds.push("wipe".to_owned());
        let folder = self.hosts.of(server).folder.path().to_owned();
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            drop(chores::remove(&entry.path()));
        }
    }

    pub(super) fn list_activity(
        &self,
        server: ServerId,
        request: &Request,
    ) -> Result<Reply, Refusal> {
        if self.dialect == Dialect::Documented {
            return Err(Refusal::no_route(&request.path));
        }
        let decoded: Vec<(String, String)> = url::form_urlencoded::parse(request.query.as_bytes())
            .into_owned()
            .collect();
        let asked = |name: &str| {
            let found = decoded.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let wanted = match self.restores.rules.filter {
            LogFilter::Heeded => asked("filter[event]").unwrap_or_default(),
            LogFilter::Ignored => "",
        };
        let mut rows: Vec<(usize, &ActivityRow)> = self
            .restores
            .log
            .iter()
            .enumerate()
            .filter(|(_, row)| row.server == server && row.event.contains(wanted))
            .collect();
        if asked("sort") == Some("-timestamp") {
            rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.logged_at.as_second()));
        }
        let per_page = parameter(&request.query, "per_page")
            .and_then(|asked| asked.parse::<u64>().ok())
            .unwrap_or(25)
            .clamp(1, 100);
        let page = Page::cut(&rows, per_page, page_number(&request.query));
        let objects = page.rows.iter();
        let objects: Vec<Value> = objects
            .map(|(number, row)| self.activity(*number, row))
            .collect();
        let url = format!("{}{}?", self.panel_url, request.path);
        Ok(words::json_reply(&json!({
            "object": "list",
            "data": objects,
            "meta": {"pagination": page.meta(&url)},
        })))
    }

    fn activity(&self, number: usize, row: &ActivityRow) -> Value {
        let at = row.logged_at.to_zoned(self.offset.to_time_zone());
        let mut attributes = json!({
            "batch": null,
            "event": row.event,
            "is_api": false,
            "ip": "127.0.0.1",
            "description": null,
            "properties": row.properties,
            "has_additional_metadata": false,
            "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        });
        if let (LogIds::Given, Some(attributes)) =
            (self.restores.rules.log_ids, attributes.as_object_mut())
        {
            attributes.insert("id".to_owned(), json!(format!("{number:040x}")));
        }
        json!({"object": "activity_log", "attributes": attributes})
    }
}
