//! The panel's client API.

use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::fault::Call;
use super::fault::HostCall;
use super::hosts;
use super::listing::page_number;
use super::log::Request;
use super::objects;
use super::refusal::Format;
use super::refusal::Refusal;
use super::reply::Reply;
use super::rows::Access;
use super::rows::Disk;
use super::rows::Locks;
use super::rows::ServerRow;
use super::rows::Stage;
use super::state::Dialect;
use super::state::NodeState;
use super::state::Role;
use super::state::Service;
use super::state::Standing;
use super::state::State;
use super::words;

/// What a request asks for, once its ids are known to be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    Servers,
    Server(ServerId),
    Backups(ServerId),
    Create(ServerId),
    Backup(ServerId, BackupId),
    Link(ServerId, BackupId),
    Delete(ServerId, BackupId),
    Lock(ServerId, BackupId),
    Restore(ServerId, BackupId),
    Activity(ServerId),
    /// Documented dialect only.
    Unlock(ServerId, BackupId),
    Account,
    Host(ServerId, HostCall),
}

impl Route {
    const fn server(self) -> Option<ServerId> {
        match self {
            Self::Servers | Self::Account => None,
            Self::Server(server)
            | Self::Backups(server)
            | Self::Create(server)
            | Self::Backup(server, _)
            | Self::Link(server, _)
            | Self::Delete(server, _)
            | Self::Lock(server, _)
            | Self::Restore(server, _)
            | Self::Activity(server)
            | Self::Unlock(server, _)
            | Self::Host(server, _) => Some(server),
        }
    }

    const fn permission(self) -> Option<&'static str> {
        match self {
            Self::Servers | Self::Server(_) | Self::Account => None,
            Self::Host(_, call) => Some(hosts::permission(call)),
            Self::Backups(_) | Self::Backup(..) => Some("backup.read"),
            Self::Create(_) => Some("backup.create"),
            Self::Restore(..) => Some("backup.restore"),
            Self::Activity(_) => Some("activity.read"),
            Self::Link(..) => Some("backup.download"),
            Self::Delete(..) | Self::Lock(..) | Self::Unlock(..) => Some("backup.delete"),
        }
    }
}

impl State {
    /// The kind of call a request is, for faults and actions; `None` where there is no such thing.
    pub(super) fn call(&self, request: &Request) -> Option<Call> {
        let page = page_number(&request.query);
        Some(match self.route(request).ok()? {
            Route::Servers => Call::ServersPage(page),
            Route::Server(server) => Call::Server(server),
            Route::Backups(server) => Call::BackupsPage(server, page),
            Route::Create(server) => Call::Create(server),
            Route::Restore(_, backup) => Call::Restore(backup),
            Route::Activity(server) => Call::Activity(server),
            Route::Link(_, backup) => Call::Link(backup),
            Route::Lock(_, backup) | Route::Unlock(_, backup) => Call::Lock(backup),
            Route::Backup(_, backup) | Route::Delete(_, backup) => Call::Backup(backup),
            Route::Account => return None,
            Route::Host(server, call) => Call::Host(server, call),
        })
    }

    /// The panel's answer to a request.
    pub(super) fn answer_api(&mut self, request: &Request) -> Reply {
        if !request.path.starts_with("/api") {
            return words::page(200, "Panel");
        }
        let format = Format::wanted(request.header("accept"));
        let panel_url = self.panel_url.clone();
        let dialect = self.dialect;
        let in_words = |refusal: Refusal| refusal.reply(dialect, format, &panel_url);
        let route = match self.admit(request) {
            Ok(route) => route,
            Err(refusal) => return in_words(refusal),
        };
        // From here on the answer counts and says so, whatever it is.
        let (remaining, wait_s) = self.count_request();
        let reply = match wait_s {
            Some(wait_s) => {
                let reset = Self::now().as_second() + i64::try_from(wait_s).unwrap_or(i64::MAX);
                in_words(Refusal::too_many_attempts(wait_s)).header("x-ratelimit-reset", reset)
            }
            None => match self.carry_out(route, request) {
                Ok(reply) => reply,
                Err(refusal) => in_words(refusal),
            },
        };
        // Pulls are counted by a limit of their own, and say so.
        let (limit, remaining) = if let Route::Host(server, HostCall::Pull) = route {
            self.hosts.pulls_left(server)
        } else {
            (self.rate.limit, remaining)
        };
        reply
            .header("cache-control", "no-cache, private")
            .header("x-ratelimit-limit", limit)
            .header("x-ratelimit-remaining", remaining)
    }

