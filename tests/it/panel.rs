//! The panel client against a panel that lives: rows come and go, budgets run out, doors close.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use futures_util::future::join_all;
use nestegg::env::Clock;
use nestegg::model::backup::Backup;
use nestegg::model::checksum::PanelChecksum;
use nestegg::model::ids::BackupId;
use nestegg::model::ids::ServerId;
use nestegg::model::secret::Secret;
use nestegg::model::server::Server;
use nestegg::model::server::ServerScope;
use nestegg::model::server::ServerState;
use nestegg::panel::Error;
use nestegg::panel::ListingTrust;
use nestegg::panel::PanelClient;
use nestegg::panel::PanelEndpoint;
use url::Url;

use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::BackupRow;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Dialect;
use crate::support::fake_panel::Disk;
use crate::support::fake_panel::FakePanel;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Identifiers;
use crate::support::fake_panel::NewBackup;
use crate::support::fake_panel::Role;
use crate::support::fake_panel::Script;
use crate::support::fake_panel::Service;
use crate::support::fake_panel::Standing;
use crate::support::fake_panel::Times;
use crate::support::world::quick_tuning;

const CONDITIONS: [(Condition, ServerState); 6] = [
    (Condition::Suspended, ServerState::Suspended),
    (Condition::Installing, ServerState::Installing),
    (Condition::InstallFailed, ServerState::Installing),
    (Condition::Restoring, ServerState::Restoring),
    (Condition::Transferring, ServerState::Transferring),
    (Condition::NodeMaintenance, ServerState::NodeMaintenance),
];

fn client(panel: &FakePanel) -> PanelClient {
    client_with(panel, &panel.key())
}

fn client_with(panel: &FakePanel, key: &str) -> PanelClient {
    let endpoint = PanelEndpoint {
        name: "main".parse().unwrap(),
        base_url: Url::parse(&panel.url()).unwrap(),
        key: Secret::new(key),
    };
    PanelClient::new(endpoint, quick_tuning().panel).unwrap()
}

/// A panel with one server and one completed backup.
async fn one_backup() -> (FakePanel, ServerId, BackupId) {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Survival");
    let backup = panel.add_backup(server, "nightly", Archive::small(1));
    (panel, server, backup)
}

fn ids(servers: &[Server]) -> BTreeSet<ServerId> {
    servers.iter().map(|server| server.id).collect()
}

fn pages(panel: &FakePanel) -> Vec<String> {
    let requests = panel.requests();
    requests.into_iter().map(|request| request.query).collect()
}

#[tokio::test]
async fn every_server_is_listed_once_however_many_pages_it_takes() {
    let panel = FakePanel::start().await;
    let there: BTreeSet<ServerId> = (0..130)
        .map(|number| panel.add_server(&format!("server {number}")))
        .collect();
    let listed = client(&panel)
        .server_listing(ServerScope::Mine)
        .await
        .unwrap()
        .servers;
    assert_eq!((listed.len(), ids(&listed)), (130, there));
    let asked: BTreeSet<String> = pages(&panel).into_iter().collect();
    let page = |number| format!("per_page=100&page={number}&include=egg");
    assert_eq!(asked, BTreeSet::from([page(1), page(2)]));
}

#[tokio::test]
async fn an_administrator_sees_what_is_theirs_or_the_whole_panel() {
    let panel = FakePanel::start().await;
    let mine = panel.add_server("mine");
    let other = panel.add_server("another's");
    panel.edit_server(other, |row| row.access = Access::Stranger);
    let client = client(&panel);
    let seen = async |scope| ids(&client.server_listing(scope).await.unwrap().servers);
    assert_eq!(seen(ServerScope::Mine).await, BTreeSet::from([mine]));
    assert_eq!(seen(ServerScope::WholePanel).await, BTreeSet::new());
    panel.set_role(Role::Administrator);
    assert_eq!(seen(ServerScope::Mine).await, BTreeSet::from([mine]));
    let both = BTreeSet::from([mine, other]);
    assert_eq!(seen(ServerScope::WholePanel).await, both);
}

#[tokio::test]
async fn a_server_is_found_by_every_kind_of_id() {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Survival");
    let client = client(&panel);
    for identifiers in [Identifiers::Short, Identifiers::Long] {
        panel.set_identifiers(identifiers);
        let by_uuid = client.server(&server.to_string()).await.unwrap();
        let by_short = client.server(&server.short()).await.unwrap();
        let by_identifier = client.server(&by_uuid.identifier).await.unwrap();
        assert_eq!(by_uuid.id, server);
        assert_eq!((&by_short, &by_identifier), (&by_uuid, &by_uuid));
        let is_long = by_uuid.identifier.starts_with("serv_");
        assert_eq!(is_long, identifiers == Identifiers::Long);
    }
}

