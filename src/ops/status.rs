//! `nestegg status`: how fresh and complete the mirror is, per server.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::config::Settings;
use crate::config::settings::PanelSettings;
use crate::ledger::Ledger;
use crate::ledger::ServerHistory;
use crate::model::holding::ServerHolding;
use crate::model::ids::ServerId;
use crate::model::selector::ServerSelector;
use crate::model::suspicion::Acceptance;
use crate::model::suspicion::Archive;
use crate::model::suspicion::ShrinkAlarm;
use crate::model::suspicion::Suspicion;
use crate::model::suspicion::suspicion;
use crate::ops::Error;
use crate::ops::choice;
use crate::report::Freshness;
use crate::report::LastRun;
use crate::report::ServerStatus;
use crate::report::StatusReport;
use crate::report::is_dated_ahead;

/// How the servers that the filter chooses stand; reads, and waits for nobody.
///
/// # Errors
/// [`Error::NamesNothing`], [`Error::Ledger`].
pub fn status(settings: &Settings, now: Timestamp) -> Result<StatusReport, Error> {
    let ledger = Ledger::open_read_only(&settings.ledger)?;
    let chosen = choice::chosen(&ledger, settings)?;
    let holdings = ledger.holdings(&chosen)?;
    let alarm = ShrinkAlarm(settings.prune.shrink_alarm);
    let mut suspicions: BTreeMap<ServerId, Suspicion> = ledger
        .histories(&chosen)?
        .iter()
        .filter_map(|history| Some((history.server, suspicion_of(history, alarm, now)?)))
        .collect();
    let servers = holdings
        .into_iter()
        .map(|holding| {
            let max_age = settings.mirror.max_age;
            let promise = max_age.filter(|_| is_promised(&holding, &settings.panels));
            let suspicion = suspicions.remove(&holding.server);
            ServerStatus {
                suspicion,
                ..stand(holding, promise, now)
            }
        })
        .collect();
    let last_run = ledger.last_run("mirror")?.map(|record| LastRun {
        run: record.run,
        started_at: record.started_at,
        end: record.end.map(|end| (end.finished_at, end.exit_code)),
    });
    Ok(StatusReport {
        at: now,
        last_run,
        servers,
        verified: ledger.verified_since(&chosen)?,
    })
}

/// What is suspicious about a server's newest archive; where that is from the future, also about the newest
/// that is not: a panel whose clock was wrong once would else silence the alarm until that day.
pub(super) fn suspicion_of(
    history: &ServerHistory,
    alarm: ShrinkAlarm,
    now: Timestamp,
) -> Option<Suspicion> {
    let made_by = |last: Timestamp| -> Vec<Archive> {
        let newest_first = history.newest.iter();
        newest_first
            .filter(|archive| archive.created_at <= last)
            .map(|archive| Archive {
                backup: archive.backup,
                bytes: archive.bytes,
                lacking: archive.lacking.clone(),
                acceptance: match archive.accepted {
                    Some(_) => Acceptance::Accepted,
                    None => Acceptance::Open,
                },
            })
            .collect()
    };
    suspicion(&made_by(Timestamp::MAX), alarm).or_else(|| suspicion(&made_by(now), alarm))
}

/// Whether freshness is promised for a server: while the configuration selects it. A configuration
/// without panels promises it for all that were ever mirrored.
fn is_promised(holding: &ServerHolding, panels: &[PanelSettings]) -> bool {
    let names_it = |selector: &ServerSelector| {
        selector.matches_words(holding.server, &holding.identifier, &holding.name)
    };
    let mut of_its_panel = panels.iter().filter(|panel| panel.name == holding.panel);
    panels.is_empty()
        || of_its_panel.any(|panel| {
            panel.selectors.iter().any(names_it) && !panel.exclude.iter().any(names_it)
        })
}

/// Compares the newest verified copy with what is promised.
fn stand(holding: ServerHolding, max_age: Option<SignedDuration>, now: Timestamp) -> ServerStatus {
    let freshness = match (max_age, holding.newest_completed_at()) {
        (_, None) => Freshness::Never,
        (None, Some(_)) => Freshness::NotPromised,
        (Some(max_age), Some(newest)) => {
            if now.duration_since(newest) <= max_age && !is_dated_ahead(newest, now) {
                Freshness::Fresh
            } else {
                Freshness::Stale
            }
        }
    };
    ServerStatus {
        holding,
        max_age,
        freshness,
        suspicion: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::KeyOrigin;
    use crate::config::settings::PanelKey;
    use crate::model::backup::ChecksumPolicy;
    use crate::model::holding::DestinationHolding;
    use crate::model::server::ServerScope;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn holding(newest: Option<i64>) -> ServerHolding {
        ServerHolding {
            panel: "main".parse().unwrap(),
            server: "a1fa0000-1111-4111-8111-00000000000a".parse().unwrap(),
            identifier: "a1fa0000".to_owned(),
            name: "Alpha".to_owned(),
            last_listed_at: None,
            skipped_because: None,
            destinations: vec![DestinationHolding {
                destination: "b2".parse().unwrap(),
                copies: 1,
                stored_bytes: 1,
                newest_completed_at: newest.map(at),
                missing: Vec::new(),
            }],
        }
    }

    fn configured(name: &str, servers: &[&str], exclude: &[&str]) -> PanelSettings {
        let selectors = |words: &[&str]| words.iter().map(|word| word.parse().unwrap()).collect();
        PanelSettings {
            name: name.parse().unwrap(),
            url: "https://panel.example.com".parse().unwrap(),
            key: PanelKey::Unread,
            key_origin: KeyOrigin::Missing { empty: None },
            selectors: selectors(servers),
            scope: ServerScope::Mine,
            exclude: selectors(exclude),
            checksum: ChecksumPolicy::Panel,
        }
    }

    #[test]
    fn freshness_is_promised_for_what_the_configuration_selects() {
        let main = |servers, exclude| configured("main", servers, exclude);
        for (panels, is_held_to_it) in [
            (vec![], true),
            (vec![main(&["*"], &[])], true),
            (vec![main(&["Beta", "a1fa0000"], &[])], true),
            (vec![main(&["Beta"], &[])], false),
            (vec![main(&["*"], &["Al*"])], false),
            (vec![configured("other", &["*"], &[])], false),
            (vec![configured("other", &[], &[]), main(&["*"], &[])], true),
        ] {
            assert_eq!(
                is_promised(&holding(None), &panels),
                is_held_to_it,
                "{panels:?}"
            );
        }
    }

    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn freshness_is_the_newest_copys_age_against_the_promise() {
        let promise = Some(SignedDuration::from_secs(100));
        for (newest, max_age, freshness) in [
            (Some(900), promise, Freshness::Fresh),
            (Some(899), promise, Freshness::Stale),
            (None, promise, Freshness::Never),
            (Some(1), None, Freshness::NotPromised),
            // A clock that is ahead by less than a day is no lie; one further ahead proves nothing.
            (Some(1000 + DAY), promise, Freshness::Fresh),
            (Some(1001 + DAY), promise, Freshness::Stale),
            (Some(1001 + DAY), None, Freshness::NotPromised),
        ] {
            let status = stand(holding(newest), max_age, at(1000));
            assert_eq!(status.freshness, freshness, "{newest:?} {max_age:?}");
        }
    }
}
