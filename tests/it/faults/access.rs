//! Keys, users and panels that do not let nestegg in.

use insta::assert_snapshot;

use super::*;
use crate::support::archive::Archive;
use crate::support::fake_panel::Access;
use crate::support::fake_panel::Call;
use crate::support::fake_panel::Condition;
use crate::support::fake_panel::Fault;
use crate::support::fake_panel::Service;
use crate::support::fake_panel::Standing;
use crate::support::fake_panel::Times;

async fn one_backup() -> World {
    World::with_backup(Archive::small(1)).await.0
}

/// Every request that was sent, without hosts and ids.
fn asked(world: &World) -> usize {
    world.panel.requests().len()
}

#[tokio::test]
async fn a_bad_key_ends_with_12_after_one_request() {
    let mut world = one_backup().await;
    world.set("NESTEGG_API_KEY", "ptlc_notthiskey");
    let told = story(&world, &mirror(&world).await);
    assert_eq!(asked(&world), 1);
    assert_snapshot!(told, @r"
exit 12
panel <host>: credentials: could not list the servers: the panel does not accept the API key
  hint: make a client API key in the panel under Account, API Credentials, and put that whole line, and nothing else, where the key is read from
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn an_application_key_ends_with_12_and_says_which_key_is_needed() {
    let mut world = one_backup().await;
    world.set("NESTEGG_API_KEY", "ptla_notthiskind");
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 12
panel <host>: credentials: could not list the servers: the API key is an application key, and a client key is needed
  hint: keys made in the admin area (ptla_, papp_, peli_) do not work here: make a client key under Account, API Credentials
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn an_address_that_the_key_does_not_allow_ends_with_12() {
    let world = one_backup().await;
    world.panel.set_standing(Standing::WrongAddress);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 12
panel <host>: credentials: could not list the servers: the API key may not be used from this address
  hint: add this machine's address to the key's allowed IPs, or make a key without that list; behind a proxy the panel may see the proxy's address
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_second_factor_that_is_missing_ends_with_12() {
    let world = one_backup().await;
    world.panel.set_standing(Standing::NoSecondFactor);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 12
panel <host>: credentials: could not list the servers: the panel requires two-factor authentication of this account
  hint: switch two-factor authentication on for the account that owns the key
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_panel_in_maintenance_is_asked_again_and_in_the_end_told() {
    let world = one_backup().await;
    world.panel.set_service(Service::Maintenance);
    let told = story(&world, &mirror(&world).await);
    assert_eq!(asked(&world), 5);
    assert_snapshot!(told, @r"
exit 1
panel <host>: unreachable: could not list the servers: the panel is down for maintenance or overloaded (HTTP 503)
  hint: run again when the panel is back
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn a_panel_without_its_database_is_asked_again_and_in_the_end_told() {
    let world = one_backup().await;
    world.panel.set_service(Service::DatabaseDown);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
panel <host>: unreachable: could not list the servers: the panel failed (HTTP 500, QueryException)
  hint: look into the panel's own log (storage/logs) and that of its web server or proxy
links 0, downloads 0, bytes served 0
    ");
}

#[tokio::test]
async fn an_address_that_is_no_panel_is_told() {
    for (fault, told) in [
        (
            Fault::Html,
            "the answer is a web page instead of a panel's API (HTTP 200)",
        ),
        (
            Fault::Garbage,
            "the answer is something that is not JSON instead of a panel's API (HTTP 200)",
        ),
    ] {
        let world = one_backup().await;
        world.panel.on(Call::Panel, Times::Forever, fault);
        let ended = mirror(&world).await;
        assert_eq!(ended.1, Exit::Failed);
        let failure = &ended.0.errors[0];
        assert_eq!(
            failure.message,
            format!("could not list the servers: {told}")
        );
        assert!(
            failure.hint.starts_with("check the panel's address"),
            "{}",
            failure.hint
        );
        assert_eq!(world.visible(), [""; 0]);
    }
}

#[tokio::test]
async fn a_redirect_to_the_login_page_is_not_followed() {
    let world = one_backup().await;
    world.panel.on(Call::Panel, Times::Forever, Fault::Redirect);
    let told = story(&world, &mirror(&world).await);
    assert_snapshot!(told, @r"
exit 1
panel <host>: protocol: could not list the servers: the answer is a redirect to http://<host>/auth/login instead of a panel's API (HTTP 302)
  hint: use the address that it points to, if that is the panel: redirects are never followed, so that the key goes nowhere else
links 0, downloads 0, bytes served 0
    ");
}

fn permissions(names: &[&str]) -> Access {
    Access::Subuser(names.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn a_missing_permission_is_named_and_fails_its_server_alone() {
    for (given, missing) in [
        (&["backup.download"], "backup.read"),
        (&["backup.read"], "backup.download"),
    ] {
        let (world, server, _) = World::with_backup(Archive::small(1)).await;
        world
            .panel
            .edit_server(server, |row| row.access = permissions(given));
        let other = world.panel.add_server("Creative");
        world.panel.add_backup(other, "weekly", Archive::small(2));
        let ended = mirror(&world).await;
        assert_eq!(ended.1, Exit::Partial);
        assert_eq!(world.visible().len(), 2, "the other server's copy");
        let failure = &ended.0.errors[0];
        assert_eq!(failure.kind.as_str(), "permission");
        let said = format!("the permission `{missing}` is missing");
        assert!(failure.message.ends_with(&said), "{}", failure.message);
        let hint = format!(
            "give the key's user the permission {missing} on this server, under Users in the panel"
        );
        assert_eq!(failure.hint, hint);
    }
}

#[tokio::test]
async fn the_least_that_a_user_needs_is_to_read_and_to_download() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    let access = permissions(&["backup.read", "backup.download"]);
    world.panel.edit_server(server, |row| row.access = access);
    assert_eq!(mirror(&world).await.1, Exit::Done);
}

#[tokio::test]
async fn a_server_that_the_user_does_not_see_is_none() {
    let (world, server, _) = World::with_backup(Archive::small(1)).await;
    world
        .panel
        .edit_server(server, |row| row.access = Access::Stranger);
    world.panel.add_server("Creative");
    let panel = world.panel.url();
    let offsite = world.offsite();
    let id = server.to_string();
    let ran = world
        .run(&[
            "mirror",
            "--panel",
            &panel,
            "--server",
            &id,
            "--to",
            offsite.to_str().unwrap(),
        ])
        .await;
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_snapshot!(without_ports(&ran.stderr).replace(&id, "<Survival>"), @r"
error: server <Survival>: no server of this key is called `<Survival>`
  hint: the key sees only servers that its user owns or was invited to; an administrator's key sees the others with --all-servers
    ");
}

#[tokio::test]
async fn servers_in_a_closed_state_are_skipped_and_said_and_fail_nothing() {
    let (world, _, _) = World::with_backup(Archive::small(1)).await;
    for (name, condition) in [
        ("1", Condition::Suspended),
        ("2", Condition::Installing),
        ("3", Condition::InstallFailed),
        ("4", Condition::Restoring),
        ("5", Condition::Transferring),
        ("6", Condition::NodeMaintenance),
    ] {
        let server = world.panel.add_server(name);
        world.panel.add_backup(server, "closed", Archive::small(2));
        world.panel.set_condition(server, condition);
    }
    let mut ended = mirror(&world).await;
    let name = |id| world.panel.server(id).unwrap().name;
    ended.0.skipped.sort_by_key(|skipped| name(skipped.server));
    let told = story(&world, &ended);
    let (head, ledger): (Vec<&str>, Vec<&str>) = told
        .lines()
        .partition(|line| !line.starts_with("ledger skipped"));
    assert_eq!(ledger.len(), 6);
    assert_snapshot!(head.join("\n"), @r"
exit 0
skipped <1>: the server is suspended
skipped <2>: the server is installing
skipped <3>: the server is installing
skipped <4>: the server is restoring a backup
skipped <5>: the server is being transferred
skipped <6>: the server is on a node under maintenance
copy nightly at <offsite>: mirrored, panel-sha1
visible <Survival>/<nightly>.json
visible <Survival>/<nightly>.tar.gz
ledger holds nightly at <offsite>: panel-sha1
links 1, downloads 1, bytes served 15661
    ");
}

#[tokio::test]
async fn a_key_that_is_taken_back_in_the_middle_leaves_what_was_done() {
    let (world, server, old) = World::with_backup(Archive::small(1)).await;
    world.panel.add_backup(server, "weekly", Archive::small(2));
    // The newest comes first.
    world
        .panel
        .before(Call::Link(old), |script| script.set_key("ptlc_another"));
    let told = story(
        &world,
        &mirror_with(&world, &["--transfers", "1"], small_parts()).await,
    );
    assert_snapshot!(told, @r"
exit 3
backup <nightly>: credentials: could not get a download link for backup <nightly>: the panel does not accept the API key
  hint: make a client API key in the panel under Account, API Credentials, and put that whole line, and nothing else, where the key is read from
copy nightly at <offsite>: failed
copy weekly at <offsite>: mirrored, panel-sha1
visible <Survival>/<weekly>.json
visible <Survival>/<weekly>.tar.gz
ledger holds weekly at <offsite>: panel-sha1
ledger lacks nightly at <offsite>: could not get a download link for backup <nightly>: the panel does not accept the API key
links 1, downloads 1, bytes served 15657
    ");
}
