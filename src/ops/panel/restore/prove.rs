//! Making sure that the panel's archive can be got, before a node deletes files on its account.

use bytesize::ByteSize;

use crate::model::backup::CompletedBackup;
use crate::model::checksum::PanelChecksum;
use crate::model::retry::Retry;
use crate::ops::panel::restore::Restoring;
use crate::ops::panel::restore::error::Error;
use crate::transfer::source::PanelSource;
use crate::transfer::source::Probed;
use crate::transfer::source::ProbedAt;
use crate::transfer::source::node_client;

impl Restoring<'_> {
    /// Makes sure that the archive can be got, as far as its first byte tells.
    pub(super) async fn prove(&mut self, backup: &CompletedBackup) -> Result<(), Error> {
        let tuning = &self.parts.tuning.transfer;
        let node = node_client(tuning.connect_timeout).map_err(Error::NotProved)?;
        let source = PanelSource::new(
            self.panel.clone(),
            node,
            self.server,
            self.job.backup,
            tuning.stall_timeout,
        );
        let mut tries = 1;
        let probed = loop {
            let look = async { Ok::<_, Error>(source.probe().await) };
            match self.unless_stopped(look).await? {
                Ok(probed) => break probed,
                Err(error) => {
                    if tries >= error.patience(tuning.attempts) || error.retry() == Retry::Never {
                        return Err(Error::NotProved(error));
                    }
                    tries += 1;
                    self.pause(tuning.first_wait).await?;
                }
            }
        };
        let Probed { at, total_bytes } = probed;
        if let Some(why) = at.why_not_restorable() {
            return Err(Error::NotTakenByNodes { why });
        }
        let expected_bytes = match &backup.checksum {
            PanelChecksum::Opaque { .. } => None,
            PanelChecksum::Digest(_) | PanelChecksum::Malformed(_) | PanelChecksum::Absent => {
                Some(backup.archive_bytes)
            }
        };
        if let (Some(found_bytes), Some(expected_bytes)) = (total_bytes, expected_bytes)
            && found_bytes != expected_bytes
        {
            return Err(Error::OtherLength {
                found_bytes,
                expected_bytes,
            });
        }
        let place = match at {
            ProbedAt::Node => "on the node",
            ProbedAt::Bucket { .. } => "in the panel's bucket",
        };
        let length = total_bytes.map_or_else(String::new, |bytes| {
            format!(" with the right length ({})", ByteSize(bytes))
        });
        self.notes.push(format!(
            "before anything was deleted, the archive was found {place}{length} and its first byte was read; the rest of it was not"
        ));
        Ok(())
    }
}
