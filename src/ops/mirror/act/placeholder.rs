//! Archives that came instead of a backup's own: a restore had put them there.

use crate::ledger;
use crate::ledger::BackupOf;
use crate::ops::mirror::act::Acting;
use crate::transfer;
use crate::transfer::Instead;
use crate::transfer::source::Source;

impl Acting<'_> {
    /// Whose archive it is that the panel gave instead of the one that it recorded.
    ///
    /// A panel's backup disk takes restored archives under the ids of placeholder backups, whose rows keep
    /// the length and digest of what was there before (`panel-contract.md` section 7, routes D and E).
    pub(super) async fn whose(&self, instead: Instead) -> Result<Option<BackupOf>, ledger::Error> {
        let this = self.this();
        let bytes = match &instead {
            Instead::OfLength(bytes) | Instead::Content { bytes, .. } => *bytes,
        };
        let known = self
            .run
            .book
            .read(move |ledger| ledger.archives_of_length(bytes, this))
            .await?;
        if known.is_empty() {
            return Ok(None);
        }
        let sha256 = match instead {
            Instead::Content { sha256, .. } => sha256,
            Instead::OfLength(bytes) => {
                let source = Source::Panel(self.panel_source());
                match transfer::identify(source, bytes, &self.label(), &self.run.shared).await {
                    Ok(sha256) => sha256,
                    Err(failure) => {
                        tracing::debug!(
                            "what came instead was not recognised: {}",
                            failure.message
                        );
                        return Ok(None);
                    }
                }
            }
        };
        let holds = known.into_iter().find(|(known, _)| *known == sha256);
        Ok(holds.map(|(_, of)| of))
    }

    /// Leaves a placeholder out, in this run and in those to come.
    pub(super) async fn pass_over(&mut self, holds: BackupOf) -> Result<(), ledger::Error> {
        self.placeholder_for = Some(holds);
        let this = self.this();
        self.run
            .book
            .write(move |ledger, run, now| ledger.record_placeholder(run, this, holds, now))
            .await
    }
}
