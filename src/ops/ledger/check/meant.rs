//! Which servers a check is about, by all the names that the ledger and sidecars know.

use std::collections::BTreeMap;

use crate::config::Settings;
use crate::env::Env;
use crate::ledger;
use crate::ledger::KnownServer;
use crate::model::holding::HeldCopy;
use crate::model::ids::ServerId;
use crate::model::selector::ServerSelector;
use crate::ops::Error;
use crate::ops::choice;
use crate::ops::described::Described;
use crate::ops::ledger::Summary;
use crate::ops::mirror::book::Book;

/// Which servers are meant, by all the names that ledger and sidecars know.
pub(super) struct Meant<'s> {
    selectors: &'s [ServerSelector],
    names: BTreeMap<ServerId, Vec<(String, String)>>,
}

impl<'s> Meant<'s> {
    pub(super) async fn new(settings: &'s Settings, book: &Book) -> Result<Self, ledger::Error> {
        let known = book.read(|ledger| ledger.known()).await?;
        let mut names: BTreeMap<ServerId, Vec<(String, String)>> = BTreeMap::new();
        for server in known.servers {
            let KnownServer {
                id,
                identifier,
                name,
                ..
            } = server;
            names.entry(id).or_default().push((identifier, name));
        }
        Ok(Self {
            selectors: &settings.filter.servers,
            names,
        })
    }

    /// Whether a server's sidecars are worth reading: what no ledger knows may turn out to be meant.
    pub(super) fn may_be(&self, server: ServerId) -> bool {
        !self.names.contains_key(&server) || self.is_meant(server)
    }

    pub(super) fn learn(&mut self, there: &Described<Summary>) {
        for Summary { held, .. } in &there.copies {
            let name = (held.identifier.clone(), held.server_name.clone());
            let names = self.names.entry(held.server).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let broken = there.broken.iter().map(|(server, _, _)| *server);
        let alone = there.alone.iter().map(|(key, _)| key.server());
        for server in broken.chain(alone) {
            self.names.entry(server).or_default();
        }
    }

    pub(super) fn is_meant(&self, server: ServerId) -> bool {
        let mut selectors = self.selectors.iter();
        self.selectors.is_empty() || selectors.any(|selector| self.names_it(selector, server))
    }

    pub(super) fn is_meant_copy(&self, copy: &HeldCopy) -> bool {
        self.is_meant(copy.server)
    }

    fn names_it(&self, selector: &ServerSelector, server: ServerId) -> bool {
        let names = self.names.get(&server).map_or(&[][..], Vec::as_slice);
        *selector == ServerSelector::Any
            || selector.matches_words(server, &server.short(), "")
            || names
                .iter()
                .any(|(identifier, name)| selector.matches_words(server, identifier, name))
    }

    /// Fails for a word that names no server that is recorded or there: an answer that leaves out a
    /// misspelt server would look like good news.
    pub(super) fn ensure_all_name_something(&self, env: &Env) -> Result<(), Error> {
        if env.cancel.is_cancelled() {
            return Ok(());
        }
        for selector in self.selectors {
            let mut servers = self.names.keys();
            if *selector != ServerSelector::Any
                && !servers.any(|server| self.names_it(selector, *server))
            {
                let names = self.names.values().flatten().map(|(_, name)| name.as_str());
                return Err(choice::names_nothing(
                    "--server",
                    "server",
                    selector.as_str(),
                    names,
                ));
            }
        }
        Ok(())
    }
}
