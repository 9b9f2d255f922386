//! Where the bytes of a backup may come from, and their transfer from there.

use crate::destination::Destination;
use crate::ledger::CopyOrigin;
use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::holding::SealedCopy;
use crate::model::key::ObjectKey;
use crate::model::key::ObjectKind;
use crate::model::server::Server;
use crate::ops::mirror::act::Acting;
use crate::plan::mirror::CopyPlan;
use crate::plan::mirror::KnownCopy;
use crate::transfer;
use crate::transfer::Finished;
use crate::transfer::Job;
use crate::transfer::Recheck;
use crate::transfer::Recorded;
use crate::transfer::describe::SidecarDraft;
use crate::transfer::observer::TransferLabel;
use crate::transfer::source::CopySource;
use crate::transfer::source::PanelSource;
use crate::transfer::source::Source;

/// Where the bytes may come from, the nearest first.
pub(super) struct Origin {
    source: Source,
    expected: ExpectedContent,
    recorded: Option<Recorded>,
    recheck: Recheck,
    pub(super) made: CopyOrigin,
    /// The destination whose copy is read.
    pub(super) held_at: Option<usize>,
}

impl Acting<'_> {
    /// Copies that are held come first, nearest as configured; the node comes last.
    pub(super) fn origins(&self, expected: ExpectedContent) -> Vec<Origin> {
        let backup = &self.task.plan.backup;
        let plans = self.task.plan.copies.iter().zip(&self.run.destinations);
        let mut origins: Vec<Origin> = plans
            .enumerate()
            .filter_map(|(index, (plan, target))| match plan {
                CopyPlan::Held(held) if target.given_up.get().is_none() => {
                    Some(origin_in_copy(index, held, &target.destination))
                }
                CopyPlan::Held(_)
                | CopyPlan::Make
                | CopyPlan::Conflict { .. }
                | CopyPlan::Unclear(_)
                | CopyPlan::Removed(_) => None,
            })
            .collect();
        let recheck = if self.task.plan.is_young(self.run.env.now()) {
            Recheck::Row {
                panel: self.task.panel.client.clone(),
                server: self.task.server.id,
                listed: Box::new(backup.clone()),
            }
        } else {
            Recheck::No
        };
        origins.push(Origin {
            source: Source::Panel(self.panel_source()),
            expected,
            recorded: None,
            recheck,
            made: CopyOrigin::Mirrored,
            held_at: None,
        });
        origins
    }

    /// Where copies are still to be made that can be made of this origin: an encrypted copy can't be
    /// read here, and goes only to where the same people can read it.
    pub(super) fn wanted_from(&self, origin: &Origin) -> Vec<usize> {
        let mut wanted = self.wanted();
        if let Some(sealed) = origin.source.as_stored() {
            wanted.retain(|index| {
                let target = self.run.destinations.get(*index);
                target.is_some_and(|target| target.destination.takes_as_stored(&sealed.encryption))
            });
        }
        wanted
    }

    /// Moves the bytes from there to the destinations that want them.
    pub(super) async fn transfer(&self, origin: Origin, wanted: &[usize]) -> Finished {
        let task = self.task;
        let backup = &task.plan.backup;
        let job = Job {
            key: ObjectKey::for_backup(task.server.id, backup.record.id, ObjectKind::Archive),
            label: self.label(),
            source: origin.source,
            expected: origin.expected,
            hinted_bytes: backup.archive_bytes,
            inspect: self.run.settings.inspect,
            must_contain: self.run.drill.must_contain(
                task.server.id,
                &task.server.identifier,
                &task.server.name,
            ),
            recorded: origin.recorded,
            recheck: origin.recheck,
            destinations: wanted
                .iter()
                .filter_map(|index| self.run.destinations.get(*index))
                .map(|target| target.destination.clone())
                .collect(),
            sidecar: SidecarDraft {
                panel: task.panel.client.name().clone(),
                panel_url: task.panel.client.base_url().to_string(),
                server: Server::clone(&task.server),
                backup: backup.clone(),
                kept: task.kept.clone(),
            },
        };
        transfer::run(job, &self.run.shared).await
    }

    pub(super) fn panel_source(&self) -> PanelSource {
        PanelSource::new(
            self.task.panel.client.clone(),
            self.run.node.clone(),
            self.task.server.id,
            self.task.plan.backup.record.id,
            self.run.shared.tuning.stall_timeout,
        )
    }

    pub(super) fn label(&self) -> TransferLabel {
        let record = &self.task.plan.backup.record;
        TransferLabel {
            server_name: self.task.server.name.clone(),
            backup_name: record.name.clone(),
            backup: record.id,
        }
    }
}

fn origin_in_copy(index: usize, held: &KnownCopy, destination: &Destination) -> Origin {
    let destination = destination.clone();
    let (source, bytes, sha256) = match &held.sealed {
        None => (
            CopySource::new(destination, held.key.clone()),
            held.archive_bytes,
            &held.sha256,
        ),
        Some(sealed) => (
            CopySource::as_stored(destination, SealedCopy::clone(sealed)),
            sealed.stored_bytes,
            &sealed.stored_sha256,
        ),
    };
    Origin {
        source: Source::Copy(source),
        expected: ExpectedContent {
            length_bytes: Some(bytes),
            proof: ExpectedProof::Digest(sha256.clone()),
        },
        recorded: Some(Recorded {
            verdict: held.verdict,
            structure: None,
        }),
        recheck: Recheck::No,
        made: CopyOrigin::Filled,
        held_at: Some(index),
    }
}
