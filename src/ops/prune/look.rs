//! The last look at a copy before it goes: it has to be the one that is recorded.

use bytes::Bytes;

use crate::destination;
use crate::destination::Destination;
use crate::destination::Examined;
use crate::destination::FoundCopy;
use crate::ledger::HeldFacts;
use crate::model::ids::BackupId;
use crate::model::ids::ServerId;
use crate::model::key::ObjectKey;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;

/// The copy under a key and its sidecar's bytes, when they are what the ledger says.
///
/// # Errors
/// What is amiss, or why it could not be looked at.
pub(super) async fn as_recorded(
    destination: &Destination,
    key: &ObjectKey,
    facts: Option<&HeldFacts>,
) -> Result<(FoundCopy, Bytes), Failure> {
    let examined = destination.examine_whole(key.server(), key.backup()).await;
    let (found, document) = match examined {
        Ok((Examined::Whole(found), document)) => (*found, document),
        Ok((other, _document)) => return Err(amiss(destination, key.backup(), &unusable(&other))),
        Err(error) => {
            return Err(error.failure(Scope::Destination, destination.name().to_string()));
        }
    };
    let stored = &found.stored;
    let is_it = facts.is_some_and(|facts| {
        facts.key == *key
            && stored.key() == key
            && facts.stored_bytes == stored.stored_bytes()
            && facts.stored_sha256 == *stored.stored_sha256()
            && facts.sha256 == *stored.archive_sha256()
    });
    if is_it {
        Ok((found, document))
    } else {
        let why = "its sidecar describes another one";
        Err(amiss(destination, key.backup(), why))
    }
}

/// Whether the next copy would meet a failure of this kind as well.
pub(super) const fn is_lasting(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Credentials | FailureKind::Unreachable)
}

/// That a copy stays, because its store could not be asked about it.
pub(super) fn not_asked(
    destination: &Destination,
    backup: BackupId,
    error: &destination::Error,
) -> Failure {
    let failure = error.failure(Scope::Backup, backup.to_string());
    Failure {
        message: format!(
            "the copy at `{}` stays, because the store could not be asked whether it retains it: {}",
            destination.name(),
            failure.message
        ),
        ..failure
    }
}

/// That a copy is not the one that is recorded.
pub(super) fn amiss(destination: &Destination, backup: BackupId, why: &str) -> Failure {
    not_as_recorded(
        Scope::Backup,
        backup.to_string(),
        format!(
            "the copy at `{}` is not the one that is recorded, so it is not removed: {why}",
            destination.name()
        ),
    )
}

/// That nothing of a server goes, because the copy that always stays is amiss.
pub(super) fn newest_amiss(
    destination: &Destination,
    server: ServerId,
    failure: Failure,
) -> Failure {
    match failure.scope {
        Scope::Backup => not_as_recorded(
            Scope::Server,
            server.to_string(),
            format!(
                "nothing of it is removed at `{}`, because its newest copy there is amiss: {}",
                destination.name(),
                failure.message
            ),
        ),
        Scope::Panel | Scope::Server | Scope::Destination | Scope::Ledger => failure,
    }
}

fn not_as_recorded(scope: Scope, id: String, message: String) -> Failure {
    Failure {
        scope,
        id,
        kind: FailureKind::Integrity,
        message,
        hint: "`nestegg verify` tells what is there, and `nestegg verify --repair` mends it; then prune again"
            .to_owned(),
    }
}

/// What keeps an examined copy from being one.
pub(super) fn unusable(examined: &Examined) -> String {
    let why = examined.why_unusable();
    why.unwrap_or_else(|| "there is no sidecar".to_owned())
}
