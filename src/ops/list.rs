//! `nestegg list`: the copies held.

use crate::config::Settings;
use crate::ledger::Ledger;
use crate::ops::Error;
use crate::ops::choice;
use crate::report::ListReport;

/// The copies that the filter chooses; reads, and waits for nobody.
///
/// # Errors
/// [`Error::NamesNothing`], [`Error::Ledger`].
pub fn list(settings: &Settings) -> Result<ListReport, Error> {
    let ledger = Ledger::open_read_only(&settings.ledger)?;
    let copies = ledger.copies(&choice::chosen(&ledger, settings)?)?;
    let panel = match settings.filter.panels.as_slice() {
        [panel] => Some(panel.clone()),
        [] | [_, _, ..] => None,
    };
    Ok(ListReport { panel, copies })
}
