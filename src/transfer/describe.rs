//! What a sidecar says, put together from the panel's side and the stored copy.

use crate::destination::StoredObject;
use crate::model::backup::CompletedBackup;
use crate::model::ids::PanelName;
use crate::model::mark::Mark;
use crate::model::server::Server;
use crate::model::sidecar;
use crate::model::sidecar::Sidecar;
use crate::model::sidecar::SidecarArchive;
use crate::model::sidecar::SidecarBackup;
use crate::model::sidecar::SidecarPanel;
use crate::model::sidecar::SidecarServer;
use crate::model::sidecar::SidecarStored;

/// Everything a sidecar says besides the copy itself.
#[derive(Debug, Clone)]
pub struct SidecarDraft {
    /// What the operator calls the panel.
    pub panel: PanelName,
    /// The panel's base URL.
    pub panel_url: String,
    /// The server, with its passport.
    pub server: Server,
    /// The backup as listed.
    pub backup: CompletedBackup,
    /// The mark that `nestegg keep` put on it, if any.
    pub kept: Option<Mark>,
}

impl SidecarDraft {
    /// The sidecar of `stored`.
    pub fn describe(&self, stored: &StoredObject) -> Sidecar {
        let structure = stored.structure();
        Sidecar {
            format: sidecar::FORMAT.to_owned(),
            panel: SidecarPanel {
                name: self.panel.to_string(),
                url: self.panel_url.clone(),
            },
            server: SidecarServer {
                uuid: self.server.id,
                identifier: self.server.identifier.clone(),
                name: self.server.name.clone(),
                passport: self.server.passport.clone(),
            },
            backup: SidecarBackup {
                uuid: self.backup.record.id,
                name: self.backup.record.name.clone(),
                is_locked: self.backup.record.is_locked,
                ignored_files: self.backup.record.ignored_files.clone(),
                created_at: self.backup.record.created_at,
                completed_at: self.backup.completed_at,
            },
            archive: SidecarArchive {
                bytes: stored.archive_bytes(),
                sha256: stored.archive_sha256().to_hex(),
                panel_checksum: self.backup.checksum.digest().map(ToString::to_string),
                verdict: stored.verdict().to_string(),
                entries: structure.map(|found| found.entries),
                unpacked_bytes: structure.map(|found| found.unpacked_bytes),
            },
            stored: SidecarStored {
                bytes: stored.stored_bytes(),
                sha256: stored.stored_sha256().to_hex(),
                encryption: stored.encryption().cloned(),
            },
            kept: self.kept.clone(),
            written_by: concat!("nestegg ", env!("CARGO_PKG_VERSION")).to_owned(),
            written_at: stored.stored_at(),
            as_read: serde_json::Map::new(),
        }
    }
}
