//! From where one bad copy can be made anew, and making it.

use crate::destination::Destination;
use crate::destination::StoredObject;
use crate::ledger::RecordedCopy;
use crate::model::backup::Backup;
use crate::model::backup::ExpectedContent;
use crate::model::backup::ExpectedProof;
use crate::model::content::Inspect;
use crate::model::finding::RepairSource;
use crate::model::finding::Standing;
use crate::model::holding::HeldCopy;
use crate::model::holding::SealedCopy;
use crate::model::key::ObjectKind;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::model::recipient::BadRecipient;
use crate::model::recipient::Recipient;
use crate::model::sidecar::Encryption;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::ready::DestinationTarget;
use crate::ops::verify::checks::Checks;
use crate::transfer;
use crate::transfer::Job;
use crate::transfer::Recheck;
use crate::transfer::Recorded;
use crate::transfer::describe::SidecarDraft;
use crate::transfer::observer::TransferLabel;
use crate::transfer::source;
use crate::transfer::source::CopySource;
use crate::transfer::source::PanelSource;

/// One bad copy, and all there is to make it anew from.
#[derive(Debug)]
pub struct Way<'w> {
    /// What the checks stand on.
    pub checks: Checks<'w>,
    /// The panels.
    pub panels: &'w [PanelTarget],
    /// The client for their nodes.
    pub node: &'w reqwest::Client,
    /// Where the bad copy is.
    pub target: &'w DestinationTarget,
    /// The bad copy as it should be.
    pub recorded: &'w RecordedCopy,
    /// The other copies of the same backup.
    pub others: &'w [RecordedCopy],
}

/// One place that may give the archive.
#[derive(Debug)]
pub enum Source<'w> {
    /// A copy that holds the archive as it is.
    Plain(&'w DestinationTarget, &'w RecordedCopy),
    /// A copy that is encrypted as the bad one is: its stored bytes do.
    Verbatim(&'w DestinationTarget, &'w RecordedCopy, Box<SealedCopy>),
    /// The panel.
    Panel(&'w PanelTarget),
}

impl<'w> Source<'w> {
    /// What it is called.
    pub fn name(&self) -> String {
        match self {
            Self::Plain(target, _) | Self::Verbatim(target, ..) => {
                format!("the copy at {}", target.destination.name())
            }
            Self::Panel(panel) => format!("panel {}", panel.client.name()),
        }
    }

    /// The copy that it reads, if it is one.
    pub const fn copy(&self) -> Option<(&'w DestinationTarget, &'w RecordedCopy)> {
        match self {
            Self::Plain(target, copy) | Self::Verbatim(target, copy, _) => Some((target, copy)),
            Self::Panel(_) => None,
        }
    }
}

/// A copy that was made anew.
#[derive(Debug)]
#[must_use = "a stored copy must be recorded"]
pub struct Made {
    /// The copy.
    pub stored: StoredObject,
    /// From where.
    pub from: RepairSource,
}

/// Why it was not made from one source.
#[derive(Debug)]
pub enum NotMade {
    /// The source is at fault: another one may do better.
    Source(Failure),
    /// The destination is: no other source would do better.
    Target(Failure),
    /// The run was told to stop.
    Stopped,
}

