//! Backups that the panel no longer has when their turn comes.

use crate::ledger;
use crate::ledger::BackupOf;
use crate::model::backup::Protect;
use crate::model::ids::BackupId;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::mirror::PanelTarget;
use crate::ops::mirror::Run;
use crate::panel;

/// Whether a failed download may mean that the backup is gone from the panel: a node that has lost an archive
/// answers the same whether the panel's record of it still stands or not (`panel-contract.md` section 4).
pub const fn may_be(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotFound | FailureKind::Protocol | FailureKind::Transfer
    )
}

/// Asks the panel whether a backup is gone; a run that is told to stop does not ask, and takes it to be there.
///
/// A user who lost access to a server is answered the same, so the server is asked for too.
pub async fn is_gone(run: &Run, panel: &PanelTarget, of: BackupOf) -> bool {
    let asked = async {
        let gone = panel.client.backup(&of.server, &of.backup).await;
        matches!(gone, Err(panel::Error::UnknownBackup { .. }))
            && panel.client.server(&of.server.to_string()).await.is_ok()
    };
    tokio::select! {
        biased;
        () = run.env.cancel.cancelled() => false,
        gone = asked => gone,
    }
}

/// Records that a backup is gone, and says it.
///
/// # Errors
/// The ledger's.
pub async fn tell(run: &Run, of: BackupOf) -> Result<Failure, ledger::Error> {
    run.book
        .write(move |ledger, run, now| ledger.record_vanished(run, of, now))
        .await?;
    Ok(failure(of.backup, run.settings.protect))
}

fn failure(backup: BackupId, protect: Protect) -> Failure {
    let hint = match protect {
        Protect::Nothing => {
            "raise the server's backup limit, mirror more often, or set `protect = \"lock\"` under [mirror]"
        }
        Protect::Lock => {
            "it went before it could be locked: raise the server's backup limit, or mirror more often"
        }
    };
    Failure {
        scope: Scope::Backup,
        id: backup.to_string(),
        kind: FailureKind::NotFound,
        message: "it vanished before it was copied: the panel's rotation or somebody deleted it"
            .to_owned(),
        hint: hint.to_owned(),
    }
}
