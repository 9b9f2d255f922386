//! Answers of a real panel, parsed: every file of `fixtures/panel` is served byte for byte to the
//! panel client, and every one has an expectation.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nestegg::model::backup::Backup;
use nestegg::model::checksum::PanelChecksum;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::secret::Secret;
use nestegg::model::server::Allocation;
use nestegg::model::server::Egg;
use nestegg::model::server::Passport;
use nestegg::model::server::Server;
use nestegg::model::server::ServerScope;
use nestegg::model::server::ServerState;
use nestegg::model::server::Variable;
use nestegg::panel::Error;
use nestegg::panel::ListingTrust;
use nestegg::panel::NewBackup;
use nestegg::panel::PanelClient;
use nestegg::panel::PanelEndpoint;
use nestegg::panel::PanelTuning;
use nestegg::panel::Truncate;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use url::Url;

const SERVER: &str = "a1fa0000-1111-4111-8111-00000000000a";
const BACKUP: &str = "6fdff738-bf44-4933-824f-489198dda9e6";

/// One recorded answer.
#[derive(Clone)]
pub(crate) struct Recording {
    name: String,
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/panel")
}

pub(crate) fn recording(name: &str) -> Recording {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Recording {
        name: name.to_owned(),
        status,
        head,
        body: bytes[end + 4..].to_vec(),
    }
}

/// All of them, subfolders included.
fn recordings() -> Vec<Recording> {
    fn collect(below: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "http") {
                let name = path.strip_prefix(folder()).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    let mut names = Vec::new();
    collect(&folder(), &mut names);
    names.sort();
    assert!(names.len() > 150, "the fixtures are gone: {}", names.len());
    names.iter().map(|name| recording(name)).collect()
}

impl Recording {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The answer as it goes over the wire: only how its end is told differs.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut head = String::new();
        for line in self.head.split("\r\n") {
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            if !["transfer-encoding", "content-length", "connection"].contains(&name.as_str()) {
                write!(head, "{line}\r\n").unwrap();
            }
        }
        write!(
            head,
            "Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.body.len()
        )
        .unwrap();
        [head.as_bytes(), &self.body].concat()
    }

    /// The uuid of the one object in it.
    pub(crate) fn uuid(&self) -> BackupId {
        let json = self.json();
        json["attributes"]["uuid"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    fn holds(&self) -> Holds {
        let json = self.json();
        let rows = json["data"].as_array();
        match (self.status, json["object"].as_str()) {
            (200, Some("list")) => match rows.and_then(|rows| rows.first()) {
                Some(row) if row["object"] == "server" => Holds::Servers,
                None if self.name.starts_with("servers") => Holds::Servers,
                _ => Holds::Backups,
            },
            (200, Some("server")) => Holds::Server,
            (200, Some("backup")) => Holds::Backup,
            (200, Some("signed_url")) => Holds::Link,
            (204, None) => Holds::Nothing,
            (status, None) if status >= 300 => Holds::Error,
            (status, object) => panic!("{}: what is {status} with {object:?}?", self.name),
        }
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Holds {
    Servers,
    Server,
    Backups,
    Backup,
    Link,
    Nothing,
    Error,
}

/// A panel on loopback that answers what it is told to.
pub(crate) struct Playback {
    pub(crate) client: PanelClient,
    task: JoinHandle<()>,
}

impl Drop for Playback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Playback {
    /// Answers each request by its path and query.
    pub(crate) async fn of(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let answer = Arc::clone(&answer);
                tokio::spawn(async move { answer_one(connection, &*answer).await });
            }
        });
        let endpoint = PanelEndpoint {
            name: "main".parse().unwrap(),
            base_url: Url::parse(&format!("http://{address}/")).unwrap(),
            key: Secret::new("ptlc_recorded"),
        };
        let tuning = PanelTuning {
            connect_timeout: Duration::from_mins(1),
            request_timeout: Duration::from_mins(1),
            attempts: 1,
            first_wait: Duration::from_millis(1),
            max_wait: Duration::from_millis(1),
            window: Duration::from_millis(20),
        };
        let client = PanelClient::new(endpoint, tuning).unwrap();
        Self { client, task }
    }

    pub(crate) async fn one(recording: &Recording) -> Self {
        let wire = recording.wire();
        Self::of(move |_| wire.clone()).await
    }
}

/// Reads one request whole, so that closing does not reset the connection, and answers it.
async fn answer_one(mut connection: TcpStream, answer: &(impl Fn(&str) -> Vec<u8> + Sync)) {
    let mut request = Vec::new();
    let head_end = loop {
        if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        if connection.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let head = String::from_utf8_lossy(&request[..head_end]).to_lowercase();
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    while request.len() < head_end + length {
        if connection.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let target = head.split(' ').nth(1).unwrap();
    if connection.write_all(&answer(target)).await.is_ok() {
        connection.shutdown().await.ok();
    }
}

pub(crate) fn server_id() -> ServerId {
    SERVER.parse().unwrap()
}

fn uuids(json: &Value) -> Vec<String> {
    json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["attributes"]["uuid"].as_str().unwrap().to_owned())
        .collect()
}

/// What must be trusted when one page is all that the panel ever answers.
fn trust(json: &Value) -> ListingTrust {
    let rows = u64::try_from(json["data"].as_array().unwrap().len()).unwrap();
    if json["meta"]["pagination"]["total"] == rows {
        ListingTrust::Whole
    } else {
        ListingTrust::Shifting
    }
}

/// The state by the contract's rule, straight from the JSON.
fn state(row: &Value) -> &'static str {
    match (&row["completed_at"], &row["is_successful"]) {
        (Value::Null, _) => "pending",
        (_, Value::Bool(true)) => "completed",
        (_, _) => "failed",
    }
}

fn state_of(backup: &Backup) -> &'static str {
    match backup {
        Backup::Pending(_) => "pending",
        Backup::Failed(_) => "failed",
        Backup::Completed(_) => "completed",
    }
}

