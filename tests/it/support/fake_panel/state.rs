//! Everything the fake knows; tests change it through [`super::FakePanel`], before or during a run.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::Offset;
use nestegg::env::Clock;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::archive::Archive;
use super::fault;
use super::fault::Call;
use super::fault::Planned;
use super::hosts::Hosts;
use super::log::Request;
use super::log::Site;
use super::reply::Reply;
use super::restores::Restores;
use super::rows::Access;
use super::rows::BackupRow;
use super::rows::Checksum;
use super::rows::Condition;
use super::rows::Disk;
use super::rows::Listing;
use super::rows::Locks;
use super::rows::Origin;
use super::rows::Outlook;
use super::rows::ServerRow;
use super::rows::Stage;
use super::script::Script;

/// Which panel is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Pterodactyl 1.x as recorded: `checksum` of `sha1:`.
    Pterodactyl,
    /// The same with `is_scheduled`.
    Pelican,
    /// What published documentation describes: `sha256_hash`, null states, 25 rows a page, its own codes.
    Documented,
}

/// What the owner of the key is on the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sees what is theirs.
    User,
    /// A root administrator.
    Administrator,
}

/// Whether the panel takes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Fine,
    /// The key is limited to other addresses: 403.
    WrongAddress,
    /// The panel demands a second factor that the account has not: 400.
    NoSecondFactor,
}

/// Whether the panel works at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It does.
    Open,
    /// Its operator has put it into maintenance: 503.
    Maintenance,
    /// Its database is away: 500.
    DatabaseDown,
}

/// How servers are identified in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifiers {
    /// Eight hex digits.
    Short,
    /// `serv_…`, as newer panels can be told to.
    Long,
}

/// Everything the fake knows.
#[derive(Debug)]
pub(super) struct State {
    pub(super) panel_url: String,
    pub(super) node_url: String,
    pub(super) s3_url: String,
    pub(super) key: String,
    pub(super) signing_key: String,
    pub(super) dialect: Dialect,
    pub(super) role: Role,
    pub(super) standing: Standing,
    pub(super) service: Service,
    pub(super) identifiers: Identifiers,
    pub(super) offset: Offset,
    pub(super) rate: RateLimit,
    pub(super) throttle: Throttle,
    pub(super) node: NodeState,
    pub(super) locks: Locks,
    /// How far the clocks of node and S3 disk are ahead of the panel's.
    pub(super) disk_clock_ahead: SignedDuration,
    pub(super) servers: Vec<ServerRow>,
    /// In row order.
    pub(super) backups: Vec<BackupRow>,
    pub(super) links: BTreeMap<String, Link>,
    pub(super) faults: Vec<Planned>,
    pub(super) actions: Vec<Action>,
    pub(super) bystander: Option<Bystander>,
    pub(super) creations: VecDeque<NewBackup>,
    pub(super) requests: Vec<Request>,
    /// What every server's files and power are.
    pub(super) hosts: Hosts,
    /// The panel's own restores, and the log of activity.
    pub(super) restores: Restores,
    started_at: Timestamp,
    next_number: u64,
}

/// The panel's own limit on requests: a fixed window, as its framework counts.
#[derive(Debug)]
pub(super) struct RateLimit {
    pub(super) limit: u64,
    pub(super) window: Duration,
    pub(super) used: u64,
    pub(super) began: Option<Instant>,
}

/// How many backups may be asked for in a span of time, per server.
#[derive(Debug)]
pub(super) struct Throttle {
    pub(super) count: usize,
    pub(super) span: Duration,
    pub(super) made: Vec<(ServerId, Instant)>,
}

/// Whether the node can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeState {
    Up,
    Down,
}

/// A link that was given out.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) backup: BackupId,
    pub(super) expires_at: Timestamp,
    pub(super) life: Life,
}

/// What is left of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Fresh,
    Used,
    Expired,
}

/// What becomes of the next backup that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewBackup {
    /// How many reads of its row show it in progress.
    pub reads_in_progress: u32,
    /// The archive it ends with; without one it fails.
    pub archive: Option<Archive>,
}