impl<'w> Way<'w> {
    /// The sources in the order in which they are tried, and in `why` those that can't be used.
    pub fn sources(&self, why: &mut Vec<String>) -> Vec<Source<'w>> {
        let mut plain = Vec::new();
        let mut verbatim = Vec::new();
        for other in self.others {
            let place = &other.copy.destination;
            if other.standing == Standing::Lost {
                why.push(format!("the copy at {place} is bad as well"));
                continue;
            }
            let mut targets = self.checks.targets.iter();
            let open = targets.find(|target| target.destination.location() == other.copy.location);
            let Some(target) = open else {
                why.push(format!("the copy at {place} can't be reached: it is not configured, or could not be opened"));
                continue;
            };
            let ours = &self.recorded.copy.encryption;
            match (ours, other.copy.sealed()) {
                (_, None) if self.stays_secret() => plain.push(Source::Plain(target, other)),
                (Some(ours), Some(sealed)) if is_same(ours, &sealed.encryption) => {
                    verbatim.push(Source::Verbatim(target, other, Box::new(sealed)));
                }
                (_, None) => why.push(format!(
                    "the copy at {place} is not encrypted, and the destination no longer encrypts what it stores"
                )),
                (None, Some(_)) => why.push(format!(
                    "the copy at {place} is encrypted, and verify has no key to open it"
                )),
                (Some(_), Some(_)) => why.push(format!(
                    "the copy at {place} is encrypted to other recipients, and verify has no key to open it"
                )),
            }
        }
        let mut sources: Vec<Source<'w>> = verbatim.into_iter().chain(plain).collect();
        let of_panel = |panel: &&PanelTarget| *panel.client.name() == self.recorded.copy.panel;
        match self.panels.iter().find(of_panel) {
            Some(panel) if self.stays_secret() => sources.push(Source::Panel(panel)),
            Some(panel) => why.push(format!(
                "panel {}: the copy was encrypted, and the destination no longer encrypts what it stores",
                panel.client.name()
            )),
            None => why.push(format!(
                "panel {} is not configured, or could not be set up",
                self.recorded.copy.panel
            )),
        }
        sources
    }

    /// Whether an archive that is brought there in the clear is kept as secret as the bad copy was.
    fn stays_secret(&self) -> bool {
        let copy = &self.recorded.copy;
        let key = self
            .target
            .destination
            .archive_key(copy.server, copy.backup);
        copy.encryption.is_none() || key.kind() == ObjectKind::EncryptedArchive
    }

    /// Makes the copy anew from one source: the archive must be, to the last byte, the one recorded.
    ///
    /// # Errors
    /// [`NotMade`]; what stands under the key was not touched.
    pub async fn make(&self, source: &Source<'w>) -> Result<Made, NotMade> {
        match source {
            Source::Plain(target, other) => {
                let (sidecar, _from) = self.draft().await;
                let copy = CopySource::new(target.destination.clone(), other.copy.key.clone());
                let stored = self
                    .transfer(source::Source::Copy(copy), self.there(), sidecar)
                    .await?;
                Ok(Made {
                    stored,
                    from: RepairSource::Destination(target.destination.name().clone()),
                })
            }
            Source::Verbatim(target, _, sealed) => {
                let stored = self
                    .copy_verbatim(target, SealedCopy::clone(sealed))
                    .await?;
                Ok(Made {
                    stored,
                    from: RepairSource::Destination(target.destination.name().clone()),
                })
            }
            Source::Panel(panel) => {
                let sidecar = self.as_recorded(self.listed(panel).await?);
                let copy = &self.recorded.copy;
                let bytes = PanelSource::new(
                    panel.client.clone(),
                    self.node.clone(),
                    copy.server,
                    copy.backup,
                    self.checks.shared.tuning.stall_timeout,
                );
                let stored = self
                    .transfer(source::Source::Panel(bytes), self.there(), sidecar)
                    .await?;
                Ok(Made {
                    stored,
                    from: RepairSource::Panel(panel.client.name().clone()),
                })
            }
        }
    }

    /// One transfer, with our own SHA-256 as the proof: a panel's word is not needed.
    async fn transfer(
        &self,
        source: source::Source,
        destination: Destination,
        sidecar: SidecarDraft,
    ) -> Result<StoredObject, NotMade> {
        let copy = &self.recorded.copy;
        let (bytes, sha256) = match source.as_stored() {
            None => (copy.archive_bytes, copy.sha256.clone()),
            Some(sealed) => (sealed.stored_bytes, sealed.stored_sha256.clone()),
        };
        let job = Job {
            key: destination.archive_key(copy.server, copy.backup),
            label: label(copy),
            source,
            expected: ExpectedContent {
                length_bytes: Some(bytes),
                proof: ExpectedProof::Digest(sha256),
            },
            hinted_bytes: bytes,
            inspect: Inspect::WhenNeeded,
            must_contain: Vec::new(),
            recorded: Some(Recorded {
                verdict: copy.verdict,
                structure: copy.structure,
            }),
            recheck: Recheck::No,
            destinations: vec![destination],
            sidecar,
        };
        let finished = transfer::run(job, self.checks.shared).await;
        let source_failure = finished.source_failure;
        match finished.copies.into_iter().next() {
            Some(Ok(stored)) => Ok(stored),
            Some(Err(failure)) if failure.kind == FailureKind::Interrupted => Err(NotMade::Stopped),
            Some(Err(failure)) if source_failure.as_ref() == Some(&failure) => {
                Err(NotMade::Source(failure))
            }
            Some(Err(failure)) => Err(NotMade::Target(failure)),
            None => Err(NotMade::Stopped),
        }
    }

    fn there(&self) -> Destination {
        self.target.destination.clone()
    }

    /// The stored bytes of a copy that is encrypted as this one was: whoever could read it then can
    /// read it again, whomever the destination encrypts to by now.
    async fn copy_verbatim(
        &self,
        from: &DestinationTarget,
        sealed: SealedCopy,
    ) -> Result<StoredObject, NotMade> {
        let recipients = sealed.encryption.recipients.iter();
        let recipients: Result<Vec<Recipient>, _> = recipients.map(|text| text.parse()).collect();
        let recipients = recipients.map_err(|bad: BadRecipient| {
            NotMade::Source(Failure {
                scope: Scope::Backup,
                id: self.recorded.copy.backup.to_string(),
                kind: FailureKind::Integrity,
                message: format!("a recorded recipient is none: {bad}"),
                hint: String::new(),
            })
        })?;
        let there = self.there().encrypting_to(&recipients);
        let (sidecar, _from) = self.draft().await;
        let copy = CopySource::as_stored(from.destination.clone(), sealed);
        self.transfer(source::Source::Copy(copy), there, sidecar)
            .await
    }

    /// What the panel says of the backup, if it still lists it.
    pub(super) async fn listed(&self, panel: &PanelTarget) -> Result<SidecarDraft, NotMade> {
        let copy = &self.recorded.copy;
        let failed = |error: crate::panel::Error| {
            NotMade::Source(error.failure(Scope::Backup, copy.backup.to_string()))
        };
        let id = copy.server.to_string();
        let asked = async {
            let server = panel.client.server(&id).await?;
            let backup = panel.client.backup(&copy.server, &copy.backup).await?;
            Ok((server, backup))
        };
        let (server, backup) = tokio::select! {
            biased;
            () = self.checks.env.cancel.cancelled() => return Err(NotMade::Stopped),
            asked = asked => asked.map_err(failed)?,
        };
        let refuse = |message: &str| {
            Err(NotMade::Source(Failure {
                scope: Scope::Backup,
                id: copy.backup.to_string(),
                kind: FailureKind::Policy,
                message: message.to_owned(),
                hint: String::new(),
            }))
        };
        if server.id != copy.server {
            return refuse("the panel answers with another server");
        }
        let Backup::Completed(backup) = backup else {
            return refuse("the panel no longer lists the backup as completed");
        };
        if backup.record.id != copy.backup {
            return refuse("the panel answers with another backup");
        }
        Ok(SidecarDraft {
            panel: panel.client.name().clone(),
            panel_url: panel.client.base_url().to_string(),
            server,
            backup,
            kept: None,
        })
    }
}

fn label(copy: &HeldCopy) -> TransferLabel {
    TransferLabel {
        server_name: copy.server_name.clone(),
        backup_name: copy.backup_name.clone(),
        backup: copy.backup,
    }
}

/// Whether whoever can open one can open the other.
fn is_same(ours: &Encryption, theirs: &Encryption) -> bool {
    let sorted = |encryption: &Encryption| {
        let mut recipients = encryption.recipients.clone();
        recipients.sort_unstable();
        recipients
    };
    ours.scheme == theirs.scheme && sorted(ours) == sorted(theirs)
}