    /// Everything that is refused before the rate limit counts.
    fn admit(&self, request: &Request) -> Result<Route, Refusal> {
        match self.service {
            Service::Open => {}
            Service::Maintenance => return Err(Refusal::maintenance()),
            Service::DatabaseDown => return Err(Refusal::query()),
        }
        self.authenticate(request)?;
        match self.standing {
            Standing::Fine => {}
            Standing::WrongAddress => return Err(Refusal::address()),
            Standing::NoSecondFactor => return Err(Refusal::two_factor()),
        }
        self.route(request)
    }

    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let key = request
            .header("authorization")
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if key.starts_with("ptla_") || key.starts_with("papp_") {
            return Err(Refusal::application_key());
        }
        if key == self.key {
            Ok(())
        } else {
            Err(Refusal::unauthenticated())
        }
    }

    fn route(&self, request: &Request) -> Result<Route, Refusal> {
        let path = request.path.as_str();
        let method = match request.method.as_str() {
            "HEAD" => "GET",
            method => method,
        };
        let no_route = || Refusal::no_route(path);
        let rest = path.strip_prefix("/api/client").ok_or_else(no_route)?;
        let segments: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let refused = |supported| Err(Refusal::method(&request.method, path, supported));
        match *segments.as_slice() {
            [] if method == "GET" => Ok(Route::Servers),
            ["account"] if method == "GET" => Ok(Route::Account),
            ["servers", server, ref rest @ ..] if hosts::call(method, rest).is_some() => {
                let server = self.bind_server(server)?;
                let call = hosts::call(method, rest).ok_or_else(no_route)?;
                Ok(Route::Host(server, call))
            }
            ["servers", server] if method == "GET" => Ok(Route::Server(self.bind_server(server)?)),
            [] | ["servers", _] => refused("GET, HEAD"),
            ["servers", server, "backups"] => match method {
                "GET" => Ok(Route::Backups(self.bind_server(server)?)),
                "POST" => Ok(Route::Create(self.bind_server(server)?)),
                _ => refused("GET, HEAD, POST"),
            },
            ["servers", server, "backups", backup] => match method {
                "GET" => self.bind(server, backup).map(|(s, b)| Route::Backup(s, b)),
                "DELETE" => self.bind(server, backup).map(|(s, b)| Route::Delete(s, b)),
                _ => refused("GET, HEAD, DELETE"),
            },
            ["servers", server, "backups", backup, "download"] => match method {
                "GET" => self.bind(server, backup).map(|(s, b)| Route::Link(s, b)),
                _ => refused("GET, HEAD"),
            },
            ["servers", server, "backups", backup, "lock"] => match method {
                "POST" => self.bind(server, backup).map(|(s, b)| Route::Lock(s, b)),
                _ => refused("POST"),
            },
            ["servers", server, "backups", backup, "restore"] => match method {
                "POST" => self.bind(server, backup).map(|(s, b)| Route::Restore(s, b)),
                _ => refused("POST"),
            },
            ["servers", server, "activity"] if method == "GET" => {
                Ok(Route::Activity(self.bind_server(server)?))
            }
            ["servers", server, "backups", backup, "unlock"]
                if self.dialect == Dialect::Documented && method == "POST" =>
            {
                self.bind(server, backup).map(|(s, b)| Route::Unlock(s, b))
            }
            _ => Err(no_route()),
        }
    }

    fn bind_server(&self, named: &str) -> Result<ServerId, Refusal> {
        self.servers
            .iter()
            .find(|row| {
                named == row.wire_uuid
                    || named == objects::short_identifier(row)
                    || named == objects::long_identifier(row)
            })
            .map(|row| row.id)
            .ok_or_else(Refusal::unknown)
    }

    fn bind(&self, server: &str, backup: &str) -> Result<(ServerId, BackupId), Refusal> {
        let server = self.bind_server(server)?;
        self.backups
            .iter()
            .find(|row| row.server == server && row.wire_uuid == backup)
            .map(|row| (server, row.id))
            .ok_or_else(Refusal::unknown)
    }

    /// Counts one request; says how many are left and, when there were none, how long to wait.
    fn count_request(&mut self) -> (u64, Option<u64>) {
        let now = Instant::now();
        let rate = &mut self.rate;
        let began = match rate.began {
            Some(began) if now < began + rate.window => began,
            Some(_) | None => {
                rate.used = 0;
                now
            }
        };
        rate.began = Some(began);
        if rate.used >= rate.limit {
            let wait = (began + rate.window).saturating_duration_since(now);
            return (0, Some(wait.as_secs().max(1)));
        }
        rate.used += 1;
        (rate.limit - rate.used, None)
    }

    /// The gates that every call to a server passes, then the call itself.
    fn carry_out(&mut self, route: Route, request: &Request) -> Result<Reply, Refusal> {
        if let Some(server) = route.server().and_then(|id| self.server(id)) {
            self.let_in(server, route)?;
        }
        match route {
            Route::Servers => self.list_servers(request),
            Route::Server(server) => {
                let row = self.server(server).ok_or_else(Refusal::unknown)?;
                let mut body = objects::server(row, self.role, self.identifiers, &request.query);
                if let Some(body) = body.as_object_mut() {
                    let permissions = match &row.access {
                        Access::Subuser(permissions) if self.role == Role::User => {
                            json!(permissions)
                        }
                        Access::Owner | Access::Subuser(_) | Access::Stranger => json!(["*"]),
                    };
                    let meta = json!({
                        "is_server_owner": row.access == Access::Owner,
                        "user_permissions": permissions,
                    });
                    body.insert("meta".to_owned(), meta);
                }
                Ok(words::json_reply(&body))
            }
            Route::Account => Ok(words::json_reply(&json!({
                "object": "user",
                "attributes": {"id": 2, "admin": false, "username": hosts::USER,
                    "email": "alice@example.test", "first_name": "Alice", "last_name": "Owner",
                    "language": "en"},
            }))),
            Route::Host(server, call) => self.host(server, call, request),
            Route::Backups(server) => self.list_backups(server, request),
            Route::Backup(_, backup) => self.show_backup(backup),
            Route::Link(_, backup) => self.give_link(backup),
            Route::Create(server) => self.create_backup(server, request),
            Route::Restore(server, backup) => self.begin_restore(server, backup, request),
            Route::Activity(server) => self.list_activity(server, request),
            Route::Delete(_, backup) => {
                let row = self.backup(backup).ok_or_else(Refusal::unknown)?;
                if row.is_locked && row.stage == Stage::Completed {
                    return Err(Refusal::locked());
                }
                if self.node == NodeState::Down && row.disk == Disk::Node {
                    return Err(Refusal::node_away(self.dialect));
                }
                self.delete_backup(backup);
                Ok(Reply::empty(204))
            }
            Route::Lock(_, backup) => {
                let locks = self.locks;
                let row = self.backup_mut(backup).ok_or_else(Refusal::unknown)?;
                row.is_locked = match locks {
                    Locks::Toggle => !row.is_locked,
                    Locks::On => true,
                    Locks::Stuck => row.is_locked,
                };
                self.after_lock(backup)
            }
            Route::Unlock(_, backup) => {
                let row = self.backup_mut(backup).ok_or_else(Refusal::unknown)?;
                row.is_locked = false;
                self.after_lock(backup)
            }
        }
    }

    fn after_lock(&mut self, backup: BackupId) -> Result<Reply, Refusal> {
        match self.dialect {
            Dialect::Pterodactyl | Dialect::Pelican => self.show_backup(backup),
            Dialect::Documented => Ok(Reply::empty(204)),
        }
    }

    fn let_in(&self, server: &ServerRow, route: Route) -> Result<(), Refusal> {
        if server.access == Access::Stranger && self.role == Role::User {
            return Err(Refusal::stranger());
        }
        let Some(permission) = route.permission() else {
            return Ok(());
        };
        if let Some(refusal) = Refusal::condition(server.condition) {
            return Err(refusal);
        }
        match &server.access {
            Access::Subuser(permissions)
                if self.role == Role::User && !permissions.iter().any(|one| one == permission) =>
            {
                Err(Refusal::permission())
            }
            Access::Owner | Access::Subuser(_) | Access::Stranger => Ok(()),
        }
    }

    fn show_backup(&mut self, backup: BackupId) -> Result<Reply, Refusal> {
        let (dialect, offset) = (self.dialect, self.offset);
        let row = self.backup_mut(backup).ok_or_else(Refusal::unknown)?;
        Ok(words::json_reply(&objects::backup(
            row.read(),
            dialect,
            offset,
        )))
    }

    fn create_backup(&mut self, server: ServerId, request: &Request) -> Result<Reply, Refusal> {
        let body: Value = match request.body.trim() {
            "" => json!({}),
            text => serde_json::from_str(text).map_err(|_not_json| Refusal::bad_json())?,
        };
        let name = body.get("name").and_then(Value::as_str);
        if name.is_some_and(|name| name.chars().count() > 191) {
            return Err(Refusal::long_name());
        }
        let now = Instant::now();
        let span = self.throttle.span;
        let recent: Vec<Instant> = self
            .throttle
            .made
            .iter()
            .filter(|(whose, at)| *whose == server && now < *at + span)
            .map(|(_, at)| *at)
            .collect();
        if recent.len() >= self.throttle.count {
            let free = recent.first().map_or(now, |at| *at + span);
            let wait_s = free.saturating_duration_since(now).as_secs().max(1);
            let count = self.throttle.count;
            return Err(Refusal::too_many_creations(count, span.as_secs(), wait_s));
        }
        let limit = self.server(server).map_or(0, |row| row.backup_limit);
        let held = self
            .backups
            .iter()
            .filter(|row| row.server == server && row.stage != Stage::Failed)
            .count();
        if held as u64 >= limit {
            return Err(Refusal::backup_limit(limit));
        }
        if self.node == NodeState::Down {
            return Err(Refusal::node_down());
        }
        let name = name.map_or_else(
            || format!("Backup at {}", Self::now().strftime("%Y-%m-%d %H:%M:%S")),
            str::to_owned,
        );
        let ignored = body.get("ignored").and_then(Value::as_str);
        // Without the permission to delete, the wish to lock is ignored without a word.
        let may_lock = self.server(server).is_some_and(|row| match &row.access {
            Access::Subuser(permissions) if self.role == Role::User => {
                permissions.iter().any(|one| one == "backup.delete")
            }
            Access::Owner | Access::Subuser(_) | Access::Stranger => true,
        });
        let is_locked = body
            .get("is_locked")
            .and_then(Value::as_bool)
            .filter(|_| may_lock);
        let (dialect, offset) = (self.dialect, self.offset);
        let row = self.create(server, &name);
        row.ignored_files = ignored
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        row.is_locked = is_locked.unwrap_or_default();
        Ok(words::json_reply(&objects::backup(row, dialect, offset)))
    }
}
