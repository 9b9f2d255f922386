//! Which servers, panels and destinations a command is narrowed to.

use crate::config::address;
use crate::config::error::Error;
use crate::config::flags::Request;
use crate::config::resolve::Resolver;
use crate::config::resolve::restore;
use crate::config::settings::Filter;
use crate::config::source::Source;
use crate::model::ids::DestinationName;
use crate::model::ids::PanelName;

impl Resolver<'_> {
    pub(super) fn filter(&mut self, request: &Request) -> Filter {
        match request {
            Request::Read(wanted) => Filter {
                servers: wanted.servers.clone(),
                panels: wanted
                    .panels
                    .iter()
                    .filter_map(|panel| self.wanted_panel(panel))
                    .collect(),
                destinations: wanted
                    .to
                    .iter()
                    .filter_map(|to| self.wanted_destination(to))
                    .collect(),
                copies: restore::copies_from(&wanted.from),
            },
            Request::Verify(wanted) => Filter {
                servers: wanted.servers.clone(),
                ..Filter::default()
            },
            Request::Ledger(wanted) => Filter {
                servers: wanted.servers.clone(),
                ..Filter::default()
            },
            Request::Prune(wanted) => Filter {
                servers: wanted.servers.clone(),
                ..Filter::default()
            },
            Request::Mirror(_)
            | Request::Restore(_)
            | Request::Mark(_)
            | Request::Panel(_)
            | Request::Show
            | Request::Check => Filter::default(),
        }
    }

    fn wanted_panel(&mut self, text: &str) -> Option<PanelName> {
        let name = if text.contains("://") {
            address::parse(text)
                .map(|url| address::name_of(&url))
                .map_err(|bad| (bad.why, bad.fix))
        } else {
            Ok(text.to_owned())
        };
        let name = name.and_then(|name| {
            name.parse()
                .map_err(|_unusable| ("it is no name".to_owned(), "name a panel".to_owned()))
        });
        self.wanted("--panel", name)
    }

    pub(super) fn wanted_destination(&mut self, text: &str) -> Option<DestinationName> {
        let name = text
            .parse()
            .map_err(|_unusable| ("it is no name".to_owned(), "name a destination".to_owned()));
        self.wanted("--to", name)
    }

    fn wanted<N>(&mut self, flag: &'static str, name: Result<N, (String, String)>) -> Option<N> {
        match name {
            Ok(name) => Some(name),
            Err((why, fix)) => {
                self.problems.push(Error::BadValue {
                    from: Source::Flag(flag),
                    key: flag.to_owned(),
                    why,
                    fix,
                });
                None
            }
        }
    }
}