#[tokio::test]
async fn a_servers_state_is_read_and_its_backup_calls_say_the_same() {
    let (panel, server, backup) = one_backup().await;
    let client = client(&panel);
    for (condition, state) in CONDITIONS {
        panel.set_condition(server, condition);
        let shown = client.server(&server.to_string()).await.unwrap().state;
        assert_eq!(shown, state);
        let refusals = [
            client.backups(&server).await.unwrap_err(),
            client.backup(&server, &backup).await.unwrap_err(),
            client.download_link(&server, &backup).await.unwrap_err(),
            client
                .create_backup(&server, &nestegg::panel::NewBackup::named(None))
                .await
                .unwrap_err(),
        ];
        for refusal in refusals {
            let Error::ServerState { state: said, .. } = refusal else {
                panic!("{refusal}")
            };
            assert_eq!(said, state);
        }
    }
}

#[tokio::test]
async fn every_dialect_tells_the_three_states_apart() {
    for dialect in [Dialect::Pterodactyl, Dialect::Pelican, Dialect::Documented] {
        let (panel, server, completed) = one_backup().await;
        panel.set_dialect(dialect);
        panel.set_utc_offset(9);
        let pending = panel.add_in_progress(server, "running", None);
        let failed = panel.add_failed(server, "failed");
        let listing = client(&panel).backups(&server).await.unwrap();
        assert_eq!(listing.trust, ListingTrust::Whole);
        assert_eq!(listing.unreadable, []);
        let [first, second, third] = &listing.backups[..] else {
            panic!("{listing:?}")
        };
        let Backup::Completed(backup) = first else {
            panic!("{dialect:?}: {first:?}")
        };
        let row = panel.backup(completed).unwrap();
        assert_eq!(backup.record.id, completed);
        assert_eq!(backup.archive_bytes, row.bytes);
        assert_eq!(
            backup.completed_at.as_second(),
            row.completed_at.as_second()
        );
        let archive = Archive::small(1);
        let digest = match dialect {
            Dialect::Pterodactyl | Dialect::Pelican => format!("sha1:{}", archive.sha1()),
            Dialect::Documented => format!("sha256:{}", archive.sha256()),
        };
        assert_eq!(backup.checksum, PanelChecksum::parse(Some(&digest)));
        assert!(matches!(second, Backup::Pending(row) if row.id == pending));
        assert!(
            matches!(third, Backup::Failed(row) if row.id == failed),
            "{third:?}"
        );
    }
}

#[tokio::test]
async fn every_backup_is_listed_once_whatever_the_panel_calls_a_page() {
    for (dialect, pages) in [(Dialect::Pterodactyl, 3), (Dialect::Documented, 5)] {
        let panel = FakePanel::start().await;
        panel.set_dialect(dialect);
        let server = panel.add_server("Survival");
        let archive = Archive::small(1);
        let there: Vec<BackupId> = (0..120)
            .map(|_| panel.add_backup(server, "nightly", archive.clone()))
            .collect();
        let listing = client(&panel).backups(&server).await.unwrap();
        let listed: Vec<BackupId> = listing.backups.iter().map(|one| one.record().id).collect();
        assert_eq!(listed, there);
        assert_eq!(listing.trust, ListingTrust::Whole);
        // Read twice: one reading of several pages proves nothing.
        assert_eq!(panel.requests().len(), 2 * pages);
    }
}

/// Every reading of the second page comes after yet another deletion on the first one.
fn shift(script: &Script, server: ServerId) {
    script.before(Call::BackupsPage(server, 2), move |script| {
        script.delete_backup(script.backups_of(server)[0]);
        shift(script, server);
    });
}

#[tokio::test]
async fn a_list_that_never_stands_still_says_so_and_hides_no_row_that_stays() {
    let panel = FakePanel::start().await;
    let server = panel.add_server("Survival");
    let archive = Archive::small(1);
    for _ in 0..60 {
        panel.add_backup(server, "nightly", archive.clone());
    }
    shift(&panel, server);
    let listing = client(&panel).backups(&server).await.unwrap();
    assert_eq!(listing.trust, ListingTrust::Shifting);
    let listed: BTreeSet<BackupId> = listing.backups.iter().map(|one| one.record().id).collect();
    assert!(
        panel
            .backups_of(server)
            .iter()
            .all(|id| listed.contains(id))
    );
    assert!(
        panel.requests().len() <= 8,
        "it is given up in bounded time"
    );
}

