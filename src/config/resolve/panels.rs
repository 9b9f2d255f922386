//! The panels in play, from flags and file.

use crate::config::address;
use crate::config::error::Error;
use crate::config::file::PanelEntry;
use crate::config::key;
use crate::config::key::KeyOrigin;
use crate::config::resolve::Resolver;
use crate::config::resolve::needs::Need;
use crate::config::resolve::unknown_name;
use crate::config::settings::PanelKey;
use crate::config::settings::PanelSettings;
use crate::config::source::Place;
use crate::config::source::Source;
use crate::model::backup::ChecksumPolicy;
use crate::model::ids::PanelName;
use crate::model::selector::ServerSelector;
use crate::model::server::ServerScope;

impl Resolver<'_> {
    pub(super) fn panels(&mut self) -> Vec<PanelSettings> {
        let wanted = self.flags.panels.clone();
        let mut panels: Vec<PanelSettings> = Vec::new();
        if wanted.is_empty() {
            for entry in self.file_panels().to_vec() {
                panels.extend(self.file_panel(&entry));
            }
        }
        for text in &wanted {
            let entry = self
                .file_panels()
                .iter()
                .find(|entry| entry.name.value.as_str() == text)
                .cloned();
            let panel = match entry {
                Some(entry) => self.file_panel(&entry),
                None => self.one_shot_panel(text),
            };
            if let Some(panel) = panel
                && !panels.iter().any(|known| known.name == panel.name)
            {
                panels.push(panel);
            }
        }
        self.check_panels(&panels);
        panels
    }

    fn check_panels(&mut self, panels: &[PanelSettings]) {
        if panels.is_empty() && self.needs.panels == Need::Some && self.problems.is_empty() {
            self.problems.push(Error::Missing {
                what: "no panel is named".to_owned(),
                fix: format!(
                    "give --panel https://panel.example.com, or add a [[panel]] {}",
                    self.file_in_words()
                ),
            });
        }
        if self.flags.api_key_file.is_some() && panels.len() > 1 {
            self.problems.push(Error::SharedKey {
                from: "the key of --api-key-file".to_owned(),
                panels: panels.iter().map(|panel| panel.name.clone()).collect(),
            });
        } else if self.needs.panels.reads_secrets() {
            let origins = panels.iter().map(|panel| (&panel.name, &panel.key_origin));
            if let Err(error) = key::check_sharing(origins) {
                self.problems.push(error);
            }
        }
        for panel in panels {
            if address::is_in_the_clear(&panel.url) {
                self.warnings.push(format!(
                    "panel `{}` is reached over http://: its API key and the archives travel unencrypted; use https://",
                    panel.name
                ));
            }
        }
    }

    fn file_panel(&mut self, entry: &PanelEntry) -> Option<PanelSettings> {
        let name = entry.name.value.clone();
        let setting = |key: &str| format!("panel.{name}.{key}");
        self.sources.note(setting("name"), entry.name.source());
        self.sources.note(setting("url"), entry.url.source());
        let own = entry.key.as_ref().map(|key| (&key.value, &key.place));
        let key_origin = self.locate_key(&name, own)?;
        let selectors = match (&entry.servers, self.flags.scope) {
            (_, _) if !self.flags.servers.is_empty() => {
                self.sources
                    .note(setting("servers"), Source::Flag("--server"));
                self.flags.servers.clone()
            }
            (Some(written), None) => {
                self.sources.note(setting("servers"), written.source());
                written.value.clone()
            }
            (None, _) | (_, Some(_)) => vec![ServerSelector::Any],
        };
        let scope = match (self.flags.scope, &entry.all_servers) {
            (Some(scope), _) => {
                self.sources
                    .note(setting("all_servers"), Source::Flag("--all-servers"));
                scope
            }
            (None, Some(written)) => {
                self.sources.note(setting("all_servers"), written.source());
                if written.value {
                    ServerScope::WholePanel
                } else {
                    ServerScope::Mine
                }
            }
            (None, None) => ServerScope::Mine,
        };
        let mut exclude = Vec::new();
        if let Some(written) = &entry.exclude {
            self.sources.note(setting("exclude"), written.source());
            exclude.clone_from(&written.value);
        }
        if !self.flags.exclude.is_empty() {
            self.sources
                .note(setting("exclude"), Source::Flag("--exclude"));
            exclude.extend(self.flags.exclude.iter().cloned());
        }
        let checksum = match &entry.checksum {
            Some(written) => {
                self.sources.note(setting("checksum"), written.source());
                written.value
            }
            None => ChecksumPolicy::Panel,
        };
        Some(PanelSettings {
            name,
            url: entry.url.value.clone(),
            key: PanelKey::Unread,
            key_origin,
            selectors,
            scope,
            exclude,
            checksum,
        })
    }

    fn one_shot_panel(&mut self, text: &str) -> Option<PanelSettings> {
        if !text.contains("://") {
            let known: Vec<&str> = self
                .file_panels()
                .iter()
                .map(|entry| entry.name.value.as_str())
                .collect();
            let error = unknown_name("panel", text, &known, "an address starts with https://");
            self.problems.push(error);
            return None;
        }
        let url = match address::parse(text) {
            Ok(url) => url,
            Err(bad) => {
                self.problems.push(Error::BadValue {
                    from: Source::Flag("--panel"),
                    key: "--panel".to_owned(),
                    why: bad.why,
                    fix: bad.fix,
                });
                return None;
            }
        };
        let name: PanelName = match address::name_of(&url).parse() {
            Ok(name) => name,
            Err(_too_long) => {
                self.problems.push(Error::BadValue {
                    from: Source::Flag("--panel"),
                    key: "--panel".to_owned(),
                    why: "its host name is too long".to_owned(),
                    fix: "write the panel's real address".to_owned(),
                });
                return None;
            }
        };
        for key in ["name", "url"] {
            self.sources
                .note(format!("panel.{name}.{key}"), Source::Flag("--panel"));
        }
        let key_origin = self.locate_key(&name, None)?;
        let selectors = match (self.flags.servers.as_slice(), self.flags.scope) {
            ([], Some(_)) => vec![ServerSelector::Any],
            ([], None) => {
                self.problems.push(Error::Missing {
                    what: format!("no server of panel `{name}` is named"),
                    fix: "give --server ID, --server '*' for all servers of the key, or --all-servers \
                          for every server of the panel (an administrator's key)"
                        .to_owned(),
                });
                return None;
            }
            (servers, _) => servers.to_vec(),
        };
        self.sources
            .note(format!("panel.{name}.servers"), Source::Flag("--server"));
        Some(PanelSettings {
            name,
            url,
            key: PanelKey::Unread,
            key_origin,
            selectors,
            scope: self.flags.scope.unwrap_or(ServerScope::Mine),
            exclude: self.flags.exclude.clone(),
            checksum: ChecksumPolicy::Panel,
        })
    }

    fn locate_key(
        &mut self,
        name: &PanelName,
        own: Option<(&key::OwnKey, &Place)>,
    ) -> Option<KeyOrigin> {
        if self.needs.panels == Need::Nothing {
            return Some(KeyOrigin::Missing { empty: None });
        }
        let flag = self
            .flags
            .api_key_file
            .as_deref()
            .map(|path| self.environment.absolute(path));
        match key::locate(name, flag.as_deref(), own, self.environment) {
            Ok(origin) => Some(origin),
            Err(error) => {
                let said = error.to_string();
                if !self.problems.iter().any(|known| known.to_string() == said) {
                    self.problems.push(error);
                }
                None
            }
        }
    }
}
