//! What `status` and `list` are asked to show, among what the ledger knows.

use crate::config::Settings;
use crate::config::settings::Filter;
use crate::config::value::repeatable;
use crate::ledger::CopyFilter;
use crate::ledger::Known;
use crate::ledger::KnownServer;
use crate::ledger::Ledger;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;
use crate::model::selector::ServerSelector;
use crate::model::text::likeliest;
use crate::ops::Error;

/// So many known names are told to someone whose word names nothing.
const NAMES_TOLD: usize = 5;
/// Names are cut to this many characters.
const NAME_CHARACTERS: usize = 40;

/// The servers and destinations that the flags choose.
///
/// # Errors
/// [`Error::NamesNothing`] for a word that fits nothing recorded or configured: an answer that leaves
/// out a misspelt server would look like good news. [`Error::Ledger`].
pub fn chosen(ledger: &Ledger, settings: &Settings) -> Result<CopyFilter, Error> {
    let Filter {
        servers,
        panels,
        destinations,
        copies: _,
    } = &settings.filter;
    if servers.is_empty() && panels.is_empty() && destinations.is_empty() {
        return Ok(CopyFilter::default());
    }
    let mut known = ledger.known()?;
    let configured = settings.panels.iter().map(|panel| &panel.name);
    known.panels.extend(configured.cloned());
    let configured = settings.destinations.iter();
    let configured = configured.map(|destination| &destination.name);
    known.destinations.extend(configured.cloned());
    choose(known, &settings.filter)
}

fn choose(mut known: Known, filter: &Filter) -> Result<CopyFilter, Error> {
    for panel in &filter.panels {
        if !known.panels.contains(panel) {
            let names = known.panels.iter().map(PanelName::as_str);
            return Err(names_nothing("--panel", "panel", panel.as_str(), names));
        }
    }
    if !filter.panels.is_empty() {
        let is_theirs = |server: &KnownServer| filter.panels.contains(&server.panel);
        known.servers.retain(is_theirs);
    }
    for selector in &filter.servers {
        let is_meant = |server: &KnownServer| is_meant(selector, server);
        if *selector != ServerSelector::Any && !known.servers.iter().any(is_meant) {
            let names = known.servers.iter().map(|server| server.name.as_str());
            return Err(names_nothing(
                "--server",
                "server",
                selector.as_str(),
                names,
            ));
        }
    }
    for destination in &filter.destinations {
        if !known.destinations.contains(destination) {
            let names = known.destinations.iter().map(DestinationName::as_str);
            let word = destination.as_str();
            return Err(names_nothing("--to", "destination", word, names));
        }
    }
    let servers = known.servers.iter().filter(|server| {
        let mut selectors = filter.servers.iter();
        filter.servers.is_empty() || selectors.any(|selector| is_meant(selector, server))
    });
    let all_servers = filter.panels.is_empty() && filter.servers.is_empty();
    Ok(CopyFilter {
        servers: (!all_servers).then(|| servers.map(|server| server.id).collect()),
        destinations: (!filter.destinations.is_empty())
            .then(|| filter.destinations.iter().cloned().collect()),
    })
}

fn is_meant(selector: &ServerSelector, server: &KnownServer) -> bool {
    selector.matches_words(server.id, &server.identifier, &server.name)
}

/// The refusal of a word, with the known names that are most like it.
pub(super) fn names_nothing<'n>(
    flag: &'static str,
    what: &'static str,
    word: &str,
    names: impl Iterator<Item = &'n str>,
) -> Error {
    let (known, more) = likeliest(word, names, NAMES_TOLD, NAME_CHARACTERS);
    Error::NamesNothing {
        flag,
        what,
        word: repeatable(word),
        more,
        known,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::ids::ServerId;

    fn server_id(number: u8) -> ServerId {
        format!("a1fa000{number}-1111-4111-8111-00000000000a")
            .parse()
            .unwrap()
    }

    fn server(number: u8, panel: &str, name: &str) -> KnownServer {
        KnownServer {
            panel: panel.parse().unwrap(),
            id: server_id(number),
            identifier: format!("serv_{number}"),
            name: name.to_owned(),
        }
    }

    fn known() -> Known {
        Known {
            panels: ["main", "other"].map(|name| name.parse().unwrap()).into(),
            servers: vec![
                server(1, "main", "Survival"),
                server(2, "main", "Creative"),
                server(3, "other", "Lobby"),
            ],
            destinations: ["b2", "nas"].map(|name| name.parse().unwrap()).into(),
        }
    }

    fn filter(panels: &[&str], servers: &[&str], destinations: &[&str]) -> Filter {
        Filter {
            servers: servers.iter().map(|word| word.parse().unwrap()).collect(),
            panels: panels.iter().map(|word| word.parse().unwrap()).collect(),
            destinations: destinations
                .iter()
                .map(|word| word.parse().unwrap())
                .collect(),
            ..Filter::default()
        }
    }

    #[test]
    fn words_choose_servers_by_id_name_and_panel_and_destinations_by_name() {
        let some = |numbers: &[u8]| Some(numbers.iter().copied().map(server_id).collect());
        for (panels, words, numbers) in [
            (&[][..], &[][..], None),
            (&["main"], &[], some(&[1, 2])),
            (&[], &["serv_2"], some(&[2])),
            (&[], &["a1fa0003", "Surv*"], some(&[1, 3])),
            (&["other"], &["*"], some(&[3])),
        ] {
            let chosen = choose(known(), &filter(panels, words, &["nas"])).unwrap();
            let expected = CopyFilter {
                servers: numbers,
                destinations: Some(BTreeSet::from(["nas".parse().unwrap()])),
            };
            assert_eq!(chosen, expected, "{panels:?} {words:?}");
        }
    }

    #[test]
    fn a_word_that_names_nothing_is_refused_with_what_there_is() {
        for (wanted, message, hint) in [
            (
                filter(&["mian"], &[], &[]),
                "`--panel mian` names no panel that is recorded or configured",
                "known: main, other",
            ),
            (
                filter(&[], &["Survival", "creativ"], &[]),
                "`--server creativ` names no server that is recorded or configured",
                "known: Creative, Survival, Lobby",
            ),
            (
                filter(&["other"], &["Survival"], &[]),
                "`--server Survival` names no server that is recorded or configured",
                "known: Lobby",
            ),
            (
                filter(&[], &[], &["s3://key:secret@b2"]),
                "`--to …` names no destination that is recorded or configured",
                "known: nas, b2",
            ),
        ] {
            let error = choose(known(), &wanted).unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.hint().as_str()),
                (message, hint)
            );
        }
    }

    #[test]
    fn only_the_likeliest_names_are_told_and_never_what_acts_on_a_terminal() {
        let mut many = known();
        many.servers = (0..9)
            .map(|n| server(n, "main", &format!("lobby-{n}\u{1b}")))
            .collect();
        let error = choose(many, &filter(&[], &["lobby-7"], &[])).unwrap_err();
        assert_eq!(
            error.hint(),
            r"known: lobby-7\u{1b}, lobby-0\u{1b}, lobby-1\u{1b}, lobby-2\u{1b}, lobby-3\u{1b} and 4 more"
        );
        let mut none = known();
        none.servers.clear();
        let error = choose(none, &filter(&[], &["lobby-7"], &[])).unwrap_err();
        assert_eq!(
            error.hint(),
            "nothing is recorded yet: run `nestegg mirror` first"
        );
    }
}