/// Something that happens right before a call is answered.
pub(super) struct Action {
    pub(super) call: Call,
    pub(super) act: Box<dyn FnOnce(&Script) + Send>,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Action")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

/// Somebody who does something at the panel right before every request is answered.
#[derive(Clone)]
pub(super) struct Bystander(Arc<Mutex<Act>>);

type Act = dyn FnMut(&Script, &Request) + Send;

impl Bystander {
    pub(super) fn new(act: impl FnMut(&Script, &Request) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(act)))
    }

    pub(super) fn acts(&self) -> MutexGuard<'_, Act> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bystander {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bystander").finish_non_exhaustive()
    }
}

/// An id that nobody has yet.
fn fresh<T: FromStr>() -> T {
    loop {
        if let Ok(id) = Uuid::new_v4().to_string().parse() {
            return id;
        }
    }
}

/// Sixteen hex digits and more, unlike any other's.
fn random_letters() -> String {
    Uuid::new_v4().simple().to_string()
}

impl State {
    pub(super) fn new() -> Self {
        let key: String = format!("ptlc_{}{}", random_letters(), random_letters());
        Self {
            panel_url: String::new(),
            node_url: String::new(),
            s3_url: String::new(),
            key: key.chars().take(48).collect(),
            signing_key: random_letters(),
            dialect: Dialect::Pterodactyl,
            role: Role::User,
            standing: Standing::Fine,
            service: Service::Open,
            identifiers: Identifiers::Short,
            offset: Offset::UTC,
            rate: RateLimit {
                limit: 720,
                window: Duration::from_mins(1),
                used: 0,
                began: None,
            },
            throttle: Throttle {
                count: 2,
                span: Duration::from_mins(10),
                made: Vec::new(),
            },
            node: NodeState::Up,
            locks: Locks::Toggle,
            disk_clock_ahead: SignedDuration::ZERO,
            servers: Vec::new(),
            backups: Vec::new(),
            links: BTreeMap::new(),
            faults: Vec::new(),
            actions: Vec::new(),
            bystander: None,
            creations: VecDeque::new(),
            requests: Vec::new(),
            hosts: Hosts::default(),
            restores: Restores::default(),
            started_at: Self::now(),
            next_number: 0,
        }
    }

