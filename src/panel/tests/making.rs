//! Having a backup made, which is asked for once.

use super::*;
use crate::model::retry::Retry;

#[tokio::test]
async fn making_a_backup_is_never_asked_for_twice() {
    for status in [429, 500, 502, 503, 504] {
        let panel =
            Panel::of(move |_, _| with(refuse(status, "AnyException"), "retry-after", "0")).await;
        let error = panel
            .client(TUNING)
            .create_backup(&server_id(), &NewBackup::named(None))
            .await
            .unwrap_err();
        assert_eq!(panel.targets().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_throttled_backup_is_told_apart_and_holds_nobody_back() {
    let panel = Panel::of(|_, target| {
        if target.starts_with("POST") {
            with(
                refuse(429, "TooManyRequestsHttpException"),
                "retry-after",
                "599",
            )
        } else {
            no_backups()
        }
    })
    .await;
    let client = panel.client(TUNING);
    let error = client
        .create_backup(&server_id(), &NewBackup::named(Some("nightly".to_owned())))
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(599)));
    assert!(matches!(error, Error::Throttled { .. }), "{error}");
    client.backups(&server_id()).await.unwrap();
}

#[tokio::test]
async fn a_made_backup_is_pending() {
    let panel = Panel::of(|_, _| a_backup(BACKUP)).await;
    let made = panel
        .client(TUNING)
        .create_backup(&server_id(), &NewBackup::named(Some("nightly".to_owned())))
        .await
        .unwrap();
    assert!(matches!(made, Backup::Pending(_)), "{made:?}");
    assert_eq!(
        panel.targets(),
        [format!("POST /api/client/servers/{SERVER}/backups")]
    );
}
