//! `nestegg ledger`: the record itself, made anew, compared, handed out.

pub mod check;
pub mod export;
pub mod rebuild;

use crate::config::Settings;
use crate::destination::FoundCopy;
use crate::env::Env;
use crate::ledger;
use crate::ledger::DescribedCopy;
use crate::ledger::Ledger;
use crate::ledger::Unrecordable;
use crate::model::holding::HeldCopy;
use crate::ops::Error;
use crate::ops::setup;
use crate::ops::setup::OpenLedger;

/// Locks and opens the ledger for writing, and begins a run in it; a file that is damaged anywhere,
/// somebody else's, or of a newer version is left as it is.
///
/// # Errors
/// [`Error::Ledger`], [`Error::Stopped`].
pub async fn open(settings: &Settings, command: &str, env: &Env) -> Result<OpenLedger, Error> {
    match Ledger::open_read_only(&settings.ledger).and_then(|ledger| ledger.ensure_sound()) {
        Ok(()) | Err(ledger::Error::NoLedger { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    setup::ledger(settings, command, env).await
}

/// A found copy, without what neither a comparison nor the ledger needs.
#[derive(Debug)]
struct Summary {
    /// As its sidecar describes it.
    held: HeldCopy,
    /// As the ledger takes it.
    recordable: Result<DescribedCopy, Unrecordable>,
}

impl Summary {
    fn of(found: FoundCopy) -> Self {
        let held = found.held();
        let FoundCopy {
            stored,
            panel,
            sidecar,
        } = found;
        Self {
            held,
            recordable: DescribedCopy::new(stored, panel, sidecar),
        }
    }
}