#[tokio::test]
async fn every_recorded_list_of_backups_is_read_row_by_row() {
    let mut files = 0;
    for recording in recordings().iter().filter(|r| r.holds() == Holds::Backups) {
        let panel = Playback::one(recording).await;
        let listing = panel.client.backups(&server_id()).await.unwrap();
        let json = recording.json();
        let read: Vec<_> = listing
            .backups
            .iter()
            .map(|backup| (backup.record().id.to_string(), state_of(backup)))
            .collect();
        let states = json["data"].as_array().unwrap().iter();
        let written: Vec<_> = uuids(&json)
            .into_iter()
            .zip(states.map(|row| state(&row["attributes"])))
            .collect();
        assert_eq!(read, written, "{}", recording.name);
        assert_eq!(listing.unreadable, [], "{}", recording.name);
        assert_eq!(listing.trust, trust(&json), "{}", recording.name);
        files += 1;
    }
    assert_eq!(files, 31);
}

#[tokio::test]
async fn every_recorded_list_of_servers_is_read_row_by_row() {
    let mut files = 0;
    for recording in recordings().iter().filter(|r| r.holds() == Holds::Servers) {
        let panel = Playback::one(recording).await;
        let listing = panel
            .client
            .server_listing(ServerScope::Mine)
            .await
            .unwrap();
        let json = recording.json();
        let read: Vec<_> = listing
            .servers
            .iter()
            .map(|server| server.id.to_string())
            .collect();
        assert_eq!(read, uuids(&json), "{}", recording.name);
        assert_eq!(listing.unreadable, [], "{}", recording.name);
        assert_eq!(listing.trust, trust(&json), "{}", recording.name);
        for server in listing.servers {
            assert_eq!(server.passport.allocations.len(), 1, "{}", recording.name);
            assert_eq!(server.passport.limits["memory"], 1024, "{}", recording.name);
        }
        files += 1;
    }
    assert_eq!(files, 10);
}

#[tokio::test]
async fn every_recorded_backup_is_read() {
    let mut files = 0;
    for recording in recordings().iter().filter(|r| r.holds() == Holds::Backup) {
        let attributes = recording.json()["attributes"].clone();
        let id: BackupId = attributes["uuid"].as_str().unwrap().parse().unwrap();
        let panel = Playback::one(recording).await;
        let read = panel.client.backup(&server_id(), &id).await.unwrap();
        assert_eq!(state_of(&read), state(&attributes), "{}", recording.name);
        assert_eq!(read.record().name, attributes["name"], "{}", recording.name);
        assert_eq!(
            read.record().is_locked,
            attributes["is_locked"],
            "{}",
            recording.name
        );
        let created = panel
            .client
            .create_backup(&server_id(), &NewBackup::named(Some("x".to_owned())))
            .await
            .unwrap();
        assert_eq!(created, read, "{}", recording.name);
        if let Backup::Completed(backup) = read {
            assert_eq!(
                backup.archive_bytes, attributes["bytes"],
                "{}",
                recording.name
            );
            let shown = match backup.checksum {
                PanelChecksum::Digest(digest) => Value::from(digest.to_string()),
                PanelChecksum::Absent => Value::Null,
                odd @ (PanelChecksum::Opaque { .. } | PanelChecksum::Malformed(_)) => {
                    panic!("{odd:?}")
                }
            };
            assert_eq!(shown, attributes["checksum"], "{}", recording.name);
        }
        files += 1;
    }
    assert_eq!(files, 22);
}

