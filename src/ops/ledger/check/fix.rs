//! Mends the ledger where it and a destination do not agree; never the destination.

use crate::destination::Destination;
use crate::ledger;
use crate::ledger::CopyOrigin;
use crate::model::outcome::Failure;
use crate::model::outcome::FailureKind;
use crate::model::outcome::Scope;
use crate::ops::emptied;
use crate::ops::ledger::check::Found;
use crate::ops::ledger::check::Standing;
use crate::ops::mirror::book::Book;
use crate::plan::check::Accounts;
use crate::plan::check::Finding;
use crate::plan::check::Fixed;
use crate::plan::check::Place;
use crate::plan::check::Sign;

/// Adopts what is unknown and whole, and marks as lost what is missing; not where nothing at all is
/// left, which is what a disk looks like that is not mounted.
pub(super) async fn fix(
    book: &Book,
    destination: &Destination,
    findings: &mut Vec<Finding>,
    accounts: &Accounts,
    standing: &Standing,
    found: &mut Found,
) -> Result<(), ledger::Error> {
    let (name, location) = (
        destination.name().clone(),
        destination.location().to_owned(),
    );
    let mut adopted = Vec::new();
    let mut lost = Vec::new();
    let doubt = if standing.is_empty() && !accounts.after.held.is_empty() {
        emptied::doubt(destination).await
    } else {
        None
    };
    for finding in &mut *findings {
        let (Some(server), Some(backup), Some(key)) =
            (finding.server, finding.backup, finding.key.clone())
        else {
            continue;
        };
        let of = (server, backup);
        match finding.sign {
            // What is being removed goes on being removed.
            Sign::Unknown if accounts.after.being_removed.contains(&of) => {}
            Sign::Unknown => match found.remove(&of) {
                Some(Ok(copy)) => {
                    adopted.push(copy);
                    finding.fixed = Some(Fixed::Adopted);
                }
                Some(Err(why)) => {
                    finding.sign = Sign::Error(FailureKind::Integrity);
                    finding.detail = format!("its sidecar can't be recorded: {why}");
                }
                None => {}
            },
            Sign::Missing if doubt.is_none() => {
                lost.push(key);
                finding.fixed = Some(Fixed::MarkedLost);
            }
            Sign::Same | Sign::Missing | Sign::Differs | Sign::Error(_) => {}
        }
    }
    if let Some(failure) = doubt {
        let failure = match failure.hint.as_str() {
            "" => failure,
            hint => Failure {
                message: format!("{}: {hint}", failure.message),
                ..failure
            },
        };
        let place = Place::Destination(name.clone());
        findings.push(Finding::failed(place, None, &failure));
    }
    if adopted.is_empty() && lost.is_empty() {
        return Ok(());
    }
    book.write(move |ledger, run, now| {
        if !adopted.is_empty() {
            let origin = CopyOrigin::Adopted;
            ledger.record_described(run, &name, &location, &adopted, origin, now)?;
        }
        let there = match ledger.find_destination(&location)? {
            Some(there) if !lost.is_empty() => there,
            Some(_) | None => return Ok(()),
        };
        let failure = Failure {
            scope: Scope::Destination,
            id: name.to_string(),
            kind: FailureKind::NotFound,
            message: "the copy that was recorded is not there".to_owned(),
            hint: String::new(),
        };
        for key in &lost {
            ledger.record_lost(run, there, key, &failure, now)?;
        }
        Ok(())
    })
    .await
}