#[tokio::test]
async fn a_link_is_given_for_every_disk_that_the_panel_knows_and_shown_without_its_query() {
    let (panel, server, backup) = one_backup().await;
    let client = client(&panel);
    for disk in [Disk::Node, Disk::S3] {
        panel.set_disk(backup, disk);
        let link = client.download_link(&server, &backup).await.unwrap();
        let (shown, debugged) = (link.to_string(), format!("{link:?}"));
        for secret in panel.secrets() {
            assert!(!shown.contains(&secret) && !debugged.contains(&secret));
        }
        assert!(link.expose().query().is_some());
    }
    panel.set_disk(backup, Disk::Unknown);
    let refused = client.download_link(&server, &backup).await.unwrap_err();
    assert!(matches!(refused, Error::UnknownDisk { .. }), "{refused}");
}

#[tokio::test]
async fn what_does_not_exist_is_told_apart() {
    let (panel, server, _) = one_backup().await;
    let other = panel.add_server("another's");
    let foreign = panel.add_backup(other, "foreign", Archive::small(2));
    let client = client(&panel);
    let nobody: ServerId = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    let nothing: BackupId = "00000000-0000-4000-8000-000000000000".parse().unwrap();
    for error in [
        client.server("deadbeef").await.unwrap_err(),
        client.backups(&nobody).await.unwrap_err(),
        client
            .create_backup(&nobody, &nestegg::panel::NewBackup::named(None))
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::UnknownServer { .. }), "{error}");
    }
    for error in [
        client.backup(&server, &nothing).await.unwrap_err(),
        client.download_link(&server, &nothing).await.unwrap_err(),
        client.backup(&server, &foreign).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::UnknownBackup { .. }), "{error}");
    }
    panel.edit_server(server, |row| row.access = Access::Stranger);
    let hidden = client.backups(&server).await.unwrap_err();
    assert!(matches!(hidden, Error::UnknownServer { .. }), "{hidden}");
}