#[tokio::test]
async fn every_recorded_server_is_read_in_its_state() {
    let states: BTreeMap<&str, ServerState> = [
        (
            "restore-server-while-restoring.http",
            ServerState::Restoring,
        ),
        ("state-installfailed-server.http", ServerState::Installing),
        ("state-installing-server.http", ServerState::Installing),
        (
            "state-maintenance-server.http",
            ServerState::NodeMaintenance,
        ),
        ("state-restoring-server.http", ServerState::Restoring),
        ("state-suspended-server.http", ServerState::Suspended),
    ]
    .into();
    let mut files = 0;
    for recording in recordings().iter().filter(|r| r.holds() == Holds::Server) {
        let attributes = recording.json()["attributes"].clone();
        let panel = Playback::one(recording).await;
        let short = attributes["identifier"].as_str().unwrap();
        let server = panel.client.server(short).await.unwrap();
        let by_uuid = panel
            .client
            .server(attributes["uuid"].as_str().unwrap())
            .await;
        assert_eq!(by_uuid.unwrap(), server, "{}", recording.name);
        let expected = states.get(recording.name.as_str()).copied();
        assert_eq!(
            server.state,
            expected.unwrap_or(ServerState::Ready),
            "{}",
            recording.name
        );
        assert_eq!(server.name, attributes["name"], "{}", recording.name);
        assert_eq!(
            server.id.to_string(),
            attributes["uuid"],
            "{}",
            recording.name
        );
        files += 1;
    }
    assert_eq!(files, 18);
}

#[tokio::test]
async fn every_recorded_link_is_read_and_shown_without_its_query() {
    let mut files = 0;
    for recording in recordings().iter().filter(|r| r.holds() == Holds::Link) {
        let panel = Playback::one(recording).await;
        let link = panel
            .client
            .download_link(&server_id(), &BACKUP.parse().unwrap())
            .await
            .unwrap();
        assert_eq!(
            link.expose().as_str(),
            recording.json()["attributes"]["url"],
            "{}",
            recording.name
        );
        let shown = format!("{link} {link:?}");
        assert!(
            !shown.contains("PLACEHOLDER") && !shown.contains("X-Amz"),
            "{shown}"
        );
        files += 1;
    }
    assert_eq!(files, 17);
}

