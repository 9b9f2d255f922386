//! The words of a sidecar that is written anew.

use crate::destination::SidecarRead;
use crate::destination::StoredObject;
use crate::ledger::RecordedCopy;
use crate::model::backup::BackupRecord;
use crate::model::backup::CompletedBackup;
use crate::model::backup::LockState;
use crate::model::checksum::PanelChecksum;
use crate::model::finding::RepairSource;
use crate::model::ids::DestinationName;
use crate::model::server::Passport;
use crate::model::server::Server;
use crate::model::server::ServerState;
use crate::model::sidecar::Sidecar;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::verify::repair::sources::NotMade;
use crate::ops::verify::repair::sources::Way;
use crate::transfer::describe::SidecarDraft;

impl Way<'_> {
    /// A sidecar for the copy of which `proof` is, and from where its words are.
    pub async fn sidecar(&self, proof: &StoredObject) -> (Sidecar, RepairSource) {
        let (draft, from) = self.draft().await;
        let sidecar = draft.describe(proof);
        (sidecar, from)
    }

    /// The words of a sidecar: those of another copy's, else the panel's, else what the ledger has.
    pub(super) async fn draft(&self) -> (SidecarDraft, RepairSource) {
        let (draft, from) = self.words().await;
        (self.as_recorded(draft), from)
    }

    /// With the time and the digest that the panel told when the copy was first made, and the mark of
    /// `nestegg keep`: those that the ledger keeps, whatever the panel, or another copy's sidecar, says by now.
    pub(super) fn as_recorded(&self, draft: SidecarDraft) -> SidecarDraft {
        let copy = &self.recorded.copy;
        SidecarDraft {
            backup: CompletedBackup {
                archive_bytes: copy.archive_bytes,
                checksum: PanelChecksum::parse(copy.panel_checksum.as_deref()),
                completed_at: copy.completed_at,
                ..draft.backup
            },
            kept: copy.kept.clone(),
            ..draft
        }
    }

    async fn words(&self) -> (SidecarDraft, RepairSource) {
        for other in self.others {
            let mut targets = self.checks.targets.iter();
            let Some(target) =
                targets.find(|target| target.destination.location() == other.copy.location)
            else {
                continue;
            };
            if let Some(draft) = self.other_sidecar(target, other).await {
                let name: DestinationName = target.destination.name().clone();
                return (draft, RepairSource::Destination(name));
            }
        }
        let of_panel = |panel: &&PanelTarget| *panel.client.name() == self.recorded.copy.panel;
        if let Some(panel) = self.panels.iter().find(of_panel) {
            match self.listed(panel).await {
                Ok(draft) => {
                    return (draft, RepairSource::Panel(panel.client.name().clone()));
                }
                Err(NotMade::Source(failure) | NotMade::Target(failure)) => {
                    tracing::debug!("the panel could not be asked: {}", failure.message);
                }
                Err(NotMade::Stopped) => {}
            }
        }
        (self.by_ledger().await, RepairSource::Ledger)
    }

    /// What the sidecar of another copy says, when it is to be believed.
    async fn other_sidecar(
        &self,
        target: &DestinationTarget,
        other: &RecordedCopy,
    ) -> Option<SidecarDraft> {
        let copy = &other.copy;
        let read = target
            .destination
            .read_sidecar(copy.server, copy.backup)
            .await;
        let SidecarRead::Whole { sidecar, sha256 } = read.ok()? else {
            return None;
        };
        let is_as_written = other
            .sidecar_sha256
            .as_ref()
            .is_some_and(|before| *before == sha256);
        if !is_as_written || sidecar.archive.sha256 != self.recorded.copy.sha256.to_hex() {
            return None;
        }
        let Sidecar {
            panel,
            server,
            backup,
            archive,
            ..
        } = *sidecar;
        Some(SidecarDraft {
            panel: panel.name.parse().ok()?,
            panel_url: panel.url,
            server: Server {
                id: server.uuid,
                identifier: server.identifier,
                name: server.name,
                state: ServerState::Ready,
                passport: server.passport,
            },
            backup: CompletedBackup {
                record: BackupRecord {
                    id: backup.uuid,
                    name: backup.name,
                    is_locked: backup.is_locked,
                    ignored_files: backup.ignored_files,
                    created_at: backup.created_at,
                },
                archive_bytes: archive.bytes,
                checksum: PanelChecksum::parse(archive.panel_checksum.as_deref()),
                completed_at: backup.completed_at,
            },
            kept: None,
        })
    }

    /// What the ledger says alone: all but the passport, and what the archive leaves out.
    async fn by_ledger(&self) -> SidecarDraft {
        let copy = &self.recorded.copy;
        let panel = copy.panel.clone();
        let panel_url = self
            .checks
            .book
            .read(move |ledger| ledger.panel_url(&panel))
            .await;
        SidecarDraft {
            panel: copy.panel.clone(),
            panel_url: panel_url.ok().flatten().unwrap_or_default(),
            server: Server {
                id: copy.server,
                identifier: copy.identifier.clone(),
                name: copy.server_name.clone(),
                state: ServerState::Ready,
                passport: Passport::default(),
            },
            backup: CompletedBackup {
                record: BackupRecord {
                    id: copy.backup,
                    name: copy.backup_name.clone(),
                    is_locked: copy.lock == LockState::Locked,
                    ignored_files: Vec::new(),
                    created_at: copy.created_at,
                },
                archive_bytes: copy.archive_bytes,
                checksum: PanelChecksum::parse(copy.panel_checksum.as_deref()),
                completed_at: copy.completed_at,
            },
            kept: None,
        }
    }
}