#[tokio::test]
async fn every_call_names_the_permission_that_it_lacks() {
    let (panel, server, backup) = one_backup().await;
    let client = client(&panel);
    panel.edit_server(server, |row| row.access = Access::Subuser(Vec::new()));
    client.server(&server.to_string()).await.unwrap();
    for (error, name) in [
        (client.backups(&server).await.unwrap_err(), "backup.read"),
        (
            client.backup(&server, &backup).await.unwrap_err(),
            "backup.read",
        ),
        (
            client.download_link(&server, &backup).await.unwrap_err(),
            "backup.download",
        ),
        (
            client
                .create_backup(&server, &nestegg::panel::NewBackup::named(None))
                .await
                .unwrap_err(),
            "backup.create",
        ),
    ] {
        let Error::Permission { needed, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(needed, name);
    }
}

#[tokio::test]
async fn a_refused_key_is_told_by_its_reason_after_one_request() {
    let (panel, _, _) = one_backup().await;
    let refusal = async |client: PanelClient| {
        panel.forget_requests();
        let error = client.server_listing(ServerScope::Mine).await.unwrap_err();
        (error, panel.requests().len())
    };
    let (error, asked) = refusal(client_with(&panel, "ptlc_wrong")).await;
    assert!(matches!(error, Error::KeyRefused { .. }), "{error}");
    assert_eq!(asked, 1);
    for key in ["ptla_application", "papp_application"] {
        let (error, asked) = refusal(client_with(&panel, key)).await;
        assert!(matches!(error, Error::ApplicationKey { .. }), "{error}");
        assert_eq!(asked, 1);
    }
    panel.set_standing(Standing::WrongAddress);
    let (error, asked) = refusal(client(&panel)).await;
    assert!(matches!(error, Error::AddressNotAllowed { .. }), "{error}");
    assert_eq!(asked, 1);
    panel.set_standing(Standing::NoSecondFactor);
    let (error, asked) = refusal(client(&panel)).await;
    assert!(matches!(error, Error::TwoFactor { .. }), "{error}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_panel_that_comes_back_in_time_was_never_away() {
    let (panel, server, _) = one_backup().await;
    let client = client(&panel);
    panel.on(Call::Panel, Times::Next(4), Fault::Unavailable);
    client.backups(&server).await.unwrap();
    panel.set_service(Service::Maintenance);
    let away = client.backups(&server).await.unwrap_err();
    assert!(matches!(away, Error::Maintenance { .. }), "{away}");
    panel.set_service(Service::Open);
    client.backups(&server).await.unwrap();
    panel.stop_panel().await;
    let gone = client.backups(&server).await.unwrap_err();
    assert!(matches!(gone, Error::Connect { .. }), "{gone}");
    panel.start_panel().await.unwrap();
    client.backups(&server).await.unwrap();
}

#[tokio::test]
async fn a_fresh_backup_is_pending_and_then_completed_or_failed() {
    let (panel, server, _) = one_backup().await;
    let client = client(&panel);
    for archive in [Some(Archive::small(2)), None] {
        let is_good = archive.is_some();
        panel.plan_creation(NewBackup {
            reads_in_progress: 1,
            archive,
        });
        let made = client
            .create_backup(
                &server,
                &nestegg::panel::NewBackup::named(Some("by nestegg".to_owned())),
            )
            .await
            .unwrap();
        assert!(matches!(&made, Backup::Pending(row) if row.name == "by nestegg"));
        let id = made.record().id;
        let running = client.backup(&server, &id).await.unwrap();
        assert!(matches!(running, Backup::Pending(_)), "{running:?}");
        let ended = client.backup(&server, &id).await.unwrap();
        assert_eq!(matches!(ended, Backup::Completed(_)), is_good);
        assert_eq!(matches!(ended, Backup::Failed(_)), !is_good);
    }
}

#[tokio::test]
async fn a_backup_that_the_panel_does_not_make_is_told_by_its_reason() {
    let (panel, server, _) = one_backup().await;
    let client = client(&panel);
    let refusal = async |name: Option<&str>| {
        let new = nestegg::panel::NewBackup::named(name.map(str::to_owned));
        client.create_backup(&server, &new).await.unwrap_err()
    };
    let long = refusal(Some(&"x".repeat(300))).await;
    assert!(matches!(long, Error::Refused { status: 422, .. }), "{long}");
    panel.stop_node().await;
    let node = refusal(None).await;
    assert!(matches!(node, Error::Node { status: 504, .. }), "{node}");
    panel.start_node().await.unwrap();
    panel.edit_server(server, |row| row.backup_limit = 1);
    let limit = refusal(None).await;
    assert!(matches!(limit, Error::BackupLimit { .. }), "{limit}");
    panel.set_create_throttle(0, Duration::from_mins(10));
    let throttled = refusal(None).await;
    assert!(matches!(throttled, Error::Throttled { .. }), "{throttled}");
    assert_eq!(panel.backups_of(server).len(), 1);
}

#[tokio::test]
async fn a_crowd_of_calls_stays_under_the_rate_limit() {
    let (panel, server, backup) = one_backup().await;
    let window = quick_tuning().panel.window;
    panel.set_rate_limit(40, window);
    let client = client(&panel);
    let began = Instant::now();
    let read = join_all((0..70).map(|_| client.backup(&server, &backup))).await;
    assert!(read.iter().all(Result::is_ok));
    let refused = panel
        .requests()
        .iter()
        .filter(|one| one.answered == Some(429))
        .count();
    // With so short a window, a busy machine may deliver a few requests in the next one; without a pace it were 30.
    assert!(refused < 10, "{refused}");
    assert!(began.elapsed() >= window / 2, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_budget_that_somebody_else_uses_up_is_waited_for() {
    let (panel, server, _) = one_backup().await;
    panel.on(
        Call::Backups,
        Times::Next(2),
        Fault::TooManyRequests { retry_after_s: 1 },
    );
    let began = Instant::now();
    client(&panel).backups(&server).await.unwrap();
    assert!(
        began.elapsed() >= Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_row_that_changes_between_two_reads_is_read_as_it_is() {
    let (panel, server, backup) = one_backup().await;
    let client = client(&panel);
    let before = client.backup(&server, &backup).await.unwrap();
    let now = Clock::System.now();
    panel.edit(backup, |row| {
        row.complete(Archive::small(2));
        row.completed_at = now;
        row.is_locked = true;
    });
    let after = client.backup(&server, &backup).await.unwrap();
    assert_ne!(before, after);
    assert!(after.record().is_locked);
    panel.edit(backup, BackupRow::fail);
    let failed = client.backup(&server, &backup).await.unwrap();
    assert!(matches!(failed, Backup::Failed(_)), "{failed:?}");
    panel.delete_backup(backup);
    let gone = client.backup(&server, &backup).await.unwrap_err();
    assert!(matches!(gone, Error::UnknownBackup { .. }), "{gone}");
}