/// What a recorded error must become: kind, whether to retry, and the words after "could not …: ".
const ERRORS: [(&str, &[&str]); 29] = [
    (
        "Credentials Never the panel does not accept the API key",
        &[
            "auth-401-bad-token.http",
            "auth-401-no-token.http",
            "auth-401-right-identifier-wrong-secret.http",
            "auth-bad-token-accept-capital-vendor.http",
            "auth-bad-token-accept-vendor.http",
            "dev-branch/auth-401-bad-token.http",
        ],
    ),
    (
        "Credentials Never the API key is an application key, and a client key is needed",
        &["auth-403-application-key.http"],
    ),
    (
        "Credentials Never the API key may not be used from this address",
        &["auth-403-key-ip-restricted.http"],
    ),
    (
        "Credentials Never the panel requires two-factor authentication of this account",
        &["auth-400-two-factor-required.http"],
    ),
    (
        "Permission Never the permission `backup.read` is missing",
        &[
            "backup-403-subuser-without-read.http",
            "backups-403-subuser-without-read.http",
            "files-upload-403-subuser.http",
            "lock-403-subuser-without-delete.http",
        ],
    ),
    (
        "Permission Never the permission `backup.delete` is missing",
        &["delete-403-subuser.http"],
    ),
    (
        "Permission Never the permission `backup.restore` is missing",
        &["restore-403-subuser.http"],
    ),
    (
        "Policy Never the backup is locked",
        &["delete-400-locked.http"],
    ),
    (
        "ServerState Never the server is busy with something else, or the backup is not completed",
        &["restore-400-in-progress.http"],
    ),
    (
        "Permission Never the permission `backup.download` is missing",
        &["download-403-subuser-without-download.http"],
    ),
    (
        "NotFound Never the panel has no such backup",
        &[
            "backup-404-not-a-uuid.http",
            "backup-404-of-another-server.http",
            "backup-404-soft-deleted.http",
            "backup-404-unknown.http",
            "delete-404-again.http",
            "dev-branch/backup-404-unknown.http",
            "download-404-backup-of-another-server.http",
            "download-404-soft-deleted.http",
            "download-404-unknown-backup.http",
            "download-404-unknown-server.http",
            "unlock-route-404.http",
        ],
    ),
    (
        "NotFound Never the panel knows no such server, or does not show it to this user",
        &[
            "backups-404-unknown-server.http",
            "backups-404-user-without-access.http",
            "dev-branch/server-404-unknown.http",
            "server-404-numeric-id.http",
            "server-404-of-another-user.http",
            "server-404-unknown.http",
        ],
    ),
    (
        "Protocol Never there is no panel API at this address",
        &["route-404-unknown.http"],
    ),
    (
        "ServerState Never the server is suspended",
        &[
            "dev-branch/state-suspended-backups.http",
            "state-suspended-backup-one.http",
            "state-suspended-backups-as-admin.http",
            "state-suspended-backups.http",
            "state-suspended-download.http",
            "state-suspended-resources.http",
        ],
    ),
    (
        "ServerState Never the server is installing",
        &[
            "state-installfailed-backups.http",
            "state-installing-backup-one.http",
            "state-installing-backups-as-admin.http",
            "state-installing-backups.http",
            "state-installing-download.http",
            "state-installing-resources.http",
        ],
    ),
    (
        "ServerState Never the server is on a node under maintenance",
        &[
            "state-maintenance-backup-one.http",
            "state-maintenance-backups-as-admin.http",
            "state-maintenance-backups.http",
            "state-maintenance-download.http",
            "state-maintenance-resources.http",
        ],
    ),
    (
        "ServerState Never the server is restoring a backup",
        &[
            "restore-again-while-restoring-409.http",
            "restore-backups-while-restoring-409.http",
            "state-restoring-backup-one.http",
            "state-restoring-backups-as-admin.http",
            "state-restoring-backups.http",
            "state-restoring-download.http",
            "state-restoring-resources.http",
        ],
    ),
    (
        "RateLimited After(59s) the panel's rate limit is used up, and wants 59 s of waiting",
        &["ratelimit-6-429.http", "ratelimit-7-429-accept-any.http"],
    ),
    (
        "RateLimited After(299s) the panel's rate limit is used up, and wants 299 s of waiting",
        &["files-pull-429-ten-in-five-minutes.http"],
    ),
    (
        "RateLimited After(599s) the panel limits how often a server is backed up, and wants 599 s of waiting",
        &["create-429-throttled.http"],
    ),
    (
        "Policy Never the server has reached its limit of backups",
        &["create-400-limit-zero.http", "limit-create-when-full.http"],
    ),
    (
        "Protocol Never the panel does not know how to read the backup's disk",
        &["download-400-unknown-disk.http"],
    ),
    (
        "Unreachable Backoff the panel is down for maintenance or overloaded (HTTP 503)",
        &[
            "panel-503-maintenance-accept-any.http",
            "panel-503-maintenance-retry-after.http",
            "panel-503-maintenance.http",
        ],
    ),
    (
        "Unreachable Backoff the panel failed (HTTP 500, QueryException)",
        &[
            "backups-per_page-minus-1.http",
            "panel-500-database-down.http",
        ],
    ),
    (
        "Unreachable Backoff the panel failed (HTTP 502)",
        &["proxy-502-php-down.http"],
    ),
    (
        "Unreachable Backoff the panel could not get it done by the server's node (HTTP 504)",
        &[
            "node-down-create.http",
            "node-down-delete.http",
            "node-down-files-list.http",
            "node-down-resources.http",
            "node-down-restore.http",
        ],
    ),
    (
        "Unreachable Never the panel could not get it done by the server's node (HTTP 404)",
        &["restore-of-a-failed-backup.http"],
    ),
    (
        "Protocol Never the answer is a redirect to http://127.0.0.1:18000/auth/login instead of a panel's API (HTTP 302)",
        &["auth-bad-token-accept-any-redirects.http"],
    ),
    (
        "Protocol Never the answer is a redirect to http://127.0.0.1:18010/auth/login instead of a panel's API (HTTP 302)",
        &["dev-branch/auth-bad-token-accept-any-redirects.http"],
    ),
];

