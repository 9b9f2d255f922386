//! Destinations that hold nothing at all: a disk that is not mounted leaves an empty directory behind, so
//! copies that are missing there say nothing of themselves.

use futures_util::TryStreamExt as _;

use crate::destination::Destination;
use crate::model::ids::DestinationName;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;

/// Destinations that are believed even when they hold nothing at all: they were named to be repaired.
#[derive(Debug, Clone, Copy, Default)]
pub struct Believed<'n>(pub &'n [DestinationName]);

impl Believed<'_> {
    /// Whether a destination is among them.
    pub fn has(self, name: &DestinationName) -> bool {
        self.0.contains(name)
    }
}

/// To be asked when a copy is missing that the ledger records: why that is no reason to count it as lost.
/// `None` where something else is held.
pub async fn doubt(destination: &Destination) -> Option<Failure> {
    let name = destination.name();
    match destination.list().try_next().await {
        Ok(Some(_something)) => None,
        Ok(None) => Some(Failure {
            scope: Scope::Destination,
            id: name.to_string(),
            kind: FailureKind::NotFound,
            message: "nothing at all is there, so nothing was marked as lost".to_owned(),
            hint: format!(
                "another disk may be mounted, or the bucket was emptied; if it was, `nestegg mirror` makes what \
                 the panel still has, and `nestegg verify --repair --to {name}` makes what it can and marks the rest \
                 as lost"
            ),
        }),
        Err(error) => Some(error.failure(Scope::Destination, name.to_string())),
    }
}
