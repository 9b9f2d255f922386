//! What a real panel answered to calls about files and power.

use nestegg::model::retry::Retry;
use nestegg::panel::Account;
use nestegg::panel::Error;
use nestegg::panel::FileEntry;
use nestegg::panel::PowerState;
use nestegg::panel::PullRequest;
use nestegg::panel::Resources;
use url::Url;

use crate::recordings::Playback;
use crate::recordings::recording;
use crate::recordings::server_id;

async fn played(name: &str) -> Playback {
    Playback::one(&recording(&format!("../panel_files/{name}"))).await
}

#[tokio::test]
async fn recorded_resources_and_accounts_are_read() {
    let panel = played("resources.http").await;
    assert_eq!(
        panel.client.resources(&server_id()).await.unwrap(),
        Resources {
            state: PowerState::Offline,
            disk_bytes: 0
        }
    );
    let panel = played("account.http").await;
    assert_eq!(
        panel.client.account().await.unwrap(),
        Account {
            username: "alice".to_owned()
        }
    );
}

#[tokio::test]
async fn recorded_files_and_links_are_read() {
    let panel = played("files-list-after-upload.http").await;
    let at = "2026-11-22T02:51:46Z".parse().ok();
    assert_eq!(
        panel.client.list_files(&server_id(), "/").await.unwrap(),
        [FileEntry {
            name: "rig-up.txt".to_owned(),
            bytes: 13,
            is_file: true,
            changed_at: at,
            modified_at: at,
        }]
    );
    for name in ["files-upload-link.http", "node-down-files-upload.http"] {
        let link = played(name).await.client.upload_link(&server_id()).await;
        let link = link.unwrap();
        assert!(!format!("{link} {link:?}").contains("PLACEHOLDER"));
        let url = link.expose_for_root();
        assert_eq!(url.query(), Some("token=JWT_PLACEHOLDER&directory=%2F"));
    }
}

async fn pulled(name: &str) -> Result<(), Error> {
    let url = Url::parse("https://store.example.com/a?signature=sentinel").unwrap();
    let request = PullRequest {
        url: &url,
        name: "a.tar.gz",
    };
    played(name).await.client.pull(&server_id(), &request).await
}

#[tokio::test]
async fn recorded_pulls_are_done_or_refused() {
    pulled("files-pull.http").await.unwrap();
    let said = pulled("files-pull-422-no-url.http").await.unwrap_err();
    assert!(
        said.to_string().ends_with(
            "the panel refused (HTTP 422, ValidationException: The url field is required.)"
        ),
        "{said}"
    );
    let limited = pulled("files-pull-429-ten-in-five-minutes.http").await;
    let limited = limited.unwrap_err();
    assert!(matches!(&limited, Error::RateLimited { .. }), "{limited}");
    assert_eq!(
        limited.retry(),
        Retry::After(std::time::Duration::from_secs(299))
    );
}

#[tokio::test]
async fn recorded_refusals_have_their_outcome() {
    let denied = played("files-upload-403-subuser.http").await;
    let denied = denied.client.upload_link(&server_id()).await.unwrap_err();
    assert!(
        denied
            .to_string()
            .ends_with("the permission `file.create` is missing"),
        "{denied}"
    );
    for (name, state) in [
        ("state-suspended-resources.http", "suspended"),
        ("state-installing-resources.http", "installing"),
        ("state-restoring-resources.http", "restoring a backup"),
        (
            "state-maintenance-resources.http",
            "on a node under maintenance",
        ),
    ] {
        let refused = played(name).await.client.resources(&server_id()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.ends_with(&format!("the server is {state}")),
            "{refused}"
        );
    }
    let down = played("node-down-resources.http").await;
    let down = down.client.resources(&server_id()).await.unwrap_err();
    assert!(matches!(&down, Error::Node { status: 504, .. }), "{down}");
    let down = played("node-down-files-list.http").await;
    let down = down.client.list_files(&server_id(), "/").await.unwrap_err();
    assert!(matches!(&down, Error::Node { status: 504, .. }), "{down}");
}
