//! A new backup was asked for, and no answer says what came of it.

use crate::config::settings::panel::CreateTask;
use crate::model::backup::Backup;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::panel::Parts;
use crate::ops::panel::create::Before;
use crate::ops::panel::create::about;
use crate::ops::panel::find::FoundServer;
use crate::panel::Error;
use crate::panel::ListingTrust;

/// What came in place of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// A failure that leaves open whether the panel makes it.
    Failed(Error),
    /// A backup that was there before.
    OfAnother,
}

/// So often the list is looked at for a backup that is not in it.
const LOOKS: u32 = 3;
/// So many new backups are named to someone of whose one nothing is known.
const BACKUPS_TOLD: usize = 5;

/// The backup that was asked for, as far as the server's list tells: the only one that was not there
/// before and has the name that was wished for.
///
/// # Errors
/// The failure that was the answer, with what the list says: nothing new, several, or nothing at all.
pub(super) async fn look(
    parts: &Parts,
    task: &CreateTask,
    on: &FoundServer<'_>,
    before: &Before,
    answer: Answer,
) -> Result<Backup, Failure> {
    let failure = answer.failure(on);
    let told = |what: String, hint: &str| Failure {
        message: format!("{}; {what}", failure.message),
        hint: hint.to_owned(),
        ..failure.clone()
    };
    let look_yourself =
        "look at `nestegg panel backups` before you ask again: it may be being made";
    let Before::Listed(known) = before else {
        return Err(told(
            "the key may not list backups, so whether one is being made is not known".to_owned(),
            look_yourself,
        ));
    };
    let fits = |backup: &Backup| {
        let record = backup.record();
        !known.contains(&record.id) && task.name.as_ref().is_none_or(|name| *name == record.name)
    };
    let mut looks = answer.looks();
    let (mut new, trust) = loop {
        let listing = match on.target.client.backups(&on.server.id).await {
            Ok(listing) => listing,
            Err(error) => {
                return Err(told(
                    format!("whether one is being made is not known: {error}"),
                    look_yourself,
                ));
            }
        };
        let new: Vec<Backup> = listing.backups.into_iter().filter(fits).collect();
        looks -= 1;
        if !new.is_empty() || looks == 0 {
            break (new, listing.trust);
        }
        let pause = tokio::time::sleep(parts.tuning.create_poll);
        if parts.unless_stopped(pause).await.is_none() {
            break (new, listing.trust);
        }
    };
    match (new.pop(), new.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) if trust == ListingTrust::Whole && answer.is_of_the_node() => Err(told(
            "the server's list has no new backup, so none was begun".to_owned(),
            &failure.hint,
        )),
        (None, _) if trust == ListingTrust::Whole => Err(told(
            "the server's list has no new backup so far".to_owned(),
            look_yourself,
        )),
        (None, _) => Err(told(
            "the server's list moved while it was read, and shows no new backup".to_owned(),
            look_yourself,
        )),
        (Some(last), _) => {
            new.push(last);
            let ids: Vec<String> = new
                .iter()
                .take(BACKUPS_TOLD)
                .map(|backup| backup.record().id.to_string())
                .collect();
            Err(told(
                format!(
                    "the server's list has {} new backups, and which one was asked for here can't be told: {}",
                    new.len(),
                    ids.join(", ")
                ),
                look_yourself,
            ))
        }
    }
}

impl Answer {
    /// Whether the panel asked the node in vain: it has taken its row back then
    /// (`panel-contract.md` section 5).
    const fn is_of_the_node(&self) -> bool {
        matches!(self, Self::Failed(Error::Node { .. }))
    }

    /// How often the list is looked at. A panel shows a new backup only once the node has answered, which
    /// may be after whoever stands between gave up on the panel.
    const fn looks(&self) -> u32 {
        if self.is_of_the_node() { 1 } else { LOOKS }
    }

    fn failure(&self, on: &FoundServer<'_>) -> Failure {
        match self {
            Self::Failed(error) => about(on, error),
            Self::OfAnother => Failure {
                scope: Scope::Server,
                id: on.server.id.to_string(),
                kind: FailureKind::Protocol,
                message: format!(
                    "could not have a backup of server {} made: the answer is about a backup that was there before",
                    on.server.id
                ),
                hint: "check that the address is a Pterodactyl or Pelican panel, and report this with the panel's version"
                    .to_owned(),
            },
        }
    }
}