/// Refusals that no call of the client provokes; they keep the panel's words.
const OTHER_REFUSALS: [(&str, &str); 5] = [
    (
        "auth-400-bad-json-body.http",
        "the panel refused (HTTP 400, BadRequestHttpException: The JSON data passed in the request appears to be malformed:…)",
    ),
    (
        "create-422-name-too-long.http",
        "the panel refused (HTTP 422, ValidationException: The name may not be greater than 191 characters.)",
    ),
    (
        "files-pull-422-no-url.http",
        "the panel refused (HTTP 422, ValidationException: The url field is required.)",
    ),
    (
        "route-405-wrong-method.http",
        "the panel refused (HTTP 405, MethodNotAllowedHttpException: The PUT method is not supported for route api/client/servers…)",
    ),
    (
        "restore-422-no-truncate.http",
        "the panel refused (HTTP 422, ValidationException: The truncate field is required.)",
    ),
];

/// Makes the call that the recording answers, or one of the same kind.
async fn call(panel: &Playback, name: &str) -> Error {
    let client = &panel.client;
    let name = name.trim_start_matches("dev-branch/");
    let backup: BackupId = BACKUP.parse().unwrap();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if starts(&[
        "create-",
        "limit-create",
        "node-down-create",
        "auth-400-bad-json",
    ]) {
        client
            .create_backup(&server_id(), &NewBackup::named(None))
            .await
            .map(drop)
    } else if starts(&["download-"]) || name.ends_with("-download.http") {
        client.download_link(&server_id(), &backup).await.map(drop)
    } else if starts(&["auth-", "route-"]) {
        client.server_listing(ServerScope::Mine).await.map(drop)
    } else if starts(&["server-"]) {
        client.server("deadbeef").await.map(drop)
    } else if starts(&["delete-", "node-down-delete"]) {
        client.delete_backup(&server_id(), &backup).await
    } else if starts(&["restore-"]) && !starts(&["restore-backups"])
        || name == "node-down-restore.http"
    {
        client
            .restore_backup(&server_id(), &backup, Truncate::Nothing)
            .await
    } else if starts(&["backup-", "lock-", "unlock-"]) {
        client.backup(&server_id(), &backup).await.map(drop)
    } else {
        client.backups(&server_id()).await.map(drop)
    }
    .expect_err(name)
}

#[tokio::test]
async fn every_recorded_error_has_its_outcome() {
    let mut expected: BTreeMap<String, String> = BTreeMap::new();
    for (outcome, names) in ERRORS {
        for name in names {
            assert_eq!(
                expected.insert((*name).to_owned(), outcome.to_owned()),
                None,
                "{name}"
            );
        }
    }
    for (name, said) in OTHER_REFUSALS {
        expected.insert(name.to_owned(), format!("Protocol Never {said}"));
    }
    let mut seen = BTreeMap::new();
    for recording in recordings().iter().filter(|r| r.holds() == Holds::Error) {
        let panel = Playback::one(recording).await;
        let error = call(&panel, &recording.name).await;
        let text = error.to_string();
        let (_, why) = text.split_once(": ").unwrap();
        assert!(text.starts_with("could not "), "{text}");
        assert!(!error.hint().is_empty(), "{text}");
        seen.insert(
            recording.name.clone(),
            format!("{:?} {:?} {why}", error.kind(), error.retry()),
        );
    }
    for (name, outcome) in &seen {
        assert_eq!(Some(outcome), expected.get(name), "{name}");
    }
    assert!(
        seen.keys().eq(expected.keys()),
        "a table names a file that is gone"
    );
}

#[tokio::test]
async fn every_recorded_deletion_and_restore_that_was_taken_is_a_success() {
    let backup: BackupId = BACKUP.parse().unwrap();
    let (deleted, restored): (Vec<Recording>, Vec<Recording>) = recordings()
        .into_iter()
        .filter(|recording| recording.holds() == Holds::Nothing)
        .partition(|recording| recording.name.starts_with("delete"));
    assert_eq!((deleted.len(), restored.len()), (5, 1));
    for recording in deleted {
        let panel = Playback::one(&recording).await;
        let done = panel.client.delete_backup(&server_id(), &backup).await;
        assert!(done.is_ok(), "{}: {done:?}", recording.name);
    }
    for recording in restored {
        let panel = Playback::one(&recording).await;
        for truncate in [Truncate::Nothing, Truncate::Everything] {
            let done = panel
                .client
                .restore_backup(&server_id(), &backup, truncate)
                .await;
            assert!(done.is_ok(), "{}: {done:?}", recording.name);
        }
    }
}