    pub(super) fn now() -> Timestamp {
        Clock::System.now()
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    pub(super) fn add_server(&mut self, name: &str) -> ServerId {
        let id: ServerId = fresh();
        let number = self.number();
        self.servers.push(ServerRow {
            id,
            wire_uuid: id.to_string(),
            number,
            name: name.to_owned(),
            description: format!("{name} for friends"),
            node: "node-one".to_owned(),
            invocation: "java -Xms128M -XX:MaxRAMPercentage=95.0 -jar server.jar".to_owned(),
            image: "ghcr.io/pterodactyl/yolks:java_21".to_owned(),
            variables: vec![
                (
                    "Minecraft Version".to_owned(),
                    "MINECRAFT_VERSION".to_owned(),
                    "latest".to_owned(),
                ),
                (
                    "Remote Console Password".to_owned(),
                    "RCON_PASSWORD".to_owned(),
                    format!("rcon-{}", random_letters()),
                ),
            ],
            access: Access::Owner,
            condition: Condition::Ready,
            backup_limit: 200,
            listing: Listing::Ordinary,
            disk_mib: 10240,
            sftp: ("127.0.0.1".to_owned(), 2022),
        });
        id
    }

    /// A completed backup; each is asked for a second after the one before, half a day before the panel was started.
    pub(super) fn add_backup(
        &mut self,
        server: ServerId,
        name: &str,
        archive: Archive,
    ) -> BackupId {
        let number = self.number();
        let seconds = i64::try_from(number).unwrap_or(i64::MAX);
        let created_at =
            self.started_at - SignedDuration::from_hours(12) + SignedDuration::from_secs(seconds);
        let mut row = Self::new_row(server, name, created_at);
        row.complete(archive);
        let id = row.id;
        self.backups.push(row);
        id
    }

    /// A backup that somebody asks for now.
    pub(super) fn create(&mut self, server: ServerId, name: &str) -> &mut BackupRow {
        let plan = self.creations.pop_front().unwrap_or(NewBackup {
            reads_in_progress: 1,
            archive: Some(Archive::small(self.next_number)),
        });
        let mut row = Self::new_row(server, name, Self::now());
        row.outlook = Some(Outlook {
            reads_left: plan.reads_in_progress,
            archive: plan.archive,
        });
        self.throttle.made.push((server, Instant::now()));
        self.backups.push_mut(row)
    }

    fn new_row(server: ServerId, name: &str, created_at: Timestamp) -> BackupRow {
        let id: BackupId = fresh();
        BackupRow {
            id,
            server,
            wire_uuid: id.to_string(),
            name: name.to_owned(),
            ignored_files: Vec::new(),
            stage: Stage::InProgress,
            is_locked: false,
            origin: Origin::Asked,
            checksum: Checksum::Verbatim(serde_json::Value::Null),
            bytes: 0,
            created_at,
            completed_at: created_at + SignedDuration::from_secs(41),
            disk: Disk::Node,
            archive: None,
            outlook: None,
        }
    }

    /// A schedule asks for a backup, which is whole at once. At the server's limit the oldest unlocked one that has
    /// not failed is deleted for it; when all are locked there is none (`panel-contract.md` section 5).
    pub(super) fn schedule(&mut self, server: ServerId, archive: Archive) -> Option<BackupId> {
        let limit = self.server(server)?.backup_limit;
        let standing = |row: &&BackupRow| row.server == server && row.stage != Stage::Failed;
        if self.backups.iter().filter(standing).count() as u64 >= limit {
            let oldest = self
                .backups
                .iter()
                .filter(standing)
                .filter(|row| !row.is_locked)
                .min_by_key(|row| row.created_at)
                .map(|row| row.id)
                .filter(|_some| limit > 0)?;
            self.delete_backup(oldest);
        }
        let id = self.add_backup(server, "scheduled", archive);
        if let Some(row) = self.backup_mut(id) {
            row.origin = Origin::Scheduled;
            row.created_at = Self::now();
            row.completed_at = row.created_at;
        }
        Some(id)
    }

    pub(super) fn server(&self, id: ServerId) -> Option<&ServerRow> {
        self.servers.iter().find(|row| row.id == id)
    }

    pub(super) fn server_mut(&mut self, id: ServerId) -> Option<&mut ServerRow> {
        self.servers.iter_mut().find(|row| row.id == id)
    }

    pub(super) fn backup(&self, id: BackupId) -> Option<&BackupRow> {
        self.backups.iter().find(|row| row.id == id)
    }

    pub(super) fn backup_mut(&mut self, id: BackupId) -> Option<&mut BackupRow> {
        self.backups.iter_mut().find(|row| row.id == id)
    }

    /// The row goes; panels take the archive with it.
    pub(super) fn delete_backup(&mut self, id: BackupId) {
        self.backups.retain(|row| row.id != id);
    }

    /// Records a request; says at which place, what kind of call it is, and what is planned to happen before it.
    pub(super) fn arrive(&mut self, request: &Request) -> (usize, Option<Call>, Vec<Action>) {
        let call = match request.site {
            Site::Panel => self.call(request),
            Site::Node if request.path == "/upload/file" => self.upload_of(request),
            Site::Node | Site::S3 => self.download(request),
        };
        let place = self.requests.len();
        self.requests.push(request.clone());
        let (due, later) = std::mem::take(&mut self.actions)
            .into_iter()
            .partition(|action| call.is_some_and(|call| action.call.covers(call)));
        self.actions = later;
        (place, call, due)
    }

    /// Answers a request, rightly or as a fault wants it, and notes the status.
    pub(super) fn answer(&mut self, request: &Request, call: Option<Call>, place: usize) -> Reply {
        let fault = call.and_then(|call| fault::take(&mut self.faults, call));
        let mut reply = match request.site {
            Site::Panel => fault
                .as_ref()
                .and_then(|fault| self.api_instead(fault, request))
                .unwrap_or_else(|| self.answer_api(request)),
            Site::Node => self.answer_node(request, fault.as_ref()),
            Site::S3 => self.answer_s3(request, fault.as_ref()),
        };
        if let Some(fault) = &fault {
            reply.spoil(fault);
        }
        if let Some(known) = self.requests.get_mut(place) {
            known.answered = reply.is_answered().then(|| reply.status());
        }
        reply
    }

    /// A node that was started again takes every token once more.
    pub(super) fn forget_uses(&mut self) {
        for link in self.links.values_mut() {
            if link.life == Life::Used {
                link.life = Life::Fresh;
            }
        }
    }

    /// Whether a link is too old by the clock of the disk that it is shown to.
    pub(super) fn is_expired(&self, link: &Link) -> bool {
        link.life == Life::Expired || link.expires_at <= Self::now() + self.disk_clock_ahead
    }
}
