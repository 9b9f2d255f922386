//! Download links as the panel gives them out.

use jiff::SignedDuration;
use jiff::Timestamp;
use nestegg::model::ids::BackupId;
use serde_json::json;
use uuid::Uuid;

use super::refusal::Refusal;
use super::reply::Reply;
use super::rows::BackupRow;
use super::rows::Disk;
use super::rows::Stage;
use super::state::Dialect;
use super::state::Life;
use super::state::Link;
use super::state::State;
use super::token;
use super::words;

impl State {
    pub(super) fn give_link(&mut self, backup: BackupId) -> Result<Reply, Refusal> {
        let row = self.backup(backup).ok_or_else(Refusal::unknown)?;
        if self.dialect == Dialect::Documented {
            match row.stage {
                Stage::InProgress => return Err(Refusal::not_completed()),
                Stage::Failed => return Err(Refusal::backup_failed()),
                Stage::Completed => {}
            }
        }
        let url = match row.disk {
            Disk::Unknown => return Err(Refusal::unknown_disk()),
            Disk::Node => {
                let token = self.node_token(row);
                let url = format!("{}/download/backup?token={token}", self.node_url);
                let expires_at = Self::now() + SignedDuration::from_mins(15);
                self.remember_link(token, backup, expires_at);
                url
            }
            Disk::S3 => {
                let (path, query, signature) = self.presigned(row);
                let url = format!("{}{path}?{query}{signature}", self.s3_url);
                let expires_at = Self::now() + SignedDuration::from_mins(5);
                self.remember_link(signature, backup, expires_at);
                url
            }
        };
        Ok(words::json_reply(&json!({
            "object": "signed_url",
            "attributes": {"url": url},
        })))
    }

    /// The claims that the recordings' README lists.
    fn node_token(&self, row: &BackupRow) -> String {
        let now = Self::now().as_second();
        let unique: String = Uuid::new_v4().simple().to_string();
        let claims = json!({
            "iss": self.panel_url,
            "aud": [self.node_url],
            "jti": "0cc175b9c0f1b6a831c399e269772661",
            "iat": now,
            "nbf": now - 300,
            "exp": now + 900,
            "server_uuid": row.server.to_string(),
            "backup_uuid": row.id.to_string(),
            "user_uuid": "e382c9a5-49a6-4f87-afc8-d9558d0fa07d",
            "user_id": 2,
            "unique_id": unique.chars().take(16).collect::<String>(),
            "scope": "backup-download",
        });
        token::sign(self.signing_key.as_bytes(), &claims)
    }

    /// Path, query up to the signature, and the signature of a presigned download.
    fn presigned(&self, row: &BackupRow) -> (String, String, String) {
        let path = format!("/panel-backups/{}/{}.tar.gz", row.server, row.id);
        let now = Self::now();
        let query = format!(
            "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAFAKEPANEL%2F{}%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date={}\
             &X-Amz-SignedHeaders=host&X-Amz-Expires=300&X-Amz-Signature=",
            now.strftime("%Y%m%d"),
            now.strftime("%Y%m%dT%H%M%SZ"),
        );
        let message = format!("{path}?{query}{}", Uuid::new_v4());
        let signature = token::hmac_sha256(self.signing_key.as_bytes(), message.as_bytes());
        (path, query, hex::encode(signature))
    }

    /// Makes a link for a backup known to the disks.
    fn remember_link(&mut self, secret: String, backup: BackupId, expires_at: Timestamp) {
        self.links.insert(
            secret,
            Link {
                backup,
                expires_at,
                life: Life::Fresh,
            },
        );
    }
}
