//! How a run words what became of backups.

use crate::ledger::BackupOf;
use crate::model::ids::DestinationName;
use crate::model::outcome::BackupOutcome;
use crate::model::outcome::Failure;
use crate::model::outcome::Scope;
use crate::model::outcome::Skipped;
use crate::model::removal::Removal;
use crate::model::text::shown_name;

/// Names of destinations are cut to this many characters.
const NAME_CHARACTERS: usize = 40;

/// Says that retention wants no copy of a backup at some destinations: one reason a state.
pub(super) fn removed_from(
    outcome: &BackupOutcome,
    removed: &[(DestinationName, Removal)],
) -> Vec<Skipped> {
    [Removal::Done, Removal::Begun]
        .into_iter()
        .filter_map(|state| {
            let there: Vec<String> = removed
                .iter()
                .filter(|(_, removal)| *removal == state)
                .map(|(name, _)| shown_name(name.as_str(), NAME_CHARACTERS))
                .collect();
            let places = there.join(", ");
            let why = match state {
                Removal::Done => format!("`nestegg prune` removed the copy at {places}"),
                Removal::Begun => format!(
                    "`nestegg prune` began to remove the copy at {places}, and `nestegg prune --apply` finishes that"
                ),
            };
            (!there.is_empty()).then(|| Skipped {
                panel: outcome.panel.clone(),
                server: outcome.server,
                server_name: outcome.server_name.clone(),
                backup: Some(outcome.backup),
                why,
            })
        })
        .collect()
}

/// Why a placeholder is left out.
pub(super) fn placeholder(holds: BackupOf) -> String {
    format!(
        "it holds the archive of backup {} (server {}), put there by a restore: a placeholder, and no \
         backup of its own",
        holds.backup, holds.server
    )
}

/// Adds the failures of a backup's copies, each said once; what is about a destination as a whole
/// is said once a run.
pub(super) fn tell(outcome: &BackupOutcome, errors: &mut Vec<Failure>) {
    let mut told: Vec<&Failure> = Vec::new();
    let failures = outcome
        .copies
        .iter()
        .filter_map(|copy| copy.failure.as_ref());
    for failure in failures {
        let is_known = told.contains(&failure)
            || failure.scope == Scope::Destination && errors.contains(failure);
        if !is_known {
            told.push(failure);
        }
    }
    errors.extend(told.into_iter().cloned());
}
