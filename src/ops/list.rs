//! `nestegg list`: the copies held.

use crate::config::Settings;
use crate::config::settings::Filter;
use crate::config::settings::restore::CopiesFrom;
use crate::ledger::Ledger;
use crate::model::holding::HeldCopy;
use crate::ops::Error;
use crate::ops::Tuning;
use crate::ops::choice;
use crate::ops::restore::inventory;
use crate::ops::restore::inventory::Inventory;
use crate::ops::restore::inventory::Sought;
use crate::ops::setup;
use crate::plan;
use crate::plan::restore::NoChoice;
use crate::report::Account;
use crate::report::ListReport;

/// The copies that the filter chooses; reads, and waits for nobody.
///
/// # Errors
/// [`Error::NamesNothing`], [`Error::Ledger`]; with `--from` [`Error::Choice`],
/// [`Error::Destination`], [`Error::SamePlace`].
pub async fn list(settings: &Settings, tuning: &Tuning) -> Result<ListReport, Error> {
    let panel = match settings.filter.panels.as_slice() {
        [panel] => Some(panel.clone()),
        [] | [_, _, ..] => None,
    };
    match settings.filter.copies {
        CopiesFrom::Ledger => {
            let ledger = Ledger::open_read_only(&settings.ledger)?;
            Ok(ListReport {
                panel,
                copies: ledger.copies(&choice::chosen(&ledger, settings)?)?,
                account: Account::Ledger,
                failures: Vec::new(),
            })
        }
        CopiesFrom::Sidecars => {
            let opened = setup::open_to_read(settings, tuning).await?;
            let sought = Sought::Servers(&settings.filter.servers);
            let found = inventory::by_sidecars(opened, sought).await;
            let report = ListReport {
                panel,
                account: Account::Sidecars,
                ..described(found, &settings.filter)?
            };
            Ok(report)
        }
    }
}

/// What of an inventory the filter takes, in the order of a list. Broken copies are told in any
/// case: whose they are can't be known.
fn described(found: Inventory, filter: &Filter) -> Result<ListReport, Error> {
    let Inventory {
        copies,
        places: _,
        broken,
        mut failures,
        by: _,
    } = found;
    failures.extend(broken.into_iter().map(|broken| broken.failure));
    let mut copies: Vec<HeldCopy> = match plan::restore::choose_all(&copies, &filter.servers) {
        Ok(backups) => backups.into_iter().flatten().cloned().collect(),
        Err(NoChoice::NothingHeld) => Vec::new(),
        Err(refused) => return Err(refused.into()),
    };
    copies.retain(|copy| filter.panels.is_empty() || filter.panels.contains(&copy.panel));
    copies.sort_by(|a, b| {
        (&a.panel, &a.server_name, a.server)
            .cmp(&(&b.panel, &b.server_name, b.server))
            .then_with(|| b.completed_at.cmp(&a.completed_at))
            .then_with(|| (a.backup, &a.destination).cmp(&(b.backup, &b.destination)))
    });
    Ok(ListReport {
        panel: None,
        copies,
        account: Account::Sidecars,
        failures,
    })
}