/// A panel whose pages are recordings, by number; past the end it gives the last.
async fn paged(names: &'static [&'static str]) -> Playback {
    let pages: Vec<_> = names.iter().map(|name| recording(name).wire()).collect();
    Playback::of(move |target| {
        let url = Url::parse("http://panel").unwrap().join(target).unwrap();
        let page = url.query_pairs().find(|(key, _)| key == "page");
        let number: usize = page.unwrap().1.parse().unwrap();
        pages[(number - 1).min(pages.len() - 1)].clone()
    })
    .await
}

#[tokio::test]
async fn recorded_pages_of_any_size_make_the_same_whole_list() {
    let twenties = paged(&[
        "backups-default.http",
        "backups-default-page-2.http",
        "backups-default-page-3.http",
        "backups-default-page-4-beyond-end.http",
    ])
    .await;
    let fifties = paged(&[
        "backups-per_page-50-page-1.http",
        "backups-per_page-50-page-2.http",
        "backups-per_page-50-page-3-beyond-end.http",
    ])
    .await;
    let twenties = twenties.client.backups(&server_id()).await.unwrap();
    let fifties = fifties.client.backups(&server_id()).await.unwrap();
    assert_eq!(twenties, fifties);
    assert_eq!(fifties.trust, ListingTrust::Whole);
    let ids: BTreeSet<_> = fifties
        .backups
        .iter()
        .map(|backup| backup.record().id)
        .collect();
    assert_eq!(ids.len(), 60);
    let mut states = BTreeMap::new();
    for backup in &fifties.backups {
        *states.entry(state_of(backup)).or_insert(0) += 1;
    }
    assert_eq!(
        states,
        [("completed", 53), ("failed", 4), ("pending", 3)].into()
    );
}

#[tokio::test]
async fn a_recorded_server_with_its_egg_is_read_whole() {
    let panel = Playback::one(&recording("server-include-egg-subusers.http")).await;
    let server = panel.client.server("a1fa0000").await.unwrap();
    let variable = |name: &str, env: &str, value: &str| Variable {
        name: name.to_owned(),
        env: env.to_owned(),
        value: Some(value.to_owned()),
    };
    assert_eq!(
        server,
        Server {
            id: server_id(),
            identifier: "a1fa0000".to_owned(),
            name: "Alpha".to_owned(),
            state: ServerState::Ready,
            passport: Passport {
                node: Some("node-one".to_owned()),
                egg: Some(Egg {
                    uuid: Some("93536f33-a658-4abf-96e4-d108e4d4be15".to_owned()),
                    name: "Paper".to_owned(),
                }),
                image: Some("ghcr.io/pterodactyl/yolks:java_21".to_owned()),
                startup: Some(
                    "java -Xms128M -XX:MaxRAMPercentage=95.0 -Dterminal.jline=false -Dterminal.ansi=true -jar server.jar"
                        .to_owned()
                ),
                description: Some("Alpha test server".to_owned()),
                limits: serde_json::json!({"memory": 1024, "swap": 0, "disk": 10240, "io": 500, "cpu": 100,
                    "threads": null, "oom_disabled": true}),
                feature_limits: serde_json::json!({"databases": 0, "allocations": 0, "backups": 200}),
                allocations: vec![Allocation {
                    ip: "127.0.0.1".to_owned(),
                    alias: None,
                    port: 25565,
                    is_default: true,
                }],
                variables: vec![
                    variable("Minecraft Version", "MINECRAFT_VERSION", "latest"),
                    variable("Server Jar File", "SERVER_JARFILE", "server.jar"),
                    variable("Build Number", "BUILD_NUMBER", "latest"),
                ],
            },
        }
    );
}

#[tokio::test]
async fn variables_that_a_subuser_may_not_see_are_no_error() {
    let panel = Playback::one(&recording("server-as-subuser.http")).await;
    let server = panel.client.server("a1fa0000").await.unwrap();
    assert_eq!(server.passport.variables, []);
    assert_eq!(server.passport.egg, None);
}
